/* test_core.c - the ledger without sockets, upon a disk in memory and a clock that stands still: every
 * rule of prova-wire(7) that the ledger keeps, once.
 * uses: cmd/ledger */
#include "cmd/ledger/core.h"

#include <setjmp.h>

#include <cmocka.h>

#include "cmd/ledger/store_memory.h"
#include "common/clock.h"
#include "common/diag.h"
#include "common/wire.h"

enum { START_MS = 1000000000, LEASE_MS = 5000, RETRY_MS = 2000, KEEP_MS = 600 * 1000, DEADLINE_MS = 3600 * 1000 };
enum { BUDGET = 100, PRICE = 60 };

enum { FETCH, TRACE, ALLOC, EXEC, EXEC_2, EXEC_B, SUBMIT, OPER, PEERS };
static const char *const peers[PEERS][2] = {
	{ "task-fetch", "task-fetch" }, { "trace-build", "trace-build" }, { "allocate", "allocate" },
	{ "dispatch-exec.a", "dispatch-exec" }, { "dispatch-exec.a.2", "dispatch-exec" }, { "dispatch-exec.b", "dispatch-exec" },
	{ "submit", "submit" }, { "operator", "operator" },
};

struct bench {
	uint64_t	 now_ms, term;
	struct disk	*disk;
	struct store	*store;
	struct core	*core;
	struct wire	*in;			/* the message looked at last */
	struct mail { unsigned peer; struct buf bytes; } mail[128];
	size_t		 nmail;
	uint64_t	 epoch[PEERS], seq[PEERS];
	struct tick	 tick;
	bool		 active, no_blobs;
	uint64_t	 next_ms;
};

/* --- the bench --- */

static void
take_mail(void *arg, struct span route, struct span message)
{
	struct bench *b = arg;

	assert_true(b->nmail < NELEM(b->mail) && message.n <= MESSAGE_BYTES);
	struct mail *m = &b->mail[b->nmail++];
	m->peer = route.p[0];
	buf_reset(&m->bytes);
	buf_put(&m->bytes, message.p, message.n);
}

static bool
has_blob(void *arg, const uint8_t hash[HASH_BYTES])
{
	return !((struct bench *)arg)->no_blobs;
}

static const struct core_chain chains[] = { { "c", BUDGET, KEEP_MS }, { "", 0, 0 } };

static void
start(struct bench *b)
{
	char why[256] = "";
	struct core_opts o = { .ops = &store_memory, .store = b->store = disk_store(b->disk), .ledger = "L", .retry_ms = RETRY_MS,
	    .lease_ms = LEASE_MS, .chains = chains, .nchains = NELEM(chains), .send = take_mail, .blob = has_blob, .arg = b };

	b->core = core_new(&o, why);
	if (!b->core)
		fail_msg("%s", why);
	b->term = core_term(b->core);
}

static void
turn(struct bench *b)
{
	b->next_ms = core_turn(b->core, &b->active);
}

static void
pass(struct bench *b, uint64_t ms)
{
	clock_freeze(b->now_ms += ms);
	b->nmail = 0;
	turn(b);
}

/* The n-th message of a kind that the peer got since the mail was emptied; false: none. */
static bool
got(struct bench *b, unsigned peer, enum wire_kind kind)
{
	char why[96];

	for (size_t i = b->nmail; i-- > 0; ) {
		if (b->mail[i].peer != peer)
			continue;
		assert_true(wire_read(b->in, SPAN_OF(&b->mail[i].bytes), why));
		if (b->in->kind == (uint64_t)kind)
			return true;
	}
	return false;
}

static void
say_from(struct bench *b, unsigned peer, int64_t uid, const struct buf *message)
{
	uint8_t route = (uint8_t)peer;

	core_hear(b->core, (struct span){ &route, 1 }, uid, (struct span){ message->p, message->n });
}

static struct wire_head
head(const struct bench *b, unsigned peer)
{
	return (struct wire_head){ b->epoch[peer], b->term, 0 };
}

/* Say HELLO; which kind of answer? */
static uint64_t
hello(struct bench *b, unsigned peer, uint64_t epoch, int64_t uid)
{
	struct buf m = { 0 };
	char inbox[64];

	snprintf(inbox, sizeof inbox, "inbox-of-%s", peers[peer][0]);
	wire_put_hello(&m, &(struct wire_head){ epoch, b->term, 0 },
	    &(struct wire_hello){ peers[peer][0], peers[peer][1], inbox, "active", "" });
	b->nmail = 0;
	say_from(b, peer, uid, &m);
	turn(b);
	buf_free(&m);
	if (got(b, peer, WIRE_WELCOME)) {
		b->seq[peer] = epoch == b->in->epoch ? b->seq[peer] : 0;
		b->epoch[peer] = b->in->epoch;
		return WIRE_WELCOME;
	}
	return got(b, peer, WIRE_REFUSE) || got(b, peer, WIRE_FENCED) ? b->in->kind : 0;
}

static void
hello_all(struct bench *b)
{
	for (unsigned p = 0; p < PEERS; p++)
		assert_int_equal(hello(b, p, 0, 0), WIRE_WELCOME);
}

static int
set_up(void **state)
{
	struct bench *b = xzalloc(sizeof *b);

	diag_threshold(DIAG_ERROR + 1);
	clock_freeze(b->now_ms = START_MS);
	b->disk = disk_new();
	b->in = wire_new();
	start(b);
	hello_all(b);
	*state = b;
	return 0;
}

static void
stop(struct bench *b)
{
	core_free(&b->core);
	store_memory.close(&b->store);
}

static int
tear_down(void **state)
{
	struct bench *b = *state;

	stop(b);
	disk_free(&b->disk);
	wire_free(&b->in);
	for (size_t i = 0; i < NELEM(b->mail); i++)
		buf_free(&b->mail[i].bytes);
	free(b);
	clock_freeze(0);
	return 0;
}

/* The ledger is killed and begins again; the stages resume their epochs. */
static void
restart(struct bench *b)
{
	stop(b);
	start(b);
	for (unsigned p = 0; p < PEERS; p++)
		assert_int_equal(hello(b, p, b->epoch[p], 0), WIRE_WELCOME);
}

/* --- moving --- */

enum { NO_ANSWER = 9999 };

/* A group as this seq; its result's code, the DONE in b->in. */
static uint64_t
group_as(struct bench *b, unsigned peer, uint64_t seq, const struct books_item *items, size_t n)
{
	struct buf g = { 0 }, m = { 0 };
	struct wire_head h = head(b, peer);

	wire_put_group(&g, items, n);
	wire_put_move(&m, &h, seq, 1, SPAN_OF(&g));
	b->nmail = 0;
	say_from(b, peer, 0, &m);
	turn(b);
	buf_free(&g);
	buf_free(&m);
	if (!got(b, peer, WIRE_DONE))
		return NO_ANSWER;
	for (size_t i = 0; i < b->in->nresults; i++)
		if (b->in->results[i].seq == seq)
			return b->in->results[i].code;
	return b->in->code == CODE_GAP ? (uint64_t)CODE_GAP : NO_ANSWER;
}

static uint64_t
group(struct bench *b, unsigned peer, const struct books_item *items, size_t n)
{
	return group_as(b, peer, ++b->seq[peer], items, n);
}

static const struct live *
live(const struct bench *b, uint64_t kind, uint64_t id)
{
	return state_find(core_state(b->core), kind, id);
}

static uint64_t
state_of(const struct bench *b, uint64_t kind, uint64_t id)
{
	const struct live *l = live(b, kind, id);

	return l ? l->state : 0;
}

static struct row
row_of(const struct bench *b, uint64_t kind, uint64_t id)
{
	struct row r;

	assert_non_null(live(b, kind, id));
	state_row(live(b, kind, id), &r);
	return r;
}

/* A row as it is, to another state. */
static struct books_item
item(const struct bench *b, uint64_t kind, uint64_t id, uint64_t to, const struct row *set)
{
	const struct live *l = live(b, kind, id);

	return (struct books_item){ .kind = kind, .id = id, .rev = l ? l->rev : 1, .from = l ? l->state : 1, .to = to, .set = set };
}

static uint64_t
step(struct bench *b, unsigned peer, uint64_t kind, uint64_t id, uint64_t to, const struct row *set)
{
	struct books_item it = item(b, kind, id, to, set);

	return group(b, peer, &it, 1);
}

/* --- rows to set --- */

static const uint8_t hash[HASH_BYTES] = { 7 };

static struct row
task(const struct bench *b, const char *uuid, uint64_t identity)
{
	struct row r = { 0 };

	SET(&r, chain, SPAN("c"));
	SET(&r, uuid, span_str(uuid));
	SET(&r, type, TYPE_CHUNK);
	SET(&r, task, SPAN("t"));
	SET(&r, fork, SPAN("f"));
	SET(&r, identity, identity);
	ROW_HASH(&r, body_blob, hash);
	SET(&r, body_bytes, 20000);
	SET(&r, fetched_ms, b->now_ms);
	SET(&r, deadline_ms, b->now_ms + DEADLINE_MS);
	return r;
}

static struct row
input(void)
{
	struct row r = { 0 };

	ROW_HASH(&r, input_blob, hash);
	SET(&r, input_bytes, 5);
	return r;
}

static struct row
attempt(uint64_t work, const char *provider, uint64_t price)
{
	struct row r = { 0 };

	SET(&r, work, work);
	SET(&r, provider, span_str(provider));
	SET(&r, price, price);
	return r;
}

static struct row
intent(const struct bench *b, unsigned peer, uint64_t n, uint64_t ms)
{
	struct row r = { 0 };

	SET(&r, owner, span_str(peers[peer][0]));
	SET(&r, intent, n);
	SET(&r, send_by_ms, b->now_ms + ms);
	return r;
}

static struct row
handle(const char *text)
{
	struct row r = { 0 };

	SET(&r, handle, span_str(text));
	return r;
}

static struct row
proof(void)
{
	struct row r = { 0 };

	ROW_HASH(&r, proof_blob, hash);
	SET(&r, proof_bytes, 20000);
	return r;
}

static struct row
post(uint64_t n, uint64_t of)
{
	struct row r = { 0 };

	SET(&r, posts, n);
	if (of)
		SET(&r, attempt, of);
	return r;
}

/* --- the way of a job --- */

static void
add_identity(struct bench *b, uint64_t index)
{
	struct row r = { 0 };

	SET(&r, chain, SPAN("c"));
	SET(&r, identity, index);
	assert_int_equal(group(b, FETCH, &(struct books_item){ .kind = ROW_IDENTITY, .to = IDENTITY_IDLE, .set = &r }, 1), CODE_OK);
}

static uint64_t
try_fetch(struct bench *b, const char *uuid, uint64_t identity)
{
	struct row r = task(b, uuid, identity);

	return group(b, FETCH, &(struct books_item){ .kind = ROW_JOB, .to = JOB_FETCHED, .set = &r }, 1);
}

/* Fetched and ready; its id. */
static uint64_t
ready_job(struct bench *b, const char *uuid, uint64_t identity)
{
	struct row in = input();

	add_identity(b, identity);
	assert_int_equal(try_fetch(b, uuid, identity), CODE_OK);
	uint64_t id = b->in->rows[0].row.id;
	assert_int_equal(b->in->rows[0].row.kind, ROW_JOB);
	assert_int_equal(step(b, TRACE, ROW_JOB, id, JOB_READY, &in), CODE_OK);
	return id;
}

static uint64_t
buy_for(struct bench *b, uint64_t job, const struct row *set)
{
	uint64_t work = row_of(b, ROW_JOB, job).work;
	struct books_item items[] = { { .kind = ROW_ATTEMPT, .to = ATTEMPT_ALLOCATED, .set = set }, item(b, ROW_JOB, job, JOB_PLACED, NULL) };

	items[1].relies[0] = (struct books_rely){ ROW_WORK, work, live(b, ROW_WORK, work)->rev };
	return group(b, ALLOC, items, 2);
}

/* Placed with an attempt of provider a; the attempt's id. */
static uint64_t
place(struct bench *b, uint64_t job)
{
	struct row a = attempt(row_of(b, ROW_JOB, job).work, "a", PRICE);

	assert_int_equal(buy_for(b, job, &a), CODE_OK);
	assert_int_equal(state_of(b, ROW_JOB, job), JOB_PLACED);
	return b->in->rows[0].row.id;
}

static uint64_t
join(struct bench *b, uint64_t job)
{
	uint64_t work = row_of(b, ROW_JOB, job).work;
	struct books_item it = item(b, ROW_JOB, job, JOB_PLACED, NULL);

	it.relies[0] = (struct books_rely){ ROW_WORK, work, live(b, ROW_WORK, work)->rev };
	return group(b, ALLOC, &it, 1);
}

static void
prove(struct bench *b, uint64_t id)
{
	struct row in = intent(b, EXEC, 1, 1000), h = handle("h"), p = proof();

	assert_int_equal(step(b, EXEC, ROW_ATTEMPT, id, ATTEMPT_SENDING, &in), CODE_OK);
	assert_int_equal(step(b, EXEC, ROW_ATTEMPT, id, ATTEMPT_PROVING, &h), CODE_OK);
	assert_int_equal(step(b, EXEC, ROW_ATTEMPT, id, ATTEMPT_PROVED, &p), CODE_OK);
}

static void
submit(struct bench *b, uint64_t job, uint64_t of)
{
	struct row p = post(1, of);

	assert_int_equal(step(b, SUBMIT, ROW_JOB, job, JOB_SUBMITTING, &p), CODE_OK);
	assert_int_equal(step(b, SUBMIT, ROW_JOB, job, JOB_SUBMITTED, NULL), CODE_OK);
}

static uint64_t
verified(struct bench *b, uint64_t job)
{
	uint64_t id = place(b, job);

	prove(b, id);
	assert_int_equal(step(b, SUBMIT, ROW_ATTEMPT, id, ATTEMPT_VERIFIED, NULL), CODE_OK);
	return id;
}

/* --- what was written --- */

struct sum { const char *account; int64_t micro, all; unsigned n; };

static void
add_entry(void *arg, const struct entry *e)
{
	struct sum *s = arg;

	s->all += e->micro;
	if (span_is(e->account, s->account)) {
		s->micro += e->micro;
		s->n++;
	}
}

static int64_t
balance(const struct bench *b, const char *account)
{
	struct sum s = { .account = account };

	disk_read(b->disk, &(struct disk_reader){ .arg = &s, .entry = add_entry });
	assert_int_equal(s.all, 0);
	return s.micro;
}

static void
count_history(void *arg, const struct history *h)
{
	++*(size_t *)arg;
}

static size_t
history_lines(const struct bench *b)
{
	size_t n = 0;

	disk_read(b->disk, &(struct disk_reader){ .arg = &n, .history = count_history });
	return n;
}

struct stored { uint64_t kind, id; struct row *row; };

static void
find_stored(void *arg, const struct row *r)
{
	struct stored *s = arg;

	if (r->kind == s->kind && r->id == s->id)
		s->row = row_keep(r);
}

static uint64_t
stored_state(const struct bench *b, uint64_t kind, uint64_t id)
{
	struct stored s = { kind, id, NULL };

	disk_read(b->disk, &(struct disk_reader){ .arg = &s, .row = find_stored });
	uint64_t state = s.row ? s.row->state : 0;
	free(s.row);
	return state;
}

/* --- rule 1: epochs --- */

static void
each_new_process_has_a_new_epoch_and_the_old_one_is_fenced(void **state)
{
	struct bench *b = *state;
	struct buf m = { 0 };

	assert_int_equal(b->epoch[TRACE], 1);
	assert_int_equal(hello(b, TRACE, 0, 0), WIRE_WELCOME);
	assert_int_equal(b->epoch[TRACE], 2);
	assert_true(span_is(b->in->ledger, "L") && b->in->term == b->term && b->in->clock_ms == b->now_ms);
	for (unsigned kind = WIRE_MOVE; kind <= WIRE_BYE; kind++) {
		struct wire_head old = { 1, b->term, 0 };
		buf_reset(&m);
		if (kind == WIRE_MOVE)
			wire_put_move(&m, &old, 1, 0, SPAN(""));
		else if (kind == WIRE_TICK)
			wire_put_tick(&m, &old, 0, &b->tick);
		else
			wire_put_plain(&m, (enum wire_kind)kind, &old, CODE_OK);
		b->nmail = 0;
		say_from(b, TRACE, 0, &m);
		assert_true(got(b, TRACE, WIRE_FENCED));
		assert_int_equal(b->in->epoch, 1);
	}
	assert_int_equal(hello(b, TRACE, 1, 0), WIRE_FENCED);
	buf_free(&m);
}

static void
the_same_process_keeps_its_epoch_and_its_seq(void **state)
{
	struct bench *b = *state;

	add_identity(b, 1);
	assert_int_equal(hello(b, FETCH, b->epoch[FETCH], 0), WIRE_WELCOME);
	assert_int_equal(b->epoch[FETCH], 1);
	add_identity(b, 2);
	restart(b);
	assert_int_equal(b->epoch[FETCH], 1);
	assert_int_equal(b->seq[FETCH], 2);
	add_identity(b, 3);
}

static void
over_tcp_the_old_process_must_be_silent_for_a_lease_or_have_said_bye(void **state)
{
	struct bench *b = *state;
	struct buf m = { 0 };
	struct wire_head h = head(b, TRACE);

	assert_int_equal(hello(b, TRACE, 0, -1), WIRE_REFUSE);
	assert_int_equal(b->in->code, CODE_BUSY);
	pass(b, LEASE_MS - 1);
	assert_int_equal(hello(b, TRACE, 0, -1), WIRE_REFUSE);
	pass(b, 1);
	assert_int_equal(hello(b, TRACE, 0, -1), WIRE_WELCOME);
	h.epoch = b->epoch[TRACE];
	wire_put_plain(&m, WIRE_BYE, &h, CODE_OK);
	say_from(b, TRACE, -1, &m);
	assert_int_equal(hello(b, TRACE, 0, -1), WIRE_WELCOME);
	assert_int_equal(b->epoch[TRACE], 3);
	buf_free(&m);
}

static void
a_hello_that_makes_no_sense_is_refused(void **state)
{
	struct bench *b = *state;
	static const struct { const char *instance, *stage; enum code code; } cases[] = {
		{ "", "submit", CODE_ILLEGAL }, { "x", "baker", CODE_ILLEGAL }, { "x", "(ledger)", CODE_ILLEGAL }, { "x", "", CODE_ILLEGAL },
		{ "trace-build", "operator", CODE_ILLEGAL },	/* a name that is known as another kind's */
	};
	struct buf m = { 0 };

	for (size_t i = 0; i < NELEM(cases); i++) {
		buf_reset(&m);
		wire_put_hello(&m, &(struct wire_head){ .epoch = 0 }, &(struct wire_hello){ cases[i].instance, cases[i].stage, "", "", "" });
		b->nmail = 0;
		say_from(b, 99, 0, &m);
		turn(b);
		assert_true(got(b, 99, WIRE_REFUSE));
		assert_int_equal(b->in->code, cases[i].code);
	}
	b->nmail = 0;
	buf_reset(&m);
	buf_puts(&m, "garbage");
	say_from(b, 99, 0, &m);
	assert_true(got(b, 99, WIRE_REFUSE));
	assert_int_equal(b->in->code, CODE_MALFORMED);
	buf_free(&m);
}

/* --- rule 2: order, copies --- */

static void
a_gap_is_answered_with_the_seq_expected_and_nothing_is_applied(void **state)
{
	struct bench *b = *state;
	struct row r = { 0 };

	SET(&r, chain, SPAN("c"));
	SET(&r, identity, 1);
	struct books_item it = { .kind = ROW_IDENTITY, .to = IDENTITY_IDLE, .set = &r };
	assert_int_equal(group_as(b, FETCH, 2, &it, 1), CODE_GAP);
	assert_int_equal(b->in->seq, 1);
	assert_int_equal(group_as(b, FETCH, UINT64_MAX, &it, 1), CODE_GAP);
	assert_null(live(b, ROW_IDENTITY, 1));
	assert_int_equal(group_as(b, FETCH, 1, &it, 1), CODE_OK);
}

static void
a_copy_is_answered_from_the_rows_and_changes_nothing(void **state)
{
	struct bench *b = *state;
	uint64_t job = ready_job(b, "u", 1);
	struct row r = task(b, "u", 1), in = input();
	struct books_item creation = { .kind = ROW_JOB, .to = JOB_FETCHED, .set = &r };
	struct books_item ready = { .kind = ROW_JOB, .id = job, .rev = 1, .from = JOB_FETCHED, .to = JOB_READY, .set = &in };
	size_t lines = history_lines(b);

	for (unsigned pass_no = 0; pass_no < 2; pass_no++) {
		assert_int_equal(group_as(b, TRACE, 1, &ready, 1), CODE_OK);
		assert_int_equal(group_as(b, FETCH, 2, &creation, 1), CODE_OK);
		assert_int_equal(b->in->rows[0].row.id, job);
		if (pass_no == 0)
			restart(b);
	}
	assert_int_equal(history_lines(b), lines);
	place(b, job);				/* it moves on: the history knows */
	assert_int_equal(group_as(b, TRACE, 1, &ready, 1), CODE_OK);
	assert_int_equal(b->in->rows[0].row.state, JOB_PLACED);
	assert_int_equal(step(b, OPER, ROW_JOB, job, JOB_CANCELLED, NULL), CODE_OK);
	assert_int_equal(group_as(b, TRACE, 1, &ready, 1), CODE_GONE);
}

static void
a_refused_move_uses_up_its_seq_for_ever(void **state)
{
	struct bench *b = *state;
	uint64_t job = ready_job(b, "u", 1);
	struct row none = { 0 };
	struct books_item stale = { .kind = ROW_JOB, .id = job, .rev = 1, .from = JOB_READY, .to = JOB_QUEUED, .set = &none };
	struct books_item good = item(b, ROW_JOB, job, JOB_QUEUED, NULL);

	assert_int_equal(group(b, ALLOC, &stale, 1), CODE_CONFLICT);
	assert_int_equal(b->in->rows[0].row.rev, 2);
	restart(b);
	assert_int_equal(group_as(b, ALLOC, 1, &good, 1), CODE_CONFLICT);	/* a copy now, whatever it says */
	assert_int_equal(state_of(b, ROW_JOB, job), JOB_READY);
	assert_int_equal(group(b, ALLOC, &good, 1), CODE_OK);
}

static void
one_message_carries_many_groups_and_each_is_answered(void **state)
{
	struct bench *b = *state;
	struct buf g = { 0 }, m = { 0 };
	struct wire_head h = head(b, FETCH);

	for (uint64_t i = 1; i <= 200; i++) {
		struct row r = { 0 };
		SET(&r, chain, SPAN("c"));
		SET(&r, identity, i / 2 * 2);			/* every second one is there already */
		wire_put_group(&g, &(struct books_item){ .kind = ROW_IDENTITY, .to = IDENTITY_IDLE, .set = &r }, 1);
	}
	wire_put_move(&m, &h, 1, 200, SPAN_OF(&g));
	b->nmail = 0;
	say_from(b, FETCH, 0, &m);
	turn(b);
	unsigned ok = 0, conflict = 0;
	for (size_t i = 0; i < b->nmail; i++) {
		char why[96];
		assert_true(wire_read(b->in, SPAN_OF(&b->mail[i].bytes), why));
		for (size_t k = 0; k < b->in->nresults; k++) {
			ok += b->in->results[k].code == CODE_OK;
			conflict += b->in->results[k].code == CODE_CONFLICT;
		}
	}
	assert_int_equal(ok, 101);
	assert_int_equal(conflict, 99);
	buf_free(&g);
	buf_free(&m);
}

/* --- rule 3: moves --- */

static void
a_group_is_all_or_nothing(void **state)
{
	struct bench *b = *state;
	uint64_t job = ready_job(b, "u", 1), work = row_of(b, ROW_JOB, job).work, rev = live(b, ROW_WORK, work)->rev;
	struct row a = attempt(work, "a", PRICE);
	struct books_item items[] = { { .kind = ROW_ATTEMPT, .to = ATTEMPT_ALLOCATED, .set = &a }, item(b, ROW_JOB, job, JOB_PLACED, NULL) };
	size_t lines = history_lines(b);

	items[1].relies[0] = (struct books_rely){ ROW_WORK, work, rev };
	items[1].rev++;
	assert_int_equal(group(b, ALLOC, items, 2), CODE_CONFLICT);
	assert_null(live(b, ROW_ATTEMPT, 1));
	assert_int_equal(live(b, ROW_WORK, work)->rev, rev);
	assert_int_equal(balance(b, "reserved:c"), 0);
	assert_int_equal(history_lines(b), lines);
	assert_int_equal(core_state(b->core)->counts[0][TYPE_CHUNK].open, 0);
	items[1].rev--;
	assert_int_equal(group(b, ALLOC, items, 2), CODE_OK);
	assert_int_equal(balance(b, "reserved:c"), PRICE);
	assert_int_equal(core_state(b->core)->counts[0][TYPE_CHUNK].open, 1);
}

/* Every arrow from one state, asked for by everybody: legal exactly when the table has it. */
static void
only_the_arrows_of_the_table_are_legal_and_only_for_their_principals(void **state)
{
	for (unsigned peer = 0; peer < PEERS; peer++)
		for (uint64_t to = 0; to <= ATTEMPT_UNCLE_ENDED + 1; to++)
			for (uint64_t kind = ROW_JOB; kind <= ROW_ATTEMPT; kind++) {
				void *own = NULL;
				set_up(&own);
				struct bench *b = own;
				uint64_t job = ready_job(b, "u", 1), from = kind == ROW_JOB ? (uint64_t)JOB_READY : (uint64_t)ATTEMPT_ALLOCATED;
				if (kind == ROW_ATTEMPT)
					place(b, job);
				const struct move *m = move_find(kind, from, to);
				bool legal = m && m->by & move_principal(span_str(peers[peer][1])) && (kind == ROW_JOB || peer != EXEC_B);
				/* what a hook refuses for its own reasons is not in doubt here */
				bool hooked = to == JOB_PLACED || to == JOB_SUBMITTING || to == ATTEMPT_SENDING;
				uint64_t code = step(b, peer, kind, kind == ROW_JOB ? job : 1, to, NULL);
				if (legal ? code == CODE_ILLEGAL && !hooked : code != CODE_ILLEGAL)
					fail_msg("%s, %s to %" PRIu64 ": %s", peers[peer][0], row_kind_name(kind), to, code_word(code));
				tear_down(&own);
			}
}

static void
fields_that_an_arrow_does_not_have_make_it_illegal(void **state)
{
	struct bench *b = *state;
	uint64_t job = ready_job(b, "u", 1);
	struct row money = { 0 };

	SET(&money, price, 1);
	assert_int_equal(step(b, ALLOC, ROW_JOB, job, JOB_QUEUED, &money), CODE_ILLEGAL);
	struct row bare = { 0 };
	assert_int_equal(group(b, FETCH, &(struct books_item){ .kind = ROW_JOB, .to = JOB_FETCHED, .set = &bare }, 1), CODE_ILLEGAL);
	assert_int_equal(group(b, FETCH, &(struct books_item){ .kind = ROW_IDENTITY, .to = IDENTITY_IDLE, .set = &bare }, 1), CODE_ILLEGAL);
	assert_int_equal(step(b, TRACE, ROW_JOB, 77, JOB_READY, &bare), CODE_ILLEGAL);		/* an id never given out */
	assert_int_equal(step(b, TRACE, 77, 77, JOB_READY, &bare), CODE_ILLEGAL);
}

static void
a_blob_that_is_not_there_is_noblob(void **state)
{
	struct bench *b = *state;

	add_identity(b, 1);
	b->no_blobs = true;
	assert_int_equal(try_fetch(b, "u", 1), CODE_NOBLOB);
	b->no_blobs = false;
	assert_int_equal(try_fetch(b, "u", 1), CODE_OK);
}

static void
placing_relies_on_the_work_as_it_is(void **state)
{
	struct bench *b = *state;
	uint64_t first = ready_job(b, "u1", 1), second = ready_job(b, "u2", 2), work = row_of(b, ROW_JOB, first).work;
	struct row a = attempt(work, "a", 1);

	assert_int_equal(row_of(b, ROW_JOB, second).work, work);
	struct books_item items[] = { { .kind = ROW_ATTEMPT, .to = ATTEMPT_ALLOCATED, .set = &a }, item(b, ROW_JOB, first, JOB_PLACED, NULL) };
	assert_int_equal(group(b, ALLOC, items, 2), CODE_ILLEGAL);		/* relies on nothing */
	items[1].relies[0] = (struct books_rely){ ROW_WORK, work, live(b, ROW_WORK, work)->rev - 1 };
	assert_int_equal(group(b, ALLOC, items, 2), CODE_CONFLICT);
	assert_int_equal(join(b, first), CODE_CONFLICT);			/* nothing to join */
	place(b, first);
	assert_int_equal(buy_for(b, second, &a), CODE_CONFLICT);		/* a second purchase of one work */
	assert_int_equal(join(b, second), CODE_OK);
	SET(&a, allow, SPAN("hedge"));
	assert_int_equal(group(b, ALLOC, items, 1), CODE_OK);			/* the same, allowed by name */
	assert_int_equal(row_of(b, ROW_WORK, work).attempts, 2);
}

static void
the_budget_holds_what_is_reserved_and_gives_back_what_failed(void **state)
{
	struct bench *b = *state;
	uint64_t job = ready_job(b, "u", 1), work = row_of(b, ROW_JOB, job).work, id = place(b, job);
	struct row second = attempt(work, "b", PRICE);
	struct books_item it = { .kind = ROW_ATTEMPT, .to = ATTEMPT_ALLOCATED, .set = &second };

	SET(&second, allow, SPAN("hedge"));
	assert_int_equal(group(b, ALLOC, &it, 1), CODE_BUDGET);
	SET(&second, price, BUDGET - PRICE);
	assert_int_equal(group(b, ALLOC, &it, 1), CODE_OK);
	SET(&second, price, 1);
	assert_int_equal(group(b, ALLOC, &it, 1), CODE_BUDGET);
	restart(b);
	assert_int_equal(group(b, ALLOC, &it, 1), CODE_BUDGET);
	assert_int_equal(step(b, ALLOC, ROW_ATTEMPT, id, ATTEMPT_CANCELLED, NULL), CODE_OK);
	assert_int_equal(balance(b, "reserved:c"), BUDGET - PRICE);
	assert_int_equal(group(b, ALLOC, &it, 1), CODE_OK);
	SET(&second, price, INT64_MAX);
	assert_int_equal(group(b, ALLOC, &it, 1), CODE_ILLEGAL);
}

static void
no_prices_make_an_account_overflow(void **state)
{
	struct bench *b = *state;
	struct row r = task(b, "u", 1);
	uint64_t code = CODE_OK;

	SET(&r, chain, SPAN("no budget"));
	struct row identity = { 0 };
	SET(&identity, chain, r.chain);
	SET(&identity, identity, 1);
	assert_int_equal(group(b, FETCH, &(struct books_item){ .kind = ROW_IDENTITY, .to = IDENTITY_IDLE, .set = &identity }, 1), CODE_OK);
	assert_int_equal(group(b, FETCH, &(struct books_item){ .kind = ROW_JOB, .to = JOB_FETCHED, .set = &r }, 1), CODE_OK);
	struct row a = attempt(1, "a", INT64_MAX / 8);
	SET(&a, allow, SPAN("hedge"));
	for (unsigned i = 0; i < 100 && (code == CODE_OK || i < 10); i++)
		code = group(b, ALLOC, &(struct books_item){ .kind = ROW_ATTEMPT, .to = ATTEMPT_ALLOCATED, .set = &a }, 1);
	assert_true(code == CODE_BUDGET || code == CODE_ILLEGAL);
	assert_true(balance(b, "reserved:no budget") >= 0);
}

/* --- rule 3 and 6: intents, facts --- */

static void
a_row_in_sending_is_its_owners(void **state)
{
	struct bench *b = *state;
	uint64_t id = place(b, ready_job(b, "u", 1));
	struct row others = intent(b, EXEC_2, 1, 1000), mine = intent(b, EXEC, 1, 1000), twice = intent(b, EXEC, 2, 1000);
	struct row over = intent(b, EXEC, 1, 0), taken = intent(b, EXEC_2, 2, LEASE_MS + 5000);

	assert_int_equal(step(b, EXEC, ROW_ATTEMPT, id, ATTEMPT_SENDING, &others), CODE_ILLEGAL);	/* in another's name */
	assert_int_equal(step(b, EXEC, ROW_ATTEMPT, id, ATTEMPT_SENDING, &twice), CODE_ILLEGAL);
	assert_int_equal(step(b, EXEC, ROW_ATTEMPT, id, ATTEMPT_SENDING, &over), CODE_CONFLICT);
	assert_int_equal(step(b, EXEC_B, ROW_ATTEMPT, id, ATTEMPT_SENDING, &mine), CODE_ILLEGAL);	/* another provider's */
	assert_int_equal(step(b, EXEC, ROW_ATTEMPT, id, ATTEMPT_SENDING, &mine), CODE_OK);
	assert_int_equal(step(b, EXEC_2, ROW_ATTEMPT, id, ATTEMPT_ALLOCATED, NULL), CODE_CONFLICT);
	assert_int_equal(step(b, EXEC_2, ROW_ATTEMPT, id, ATTEMPT_FAILED, NULL), CODE_CONFLICT);
	assert_int_equal(step(b, EXEC_2, ROW_ATTEMPT, id, ATTEMPT_SENDING, &taken), CODE_CONFLICT);	/* the owner lives */
	pass(b, LEASE_MS);
	assert_int_equal(hello(b, EXEC_2, b->epoch[EXEC_2], 0), WIRE_WELCOME);
	assert_int_equal(step(b, EXEC_2, ROW_ATTEMPT, id, ATTEMPT_SENDING, &taken), CODE_OK);
	assert_int_equal(step(b, EXEC, ROW_ATTEMPT, id, ATTEMPT_ALLOCATED, NULL), CODE_CONFLICT);
	assert_int_equal(step(b, EXEC_2, ROW_ATTEMPT, id, ATTEMPT_ALLOCATED, NULL), CODE_OK);
}

/* A fact as a dispatcher says it, of the row as it was when the call was made. */
static uint64_t
fact(struct bench *b, unsigned peer, uint64_t id, uint64_t to, const struct row *set)
{
	return group(b, peer, &(struct books_item){ .kind = ROW_ATTEMPT, .id = id, .rev = 2, .from = ATTEMPT_SENDING, .to = to, .set = set }, 1);
}

static void
an_order_is_a_fact_at_any_rev_and_a_second_one_is_recorded(void **state)
{
	struct bench *b = *state;
	uint64_t id = place(b, ready_job(b, "u", 1));
	struct row in = intent(b, EXEC, 1, 1000), h = handle("first"), s = handle("second");

	assert_int_equal(step(b, EXEC, ROW_ATTEMPT, id, ATTEMPT_SENDING, &in), CODE_OK);
	assert_int_equal(step(b, EXEC, ROW_ATTEMPT, id, ATTEMPT_ALLOCATED, NULL), CODE_OK);
	assert_int_equal(fact(b, EXEC_B, id, ATTEMPT_PROVING, &h), CODE_ILLEGAL);
	assert_int_equal(fact(b, EXEC_2, id, ATTEMPT_PROVING, &h), CODE_OK);
	assert_int_equal(state_of(b, ROW_ATTEMPT, id), ATTEMPT_PROVING);
	uint64_t rev = live(b, ROW_ATTEMPT, id)->rev;
	assert_int_equal(fact(b, EXEC, id, ATTEMPT_PROVING, &h), CODE_OK);
	assert_int_equal(live(b, ROW_ATTEMPT, id)->rev, rev);
	assert_int_equal(fact(b, EXEC, id, ATTEMPT_PROVING, &s), CODE_OK);
	struct row r = row_of(b, ROW_ATTEMPT, id);
	assert_true(r.state == ATTEMPT_PROVING && r.code == CODE_SECOND_ORDER && span_is(r.handle, "first") && span_is(r.stray, "second"));
}

/* It was bought twice, and both orders bring a proof: the second's handle is not lost while the first's is judged. */
static void
a_second_order_that_brings_another_proof_is_recorded(void **state)
{
	struct bench *b = *state;
	uint64_t id = place(b, ready_job(b, "u", 1));
	struct row p = proof();

	prove(b, id);
	SET(&p, handle, SPAN("second"));
	p.proof_blob[0] ^= 1;
	assert_int_equal(fact(b, EXEC, id, ATTEMPT_PROVED, &p), CODE_OK);
	struct row r = row_of(b, ROW_ATTEMPT, id);
	assert_true(r.state == ATTEMPT_PROVED && r.code == CODE_SECOND_ORDER && span_is(r.stray, "second"));
	assert_int_equal(fact(b, EXEC, id, ATTEMPT_PROVED, &p), CODE_CONFLICT);
}

static void
a_proof_is_a_fact_too(void **state)
{
	struct bench *b = *state;
	uint64_t id = place(b, ready_job(b, "u", 1));
	struct row in = intent(b, EXEC, 1, 1000), p = proof();

	assert_int_equal(step(b, EXEC, ROW_ATTEMPT, id, ATTEMPT_SENDING, &in), CODE_OK);
	assert_int_equal(step(b, EXEC, ROW_ATTEMPT, id, ATTEMPT_ALLOCATED, NULL), CODE_OK);
	SET(&p, handle, SPAN("h"));
	assert_int_equal(fact(b, EXEC, id, ATTEMPT_PROVED, &p), CODE_OK);
	assert_int_equal(state_of(b, ROW_ATTEMPT, id), ATTEMPT_PROVED);
}

/* Nobody waited for it any more, and another was asked meanwhile: it is used all the same. */
static void
a_proof_that_comes_after_its_attempt_had_failed_is_used(void **state)
{
	struct bench *b = *state;
	uint64_t job = ready_job(b, "u", 1), id = place(b, job);
	struct row in = intent(b, EXEC, 1, 1000), h = handle("h"), p = proof();

	assert_int_equal(step(b, EXEC, ROW_ATTEMPT, id, ATTEMPT_SENDING, &in), CODE_OK);
	assert_int_equal(fact(b, EXEC, id, ATTEMPT_PROVING, &h), CODE_OK);
	assert_int_equal(step(b, EXEC, ROW_ATTEMPT, id, ATTEMPT_FAILED, NULL), CODE_OK);
	assert_int_equal(state_of(b, ROW_JOB, job), JOB_QUEUED);
	assert_int_equal(balance(b, "reserved:c"), 0);
	uint64_t second = place(b, job);
	assert_int_equal(fact(b, EXEC, id, ATTEMPT_PROVED, &p), CODE_OK);
	assert_int_equal(state_of(b, ROW_ATTEMPT, id), ATTEMPT_PROVED);
	assert_int_equal(balance(b, "reserved:c"), 2 * PRICE);
	uint64_t rev = live(b, ROW_ATTEMPT, id)->rev;
	assert_int_equal(fact(b, EXEC, id, ATTEMPT_PROVED, &p), CODE_OK);
	assert_int_equal(live(b, ROW_ATTEMPT, id)->rev, rev);
	assert_int_equal(step(b, SUBMIT, ROW_ATTEMPT, id, ATTEMPT_VERIFIED, NULL), CODE_OK);
	submit(b, job, id);
	assert_int_equal(state_of(b, ROW_ATTEMPT, id), ATTEMPT_ACCEPTED);
	prove(b, second);
	assert_int_equal(step(b, SUBMIT, ROW_ATTEMPT, second, ATTEMPT_VERIFIED, NULL), CODE_OK);
	assert_int_equal(state_of(b, ROW_ATTEMPT, second), ATTEMPT_UNCLE);
	assert_int_equal(balance(b, "owed:a"), PRICE);
}

static void
a_wrong_late_proof_changes_nothing(void **state)
{
	struct bench *b = *state;
	uint64_t job = ready_job(b, "u", 1), id = place(b, job);
	struct row p = proof();

	prove(b, id);
	assert_int_equal(step(b, SUBMIT, ROW_ATTEMPT, id, ATTEMPT_FAILED, NULL), CODE_OK);
	assert_int_equal(fact(b, EXEC, id, ATTEMPT_PROVED, &p), CODE_OK);	/* it had its proof */
	assert_int_equal(state_of(b, ROW_ATTEMPT, id), ATTEMPT_FAILED);
	assert_int_equal(balance(b, "reserved:c"), 0);
}

/* A wrong proof does not cost the right one of the same prover: it is judged, too; a third is not. */
static void
another_proof_than_the_bad_one_is_judged(void **state)
{
	struct bench *b = *state;
	uint64_t job = ready_job(b, "u", 1), id = place(b, job);
	struct row p = proof(), third = proof();

	prove(b, id);
	p.have &= ~BIT(proof);
	p.proof_blob[0] ^= 1;
	assert_int_equal(fact(b, EXEC, id, ATTEMPT_PROVED, &p), CODE_CONFLICT);	/* the first is being judged */
	assert_int_equal(step(b, SUBMIT, ROW_ATTEMPT, id, ATTEMPT_FAILED, NULL), CODE_OK);
	assert_int_equal(fact(b, EXEC, id, ATTEMPT_PROVED, &p), CODE_OK);
	struct row r = row_of(b, ROW_ATTEMPT, id);
	assert_int_equal(r.state, ATTEMPT_PROVED);
	assert_true(!HAS(&r, proof) && memcmp(r.proof_blob, p.proof_blob, HASH_BYTES) == 0);
	assert_int_equal(balance(b, "reserved:c"), PRICE);
	assert_int_equal(step(b, SUBMIT, ROW_ATTEMPT, id, ATTEMPT_FAILED, NULL), CODE_OK);
	third.proof_blob[0] ^= 2;
	assert_int_equal(fact(b, EXEC, id, ATTEMPT_PROVED, &third), CODE_OK);
	assert_int_equal(state_of(b, ROW_ATTEMPT, id), ATTEMPT_FAILED);
	assert_int_equal(balance(b, "reserved:c"), 0);
}

static void
an_order_that_comes_when_all_is_over_is_recorded_in_the_store(void **state)
{
	struct bench *b = *state;
	uint64_t job = ready_job(b, "u", 1), id = place(b, job);
	struct row s = handle("stray");
	struct stored found = { ROW_ATTEMPT, id, NULL };

	assert_int_equal(step(b, OPER, ROW_ATTEMPT, id, ATTEMPT_CANCELLED, NULL), CODE_OK);
	assert_int_equal(state_of(b, ROW_JOB, job), JOB_QUEUED);
	assert_int_equal(step(b, OPER, ROW_JOB, job, JOB_CANCELLED, NULL), CODE_OK);
	pass(b, KEEP_MS);
	assert_null(live(b, ROW_ATTEMPT, id));
	assert_int_equal(fact(b, EXEC, id + 1, ATTEMPT_PROVING, &s), CODE_ILLEGAL);
	assert_int_equal(hello(b, EXEC, b->epoch[EXEC], 0), WIRE_WELCOME);
	assert_int_equal(fact(b, EXEC, id, ATTEMPT_PROVING, &s), CODE_OK);
	disk_read(b->disk, &(struct disk_reader){ .arg = &found, .row = find_stored });
	assert_true(span_is(found.row->stray, "stray") && found.row->state == ATTEMPT_CANCELLED);
	free(found.row);
	for (unsigned i = 0; i < 2; i++) {		/* again: nothing more to say, and nothing stays in memory */
		assert_null(live(b, ROW_ATTEMPT, id));
		struct row none = handle("");
		assert_int_equal(fact(b, EXEC, id, ATTEMPT_PROVING, &none), CODE_OK);
	}
}

/* --- money and ends --- */

static void
one_proof_settles_both_jobs_and_is_owed_once(void **state)
{
	struct bench *b = *state;
	uint64_t first = ready_job(b, "u1", 1), second = ready_job(b, "u2", 2), id = verified(b, first);

	submit(b, first, id);
	assert_int_equal(state_of(b, ROW_ATTEMPT, id), ATTEMPT_ACCEPTED);
	assert_int_equal(balance(b, "owed:a"), PRICE);
	submit(b, second, id);				/* never placed: the proof is there */
	assert_int_equal(balance(b, "owed:a"), PRICE);
	assert_int_equal(balance(b, "reserved:c"), 0);
	assert_int_equal(balance(b, "budget:c"), -PRICE);
	assert_int_equal(stored_state(b, ROW_JOB, second), JOB_SUBMITTED);
}

static void
a_valid_proof_that_came_second_is_an_uncle_until_its_time_is_over(void **state)
{
	struct bench *b = *state;
	uint64_t job = ready_job(b, "u", 1), work = row_of(b, ROW_JOB, job).work;
	struct row extra = attempt(work, "a", BUDGET - PRICE);
	uint64_t first = place(b, job);

	SET(&extra, allow, SPAN("redundancy"));
	assert_int_equal(group(b, ALLOC, &(struct books_item){ .kind = ROW_ATTEMPT, .to = ATTEMPT_ALLOCATED, .set = &extra }, 1), CODE_OK);
	uint64_t second = b->in->rows[0].row.id;
	prove(b, first);
	prove(b, second);
	assert_int_equal(step(b, SUBMIT, ROW_ATTEMPT, first, ATTEMPT_VERIFIED, NULL), CODE_OK);
	submit(b, job, first);
	assert_int_equal(step(b, SUBMIT, ROW_ATTEMPT, second, ATTEMPT_VERIFIED, NULL), CODE_OK);
	assert_int_equal(state_of(b, ROW_ATTEMPT, second), ATTEMPT_UNCLE);
	assert_int_equal(balance(b, "reserved:c"), BUDGET - PRICE);
	pass(b, KEEP_MS - 1);
	assert_int_equal(state_of(b, ROW_ATTEMPT, second), ATTEMPT_UNCLE);
	pass(b, 1001);					/* the sweep runs once a second */
	assert_null(live(b, ROW_WORK, work));
	assert_int_equal(stored_state(b, ROW_WORK, work), WORK_ENDED);
	assert_int_equal(stored_state(b, ROW_ATTEMPT, second), ATTEMPT_UNCLE_ENDED);
	assert_int_equal(balance(b, "reserved:c"), 0);
	assert_int_equal(balance(b, "budget:c"), -PRICE);
}

static void
an_uncle_is_accepted_when_the_coordinator_assigns_the_work_again(void **state)
{
	struct bench *b = *state;
	uint64_t job = ready_job(b, "u1", 1), id = verified(b, job);
	struct row p = post(1, id);

	assert_int_equal(step(b, SUBMIT, ROW_JOB, job, JOB_SUBMITTING, &p), CODE_OK);
	assert_int_equal(step(b, SUBMIT, ROW_JOB, job, JOB_GIVEN_UP, NULL), CODE_OK);
	assert_int_equal(state_of(b, ROW_ATTEMPT, id), ATTEMPT_UNCLE);
	restart(b);
	job = ready_job(b, "u2", 2);
	assert_int_equal(row_of(b, ROW_JOB, job).work, row_of(b, ROW_ATTEMPT, id).work);
	submit(b, job, id);
	assert_int_equal(state_of(b, ROW_ATTEMPT, id), ATTEMPT_ACCEPTED);
	assert_int_equal(balance(b, "owed:a"), PRICE);
}

static void
each_post_is_counted_before_it_is_made(void **state)
{
	struct bench *b = *state;
	uint64_t job = ready_job(b, "u", 1), id = verified(b, job);
	struct row first = post(1, id), wrong = post(1, id + 7), again = post(2, 0), skipped = post(4, 0);

	assert_int_equal(step(b, SUBMIT, ROW_JOB, job, JOB_SUBMITTING, &wrong), CODE_CONFLICT);
	assert_int_equal(step(b, SUBMIT, ROW_JOB, job, JOB_SUBMITTING, &first), CODE_OK);
	assert_int_equal(step(b, SUBMIT, ROW_JOB, job, JOB_SUBMITTING, &skipped), CODE_ILLEGAL);
	assert_int_equal(step(b, SUBMIT, ROW_JOB, job, JOB_SUBMITTING, &again), CODE_OK);
	assert_int_equal(row_of(b, ROW_JOB, job).posts, 2);
}

static void
a_proof_that_the_coordinator_refused_is_neither_posted_again_nor_owed(void **state)
{
	struct bench *b = *state;
	uint64_t one = ready_job(b, "u1", 1), id = verified(b, one), two = ready_job(b, "u2", 2), three = ready_job(b, "u3", 3);
	struct row p = post(1, id);

	assert_int_equal(step(b, SUBMIT, ROW_JOB, one, JOB_SUBMITTING, &p), CODE_OK);
	assert_int_equal(step(b, SUBMIT, ROW_JOB, two, JOB_SUBMITTING, &p), CODE_OK);
	struct books_item end = item(b, ROW_JOB, one, JOB_GIVEN_UP, NULL);
	end.code = CODE_REFUSED_PROOF;
	assert_int_equal(group(b, SUBMIT, &end, 1), CODE_OK);
	assert_int_equal(state_of(b, ROW_ATTEMPT, id), ATTEMPT_VERIFIED);	/* another post of it is under way */
	end = item(b, ROW_JOB, two, JOB_GIVEN_UP, NULL);
	end.code = CODE_REFUSED_PROOF;
	assert_int_equal(group(b, SUBMIT, &end, 1), CODE_OK);
	assert_int_equal(state_of(b, ROW_ATTEMPT, id), ATTEMPT_UNCLE_ENDED);
	struct row w = row_of(b, ROW_WORK, row_of(b, ROW_JOB, three).work);
	assert_true(span_is(w.tried, "a:refused-proof") && w.kept == 0 && w.open == 0);
	assert_true(balance(b, "reserved:c") == 0 && balance(b, "owed:a") == 0);
	assert_int_equal(step(b, SUBMIT, ROW_JOB, three, JOB_SUBMITTING, &p), CODE_CONFLICT);
	assert_int_equal(live(b, ROW_ATTEMPT, place(b, three))->state, ATTEMPT_ALLOCATED);
}

/* The job that a proof settles is named with it, however large body, proof and texts are. */
static void
rows_as_large_as_can_be_fit_in_one_answer(void **state)
{
	struct bench *b = *state;
	static uint8_t bytes[INLINE_BYTES];
	struct span large = { bytes, sizeof bytes }, text = { memset(xzalloc(4096), 'x', 4096), 4096 };
	struct row r = task(b, "u", 1), in = input(), p = proof(), i = intent(b, EXEC, 1, 1000);

	add_identity(b, 1);
	SET(&r, body, large);
	assert_int_equal(group(b, FETCH, &(struct books_item){ .kind = ROW_JOB, .to = JOB_FETCHED, .set = &r }, 1), CODE_OK);
	uint64_t job = b->in->rows[0].row.id;
	assert_int_equal(step(b, TRACE, ROW_JOB, job, JOB_READY, &in), CODE_OK);
	struct row a = attempt(row_of(b, ROW_JOB, job).work, "a", PRICE);
	SET(&a, reason, text);
	assert_int_equal(buy_for(b, job, &a), CODE_OK);
	uint64_t id = b->in->rows[0].row.id;
	assert_int_equal(step(b, EXEC, ROW_ATTEMPT, id, ATTEMPT_SENDING, &i), CODE_OK);
	SET(&p, proof, large);
	assert_int_equal(step(b, EXEC, ROW_ATTEMPT, id, ATTEMPT_PROVED, &p), CODE_OK);
	assert_int_equal(step(b, SUBMIT, ROW_ATTEMPT, id, ATTEMPT_VERIFIED, NULL), CODE_OK);
	const struct wire_row *last = &b->in->rows[b->in->nrows - 1];
	assert_true(last->row.kind == ROW_JOB && last->row.id == job && last->row.proof.n == large.n);
	assert_true(span_is(b->in->names[last->next - 1].instance, "submit"));
	free((void *)(uintptr_t)text.p);
}

/* "Already proved" means ours when another proof of the work was taken: submit sees it in the row as it is. */
static void
a_job_whose_proof_came_second_hears_that_ours_was_first(void **state)
{
	struct bench *b = *state;
	uint64_t one = ready_job(b, "u1", 1), two = ready_job(b, "u2", 2), first = verified(b, one);
	struct row a = attempt(row_of(b, ROW_JOB, one).work, "a", 1), p = post(1, first);
	struct books_item hedge = { .kind = ROW_ATTEMPT, .to = ATTEMPT_ALLOCATED, .set = &a };

	SET(&a, allow, SPAN("hedge"));
	assert_int_equal(step(b, SUBMIT, ROW_JOB, one, JOB_SUBMITTING, &p), CODE_OK);
	assert_int_equal(group(b, ALLOC, &hedge, 1), CODE_OK);
	uint64_t second = b->in->rows[0].row.id;
	prove(b, second);
	assert_int_equal(step(b, SUBMIT, ROW_ATTEMPT, second, ATTEMPT_VERIFIED, NULL), CODE_OK);
	submit(b, two, row_of(b, ROW_WORK, row_of(b, ROW_JOB, two).work).kept);
	assert_int_equal(state_of(b, ROW_ATTEMPT, second), ATTEMPT_ACCEPTED);
	struct books_item end = item(b, ROW_JOB, one, JOB_GIVEN_UP, NULL);
	end.code = CODE_ALREADY_PROVED;
	assert_int_equal(group(b, SUBMIT, &end, 1), CODE_CONFLICT);
	assert_true(b->in->rows[0].row.id == one && b->in->rows[0].row.attempt == first && HAS(&b->in->rows[0].row, owed));
	assert_int_equal(step(b, SUBMIT, ROW_JOB, one, JOB_SUBMITTED, NULL), CODE_OK);
	assert_int_equal(state_of(b, ROW_ATTEMPT, first), ATTEMPT_UNCLE);
}

static void
a_failed_attempt_sends_its_jobs_back_and_says_who_failed(void **state)
{
	struct bench *b = *state;
	uint64_t job = ready_job(b, "u", 1), id = place(b, job), work = row_of(b, ROW_JOB, job).work;

	prove(b, id);
	struct books_item bad = item(b, ROW_ATTEMPT, id, ATTEMPT_FAILED, NULL);
	bad.code = CODE_PROOF_BAD;
	assert_int_equal(group(b, SUBMIT, &bad, 1), CODE_OK);
	assert_int_equal(state_of(b, ROW_JOB, job), JOB_QUEUED);
	struct row w = row_of(b, ROW_WORK, work);
	assert_true(span_is(w.tried, "a:proof-bad") && w.failures == 1 && w.open == 0);
	assert_int_equal(balance(b, "reserved:c"), 0);
}

static void
what_was_not_sent_to_a_silent_provider_goes_elsewhere(void **state)
{
	struct bench *b = *state;
	uint64_t job = ready_job(b, "u", 1), id = place(b, job), work = row_of(b, ROW_JOB, job).work;

	for (uint64_t ms = 0; ms < 20 * LEASE_MS; ms += 1000) {		/* while it is heard it keeps it */
		pass(b, 1000);
		assert_int_equal(hello(b, EXEC, b->epoch[EXEC], 0), WIRE_WELCOME);
	}
	assert_int_equal(state_of(b, ROW_ATTEMPT, id), ATTEMPT_ALLOCATED);
	disk_fail(b->disk, 1000);
	assert_int_equal(hello(b, OPER, 0, 0), 0);
	pass(b, 20 * LEASE_MS);
	assert_true(core_in_trouble(b->core));
	disk_fail(b->disk, 0);
	for (uint64_t ms = 0; ms < 5 * LEASE_MS; ms += 1000) {		/* nobody was listened to */
		pass(b, 1000);
		assert_int_equal(state_of(b, ROW_ATTEMPT, id), ATTEMPT_ALLOCATED);
	}
	for (uint64_t ms = 0; ms < 2 * LEASE_MS; ms += 1000)
		pass(b, 1000);
	assert_int_equal(state_of(b, ROW_ATTEMPT, id), ATTEMPT_CANCELLED);
	assert_int_equal(state_of(b, ROW_JOB, job), JOB_QUEUED);
	assert_true(span_is(row_of(b, ROW_WORK, work).tried, "a:lease-lost") && balance(b, "reserved:c") == 0);
}

static void
what_no_job_waits_for_is_not_sent(void **state)
{
	struct bench *b = *state;
	uint64_t job = ready_job(b, "u", 1), id = place(b, job), work = row_of(b, ROW_JOB, job).work;

	assert_int_equal(step(b, OPER, ROW_JOB, job, JOB_CANCELLED, NULL), CODE_OK);
	pass(b, 2000);
	assert_int_equal(state_of(b, ROW_ATTEMPT, id), ATTEMPT_CANCELLED);
	assert_true(row_of(b, ROW_WORK, work).tried.n == 0 && row_of(b, ROW_WORK, work).open == 0);
	assert_int_equal(balance(b, "reserved:c"), 0);
}

static void
the_clock_ends_jobs_but_not_those_being_submitted(void **state)
{
	struct bench *b = *state;
	uint64_t posted = ready_job(b, "u1", 1), id = verified(b, posted), waiting = ready_job(b, "u2", 2);
	struct row p = post(1, id);

	assert_int_equal(step(b, SUBMIT, ROW_JOB, posted, JOB_SUBMITTING, &p), CODE_OK);
	assert_int_equal(state_of(b, ROW_IDENTITY, 2), IDENTITY_HOLDING);
	pass(b, DEADLINE_MS - 1);
	assert_int_equal(state_of(b, ROW_JOB, waiting), JOB_READY);
	pass(b, 1001);
	assert_int_equal(stored_state(b, ROW_JOB, waiting), JOB_LATE);
	assert_int_equal(state_of(b, ROW_JOB, posted), JOB_SUBMITTING);
	assert_int_equal(state_of(b, ROW_IDENTITY, 2), IDENTITY_IDLE);
	assert_int_equal(state_of(b, ROW_IDENTITY, 1), IDENTITY_HOLDING);
}

/* More rows than a turn looks at: it comes back at once for the others. */
static void
the_clock_ends_a_job_among_many_rows(void **state)
{
	enum { ROWS = 20000 };
	struct bench *b = *state;
	uint64_t job = ready_job(b, "u", 1);
	unsigned turns = 0;

	for (uint64_t i = 0; i < ROWS; i++) {
		struct row r = { 0 };
		SET(&r, kind, ROW_IDENTITY);
		SET(&r, id, 1000 + i);
		SET(&r, rev, 1);
		SET(&r, state, IDENTITY_BLOCKED);
		SET(&r, chain, SPAN("c"));
		SET(&r, identity, 1000 + i);
		state_load(core_state(b->core), &r, &(struct maker){ 0 });
	}
	pass(b, DEADLINE_MS + 1);
	for (; b->next_ms <= b->now_ms; turns++)
		turn(b);
	assert_in_range(turns, 1, 10);
	assert_int_equal(stored_state(b, ROW_JOB, job), JOB_LATE);
}

static void
what_has_ended_is_gone_and_its_uuid_is_known_for_a_day(void **state)
{
	struct bench *b = *state;
	uint64_t job = ready_job(b, "u", 1);

	assert_int_equal(step(b, OPER, ROW_JOB, job, JOB_CANCELLED, NULL), CODE_OK);
	assert_int_equal(step(b, TRACE, ROW_JOB, job, JOB_READY, NULL), CODE_GONE);
	assert_int_equal(try_fetch(b, "u", 1), CODE_GONE);
	restart(b);
	assert_int_equal(step(b, TRACE, ROW_JOB, job, JOB_READY, NULL), CODE_GONE);
	assert_int_equal(try_fetch(b, "u", 1), CODE_GONE);
	assert_int_equal(try_fetch(b, "another", 1), CODE_OK);
	assert_int_equal(try_fetch(b, "another", 1), CODE_CONFLICT);	/* it lives */
	pass(b, 25 * 3600 * 1000);
	assert_int_equal(try_fetch(b, "u", 1), CODE_OK);
}

static void
ids_are_never_given_out_twice(void **state)
{
	struct bench *b = *state;
	uint64_t last = 0;

	for (uint64_t i = 1; i <= 4; i++) {
		char uuid[8];
		snprintf(uuid, sizeof uuid, "u%d", (int)i);
		uint64_t id = ready_job(b, uuid, i);
		assert_true(id > last);
		last = id;
		if (i % 2) {
			restart(b);
			continue;
		}
		disk_fail(b->disk, 1);			/* ids of a turn that was not kept are not missed */
		assert_int_equal(try_fetch(b, "lost", i), NO_ANSWER);
		b->seq[FETCH]--;
		pass(b, 250);
	}
}

/* --- rules 4 and 10: commits, terms --- */

static void
while_the_store_takes_nothing_nothing_is_answered_and_then_all_goes_on(void **state)
{
	struct bench *b = *state;
	uint64_t job = ready_job(b, "u", 1);
	struct books_item it = item(b, ROW_JOB, job, JOB_QUEUED, NULL);

	disk_fail(b->disk, 3);
	assert_int_equal(group(b, ALLOC, &it, 1), NO_ANSWER);
	assert_int_equal(b->nmail, 0);
	assert_true(core_in_trouble(b->core));
	assert_int_equal(state_of(b, ROW_JOB, job), JOB_READY);
	assert_int_equal(hello(b, TRACE, 0, 0), 0);
	assert_true(b->next_ms > b->now_ms);
	for (unsigned i = 0; i < 20 && core_in_trouble(b->core); i++)
		pass(b, 100);
	assert_false(core_in_trouble(b->core));
	assert_int_equal(group_as(b, ALLOC, 1, &it, 1), CODE_OK);
	assert_int_equal(hello(b, TRACE, 0, 0), WIRE_WELCOME);
	assert_int_equal(b->epoch[TRACE], 2);
}

static void
money_of_a_turn_that_was_not_kept_is_taken_back(void **state)
{
	struct bench *b = *state;
	uint64_t job = ready_job(b, "u", 1);
	struct row a = attempt(row_of(b, ROW_JOB, job).work, "a", BUDGET);

	disk_fail(b->disk, 1);
	assert_int_equal(buy_for(b, job, &a), NO_ANSWER);
	pass(b, 250);
	b->seq[ALLOC]--;
	assert_int_equal(buy_for(b, job, &a), CODE_OK);
	assert_int_equal(balance(b, "reserved:c"), BUDGET);
}

static void
a_kill_in_the_middle_of_a_commit_loses_all_of_it_or_nothing(void **state)
{
	struct bench *b = *state;
	uint64_t job = ready_job(b, "u", 1);

	for (unsigned kept = 0; kept < 2; kept++) {
		struct books_item it = item(b, ROW_JOB, job, JOB_QUEUED, NULL);
		disk_kill_in_commit(b->disk, kept);
		assert_int_equal(group_as(b, ALLOC, 1, &it, 1), NO_ANSWER);
		restart(b);
		assert_int_equal(state_of(b, ROW_JOB, job), kept ? JOB_QUEUED : JOB_READY);
		if (kept)
			assert_int_equal(group_as(b, ALLOC, 1, &it, 1), CODE_OK);	/* told at last */
	}
}

static void
a_ledger_whose_term_is_over_writes_nothing_more(void **state)
{
	struct bench *b = *state;
	uint64_t job = ready_job(b, "u", 1);
	struct books_item it = item(b, ROW_JOB, job, JOB_QUEUED, NULL);
	struct store *younger = disk_store(b->disk);

	assert_int_equal(store_memory.new_term(younger), b->term + 1);
	assert_int_equal(group(b, ALLOC, &it, 1), NO_ANSWER);
	assert_false(b->active);
	assert_int_equal(stored_state(b, ROW_JOB, job), JOB_READY);
	store_memory.close(&younger);
}

static void
a_ledger_that_hears_of_a_younger_term_stands_by(void **state)
{
	struct bench *b = *state;
	struct buf m = { 0 };

	wire_put_ask(&m, &(struct wire_head){ b->epoch[TRACE], b->term + 1, 0 });
	say_from(b, TRACE, 0, &m);
	turn(b);
	assert_false(b->active);
	buf_free(&m);
}

/* --- custody --- */

static const struct row *
row_in(const struct bench *b, uint64_t kind, uint64_t id)
{
	for (size_t i = 0; i < b->in->nrows; i++)
		if (b->in->rows[i].row.kind == kind && b->in->rows[i].row.id == id)
			return &b->in->rows[i].row;
	return NULL;
}

static void
ask(struct bench *b, unsigned peer)
{
	struct buf m = { 0 };
	struct wire_head h = head(b, peer);

	wire_put_ask(&m, &h);
	b->nmail = 0;
	say_from(b, peer, 0, &m);
	turn(b);
	assert_true(got(b, peer, WIRE_ROWS));
	buf_free(&m);
}

static void
done_names_who_goes_on_and_news_reminds_until_it_moves(void **state)
{
	struct bench *b = *state;

	add_identity(b, 1);
	pass(b, 1000);					/* rows are given away from the second tick of a term on */
	hello_all(b);
	assert_int_equal(try_fetch(b, "u", 1), CODE_OK);
	const struct wire_row *r = &b->in->rows[0];
	assert_true(r->next && span_is(b->in->names[r->next - 1].instance, "trace-build"));
	assert_true(span_is(b->in->names[r->next - 1].inbox, "inbox-of-trace-build"));
	uint64_t job = r->row.id;
	pass(b, RETRY_MS - 1);
	assert_false(got(b, TRACE, WIRE_NEWS) && row_in(b, ROW_JOB, job));
	pass(b, 1);
	assert_true(got(b, TRACE, WIRE_NEWS) && row_in(b, ROW_JOB, job));
	assert_true(span_is(row_in(b, ROW_JOB, job)->task, "t"));	/* joined with its work */
	ask(b, TRACE);
	assert_null(row_in(b, ROW_JOB, job));		/* it has it */
	assert_int_equal(hello(b, TRACE, 0, 0), WIRE_WELCOME);
	ask(b, TRACE);
	assert_non_null(row_in(b, ROW_JOB, job));
}

static void
only_the_last_of_several_messages_of_rows_says_that_these_are_all(void **state)
{
	struct bench *b = *state;
	size_t rows = 0, messages = 0, ends = 0;
	char why[96];

	for (uint64_t i = 1; i <= 150; i++)
		add_identity(b, i);
	pass(b, 1000);
	assert_int_equal(hello(b, FETCH, 0, 0), WIRE_WELCOME);
	ask(b, FETCH);
	for (size_t i = 0; i < b->nmail; i++) {
		assert_true(wire_read(b->in, SPAN_OF(&b->mail[i].bytes), why));
		if (b->in->kind != WIRE_ROWS)
			continue;
		assert_int_equal(ends, 0);
		rows += b->in->nrows;
		ends += !b->in->more;
		messages++;
	}
	assert_int_equal(rows, 150);
	assert_int_equal(ends, 1);
	assert_true(messages >= 3);
}

static void
rows_of_a_silent_instance_go_to_another(void **state)
{
	struct bench *b = *state;
	uint64_t id = place(b, ready_job(b, "u", 1));
	bool news = false;

	pass(b, 1000);
	for (unsigned i = 0; i < 40 && !news; i++) {
		assert_int_equal(hello(b, EXEC_2, b->epoch[EXEC_2], 0), WIRE_WELCOME);
		pass(b, LEASE_MS / 2);
		news = got(b, EXEC_2, WIRE_NEWS) && row_in(b, ROW_ATTEMPT, id);
		assert_false(got(b, EXEC_B, WIRE_NEWS) && row_in(b, ROW_ATTEMPT, id));
	}
	assert_true(news);
}

/* --- rule 7: levels --- */

static size_t
tick(struct bench *b, unsigned peer)
{
	struct buf m = { 0 };
	struct wire_head h = head(b, peer);

	wire_put_tick(&m, &h, UINT64_MAX, &b->tick);
	memset(&b->tick, 0, sizeof b->tick);
	b->nmail = 0;
	say_from(b, peer, 0, &m);
	turn(b);
	buf_free(&m);
	return got(b, FETCH, WIRE_NEWS) ? b->in->news.ngrants : 0;
}

static size_t
tick_room(struct bench *b, uint64_t room)
{
	b->tick.nrooms = 1;
	b->tick.rooms[0] = (struct level){ "c", TYPE_CHUNK, "", room };
	return tick(b, ALLOC);
}

static size_t
tick_slots(struct bench *b, uint64_t slots)
{
	b->tick.slots = pools_one(1 << TYPE_CHUNK, slots);
	snprintf(b->tick.provider, sizeof b->tick.provider, "a");
	return tick(b, EXEC);
}

static size_t
tick_ready(struct bench *b, size_t npolls, size_t nready)
{
	snprintf(b->tick.chain, sizeof b->tick.chain, "c");
	b->tick.types = 1 << TYPE_CHUNK;
	for (b->tick.npolls = 0; b->tick.npolls < npolls; b->tick.npolls++)
		b->tick.polls[b->tick.npolls] = (struct poll){ b->tick.npolls + 1, TYPE_CHUNK };
	for (b->tick.nready = 0; b->tick.nready < nready; b->tick.nready++)
		b->tick.ready[b->tick.nready] = (struct poll){ npolls + b->tick.nready + 1, 0 };
	return tick(b, FETCH);
}

static void
polls_are_granted_only_while_there_is_room_and_a_slot(void **state)
{
	struct bench *b = *state;

	for (uint64_t i = 1; i <= 4; i++)
		add_identity(b, i);
	assert_int_equal(tick_ready(b, 0, 4), 0);		/* nobody states room */
	assert_int_equal(tick_room(b, 3), 0);			/* nobody has slots */
	assert_int_equal(tick_slots(b, 2), 2);
	assert_int_equal(tick_ready(b, 2, 2), 0);		/* both poll now */
	assert_int_equal(tick_slots(b, 9), 1);			/* room for a third */
	assert_int_equal(tick_ready(b, 3, 1), 0);
	pass(b, 2000);						/* levels have expired */
	assert_int_equal(tick_ready(b, 0, 4), 0);
	assert_int_equal(tick_room(b, 1), 0);
	assert_int_equal(tick_slots(b, 9), 1);
	assert_int_equal(try_fetch(b, "u", 1), CODE_OK);
	assert_int_equal(tick_ready(b, 0, 4), 0);		/* the job is in the room now */
	assert_int_equal(hello(b, FETCH, 0, 0), WIRE_WELCOME);
}

static void
allocate_hears_of_capacity(void **state)
{
	struct bench *b = *state;

	tick_room(b, 1);
	tick_slots(b, 4);
	assert_true(got(b, ALLOC, WIRE_NEWS) && b->in->news.has_capacity);
	assert_int_equal(b->in->news.ncapacity, 1);
	assert_true(strcmp(b->in->news.capacity[0].name, "a") == 0 && pools_for(&b->in->news.capacity[0].slots, TYPE_CHUNK) == 4 &&
	    b->in->news.capacity[0].used[TYPE_CHUNK] == 0);
	place(b, ready_job(b, "u", 1));
	assert_true(got(b, ALLOC, WIRE_NEWS));
	assert_int_equal(b->in->news.capacity[0].used[TYPE_CHUNK], 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	T(each_new_process_has_a_new_epoch_and_the_old_one_is_fenced),
	T(the_same_process_keeps_its_epoch_and_its_seq),
	T(over_tcp_the_old_process_must_be_silent_for_a_lease_or_have_said_bye),
	T(a_hello_that_makes_no_sense_is_refused),
	T(a_gap_is_answered_with_the_seq_expected_and_nothing_is_applied),
	T(a_copy_is_answered_from_the_rows_and_changes_nothing),
	T(a_refused_move_uses_up_its_seq_for_ever),
	T(one_message_carries_many_groups_and_each_is_answered),
	T(a_group_is_all_or_nothing),
	cmocka_unit_test(only_the_arrows_of_the_table_are_legal_and_only_for_their_principals),
	T(fields_that_an_arrow_does_not_have_make_it_illegal),
	T(a_blob_that_is_not_there_is_noblob),
	T(placing_relies_on_the_work_as_it_is),
	T(the_budget_holds_what_is_reserved_and_gives_back_what_failed),
	T(no_prices_make_an_account_overflow),
	T(a_row_in_sending_is_its_owners),
	T(an_order_is_a_fact_at_any_rev_and_a_second_one_is_recorded),
	T(a_proof_is_a_fact_too),
	T(a_second_order_that_brings_another_proof_is_recorded),
	T(a_proof_that_comes_after_its_attempt_had_failed_is_used),
	T(the_clock_ends_a_job_among_many_rows),
	T(a_wrong_late_proof_changes_nothing),
	T(another_proof_than_the_bad_one_is_judged),
	T(an_order_that_comes_when_all_is_over_is_recorded_in_the_store),
	T(one_proof_settles_both_jobs_and_is_owed_once),
	T(a_valid_proof_that_came_second_is_an_uncle_until_its_time_is_over),
	T(an_uncle_is_accepted_when_the_coordinator_assigns_the_work_again),
	T(each_post_is_counted_before_it_is_made),
	T(a_proof_that_the_coordinator_refused_is_neither_posted_again_nor_owed),
	T(rows_as_large_as_can_be_fit_in_one_answer),
	T(a_job_whose_proof_came_second_hears_that_ours_was_first),
	T(a_failed_attempt_sends_its_jobs_back_and_says_who_failed),
	T(what_was_not_sent_to_a_silent_provider_goes_elsewhere),
	T(what_no_job_waits_for_is_not_sent),
	T(the_clock_ends_jobs_but_not_those_being_submitted),
	T(what_has_ended_is_gone_and_its_uuid_is_known_for_a_day),
	T(ids_are_never_given_out_twice),
	T(while_the_store_takes_nothing_nothing_is_answered_and_then_all_goes_on),
	T(money_of_a_turn_that_was_not_kept_is_taken_back),
	T(a_kill_in_the_middle_of_a_commit_loses_all_of_it_or_nothing),
	T(a_ledger_whose_term_is_over_writes_nothing_more),
	T(a_ledger_that_hears_of_a_younger_term_stands_by),
	T(only_the_last_of_several_messages_of_rows_says_that_these_are_all),
	T(done_names_who_goes_on_and_news_reminds_until_it_moves),
	T(rows_of_a_silent_instance_go_to_another),
	T(polls_are_granted_only_while_there_is_room_and_a_slot),
	T(allocate_hears_of_capacity),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
