/* test_generate.c - task-fetch as a generator, with the test as Coordinator.
 * uses: cmd/task-fetch */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cmd/task-fetch/generate.h"

static struct loop *loop;
static struct generate *generate;
static struct poll polled[64];
static size_t npolled, nemitted;
static struct row *emitted;

static void
on_poll(void *arg, uint64_t identity, uint64_t type)
{
	polled[npolled++] = (struct poll){ identity, type };
}

static void
on_emit(void *arg, const struct row *row)
{
	nemitted++;
	free(emitted);
	emitted = row_keep(row);
}

static int
setup(void **state)
{
	loop = loop_new();
	npolled = nemitted = 0;
	generate = generate_new(&(struct generate_opts){ .loop = loop, .count = 2, .poll = on_poll, .emit = on_emit,
	    .fetch = { .chain = "main", .n = 4, .types = 1 << TYPE_CHUNK | 1 << TYPE_BUNDLE, .poll_ms = 2, .stagger_ms = 1,
		.backoff_ms = 2, .backoff_max_ms = 4, .timeout_ms = 5, .collection_ms = { 0, 10, 20, 30 } } });
	for (uint64_t i = 0; i < 4; i++)
		generate_signed_in(generate, i, true);
	return 0;
}

static int
teardown(void **state)
{
	generate_free(&generate);
	loop_free(&loop);
	free(emitted);
	emitted = NULL;
	return 0;
}

static void
wait_polls(size_t n)
{
	for (uint64_t end = clock_ms() + 5000; npolled < n; ) {
		assert_true(clock_ms() < end);
		loop_turn(loop, 5);
	}
}

static void
give_task(uint64_t identity, bool bad)
{
	struct row row = { 0 };

	SET(&row, uuid, SPAN("u"));
	SET(&row, type, TYPE_BUNDLE);
	generate_answer(generate, identity, &(struct fetch_result){ .outcome = FETCH_TASK, .task = &row, .bad = bad });
}

static void
never_more_polls_than_tasks_are_missing(void **state)
{
	wait_polls(2);
	for (uint64_t end = clock_ms() + 30; clock_ms() < end; )
		loop_turn(loop, 5);
	assert_int_equal(npolled, 2);
	give_task(polled[0].identity, false);
	assert_int_equal(nemitted, 1);
	assert_int_equal(emitted->state, JOB_FETCHED);
	assert_true(span_is(emitted->chain, "main"));
	assert_int_equal(emitted->deadline_ms - emitted->fetched_ms, 30);
	give_task(polled[1].identity, true);
	assert_int_equal(nemitted, 2);
	assert_int_equal(emitted->state, JOB_GIVEN_UP);
	assert_int_equal(emitted->code, CODE_TASK_BAD);
}

static void
types_take_turns_and_others_step_in(void **state)
{
	uint64_t types = 0;

	for (size_t k = 0; k < 20; k++) {
		wait_polls(k + 1);
		types |= UINT64_C(1) << polled[k].type;
		generate_answer(generate, polled[k].identity, &(struct fetch_result){
		    .outcome = k == 3 ? FETCH_ASSIGNED : k % 4 ? FETCH_EMPTY : FETCH_UNANSWERED, .code = CODE_COORD_AWAY });
	}
	assert_int_equal(types, 1 << TYPE_CHUNK | 1 << TYPE_BUNDLE);
	for (size_t k = 4; k < npolled; k++)
		assert_int_not_equal(polled[k].identity, polled[3].identity);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(never_more_polls_than_tasks_are_missing),
		T(types_take_turns_and_others_step_in),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
