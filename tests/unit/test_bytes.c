/* test_bytes.c - spans that borrow, buffers that own. */
#include "common/bytes.h"

#include <setjmp.h>

#include <cmocka.h>

static void
spans_compare_by_content(void **state)
{
	assert_true(span_is(SPAN("abc"), "abc"));
	assert_false(span_is(SPAN("abc"), "ab"));
	assert_true(span_eq((struct span){ 0 }, span_str("")));
	assert_true(span_eq(span_str(NULL), span_str(NULL)));
}

static void
a_span_becomes_a_c_string_only_when_it_fits_and_is_text(void **state)
{
	char dst[4];

	assert_true(span_cstr(SPAN("abc"), dst, sizeof dst));
	assert_string_equal(dst, "abc");
	assert_false(span_cstr(SPAN("abcd"), dst, sizeof dst));
	assert_string_equal(dst, "");
	assert_false(span_cstr(SPAN("a\0b"), dst, sizeof dst));
	assert_true(span_cstr((struct span){ 0 }, dst, sizeof dst));
	assert_false(span_cstr(SPAN("a"), dst, 0));
}

static void
a_buffer_grows_and_is_drained_from_the_front(void **state)
{
	struct buf b = { 0 };

	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "%03d,", i);
	assert_int_equal(b.n, 4000);
	buf_drop(&b, 3996);
	assert_string_equal(buf_cstr(&b), "999,");
	buf_drop(&b, 4);
	assert_string_equal(buf_cstr(&b), "");
	buf_putc(&b, 'x');
	buf_puts(&b, "yz");
	assert_true(span_is(SPAN_OF(&b), "xyz"));
	buf_reset(&b);
	assert_int_equal(b.n, 0);
	assert_true(b.cap > 0);
	buf_free(&b);
	buf_free(&b);
}

static void
nothing_at_all_can_be_put_into_an_empty_buffer(void **state)
{
	struct buf b = { 0 };

	assert_non_null(buf_room(&b, 0));
	buf_put(&b, NULL, 0);
	buf_drop(&b, 0);
	assert_int_equal(b.n, 0);
	buf_free(&b);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(spans_compare_by_content),
		cmocka_unit_test(a_span_becomes_a_c_string_only_when_it_fits_and_is_text),
		cmocka_unit_test(a_buffer_grows_and_is_drained_from_the_front),
		cmocka_unit_test(nothing_at_all_can_be_put_into_an_empty_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
