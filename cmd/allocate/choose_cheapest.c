/* choose_cheapest.c - the lowest price; between equals the tie of the work (choose.h). */
#include "cmd/allocate/choose.h"

static bool
before(const struct question *q, const struct contender *a, const struct contender *b)
{
	uint8_t x[HASH_BYTES], y[HASH_BYTES];

	if (a->price != b->price)
		return a->price < b->price;
	question_tie(q, a->id, x);
	question_tie(q, b->id, y);
	int order = memcmp(x, y, sizeof x);
	return order ? order < 0 : strcmp(a->id, b->id) < 0;
}

size_t
choose_cheapest(const struct question *q, const struct contender *c, size_t n, uint64_t draw)
{
	size_t best = 0;

	for (size_t i = 1; i < n; i++)
		if (before(q, &c[i], &c[best]))
			best = i;
	return best;
}
