/* check.h - every invariant of a store, from what is written in it: `prova ledger check`.
 *
 * Histories are paths of the table of moves without gap or repetition, rows are as the last
 * line of their history says, entries balance and agree with the rows, each work is bought
 * and paid once, no uuid twice, no blob missing that an open work needs. */
#ifndef PROVA_CHECK_H
#define PROVA_CHECK_H

#include "cmd/ledger/sql.h"

/* Check what the connection sees, in one read transaction.  blobs_dir NULL: blobs are not looked
 * for.  Appends {"ok":bool,"checked":{..},"nerrors":N,"errors":[the first 100]}.
 * 1 all is well, 0 it is not, -1 the store could not be read (the error is in the list). */
int	check_store(struct sql *, const char *blobs_dir, struct buf *json);

#endif
