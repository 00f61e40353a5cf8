/* uuid.h - the uuid by which a prover knows an attempt: its id, sealed under the prover's key.
 *
 * Nothing is kept for it: whoever has the secret reads the id back out of the text, after any
 * restart and however old, and only with the key of the prover that it was made for.  It looks
 * like a random one (RFC 9562, version 4) and tells nothing of the id. */
#ifndef PROVA_UUID_H
#define PROVA_UUID_H

#include "common/bytes.h"

enum { UUID_CHARS = 36 };

/* id is below 2^48. */
void	uuid_seal(struct span secret, struct span key, uint64_t id, char out[UUID_CHARS + 1]);
/* The id; 0 when it is no uuid of this secret and key.  Read as PostgreSQL reads one: either case, in
 * braces or not, with dashes or without. */
uint64_t uuid_open(struct span secret, struct span key, struct span text) MUSTCHECK;

#endif
