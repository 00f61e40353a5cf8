/* test_scan.c - the skip scanner: where members are, and what is no document. */
#include "common/base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "common/scan.h"

static const char *const paths[] = { "result", "error", "result.header", "result.header.hash" };
enum { RESULT, ERROR, HEADER, HASH };

static const char small[] = " {\"jsonrpc\":\"2.0\",\"x\":{\"result\":1,\"header\":{\"hash\":2}},\n\"result\" : {\"a\":[1,-2.5e+3,0,"
    "{\"header\":null}],\"s\":\"q\\\"\\\\\\u00e9}]\", \"header\":{\"hash\":\"0xab\",\"n\":true}, \"z\":false},\"error\":null } \n";

static struct span
hit_span(const struct scan *s, size_t i, const char *text)
{
	const struct scan_hit *hit = scan_found(s, i);

	return hit ? (struct span){ (const uint8_t *)text + hit->at, hit->n } : (struct span){ 0 };
}

static void
assert_small(const struct scan *s)
{
	assert_true(scan_whole(s));
	assert_true(span_is(hit_span(s, HASH, small), "\"0xab\""));
	assert_true(span_is(hit_span(s, HEADER, small), "{\"hash\":\"0xab\",\"n\":true}"));
	assert_true(span_is(hit_span(s, ERROR, small), "null"));
	struct span result = hit_span(s, RESULT, small);
	assert_true(result.n > 60 && result.p[0] == '{' && memcmp(result.p + result.n - 7, ":false}", 7) == 0);
	assert_int_equal(scan_found(s, RESULT)->first, '{');
	assert_int_equal(scan_found(s, ERROR)->first, 'n');
	assert_int_equal(s->members, 4);
}

static void
finds_members_at_every_split_in_three(void **state)
{
	size_t n = sizeof small - 1;
	struct span all = { (const uint8_t *)small, n };

	for (size_t i = 0; i <= n; i++)
		for (size_t k = i; k <= n; k++) {
			struct scan s;
			scan_init(&s, paths, NELEM(paths));
			assert_true(scan_put(&s, (struct span){ all.p, i }));
			assert_true(scan_put(&s, (struct span){ all.p + i, k - i }));
			assert_true(scan_put(&s, (struct span){ all.p + k, n - k }));
			assert_small(&s);
		}
}

static void
finds_members_byte_by_byte(void **state)
{
	struct scan s;

	scan_init(&s, paths, NELEM(paths));
	for (size_t i = 0; i < sizeof small - 1; i++) {
		uint8_t one = (uint8_t)small[i];
		assert_true(scan_put(&s, (struct span){ &one, 1 }));
	}
	assert_small(&s);
}

static void
no_prefix_of_a_document_is_whole(void **state)
{
	for (size_t n = 0; n < sizeof small - 4; n++) {
		struct scan s;
		scan_init(&s, paths, NELEM(paths));
		assert_true(scan_put(&s, (struct span){ (const uint8_t *)small, n }));
		assert_false(scan_whole(&s));
	}
}

static bool
fine(const char *text)
{
	struct span out[NELEM(paths)];

	return scan_members(span_str(text), paths, NELEM(paths), out, NULL);
}

static void
takes_what_is_an_object(void **state)
{
	static const char *const good[] = {
		"{}", " { } ", "{\"a\":{}}", "{\"a\":[]}", "{\"a\":[[],{}]}", "{\"\":\"\"}", "{\"a\":0}", "{\"a\":-0}", "{\"a\":10}",
		"{\"a\":1.5}", "{\"a\":1e5}", "{\"a\":1E-5}", "{\"a\":0.0e+0}", "{\"a\":\"\\/\\b\\f\\n\\r\\t\\u0aF9\"}",
		"{\"a\":1 , \"b\":[ 1 , 2 ] }", "{\"a\":\"\xc3\xa9\xff\"}", "{\"a\":1,\"a\":2}",
	};

	for (size_t i = 0; i < NELEM(good); i++)
		if (!fine(good[i]))
			fail_msg("%s", good[i]);
}

static void
refuses_what_is_none(void **state)
{
	static const char *const wrong[] = {
		"", " ", "[]", "1", "null", "\"\"", "{", "}", "{]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{\"a\":1 \"b\":2}",
		"{a:1}", "{\"a\":[1,]}", "{\"a\":[,1]}", "{\"a\":[1 2]}", "{\"a\":[1}", "{\"a\":{1]}", "{\"a\":01}", "{\"a\":-}", "{\"a\":+1}",
		"{\"a\":1.}", "{\"a\":.5}", "{\"a\":1e}", "{\"a\":1e+}", "{\"a\":1.5.5}", "{\"a\":nul}", "{\"a\":nulll}", "{\"a\":True}",
		"{\"a\":\"\\x\"}", "{\"a\":\"\\u12g4\"}", "{\"a\":\"\\u12\"}", "{\"a\":\"\n\"}", "{\"a\":\"\x01\"}", "{\"a\":\"}", "{} x", "{}{}", "{},",
		"\xef\xbb\xbf{}", "{\"a\":1}\x01", "{\"a\":'b'}", "{\"a\":NaN}", "{1:2}", "{\"a\"::1}", "{\"a\":1,,\"b\":2}", "<html>",
	};

	for (size_t i = 0; i < NELEM(wrong); i++)
		if (fine(wrong[i]))
			fail_msg("%s", wrong[i]);
	struct span out[1];
	assert_false(scan_members((struct span){ (const uint8_t *)"{\"a\":\0}", 7 }, paths, 0, out, NULL));
	assert_false(scan_members((struct span){ (const uint8_t *)"{\"a\":\"\\\0\"}", 10 }, paths, 0, out, NULL));
}

static void
refuses_a_wanted_member_twice(void **state)
{
	assert_false(fine("{\"result\":1,\"result\":2}"));
	assert_false(fine("{\"result\":{\"header\":1,\"header\":{}}}"));
	assert_true(fine("{\"other\":1,\"other\":2}"));
	assert_true(fine("{\"result\":{\"result\":1,\"error\":2}}"));
}

static void
refuses_a_name_with_an_escape_where_one_is_wanted(void **state)
{
	assert_false(fine("{\"res\\u0075lt\":1}"));
	assert_false(fine("{\"result\":{\"he\\u0061der\":1}}"));
	assert_true(fine("{\"x\":{\"\\u0061\":1}}"));
}

static void
names_are_compared_whole(void **state)
{
	static const char *const want[] = { "abc" };
	char longer[SCAN_NAME + 40];
	struct span out[1];

	assert_true(scan_members(SPAN("{\"ab\":1,\"abcd\":2,\"bc\":3,\"\":4}"), want, 1, out, NULL));
	assert_null(out[0].p);
	snprintf(longer, sizeof longer, "{\"abc%0*d\":1,\"abc\":7}", SCAN_NAME, 0);
	assert_true(scan_members(span_str(longer), want, 1, out, NULL));
	assert_true(span_is(out[0], "7"));
}

static bool
nested(size_t depth)
{
	struct buf b = { 0 };
	struct span out[1];

	buf_puts(&b, "{\"a\":");
	for (size_t i = 1; i < depth; i++)
		buf_putc(&b, '[');
	if (depth == 1)
		buf_putc(&b, '1');
	for (size_t i = 1; i < depth; i++)
		buf_putc(&b, ']');
	buf_putc(&b, '}');
	bool ok = scan_members(SPAN_OF(&b), paths, 0, out, NULL);
	buf_free(&b);
	return ok;
}

static void
nests_to_its_limit_and_no_deeper(void **state)
{
	assert_true(nested(1));
	assert_true(nested(SCAN_NESTING));
	assert_false(nested(SCAN_NESTING + 1));
	assert_false(nested(2 * SCAN_NESTING));
}

/* Whatever the alignment, a stop is seen where it is. */
static void
long_strings_end_where_they_end(void **state)
{
	char text[200];
	static const char *const want[] = { "a" };

	for (int n = 0; n < 100; n++)
		for (int back = 0; back <= n; back++) {
			struct span out[1];
			int at = snprintf(text, sizeof text, "{\"a\":\"");
			memset(text + at, 'x', (size_t)n);
			snprintf(text + at + n, sizeof text - (size_t)(at + n), "\",\"b\":\"\x80\xff\"}");
			assert_true(scan_members(span_str(text), want, 1, out, NULL));
			assert_int_equal(out[0].n, n + 2);
			if (back == 0)
				continue;
			text[at + n - back] = '\x1f';
			assert_false(scan_members(span_str(text), want, 1, out, NULL));
			text[at + n - back] = '\\';
			assert_false(scan_members(span_str(text), want, 1, out, NULL));
		}
}

static void
long_indentation_is_skipped(void **state)
{
	for (int n = 0; n < 40; n++) {
		char text[200];
		snprintf(text, sizeof text, "{%*s\"a\"%*s:\n%*s1%*s}%*s", n, "", n, "", n, "", n, "", n, "");
		assert_true(fine(text));
	}
}

static void
the_text_of_a_string_is_between_its_quotes(void **state)
{
	assert_true(span_is(scan_text(SPAN("\"ab\"")), "ab"));
	assert_true(scan_text(SPAN("\"\"")).p != NULL);
	assert_null(scan_text(SPAN("12")).p);
	assert_null(scan_text(SPAN("\"a\\n\"")).p);
	assert_null(scan_text((struct span){ 0 }).p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_members_at_every_split_in_three),
		cmocka_unit_test(finds_members_byte_by_byte),
		cmocka_unit_test(no_prefix_of_a_document_is_whole),
		cmocka_unit_test(takes_what_is_an_object),
		cmocka_unit_test(refuses_what_is_none),
		cmocka_unit_test(refuses_a_wanted_member_twice),
		cmocka_unit_test(refuses_a_name_with_an_escape_where_one_is_wanted),
		cmocka_unit_test(names_are_compared_whole),
		cmocka_unit_test(nests_to_its_limit_and_no_deeper),
		cmocka_unit_test(long_strings_end_where_they_end),
		cmocka_unit_test(long_indentation_is_skipped),
		cmocka_unit_test(the_text_of_a_string_is_between_its_quotes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
