/* calls.h - floor 7: the prover's calls to the Coordinator, as one of its identities.
 *
 * A poll for chunks states how far the L2 nodes are; while none of them answers chunks are not asked for,
 * since they could not be built. */
#ifndef PROVA_PROVER_CALLS_H
#define PROVA_PROVER_CALLS_H

#include "cmd/prover/core.h"
#include "common/height.h"
#include "common/identity.h"

struct calls;

struct calls_opts {
	struct loop		*loop;
	struct identities	*identities;
	struct height		*height;	/* NULL: no height is stated */
	uint64_t		 timeout_ms;
	bool			 universal;
	void	(*polled)(void *arg, size_t worker, const struct poll_result *);
	void	(*posted)(void *arg, size_t worker, enum posted, enum code, const char *why);
	void	*arg;
};

struct calls *calls_new(const struct calls_opts *) MUSTCHECK;	/* copies */
void	calls_free(struct calls **);		/* calls under way are not answered: free identities and height at once, too */

/* Each ends with one call of polled or posted, in a later turn. */
void	calls_poll(struct calls *, size_t worker, uint32_t identity, uint64_t types, struct span task_id);
/* again: an earlier one may have come to nothing because the Coordinator disliked the token before it had read all.
 * The record is borrowed until posted. */
void	calls_post(struct calls *, size_t worker, const struct record *, bool again);

#endif
