/* height.h - floor 5: how far the L2 nodes are (eth_blockNumber), asked for seldom.
 *
 * A poll for a chunk states it (prover_height; without it a Coordinator of generation (b)
 * gives no chunk).  The number is asked for when it is older than a few seconds; when no
 * node answers the last one known stays. */
#ifndef PROVA_HEIGHT_H
#define PROVA_HEIGHT_H

#include "common/http.h"

struct height;

struct height_opts {
	struct loop	*loop;
	struct http	*http;
	const char	*urls;		/* separated by blanks or commas, asked in this order; "" for none */
	uint64_t	 timeout_ms;	/* of one call, 5 s at most */
};

struct height *height_new(const struct height_opts *) MUSTCHECK;	/* copies */
void	height_free(struct height **);		/* who waits is not called */

/* Call fn when the number is as young as it can be: at once when it is young enough, or when
 * there is no node; else when a node has answered, or none has. */
void	height_wait(struct height *, loop_fn *fn, void *arg);

/* The last number known; false: none ever was. */
bool	height_known(const struct height *, uint64_t *out);
/* No node answered the last time. */
bool	height_away(const struct height *);

#endif
