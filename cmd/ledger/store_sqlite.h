/* store_sqlite.h - what the checkpoints need of a store of store_sqlite. */
#ifndef PROVA_STORE_SQLITE_H
#define PROVA_STORE_SQLITE_H

#include "cmd/ledger/sql.h"
#include "cmd/ledger/store.h"

/* Its connection, for the thread that uses the store. */
struct sql *store_sqlite_connection(struct store *);

/* Bring the schema up to date, or make it.  False: `why` (256 bytes) says code and reason. */
bool	schema_update(struct sql *, char *why) MUSTCHECK;

#endif
