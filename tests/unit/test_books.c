/* test_books.c - a stage's side of the LEDGER link, told by hand what a ledger would say. */
#include "common/books.h"

#include <setjmp.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/diag.h"
#include "common/wire.h"

enum { START_MS = 1000000, ME = 1, OTHER = 2, REMOTE = 3 };

struct bench {
	uint64_t	 now_ms, term, epoch, answers_to, next_ms;
	struct books	*books;
	struct wire	*in;
	struct buf	 sent[64], offered;
	size_t		 nsent, noffers, read_at;
	char		 inbox[64];
	/* what the stage saw */
	unsigned	 acts, losses, answers, resets, dues, freshes, news, grants;
	uint64_t	 token, code, first_id;
	struct held	*held;			/* the last one acted on */
	bool		 fact_in_lose;
};

static struct row
job(uint64_t id, uint64_t rev, uint64_t state)
{
	struct row r = { 0 };

	SET(&r, kind, ROW_JOB);
	SET(&r, id, id);
	SET(&r, rev, rev);
	SET(&r, state, state);
	return r;
}

/* --- the stage --- */

static void
on_send(void *arg, struct span message)
{
	struct bench *b = arg;

	assert_true(b->nsent < NELEM(b->sent) && message.n <= MESSAGE_BYTES);
	buf_reset(&b->sent[b->nsent]);
	buf_put(&b->sent[b->nsent++], message.p, message.n);
}

static void
on_offer(void *arg, struct span inbox, struct span message)
{
	struct bench *b = arg;

	b->noffers++;
	assert_true(span_cstr(inbox, b->inbox, sizeof b->inbox));
	buf_reset(&b->offered);
	buf_put(&b->offered, message.p, message.n);
}

static void
on_act(void *arg, struct held *h)
{
	struct bench *b = arg;

	b->acts++;
	b->dues += h->due;
	b->freshes += h->fresh;
	b->held = h;
	assert_false(h->moving);
}

static void
on_lose(void *arg, struct held *h)
{
	struct bench *b = arg;
	struct row set = { 0 };

	b->losses++;
	if (b->held == h)
		b->held = NULL;
	SET(&set, handle, SPAN("h"));
	if (b->fact_in_lose)
		books_fact(b->books, 0, &(struct books_item){ .kind = ROW_ATTEMPT, .id = 1, .rev = 1, .from = ATTEMPT_SENDING,
		    .to = ATTEMPT_PROVING, .set = &set });
}

static void
on_answer(void *arg, uint64_t token, uint64_t code, const struct row *first)
{
	struct bench *b = arg;

	b->answers++;
	b->token = token;
	b->code = code;
	b->first_id = first ? first->id : 0;
}

static void
on_levels(void *arg, struct tick *t)
{
	t->slots = pools_one(1 << TYPE_CHUNK, 4);
}

static void
on_news(void *arg, const struct news *n)
{
	((struct bench *)arg)->news++;
	((struct bench *)arg)->grants += (unsigned)n->ngrants;
}

static void
on_reset(void *arg)
{
	((struct bench *)arg)->resets++;
}

static const struct books_ops ops = { on_send, on_offer, on_act, on_lose, on_answer, on_levels, on_news, on_reset };

/* --- the ledger --- */

static struct wire_head
head(const struct bench *b)
{
	return (struct wire_head){ b->epoch, b->term, b->now_ms + 5000 };
}

static void
turn(struct bench *b)
{
	b->next_ms = books_turn(b->books, b->now_ms);
	assert_true(b->next_ms > b->now_ms);
}

static void
pass(struct bench *b, uint64_t ms)
{
	clock_freeze(b->now_ms += ms);
	turn(b);
}

static void
hear(struct bench *b, struct buf *m)
{
	books_hear(b->books, SPAN_OF(m));
	buf_free(m);
}

static void
welcome(struct bench *b)
{
	struct wire_head h = head(b);
	struct buf m = { 0 };

	wire_put_welcome(&m, &h, b->answers_to, "L", "active");
	hear(b, &m);
}

static void
plain(struct bench *b, enum wire_kind kind, uint64_t epoch, enum code code)
{
	struct wire_head h = { epoch, b->term, 0 };
	struct buf m = { 0 };

	wire_put_plain(&m, kind, &h, code);
	hear(b, &m);
}

static void
done(struct bench *b, uint64_t seq, enum code code, const struct row *row, uint64_t next)
{
	static const char *const names[][2] = { { "trace-build", "mine" }, { "allocate", "theirs" }, { "far", "" } };
	struct wire_head h = head(b);
	struct buf rows = { 0 }, result = { 0 }, m = { 0 };

	if (row)
		wire_put_row(&rows, row, next);
	wire_put_result(&result, seq, code, row != NULL, SPAN_OF(&rows));
	wire_put_done(&m, &h, seq, CODE_OK, 1, SPAN_OF(&result), &(struct wire_names){ NELEM(names), names });
	buf_free(&rows);
	buf_free(&result);
	hear(b, &m);
}

/* DONE without results: a gap, or `upto` alone. */
static void
done_bare(struct bench *b, uint64_t seq, enum code code)
{
	struct wire_head h = head(b);
	struct buf m = { 0 };

	wire_put_done(&m, &h, seq, code, 0, (struct span){ 0 }, &(struct wire_names){ 0, NULL });
	hear(b, &m);
}

static void
rows(struct bench *b, enum wire_kind kind, const struct row *row, bool more)
{
	struct wire_head h = head(b);
	struct buf part = { 0 }, m = { 0 };

	if (row)
		wire_put_row(&part, row, 0);
	wire_put_rows(&m, kind, &h, 9, row != NULL, SPAN_OF(&part), more);
	buf_free(&part);
	hear(b, &m);
}

static void
tell(struct bench *b, uint64_t id, uint64_t rev, uint64_t state)
{
	struct row r = job(id, rev, state);

	rows(b, WIRE_NEWS, &r, false);
}

/* The next message of this kind that was sent; false: none. */
static bool
sent(struct bench *b, enum wire_kind kind)
{
	char why[96];

	while (b->read_at < b->nsent) {
		struct buf *m = &b->sent[b->read_at++];
		assert_true(wire_read(b->in, SPAN_OF(m), why));
		if (b->in->kind == (uint64_t)kind)
			return true;
	}
	return false;
}

static void
forget_sent(struct bench *b)
{
	b->nsent = b->read_at = 0;
}

static int
set_up(void **state)
{
	struct bench *b = xzalloc(sizeof *b);

	diag_threshold(DIAG_ERROR + 1);
	clock_freeze(b->now_ms = START_MS);
	b->term = 3;
	b->epoch = 7;
	b->in = wire_new();
	b->books = books_new(&(struct books_opts){ "trace-build", "trace-build", "mine", "c", &ops, b });
	*state = b;
	return 0;
}

/* At work: welcomed, nothing in hand, nothing left to say. */
static int
set_up_welcomed(void **state)
{
	set_up(state);
	struct bench *b = *state;

	books_connected(b->books);
	welcome(b);
	rows(b, WIRE_ROWS, NULL, false);
	turn(b);
	forget_sent(b);
	return 0;
}

static int
tear_down(void **state)
{
	struct bench *b = *state;

	books_free(&b->books);
	wire_free(&b->in);
	for (size_t i = 0; i < NELEM(b->sent); i++)
		buf_free(&b->sent[i]);
	buf_free(&b->offered);
	free(b);
	clock_freeze(0);
	return 0;
}

/* --- HELLO, epochs --- */

static void
hello_is_said_when_connected_and_again_with_back_off(void **state)
{
	struct bench *b = *state;
	unsigned hellos = 0;

	books_connected(b->books);
	assert_true(sent(b, WIRE_HELLO));
	assert_int_equal(b->in->epoch, 0);
	assert_true(span_is(b->in->instance, "trace-build") && span_is(b->in->inbox, "mine") && span_is(b->in->chain, "c"));
	for (unsigned i = 0; i < 1000; i++) {
		pass(b, 10);
		hellos += sent(b, WIRE_HELLO);
		plain(b, WIRE_REFUSE, 0, CODE_BUSY);
		forget_sent(b);
	}
	assert_true(hellos >= 5 && hellos <= 15);
	assert_false(books_connected_now(b->books));
	welcome(b);
	assert_true(books_connected_now(b->books));
	assert_int_equal(b->resets, 1);
	assert_int_equal(books_epoch(b->books), 7);
	assert_int_equal(books_wall_ms(b->books), b->now_ms + 5000);
	turn(b);
	assert_true(sent(b, WIRE_ASK));
	assert_int_equal(b->in->term, 3);
	assert_true(sent(b, WIRE_TICK));
	assert_true(pools_all(&b->in->tick.slots) == 4 && strcmp(b->in->tick.chain, "c") == 0);
	forget_sent(b);
	pass(b, 60000);
	assert_false(sent(b, WIRE_HELLO));
}

static void
the_same_process_says_the_epoch_it_holds(void **state)
{
	struct bench *b = *state;

	tell(b, 1, 1, JOB_FETCHED);
	books_connected(b->books);
	assert_true(sent(b, WIRE_HELLO));
	assert_int_equal(b->in->epoch, 7);
	welcome(b);				/* the same epoch: all is kept */
	assert_int_equal(b->resets, 1);
	assert_non_null(books_find(b->books, ROW_JOB, 1));
	b->epoch = 8;
	welcome(b);
	assert_int_equal(b->resets, 2);
	assert_null(books_find(b->books, ROW_JOB, 1));
	b->epoch = 7;
	welcome(b);				/* one that was under way: an epoch that is over */
	assert_int_equal(books_epoch(b->books), 8);
}

static void
a_welcome_to_another_process_is_not_ours(void **state)
{
	struct bench *b = *state;

	books_connected(b->books);
	b->answers_to = 7;
	welcome(b);				/* a stopped ledger goes on, and answers the process before this one */
	assert_int_equal(b->resets, 0);
	assert_int_equal(books_epoch(b->books), 0);
	b->answers_to = 0;
	b->epoch = 8;
	welcome(b);
	assert_int_equal(books_epoch(b->books), 8);
	b->answers_to = 7;
	b->epoch = 9;
	welcome(b);
	assert_int_equal(books_epoch(b->books), 8);
	b->answers_to = 8;
	b->epoch = 8;
	b->term++;
	welcome(b);
	assert_int_equal(books_term(b->books), 4);
	assert_int_equal(b->resets, 1);
}

static void
a_fenced_stage_drops_all_but_its_facts_and_begins_anew(void **state)
{
	struct bench *b = *state;
	struct row r = job(1, 1, JOB_FETCHED);

	b->fact_in_lose = true;
	tell(b, 1, 1, JOB_FETCHED);
	books_step(b->books, b->held, JOB_READY, CODE_OK, NULL);
	turn(b);
	forget_sent(b);
	plain(b, WIRE_FENCED, 6, CODE_FENCED);	/* not ours */
	assert_int_equal(books_epoch(b->books), 7);
	plain(b, WIRE_FENCED, 7, CODE_FENCED);
	assert_int_equal(books_epoch(b->books), 0);
	assert_int_equal(b->losses, 1);
	assert_int_equal(books_pending(b->books), 1);
	turn(b);
	assert_true(sent(b, WIRE_HELLO));
	assert_int_equal(b->in->epoch, 0);
	rows(b, WIRE_NEWS, &r, false);
	done(b, 1, CODE_OK, &r, ME);		/* answers of the old epoch */
	assert_int_equal(b->acts, 1);
	b->epoch = 8;
	welcome(b);
	turn(b);
	assert_true(sent(b, WIRE_MOVE));
	assert_int_equal(b->in->epoch, 8);
	assert_int_equal(b->in->seq, 1);
	assert_int_equal(b->in->nitems, 1);
	assert_true(b->in->items[0].kind == ROW_ATTEMPT && span_is(b->in->items[0].set.handle, "h"));
	tell(b, 1, 1, JOB_FETCHED);		/* what was passed is forgotten */
	assert_int_equal(b->acts, 2);
	b->fact_in_lose = false;
	done(b, 1, CODE_OK, NULL, 0);
	assert_int_equal(books_pending(b->books), 0);
}

static void
facts_wait_for_an_epoch(void **state)
{
	struct bench *b = *state;
	struct books_item fact = { .kind = ROW_ATTEMPT, .id = 1, .rev = 2, .from = 2, .to = 3 }, other = fact;

	other.id = 2;
	books_fact(b->books, 0, &fact);
	books_fact(b->books, 0, &other);
	books_move(b->books, NULL, 5, &fact, 1);	/* a move without an epoch is nothing */
	assert_int_equal(books_pending(b->books), 2);
	books_connected(b->books);
	welcome(b);
	turn(b);
	assert_true(sent(b, WIRE_MOVE));
	assert_int_equal(b->in->ngroups, 2);
	done(b, 1, CODE_OK, NULL, 0);
	done(b, 2, CODE_GONE, NULL, 0);
	assert_int_equal(books_pending(b->books), 0);
}

/* --- terms --- */

static void
an_older_term_is_not_heard_and_a_younger_one_is_greeted(void **state)
{
	struct bench *b = *state;

	b->term = 2;
	tell(b, 1, 1, JOB_FETCHED);
	assert_int_equal(b->acts, 0);
	b->term = 4;
	tell(b, 1, 1, JOB_FETCHED);
	assert_true(sent(b, WIRE_HELLO));
	assert_int_equal(b->in->epoch, 7);
	assert_int_equal(b->in->term, 4);
	assert_int_equal(books_term(b->books), 4);
	tell(b, 2, 1, JOB_FETCHED);
	assert_false(sent(b, WIRE_HELLO));	/* once */
	welcome(b);
	turn(b);
	assert_true(sent(b, WIRE_ASK));		/* rows and levels are said again */
	assert_true(sent(b, WIRE_TICK));
	assert_int_equal(b->in->serial, 0);	/* what was heard in the old term counts for nothing */
}

static void
an_ask_with_more_to_come_is_asked_again(void **state)
{
	struct bench *b = *state;

	rows(b, WIRE_ROWS, NULL, true);
	turn(b);
	assert_true(sent(b, WIRE_ASK));
	rows(b, WIRE_ROWS, NULL, false);
	turn(b);
	assert_false(sent(b, WIRE_ASK));
}

/* --- rows --- */

static void
each_version_is_acted_on_once(void **state)
{
	struct bench *b = *state;
	static const struct { uint64_t rev; unsigned acts; } heard[] = { { 2, 1 }, { 2, 1 }, { 1, 1 }, { 3, 2 }, { 2, 2 }, { 3, 2 }, { 9, 3 } };

	for (size_t i = 0; i < NELEM(heard); i++) {
		tell(b, 1, heard[i].rev, JOB_FETCHED);
		assert_int_equal(b->acts, heard[i].acts);
	}
	assert_int_equal(b->held->row->rev, 9);
	assert_int_equal(b->freshes + b->losses, 0);
	struct buf m = { 0 };
	struct row r = job(2, 1, JOB_FETCHED);
	wire_put_offer(&m, &r);
	books_offered(b->books, SPAN_OF(&m));
	assert_int_equal(b->acts, 4);
	books_offered(b->books, SPAN("junk"));
	books_hear(b->books, SPAN("junk"));
	buf_free(&m);
	assert_int_equal(b->acts, 4);
}

static void
what_is_dropped_comes_again_with_news(void **state)
{
	struct bench *b = *state;

	tell(b, 1, 1, JOB_FETCHED);
	books_drop(b->books, b->held);
	assert_int_equal(b->losses, 1);
	assert_null(books_find(b->books, ROW_JOB, 1));
	tell(b, 1, 1, JOB_FETCHED);
	assert_int_equal(b->acts, 2);
	turn(b);
}

static void
later_means_act_again_then(void **state)
{
	struct bench *b = *state;

	tell(b, 1, 1, JOB_FETCHED);
	tell(b, 2, 1, JOB_FETCHED);
	books_later(b->books, books_find(b->books, ROW_JOB, 1), 300);
	turn(b);
	assert_int_equal(b->next_ms, b->now_ms + 300);
	pass(b, 299);
	assert_int_equal(b->acts, 2);
	pass(b, 1);
	assert_int_equal(b->acts, 3);
	assert_int_equal(b->dues, 1);
	assert_int_equal(b->held->row->id, 1);
	pass(b, 5000);
	assert_int_equal(b->acts, 3);
}

/* --- moves --- */

/* A job in hand, asked to be ready. */
static void
ask_ready(struct bench *b)
{
	struct row set = { 0 };

	SET(&set, input_bytes, 5);
	tell(b, 1, 1, JOB_FETCHED);
	books_step(b->books, b->held, JOB_READY, CODE_OK, &set);
	assert_true(b->held->moving);
	turn(b);
	assert_true(sent(b, WIRE_MOVE));
	assert_true(b->in->seq == 1 && b->in->epoch == 7 && b->in->nitems == 1);
	const struct wire_item *it = &b->in->items[0];
	assert_true(it->kind == ROW_JOB && it->id == 1 && it->rev == 1 && it->from == JOB_FETCHED && it->to == JOB_READY);
	assert_true(it->set.input_bytes == 5);
	forget_sent(b);
}

/* What becomes of the row in hand, by the answer. */
static void
an_answer_decides_who_goes_on(void **state)
{
	static const struct {
		enum code code;
		uint64_t rev, next;		/* of the row in the answer; rev 0: no row */
		bool held, moving;		/* afterwards */
		unsigned acts, offers, freshes;
	} cases[] = {
		{ CODE_OK, 2, ME, true, false, 2, 0, 1 },
		{ CODE_OK, 2, OTHER, false, false, 1, 1, 0 },
		{ CODE_OK, 2, REMOTE, false, false, 1, 0, 0 },	/* it has no inbox: NEWS will do */
		{ CODE_OK, 2, 0, false, false, 1, 0, 0 },
		{ CODE_OK, 0, 0, false, false, 1, 0, 0 },
		{ CODE_GONE, 0, 0, false, false, 1, 0, 0 },
		{ CODE_CONFLICT, 5, ME, true, false, 2, 0, 0 },	/* adopted */
		{ CODE_CONFLICT, 5, OTHER, false, false, 1, 0, 0 },	/* dropped, and not offered: we did not move it */
		{ CODE_CONFLICT, 0, 0, false, false, 1, 0, 0 },
		{ CODE_CONFLICT, 1, ME, true, false, 2, 0, 0 },	/* another row was not as we thought */
		{ CODE_BUDGET, 1, ME, true, false, 1, 0, 0 },
		{ CODE_NOBLOB, 1, ME, true, false, 1, 0, 0 },
		{ CODE_ILLEGAL, 1, ME, true, false, 1, 0, 0 },
	};

	for (size_t i = 0; i < NELEM(cases); i++) {
		void *own = NULL;
		set_up_welcomed(&own);
		struct bench *b = own;
		struct row r = job(1, cases[i].rev, JOB_READY);
		ask_ready(b);
		done(b, 1, cases[i].code, cases[i].rev ? &r : NULL, cases[i].next);
		struct held *h = books_find(b->books, ROW_JOB, 1);
		if ((h != NULL) != cases[i].held || (h && h->moving != cases[i].moving) || b->acts != cases[i].acts ||
		    b->noffers != cases[i].offers || b->freshes != cases[i].freshes || b->losses != !cases[i].held)
			fail_msg("case %zu: %s acts %u offers %zu fresh %u lost %u", i, h ? "held" : "gone", b->acts, b->noffers, b->freshes, b->losses);
		assert_int_equal(books_pending(b->books), 0);
		tear_down(&own);
	}
}

static void
the_next_stage_is_offered_the_row(void **state)
{
	struct bench *b = *state;
	struct row r = job(1, 2, JOB_READY);
	char why[96];

	ask_ready(b);
	done(b, 1, CODE_OK, &r, OTHER);
	assert_string_equal(b->inbox, "theirs");
	assert_true(wire_read(b->in, SPAN_OF(&b->offered), why));
	assert_true(b->in->kind == WIRE_OFFER && b->in->rows[0].row.id == 1 && b->in->rows[0].row.rev == 2);
	done(b, 1, CODE_OK, &r, OTHER);			/* a second answer: nobody waits for it */
	assert_int_equal(b->noffers, 1);
	assert_int_equal(b->losses, 1);
	tell(b, 1, 1, JOB_FETCHED);			/* a hint of before */
	assert_int_equal(b->acts, 1);
	tell(b, 1, 3, JOB_FETCHED);			/* it came back */
	assert_int_equal(b->acts, 2);
}

static void
a_row_that_waits_for_an_answer_is_not_disturbed_by_hints(void **state)
{
	struct bench *b = *state;

	ask_ready(b);
	tell(b, 1, 5, JOB_READY);
	books_later(b->books, b->held, 10);
	pass(b, 20);
	assert_int_equal(b->acts, 1);
	assert_true(b->held->moving);
}

static void
a_refusal_that_may_pass_is_acted_on_again_after_a_second(void **state)
{
	struct bench *b = *state;
	struct row r = job(1, 1, JOB_FETCHED);

	ask_ready(b);
	done(b, 1, CODE_BUDGET, &r, ME);
	pass(b, 999);
	assert_int_equal(b->acts, 1);
	pass(b, 1);
	assert_int_equal(b->acts, 2);
	assert_int_equal(b->dues, 1);
}

static void
creations_are_answered_by_their_token(void **state)
{
	struct bench *b = *state;
	struct row r = job(4, 1, JOB_FETCHED);
	struct books_item it = { .kind = ROW_JOB, .to = JOB_FETCHED };

	books_move(b->books, NULL, 77, &it, 1);
	books_move(b->books, NULL, 78, &it, 1);
	books_move(b->books, NULL, 0, &it, 1);
	turn(b);
	assert_true(sent(b, WIRE_MOVE));
	assert_true(b->in->ngroups == 3 && b->in->seq == 1);	/* one message for one turn */
	done(b, 1, CODE_OK, &r, OTHER);
	assert_true(b->answers == 1 && b->token == 77 && b->code == CODE_OK && b->first_id == 4);
	done(b, 2, CODE_GONE, NULL, 0);
	assert_true(b->answers == 2 && b->token == 78 && b->code == CODE_GONE && b->first_id == 0);
	done(b, 3, CODE_CONFLICT, NULL, 0);
	assert_int_equal(b->answers, 2);
	assert_int_equal(books_pending(b->books), 0);
}

static void
moves_are_sent_again_in_order_until_each_has_its_own_answer(void **state)
{
	struct bench *b = *state;
	struct books_item it = { .kind = ROW_JOB, .to = JOB_FETCHED };

	books_move(b->books, NULL, 1, &it, 1);
	turn(b);
	books_move(b->books, NULL, 2, &it, 1);
	pass(b, 10);
	assert_true(sent(b, WIRE_MOVE) && b->in->seq == 1);
	assert_true(sent(b, WIRE_MOVE) && b->in->seq == 2);	/* not the first one again */
	forget_sent(b);
	pass(b, 980);
	assert_false(sent(b, WIRE_MOVE));
	pass(b, 10);
	assert_true(sent(b, WIRE_MOVE));
	assert_true(b->in->seq == 1 && b->in->ngroups == 2);
	forget_sent(b);
	done_bare(b, 2, CODE_OK);		/* arrived, says upto; that is no answer */
	assert_int_equal(books_pending(b->books), 2);
	done(b, 2, CODE_OK, NULL, 0);
	assert_true(b->answers == 1 && b->token == 2);
	pass(b, 1000);
	assert_true(sent(b, WIRE_MOVE) && b->in->seq == 1 && b->in->ngroups == 1);
	forget_sent(b);
	done(b, 1, CODE_OK, NULL, 0);
	pass(b, 5000);
	assert_false(sent(b, WIRE_MOVE));
	books_move(b->books, NULL, 3, &it, 1);
	turn(b);
	assert_true(sent(b, WIRE_MOVE) && b->in->seq == 3);
}

static void
a_gap_is_filled_from_the_seq_expected(void **state)
{
	struct bench *b = *state;
	struct books_item it = { .kind = ROW_JOB, .to = JOB_FETCHED };

	for (unsigned i = 0; i < 4; i++)
		books_move(b->books, NULL, 0, &it, 1);
	turn(b);
	forget_sent(b);
	done_bare(b, 3, CODE_GAP);
	turn(b);
	assert_true(sent(b, WIRE_MOVE));
	assert_true(b->in->seq == 3 && b->in->ngroups == 2);
	forget_sent(b);
	b->epoch = 6;				/* a gap of another epoch */
	done_bare(b, 1, CODE_GAP);
	turn(b);
	assert_false(sent(b, WIRE_MOVE));
}

static void
more_moves_than_fit_into_one_message_take_several(void **state)
{
	struct bench *b = *state;
	static uint8_t body[INLINE_BYTES];
	struct row set = { 0 };
	uint64_t seq = 1;

	SET(&set, body, ((struct span){ body, sizeof body }));
	struct books_item it = { .kind = ROW_JOB, .to = JOB_FETCHED, .set = &set };
	for (unsigned i = 0; i < 10; i++)
		books_move(b->books, NULL, 0, &it, 1);
	turn(b);
	for (unsigned i = 0; i < 4; i++, seq += b->in->ngroups) {
		assert_true(sent(b, WIRE_MOVE));
		assert_int_equal(b->in->seq, seq);
		assert_int_equal(b->in->ngroups, i < 3 ? 3 : 1);
	}
	assert_false(sent(b, WIRE_MOVE));
}

/* --- levels and news --- */

static void
ticks_come_every_half_second_and_when_a_level_changes(void **state)
{
	struct bench *b = *state;
	struct wire_head h = head(b);
	static const struct news n = { .ngrants = 2 };
	struct buf m = { 0 };

	tell(b, 1, 1, JOB_FETCHED);		/* NEWS 9 */
	pass(b, 499);
	assert_false(sent(b, WIRE_TICK));
	pass(b, 1);
	assert_true(sent(b, WIRE_TICK));
	assert_int_equal(b->in->serial, 9);	/* of the NEWS heard last */
	books_changed(b->books);
	turn(b);
	assert_true(sent(b, WIRE_TICK));
	wire_put_news(&m, &h, 11, &n);
	hear(b, &m);
	assert_true(b->news == 1 && b->grants == 2);
	pass(b, 500);
	assert_true(sent(b, WIRE_TICK));
	assert_int_equal(b->in->serial, 11);
}

static void
a_silent_ledger_is_away_after_three_seconds(void **state)
{
	struct bench *b = *state;

	pass(b, 2999);
	assert_true(books_connected_now(b->books));
	pass(b, 1);
	assert_false(books_connected_now(b->books));
	tell(b, 1, 1, JOB_FETCHED);
	assert_true(books_connected_now(b->books));
}

static void
the_end_says_what_was_left_to_say_and_bye(void **state)
{
	struct bench *b = *state;
	struct books_item it = { .kind = ROW_JOB, .to = JOB_FETCHED };

	tell(b, 1, 1, JOB_FETCHED);
	books_move(b->books, NULL, 0, &it, 1);
	books_free(&b->books);
	assert_null(b->books);
	assert_true(sent(b, WIRE_MOVE));
	assert_true(sent(b, WIRE_BYE));
	assert_int_equal(b->losses, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up_welcomed, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(hello_is_said_when_connected_and_again_with_back_off, set_up, tear_down),
		T(the_same_process_says_the_epoch_it_holds),
		cmocka_unit_test_setup_teardown(a_welcome_to_another_process_is_not_ours, set_up, tear_down),
		T(a_fenced_stage_drops_all_but_its_facts_and_begins_anew),
		cmocka_unit_test_setup_teardown(facts_wait_for_an_epoch, set_up, tear_down),
		T(an_older_term_is_not_heard_and_a_younger_one_is_greeted),
		T(an_ask_with_more_to_come_is_asked_again),
		T(each_version_is_acted_on_once),
		T(what_is_dropped_comes_again_with_news),
		T(later_means_act_again_then),
		cmocka_unit_test(an_answer_decides_who_goes_on),
		T(the_next_stage_is_offered_the_row),
		T(a_row_that_waits_for_an_answer_is_not_disturbed_by_hints),
		T(a_refusal_that_may_pass_is_acted_on_again_after_a_second),
		T(creations_are_answered_by_their_token),
		T(moves_are_sent_again_in_order_until_each_has_its_own_answer),
		T(a_gap_is_filled_from_the_seq_expected),
		T(more_moves_than_fit_into_one_message_take_several),
		T(ticks_come_every_half_second_and_when_a_level_changes),
		T(a_silent_ledger_is_away_after_three_seconds),
		T(the_end_says_what_was_left_to_say_and_bye),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
