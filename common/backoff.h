/* backoff.h - floor 2: when to try again: waits that double, with jitter.
 *
 * Draws come from a state of the caller's (splitmix64), so that a simulation can
 * repeat them.  A zeroed backoff is valid: no failure yet. */
#ifndef PROVA_BACKOFF_H
#define PROVA_BACKOFF_H

#include "common/clock.h"

struct backoff {
	unsigned	tries;		/* failures in a row */
	uint64_t	since_ms;	/* clock_ms of the first of them */
	uint64_t	until_ms;	/* clock_ms: not before */
};

uint64_t backoff_draw(uint64_t *state);			/* the next 64 bits */
/* ms, give or take a quarter; never 0. */
uint64_t backoff_jitter(uint64_t *state, uint64_t ms);
/* It failed: base_ms for the first failure, doubled with each, at most max_ms, with jitter.
 * Sets until_ms and returns the wait. */
uint64_t backoff_fail(struct backoff *, uint64_t base_ms, uint64_t max_ms, uint64_t *state);
void	backoff_ok(struct backoff *);			/* it worked */
bool	backoff_waits(const struct backoff *);		/* failed, and until_ms is not there yet */

#endif
