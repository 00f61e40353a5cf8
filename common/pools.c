/* pools.c - places by types.  See pools.h. */
#include "common/pools.h"

struct pools
pools_one(uint64_t types, uint64_t n)
{
	struct pools p = { { 0 } };

	p.n[types >> 1 & (POOLS - 1)] = n;
	p.n[0] = 0;
	return p;
}

void
pools_add(struct pools *to, const struct pools *from)
{
	for (size_t i = 1; i < POOLS; i++)
		to->n[i] = MIN2(to->n[i] + from->n[i], (uint64_t)UINT32_MAX);
}

bool
pools_same(const struct pools *a, const struct pools *b)
{
	return memcmp(a->n, b->n, sizeof a->n) == 0;
}

uint64_t
pools_types(const struct pools *p)
{
	uint64_t types = 0;

	for (uint64_t i = 1; i < POOLS; i++)
		types |= p->n[i] ? i << 1 : 0;
	return types;
}

/* How many take one type or another of a set. */
static uint64_t
takers(const struct pools *p, uint64_t types)
{
	uint64_t n = 0;

	for (uint64_t i = 1; i < POOLS; i++)
		n += i << 1 & types ? p->n[i] : 0;
	return n;
}

uint64_t
pools_all(const struct pools *p)
{
	return takers(p, UINT64_MAX);
}

uint64_t
pools_for(const struct pools *p, uint64_t type)
{
	return takers(p, UINT64_C(1) << type);
}

bool
pools_fit(const struct pools *p, const uint64_t used[TYPE_MAX + 1], uint64_t type)
{
	for (uint64_t types = 2; types < UINT64_C(2) << TYPE_MAX; types += 2) {
		uint64_t n = 0;
		if (!(types >> type & 1))
			continue;
		for (uint64_t t = TYPE_CHUNK; t <= TYPE_MAX; t++)
			n += types >> t & 1 ? used[t] : 0;
		if (n >= takers(p, types))
			return false;
	}
	return true;
}
