/* reply.h - what a plug-in's answer means for the purchase.  Pure. */
#ifndef PROVA_REPLY_H
#define PROVA_REPLY_H

#include "cmd/dispatch-exec/purchase.h"
#include "common/coproc.h"

/* Borrowed from the coproc_result.  With outcome PROVED exactly one of proof and path is set,
 * and answer's own proof fields are not yet. */
struct reply {
	struct purchase_answer	answer;
	struct span		proof;
	char			path[1024];
};

void	reply_read(enum purchase_verb, const struct coproc_result *, struct reply *);

#endif
