/* test_client.c - task-fetch's calls over HTTP: good answers, and all that a Coordinator should not say.
 * uses: cmd/task-fetch */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <sys/stat.h>

#include "cmd/task-fetch/client.h"
#include "common/hash.h"
#include "tests/unit/fake_coordinator.h"

static struct loop *loop;
static struct http *http;
static struct blobs *blobs;
static struct fake_coordinator coordinator;
static struct identities *ids;
static struct client *client;
static char dir[32], l2[128];

static unsigned answers;
static enum fetch_outcome outcome;
static uint64_t code;
static bool bad;
static struct row *task;

static void
on_answer(void *arg, uint64_t identity, const struct fetch_result *r)
{
	answers++;
	outcome = r->outcome;
	code = r->code;
	bad = r->bad;
	free(task);
	task = r->task ? row_keep(r->task) : NULL;
}

static int
setup(void **state)
{
	static const uint8_t seed[32] = { 9 };

	snprintf(dir, sizeof dir, "/tmp/prova-client-XXXXXX");
	assert_non_null(mkdtemp(dir));
	loop = loop_new();
	http = http_new(loop, 8);
	blobs = blob_open(dir);
	fake_coordinator_start(&coordinator, loop);
	ids = identities_new(&(struct identity_opts){ .loop = loop, .http = http, .coordinator = "test",
	    .url = coordinator.url, .seed = seed, .prover = "prova", .version = "v4.4.45-a-b-c", .fields = 5,
	    .types = { 1, 2 }, .ntypes = 2, .vks = "", .timeout_ms = 2000, .backoff_ms = 20, .backoff_max_ms = 100 });
	snprintf(l2, sizeof l2, "http://127.0.0.1:1/ %s/l2", coordinator.url);
	client = client_new(&(struct client_opts){ .loop = loop, .http = http, .blobs = blobs, .identities = ids,
	    .l2_urls = l2, .timeout_ms = 2000, .l2_timeout_ms = 2000, .retry_ms = 20, .answer = on_answer });
	answers = 0;
	bad = false;
	return 0;
}

static int
teardown(void **state)
{
	char *rm = xprintf("rm -rf %s", dir);

	client_free(&client);
	identities_free(&ids);
	http_free(&http);
	fake_coordinator_stop(&coordinator);
	blob_close(&blobs);
	loop_free(&loop);
	free(task);
	task = NULL;
	assert_int_equal(system(rm), 0);
	free(rm);
	return 0;
}

static void
poll_one(enum how how, uint64_t type)
{
	coordinator.how = how;
	answers = 0;
	client_poll(client, 0, type);
	for (uint64_t end = clock_ms() + 10000; !answers; ) {
		assert_true(clock_ms() < end);
		loop_turn(loop, 20);
	}
}

static void
a_small_task_comes_in_the_row(void **state)
{
	uint8_t hash[HASH_BYTES];

	poll_one(HOW_WELL, TYPE_CHUNK);
	assert_int_equal(outcome, FETCH_TASK);
	assert_false(bad);
	assert_true(span_is(task->task, "0x1111"));
	assert_true(span_is(task->fork, "darwinV2"));
	assert_true(HAS(task, body));
	sha256_of(task->body, hash);
	assert_memory_equal(hash, task->body_blob, HASH_BYTES);
	assert_int_equal(task->body_bytes, task->body.n);
}

static void
a_large_task_is_a_blob_before_it_is_a_row(void **state)
{
	uint64_t bytes;

	poll_one(HOW_LARGE_TASK, TYPE_CHUNK);
	assert_int_equal(outcome, FETCH_TASK);
	assert_false(HAS(task, body));
	assert_true(blob_have(blobs, task->body_blob, &bytes));
	assert_int_equal(bytes, task->body_bytes);
}

static void
a_full_disk_delays_a_task_and_loses_nothing(void **state)
{
	char *away = xprintf("%s.away", dir), *ab = xprintf("%s", dir);
	FILE *f;

	/* a file where the directory was: no blob can be written */
	assert_int_equal(rename(ab, away), 0);
	f = fopen(ab, "w");
	fclose(f);
	coordinator.how = HOW_LARGE_TASK;
	client_poll(client, 0, TYPE_CHUNK);
	for (uint64_t end = clock_ms() + 150; clock_ms() < end && !answers; )
		loop_turn(loop, 10);
	bool waited = !answers;
	assert_int_equal(unlink(ab), 0);
	assert_int_equal(rename(away, ab), 0);
	for (uint64_t end = clock_ms() + 5000; !answers; ) {
		assert_true(clock_ms() < end);
		loop_turn(loop, 10);
	}
	assert_true(waited || blob_have(blobs, task->body_blob, NULL));
	assert_int_equal(outcome, FETCH_TASK);
	free(away);
	free(ab);
}

static void
a_task_that_is_no_task_is_marked(void **state)
{
	poll_one(HOW_BAD_TASK, TYPE_CHUNK);
	assert_int_equal(outcome, FETCH_TASK);
	assert_true(bad);
	assert_true(span_is(task->body, "{\"nothing\":1"));
}

static void
a_poll_for_a_chunk_says_how_far_the_node_is(void **state)
{
	poll_one(HOW_EMPTY, TYPE_CHUNK);
	assert_true(coordinator.height_seen);
	assert_int_equal(coordinator.height, 42);
	assert_int_equal(outcome, FETCH_EMPTY);
	poll_one(HOW_EMPTY, TYPE_BATCH);
	assert_false(coordinator.height_seen);
}

static void
bad_answers_have_their_outcomes_and_codes(void **state)
{
	static const struct { enum how how; enum fetch_outcome outcome; uint64_t code; } table[] = {
		{ HOW_EMPTY,	FETCH_EMPTY,		CODE_COORD_BAD },
		{ HOW_ASSIGNED,	FETCH_ASSIGNED,		CODE_ALREADY_ASSIGNED },
		{ HOW_REFUSED,	FETCH_REFUSED,		CODE_GET_TASK_FAILED },
		{ HOW_HTML,	FETCH_UNANSWERED,	CODE_COORD_BAD },
		{ HOW_HALF,	FETCH_UNANSWERED,	CODE_COORD_BAD },
		{ HOW_HUGE,	FETCH_UNANSWERED,	CODE_COORD_BAD },
		{ HOW_500,	FETCH_UNANSWERED,	CODE_COORD_AWAY },
		{ HOW_ABORT,	FETCH_UNANSWERED,	CODE_COORD_AWAY },
		{ HOW_SILENT,	FETCH_UNANSWERED,	CODE_COORD_AWAY },
	};

	for (size_t i = 0; i < NELEM(table); i++) {
		poll_one(table[i].how, TYPE_CHUNK);
		assert_int_equal(outcome, table[i].outcome);
		if (table[i].outcome != FETCH_EMPTY)
			assert_int_equal(code, table[i].code);
	}
	poll_one(HOW_WELL, TYPE_CHUNK);	/* and the trouble ends */
	assert_int_equal(outcome, FETCH_TASK);
}

static void
the_form_of_tasks_is_judged(void **state)
{
	assert_true(client_task_ok(TYPE_BATCH, false, SPAN("{\"chunk_infos\":[]}")));
	assert_false(client_task_ok(TYPE_BATCH, false, SPAN("{\"chunk_infos\":[")));
	assert_false(client_task_ok(TYPE_BUNDLE, false, SPAN("")));
	assert_false(client_task_ok(TYPE_CHUNK, false, SPAN("{\"block_hashes\":[]}")));
	assert_true(client_task_ok(TYPE_CHUNK, true, SPAN("{\"vk\":[1]}")));
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(a_small_task_comes_in_the_row),
		T(a_large_task_is_a_blob_before_it_is_a_row),
		T(a_full_disk_delays_a_task_and_loses_nothing),
		T(a_task_that_is_no_task_is_marked),
		T(a_poll_for_a_chunk_says_how_far_the_node_is),
		T(bad_answers_have_their_outcomes_and_codes),
		cmocka_unit_test(the_form_of_tasks_is_judged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
