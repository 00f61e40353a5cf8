/* header.h - floor 4: the header of a block as an L2 node's trace shows it, and its hash.
 *
 * The hash of a block is Keccak-256 of the RLP of its header (Ethereum yellow paper 4.4;
 * go-ethereum's core/types/block.go has the order of the later, optional fields). */
#ifndef PROVA_HEADER_H
#define PROVA_HEADER_H

#include "common/bytes.h"

enum header_hash {
	HEADER_MATCH,		/* the fields hash to `hash` */
	HEADER_MISMATCH,	/* they do not */
	HEADER_UNKNOWN,		/* a form that we cannot hash: a field is missing, new or odd */
};

struct header {
	uint64_t		number;
	uint8_t			hash[HASH_BYTES];	/* as stated */
	uint8_t			parent[HASH_BYTES];
	enum header_hash	verdict;
};

/* Read the JSON object of a header.  False when it is none, or number, hash or parentHash
 * is missing or malformed. */
bool	header_read(struct span object, struct header *) MUSTCHECK;

#endif
