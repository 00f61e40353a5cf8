/* sweep.h - the ledger's view of the blobs directory: is a blob there, and which may go.
 *
 * Only the ledger deletes.  A blob goes when no live row names it and stages had `grace` of a working
 * ledger's time to name it: the grace begins anew when the ledger starts, and a time in which
 * the store took no writes does not count.  Temporary files go when nobody has written to
 * them for as long.
 *
 * A thread walks over the directory; names are checked and blobs deleted by the loop's
 * thread, a few in each turn. */
#ifndef PROVA_SWEEP_H
#define PROVA_SWEEP_H

#include "cmd/ledger/core.h"
#include "common/blob.h"

struct sweep;

/* Borrows the directory.  Sweeps every minute, or every grace when that is shorter. */
struct sweep *sweep_new(struct blobs *, uint64_t grace_ms) MUSTCHECK;
/* Waits for a walk under way.  Nulls; may be called twice. */
void	sweep_free(struct sweep **);

/* Is the blob there?  Whoever asks is about to name it: a sweep under way spares it.  Remembers some
 * that are. */
bool	sweep_have(struct sweep *, const uint8_t hash[HASH_BYTES]);

/* After core_turn, when all that was heard is judged.  True: there is more to do right now. */
bool	sweep_turn(struct sweep *, struct core *, uint64_t now_ms);

/* What went since the start. */
struct sweep_count { uint64_t sweeps, blobs, bytes, temporary; };
struct sweep_count sweep_counted(const struct sweep *);

#endif
