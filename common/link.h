/* link.h - floor 4: what goes over the LEDGER link: changes of rows, levels, news.
 *
 * wire.h writes and reads these, books.h collects them, the ledger judges them. */
#ifndef PROVA_LINK_H
#define PROVA_LINK_H

#include "common/pools.h"

struct row;

struct books_rely { uint64_t kind, id, rev; };

/* One change of one row.  `set` names fields to write (kind, id, rev, state are
 * ignored in it); for a creation id, rev and from are 0. */
struct books_item {
	uint64_t		 kind, id, rev, from, to;
	uint64_t		 code;
	const struct row	*set;		/* may be NULL */
	struct books_rely	 relies[2];	/* unused ones are zero */
};

enum { BOOKS_ITEMS = 16 };		/* in one group */

/* What one kind of work may do or hold; fork "" is every fork. */
struct level { char chain[33]; uint64_t type; char fork[33]; uint64_t n; };
struct poll  { uint64_t identity, type; };
enum { LEVELS_MAX = 64, POLLS_MAX = 4096, PROVIDERS_MAX = 64 };

/* What a stage states every 500 ms and at once when it changes. */
struct tick {
	/* dispatcher */
	char		 provider[33];
	struct pools	 slots;			/* how many it can do at a time, by the types that each can do */
	uint64_t	 price[TYPE_MAX + 1];	/* micro-units by type */
	/* allocate */
	size_t		 nrooms;
	struct level	 rooms[LEVELS_MAX];	/* totals */
	/* task-fetch */
	char		 chain[33];
	uint64_t	 types;			/* that it polls for: bit 1 << TYPE_CHUNK ... */
	size_t		 npolls, nready;
	struct poll	 polls[POLLS_MAX];	/* under way, granted ones not yet begun included */
	struct poll	 ready[POLLS_MAX];	/* could poll; type 0 any, else only that one (cut off: needs no room) */
	/* all */
	char		 note[256];		/* why nothing happens, for prova status; "" is fine */
};

/* To allocate: every provider heard; of each type, what is in use of it. */
struct capacity { char name[33]; struct pools slots; uint64_t used[TYPE_MAX + 1], price[TYPE_MAX + 1]; };

struct news {
	bool			 has_capacity;
	size_t			 ncapacity;
	struct capacity		 capacity[PROVIDERS_MAX];
	size_t			 ngrants;
	struct poll		 grants[POLLS_MAX];	/* to task-fetch: poll now */
};

#endif
