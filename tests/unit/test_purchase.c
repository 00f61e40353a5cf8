/* test_purchase.c - one attempt and a provider, step by step.
 * uses: cmd/dispatch-exec */
#include "tests/unit/fakebooks.h"

enum { START_MS = 1000000 };

/* ---- the provider ---- */

struct fixture {
	struct books		 b;
	struct purchase_terms	 terms;
	struct purchase		*p;
	unsigned		 calls[PURCHASE_VERBS];
	uint64_t		 serial;
	char			 key[96];
	size_t			 room;
	uint64_t		 able;
	bool			 busy, dead;
	uint64_t		 now;
};

static bool
note_call(void *arg, const struct purchase_call *c)
{
	struct fixture *f = arg;

	if (f->busy)
		return false;
	f->calls[c->verb]++;
	f->serial = c->serial;
	snprintf(f->key, sizeof f->key, "%s", c->key);
	return true;
}

static bool
note_prove(void *arg, const struct purchase_call *c)
{
	struct fixture *f = arg;

	assert_int_equal(c->row->state, ATTEMPT_SENDING);
	assert_true(f->busy || purchase_may_send(f->p, c->serial));
	return note_call(arg, c);
}

static size_t
tell_room(void *arg)
{
	return ((struct fixture *)arg)->room;
}

static uint64_t
tell_able(void *arg, const struct row *row)
{
	return ((struct fixture *)arg)->able;
}

static bool
tell_dead(void *arg, struct span owner)
{
	return ((struct fixture *)arg)->dead;
}

static const struct purchase_ops ops = {
	.prove = note_prove, .poll = note_call, .reconcile = note_call, .cancel = note_call,
	.room = tell_room, .able = tell_able, .dead = tell_dead,
};

static void
start(struct fixture *f)
{
	f->p = f->b.p = purchase_new(&(struct purchase_opts){ .books = &f->b, .instance = "dispatch-exec.a", .ops = &ops, .arg = f });
	purchase_terms(f->p, &f->terms);
}

static void
begin(struct fixture *f, enum plugin_ask ask)
{
	*f = (struct fixture){ .room = 1, .now = START_MS };
	clock_freeze(f->now);
	f->terms = (struct purchase_terms){ .known = true, .ask = ask, .lag_ms = 500, .send_by_ms = 1000,
	    .prove_call_ms = 2000, .call_ms = 2000, .prove_ms = 60000, .poll_ms = 100 };
	f->b.row = fake_attempt(NULL, 0);
	start(f);
}

static void
end(struct fixture *f)
{
	fake_end(&f->b);
	purchase_free(&f->p);
	clock_freeze(0);
}

/* Time goes by, with the timers of books. */
static void
pass(struct fixture *f, uint64_t ms)
{
	for (uint64_t until = f->now + ms; f->now < until; ) {
		f->now = f->b.due_ms && f->b.due_ms < until ? MAX2(f->b.due_ms, f->now + 1) : until;
		clock_freeze(f->now);
		if (f->b.due_ms && f->now >= f->b.due_ms && f->b.has && !f->b.held.moving) {
			f->b.due_ms = 0;
			f->b.held.due = true;
			purchase_act(f->p, &f->b.held);
		}
	}
}

static void
answer(struct fixture *f, enum purchase_outcome outcome, const char *handle)
{
	struct purchase_answer a = { .outcome = outcome, .handle = span_str(handle), .proof = span_str(handle) };

	if (outcome == PURCHASE_NO_ANSWER)
		a.code = CODE_PLUGIN_EXIT;
	purchase_answer(f->p, f->serial, &a);
}

/* The same, and the ledger answers at once. */
static void
run(struct fixture *f, uint64_t ms)
{
	for (uint64_t until = f->now + ms; f->now < until; ) {
		pass(f, 10);
		done(&f->b);
	}
}

/* Up to the call. */
static void
call(struct fixture *f)
{
	show(&f->b, false);
	done(&f->b);
	assert_int_equal(f->calls[PURCHASE_PROVE], 1);
}

/* A new process of the same name: it holds nothing and remembers nothing. */
static void
restart(struct fixture *f)
{
	let_go(&f->b);
	free(f->b.asked);
	f->b.asked = NULL;
	purchase_free(&f->p);
	start(f);
}

static uint64_t
state(const struct fixture *f)
{
	return f->b.row->state;
}

/* ---- tests ---- */

static void
the_call_waits_for_the_intent(void **s)
{
	struct fixture f;

	begin(&f, PLUGIN_ASK_KEY);
	show(&f.b, false);
	assert_int_equal(f.calls[PURCHASE_PROVE], 0);
	pass(&f, 300);
	assert_int_equal(f.calls[PURCHASE_PROVE], 0);
	done(&f.b);
	assert_int_equal(f.calls[PURCHASE_PROVE], 1);
	assert_int_equal(state(&f), ATTEMPT_SENDING);
	assert_true(span_is(f.b.row->owner, "dispatch-exec.a"));
	assert_int_equal(f.b.row->intent, 1);
	assert_int_equal(f.b.row->send_by_ms, START_MS + 1000);
	assert_string_equal(f.key, "main-7");
	end(&f);
}

static void
a_proof_at_once_is_a_fact(void **s)
{
	struct fixture f;

	begin(&f, PLUGIN_ASK_KEY);
	call(&f);
	answer(&f, PURCHASE_PROVED, "proof");
	assert_int_equal(state(&f), ATTEMPT_PROVED);
	assert_true(span_is(f.b.row->proof, "proof"));
	assert_int_equal(f.b.facts, 1);
	end(&f);
}

static void
a_handle_leads_to_polling_and_a_proof(void **s)
{
	struct fixture f;

	begin(&f, PLUGIN_ASK_KEY);
	call(&f);
	answer(&f, PURCHASE_HANDLE, "h1");
	assert_int_equal(state(&f), ATTEMPT_PROVING);
	show(&f.b, true);
	assert_int_equal(f.calls[PURCHASE_POLL], 1);
	answer(&f, PURCHASE_PROVING, NULL);
	pass(&f, 150);
	assert_int_equal(f.calls[PURCHASE_POLL], 2);
	answer(&f, PURCHASE_NO_ANSWER, NULL);
	pass(&f, 1000);
	assert_int_equal(f.calls[PURCHASE_POLL], 3);
	answer(&f, PURCHASE_PROVED, "proof");
	assert_int_equal(state(&f), ATTEMPT_PROVED);
	assert_int_equal(f.calls[PURCHASE_PROVE], 1);
	end(&f);
}

static void
a_late_done_means_no_call(void **s)
{
	struct fixture f;

	begin(&f, PLUGIN_ASK_KEY);
	show(&f.b, false);
	pass(&f, 960);
	done(&f.b);
	assert_int_equal(f.calls[PURCHASE_PROVE], 0);
	done(&f.b);
	assert_int_equal(state(&f), ATTEMPT_ALLOCATED);
	assert_int_equal(f.b.row->code, CODE_SEND_BY_MISSED);
	pass(&f, 1000);
	done(&f.b);
	assert_int_equal(f.calls[PURCHASE_PROVE], 1);
	end(&f);
}

static void
the_first_byte_may_not_leave_after_send_by_or_without_the_row(void **s)
{
	struct fixture f;

	begin(&f, PLUGIN_ASK_KEY);
	call(&f);
	assert_true(purchase_may_send(f.p, f.serial));
	assert_false(purchase_may_send(f.p, f.serial + 1));
	clock_freeze(START_MS + 960);
	assert_false(purchase_may_send(f.p, f.serial));
	clock_freeze(START_MS);
	let_go(&f.b);
	assert_false(purchase_may_send(f.p, f.serial));
	end(&f);
}

static void
a_refusal_gives_it_back_and_too_many_fail_it(void **s)
{
	struct fixture f;

	begin(&f, PLUGIN_ASK_NONE);
	show(&f.b, false);
	for (unsigned i = 1; i <= 5; i++) {
		run(&f, 10000);
		assert_int_equal(f.calls[PURCHASE_PROVE], i);
		answer(&f, PURCHASE_REFUSED, NULL);
		done(&f.b);
		assert_int_equal(state(&f), i < 5 ? ATTEMPT_ALLOCATED : ATTEMPT_FAILED);
		assert_int_equal(f.calls[PURCHASE_PROVE], i);
	}
	assert_int_equal(f.b.row->code, CODE_PROVER_RETRY);
	end(&f);
}

static void
what_it_cannot_prove_fails(void **s)
{
	struct fixture f;

	begin(&f, PLUGIN_ASK_KEY);
	call(&f);
	answer(&f, PURCHASE_FAILED, NULL);
	done(&f.b);
	assert_int_equal(state(&f), ATTEMPT_FAILED);
	assert_int_equal(f.b.row->code, CODE_PROVER_FAILED);
	end(&f);
	begin(&f, PLUGIN_ASK_KEY);
	f.able = CODE_NOT_ABLE;
	show(&f.b, false);
	done(&f.b);
	done(&f.b);
	assert_int_equal(state(&f), ATTEMPT_FAILED);
	assert_int_equal(f.b.row->code, CODE_NOT_ABLE);
	assert_int_equal(f.calls[PURCHASE_PROVE], 0);
	end(&f);
}

static void
with_a_key_it_calls_again_behind_a_new_intent(void **s)
{
	struct fixture f;

	begin(&f, PLUGIN_ASK_KEY);
	call(&f);
	answer(&f, PURCHASE_NO_ANSWER, NULL);
	assert_int_equal(f.calls[PURCHASE_PROVE], 1);
	pass(&f, 1000);
	assert_int_equal(f.calls[PURCHASE_PROVE], 1);
	done(&f.b);
	assert_int_equal(f.calls[PURCHASE_PROVE], 2);
	assert_int_equal(f.b.row->intent, 2);
	assert_string_equal(f.key, "main-7");
	answer(&f, PURCHASE_HANDLE, "h1");
	assert_int_equal(state(&f), ATTEMPT_PROVING);
	end(&f);
}

static void
a_second_call_that_is_not_made_does_not_give_it_back(void **s)
{
	struct fixture f;

	begin(&f, PLUGIN_ASK_KEY);
	call(&f);
	answer(&f, PURCHASE_NO_ANSWER, NULL);
	f.busy = true;
	run(&f, 500);
	assert_int_equal(state(&f), ATTEMPT_SENDING);
	f.busy = false;
	run(&f, 5000);
	assert_int_equal(f.calls[PURCHASE_PROVE], 2);
	answer(&f, PURCHASE_NOT_SENT, NULL);
	pass(&f, 100);
	assert_int_equal(state(&f), ATTEMPT_SENDING);
	end(&f);
}

static void
when_unsure_fail_ends_it_after_three_calls(void **s)
{
	struct fixture f;

	begin(&f, PLUGIN_ASK_KEY);
	f.terms.when_unsure = PURCHASE_FAIL;
	purchase_terms(f.p, &f.terms);
	show(&f.b, false);
	for (int i = 0; i < 3; i++) {
		run(&f, 5000);
		answer(&f, PURCHASE_NO_ANSWER, NULL);
	}
	run(&f, 5000);
	assert_int_equal(f.calls[PURCHASE_PROVE], 3);
	assert_int_equal(state(&f), ATTEMPT_FAILED);
	assert_int_equal(f.b.row->code, CODE_PLUGIN_EXIT);
	end(&f);
}

static void
a_look_up_is_asked_only_when_settled(void **s)
{
	struct fixture f;

	begin(&f, PLUGIN_ASK_LOOKUP);
	call(&f);
	pass(&f, 1500);
	answer(&f, PURCHASE_NO_ANSWER, NULL);
	pass(&f, 2500);		/* send_by + call + lag is over, the own call's end + call + lag is not */
	assert_int_equal(f.calls[PURCHASE_RECONCILE], 0);
	pass(&f, 200);
	assert_int_equal(f.calls[PURCHASE_RECONCILE], 1);
	answer(&f, PURCHASE_HANDLE, "h1");
	assert_int_equal(state(&f), ATTEMPT_PROVING);
	assert_int_equal(f.calls[PURCHASE_PROVE], 1);
	end(&f);
}

static void
unknown_to_the_look_up_is_sent_again(void **s)
{
	struct fixture f;

	begin(&f, PLUGIN_ASK_LOOKUP);
	call(&f);
	answer(&f, PURCHASE_NO_ANSWER, NULL);
	pass(&f, 5000);
	answer(&f, PURCHASE_UNKNOWN, NULL);
	done(&f.b);
	assert_int_equal(state(&f), ATTEMPT_ALLOCATED);
	assert_int_equal(f.b.row->code, CODE_NOT_THERE);
	pass(&f, 1000);
	done(&f.b);
	assert_int_equal(f.calls[PURCHASE_PROVE], 2);
	end(&f);
}

static void
a_restarted_process_asks_and_does_not_call(void **s)
{
	struct fixture f;

	begin(&f, PLUGIN_ASK_LOOKUP);
	call(&f);
	pass(&f, 10000);
	restart(&f);
	show(&f.b, false);
	assert_int_equal(f.calls[PURCHASE_RECONCILE], 0);
	pass(&f, 2600);
	assert_int_equal(f.calls[PURCHASE_RECONCILE], 1);
	answer(&f, PURCHASE_UNKNOWN, NULL);
	done(&f.b);
	assert_int_equal(state(&f), ATTEMPT_ALLOCATED);
	assert_int_equal(f.calls[PURCHASE_PROVE], 1);
	end(&f);
}

static void
a_done_that_comes_to_another_epoch_is_no_permission(void **s)
{
	struct fixture f;

	begin(&f, PLUGIN_ASK_LOOKUP);
	show(&f.b, false);
	done(&(struct books){ .p = f.p });	/* nothing of ours */
	change(&f.b, ATTEMPT_SENDING, 0, f.b.asked);	/* applied, but the answer is lost with the epoch */
	free(f.b.asked);
	f.b.asked = NULL;
	let_go(&f.b);
	purchase_reset(f.p);
	show(&f.b, false);
	assert_int_equal(f.calls[PURCHASE_PROVE], 0);
	pass(&f, 20000);
	assert_int_equal(f.calls[PURCHASE_PROVE], 0);
	assert_int_equal(f.calls[PURCHASE_RECONCILE], 1);
	end(&f);
}

static void
with_nobody_to_ask_wait_leaves_it_to_the_operator(void **s)
{
	struct fixture f;
	char note[256];

	begin(&f, PLUGIN_ASK_NONE);
	call(&f);
	answer(&f, PURCHASE_NO_ANSWER, NULL);
	pass(&f, 100000);
	assert_int_equal(state(&f), ATTEMPT_SENDING);
	assert_int_equal(f.calls[PURCHASE_PROVE], 1);
	purchase_note(f.p, note, sizeof note);
	assert_string_equal(note, "1 waiting; attempt 7: unsure");
	end(&f);
}

static void
with_nobody_to_ask_resend_sends_again_when_settled(void **s)
{
	struct fixture f;

	begin(&f, PLUGIN_ASK_NONE);
	f.terms.when_unsure = PURCHASE_RESEND;
	purchase_terms(f.p, &f.terms);
	call(&f);
	answer(&f, PURCHASE_NO_ANSWER, NULL);
	pass(&f, 2400);
	done(&f.b);
	assert_int_equal(state(&f), ATTEMPT_SENDING);
	pass(&f, 2000);
	done(&f.b);
	assert_int_equal(state(&f), ATTEMPT_ALLOCATED);
	assert_int_equal(f.b.row->code, CODE_UNSURE);
	end(&f);
}

static void
an_answer_after_the_row_was_lost_is_told(void **s)
{
	struct fixture f;

	begin(&f, PLUGIN_ASK_NONE);
	call(&f);
	let_go(&f.b);
	purchase_reset(f.p);
	answer(&f, PURCHASE_HANDLE, "h1");
	assert_int_equal(f.b.facts, 1);
	assert_int_equal(state(&f), ATTEMPT_PROVING);
	assert_string_equal(f.b.fact_handle, "h1");
	end(&f);
}

static void
an_answer_after_no_answer_is_told_and_so_is_a_second_order(void **s)
{
	struct fixture f;

	begin(&f, PLUGIN_ASK_NONE);
	call(&f);
	answer(&f, PURCHASE_NO_ANSWER, NULL);
	answer(&f, PURCHASE_HANDLE, "h1");
	assert_int_equal(state(&f), ATTEMPT_PROVING);
	answer(&f, PURCHASE_HANDLE, "h2");
	assert_int_equal(f.b.facts, 2);
	assert_string_equal(f.b.fact_handle, "h2");
	answer(&f, PURCHASE_REFUSED, NULL);
	assert_int_equal(f.b.facts, 2);
	end(&f);
}

static void
a_fact_that_was_refused_is_told_again(void **s)
{
	struct fixture f;

	begin(&f, PLUGIN_ASK_NONE);
	call(&f);
	f.b.refuse_facts = true;
	answer(&f, PURCHASE_PROVED, "proof");
	assert_int_equal(f.b.facts, 1);
	pass(&f, 5000);
	assert_int_equal(f.b.facts, 1);	/* not answered yet */
	done(&f.b);
	f.b.refuse_facts = false;
	pass(&f, 1500);
	assert_int_equal(f.b.facts, 2);
	assert_int_equal(state(&f), ATTEMPT_PROVED);
	end(&f);
}

static void
another_instances_row_is_taken_over_only_where_the_provider_can_be_asked(void **s)
{
	static const struct { enum plugin_ask ask; bool dead; unsigned proves, reconciles; } cases[] = {
		{ PLUGIN_ASK_KEY, false, 1, 0 }, { PLUGIN_ASK_LOOKUP, false, 0, 0 },
		{ PLUGIN_ASK_LOOKUP, true, 0, 1 }, { PLUGIN_ASK_NONE, true, 0, 0 },
	};
	struct fixture f;

	for (size_t i = 0; i < NELEM(cases); i++) {
		struct row set = { 0 };

		begin(&f, cases[i].ask);
		f.dead = cases[i].dead;
		SET(&set, owner, SPAN("dispatch-exec.b"));
		SET(&set, intent, 1);
		SET(&set, send_by_ms, START_MS);
		change(&f.b, ATTEMPT_SENDING, 0, &set);
		show(&f.b, false);
		pass(&f, 2400);
		done(&f.b);
		assert_int_equal(f.b.steps, 0);
		run(&f, 2000);
		assert_int_equal(f.calls[PURCHASE_RECONCILE], 0);	/* not as soon as it is dead */
		run(&f, 4000);
		assert_int_equal(f.calls[PURCHASE_PROVE], cases[i].proves);
		assert_int_equal(f.calls[PURCHASE_RECONCILE], cases[i].reconciles);
		assert_int_equal(span_is(f.b.row->owner, "dispatch-exec.a"), cases[i].proves + cases[i].reconciles);
		end(&f);
	}
}

static void
what_takes_too_long_is_cancelled_by_an_answer_only(void **s)
{
	struct fixture f;

	begin(&f, PLUGIN_ASK_KEY);
	f.terms.can_cancel = true;
	purchase_terms(f.p, &f.terms);
	call(&f);
	answer(&f, PURCHASE_HANDLE, "h1");
	show(&f.b, true);
	answer(&f, PURCHASE_PROVING, NULL);
	pass(&f, 62000);
	answer(&f, PURCHASE_PROVING, NULL);
	assert_int_equal(f.calls[PURCHASE_CANCEL], 1);
	answer(&f, PURCHASE_NO_ANSWER, NULL);
	assert_int_equal(state(&f), ATTEMPT_PROVING);
	pass(&f, 1000);
	answer(&f, PURCHASE_PROVING, NULL);
	assert_int_equal(f.calls[PURCHASE_CANCEL], 2);
	answer(&f, PURCHASE_CANCELLED, NULL);
	done(&f.b);
	assert_int_equal(state(&f), ATTEMPT_FAILED);
	assert_int_equal(f.b.row->code, CODE_PROOF_TIMEOUT);
	end(&f);
}

static void
without_cancel_the_time_ends_it(void **s)
{
	struct fixture f;

	begin(&f, PLUGIN_ASK_KEY);
	call(&f);
	answer(&f, PURCHASE_HANDLE, "h1");
	show(&f.b, true);
	answer(&f, PURCHASE_PROVING, NULL);
	pass(&f, 62000);
	answer(&f, PURCHASE_PROVING, NULL);
	done(&f.b);
	assert_int_equal(f.b.row->code, CODE_PROOF_TIMEOUT);
	end(&f);
}

static void
without_room_it_waits_and_goes_on_when_kicked(void **s)
{
	struct fixture f;

	begin(&f, PLUGIN_ASK_KEY);
	f.room = 0;
	show(&f.b, false);
	pass(&f, 3000);
	assert_int_equal(f.b.steps, 0);
	f.room = 1;
	purchase_kick(f.p);
	assert_int_equal(f.b.steps, 1);
	purchase_kick(f.p);
	assert_int_equal(f.b.steps, 1);
	end(&f);
}

static void
a_missing_input_keeps_it_allocated_and_says_so(void **s)
{
	struct fixture f;
	char note[256];

	begin(&f, PLUGIN_ASK_KEY);
	f.able = CODE_BLOB_DAMAGED;
	show(&f.b, false);
	pass(&f, 3000);
	assert_int_equal(state(&f), ATTEMPT_ALLOCATED);
	purchase_note(f.p, note, sizeof note);
	assert_string_equal(note, "1 waiting; attempt 7: blob-damaged");
	f.able = CODE_OK;
	run(&f, 3000);
	assert_int_equal(f.calls[PURCHASE_PROVE], 1);
	end(&f);
}

static void
what_is_over_is_forgotten(void **s)
{
	struct fixture f;

	begin(&f, PLUGIN_ASK_KEY);
	call(&f);
	assert_int_equal(purchase_calls(f.p), 1);
	answer(&f, PURCHASE_PROVED, "proof");
	assert_int_equal(purchase_calls(f.p), 0);
	show(&f.b, false);
	assert_false(f.b.has);
	answer(&f, PURCHASE_PROVED, "proof");
	unsigned facts = f.b.facts;
	clock_freeze(START_MS + 3600000 + 60000);
	f.b.blind = true;
	show(&f.b, false);	/* sweeps */
	answer(&f, PURCHASE_PROVED, "proof");
	assert_int_equal(f.b.facts, facts);
	end(&f);
}

#define T(name) cmocka_unit_test(name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_call_waits_for_the_intent), T(a_proof_at_once_is_a_fact), T(a_handle_leads_to_polling_and_a_proof),
		T(a_late_done_means_no_call), T(the_first_byte_may_not_leave_after_send_by_or_without_the_row),
		T(a_refusal_gives_it_back_and_too_many_fail_it), T(what_it_cannot_prove_fails),
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
