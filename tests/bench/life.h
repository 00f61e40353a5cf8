/* life.h - the moves that a made-up job makes from its task to the Coordinator's word: 8 groups, 9 moves.
 *
 * Sizes are those of real rows: a task body of 400 bytes, a transcript line of 200, a proof of 300. */
#ifndef PROVA_BENCH_LIFE_H
#define PROVA_BENCH_LIFE_H

#include "common/link.h"
#include "common/rows.h"

enum life_step {
	LIFE_FETCHED, LIFE_READY, LIFE_PLACED, LIFE_SENDING, LIFE_PROVED, LIFE_VERIFIED, LIFE_SUBMITTING, LIFE_SUBMITTED,
	LIFE_STEPS
};
enum { LIFE_MOVES = 9 };		/* LIFE_PLACED is two */

/* The stages that make them. */
enum life_actor { LIFE_FETCH, LIFE_TRACE, LIFE_ALLOCATE, LIFE_DISPATCH, LIFE_SUBMIT, LIFE_ACTORS };
extern const enum life_actor life_actor_of[LIFE_STEPS];
extern const char *const life_kinds[LIFE_ACTORS];	/* "task-fetch" ... */
extern const char *const life_instances[LIFE_ACTORS];	/* "dispatch-exec.one" */
#define LIFE_CHAIN	"bench"
#define LIFE_PROVIDER	"one"

/* The rows of a job as they are: ids and revisions; what a step does not need may be 0. */
struct life {
	uint64_t	 job, job_rev, job_state, work, work_rev, attempt, attempt_rev;
	uint64_t	 identity, number;	/* LIFE_FETCHED: who holds it; it makes the uuid */
	const char	*owner;			/* LIFE_SENDING: the instance */
	const char	*task;			/* LIFE_FETCHED: NULL: made of the number */
	uint64_t	 wall_ms;
};

/* One group; items point into it, so it is not copied. */
struct life_group {
	struct books_item items[2];
	size_t		 n;
	struct row	 set;
	char		 uuid[64], task[64];
};

/* The input that every job names, which must be in the blobs directory. */
extern const char life_input[];

void	life_group(struct life_group *, enum life_step, const struct life *);
/* The creation of an identity. */
void	life_identity(struct life_group *, uint64_t index);

#endif
