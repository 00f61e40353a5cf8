/* checkpoint.h - keeps the write-ahead log small without the turn having to wait.
 *
 * A second thread with a connection of its own copies what has been committed into the
 * store's file, every 50 ms when there is something.  That alone never lets the log start
 * again from its beginning while commits go on.  So, when the log is long and
 * nearly all of it is copied, the turn's own thread copies the rest between two turns
 * (0.5 - 2.5 ms); the next commit then starts the log again.
 *
 * A reader's open transaction keeps the log from starting again for as long as it lasts. */
#ifndef PROVA_CHECKPOINT_H
#define PROVA_CHECKPOINT_H

#include "cmd/ledger/store.h"

struct checkpoint;

enum { CHECKPOINT_FRAMES = 1000 };	/* of 4 KB: when the log counts as long */

/* Start the thread for a store of store_sqlite at `path`, which must outlive it.  `frames` 0:
 * CHECKPOINT_FRAMES.  NULL: `why` (256 bytes).  Signals stay blocked in the thread. */
struct checkpoint *checkpoint_start(struct store *, const char *path, uint64_t frames, char *why) MUSTCHECK;
/* Ends the thread (waits for a checkpoint under way).  Nulls; may be called twice. */
void	checkpoint_stop(struct checkpoint **);

/* Is it the turn's own thread's turn?  Costs one load. */
bool	checkpoint_due(const struct checkpoint *);
/* Copy the rest.  Between two turns only, never inside a transaction.  STORE_OK,
 * or STORE_TROUBLE (it is tried again later by itself). */
int	checkpoint_finish(struct checkpoint *);

/* For gauges: the log's size on disk, and how often it could start again. */
uint64_t checkpoint_wal_bytes(const struct checkpoint *);
uint64_t checkpoint_restarts(const struct checkpoint *);

#endif
