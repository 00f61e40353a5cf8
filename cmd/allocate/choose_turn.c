/* choose_turn.c - each in its turn, by weight: the method of Sainte-Lague.
 *
 * Whoever has the lowest (2 served + 1) / weight.  Weights 5, 1, 1 give aaabcaa. */
#include "cmd/allocate/choose.h"

int
turn_compare(const struct contender *a, const struct contender *b)
{
	unsigned __int128 left = (unsigned __int128)(2 * a->served + 1) * b->weight;
	unsigned __int128 right = (unsigned __int128)(2 * b->served + 1) * a->weight;

	return left < right ? -1 : left > right;
}

/* The smallest served with (2 served + 1) / weight >= (2 first->served + 1) / first->weight. */
uint64_t
turn_join(const struct contender *first, uint64_t weight)
{
	unsigned __int128 key = (unsigned __int128)(2 * first->served + 1) * weight;
	unsigned __int128 odd = (key + first->weight - 1) / first->weight;

	return (uint64_t)(odd / 2);
}

size_t
choose_turn(const struct question *q, const struct contender *c, size_t n, uint64_t draw)
{
	size_t best = 0;

	for (size_t i = 1; i < n; i++) {
		int order = turn_compare(&c[i], &c[best]);
		if (order < 0 || (order == 0 && strcmp(c[i].id, c[best].id) < 0))
			best = i;
	}
	return best;
}
