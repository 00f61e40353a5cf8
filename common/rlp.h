/* rlp.h - floor 3: RLP (Ethereum's Recursive Length Prefix), writing only.
 *
 * Items are appended to a buf.  A list is made from the items already written
 * into a buf of their own. */
#ifndef PROVA_RLP_H
#define PROVA_RLP_H

#include "common/bytes.h"

void	rlp_put_str(struct buf *, struct span);		/* a byte string */
void	rlp_put_u64(struct buf *, uint64_t);		/* an integer: no leading zeros, 0 is the empty string */
void	rlp_put_list(struct buf *, struct span items);	/* a list of items already encoded */

#endif
