/* fake_books.h - books.h for tests of what a stage decides: the test is the ledger.
 *
 * Defines the functions of books.h that stages' cores call, in place of books.c.
 * A row of the ledger and what the stage has in hand of it are two things: fake_put
 * changes the first, fake_show brings it to hand, fake_row does both.  Moves wait in a
 * list until fake_done answers the oldest; facts are taken at once and answered by
 * fake_turn, with a token as the ledger answers; fake_pass lets a frozen clock go on. */
#ifndef FAKE_BOOKS_H
#define FAKE_BOOKS_H

#include "common/books.h"
#include "common/clock.h"
#include "common/codes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#ifndef FAKE_ROWS
#define FAKE_ROWS 64
#endif

enum { FAKE_MOVES = 64, FAKE_FACTS = 16, FAKE_FIRST_ID = 100, FAKE_ATTEMPT_ID = 7, FAKE_RETRY_MS = 1000, START_MS = 1000000 };

struct fake_row {
	struct held	 held;		/* first: a held is its fake_row */
	struct row	*row;		/* the ledger's; owned, as all rows here */
	struct row	*shown;		/* what is in hand, or was */
	uint64_t	 due_ms;
	bool		 has;		/* in hand */
};

struct fake_move { struct books_item item; struct row *set; uint64_t token; struct held *h; };
struct fake_fact { uint64_t token, id, code; };

struct books {
	/* of the test: who is told, and the last state of each kind that is still its own */
	void			*core;
	struct books_ops	 ops;
	uint64_t		 last[ROW_KINDS];
	bool			 refuse_facts;
	bool			 away;		/* the ledger does not answer */
	bool			 not_told;	/* rows that were the stage's when its epoch began may still come */

	struct fake_row		 rows[FAKE_ROWS];
	size_t			 nrows;
	struct fake_move	 moves[FAKE_MOVES];
	size_t			 nmoves;
	struct fake_fact	 open_facts[FAKE_FACTS];	/* with a token, not answered yet */
	size_t			 nopen_facts;
	uint64_t		 asked, dropped, changes, facts, facts_answered;
	char			 fact_handle[64];	/* the last fact's */
};

/* --- the ledger's rows --- */

static struct fake_row *
fake_find(struct books *b, uint64_t kind, uint64_t id)
{
	for (size_t i = 0; i < b->nrows; i++)
		if (b->rows[i].row->kind == kind && b->rows[i].row->id == id)
			return &b->rows[i];
	return NULL;
}

static void
fake_replace(struct row **at, const struct row *row)
{
	struct row *old = *at;

	*at = row_keep(row);
	free(old);
}

/* A row, or a new version of it, that the stage does not see yet. */
static struct fake_row *
fake_put(struct books *b, const struct row *row)
{
	struct fake_row *r = fake_find(b, row->kind, row->id);

	assert_true(r || b->nrows < FAKE_ROWS);
	if (!r)
		r = &b->rows[b->nrows++];
	fake_replace(&r->row, row);
	return r;
}

static void
fake_change(struct fake_row *r, uint64_t to, uint64_t code, const struct row *set)
{
	struct row next = *r->row;

	if (set)
		row_merge(&next, set, set->have);
	SET(&next, rev, next.rev + 1);
	SET(&next, state, to);
	SET(&next, code, code);
	fake_replace(&r->row, &next);
}

/* --- what is in hand --- */

static void
fake_show(struct books *b, struct fake_row *r, bool fresh)
{
	fake_replace(&r->shown, r->row);
	r->held.row = r->shown;
	r->held.fresh = fresh;
	r->held.moving = r->held.due = false;
	r->has = true;
	r->due_ms = 0;
	b->ops.act(b->core, &r->held);
}

static inline void
fake_row(struct books *b, const struct row *row, bool fresh)
{
	fake_show(b, fake_put(b, row), fresh);
}

/* An attempt for a dispatcher, not shown yet. */
static inline struct fake_row *
fake_attempt(struct books *b, const uint8_t *input, uint64_t bytes)
{
	struct row row = { 0 };

	SET(&row, kind, ROW_ATTEMPT);
	SET(&row, id, FAKE_ATTEMPT_ID);
	SET(&row, rev, 1);
	SET(&row, state, ATTEMPT_ALLOCATED);
	SET(&row, chain, SPAN("main"));
	SET(&row, type, TYPE_CHUNK);
	SET(&row, input_bytes, bytes);
	if (input)
		ROW_HASH(&row, input_blob, input);
	return fake_put(b, &row);
}

static void
fake_let_go(struct books *b, struct fake_row *r)
{
	if (!r->has)
		return;
	b->ops.lose(b->core, &r->held);
	r->has = false;
	r->due_ms = 0;
}

/* Nothing is held, nothing is unanswered. */
static void
fake_let_all_go(struct books *b)
{
	for (size_t i = 0; i < b->nrows; i++)
		fake_let_go(b, &b->rows[i]);
	while (b->nmoves)
		free(b->moves[--b->nmoves].set);
}

/* The same for a new epoch. */
static inline void
fake_reset(struct books *b)
{
	fake_let_all_go(b);
	b->ops.reset(b->core);
}

static void
fake_end(struct books *b)
{
	fake_let_all_go(b);
	for (size_t i = 0; i < b->nrows; i++) {
		free(b->rows[i].row);
		free(b->rows[i].shown);
	}
	b->nrows = 0;
	clock_freeze(0);
}

/* The row of an identity in hand, or NULL. */
static struct fake_row *
fake_identity(struct books *b, uint64_t identity)
{
	for (size_t i = 0; i < b->nrows; i++)
		if (b->rows[i].has && b->rows[i].row->kind == ROW_IDENTITY && b->rows[i].row->identity == identity)
			return &b->rows[i];
	return NULL;
}

/* --- answers --- */

static struct fake_move
fake_next_move(struct books *b)
{
	assert_true(b->nmoves > 0);
	struct fake_move m = b->moves[0];
	memmove(b->moves, b->moves + 1, --b->nmoves * sizeof b->moves[0]);
	return m;
}

/* The row that a move is about; a new one for a creation. */
static struct fake_row *
fake_row_of(struct books *b, const struct fake_move *m)
{
	struct row row = { 0 };

	if (m->item.id)
		return fake_find(b, m->item.kind, m->item.id);
	SET(&row, kind, m->item.kind);
	SET(&row, id, FAKE_FIRST_ID + b->nrows);
	return fake_put(b, &row);
}

/* The ledger takes a move, if it names the version that is there. */
static uint64_t
fake_take(struct fake_row *r, const struct fake_move *m)
{
	assert_non_null(r);
	if (r->row->rev != m->item.rev)
		return CODE_CONFLICT;
	fake_change(r, m->item.to, m->item.code, m->set);
	return CODE_OK;
}

static void
fake_answer(struct books *b, const struct fake_move *m, uint64_t code, const struct row *first)
{
	if (m->token)
		b->ops.answer(b->core, m->token, code, first);
}

/* The consequence of a new job: its identity holds it. */
static void
fake_hold(struct books *b, const struct row *job)
{
	struct fake_row *r = fake_identity(b, job->identity);

	if (!r)
		return;
	fake_change(r, IDENTITY_HOLDING, r->row->code, NULL);
	fake_show(b, r, true);
}

static void
fake_accept(struct books *b, const struct fake_move *m)
{
	struct fake_row *r = fake_row_of(b, m);
	uint64_t code = fake_take(r, m);
	bool made = !m->item.id;

	fake_answer(b, m, code, r->row);
	if (made && m->item.kind == ROW_JOB)
		fake_hold(b, r->row);
	if (r->row->state > b->last[r->row->kind])
		fake_let_go(b, r);
	else if (r->has || made)
		fake_show(b, r, code == CODE_OK);
}

static void
fake_refuse(struct books *b, const struct fake_move *m, uint64_t code)
{
	fake_answer(b, m, code, NULL);
	if (!m->h)
		return;
	m->h->moving = false;
	((struct fake_row *)m->h)->due_ms = clock_ms() + FAKE_RETRY_MS;
}

/* Answer the oldest move: it is done, or refused with a code. */
static void
fake_done(struct books *b, uint64_t code)
{
	struct fake_move m = fake_next_move(b);

	if (code == CODE_OK)
		fake_accept(b, &m);
	else
		fake_refuse(b, &m, code);
	free(m.set);
}

static inline void
fake_all_done(struct books *b)
{
	while (b->nmoves)
		fake_done(b, CODE_OK);
}

/* The oldest move is done, and the answer is lost. */
static inline void
fake_done_unheard(struct books *b)
{
	struct fake_move m = fake_next_move(b);

	assert_int_equal(fake_take(fake_row_of(b, &m), &m), CODE_OK);
	free(m.set);
}

/* The facts that have a token hear what the ledger made of them. */
static void
fake_answer_facts(struct books *b)
{
	size_t n = b->nopen_facts;

	b->nopen_facts = 0;
	for (size_t i = 0; i < n; i++) {
		struct fake_fact f = b->open_facts[i];
		struct fake_row *r = fake_find(b, ROW_ATTEMPT, f.id);
		b->ops.answer(b->core, f.token, f.code, r ? r->row : NULL);
		if (r && f.code == CODE_OK && r->row->state > b->last[ROW_ATTEMPT])
			fake_let_go(b, r);
	}
}

/* The ledger's turn: the facts are answered, and the oldest move if there is one. */
static inline void
fake_turn(struct books *b)
{
	b->facts_answered = b->facts;
	fake_answer_facts(b);
	if (b->nmoves)
		fake_done(b, CODE_OK);
}

/* --- time --- */

static bool
fake_waits(const struct fake_row *r)
{
	return r->has && r->due_ms && !r->held.moving;
}

/* Timers whose time has come act. */
static inline void
fake_due(struct books *b)
{
	for (size_t i = 0; i < b->nrows; i++) {
		struct fake_row *r = &b->rows[i];
		if (!fake_waits(r) || r->due_ms > clock_ms())
			continue;
		r->due_ms = 0;
		r->held.due = true;
		b->ops.act(b->core, &r->held);
	}
}

/* The frozen clock goes on, from timer to timer. */
static inline void
fake_pass(struct books *b, uint64_t ms)
{
	for (uint64_t until = clock_ms() + ms; clock_ms() < until; ) {
		uint64_t next = until;
		for (size_t i = 0; i < b->nrows; i++)
			if (fake_waits(&b->rows[i]))
				next = MIN2(next, MAX2(b->rows[i].due_ms, clock_ms() + 1));
		clock_freeze(next);
		fake_due(b);
	}
}

/* --- books.h --- */

void
books_move(struct books *b, struct held *h, uint64_t token, const struct books_item *item, size_t n)
{
	struct fake_move *m = &b->moves[b->nmoves];

	assert_int_equal(n, 1);
	assert_true(b->nmoves < FAKE_MOVES);
	assert_false(h && h->moving);
	for (size_t i = 0; i < b->nmoves; i++)
		assert_false(h && b->moves[i].h == h);
	*m = (struct fake_move){ .item = *item, .set = item->set ? row_keep(item->set) : NULL, .token = token, .h = h };
	b->nmoves++;
	b->asked++;
	if (h)
		h->moving = true;
}

void
books_step(struct books *b, struct held *h, uint64_t to, uint64_t code, const struct row *set)
{
	struct books_item item = { .kind = h->row->kind, .id = h->row->id, .rev = h->row->rev, .from = h->row->state,
		.to = to, .code = code, .set = set };

	books_move(b, h, 0, &item, 1);
}

void
books_fact(struct books *b, uint64_t token, const struct books_item *item)
{
	struct fake_row *r = fake_find(b, item->kind, item->id);
	uint64_t code = !r ? CODE_GONE : b->refuse_facts ? CODE_STORE : CODE_OK;

	assert_true(r || token);
	assert_int_equal(item->rev, 0);
	assert_true(b->nopen_facts < FAKE_FACTS);
	b->facts++;
	if (token)
		b->open_facts[b->nopen_facts++] = (struct fake_fact){ token, item->id, code };
	span_cstr(item->set->handle, b->fact_handle, sizeof b->fact_handle);
	if (code == CODE_OK && r->row->state < item->to)
		fake_change(r, item->to, item->code, item->set);
}

void
books_drop(struct books *b, struct held *h)
{
	b->dropped++;
	fake_let_go(b, (struct fake_row *)h);
}

void
books_later(struct books *b, struct held *h, uint64_t ms)
{
	((struct fake_row *)h)->due_ms = clock_ms() + MAX2(ms, 1);
}

struct held *
books_find(struct books *b, uint64_t kind, uint64_t id)
{
	struct fake_row *r = fake_find(b, kind, id);

	return r && r->has ? &r->held : NULL;
}

void
books_each(struct books *b, void (*fn)(void *, struct held *), void *arg)
{
	for (size_t i = 0; i < b->nrows; i++)
		if (b->rows[i].has)
			fn(arg, &b->rows[i].held);
}

void
books_changed(struct books *b)
{
	b->changes++;
}

bool
books_connected_now(const struct books *b)
{
	return !b->away;
}

bool
books_told_all(const struct books *b)
{
	return !b->not_told;
}

uint64_t
books_wall_ms(const struct books *b)
{
	return clock_wall_ms();
}

uint64_t
books_wall_latest_ms(const struct books *b)
{
	return books_wall_ms(b);
}

size_t
books_pending(const struct books *b)
{
	return b->nmoves + (b->facts - b->facts_answered);
}

#endif
