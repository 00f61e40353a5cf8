/* test_allocate.c - choosers, the policy's pipeline, and placing over real books.
 * uses: cmd/allocate */
#include "cmd/allocate/place.h"

#include <setjmp.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/num.h"
#include "common/wire.h"

/* --- choosers --- */

/* Who gets it, n times, as a text of ids. */
static void
run_turns(struct contender *c, size_t n, size_t rounds, char *out)
{
	struct question q = { 0 };

	for (size_t i = 0; i < rounds; i++) {
		size_t k = choose_turn(&q, c, n, 0);
		c[k].served++;
		out[i] = c[k].id[0];
	}
	out[rounds] = '\0';
}

static void
turns_follow_the_weights(void **state)
{
	struct contender five[] = { { "a", 0, 5, 0 }, { "b", 0, 1, 0 }, { "c", 0, 1, 0 } };
	struct contender three[] = { { "c", 0, 1, 0 }, { "a", 0, 3, 0 }, { "b", 0, 2, 0 } };
	char got[16];

	run_turns(five, 3, 14, got);
	assert_string_equal(got, "aaabcaaaaabcaa");
	run_turns(three, 3, 12, got);
	assert_string_equal(got, "abacbaabacba");
}

static void
one_that_joins_late_gets_no_burst(void **state)
{
	struct contender c[] = { { "a", 0, 1, 100 }, { "b", 0, 1, 0 } };
	char got[16];

	c[1].served = turn_join(&c[0], 1);
	run_turns(c, 2, 4, got);
	assert_string_equal(got, "abab");
	assert_int_equal(turn_join(&(struct contender){ .served = 100, .weight = 2 }, 3), 151);
}

static void
the_cheapest_is_chosen_and_equals_draw_by_the_work(void **state)
{
	struct question q = { 534352, TYPE_CHUNK, SPAN("0xabc1"), 0 };
	struct contender c[] = { { "alpha", 7, 1, 0 }, { "bravo", 7, 1, 0 }, { "charlie", 9, 1, 0 } };
	struct contender turned[] = { c[2], c[1], c[0] };

	assert_string_equal(c[choose_cheapest(&q, c, 3, 0)].id, "bravo");
	assert_string_equal(turned[choose_cheapest(&q, turned, 3, 0)].id, "bravo");
	c[2].price = 6;
	assert_string_equal(c[choose_cheapest(&q, c, 3, 0)].id, "charlie");
}

static void
the_tie_digest_is_the_published_one(void **state)
{
	struct question q = { question_chain(SPAN("534352")), TYPE_CHUNK, SPAN("0xabc1"), 0 };
	uint8_t want[HASH_BYTES], got[HASH_BYTES];

	assert_true(num_hex(SPAN("3dac626665af23a5c2db4d92ae000519d904cff355b7f2db861966073f68e510"), false, want, 32));
	question_tie(&q, "bravo", got);
	assert_memory_equal(got, want, 32);
	assert_int_not_equal(question_chain(SPAN("demo")), question_chain(SPAN("other")));
}

static void
each_chooser_of_the_settings_is_in_the_table(void **state)
{
	assert_ptr_equal(chooser_find("turn"), &choosers[0]);
	assert_ptr_equal(chooser_find("cheapest"), &choosers[1]);
	assert_null(chooser_find("best"));
}

/* --- policy --- */

static struct policy
make_policy(const char *tiers, const char *chooser)
{
	struct policy p = { .chain = "demo", .type = TYPE_CHUNK, .max_attempts = 3, .chooser = chooser_find(chooser) };
	char why[128] = "";

	if (!policy_tiers(&p, tiers, why))
		fail_msg("%s", why);
	return p;
}

static struct provider
make_provider(const char *name, uint64_t slots, uint64_t used, uint64_t price)
{
	struct provider v = { .slots = pools_one(1 << TYPE_CHUNK, slots), .used = { 0, used }, .price = { 0, price, price, price } };

	snprintf(v.name, sizeof v.name, "%s", name);
	return v;
}

static void
check_verdict(const struct policy *p, const char *tried, const struct provider *all, size_t n,
    const char *chosen, const char *reason, uint64_t code)
{
	struct question q = { 1, TYPE_CHUNK, SPAN("t"), 0 };
	struct verdict v;

	policy_decide(p, &q, span_str(tried), all, n, &v);
	assert_string_equal(v.reason, reason);
	assert_int_equal(v.code, code);
	assert_string_equal(v.chosen ? v.chosen->name : "", chosen);
}

static void
every_candidate_that_loses_has_a_reason(void **state)
{
	struct policy p = make_policy("a b c | d | e f", "cheapest");
	struct provider all[] = { make_provider("d", 1, 0, 1), make_provider("c", 2, 2, 1), make_provider("a", 1, 0, 5),
	    make_provider("b", 1, 0, 6), make_provider("e", 1, 0, 1) };

	all[4].slots = pools_one(1 << TYPE_BATCH, 1);
	check_verdict(&p, "", all, 5, "a", "a:chosen b:dearer c:no-slot d:lower-tier e:not-able f:silent", CODE_OK);
}

/* One of its provers failed; the others are other machines. */
static void
many_provers_are_asked_again_when_there_is_nobody_else(void **state)
{
	struct policy p = make_policy("a b", "turn");
	struct provider all[] = { make_provider("a", 2, 0, 0), make_provider("b", 1, 0, 0) };

	all[0].many = true;
	check_verdict(&p, "a:prover-failed", all, 2, "b", "a:failed-before b:chosen", CODE_OK);
	check_verdict(&p, "a:prover-failed b:proof-bad", all, 2, "a", "a:chosen b:failed-before", CODE_OK);
}

static void
a_full_tier_overflows_into_the_next(void **state)
{
	struct policy p = make_policy("a|b", "turn");
	struct provider all[] = { make_provider("a", 1, 1, 0), make_provider("b", 1, 0, 0) };

	check_verdict(&p, "", all, 2, "b", "a:no-slot b:chosen", CODE_OK);
	all[1].used[TYPE_CHUNK] = 1;
	check_verdict(&p, "", all, 2, "", "a:no-slot b:no-slot", CODE_NO_SLOT);
	check_verdict(&p, "", all, 0, "", "a:silent b:silent", CODE_NO_PROVIDER);
}

static void
the_next_attempt_is_made_elsewhere(void **state)
{
	struct policy p = make_policy("a|b", "turn");
	struct provider all[] = { make_provider("a", 1, 0, 0), make_provider("b", 1, 0, 0) };

	check_verdict(&p, "a:plugin-exit", all, 2, "b", "a:failed-before b:chosen", CODE_OK);
	all[1].used[TYPE_CHUNK] = 1;	/* elsewhere is busy: worth waiting for */
	check_verdict(&p, "a:plugin-exit", all, 2, "", "a:failed-before b:no-slot", CODE_NO_SLOT);
}

static void
without_elsewhere_an_accident_is_tried_again_but_a_judgement_is_not(void **state)
{
	struct policy p = make_policy("", "turn");
	struct provider all[] = { make_provider("a", 1, 0, 0), make_provider("b", 0, 0, 0) };

	check_verdict(&p, "a:plugin-exit a:plugin-hang", all, 2, "a", "a:chosen b:silent", CODE_OK);
	check_verdict(&p, "a:plugin-exit a:proof-bad", all, 2, "", "a:failed-before b:silent", CODE_FAILED_BEFORE);
	check_verdict(&p, "aa:proof-bad", all, 2, "a", "a:chosen b:silent", CODE_OK);
}

static void
a_provider_of_another_chain_is_not_able(void **state)
{
	struct policy p = make_policy("", "turn");
	struct provider all[] = { make_provider("a", 1, 0, 0) };

	snprintf(all[0].only, sizeof all[0].only, "other");
	check_verdict(&p, "", all, 1, "", "a:not-able", CODE_NO_PROVIDER);
	assert_false(policy_names(&p, &all[0]));
}

static void
wrong_tiers_are_refused(void **state)
{
	static const char *const wrong[] = { "|", "a|", "|a", "a||b", "a a", "a | b a",
	    "abcdefghijklmnopqrstuvwxyz0123456789" };
	struct policy p = { 0 };
	char why[128];

	for (size_t i = 0; i < NELEM(wrong); i++)
		assert_false(policy_tiers(&p, wrong[i], why));
	assert_true(policy_tiers(&p, " a  b|c ", why));
	assert_int_equal(p.n, 3);
	assert_int_equal(p.members[2].tier, 1);
}

/* --- placing --- */

struct bench {
	struct place	*place;
	struct books	*books;
	struct wire	*any, *heard;	/* heard: the last MOVE, which borrows from bytes */
	struct buf	 bytes;
	size_t		 moves;
	uint64_t	 first_seq;
	struct tick	 tick;
};

static void
on_send(void *arg, struct span message)
{
	struct bench *b = arg;
	char why[128];

	assert_true(wire_read(b->any, message, why));
	if (b->any->kind == WIRE_TICK)
		b->tick = b->any->tick;
	if (b->any->kind != WIRE_MOVE)
		return;
	buf_reset(&b->bytes);
	buf_put(&b->bytes, message.p, message.n);
	assert_true(wire_read(b->heard, SPAN_OF(&b->bytes), why));
	b->moves += b->heard->ngroups;
	b->first_seq = b->heard->seq;
}

static void
on_offer(void *arg, struct span inbox, struct span message)
{
}

static void
on_act(void *arg, struct held *h)
{
	place_act(((struct bench *)arg)->place, h);
}

static void
on_lose(void *arg, struct held *h)
{
}

static void
on_answer(void *arg, uint64_t token, uint64_t code, const struct row *first)
{
	place_answer(((struct bench *)arg)->place, token, code, first);
}

static void
on_levels(void *arg, struct tick *t)
{
	place_levels(((struct bench *)arg)->place, t);
}

static void
on_news(void *arg, const struct news *n)
{
	place_news(((struct bench *)arg)->place, n);
}

static void
on_reset(void *arg)
{
	place_reset(((struct bench *)arg)->place);
}

static const struct books_ops ops = { on_send, on_offer, on_act, on_lose, on_answer, on_levels, on_news, on_reset };
static const struct wire_head down = { 7, 1, 0 };

static void
hear(struct bench *b, struct buf *message)
{
	books_hear(b->books, SPAN_OF(message));
	buf_free(message);
	books_turn(b->books, clock_ms());
}

static int
setup(void **state)
{
	struct bench *b = xzalloc(sizeof *b);
	struct policy p = make_policy("", "turn");
	struct buf out = { 0 };

	clock_freeze(1000000);
	b->place = place_new(&(struct place_opts){ &p, 1, NULL, 0 });
	b->books = books_new(&(struct books_opts){ "allocate", "allocate", "", "", &ops, b });
	place_bind(b->place, b->books);
	b->any = wire_new();
	b->heard = wire_new();
	books_connected(b->books);
	wire_put_welcome(&out, &down, 0, "ledger", "active");
	hear(b, &out);
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *b = *state;

	books_free(&b->books);
	place_free(&b->place);
	wire_free(&b->any);
	wire_free(&b->heard);
	buf_free(&b->bytes);
	free(b);
	clock_freeze(0);
	return 0;
}

static void
hear_capacity(struct bench *b, uint64_t slots, uint64_t used)
{
	struct news *n = xzalloc(sizeof *n);
	struct buf out = { 0 };

	n->has_capacity = true;
	n->ncapacity = 1;
	n->capacity[0] = (struct capacity){ "a", pools_one(1 << TYPE_CHUNK, slots), { 0, used }, { 0, 5, 5, 5 } };
	wire_put_news(&out, &down, 1, n);
	free(n);
	hear(b, &out);
}

static struct row
make_job(uint64_t id, uint64_t state, uint64_t deadline_ms)
{
	struct row r = { 0 };

	SET(&r, kind, ROW_JOB);
	SET(&r, id, id);
	SET(&r, rev, 3);
	SET(&r, state, state);
	SET(&r, work, 100 + id);
	SET(&r, work_rev, 9);
	SET(&r, chain, SPAN("demo"));
	SET(&r, type, TYPE_CHUNK);
	SET(&r, task, SPAN("t"));
	SET(&r, deadline_ms, deadline_ms);
	return r;
}

static void
hear_rows(struct bench *b, const struct row *rows, size_t n)
{
	struct buf body = { 0 }, out = { 0 };

	for (size_t i = 0; i < n; i++)
		wire_put_row(&body, &rows[i], 0);
	wire_put_rows(&out, WIRE_ROWS, &down, 0, n, SPAN_OF(&body), false);
	buf_free(&body);
	hear(b, &out);
}

static void
hear_result(struct bench *b, uint64_t seq, enum code code, const struct row *row)
{
	struct buf rows = { 0 }, result = { 0 }, out = { 0 };
	static const char *const pairs[][2] = { { "allocate", "" } };
	struct wire_names names = { 1, pairs };

	if (row)
		wire_put_row(&rows, row, 1);
	wire_put_result(&result, seq, code, row != NULL, SPAN_OF(&rows));
	wire_put_done(&out, &down, seq, CODE_OK, 1, SPAN_OF(&result), &names);
	buf_free(&rows);
	buf_free(&result);
	hear(b, &out);
}

static void
a_work_is_bought_in_one_group_that_names_its_rev(void **state)
{
	struct bench *b = *state;
	struct row job = make_job(1, JOB_READY, 2000000);

	hear_capacity(b, 1, 0);
	hear_rows(b, &job, 1);
	assert_int_equal(b->moves, 1);
	assert_int_equal(b->heard->nitems, 2);
	const struct wire_item *attempt = &b->heard->items[0], *placed = &b->heard->items[1];
	assert_int_equal(attempt->kind, ROW_ATTEMPT);
	assert_int_equal(attempt->to, ATTEMPT_ALLOCATED);
	assert_int_equal(attempt->set.work, 101);
	assert_true(span_is(attempt->set.provider, "a"));
	assert_int_equal(attempt->set.price, 5);
	assert_true(span_is(attempt->set.reason, "a:chosen"));
	assert_int_equal(placed->kind, ROW_JOB);
	assert_int_equal(placed->to, JOB_PLACED);
	assert_int_equal(placed->relies[0].kind, ROW_WORK);
	assert_int_equal(placed->relies[0].id, 101);
	assert_int_equal(placed->relies[0].rev, 9);
}

static void
an_open_attempt_and_a_kept_proof_are_joined(void **state)
{
	struct bench *b = *state;
	struct row jobs[2] = { make_job(1, JOB_READY, 2000000), make_job(2, JOB_QUEUED, 2000000) };

	SET(&jobs[0], open, 55);
	SET(&jobs[1], kept, 56);
	SET(&jobs[1], attempts, 3);
	hear_rows(b, jobs, 2);
	assert_int_equal(b->moves, 2);
	assert_int_equal(b->heard->nitems, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(b->heard->items[i].to, JOB_PLACED);
		assert_int_equal(b->heard->items[i].relies[0].rev, 9);
	}
}

static void
the_last_slot_is_given_once_and_waits_for_the_next_news(void **state)
{
	struct bench *b = *state;
	struct row jobs[3] = { make_job(1, JOB_QUEUED, 3000000), make_job(2, JOB_QUEUED, 2500000),
	    make_job(3, JOB_QUEUED, 2000000) };

	hear_rows(b, jobs, 3);
	assert_int_equal(b->moves, 0);
	hear_capacity(b, 1, 0);		/* the job with least time gets it */
	assert_int_equal(b->moves, 1);
	assert_int_equal(b->heard->items[1].id, 3);
	hear_capacity(b, 1, 0);		/* our placement is not answered: still counted */
	assert_int_equal(b->moves, 1);
	hear_result(b, b->first_seq, CODE_OK, NULL);
	hear_capacity(b, 1, 1);
	assert_int_equal(b->moves, 1);
	hear_capacity(b, 1, 0);
	assert_int_equal(b->moves, 2);
	assert_int_equal(b->heard->items[1].id, 2);
}

static void
a_refused_placement_gives_its_slot_back(void **state)
{
	struct bench *b = *state;
	struct row job = make_job(1, JOB_QUEUED, 3000000);

	hear_capacity(b, 1, 0);
	hear_rows(b, &job, 1);
	assert_int_equal(b->moves, 1);
	job.rev = 4;
	job.work_rev = 10;
	hear_result(b, b->first_seq, CODE_CONFLICT, &job);
	assert_int_equal(b->moves, 2);
	assert_int_equal(b->heard->items[1].rev, 4);
	assert_int_equal(b->heard->items[1].relies[0].rev, 10);
}

static void
a_ready_job_without_a_place_is_queued_once(void **state)
{
	struct bench *b = *state;
	struct row job = make_job(1, JOB_READY, 3000000);

	hear_rows(b, &job, 1);
	assert_int_equal(b->moves, 1);
	assert_int_equal(b->heard->items[0].to, JOB_QUEUED);
	assert_int_equal(b->heard->items[0].code, CODE_NO_PROVIDER);
	job.rev = 4;
	job.state = JOB_QUEUED;
	hear_result(b, b->first_seq, CODE_OK, &job);
	for (uint64_t t = 1; t <= 10; t++) {
		clock_freeze(1000000 + t * 500);
		books_turn(b->books, clock_ms());
	}
	assert_int_equal(b->moves, 1);
	assert_string_equal(b->tick.note, "no provider is heard");
	hear_capacity(b, 4, 0);
	assert_int_equal(b->moves, 2);
}

static void
a_job_is_given_up_when_its_attempts_or_its_time_are_used_up(void **state)
{
	struct bench *b = *state;
	struct row jobs[2] = { make_job(1, JOB_QUEUED, 3000000), make_job(2, JOB_READY, 999999) };

	SET(&jobs[0], attempts, 3);
	hear_capacity(b, 4, 0);
	hear_rows(b, jobs, 2);
	assert_int_equal(b->moves, 2);
	assert_int_equal(b->heard->items[0].to, JOB_GIVEN_UP);
	assert_int_equal(b->heard->items[0].code, CODE_MAX_ATTEMPTS);
	assert_int_equal(b->heard->items[1].to, JOB_GIVEN_UP);
	assert_int_equal(b->heard->items[1].code, CODE_DEADLINE);
}

static void
room_is_a_total_and_silence_is_none(void **state)
{
	struct bench *b = *state;

	assert_int_equal(b->tick.nrooms, 0);
	hear_capacity(b, 4, 4);
	assert_int_equal(b->tick.nrooms, 1);
	assert_string_equal(b->tick.rooms[0].chain, "demo");
	assert_int_equal(b->tick.rooms[0].type, TYPE_CHUNK);
	assert_int_equal(b->tick.rooms[0].n, 4);
	hear_capacity(b, 0, 0);
	assert_int_equal(b->tick.nrooms, 0);
}

static void
without_a_ledger_slots_are_given_round_after_round(void **state)
{
	struct policy p = make_policy("a|b", "turn");
	struct place *place = place_new(&(struct place_opts){ &p, 1, NULL, 0 });
	struct capacity all[2] = { { "a", pools_one(1 << TYPE_CHUNK, 2), { 0, 0 }, { 0, 5 } }, { "b", pools_one(1 << TYPE_CHUNK, 1), { 0, 0 }, { 0, 9 } } };
	char got[8] = "";

	place_assume(place, all, 2);
	for (size_t i = 0; i < 6; i++) {
		struct row job = make_job(i, JOB_READY, INT64_MAX);
		assert_true(place_alone(place, &job));
		assert_int_equal(job.state, JOB_PLACED);
		got[i] = (char)job.provider.p[0];
	}
	assert_string_equal(got, "aabaab");
	place_free(&place);
}

/* Only what is ready or queued moves, and each as it would with a ledger. */
static void
without_a_ledger_the_moves_are_the_same(void **state)
{
	struct policy p = make_policy("a", "turn");
	struct place *place = place_new(&(struct place_opts){ &p, 1, NULL, 0 });
	struct capacity a = { "a", pools_one(1 << TYPE_CHUNK, 2), { 0, 0 }, { 0, 5 } };
	static const struct {
		uint64_t kind, from, deadline_ms, attempts, open, to, code;
	} cases[] = {
		{ ROW_JOB, JOB_READY, 1000001, 0, 0, JOB_PLACED, CODE_OK },
		{ ROW_JOB, JOB_QUEUED, 1000001, 0, 0, JOB_PLACED, CODE_OK },
		{ ROW_JOB, JOB_READY, 1000000, 0, 0, JOB_GIVEN_UP, CODE_DEADLINE },
		{ ROW_JOB, JOB_QUEUED, 999999, 0, 0, JOB_GIVEN_UP, CODE_DEADLINE },
		{ ROW_JOB, JOB_QUEUED, 1000001, 3, 0, JOB_GIVEN_UP, CODE_MAX_ATTEMPTS },
		{ ROW_JOB, JOB_QUEUED, 999999, 3, 7, JOB_PLACED, CODE_OK },
		{ ROW_JOB, JOB_FETCHED, 1000001, 0, 0, 0, 0 },
		{ ROW_JOB, JOB_FETCHED, 999999, 0, 0, 0, 0 },
		{ ROW_JOB, JOB_PLACED, 1000001, 0, 0, 0, 0 },
		{ ROW_JOB, JOB_SUBMITTING, 1000001, 0, 0, 0, 0 },
		{ ROW_JOB, JOB_LATE, 1000001, 0, 0, 0, 0 },
		{ ROW_ATTEMPT, ATTEMPT_SENDING, 1000001, 0, 0, 0, 0 },
	};

	clock_freeze(1000000);
	place_assume(place, &a, 1);
	for (size_t i = 0; i < NELEM(cases); i++) {
		struct row row = make_job(i, cases[i].from, cases[i].deadline_ms);
		row.kind = cases[i].kind;
		SET(&row, attempts, cases[i].attempts);
		SET(&row, open, cases[i].open);
		struct row before = row;
		assert_int_equal(place_alone(place, &row), cases[i].to != 0);
		if (cases[i].to == 0)
			assert_memory_equal(&row, &before, sizeof row);
		else
			assert_int_equal(row.state, cases[i].to);
		assert_int_equal(row.code, cases[i].code);
		assert_int_equal(HAS(&row, provider), cases[i].to == JOB_PLACED && !cases[i].open);
	}
	clock_freeze(0);
	place_free(&place);
}

int
main(void)
{
#define T(name) cmocka_unit_test(name)
#define P(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(turns_follow_the_weights),
		T(one_that_joins_late_gets_no_burst),
		T(the_cheapest_is_chosen_and_equals_draw_by_the_work),
		T(the_tie_digest_is_the_published_one),
		T(each_chooser_of_the_settings_is_in_the_table),
		T(every_candidate_that_loses_has_a_reason),
		T(many_provers_are_asked_again_when_there_is_nobody_else),
		T(a_full_tier_overflows_into_the_next),
		T(the_next_attempt_is_made_elsewhere),
		T(without_elsewhere_an_accident_is_tried_again_but_a_judgement_is_not),
		T(a_provider_of_another_chain_is_not_able),
		T(wrong_tiers_are_refused),
		P(a_work_is_bought_in_one_group_that_names_its_rev),
		P(an_open_attempt_and_a_kept_proof_are_joined),
		P(the_last_slot_is_given_once_and_waits_for_the_next_news),
		P(a_refused_placement_gives_its_slot_back),
		P(a_ready_job_without_a_place_is_queued_once),
		P(a_job_is_given_up_when_its_attempts_or_its_time_are_used_up),
		P(room_is_a_total_and_silence_is_none),
		T(without_a_ledger_slots_are_given_round_after_round),
		T(without_a_ledger_the_moves_are_the_same),
	};

	return cmocka_run_group_tests_name("allocate", tests, NULL, NULL);
}
