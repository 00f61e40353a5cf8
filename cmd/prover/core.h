/* core.h - floor 7: what the prover decides: workers, polls, tries, proofs and their submission.
 *
 * Pure: time comes from clock.h, everything outside is an op, and each call that goes out is
 * answered once, later, by core_polled, core_built, core_proved or core_posted.
 *
 *	RESTS     no task; polls when it is time      POLLS     get_task is under way
 *	KEEPS     the task is not on the disk yet     BUILDS    its input is being made
 *	WAITS     for something that can prove it     PROVES    a try is under way
 *	FINISHES  its end is to be kept               POSTS     submit_proof is under way, or due again
 *	CLEARS    its file is not removed yet
 *
 * Each step is on the disk before the next: the task before anything is done with it, the try before it
 * begins, the proof before it is submitted; the file goes when the Coordinator has answered.  So a process that
 * ends anywhere is followed by one that reads the files (core_adopt) and goes on.
 * Only a proof that the disk does not take is submitted all the same; until there is an answer it stays in memory, and the
 * disk is tried. */
#ifndef PROVA_PROVER_CORE_H
#define PROVA_PROVER_CORE_H

#include "cmd/prover/taskfile.h"
#include "common/backoff.h"

struct core;

/* --- outside ------------------------------------------------------------------- */

/* What is outside.  Calls do not answer from inside.  The file ops: 0, or -1 with errno. */
struct core_ops {
	/* get_task as this identity: types are bits 1 << TYPE_CHUNK ...; task_id: this one only, or empty */
	void	(*poll)(void *arg, size_t worker, uint64_t types, struct span task_id);
	void	(*build)(void *arg, size_t worker, const struct record *);
	/* again: an order for the same number of failures may be there: go on with that one, and begin no other */
	void	(*prove)(void *arg, size_t worker, const struct record *, bool again);
	void	(*post)(void *arg, size_t worker, const struct record *, bool again);
	/* the input that core_built told of is not needed any more */
	void	(*unbuild)(void *arg, size_t worker);
	int	(*keep)(void *arg, const struct record *);
	int	(*number)(void *arg, const struct record *, uint32_t tries, uint32_t failures);
	int	(*forget)(void *arg, const struct record *);
	int	(*aside)(void *arg, const struct record *);
	/* one that was asked for by name is over (core_want, core_named) */
	void	(*ended)(void *arg, size_t worker, const char *task_id, int status, const char *why);
};

struct core_opts {
	size_t		 workers;	/* that poll; their identities are 0, 1 ... */
	uint64_t	 types;		/* to poll for */
	bool		 all_types;	/* at once; else one after the other */
	bool		 once;		/* nothing is polled for but what core_want names */
	bool		 dump;		/* stop when the input is there */
	uint32_t	 max_tries;
	uint64_t	 poll_ms, rest_ms, failure_rest_ms, timeout_ms, stagger_ms, backoff_ms, backoff_max_ms, give_up_ms;
	uint64_t	 seed;		/* of the jitter */
	const struct core_ops *ops;
	void		*arg;
};

struct core *core_new(const struct core_opts *) MUSTCHECK;	/* copies */
void	core_free(struct core **);

/* --- events -------------------------------------------------------------------- */

/* A task that was found on the disk (its worker is made where the identity has none); the record is taken. */
size_t	core_adopt(struct core *, struct record *);
/* This identity is another's business: nothing is done as it. */
void	core_leave(struct core *, uint32_t identity);

/* The types that a worker can prove now (bits); 0: none. */
void	core_able(struct core *, size_t worker, uint64_t types);

enum poll_outcome {
	POLL_TASK, POLL_EMPTY,
	POLL_ASSIGNED,		/* this identity holds a task already */
	POLL_BLOCKED, POLL_REFUSED,
	POLL_SKIPPED,		/* not asked: what it brought could not be built now */
	POLL_NOT_SENT,		/* surely not under way there: not asked, or answered by a page */
	POLL_UNANSWERED,	/* asked; no answer, or none that can be understood */
	POLL_OUTCOMES
};
struct poll_result {
	enum poll_outcome	 outcome;
	enum code		 code;
	const char		*why;
	struct coord_task	*task;	/* POLL_TASK: taken */
};
void	core_polled(struct core *, size_t worker, const struct poll_result *);

/* The input is there (CODE_OK), or the task is not one. */
void	core_built(struct core *, size_t worker, enum code, const char *why);

enum proof_outcome {
	PROOF_DONE,
	PROOF_FAILED,		/* this order is over, and there is no proof */
	PROOF_LOST,		/* the program ended or hung: the order may go on */
	PROOF_LATER,		/* not begun: not now */
	PROOF_NONE,		/* again: there is no order, or no way to know */
	PROOF_OUTCOMES
};
void	core_proved(struct core *, size_t worker, enum proof_outcome, struct span proof, enum code, const char *why);

enum posted {
	POSTED_TAKEN,
	POSTED_FINAL,		/* the answer is no, and will be */
	POSTED_UNREADABLE,	/* it cannot read the proof; the task is still ours */
	POSTED_UNKNOWN,		/* it knows no such task now */
	POSTED_BARRED,		/* something there does not let this request through */
	POSTED_UNANSWERED,
	POSTED_OUTCOMES
};
void	core_posted(struct core *, size_t worker, enum posted, enum code, const char *why);

/* --- tasks asked for by name -------------------------------------------------------- */

/* Ask for this one, as any identity that holds none; types (bits) are asked for one after the other. */
void	core_want(struct core *, const char *task_id, uint64_t types);
/* What an adopted task comes to is told by `ended`. */
void	core_named(struct core *, size_t worker);
/* All that was asked for by name is over. */
bool	core_over(const struct core *);

/* --- turns -------------------------------------------------------------------------- */

/* Do what is due; after each of the above.  Returns the clock_ms when it wants to be called again; UINT64_MAX: not
 * before something happens. */
uint64_t core_turn(struct core *);
/* The process ends: a try that is under way was not the prover's fault, and is given back; and the disk may take now what
 * it did not take. */
void	core_stop(struct core *);

const struct record *core_record(const struct core *, size_t worker);	/* NULL: it holds no task */
uint32_t core_identity(const struct core *, size_t worker);
/* It holds a task, or is another's business. */
bool	core_taken(const struct core *, uint32_t identity);
size_t	core_workers(const struct core *);
/* What they do, for people: "2 prove, 1 rests". */
void	core_note(const struct core *, char *out, size_t size);

#endif
