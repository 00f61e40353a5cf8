/* test_settle.c - what submit decides, with the test as ledger, verifier and Coordinator.
 * uses: cmd/submit */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cmd/submit/settle.h"
#include "tests/unit/fake_books.h"

static struct books books;
static struct settle *settle;
static size_t nverified, nposted, nforgotten;
static uint64_t last;
static struct tick tick;

static void on_verify(void *arg, const struct row *a) { nverified++; last = a->id; }
static void on_forget(void *arg, uint64_t attempt) { nforgotten++; }
static void on_post(void *arg, const struct row *j) { nposted++; last = j->id; }

static void act(void *s, struct held *h) { settle_act(s, h); }
static void lose(void *s, struct held *h) { settle_lose(s, h); }
static void answer(void *s, uint64_t t, uint64_t c, const struct row *r) { settle_told(s, t, c, r); }
static void reset(void *s) { settle_reset(s); }

static int
setup(void **state)
{
	static const struct settle_ops ops = { on_verify, on_forget, on_post };

	nverified = nposted = nforgotten = last = 0;
	settle = settle_new(&(struct settle_opts){ .backoff_ms = 500, .backoff_max_ms = 30000, .ops = &ops });
	books = (struct books){ .core = settle, .ops = { .act = act, .lose = lose, .answer = answer, .reset = reset },
		.last = { [ROW_ATTEMPT] = ATTEMPT_PROVED, [ROW_JOB] = JOB_SUBMITTING } };
	clock_freeze(START_MS);
	settle_bind(settle, &books);
	return 0;
}

static int
teardown(void **state)
{
	fake_end(&books);
	settle_free(&settle);
	return 0;
}

static void
give_attempt_with(uint64_t id, uint64_t rev, uint8_t proof)
{
	struct row row = { 0 };
	uint8_t hash[HASH_BYTES] = { proof };

	SET(&row, kind, ROW_ATTEMPT);
	SET(&row, id, id);
	SET(&row, rev, rev);
	SET(&row, state, ATTEMPT_PROVED);
	SET(&row, type, TYPE_CHUNK);
	SET(&row, provider, SPAN("gpu1"));
	ROW_HASH(&row, proof_blob, hash);
	fake_row(&books, &row, false);
}

static void
give_attempt(uint64_t id)
{
	give_attempt_with(id, 4, 1);
}

static void
give_job(uint64_t id, uint64_t job_state, uint64_t posts, uint64_t kept)
{
	struct row row = { 0 };

	SET(&row, kind, ROW_JOB);
	SET(&row, id, id);
	SET(&row, rev, 10 + posts);
	SET(&row, state, job_state);
	SET(&row, identity, 2);
	SET(&row, kept, kept);
	if (posts)
		SET(&row, posts, posts);
	fake_row(&books, &row, false);
}

static void
reply(uint64_t job, enum settle_post how)
{
	settle_posted(settle, job, how, CODE_POST_FAILED, SPAN("it said so"));
}

/* A job as far as its first post. */
static void
post_one(uint64_t id)
{
	give_job(id, JOB_PLACED, 0, 50);
	fake_done(&books, CODE_OK);
	assert_int_equal(nposted, 1);
}

static void
ends_as(uint64_t job_state, uint64_t code)
{
	assert_int_equal(books.nmoves, 1);
	assert_int_equal(books.moves[0].item.from, JOB_SUBMITTING);
	assert_int_equal(books.moves[0].item.to, job_state);
	assert_int_equal(books.moves[0].item.code, code);
	fake_done(&books, CODE_OK);
	assert_int_equal(books.nmoves, 0);
}

static void
a_good_proof_is_verified(void **state)
{
	give_attempt(50);
	assert_int_equal(nverified, 1);
	settle_verified(settle, 50, VERDICT_GOOD, CODE_OK, SPAN(""));
	assert_int_equal(books.moves[0].item.to, ATTEMPT_VERIFIED);
	fake_done(&books, CODE_OK);
	assert_int_equal(nforgotten, 0);
}

static void
a_bad_proof_fails_with_its_code(void **state)
{
	give_attempt(50);
	settle_verified(settle, 50, VERDICT_BAD, CODE_PROOF_BAD, SPAN("wrong hash"));
	assert_int_equal(books.moves[0].item.to, ATTEMPT_FAILED);
	assert_int_equal(books.moves[0].item.code, CODE_PROOF_BAD);
	assert_true(span_is(books.moves[0].set->detail, "wrong hash"));
	fake_done(&books, CODE_OK);
}

static void
a_verdict_on_one_proof_is_not_passed_on_another(void **state)
{
	give_attempt(50);
	give_attempt_with(50, 6, 2);		/* another submit has judged the first, and there is a second */
	assert_int_equal(nverified, 1);
	settle_verified(settle, 50, VERDICT_BAD, CODE_PROOF_BAD, SPAN("wrong hash"));
	assert_int_equal(books.nmoves, 0);
	assert_int_equal(nverified, 2);
	settle_verified(settle, 50, VERDICT_GOOD, CODE_OK, SPAN(""));
	assert_int_equal(books.moves[0].item.to, ATTEMPT_VERIFIED);
	assert_int_equal(books.moves[0].item.rev, 6);
	fake_done(&books, CODE_OK);
}

static void
trouble_of_the_verifier_is_waited_for(void **state)
{
	give_attempt(50);
	for (size_t i = 1; i < 12; i++) {
		assert_int_equal(nverified, i);
		settle_verified(settle, 50, VERDICT_NONE, CODE_PLUGIN_HANG, SPAN("hangs"));
		assert_int_equal(books.nmoves, 0);
		fake_pass(&books, 38000);
	}
	memset(&tick, 0, sizeof tick);
	settle_levels(settle, &tick);
	assert_non_null(strstr(tick.note, "plugin-hang"));
	settle_verified(settle, 50, VERDICT_GOOD, CODE_OK, SPAN(""));
	assert_int_equal(books.moves[0].item.to, ATTEMPT_VERIFIED);
	fake_done(&books, CODE_OK);
}

static void
a_verification_is_forgotten_with_its_row(void **state)
{
	give_attempt(50);
	fake_reset(&books);
	assert_int_equal(nforgotten, 1);
	settle_verified(settle, 50, VERDICT_BAD, CODE_PROOF_BAD, SPAN(""));
	assert_int_equal(books.nmoves, 0);
}

static void
nothing_is_posted_before_the_ledger_has_the_intent(void **state)
{
	give_job(7, JOB_PLACED, 0, 50);
	assert_int_equal(nposted, 0);
	assert_int_equal(books.moves[0].item.to, JOB_SUBMITTING);
	assert_int_equal(books.moves[0].set->posts, 1);
	assert_int_equal(books.moves[0].set->attempt, 50);
	fake_done(&books, CODE_OK);
	assert_int_equal(nposted, 1);
	assert_int_equal(last, 7);
}

static void
ready_and_queued_jobs_are_posted_too(void **state)
{
	give_job(7, JOB_READY, 0, 50);
	give_job(8, JOB_QUEUED, 0, 50);
	fake_all_done(&books);
	assert_int_equal(nposted, 2);
}

static void
a_job_without_a_kept_proof_is_dropped(void **state)
{
	give_job(7, JOB_PLACED, 0, 0);
	assert_int_equal(books.dropped, 1);
	assert_int_equal(books.nmoves, 0);
}

static void
taken_is_submitted(void **state)
{
	post_one(7);
	reply(7, POST_TAKEN);
	ends_as(JOB_SUBMITTED, CODE_OK);
	assert_int_equal(settle_pending(settle), 0);
}

static void
twice_to_the_first_post_is_late(void **state)
{
	post_one(7);
	reply(7, POST_TWICE);
	ends_as(JOB_LATE, CODE_TWICE);
}

static void
final_refusals_give_up_with_their_codes(void **state)
{
	static const struct { enum settle_post how; uint64_t code; } table[] = {
		{ POST_ALREADY, CODE_ALREADY_PROVED },
		{ POST_BAD_PROOF, CODE_REFUSED_PROOF },
		{ POST_BAD_SHAPE, CODE_REFUSED_SHAPE },
	};

	for (size_t i = 0; i < NELEM(table); i++) {
		nposted = 0;
		post_one(20 + i);
		reply(20 + i, table[i].how);
		ends_as(JOB_GIVEN_UP, table[i].code);
	}
}

static void
an_unanswered_post_is_counted_before_the_next(void **state)
{
	post_one(7);
	reply(7, POST_UNANSWERED);
	assert_int_equal(books.moves[0].item.to, JOB_SUBMITTING);
	assert_int_equal(books.moves[0].set->posts, 2);
	fake_pass(&books, 60000);
	assert_int_equal(nposted, 1);	/* not durable yet */
	fake_done(&books, CODE_OK);
	fake_pass(&books, 60000);
	assert_int_equal(nposted, 2);
}

static void
twice_after_an_unanswered_post_is_presumed(void **state)
{
	post_one(7);
	reply(7, POST_UNANSWERED);
	fake_done(&books, CODE_OK);
	fake_pass(&books, 60000);
	assert_int_equal(nposted, 2);
	reply(7, POST_TWICE);
	ends_as(JOB_SUBMITTED, CODE_PRESUMED);
}

static void
a_count_that_the_store_refuses_is_asked_again_and_not_posted(void **state)
{
	post_one(7);
	reply(7, POST_UNANSWERED);
	for (int i = 0; i < 3; i++) {
		fake_done(&books, CODE_STORE);
		fake_pass(&books, 60000);
		assert_int_equal(nposted, 1);
		assert_int_equal(books.nmoves, 1);
		assert_int_equal(books.moves[0].set->posts, 2);
	}
	fake_done(&books, CODE_OK);
	fake_pass(&books, 60000);
	assert_int_equal(nposted, 2);
}

static void
a_post_that_was_surely_not_taken_keeps_its_count(void **state)
{
	post_one(7);
	for (size_t i = 2; i < 10; i++) {
		reply(7, i % 2 ? POST_LATER : POST_NOT_SENT);
		assert_int_equal(books.nmoves, 0);
		assert_int_equal(nposted, i - 1);
		fake_pass(&books, 60000);
		assert_int_equal(nposted, i);
	}
	memset(&tick, 0, sizeof tick);
	settle_levels(settle, &tick);
	assert_non_null(strstr(tick.note, "post-failed"));
	reply(7, POST_TWICE);
	ends_as(JOB_LATE, CODE_TWICE);
}

static void
a_job_found_in_submitting_is_counted_first(void **state)
{
	give_job(7, JOB_SUBMITTING, 1, 50);
	assert_int_equal(nposted, 0);
	assert_int_equal(books.moves[0].set->posts, 2);
	fake_done(&books, CODE_OK);
	assert_int_equal(nposted, 1);
	reply(7, POST_TWICE);
	ends_as(JOB_SUBMITTED, CODE_PRESUMED);
}

static void
an_answer_that_comes_after_a_reset_counts(void **state)
{
	post_one(7);
	fake_reset(&books);
	give_job(7, JOB_SUBMITTING, 1, 50);
	assert_int_equal(books.nmoves, 0);	/* the post is still under way */
	assert_int_equal(settle_pending(settle), 1);
	reply(7, POST_TAKEN);
	ends_as(JOB_SUBMITTED, CODE_OK);
}

static void
an_answer_that_comes_between_epochs_is_kept(void **state)
{
	post_one(7);
	fake_reset(&books);
	reply(7, POST_TAKEN);
	assert_int_equal(books.nmoves, 0);
	give_job(7, JOB_SUBMITTING, 1, 50);
	ends_as(JOB_SUBMITTED, CODE_OK);
	assert_int_equal(nposted, 1);
}

static void
an_end_that_was_not_answered_is_told_again(void **state)
{
	post_one(7);
	reply(7, POST_TAKEN);
	fake_reset(&books);
	give_job(7, JOB_SUBMITTING, 1, 50);
	assert_int_equal(nposted, 1);
	ends_as(JOB_SUBMITTED, CODE_OK);
}

static void
an_end_that_the_store_refuses_is_told_again(void **state)
{
	post_one(7);
	reply(7, POST_TAKEN);
	fake_done(&books, CODE_STORE);
	fake_pass(&books, 1001);
	assert_int_equal(nposted, 1);
	ends_as(JOB_SUBMITTED, CODE_OK);
}

static void
a_doubtful_answer_does_not_outlive_another_count(void **state)
{
	post_one(7);
	fake_reset(&books);
	reply(7, POST_LATER);
	give_job(7, JOB_SUBMITTING, 2, 50);	/* another submit has posted meanwhile */
	assert_int_equal(nposted, 1);
	assert_int_equal(books.moves[0].set->posts, 3);
	fake_done(&books, CODE_OK);
	fake_pass(&books, 60000);
	assert_int_equal(nposted, 2);
}

static void
others_go_at_once_when_posts_get_through_again(void **state)
{
	give_job(7, JOB_PLACED, 0, 50);
	give_job(8, JOB_PLACED, 0, 51);
	fake_all_done(&books);
	for (int i = 0; i < 8; i++) {
		reply(7, POST_NOT_SENT);
		reply(8, POST_NOT_SENT);
		fake_pass(&books, 60000);
	}
	assert_int_equal(nposted, 18);
	reply(8, POST_NOT_SENT);
	reply(7, POST_TAKEN);
	fake_pass(&books, 700);
	assert_int_equal(nposted, 19);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(a_good_proof_is_verified),
		T(a_bad_proof_fails_with_its_code),
		T(a_verdict_on_one_proof_is_not_passed_on_another),
		T(trouble_of_the_verifier_is_waited_for),
		T(a_verification_is_forgotten_with_its_row),
		T(nothing_is_posted_before_the_ledger_has_the_intent),
		T(ready_and_queued_jobs_are_posted_too),
		T(a_job_without_a_kept_proof_is_dropped),
		T(taken_is_submitted),
		T(twice_to_the_first_post_is_late),
		T(final_refusals_give_up_with_their_codes),
		T(an_unanswered_post_is_counted_before_the_next),
		T(twice_after_an_unanswered_post_is_presumed),
		T(a_count_that_the_store_refuses_is_asked_again_and_not_posted),
		T(a_post_that_was_surely_not_taken_keeps_its_count),
		T(a_job_found_in_submitting_is_counted_first),
		T(an_answer_that_comes_after_a_reset_counts),
		T(an_answer_that_comes_between_epochs_is_kept),
		T(an_end_that_was_not_answered_is_told_again),
		T(an_end_that_the_store_refuses_is_told_again),
		T(a_doubtful_answer_does_not_outlive_another_count),
		T(others_go_at_once_when_posts_get_through_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
