/* wire_client.c - the prover's side of the protocol, generation (b): what our requests are, and what is made of each
 * answer, a test per row of the tables that describe it.
 * uses: cmd/task-fetch cmd/submit
 *
 * get_task goes out by task-fetch's client, proofs by submit's posts, both over HTTP and with their identities; what a
 * post's answer makes of the job is settle's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>

#include "cmd/submit/post.h"
#include "cmd/submit/settle.h"
#include "cmd/task-fetch/client.h"
#include "tests/unit/fake_books.h"
#include "tests/unit/fake_coordinator.h"

#define VERSION "v4.4.45-37af5ef5-38a68e2-1c5093c"
#define FAILED	"handle zk proof failure, err:"
#define CHECK	"return prover task err:check prover task parameter failed, error:"

struct row_test {
	const char	*name;
	void		(*test)(const struct row_test *);
	/* the answer: so many of them, to this call */
	enum coord_call	 call;
	unsigned	 times;			/* 0: one */
	unsigned	 status;		/* 0: 200 */
	int		 errcode;		/* -1: text is the whole body */
	const char	*text;
	/* what is made of it */
	int		 outcome;		/* enum fetch_outcome, or settle_post */
	uint64_t	 code;
	unsigned	 logins;		/* how many there were in all */
	uint64_t	 state;			/* of the job after a post */
};

static struct loop *loop;
static struct http *http;
static struct blobs *blobs;
static struct settings *settings;
static struct fake_coordinator coordinator;
static struct identities *ids;
static struct client *client;
static struct posts *posts;
static char dir[32];
static struct buf said;

static unsigned answers;
static int outcome;
static uint64_t code;

static void
on_task(void *arg, uint64_t identity, const struct fetch_result *r)
{
	answers++;
	outcome = (int)r->outcome;
	code = r->code;
}

static void
on_posted(void *arg, uint64_t job, enum settle_post how, uint64_t c, struct span detail)
{
	answers++;
	outcome = (int)how;
	code = c;
}

static void
set(const char *name, const char *value)
{
	char why[512], *text = xprintf("%s=%s", name, value);

	if (settings_override(settings, NULL, text, why, sizeof why) != 0)
		fail_msg("%s", why);
	free(text);
}

static void
open_client(const char *signature)
{
	static const uint8_t seed[32] = { 7 };
	struct identity_opts o = { .loop = loop, .http = http, .seed = seed };

	set("coordinator:up.signature", signature);
	identity_settings(&o, settings, "coordinator", "up");
	o.backoff_ms = 10;
	o.backoff_max_ms = 20;
	ids = identities_new(&o);
	client = client_new(&(struct client_opts){ .loop = loop, .http = http, .blobs = blobs, .identities = ids,
	    .l2_urls = "", .timeout_ms = 5000, .l2_timeout_ms = 5000, .retry_ms = 20, .answer = on_task });
}

static void
open_posts(void)
{
	char path[64], why[256];
	uint8_t seed[32];

	snprintf(path, sizeof path, "%s/task-fetch/seed", dir);
	assert_int_equal(identity_seed(path, true, seed, why), 0);
	posts = posts_new(&(struct posts_opts){ .loop = loop, .blobs = blobs, .settings = settings, .done = on_posted });
	assert_int_equal(posts_open(posts, "main", why), 0);
}

static int
begin(void **state)
{
	char why[512];

	snprintf(dir, sizeof dir, "/tmp/prova-wire-XXXXXX");
	assert_non_null(mkdtemp(dir));
	loop = loop_new();
	http = http_new(loop, 8);
	blobs = blob_open(dir);
	fake_coordinator_start(&coordinator, loop);
	settings = settings_read(NULL, why, sizeof why);
	set("prova.state_dir", dir);
	set("chain:main.coordinator", "up");
	set("coordinator:up.url", coordinator.url);
	set("coordinator:up.version", VERSION);
	set("coordinator:up.timeout", "5s");
	answers = 0;
	return 0;
}

static int
end(void **state)
{
	char *rm = xprintf("rm -rf %s", dir);

	client_free(&client);
	posts_free(&posts);
	identities_free(&ids);
	http_free(&http);
	fake_coordinator_stop(&coordinator);
	blob_close(&blobs);
	settings_free(&settings);
	loop_free(&loop);
	buf_free(&said);
	assert_int_equal(system(rm), 0);
	free(rm);
	return 0;
}

/* --- a call, and its end ------------------------------------------------------------------ */

static void
wait_for_answer(void)
{
	for (uint64_t stop = clock_ms() + 20000; !answers; ) {
		assert_true(clock_ms() < stop);
		loop_turn(loop, 20);
	}
}

static void
prepare_answer(const struct row_test *t)
{
	buf_reset(&said);
	if (t->errcode < 0)
		buf_puts(&said, t->text);
	else {
		buf_printf(&said, "{\"errcode\":%d,\"errmsg\":", t->errcode);
		coord_put_text(&said, span_str(t->text));
		buf_puts(&said, ",\"data\":null}");
	}
	coordinator.say.times = t->times ? t->times : 1;
	coordinator.say.call = t->call;
	coordinator.say.status = t->status ? t->status : 200;
	coordinator.say.type = "application/json; charset=utf-8";
	coordinator.say.body = SPAN_OF(&said);
}

static void
ask_for_task(void)
{
	answers = 0;
	client_poll(client, 0, TYPE_CHUNK);
	wait_for_answer();
}

static struct row
job(uint64_t sent)
{
	struct row row = { 0 };

	SET(&row, kind, ROW_JOB);
	SET(&row, id, 7);
	SET(&row, rev, 3);
	SET(&row, state, JOB_SUBMITTING);
	SET(&row, chain, SPAN("main"));
	SET(&row, identity, 1);
	SET(&row, type, TYPE_CHUNK);
	SET(&row, uuid, SPAN("u-1"));
	SET(&row, task, SPAN("0x1111"));
	SET(&row, kept, 50);
	SET(&row, posts, sent);
	SET(&row, proof, SPAN("{\"proof\":\"AAAA\"}"));
	return row;
}

static void
post_proof(void)
{
	struct row row = job(1);

	answers = 0;
	posts_post(posts, &row);
	wait_for_answer();
}

/* --- what settle makes of a post ------------------------------------------------------------- */

static struct books books;
static struct settle *settle;
static void act(void *s, struct held *h) { settle_act(s, h); }
static void lose(void *s, struct held *h) { settle_lose(s, h); }
static void told(void *s, uint64_t t, uint64_t c, const struct row *r) { settle_told(s, t, c, r); }
static void on_post(void *arg, const struct row *j) { }

/* The state of a job after this outcome of its n-th post. */
static uint64_t
state_after(enum settle_post how, uint64_t sent)
{
	static const struct settle_ops ops = { .post = on_post };
	struct row placed = job(0), row;

	settle = settle_new(&(struct settle_opts){ .backoff_ms = 500, .backoff_max_ms = 30000, .ops = &ops });
	books = (struct books){ .core = settle, .ops = { .act = act, .lose = lose, .answer = told },
		.last = { [ROW_ATTEMPT] = ATTEMPT_PROVED, [ROW_JOB] = JOB_SUBMITTING } };
	clock_freeze(START_MS);
	settle_bind(settle, &books);
	SET(&placed, state, JOB_PLACED);
	fake_row(&books, &placed, false);
	fake_done(&books, CODE_OK);		/* the first post goes out */
	for (uint64_t i = 1; i < sent; i++) {	/* and is not answered */
		settle_posted(settle, 7, POST_UNANSWERED, CODE_POST_FAILED, SPAN(""));
		fake_done(&books, CODE_OK);
		fake_pass(&books, 60000);
	}
	settle_posted(settle, 7, how, CODE_POST_FAILED, SPAN(""));
	row = *fake_find(&books, ROW_JOB, 7)->row;
	uint64_t to = books.nmoves ? books.moves[0].item.to : row.state;
	clock_freeze(0);
	fake_end(&books);
	settle_free(&settle);
	return to;
}

/* --- tests that a table can describe ---------------------------------------------------------- */

static void
check(const struct row_test *t, unsigned logins)
{
	if (outcome != t->outcome || (code != t->code && outcome != FETCH_EMPTY))
		fail_msg("outcome %d, code %s; not %d, %s", outcome, code_word(code), t->outcome, code_word(t->code));
	assert_int_equal(coordinator.logins, t->logins ? t->logins : logins);
}

/* get_task gets this answer; or challenge or login do, that go before it. */
static void
task_answer(const struct row_test *t)
{
	open_client("5");
	prepare_answer(t);
	ask_for_task();
	check(t, 1);
}

static void
post_answer(const struct row_test *t)
{
	open_posts();
	prepare_answer(t);
	post_proof();
	check(t, 1);
	uint64_t to = state_after((enum settle_post)outcome, 1);
	if (to != t->state)
		fail_msg("the job is %s, not %s", row_state_name(ROW_JOB, to), row_state_name(ROW_JOB, t->state));
}

/* The same, and the job was posted before without an answer. */
static void
post_answer_again(const struct row_test *t)
{
	open_posts();
	prepare_answer(t);
	post_proof();
	check(t, 1);
	assert_int_equal(state_after((enum settle_post)outcome, 2), t->state);
}

/* What this side cannot meet: text says why. */
static void
not_met(const struct row_test *t)
{
	print_message("%s: %s\n", t->name, t->text);
	skip();
}

/* --- tests of their own -------------------------------------------------------------------------- */

/* The token that was refused is renewed, and the call made again: it ends well. */
static void
renewed(const struct row_test *t)
{
	struct row_test post = *t;

	open_client("5");
	prepare_answer(t);
	ask_for_task();
	assert_int_equal(outcome, FETCH_TASK);
	assert_int_equal(coordinator.logins, 2);
	assert_int_equal(coordinator.tasks, 2);
	open_posts();
	post.call = COORD_SUBMIT;
	prepare_answer(&post);
	post_proof();
	assert_int_equal(outcome, POST_TAKEN);
	assert_int_equal(coordinator.submits, 2);
}

/* The next attempt signs in with a new challenge. */
static void
another_challenge(const struct row_test *t)
{
	open_client("5");
	prepare_answer(t);
	ask_for_task();
	check(t, 1);
	for (uint64_t stop = clock_ms() + 20000; outcome != FETCH_TASK; loop_turn(loop, 10)) {
		assert_true(clock_ms() < stop);
		ask_for_task();
	}
	assert_in_range(coordinator.challenges, 2, 3);
	assert_int_equal(coordinator.logins, 2);
}

/* Nothing required is missing or zero in what we send. */
static void
required_is_there(const struct row_test *t)
{
	struct coord_login l = { 0 };
	struct coord_proof p = { 0 };
	struct coord_want w = { 0 };
	struct buf why = { 0 };

	open_client("5");
	ask_for_task();
	assert_int_equal(outcome, FETCH_TASK);
	open_posts();
	post_proof();
	assert_true(coord_take_login("application/json", SPAN_OF(&coordinator.heard[COORD_LOGIN]), &l, &why));
	assert_true(l.public_key.n == 66 && l.signature.n == 132);
	assert_true(coord_take_want("application/json", SPAN_OF(&coordinator.heard[COORD_GET_TASK]), &w, &why));
	assert_int_equal(w.ntypes, 1);
	assert_true(coord_take_proof("application/json", SPAN_OF(&coordinator.heard[COORD_SUBMIT]), &p, &why));
	assert_true(p.uuid.n && p.status == 0);
	coord_login_free(&l);
	coord_want_free(&w);
	coord_proof_free(&p);
	buf_free(&why);
}

/* text: how many fields are signed. */
static void
login_form(const struct row_test *t)
{
	struct coord_login l = { 0 };
	struct buf why = { 0 };
	bool six = *t->text == '6';

	open_client(t->text);
	ask_for_task();
	struct span body = SPAN_OF(&coordinator.heard[COORD_LOGIN]);
	assert_int_equal(memmem(body.p, body.n, "\"prover_provider_type\":", 23) != NULL, six);
	assert_true(coord_take_login("application/json", body, &l, &why));
	assert_int_equal(l.has_provider, six);
	assert_int_equal(coord_login_verify(&l), COORD_SIG_OK);
	assert_string_equal(buf_cstr(&l.version), VERSION);
	assert_int_equal(memchr(l.name.p, 0, l.name.n) == NULL, true);
	coord_login_free(&l);
	buf_free(&why);
}

/* A chunk has a height, as the L2 node says; without a node it is null. */
static void
height_is_asked(const struct row_test *t)
{
	open_client("5");
	ask_for_task();
	assert_false(coordinator.height_seen);
	client_free(&client);
	char *l2 = xprintf("%s/l2", coordinator.url);
	client = client_new(&(struct client_opts){ .loop = loop, .http = http, .blobs = blobs, .identities = ids,
	    .l2_urls = l2, .timeout_ms = 5000, .l2_timeout_ms = 5000, .retry_ms = 20, .answer = on_task });
	ask_for_task();
	assert_true(coordinator.height_seen);
	assert_int_equal(coordinator.height, 0x2a);
	free(l2);
}

static void
given(const struct row_test *t)
{
	open_client("5");
	ask_for_task();
	assert_int_equal(outcome, FETCH_TASK);
	coordinator.how = HOW_LARGE_TASK;
	ask_for_task();
	assert_int_equal(outcome, FETCH_TASK);
	open_posts();
	post_proof();
	assert_int_equal(outcome, POST_TAKEN);
	assert_int_equal(state_after(POST_TAKEN, 1), JOB_SUBMITTED);
}

/* --- the rows ------------------------------------------------------------------------------------- */

#define TASK(row, said, ...)	{ .name = row, .test = task_answer, .call = COORD_GET_TASK, .text = said, __VA_ARGS__ }
#define POST(row, said, ...)	{ .name = row, .test = post_answer, .call = COORD_SUBMIT, .text = said, __VA_ARGS__ }
#define LOGIN(row, said)	{ .name = row, .test = task_answer, .call = COORD_LOGIN, .errcode = COORD_E_JWT, .text = said, \
				  .outcome = FETCH_NOT_SENT, .code = CODE_LOGIN_REFUSED }
#define STAYS JOB_SUBMITTING

static const struct row_test rows[] = {
	{ .name = "1.3 200", .test = given },
	TASK("1.3 404", "404 page not found", .status = 404, .errcode = -1, .outcome = FETCH_UNANSWERED, .code = CODE_COORD_BAD),
	POST("1.3 404, a proof", "404 page not found", .status = 404, .errcode = -1, .outcome = POST_UNANSWERED, .code = CODE_COORD_BAD, .state = STAYS),
	TASK("1.3 301, 307", "", .status = 307, .errcode = -1, .outcome = FETCH_UNANSWERED, .code = CODE_COORD_BAD),
	TASK("1.3 500 panic", "", .status = 500, .errcode = -1, .outcome = FETCH_UNANSWERED, .code = CODE_COORD_AWAY),
	POST("1.3 500 panic, a proof", "", .status = 500, .errcode = -1, .outcome = POST_UNANSWERED, .code = CODE_COORD_AWAY, .state = STAYS),
	TASK("1.3 500 /health", "away", .status = 500, .errcode = 500, .outcome = FETCH_UNANSWERED, .code = CODE_COORD_AWAY),
	TASK("1.3 401 of a proxy", "get empty prover task", .status = 401, .errcode = COORD_E_EMPTY, .outcome = FETCH_EMPTY),
	TASK("1.3 no JSON", "<html>", .errcode = -1, .outcome = FETCH_UNANSWERED, .code = CODE_COORD_BAD),
	TASK("1.3 half a JSON", "{\"errcode\":0,\"errmsg\":\"\",\"data\":{", .errcode = -1, .outcome = FETCH_UNANSWERED, .code = CODE_COORD_BAD),

	{ .name = "1.4 0", .test = given },
	TASK("1.4 0 without a task", "", .errcode = 0, .outcome = FETCH_UNANSWERED, .code = CODE_TASK_BAD),
	TASK("1.4 500", "session", .errcode = 500, .outcome = FETCH_REFUSED, .code = CODE_GET_TASK_FAILED),
	POST("1.4 500, a proof", "session", .errcode = 500, .outcome = POST_LATER, .code = CODE_POST_FAILED, .state = STAYS),
	TASK("1.4 10001", "no stats", .errcode = 10001, .outcome = FETCH_REFUSED, .code = CODE_GET_TASK_FAILED),
	TASK("1.4 20001 get_task: binder", "prover task parameter invalid, err:EOF", .errcode = COORD_E_PARAMETER,
	    .outcome = FETCH_REFUSED, .code = CODE_GET_TASK_FAILED),
	TASK("1.4 20001 get_task: type", "parameter wrong proof type:illegal proof type: 9", .errcode = COORD_E_PARAMETER,
	    .outcome = FETCH_REFUSED, .code = CODE_GET_TASK_FAILED),
	POST("1.4 20001 submit_proof", "parameter invalid, err:EOF", .errcode = COORD_E_PARAMETER,
	    .outcome = POST_BAD_SHAPE, .code = CODE_REFUSED_SHAPE, .state = JOB_GIVEN_UP),
	TASK("1.4 20002 no public key", CHECK COORD_NO_KEY, .errcode = COORD_E_GET_TASK, .outcome = FETCH_REFUSED, .code = CODE_GET_TASK_FAILED),
	TASK("1.4 20002 no prover name", CHECK COORD_NO_NAME, .errcode = COORD_E_GET_TASK, .outcome = FETCH_REFUSED, .code = CODE_GET_TASK_FAILED),
	TASK("1.4 20002 no prover version", CHECK COORD_NO_TASK_VERSION, .errcode = COORD_E_GET_TASK, .outcome = FETCH_REFUSED, .code = CODE_GET_TASK_FAILED),
	TASK("1.4 20002 no fork name", CHECK COORD_NO_FORK_NAME, .errcode = COORD_E_GET_TASK, .outcome = FETCH_REFUSED, .code = CODE_GET_TASK_FAILED),
	TASK("1.4 20002 blocked", CHECK "public key 02 is blocked from fetching tasks. ProverName: a, ProverVersion: b",
	    .errcode = COORD_E_GET_TASK, .outcome = FETCH_BLOCKED, .code = CODE_KEY_BLOCKED),
	TASK("1.4 20002 already assigned", CHECK "prover with publicKey 02 is already assigned a task. ProverName: a, ProverVersion: b",
	    .errcode = COORD_E_GET_TASK, .outcome = FETCH_ASSIGNED, .code = CODE_ALREADY_ASSIGNED),
	TASK("1.4 20002 data base", CHECK "failed to check whether the public key 02 is blocked before assigning a chunk task, err: x",
	    .errcode = COORD_E_GET_TASK, .outcome = FETCH_REFUSED, .code = CODE_GET_TASK_FAILED),
	TASK("1.4 20002 internal error", "return prover task err:coordinator internal error", .errcode = COORD_E_GET_TASK,
	    .outcome = FETCH_REFUSED, .code = CODE_GET_TASK_FAILED),
	POST("1.4 20003", FAILED "something new", .errcode = COORD_E_PROOF, .outcome = POST_LATER, .code = CODE_POST_FAILED, .state = STAYS),
	TASK("1.4 20004", "get empty prover task", .errcode = COORD_E_EMPTY, .outcome = FETCH_EMPTY),
	LOGIN("1.4 50000 login: binder", "missing the public_key, err:eof"),
	LOGIN("1.4 50000 login: another challenge", "check challenge failure for the not equal challenge string"),
	LOGIN("1.4 50000 login: signature", "check the login parameter failure: auth message verify failure"),
	LOGIN("1.4 50000 login: minimum version", "check the login parameter failure: incompatible prover version. please upgrade your prover, "
	    "minimum allowed version: v4.4.43, actual version: " VERSION),
	LOGIN("1.4 50000 login: VK, another build", "check the login parameter failure: incompatible prover version. please upgrade your prover, "
	    "expect version: v4.4.70, actual version: " VERSION),
	LOGIN("1.4 50000 login: VK, the same build", "check the login parameter failure: incompatible vk. please check your params files or config files"),
	LOGIN("1.4 50000 login: fork", "prover hard name failure:invalid prover prover_version:" VERSION),
	{ .name = "1.4 50000 login: used challenge", .test = another_challenge, .call = COORD_LOGIN, .errcode = COORD_E_JWT,
	    .text = "login insert challenge string failure:the challenge string:x have been used", .outcome = FETCH_NOT_SENT, .code = CODE_LOGIN_REFUSED },
	{ .name = "1.4 50000 login: data base", .test = another_challenge, .call = COORD_LOGIN, .errcode = COORD_E_JWT,
	    .text = "login insert challenge string failure:failed to connect to host=db", .outcome = FETCH_NOT_SENT, .code = CODE_LOGIN_REFUSED },
	{ .name = "1.4 50001", .test = renewed, .call = COORD_GET_TASK, .errcode = COORD_E_EXPIRED, .text = "token is expired" },
	TASK("1.4 50001 for ever", "token is expired", .times = 9, .errcode = COORD_E_EXPIRED, .outcome = FETCH_REFUSED, .code = CODE_COORD_BAD, .logins = 2),
	POST("1.4 50001 for ever, a proof", "token is expired", .times = 9, .errcode = COORD_E_EXPIRED, .outcome = POST_LATER, .code = CODE_POST_FAILED,
	    .logins = 2, .state = STAYS),
	{ .name = "1.4 50000 no token", .test = renewed, .call = COORD_GET_TASK, .errcode = COORD_E_JWT, .text = "cookie token is empty" },
	{ .name = "1.4 50000 signature of a token", .test = renewed, .call = COORD_GET_TASK, .errcode = COORD_E_JWT, .text = "signature is invalid" },
	{ .name = "1.4 50000 segments", .test = renewed, .call = COORD_GET_TASK, .errcode = COORD_E_JWT, .text = "token contains an invalid number of segments" },
	{ .name = "1.4 50000 (c) no identity", .test = renewed, .call = COORD_GET_TASK, .errcode = COORD_E_JWT, .text = "you don't have permission to access this resource" },

	{ .name = "1.5 nothing required is zero", .test = required_is_there },
	{ .name = "1.5 prover_height", .test = height_is_asked },

	{ .name = "1.9 before v4.4.37", .test = not_met, .text = "our prover speaks the forms with a public key" },
	{ .name = "1.9 v4.4.37 - v4.4.70", .test = login_form, .text = "5" },
	{ .name = "1.9 (c)", .test = login_form, .text = "6" },

	LOGIN("2.5 minimum", "check the login parameter failure: incompatible prover version. please upgrade your prover, minimum allowed version: v9"),
	LOGIN("2.5 same build", "check the login parameter failure: incompatible prover version. please upgrade your prover, expect version: v9"),
	LOGIN("2.5 fork", "prover hard name failure:invalid prover prover_version:v1"),

	POST("5.3 1 no public key", FAILED COORD_NO_KEY, .times = 9, .errcode = COORD_E_PROOF, .outcome = POST_LATER, .code = CODE_POST_FAILED,
	    .logins = 2, .state = STAYS),
	POST("5.3 1 no prover version", FAILED COORD_NO_VERSION, .times = 9, .errcode = COORD_E_PROOF, .outcome = POST_LATER, .code = CODE_POST_FAILED,
	    .logins = 2, .state = STAYS),
	POST("5.3 2", FAILED COORD_NO_SUCH_TASK, .errcode = COORD_E_PROOF, .outcome = POST_LATER, .code = CODE_POST_FAILED, .state = STAYS),
	POST("5.3 3", FAILED COORD_TWICE, .errcode = COORD_E_PROOF, .outcome = POST_TWICE, .code = CODE_TWICE, .state = JOB_LATE),
	{ .name = "5.3 3 after a post without an answer", .test = post_answer_again, .call = COORD_SUBMIT, .errcode = COORD_E_PROOF, .text = FAILED COORD_TWICE,
	    .outcome = POST_TWICE, .code = CODE_TWICE, .state = JOB_SUBMITTED },
	POST("5.3 4", FAILED COORD_STATUS_NOT_OK, .errcode = COORD_E_PROOF, .outcome = POST_BAD_PROOF, .code = CODE_OK, .state = JOB_GIVEN_UP),
	POST("5.3 5", FAILED COORD_TIMED_OUT, .errcode = COORD_E_PROOF, .outcome = POST_TWICE, .code = CODE_TWICE, .state = JOB_LATE),
	{ .name = "5.3 6", .test = not_met, .text = "storing the proof does not show" },
	POST("5.3 7", FAILED COORD_ALREADY_PROVED, .errcode = COORD_E_PROOF, .outcome = POST_ALREADY, .code = CODE_ALREADY_PROVED, .state = JOB_GIVEN_UP),
	POST("5.3 8", FAILED COORD_NO_FORK, .errcode = COORD_E_PROOF, .outcome = POST_LATER, .code = CODE_POST_FAILED, .state = STAYS),
	POST("5.3 9 end of JSON", FAILED "unexpected end of JSON input", .errcode = COORD_E_PROOF, .outcome = POST_BAD_SHAPE, .code = CODE_REFUSED_SHAPE,
	    .state = JOB_GIVEN_UP),
	POST("5.3 9 no JSON", FAILED "invalid character 'p' looking for beginning of value", .errcode = COORD_E_PROOF, .outcome = POST_BAD_SHAPE,
	    .code = CODE_REFUSED_SHAPE, .state = JOB_GIVEN_UP),
	POST("5.3 9 another type", FAILED "json: cannot unmarshal array into Go value of type message.ChunkProof", .errcode = COORD_E_PROOF,
	    .outcome = POST_BAD_SHAPE, .code = CODE_REFUSED_SHAPE, .state = JOB_GIVEN_UP),
	POST("5.3 9 no base64", FAILED "illegal base64 data at input byte 0", .errcode = COORD_E_PROOF, .outcome = POST_BAD_SHAPE, .code = CODE_REFUSED_SHAPE,
	    .state = JOB_GIVEN_UP),
	POST("5.3 9 a hash", FAILED "hex string has length 2, want 64 for common.Hash", .errcode = COORD_E_PROOF, .outcome = POST_BAD_SHAPE,
	    .code = CODE_REFUSED_SHAPE, .state = JOB_GIVEN_UP),
	POST("5.3 10 invalid", FAILED COORD_INVALID_PROOF, .errcode = COORD_E_PROOF, .outcome = POST_BAD_PROOF, .code = CODE_REFUSED_PROOF, .state = JOB_GIVEN_UP),
	POST("5.3 10 verifier error", FAILED COORD_VERIFIER_ERROR, .errcode = COORD_E_PROOF, .outcome = POST_BAD_PROOF, .code = CODE_REFUSED_PROOF,
	    .state = JOB_GIVEN_UP),
	POST("5.3 11", FAILED COORD_INTERNAL, .errcode = COORD_E_PROOF, .outcome = POST_LATER, .code = CODE_POST_FAILED, .state = STAYS),
	{ .name = "5.3 12", .test = given },
};

static void
run_row(void **state)
{
	const struct row_test *t = *state;

	t->test(t);
}

int
main(void)
{
	struct CMUnitTest tests[NELEM(rows)];

	for (size_t i = 0; i < NELEM(rows); i++)
		tests[i] = (struct CMUnitTest){ .name = rows[i].name, .test_func = run_row, .setup_func = begin, .teardown_func = end,
		    .initial_state = (void *)(uintptr_t)&rows[i] };
	return _cmocka_run_group_tests("prover", tests, NELEM(tests), NULL, NULL);
}
