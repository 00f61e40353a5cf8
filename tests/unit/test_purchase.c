/* test_purchase.c - one attempt and a provider, step by step.
 * uses: cmd/dispatch-exec */
#include "cmd/dispatch-exec/purchase.h"
#include "tests/unit/fake_books.h"

/* ---- the provider ---- */

struct fixture {
	struct books		 b;
	struct fake_row		*attempt;
	struct purchase_terms	 terms;
	struct purchase		*p;
	unsigned		 calls[PURCHASE_VERBS];
	uint64_t		 serial;
	char			 key[96];
	size_t			 room;
	uint64_t		 able;
	bool			 busy, dead;
};

static struct fixture f;	/* made by begin, freed by teardown */

static bool
note_call(void *arg, const struct purchase_call *c)
{
	if (f.busy)
		return false;
	f.calls[c->verb]++;
	f.serial = c->serial;
	snprintf(f.key, sizeof f.key, "%s", c->key);
	return true;
}

static bool
note_prove(void *arg, const struct purchase_call *c)
{
	assert_int_equal(c->row->state, ATTEMPT_SENDING);
	assert_true(f.busy || purchase_may_send(f.p, c->serial));
	return note_call(arg, c);
}

static size_t tell_room(void *arg) { return f.room; }
static uint64_t tell_able(void *arg, const struct row *row) { return f.able; }
static bool tell_dead(void *arg, struct span owner) { return f.dead; }

static const struct purchase_ops ops = {
	.prove = note_prove, .poll = note_call, .reconcile = note_call, .cancel = note_call,
	.room = tell_room, .able = tell_able, .dead = tell_dead,
};

static void act(void *p, struct held *h) { purchase_act(p, h); }
static void lose(void *p, struct held *h) { purchase_lose(p, h); }
static void reset(void *p) { purchase_reset(p); }

static void
start(void)
{
	f.b.core = f.p = purchase_new(&(struct purchase_opts){ .books = &f.b, .instance = "dispatch-exec.a", .ops = &ops });
	purchase_terms(f.p, &f.terms);
}

static void
end(void)
{
	fake_end(&f.b);
	purchase_free(&f.p);
}

static int
teardown(void **state)
{
	end();
	return 0;
}

/* An attempt that is not shown yet, and a provider that can be asked in this way. */
static void
begin(enum plugin_ask ask)
{
	end();
	clock_freeze(START_MS);
	f = (struct fixture){ .room = 1,
		.b = { .ops = { .act = act, .lose = lose, .reset = reset }, .last = { [ROW_ATTEMPT] = ATTEMPT_PROVING } },
		.terms = { .known = true, .ask = ask, .lag_ms = 500, .send_by_ms = 1000,
		    .prove_call_ms = 2000, .call_ms = 2000, .prove_ms = 60000, .poll_ms = 100 } };
	f.attempt = fake_attempt(&f.b, NULL, 0);
	start();
}

/* ---- what happens ---- */

static void
show(bool fresh)
{
	fake_show(&f.b, f.attempt, fresh);
}

static void
done(void)
{
	fake_turn(&f.b);
}

static void
pass(uint64_t ms)
{
	fake_pass(&f.b, ms);
}

/* The same, and the ledger answers at once. */
static void
run(uint64_t ms)
{
	for (uint64_t until = clock_ms() + ms; clock_ms() < until; ) {
		pass(10);
		done();
	}
}

static void
answer(enum reply_outcome outcome, const char *text)
{
	struct purchase_answer a = { .outcome = outcome, .handle = span_str(text), .proof = span_str(text) };

	if (outcome == REPLY_NO_ANSWER)
		a.code = CODE_PLUGIN_EXIT;
	purchase_answer(f.p, f.serial, &a);
}

/* A new process of the same name: it holds nothing and remembers nothing. */
static void
restart(void)
{
	fake_let_all_go(&f.b);
	purchase_free(&f.p);
	start();
}

/* ---- what is expected ---- */

/* Macros, so that a failure names the line of its test. */
#define called(verb, times)	assert_int_equal(f.calls[verb], times)
#define is_in(want)		assert_int_equal(f.attempt->row->state, want)
#define says(want)		assert_int_equal(f.attempt->row->code, want)
#define told(times)		assert_int_equal(f.b.facts, times)

static void
noted(const char *want)
{
	char note[256];

	purchase_note(f.p, note, sizeof note);
	assert_string_equal(note, want);
}

/* ---- as far as ... ---- */

/* Up to the call. */
static void
call(void)
{
	show(false);
	done();
	called(PURCHASE_PROVE, 1);
}

static void
begin_with(enum plugin_ask ask, enum purchase_unsure unsure, bool can_cancel)
{
	begin(ask);
	f.terms.when_unsure = unsure;
	f.terms.can_cancel = can_cancel;
	purchase_terms(f.p, &f.terms);
}

static void
begin_call(enum plugin_ask ask)
{
	begin(ask);
	call();
}

/* The call is over, and nobody knows what became of it. */
static void
begin_unsure(enum plugin_ask ask)
{
	begin_call(ask);
	answer(REPLY_NO_ANSWER, NULL);
}

static void
answer_handle(void)
{
	answer(REPLY_HANDLE, "h1");
	is_in(ATTEMPT_PROVING);
}

/* It is polled. */
static void
begin_polling(bool can_cancel)
{
	begin_with(PLUGIN_ASK_KEY, PURCHASE_WAIT, can_cancel);
	call();
	answer_handle();
	show(true);
	called(PURCHASE_POLL, 1);
	answer(REPLY_PROVING, NULL);
}

/* ---- tests ---- */

static void
the_call_waits_for_the_intent(void **s)
{
	begin(PLUGIN_ASK_KEY);
	show(false);
	called(PURCHASE_PROVE, 0);
	pass(300);
	called(PURCHASE_PROVE, 0);
	done();
	called(PURCHASE_PROVE, 1);
	is_in(ATTEMPT_SENDING);
	assert_true(span_is(f.attempt->row->owner, "dispatch-exec.a"));
	assert_int_equal(f.attempt->row->intent, 1);
	assert_int_equal(f.attempt->row->send_by_ms, START_MS + 1000);
	assert_string_equal(f.key, "main-7");
}

static void
a_proof_at_once_is_a_fact(void **s)
{
	begin_call(PLUGIN_ASK_KEY);
	answer(REPLY_PROVED, "proof");
	is_in(ATTEMPT_PROVED);
	assert_true(span_is(f.attempt->row->proof, "proof"));
	told(1);
}

static void
a_handle_leads_to_polling_and_a_proof(void **s)
{
	begin_polling(false);
	pass(150);
	called(PURCHASE_POLL, 2);
	answer(REPLY_NO_ANSWER, NULL);
	pass(1000);
	called(PURCHASE_POLL, 3);
	answer(REPLY_PROVED, "proof");
	is_in(ATTEMPT_PROVED);
	called(PURCHASE_PROVE, 1);
}

static void
a_late_done_means_no_call(void **s)
{
	begin(PLUGIN_ASK_KEY);
	show(false);
	pass(960);
	done();
	called(PURCHASE_PROVE, 0);
	done();
	is_in(ATTEMPT_ALLOCATED);
	says(CODE_SEND_BY_MISSED);
	pass(1000);
	done();
	called(PURCHASE_PROVE, 1);
}

static void
the_first_byte_may_not_leave_after_send_by_or_without_the_row(void **s)
{
	begin_call(PLUGIN_ASK_KEY);
	assert_true(purchase_may_send(f.p, f.serial));
	assert_false(purchase_may_send(f.p, f.serial + 1));
	clock_freeze(START_MS + 960);
	assert_false(purchase_may_send(f.p, f.serial));
	clock_freeze(START_MS);
	fake_let_go(&f.b, f.attempt);
	assert_false(purchase_may_send(f.p, f.serial));
}

static void
a_refusal_gives_it_back_and_too_many_fail_it(void **s)
{
	begin(PLUGIN_ASK_NONE);
	show(false);
	for (unsigned i = 1; i <= 5; i++) {
		run(10000);
		called(PURCHASE_PROVE, i);
		answer(REPLY_REFUSED, NULL);
		done();
		is_in(i < 5 ? ATTEMPT_ALLOCATED : ATTEMPT_FAILED);
		called(PURCHASE_PROVE, i);
	}
	says(CODE_PROVER_RETRY);
}

/* "Not now" to the second call says nothing of the first, which may still be on its way there. */
static void
refusals_do_not_fail_it_while_an_earlier_call_may_become_an_order(void **s)
{
	begin_unsure(PLUGIN_ASK_KEY);
	f.terms.lag_ms = 120000;
	purchase_terms(f.p, &f.terms);
	for (unsigned i = 2; i <= 8; i++) {
		unsigned before = f.calls[PURCHASE_PROVE];
		while (f.calls[PURCHASE_PROVE] == before)
			run(100);
		answer(REPLY_REFUSED, NULL);
		run(10);
		is_in(ATTEMPT_SENDING);
	}
	for (unsigned i = 0; i < 600 && f.attempt->row->state == ATTEMPT_SENDING; i++) {
		unsigned before = f.calls[PURCHASE_PROVE];
		run(1000);
		if (f.calls[PURCHASE_PROVE] != before)
			answer(REPLY_REFUSED, NULL);
	}
	done();
	is_in(ATTEMPT_FAILED);
	says(CODE_PROVER_RETRY);
}

static void
what_it_cannot_prove_fails(void **s)
{
	begin_call(PLUGIN_ASK_KEY);
	answer(REPLY_FAILED, NULL);
	done();
	is_in(ATTEMPT_FAILED);
	says(CODE_PROVER_FAILED);
	begin(PLUGIN_ASK_KEY);
	f.able = CODE_NOT_ABLE;
	show(false);
	done();
	done();
	is_in(ATTEMPT_FAILED);
	says(CODE_NOT_ABLE);
	called(PURCHASE_PROVE, 0);
}

static void
with_a_key_it_calls_again_behind_a_new_intent(void **s)
{
	begin_unsure(PLUGIN_ASK_KEY);
	called(PURCHASE_PROVE, 1);
	pass(1000);
	called(PURCHASE_PROVE, 1);
	done();
	called(PURCHASE_PROVE, 2);
	assert_int_equal(f.attempt->row->intent, 2);
	assert_string_equal(f.key, "main-7");
	answer_handle();
}

static void
a_second_call_that_is_not_made_does_not_give_it_back(void **s)
{
	begin_unsure(PLUGIN_ASK_KEY);
	f.busy = true;
	run(500);
	is_in(ATTEMPT_SENDING);
	f.busy = false;
	run(5000);
	called(PURCHASE_PROVE, 2);
	answer(REPLY_NOT_SENT, NULL);
	pass(100);
	is_in(ATTEMPT_SENDING);
}

static void
when_unsure_fail_ends_it_after_three_calls(void **s)
{
	begin_with(PLUGIN_ASK_KEY, PURCHASE_FAIL, false);
	show(false);
	for (int i = 0; i < 3; i++) {
		run(5000);
		answer(REPLY_NO_ANSWER, NULL);
	}
	run(5000);
	called(PURCHASE_PROVE, 3);
	is_in(ATTEMPT_FAILED);
	says(CODE_PLUGIN_EXIT);
}

static void
a_look_up_is_asked_only_when_settled(void **s)
{
	begin_call(PLUGIN_ASK_LOOKUP);
	pass(1500);
	answer(REPLY_NO_ANSWER, NULL);
	pass(2500);		/* send_by + call + lag is over, the own call's end + call + lag is not */
	called(PURCHASE_RECONCILE, 0);
	pass(200);
	called(PURCHASE_RECONCILE, 1);
	answer_handle();
	called(PURCHASE_PROVE, 1);
}

static void
unknown_to_the_look_up_is_sent_again(void **s)
{
	begin_unsure(PLUGIN_ASK_LOOKUP);
	pass(5000);
	answer(REPLY_UNKNOWN, NULL);
	done();
	is_in(ATTEMPT_ALLOCATED);
	says(CODE_NOT_THERE);
	pass(1000);
	done();
	called(PURCHASE_PROVE, 2);
}

static void
a_restarted_process_asks_and_does_not_call(void **s)
{
	begin_call(PLUGIN_ASK_LOOKUP);
	pass(10000);
	restart();
	show(false);
	called(PURCHASE_RECONCILE, 0);
	pass(2600);
	called(PURCHASE_RECONCILE, 1);
	answer(REPLY_UNKNOWN, NULL);
	done();
	is_in(ATTEMPT_ALLOCATED);
	called(PURCHASE_PROVE, 1);
}

static void
a_done_that_comes_to_another_epoch_is_no_permission(void **s)
{
	begin(PLUGIN_ASK_LOOKUP);
	show(false);
	fake_done_unheard(&f.b);	/* applied, but the answer is lost with the epoch */
	is_in(ATTEMPT_SENDING);
	fake_reset(&f.b);
	show(false);
	called(PURCHASE_PROVE, 0);
	pass(20000);
	called(PURCHASE_PROVE, 0);
	called(PURCHASE_RECONCILE, 1);
}

static void
with_nobody_to_ask_wait_leaves_it_to_the_operator(void **s)
{
	begin_unsure(PLUGIN_ASK_NONE);
	pass(100000);
	is_in(ATTEMPT_SENDING);
	called(PURCHASE_PROVE, 1);
	noted("1 waiting; attempt 7: unsure");
}

static void
with_nobody_to_ask_resend_sends_again_when_settled(void **s)
{
	begin_with(PLUGIN_ASK_NONE, PURCHASE_RESEND, false);
	call();
	answer(REPLY_NO_ANSWER, NULL);
	pass(2400);
	done();
	is_in(ATTEMPT_SENDING);
	pass(2000);
	done();
	is_in(ATTEMPT_ALLOCATED);
	says(CODE_UNSURE);
}

static void
an_answer_after_the_row_was_lost_is_told(void **s)
{
	begin_call(PLUGIN_ASK_NONE);
	fake_reset(&f.b);
	answer_handle();
	told(1);
	assert_string_equal(f.b.fact_handle, "h1");
}

static void
an_answer_after_no_answer_is_told_and_so_is_a_second_order(void **s)
{
	begin_unsure(PLUGIN_ASK_NONE);
	answer_handle();
	answer(REPLY_HANDLE, "h2");
	told(2);
	assert_string_equal(f.b.fact_handle, "h2");
	answer(REPLY_REFUSED, NULL);
	told(2);
}

static void
a_fact_that_was_refused_is_told_again(void **s)
{
	begin_call(PLUGIN_ASK_NONE);
	f.b.refuse_facts = true;
	answer(REPLY_PROVED, "proof");
	told(1);
	pass(5000);
	told(1);	/* not answered yet */
	done();
	f.b.refuse_facts = false;
	pass(1500);
	told(2);
	is_in(ATTEMPT_PROVED);
}

static void
another_instances_row_is_taken_over_only_where_the_provider_can_be_asked(void **s)
{
	static const struct { enum plugin_ask ask; bool dead; unsigned proves, reconciles; } cases[] = {
		{ PLUGIN_ASK_KEY, false, 1, 0 }, { PLUGIN_ASK_LOOKUP, false, 0, 0 },
		{ PLUGIN_ASK_LOOKUP, true, 0, 1 }, { PLUGIN_ASK_NONE, true, 0, 0 },
	};

	for (size_t i = 0; i < NELEM(cases); i++) {
		struct row set = { 0 };

		begin(cases[i].ask);
		f.dead = cases[i].dead;
		SET(&set, owner, SPAN("dispatch-exec.b"));
		SET(&set, intent, 1);
		SET(&set, send_by_ms, START_MS);
		fake_change(f.attempt, ATTEMPT_SENDING, 0, &set);
		show(false);
		pass(2400);
		done();
		assert_int_equal(f.b.asked, 0);
		run(2000);
		called(PURCHASE_RECONCILE, 0);	/* not as soon as it is dead */
		run(4000);
		called(PURCHASE_PROVE, cases[i].proves);
		called(PURCHASE_RECONCILE, cases[i].reconciles);
		assert_int_equal(span_is(f.attempt->row->owner, "dispatch-exec.a"), cases[i].proves + cases[i].reconciles);
	}
}

static void
what_takes_too_long_is_cancelled_by_an_answer_only(void **s)
{
	begin_polling(true);
	pass(62000);
	answer(REPLY_PROVING, NULL);
	called(PURCHASE_CANCEL, 1);
	answer(REPLY_NO_ANSWER, NULL);
	is_in(ATTEMPT_PROVING);
	pass(1000);
	answer(REPLY_PROVING, NULL);
	called(PURCHASE_CANCEL, 2);
	answer(REPLY_CANCELLED, NULL);
	done();
	is_in(ATTEMPT_FAILED);
	says(CODE_PROOF_TIMEOUT);
}

static void
without_cancel_the_time_ends_it(void **s)
{
	begin_polling(false);
	pass(62000);
	answer(REPLY_PROVING, NULL);
	done();
	says(CODE_PROOF_TIMEOUT);
}

static void
without_room_it_waits_and_goes_on_when_kicked(void **s)
{
	begin(PLUGIN_ASK_KEY);
	f.room = 0;
	show(false);
	pass(3000);
	assert_int_equal(f.b.asked, 0);
	f.room = 1;
	purchase_kick(f.p);
	assert_int_equal(f.b.asked, 1);
	purchase_kick(f.p);
	assert_int_equal(f.b.asked, 1);
}

static void
a_missing_input_keeps_it_allocated_and_says_so(void **s)
{
	begin(PLUGIN_ASK_KEY);
	f.able = CODE_BLOB_DAMAGED;
	show(false);
	pass(3000);
	is_in(ATTEMPT_ALLOCATED);
	noted("1 waiting; attempt 7: blob-damaged");
	f.able = CODE_OK;
	run(3000);
	called(PURCHASE_PROVE, 1);
}

static void
what_is_over_is_forgotten(void **s)
{
	begin_call(PLUGIN_ASK_KEY);
	assert_int_equal(purchase_calls(f.p), 1);
	answer(REPLY_PROVED, "proof");
	assert_int_equal(purchase_calls(f.p), 0);
	show(false);
	assert_false(f.attempt->has);
	answer(REPLY_PROVED, "proof");
	unsigned facts = f.b.facts;
	clock_freeze(START_MS + 3600000 + 60000);
	struct row other = *f.attempt->row;
	SET(&other, id, other.id + 1);
	fake_row(&f.b, &other, false);	/* sweeps */
	answer(REPLY_PROVED, "proof");
	told(facts);
}

#define T(name) cmocka_unit_test_teardown(name, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_call_waits_for_the_intent), T(a_proof_at_once_is_a_fact), T(a_handle_leads_to_polling_and_a_proof),
		T(a_late_done_means_no_call), T(the_first_byte_may_not_leave_after_send_by_or_without_the_row),
		T(a_refusal_gives_it_back_and_too_many_fail_it),
		T(refusals_do_not_fail_it_while_an_earlier_call_may_become_an_order), T(what_it_cannot_prove_fails),
		T(with_a_key_it_calls_again_behind_a_new_intent), T(a_second_call_that_is_not_made_does_not_give_it_back),
		T(when_unsure_fail_ends_it_after_three_calls), T(a_look_up_is_asked_only_when_settled),
		T(unknown_to_the_look_up_is_sent_again), T(a_restarted_process_asks_and_does_not_call),
		T(a_done_that_comes_to_another_epoch_is_no_permission), T(with_nobody_to_ask_wait_leaves_it_to_the_operator),
		T(with_nobody_to_ask_resend_sends_again_when_settled), T(an_answer_after_the_row_was_lost_is_told),
		T(an_answer_after_no_answer_is_told_and_so_is_a_second_order), T(a_fact_that_was_refused_is_told_again),
		T(another_instances_row_is_taken_over_only_where_the_provider_can_be_asked),
		T(what_takes_too_long_is_cancelled_by_an_answer_only), T(without_cancel_the_time_ends_it),
		T(without_room_it_waits_and_goes_on_when_kicked), T(a_missing_input_keeps_it_allocated_and_says_so),
		T(what_is_over_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
