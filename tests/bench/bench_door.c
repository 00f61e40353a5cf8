/* bench_door.c - the door and the court of dispatch-coordinator over books that answer at once: its server without a ledger.
 *
 * bench_door ORDERS: so many attempts wait for provers at any time; one that is proved is followed by another.
 * It says its port on standard error, and serves until it is ended.  The functions of books.h that the court calls are defined here.
 * uses: cmd/dispatch-coordinator */
#include "cmd/dispatch-coordinator/door.h"
#include "common/clock.h"
#include "common/diag.h"
#include "common/num.h"
#include "tests/bench/life.h"

enum { CONNECTIONS = 16384, HOLD_MS = 10000, LONG_MS = 3600000 };

/* An attempt; its place is its id's remainder. */
struct place {
	struct held	 held;
	struct row	 row;
	char		 key[80];
	struct place	*next;		/* among those that are to be acted on */
	bool		 listed, proved;
	uint64_t	 token;		/* of the proof */
};

struct books {
	struct door	*door;
	struct place	*places;
	size_t		 n;
	struct place	*first, **last;
	uint64_t	 next_id;
};

/* --- rows --- */

static void
list(struct books *b, struct place *p)
{
	if (p->listed)
		return;
	p->listed = true;
	p->next = NULL;
	*b->last = p;
	b->last = &p->next;
}

static void
make_row(struct books *b, struct place *p)
{
	static struct life_group g;
	struct life l = { .number = b->next_id };

	life_group(&g, LIFE_FETCHED, &l);
	p->row = (struct row){ 0 };
	row_merge(&p->row, &g.set, BIT(type) | BIT(fork));
	SET(&p->row, kind, ROW_ATTEMPT);
	SET(&p->row, state, ATTEMPT_ALLOCATED);
	SET(&p->row, work, b->next_id);
	SET(&p->row, id, b->next_id++);
	SET(&p->row, task, SPAN("0123456789"));
	SET(&p->row, body, span_str(life_input));
	p->held = (struct held){ .row = &p->row };
	p->proved = false;
	list(b, p);
}

/* --- the ledger: what was asked in this turn is done at its end --- */

static void
settle(struct books *b, struct place *p)
{
	struct court *c = door_court(b->door);

	p->listed = false;
	if (!p->proved) {
		p->held.moving = false;
		court_act(c, &p->held);
		return;
	}
	court_answer(c, p->token, CODE_OK, &p->row);
	court_lose(c, &p->held);
	p->row.id = 0;
	b->next_id += (b->n + (size_t)(p - b->places) - b->next_id % b->n) % b->n;
	make_row(b, p);
}

static bool
turn(void *arg)
{
	struct books *b = arg;
	struct place *todo = b->first, *next;

	b->first = NULL;
	b->last = &b->first;
	for (struct place *p = todo; p; p = next) {
		next = p->next;
		settle(b, p);
	}
	return todo != NULL;
}

/* --- books.h --- */

static struct place *
place_of(struct books *b, uint64_t id)
{
	struct place *p = &b->places[id % b->n];

	return p->row.id == id ? p : NULL;
}

void
books_step(struct books *b, struct held *h, uint64_t to, uint64_t code, const struct row *set)
{
	struct place *p = place_of(b, h->row->id);

	if (to != ATTEMPT_PROVING)
		die(EXIT_NO, "attempt %" PRIu64 ": to %" PRIu64 ", %s", h->row->id, to, code_word(code));
	h->moving = true;
	h->fresh = true;
	row_merge(&p->row, set, BIT(begun_ms));
	if (!span_cstr(set->handle, p->key, sizeof p->key))
		die(EXIT_BUG, "a key of %zu bytes", set->handle.n);
	SET(&p->row, handle, span_str(p->key));
	SET(&p->row, state, to);
	list(b, p);
}

void
books_fact(struct books *b, uint64_t token, const struct books_item *item)
{
	struct place *p = place_of(b, item->id);

	if (!p)
		die(EXIT_NO, "a proof of nothing");
	p->proved = true;
	p->token = token;
	list(b, p);
}

void
books_move(struct books *b, struct held *h, uint64_t token, const struct books_item *items, size_t n)
{
	die(EXIT_NO, "a prover reports a failure");
}

struct held *
books_find(struct books *b, uint64_t kind, uint64_t id)
{
	struct place *p = place_of(b, id);

	return p ? &p->held : NULL;
}

void
books_each(struct books *b, void (*fn)(void *, struct held *), void *arg)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->places[i].row.id)
			fn(arg, &b->places[i].held);
}

uint64_t
books_wall_ms(const struct books *b)
{
	return clock_wall_ms();
}

bool books_connected_now(const struct books *b) { return true; }
bool books_told_all(const struct books *b) { return true; }
void books_changed(struct books *b) { }
void books_later(struct books *b, struct held *h, uint64_t ms) { }
void books_drop(struct books *b, struct held *h) { die(EXIT_NO, "an attempt is not wanted"); }

/* --- life --- */

static void
open_door(struct books *b, struct loop *loop)
{
	static const struct desk_version versions[] = { { "*", "" }, { NULL, NULL } };
	struct door_opts o = {
		.loop = loop, .listen = "127.0.0.1:0", .max_body = 64 << 20, .max_connections = CONNECTIONS,
		.desk = { .secret = SPAN("bench"), .challenge_life_s = 600, .login_life_s = 3600, .own_version = "v4.4.70",
		    .versions = versions, .kind = true },
		.court = { .books = b, .secret = SPAN("bench"), .provider = LIFE_PROVIDER, .types = UINT64_C(1) << TYPE_BATCH,
		    .hold_ms = HOLD_MS, .take_ms = LONG_MS, .prove_ms = LONG_MS },
	};

	b->door = door_new(&o);
	if (!b->door)
		die_sys("%s", o.listen);
}

int
main(int argc, char **argv)
{
	struct books b = { .next_id = 1 };
	uint64_t orders;

	if (argc != 2 || !num_u64(span_str(argv[1]), &orders))
		die(EXIT_USAGE, "usage: bench_door orders");
	struct loop *loop = loop_new();
	b.n = orders;
	b.places = xzalloc((orders + 1) * sizeof *b.places);
	b.last = &b.first;
	open_door(&b, loop);
	loop_last(loop, turn, &b);
	for (size_t i = 0; i < orders; i++)
		make_row(&b, &b.places[b.next_id % orders]);
	loop_run(loop);
	door_free(&b.door);
	loop_free(&loop);
	free(b.places);
	return EXIT_DONE;
}
