/* fake_books.h - books.h for tests of what a stage decides: the test is the ledger.
 *
 * Defines the functions of books.h that stages' cores call, in place of books.c.
 * fake_row gives a row; moves wait in a list until fake_done answers the oldest;
 * fake_pass lets time go by. */
#ifndef FAKE_BOOKS_H
#define FAKE_BOOKS_H

#include "common/books.h"
#include "common/clock.h"

enum { FAKE_ROWS = 64, FAKE_MOVES = 64 };

struct fake_row { struct held held; struct row *kept; uint64_t due_ms; bool gone; };
struct fake_move { struct books_item item; struct row *set; uint64_t token; struct held *h; };

struct books {
	struct fake_row	 rows[FAKE_ROWS];
	size_t		 nrows;
	struct fake_move moves[FAKE_MOVES];
	size_t		 nmoves;
	uint64_t	 next_id, dropped, changes, now_ms;
	void		*core;
	void	(*act)(void *core, struct held *);
	void	(*lose)(void *core, struct held *);
	void	(*answer)(void *core, uint64_t token, uint64_t code, const struct row *first);
	void	(*reset)(void *core);
};

static void
fake_start(struct books *b)
{
	b->next_id = 100;
	b->now_ms = 1000000;
	clock_freeze(b->now_ms);
}

static void
fake_let_go(struct books *b, struct fake_row *r)
{
	if (r->gone)
		return;
	r->gone = true;
	b->lose(b->core, &r->held);
}

static void
fake_end(struct books *b)
{
	for (size_t i = 0; i < b->nrows; i++) {
		fake_let_go(b, &b->rows[i]);
		free(b->rows[i].kept);
	}
	for (size_t i = 0; i < b->nmoves; i++)
		free(b->moves[i].set);
	b->nrows = b->nmoves = 0;
	clock_freeze(0);
}

static struct fake_row *
fake_find(struct books *b, uint64_t kind, uint64_t id)
{
	for (size_t i = 0; i < b->nrows; i++)
		if (!b->rows[i].gone && b->rows[i].kept->kind == kind && b->rows[i].kept->id == id)
			return &b->rows[i];
	return NULL;
}

/* A row, or a new version of it. */
static void
fake_row(struct books *b, const struct row *row, bool fresh)
{
	struct fake_row *r = fake_find(b, row->kind, row->id);

	if (!r)
		r = &b->rows[b->nrows++];
	struct row *old = r->kept;
	r->kept = row_keep(row);
	r->held.row = r->kept;
	r->held.fresh = fresh;
	r->held.moving = r->held.due = false;
	r->due_ms = 0;
	b->act(b->core, &r->held);
	free(old);
}

static const struct row *
fake_set(struct row *row, const struct fake_move *m)
{
	if (m->set)
		row_merge(row, m->set, m->set->have);
	SET(row, kind, m->item.kind);
	SET(row, state, m->item.to);
	SET(row, code, m->item.code);
	return row;
}

/* The consequence of a new job: its identity holds it. */
static void
fake_hold(struct books *b, const struct row *job)
{
	for (size_t i = 0; i < b->nrows; i++) {
		const struct row *k = b->rows[i].kept;
		if (b->rows[i].gone || k->kind != ROW_IDENTITY || k->identity != job->identity)
			continue;
		struct row row = *k;
		SET(&row, state, IDENTITY_HOLDING);
		SET(&row, rev, row.rev + 1);
		fake_row(b, &row, true);
		return;
	}
}

static void
fake_applied(struct books *b, struct fake_move *m)
{
	struct fake_row *r = fake_find(b, m->item.kind, m->item.id);
	struct row row = { 0 };

	if (r)
		row = *r->kept;
	fake_set(&row, m);
	SET(&row, id, m->item.id ? m->item.id : b->next_id++);
	SET(&row, rev, m->item.rev + 1);
	if (m->token)
		b->answer(b->core, m->token, CODE_OK, &row);
	if (row.kind == ROW_JOB && !m->item.id)
		fake_hold(b, &row);
	else if (row.state >= STATE_END || row.state == ATTEMPT_VERIFIED + (row.kind == ROW_ATTEMPT ? 0 : 99))
		r ? fake_let_go(b, r) : (void)0;
	else
		fake_row(b, &row, true);
}

/* Answer the oldest move. */
static void
fake_done(struct books *b, uint64_t code)
{
	struct fake_move m = b->moves[0];

	memmove(b->moves, b->moves + 1, --b->nmoves * sizeof b->moves[0]);
	if (code == CODE_OK) {
		fake_applied(b, &m);
	} else {
		if (m.token)
			b->answer(b->core, m.token, code, NULL);
		if (m.h) {
			m.h->moving = false;
			((struct fake_row *)m.h)->due_ms = b->now_ms + 1000;
		}
	}
	free(m.set);
}

static void
fake_all_done(struct books *b)
{
	while (b->nmoves)
		fake_done(b, CODE_OK);
}

/* A new epoch: nothing is held, nothing is unanswered. */
static void
fake_reset(struct books *b)
{
	for (size_t i = 0; i < b->nrows; i++)
		fake_let_go(b, &b->rows[i]);
	for (size_t i = 0; i < b->nmoves; i++)
		free(b->moves[i].set);
	b->nmoves = 0;
	b->reset(b->core);
}

static void
fake_pass(struct books *b, uint64_t ms)
{
	b->now_ms += ms;
	clock_freeze(b->now_ms);
	for (size_t i = 0; i < b->nrows; i++) {
		struct fake_row *r = &b->rows[i];
		if (r->gone || !r->due_ms || r->due_ms > b->now_ms || r->held.moving)
			continue;
		r->due_ms = 0;
		r->held.due = true;
		b->act(b->core, &r->held);
	}
}

/* --- books.h --- */

void
books_move(struct books *b, struct held *h, uint64_t token, const struct books_item *item, size_t n)
{
	struct fake_move *m = &b->moves[b->nmoves++];

	*m = (struct fake_move){ .item = *item, .set = item->set ? row_keep(item->set) : NULL, .token = token, .h = h };
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
books_drop(struct books *b, struct held *h)
{
	b->dropped++;
	fake_let_go(b, (struct fake_row *)h);
}

void
books_later(struct books *b, struct held *h, uint64_t ms)
{
	((struct fake_row *)h)->due_ms = b->now_ms + MAX2(ms, 1);
}

struct held *
books_find(struct books *b, uint64_t kind, uint64_t id)
{
	struct fake_row *r = fake_find(b, kind, id);

	return r ? &r->held : NULL;
}

void
books_changed(struct books *b)
{
	b->changes++;
}

uint64_t
books_wall_ms(const struct books *b)
{
	return b->now_ms;
}

#endif
