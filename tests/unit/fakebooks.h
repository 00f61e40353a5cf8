/* fakebooks.h - books with one attempt, that are a small ledger of their own: these definitions
 * take the place of common/books.c.  A move is answered by done(). */
#ifndef PROVA_TEST_FAKEBOOKS_H
#define PROVA_TEST_FAKEBOOKS_H

#include "cmd/dispatch-exec/purchase.h"
#include "common/clock.h"
#include "common/codes.h"

#include <setjmp.h>
#include <cmocka.h>

enum { ID = 7 };

struct books {
	struct purchase	*p;
	struct row	*row;		/* the ledger's */
	struct held	 held;
	struct row	*shown;		/* what is in hand */
	bool		 has;		/* in hand */
	uint64_t	 due_ms;
	struct row	*asked;		/* a move under way */
	uint64_t	 asked_to, asked_code, asked_rev;
	unsigned	 changes, steps, facts, answered_facts;
	uint64_t	 fact_to;
	char		 fact_handle[64];
	bool		 refuse_facts, blind;
};

static void
show(struct books *b, bool fresh)
{
	free(b->shown);
	b->shown = row_keep(b->row);
	b->held.row = b->shown;
	b->held.fresh = fresh;
	b->held.moving = b->held.due = false;
	b->has = true;
	b->due_ms = 0;
	purchase_act(b->p, &b->held);
}

static void
let_go(struct books *b)
{
	if (b->has)
		purchase_lose(b->p, &b->held);
	b->has = false;
	b->due_ms = 0;
}

static void
change(struct books *b, uint64_t to, uint64_t code, const struct row *set)
{
	struct row next = *b->row, *old = b->row;

	if (set)
		row_merge(&next, set, set->have);
	SET(&next, rev, next.rev + 1);
	SET(&next, state, to);
	SET(&next, code, code);
	b->row = row_keep(&next);
	free(old);
}

/* The ledger answers what was asked. */
static void
done(struct books *b)
{
	struct row *set = b->asked;

	b->answered_facts = b->facts;
	if (!set)
		return;
	b->asked = NULL;
	if (b->asked_rev == b->row->rev)
		change(b, b->asked_to, b->asked_code, set);
	bool ours = b->row->state <= ATTEMPT_PROVING;
	if (b->has && ours)
		show(b, b->row->rev == b->asked_rev + 1);
	else if (b->has)
		let_go(b);
	free(set);
}

static struct row *
fake_attempt(const uint8_t *input, uint64_t bytes)
{
	struct row row = { 0 };

	SET(&row, kind, ROW_ATTEMPT);
	SET(&row, id, ID);
	SET(&row, rev, 1);
	SET(&row, state, ATTEMPT_ALLOCATED);
	SET(&row, chain, SPAN("main"));
	SET(&row, type, TYPE_CHUNK);
	SET(&row, input_bytes, bytes);
	if (input)
		ROW_HASH(&row, input_blob, input);
	return row_keep(&row);
}

static void
fake_end(struct books *b)
{
	let_go(b);
	free(b->row);
	free(b->shown);
	free(b->asked);
}

void
books_step(struct books *b, struct held *h, uint64_t to, uint64_t code, const struct row *set)
{
	const struct row none = { 0 };

	assert_false(h->moving);
	assert_null(b->asked);
	h->moving = true;
	b->asked = row_keep(set ? set : &none);
	b->asked_to = to;
	b->asked_code = code;
	b->asked_rev = h->row->rev;
	b->steps++;
}

void
books_fact(struct books *b, const struct books_item *item)
{
	assert_int_equal(item->id, ID);
	assert_int_equal(item->rev, 0);
	b->facts++;
	b->fact_to = item->to;
	span_cstr(item->set->handle, b->fact_handle, sizeof b->fact_handle);
	if (b->refuse_facts || b->row->state >= item->to)
		return;
	change(b, item->to, item->code, item->set);
}

void
books_drop(struct books *b, struct held *h)
{
	let_go(b);
}

void
books_later(struct books *b, struct held *h, uint64_t ms)
{
	b->due_ms = clock_ms() + ms;
}

struct held *
books_find(struct books *b, uint64_t kind, uint64_t id)
{
	return b->has && id == ID && !b->blind ? &b->held : NULL;
}

void
books_each(struct books *b, void (*fn)(void *, struct held *), void *arg)
{
	if (b->has)
		fn(arg, &b->held);
}

uint64_t
books_wall_ms(const struct books *b)
{
	return clock_wall_ms();
}

void
books_changed(struct books *b)
{
	b->changes++;
}

size_t
books_pending(const struct books *b)
{
	return (b->asked != NULL) + (b->facts - b->answered_facts);
}

#endif
