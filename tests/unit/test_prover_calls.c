/* test_prover_calls.c - prova-prover's calls over HTTP: what each answer of a Coordinator comes to.
 * uses: cmd/prover */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cmd/prover/calls.h"
#include "tests/unit/fake_coordinator.h"

static struct loop *loop;
static struct http *http;
static struct fake_coordinator coordinator;
static struct identities *ids;
static struct height *height;
static struct calls *calls;

static unsigned answers;
static enum poll_outcome outcome;
static enum posted how_posted;
static enum code code;
static char why[300];
static struct coord_task task;

static void
on_polled(void *arg, size_t worker, const struct poll_result *r)
{
	answers++;
	assert_int_equal(worker, 3);
	outcome = r->outcome;
	code = r->code;
	assert_non_null(r->why);
	if (r->outcome == POLL_TASK) {
		coord_task_free(&task);
		task = *r->task;
		*r->task = (struct coord_task){ 0 };
	}
}

static void
on_posted(void *arg, size_t worker, enum posted how, enum code why_code, const char *reason)
{
	answers++;
	assert_int_equal(worker, 3);
	assert_non_null(reason);
	snprintf(why, sizeof why, "%s", reason);
	how_posted = how;
	code = why_code;
}

static void
begin(const char *l2_path)
{
	static const uint8_t seed[32] = { 9 };
	char *l2;

	loop = loop_new();
	http = http_new(loop, 8);
	fake_coordinator_start(&coordinator, loop);
	ids = identities_new(&(struct identity_opts){ .loop = loop, .http = http, .coordinator = "test",
	    .url = coordinator.url, .seed = seed, .prover = "prova", .version = "v4.4.45-a-b-c", .fields = 5,
	    .types = { 1, 2 }, .ntypes = 2, .vks = "", .timeout_ms = 2000, .backoff_ms = 20, .backoff_max_ms = 100 });
	l2 = xprintf("http://127.0.0.1:1/%s%s", l2_path ? " " : "", l2_path ? coordinator.url : "");
	height = height_new(&(struct height_opts){ .loop = loop, .http = http, .urls = l2, .timeout_ms = 2000 });
	free(l2);
	calls = calls_new(&(struct calls_opts){ .loop = loop, .identities = ids, .height = height, .timeout_ms = 2000,
	    .polled = on_polled, .posted = on_posted });
	answers = 0;
}

static void
end(void)
{
	calls_free(&calls);
	identities_free(&ids);
	height_free(&height);
	http_free(&http);
	fake_coordinator_stop(&coordinator);
	loop_free(&loop);
	coord_task_free(&task);
	task = (struct coord_task){ 0 };
}

static void
wait_answer(void)
{
	for (uint64_t until = clock_ms() + 20000; !answers; ) {
		assert_true(clock_ms() < until);
		loop_turn(loop, 20);
	}
	assert_int_equal(answers, 1);
}

static void
poll_one(enum how how, uint64_t types)
{
	coordinator.how = how;
	answers = 0;
	calls_poll(calls, 3, 0, types, (struct span){ 0 });
	assert_int_equal(answers, 0);	/* never from inside */
	wait_answer();
}

static void
post_one(enum how how, const struct record *r, bool again)
{
	coordinator.how = how;
	answers = 0;
	calls_post(calls, 3, r, again);
	assert_int_equal(answers, 0);
	wait_answer();
}

static void
a_task_comes_whole(void **state)
{
	begin("");
	poll_one(HOW_WELL, 1 << TYPE_CHUNK);
	assert_int_equal(outcome, POLL_TASK);
	assert_true(span_is(SPAN_OF(&task.task_id), "0x1111") && span_is(SPAN_OF(&task.fork), "darwinV2"));
	assert_true(coordinator.height_seen && coordinator.height == 42);
	poll_one(HOW_EMPTY, 1 << TYPE_BATCH | 1 << TYPE_BUNDLE);
	assert_int_equal(outcome, POLL_EMPTY);
	assert_false(coordinator.height_seen);
	end();
}

static void
answers_to_polls_have_their_outcomes(void **state)
{
	static const struct { enum how how; enum poll_outcome outcome; enum code code; } table[] = {
		{ HOW_ASSIGNED,	POLL_ASSIGNED,		CODE_ALREADY_ASSIGNED },
		{ HOW_REFUSED,	POLL_REFUSED,		CODE_GET_TASK_FAILED },
		{ HOW_HTML,	POLL_NOT_SENT,		CODE_COORD_BAD },
		{ HOW_HALF,	POLL_NOT_SENT,		CODE_COORD_BAD },
		{ HOW_500,	POLL_NOT_SENT,		CODE_COORD_AWAY },
		{ HOW_ABORT,	POLL_UNANSWERED,	CODE_COORD_AWAY },
		{ HOW_SILENT,	POLL_UNANSWERED,	CODE_COORD_AWAY },
	};

	begin("");
	for (size_t i = 0; i < NELEM(table); i++) {
		poll_one(table[i].how, 1 << TYPE_CHUNK);
		if (outcome != table[i].outcome || code != table[i].code)
			fail_msg("row %zu: outcome %d, code %s", i, outcome, code_word(code));
	}
	end();
}

static void
no_chunk_is_asked_for_while_no_node_answers(void **state)
{
	begin(NULL);
	poll_one(HOW_WELL, 1 << TYPE_CHUNK);
	assert_int_equal(outcome, POLL_SKIPPED);
	assert_int_equal(code, CODE_L2_AWAY);
	poll_one(HOW_WELL, 1 << TYPE_CHUNK);	/* known by now: told in a later turn all the same */
	assert_int_equal(outcome, POLL_SKIPPED);
	assert_int_equal(coordinator.tasks, 0);
	poll_one(HOW_EMPTY, 1 << TYPE_CHUNK | 1 << TYPE_BATCH);		/* for batches alone */
	assert_int_equal(outcome, POLL_EMPTY);
	end();
}

static struct record
a_proof(void)
{
	struct record r = { .identity = 0, .state = RECORD_PROVED, .task = { .type = TYPE_BATCH } };

	buf_puts(&r.task.uuid, "6f0c1b1e-0000-4000-8000-000000000001");
	buf_puts(&r.task.task_id, "0x22");
	buf_puts(&r.outcome, "{\"proof\":\"AAAA\"}");
	return r;
}

static void
answers_to_posts_have_their_outcomes(void **state)
{
	static const struct { enum how how; enum posted posted; enum code code; } table[] = {
		{ HOW_TWICE,	POSTED_FINAL,		CODE_TWICE },
		{ HOW_NO_TASK,	POSTED_UNKNOWN,		CODE_POST_FAILED },
		{ HOW_HTML,	POSTED_UNANSWERED,	CODE_COORD_BAD },
		{ HOW_HALF,	POSTED_UNANSWERED,	CODE_COORD_BAD },
		{ HOW_500,	POSTED_UNANSWERED,	CODE_COORD_AWAY },
		{ HOW_ABORT,	POSTED_UNANSWERED,	CODE_COORD_AWAY },
	};
	struct record r = a_proof();

	begin("");
	for (size_t i = 0; i < NELEM(table); i++) {
		post_one(table[i].how, &r, true);
		if (how_posted != table[i].posted || code != table[i].code)
			fail_msg("row %zu: %d, code %s", i, how_posted, code_word(code));
	}
	post_one(HOW_WELL, &r, true);
	assert_int_equal(how_posted, POSTED_TAKEN);
	assert_true(span_is(SPAN_OF(&coordinator.proof.uuid), "6f0c1b1e-0000-4000-8000-000000000001"));
	assert_true(span_is(SPAN_OF(&coordinator.proof.task_id), "0x22"));
	assert_true(coordinator.proof.type == TYPE_BATCH && coordinator.proof.status == 0);
	assert_true(span_is(SPAN_OF(&coordinator.proof.proof), "{\"proof\":\"AAAA\"}"));
	record_free(&r);
	end();
}

static void
a_request_that_is_refused_as_such_is_no_silence(void **state)
{
	static const struct { unsigned status; enum posted posted; } table[] = {
		{ 413, POSTED_BARRED }, { 404, POSTED_BARRED }, { 400, POSTED_BARRED }, { 403, POSTED_BARRED },
		{ 401, POSTED_UNANSWERED }, { 408, POSTED_UNANSWERED }, { 429, POSTED_UNANSWERED }, { 502, POSTED_UNANSWERED },
	};
	struct record r = a_proof();

	begin("");
	for (size_t i = 0; i < NELEM(table); i++) {
		coordinator.say.times = 1;
		coordinator.say.call = COORD_SUBMIT;
		coordinator.say.status = table[i].status;
		coordinator.say.type = "text/html";
		coordinator.say.body = SPAN("<html>no</html>");
		post_one(HOW_WELL, &r, true);
		char *want = xprintf("HTTP %u", table[i].status);
		if (how_posted != table[i].posted || !strstr(why, want))
			fail_msg("HTTP %u: %d, %s", table[i].status, how_posted, why);
		free(want);
	}
	record_free(&r);
	end();
}

static void
an_expired_token_is_renewed_and_the_call_made_again(void **state)
{
	struct record r = a_proof();

	begin("");
	poll_one(HOW_EMPTY, 1 << TYPE_BATCH);
	coordinator.expired = 1;
	poll_one(HOW_WELL, 1 << TYPE_BATCH);
	assert_int_equal(outcome, POLL_TASK);
	coordinator.expired = 1;
	post_one(HOW_WELL, &r, false);
	assert_int_equal(how_posted, POSTED_TAKEN);
	assert_int_equal(coordinator.logins, 3);
	coordinator.expired = 2;	/* twice is no answer */
	post_one(HOW_WELL, &r, false);
	assert_int_equal(how_posted, POSTED_UNANSWERED);
	/* a large one that came to nothing is posted again under a fresh token */
	while (r.outcome.n < 300000)
		buf_puts(&r.outcome, " ");
	unsigned logins = coordinator.logins;
	post_one(HOW_WELL, &r, true);
	assert_int_equal(how_posted, POSTED_TAKEN);
	assert_int_equal(coordinator.logins, logins + 1);
	record_free(&r);
	end();
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_task_comes_whole),
		cmocka_unit_test(answers_to_polls_have_their_outcomes),
		cmocka_unit_test(no_chunk_is_asked_for_while_no_node_answers),
		cmocka_unit_test(answers_to_posts_have_their_outcomes),
		cmocka_unit_test(a_request_that_is_refused_as_such_is_no_silence),
		cmocka_unit_test(an_expired_token_is_renewed_and_the_call_made_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
