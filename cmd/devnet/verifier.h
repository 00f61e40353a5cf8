/* verifier.h - is a proof's text a proof of this item? */
#ifndef PROVA_DEVNET_VERIFIER_H
#define PROVA_DEVNET_VERIFIER_H

#include "cmd/devnet/tasks.h"

enum verifier { VERIFIER_GOOD, VERIFIER_BAD, VERIFIER_SHAPE };

/* VERIFIER_SHAPE: why has the words of the Coordinator's decoder.  The item notes
 * what the proof said it proved. */
enum verifier verifier_judge(struct tasks *, struct item *, struct span proof, bool mock, struct buf *why) MUSTCHECK;

#endif
