/* blocks.h - the chain that prova-devnet's L2 node serves: generated from a seed, or files of a directory. */
#ifndef PROVA_DEVNET_BLOCKS_H
#define PROVA_DEVNET_BLOCKS_H

#include "common/bytes.h"

struct block {
	uint64_t	 number;
	uint8_t		 hash[HASH_BYTES], parent[HASH_BYTES];
	struct buf	 header;	/* the JSON object, of a generated block only */
	char		*file;		/* of a block of a directory; NULL: generated */
};

struct blocks {
	struct block	*all;		/* in ascending order of their numbers */
	size_t		 n;
	uint64_t	 seed;
	size_t		 trace_bytes;
};

/* n blocks, numbered from 1, whose parent hashes and state roots chain. */
void	blocks_generate(struct blocks *, size_t n, uint64_t seed, size_t trace_bytes);
/* Every *.json of a directory: a bare trace, its header.hash the block's hash.  False: why (at
 * least 256 bytes) says which file is not one. */
bool	blocks_load(struct blocks *, const char *directory, char *why) MUSTCHECK;
void	blocks_free(struct blocks *);

const struct block *blocks_by_hash(const struct blocks *, const uint8_t hash[HASH_BYTES]);
const struct block *blocks_by_number(const struct blocks *, uint64_t number);

/* The trace, appended: the same bytes each time.  False: its file cannot be read (errno). */
bool	blocks_put_trace(const struct blocks *, const struct block *, struct buf *out) MUSTCHECK;
/* The header object, appended. */
bool	blocks_put_header(const struct blocks *, const struct block *, struct buf *out) MUSTCHECK;

#endif
