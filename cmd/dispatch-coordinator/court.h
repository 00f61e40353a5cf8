/* court.h - who of the provers that ask gets which attempt, and what becomes of what they bring.
 *
 * The core of dispatch-coordinator, without HTTP and sockets: rows come from books, requests of
 * provers (any pointer) from the stage, time from clock.h.  So the simulation runs the very same code.
 *
 *   a prover asks     it is held until there is something for it, at most hold_ms
 *   allocated         goes to the prover that has waited longest and can do it: proving, its handle is
 *                     the prover's key.  The task is given when that is durable
 *   proving           is given again to the same prover whenever it asks, with the same uuid
 *   a proof comes     it is told as a fact; the prover hears "taken" when the ledger has it
 *
 * A prover (public key) has one attempt at a time.  What it can do is what it asked for. */
#ifndef PROVA_COURT_H
#define PROVA_COURT_H

#include "common/books.h"

struct court;

enum court_no {
	COURT_ASSIGNED,		/* it holds a task of another type */
	COURT_UNKNOWN,		/* the ledger knows no such attempt (any more) */
	COURT_AWAY,		/* the ledger does not answer: again later */
};

/* Each ends a request, which is not used any more.  None may call the court from inside. */
struct court_ops {
	void	(*give)(void *arg, void *request, const struct row *attempt, const char *uuid);
	void	(*idle)(void *arg, void *request);	/* nothing now */
	void	(*taken)(void *arg, void *request);	/* durable */
	void	(*refuse)(void *arg, void *request, enum court_no);
};

struct court_opts {
	struct books		*books;
	const struct court_ops	*ops;
	void			*arg;
	struct span		 secret;	/* of the uuids */
	const char		*provider;
	uint64_t		 types;		/* bits 1 << TYPE_CHUNK ...: others are not given */
	uint64_t		 ahead;		/* stated above the provers there are */
	uint64_t		 price[TYPE_MAX + 1];
	uint64_t		 hold_ms;	/* how long a prover that asks is held */
	uint64_t		 take_ms;	/* how long an attempt waits for a prover, and a given one for its taker */
	uint64_t		 prove_ms;	/* from task to proof */
};

struct court *court_new(const struct court_opts *) MUSTCHECK;	/* copies */
void	court_free(struct court **);		/* requests under way are not ended */

/* --- provers ------------------------------------------------------------------ */

struct court_want {
	struct span	key;		/* public key, text */
	struct span	forks;		/* "darwinV2,darwin"; empty: any */
	struct span	task;		/* only this one; empty: any */
	uint64_t	types;
};

/* A prover asks for a task.  An older request of it that still waits hears idle. */
void	court_ask(struct court *, const struct court_want *, void *request);
/* Does the ledger answer, so that something brought now can be taken? */
bool	court_can_take(const struct court *);
/* The attempt that this prover knows by this uuid; 0: none. */
uint64_t court_attempt(const struct court *, struct span key, struct span uuid);
/* It brought a proof for it (set: proof, proof_blob, proof_bytes; stored durably already where not inline). */
void	court_proof(struct court *, uint64_t attempt, const struct row *set, void *request);
/* It says that it cannot prove it (set: detail). */
void	court_failure(struct court *, uint64_t attempt, const struct row *set, void *request);
/* It went away before its request was ended. */
void	court_gone(struct court *, struct span key, void *request);

/* --- books -------------------------------------------------------------------- */

void	court_act(struct court *, struct held *);
void	court_lose(struct court *, struct held *);
void	court_answer(struct court *, uint64_t token, uint64_t code, const struct row *first);
void	court_levels(struct court *, struct tick *);
void	court_reset(struct court *);

/* What is due; returns the clock_ms when to call again. */
uint64_t court_turn(struct court *);

#endif
