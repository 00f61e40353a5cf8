/* inside.h - what the parts of the core share: core.c (messages, turn), judge.c (moves and their
 * consequences), custody.c (leases and NEWS), room.c (levels and grants). */
#ifndef PROVA_INSIDE_H
#define PROVA_INSIDE_H

#include "cmd/ledger/core.h"
#include "common/clock.h"
#include "common/diag.h"
#include "common/rule.h"
#include "common/wire.h"

enum {
	TICK_EVERY_MS	= 500,
	BEAT_MS		= 1000,
	LEVEL_LIFE_MS	= 3 * TICK_EVERY_MS + 100,
	STEPS		= 5,		/* of the growing retry */
	MESSAGE_FILL	= 56000,	/* of results or rows in one message */
	RESULTS_FILL	= 52000,	/* of results; 40 names stand beside them */
	UUID_LIFE_MS	= 24 * 3600 * 1000,
	STRANDED_LEASES	= 6,		/* so long is a provider's silence before what was not sent to it goes elsewhere */
	ID_BLOCK	= 4096,
	SWEEP_PIECE	= 4096,		/* rows that one turn looks at */
	SETTLED_KEEP_MS	= 120 * 1000,	/* a work stays so long behind its last end: late copies of its task join it */
};

struct grant { uint64_t identity, type, serial; };

/* Names that a message under way refers to, and the message's results or rows.  One row may have 37 kB (a body,
 * a proof, texts), a name and its inbox 326 bytes: so many names still fit beside the results. */
struct outbox {
	struct buf	 part;
	size_t		 n;
	const struct instance *names[40];
	size_t		 nnames;
};

struct instance {
	uint64_t	 id;
	char		 name[65], kind[33], chain[33], provider[33], inbox[257];
	unsigned	 principal;
	uint64_t	 epoch, seq;
	bool		 bye, dirty;		/* dirty: to be stored with this turn */
	/* this term only */
	bool		 heard;			/* said HELLO or TICK in this term */
	bool		 welcome;		/* WELCOME is owed when the turn is durable */
	uint64_t	 held;			/* ... to a HELLO that held this epoch */
	uint8_t		 route[255];
	size_t		 nroute;
	int64_t		 uid;
	uint64_t	 heard_ms, tick_ms, hellos, serial, beat_ms;
	uint64_t	 refused_seq;		/* for RULE(REFUSED_NOT_KEPT) */
	struct tick	*tick;			/* its levels */
	struct grant	*grants;		/* given since the last TICK that knew of them */
	size_t		 ngrants, cap_grants;
	uint64_t	 last_type;		/* granted to it */
	bool		 capacity_due, ask_due;
	struct outbox	 out;			/* results of this turn */
	uint64_t	 before_seq, before_epoch;	/* as committed, for a failed turn */
	bool		 before_bye, fresh;
};

struct core {
	struct core_opts o;
	char		 ledger[65];
	struct state	 state;
	struct wire	*in;
	uint64_t	 term, term_ms, now_ms, wall_ms;
	uint64_t	 awake_ms;		/* since then it has listened and judged without a gap */
	uint64_t	 younger_term;
	bool		 term_was_ours;		/* for RULE(TERM_CHECKED_BEFORE) */
	struct instance	**instances;
	size_t		 ninstances;
	uint64_t	 next_instance;
	struct entry	*entries;
	size_t		 nentries, cap_entries;
	struct balance { char account[80]; int64_t micro; } *balances;
	size_t		 nbalances;
	struct live	*first[STEPS], *last[STEPS];	/* rows by back-off step, oldest first */
	struct live	**forget;		/* rows that leave memory after the commit */
	size_t		 nforget, cap_forget;
	bool		 in_trouble;
	uint64_t	 trouble_ms, sweep_ms, hour_ms;
	bool		 sweeping;
	size_t		 sweep_at;		/* how far among the rows */
	/* messages of this turn, sent after the commit */
	struct parcel { struct instance *to; uint8_t route[255]; size_t nroute; struct buf bytes; } *parcels;
	size_t		 nparcels, cap_parcels;
	struct buf	 scratch, rows;	/* a message being sent; rows of a result */
	struct news	 news, told;		/* being made; what allocate knows */
};

/* judge.c */
/* Judge one group of an instance as its seq: OK and its rows in memory, or a refusal and
 * nothing changed.  Appends the result to the instance's outbox. */
void	judge_group(struct core *, struct instance *, uint64_t seq, const struct wire_item *, size_t n);
/* A group that was judged before: answered from the rows. */
void	judge_copy(struct core *, struct instance *, uint64_t seq, const struct wire_item *, size_t n);
/* Deadlines, ends of works: the ledger's own moves of this moment, among a piece of the rows.  True: more
 * are left behind *at. */
bool	judge_clock(struct core *, size_t *at);
int64_t	judge_balance(const struct core *, const char *account);
void	judge_book(struct core *, const char *account, int64_t micro);

/* custody.c */
/* The stage that is to go on with a row: a bit of BY_...; 0 nobody. */
unsigned custody_of(const struct core *, const struct live *);
/* The instance that is to go on: the one that has it if it lives, else another; NULL nobody there. */
struct instance *custody_next(struct core *, const struct live *, const struct instance *mover);
/* After the commit: who has it now, and when it is due again. */
void	custody_give(struct core *, struct live *, const struct instance *, bool moved);
void	custody_forget(struct core *, struct live *);
void	custody_ask(struct core *, struct instance *);	/* answer an ASK with ROWS */
uint64_t custody_turn(struct core *);			/* NEWS for what is due; the next moment */
bool	custody_alive(const struct core *, const struct instance *);

/* room.c */
void	room_tick(struct core *, struct instance *, const struct wire *);
void	room_forget(struct instance *);
void	room_fetched(struct core *, struct instance *, uint64_t identity);
uint64_t room_turn(struct core *);
uint64_t room_stated(const struct core *, uint16_t chain, uint64_t type);

/* core.c */
struct instance *core_instance(struct core *, uint64_t id);
/* Send after the commit of this turn. */
struct buf *core_parcel(struct core *, struct instance *to);
/* Send now. */
void	core_send(struct core *, const struct instance *, struct buf *);
struct wire_head core_head(const struct core *, const struct instance *);
/* Index + 1 of an instance among the names of a message under way. */
uint64_t outbox_name(struct outbox *, const struct instance *);
void	core_flush_results(struct core *, struct instance *, uint64_t upto);
const struct core_chain *core_chain_of(const struct core *, struct span name);

#endif
