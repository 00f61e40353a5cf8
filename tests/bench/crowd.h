/* crowd.h - all five stages at once, without books and sockets: as light as can be on our side.
 *
 * It plays whole lives over the LEDGER link of a ledger that nobody else uses: a fresh store's ids
 * run from 1, so every row's id and revision is known beforehand and moves of many jobs are under way
 * at a time; only the results are read.  A result that is not OK ends the process. */
#ifndef PROVA_BENCH_CROWD_H
#define PROVA_BENCH_CROWD_H

#include "tests/bench/life.h"

struct crowd_opts {
	uint64_t	 jobs;		/* in all */
	uint64_t	 open;		/* at a time; so many identities are made first */
	size_t		 groups;	/* at most, in one message */
	enum life_step	 last;		/* as far as jobs go: LIFE_SUBMITTED for whole lives */
	void		(*send)(void *arg, enum life_actor, struct span message);
	void		*arg;
};

struct crowd;

struct crowd *crowd_new(const struct crowd_opts *) MUSTCHECK;
void	crowd_free(struct crowd **);

void	crowd_connected(struct crowd *, enum life_actor);	/* says HELLO */
/* The ledger is gone: nothing is asked before it has said WELCOME again. */
void	crowd_cut_off(struct crowd *);
void	crowd_hear(struct crowd *, enum life_actor, struct span message);
/* Send every move that can be made now.  The first call after all are welcome makes the identities. */
void	crowd_turn(struct crowd *);
/* TICK of every actor: call every 500 ms. */
void	crowd_tick(struct crowd *);

bool	crowd_welcome(const struct crowd *);		/* all five are, and the identities are there */
uint64_t crowd_done(const struct crowd *);		/* jobs that took their last step */
uint64_t crowd_answers(const struct crowd *);		/* DONEs since the beginning */
void	crowd_more(struct crowd *, uint64_t jobs);	/* so many more */

#endif
