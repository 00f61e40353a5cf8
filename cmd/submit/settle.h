/* settle.h - what submit decides: which proofs are good, what is posted when, and what an answer means.
 *
 * Pure: rows come from books, verdicts and answers from the caller, time from
 * clock.h.  The stage (verify.c, post.c) and the simulation drive the same code.
 *
 * A post goes out only after the ledger has it (`submitting`, posts counted).  A post that was not
 * answered, or of which this process does not know, is counted again before the next. Only an
 * answer ends a job, never the clock.  A post under way is remembered over a reset. */
#ifndef PROVA_SETTLE_H
#define PROVA_SETTLE_H

#include "common/backoff.h"
#include "common/books.h"

struct settle;

enum settle_verdict {
	VERDICT_GOOD, VERDICT_BAD,
	VERDICT_NONE,		/* our trouble: asked again later */
	VERDICTS
};

/* What became of a post. */
enum settle_post {
	POST_TAKEN,
	POST_TWICE,		/* "cannot submit proof twice": answered before, or timed out */
	POST_ALREADY,		/* somebody else's proof was first */
	POST_BAD_PROOF,		/* its verifier refused the proof */
	POST_BAD_SHAPE,		/* it cannot read the proof */
	POST_LATER,		/* refused, not finally; surely not taken */
	POST_NOT_SENT,		/* surely nothing reached it; our trouble, or the network's */
	POST_UNANSWERED,	/* it may have been taken */
	POSTS
};

struct settle_ops {
	/* Judge the proof of this attempt; ends with settle_verified, unless it is forgotten. */
	void	(*verify)(void *arg, const struct row *attempt);
	/* The attempt is not ours any more. */
	void	(*forget)(void *arg, uint64_t attempt);
	/* Post the proof of this job (joined); ends with settle_posted. */
	void	(*post)(void *arg, const struct row *job);
};

struct settle_opts {
	uint64_t	 backoff_ms, backoff_max_ms;
	uint64_t	 seed;			/* of the jitter */
	const struct settle_ops *ops;
	void		*arg;
};

struct settle *settle_new(const struct settle_opts *) MUSTCHECK;
void	settle_free(struct settle **);
void	settle_bind(struct settle *, struct books *);	/* before anything else */

/* As in books_ops. */
void	settle_act(struct settle *, struct held *);
void	settle_lose(struct settle *, struct held *);
void	settle_told(struct settle *, uint64_t token, uint64_t code, const struct row *first);
void	settle_levels(struct settle *, struct tick *);
void	settle_reset(struct settle *);

/* Both copy detail (what the other side said, for people). */
void	settle_verified(struct settle *, uint64_t attempt, enum settle_verdict, uint64_t code, struct span detail);
void	settle_posted(struct settle *, uint64_t job, enum settle_post, uint64_t code, struct span detail);

/* Posts under way. */
size_t	settle_pending(const struct settle *);

#endif
