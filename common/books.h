/* books.h - floor 6: a stage's side of the LEDGER link (prova-wire(7)), without sockets.
 *
 * A pure state machine: bytes and time go in, bytes and call-backs come out, so
 * that the skeleton (sockets) and the simulation (none) run the very same code.
 * It keeps epoch, seq, term, unanswered moves (sent again), what it holds and what
 * it has passed, says HELLO and TICK, hands rows on with OFFER.
 *
 * A stage sees only this:
 *   act     a row to act on, in a version it has not seen.  Look at its kind and
 *           state and go on; ends, sooner or later, with books_move or books_drop.
 *   lose    the row is not ours any more: free h->own, stop free outside work,
 *           keep (books_fact) answers to calls that cost.
 *   answer  the result of a move that had a token (creations need it).
 *   levels  fill what the next TICK states.
 *   news    capacity, grants.
 */
#ifndef PROVA_BOOKS_H
#define PROVA_BOOKS_H

#include "common/link.h"
#include "common/rows.h"

struct books;

/* A row in hand.  Valid until lose returns. */
struct held {
	const struct row *row;		/* the version to act on; replaced only before act */
	void		*own;		/* the stage's */
	bool		 fresh;		/* a move of this process in this epoch made it what it is */
	bool		 due;		/* act was called by books_later */
	bool		 moving;	/* a move of it is under way: wait for act or lose */
};

struct books_ops {
	void	(*send)(void *arg, struct span message);			/* to the ledger; may be lost */
	void	(*offer)(void *arg, struct span inbox, struct span message);	/* to a stage; may be lost */
	void	(*act)(void *arg, struct held *);
	void	(*lose)(void *arg, struct held *);
	void	(*answer)(void *arg, uint64_t token, uint64_t code, const struct row *first);
	void	(*levels)(void *arg, struct tick *);
	void	(*news)(void *arg, const struct news *);
	/* the epoch is new (first WELCOME, after FENCED): nothing is held, nothing is unanswered */
	void	(*reset)(void *arg);
};

struct books_opts {
	const char	*instance;	/* "trace-build.2" */
	const char	*kind;		/* "trace-build" */
	const char	*inbox;		/* endpoint of its WORK inbox; "" for none */
	const char	*chain;		/* the chain it serves, "" for all */
	const struct books_ops *ops;
	void		*arg;
};

struct books *books_new(const struct books_opts *) MUSTCHECK;	/* copies the texts */
void	books_free(struct books **);				/* calls lose for what is held */

/* A message of the ledger; of another stage (OFFER).  Bad bytes are counted, logged and dropped. */
void	books_hear(struct books *, struct span message);
void	books_offered(struct books *, struct span message);
/* The link was (re)connected: says HELLO. */
void	books_connected(struct books *);

/* Do what is due: collected moves leave in one message, timers, TICK, HELLO, re-sends.
 * Call at the end of each turn.  Returns the clock_ms when it wants to be called again. */
uint64_t books_turn(struct books *, uint64_t now_ms);

/* Ask for a group of changes, all or nothing.  Copies.  h (may be NULL) is the row that waits
 * for it; while h->moving, do not move it again.  token 0: no answer call.  Silently
 * dropped when there is no epoch: reset has been or will be called. */
void	books_move(struct books *, struct held *h, uint64_t token, const struct books_item *, size_t n);
/* The same for one change of h's own row: to, code, fields. */
void	books_step(struct books *, struct held *, uint64_t to, uint64_t code, const struct row *set);
/* Not interested (for instance already being done elsewhere): forget it; lose is called. NEWS may bring it again. */
void	books_drop(struct books *, struct held *);
/* Call act again after ms, with h->due. */
void	books_later(struct books *, struct held *, uint64_t ms);
/* A fact about an attempt that must reach the ledger whatever becomes of the epoch: a
 * handle, or a proof, of a call that cost.  Kept and sent (again) until answered.  token 0: no
 * answer call. */
void	books_fact(struct books *, uint64_t token, const struct books_item *);

/* A level changed: TICK at the next turn. */
void	books_changed(struct books *);
bool	books_connected_now(const struct books *);	/* has an epoch, and the ledger was heard within 3 s */
/* Every row that was ours, or nobody's, when this epoch began has been seen by act. */
bool	books_told_all(const struct books *);
/* Find what is held; NULL: not held. */
struct held *books_find(struct books *, uint64_t kind, uint64_t id);
/* Walk what is held, in no order; fn may not move or drop. */
void	books_each(struct books *, void (*fn)(void *, struct held *), void *arg);
uint64_t books_epoch(const struct books *);
uint64_t books_term(const struct books *);
/* The ledger's wall clock as this stage estimates it. */
uint64_t books_wall_ms(const struct books *);
/* The same, but not less than it can be: the last answered move was answered after it was sent. */
uint64_t books_wall_latest_ms(const struct books *);
/* Unanswered moves and facts: 0 when all is told. */
size_t	books_pending(const struct books *);

#endif
