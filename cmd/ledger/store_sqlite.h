/* store_sqlite.h - what the checkpoints need of a store of store_sqlite. */
#ifndef PROVA_STORE_SQLITE_H
#define PROVA_STORE_SQLITE_H

#include "cmd/ledger/sql.h"
#include "cmd/ledger/store.h"

/* Its connection, for the thread that uses the store. */
struct sql *store_sqlite_connection(struct store *);

/* The version of the tables that this release makes, and that of a store: 0 when it has none. */
extern const uint64_t schema_newest;
uint64_t schema_version(struct sql *);
/* Bring the schema up to date, or make it in an empty file.  False: `why` (256 bytes) says code and reason. */
bool	schema_update(struct sql *, char *why) MUSTCHECK;

#endif
