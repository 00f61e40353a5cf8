/* test_pools.c - places by types. */
#include "common/map.h"
#include "common/pools.h"

#include <setjmp.h>

#include <cmocka.h>

enum { CHUNK = 1 << TYPE_CHUNK, BATCH = 1 << TYPE_BATCH, BUNDLE = 1 << TYPE_BUNDLE };

static struct pools
two(uint64_t types, uint64_t n, uint64_t others, uint64_t m)
{
	struct pools p = pools_one(types, n), q = pools_one(others, m);

	pools_add(&p, &q);
	return p;
}

static bool
fit(struct pools p, uint64_t chunks, uint64_t batches, uint64_t type)
{
	return pools_fit(&p, (uint64_t [TYPE_MAX + 1]){ 0, chunks, batches, 0 }, type);
}

static void
what_takes_a_type_is_counted(void **state)
{
	struct pools p = two(CHUNK, 3, CHUNK | BATCH, 2), none = pools_one(0, 7);

	assert_int_equal(pools_all(&p), 5);
	assert_int_equal(pools_for(&p, TYPE_CHUNK), 5);
	assert_int_equal(pools_for(&p, TYPE_BATCH), 2);
	assert_int_equal(pools_for(&p, TYPE_BUNDLE), 0);
	assert_int_equal(pools_types(&p), CHUNK | BATCH);
	assert_int_equal(pools_all(&none), 0);
	assert_true(pools_same(&p, &p) && !pools_same(&p, &none));
}

static void
a_type_of_its_own_takes_no_place_from_others(void **state)
{
	struct pools p = two(CHUNK, 2, BATCH | BUNDLE, 1);

	assert_true(fit(p, 1, 1, TYPE_CHUNK));
	assert_false(fit(p, 2, 0, TYPE_CHUNK));
	assert_true(fit(p, 2, 0, TYPE_BATCH));
	assert_false(fit(p, 0, 1, TYPE_BUNDLE));
}

static void
who_takes_both_is_counted_once(void **state)
{
	struct pools p = two(CHUNK, 1, CHUNK | BATCH, 1);

	assert_true(fit(p, 1, 0, TYPE_BATCH));		/* the chunk can go to the first */
	assert_true(fit(p, 0, 1, TYPE_CHUNK));
	assert_false(fit(p, 2, 0, TYPE_BATCH));
	assert_false(fit(p, 1, 1, TYPE_CHUNK));
	assert_false(fit(p, 0, 1, TYPE_BATCH));
	assert_false(fit(p, 0, 0, TYPE_BUNDLE));
}

/* By hand: try every way to share out. */
static bool
can_share_out(const uint64_t n[POOLS], uint64_t used[TYPE_MAX + 1])
{
	uint64_t type = TYPE_CHUNK;

	while (type <= TYPE_MAX && !used[type])
		type++;
	if (type > TYPE_MAX)
		return true;
	for (uint64_t i = 1; i < POOLS; i++) {
		uint64_t left[POOLS], rest[TYPE_MAX + 1];
		if (!n[i] || !(i << 1 >> type & 1))
			continue;
		memcpy(left, n, sizeof left);
		memcpy(rest, used, sizeof rest);
		left[i]--;
		rest[type]--;
		if (can_share_out(left, rest))
			return true;
	}
	return false;
}

static void
the_answer_is_that_of_trying_every_way(void **state)
{
	uint64_t dice = 1;

	for (int round = 0; round < 3000; round++) {
		struct pools p = { { 0 } };
		uint64_t used[TYPE_MAX + 1] = { 0 };

		for (size_t i = 1; i < POOLS; i++)
			p.n[i] = (dice = map_mix(dice, i)) & 1;
		for (uint64_t t = TYPE_CHUNK; t <= TYPE_MAX; t++)
			used[t] = (dice = map_mix(dice, t)) % 3;
		if (!can_share_out(p.n, used))
			continue;
		for (uint64_t t = TYPE_CHUNK; t <= TYPE_MAX; t++) {
			bool fits = pools_fit(&p, used, t);
			used[t]++;
			assert_int_equal(fits, can_share_out(p.n, used));
			used[t]--;
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_takes_a_type_is_counted),
		cmocka_unit_test(a_type_of_its_own_takes_no_place_from_others),
		cmocka_unit_test(who_takes_both_is_counted_once),
		cmocka_unit_test(the_answer_is_that_of_trying_every_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
