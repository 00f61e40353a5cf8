/* faults.h - what prova-devnet does wrong on demand, and how often. */
#ifndef PROVA_DEVNET_FAULTS_H
#define PROVA_DEVNET_FAULTS_H

#include "common/bytes.h"
#include "common/desk.h"

/* Where: the Coordinator's calls, in the order of enum coord_call, and the L2 node. */
enum { FAULT_L2 = COORD_SUBMIT + 1, FAULT_PLACES };

/* What is done instead of answering well. */
enum fault_kind {
	FAULT_NONE,
	FAULT_DELAY,		/* the answer is held back */
	FAULT_STATUS,		/* an HTTP status, and nothing is done */
	FAULT_DROP,		/* no answer, and nothing is done */
	FAULT_LOST,		/* it is done, but there is no answer */
	FAULT_HALF,		/* it is done, and half of the answer is sent */
	FAULT_GARBAGE,		/* something else than the protocol, and nothing is done */
	FAULT_EXPIRED,		/* 50001, whatever the token */
	FAULT_INTERNAL,		/* as the real one while its data base is away */
	FAULT_WRONG_BLOCK,	/* another block than the one asked for */
	FAULT_NULL_RESULT,	/* "result":null */
	FAULT_ERROR,		/* a JSON-RPC error */
};

struct fault {
	enum fault_kind	 kind;
	unsigned	 places;	/* a bit each */
	uint64_t	 value;		/* of delay: ms; of status */
	uint64_t	 rate;		/* per 1,000,000 */
	uint64_t	 n;		/* how often it was done */
	char		*text;		/* as it was written */
};

struct faults {
	struct fault	*list;
	size_t		 nlist;
	uint64_t	 seed;
	uint64_t	 asked[FAULT_PLACES];
};

/* What becomes of one request. */
struct fate {
	enum fault_kind	 kind;
	uint64_t	 status, delay_ms;
};

/* ENDPOINT:KIND[=VALUE]:RATE; the endpoint challenge, login, get_task, submit_proof, l2 or all; the rate
 * from 0 to 1.  False: why (at least 256 bytes) says what is wrong. */
bool	faults_add(struct faults *, const char *text, char *why) MUSTCHECK;
void	faults_free(struct faults *);
/* Draw for the next request at a place: the same sequence for each seed, whatever the other places see. */
struct fate faults_draw(struct faults *, unsigned place);
/* Fill the reply of a fault that needs nothing done: false when this kind is none of those. */
bool	faults_reply(const struct fate *, unsigned place, struct desk_reply *) MUSTCHECK;
/* {"TEXT":n,..}, appended. */
void	faults_report(const struct faults *, struct buf *);

#endif
