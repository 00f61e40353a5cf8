/* store.h - where the ledger keeps what is true.  One interface, several stores:
 * SQLite (WAL, synchronous=FULL) for use, memory for tests and the simulation.
 *
 * One writer thread.  Everything of a turn is one transaction. */
#ifndef PROVA_STORE_H
#define PROVA_STORE_H

#include "common/rows.h"

/* Results of writes. */
enum store_result {
	STORE_OK	= 0,
	STORE_TROUBLE	= -1,	/* disk full, I/O: may pass; nothing of the transaction is kept */
	STORE_POISON	= -2,	/* this very write can never succeed */
	STORE_DEPOSED	= -3,	/* another ledger has begun a younger term */
};

/* One line of a row's history: the move that gave it `rev`.  Append-only. */
struct history {
	uint64_t kind, id, rev, at_ms, from, to, code;
	uint64_t instance, epoch, seq;		/* who asked; instance 0: the ledger itself */
};

/* One side of a double entry; all with one (kind, id, rev) sum to zero.  Append-only.
 * Accounts: budget:CHAIN reserved:CHAIN owed:PROVIDER. */
struct entry {
	uint64_t kind, id, rev, at_ms;
	struct span account;
	int64_t	 micro;
};

struct stored_instance { uint64_t id; struct span name, kind; uint64_t epoch, seq; bool bye; };

/* What store_ops.load calls for each thing found.  Rows: identities, works that are
 * open, and the jobs and attempts of those works, works first. */
struct store_loader {
	void	*arg;
	void	(*row)(void *arg, const struct row *, const struct history *last);
	void	(*instance)(void *arg, const struct stored_instance *);
	void	(*uuid)(void *arg, struct span chain, struct span uuid, uint64_t ended_ms);	/* of ended jobs, since `uuids_since_ms` */
	void	(*balance)(void *arg, struct span account, int64_t micro);
	uint64_t uuids_since_ms;
};

struct store;		/* a store's own */
enum { STORE_LINES = 8 };

struct store_ops {
	/* Open or make it; bring its schema up to date (never backwards).  NULL: why (256 bytes) says code and reason. */
	struct store *(*open)(const char *path, char *why);
	void	(*close)(struct store **);
	/* Numbers that outlive us: "ledger", "term", "next:KIND" ...  0 when not there. */
	uint64_t (*number)(struct store *, const char *name);
	int	(*load)(struct store *, const struct store_loader *);
	/* Has the history of this row a move of (instance, epoch, seq)?  1, 0, -1. */
	int	(*made_by)(struct store *, uint64_t kind, uint64_t id, uint64_t instance, uint64_t epoch, uint64_t seq);
	/* A row that is not in memory any more: an owned copy (free()), NULL when there is none. */
	struct row *(*row_of)(struct store *, uint64_t kind, uint64_t id);

	/* A transaction.  `term`: ours; checked inside it. */
	int	(*begin)(struct store *, uint64_t term);
	int	(*put_row)(struct store *, const struct row *, uint64_t mask);	/* whole row: insert or replace */
	int	(*put_history)(struct store *, const struct history *, size_t n);	/* STORE_LINES at a time cost least */
	int	(*put_entries)(struct store *, const struct entry *, size_t n);		/* so do these */
	int	(*put_instance)(struct store *, const struct stored_instance *);
	int	(*put_number)(struct store *, const char *name, uint64_t value);
	int	(*commit)(struct store *);	/* durable when it returns STORE_OK */
	void	(*rollback)(struct store *);
	/* Begin a new term in a transaction of its own; the number, 0 on trouble. */
	uint64_t (*new_term)(struct store *);
};

extern const struct store_ops store_memory, store_sqlite;

/* Columns of each kind of row that a store keeps (bits of `have`). */
uint64_t store_columns(uint64_t kind);

#endif
