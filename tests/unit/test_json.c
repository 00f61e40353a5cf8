/* test_json.c - JSON documents, and JSON as Go writes it. */
#include "common/json.h"

#include <setjmp.h>

#include <cmocka.h>

static struct json *
parse(const char *text)
{
	return json_parse(span_str(text), 1 << 20, NULL);
}

static void
assert_put(const char *text, const char *want)
{
	struct json *j = parse(text);
	struct buf b = { 0 };

	json_put(&b, j);
	assert_string_equal(buf_cstr(&b), want);
	buf_free(&b);
	json_free(&j);
}

static void
what_is_not_json_says_where(void **state)
{
	static const char *const bad[] = { "", " ", "{", "{\"a\":1}x", "{'a':1}", "nul", "<html>", "[1,]", "\"\xff\"" };
	char why[128];

	for (size_t i = 0; i < NELEM(bad); i++) {
		why[0] = '\0';
		assert_null(json_parse(span_str(bad[i]), 1 << 20, why));
		assert_true(why[0] != '\0');
	}
}

static void
size_and_depth_are_bounded(void **state)
{
	char text[2 * 65], why[128];

	memset(text, '[', 65);
	memset(text + 65, ']', 65);
	assert_null(json_parse((struct span){ (uint8_t *)text, 130 }, 1 << 20, why));
	assert_string_equal(why, "nested deeper than 64");
	struct json *j = json_parse((struct span){ (uint8_t *)text + 1, 128 }, 1 << 20, why);
	assert_non_null(j);
	json_free(&j);
	assert_null(json_parse(SPAN("[1,2]"), 4, why));
	j = parse("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[\"");
	assert_true(json_is_string(j));
	json_free(&j);
	json_free(&j);
}

static void
every_getter_takes_what_is_absent(void **state)
{
	uint64_t u = 7;
	int64_t i = 7;

	assert_null(json_get(NULL, "a"));
	assert_null(json_at(NULL, 0));
	assert_int_equal(json_size(NULL), 0);
	assert_true(json_is_null(NULL));
	assert_false(json_is_object(NULL) || json_is_array(NULL) || json_is_string(NULL) || json_bool(NULL));
	assert_null(json_str(NULL, "a").p);
	assert_false(json_u64(NULL, &u) || json_i64(NULL, &i));
}

static void
getters_tell_types_apart(void **state)
{
	struct json *j = parse("{\"n\":5,\"m\":-5,\"r\":1.0,\"t\":true,\"f\":false,\"z\":null,\"s\":\"x\\u0000y\",\"a\":[1,\"b\"]}");
	uint64_t u = 7;
	int64_t i = 7;

	assert_true(json_is_object(j) && !json_is_array(j) && json_is_array(json_get(j, "a")));
	assert_true(json_u64(json_get(j, "n"), &u) && u == 5);
	assert_false(json_u64(json_get(j, "m"), &u) || json_u64(json_get(j, "r"), &u) || json_u64(json_get(j, "s"), &u));
	assert_true(json_i64(json_get(j, "m"), &i) && i == -5);
	assert_true(json_bool(json_get(j, "t")) && !json_bool(json_get(j, "f")) && !json_bool(json_get(j, "n")));
	assert_true(json_is_null(json_get(j, "z")) && json_is_null(json_get(j, "nothing")));
	assert_true(span_eq(json_str(j, "s"), (struct span){ (const uint8_t *)"x\0y", 3 }));
	assert_null(json_str(j, "n").p);
	assert_int_equal(json_size(json_get(j, "a")), 2);
	assert_true(span_is(json_text(json_at(json_get(j, "a"), 1)), "b"));
	assert_null(json_at(json_get(j, "a"), 2));
	json_free(&j);
	assert_null(j);
}

static void
gather(void *arg, const char *name, const struct json *value)
{
	buf_printf(arg, "%s ", name);
}

static void
members_keep_their_order(void **state)
{
	struct json *j = parse("{\"z\":1,\"a\":{\"q\":1},\"m\":3}");
	struct buf b = { 0 };

	json_each(j, gather, &b);
	json_each(json_get(j, "z"), gather, &b);
	json_each(NULL, gather, &b);
	assert_string_equal(buf_cstr(&b), "z a m ");
	buf_free(&b);
	json_free(&j);
	assert_put(" {\"z\" : [1, -2, true, null, \"\\u00e9/\"], \"a\":{}} ", "{\"z\":[1,-2,true,null,\"\xc3\xa9/\"],\"a\":{}}");
	assert_put("3", "3");
}

static void
assert_str(struct span s, bool go, const char *want)
{
	struct buf b = { 0 };

	json_put_str(&b, s, go);
	assert_string_equal(buf_cstr(&b), want);
	struct json *back = json_parse(SPAN_OF(&b), 1000, NULL);
	assert_true(json_is_string(back));
	json_free(&back);
	buf_free(&b);
}

static void
strings_are_escaped(void **state)
{
	assert_str(SPAN("a\"\\\n\r\t/"), false, "\"a\\\"\\\\\\n\\r\\t/\"");
	assert_str(SPAN("\x01\x7f"), false, "\"\\u0001\x7f\"");
	assert_str((struct span){ (const uint8_t *)"\0", 1 }, false, "\"\\u0000\"");
	assert_str(SPAN("<&>\xe2\x80\xa8"), false, "\"<&>\xe2\x80\xa8\"");
	assert_str(SPAN("<&>\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa"), true, "\"\\u003c\\u0026\\u003e\\u2028\\u2029\xe2\x80\xaa\"");
}

static void
bytes_that_are_not_utf_8_become_replacement_characters(void **state)
{
	assert_str(SPAN("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), true, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
	assert_str(SPAN("a\xff" "b"), true, "\"a\\ufffdb\"");
	assert_str(SPAN("\xc0\xaf\xe2\x82"), true, "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
	assert_str(SPAN("\xed\xa0\x80"), false, "\"\\ufffd\\ufffd\\ufffd\"");
	assert_str(SPAN("\xf4\x90\x80\x80"), false, "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_json_says_where),
		cmocka_unit_test(size_and_depth_are_bounded),
		cmocka_unit_test(every_getter_takes_what_is_absent),
		cmocka_unit_test(getters_tell_types_apart),
		cmocka_unit_test(members_keep_their_order),
		cmocka_unit_test(strings_are_escaped),
		cmocka_unit_test(bytes_that_are_not_utf_8_become_replacement_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
