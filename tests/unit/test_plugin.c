/* test_plugin.c - the plug-in protocol as text: requests, answers, capabilities, and what they mean. */
#include "common/reply.h"

#include "common/codes.h"

#include <setjmp.h>
#include <cmocka.h>

static void
requests_are_one_line_of_json(void **state)
{
	struct buf members = { 0 }, line = { 0 };
	uint8_t hash[HASH_BYTES] = { 0xab };

	plugin_put_request(&line, 1, PLUGIN_CAPABILITIES, SPAN_OF(&members));
	plugin_put_text(&members, "task", SPAN("a\"b\n"));
	plugin_put_num(&members, "n", 5);
	plugin_put_hash(&members, "h", hash);
	plugin_put_request(&line, 2, PLUGIN_PROVE, SPAN_OF(&members));
	assert_string_equal(buf_cstr(&line), "{\"id\":1,\"verb\":\"capabilities\"}\n"
	    "{\"id\":2,\"verb\":\"prove\",\"task\":\"a\\\"b\\n\",\"n\":5,"
	    "\"h\":\"ab00000000000000000000000000000000000000000000000000000000000000\"}\n");
	buf_free(&members);
	buf_free(&line);
}

static void
what_is_neither_ok_nor_an_error_is_garbage(void **state)
{
	static const char *const lines[] = {
		"", "x", "[]", "{}", "{\"id\":1}", "{\"ok\":true}", "{\"id\":-1,\"ok\":true}", "{\"id\":\"1\",\"ok\":true}",
		"{\"id\":1,\"ok\":false}", "{\"id\":1,\"ok\":1}", "{\"id\":1,\"error\":\"\"}", "{\"id\":1,\"error\":7}",
		"{\"id\":1,\"ok\":true,\"error\":\"x\"}", "{\"id\":1,\"ok\":true} x",
	};
	struct plugin_answer a;

	for (size_t i = 0; i < NELEM(lines); i++) {
		assert_int_equal(plugin_parse(span_str(lines[i]), 1000, &a), CODE_PLUGIN_GARBAGE);
		assert_true(a.message[0]);
		plugin_answer_free(&a);
	}
}

static void
a_refusal_has_its_words(void **state)
{
	struct plugin_answer a;

	assert_int_equal(plugin_parse(SPAN("{\"id\":4,\"error\":\"busy\",\"message\":\"no GPU\",\"retry\":true}"), 1000, &a), CODE_OK);
	assert_int_equal(a.id, 4);
	assert_false(a.ok);
	assert_true(a.retry);
	assert_string_equal(a.error, "busy");
	assert_string_equal(a.message, "no GPU");
	plugin_answer_free(&a);
}

static void
a_long_message_is_cut_between_characters(void **state)
{
	struct buf line = { 0 };
	struct plugin_answer a;

	buf_puts(&line, "{\"id\":4,\"error\":\"x\",\"message\":\"a");
	for (int i = 0; i < 200; i++)
		buf_puts(&line, "\xc3\xa9");
	buf_puts(&line, "\"}");
	assert_int_equal(plugin_parse(SPAN_OF(&line), 1000, &a), CODE_OK);
	assert_int_equal(strlen(a.message) % 2, 1);
	assert_in_range(strlen(a.message), 250, 255);
	plugin_answer_free(&a);
	buf_free(&line);
}

static bool
caps_of(const char *line, struct plugin_caps *caps)
{
	struct plugin_answer a;
	char why[128];

	assert_int_equal(plugin_parse(span_str(line), 1000, &a), CODE_OK);
	bool ok = plugin_caps_parse(&a, caps, why);
	plugin_answer_free(&a);
	return ok;
}

static void
capabilities_have_defaults_and_forms(void **state)
{
	static const char *const wrong[] = { "\"types\":\"chunk\"", "\"types\":[1]", "\"ask\":\"perhaps\"", "\"ask\":1",
	    "\"lag_ms\":-1", "\"forks\":[\"\"]", "\"forks\":[1]", "\"verbs\":{}",
	    "\"vks\":\"a\"", "\"vks\":[\"\"]", "\"vks\":[\"a b\"]", "\"vks\":[1]" };
	struct plugin_caps c;
	char line[128];

	assert_true(caps_of("{\"id\":1,\"ok\":true}", &c));
	assert_int_equal(c.types, 1 << TYPE_CHUNK | 1 << TYPE_BATCH | 1 << TYPE_BUNDLE);
	assert_int_equal(c.verbs, 1 << PLUGIN_PROVE);
	assert_true(c.ask == PLUGIN_ASK_NONE && !c.sync && plugin_caps_fork(&c, SPAN("any")));
	assert_true(caps_of("{\"id\":1,\"ok\":true,\"types\":[\"batch\",\"new\"],\"forks\":[\"f\"],\"ask\":\"lookup\",\"lag_ms\":9,"
	    "\"vks\":[\"AAA=\",\"bb/+\"]}", &c));
	assert_string_equal(c.vks, "AAA= bb/+");
	assert_int_equal(c.types, 1 << TYPE_BATCH);
	assert_true(c.ask == PLUGIN_ASK_LOOKUP && c.lag_ms == 9);
	assert_true(plugin_caps_fork(&c, SPAN("f")) && !plugin_caps_fork(&c, SPAN("g")));
	for (size_t i = 0; i < NELEM(wrong); i++) {
		snprintf(line, sizeof line, "{\"id\":1,\"ok\":true,%s}", wrong[i]);
		assert_false(caps_of(line, &c));
	}
}

static void
each_answer_means_one_thing(void **state)
{
	static const struct { enum plugin_verb verb; const char *members; enum reply_outcome outcome; } cases[] = {
		{ PLUGIN_PROVE, "\"ok\":true,\"proof\":\"p\"", REPLY_PROVED },
		{ PLUGIN_PROVE, "\"ok\":true,\"proof_path\":\"/p\"", REPLY_PROVED },
		{ PLUGIN_PROVE, "\"ok\":true,\"proof_path\":\"p\"", REPLY_NO_ANSWER },
		{ PLUGIN_PROVE, "\"ok\":true,\"proof\":\"p\",\"proof_path\":\"/p\"", REPLY_NO_ANSWER },
		{ PLUGIN_PROVE, "\"ok\":true,\"handle\":\"h\"", REPLY_HANDLE },
		{ PLUGIN_PROVE, "\"ok\":true,\"handle\":\"\"", REPLY_NO_ANSWER },
		{ PLUGIN_PROVE, "\"ok\":true", REPLY_NO_ANSWER },
		{ PLUGIN_PROVE, "\"error\":\"x\",\"retry\":true", REPLY_REFUSED },
		{ PLUGIN_PROVE, "\"error\":\"x\"", REPLY_FAILED },
		{ PLUGIN_POLL, "\"ok\":true,\"state\":\"proving\"", REPLY_PROVING },
		{ PLUGIN_POLL, "\"ok\":true,\"state\":\"proved\",\"proof\":\"p\"", REPLY_PROVED },
		{ PLUGIN_POLL, "\"ok\":true,\"state\":\"proved\"", REPLY_NO_ANSWER },
		{ PLUGIN_POLL, "\"ok\":true,\"state\":\"failed\"", REPLY_FAILED },
		{ PLUGIN_POLL, "\"ok\":true,\"state\":\"unknown\"", REPLY_UNKNOWN },
		{ PLUGIN_POLL, "\"ok\":true", REPLY_NO_ANSWER },
		{ PLUGIN_POLL, "\"error\":\"x\"", REPLY_NO_ANSWER },
		{ PLUGIN_CANCEL, "\"ok\":true,\"state\":\"cancelled\"", REPLY_CANCELLED },
		{ PLUGIN_RECONCILE, "\"ok\":true,\"known\":false", REPLY_UNKNOWN },
		{ PLUGIN_RECONCILE, "\"ok\":true,\"known\":true,\"handle\":\"h\"", REPLY_HANDLE },
		{ PLUGIN_RECONCILE, "\"ok\":true,\"known\":true,\"state\":\"failed\"", REPLY_FAILED },
		{ PLUGIN_RECONCILE, "\"ok\":true,\"known\":true", REPLY_NO_ANSWER },
		{ PLUGIN_RECONCILE, "\"ok\":true,\"known\":1,\"handle\":\"h\"", REPLY_NO_ANSWER },
		{ PLUGIN_RECONCILE, "\"ok\":true", REPLY_NO_ANSWER },
		{ PLUGIN_RECONCILE, "\"error\":\"x\"", REPLY_NO_ANSWER },
	};

	for (size_t i = 0; i < NELEM(cases); i++) {
		struct plugin_answer a;
		struct reply r;
		char line[128];

		snprintf(line, sizeof line, "{\"id\":1,%s}", cases[i].members);
		assert_int_equal(plugin_parse(span_str(line), 1000, &a), CODE_OK);
		reply_read(cases[i].verb, &(struct coproc_result){ .sent = true, .answer = &a }, &r);
		if (r.outcome != cases[i].outcome)
			print_message("%s\n", line);
		assert_int_equal(r.outcome, cases[i].outcome);
		plugin_answer_free(&a);
	}
}

static void
no_answer_is_unsure_unless_nothing_was_sent(void **state)
{
	struct reply r;

	reply_read(PLUGIN_PROVE, &(struct coproc_result){ .code = CODE_PLUGIN_HANG, .sent = true }, &r);
	assert_int_equal(r.outcome, REPLY_NO_ANSWER);
	assert_int_equal(r.code, CODE_PLUGIN_HANG);
	reply_read(PLUGIN_PROVE, &(struct coproc_result){ .code = CODE_PLUGIN_EXIT }, &r);
	assert_int_equal(r.outcome, REPLY_NOT_SENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_one_line_of_json),
		cmocka_unit_test(what_is_neither_ok_nor_an_error_is_garbage),
		cmocka_unit_test(a_refusal_has_its_words),
		cmocka_unit_test(a_long_message_is_cut_between_characters),
		cmocka_unit_test(capabilities_have_defaults_and_forms),
		cmocka_unit_test(each_answer_means_one_thing),
		cmocka_unit_test(no_answer_is_unsure_unless_nothing_was_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
