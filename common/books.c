/* books.c - a stage's side of the LEDGER link.  See books.h; rule numbers are those of prova-wire(7).
 *
 * BUGS: the list of what was passed is kept for an epoch's life; it is forgotten when it holds
 * a million rows, and NEWS may then bring some of them once more. */
#include "common/books.h"

#include "common/clock.h"
#include "common/diag.h"
#include "common/map.h"
#include "common/rule.h"
#include "common/wire.h"

enum {
	TICK_MS		= 500,
	RESEND_MS	= 1000,
	HELLO_MIN_MS	= 300,
	HELLO_MAX_MS	= 2000,
	HEARD_MS	= 3000,
	CLOCK_WINDOW_MS	= 10000,
	MANY		= 1000,		/* so many in hand are looked through for what is due */
	GRAIN_MS	= 20,		/* this often at most */
	MOVE_BYTES	= 60000,	/* of groups in one message */
	PASSED_MAX	= 1 << 20,
};

/* A row in hand, with what the protocol needs of it. */
struct hand {
	struct held	 held;		/* first: what the stage sees */
	struct row	*kept;		/* owned; held.row points to it */
	uint64_t	 key;
	uint64_t	 due_ms;	/* books_later; 0 none */
	uint64_t	 waits_for;	/* seq of the move under way */
	bool		 dead;		/* freed at the end of the turn */
};

/* A group that was asked for and not answered yet. */
struct ask {
	uint64_t	 seq, token, sent_ms, first_ms;	/* when it was sent last, and first */
	uint64_t	 row_key;	/* the row that waits for it; 0 none */
	struct span	 bytes;		/* owned: the encoded group */
	bool		 fact;
	struct ask	*next;
};

struct passed { uint64_t key, rev; };

struct books {
	char		*instance, *kind, *inbox, *chain;
	struct books_ops ops;
	void		*arg;
	struct wire	*in;
	uint64_t	 epoch, last_epoch, term, welcome_term, seq, serial;
	bool		 linked;	/* connected once: before, a HELLO would arrive twice */
	bool		 said_hello;	/* HELLO is under way */
	uint64_t	 hello_ms, hello_wait_ms, heard_ms, tick_ms, now_ms;
	int64_t		 latest_offset_ms;	/* at most this: from the last move answered */
	int64_t		 offset_ms[2];		/* ledger's clock less ours: of this window, of the one before */
	uint64_t	 clock_window_ms;
	bool		 level_changed, ask_now;
	bool		 told_all;		/* every row that was ours at the WELCOME has come */
	struct map	 hands;
	uint64_t	 due_ms, *due;		/* no hand is due before; keys of those that are, while act is called */
	size_t		 ndue, cap_due;
	struct hand	**dead;
	size_t		 ndead, cap_dead;
	struct map	 passed;
	struct ask	*asks, **asks_end;	/* in order of seq; sent_ms 0: not yet sent */
	struct ask	*homeless;		/* facts that wait for an epoch */
	struct tick	 tick;
	struct buf	 out, body;
};

static uint64_t
key_of(uint64_t kind, uint64_t id)
{
	return map_mix(kind, id) | 1;
}

struct books *
books_new(const struct books_opts *o)
{
	struct books *b = xzalloc(sizeof *b);

	b->instance = xstrdup(o->instance);
	b->kind = xstrdup(o->kind);
	b->inbox = xstrdup(o->inbox);
	b->chain = xstrdup(o->chain);
	b->ops = *o->ops;
	b->arg = o->arg;
	b->in = wire_new();
	b->asks_end = &b->asks;
	b->due_ms = UINT64_MAX;
	return b;
}

/* --- what is in hand --- */

static bool
is_alive(const void *value, const void *arg)
{
	return !((const struct hand *)value)->dead;
}

static struct hand *
find(struct books *b, uint64_t key)
{
	return map_get(&b->hands, key, is_alive, NULL);
}

struct held *
books_find(struct books *b, uint64_t kind, uint64_t id)
{
	struct hand *h = find(b, key_of(kind, id));

	return h ? &h->held : NULL;
}

/* Let go of a row: the stage frees its part now, the hand dies with the turn. */
static void
let_go(struct books *b, struct hand *h)
{
	if (h->dead)
		return;
	h->dead = true;
	map_del(&b->hands, h->key, h);
	b->ops.lose(b->arg, &h->held);
	if (b->ndead == b->cap_dead) {
		b->cap_dead = b->cap_dead ? 2 * b->cap_dead : 16;
		b->dead = xrealloc(b->dead, b->cap_dead * sizeof *b->dead);
	}
	b->dead[b->ndead++] = h;
}

static void
bury(struct books *b)
{
	for (size_t i = 0; i < b->ndead; i++) {
		free(b->dead[i]->kept);
		free(b->dead[i]);
	}
	b->ndead = 0;
}

static void
let_all_go(struct books *b)
{
	size_t at = 0;
	struct hand *h;

	while (at = 0, (h = map_next(&b->hands, &at)))
		let_go(b, h);
}

static void
forget_passed(struct books *b)
{
	size_t at = 0;
	struct passed *p;

	while ((p = map_next(&b->passed, &at)))
		free(p);
	map_free(&b->passed);
}

static uint64_t
passed_rev(const struct books *b, uint64_t key)
{
	const struct passed *p = map_get(&b->passed, key, NULL, NULL);

	return p ? p->rev : 0;
}

static void
mark_passed(struct books *b, uint64_t key, uint64_t rev)
{
	struct passed *p = map_get(&b->passed, key, NULL, NULL);

	if (!p) {
		if (b->passed.n >= PASSED_MAX)
			forget_passed(b);
		p = xmalloc(sizeof *p);
		*p = (struct passed){ key, 0 };
		map_put(&b->passed, key, p);
	}
	p->rev = MAX2(p->rev, rev);
}

static void
take(struct books *b, struct hand *h, const struct row *row, bool fresh)
{
	struct row *old = h->kept;

	h->kept = row_keep(row);
	h->held.row = h->kept;
	h->held.fresh = fresh;
	h->held.moving = h->held.due = false;
	h->due_ms = 0;
	b->ops.act(b->arg, &h->held);
	free(old);
}

static void
hold(struct books *b, const struct row *row, bool fresh)
{
	struct hand *h = xzalloc(sizeof *h);

	h->key = key_of(row->kind, row->id);
	map_put(&b->hands, h->key, h);
	take(b, h, row, fresh);
}

/* A row that NEWS, ROWS or an OFFER brought: dropped when held as new, or passed (rule 4). */
static void
hint(struct books *b, const struct row *row)
{
	uint64_t key = key_of(row->kind, row->id);
	struct hand *h = find(b, key);

	if (!b->epoch)
		return;
	if (passed_rev(b, key) >= row->rev)
		return;
	if (!h)
		hold(b, row, false);
	else if (!h->held.moving && row->rev > h->kept->rev)
		take(b, h, row, false);
}

void
books_drop(struct books *b, struct held *held)
{
	let_go(b, (struct hand *)held);
}

void
books_later(struct books *b, struct held *held, uint64_t ms)
{
	struct hand *h = (struct hand *)held;

	h->due_ms = clock_ms() + MAX2(ms, 1);
	b->due_ms = MIN2(b->due_ms, h->due_ms);
}

void
books_each(struct books *b, void (*fn)(void *, struct held *), void *arg)
{
	size_t at = 0;
	struct hand *h;

	while ((h = map_next(&b->hands, &at)))
		fn(arg, &h->held);
}

/* --- messages up --- */

static struct wire_head
head(const struct books *b)
{
	return (struct wire_head){ b->epoch, RULE(TERM_NOT_SENT_UP) ? b->term : 0, clock_wall_ms() };
}

static void
send(struct books *b)
{
	b->ops.send(b->arg, SPAN_OF(&b->out));
	buf_reset(&b->out);
}

static void
say_hello(struct books *b)
{
	struct wire_head h = head(b);
	struct wire_hello hello = { b->instance, b->kind, b->inbox, "active", b->chain };

	wire_put_hello(&b->out, &h, &hello);
	send(b);
	b->said_hello = true;
	b->hello_wait_ms = MIN2(MAX2(2 * b->hello_wait_ms, HELLO_MIN_MS), HELLO_MAX_MS);
	b->hello_ms = b->now_ms + b->hello_wait_ms + b->now_ms % 17;
}

static void
say_ask(struct books *b)
{
	struct wire_head h = head(b);

	wire_put_ask(&b->out, &h);
	send(b);
	b->ask_now = false;
}

static void
say_tick(struct books *b)
{
	struct wire_head h = head(b);

	memset(b->tick.price, 0, sizeof b->tick.price);
	b->tick.provider[0] = b->tick.note[0] = '\0';
	b->tick.slots = (struct pools){ { 0 } };
	b->tick.types = 0;
	b->tick.nrooms = b->tick.npolls = b->tick.nready = 0;
	snprintf(b->tick.chain, sizeof b->tick.chain, "%s", b->chain);
	b->ops.levels(b->arg, &b->tick);
	wire_put_tick(&b->out, &h, b->serial, &b->tick);
	send(b);
	b->tick_ms = b->now_ms + TICK_MS;
	b->level_changed = false;
}

/* All asks from the first one that fits `due`, in order, as few messages as can be (rule 2). */
static void
say_moves(struct books *b, struct ask *from)
{
	while (from) {
		struct wire_head h = head(b);
		uint64_t first = from->seq;
		size_t n = 0;
		buf_reset(&b->body);
		for (; from && from->seq == first + n && (n == 0 || b->body.n + from->bytes.n <= MOVE_BYTES); n++) {
			buf_put(&b->body, from->bytes.p, from->bytes.n);
			from->sent_ms = b->now_ms;
			if (!from->first_ms)
				from->first_ms = b->now_ms;
			from = from->next;
		}
		wire_put_move(&b->out, &h, first, n, SPAN_OF(&b->body));
		send(b);
	}
}

static struct ask *
first_due(struct books *b)
{
	if (b->asks && b->asks->sent_ms && b->now_ms >= b->asks->sent_ms + RESEND_MS)
		return b->asks;
	struct ask *a = b->asks;
	while (a && a->sent_ms)
		a = a->next;
	return a;
}

/* --- asking for moves --- */

static void
append(struct books *b, struct ask *a)
{
	a->seq = ++b->seq;
	a->sent_ms = 0;
	a->next = NULL;
	*b->asks_end = a;
	b->asks_end = &a->next;
}

static struct ask *
new_ask(const struct books_item *items, size_t n, uint64_t row_key, uint64_t token)
{
	struct ask *a = xzalloc(sizeof *a);
	struct buf bytes = { 0 };

	wire_put_group(&bytes, items, n);
	a->bytes = SPAN_OF(&bytes);
	a->row_key = row_key;
	a->token = token;
	return a;
}

static void
free_ask(struct ask *a)
{
	free((void *)(uintptr_t)a->bytes.p);
	free(a);
}

void
books_move(struct books *b, struct held *held, uint64_t token, const struct books_item *items, size_t n)
{
	struct hand *h = (struct hand *)held;

	if (!b->epoch || (h && h->dead))
		return;
	if (h && h->held.moving)
		bug("a second move of %s %" PRIu64, row_kind_name(h->kept->kind), h->kept->id);
	append(b, new_ask(items, n, h ? h->key : 0, token));
	if (h) {
		h->held.moving = true;
		h->waits_for = b->seq;
		if (!RULE(MEMORY_OUTLIVES_EPOCH))
			mark_passed(b, h->key, h->kept->rev);
	}
}

void
books_step(struct books *b, struct held *held, uint64_t to, uint64_t code, const struct row *set)
{
	const struct row *r = held->row;
	struct books_item item = { .kind = r->kind, .id = r->id, .rev = r->rev, .from = r->state,
	    .to = to, .code = code, .set = set };

	books_move(b, held, 0, &item, 1);
}

void
books_fact(struct books *b, uint64_t token, const struct books_item *item)
{
	struct ask *a = new_ask(item, 1, 0, token);

	a->fact = true;
	if (b->epoch) {
		append(b, a);
	} else {
		a->next = b->homeless;
		b->homeless = a;
	}
}

/* Unanswered moves die with their epoch; facts do not. */
static void
drop_asks(struct books *b)
{
	struct ask *a = b->asks, *next;

	b->asks = NULL;
	b->asks_end = &b->asks;
	for (; a; a = next) {
		next = a->next;
		if (a->fact) {
			a->next = b->homeless;
			b->homeless = a;
		} else {
			free_ask(a);
		}
	}
}

/* --- messages down --- */

static void
begin_anew(struct books *b, uint64_t epoch)
{
	let_all_go(b);
	drop_asks(b);
	if (RULE(MEMORY_OUTLIVES_EPOCH))
		forget_passed(b);
	b->last_epoch = MAX2(b->last_epoch, b->epoch);
	b->epoch = epoch;
	b->seq = 0;
	b->serial = 0;
	b->told_all = false;
	if (!epoch)
		return;
	for (struct ask *a = b->homeless, *next; a; a = next) {
		next = a->next;
		append(b, a);
	}
	b->homeless = NULL;
	b->ops.reset(b->arg);
}

static void
on_welcome(struct books *b, const struct wire *w)
{
	if (w->held && w->held != b->epoch && RULE(ANY_WELCOME))
		return;			/* to another process of this name, or to what we were */
	if (w->epoch != b->epoch && w->epoch <= b->last_epoch)
		return;			/* an epoch that is over: we were fenced since */
	if (w->epoch != b->epoch)
		begin_anew(b, w->epoch);
	b->said_hello = false;
	b->hello_wait_ms = 0;
	if (b->welcome_term != w->term)
		b->serial = 0;
	b->welcome_term = w->term;
	b->ask_now = b->level_changed = true;
	for (struct ask *a = b->asks; a; a = a->next)
		a->sent_ms = 0;
}

static void
on_fenced(struct books *b, const struct wire *w)
{
	if (w->epoch != b->epoch || !b->epoch)
		return;
	diag(DIAG_INFO, "fenced", "epoch=%" PRIu64, b->epoch);
	if (!RULE(FENCED_IS_DEAF))
		return;
	begin_anew(b, 0);
	b->hello_ms = b->now_ms;
	b->said_hello = false;
}

static void
on_refuse(struct books *b, const struct wire *w)
{
	if (w->code != CODE_STANDBY)
		diag(DIAG_WARN, "refused", "code=%s", code_word(w->code));
	b->said_hello = false;
}

static bool
is_mine(const struct books *b, const struct wire *w, uint64_t next)
{
	return next && span_is(w->names[next - 1].instance, b->instance);
}

/* A row of an answer: it stays ours, or goes on to its next stage, or rests. */
static void
settle_row(struct books *b, const struct wire *w, const struct wire_row *r, bool ok)
{
	uint64_t key = key_of(r->row.kind, r->row.id);
	struct hand *h = find(b, key);
	bool mine = is_mine(b, w, r->next);

	if (h && r->row.rev < h->kept->rev)
		return;
	if (mine && h) {
		if (!h->held.moving || ok || r->row.rev > h->kept->rev)
			take(b, h, &r->row, ok);
		return;
	}
	if (mine) {
		if (passed_rev(b, key) < r->row.rev)
			hold(b, &r->row, ok);
		return;
	}
	if (ok) {
		/* what it was, not what it has become: that may come back to us */
		mark_passed(b, key, r->row.rev - 1);
		if (r->next && w->names[r->next - 1].inbox.n) {
			wire_put_offer(&b->out, &r->row);
			b->ops.offer(b->arg, w->names[r->next - 1].inbox, SPAN_OF(&b->out));
			buf_reset(&b->out);
		}
	}
	if (h)
		let_go(b, h);
}

/* The row that waited for a refused move and was not among its rows, or came back as it was. */
static void
settle_waiting(struct books *b, const struct ask *a, uint64_t code, const struct row *as_it_is)
{
	struct hand *h = a->row_key ? find(b, a->row_key) : NULL;

	if (!h || !h->held.moving || h->waits_for != a->seq)
		return;
	if (code == CODE_OK || code == CODE_GONE) {
		let_go(b, h);
	} else if (code == CODE_CONFLICT && as_it_is && as_it_is->kind == h->kept->kind && as_it_is->id == h->kept->id) {
		take(b, h, as_it_is, false);
	} else if (code == CODE_CONFLICT) {
		let_go(b, h);
	} else {
		h->held.moving = false;
		books_later(b, &h->held, 1000);
	}
}

/* Unlink the ask that a result answers; NULL for a result nobody waits for. */
static struct ask *
unlink_ask(struct books *b, uint64_t seq)
{
	for (struct ask **at = &b->asks; *at; at = &(*at)->next) {
		struct ask *a = *at;
		if (a->seq != seq)
			continue;
		*at = a->next;
		if (!a->next)
			b->asks_end = at;
		return a;
	}
	return NULL;
}

/* The version in the answer of the row that waited; NULL: not among its rows. */
static const struct row *
version_of(const struct wire *w, const struct wire_result *r, uint64_t key)
{
	for (size_t i = 0; i < r->n; i++)
		if (key_of(w->rows[r->first + i].row.kind, w->rows[r->first + i].row.id) == key)
			return &w->rows[r->first + i].row;
	return NULL;
}

static void
on_result(struct books *b, const struct wire *w, const struct wire_result *r)
{
	struct ask *a = unlink_ask(b, r->seq);
	bool ok = r->code == CODE_OK;

	if (!a)
		return;
	/* the answer was written after the question was sent */
	b->latest_offset_ms = (int64_t)w->clock_ms - (int64_t)clock_wall_ms() + (int64_t)(b->now_ms - a->first_ms);
	if (r->code == CODE_ILLEGAL || r->code == CODE_NOBLOB || r->code == CODE_BUDGET || r->code == CODE_STORE)
		diag(DIAG_WARN, "move-refused", "code=%s seq=%" PRIu64, code_word(r->code), r->seq);
	if (a->token)
		b->ops.answer(b->arg, a->token, r->code, r->n ? &w->rows[r->first].row : NULL);
	bool same_again = r->code != CODE_OK && r->code != CODE_CONFLICT && r->code != CODE_GONE;
	for (size_t i = 0; i < r->n && !same_again; i++)
		settle_row(b, w, &w->rows[r->first + i], ok);
	settle_waiting(b, a, r->code, version_of(w, r, a->row_key));
	free_ask(a);
}

static void
on_done(struct books *b, const struct wire *w)
{
	if (w->epoch != b->epoch)
		return;
	if (w->code == CODE_GAP) {
		for (struct ask *a = b->asks; a; a = a->next)
			if (a->seq >= w->seq)
				a->sent_ms = 0;
		return;
	}
	for (size_t i = 0; i < w->nresults && w->epoch == b->epoch; i++)
		on_result(b, w, &w->results[i]);
	while (!RULE(UPTO_ANSWERS_ALL) && b->asks && b->asks->seq <= w->seq)
		free_ask(unlink_ask(b, b->asks->seq));
}

static void
on_rows(struct books *b, const struct wire *w)
{
	if (w->epoch != b->epoch)
		return;
	for (size_t i = 0; i < w->nrows; i++)
		hint(b, &w->rows[i].row);
	if (w->kind == WIRE_ROWS) {
		b->ask_now = w->more != 0;
		b->told_all |= !b->ask_now;
		return;
	}
	b->serial = MAX2(b->serial, w->serial);
	if (w->news.ngrants || w->news.has_capacity)
		b->ops.news(b->arg, &w->news);
}

static const struct { enum wire_kind kind; void (*fn)(struct books *, const struct wire *); } handlers[] = {
	{ WIRE_WELCOME, on_welcome }, { WIRE_REFUSE, on_refuse }, { WIRE_DONE, on_done },
	{ WIRE_ROWS, on_rows }, { WIRE_NEWS, on_rows }, { WIRE_FENCED, on_fenced },
};

/* The ledger's clock less ours.  A message that was long under way says too little, so
 * the largest of the last two windows counts. */
static void
note_clock(struct books *b, int64_t offset_ms)
{
	if (b->now_ms >= b->clock_window_ms + CLOCK_WINDOW_MS || !b->clock_window_ms) {
		b->offset_ms[1] = b->clock_window_ms ? b->offset_ms[0] : offset_ms;
		b->offset_ms[0] = offset_ms;
		b->clock_window_ms = b->now_ms;
	}
	if (offset_ms > b->offset_ms[0])
		b->offset_ms[0] = offset_ms;
}

void
books_hear(struct books *b, struct span message)
{
	struct wire *w = b->in;
	char why[128];

	if (!wire_read(w, message, why)) {
		diag(DIAG_WARN, "malformed", "from=ledger bytes=%zu why=%s", message.n, diag_quote(why));
		return;
	}
	if (RULE(OLD_TERM_HEARD) && w->term < b->term)
		return;			/* rule 10: an older ledger */
	if (w->term > b->term) {
		b->term = w->term;
		if (w->kind != WIRE_WELCOME && !b->said_hello)
			b->hello_ms = 0, say_hello(b);
	}
	b->now_ms = clock_ms();
	b->heard_ms = b->now_ms;
	if (w->clock_ms)
		note_clock(b, (int64_t)w->clock_ms - (int64_t)clock_wall_ms());
	for (size_t i = 0; i < NELEM(handlers); i++)
		if ((uint64_t)handlers[i].kind == w->kind)
			handlers[i].fn(b, w);
}

void
books_offered(struct books *b, struct span message)
{
	char why[128];

	if (!wire_read(b->in, message, why) || b->in->kind != WIRE_OFFER)
		diag(DIAG_WARN, "malformed", "from=work bytes=%zu", message.n);
	else
		for (size_t i = 0; i < b->in->nrows; i++)
			hint(b, &b->in->rows[i].row);
}

void
books_connected(struct books *b)
{
	b->now_ms = clock_ms();
	b->hello_wait_ms = 0;
	b->linked = true;
	say_hello(b);
}

/* --- the turn --- */

/* What is due now, into b->due; when the next of the others is. */
static uint64_t
gather_due(struct books *b)
{
	uint64_t next = UINT64_MAX;
	size_t at = 0;
	struct hand *h;

	b->ndue = 0;
	while ((h = map_next(&b->hands, &at))) {
		if (!h->due_ms)
			continue;
		if (h->due_ms > b->now_ms) {
			next = MIN2(next, h->due_ms);
			continue;
		}
		if (b->ndue == b->cap_due) {
			b->cap_due = b->cap_due ? 2 * b->cap_due : 64;
			b->due = xrealloc(b->due, b->cap_due * sizeof *b->due);
		}
		b->due[b->ndue++] = h->key;
	}
	return next;
}

/* Call act for what books_later asked for.  Each may change what is held: the rows are found
 * again by their keys. */
static uint64_t
run_timers(struct books *b)
{
	if (b->now_ms < b->due_ms)
		return b->due_ms;
	b->due_ms = UINT64_MAX;		/* books_later lowers it */
	uint64_t next = gather_due(b);
	for (size_t i = 0; i < b->ndue; i++) {
		struct hand *h = find(b, b->due[i]);
		if (!h || !h->due_ms || h->due_ms > b->now_ms)
			continue;
		h->due_ms = 0;
		if (h->held.moving)
			continue;
		h->held.due = true;
		b->ops.act(b->arg, &h->held);
	}
	next = MIN2(b->due_ms, next);
	if (b->hands.n > MANY && next != UINT64_MAX)
		next = MAX2(next, b->now_ms + GRAIN_MS);
	return b->due_ms = next;
}

uint64_t
books_turn(struct books *b, uint64_t now_ms)
{
	b->now_ms = now_ms;
	uint64_t next = run_timers(b);

	bool to_say = b->linked && (!b->epoch || b->said_hello);
	if (to_say && now_ms >= b->hello_ms)
		say_hello(b);
	if (to_say)
		next = MIN2(next, b->hello_ms);
	if (b->epoch) {
		struct ask *due = first_due(b);
		if (due)
			say_moves(b, due);
		if (b->ask_now)
			say_ask(b);
		if (b->level_changed || now_ms >= b->tick_ms)
			say_tick(b);
		next = MIN2(next, b->tick_ms);
		if (b->asks)
			next = MIN2(next, b->asks->sent_ms + RESEND_MS);
	}
	bury(b);
	return next;
}

void
books_changed(struct books *b)
{
	b->level_changed = true;
}

bool
books_connected_now(const struct books *b)
{
	return b->epoch && clock_ms() < b->heard_ms + HEARD_MS;
}

bool
books_told_all(const struct books *b)
{
	return b->told_all;
}

uint64_t
books_epoch(const struct books *b)
{
	return b->epoch;
}

uint64_t
books_term(const struct books *b)
{
	return b->term;
}

uint64_t
books_wall_ms(const struct books *b)
{
	int64_t offset_ms = b->offset_ms[0] > b->offset_ms[1] ? b->offset_ms[0] : b->offset_ms[1];

	return (uint64_t)((int64_t)clock_wall_ms() + offset_ms);
}

uint64_t
books_wall_latest_ms(const struct books *b)
{
	return MAX2((uint64_t)((int64_t)clock_wall_ms() + b->latest_offset_ms), books_wall_ms(b));
}

size_t
books_pending(const struct books *b)
{
	size_t n = 0;

	for (const struct ask *a = b->asks; a; a = a->next)
		n++;
	for (const struct ask *a = b->homeless; a; a = a->next)
		n++;
	return n;
}

void
books_free(struct books **bp)
{
	struct books *b = *bp;

	if (!b)
		return;
	if (b->epoch) {
		struct wire_head h = head(b);
		struct ask *due = first_due(b);
		if (due)
			say_moves(b, due);
		wire_put_plain(&b->out, WIRE_BYE, &h, CODE_OK);
		send(b);
	}
	let_all_go(b);
	bury(b);
	free(b->dead);
	free(b->due);
	map_free(&b->hands);
	forget_passed(b);
	for (struct ask *lists[] = { b->asks, b->homeless }, **l = lists; l < lists + 2; l++)
		for (struct ask *a = *l, *next; a; a = next) {
			next = a->next;
			free_ask(a);
		}
	wire_free(&b->in);
	buf_free(&b->out);
	buf_free(&b->body);
	free(b->instance);
	free(b->kind);
	free(b->inbox);
	free(b->chain);
	free(b);
	*bp = NULL;
}
