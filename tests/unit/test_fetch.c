/* test_fetch.c - what task-fetch decides, with the test as ledger and as Coordinator.
 * uses: cmd/task-fetch */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cmd/task-fetch/fetch.h"
#include "tests/unit/fake_books.h"

enum { N = 3, POLL_MS = 1000, TIMEOUT_MS = 60000, COLLECTION_MS = 180000, STAGGER_MS = 50 };

static struct books books;
static struct fetch *fetch;
static struct poll polled[64];
static size_t npolled;
static struct tick tick;
static struct news news;

static void
on_poll(void *arg, uint64_t identity, uint64_t type)
{
	polled[npolled++] = (struct poll){ identity, type };
}

static const char *const keys[N] = { "aa", "bb", "cc" };

static void act(void *f, struct held *h) { fetch_act(f, h); }
static void lose(void *f, struct held *h) { fetch_lose(f, h); }
static void answer(void *f, uint64_t t, uint64_t c, const struct row *r) { fetch_told(f, t, c, r); }
static void reset(void *f) { fetch_reset(f); }

static int
setup(void **state)
{
	static const struct fetch_ops ops = { on_poll };
	struct fetch_opts o = { .chain = "main", .coordinator = "scroll", .n = N, .pubkeys = keys, .types = 14,
		.poll_ms = POLL_MS, .rest_ms = 5000, .timeout_ms = TIMEOUT_MS, .stagger_ms = STAGGER_MS,
		.backoff_ms = 500, .backoff_max_ms = 30000,
		.collection_ms = { 0, COLLECTION_MS, COLLECTION_MS, COLLECTION_MS }, .ops = &ops };

	npolled = 0;
	fetch = fetch_new(&o);
	books = (struct books){ .core = fetch, .ops = { .act = act, .lose = lose, .answer = answer, .reset = reset },
		.last = { [ROW_IDENTITY] = IDENTITY_BLOCKED } };
	clock_freeze(START_MS);
	fetch_bind(fetch, &books);
	return 0;
}

static int
teardown(void **state)
{
	fake_end(&books);
	fetch_free(&fetch);
	return 0;
}

static void
pass(uint64_t ms)
{
	fake_pass(&books, ms);
	fetch_turn(fetch);
}

static void
look(void)
{
	memset(&tick, 0, sizeof tick);
	fetch_levels(fetch, &tick);
}

/* All signed in, their rows made. */
static void
begin(void)
{
	fetch_reset(fetch);
	for (uint64_t i = 0; i < N; i++)
		fetch_signed_in(fetch, i, true);
	pass(300);
	fake_all_done(&books);
	look();
	assert_int_equal(tick.nready, N);
}

static void
grant(uint64_t identity, uint64_t type)
{
	news.ngrants = 1;
	news.grants[0] = (struct poll){ identity, type };
	fetch_news(fetch, &news);
	fetch_turn(fetch);
}

static void
reply(uint64_t identity, enum fetch_outcome outcome, uint64_t code)
{
	struct fetch_result r = { .outcome = outcome, .code = code, .detail = SPAN("it said so") };

	fetch_answer(fetch, identity, &r);
	fetch_turn(fetch);
}

static void
reply_task(uint64_t identity, const char *uuid, bool bad)
{
	struct row row = { 0 };

	SET(&row, uuid, span_str(uuid));
	SET(&row, type, TYPE_CHUNK);
	SET(&row, task, SPAN("0xabc"));
	SET(&row, body, SPAN("{}"));
	struct fetch_result r = { .outcome = FETCH_TASK, .task = &row, .bad = bad };
	fetch_answer(fetch, identity, &r);
	fetch_turn(fetch);
}

static const struct row *
row_of(uint64_t identity)
{
	const struct fake_row *r = fake_identity(&books, identity);

	return r ? r->row : NULL;
}

static void
identities_the_ledger_does_not_know_are_created(void **state)
{
	fetch_reset(fetch);
	fetch_turn(fetch);
	assert_int_equal(books.nmoves, 0);
	pass(300);
	assert_int_equal(books.nmoves, N);
	assert_int_equal(books.moves[1].item.kind, ROW_IDENTITY);
	assert_int_equal(books.moves[1].item.to, IDENTITY_IDLE);
	assert_true(span_is(books.moves[1].set->pubkey, "bb"));
	pass(5000);
	assert_int_equal(books.nmoves, N);
}

static void
known_identities_are_adopted_as_they_are(void **state)
{
	struct row row = { 0 };

	fetch_reset(fetch);
	fetch_signed_in(fetch, 1, true);
	SET(&row, kind, ROW_IDENTITY);
	SET(&row, id, 7);
	SET(&row, rev, 3);
	SET(&row, state, IDENTITY_HOLDING);
	SET(&row, chain, SPAN("main"));
	SET(&row, identity, 1);
	SET(&row, pubkey, SPAN("bb"));
	fake_row(&books, &row, false);
	pass(300);
	assert_int_equal(books.nmoves, N - 1);
	look();
	assert_int_equal(tick.nready, 0);
	grant(1, TYPE_CHUNK);
	assert_int_equal(npolled, 0);
}

static void
a_row_with_another_key_is_not_used(void **state)
{
	struct row row = { 0 };

	fetch_reset(fetch);
	fetch_signed_in(fetch, 0, true);
	SET(&row, kind, ROW_IDENTITY);
	SET(&row, id, 7);
	SET(&row, state, IDENTITY_IDLE);
	SET(&row, chain, SPAN("main"));
	SET(&row, identity, 0);
	SET(&row, pubkey, SPAN("zz"));
	fake_row(&books, &row, false);
	look();
	assert_int_equal(tick.nready, 0);
	assert_non_null(strstr(tick.note, "another key"));
}

static void
rows_of_other_chains_are_dropped(void **state)
{
	struct row row = { 0 };

	SET(&row, kind, ROW_IDENTITY);
	SET(&row, id, 7);
	SET(&row, state, IDENTITY_IDLE);
	SET(&row, chain, SPAN("other"));
	fake_row(&books, &row, false);
	assert_int_equal(books.dropped, 1);
}

static void
a_granted_poll_brings_a_job(void **state)
{
	begin();
	grant(1, TYPE_BATCH);
	assert_int_equal(npolled, 1);
	assert_int_equal(polled[0].identity, 1);
	assert_int_equal(polled[0].type, TYPE_BATCH);
	look();
	assert_int_equal(tick.npolls, 1);
	assert_int_equal(tick.nready, N - 1);
	reply_task(1, "u-1", false);
	assert_int_equal(books.nmoves, 1);
	const struct fake_move *m = &books.moves[0];
	assert_int_equal(m->item.kind, ROW_JOB);
	assert_int_equal(m->item.to, JOB_FETCHED);
	assert_true(span_is(m->set->uuid, "u-1"));
	assert_true(span_is(m->set->chain, "main"));
	assert_int_equal(m->set->identity, 1);
	assert_int_equal(m->set->deadline_ms, m->set->fetched_ms + COLLECTION_MS);
	look();
	assert_int_equal(tick.npolls, 1);	/* until the ledger has it */
	fake_all_done(&books);
	look();
	assert_int_equal(tick.npolls, 0);
	assert_int_equal(row_of(1)->state, IDENTITY_HOLDING);
	assert_int_equal(tick.nready, N - 1);
}

static void
grants_begin_one_after_another(void **state)
{
	begin();
	grant(0, TYPE_CHUNK);
	grant(1, TYPE_CHUNK);
	grant(2, TYPE_CHUNK);
	assert_int_equal(npolled, 1);
	look();
	assert_int_equal(tick.npolls, N);
	pass(STAGGER_MS);
	assert_int_equal(npolled, 2);
	pass(STAGGER_MS);
	assert_int_equal(npolled, 3);
}

static void
a_grant_for_one_that_is_polling_is_ignored(void **state)
{
	begin();
	grant(0, TYPE_CHUNK);
	grant(0, TYPE_BATCH);
	grant(99, TYPE_CHUNK);
	pass(STAGGER_MS);
	assert_int_equal(npolled, 1);
}

static void
no_task_pauses_and_polls_again(void **state)
{
	begin();
	grant(0, TYPE_CHUNK);
	reply(0, FETCH_EMPTY, CODE_OK);
	look();
	assert_int_equal(tick.npolls, 0);
	assert_int_equal(tick.nready, N - 1);
	assert_int_equal(books.nmoves, 0);
	pass(2 * POLL_MS);
	look();
	assert_int_equal(tick.nready, N);
}

static void
already_assigned_rests_for_the_collection_time(void **state)
{
	begin();
	grant(0, TYPE_CHUNK);
	reply(0, FETCH_ASSIGNED, CODE_ALREADY_ASSIGNED);
	assert_int_equal(books.nmoves, 1);
	assert_int_equal(books.moves[0].item.to, IDENTITY_RESTING);
	assert_int_equal(books.moves[0].item.code, CODE_ALREADY_ASSIGNED);
	assert_int_equal(books.moves[0].set->until_ms, books_wall_ms(&books) + COLLECTION_MS);
	fake_all_done(&books);
	pass(COLLECTION_MS / 2);
	look();
	assert_int_equal(tick.nready, N - 1);
	pass(COLLECTION_MS / 2 + 1);
	fake_all_done(&books);
	look();
	assert_int_equal(tick.nready, N);
}

static void
why_nobody_can_be_polled_is_said(void **state)
{
	begin();
	for (uint64_t i = 0; i < N; i++) {
		grant(i, TYPE_CHUNK);
		pass(STAGGER_MS);
		reply(i, FETCH_ASSIGNED, CODE_ALREADY_ASSIGNED);
		fake_all_done(&books);
	}
	look();
	assert_string_equal(tick.note, "identity 0 rests 180 s: already-assigned");
}

static void
a_blocked_key_is_blocked(void **state)
{
	begin();
	grant(0, TYPE_CHUNK);
	reply(0, FETCH_BLOCKED, CODE_KEY_BLOCKED);
	fake_all_done(&books);
	assert_int_equal(row_of(0)->state, IDENTITY_BLOCKED);
	assert_int_equal(row_of(0)->code, CODE_KEY_BLOCKED);
	pass(3600 * 1000);
	look();
	assert_int_equal(tick.nready, N - 1);
}

/* An identity that an earlier process was told is blocked, and the job it holds. */
static void
show_blocked(uint64_t identity, uint64_t job)
{
	struct row row = { 0 };

	SET(&row, kind, ROW_IDENTITY);
	SET(&row, id, 7);
	SET(&row, rev, 3);
	SET(&row, state, IDENTITY_BLOCKED);
	SET(&row, code, CODE_KEY_BLOCKED);
	SET(&row, chain, SPAN("main"));
	SET(&row, identity, identity);
	SET(&row, pubkey, span_str(keys[identity]));
	SET(&row, job, job);
	fake_row(&books, &row, false);
}

static void
a_new_process_tries_a_blocked_key_once(void **state)
{
	fetch_reset(fetch);
	for (uint64_t i = 0; i < N; i++)
		fetch_signed_in(fetch, i, true);
	show_blocked(0, 0);
	assert_int_equal(books.nmoves, 1);
	assert_int_equal(books.moves[0].item.from, IDENTITY_BLOCKED);
	assert_int_equal(books.moves[0].item.to, IDENTITY_IDLE);
	fake_done(&books, CODE_STORE);
	pass(2 * FAKE_RETRY_MS);
	fake_all_done(&books);
	assert_int_equal(row_of(0)->state, IDENTITY_IDLE);
	assert_int_equal(row_of(0)->code, CODE_OK);
	grant(0, TYPE_CHUNK);
	assert_int_equal(npolled, 1);
	reply(0, FETCH_BLOCKED, CODE_KEY_BLOCKED);
	fake_all_done(&books);
	assert_int_equal(row_of(0)->state, IDENTITY_BLOCKED);
	fake_reset(&books);
	show_blocked(0, 0);
	pass(3600 * 1000);
	for (size_t i = 0; i < books.nmoves; i++)
		assert_int_not_equal(books.moves[i].item.id, row_of(0)->id);
}

static void
a_blocked_key_that_holds_a_job_is_tried_when_the_job_has_ended(void **state)
{
	fetch_reset(fetch);
	show_blocked(0, 9);
	assert_int_equal(books.nmoves, 0);
	show_blocked(0, 0);
	assert_int_equal(books.nmoves, 1);
	assert_int_equal(books.moves[0].item.to, IDENTITY_IDLE);
}

static void
an_unanswered_poll_is_repeated_for_its_type_but_not_too_early(void **state)
{
	begin();
	grant(0, TYPE_BUNDLE);
	pass(10);
	reply(0, FETCH_UNANSWERED, CODE_COORD_AWAY);
	assert_int_equal(books.moves[0].item.to, IDENTITY_IDLE);
	assert_int_equal(books.moves[0].set->again, TYPE_BUNDLE);
	fake_all_done(&books);
	pass(TIMEOUT_MS - 100);
	grant(0, TYPE_BUNDLE);
	assert_int_equal(npolled, 1);
	pass(200);
	grant(0, TYPE_CHUNK);	/* another type than that */
	assert_int_equal(npolled, 1);
	look();
	assert_int_equal(tick.nready, 1);
	/* any may try the Coordinator */
	for (size_t i = 0; i < 3 && tick.ready[0].identity != 0; i++)
		look();
	assert_int_equal(tick.ready[0].identity, 0);
	assert_int_equal(tick.ready[0].type, TYPE_BUNDLE);
	grant(0, TYPE_BUNDLE);
	assert_int_equal(npolled, 2);
	reply(0, FETCH_EMPTY, CODE_OK);
	assert_int_equal(books.moves[0].set->again, 0);
	fake_all_done(&books);
	assert_int_equal(row_of(0)->again, 0);
}

static void
one_cut_off_before_a_restart_waits_for_the_timeout(void **state)
{
	struct row row = { 0 };

	fetch_reset(fetch);
	fetch_signed_in(fetch, 0, true);
	SET(&row, kind, ROW_IDENTITY);
	SET(&row, id, 7);
	SET(&row, state, IDENTITY_IDLE);
	SET(&row, chain, SPAN("main"));
	SET(&row, identity, 0);
	SET(&row, pubkey, SPAN("aa"));
	SET(&row, again, TYPE_CHUNK);
	fake_row(&books, &row, false);
	pass(TIMEOUT_MS - 1);
	look();
	assert_int_equal(tick.nready, 0);
	pass(2);
	look();
	assert_int_equal(tick.nready, 1);
	assert_int_equal(tick.ready[0].type, TYPE_CHUNK);
}

static void
refusals_for_ever_rest_longer_and_longer_and_are_coded(void **state)
{
	uint64_t rest = 0;

	begin();
	for (int i = 0; i < 12; i++) {
		grant(0, TYPE_CHUNK);
		reply(0, FETCH_REFUSED, CODE_GET_TASK_FAILED);
		assert_int_equal(books.moves[0].item.code, CODE_GET_TASK_FAILED);
		fake_all_done(&books);
		assert_int_equal(row_of(0)->state, IDENTITY_RESTING);
		rest = row_of(0)->until_ms - books_wall_ms(&books);
		pass(rest + 1);
		fake_all_done(&books);
		pass(POLL_MS);
	}
	assert_in_range(rest, 20000, 40000);
	assert_int_equal(npolled, 12);
	look();
	assert_int_equal(tick.nready, N);
}

static void
an_away_coordinator_is_tried_by_one_at_a_time(void **state)
{
	begin();
	grant(0, TYPE_CHUNK);
	reply(0, FETCH_NOT_SENT, CODE_COORD_AWAY);
	assert_int_equal(books.nmoves, 0);
	look();
	assert_int_equal(tick.nready, 0);
	assert_non_null(strstr(tick.note, "coordinator scroll away"));
	pass(1000);
	look();
	assert_int_equal(tick.nready, 1);
	uint64_t first = tick.ready[0].identity;
	grant(first, TYPE_CHUNK);
	look();
	assert_int_equal(tick.nready, 0);
	reply(first, FETCH_EMPTY, CODE_OK);
	look();
	assert_int_equal(tick.nready, N - 1);
	assert_string_equal(tick.note, "");
}

static void
waits_for_an_away_coordinator_are_bounded(void **state)
{
	begin();
	for (int i = 0; i < 20; i++) {
		look();
		if (tick.nready == 0) {
			pass(38000);
			look();
		}
		assert_int_equal(tick.nready ? 1 : 0, 1);
		uint64_t who = tick.ready[0].identity;
		grant(who, TYPE_CHUNK);
		reply(who, FETCH_NOT_SENT, CODE_COORD_AWAY);
	}
	assert_int_equal(npolled, 20);
}

static void
logins_that_fail_stop_polls(void **state)
{
	begin();
	fetch_away(fetch, books_wall_ms(&books));
	pass(12000);
	look();
	assert_int_equal(tick.nready, 0);
	assert_string_equal(tick.note, "coordinator scroll away for 12 s");
	fetch_away(fetch, 0);
	look();
	assert_int_equal(tick.nready, N);
}

static void
a_task_that_comes_after_a_reset_is_kept(void **state)
{
	begin();
	grant(0, TYPE_CHUNK);
	fake_reset(&books);
	look();
	assert_int_equal(tick.npolls, 1);
	reply_task(0, "u-2", false);
	assert_int_equal(books.nmoves, 1);
	assert_true(span_is(books.moves[0].set->uuid, "u-2"));
}

static void
a_grant_that_had_not_begun_dies_with_its_epoch(void **state)
{
	begin();
	grant(0, TYPE_CHUNK);
	grant(1, TYPE_CHUNK);
	fake_reset(&books);
	pass(STAGGER_MS);
	assert_int_equal(npolled, 1);
	look();
	assert_int_equal(tick.npolls, 1);
}

static void
an_untold_task_is_told_again_in_the_next_epoch(void **state)
{
	begin();
	grant(0, TYPE_CHUNK);
	reply_task(0, "u-3", false);
	assert_int_equal(fetch_pending(fetch), 1);
	fake_reset(&books);
	assert_int_equal(books.nmoves, 1);
	assert_true(span_is(books.moves[0].set->uuid, "u-3"));
	fake_done(&books, CODE_CONFLICT);	/* it was there already */
	assert_int_equal(fetch_pending(fetch), 0);
}

static void
a_task_that_the_store_refuses_is_told_again(void **state)
{
	begin();
	grant(0, TYPE_CHUNK);
	reply_task(0, "u-4", false);
	for (int i = 0; i < 10; i++) {
		fake_done(&books, CODE_STORE);
		assert_int_equal(fetch_pending(fetch), 1);
		assert_int_equal(books.nmoves, 0);
		fetch_turn(fetch);
		pass(40000);
		assert_int_equal(books.nmoves, 1);
	}
	fake_all_done(&books);
	assert_int_equal(fetch_pending(fetch), 0);
}

static void
a_task_that_cannot_be_understood_is_kept_and_given_up(void **state)
{
	begin();
	grant(0, TYPE_CHUNK);
	reply_task(0, "u-5", true);
	fake_done(&books, CODE_OK);
	assert_int_equal(books.nmoves, 1);
	assert_int_equal(books.moves[0].item.from, JOB_FETCHED);
	assert_int_equal(books.moves[0].item.to, JOB_GIVEN_UP);
	assert_int_equal(books.moves[0].item.code, CODE_TASK_BAD);
}

static void
a_task_that_has_ended_here_and_comes_again_rests(void **state)
{
	begin();
	grant(0, TYPE_CHUNK);
	reply_task(0, "u-6", false);
	fake_done(&books, CODE_GONE);
	assert_int_equal(fetch_pending(fetch), 0);
	assert_int_equal(books.moves[0].item.to, IDENTITY_RESTING);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(identities_the_ledger_does_not_know_are_created),
		T(known_identities_are_adopted_as_they_are),
		T(a_row_with_another_key_is_not_used),
		T(rows_of_other_chains_are_dropped),
		T(a_granted_poll_brings_a_job),
		T(grants_begin_one_after_another),
		T(a_grant_for_one_that_is_polling_is_ignored),
		T(no_task_pauses_and_polls_again),
		T(already_assigned_rests_for_the_collection_time),
		T(why_nobody_can_be_polled_is_said),
		T(a_blocked_key_is_blocked),
		T(a_new_process_tries_a_blocked_key_once),
		T(a_blocked_key_that_holds_a_job_is_tried_when_the_job_has_ended),
		T(an_unanswered_poll_is_repeated_for_its_type_but_not_too_early),
		T(one_cut_off_before_a_restart_waits_for_the_timeout),
		T(refusals_for_ever_rest_longer_and_longer_and_are_coded),
		T(an_away_coordinator_is_tried_by_one_at_a_time),
		T(waits_for_an_away_coordinator_are_bounded),
		T(logins_that_fail_stop_polls),
		T(a_task_that_comes_after_a_reset_is_kept),
		T(a_grant_that_had_not_begun_dies_with_its_epoch),
		T(an_untold_task_is_told_again_in_the_next_epoch),
		T(a_task_that_the_store_refuses_is_told_again),
		T(a_task_that_cannot_be_understood_is_kept_and_given_up),
		T(a_task_that_has_ended_here_and_comes_again_rests),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
