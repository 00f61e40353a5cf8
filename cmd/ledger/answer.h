/* answer.h - what is asked of the store by people: one JSON object in, one out.
 *
 *	{"what":"jobs","state":S,"chain":C,"type":T,"limit":N,"after":ID}
 *		{"jobs":[...],"next":ID}: newest first; all members but `what` are optional.  S is a
 *		state, "open" or "ended".  `next` is there when there may be more: ask again
 *		with it as `after`.
 *	{"what":"job","id":N} or {"what":"job","uuid":U,"chain":C}
 *		{"job":{},"work":{},"identity":{},"jobs":[all of the work],"attempts":[]}
 *	{"what":"explain", as job}
 *		the same and "history":[] in the order of time, "entries":[]
 *	{"what":"check"}
 *		see check.h
 *	{"what":"money","account":A,"limit":N,"after":N}
 *		{"accounts":[{"account":A,"micro":M}]}, or with an account its entries, newest first
 *
 * Bodies and proofs are left out.  Lists that would grow too long end with "cut":true.
 * What cannot be answered is {"error":TEXT}. */
#ifndef PROVA_ANSWER_H
#define PROVA_ANSWER_H

#include "cmd/ledger/sql.h"

enum { ANSWER_BYTES = 1 << 20, ASK_BYTES = 4096 };	/* of an answer, of a request */

/* Appends one object of at most ANSWER_BYTES.  sql NULL: there is no file to ask. */
void	answer_request(struct sql *, const char *blobs_dir, struct span request, struct buf *out);

#endif
