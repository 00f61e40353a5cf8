/* map.h - floor 2: a hash table from 64-bit keys to pointers.
 *
 * Keys are already mixed (map_mix) or are hashes; several values may share a
 * key, so lookups compare.  Open addressing, linear probing, no tombstones.  A
 * zeroed map is valid and empty.  The map never owns what it points to. */
#ifndef PROVA_MAP_H
#define PROVA_MAP_H

#include "common/bytes.h"

struct map {
	struct map_slot { uint64_t key; void *value; } *slots;
	size_t	cap, n;
};

uint64_t map_mix(uint64_t a, uint64_t b);
uint64_t map_hash(uint64_t seed, struct span);

void	map_put(struct map *, uint64_t key, void *value);	/* does not look for an older one */
/* The first value under key for which same(value, arg) holds; same NULL: the first. */
void	*map_get(const struct map *, uint64_t key, bool (*same)(const void *, const void *), const void *arg);
void	map_del(struct map *, uint64_t key, const void *value);	/* nothing when it is not there */
/* Walk: *at starts at 0; NULL at the end.  Do not change the map meanwhile. */
void	*map_next(const struct map *, size_t *at);
void	map_free(struct map *);

#endif
