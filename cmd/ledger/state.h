/* state.h - the ledger's memory: every open row, found in one step, with undo.
 *
 * state_put is the only way to change a row: it keeps the indexes, the
 * counts for room and the list of changes of this turn.  state_undo takes back
 * everything since a mark (a refused group, a failed commit). */
#ifndef PROVA_STATE_H
#define PROVA_STATE_H

#include "cmd/ledger/store.h"
#include "common/map.h"

enum { CHAINS_MAX = 32, STATES = 64 };

/* Who made a row what it is. */
struct maker { uint64_t instance, epoch, seq; };

/* A row in memory: what is asked often, and all fields packed. */
struct live {
	uint64_t	 id, rev;
	uint8_t		 kind, state, type;
	bool		 deadline_seen;	/* of jobs: scheduled in the sweep */
	uint16_t	 chain, provider;	/* indexes of names; provider: attempts */
	uint32_t	 nfields;
	uint8_t		*fields;	/* wire_put_fields */
	uint64_t	 at_ms, deadline_ms;
	struct maker	 by;
	struct live	*work;		/* of a job, an attempt */
	struct live	*children;	/* of a work: its jobs and attempts */
	struct live	*sibling;
	uint64_t	 open, kept;	/* of a work */
	/* custody: touched after commits only */
	uint64_t	 holder, given_hello;	/* instance that has it; its HELLO after which it was told */
	uint64_t	 news_ms;
	uint32_t	 step;
	struct live	*newer, *older;	/* the list of its back-off step */
	bool		 listed, gone;
};

struct change;			/* for undo */

struct counts { uint64_t unplaced, open; };

struct state {
	struct map	 rows;		/* (kind, id) */
	struct map	 works;		/* natural key */
	struct map	 uuids;		/* open jobs: (chain, uuid) */
	struct map	 identities;	/* (chain, index) */
	struct map	 ended_uuids;	/* struct ended_uuid, for a day */
	char		 chains[CHAINS_MAX][33];
	struct counts	 counts[CHAINS_MAX][TYPE_MAX + 1];
	size_t		 nchains;
	uint64_t	 rows_in[ROW_KINDS][STATES];	/* by kind and state */
	struct provider_count {
		char	 name[33];
		uint64_t used[TYPE_MAX + 1];
		bool	 pulls;		/* its provers want the task's body, too */
	} *providers;
	size_t		 nproviders;
	uint64_t	 next_id[ROW_KINDS], reserved_id[ROW_KINDS];
	struct change	*changes;
	size_t		 nchanges, cap_changes;
	struct history	*history;
	size_t		 nhistory, cap_history;
	struct buf	 scratch;
};

void	state_init(struct state *);
void	state_free(struct state *);

struct live *state_find(const struct state *, uint64_t kind, uint64_t id);
struct live *state_work_of(const struct state *, const struct row *natural_key);
struct live *state_job_of(const struct state *, struct span chain, struct span uuid);
bool	state_uuid_ended(const struct state *, struct span chain, struct span uuid);
void	state_uuid_end(struct state *, struct span chain, struct span uuid, uint64_t at_ms);
void	state_uuids_before(struct state *, uint64_t ms);	/* forget those ended before */
struct live *state_identity_of(const struct state *, struct span chain, uint64_t index);
uint16_t state_chain(struct state *, struct span name);	/* its index, made when new; CHAINS_MAX - 1 is "the rest" */
uint16_t state_provider(struct state *, struct span name);

/* All fields; spans point into what l has now, which lives until state_keep or state_undo. */
void	state_row(const struct live *, struct row *);
/* The row as it is sent: joined with its work, and its kept proof. */
void	state_put_joined(const struct state *, const struct live *, uint64_t next, struct buf *out);

/* A fresh id of a kind; ids run in blocks that the store reserves durably: true in *reserve when
 * the block has to be written with this turn. */
uint64_t state_new_id(struct state *, uint64_t kind);

/* Put a row (NULL: a new one, of rev 1; else changed: rev already raised) as made by `by`: writes
 * history (from: the state before).  Returns the live row. */
struct live *state_put(struct state *, struct live *, const struct row *, const struct maker *by);
/* Take a row in as the store has it: no history, no undo. */
struct live *state_load(struct state *, const struct row *, const struct maker *by);

size_t	state_mark(const struct state *);
void	state_undo(struct state *, size_t mark);
void	state_keep(struct state *);	/* committed: the list of changes is forgotten */
/* Each row changed since state_keep, once. */
struct live *state_changed(const struct state *, size_t i);	/* NULL for one that a later change repeats; i < nchanges */
/* A row leaves memory (after the commit).  A work takes its children along. */
void	state_forget(struct state *, struct live *);

#endif
