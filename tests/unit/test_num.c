/* test_num.c - text to numbers and back. */
#include "common/num.h"

#include <setjmp.h>

#include <cmocka.h>

static void
whole_text_or_nothing(void **state)
{
	static const char *const bad[] = { "", " 1", "1 ", "-1", "+1", "1x", "0x1", "1.0",
		"18446744073709551616", "99999999999999999999999" };
	uint64_t v = 7;

	for (size_t i = 0; i < NELEM(bad); i++)
		assert_false(num_u64(span_str(bad[i]), &v));
	assert_int_equal(v, 7);
	assert_true(num_u64(SPAN("0"), &v) && v == 0);
	assert_true(num_u64(SPAN("18446744073709551615"), &v) && v == UINT64_MAX);
	assert_false(num_u64((struct span){ (const uint8_t *)"1\0002", 3 }, &v));
}

static void
quantities_are_hexadecimal(void **state)
{
	static const char *const bad[] = { "", "0x", "1f", "0X1f", "0x1g", "0x11111111111111111" };
	uint64_t v = 7;

	for (size_t i = 0; i < NELEM(bad); i++)
		assert_false(num_quantity(span_str(bad[i]), &v));
	assert_int_equal(v, 7);
	assert_true(num_quantity(SPAN("0x0"), &v) && v == 0);
	assert_true(num_quantity(SPAN("0x1f"), &v) && v == 31);
	assert_true(num_quantity(SPAN("0xFfffffffffffffff"), &v) && v == UINT64_MAX);
}

static void
spans_and_sizes_have_units(void **state)
{
	uint64_t v = 7;

	assert_true(num_span_ms(SPAN("250ms"), &v) && v == 250);
	assert_true(num_span_ms(SPAN("30s"), &v) && v == 30000);
	assert_true(num_span_ms(SPAN("5m"), &v) && v == 300000);
	assert_true(num_span_ms(SPAN("1h"), &v) && v == 3600000);
	assert_true(num_span_ms(SPAN("2d"), &v) && v == 172800000);
	assert_true(num_size(SPAN("16384"), &v) && v == 16384);
	assert_true(num_size(SPAN("64k"), &v) && v == 65536);
	assert_true(num_size(SPAN("2G"), &v) && v == UINT64_C(2) << 30);
	assert_false(num_span_ms(SPAN("30"), &v));
	assert_false(num_span_ms(SPAN("s"), &v));
	assert_false(num_span_ms(SPAN("1.5s"), &v));
	assert_false(num_span_ms(SPAN("213503982335d"), &v));
	assert_false(num_size(SPAN("1T"), &v));
	assert_false(num_size(SPAN("18446744073709551615k"), &v));
	assert_true(v == UINT64_C(2) << 30);
}

static void
amounts_are_exact(void **state)
{
	static const char *const bad[] = { "", ".5", "1.", "1.1234567", "1,5", "-1", "1e3", "1.2.3",
		"18446744073710", "18446744073709.551616" };
	uint64_t v = 7;

	for (size_t i = 0; i < NELEM(bad); i++)
		assert_false(num_micro(span_str(bad[i]), &v));
	assert_int_equal(v, 7);
	assert_true(num_micro(SPAN("0.25"), &v) && v == 250000);
	assert_true(num_micro(SPAN("12"), &v) && v == 12000000);
	assert_true(num_micro(SPAN("0.000001"), &v) && v == 1);
	assert_true(num_micro(SPAN("18446744073709.551615"), &v) && v == UINT64_MAX);
}

static void
hex_goes_both_ways(void **state)
{
	uint8_t out[3] = { 9, 9, 9 };
	struct buf b = { 0 };

	num_put_hex(&b, SPAN("\x00\xab\xff"));
	assert_string_equal(buf_cstr(&b), "00abff");
	assert_false(num_hex(SPAN("0x00ABff"), false, out, 3));
	assert_false(num_hex(SPAN("00abf"), true, out, 3));
	assert_false(num_hex(SPAN("00abff00"), true, out, 3));
	assert_false(num_hex(SPAN("00abfg"), true, out, 3));
	assert_int_equal(out[0], 9);
	assert_true(num_hex(SPAN("0x00ABff"), true, out, 3));
	assert_memory_equal(out, "\x00\xab\xff", 3);
	assert_true(num_hex(SPAN("0x"), true, out, 0));
	buf_free(&b);
}

static void
base64_matches_rfc_4648_section_10(void **state)
{
	static const char *const pairs[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" } };
	struct buf b = { 0 };

	for (size_t i = 0; i < NELEM(pairs); i++) {
		buf_reset(&b);
		num_put_base64(&b, span_str(pairs[i][0]));
		assert_string_equal(buf_cstr(&b), pairs[i][1]);
		buf_reset(&b);
		assert_true(num_base64(span_str(pairs[i][1]), &b));
		assert_string_equal(buf_cstr(&b), pairs[i][0]);
	}
	buf_free(&b);
}

static void
base64_has_one_spelling(void **state)
{
	static const char *const bad[] = { "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "=", "====", "Zg==Zg==", "Zm9v\n", "_-8=" };
	struct buf b = { 0 };

	buf_puts(&b, "kept");
	for (size_t i = 0; i < NELEM(bad); i++)
		assert_false(num_base64(span_str(bad[i]), &b));
	assert_string_equal(buf_cstr(&b), "kept");
	buf_free(&b);
}

static void
base64url_is_unpadded_and_url_safe(void **state)
{
	struct buf b = { 0 };

	num_put_base64url(&b, SPAN("\xff\xef"), false);
	num_put_base64url(&b, SPAN("\xff\xef"), true);
	assert_string_equal(buf_cstr(&b), "_-8_-8=");
	buf_reset(&b);
	assert_true(num_base64url(SPAN("_-8"), &b));
	assert_memory_equal(b.p, "\xff\xef", 2);
	assert_false(num_base64url(SPAN("_-8="), &b));
	assert_false(num_base64url(SPAN("_-9"), &b));
	assert_false(num_base64url(SPAN("_"), &b));
	assert_false(num_base64url(SPAN("+/8"), &b));
	assert_int_equal(b.n, 2);
	buf_free(&b);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_text_or_nothing),
		cmocka_unit_test(quantities_are_hexadecimal),
		cmocka_unit_test(spans_and_sizes_have_units),
		cmocka_unit_test(amounts_are_exact),
		cmocka_unit_test(hex_goes_both_ways),
		cmocka_unit_test(base64_matches_rfc_4648_section_10),
		cmocka_unit_test(base64_has_one_spelling),
		cmocka_unit_test(base64url_is_unpadded_and_url_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
