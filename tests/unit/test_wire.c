/* test_wire.c - every kind of message: there and back with its members at their limits, and what is
 * not a message, to the byte. */
#include "common/pack.h"
#include "common/wire.h"

#include <setjmp.h>

#include <cmocka.h>

static const struct wire_head head = { UINT64_MAX, UINT64_MAX - 1, UINT64_MAX - 2 };
static const struct wire_names no_names;

/* A text of n letters.  Static: good until the next one of that length. */
static const char *
letters(size_t n)
{
	static char text[8][4097];
	static unsigned turn;
	char *t = text[turn++ % NELEM(text)];

	memset(t, 'a', n);
	t[n] = '\0';
	return t;
}

/* Every field, each as long as it may be. */
static const struct row *
full_row(void)
{
	static struct row row;
	static uint8_t bytes[INLINE_BYTES];

	memset(bytes, 'x', sizeof bytes);
	for (size_t i = 0; i < row_nfields; i++) {
		const struct field *f = &row_fields[i];
		char *at = (char *)&row + f->off;
		if (f->type == FIELD_U64)
			*(uint64_t *)at = INT64_MAX - i;
		else if (f->type == FIELD_HASH)
			memset(at, (int)i, HASH_BYTES);
		else
			*(struct span *)at = (struct span){ bytes, f->max };
		row.have |= UINT64_C(1) << f->key;
	}
	SET(&row, kind, ROW_JOB);
	return &row;
}

static void
assert_same_row(const struct row *a, const struct row *b)
{
	struct buf one = { 0 }, two = { 0 };

	wire_put_fields(&one, a, UINT64_MAX);
	wire_put_fields(&two, b, UINT64_MAX);
	assert_true(span_eq(SPAN_OF(&one), SPAN_OF(&two)));
	buf_free(&one);
	buf_free(&two);
}

/* --- the kinds: how each is written, and what must be there when it was read --- */

static void
put_hello(struct buf *out)
{
	wire_put_hello(out, &head, &(struct wire_hello){ letters(64), letters(63), letters(256), letters(16), letters(32) });
}

static void
see_hello(const struct wire *w)
{
	assert_int_equal(w->version, WIRE_VERSION);
	assert_true(span_is(w->instance, letters(64)) && span_is(w->stage, letters(63)) && span_is(w->inbox, letters(256)));
	assert_true(span_is(w->role, letters(16)) && span_is(w->chain, letters(32)));
}

static void
put_welcome(struct buf *out)
{
	wire_put_welcome(out, &head, 9, letters(64), "active");
}

static void
see_welcome(const struct wire *w)
{
	assert_true(span_is(w->ledger, letters(64)) && span_is(w->role, "active"));
	assert_int_equal(w->held, 9);
}

#define PLAIN(name, kind) \
	static void put_##name(struct buf *out) { wire_put_plain(out, kind, &head, CODE_SCHEMA); } \
	static void see_##name(const struct wire *w) { assert_int_equal(w->code, CODE_SCHEMA); }
PLAIN(refuse, WIRE_REFUSE)
PLAIN(fenced, WIRE_FENCED)
PLAIN(bye, WIRE_BYE)

static void
put_ask(struct buf *out)
{
	wire_put_ask(out, &head);
}

static void
see_ask(const struct wire *w)
{
	assert_int_equal(w->nrows, 0);
}

static const struct tick *
full_tick(void)
{
	static struct tick t;

	memset(t.provider, 'p', 32);
	memset(t.chain, 'c', 32);
	memset(t.note, 'n', 255);
	for (size_t i = 1; i < POOLS; i++)
		t.slots.n[i] = UINT32_MAX;
	t.types = t.price[1] = t.price[TYPE_MAX] = UINT64_MAX;
	for (t.nrooms = 0; t.nrooms < LEVELS_MAX; t.nrooms++) {
		t.rooms[t.nrooms].type = t.nrooms % (TYPE_MAX + 1);	/* by member: what lies between them stays 0 */
		t.rooms[t.nrooms].n = UINT64_MAX;
		memset(t.rooms[t.nrooms].chain, 'c', 32);
		memset(t.rooms[t.nrooms].fork, 'f', 32);
	}
	for (t.npolls = 0; t.npolls < POLLS_MAX; t.npolls++)
		t.polls[t.npolls] = t.ready[t.npolls] = (struct poll){ t.npolls, t.npolls % (TYPE_MAX + 1) };
	t.nready = t.npolls;
	return &t;
}

static void
put_tick(struct buf *out)
{
	wire_put_tick(out, &head, UINT64_MAX, full_tick());
}

static void
see_tick(const struct wire *w)
{
	assert_int_equal(w->serial, UINT64_MAX);
	assert_memory_equal(&w->tick, full_tick(), sizeof w->tick);
}

static const struct news *
full_news(void)
{
	static struct news n;

	n.has_capacity = true;
	for (n.ncapacity = 0; n.ncapacity < PROVIDERS_MAX; n.ncapacity++) {
		struct capacity *p = &n.capacity[n.ncapacity];	/* by member: what lies between them stays 0 */
		memset(p->name, 'p', 32);
		p->price[TYPE_MAX] = p->used[TYPE_CHUNK] = UINT64_MAX;
		p->slots = pools_one(14, UINT32_MAX);
	}
	for (n.ngrants = 0; n.ngrants < POLLS_MAX; n.ngrants++)
		n.grants[n.ngrants] = (struct poll){ n.ngrants, 1 };
	return &n;
}

static void
put_news(struct buf *out)
{
	wire_put_news(out, &head, UINT64_MAX, full_news());
}

static void
see_news(const struct wire *w)
{
	assert_int_equal(w->serial, UINT64_MAX);
	assert_memory_equal(&w->news, full_news(), sizeof w->news);
}

static void
put_move(struct buf *out)
{
	struct books_item items[BOOKS_ITEMS];
	struct buf groups = { 0 };

	for (size_t i = 0; i < BOOKS_ITEMS; i++)
		items[i] = (struct books_item){ UINT64_MAX, 2, 3, 4, 5, 6, i ? NULL : full_row(), { { 1, 2, UINT64_MAX }, { 4, 5, 6 } } };
	wire_put_group(&groups, items, BOOKS_ITEMS);
	wire_put_group(&groups, items + 1, 1);
	wire_put_move(out, &head, UINT64_MAX, 2, SPAN_OF(&groups));
	buf_free(&groups);
}

static void
see_move(const struct wire *w)
{
	assert_int_equal(w->seq, UINT64_MAX);
	assert_int_equal(w->ngroups, 2);
	assert_int_equal(w->groups[0].n, BOOKS_ITEMS);
	assert_int_equal(w->groups[1].first, BOOKS_ITEMS);
	assert_int_equal(w->groups[1].n, 1);
	for (size_t i = 0; i <= BOOKS_ITEMS; i++) {
		const struct wire_item *it = &w->items[i];
		assert_true(it->kind == UINT64_MAX && it->id == 2 && it->rev == 3 && it->from == 4 && it->to == 5 && it->code == 6);
		assert_true(it->relies[0].rev == UINT64_MAX && it->relies[1].kind == 4 && it->relies[1].rev == 6);
	}
	assert_same_row(&w->items[0].set, full_row());
	assert_int_equal(w->items[1].set.have, 0);
}

static void
put_done(struct buf *out)
{
	struct buf rows = { 0 }, results = { 0 };
	const char *const pairs[][2] = { { letters(64), letters(256) }, { "", "" } };

	wire_put_row(&rows, full_row(), 2);
	wire_put_result(&results, UINT64_MAX, CODE_CONFLICT, 1, SPAN_OF(&rows));
	wire_put_result(&results, 1, CODE_OK, 0, (struct span){ 0 });
	wire_put_done(out, &head, 7, CODE_OK, 2, SPAN_OF(&results), &(struct wire_names){ 2, pairs });
	buf_free(&rows);
	buf_free(&results);
}

static void
see_done(const struct wire *w)
{
	assert_int_equal(w->seq, 7);
	assert_int_equal(w->nresults, 2);
	assert_true(w->results[0].seq == UINT64_MAX && w->results[0].code == CODE_CONFLICT && w->results[0].n == 1);
	assert_true(w->results[1].first == 1 && w->results[1].n == 0);
	assert_int_equal(w->rows[0].next, 2);
	assert_same_row(&w->rows[0].row, full_row());
	assert_true(span_is(w->names[0].instance, letters(64)) && span_is(w->names[0].inbox, letters(256)));
}

static void
put_gap(struct buf *out)
{
	wire_put_done(out, &head, 3, CODE_GAP, 0, (struct span){ 0 }, &no_names);
}

static void
see_gap(const struct wire *w)
{
	assert_true(w->code == CODE_GAP && w->seq == 3 && w->nresults == 0);
}

static void
put_rows(struct buf *out)
{
	struct buf rows = { 0 };

	wire_put_row(&rows, full_row(), 0);
	wire_put_rows(out, WIRE_ROWS, &head, 9, 1, SPAN_OF(&rows), true);
	buf_free(&rows);
}

static void
see_rows(const struct wire *w)
{
	assert_true(w->nrows == 1 && w->more == 1 && w->serial == 9);
	assert_same_row(&w->rows[0].row, full_row());
}

static void
put_offer(struct buf *out)
{
	wire_put_offer(out, full_row());
}

static void
see_offer(const struct wire *w)
{
	assert_int_equal(w->nrows, 1);
	assert_same_row(&w->rows[0].row, full_row());
}

static const struct {
	enum wire_kind kind;
	void (*put)(struct buf *);
	void (*see)(const struct wire *);
} kinds[] = {
	{ WIRE_HELLO, put_hello, see_hello }, { WIRE_MOVE, put_move, see_move }, { WIRE_ASK, put_ask, see_ask },
	{ WIRE_TICK, put_tick, see_tick }, { WIRE_BYE, put_bye, see_bye }, { WIRE_WELCOME, put_welcome, see_welcome },
	{ WIRE_REFUSE, put_refuse, see_refuse }, { WIRE_DONE, put_done, see_done }, { WIRE_DONE, put_gap, see_gap },
	{ WIRE_ROWS, put_rows, see_rows }, { WIRE_NEWS, put_news, see_news }, { WIRE_FENCED, put_fenced, see_fenced },
	{ WIRE_OFFER, put_offer, see_offer },
};

/* Read from memory that is exactly as long, so that reading past its end is noticed. */
static bool
read_bytes(struct wire *w, struct span s)
{
	char why[96] = "";
	uint8_t *exact = xmalloc(s.n + !s.n);

	memcpy(exact, s.p ? s.p : exact, s.n);
	bool ok = wire_read(w, (struct span){ exact, s.n }, why);
	assert_true(ok || why[0]);
	free(exact);
	return ok;
}

static void
each_kind_comes_back_with_all_members_at_their_limits(void **state)
{
	struct wire *w = wire_new();
	struct buf out = { 0 };
	char why[96];

	for (unsigned pass = 0; pass < 2; pass++)		/* a wire is used again and again */
		for (size_t i = 0; i < NELEM(kinds); i++) {
			buf_reset(&out);
			kinds[i].put(&out);
			assert_true(out.n <= MESSAGE_BYTES);
			if (!wire_read(w, SPAN_OF(&out), why))
				fail_msg("kind %d: %s", kinds[i].kind, why);
			assert_int_equal(w->kind, kinds[i].kind);
			if (kinds[i].kind != WIRE_OFFER)
				assert_true(w->epoch == head.epoch && w->term == head.term && w->clock_ms == head.clock_ms);
			kinds[i].see(w);
		}
	buf_free(&out);
	wire_free(&w);
}

static void
a_message_cut_anywhere_or_with_a_byte_left_over_is_refused(void **state)
{
	struct wire *w = wire_new();
	struct buf out = { 0 };

	for (size_t i = 0; i < NELEM(kinds); i++) {
		buf_reset(&out);
		kinds[i].put(&out);
		for (size_t n = 0; n < out.n; n += n < 400 || n + 400 > out.n ? 1 : 97)
			if (read_bytes(w, (struct span){ out.p, n }))
				fail_msg("kind %d, %zu of %zu bytes", kinds[i].kind, n, out.n);
		buf_putc(&out, 0);
		assert_false(read_bytes(w, SPAN_OF(&out)));
	}
	buf_free(&out);
	wire_free(&w);
}

/* One more member behind all others. */
static bool
with_member(struct wire *w, size_t i, uint64_t key)
{
	struct buf out = { 0 };

	kinds[i].put(&out);
	out.p[0]++;			/* a map of at most 15 pairs has its size here */
	pack_u64(&out, key);
	pack_u64(&out, 1);
	bool ok = read_bytes(w, SPAN_OF(&out));
	buf_free(&out);
	return ok;
}

static void
unknown_members_are_refused_up_to_127_and_ignored_above(void **state)
{
	static const struct { uint64_t key; bool ok; } cases[] = {
		{ 0, false }, { 1, false /* twice */ }, { 19, false }, { 63, false }, { 64, false }, { 127, false },
		{ 128, true }, { 65536, true }, { UINT64_MAX, true },
	};
	struct wire *w = wire_new();

	for (size_t i = 0; i < NELEM(kinds); i++)
		for (size_t k = 0; k < NELEM(cases); k++)
			if (with_member(w, i, cases[k].key) != cases[k].ok)
				fail_msg("kind %d, key %" PRIu64, kinds[i].kind, cases[k].key);
	wire_free(&w);
}

static void
texts_over_their_limits_are_refused(void **state)
{
	const struct wire_hello hellos[] = {
		{ letters(65), "k", "", "", "" }, { "i", letters(65), "", "", "" }, { "i", "k", letters(257), "", "" },
		{ "i", "k", "", letters(17), "" }, { "i", "k", "", "", letters(33) },
	};
	struct wire *w = wire_new();
	struct buf out = { 0 };

	for (size_t i = 0; i < NELEM(hellos); i++) {
		buf_reset(&out);
		wire_put_hello(&out, &head, &hellos[i]);
		assert_false(read_bytes(w, SPAN_OF(&out)));
	}
	for (size_t i = 0; i < row_nfields; i++) {
		struct row row = { .have = UINT64_C(1) << row_fields[i].key };
		if (row_fields[i].type == FIELD_U64 || row_fields[i].type == FIELD_HASH)
			continue;
		uint8_t *text = xzalloc(row_fields[i].max + 1);
		memset(text, 'a', row_fields[i].max + 1);
		*(struct span *)((char *)&row + row_fields[i].off) = (struct span){ text, row_fields[i].max + 1 };
		buf_reset(&out);
		wire_put_fields(&out, &row, UINT64_MAX);
		assert_false(wire_get_fields(SPAN_OF(&out), &row));
		free(text);
	}
	buf_free(&out);
	wire_free(&w);
}

static void
a_frame_over_64_KB_is_refused(void **state)
{
	struct wire *w = wire_new();
	struct buf out = { 0 };

	for (size_t over = 0; over < 2; over++) {
		buf_reset(&out);
		wire_put_ask(&out, &head);
		out.p[0]++;
		pack_u64(&out, 200);
		size_t room = MESSAGE_BYTES - out.n - 3 + over;		/* a bin of 16 bits has 3 bytes before it */
		buf_putc(&out, 0xc5);
		buf_putc(&out, (int)(room >> 8));
		buf_putc(&out, (int)(room & 255));
		memset(buf_room(&out, room), 0, room);
		out.n += room;
		assert_int_equal(read_bytes(w, SPAN_OF(&out)), over == 0);
	}
	buf_free(&out);
	wire_free(&w);
}

/* --- by hand --- */

#define MOVE_	"\x85\x01\x02\x02\x01\x03\x01\x05\x01\x14"	/* {kind: MOVE, epoch: 1, term: 1, seq: 1, groups: */
#define ROWS_	"\x84\x01\x13\x02\x01\x03\x01\x16"		/* {kind: ROWS, epoch: 1, term: 1, rows: */
#define DONE_	"\x85\x01\x12\x02\x01\x03\x01\x05\x01\x15"	/* {kind: DONE, ..., results: */
#define TICK_	"\x84\x01\x04\x02\x01\x03\x01"			/* {kind: TICK, epoch: 1, term: 1, and one more */
#define ROW_	"\x84\x01\x02\x02\x01\x03\x01\x04\x01"		/* the fields a row must have */
#define ITEM_	MOVE_ "\x91\x91"
#define SET_	ITEM_ "\x81\x07\x81"
#define A32	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DEEP16	"\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91"

static const struct { const char *what; struct span bytes; bool ok; } by_hand[] = {
	{ "nothing", SPAN(""), false },
	{ "no map", SPAN("\x01"), false },
	{ "an empty map", SPAN("\x80"), false },
	{ "a kind that is not one", SPAN("\x83\x01\x06\x02\x01\x03\x01"), false },
	{ "an ASK", SPAN("\x83\x01\x03\x02\x01\x03\x01"), true },
	{ "without an epoch", SPAN("\x82\x01\x03\x03\x01"), false },
	{ "numbers longer than need be", SPAN("\x83\x01\xcc\x03\x02\xcf\0\0\0\0\0\0\0\1\x03\xce\0\0\0\1"), true },
	{ "a map with a long count", SPAN("\xde\0\x03\x01\x03\x02\x01\x03\x01"), true },
	{ "a count beyond the message", SPAN("\xdf\xff\xff\xff\xff\x01\x03"), false },
	{ "a kind that is a text", SPAN("\x83\x01\xa1\x03\x02\x01\x03\x01"), false },
	{ "a kind that is negative", SPAN("\x83\x01\xff\x02\x01\x03\x01"), false },
	{ "an epoch that is a float", SPAN("\x83\x01\x03\x02\xcb\0\0\0\0\0\0\0\0\x03\x01"), false },
	{ "an epoch that is nil", SPAN("\x83\x01\x03\x02\xc0\x03\x01"), false },
	{ "an epoch that is signed", SPAN("\x83\x01\x03\x02\xd0\x01\x03\x01"), false },
	{ "a key that is a text", SPAN("\x83\x01\x03\x02\x01\xa1\x03\x01"), false },
	{ "a member ignored, 16 deep", SPAN("\x84\x01\x03\x02\x01\x03\x01\xcc\x80" DEEP16 "\0"), true },
	{ "a member ignored, 17 deep", SPAN("\x84\x01\x03\x02\x01\x03\x01\xcc\x80" DEEP16 "\x91\0"), false },
	{ "members ignored of every type", SPAN("\x87\x01\x03\x02\x01\x03\x01\xcc\x80\xca\0\0\0\0\xcc\x81\xd4\x01\x02\xcc\x82"
	    "\xc7\x01\x05x\xcc\x83\x82\xc0\xc2\xe0\xd3\0\0\0\0\0\0\0\0"), true },
	{ "the byte that msgpack never uses, ignored", SPAN("\x84\x01\x03\x02\x01\x03\x01\xcc\x80\xc1"), false },
	{ "a HELLO whose instance has a NUL", SPAN("\x85\x01\x01\x02\0\x03\0\x04\x01\x09\xa1\0"), false },

	{ "an empty item", SPAN(ITEM_ "\x80"), true },
	{ "no group", SPAN(MOVE_ "\x90"), true },
	{ "a group without items", SPAN(MOVE_ "\x91\x90"), false },
	{ "a group of 16", SPAN(MOVE_ "\x91\xdc\0\x10\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"), true },
	{ "a group of 17", SPAN(MOVE_ "\x91\xdc\0\x11\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"), false },
	{ "groups that are a map", SPAN(MOVE_ "\x80"), false },
	{ "an item with an unknown member", SPAN(ITEM_ "\x81\x09\x01"), false },
	{ "an item with a member to ignore", SPAN(ITEM_ "\x81\xcc\x80\xc0"), true },
	{ "an item with an id twice", SPAN(ITEM_ "\x82\x02\x01\x02\x01"), false },
	{ "an item with set twice", SPAN(ITEM_ "\x82\x07\x80\x07\x80"), false },
	{ "relies of two numbers", SPAN(ITEM_ "\x81\x08\x92\x01\x01"), false },
	{ "relies on two rows", SPAN(ITEM_ "\x81\x08\x96\x01\x01\x01\x01\x02\x01"), true },
	{ "relies on three rows", SPAN(ITEM_ "\x81\x08\x99\x01\x01\x01\x01\x02\x01\x01\x03\x01"), false },
	{ "the highest number of a field", SPAN(SET_ "\x02\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"), true },
	{ "a number above it", SPAN(SET_ "\x02\xcf\x80\0\0\0\0\0\0\0"), false },
	{ "a field twice", SPAN(ITEM_ "\x81\x07\x82\x02\x01\x02\x01"), false },
	{ "a field that is not one", SPAN(SET_ "\x32\x01"), false },
	{ "a field to ignore", SPAN(SET_ "\xcc\x80\x01"), true },
	{ "a chain that is a number", SPAN(SET_ "\x08\x01"), false },
	{ "a chain that is bytes", SPAN(SET_ "\x08\xc4\x01x"), false },
	{ "a chain of 32", SPAN(SET_ "\x08\xd9\x20" A32), true },
	{ "a chain of 33", SPAN(SET_ "\x08\xd9\x21" A32 "a"), false },
	{ "a body that is a text", SPAN(SET_ "\x0c\xa1x"), false },
	{ "a hash of 32", SPAN(SET_ "\x0d\xc4\x20" A32), true },
	{ "a hash of 31", SPAN(SET_ "\x0d\xc4\x1f" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), false },
	{ "a hash of 33", SPAN(SET_ "\x0d\xc4\x21" A32 "a"), false },

	{ "a row", SPAN(ROWS_ "\x91\x81\x01" ROW_), true },
	{ "a row without fields", SPAN(ROWS_ "\x91\x80"), false },
	{ "a row without its state", SPAN(ROWS_ "\x91\x81\x01\x83\x01\x02\x02\x01\x03\x01"), false },
	{ "a row of no kind", SPAN(ROWS_ "\x91\x81\x01\x84\x01\0\x02\x01\x03\x01\x04\x01"), false },
	{ "a row of a kind that is not one", SPAN(ROWS_ "\x91\x81\x01\x84\x01\x05\x02\x01\x03\x01\x04\x01"), false },
	{ "a row that names somebody who is not there", SPAN(ROWS_ "\x91\x82\x01" ROW_ "\x02\x01"), false },
	{ "a row with its fields twice", SPAN(ROWS_ "\x91\x82\x01" ROW_ "\x01" ROW_), false },
	{ "a result with its rows twice", SPAN(DONE_ "\x91\x82\x03\x90\x03\x90"), false },
	{ "a result", SPAN(DONE_ "\x91\x83\x01\x01\x02\0\x03\x90"), true },
	{ "names that are not pairs", SPAN("\x85\x01\x12\x02\x01\x03\x01\x05\x01\x17\x91\xa1x"), false },

	{ "a note", SPAN(TICK_ "\x25\xa1x"), true },
	{ "a provider of 33", SPAN(TICK_ "\x1e\xd9\x21" A32 "a"), false },
	{ "slots", SPAN(TICK_ "\x1f\x94\x02\x01\x0c\x03"), true },
	{ "slots that are not pairs", SPAN(TICK_ "\x1f\x91\x02"), false },
	{ "slots of no type", SPAN(TICK_ "\x1f\x92\x00\x01"), false },
	{ "slots of a type that is not one", SPAN(TICK_ "\x1f\x92\x10\x01"), false },
	{ "slots of the same types twice", SPAN(TICK_ "\x1f\x94\x02\x01\x02\x01"), false },
	{ "slots beyond number", SPAN(TICK_ "\x1f\x92\x02\xcf\0\0\0\1\0\0\0\0"), false },
	{ "prices for two types", SPAN(TICK_ "\x21\x92\x01\x01"), false },
	{ "a room of three", SPAN(TICK_ "\x22\x91\x93\xa0\x01\xa0"), false },
	{ "a room of a type that is not one", SPAN(TICK_ "\x22\x91\x94\xa0\x04\xa0\x01"), false },
	{ "a poll without a type", SPAN(TICK_ "\x23\x91\x01"), false },
	{ "a poll of a type that is not one", SPAN(TICK_ "\x23\x92\x01\x04"), false },
};

static void
what_is_not_a_message_is_refused_with_a_reason(void **state)
{
	struct wire *w = wire_new();

	for (size_t i = 0; i < NELEM(by_hand); i++)
		if (read_bytes(w, by_hand[i].bytes) != by_hand[i].ok)
			fail_msg("%s", by_hand[i].what);
	wire_free(&w);
}

/* n elements that are 0, as the member `key` of a message with this beginning. */
static bool
read_list(struct wire *w, struct span before, uint64_t key, size_t n)
{
	struct buf out = { 0 };

	buf_put(&out, before.p, before.n);
	pack_u64(&out, key);
	pack_array(&out, n);
	memset(buf_room(&out, n), 0, n);
	out.n += n;
	bool ok = read_bytes(w, SPAN_OF(&out));
	buf_free(&out);
	return ok;
}

static void
lists_longer_than_their_limit_are_refused(void **state)
{
	struct wire *w = wire_new();

	assert_true(read_list(w, SPAN(TICK_), 0x23, 2 * POLLS_MAX));
	assert_int_equal(w->tick.npolls, POLLS_MAX);
	assert_false(read_list(w, SPAN(TICK_), 0x23, 2 * POLLS_MAX + 2));
	assert_false(read_list(w, SPAN(TICK_), 0x24, 2 * POLLS_MAX + 2));
	assert_false(read_list(w, SPAN(TICK_), 0x22, LEVELS_MAX + 1));
	assert_false(read_list(w, SPAN(TICK_), 0x28, PROVIDERS_MAX + 1));
	assert_false(read_list(w, SPAN(TICK_), 0x29, 2 * POLLS_MAX + 2));
	wire_free(&w);
}

static void
what_was_not_said_is_empty_though_the_message_before_said_it(void **state)
{
	struct wire *w = wire_new();

	for (size_t i = 0; i < NELEM(kinds); i++) {
		struct buf out = { 0 };
		kinds[i].put(&out);
		assert_true(read_bytes(w, SPAN_OF(&out)));
		buf_free(&out);
		assert_true(read_bytes(w, SPAN(ITEM_ "\x80")));
		assert_true(w->nrows + w->nresults + w->nnames + w->news.ngrants + w->tick.npolls + w->tick.nrooms == 0);
		assert_true(!w->tick.provider[0] && !w->tick.note[0] && !w->tick.chain[0] && !w->instance.n);
		const struct row *set = &w->items[0].set;
		assert_true(set->have == 0 && !set->uuid.p && !set->chain.p && w->items[0].kind == 0 && w->items[0].relies[0].kind == 0);
	}
	wire_free(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_comes_back_with_all_members_at_their_limits),
		cmocka_unit_test(a_message_cut_anywhere_or_with_a_byte_left_over_is_refused),
		cmocka_unit_test(unknown_members_are_refused_up_to_127_and_ignored_above),
		cmocka_unit_test(texts_over_their_limits_are_refused),
		cmocka_unit_test(a_frame_over_64_KB_is_refused),
		cmocka_unit_test(what_is_not_a_message_is_refused_with_a_reason),
		cmocka_unit_test(lists_longer_than_their_limit_are_refused),
		cmocka_unit_test(what_was_not_said_is_empty_though_the_message_before_said_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
