/* sqlrow.h - rows of rows.h as rows of tables: one table per kind, one column per field, in
 * key order; `kind` is the table. */
#ifndef PROVA_SQLROW_H
#define PROVA_SQLROW_H

#include "cmd/ledger/sql.h"
#include "cmd/ledger/store.h"

/* Call fn for every field that is a column of this kind's table, in order. */
void	sqlrow_each(uint64_t kind, void (*fn)(void *arg, const struct field *), void *arg);
/* "INTEGER", "TEXT", "BLOB". */
const char *sqlrow_type(const struct field *);
/* Append the columns as a list: "r.id,r.rev ..." (prefix "r."), and how many they are. */
int	sqlrow_list(struct buf *, uint64_t kind, const char *prefix);
/* Bind a row's fields in `mask` from parameter 1 on; the others are NULL. */
void	sqlrow_put(struct sql_stmt *, const struct row *, uint64_t mask);
/* Read the columns from `at` on.  Borrows from the statement.  False: a column is damaged. */
bool	sqlrow_get(struct sql_stmt *, int at, uint64_t kind, struct row *) MUSTCHECK;

#endif
