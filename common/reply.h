/* reply.h - floor 6: what a plug-in's answer means, read for the verb that was asked.  Pure.
 *
 * Only `prove` refused without "retry", and state "failed", say that it cannot prove
 * this; an error to any other verb says nothing about the order. */
#ifndef PROVA_REPLY_H
#define PROVA_REPLY_H

#include "common/coproc.h"

enum reply_outcome {
	REPLY_HANDLE,		/* prove, reconcile: the order is there (handle) */
	REPLY_PROVED,		/* any verb: here is the proof */
	REPLY_PROVING,		/* poll, cancel: it is still at work */
	REPLY_REFUSED,		/* prove: not now; the order is surely not there */
	REPLY_FAILED,		/* it cannot prove this, or is over with it */
	REPLY_UNKNOWN,		/* reconcile, poll, cancel: it does not know the attempt */
	REPLY_CANCELLED,	/* cancel: it is over, and costs nothing */
	REPLY_NOT_SENT,		/* no byte of the request has left (code: why) */
	REPLY_NO_ANSWER,	/* anything may have happened (code: why) */
	REPLY_OUTCOMES
};

/* Borrowed from the coproc_result.  With REPLY_PROVED exactly one of proof and path is set. */
struct reply {
	enum reply_outcome	 outcome;
	uint64_t		 code;		/* of a failure; 0: the usual one */
	struct span		 detail;	/* what it said, for people */
	struct span		 handle;
	struct span		 proof;
	char			 path[1024];
};

/* The verb is one of prove, poll, cancel, reconcile. */
void	reply_read(enum plugin_verb, const struct coproc_result *, struct reply *);

#endif
