/* core.h - the ledger without sockets: messages and time in, messages out.
 *
 * core_hear judges against memory; core_turn commits what was judged, and only then sends
 * the answers (rule 4), then custody: leases, NEWS, room, deadlines.  The program
 * and the simulation drive the very same code.  Rule numbers: prova-wire(7). */
#ifndef PROVA_CORE_H
#define PROVA_CORE_H

#include "cmd/ledger/moves.h"
#include "cmd/ledger/state.h"
#include "common/books.h"

struct core;

/* What the settings say of a chain; `name` "" stands for chains that are not named. */
struct core_chain {
	char	 name[33];
	uint64_t budget;	/* micro-units that may be reserved and owed together; 0: no limit */
	uint64_t keep_ms;	/* how long an uncle's proof is kept */
};

struct core_opts {
	const struct store_ops *ops;
	struct store	*store;
	const char	*ledger;		/* its id, as text */
	uint64_t	 retry_ms, lease_ms;
	const struct core_chain *chains;	/* borrowed for life */
	size_t		 nchains;
	/* to the peer behind a routing id; may be lost */
	void		(*send)(void *arg, struct span route, struct span message);
	/* is the blob there? */
	bool		(*blob)(void *arg, const uint8_t hash[HASH_BYTES]);
	void		*arg;
};

/* Begins a new term and loads what is open.  NULL: why (256 bytes). */
struct core *core_new(const struct core_opts *, char *why) MUSTCHECK;
void	core_free(struct core **);

/* A message from a routing id; uid of the peer, -1 when unknown (tcp).  The message's bytes
 * must stay until core_turn. */
void	core_hear(struct core *, struct span route, int64_t uid, struct span message);

/* Commit, answer, hand out, enforce deadlines.  Returns the clock_ms at which it wants to be called
 * again.  False in *active: another ledger has begun a younger term; only core_free is left. */
uint64_t core_turn(struct core *, bool *active);

/* What `prova status` shows, as JSON. */
void	core_status(struct core *, struct buf *json);
/* Every blob that an open row names. */
void	core_blobs(struct core *, void (*fn)(void *arg, const uint8_t hash[HASH_BYTES], bool input), void *arg);
uint64_t core_term(const struct core *);
bool	core_in_trouble(const struct core *);	/* the store takes no writes */
struct state *core_state(struct core *);	/* for tests and the simulation's judge */

#endif
