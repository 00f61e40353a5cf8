/* test_door.c - provers over real connections: what they ask and bring, with the test as ledger.
 *
 * uses: cmd/dispatch-coordinator */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/resource.h>

#include "cmd/dispatch-coordinator/door.h"
#include "common/diag.h"
#include "common/hash.h"
#include "common/http.h"
#include "tests/unit/fake_books.h"

enum { HOLD_MS = 400, MAX_BODY = 51 << 20, PATIENCE_MS = 60000, A = 11, B = 12 };

struct fixture {
	struct loop	*loop;
	struct http	*http;
	struct blobs	*blobs;
	struct door	*door;
	struct books	 b;
	char		 dir[64];
	bool		 ledger_rests;		/* it takes, and does not answer yet */
};

static struct fixture f;

static void act(void *x, struct held *h) { court_act(door_court(f.door), h); }
static void lose(void *x, struct held *h) { court_lose(door_court(f.door), h); }
static void reset(void *x) { court_reset(door_court(f.door)); }

static void
answer(void *x, uint64_t token, uint64_t code, const struct row *first)
{
	court_answer(door_court(f.door), token, code, first);
}

static int
begin(void **state)
{
	static const struct desk_version versions[] = { { "*", "darwinV2,darwin" }, { NULL, NULL } };

	f = (struct fixture){ .loop = loop_new(), .b = { .ops = { .act = act, .lose = lose, .answer = answer, .reset = reset },
	    .last = { [ROW_ATTEMPT] = ATTEMPT_PROVING } } };
	snprintf(f.dir, sizeof f.dir, "/tmp/prova-door-XXXXXX");
	assert_non_null(mkdtemp(f.dir));
	f.http = http_new(f.loop, 8);
	f.blobs = blob_open(f.dir);
	f.door = door_new(&(struct door_opts){ .loop = f.loop, .blobs = f.blobs, .listen = "127.0.0.1:0", .max_body = MAX_BODY,
	    .max_connections = 100, .desk = { .secret = SPAN("s"), .challenge_life_s = 60, .login_life_s = 3600,
	    .own_version = "v4.4.70-0-0-0", .versions = versions, .kind = true },
	    .court = { .books = &f.b, .secret = SPAN("s"), .provider = "farm", .types = 1U << TYPE_CHUNK | 1U << TYPE_BATCH,
	    .hold_ms = HOLD_MS, .take_ms = 3600000, .prove_ms = 3600000 } });
	assert_non_null(f.door);
	return 0;
}

static int
end(void **state)
{
	char *rm = xprintf("rm -rf %s", f.dir);

	fake_end(&f.b);
	http_free(&f.http);
	door_free(&f.door);
	blob_close(&f.blobs);
	loop_free(&f.loop);
	assert_int_equal(system(rm), 0);
	free(rm);
	return 0;
}

/* ---- time ---- */

static void
turn(void)
{
	loop_turn(f.loop, 10);
	if (!f.ledger_rests)
		fake_turn(&f.b);
	fake_due(&f.b);
}

#define UNTIL(what) do { \
	for (uint64_t end_ = clock_ms() + PATIENCE_MS; !(what); turn()) \
		assert_true(clock_ms() < end_); \
	} while (0)

/* ---- requests ---- */

struct call {
	struct http_call	*http;
	bool			 done;
	long			 status;
	unsigned		 retry_after_s;
	struct buf		 body;
	struct coord_answer	 answer;
	struct coord_task	 task;
};

static void
on_done(void *arg, struct http_answer *a)
{
	struct call *c = arg;

	assert_int_equal(a->fail, HTTP_OK);
	c->done = true;
	c->http = NULL;
	c->status = a->status;
	c->retry_after_s = a->retry_after_s;
	c->body = a->body;
	a->body = (struct buf){ 0 };
}

static struct call *
start(struct coord_request *r)
{
	struct call *c = xzalloc(sizeof *c);
	char *url = xprintf("http://127.0.0.1:%u%s", door_port(f.door), r->path);

	c->http = http_start(f.http, &(struct http_req){ .method = r->method, .url = url, .headers = r->headers,
	    .body = SPAN_OF(&r->body), .timeout_ms = PATIENCE_MS, .fresh = true }, on_done, c);
	coord_request_free(r);
	free(url);
	return c;
}

static void
finish(struct call *c)
{
	buf_free(&c->body);
	coord_task_free(&c->task);
	free(c);
}

static struct call *
wait_for(struct call *c)
{
	UNTIL(c->done);
	return c;
}

/* ---- provers ---- */

struct prover {
	struct ecsig_key	 key;
	struct coord_token	 token;
	struct buf		 uuid;
};

static void
take_token(struct prover *p, struct call *c)
{
	coord_token_free(&p->token);
	wait_for(c);
	assert_int_equal(coord_read_token(c->status, SPAN_OF(&c->body), &c->answer, &p->token), COORD_DONE);
	finish(c);
}

static struct prover
log_in(uint32_t index)
{
	static const uint8_t seed[32] = { 9 };
	struct prover p = { .uuid = { 0 } };
	struct coord_request r;
	struct coord_login l = { .has_provider = true, .provider = 1 };

	coord_identity(seed, index, &p.key);
	coord_ask_challenge(&r);
	take_token(&p, start(&r));
	buf_put(&l.challenge, p.token.text.p, p.token.text.n);
	buf_puts(&l.version, "v4.4.45-a-b-c");
	buf_printf(&l.name, "prover_%u", index);
	coord_login_sign(&l, &p.key);
	coord_ask_login(&r, &l);
	take_token(&p, start(&r));
	coord_login_free(&l);
	return p;
}

static void
log_out(struct prover *p)
{
	coord_token_free(&p->token);
	buf_free(&p->uuid);
}

static struct call *
ask(struct prover *p, int64_t type)
{
	struct coord_request r;

	coord_ask_task(&r, SPAN_OF(&p->token.text), &(struct coord_want){ .types = { type }, .ntypes = 1 });
	return start(&r);
}

static enum coord_outcome
heard(struct call *c)
{
	wait_for(c);
	coord_task_free(&c->task);
	return coord_read_task(c->status, SPAN_OF(&c->body), &c->answer, &c->task);
}

static void
is_idle(struct call *c)
{
	assert_int_equal(heard(c), COORD_IDLE);
	assert_int_equal(c->answer.errcode, COORD_E_EMPTY);
	finish(c);
}

/* It was given this attempt; it remembers the uuid. */
static void
is_given(struct prover *p, struct call *c, const char *task, const char *data)
{
	assert_int_equal(heard(c), COORD_DONE);
	assert_true(span_is(SPAN_OF(&c->task.task_id), task));
	assert_true(span_is(SPAN_OF(&c->task.data), data));
	assert_true(span_is(SPAN_OF(&c->task.fork), "darwinV2"));
	buf_reset(&p->uuid);
	buf_put(&p->uuid, c->task.uuid.p, c->task.uuid.n);
	finish(c);
}

static struct call *
bring(struct prover *p, struct span proof, int64_t status, const char *why)
{
	struct coord_request r;
	struct coord_proof post = { .type = TYPE_CHUNK, .status = status };

	buf_put(&post.uuid, p->uuid.p, p->uuid.n);
	buf_puts(&post.task_id, "0xaa");
	buf_put(&post.proof, proof.p, proof.n);
	buf_puts(&post.failure_msg, why);
	coord_ask_submit(&r, SPAN_OF(&p->token.text), &post);
	coord_proof_free(&post);
	return start(&r);
}

static void
is_taken(struct call *c)
{
	wait_for(c);
	assert_int_equal(coord_read_submit(c->status, SPAN_OF(&c->body), &c->answer), COORD_V_ACCEPTED);
	assert_string_equal(buf_cstr(&c->body), "{\"errcode\":0,\"errmsg\":\"\",\"data\":null}");
	finish(c);
}

/* Come again: nothing that a prover would take for a verdict. */
static void
is_put_off(struct call *c)
{
	wait_for(c);
	assert_int_equal(c->status, 503);
	assert_in_range(c->retry_after_s, 1, 10);
	assert_int_equal(c->body.n, 0);
	finish(c);
}

static void
is_refused(struct call *c, const char *text)
{
	char *all = xprintf("handle zk proof failure, err:%s", text);

	wait_for(c);
	coord_read_submit(c->status, SPAN_OF(&c->body), &c->answer);
	assert_int_equal(c->status, 200);
	assert_int_equal(c->answer.errcode, COORD_E_PROOF);
	assert_string_equal(c->answer.errmsg, all);
	free(all);
	finish(c);
}

/* ---- attempts ---- */

static struct row
make_row(uint64_t id, const char *task)
{
	struct row r = { 0 };

	SET(&r, kind, ROW_ATTEMPT);
	SET(&r, id, id);
	SET(&r, work, id);
	SET(&r, rev, 1);
	SET(&r, state, ATTEMPT_ALLOCATED);
	SET(&r, type, TYPE_CHUNK);
	SET(&r, task, span_str(task));
	SET(&r, fork, SPAN("darwinV2"));
	return r;
}

static void
offer(uint64_t id, const char *task)
{
	struct row r = make_row(id, task);

	SET(&r, body, SPAN("{\"block_hashes\":[\"0x1\"]}"));
	fake_row(&f.b, &r, false);
}

#define DATA "{\"block_hashes\":[\"0x1\"]}"

static const struct row *
row_of(uint64_t id)
{
	return fake_find(&f.b, ROW_ATTEMPT, id)->row;
}

static bool
waits(const char *note)
{
	struct tick t;

	memset(&t, 0, sizeof t);
	court_levels(door_court(f.door), &t);
	return strcmp(t.note, note) == 0;
}

/* A prover that has the attempt A. */
static struct prover
begin_proving(void)
{
	struct prover p = log_in(0);

	offer(A, "0xaa");
	is_given(&p, ask(&p, TYPE_CHUNK), "0xaa", DATA);
	return p;
}

static struct span
make_proof(struct buf *b, size_t n)
{
	memset(buf_room(b, n), 'p', n);
	b->n = n;
	return SPAN_OF(b);
}

/* ---- asking ---- */

static void
a_prover_is_held_and_then_given_its_task(void **state)
{
	struct prover p = log_in(0);
	struct call *c = ask(&p, TYPE_CHUNK);

	UNTIL(waits("1 provers wait, 0 prove"));
	assert_false(c->done);
	offer(A, "0xaa");
	is_given(&p, c, "0xaa", DATA);
	assert_int_equal(row_of(A)->state, ATTEMPT_PROVING);
	log_out(&p);
}

static void
who_was_held_in_vain_hears_that_there_is_none(void **state)
{
	struct prover p = log_in(0);
	uint64_t since = clock_ms();

	is_idle(ask(&p, TYPE_CHUNK));
	assert_true(clock_ms() >= since + HOLD_MS);
	offer(A, "0xaa");
	is_idle(ask(&p, TYPE_BATCH));
	is_given(&p, ask(&p, TYPE_CHUNK), "0xaa", DATA);
	log_out(&p);
}

static void
the_same_task_and_uuid_again(void **state)
{
	struct prover p = begin_proving();
	char uuid[40];

	assert_true(span_cstr(SPAN_OF(&p.uuid), uuid, sizeof uuid));
	is_given(&p, ask(&p, TYPE_CHUNK), "0xaa", DATA);
	assert_string_equal(uuid, buf_cstr(&p.uuid));
	struct call *c = ask(&p, TYPE_BATCH);
	assert_int_equal(heard(c), COORD_ALREADY);
	finish(c);
	log_out(&p);
}

static void
of_two_connections_of_one_prover_the_later_one_is_held(void **state)
{
	struct prover p = log_in(0);
	struct call *first = ask(&p, TYPE_CHUNK), *second;

	UNTIL(waits("1 provers wait, 0 prove"));
	second = ask(&p, TYPE_CHUNK);
	is_idle(first);
	offer(A, "0xaa");
	is_given(&p, second, "0xaa", DATA);
	log_out(&p);
}

static void
a_prover_that_hung_up_is_given_nothing(void **state)
{
	struct prover p = log_in(0), q = log_in(1);
	struct call *c = ask(&p, TYPE_CHUNK), *d;

	UNTIL(waits("1 provers wait, 0 prove"));
	http_cancel(&c->http);
	UNTIL(waits("no prover asks for work"));
	finish(c);
	offer(A, "0xaa");
	assert_int_equal(f.b.asked, 0);
	d = ask(&q, TYPE_CHUNK);
	is_given(&q, d, "0xaa", DATA);
	log_out(&p);
	log_out(&q);
}

/* A name of n characters, each of which takes six in its token. */
static bool
logs_in_as_long(struct prover *p, size_t n)
{
	struct coord_request r;
	struct coord_login l = { .has_provider = true, .provider = 1 };

	coord_ask_challenge(&r);
	take_token(p, start(&r));
	buf_put(&l.challenge, p->token.text.p, p->token.text.n);
	buf_puts(&l.version, "v4.4.45-a-b-c");
	memset(buf_room(&l.name, n), '<', n);
	l.name.n = n;
	coord_login_sign(&l, &p->key);
	coord_ask_login(&r, &l);
	coord_token_free(&p->token);
	struct call *c = wait_for(start(&r));
	assert_int_equal(c->status, 200);
	bool in = coord_read_token(c->status, SPAN_OF(&c->body), &c->answer, &p->token) == COORD_DONE;
	if (!in)
		assert_string_equal(c->answer.errmsg, "check the login parameter failure: prover name or version is too long");
	coord_login_free(&l);
	finish(c);
	return in;
}

static void
each_token_that_is_given_can_be_used(void **state)
{
	struct prover p = log_in(0);
	size_t n = 1400;

	while (n < 3000 && logs_in_as_long(&p, n))
		n += 10;
	assert_true(logs_in_as_long(&p, n - 10));
	is_idle(ask(&p, TYPE_CHUNK));
	assert_in_range(p.token.text.n, 12000, DESK_TOKEN_BYTES);
	log_out(&p);
}

static void
a_large_task_comes_from_the_blobs(void **state)
{
	struct prover p = log_in(0), q = log_in(1);
	struct row r = make_row(A, "0xaa"), lost = make_row(B, "0xbb");
	struct buf data = { 0 };
	uint8_t hash[HASH_BYTES] = { 1 };

	ROW_HASH(&lost, body_blob, hash);
	make_proof(&data, 300000);
	assert_int_equal(blob_put(f.blobs, SPAN_OF(&data), true, hash), 0);
	ROW_HASH(&r, body_blob, hash);
	fake_row(&f.b, &r, false);
	is_given(&p, ask(&p, TYPE_CHUNK), "0xaa", buf_cstr(&data));
	fake_row(&f.b, &lost, false);
	is_put_off(ask(&q, TYPE_CHUNK));
	buf_free(&data);
	log_out(&p);
	log_out(&q);
}

/* ---- bringing ---- */

static void
a_small_proof_travels_in_the_row(void **state)
{
	struct prover p = begin_proving();
	uint64_t bytes;

	is_taken(bring(&p, SPAN("{\"a\": \"\\u00e9\\n\"}"), 0, ""));
	assert_int_equal(row_of(A)->state, ATTEMPT_PROVED);
	assert_true(span_is(row_of(A)->proof, "{\"a\": \"\\u00e9\\n\"}"));
	assert_int_equal(row_of(A)->proof_bytes, row_of(A)->proof.n);
	assert_false(blob_have(f.blobs, row_of(A)->proof_blob, &bytes));
	is_taken(bring(&p, SPAN("{}"), 0, ""));		/* twice */
	log_out(&p);
}

static void
a_large_proof_is_on_the_disk_before_the_ledger_hears_of_it(void **state)
{
	struct prover p = begin_proving();
	struct buf proof = { 0 };
	uint8_t hash[HASH_BYTES];
	uint64_t bytes = 0;

	make_proof(&proof, INLINE_BYTES + 1);
	sha256_of(SPAN_OF(&proof), hash);
	f.ledger_rests = true;
	struct call *c = bring(&p, SPAN_OF(&proof), 0, "");
	UNTIL(f.b.facts == 1);
	assert_true(blob_have(f.blobs, hash, &bytes) && bytes == proof.n);
	for (unsigned i = 0; i < 5; i++)
		turn();
	assert_false(c->done);
	f.ledger_rests = false;
	is_taken(c);
	assert_false(HAS(row_of(A), proof));
	assert_memory_equal(row_of(A)->proof_blob, hash, HASH_BYTES);
	assert_int_equal(row_of(A)->proof_bytes, proof.n);
	buf_free(&proof);
	log_out(&p);
}

static void
a_huge_proof_is_taken_and_what_passes_the_limit_is_not(void **state)
{
	struct prover p = begin_proving();
	struct buf proof = { 0 };
	uint8_t hash[HASH_BYTES];
	uint64_t bytes = 0;

	make_proof(&proof, 52 << 20);
	struct call *c = wait_for(bring(&p, SPAN_OF(&proof), 0, ""));
	assert_int_equal(c->status, 413);
	finish(c);
	assert_int_equal(f.b.facts, 0);
	proof.n = 50 << 20;
	sha256_of(SPAN_OF(&proof), hash);
	is_taken(bring(&p, SPAN_OF(&proof), 0, ""));
	assert_true(blob_have(f.blobs, hash, &bytes) && bytes == proof.n);
	buf_free(&proof);
	log_out(&p);
}

static void
a_failure_report_ends_the_attempt_with_its_words(void **state)
{
	struct prover p = begin_proving();
	char why[601];

	memset(why, 'w', sizeof why - 1);
	why[600] = '\0';
	is_taken(bring(&p, SPAN(""), 1, why));
	assert_int_equal(row_of(A)->state, ATTEMPT_FAILED);
	assert_int_equal(row_of(A)->code, CODE_PROVER_FAILED);
	assert_int_equal(row_of(A)->detail.n, 500);
	is_taken(bring(&p, SPAN(""), 1, "again"));
	log_out(&p);
}

static void
while_the_ledger_is_away_provers_are_put_off(void **state)
{
	struct prover p = begin_proving(), q = log_in(1);

	f.b.away = true;
	is_put_off(bring(&p, SPAN("{}"), 0, ""));
	is_put_off(bring(&p, SPAN(""), 1, "cannot"));
	is_idle(ask(&q, TYPE_CHUNK));
	f.b.away = false;
	is_taken(bring(&p, SPAN("{}"), 0, ""));
	log_out(&p);
	log_out(&q);
}

/* No file may grow: as on a full disk. */
static void
fill_disk(bool full)
{
	static struct rlimit before;
	struct rlimit none;

	if (full) {
		assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
		none = (struct rlimit){ 0, before.rlim_max };
		signal(SIGXFSZ, SIG_IGN);
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, full ? &none : &before), 0);
}

static void
what_cannot_be_stored_is_put_off(void **state)
{
	struct prover p = begin_proving();
	struct buf proof = { 0 };

	make_proof(&proof, 100000);
	fill_disk(true);
	struct call *c = wait_for(bring(&p, SPAN_OF(&proof), 0, ""));
	fill_disk(false);
	is_put_off(c);
	assert_int_equal(f.b.facts, 0);
	is_taken(bring(&p, SPAN_OF(&proof), 0, ""));
	buf_free(&proof);
	log_out(&p);
}

static void
what_is_for_nothing_is_refused(void **state)
{
	struct prover p = begin_proving(), q = log_in(1);

	is_refused(bring(&p, SPAN(""), 0, ""), "unexpected end of JSON input");
	buf_put(&q.uuid, p.uuid.p, p.uuid.n);
	is_refused(bring(&q, SPAN("{}"), 0, ""), COORD_NO_SUCH_TASK);	/* another's */
	is_refused(bring(&q, SPAN(""), 1, "x"), COORD_NO_SUCH_TASK);
	buf_reset(&q.uuid);
	buf_puts(&q.uuid, "6f0c0000-0000-4000-8000-000000000000");
	is_refused(bring(&q, SPAN("{}"), 0, ""), COORD_NO_SUCH_TASK);
	assert_int_equal(f.b.facts, 0);
	fake_let_all_go(&f.b);
	fake_find(&f.b, ROW_ATTEMPT, A)->row->id = B;			/* the ledger has lost it */
	is_refused(bring(&p, SPAN("{}"), 0, ""), COORD_NO_SUCH_TASK);
	log_out(&p);
	log_out(&q);
}

static void
a_bad_token_is_told_to_log_in_again(void **state)
{
	struct prover p = begin_proving();

	p.token.text.p[p.token.text.n / 2] ^= 1;
	struct call *c = ask(&p, TYPE_CHUNK);
	assert_int_equal(heard(c), COORD_TOKEN);
	finish(c);
	c = wait_for(bring(&p, SPAN("{}"), 0, ""));
	assert_int_equal(coord_read_submit(c->status, SPAN_OF(&c->body), &c->answer), COORD_V_TOKEN);
	finish(c);
	assert_int_equal(f.b.facts, 0);
	log_out(&p);
}

static void
requests_under_way_end_with_the_door(void **state)
{
	struct prover p = begin_proving(), q = log_in(1);
	struct call *held = ask(&q, TYPE_CHUNK), *told;

	f.ledger_rests = true;
	UNTIL(waits("1 provers wait, 1 prove"));
	told = bring(&p, SPAN("{}"), 0, "");
	UNTIL(f.b.facts == 1);
	http_cancel(&held->http);
	http_cancel(&told->http);
	finish(held);
	finish(told);
	log_out(&p);
	log_out(&q);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_prover_is_held_and_then_given_its_task), T(who_was_held_in_vain_hears_that_there_is_none),
		T(the_same_task_and_uuid_again), T(of_two_connections_of_one_prover_the_later_one_is_held),
		T(a_prover_that_hung_up_is_given_nothing),
		T(each_token_that_is_given_can_be_used), T(a_large_task_comes_from_the_blobs),
		T(a_small_proof_travels_in_the_row), T(a_large_proof_is_on_the_disk_before_the_ledger_hears_of_it),
		T(a_huge_proof_is_taken_and_what_passes_the_limit_is_not), T(a_failure_report_ends_the_attempt_with_its_words),
		T(while_the_ledger_is_away_provers_are_put_off), T(what_cannot_be_stored_is_put_off),
		T(what_is_for_nothing_is_refused), T(a_bad_token_is_told_to_log_in_again),
		T(requests_under_way_end_with_the_door),
	};

	diag_threshold(DIAG_ERROR + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
