/* test_coproc.c - co-processes that behave, and that do not; each a real shell program. */
#include "common/coproc.h"

#include "common/clock.h"
#include "common/codes.h"
#include "common/diag.h"

#include <setjmp.h>
#include <signal.h>
#include <cmocka.h>

/* A program that says what it can and then does BODY for each other request; $id is the request's. */
#define SERVE(body) \
	"while read -r l; do id=${l#*:}; id=${id%%[,\\}]*}; case $l in " \
	"*capabilities*) echo \"{\\\"id\\\":$id,\\\"ok\\\":true,\\\"sync\\\":true,\\\"verbs\\\":[\\\"prove\\\"]}\" ;; " \
	"*) " body " ;; esac; done"
#define ANSWER "echo \"{\\\"id\\\":$id,\\\"ok\\\":true,\\\"n\\\":7}\""

struct fixture {
	struct loop	*loop;
	struct coproc	*c;
	unsigned	 answers, changes;
	uint64_t	 code;
	bool		 sent, ok, close_inside;
	char		 text[256];
};

static void
on_changed(void *arg)
{
	struct fixture *f = arg;

	f->changes++;
}

static void
on_answer(void *arg, const struct coproc_result *r)
{
	struct fixture *f = arg;

	f->answers++;
	f->code = r->code;
	f->sent = r->sent;
	f->ok = r->answer && r->answer->ok;
	if (r->answer)
		span_cstr(json_str(r->answer->doc, "text"), f->text, sizeof f->text);
	if (f->close_inside)
		coproc_close(&f->c);
}

static void
begin(struct fixture *f, const char *command)
{
	f->loop = loop_new();
	f->c = coproc_new(&(struct coproc_opts){ .loop = f->loop, .name = "test", .command = command,
	    .line_max = 1 << 20, .start_ms = 2000, .changed = on_changed, .arg = f });
}

static void
end(struct fixture *f)
{
	coproc_close(&f->c);
	loop_free(&f->loop);
}

static void
wait_ready(struct fixture *f)
{
	for (uint64_t until = clock_ms() + 5000; !coproc_ready(f->c) && clock_ms() < until; )
		loop_turn(f->loop, 50);
	assert_true(coproc_ready(f->c));
}

static void
wait_answer(struct fixture *f)
{
	unsigned had = f->answers;

	for (uint64_t until = clock_ms() + 5000; f->answers == had && clock_ms() < until; )
		loop_turn(f->loop, 50);
	assert_int_equal(f->answers, had + 1);
}

static void
ask(struct fixture *f, uint64_t deadline_ms)
{
	coproc_ask(f->c, PLUGIN_PROVE, SPAN("\"input\":\"/x\""), deadline_ms, on_answer, f);
	wait_answer(f);
}

/* One request to the program; the code it ends with. */
static uint64_t
code_of(const char *command, uint64_t deadline_ms)
{
	struct fixture f = { 0 };

	begin(&f, command);
	wait_ready(&f);
	ask(&f, deadline_ms);
	end(&f);
	return f.code;
}

static void
a_request_is_answered_and_the_next_too(void **state)
{
	struct fixture f = { 0 };

	begin(&f, SERVE(ANSWER));
	assert_false(coproc_ready(f.c));
	wait_ready(&f);
	assert_int_equal(coproc_trouble(f.c), CODE_OK);
	assert_true(coproc_caps(f.c)->sync);
	for (int i = 0; i < 3; i++) {
		ask(&f, 2000);
		assert_int_equal(f.code, CODE_OK);
		assert_true(f.ok && f.sent && coproc_ready(f.c));
	}
	end(&f);
}

static void
a_slow_answer_in_time_is_an_answer(void **state)
{
	assert_int_equal(code_of(SERVE("sleep 0.2; " ANSWER), 3000), CODE_OK);
}

static void
a_refusal_is_an_answer(void **state)
{
	struct fixture f = { 0 };

	begin(&f, SERVE("echo \"{\\\"id\\\":$id,\\\"error\\\":\\\"no-gpu\\\",\\\"retry\\\":true}\""));
	wait_ready(&f);
	ask(&f, 2000);
	assert_int_equal(f.code, CODE_OK);
	assert_false(f.ok);
	end(&f);
}

static void
a_crash_in_the_middle_of_a_line_is_plugin_exit(void **state)
{
	assert_int_equal(code_of(SERVE("printf '{\"id\":'; exit 3"), 3000), CODE_PLUGIN_EXIT);
	assert_int_equal(code_of(SERVE("kill -9 $$"), 3000), CODE_PLUGIN_EXIT);
}

static void
a_line_that_is_no_answer_is_plugin_garbage(void **state)
{
	assert_int_equal(code_of(SERVE("echo what"), 3000), CODE_PLUGIN_GARBAGE);
	assert_int_equal(code_of(SERVE("echo"), 3000), CODE_PLUGIN_GARBAGE);
	assert_int_equal(code_of(SERVE("echo '{}'"), 3000), CODE_PLUGIN_GARBAGE);
	assert_int_equal(code_of(SERVE("echo '{\"id\":99,\"ok\":true}'"), 3000), CODE_PLUGIN_GARBAGE);
}

static void
a_line_of_ten_megabytes_is_plugin_large(void **state)
{
	assert_int_equal(code_of(SERVE("head -c 10485760 /dev/zero | tr '\\0' x"), 5000), CODE_PLUGIN_LARGE);
}

static void
an_answer_without_newline_is_no_answer(void **state)
{
	assert_int_equal(code_of(SERVE("printf '{\"id\":%s,\"ok\":true}' $id"), 200), CODE_PLUGIN_HANG);
	assert_int_equal(code_of(SERVE("printf '{\"id\":%s,\"ok\":true}' $id; exit 0"), 3000), CODE_PLUGIN_EXIT);
}

static void
an_answer_just_before_the_end_is_an_answer(void **state)
{
	assert_int_equal(code_of(SERVE(ANSWER "; exit 0"), 3000), CODE_OK);
}

static void
a_program_that_ends_at_once_is_plugin_start_and_tried_ever_later(void **state)
{
	struct fixture f = { 0 };
	const char *commands[] = { "exit 0", "/does/not/exist", "echo hello; cat >/dev/null" };

	for (size_t i = 0; i < NELEM(commands); i++) {
		begin(&f, commands[i]);
		for (uint64_t until = clock_ms() + 250; clock_ms() < until; )
			loop_turn(f.loop, 10);
		assert_false(coproc_ready(f.c));
		assert_null(coproc_caps(f.c));
		assert_int_equal(coproc_trouble(f.c), CODE_PLUGIN_START);
		end(&f);
	}
}

static void
a_program_that_cannot_say_what_it_can_is_not_ready(void **state)
{
	struct fixture f = { 0 };

	begin(&f, "read -r l; echo '{\"id\":1,\"ok\":true,\"types\":\"chunk\"}'; cat >/dev/null");
	for (uint64_t until = clock_ms() + 3000; coproc_trouble(f.c) != CODE_PLUGIN_START && clock_ms() < until; )
		loop_turn(f.loop, 10);
	assert_false(coproc_ready(f.c));
	end(&f);
}

static void
after_a_failure_it_is_started_again(void **state)
{
	struct fixture f = { 0 };

	begin(&f, SERVE("exit 1"));
	for (int i = 0; i < 2; i++) {
		wait_ready(&f);
		ask(&f, 3000);
		assert_int_equal(f.code, CODE_PLUGIN_EXIT);
		assert_false(coproc_ready(f.c));
		assert_int_equal(coproc_trouble(f.c), CODE_PLUGIN_EXIT);
	}
	wait_ready(&f);
	assert_true(f.changes >= 5);
	end(&f);
}

static bool
gone(pid_t pid)
{
	char path[64], text[256] = "";

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	FILE *file = fopen(path, "r");
	if (!file)
		return true;
	bool zombie = fgets(text, sizeof text, file) && strstr(text, ") Z");
	fclose(file);
	return zombie;
}

/* The program names a process of its own (in `text`); it has to be gone in the end. */
static void
expect_gone(struct fixture *f, uint64_t ms)
{
	pid_t pid = (pid_t)strtol(f->text, NULL, 10);

	assert_true(pid > 1);
	for (uint64_t until = clock_ms() + ms; !gone(pid) && clock_ms() < until; )
		loop_turn(f->loop, 10);
	assert_true(gone(pid));
}

#define NAME_PID(pid) "echo \"{\\\"id\\\":$id,\\\"ok\\\":true,\\\"text\\\":\\\"" pid "\\\"}\""

static void
one_that_hangs_and_ignores_sigterm_is_killed(void **state)
{
	struct fixture f = { 0 };

	begin(&f, "trap '' TERM; " SERVE("case $l in *first*) " NAME_PID("$$") ";; *) while :; do sleep 1; done;; esac"));
	wait_ready(&f);
	coproc_ask(f.c, PLUGIN_PROVE, SPAN("\"first\":1"), 2000, on_answer, &f);
	wait_answer(&f);
	char pid[256];
	memcpy(pid, f.text, sizeof pid);
	ask(&f, 100);
	assert_int_equal(f.code, CODE_PLUGIN_HANG);
	memcpy(f.text, pid, sizeof pid);
	expect_gone(&f, 3000);
	wait_ready(&f);
	end(&f);
}

static void
what_it_started_ends_with_it(void **state)
{
	struct fixture f = { 0 };

	begin(&f, SERVE("sleep 1000 >/dev/null 2>&1 & " NAME_PID("$!") "; exit 0"));
	wait_ready(&f);
	ask(&f, 2000);
	expect_gone(&f, 3000);
	end(&f);
	begin(&f, SERVE("sleep 1000 & " NAME_PID("$!")));
	wait_ready(&f);
	ask(&f, 2000);
	coproc_close(&f.c);
	expect_gone(&f, 3000);
	end(&f);
}

static void
an_answer_to_an_older_request_is_ignored(void **state)
{
	struct fixture f = { 0 };

	begin(&f, SERVE("echo \"{\\\"id\\\":1,\\\"ok\\\":true}\"; " NAME_PID("new") "; " NAME_PID("again")));
	wait_ready(&f);
	ask(&f, 2000);
	assert_string_equal(f.text, "new");
	ask(&f, 2000);
	assert_string_equal(f.text, "new");
	assert_int_equal(f.answers, 2);
	end(&f);
}

static void
a_large_request_does_not_block(void **state)
{
	struct fixture f = { 0 };
	struct buf members = { 0 };

	buf_puts(&members, "\"x\":\"");
	memset(buf_room(&members, 1 << 20), 'x', 1 << 20);
	members.n += 1 << 20;
	buf_putc(&members, '"');
	begin(&f, "read -r l; echo '{\"id\":1,\"ok\":true}'; sleep 0.3; n=$(head -n 1 | wc -c); "
	    "echo \"{\\\"id\\\":2,\\\"ok\\\":true,\\\"text\\\":\\\"$n\\\"}\"; cat >/dev/null");
	wait_ready(&f);
	uint64_t from = clock_ms();
	coproc_ask(f.c, PLUGIN_PROVE, SPAN_OF(&members), 5000, on_answer, &f);
	assert_true(clock_ms() - from < 250);
	wait_answer(&f);
	assert_int_equal(f.code, CODE_OK);
	assert_int_equal(strtol(f.text, NULL, 10), (long)members.n + (long)strlen("{\"id\":2,\"verb\":\"prove\",}\n"));
	buf_free(&members);
	end(&f);
}

static void
a_closed_standard_input_means_nothing_was_sent(void **state)
{
	struct fixture f = { 0 };

	begin(&f, "read -r l; exec <&-; echo '{\"id\":1,\"ok\":true}'; sleep 1000");
	wait_ready(&f);
	ask(&f, 3000);
	assert_int_equal(f.code, CODE_PLUGIN_EXIT);
	assert_false(f.sent);
	end(&f);
}

static void
floods_of_standard_error_do_not_hold_it_up(void **state)
{
	assert_int_equal(code_of(SERVE("head -c 300000 /dev/zero >&2; yes hello | head -n 20000 >&2; " ANSWER), 5000), CODE_OK);
}

static void
it_inherits_three_descriptors_only(void **state)
{
	struct fixture f = { 0 };

	begin(&f, SERVE(NAME_PID("$(ls /proc/$$/fd | tr '\\n' ,)")));
	wait_ready(&f);
	ask(&f, 2000);
	assert_int_equal(strncmp(f.text, "0,1,2,", 6), 0);
	assert_null(strstr(f.text, ",4,"));
	end(&f);
}

static void
it_may_be_closed_by_the_call_back(void **state)
{
	struct fixture f = { .close_inside = true };

	begin(&f, SERVE(ANSWER "; " ANSWER));
	wait_ready(&f);
	ask(&f, 2000);
	assert_null(f.c);
	loop_turn(f.loop, 10);
	end(&f);
}

static void
one_that_dies_unasked_comes_back(void **state)
{
	struct fixture f = { 0 };

	begin(&f, "read -r l; id=${l#*:}; echo \"{\\\"id\\\":${id%%,*},\\\"ok\\\":true}\"");
	for (uint64_t until = clock_ms() + 5000; f.changes < 4 && clock_ms() < until; )
		loop_turn(f.loop, 20);
	assert_true(f.changes >= 4);	/* up, down, up, down */
	assert_int_equal(coproc_trouble(f.c), CODE_PLUGIN_EXIT);
	end(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_answered_and_the_next_too),
		cmocka_unit_test(a_slow_answer_in_time_is_an_answer),
		cmocka_unit_test(a_refusal_is_an_answer),
		cmocka_unit_test(a_crash_in_the_middle_of_a_line_is_plugin_exit),
		cmocka_unit_test(a_line_that_is_no_answer_is_plugin_garbage),
		cmocka_unit_test(a_line_of_ten_megabytes_is_plugin_large),
		cmocka_unit_test(an_answer_without_newline_is_no_answer),
		cmocka_unit_test(an_answer_just_before_the_end_is_an_answer),
		cmocka_unit_test(a_program_that_ends_at_once_is_plugin_start_and_tried_ever_later),
		cmocka_unit_test(a_program_that_cannot_say_what_it_can_is_not_ready),
		cmocka_unit_test(after_a_failure_it_is_started_again),
		cmocka_unit_test(one_that_hangs_and_ignores_sigterm_is_killed),
		cmocka_unit_test(what_it_started_ends_with_it),
		cmocka_unit_test(an_answer_to_an_older_request_is_ignored),
		cmocka_unit_test(a_large_request_does_not_block),
		cmocka_unit_test(a_closed_standard_input_means_nothing_was_sent),
		cmocka_unit_test(floods_of_standard_error_do_not_hold_it_up),
		cmocka_unit_test(it_inherits_three_descriptors_only),
		cmocka_unit_test(it_may_be_closed_by_the_call_back),
		cmocka_unit_test(one_that_dies_unasked_comes_back),
	};

	diag_threshold(DIAG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
