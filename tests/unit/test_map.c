/* test_map.c - the hash table, against a plain array that is always right. */
#include "common/map.h"

#include <setjmp.h>

#include <cmocka.h>

enum { MEMBERS = 512, STEPS = 200000 };

static uint64_t
draw(uint64_t *seed, uint64_t n)
{
	*seed = map_mix(*seed, 1);
	return *seed % n;
}

static bool
is_it(const void *value, const void *arg)
{
	return value == arg;
}

/* Keys are few and close together, so that runs are long and wrap around the end. */
static uint64_t
key_of(size_t member)
{
	return member % 3 ? UINT64_MAX - member % 40 : member % 7;
}

static void
puts_and_deletes_in_any_order_lose_nothing(void **state)
{
	static char members[MEMBERS];
	static bool in[MEMBERS];
	struct map m = { 0 };
	uint64_t seed = 7;
	size_t n = 0;

	for (unsigned i = 0; i < STEPS; i++) {
		/* phases of growing and of shrinking */
		size_t k = draw(&seed, i / 20000 % 2 ? MEMBERS : 60);
		if (in[k])
			map_del(&m, key_of(k), &members[k]);
		else
			map_put(&m, key_of(k), &members[k]);
		in[k] = !in[k];
		n += in[k] ? 1 : (size_t)-1;
		assert_int_equal(m.n, n);
		size_t other = draw(&seed, MEMBERS);
		assert_true(map_get(&m, key_of(other), is_it, &members[other]) == (in[other] ? &members[other] : NULL));
	}
	size_t at = 0, seen = 0;
	for (char *p; (p = map_next(&m, &at)); seen++)
		assert_true(in[p - members]);
	assert_int_equal(seen, n);
	map_free(&m);
	assert_null(map_get(&m, 1, NULL, NULL));
}

static void
an_empty_map_has_nothing_and_deletes_nothing(void **state)
{
	struct map m = { 0 };
	size_t at = 0;
	int a, b;

	assert_null(map_get(&m, 0, NULL, NULL));
	assert_null(map_next(&m, &at));
	map_del(&m, 0, &a);
	map_put(&m, 5, &a);
	map_del(&m, 5, &b);		/* not that one */
	map_del(&m, 6, &a);		/* not under that key */
	assert_ptr_equal(map_get(&m, 5, NULL, NULL), &a);
	map_free(&m);
	map_free(&m);
}

static void
keys_that_differ_in_one_bit_or_byte_are_mixed_apart(void **state)
{
	uint8_t text[20] = { 0 };

	for (unsigned bit = 0; bit < 64; bit++) {
		assert_true(map_mix(UINT64_C(1) << bit, 0) != map_mix(0, 0));
		assert_true(map_mix(1, UINT64_C(1) << bit) != map_mix(1, 0));
	}
	for (size_t n = 0; n <= sizeof text; n++) {
		uint64_t before = map_hash(1, (struct span){ text, n });
		assert_true(before != map_hash(2, (struct span){ text, n }));
		assert_true(n == 0 || before != map_hash(1, (struct span){ text, n - 1 }));
		for (size_t i = 0; i < n; i++) {
			text[i] = 1;
			assert_true(before != map_hash(1, (struct span){ text, n }));
			text[i] = 0;
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(puts_and_deletes_in_any_order_lose_nothing),
		cmocka_unit_test(an_empty_map_has_nothing_and_deletes_nothing),
		cmocka_unit_test(keys_that_differ_in_one_bit_or_byte_are_mixed_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
