/* test_why.c - the one line that prova status begins with.
 * uses: cmd/prova */
#include <setjmp.h>

#include "cmd/prova/show.h"
#include "cmd/prova/why.h"
#include "common/codes.h"

#include <cmocka.h>

#define INSTANCE(kind, note) "{\"instance\":\"" kind "\",\"kind\":\"" kind "\",\"alive\":true,\"silent_ms\":1,\"note\":\"" note "\"}"
#define FETCH(note)	"{\"instance\":\"task-fetch\",\"kind\":\"task-fetch\",\"alive\":true,\"silent_ms\":1,\"polling\":2,\"waiting\":3,\"note\":\"" note "\"},"
#define REST(trace, allocate, dispatch, submit) INSTANCE("trace-build", trace) "," INSTANCE("allocate", allocate) "," \
	INSTANCE("dispatch-exec", dispatch) "," INSTANCE("submit", submit)
#define STATUS(rows, kinds, instances) "{\"term\":1,\"trouble\":false,\"rows\":{" rows "},\"kinds\":[" kinds "],\"instances\":[" instances "]}"
#define ROOM "{\"chain\":\"c\",\"type\":\"chunk\",\"room\":4,\"unplaced\":0,\"open\":1}"
#define FULL "{\"chain\":\"c\",\"type\":\"chunk\",\"room\":4,\"unplaced\":1,\"open\":3}"

#define ALIVE(name, kind)	",{\"instance\":\"" name "\",\"kind\":\"" kind "\",\"alive\":true,\"silent_ms\":1,\"note\":\"\"}"
#define SILENT(name, kind)	",{\"instance\":\"" name "\",\"kind\":\"" kind "\",\"alive\":false,\"silent_ms\":9000,\"note\":\"\"}"
#define SENDING	"\"attempt.sending\":2"
#define AT_WORK	"at work: 2 with provers"

/* With settings of these assignments, separated by blanks. */
static void
says_with(const char *assignments, const char *status, const char *want)
{
	struct json *doc = json_parse(span_str(status), 1 << 16, NULL);
	char out[512], why[256], *texts = xstrdup(assignments), *at = texts, *text;
	struct settings *s = settings_read(NULL, why, sizeof why);

	assert_non_null(doc);
	while ((text = strsep(&at, " ")))
		assert_true(!*text || settings_override(s, NULL, text, why, sizeof why) == 0);
	why_line(doc, s, out, sizeof out);
	assert_string_equal(out, want);
	settings_free(&s);
	free(texts);
	json_free(&doc);
}

static void
says(const char *status, const char *want)
{
	says_with("", status, want);
}

static void
a_ledger_that_has_not_said_anything_has_just_begun(void **state)
{
	says("{}", "the ledger has just begun");
}

static void
a_store_in_trouble_comes_first(void **state)
{
	says("{\"term\":1,\"trouble\":true}", "disk: The store's disk does not take writes.  Make room; the ledger goes on by itself.");
}

static void
a_kind_that_was_never_heard_is_named(void **state)
{
	says(STATUS("", "", ""), "no prova-task-fetch was ever heard: start one");
	says(STATUS("", ROOM, FETCH("") INSTANCE("trace-build", "") "," INSTANCE("allocate", "")),
	    "no prova-dispatch-PROVIDER was ever heard: start one");
}

static void
a_kind_of_which_nobody_lives_is_named_with_how_long(void **state)
{
	says(STATUS("", ROOM, "{\"instance\":\"task-fetch\",\"kind\":\"task-fetch\",\"alive\":false,\"silent_ms\":40000}," REST("", "", "", "")),
	    "task-fetch is not heard for 40.0 s: is it running?");
}

static void
a_silent_dispatcher_is_named_though_others_live(void **state)
{
	static const char *const two = "provider:one.command=x provider:gpu.command=x provider:door.listen=:1";

	says_with(two, STATUS(SENDING, ROOM, FETCH("") REST("", "", "a note of another", "") SILENT("dispatch-exec.gpu", "dispatch-exec")),
	    "dispatch-exec.gpu is not heard for 9.0 s: is it running?");
	says_with(two, STATUS("", ROOM, FETCH("") REST("", "", "", "") SILENT("dispatch-coordinator.door", "dispatch-coordinator")),
	    "dispatch-coordinator.door is not heard for 9.0 s: is it running?");
}

static void
dispatchers_of_one_provider_stand_in_for_each_other(void **state)
{
	static const char *const two = "provider:one.command=x provider:gpu.command=x";

	says_with(two, STATUS(SENDING, ROOM, FETCH("") REST("", "", "", "") SILENT("dispatch-exec.gpu.1", "dispatch-exec")
	    ALIVE("dispatch-exec.gpu.2", "dispatch-exec")), AT_WORK);
	says_with(two, STATUS(SENDING, ROOM, FETCH("") REST("", "", "", "") SILENT("dispatch-exec.gpu.1", "dispatch-exec")
	    ALIVE("dispatch-exec.one", "dispatch-exec")), "dispatch-exec.gpu.1 is not heard for 9.0 s: is it running?");
}

static void
a_silent_task_fetch_is_named_though_that_of_another_chain_lives(void **state)
{
	static const char status[] = STATUS(SENDING, ROOM, FETCH("") REST("", "", "", "") SILENT("task-fetch.b", "task-fetch"));

	says_with("stage:task-fetch.a.chain=a stage:task-fetch.b.chain=b", status, "task-fetch.b is not heard for 9.0 s: is it running?");
	says_with("stage:task-fetch.a.chain=a", status, AT_WORK);
}

static void
stages_of_all_chains_stand_in_for_each_other(void **state)
{
	static const char status[] = STATUS(SENDING, ROOM, FETCH("") REST("", "", "", "") SILENT("trace-build.2", "trace-build"));

	says_with("stage:trace-build.2.parallel=2", status, AT_WORK);
	says_with("stage:trace-build.2.chain=b", status, "trace-build.2 is not heard for 9.0 s: is it running?");
}

static void
what_the_settings_do_not_ask_for_any_more_may_be_silent(void **state)
{
	static const char gone[] = STATUS(SENDING, ROOM, FETCH("") REST("", "", "", "") SILENT("dispatch-exec.gpu", "dispatch-exec"));

	says_with("provider:one.command=x", gone, AT_WORK);
	says_with("provider:gpu.listen=:1", gone, AT_WORK);
	says_with("provider:gp.command=x provider:gpu.1.command=x", gone, AT_WORK);
}

static void
a_kind_that_is_missing_comes_before_a_silent_instance(void **state)
{
	says_with("provider:gpu.command=x", STATUS(SENDING, ROOM, FETCH("") INSTANCE("trace-build", "") "," INSTANCE("allocate", "") ","
	    INSTANCE("dispatch-exec", "") SILENT("dispatch-exec.gpu", "dispatch-exec")), "no prova-submit was ever heard: start one");
}

static void
the_stage_where_rows_wait_says_why(void **state)
{
	says(STATUS("\"job.fetched\":3", ROOM, FETCH("") REST("L2 node 2 away for 40 s", "", "", "")), "trace-build: L2 node 2 away for 40 s");
	says(STATUS("\"job.fetched\":3,\"job.submitting\":1", ROOM, FETCH("") REST("x", "", "", "proofs are not taken for 9 s: coordinator-away")),
	    "submit: proofs are not taken for 9 s: coordinator-away");
}

static void
a_note_where_nothing_waits_is_not_the_reason(void **state)
{
	says(STATUS("\"attempt.proving\":3,\"job.fetched\":2", ROOM, FETCH("identity 3 rests") REST("", "no provider is heard", "", "")),
	    "at work: 2 to build, 3 with provers");
}

static void
without_work_task_fetch_says_why(void **state)
{
	says(STATUS("", ROOM, FETCH("identity 3 rests 112 s: already-assigned") REST("", "", "", "")),
	    "task-fetch: identity 3 rests 112 s: already-assigned");
}

static void
without_room_the_kind_is_named(void **state)
{
	says(STATUS("", FULL, FETCH("") REST("", "", "", "")), "no room for chunk: 4 of 4 places taken");
	says(STATUS("", "", FETCH("") REST("", "no provider is heard", "", "")), "allocate: no provider is heard");
	says(STATUS("", "", FETCH("") REST("", "", "", "")), "no room for any task: no provider states a slot");
}

static void
with_room_and_no_task_there_is_nothing_to_do(void **state)
{
	says(STATUS("", ROOM, FETCH("") REST("", "", "", "")), "nothing to do: no task at the Coordinator so far (asking: 2, could ask: 3)");
}

static void
amounts_times_and_spans_read_well(void **state)
{
	assert_string_equal(show_micro(250000), "0.25");
	assert_string_equal(show_micro(-2250000), "-2.25");
	assert_string_equal(show_micro(0), "0");
	assert_string_equal(show_micro(INT64_MIN), "-9223372036854.775808");
	assert_string_equal(show_micro(3000000), "3");
	assert_string_equal(show_time(0), "-");
	assert_string_equal(show_time(1700000000007), "2023-11-14 22:13:20.007");
	assert_string_equal(show_span(999), "999 ms");
	assert_string_equal(show_span(61000), "1 m 1 s");
	assert_string_equal(show_span(7380000), "2 h 3 m");
	assert_int_equal(show_code(SPAN("late")), CODE_LATE);
	assert_true(show_code(SPAN("nonsense")) == UINT64_MAX);
}

static void
control_bytes_of_others_are_masked(void **state)
{
	struct json *doc = json_parse(SPAN("{\"a\":\"x\\u001b[2Jy\",\"b\":7}"), 100, NULL);

	assert_string_equal(show_text(doc, "a"), "x?[2Jy");
	assert_string_equal(show_text(doc, "b"), "");
	assert_string_equal(show_text(NULL, "b"), "");
	json_free(&doc);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ledger_that_has_not_said_anything_has_just_begun),
		cmocka_unit_test(a_store_in_trouble_comes_first),
		cmocka_unit_test(a_kind_that_was_never_heard_is_named),
		cmocka_unit_test(a_kind_of_which_nobody_lives_is_named_with_how_long),
		cmocka_unit_test(a_silent_dispatcher_is_named_though_others_live),
		cmocka_unit_test(dispatchers_of_one_provider_stand_in_for_each_other),
		cmocka_unit_test(a_silent_task_fetch_is_named_though_that_of_another_chain_lives),
		cmocka_unit_test(stages_of_all_chains_stand_in_for_each_other),
		cmocka_unit_test(what_the_settings_do_not_ask_for_any_more_may_be_silent),
		cmocka_unit_test(a_kind_that_is_missing_comes_before_a_silent_instance),
		cmocka_unit_test(the_stage_where_rows_wait_says_why),
		cmocka_unit_test(a_note_where_nothing_waits_is_not_the_reason),
		cmocka_unit_test(without_work_task_fetch_says_why),
		cmocka_unit_test(without_room_the_kind_is_named),
		cmocka_unit_test(with_room_and_no_task_there_is_nothing_to_do),
		cmocka_unit_test(amounts_times_and_spans_read_well),
		cmocka_unit_test(control_bytes_of_others_are_masked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
