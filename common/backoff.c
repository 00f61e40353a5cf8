/* backoff.c - see backoff.h. */
#include "common/backoff.h"

uint64_t
backoff_draw(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t
backoff_jitter(uint64_t *state, uint64_t ms)
{
	uint64_t quarter = ms / 4;

	return MAX2(ms - quarter + backoff_draw(state) % (2 * quarter + 1), 1);
}

uint64_t
backoff_fail(struct backoff *b, uint64_t base_ms, uint64_t max_ms, uint64_t *state)
{
	uint64_t wait = base_ms;

	if (b->tries == 0)
		b->since_ms = clock_ms();
	for (unsigned i = 0; i < b->tries && wait < max_ms; i++)
		wait *= 2;
	b->tries++;
	wait = backoff_jitter(state, MIN2(wait, max_ms));
	b->until_ms = clock_ms() + wait;
	return wait;
}

void
backoff_ok(struct backoff *b)
{
	*b = (struct backoff){ 0 };
}

bool
backoff_waits(const struct backoff *b)
{
	return b->tries > 0 && clock_ms() < b->until_ms;
}
