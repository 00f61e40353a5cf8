/* map.c - see map.h. */
#include "common/map.h"

uint64_t
map_mix(uint64_t a, uint64_t b)
{
	uint64_t x = a * UINT64_C(0x9e3779b97f4a7c15) ^ b;

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

uint64_t
map_hash(uint64_t seed, struct span s)
{
	uint64_t h = map_mix(seed, s.n);
	size_t i = 0;

	for (; i + 8 <= s.n; i += 8) {
		uint64_t w;
		memcpy(&w, s.p + i, 8);
		h = map_mix(h, w);
	}
	uint64_t tail = 0;
	if (i < s.n)
		memcpy(&tail, s.p + i, s.n - i);
	return map_mix(h, tail);
}

static void
place(struct map *m, uint64_t key, void *value)
{
	size_t i = key & (m->cap - 1);

	while (m->slots[i].value)
		i = (i + 1) & (m->cap - 1);
	m->slots[i] = (struct map_slot){ key, value };
}

static void
grow(struct map *m)
{
	struct map_slot *old = m->slots;
	size_t cap = m->cap;

	m->cap = cap ? cap * 2 : 64;
	m->slots = xzalloc(m->cap * sizeof *m->slots);
	for (size_t i = 0; i < cap; i++)
		if (old[i].value)
			place(m, old[i].key, old[i].value);
	free(old);
}

void
map_put(struct map *m, uint64_t key, void *value)
{
	if ((m->n + 1) * 3 > m->cap * 2)
		grow(m);
	place(m, key, value);
	m->n++;
}

void *
map_get(const struct map *m, uint64_t key, bool (*same)(const void *, const void *), const void *arg)
{
	if (!m->cap)
		return NULL;
	for (size_t i = key & (m->cap - 1); m->slots[i].value; i = (i + 1) & (m->cap - 1))
		if (m->slots[i].key == key && (!same || same(m->slots[i].value, arg)))
			return m->slots[i].value;
	return NULL;
}

/* Close the hole at i: move later members of the run back where they may stand. */
static void
close_hole(struct map *m, size_t i)
{
	size_t mask = m->cap - 1;

	for (size_t j = (i + 1) & mask; m->slots[j].value; j = (j + 1) & mask) {
		size_t home = m->slots[j].key & mask;
		if (((j - home) & mask) >= ((j - i) & mask)) {
			m->slots[i] = m->slots[j];
			i = j;
		}
	}
	m->slots[i] = (struct map_slot){ 0 };
}

void
map_del(struct map *m, uint64_t key, const void *value)
{
	if (!m->cap)
		return;
	for (size_t i = key & (m->cap - 1); m->slots[i].value; i = (i + 1) & (m->cap - 1)) {
		if (m->slots[i].value == value && m->slots[i].key == key) {
			close_hole(m, i);
			m->n--;
			return;
		}
	}
}

void *
map_next(const struct map *m, size_t *at)
{
	while (*at < m->cap)
		if (m->slots[(*at)++].value)
			return m->slots[*at - 1].value;
	return NULL;
}

void
map_free(struct map *m)
{
	free(m->slots);
	*m = (struct map){ 0 };
}
