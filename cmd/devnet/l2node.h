/* l2node.h - the L2 node of prova-devnet: JSON-RPC 2.0 texts to texts, without sockets. */
#ifndef PROVA_DEVNET_L2NODE_H
#define PROVA_DEVNET_L2NODE_H

#include "cmd/devnet/blocks.h"
#include "cmd/devnet/faults.h"

/* The answer to a body (one call or a batch of them), appended; the faults of an L2 node are done in it. */
void	l2node_answer(const struct blocks *, enum fault_kind, struct span body, struct buf *out);

#endif
