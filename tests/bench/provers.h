/* provers.h - bare provers, many in one process: each signs in, asks, and brings a proof at once or after a while.
 *
 * A proof begins with the moment at which it was sent, nanos_now() in 20 digits, so that whoever gets it knows
 * its age; a task's id may be such a moment, too.  Nothing that a prover hears is checked but that it is what was asked for. */
#ifndef PROVA_BENCH_PROVERS_H
#define PROVA_BENCH_PROVERS_H

#include "tests/bench/figures.h"
#include "tests/bench/web.h"

struct prover;

struct provers {
	struct loop	*loop;
	unsigned	 port;
	size_t		 n, first;		/* so many; the number of the first one's identity */
	double		 delay_ms;		/* proving takes so long, give or take a half; 0: no time */
	uint64_t	 left;			/* so many tasks are still asked for */
	struct prover	*all;
	size_t		 signed_in, busy;	/* so many wait for something */
	uint64_t	 done, empty;		/* proofs taken; "no task now" */
	struct figures	 asked_us, brought_us;	/* from request to answer: of get_task that brought one, of submit_proof */
	struct figures	 age_us;		/* of tasks, when they came */
};

enum { PROVERS_DIGITS = 20 };			/* of the moment in a proof */

/* Each connects and signs in; returns when all have. */
void	provers_open(struct provers *);
void	provers_close(struct provers *);
/* Those that rest ask, while some are left. */
void	provers_ask(struct provers *);
/* Until all rest. */
void	provers_run(struct provers *);
void	provers_forget(struct provers *);		/* all figures */

#endif
