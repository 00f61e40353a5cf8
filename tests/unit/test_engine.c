/* test_engine.c - what proves for prova-prover: commands that are real shell programs, good and bad, and the mock.
 * uses: cmd/prover */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cmd/prover/engine.h"
#include "common/clock.h"
#include "common/num.h"

/* A program with these capabilities that does BODY for each other request; $l is the request, $id its id. */
#define SERVE(caps, body) \
	"while read -r l; do id=${l#*:}; id=${id%%[,\\}]*}; case $l in " \
	"*capabilities*) echo \"{\\\"id\\\":$id,\\\"ok\\\":true" caps "}\" ;; " body " esac; done"
#define SAY(members)	"echo \"{\\\"id\\\":$id," members "}\""
#define OK(members)	SAY("\\\"ok\\\":true," members)
#define PROOF		OK("\\\"proof\\\":\\\"p\\\"")
#define SYNC		",\\\"sync\\\":true"

static struct loop *loop;
static struct engine *engine;
static struct record record;
static unsigned answers;
static enum proof_outcome outcome;
static enum code code;
static uint64_t able_types;
static char proof[256], why[300], vks[64];

static void
on_able(void *arg, size_t worker, uint64_t types, const char *keys)
{
	assert_int_equal(worker, 2);
	able_types = types;
	snprintf(vks, sizeof vks, "%s", keys);
}

static void
on_proved(void *arg, size_t worker, enum proof_outcome how, struct span text, enum code why_code, const char *reason)
{
	assert_int_equal(worker, 2);
	answers++;
	outcome = how;
	code = why_code;
	snprintf(why, sizeof why, "%s", reason);
	snprintf(proof, sizeof proof, "%.*s", SPAN_ARG(text));
}

static struct engine_opts
usual(const char *command)
{
	return (struct engine_opts){ .loop = loop, .name = "test", .command = command, .types = 14, .call_ms = 5000,
	    .prove_ms = 10000, .poll_ms = 5, .line_max = 1 << 20, .able = on_able, .proved = on_proved };
}

static int
setup(void **state)
{
	loop = loop_new();
	record = (struct record){ .identity = 2, .tries = 1, .task = { .type = TYPE_BATCH } };
	buf_puts(&record.task.uuid, "u-1");
	buf_puts(&record.task.task_id, "0x1");
	buf_puts(&record.task.fork, "darwinV2");
	able_types = 0;
	return 0;
}

static int
teardown(void **state)
{
	clock_freeze(0);
	engine_free(&engine);
	loop_free(&loop);
	record_free(&record);
	return 0;
}

static void
start_with(const struct engine_opts *o)
{
	engine = engine_new(o);
	engine_open(engine, 2);
	engine_open(engine, 2);
	for (uint64_t until = clock_ms() + 10000; !able_types; ) {
		assert_true(clock_ms() < until);
		loop_turn(loop, 20);
	}
}

static void
start(const char *command)
{
	struct engine_opts o = usual(command);

	start_with(&o);
}

static void
wait_answer(void)
{
	for (uint64_t until = clock_ms() + 20000; !answers; ) {
		assert_true(clock_ms() < until);
		loop_turn(loop, 20);
	}
}

static void
ask(bool begun)
{
	struct engine_order order = { .record = &record, .input = "/dev/null", .sha256 = { 0xab }, .bytes = 9, .again = begun };

	answers = 0;
	engine_prove(engine, 2, &order);
	assert_int_equal(answers, 0);
	wait_answer();
	for (int i = 0; i < 5; i++)
		loop_turn(loop, 1);
	assert_int_equal(answers, 1);
}

static void prove(void) { ask(false); }
static void resume(void) { ask(true); }

static void
a_command_proves_and_proves_again(void **state)
{
	start(SERVE(SYNC ",\\\"types\\\":[\\\"batch\\\"],\\\"vks\\\":[\\\"a\\\",\\\"b\\\"]",
	    "*'\"attempt\":\"u-1.0\",\"chain\":\"\",\"type\":\"batch\",\"task\":\"0x1\",\"fork\":\"darwinV2\",\"input\":\"/dev/null\","
	    "\"input_sha256\":\"ab0'*'\"input_bytes\":9,'*) " PROOF " ;;"));
	assert_int_equal(able_types, 1 << TYPE_BATCH);
	assert_string_equal(vks, "a b");
	for (int i = 0; i < 3; i++) {
		prove();
		assert_true(outcome == PROOF_DONE && strcmp(proof, "p") == 0);
	}
}

static void
refusals_and_ends_have_their_outcomes(void **state)
{
	static const struct { const char *body; enum proof_outcome outcome; enum code code; const char *why; } table[] = {
		{ "*) " SAY("\\\"error\\\":\\\"no-gpu\\\",\\\"retry\\\":true") " ;;", PROOF_LATER, CODE_PROVER_RETRY, "no-gpu" },
		{ "*) " SAY("\\\"error\\\":\\\"bad\\\",\\\"message\\\":\\\"not this\\\"") " ;;", PROOF_FAILED, CODE_PROVER_FAILED, "not this" },
		{ "*) exit 1 ;;", PROOF_LOST, CODE_PLUGIN_EXIT, "" },
		{ "*) echo garbage ;;", PROOF_LOST, CODE_PLUGIN_GARBAGE, "" },
		{ "*) " OK("\\\"x\\\":1") " ;;", PROOF_LOST, CODE_PLUGIN_GARBAGE, "neither handle nor proof" },
		{ "*) " OK("\\\"proof_path\\\":\\\"/nonexistent/proof\\\"") " ;;", PROOF_LOST, CODE_PLUGIN_GARBAGE, "proof_path" },
		{ "*) " OK("\\\"proof_path\\\":\\\"/dev/null\\\"") " ;;", PROOF_LOST, CODE_PLUGIN_GARBAGE, "proof_path" },
	};

	for (size_t i = 0; i < NELEM(table); i++) {
		char *command = xprintf("while read -r l; do id=${l#*:}; id=${id%%%%[,\\}]*}; case $l in "
		    "*capabilities*) echo \"{\\\"id\\\":$id,\\\"ok\\\":true,\\\"sync\\\":true}\" ;; %s esac; done", table[i].body);
		start(command);
		prove();
		if (outcome != table[i].outcome || code != table[i].code || !strstr(why, table[i].why))
			fail_msg("%s: %d, %s, %s", table[i].body, outcome, code_word(code), why);
		engine_free(&engine);
		free(command);
		able_types = 0;
	}
}

static void
a_proof_comes_by_its_path(void **state)
{
	char path[] = "/tmp/prova-proof-XXXXXX";
	int fd = mkstemp(path);
	char *command = xprintf("while read -r l; do id=${l#*:}; id=${id%%%%[,\\}]*}; case $l in "
	    "*capabilities*) echo \"{\\\"id\\\":$id,\\\"ok\\\":true}\" ;; *) echo \"{\\\"id\\\":$id,\\\"ok\\\":true,\\\"proof_path\\\":\\\"%s\\\"}\" ;; "
	    "esac; done", path);

	assert_int_equal(write(fd, "from a file", 11), 11);
	close(fd);
	start(command);
	prove();
	assert_true(outcome == PROOF_DONE && strcmp(proof, "from a file") == 0);
	unlink(path);
	free(command);
}

static void
an_order_is_polled_until_there_is_a_proof(void **state)
{
	start("n=0; " SERVE("", "*'\"prove\"'*) " OK("\\\"handle\\\":\\\"h\\\"") " ;; "
	    "*'\"poll\"'*'\"handle\":\"h\"'*) n=$((n+1)); case $n in [12]) " OK("\\\"state\\\":\\\"proving\\\"") " ;; "
	    "3) " SAY("\\\"error\\\":\\\"busy\\\"") " ;; *) " OK("\\\"state\\\":\\\"proved\\\",\\\"proof\\\":\\\"p$n\\\"") " ;; esac ;;"));
	prove();
	assert_true(outcome == PROOF_DONE && strcmp(proof, "p4") == 0);
}

static void
an_order_outlives_the_process_that_took_it(void **state)
{
	/* the process ends with the first poll; another one knows the order */
	char path[] = "/tmp/prova-order-XXXXXX";
	int fd = mkstemp(path);
	char *command = xprintf("while read -r l; do id=${l#*:}; id=${id%%%%[,\\}]*}; case $l in "
	    "*capabilities*) echo \"{\\\"id\\\":$id,\\\"ok\\\":true}\" ;; "
	    "*'\"prove\"'*) echo \"{\\\"id\\\":$id,\\\"ok\\\":true,\\\"handle\\\":\\\"h\\\"}\" ;; "
	    "*) if [ -s %s ]; then echo \"{\\\"id\\\":$id,\\\"ok\\\":true,\\\"state\\\":\\\"proved\\\",\\\"proof\\\":\\\"p\\\"}\"; "
	    "else echo x >%s; exit 1; fi ;; esac; done", path, path);

	close(fd);
	start(command);
	prove();
	assert_true(outcome == PROOF_DONE && strcmp(proof, "p") == 0);
	unlink(path);
	free(command);
}

static void
an_order_that_takes_too_long_is_cancelled(void **state)
{
	struct engine_opts o = usual(SERVE(",\\\"verbs\\\":[\\\"prove\\\",\\\"poll\\\",\\\"cancel\\\"]", "*'\"prove\"'*) " OK("\\\"handle\\\":\\\"h\\\"")
	    " ;; *'\"poll\"'*) " OK("\\\"state\\\":\\\"proving\\\"") " ;; *'\"cancel\"'*'\"handle\":\"h\"'*) " OK("\\\"state\\\":\\\"cancelled\\\"") " ;;"));

	o.prove_ms = 100;
	start_with(&o);
	prove();
	assert_true(outcome == PROOF_FAILED && code == CODE_PROOF_TIMEOUT);
	engine_free(&engine);
	able_types = 0;
	o.command = SERVE("", "*'\"prove\"'*) " OK("\\\"handle\\\":\\\"h\\\"") " ;; *'\"poll\"'*) " OK("\\\"state\\\":\\\"proving\\\"") " ;;");
	start_with(&o);		/* one that cannot cancel */
	prove();
	assert_true(outcome == PROOF_FAILED && code == CODE_PROOF_TIMEOUT);
}

#define LOOKUP	",\\\"ask\\\":\\\"lookup\\\",\\\"verbs\\\":[\\\"prove\\\",\\\"poll\\\",\\\"reconcile\\\"]"

static void
an_order_that_may_be_there_is_looked_up_first(void **state)
{
	start(SERVE(LOOKUP, "*'\"reconcile\"'*) " OK("\\\"known\\\":true,\\\"handle\\\":\\\"h\\\"") " ;; "
	    "*'\"poll\"'*'\"handle\":\"h\"'*) " OK("\\\"state\\\":\\\"proved\\\",\\\"proof\\\":\\\"first\\\"") " ;; *) exit 1 ;;"));
	resume();
	assert_true(outcome == PROOF_DONE && strcmp(proof, "first") == 0);
	prove();		/* surely not there: not asked, ordered */
	assert_int_equal(outcome, PROOF_LOST);
}

static void
an_order_of_a_moment_ago_may_not_be_seen_yet(void **state)
{
	uint64_t now = clock_ms() + 7200000;

	start(SERVE(LOOKUP ",\\\"lag_ms\\\":3600000", "*'\"reconcile\"'*) " OK("\\\"known\\\":false") " ;; *) exit 1 ;;"));
	clock_freeze(now);
	prove();
	assert_int_equal(outcome, PROOF_LOST);
	clock_freeze(now + 15000);	/* it is started again */
	for (int i = 0; i < 1000 && !able_types; i++)
		loop_turn(loop, 20);
	resume();
	assert_int_equal(outcome, PROOF_LATER);
	assert_int_equal(code, CODE_PROVER_RETRY);
	clock_freeze(now + 3615000);
	resume();
	assert_int_equal(outcome, PROOF_NONE);
}

static void
an_order_is_found_by_its_key(void **state)
{
	start(SERVE(SYNC ",\\\"ask\\\":\\\"key\\\"", "*'\"prove\"'*'\"attempt\":\"u-1.0\"'*'\"input\"'*) " PROOF " ;; *) exit 1 ;;"));
	resume();
	assert_true(outcome == PROOF_DONE && strcmp(proof, "p") == 0);
}

static void
an_order_that_cannot_be_asked_about_is_none(void **state)
{
	struct engine_opts o = usual("");

	start(SERVE(SYNC, "*) " PROOF " ;;"));
	resume();
	assert_int_equal(outcome, PROOF_NONE);
	engine_free(&engine);
	able_types = 0;
	o.mock = true;
	start_with(&o);
	resume();
	assert_int_equal(outcome, PROOF_NONE);
	prove();
	assert_int_equal(outcome, PROOF_DONE);
}

static void
an_order_is_not_there_when_the_command_can_be_sure(void **state)
{
	start(SERVE(LOOKUP, "*'\"reconcile\"'*) " OK("\\\"known\\\":false") " ;; *) exit 1 ;;"));
	resume();
	assert_int_equal(outcome, PROOF_NONE);
	engine_free(&engine);
	able_types = 0;
	/* it may not see it yet */
	start(SERVE(LOOKUP ",\\\"lag_ms\\\":3600000", "*'\"reconcile\"'*) " OK("\\\"known\\\":false") " ;; *) " PROOF " ;;"));
	resume();
	assert_int_equal(outcome, PROOF_LATER);
	engine_free(&engine);
	able_types = 0;
	start(SERVE(LOOKUP, "*) exit 1 ;;"));
	resume();
	assert_int_equal(outcome, PROOF_LATER);
}

static void
another_fork_is_refused_here(void **state)
{
	start(SERVE(SYNC ",\\\"forks\\\":[\\\"euclidV2\\\"]", "*) " PROOF " ;;"));
	prove();
	assert_true(outcome == PROOF_FAILED && code == CODE_NOT_ABLE);
}

static void
the_mock_proves_by_digest(void **state)
{
	struct engine_opts o = usual("");
	char want[256] = "{\"input_sha256\":\"ab";

	o.mock = true;
	o.types = 1 << TYPE_BATCH;
	start_with(&o);
	assert_int_equal(able_types, 1 << TYPE_BATCH);
	prove();
	for (int i = 0; i < 31; i++)
		snprintf(want + strlen(want), sizeof want - strlen(want), "00");
	snprintf(want + strlen(want), sizeof want - strlen(want), "\"}");
	assert_int_equal(outcome, PROOF_DONE);
	assert_string_equal(proof, want);
	engine_free(&engine);
	able_types = 0;
	o.mock_fail = 100;
	start_with(&o);
	prove();
	assert_int_equal(outcome, PROOF_FAILED);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		T(a_command_proves_and_proves_again), T(refusals_and_ends_have_their_outcomes), T(a_proof_comes_by_its_path),
		T(an_order_is_polled_until_there_is_a_proof), T(an_order_outlives_the_process_that_took_it),
		T(an_order_that_takes_too_long_is_cancelled), T(an_order_that_may_be_there_is_looked_up_first),
		T(an_order_is_not_there_when_the_command_can_be_sure),
		T(an_order_of_a_moment_ago_may_not_be_seen_yet),
		T(an_order_is_found_by_its_key), T(an_order_that_cannot_be_asked_about_is_none), T(another_fork_is_refused_here), T(the_mock_proves_by_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
