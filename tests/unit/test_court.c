/* test_court.c - provers that ask, attempts that are there, and what becomes of both, step by step.
 * uses: cmd/dispatch-coordinator */
#include "cmd/dispatch-coordinator/court.h"
#include "tests/unit/fake_books.h"

enum { HOLD_MS = 10000, TAKE_MS = 45000, PROVE_MS = 3600000, ANSWER_MS = 10000, REQUESTS = 64, A = 11, B = 12, C = 13 };

#define CHUNK	(UINT64_C(1) << TYPE_CHUNK)
#define BATCH	(UINT64_C(1) << TYPE_BATCH)

/* ---- provers ---- */

enum said { NOTHING, GIVEN, IDLE, TAKEN, ASSIGNED, UNKNOWN, AWAY, LEFT };

/* A request, and the one thing that it has heard. */
struct request {
	char		 key[16];
	enum said	 said;
	uint64_t	 attempt, at_ms;
	char		 uuid[40];
};

struct fixture {
	struct books	 b;
	struct court	*c;
	struct request	 requests[REQUESTS];
	size_t		 nrequests;
	uint64_t	 work;		/* of the attempts to come; 0: each has its own */
};

static struct fixture f;	/* made by begin, freed by teardown */

static struct request *
hear(void *request, enum said said)
{
	struct request *r = request;

	assert_int_equal(r->said, NOTHING);
	r->said = said;
	r->at_ms = clock_ms();
	return r;
}

static void
on_give(void *arg, void *request, const struct row *attempt, const char *uuid)
{
	struct request *r = hear(request, GIVEN);
	const struct fake_row *row = fake_find(&f.b, ROW_ATTEMPT, attempt->id);

	assert_true(row->row->state == ATTEMPT_PROVING && span_is(row->row->handle, r->key));	/* durably */
	r->attempt = attempt->id;
	snprintf(r->uuid, sizeof r->uuid, "%s", uuid);
}

static void on_idle(void *arg, void *request) { hear(request, IDLE); }
static void on_taken(void *arg, void *request) { hear(request, TAKEN); }

static void
on_refuse(void *arg, void *request, enum court_no no)
{
	hear(request, no == COURT_ASSIGNED ? ASSIGNED : no == COURT_UNKNOWN ? UNKNOWN : AWAY);
}

static const struct court_ops ops = { .give = on_give, .idle = on_idle, .taken = on_taken, .refuse = on_refuse };

static void act(void *c, struct held *h) { court_act(c, h); }
static void lose(void *c, struct held *h) { court_lose(c, h); }
static void answer(void *c, uint64_t token, uint64_t code, const struct row *first) { court_answer(c, token, code, first); }
static void reset(void *c) { court_reset(c); }

static void
start(void)
{
	struct court_opts o = { .books = &f.b, .ops = &ops, .secret = SPAN("secret"), .provider = "farm",
	    .types = CHUNK | BATCH, .price = { [TYPE_CHUNK] = 5 }, .hold_ms = HOLD_MS, .take_ms = TAKE_MS, .prove_ms = PROVE_MS };

	f.b.core = f.c = court_new(&o);
}

static void
end(void)
{
	fake_end(&f.b);
	court_free(&f.c);
}

static int
teardown(void **state)
{
	end();
	return 0;
}

static int
begin(void **state)
{
	clock_freeze(START_MS);
	f = (struct fixture){ .b = { .ops = { .act = act, .lose = lose, .answer = answer, .reset = reset },
	    .last = { [ROW_ATTEMPT] = ATTEMPT_PROVING } } };
	start();
	court_turn(f.c);
	return 0;
}

static struct request *
new_request(const char *key)
{
	struct request *r = &f.requests[f.nrequests++];

	assert_true(f.nrequests <= REQUESTS);
	*r = (struct request){ .said = NOTHING };
	snprintf(r->key, sizeof r->key, "%s", key);
	return r;
}

static struct request *
ask_for(const char *key, uint64_t types, const char *forks, const char *task)
{
	struct request *r = new_request(key);
	struct court_want w = { .key = span_str(r->key), .forks = span_str(forks), .task = span_str(task), .types = types };

	court_ask(f.c, &w, r);
	court_turn(f.c);
	return r;
}

static struct request *
ask(const char *key)
{
	return ask_for(key, CHUNK, "", "");
}

static void
leave(struct request *r)
{
	r->said = LEFT;
	court_gone(f.c, span_str(r->key), r);
	court_turn(f.c);
}

static struct request *
bring_one(const char *key, uint64_t attempt, uint8_t first)
{
	struct request *r = new_request(key);
	struct row set = { 0 };
	uint8_t hash[HASH_BYTES] = { first };

	SET(&set, proof, SPAN("proof"));
	ROW_HASH(&set, proof_blob, hash);
	SET(&set, proof_bytes, 5);
	court_proof(f.c, attempt, &set, r);
	court_turn(f.c);
	return r;
}

static struct request *
bring(const char *key, uint64_t attempt)
{
	return bring_one(key, attempt, 3);
}

static struct request *
report(const char *key, uint64_t attempt)
{
	struct request *r = new_request(key);
	struct row set = { 0 };

	SET(&set, detail, SPAN("out of memory"));
	court_failure(f.c, attempt, &set, r);
	court_turn(f.c);
	return r;
}

/* ---- attempts ---- */

static void
put_row(uint64_t id, uint64_t type, uint64_t state, const char *handle, const char *fork, const char *task)
{
	struct row r = { 0 };

	SET(&r, kind, ROW_ATTEMPT);
	SET(&r, id, id);
	SET(&r, work, f.work ? f.work : id);
	SET(&r, rev, state == ATTEMPT_ALLOCATED ? 1 : 2);
	SET(&r, state, state);
	SET(&r, type, type);
	SET(&r, fork, span_str(fork));
	SET(&r, task, span_str(task));
	if (*handle) {
		SET(&r, handle, span_str(handle));
		SET(&r, begun_ms, clock_wall_ms());
	}
	fake_put(&f.b, &r);
}

static struct fake_row *
row_of(uint64_t id)
{
	return fake_find(&f.b, ROW_ATTEMPT, id);
}

static void
show(uint64_t id, bool fresh)
{
	fake_show(&f.b, row_of(id), fresh);
	court_turn(f.c);
}

/* One that waits for a prover. */
static void
allocate(uint64_t id, uint64_t type)
{
	put_row(id, type, ATTEMPT_ALLOCATED, "", "darwin", "0x1");
	show(id, false);
}

/* One that a prover has, by the rows alone. */
static void
known(uint64_t id, uint64_t type, const char *key)
{
	put_row(id, type, ATTEMPT_PROVING, key, "darwin", "0x1");
	show(id, false);
}

static void
done(void)
{
	fake_turn(&f.b);
	court_turn(f.c);
}

/* As long as it takes: timers, the court's turns, and the ledger's where it answers. */
static void
run(uint64_t ms, bool answers)
{
	for (uint64_t until = clock_ms() + ms; clock_ms() < until; ) {
		fake_pass(&f.b, 100);
		court_turn(f.c);
		while (answers && (f.b.nmoves || f.b.nopen_facts))
			done();
	}
}

static void
begin_epoch(void)
{
	f.b.not_told = true;
	fake_reset(&f.b);
	court_turn(f.c);
}

static void
told_all(void)
{
	f.b.not_told = false;
	court_turn(f.c);
}

/* ---- what is looked at ---- */

static void
heard(const struct request *r, enum said said)
{
	assert_int_equal(r->said, said);
}

static void
was_given(const struct request *r, uint64_t attempt)
{
	heard(r, GIVEN);
	assert_int_equal(r->attempt, attempt);
	assert_int_equal(court_attempt(f.c, span_str(r->key), span_str(r->uuid)), attempt);
	assert_int_equal(court_attempt(f.c, SPAN("somebody"), span_str(r->uuid)), 0);
}

static void
is_in(uint64_t id, uint64_t state)
{
	assert_int_equal(row_of(id)->row->state, state);
}

static void
ended(uint64_t id, uint64_t state, uint64_t code)
{
	is_in(id, state);
	assert_int_equal(row_of(id)->row->code, code);
}

static struct tick
levels(void)
{
	struct tick t;

	memset(&t, 0, sizeof t);
	court_levels(f.c, &t);
	assert_string_equal(t.provider, "farm");
	assert_int_equal(t.price[TYPE_CHUNK], 5);
	return t;
}

/* Its prover has been told. */
static struct request *
hand_out(const char *key, uint64_t id)
{
	allocate(id, TYPE_CHUNK);
	struct request *r = ask(key);
	done();
	was_given(r, id);
	return r;
}

/* ---- asking ---- */

static void
a_prover_is_held_until_there_is_work_or_the_time_is_over(void **state)
{
	struct request *r = ask("p");

	run(HOLD_MS - 100, true);
	heard(r, NOTHING);
	run(200, true);
	heard(r, IDLE);
	assert_in_range(r->at_ms, START_MS + HOLD_MS, START_MS + HOLD_MS + 100);
	r = ask("p");
	allocate(A, TYPE_CHUNK);
	heard(r, NOTHING);
	done();
	was_given(r, A);
}

static void
the_turn_says_when_it_wants_to_be_called(void **state)
{
	assert_int_equal(court_turn(f.c), UINT64_MAX);
	hand_out("q", A);
	run(1000, true);
	bring("q", A);
	assert_int_equal(court_turn(f.c), START_MS + 1000 + ANSWER_MS);
	run(1000, false);
	ask("p");
	assert_int_equal(court_turn(f.c), START_MS + 1000 + ANSWER_MS);
	done();
	assert_int_equal(court_turn(f.c), START_MS + 2000 + HOLD_MS);
}

static void
the_task_is_given_when_it_is_durably_the_provers(void **state)
{
	allocate(A, TYPE_CHUNK);
	struct request *r = ask("p");

	assert_int_equal(f.b.nmoves, 1);
	heard(r, NOTHING);
	is_in(A, ATTEMPT_ALLOCATED);
	done();
	was_given(r, A);
	assert_true(span_is(row_of(A)->row->handle, "p"));
	assert_int_equal(row_of(A)->row->begun_ms, clock_wall_ms());
}

static void
the_oldest_attempt_goes_first(void **state)
{
	allocate(B, TYPE_CHUNK);
	allocate(A, TYPE_CHUNK);
	struct request *p = ask("p"), *q = ask("q");

	done();
	done();
	was_given(p, A);
	was_given(q, B);
}

static void
the_prover_that_waits_longest_is_served_first(void **state)
{
	struct request *p = ask("p"), *q = ask("q"), *s = ask("s");

	leave(q);
	allocate(A, TYPE_CHUNK);
	allocate(B, TYPE_CHUNK);
	done();
	done();
	was_given(p, A);
	was_given(s, B);
	heard(q, LEFT);
}

static void
who_asks_again_waits_anew_and_the_older_request_is_idle(void **state)
{
	struct request *first = ask("p"), *other = ask("q"), *again = ask("p");

	heard(first, IDLE);
	allocate(A, TYPE_CHUNK);
	done();
	was_given(other, A);
	allocate(B, TYPE_CHUNK);
	done();
	was_given(again, B);
}

static void
only_what_was_asked_for_is_given(void **state)
{
	allocate(A, TYPE_BATCH);
	struct request *chunk = ask("p"), *none = ask_for("q", UINT64_C(1) << TYPE_BUNDLE, "", ""), *both;

	assert_int_equal(f.b.nmoves, 0);
	both = ask_for("s", CHUNK | BATCH, "", "");
	done();
	was_given(both, A);
	allocate(B, TYPE_BUNDLE);		/* the provider does not take those */
	assert_int_equal(f.b.nmoves, 0);
	heard(chunk, NOTHING);
	heard(none, NOTHING);
}

static void
forks_are_compared_as_words_in_any_case(void **state)
{
	put_row(A, TYPE_CHUNK, ATTEMPT_ALLOCATED, "", "darwinV2", "0x1");
	show(A, false);
	struct request *old = ask_for("p", CHUNK, "darwin,curie", "");

	ask_for("q", CHUNK, "darwinV22,V2,", "");
	assert_int_equal(f.b.nmoves, 0);
	struct request *new = ask_for("s", CHUNK, "curie,DARWINv2", "");
	done();
	was_given(new, A);
	put_row(B, TYPE_CHUNK, ATTEMPT_ALLOCATED, "", "", "0x1");	/* its fork is not known: anybody's */
	show(B, false);
	done();
	was_given(old, B);
}

static void
one_that_names_a_task_gets_that_one(void **state)
{
	put_row(A, TYPE_CHUNK, ATTEMPT_ALLOCATED, "", "", "0xaa");
	put_row(B, TYPE_CHUNK, ATTEMPT_ALLOCATED, "", "", "0xbb");
	show(A, false);
	struct request *r = ask_for("p", CHUNK, "", "0xbb");
	assert_int_equal(f.b.nmoves, 0);
	show(B, false);
	done();
	was_given(r, B);
}

static void
a_prover_has_one_task_at_a_time(void **state)
{
	struct request *first = hand_out("p", A);
	allocate(B, TYPE_CHUNK);
	struct request *again = ask("p");

	was_given(again, A);
	assert_string_equal(again->uuid, first->uuid);
	assert_int_equal(f.b.nmoves, 0);
	heard(ask_for("p", BATCH, "", ""), ASSIGNED);
	bring("p", A);
	done();
	struct request *next = ask("p");
	done();
	was_given(next, B);
	assert_string_not_equal(next->uuid, first->uuid);
}

static void
asking_while_the_move_is_under_way_waits_for_it(void **state)
{
	allocate(A, TYPE_CHUNK);
	allocate(B, TYPE_CHUNK);
	struct request *first = ask("p"), *again = ask("p");

	heard(first, IDLE);
	assert_int_equal(f.b.nmoves, 1);
	done();
	was_given(again, A);
	is_in(B, ATTEMPT_ALLOCATED);
}

/* ---- going away ---- */

static void
a_prover_that_went_before_the_move_is_given_nothing(void **state)
{
	struct request *r = ask("p");

	leave(r);
	allocate(A, TYPE_CHUNK);
	assert_int_equal(f.b.nmoves, 0);
	run(500, true);
	is_in(A, ATTEMPT_ALLOCATED);
}

static void
a_prover_that_went_after_the_move_finds_its_task_when_it_is_back(void **state)
{
	allocate(A, TYPE_CHUNK);
	struct request *r = ask("p");

	leave(r);
	done();
	is_in(A, ATTEMPT_PROVING);
	struct request *q = ask("q");
	run(2000, true);
	heard(q, NOTHING);		/* it is not for another */
	was_given(ask("p"), A);
	run(2 * TAKE_MS, true);
	is_in(A, ATTEMPT_PROVING);	/* it was told: the time to prove counts now */
}

static void
a_prover_whose_hold_ends_during_the_move_waits_for_it(void **state)
{
	struct request *r = ask("p"), *q = ask_for("q", BATCH, "", "");

	run(HOLD_MS - 100, true);
	allocate(A, TYPE_CHUNK);
	run(200, false);
	heard(q, IDLE);				/* nothing was on its way to that one */
	heard(r, NOTHING);
	done();
	was_given(r, A);
}

static void
a_prover_whose_move_is_not_answered_is_idle_in_the_end_and_finds_its_task(void **state)
{
	struct request *r = ask("p");

	allocate(A, TYPE_CHUNK);
	run(HOLD_MS + ANSWER_MS - 100, false);
	heard(r, NOTHING);
	run(200, false);
	heard(r, IDLE);
	done();
	is_in(A, ATTEMPT_PROVING);
	was_given(ask("p"), A);
}

static void
a_task_that_nobody_was_told_of_fails_when_its_time_to_be_taken_is_over(void **state)
{
	allocate(A, TYPE_CHUNK);
	leave(ask("p"));
	done();
	run(TAKE_MS - 200, true);
	is_in(A, ATTEMPT_PROVING);
	run(1500, true);
	ended(A, ATTEMPT_FAILED, CODE_NO_TAKER);
}

static void
an_attempt_without_a_prover_is_cancelled_in_time(void **state)
{
	allocate(A, TYPE_CHUNK);
	run(TAKE_MS - 200, true);
	is_in(A, ATTEMPT_ALLOCATED);
	run(400, true);
	ended(A, ATTEMPT_CANCELLED, CODE_NO_TAKER);
	assert_true(clock_ms() <= START_MS + TAKE_MS + 300);
}

/* ---- the ledger says no, or nothing ---- */

static void
a_move_that_was_refused_is_tried_again(void **state)
{
	allocate(A, TYPE_CHUNK);
	struct request *r = ask("p");

	fake_done(&f.b, CODE_STORE);
	court_turn(f.c);
	heard(r, NOTHING);
	run(FAKE_RETRY_MS + 100, true);
	was_given(r, A);
}

static void
a_move_that_was_refused_frees_a_prover_that_has_gone(void **state)
{
	allocate(A, TYPE_CHUNK);
	leave(ask("p"));
	fake_done(&f.b, CODE_STORE);
	struct request *q = ask("q");
	run(FAKE_RETRY_MS + 100, true);
	was_given(q, A);
}

static void
an_attempt_that_went_elsewhere_meanwhile_leaves_its_prover_to_another(void **state)
{
	allocate(A, TYPE_CHUNK);
	struct request *r = ask("p");

	allocate(B, TYPE_CHUNK);
	fake_change(row_of(A), ATTEMPT_CANCELLED, CODE_LATE, NULL);
	done();
	heard(r, NOTHING);
	run(1100, true);
	was_given(r, B);
}

static void
an_attempt_that_is_anothers_already_is_given_to_that_one_only(void **state)
{
	struct row set = { 0 };

	allocate(A, TYPE_CHUNK);
	struct request *p = ask("p");
	SET(&set, handle, SPAN("q"));
	SET(&set, begun_ms, clock_wall_ms());
	fake_change(row_of(A), ATTEMPT_PROVING, CODE_OK, &set);
	done();
	heard(p, NOTHING);
	was_given(ask("q"), A);
	allocate(B, TYPE_CHUNK);
	done();
	was_given(p, B);
}

static void
a_lost_answer_gives_the_same_task_after_the_reset(void **state)
{
	allocate(A, TYPE_CHUNK);
	allocate(B, TYPE_CHUNK);
	struct request *r = ask("p");

	fake_done_unheard(&f.b);
	begin_epoch();
	heard(r, NOTHING);
	show(B, false);
	assert_int_equal(f.b.nmoves, 0);	/* who has what is not known yet */
	show(A, false);
	was_given(r, A);
	told_all();
	assert_int_equal(f.b.nmoves, 0);
}

/* ---- who has what ---- */

static void
the_same_task_and_uuid_again_after_a_reset_and_after_a_restart(void **state)
{
	struct request *first = hand_out("p", A), *again;

	begin_epoch();
	show(A, false);
	told_all();
	again = ask("p");
	was_given(again, A);
	assert_string_equal(again->uuid, first->uuid);

	fake_let_all_go(&f.b);			/* another process */
	court_free(&f.c);
	start();
	f.b.not_told = true;
	show(A, false);
	again = ask("p");
	was_given(again, A);			/* what it has is known, whatever else may come */
	told_all();
	assert_string_equal(again->uuid, first->uuid);
}

static void
nobody_is_served_before_all_rows_are_known(void **state)
{
	begin_epoch();
	struct request *p = ask("p"), *q = ask("q");

	allocate(A, TYPE_CHUNK);
	run(2000, true);
	heard(p, NOTHING);
	known(B, TYPE_CHUNK, "p");
	was_given(p, B);
	told_all();
	done();
	was_given(q, A);
}

static void
those_that_waited_for_the_rows_are_served_the_longest_first(void **state)
{
	begin_epoch();
	struct request *p = ask("p"), *q = ask("q");

	allocate(A, TYPE_CHUNK);
	allocate(B, TYPE_CHUNK);
	told_all();
	done();
	done();
	was_given(p, A);
	was_given(q, B);
}

static void
of_two_tasks_of_one_prover_the_second_comes_after_the_first(void **state)
{
	known(A, TYPE_CHUNK, "p");
	known(B, TYPE_CHUNK, "p");
	was_given(ask("p"), A);
	bring("p", A);
	done();
	was_given(ask("p"), B);
}

static void
one_that_is_being_ended_is_not_given(void **state)
{
	known(A, TYPE_CHUNK, "p");
	known(B, TYPE_CHUNK, "p");
	run(PROVE_MS - 500, true);
	run(1500, false);			/* both are being failed */
	assert_int_equal(f.b.nmoves, 2);
	fake_done(&f.b, CODE_OK);
	court_turn(f.c);
	struct request *r = ask("p");
	heard(r, NOTHING);
	allocate(C, TYPE_CHUNK);
	done();
	run(1100, true);
	was_given(r, C);
}

/* ---- time to prove ---- */

static void
what_is_not_proved_in_time_has_failed(void **state)
{
	hand_out("p", A);
	run(PROVE_MS - 200, true);
	is_in(A, ATTEMPT_PROVING);
	run(1500, true);
	ended(A, ATTEMPT_FAILED, CODE_PROOF_TIMEOUT);
	allocate(B, TYPE_CHUNK);
	struct request *r = ask("p");
	done();
	was_given(r, B);
}

static void
it_does_not_fail_while_its_proof_is_on_its_way(void **state)
{
	hand_out("p", A);
	run(PROVE_MS - 200, true);
	struct request *r = bring("p", A);
	f.b.refuse_facts = false;
	run(5000, false);
	assert_int_equal(f.b.nmoves, 0);
	done();
	heard(r, TAKEN);
	is_in(A, ATTEMPT_PROVED);
}

/* The prover says that it cannot: the work comes again, and others are asked first. */
static void
a_work_that_came_to_nothing_goes_to_another_prover_first(void **state)
{
	f.work = 7;
	hand_out("p", A);
	struct request *sorry = report("p", A), *r = ask("p");
	done();
	heard(sorry, TAKEN);
	allocate(B, TYPE_CHUNK);
	done();
	heard(r, NOTHING);
	struct request *other = ask("q");
	done();
	was_given(other, B);
	heard(r, NOTHING);
}

static void
a_work_that_nobody_else_comes_for_goes_to_the_same_prover_again(void **state)
{
	f.work = 7;
	hand_out("p", A);
	report("p", A);
	done();
	allocate(B, TYPE_CHUNK);
	run(TAKE_MS / 3 - 1000, true);
	is_in(B, ATTEMPT_ALLOCATED);
	struct request *r = ask("p");
	run(2500, true);
	was_given(r, B);
}

/* ---- proofs ---- */

/* The ledger is slow, the prover hears 503, drops the proof and asks for work: not for the same. */
static void
a_task_is_not_given_again_while_its_proof_is_on_its_way(void **state)
{
	hand_out("p", A);
	struct request *proof = bring("p", A);
	run(ANSWER_MS + 500, false);
	heard(proof, AWAY);
	struct request *r = ask("p");
	run(2000, false);
	heard(r, NOTHING);
	allocate(B, TYPE_CHUNK);
	run(3000, true);
	is_in(A, ATTEMPT_PROVED);
	was_given(r, B);
}

static void
a_proof_is_taken_when_the_ledger_has_it(void **state)
{
	hand_out("p", A);
	struct request *r = bring("p", A);

	heard(r, NOTHING);
	done();
	heard(r, TAKEN);
	is_in(A, ATTEMPT_PROVED);
	assert_true(span_is(row_of(A)->row->proof, "proof"));
	assert_int_equal(f.b.facts, 1);
}

static void
a_proof_brought_twice_at_once_is_told_once_and_answered_twice(void **state)
{
	hand_out("p", A);
	struct request *first = bring("p", A), *second = bring("p", A), *third = bring("p", A);

	leave(second);
	done();
	heard(first, TAKEN);
	heard(second, LEFT);
	heard(third, TAKEN);
	assert_int_equal(f.b.facts, 1);
}

static void
another_proof_of_the_same_task_is_told_on_its_own(void **state)
{
	hand_out("p", A);
	struct request *first = bring("p", A), *other = bring_one("p", A, 4);

	assert_int_equal(f.b.facts, 2);
	f.b.open_facts[1].code = CODE_CONFLICT;		/* the first is being judged */
	done();
	heard(first, TAKEN);
	heard(other, AWAY);
	other = bring_one("p", A, 4);
	done();
	heard(other, TAKEN);
}

static void
a_proof_whose_bringer_has_gone_is_told_all_the_same(void **state)
{
	hand_out("p", A);
	leave(bring("p", A));
	done();
	is_in(A, ATTEMPT_PROVED);
	heard(bring("p", A), NOTHING);
}

static void
a_proof_brought_again_later_is_taken_again(void **state)
{
	hand_out("p", A);
	bring("p", A);
	done();
	struct request *r = bring("p", A);
	done();
	heard(r, TAKEN);
	assert_int_equal(f.b.facts, 2);
}

static void
a_proof_for_what_has_ended_is_taken(void **state)
{
	hand_out("p", A);
	run(PROVE_MS + 2000, true);
	ended(A, ATTEMPT_FAILED, CODE_PROOF_TIMEOUT);
	struct request *r = bring("p", A);
	done();
	heard(r, TAKEN);
}

static void
a_proof_for_what_the_ledger_does_not_know_is_refused(void **state)
{
	struct request *r = bring("p", 4711);

	heard(r, NOTHING);
	done();
	heard(r, UNKNOWN);
}

static void
while_the_ledger_is_away_nothing_is_taken(void **state)
{
	hand_out("p", A);
	f.b.away = true;
	heard(bring("p", A), AWAY);
	heard(report("p", A), AWAY);
	assert_int_equal(f.b.facts, 0);
	assert_int_equal(f.b.nmoves, 0);
	f.b.away = false;
	struct request *r = bring("p", A);
	done();
	heard(r, TAKEN);
}

static void
a_proof_that_the_ledger_cannot_write_is_brought_again(void **state)
{
	hand_out("p", A);
	f.b.refuse_facts = true;
	struct request *r = bring("p", A);
	done();
	heard(r, AWAY);
	is_in(A, ATTEMPT_PROVING);
	f.b.refuse_facts = false;
	r = bring("p", A);
	done();
	heard(r, TAKEN);
}

static void
an_answer_that_does_not_come_ends_the_wait_and_is_used_when_it_comes(void **state)
{
	hand_out("p", A);
	uint64_t since = clock_ms();
	struct request *first = bring("p", A);

	run(ANSWER_MS - 1000, false);
	struct request *second = bring("p", A);
	run(1200, false);
	heard(first, AWAY);
	assert_true(first->at_ms <= since + ANSWER_MS + 100);
	heard(second, AWAY);		/* it waited with the first */
	struct request *third = bring("p", A);
	done();
	heard(third, TAKEN);
	assert_int_equal(f.b.facts, 1);
}

static void
a_proof_under_way_survives_a_reset(void **state)
{
	hand_out("p", A);
	struct request *r = bring("p", A);

	begin_epoch();
	heard(r, NOTHING);
	told_all();
	done();
	heard(r, TAKEN);
}

/* ---- failure reports ---- */

static void
a_report_ends_what_is_in_hand(void **state)
{
	hand_out("p", A);
	struct request *r = report("p", A);

	heard(r, NOTHING);
	assert_int_equal(f.b.facts, 0);
	done();
	heard(r, TAKEN);
	ended(A, ATTEMPT_FAILED, CODE_PROVER_FAILED);
	assert_true(span_is(row_of(A)->row->detail, "out of memory"));
}

static void
a_report_on_what_is_not_in_hand_is_told_again_with_the_row_as_it_is(void **state)
{
	put_row(A, TYPE_CHUNK, ATTEMPT_PROVING, "p", "", "0x1");
	struct request *r = report("p", A);

	done();
	heard(r, NOTHING);
	assert_int_equal(f.b.nmoves, 1);
	done();
	heard(r, TAKEN);
	ended(A, ATTEMPT_FAILED, CODE_PROVER_FAILED);
}

static void
a_report_on_what_has_ended_is_taken(void **state)
{
	hand_out("p", A);
	bring("p", A);
	done();
	struct request *r = report("p", A);
	done();
	heard(r, TAKEN);
	is_in(A, ATTEMPT_PROVED);
	r = report("p", 4711);
	fake_done(&f.b, CODE_GONE);
	heard(r, TAKEN);
}

static void
a_report_on_a_row_that_never_rests_is_answered_all_the_same(void **state)
{
	hand_out("p", A);
	struct request *r = report("p", A);

	for (unsigned i = 0; i < 20 && r->said == NOTHING; i++) {
		fake_change(row_of(A), ATTEMPT_PROVING, CODE_OK, NULL);
		done();
	}
	heard(r, TAKEN);
	is_in(A, ATTEMPT_PROVING);
}

static void
a_report_that_was_refused_may_come_again(void **state)
{
	hand_out("p", A);
	struct request *r = report("p", A);

	fake_done(&f.b, CODE_STORE);
	heard(r, AWAY);
	r = report("p", A);
	done();
	heard(r, TAKEN);
	ended(A, ATTEMPT_FAILED, CODE_PROVER_FAILED);
}

static void
a_report_under_way_dies_with_its_epoch_and_says_so(void **state)
{
	hand_out("p", A);
	struct request *r = report("p", A);

	begin_epoch();
	heard(r, AWAY);
	show(A, false);
	told_all();
	r = report("p", A);
	done();
	heard(r, TAKEN);
	ended(A, ATTEMPT_FAILED, CODE_PROVER_FAILED);
}

static void
a_report_and_a_proof_of_one_task_are_two_things(void **state)
{
	hand_out("p", A);
	struct request *failed = report("p", A), *proved = bring("p", A);

	done();
	heard(proved, TAKEN);
	heard(failed, TAKEN);
	is_in(A, ATTEMPT_PROVED);
}

/* ---- resets in the middle ---- */

static void
a_prover_that_waits_waits_on_over_a_reset(void **state)
{
	struct request *r = ask("p");

	begin_epoch();
	told_all();
	allocate(A, TYPE_CHUNK);
	done();
	was_given(r, A);
}

static void
a_move_under_way_dies_with_its_epoch_and_is_made_anew(void **state)
{
	allocate(A, TYPE_CHUNK);
	struct request *r = ask("p");

	begin_epoch();
	told_all();
	show(A, false);
	done();
	was_given(r, A);
}

static void
an_answer_to_nobody_is_nothing(void **state)
{
	court_answer(f.c, 99, CODE_OK, NULL);
	hand_out("p", A);
	report("p", A);
	begin_epoch();
	court_answer(f.c, 1, CODE_OK, NULL);
}

/* ---- levels ---- */

static void
the_level_is_the_provers_that_ask_and_prove(void **state)
{
	struct tick t = levels();

	assert_int_equal(pools_all(&t.slots), 0);
	assert_string_equal(t.note, "no prover asks for work");
	struct request *p = ask("p");
	ask_for("q", BATCH, "", "");
	ask_for("s", CHUNK | BATCH, "", "");
	t = levels();
	assert_int_equal(pools_all(&t.slots), 3);
	assert_int_equal(pools_for(&t.slots, TYPE_CHUNK), 2);
	assert_int_equal(pools_for(&t.slots, TYPE_BATCH), 2);
	assert_string_equal(t.note, "3 provers wait, 0 prove");
	allocate(A, TYPE_CHUNK);
	done();
	was_given(p, A);
	t = levels();
	assert_int_equal(pools_for(&t.slots, TYPE_CHUNK), 2);
	assert_string_equal(t.note, "2 provers wait, 1 prove");
	run(HOLD_MS + 100, true);
	t = levels();
	assert_int_equal(pools_all(&t.slots), 1);
	bring("p", A);
	done();
	t = levels();
	assert_int_equal(pools_all(&t.slots), 0);
}

static void
the_level_of_rows_alone_is_what_they_are_of(void **state)
{
	known(A, TYPE_BATCH, "p");
	struct tick t = levels();

	assert_int_equal(pools_for(&t.slots, TYPE_BATCH), 1);
	assert_int_equal(pools_for(&t.slots, TYPE_CHUNK), 0);
}

static void
each_change_of_the_level_is_said_at_once(void **state)
{
	uint64_t before = f.b.changes;
	struct request *r = ask("p");

	assert_true(f.b.changes > before);
	before = f.b.changes;
	leave(r);
	assert_true(f.b.changes > before);
	before = f.b.changes;
	known(A, TYPE_CHUNK, "p");
	assert_true(f.b.changes > before);
}

static void
what_is_ahead_is_stated_above_the_provers(void **state)
{
	struct court_opts o = { .books = &f.b, .ops = &ops, .secret = SPAN("secret"), .provider = "farm", .types = CHUNK,
	    .ahead = 2, .price = { [TYPE_CHUNK] = 5 }, .hold_ms = HOLD_MS, .take_ms = TAKE_MS, .prove_ms = PROVE_MS };

	court_free(&f.c);
	f.b.core = f.c = court_new(&o);
	ask("p");
	struct tick t = levels();
	assert_int_equal(pools_for(&t.slots, TYPE_CHUNK), 3);
}

static void
rows_of_others_are_let_go(void **state)
{
	struct row job = { 0 };

	SET(&job, kind, ROW_JOB);
	SET(&job, id, 5);
	SET(&job, rev, 1);
	SET(&job, state, JOB_READY);
	fake_row(&f.b, &job, false);
	assert_int_equal(f.b.dropped, 1);
	known(A, TYPE_CHUNK, "p");
	fake_change(row_of(A), ATTEMPT_PROVED, CODE_OK, NULL);
	show(A, false);
	assert_int_equal(f.b.dropped, 2);
	struct request *r = ask("p");
	allocate(B, TYPE_CHUNK);
	done();
	was_given(r, B);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, teardown)

static const struct CMUnitTest tests[] = {
	T(a_prover_is_held_until_there_is_work_or_the_time_is_over), T(the_turn_says_when_it_wants_to_be_called),
	T(the_task_is_given_when_it_is_durably_the_provers), T(the_oldest_attempt_goes_first),
	T(the_prover_that_waits_longest_is_served_first), T(who_asks_again_waits_anew_and_the_older_request_is_idle),
	T(only_what_was_asked_for_is_given), T(forks_are_compared_as_words_in_any_case),
	T(one_that_names_a_task_gets_that_one), T(a_prover_has_one_task_at_a_time),
	T(asking_while_the_move_is_under_way_waits_for_it),
	T(a_prover_that_went_before_the_move_is_given_nothing),
	T(a_prover_that_went_after_the_move_finds_its_task_when_it_is_back),
	T(a_prover_whose_hold_ends_during_the_move_waits_for_it),
	T(a_prover_whose_move_is_not_answered_is_idle_in_the_end_and_finds_its_task),
	T(a_task_that_nobody_was_told_of_fails_when_its_time_to_be_taken_is_over),
	T(an_attempt_without_a_prover_is_cancelled_in_time), T(a_move_that_was_refused_is_tried_again),
	T(a_move_that_was_refused_frees_a_prover_that_has_gone),
	T(an_attempt_that_went_elsewhere_meanwhile_leaves_its_prover_to_another),
	T(an_attempt_that_is_anothers_already_is_given_to_that_one_only),
	T(a_lost_answer_gives_the_same_task_after_the_reset),
	T(the_same_task_and_uuid_again_after_a_reset_and_after_a_restart),
	T(nobody_is_served_before_all_rows_are_known), T(those_that_waited_for_the_rows_are_served_the_longest_first),
	T(of_two_tasks_of_one_prover_the_second_comes_after_the_first), T(one_that_is_being_ended_is_not_given),
	T(a_work_that_came_to_nothing_goes_to_another_prover_first),
	T(a_work_that_nobody_else_comes_for_goes_to_the_same_prover_again),
	T(a_task_is_not_given_again_while_its_proof_is_on_its_way),
	T(what_is_not_proved_in_time_has_failed), T(it_does_not_fail_while_its_proof_is_on_its_way),
	T(a_proof_is_taken_when_the_ledger_has_it), T(a_proof_brought_twice_at_once_is_told_once_and_answered_twice),
	T(another_proof_of_the_same_task_is_told_on_its_own),
	T(a_proof_whose_bringer_has_gone_is_told_all_the_same), T(a_proof_brought_again_later_is_taken_again),
	T(a_proof_for_what_has_ended_is_taken), T(a_proof_for_what_the_ledger_does_not_know_is_refused),
	T(while_the_ledger_is_away_nothing_is_taken), T(a_proof_that_the_ledger_cannot_write_is_brought_again),
	T(an_answer_that_does_not_come_ends_the_wait_and_is_used_when_it_comes),
	T(a_proof_under_way_survives_a_reset), T(a_report_ends_what_is_in_hand),
	T(a_report_on_what_is_not_in_hand_is_told_again_with_the_row_as_it_is),
	T(a_report_on_what_has_ended_is_taken), T(a_report_on_a_row_that_never_rests_is_answered_all_the_same),
	T(a_report_that_was_refused_may_come_again), T(a_report_under_way_dies_with_its_epoch_and_says_so),
	T(a_report_and_a_proof_of_one_task_are_two_things), T(a_prover_that_waits_waits_on_over_a_reset),
	T(a_move_under_way_dies_with_its_epoch_and_is_made_anew), T(an_answer_to_nobody_is_nothing),
	T(the_level_is_the_provers_that_ask_and_prove), T(the_level_of_rows_alone_is_what_they_are_of),
	T(each_change_of_the_level_is_said_at_once), T(what_is_ahead_is_stated_above_the_provers),
	T(rows_of_others_are_let_go),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
