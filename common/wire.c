/* wire.c - one table of members for all messages, one reader, one writer each.  See wire.h. */
#include "common/wire.h"

#include "common/diag.h"
#include "common/pack.h"

/* Members of a message. */
enum wire_key {
	K_KIND = 1, K_EPOCH, K_TERM, K_VERSION, K_SEQ, K_CODE, K_CLOCK, K_SERIAL, K_INSTANCE,
	K_STAGE, K_INBOX, K_ROLE, K_LEDGER, K_CHAIN, K_MORE, K_HELD,
	K_GROUPS = 20, K_RESULTS, K_ROWS, K_NAMES,
	K_PROVIDER = 30, K_SLOTS, K_TYPES, K_PRICES, K_ROOMS, K_POLLS, K_READY, K_NOTE,
	K_CAPACITY = 40, K_GRANTS,
};
/* Members of an item, of a result, of a sent row. */
enum { I_KIND = 1, I_ID, I_REV, I_FROM, I_TO, I_CODE, I_SET, I_RELIES };
enum { R_SEQ = 1, R_CODE, R_ROWS };
enum { S_ROW = 1, S_NEXT };

enum { NAME_MAX_BYTES = 64, PATH_MAX_BYTES = 256, NOTE_MAX_BYTES = 255 };

/* The array with room for one more element. */
static void *
more(void *array, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return array;
	*cap = *cap ? *cap * 2 : 16;
	return xrealloc(array, *cap * size);
}
#define ADD(w, what) ((w)->what = more((w)->what, (w)->n##what, &(w)->cap_##what, sizeof *(w)->what), \
	&(w)->what[(w)->n##what++])

/* --- fields of a row --- */

static void
put_field(struct buf *out, const struct row *row, const struct field *f)
{
	const char *at = (const char *)row + f->off;

	pack_u64(out, f->key);
	switch (f->type) {
	case FIELD_U64:	 pack_u64(out, *(const uint64_t *)at); break;
	case FIELD_TEXT: pack_text(out, *(const struct span *)at); break;
	case FIELD_BIN:	 pack_bin(out, *(const struct span *)at); break;
	case FIELD_HASH: pack_bin(out, (struct span){ (const uint8_t *)at, HASH_BYTES }); break;
	}
}

void
wire_put_fields(struct buf *out, const struct row *row, uint64_t mask)
{
	mask &= row->have;
	pack_map(out, (size_t)__builtin_popcountll(mask));
	for (; mask; mask &= mask - 1)
		put_field(out, row, &row_fields[__builtin_ctzll(mask) - 1]);
}

static void
get_field(struct cursor *c, struct row *row, const struct field *f)
{
	char *at = (char *)row + f->off;
	struct span s;

	switch (f->type) {
	case FIELD_U64:
		*(uint64_t *)at = cursor_u64(c);
		c->bad |= *(uint64_t *)at > INT64_MAX;
		break;
	case FIELD_TEXT: *(struct span *)at = cursor_text(c, f->max); break;
	case FIELD_BIN:	 *(struct span *)at = cursor_bin(c, f->max); break;
	case FIELD_HASH:
		s = cursor_bin(c, HASH_BYTES);
		if (s.n == HASH_BYTES)
			memcpy(at, s.p, HASH_BYTES);
		else
			c->bad = true;
		break;
	}
}

/* Key of the next pair: 0 when it was one to be ignored (stepped over). */
static uint64_t
next_key(struct cursor *c)
{
	uint64_t key = cursor_u64(c);

	if (!c->bad && key > 127) {
		cursor_skip(c);
		return 0;
	}
	if (key == 0)
		c->bad = true;
	return key;
}

/* The same in a map with few members; `seen` has their bits.  A key twice is an error. */
static uint64_t
next_new_key(struct cursor *c, uint64_t *seen)
{
	uint64_t key = next_key(c);

	if (key && (key >= 64 || (*seen >> key) & 1)) {
		c->bad = true;
		return 0;
	}
	*seen |= UINT64_C(1) << key;
	return key;
}

static void
get_fields(struct cursor *c, struct row *row)
{
	size_t n = cursor_map(c, 256);

	row->have = 0;
	while (n-- > 0 && !c->bad) {
		uint64_t key = next_key(c);
		if (!key)
			continue;
		if (key >= KEY_END || (row->have >> key) & 1) {
			c->bad = true;
			return;
		}
		get_field(c, row, &row_fields[key - 1]);
		row->have |= UINT64_C(1) << key;
	}
}

bool
wire_get_fields(struct span s, struct row *row)
{
	struct cursor c = CURSOR(s);

	*row = (struct row){ 0 };
	get_fields(&c, row);
	return !c.bad && c.p == c.end;
}

/* --- reading: the lists --- */

static void
get_relies(struct cursor *c, struct wire_item *item)
{
	size_t n = cursor_array(c, 3 * NELEM(item->relies));

	if (n % 3)
		c->bad = true;
	for (size_t i = 0; i < n / 3 && !c->bad; i++) {
		item->relies[i].kind = cursor_u64(c);
		item->relies[i].id = cursor_u64(c);
		item->relies[i].rev = cursor_u64(c);
	}
}

static void
get_item(struct cursor *c, struct wire_item *item)
{
	size_t n = cursor_map(c, 32);
	uint64_t seen = 0;
	uint64_t *const numbers[] = { [I_KIND] = &item->kind, [I_ID] = &item->id, [I_REV] = &item->rev,
	    [I_FROM] = &item->from, [I_TO] = &item->to, [I_CODE] = &item->code };

	*item = (struct wire_item){ .kind = 0 };	/* the ledger reads fields that may not be there: 0, empty */
	while (n-- > 0 && !c->bad) {
		uint64_t key = next_new_key(c, &seen);
		if (key == I_SET)
			get_fields(c, &item->set);
		else if (key == I_RELIES)
			get_relies(c, item);
		else if (key && key < NELEM(numbers))
			*numbers[key] = cursor_u64(c);
		else if (key)
			c->bad = true;
	}
}

static void
get_groups(struct cursor *c, struct wire *w)
{
	size_t n = cursor_array(c, 4096);

	while (n-- > 0 && !c->bad) {
		struct wire_group *g = ADD(w, groups);
		size_t items = cursor_array(c, BOOKS_ITEMS);
		*g = (struct wire_group){ w->nitems, items };
		if (items == 0)
			c->bad = true;
		while (items-- > 0 && !c->bad)
			get_item(c, ADD(w, items));
	}
}

static void
get_row(struct cursor *c, struct wire_row *r)
{
	size_t n = cursor_map(c, 8);
	uint64_t seen = 0;

	*r = (struct wire_row){ .next = 0 };	/* stages read fields that may not be there: 0, empty */
	while (n-- > 0 && !c->bad) {
		uint64_t key = next_new_key(c, &seen);
		if (key == S_ROW)
			get_fields(c, &r->row);
		else if (key == S_NEXT)
			r->next = cursor_u64(c);
		else if (key)
			c->bad = true;
	}
	if (!c->bad && (!HAS(&r->row, kind) || !HAS(&r->row, id) || !HAS(&r->row, rev) || !HAS(&r->row, state) ||
	    r->row.kind == 0 || r->row.kind >= ROW_KINDS))
		c->bad = true;
}

static void
get_rows(struct cursor *c, struct wire *w)
{
	size_t n = cursor_array(c, 4096);

	while (n-- > 0 && !c->bad)
		get_row(c, ADD(w, rows));
}

static void
get_results(struct cursor *c, struct wire *w)
{
	size_t n = cursor_array(c, 4096);

	while (n-- > 0 && !c->bad) {
		struct wire_result r = { .first = w->nrows };
		size_t pairs = cursor_map(c, 8);
		uint64_t seen = 0;
		while (pairs-- > 0 && !c->bad) {
			uint64_t key = next_new_key(c, &seen);
			if (key == R_SEQ)
				r.seq = cursor_u64(c);
			else if (key == R_CODE)
				r.code = cursor_u64(c);
			else if (key == R_ROWS)
				get_rows(c, w);
			else if (key)
				c->bad = true;
		}
		r.n = w->nrows - r.first;
		*ADD(w, results) = r;
	}
}

static void
get_names(struct cursor *c, struct wire *w)
{
	size_t n = cursor_array(c, 2 * 1024);

	if (n % 2)
		c->bad = true;
	for (n /= 2; n > 0 && !c->bad; n--) {
		struct wire_name name = { .instance = cursor_text(c, NAME_MAX_BYTES) };
		name.inbox = cursor_text(c, PATH_MAX_BYTES);
		*ADD(w, names) = name;
	}
}

static void
get_cstr(struct cursor *c, char *dst, size_t size)
{
	if (!span_cstr(cursor_text(c, size - 1), dst, size))
		c->bad = true;
}

static void
get_provider(struct cursor *c, struct wire *w)
{
	get_cstr(c, w->tick.provider, sizeof w->tick.provider);
}

static void
get_note(struct cursor *c, struct wire *w)
{
	get_cstr(c, w->tick.note, sizeof w->tick.note);
}

/* Pairs: types, how many take just these. */
static void
get_pools(struct cursor *c, struct pools *p)
{
	size_t n = cursor_array(c, 2 * (POOLS - 1));

	if (n % 2)
		c->bad = true;
	for (n /= 2; n > 0 && !c->bad; n--) {
		uint64_t types = cursor_u64(c), many = cursor_u64(c);
		if (types < 2 || types & 1 || types >> 1 >= POOLS || p->n[types >> 1] || many > UINT32_MAX)
			c->bad = true;
		else
			p->n[types >> 1] = many;
	}
}

static void
get_slots(struct cursor *c, struct wire *w)
{
	get_pools(c, &w->tick.slots);
}

static void
get_types(struct cursor *c, struct wire *w)
{
	w->tick.types = cursor_u64(c);
}

/* One number per type. */
static void
get_by_type(struct cursor *c, uint64_t n[TYPE_MAX + 1])
{
	if (cursor_array(c, TYPE_MAX) != TYPE_MAX)
		c->bad = true;
	for (uint64_t t = 1; t <= TYPE_MAX && !c->bad; t++)
		n[t] = cursor_u64(c);
}

static void
get_prices(struct cursor *c, struct wire *w)
{
	get_by_type(c, w->tick.price);
}

static void
get_rooms(struct cursor *c, struct wire *w)
{
	size_t n = cursor_array(c, LEVELS_MAX);

	for (; n > 0 && !c->bad; n--) {
		struct level *l = &w->tick.rooms[w->tick.nrooms++];
		if (cursor_array(c, 4) != 4)
			c->bad = true;
		get_cstr(c, l->chain, sizeof l->chain);
		l->type = cursor_u64(c);
		get_cstr(c, l->fork, sizeof l->fork);
		l->n = cursor_u64(c);
		if (l->type > TYPE_MAX)
			c->bad = true;
	}
}

static void
get_poll_list(struct cursor *c, struct poll *polls, size_t *count)
{
	size_t n = cursor_array(c, 2 * POLLS_MAX);

	if (n % 2)
		c->bad = true;
	for (*count = 0; *count < n / 2 && !c->bad; ++*count) {
		polls[*count].identity = cursor_u64(c);
		polls[*count].type = cursor_u64(c);
		if (polls[*count].type > TYPE_MAX)
			c->bad = true;
	}
}

static void
get_polls(struct cursor *c, struct wire *w)
{
	get_poll_list(c, w->tick.polls, &w->tick.npolls);
}

static void
get_ready(struct cursor *c, struct wire *w)
{
	get_poll_list(c, w->tick.ready, &w->tick.nready);
}

static void
get_grants(struct cursor *c, struct wire *w)
{
	get_poll_list(c, w->news.grants, &w->news.ngrants);
}

static void
get_capacity(struct cursor *c, struct wire *w)
{
	size_t n = cursor_array(c, PROVIDERS_MAX);

	w->news.has_capacity = true;
	for (; n > 0 && !c->bad; n--) {
		struct capacity *p = &w->news.capacity[w->news.ncapacity++];
		*p = (struct capacity){ .slots = { { 0 } } };
		if (cursor_array(c, 4) != 4)
			c->bad = true;
		get_cstr(c, p->name, sizeof p->name);
		get_pools(c, &p->slots);
		get_by_type(c, p->used);
		get_by_type(c, p->price);
	}
}

static const struct member {
	enum wire_key	 key;
	const char	*name;
	size_t		 off, max;	/* off: a number (max 0) or a text of at most max bytes */
	void		(*get)(struct cursor *, struct wire *);
} members[] = {
#define NUM(key, name)		{ key, #name, offsetof(struct wire, name), 0, NULL }
#define STR(key, name, max)	{ key, #name, offsetof(struct wire, name), max, NULL }
#define LIST(key, name)		{ key, #name, 0, 0, get_##name }
	NUM(K_KIND, kind), NUM(K_EPOCH, epoch), NUM(K_TERM, term), NUM(K_VERSION, version), NUM(K_SEQ, seq),
	NUM(K_CODE, code), NUM(K_CLOCK, clock_ms), NUM(K_SERIAL, serial), NUM(K_MORE, more), NUM(K_HELD, held),
	STR(K_INSTANCE, instance, NAME_MAX_BYTES), STR(K_STAGE, stage, NAME_MAX_BYTES),
	STR(K_INBOX, inbox, PATH_MAX_BYTES), STR(K_ROLE, role, 16), STR(K_LEDGER, ledger, 64), STR(K_CHAIN, chain, 32),
	LIST(K_GROUPS, groups), LIST(K_RESULTS, results), LIST(K_ROWS, rows), LIST(K_NAMES, names),
	LIST(K_PROVIDER, provider), LIST(K_SLOTS, slots), LIST(K_TYPES, types), LIST(K_PRICES, prices),
	LIST(K_ROOMS, rooms), LIST(K_POLLS, polls), LIST(K_READY, ready), LIST(K_NOTE, note),
	LIST(K_CAPACITY, capacity), LIST(K_GRANTS, grants),
};

#define M(key) (UINT64_C(1) << (key))
/* What every message of a kind must have besides its kind; a message may have more. */
static const struct { enum wire_kind kind; uint64_t must; } shapes[] = {
	{ WIRE_HELLO, M(K_EPOCH) | M(K_TERM) | M(K_VERSION) | M(K_INSTANCE) | M(K_STAGE) },
	{ WIRE_MOVE, M(K_EPOCH) | M(K_TERM) | M(K_SEQ) | M(K_GROUPS) },
	{ WIRE_ASK, M(K_EPOCH) | M(K_TERM) },
	{ WIRE_TICK, M(K_EPOCH) | M(K_TERM) },
	{ WIRE_BYE, M(K_EPOCH) | M(K_TERM) },
	{ WIRE_WELCOME, M(K_EPOCH) | M(K_TERM) | M(K_LEDGER) | M(K_CLOCK) | M(K_HELD) },
	{ WIRE_REFUSE, M(K_TERM) | M(K_CODE) },
	{ WIRE_DONE, M(K_EPOCH) | M(K_TERM) | M(K_SEQ) },
	{ WIRE_ROWS, M(K_EPOCH) | M(K_TERM) | M(K_ROWS) },
	{ WIRE_NEWS, M(K_EPOCH) | M(K_TERM) | M(K_SERIAL) },
	{ WIRE_FENCED, M(K_EPOCH) | M(K_TERM) },
	{ WIRE_OFFER, M(K_ROWS) },
};

static const struct member *
member_of(uint64_t key)
{
	for (size_t i = 0; i < NELEM(members); i++)
		if ((uint64_t)members[i].key == key)
			return &members[i];
	return NULL;
}

static void
get_member(struct cursor *c, struct wire *w, const struct member *m)
{
	char *at = (char *)w + m->off;

	if (m->get)
		m->get(c, w);
	else if (m->max)
		*(struct span *)at = cursor_text(c, m->max);
	else
		*(uint64_t *)at = cursor_u64(c);
}

static bool
shape_is_right(const struct wire *w)
{
	for (size_t i = 0; i < NELEM(shapes); i++)
		if ((uint64_t)shapes[i].kind == w->kind)
			return (w->have & shapes[i].must) == shapes[i].must;
	return false;
}

static bool
names_are_right(const struct wire *w)
{
	for (size_t i = 0; i < w->nrows; i++)
		if (w->rows[i].next > w->nnames)
			return false;
	return true;
}

static void
forget(struct wire *w)
{
	memset(w, 0, offsetof(struct wire, items));
	w->tick.provider[0] = w->tick.chain[0] = w->tick.note[0] = '\0';
	w->tick.slots = (struct pools){ { 0 } };
	w->tick.types = 0;
	memset(w->tick.price, 0, sizeof w->tick.price);
	w->tick.nrooms = w->tick.npolls = w->tick.nready = 0;
	w->news.has_capacity = false;
	w->news.ncapacity = w->news.ngrants = 0;
}

bool
wire_read(struct wire *w, struct span message, char *why)
{
	struct cursor c = CURSOR(message);

	forget(w);
	if (message.n > MESSAGE_BYTES) {
		snprintf(why, 96, "%zu bytes, more than %d", message.n, MESSAGE_BYTES);
		return false;
	}
	size_t n = cursor_map(&c, 256);
	snprintf(why, 96, "not a map");
	while (n-- > 0 && !c.bad) {
		uint64_t key = next_key(&c);
		const struct member *m = key ? member_of(key) : NULL;
		if (c.bad)
			snprintf(why, 96, "no member at byte %zu of %zu", (size_t)(c.p - message.p), message.n);
		if (!key)
			continue;
		if (!m || w->have & M(key)) {
			snprintf(why, 96, "member %" PRIu64 " %s", key, m ? "twice" : "unknown");
			return false;
		}
		get_member(&c, w, m);
		w->have |= M(key);
		if (c.bad)
			snprintf(why, 96, "member %s at byte %zu of %zu", m->name, (size_t)(c.p - message.p), message.n);
	}
	if (c.bad)
		return false;
	if (c.p != c.end || !shape_is_right(w) || !names_are_right(w)) {
		snprintf(why, 96, c.p != c.end ? "%zu bytes left over" : "members missing (kind %" PRIu64 ")",
		    c.p != c.end ? (size_t)(c.end - c.p) : (size_t)w->kind);
		return false;
	}
	if (w->have & M(K_CHAIN))
		if (!span_cstr(w->chain, w->tick.chain, sizeof w->tick.chain))
			return snprintf(why, 96, "chain"), false;
	return true;
}

struct wire *
wire_new(void)
{
	return xzalloc(sizeof(struct wire));
}

void
wire_free(struct wire **wp)
{
	struct wire *w = *wp;

	if (!w)
		return;
	free(w->items);
	free(w->groups);
	free(w->results);
	free(w->rows);
	free(w->names);
	free(w);
	*wp = NULL;
}

/* --- writing --- */

static void
put_num(struct buf *out, enum wire_key key, uint64_t v)
{
	pack_u64(out, key);
	pack_u64(out, v);
}

static void
put_str(struct buf *out, enum wire_key key, const char *s)
{
	pack_u64(out, key);
	pack_text(out, span_str(s));
}

/* Begin a message with `extra` members besides kind, epoch, term and clock. */
static void
begin(struct buf *out, enum wire_kind kind, const struct wire_head *h, size_t extra)
{
	pack_map(out, 4 + extra);
	put_num(out, K_KIND, kind);
	put_num(out, K_EPOCH, h->epoch);
	put_num(out, K_TERM, h->term);
	put_num(out, K_CLOCK, h->clock_ms);
}

void
wire_put_hello(struct buf *out, const struct wire_head *h, const struct wire_hello *hello)
{
	begin(out, WIRE_HELLO, h, 6);
	put_num(out, K_VERSION, WIRE_VERSION);
	put_str(out, K_INSTANCE, hello->instance);
	put_str(out, K_STAGE, hello->stage);
	put_str(out, K_INBOX, hello->inbox);
	put_str(out, K_ROLE, hello->role);
	put_str(out, K_CHAIN, hello->chain);
}

void
wire_put_welcome(struct buf *out, const struct wire_head *h, uint64_t held, const char *ledger, const char *role)
{
	begin(out, WIRE_WELCOME, h, 4);
	put_num(out, K_VERSION, WIRE_VERSION);
	put_num(out, K_HELD, held);
	put_str(out, K_LEDGER, ledger);
	put_str(out, K_ROLE, role);
}

void
wire_put_plain(struct buf *out, enum wire_kind kind, const struct wire_head *h, enum code code)
{
	begin(out, kind, h, 1);
	put_num(out, K_CODE, code);
}

void
wire_put_ask(struct buf *out, const struct wire_head *h)
{
	begin(out, WIRE_ASK, h, 0);
}

static void
put_by_type(struct buf *out, const uint64_t n[TYPE_MAX + 1])
{
	pack_array(out, TYPE_MAX);
	for (uint64_t t = 1; t <= TYPE_MAX; t++)
		pack_u64(out, n[t]);
}

static void
put_pools(struct buf *out, const struct pools *p)
{
	size_t n = 0;

	for (uint64_t i = 1; i < POOLS; i++)
		n += p->n[i] > 0;
	pack_array(out, 2 * n);
	for (uint64_t i = 1; i < POOLS; i++) {
		if (!p->n[i])
			continue;
		pack_u64(out, i << 1);
		pack_u64(out, p->n[i]);
	}
}

static void
put_poll_list(struct buf *out, enum wire_key key, const struct poll *polls, size_t n)
{
	pack_u64(out, key);
	pack_array(out, 2 * n);
	for (size_t i = 0; i < n; i++) {
		pack_u64(out, polls[i].identity);
		pack_u64(out, polls[i].type);
	}
}

static void
put_rooms(struct buf *out, const struct tick *t)
{
	pack_u64(out, K_ROOMS);
	pack_array(out, t->nrooms);
	for (size_t i = 0; i < t->nrooms; i++) {
		pack_array(out, 4);
		pack_text(out, span_str(t->rooms[i].chain));
		pack_u64(out, t->rooms[i].type);
		pack_text(out, span_str(t->rooms[i].fork));
		pack_u64(out, t->rooms[i].n);
	}
}

void
wire_put_tick(struct buf *out, const struct wire_head *h, uint64_t serial, const struct tick *t)
{
	begin(out, WIRE_TICK, h, 10);
	put_num(out, K_SERIAL, serial);
	put_str(out, K_CHAIN, t->chain);
	put_str(out, K_PROVIDER, t->provider);
	pack_u64(out, K_SLOTS);
	put_pools(out, &t->slots);
	put_num(out, K_TYPES, t->types);
	pack_u64(out, K_PRICES);
	put_by_type(out, t->price);
	put_rooms(out, t);
	put_poll_list(out, K_POLLS, t->polls, t->npolls);
	put_poll_list(out, K_READY, t->ready, t->nready);
	put_str(out, K_NOTE, t->note);
}

static void
put_capacity(struct buf *out, const struct news *n)
{
	pack_u64(out, K_CAPACITY);
	pack_array(out, n->ncapacity);
	for (size_t i = 0; i < n->ncapacity; i++) {
		const struct capacity *p = &n->capacity[i];
		pack_array(out, 4);
		pack_text(out, span_str(p->name));
		put_pools(out, &p->slots);
		put_by_type(out, p->used);
		put_by_type(out, p->price);
	}
}

void
wire_put_news(struct buf *out, const struct wire_head *h, uint64_t serial, const struct news *n)
{
	begin(out, WIRE_NEWS, h, (size_t)2 + n->has_capacity);
	put_num(out, K_SERIAL, serial);
	put_poll_list(out, K_GRANTS, n->grants, n->ngrants);
	if (n->has_capacity)
		put_capacity(out, n);
}

void
wire_put_row(struct buf *out, const struct row *row, uint64_t next)
{
	pack_map(out, 2);
	pack_u64(out, S_ROW);
	wire_put_fields(out, row, UINT64_MAX);
	pack_u64(out, S_NEXT);
	pack_u64(out, next);
}

/* Those pairs of a packed map that `mask` names, in runs; returns how many. */
static size_t
copy_fields(struct buf *out, struct span fields, uint64_t mask)
{
	struct cursor c = CURSOR(fields);
	size_t n = cursor_map(&c, KEY_END), copied = 0;
	const uint8_t *run = c.p;		/* not copied yet */

	if (mask == UINT64_MAX) {
		buf_put(out, run, (size_t)(c.end - run));
		return n;
	}
	for (size_t i = 0; i < n && !c.bad; i++) {
		const uint8_t *pair = c.p;
		bool taken = (mask >> (cursor_u64(&c) & 63)) & 1;
		cursor_skip(&c);
		copied += taken;
		if (taken)
			continue;
		buf_put(out, run, (size_t)(pair - run));
		run = c.p;
	}
	if (c.bad)
		bug("packed fields are damaged");
	buf_put(out, run, (size_t)(c.p - run));
	return copied;
}

void
wire_put_joined(struct buf *out, const struct wire_part *parts, size_t n, uint64_t work_rev, uint64_t next)
{
	size_t fields = work_rev > 0;

	pack_map(out, 2);
	pack_u64(out, S_ROW);
	size_t map = pack_map_later(out);
	for (size_t i = 0; i < n; i++)
		fields += copy_fields(out, parts[i].fields, parts[i].mask);
	if (work_rev) {
		pack_u64(out, KEY_work_rev);
		pack_u64(out, work_rev);
	}
	pack_map_count(out, map, fields);
	pack_u64(out, S_NEXT);
	pack_u64(out, next);
}

void
wire_put_offer(struct buf *out, const struct row *row)
{
	pack_map(out, 2);
	put_num(out, K_KIND, WIRE_OFFER);
	pack_u64(out, K_ROWS);
	pack_array(out, 1);
	wire_put_row(out, row, 0);
}

static void
put_item(struct buf *out, const struct books_item *it)
{
	size_t nrelies = it->relies[0].kind ? (it->relies[1].kind ? 2 : 1) : 0;
	const uint64_t numbers[] = { it->kind, it->id, it->rev, it->from, it->to, it->code };

	pack_map(out, 8);
	for (size_t i = 0; i < NELEM(numbers); i++) {
		pack_u64(out, I_KIND + i);
		pack_u64(out, numbers[i]);
	}
	pack_u64(out, I_SET);
	static const struct row nothing;
	wire_put_fields(out, it->set ? it->set : &nothing, UINT64_MAX);
	pack_u64(out, I_RELIES);
	pack_array(out, 3 * nrelies);
	for (size_t i = 0; i < nrelies; i++) {
		pack_u64(out, it->relies[i].kind);
		pack_u64(out, it->relies[i].id);
		pack_u64(out, it->relies[i].rev);
	}
}

void
wire_put_group(struct buf *out, const struct books_item *items, size_t n)
{
	pack_array(out, n);
	for (size_t i = 0; i < n; i++)
		put_item(out, &items[i]);
}

void
wire_put_move(struct buf *out, const struct wire_head *h, uint64_t first_seq, size_t ngroups, struct span groups)
{
	begin(out, WIRE_MOVE, h, 2);
	put_num(out, K_SEQ, first_seq);
	pack_u64(out, K_GROUPS);
	pack_array(out, ngroups);
	buf_put(out, groups.p, groups.n);
}

void
wire_put_result(struct buf *out, uint64_t seq, enum code code, size_t nrows, struct span rows)
{
	pack_map(out, 3);
	pack_u64(out, R_SEQ);
	pack_u64(out, seq);
	pack_u64(out, R_CODE);
	pack_u64(out, code);
	pack_u64(out, R_ROWS);
	pack_array(out, nrows);
	buf_put(out, rows.p, rows.n);
}

void
wire_put_done(struct buf *out, const struct wire_head *h, uint64_t seq, enum code code,
    size_t nresults, struct span results, const struct wire_names *names)
{
	begin(out, WIRE_DONE, h, 4);
	put_num(out, K_SEQ, seq);
	put_num(out, K_CODE, code);
	pack_u64(out, K_RESULTS);
	pack_array(out, nresults);
	buf_put(out, results.p, results.n);
	pack_u64(out, K_NAMES);
	pack_array(out, 2 * names->n);
	for (size_t i = 0; i < names->n; i++) {
		pack_text(out, span_str(names->pairs[i][0]));
		pack_text(out, span_str(names->pairs[i][1]));
	}
}

void
wire_put_rows(struct buf *out, enum wire_kind kind, const struct wire_head *h, uint64_t serial,
    size_t nrows, struct span rows, bool more_rows)
{
	begin(out, kind, h, 3);
	put_num(out, K_SERIAL, serial);
	put_num(out, K_MORE, more_rows);
	pack_u64(out, K_ROWS);
	pack_array(out, nrows);
	buf_put(out, rows.p, rows.n);
}
