/* pools.h - floor 3: how many tasks can be proved at a time, by the types that each prover takes.
 *
 * Provers that take the same types are a pool.  What is in use says only which type each
 * task is of, not which pool has it: a set of tasks fits when they can be shared out at
 * all (Hall's theorem: for each set of types, no more tasks than provers that take one of them). */
#ifndef PROVA_POOLS_H
#define PROVA_POOLS_H

#include "common/base.h"

enum { POOLS = 1 << TYPE_MAX };

/* n[types >> 1]: how many take exactly these types (bits 1 << TYPE_CHUNK ...); n[0] is not used. */
struct pools { uint64_t n[POOLS]; };

struct pools pools_one(uint64_t types, uint64_t n);
void	pools_add(struct pools *, const struct pools *);	/* at most UINT32_MAX of each */
bool	pools_same(const struct pools *, const struct pools *);
/* The types that somebody takes; how many there are in all; how many take this type. */
uint64_t pools_types(const struct pools *);
uint64_t pools_all(const struct pools *);
uint64_t pools_for(const struct pools *, uint64_t type);
/* Is there a place for one more of this type beside used[TYPE_CHUNK .. TYPE_MAX]? */
bool	pools_fit(const struct pools *, const uint64_t used[TYPE_MAX + 1], uint64_t type);

#endif
