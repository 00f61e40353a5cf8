/* trace.h - one made-up block trace, in the shape of scroll_getBlockTraceByNumberOrHash (2024). */
#ifndef PROVA_DEVNET_TRACE_H
#define PROVA_DEVNET_TRACE_H

#include "common/bytes.h"

enum { TRACE_CHAIN_ID = 534352 };

/* The state root after block `number` of the chain of this seed. */
void	trace_state_root(uint64_t seed, uint64_t number, uint8_t out[HASH_BYTES]);

/* A header object (its hash is the true one), appended; hash gets it. */
void	trace_put_header(struct buf *, uint64_t seed, uint64_t number, const uint8_t parent[HASH_BYTES],
	    uint8_t hash[HASH_BYTES]);
/* The whole trace around that header, about `bytes` long, appended. */
void	trace_put(struct buf *, uint64_t seed, uint64_t number, struct span header, size_t bytes);

#endif
