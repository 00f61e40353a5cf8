/* test_uuid.c - an attempt's id, sealed for one prover.
 * uses: cmd/dispatch-coordinator */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cmd/dispatch-coordinator/uuid.h"

#define SECRET	SPAN("secret")
#define KEY	SPAN("02aa")

static const uint64_t ids[] = { 1, 2, 255, 256, 65537, UINT64_C(0xfffffffffffe), UINT64_C(0xffffffffffff) };

static uint64_t
open_text(const char *text)
{
	return uuid_open(SECRET, KEY, span_str(text));
}

static void
what_is_sealed_is_read_back(void **state)
{
	char text[UUID_CHARS + 1];

	for (size_t i = 0; i < NELEM(ids); i++) {
		uuid_seal(SECRET, KEY, ids[i], text);
		assert_int_equal(open_text(text), ids[i]);
	}
}

static void
it_looks_like_a_random_uuid_and_is_always_the_same(void **state)
{
	char text[UUID_CHARS + 1], again[UUID_CHARS + 1];

	for (size_t i = 0; i < NELEM(ids); i++) {
		uuid_seal(SECRET, KEY, ids[i], text);
		uuid_seal(SECRET, KEY, ids[i], again);
		assert_string_equal(text, again);
		assert_int_equal(strlen(text), UUID_CHARS);
		assert_int_equal(strspn(text, "0123456789abcdef-"), UUID_CHARS);
		assert_true(text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-');
		assert_int_equal(text[14], '4');
		assert_non_null(strchr("89ab", text[19]));
	}
}

/* Neighbours share no more digits than chance gives them, the id's own place included. */
static void
neighbours_tell_nothing_of_their_ids(void **state)
{
	char a[UUID_CHARS + 1], b[UUID_CHARS + 1];
	unsigned same = 0;

	for (uint64_t id = 1; id <= 100; id++) {
		uuid_seal(SECRET, KEY, id, a);
		uuid_seal(SECRET, KEY, id + 1, b);
		for (size_t i = 0; i < 8; i++)
			same += a[i] == b[i];
	}
	assert_in_range(same, 20, 90);		/* 50 of 800 */
}

static void
another_prover_or_another_secret_reads_nothing(void **state)
{
	char text[UUID_CHARS + 1];

	for (size_t i = 0; i < NELEM(ids); i++) {
		uuid_seal(SECRET, KEY, ids[i], text);
		assert_int_equal(uuid_open(SECRET, SPAN("02ab"), span_str(text)), 0);
		assert_int_equal(uuid_open(SECRET, SPAN(""), span_str(text)), 0);
		assert_int_equal(uuid_open(SPAN("secreT"), KEY, span_str(text)), 0);
	}
}

static void
any_digit_that_is_wrong_makes_it_unknown(void **state)
{
	char text[UUID_CHARS + 1];

	uuid_seal(SECRET, KEY, 77, text);
	for (size_t i = 0; i < UUID_CHARS; i++) {
		char was = text[i];
		if (was == '-')
			continue;
		text[i] = was == '0' ? '1' : '0';
		assert_int_equal(open_text(text), 0);
		text[i] = was;
	}
	assert_int_equal(open_text(text), 77);
}

static void
it_is_read_in_every_spelling(void **state)
{
	char text[UUID_CHARS + 1], other[64], *to = other;

	uuid_seal(SECRET, KEY, 12345, text);
	for (char *c = text; *c; c++)
		if (*c != '-')
			*to++ = *c >= 'a' ? (char)(*c - 'a' + 'A') : *c;
	*to = '\0';
	assert_int_equal(open_text(other), 12345);
	snprintf(other, sizeof other, "{%s}", text);
	assert_int_equal(open_text(other), 12345);
}

static void
what_is_no_uuid_is_none(void **state)
{
	char text[UUID_CHARS + 1], longer[64];

	uuid_seal(SECRET, KEY, 5, text);
	static const char *const bad[] = { "", "-", "{}", "{", "0", "u1", "00000000-0000-0000-0000-000000000000",
		"00000000-0000-4000-8000-00000000000", "zzzzzzzz-zzzz-4zzz-8zzz-zzzzzzzzzzzz" };
	for (size_t i = 0; i < NELEM(bad); i++)
		assert_int_equal(open_text(bad[i]), 0);
	snprintf(longer, sizeof longer, "%s0", text);
	assert_int_equal(open_text(longer), 0);
	snprintf(longer, sizeof longer, " %s", text);
	assert_int_equal(open_text(longer), 0);
	snprintf(longer, sizeof longer, "{%s", text);
	assert_int_equal(open_text(longer), 0);
	assert_int_equal(uuid_open(SECRET, KEY, (struct span){ (const uint8_t *)text, UUID_CHARS - 1 }), 0);
}

#define T(name) cmocka_unit_test(name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_is_sealed_is_read_back), T(it_looks_like_a_random_uuid_and_is_always_the_same),
		T(neighbours_tell_nothing_of_their_ids), T(another_prover_or_another_secret_reads_nothing),
		T(any_digit_that_is_wrong_makes_it_unknown), T(it_is_read_in_every_spelling), T(what_is_no_uuid_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
