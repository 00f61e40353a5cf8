/* world.h - a deterministic simulation of the whole pipeline: one process, no sockets.
 *
 * The ledger's core, the stages' protocol (books) and their deciding cores are the
 * shipped ones.  Simulated are clock, network, store, the Coordinator, the providers, the
 * provers that come by themselves, and the inputs.  A seed decides every loss, copy, delay,
 * reordering, kill, freeze, failed write and commit that is cut short; the same seed gives
 * the same run. */
#ifndef PROVA_WORLD_H
#define PROVA_WORLD_H

#include "cmd/allocate/place.h"
#include "cmd/dispatch-coordinator/court.h"
#include "cmd/dispatch-exec/purchase.h"
#include "cmd/ledger/core.h"
#include "cmd/ledger/store_memory.h"
#include "cmd/submit/settle.h"
#include "cmd/task-fetch/fetch.h"
#include "common/clock.h"
#include "common/diag.h"
#include "common/map.h"
#include "common/rule.h"
#include "common/wire.h"

enum {
	IDENTITIES = 4, TASKS = 8, PROCS_MAX = 12, FAULTS_MS = 45000, LIMIT_MS = 900000,
	COLLECTION_MS = 40000, PRICE = 1000, KEEP_MS = 300000, FARMERS = 3, FARMERS_MAX = 2 * FARMERS, GIFTS_MAX = 512,
};

enum proc_kind { P_FETCH, P_TRACE, P_ALLOCATE, P_DISPATCH, P_COURT, P_SUBMIT };

struct world;

/* One process of a stage.  A kill makes the next incarnation. */
struct proc {
	struct world	*w;
	enum proc_kind	 kind;
	const char	*name, *stage;
	bool		 remote;		/* on another machine: no lock file proves its death */
	bool		 mortal;		/* may be killed for ever */
	bool		 alive, clone;		/* clone: the second process of a name; starts when the first is frozen */
	uint64_t	 frozen_until;
	unsigned	 life;
	uint64_t	 conn, up_at, down_at;	/* connection to the ledger, 0 none; FIFO times */
	uint64_t	 conn_before, last_conn;	/* the one before; what the deposed ledger sends may still come */
	uint64_t	 wake_at;
	struct books	*books;
	struct fetch	*fetch;
	struct place	*place;
	struct purchase	*purchase;
	struct settle	*settle;
	struct court	*court;
	struct visit	*visits;		/* requests that the court has */
	unsigned	 provider;		/* of a dispatcher */
	size_t		 proving;		/* prove calls under way */
};

enum row_at_coord { A_NONE, A_ASSIGNED, A_TAKEN, A_CLOSED };
struct assignment { unsigned identity, task; enum row_at_coord state; uint64_t at; char uuid[24]; };
struct coord_task { uint64_t type; bool verified, failed; unsigned active; };

struct order {
	char		 key[96];
	unsigned	 task;
	uint64_t	 intent, taken_at, done_at;
	bool		 fails, lies;
	bool		 heard;			/* a dispatcher that lived on was told of it */
	struct proc	*by;
	unsigned	 by_life;
	uint64_t	 heard_at;
};
struct seller {
	const char	*name;
	enum plugin_ask	 ask;
	uint64_t	 lag_ms, types;
	struct order	 orders[512];
	size_t		 norders;
};

/* A prover that comes by itself. */
struct farmer {
	struct world	*w;
	struct proc	*at;			/* its dispatcher: the process that it spoke to last */
	char		 key[8], uuid[40];	/* uuid: of the task that it has, or "" */
	uint64_t	 types, serial;		/* serial: what it waits for */
	unsigned	 task;
	bool		 mortal, late;		/* late: brings its proof when all the rest is over */
	enum { FARMER_RESTS, FARMER_ASKS, FARMER_PROVES, FARMER_SUBMITS } state;
	enum { FATE_OPEN, FATE_GOOD, FATE_FAILS, FATE_LIES } fate;	/* of its task, once it was proved */
};

/* An attempt that was given to a farmer. */
struct gift {
	uint64_t	 attempt;
	char		 key[8], uuid[40];
	bool		 taken;			/* a proof of it was answered so */
};

struct event;
typedef void event_fn(struct world *, struct event *);
struct event {
	uint64_t	 at, order;
	event_fn	*fn;
	struct proc	*proc;			/* whose, or NULL */
	unsigned	 life;			/* of that process: a later life does not get it */
	uint64_t	 a, b, c;
	char		 text[96];
	struct buf	 bytes;
};

struct world {
	uint64_t	 seed, rng, now, order, conns;
	struct event	**heap;
	size_t		 nheap, cap_heap;
	struct proc	 procs[PROCS_MAX];
	size_t		 nprocs;
	bool		 calm;			/* no faults any more */
	/* the ledger */
	struct core	*core, *deposed;	/* deposed: stopped, and does not know that another took over */
	struct store	*deposed_store;
	bool		 speaks_deposed;
	uint64_t	 deposed_conns;		/* connections up to this one are its own */
	struct proc	*wakes_for;		/* goes on when the next process of this name has connected */
	struct disk	*disk;
	struct store	*store;
	uint64_t	 ledger_turn_at, ledger_life, disk_bad_until;
	/* outside */
	struct coord_task tasks[TASKS];
	bool		 same_task_twice;
	struct assignment assigned[512];
	size_t		 nassigned;
	uint64_t	 coord_away_until;
	struct seller	 providers[2];
	unsigned	 failures_left, lies_left, farm_lies;
	struct farmer	 farmers[FARMERS_MAX];
	size_t		 nfarmers, nlate;
	struct gift	 gifts[GIFTS_MAX];
	size_t		 ngifts;
	/* what the judge needs */
	unsigned	 orphans;		/* polls whose task-fetch was killed */
	struct map	 told;			/* highest rev of each row that a DONE has told */
	uint64_t	 judged_term;
	struct map	 asked;			/* (instance name, epoch, seq, row) -> rev that its move was decided on */
	uint64_t	 heard_at[PROCS_MAX];	/* when the ledger heard of each process */
	struct wire	*ear;
	char		 verdict[256];		/* "": nothing wrong so far */
	bool		 trace, fixed_routes;	/* a routing id is its instance's name, as if set by hand */
};

/* world.c: time and chance */
uint64_t world_draw(struct world *, uint64_t below);		/* 0 .. below - 1 */
bool	world_chance(struct world *, unsigned percent);		/* never when calm */
struct event *world_post(struct world *, uint64_t delay, event_fn *, struct proc *);
void	world_blame(struct world *, const char *fmt, ...) PRINTF(2, 3);
void	world_say(struct world *, const char *fmt, ...) PRINTF(2, 3);
struct world *world_new(uint64_t seed, bool trace);
void	world_free(struct world *);
void	world_run(struct world *);

/* actors.c: processes, network, faults */
void	actors_begin(struct world *);
void	actors_end(struct world *);
void	proc_turn(struct proc *);
bool	proc_runs(const struct proc *);
void	ledger_turn_soon(struct world *);
void	faults_begin(struct world *);
/* Stopped right before connect, for longer than send_by; perhaps killed when it has gone on. */
void	faults_in_window(struct proc *);

/* outside.c: the Coordinator and the providers */
void	outside_begin(struct world *);
void	outside_poll(struct proc *, uint64_t identity, uint64_t type);
void	outside_post(struct proc *, const struct row *job);
bool	outside_call(struct proc *, const struct purchase_call *);
void	outside_verify(struct proc *, const struct row *attempt);

/* farm.c: provers, and the dispatcher that they come to */
void	farm_begin(struct proc *);
void	farm_open(struct proc *);
void	farm_close(struct proc *);

/* judge.c */
bool	judge_is_over(struct world *);		/* everything has come to its end */
void	judge_moment(struct world *);		/* after each of the ledger's turns */
void	judge_end(struct world *);
void	judge_hear(struct world *, const char *to, struct span message);	/* every message down */
void	judge_ask(struct world *, const char *from, struct span message);	/* every message up */
void	judge_call(struct world *, const struct row *, uint64_t now);	/* a call that costs departs */
void	judge_give(struct world *, const char *key, const struct row *attempt, const char *uuid);	/* a prover is told of a task */
void	judge_taken(struct world *, uint64_t attempt, bool proof);	/* ... that its proof, or its report, was taken */

#endif
