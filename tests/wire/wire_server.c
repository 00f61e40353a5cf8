/* wire_server.c - the Coordinator's side of the protocol, generation (b): a test per row of the tables that describe
 * it, run against each server of server.c.
 *
 * A test's name is the server's, the table's and the row's.  What a kind server answers otherwise (common/desk.h)
 * stands beside the strict answer.
 * uses: cmd/dispatch-coordinator */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/clock.h"
#include "common/hash.h"
#include "common/json.h"
#include "common/jwt.h"
#include "common/num.h"
#include "common/rlp.h"
#include "tests/wire/server.h"

#define JSON		"application/json"
#define AUTH_FAILED	"check the login parameter failure: auth message verify failure"
#define MISSING		"missing the public_key, err:"
#define REQUIRED(type, field) "Key: '" type "." field "' Error:Field validation for '" field "' failed on the 'required' tag"
#define REQUIRED_LOW(path, field) "key: '" path "' error:field validation for '" field "' failed on the 'required' tag"
#define GET_TASK_CHECK	"return prover task err:check prover task parameter failed, error:"
#define FAILED		"handle zk proof failure, err:"

enum { BLOCKED_KEY = 9999 };

/* The prover of one test. */
struct visit {
	struct server	*server;
	struct ecsig_key key;
	char		 key_text[67];
	struct buf	 challenge, token;	/* the last ones given */
	struct coord_task task;
	struct response	 response;
};

/* An answer: HTTP status, errcode, text.  In the text $KEY is the prover's key and $CHALLENGE the challenge in lower
 * case; a * at its end stands for anything.  errcode -1: no envelope. */
struct expect {
	unsigned	 status;
	int		 errcode;
	const char	*text;
};

struct row {
	const char	*name;
	void		(*test)(struct visit *, const struct row *);
	/* what test makes of these is its own affair */
	const char	*a, *b;
	struct expect	 strict, kind, door;	/* status 0: as the one before */
	unsigned	 flags;
};

enum {
	NEEDS_TASKS	= 1,
	NEEDS_HTTP	= 2,
	STRICT_ONLY	= 4,		/* the state cannot come about elsewhere */
};

static struct server servers[2];
static uint32_t identities;

/* --- looking at answers -------------------------------------------------------------- */

static void
put_replaced(struct buf *out, const char *text, const char *what, struct span by)
{
	const char *at = strstr(text, what);

	if (!at) {
		buf_puts(out, text);
		return;
	}
	buf_put(out, text, (size_t)(at - text));
	buf_put(out, by.p, by.n);
	buf_puts(out, at + strlen(what));
}

static void
put_text(struct buf *out, const struct visit *v, const char *text)
{
	struct buf half = { 0 };

	put_replaced(&half, text, "$KEY", span_str(v->key_text));
	size_t from = out->n;
	put_replaced(out, buf_cstr(&half), "$CHALLENGE", SPAN_OF(&v->challenge));
	for (size_t i = from; strstr(text, "$CHALLENGE") && i < out->n; i++)
		if (out->p[i] >= 'A' && out->p[i] <= 'Z')
			out->p[i] |= 0x20;
	buf_free(&half);
}

static bool
same_text(struct span got, struct span want)
{
	if (want.n && want.p[want.n - 1] == '*')
		return got.n >= want.n - 1 && span_eq((struct span){ got.p, want.n - 1 }, (struct span){ want.p, want.n - 1 });
	return span_eq(got, want);
}

static void
wrong(const struct visit *v, const struct expect *e)
{
	fail_msg("not %u %d \"%s\" but: %u\n%.*s\n%.*s", e->status, e->errcode, e->text, v->response.status,
	    SPAN_ARG(SPAN_OF(&v->response.head)), SPAN_ARG(SPAN_OF(&v->response.body)));
}

/* The envelope is whole: errcode a number, errmsg a text, data there; null beside an error. */
static void
expect_envelope(const struct visit *v, const struct expect *e)
{
	struct buf text = { 0 };
	char why[128];
	struct json *j = json_parse(SPAN_OF(&v->response.body), 16 << 20, why);
	int64_t errcode = -1;

	put_text(&text, v, e->text);
	if (!json_i64(json_get(j, "errcode"), &errcode) || errcode != e->errcode ||
	    !same_text(json_str(j, "errmsg"), SPAN_OF(&text)) || json_get(j, "data") == NULL ||
	    (errcode != 0 && json_is_object(json_get(j, "data"))))
		wrong(v, e);
	assert_string_equal(response_header(&v->response, "Content-Type"), "application/json; charset=utf-8");
	assert_string_equal(response_header(&v->response, "Www-Authenticate"), errcode >= COORD_E_JWT ? "JWT realm=gin jwt" : "");
	json_free(&j);
	buf_free(&text);
}

static void
expect(const struct visit *v, const struct expect *e)
{
	if (v->response.status != e->status)
		wrong(v, e);
	if (e->errcode >= 0)
		expect_envelope(v, e);
	else if (!same_text(SPAN_OF(&v->response.body), span_str(e->text)))
		wrong(v, e);
}

static void
expect_row(const struct visit *v, const struct row *r)
{
	const struct server_type *t = v->server->type;

	expect(v, t->door && r->door.status ? &r->door : t->kind && r->kind.status ? &r->kind : &r->strict);
}

#define EXPECT(v, ...) expect(v, &(struct expect){ __VA_ARGS__ })
#define OK_ANSWER 200, 0, ""

/* --- asking -------------------------------------------------------------------------------- */

static void
ask(struct visit *v, const char *method, const char *path, const char *type, struct span token, struct span body)
{
	char *bearer = token.n ? xprintf("Bearer %.*s", SPAN_ARG(token)) : NULL;

	response_free(&v->response);
	server_ask(v->server, &(struct desk_ask){ .method = method, .path = path, .content_type = type,
	    .authorization = bearer, .body = body }, &v->response);
	free(bearer);
}

static void
call(struct visit *v, enum coord_call which, const char *body)
{
	struct span token = which == COORD_CHALLENGE ? (struct span){ 0 } : which == COORD_LOGIN ? SPAN_OF(&v->challenge) : SPAN_OF(&v->token);

	ask(v, which == COORD_CHALLENGE ? "GET" : "POST", coord_path(which), JSON, token, span_str(body));
}

static bool
take_token(struct visit *v, struct buf *into)
{
	struct coord_answer a;
	struct coord_token t;

	if (coord_read_token(v->response.status, SPAN_OF(&v->response.body), &a, &t) != COORD_DONE)
		return false;
	buf_free(into);
	*into = t.text;
	return true;
}

static void
get_challenge(struct visit *v)
{
	call(v, COORD_CHALLENGE, "");
	assert_true(take_token(v, &v->challenge));
}

static void
begin_login(struct visit *v, struct coord_login *l)
{
	get_challenge(v);
	*l = (struct coord_login){ .provider = 1 };
	buf_put(&l->challenge, v->challenge.p, v->challenge.n);
	buf_puts(&l->version, SERVER_VERSION);
	buf_puts(&l->name, "wire");
}

/* Sign it, post it; true: signed in. */
static bool
post_login(struct visit *v, struct coord_login *l)
{
	struct coord_request r;

	if (!l->signature.n)
		coord_login_sign(l, &v->key);
	coord_ask_login(&r, l);
	call(v, COORD_LOGIN, buf_cstr(&r.body));
	coord_request_free(&r);
	coord_login_free(l);
	return take_token(v, &v->token);
}

static void
log_in(struct visit *v)
{
	struct coord_login l;

	begin_login(v, &l);
	if (!post_login(v, &l))
		EXPECT(v, OK_ANSWER);
}

/* A token with these claims, signed with the server's secret. */
static void
forge(struct visit *v, const char *claims)
{
	buf_reset(&v->token);
	jwt_make(&v->token, span_str(claims), SPAN(SERVER_SECRET));
}

static void
take_task(struct visit *v)
{
	struct coord_answer a;

	coord_task_free(&v->task);
	v->task = (struct coord_task){ 0 };
	call(v, COORD_GET_TASK, "{\"task_types\":[1],\"prover_height\":1000000}");
	if (coord_read_task(v->response.status, SPAN_OF(&v->response.body), &a, &v->task) != COORD_DONE)
		EXPECT(v, OK_ANSWER);
}

/* Deliver v's task: type, status and proof are the test's. */
static void
deliver(struct visit *v, int64_t type, int64_t status, const char *proof)
{
	struct coord_request r;
	struct coord_proof p = { .uuid = v->task.uuid, .task_id = v->task.task_id, .type = type, .status = status };

	buf_puts(&p.proof, proof);
	coord_ask_submit(&r, SPAN_OF(&v->token), &p);
	call(v, COORD_SUBMIT, buf_cstr(&r.body));
	buf_free(&p.proof);
	coord_request_free(&r);
}

/* --- tests that a table can describe -------------------------------------------------------- */

/* a: the body. */
static void
get_task(struct visit *v, const struct row *r)
{
	log_in(v);
	call(v, COORD_GET_TASK, r->a);
	expect_row(v, r);
}

static void
submit(struct visit *v, const struct row *r)
{
	log_in(v);
	call(v, COORD_SUBMIT, r->a);
	expect_row(v, r);
}

/* a: claims of a forged token, or NULL: b is the token as it stands (NULL: none). */
static void
odd_token(struct visit *v, const struct row *r)
{
	static const enum coord_call guarded[] = { COORD_GET_TASK, COORD_SUBMIT };

	if (r->a)
		forge(v, r->a);
	else
		buf_puts(&v->token, r->b ? r->b : "");
	for (size_t i = 0; i < NELEM(guarded); i++) {
		call(v, guarded[i], "{\"task_types\":[1]}");
		expect_row(v, r);
	}
	/* a login's challenge is judged strictly by all */
	buf_reset(&v->challenge);
	buf_put(&v->challenge, v->token.p, v->token.n);
	call(v, COORD_LOGIN, "{}");
	expect(v, &r->strict);
}

/* a: claims of a login token; b: get_task's body. */
static void
claims(struct visit *v, const struct row *r)
{
	forge(v, r->a);
	call(v, COORD_GET_TASK, r->b);
	expect_row(v, r);
}

static void
claims_submit(struct visit *v, const struct row *r)
{
	forge(v, r->a);
	call(v, COORD_SUBMIT, r->b);
	expect_row(v, r);
}

/* a: the login's body; $ is the challenge. */
static void
login_body(struct visit *v, const struct row *r)
{
	struct buf body = { 0 };

	get_challenge(v);
	put_replaced(&body, r->a, "$", SPAN_OF(&v->challenge));
	call(v, COORD_LOGIN, buf_cstr(&body));
	expect_row(v, r);
	buf_free(&body);
}

/* a: prover_version. */
static void
version(struct visit *v, const struct row *r)
{
	struct coord_login l;

	begin_login(v, &l);
	buf_reset(&l.version);
	buf_puts(&l.version, r->a);
	post_login(v, &l);
	expect_row(v, r);
}

/* a: the vk; b: the version.  The prover proves chunks. */
static void
vk(struct visit *v, const struct row *r)
{
	struct coord_login l;

	begin_login(v, &l);
	if (r->b) {
		buf_reset(&l.version);
		buf_puts(&l.version, r->b);
	}
	buf_putc(&l.types, 1);
	l.vks = xzalloc(sizeof *l.vks);
	buf_puts(&l.vks[l.nvks++], r->a);
	post_login(v, &l);
	expect_row(v, r);
}

/* a: the text of the signature. */
static void
signature(struct visit *v, const struct row *r)
{
	struct coord_login l;

	begin_login(v, &l);
	coord_login_sign(&l, &v->key);
	buf_reset(&l.signature);
	buf_puts(&l.signature, r->a);
	post_login(v, &l);
	expect_row(v, r);
}

/* a: a proof of the task that the prover holds; it stays its own, and is delivered then. */
static void
bad_shape(struct visit *v, const struct row *r)
{
	log_in(v);
	take_task(v);
	deliver(v, 1, 0, r->a);
	expect_row(v, r);
	deliver(v, 1, 0, "{}");
	EXPECT(v, OK_ANSWER);
}

/* What does not show on the wire, or not of these servers: a says why. */
static void
not_shown(struct visit *v, const struct row *r)
{
	print_message("%s: %s\n", r->name, r->a);
	skip();
}

/* --- tests of their own: 1.3, 1.4 ------------------------------------------------------------- */

static void
ok_200(struct visit *v, const struct row *r)
{
	get_challenge(v);
	EXPECT(v, OK_ANSWER);
	log_in(v);
	EXPECT(v, OK_ANSWER);
}

static void
not_found(struct visit *v, const struct row *r)
{
	static const char *const lost[][2] = {
		{ "GET", "/coordinator/v1/nothing" }, { "POST", "/coordinator/v1/proxy_login" }, { "POST", "/coordinator/v1/challenge" },
		{ "GET", "/coordinator/v1/get_task" }, { "PUT", "/coordinator/v1/login" }, { "DELETE", "/coordinator/v1/login" },
		{ "OPTIONS", "/coordinator/v1/login" }, { "GET", "//coordinator/v1/challenge" }, { "GET", "/" },
	};

	for (size_t i = 0; i < NELEM(lost); i++) {
		ask(v, lost[i][0], lost[i][1], JSON, (struct span){ 0 }, SPAN("{}"));
		EXPECT(v, 404, -1, "404 page not found");
		assert_string_equal(response_header(&v->response, "Content-Type"), "text/plain");
	}
	if (!v->server->type->is_http)
		return;
	ask(v, "HEAD", "/coordinator/v1/challenge", NULL, (struct span){ 0 }, (struct span){ 0 });
	EXPECT(v, 404, -1, "");
	assert_string_equal(response_header(&v->response, "Content-Length"), "18");
}

static void
redirected(struct visit *v, const struct row *r)
{
	ask(v, "GET", "/coordinator/v1/challenge/", NULL, (struct span){ 0 }, (struct span){ 0 });
	EXPECT(v, 301, -1, "<a href=\"/coordinator/v1/challenge\">Moved Permanently</a>.\n\n");
	assert_string_equal(response_header(&v->response, "Location"), "/coordinator/v1/challenge");
	assert_string_equal(response_header(&v->response, "Content-Type"), "text/html; charset=utf-8");
	for (enum coord_call c = COORD_LOGIN; c <= COORD_SUBMIT; c++) {
		char *path = xprintf("%s/", coord_path(c));
		ask(v, "POST", path, JSON, (struct span){ 0 }, SPAN("{}"));
		EXPECT(v, 307, -1, "");
		assert_string_equal(response_header(&v->response, "Location"), coord_path(c));
		free(path);
	}
}

static void
escaped_path(struct visit *v, const struct row *r)
{
	ask(v, "GET", "/coordinator/v1/challeng%65", NULL, (struct span){ 0 }, (struct span){ 0 });
	EXPECT(v, OK_ANSWER);
}

static void
chunked_request(struct visit *v, const struct row *r)
{
	response_free(&v->response);
	server_send(v->server, SPAN("POST /coordinator/v1/get_task HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"), &v->response);
	expect_row(v, r);
}

/* Until its answer is longer than 2048 bytes: then it comes in chunks, and is whole all the same. */
static void
long_answer(struct visit *v, const struct row *r)
{
	struct coord_login l;

	begin_login(v, &l);
	for (int i = 0; i < 2000; i++)
		buf_putc(&l.name, 'n');
	assert_true(post_login(v, &l));
	EXPECT(v, OK_ANSWER);
	assert_string_equal(response_header(&v->response, "Transfer-Encoding"), "chunked");
	assert_string_equal(response_header(&v->response, "Content-Length"), "");
	get_challenge(v);
	assert_string_equal(response_header(&v->response, "Transfer-Encoding"), "");
}

static void
panic_500(struct visit *v, const struct row *r)
{
	signature(v, r);
	if (!v->server->type->kind)
		assert_string_equal(response_header(&v->response, "Content-Type"), "");
}

static void
already_assigned(struct visit *v, const struct row *r)
{
	log_in(v);
	take_task(v);
	call(v, COORD_GET_TASK, "{\"task_types\":[3]}");
	expect_row(v, r);
}

static void
blocked(struct visit *v, const struct row *r)
{
	static const uint8_t seed[32] = { 1 };
	struct coord_login l;

	coord_identity(seed, BLOCKED_KEY, &v->key);
	begin_login(v, &l);
	if (v->server->type->kind) {
		post_login(v, &l);
		EXPECT(v, 200, COORD_E_JWT, "check the login parameter failure: public key $KEY is not admitted");
		return;
	}
	assert_true(post_login(v, &l));
	call(v, COORD_GET_TASK, "{\"task_types\":[1],\"prover_height\":9}");
	expect_row(v, r);
}

static void
internal_error(struct visit *v, const struct row *r)
{
	struct coord_login l;

	begin_login(v, &l);
	buf_put(&l.name, "\0x", 2);
	if (v->server->type->kind) {
		post_login(v, &l);
		expect_row(v, r);
		return;
	}
	assert_true(post_login(v, &l));
	call(v, COORD_GET_TASK, "{\"task_types\":[1],\"prover_height\":1000000}");
	expect_row(v, r);
}

static void
task_given(struct visit *v, const struct row *r)
{
	log_in(v);
	take_task(v);
	assert_int_equal(v->task.type, TYPE_CHUNK);
	assert_int_equal(v->task.uuid.n, 36);
	assert_int_equal(v->task.task_id.n, 66);
	assert_string_equal(buf_cstr(&v->task.fork), "darwinV2");
	deliver(v, 1, 0, "{}");
	EXPECT(v, OK_ANSWER);
	assert_non_null(strstr(buf_cstr(&v->response.body), "\"data\":null"));
}

static void
no_content_type(struct visit *v, const struct row *r)
{
	static const char *const types[] = { NULL, "text/plain", "APPLICATION/JSON" };

	for (size_t i = 0; i < NELEM(types); i++) {
		get_challenge(v);
		ask(v, "POST", coord_path(COORD_LOGIN), types[i], SPAN_OF(&v->challenge), SPAN("{\"signature\":\"0x1\"}"));
		EXPECT(v, 200, COORD_E_JWT, MISSING "key: 'loginparameter.message.challenge' error:*");
	}
}

/* The challenge of the header is not that of the body. */
static void
other_challenge(struct visit *v, const struct row *r)
{
	struct coord_login l;

	begin_login(v, &l);
	get_challenge(v);
	post_login(v, &l);
	expect_row(v, r);
}

static void
used_challenge(struct visit *v, const struct row *r)
{
	struct coord_login l;

	log_in(v);
	l = (struct coord_login){ 0 };
	buf_put(&l.challenge, v->challenge.p, v->challenge.n);
	buf_puts(&l.version, SERVER_VERSION);
	buf_puts(&l.name, "another");
	post_login(v, &l);
	expect_row(v, r);
}

static void
own_token(struct visit *v, const char *claims_text, const char *secret)
{
	buf_reset(&v->token);
	jwt_make(&v->token, span_str(claims_text), span_str(secret));
}

static void
foreign_token(struct visit *v, const struct row *r)
{
	own_token(v, "{\"exp\":9999999999}", "another secret");
	call(v, COORD_GET_TASK, "{}");
	expect_row(v, r);
	/* a wrong signature wins over expiry */
	own_token(v, "{\"exp\":1}", "another secret");
	call(v, COORD_GET_TASK, "{}");
	expect_row(v, r);
}

/* --- tests of their own: 1.9 -------------------------------------------------------------------- */

/* A login of provers before v4.4.37.  a: the fork, NULL none. */
static void
old_form(struct visit *v, const struct row *r)
{
	struct buf items = { 0 }, list = { 0 }, body = { 0 };
	uint8_t digest[HASH_BYTES], sig[ECSIG_BYTES];

	get_challenge(v);
	rlp_put_str(&items, SPAN("old"));
	rlp_put_str(&items, SPAN(SERVER_VERSION));
	rlp_put_str(&items, SPAN_OF(&v->challenge));
	if (r->a && *r->a)
		rlp_put_str(&items, span_str(r->a));
	rlp_put_list(&list, SPAN_OF(&items));
	keccak256(SPAN_OF(&list), digest);
	ecsig_sign(&v->key, digest, sig);
	buf_printf(&body, "{\"message\":{\"challenge\":\"%.*s\",\"prover_version\":\"%s\",\"prover_name\":\"old\"",
	    SPAN_ARG(SPAN_OF(&v->challenge)), SERVER_VERSION);
	if (r->a)
		buf_printf(&body, ",\"hard_fork_name\":\"%s\"", r->a);
	buf_printf(&body, "%s},\"signature\":\"0x", r->b ? r->b : "");
	num_put_hex(&body, (struct span){ sig, sizeof sig });
	buf_puts(&body, "\"}");
	call(v, COORD_LOGIN, buf_cstr(&body));
	expect_row(v, r);
	if (v->server->type->kind)
		assert_true(take_token(v, &v->token));
	buf_free(&items);
	buf_free(&list);
	buf_free(&body);
}

/* get_task and submit_proof as older provers ask.  a: get_task's body. */
static void
old_task(struct visit *v, const struct row *r)
{
	log_in(v);
	call(v, COORD_GET_TASK, r->a);
	expect_row(v, r);
	call(v, COORD_SUBMIT, "{\"task_id\":\"0x1\",\"task_type\":1,\"status\":0,\"proof\":\"{}\",\"hard_fork_name\":\"curie\"}");
	EXPECT(v, 200, COORD_E_PROOF, FAILED COORD_NO_SUCH_TASK);
}

/* The forms in use.  a: "5" or "6" fields are signed; b: "6": provider type is named. */
static void
new_form(struct visit *v, const struct row *r)
{
	struct coord_login l;

	begin_login(v, &l);
	buf_putc(&l.types, 1);
	l.vks = xzalloc(sizeof *l.vks);
	buf_puts(&l.vks[l.nvks++], "mock_vk");
	l.has_provider = *r->a == '6';
	coord_login_sign(&l, &v->key);
	l.has_provider = *r->b == '6';
	post_login(v, &l);
	expect_row(v, r);
}

/* prover_types as a Go client writes them. */
static void
base64_types(struct visit *v, const struct row *r)
{
	struct coord_login l;
	struct buf body = { 0 };

	begin_login(v, &l);
	buf_put(&l.types, "\2\1", 2);
	coord_login_sign(&l, &v->key);
	buf_printf(&body, "{\"message\":{\"challenge\":\"%s\",\"prover_version\":\"%s\",\"prover_name\":\"wire\",\"prover_types\":\"AgE=\","
	    "\"vks\":null},\"public_key\":\"%s\",\"signature\":\"%s\"}", buf_cstr(&l.challenge), SERVER_VERSION,
	    buf_cstr(&l.public_key), buf_cstr(&l.signature));
	call(v, COORD_LOGIN, buf_cstr(&body));
	expect_row(v, r);
	coord_login_free(&l);
	buf_free(&body);
}

/* --- tests of their own: 5.3 ---------------------------------------------------------------------- */

static void
unknown_uuid(struct visit *v, const struct row *r)
{
	log_in(v);
	take_task(v);
	v->task.uuid.p[0] = v->task.uuid.p[0] == 'a' ? 'b' : 'a';
	deliver(v, 1, 0, "{}");
	expect_row(v, r);
}

static void
twice(struct visit *v, const struct row *r)
{
	log_in(v);
	take_task(v);
	deliver(v, 1, 0, "{}");
	EXPECT(v, OK_ANSWER);
	deliver(v, 1, 0, "{}");
	expect_row(v, r);
}

static void
use_other_server(struct visit *v, const char *const *options)
{
	servers[1].blocked = servers[0].blocked;
	server_start(&servers[1], v->server->type, options);
	v->server = &servers[1];
}

static bool
says(const struct visit *v, const char *text)
{
	return v->response.body.n && memmem(v->response.body.p, v->response.body.n, text, strlen(text));
}

static void
timed_out(struct visit *v, const struct row *r)
{
	static const char *const options[] = { "--collection", "0.2", NULL };
	uint64_t stop = clock_ms() + 20000;

	use_other_server(v, options);
	log_in(v);
	take_task(v);
	do {
		deliver(v, 1, 0, "[");
		usleep(50000);
	} while (!says(v, COORD_TWICE) && clock_ms() < stop);
	deliver(v, 1, 0, "{}");
	expect_row(v, r);
}

static void
failure_report(struct visit *v, const struct row *r)
{
	log_in(v);
	take_task(v);
	deliver(v, 1, 1, "");
	expect_row(v, r);
	take_task(v);		/* the key is free again */
	deliver(v, 1, 7, "");
	expect_row(v, r);
	deliver(v, 1, 1, "");
	if (v->server->type->door)
		expect_row(v, r);
	else
		EXPECT(v, 200, COORD_E_PROOF, FAILED COORD_TWICE);
}

static void
proved_by_another(struct visit *v, const struct row *r)
{
	static const char *const options[] = { "--same-task-twice", "--chunks", "1", "--batches", "0", "--bundles", "0", NULL };
	static const uint8_t seed[32] = { 1 };
	struct visit other;

	use_other_server(v, options);
	other = (struct visit){ .server = v->server };
	coord_identity(seed, ++identities, &other.key);
	log_in(v);
	log_in(&other);
	take_task(v);
	take_task(&other);
	assert_true(span_eq(SPAN_OF(&v->task.task_id), SPAN_OF(&other.task.task_id)));
	deliver(&other, 1, 0, "{}");
	EXPECT(&other, OK_ANSWER);
	deliver(v, 1, 0, "{}");
	expect_row(v, r);
	deliver(v, 1, 0, "{}");
	EXPECT(v, 200, COORD_E_PROOF, FAILED COORD_TWICE);
	buf_free(&other.challenge);
	buf_free(&other.token);
	coord_task_free(&other.task);
	response_free(&other.response);
}

/* The task stays the prover's own. */
static void
no_fork(struct visit *v, const struct row *r)
{
	static const int64_t types[] = { 2, 3, 4, -1 };

	log_in(v);
	take_task(v);
	for (size_t i = 0; i < NELEM(types); i++) {
		deliver(v, types[i], 0, "{}");
		expect_row(v, r);
	}
	if (v->server->type->door)
		return;
	uint8_t digit = v->task.task_id.p[5];
	v->task.task_id.p[5] = digit == 'a' ? 'b' : 'a';
	deliver(v, 1, 0, "{}");
	expect_row(v, r);
	v->task.task_id.p[5] = digit;
	call(v, COORD_GET_TASK, "{\"task_types\":[1]}");
	EXPECT(v, 200, COORD_E_GET_TASK, GET_TASK_CHECK "prover with publicKey $KEY is already assigned a task.*");
	deliver(v, 257, 0, "{}");	/* cut to 8 bits: a chunk */
	EXPECT(v, OK_ANSWER);
}

static void
invalid_proof(struct visit *v, const struct row *r)
{
	log_in(v);
	take_task(v);
	deliver(v, 1, 0, "{\"proof\":\"dGhpcyBpcyBhIGludmFsaWQgcHJvb2Y=\"}");
	expect_row(v, r);
	if (!v->server->type->door) {
		deliver(v, 1, 0, "{}");
		EXPECT(v, 200, COORD_E_PROOF, FAILED COORD_TWICE);
	}
	take_task(v);
}

static void
accepted(struct visit *v, const struct row *r)
{
	log_in(v);
	take_task(v);
	deliver(v, 1, 0, "{\"proof\":\"AAAA\",\"instances\":null,\"other\":1}");
	expect_row(v, r);
	take_task(v);
}

/* --- the rows ------------------------------------------------------------------------------------------ */

#define ERR(code, text) { 200, code, text }
#define EXPIRED ERR(COORD_E_EXPIRED, "token is expired")
#define ID_CLAIMS(rest) "{\"exp\":9999999999," rest "}"
#define TASK_OK ERR(COORD_E_EMPTY, "get empty prover task")
#define PROOF_OK ERR(COORD_E_PROOF, FAILED COORD_NO_SUCH_TASK)

static const struct row rows[] = {
	/* HTTP statuses, and Go's reading of JSON */
	{ .name = "1.3 200", .test = ok_200 },
	{ .name = "1.3 404", .test = not_found },
	{ .name = "1.3 301, 307", .test = redirected },
	{ .name = "1.3 500 panic", .test = panic_500, .a = "0x", .strict = { 500, -1, "" }, .kind = ERR(COORD_E_JWT, AUTH_FAILED) },
	{ .name = "1.3 500 /health", .test = not_shown, .a = "the port of metrics is not part of the protocol's door" },
	{ .name = "1.3 path %65", .test = escaped_path, .flags = NEEDS_HTTP },
	{ .name = "1.3 chunked request", .test = chunked_request, .flags = NEEDS_HTTP, .strict = ERR(COORD_E_JWT, "cookie token is empty"), .kind = EXPIRED },
	{ .name = "1.3 long answers in chunks", .test = long_answer, .flags = STRICT_ONLY },
	{ .name = "1.3 JSON: case, unknown members", .test = get_task, .a = "{\"TASK_TYPES\":[3],\"x\":{\"task_types\":1}}", .strict = TASK_OK },
	{ .name = "1.3 JSON: the last of two members", .test = get_task, .a = "{\"task_types\":[9],\"Task_Types\":[3]}", .strict = TASK_OK },
	{ .name = "1.3 JSON: null", .test = get_task, .a = "{\"task_types\":[3],\"prover_height\":null,\"task_types\":null}",
	    .strict = ERR(COORD_E_EMPTY, "get empty prover task") },
	{ .name = "1.3 JSON: data behind the value", .test = get_task, .a = "{\"task_types\":[3]} and more", .strict = TASK_OK },
	{ .name = "1.3 JSON: 1.0 is no integer", .test = get_task, .a = "{\"task_types\":[1.0]}", .strict = ERR(COORD_E_PARAMETER,
	    "prover task parameter invalid, err:json: cannot unmarshal number 1.0 into Go struct field GetTaskParameter.task_types of type int") },
	{ .name = "1.3 JSON: -1 is not unsigned", .test = get_task, .a = "{\"prover_height\":-1}", .strict = ERR(COORD_E_PARAMETER,
	    "prover task parameter invalid, err:json: cannot unmarshal number -1 into Go struct field GetTaskParameter.prover_height of type uint64") },

	/* errcodes */
	{ .name = "1.4 0", .test = task_given, .flags = NEEDS_TASKS },
	{ .name = "1.4 500, 10001-10003", .test = not_shown, .a = "never in this protocol" },
	{ .name = "1.4 20001 get_task: empty body", .test = get_task, .a = "", .strict = ERR(COORD_E_PARAMETER, "prover task parameter invalid, err:EOF") },
	{ .name = "1.4 20001 get_task: binder", .test = get_task, .a = "{\"prover_height\":\"1\"}", .strict = ERR(COORD_E_PARAMETER,
	    "prover task parameter invalid, err:json: cannot unmarshal string into Go struct field GetTaskParameter.prover_height of type uint64") },
	{ .name = "1.4 20001 get_task: type 4", .test = get_task, .a = "{\"task_types\":[4]}",
	    .strict = ERR(COORD_E_PARAMETER, "parameter wrong proof type:illegal proof type: 4") },
	{ .name = "1.4 20001 get_task: type -1", .test = get_task, .a = "{\"task_types\":[-1]}",
	    .strict = ERR(COORD_E_PARAMETER, "parameter wrong proof type:illegal proof type: 255") },
	{ .name = "1.4 20001 get_task: type 259", .test = get_task, .a = "{\"task_types\":[259]}", .strict = TASK_OK },
	{ .name = "1.4 20001 submit_proof", .test = submit, .a = "{\"task_id\":5}", .strict = ERR(COORD_E_PARAMETER,
	    "parameter invalid, err:json: cannot unmarshal number into Go struct field SubmitProofParameter.task_id of type string") },
	{ .name = "1.4 20001 submit_proof: empty body", .test = submit, .a = "", .strict = ERR(COORD_E_PARAMETER, "parameter invalid, err:EOF") },
	{ .name = "1.4 20002 no public key", .test = claims, .a = ID_CLAIMS("\"prover_name\":\"n\",\"prover_version\":\"v\",\"hard_fork_name\":\"f\""),
	    .b = "{\"task_types\":[1]}", .strict = ERR(COORD_E_GET_TASK, GET_TASK_CHECK COORD_NO_KEY), .kind = EXPIRED },
	{ .name = "1.4 20002 no prover name", .test = claims, .a = ID_CLAIMS("\"public_key\":\"02\",\"prover_version\":\"v\",\"hard_fork_name\":\"f\""),
	    .b = "{\"task_types\":[1]}", .strict = ERR(COORD_E_GET_TASK, GET_TASK_CHECK COORD_NO_NAME), .kind = EXPIRED },
	{ .name = "1.4 20002 no prover version", .test = claims, .a = ID_CLAIMS("\"public_key\":\"02\",\"prover_name\":\"n\",\"hard_fork_name\":\"f\""),
	    .b = "{\"task_types\":[1]}", .strict = ERR(COORD_E_GET_TASK, GET_TASK_CHECK COORD_NO_TASK_VERSION), .kind = EXPIRED },
	{ .name = "1.4 20002 no fork name", .test = claims, .a = ID_CLAIMS("\"public_key\":\"02\",\"prover_name\":\"n\",\"prover_version\":\"v\""),
	    .b = "{\"task_types\":[1]}", .strict = ERR(COORD_E_GET_TASK, GET_TASK_CHECK COORD_NO_FORK_NAME), .kind = EXPIRED },
	{ .name = "1.4 20002 blocked", .test = blocked, .strict = ERR(COORD_E_GET_TASK,
	    GET_TASK_CHECK "public key $KEY is blocked from fetching tasks. ProverName: wire, ProverVersion: " SERVER_VERSION) },
	{ .name = "1.4 20002 already assigned", .test = already_assigned, .flags = NEEDS_TASKS, .strict = ERR(COORD_E_GET_TASK,
	    GET_TASK_CHECK "prover with publicKey $KEY is already assigned a task. ProverName: wire, ProverVersion: " SERVER_VERSION) },
	{ .name = "1.4 20002 internal error", .test = internal_error, .flags = NEEDS_TASKS,
	    .strict = ERR(COORD_E_GET_TASK, "return prover task err:coordinator internal error"), 
	    .kind = ERR(COORD_E_JWT, "check the login parameter failure: prover name has a nul inside") },
	{ .name = "1.4 20003", .test = submit, .a = "{\"uuid\":\"u\",\"task_id\":\"0x1\",\"task_type\":1}", .strict = PROOF_OK },
	{ .name = "1.4 20004", .test = get_task, .a = "{\"task_types\":[3]}", .strict = TASK_OK },
	{ .name = "1.4 50000 login: binder", .test = login_body, .a = "{\"message\":{\"challenge\":\"$\",\"prover_types\":[300]}}", .strict = ERR(COORD_E_JWT,
	    MISSING "json: cannot unmarshal number 300 into go struct field message.message.prover_types of type types.provertype") },
	{ .name = "1.4 50000 login: empty body", .test = login_body, .a = "", .strict = ERR(COORD_E_JWT, MISSING "eof") },
	{ .name = "1.4 50000 login: another challenge", .test = other_challenge,
	    .strict = ERR(COORD_E_JWT, "check challenge failure for the not equal challenge string") },
	{ .name = "1.4 50000 login: signature", .test = signature, .a = "0x12", .strict = ERR(COORD_E_JWT, AUTH_FAILED) },
	{ .name = "1.4 50000 login: minimum version", .test = version, .a = "v4.4.42-a-B-c", .strict = ERR(COORD_E_JWT, "check the login parameter failure: "
	    "incompatible prover version. please upgrade your prover, minimum allowed version: v4.4.43, actual version: v4.4.42-a-b-c") },
	{ .name = "1.4 50000 login: VK, another build", .test = vk, .a = "x", .strict = ERR(COORD_E_JWT, "check the login parameter failure: "
	    "incompatible prover version. please upgrade your prover, expect version: " SERVER_OWN ", actual version: " SERVER_VERSION) },
	{ .name = "1.4 50000 login: VK, the same build", .test = vk, .a = "x", .b = "v4.4.45-1-000000-2",
	    .strict = ERR(COORD_E_JWT, "check the login parameter failure: incompatible vk. please check your params files or config files") },
	{ .name = "1.4 50000 login: fork", .test = version, .a = "v4.4.44-a-b-c",
	    .strict = ERR(COORD_E_JWT, "prover hard name failure:invalid prover prover_version:v4.4.44-a-b-c") },
	{ .name = "1.4 50000 login: used challenge", .test = used_challenge,
	    .strict = ERR(COORD_E_JWT, "login insert challenge string failure:the challenge string:$CHALLENGE have been used") },
	{ .name = "1.4 50001", .test = odd_token, .a = "{\"exp\":1}", .strict = EXPIRED },
	{ .name = "1.4 50000 no token", .test = odd_token, .strict = ERR(COORD_E_JWT, "cookie token is empty"), .kind = EXPIRED },
	{ .name = "1.4 50000 signature of a token", .test = foreign_token, .strict = ERR(COORD_E_JWT, "signature is invalid"), .kind = EXPIRED },
	{ .name = "1.4 50000 segments", .test = odd_token, .b = "a.b", .strict = ERR(COORD_E_JWT, "token contains an invalid number of segments"),
	    .kind = EXPIRED },
	{ .name = "1.4 50000 algorithm", .test = odd_token, .b = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJleHAiOjk5OTk5OTk5OTl9.",
	    .strict = ERR(COORD_E_JWT, "invalid signing algorithm"), .kind = EXPIRED },
	{ .name = "1.4 50000 base64", .test = odd_token, .b = "e$.a.b", .strict = ERR(COORD_E_JWT, "illegal base64 data at input byte 1"), .kind = EXPIRED },
	{ .name = "1.4 50000 exp missing", .test = odd_token, .a = "{}", .strict = ERR(COORD_E_JWT, "missing exp field"), .kind = EXPIRED },
	{ .name = "1.4 50000 exp no number", .test = odd_token, .a = "{\"exp\":\"9999999999\"}", .strict = EXPIRED },
	{ .name = "1.4 50000 not yet", .test = odd_token, .a = "{\"exp\":9999999999,\"nbf\":9999999998}",
	    .strict = ERR(COORD_E_JWT, "token is not valid yet"), .kind = EXPIRED },
	{ .name = "1.4 50000 before issued", .test = odd_token, .a = "{\"exp\":9999999999,\"iat\":9999999998}",
	    .strict = ERR(COORD_E_JWT, "token used before issued"), .kind = EXPIRED },
	{ .name = "1.4 50000 (c) no identity", .test = not_shown, .a = "generation (c)" },

	/* required is not zero */
	{ .name = "1.5 task_id, task_type absent", .test = submit, .a = "{}", .strict = ERR(COORD_E_PARAMETER, "parameter invalid, err:"
	    REQUIRED("SubmitProofParameter", "TaskID") "\n" REQUIRED("SubmitProofParameter", "TaskType")) },
	{ .name = "1.5 task_type 0", .test = submit, .a = "{\"task_id\":\"0x1\",\"task_type\":0}", .strict = ERR(COORD_E_PARAMETER,
	    "parameter invalid, err:" REQUIRED("SubmitProofParameter", "TaskType")) },
	{ .name = "1.5 task_id \"\"", .test = submit, .a = "{\"task_id\":\"\",\"task_type\":1}", .strict = ERR(COORD_E_PARAMETER,
	    "parameter invalid, err:" REQUIRED("SubmitProofParameter", "TaskID")) },
	{ .name = "1.5 challenge \"\"", .test = login_body, .a = "{\"message\":{\"challenge\":\"\",\"prover_version\":\"v\",\"prover_name\":\"n\"},\"signature\":\"0x1\"}",
	    .strict = ERR(COORD_E_JWT, MISSING REQUIRED_LOW("loginparameter.message.challenge", "challenge")) },
	{ .name = "1.5 prover_version \"\"", .test = login_body, .a = "{\"message\":{\"challenge\":\"$\",\"prover_version\":\"\",\"prover_name\":\"n\"},\"signature\":\"0x1\"}",
	    .strict = ERR(COORD_E_JWT, MISSING REQUIRED_LOW("loginparameter.message.proverversion", "proverversion")) },
	{ .name = "1.5 prover_name \"\"", .test = login_body, .a = "{\"message\":{\"challenge\":\"$\",\"prover_version\":\"v\",\"prover_name\":\"\"},\"signature\":\"0x1\"}",
	    .strict = ERR(COORD_E_JWT, MISSING REQUIRED_LOW("loginparameter.message.provername", "provername")) },
	{ .name = "1.5 signature \"\"", .test = login_body, .a = "{\"message\":{\"challenge\":\"$\",\"prover_version\":\"v\",\"prover_name\":\"n\"},\"signature\":\"\"}",
	    .strict = ERR(COORD_E_JWT, MISSING REQUIRED_LOW("loginparameter.signature", "signature")) },
	{ .name = "1.5 message absent", .test = login_body, .a = "{\"signature\":\"0x1\"}",
	    .strict = ERR(COORD_E_JWT, MISSING REQUIRED_LOW("loginparameter.message.challenge", "challenge") "\n"
	    REQUIRED_LOW("loginparameter.message.proverversion", "proverversion") "\n" REQUIRED_LOW("loginparameter.message.provername", "provername")) },
	{ .name = "1.5 the rest of submit_proof may be null", .test = submit, .a = "{\"uuid\":null,\"task_id\":\"0x1\",\"task_type\":1,\"status\":null,\"proof\":null,"
	    "\"failure_type\":null,\"failure_msg\":null,\"universal\":null}", .strict = PROOF_OK },
	{ .name = "1.5 the rest of submit_proof may be absent", .test = submit, .a = "{\"task_id\":\"0x1\",\"task_type\":1}", .strict = PROOF_OK },
	{ .name = "1.5 get_task may be {}", .test = get_task, .a = "{\"prover_height\":0}", .strict = TASK_OK, .door = { OK_ANSWER } },
	{ .name = "1.5 get_task may be all null", .test = get_task, .a = "{\"prover_height\":null,\"task_types\":null,\"universal\":null,\"task_id\":null}", .strict = TASK_OK, .door = { OK_ANSWER } },
	{ .name = "1.5 the rest of login may be null", .test = login_body, .a = "{\"message\":{\"challenge\":\"$\",\"prover_version\":\"v\",\"prover_name\":\"n\","
	    "\"prover_types\":null,\"vks\":null,\"prover_provider_type\":null},\"public_key\":null,\"signature\":\"0x1\"}", .strict = ERR(COORD_E_JWT, AUTH_FAILED) },
	{ .name = "1.5 another content type is a form", .test = no_content_type },

	/* forms of logins and tasks since v4.1.0 */
	{ .name = "1.9 v4.1.0", .test = old_form, .strict = ERR(COORD_E_JWT, AUTH_FAILED), .kind = { OK_ANSWER } },
	{ .name = "1.9 v4.1.0 get_task", .test = old_task, .a = "{\"prover_height\":1,\"task_type\":3}", .strict = TASK_OK },
	{ .name = "1.9 v4.1.6 / .62 / .96", .test = old_task, .a = "{\"task_type\":3,\"vk\":\"mock_vk\"}", .strict = TASK_OK },
	{ .name = "1.9 v4.1.96, another vk", .test = old_task, .a = "{\"task_type\":3,\"vk\":\"other\"}", .strict = TASK_OK,
	    .kind = ERR(COORD_E_GET_TASK, GET_TASK_CHECK "incompatible vk. please check your params files or config files") },
	{ .name = "1.9 v4.2.0", .test = submit, .a = "{\"uuid\":\"u\",\"task_id\":\"0x1\",\"task_type\":1,\"status\":0,\"proof\":\"{}\",\"failure_type\":0,\"failure_msg\":\"\"}",
	    .strict = PROOF_OK },
	{ .name = "1.9 v4.3.76", .test = old_task, .a = "{\"hard_fork_name\":\"bernoulli\",\"task_type\":3,\"prover_height\":1}", .strict = TASK_OK },
	{ .name = "1.9 v4.3.85 / v4.4.0", .test = old_form, .a = "curie", .strict = ERR(COORD_E_JWT, AUTH_FAILED), .kind = { OK_ANSWER } },
	{ .name = "1.9 v4.4.10 - v4.4.23", .test = old_form, .a = "", .strict = ERR(COORD_E_JWT, AUTH_FAILED), .kind = { OK_ANSWER } },
	{ .name = "1.9 v4.4.10 get_task", .test = old_task, .a = "{\"hard_fork_name\":\"curie\",\"task_type\":3,\"vks\":[\"mock_vk\",\"mock_vk\"]}", .strict = TASK_OK },
	{ .name = "1.9 Rust prover 874d3f2f8", .test = old_form, .strict = ERR(COORD_E_JWT, AUTH_FAILED), .kind = { OK_ANSWER } },
	{ .name = "1.9 v4.4.37", .test = new_form, .a = "5", .b = "5", .strict = { OK_ANSWER } },
	{ .name = "1.9 v4.4.37 get_task", .test = old_task, .a = "{\"prover_height\":1,\"task_type\":3,\"task_types\":[3]}", .strict = TASK_OK },
	{ .name = "1.9 v4.4.40 - v4.4.45", .test = old_form, .b = ",\"prover_types\":[1],\"vks\":[\"mock_vk\"]", .strict = ERR(COORD_E_JWT, AUTH_FAILED),
	    .kind = { OK_ANSWER } },
	{ .name = "1.9 v4.4.47 - v4.4.70", .test = base64_types, .strict = { OK_ANSWER } },
	{ .name = "1.9 v4.4.71+", .test = not_shown, .a = "versions that begin with sdk: whether they are let in is open; table 2.5" },
	{ .name = "1.9 (c) six fields", .test = new_form, .a = "6", .b = "6", .strict = { OK_ANSWER } },
	{ .name = "1.9 (c) six named, five signed", .test = new_form, .a = "5", .b = "6", .strict = { OK_ANSWER } },
	{ .name = "1.9 five named, six signed", .test = new_form, .a = "6", .b = "5", .strict = ERR(COORD_E_JWT, AUTH_FAILED) },

	/* versions */
	{ .name = "2.5 the low fork's version", .test = version, .a = "v4.4.43-a-b-c", .strict = { OK_ANSWER } },
	{ .name = "2.5 the high fork's version", .test = version, .a = SERVER_VERSION, .strict = { OK_ANSWER } },
	{ .name = "2.5 without a build", .test = version, .a = "v4.4.45", .strict = { OK_ANSWER } },
	{ .name = "2.5 v4.4.45---", .test = version, .a = "v4.4.45---", .strict = { OK_ANSWER } },
	{ .name = "2.5 default of the SDK", .test = version, .a = "v0.0.0-unknown-000000-000000", .strict = ERR(COORD_E_JWT,
	    "check the login parameter failure: incompatible prover version. please upgrade your prover, minimum allowed version: *") },
	{ .name = "2.5 old SDK", .test = version, .a = "sdk-v1.0.0-x", .strict = ERR(COORD_E_JWT,
	    "check the login parameter failure: incompatible prover version. please upgrade your prover, minimum allowed version: *") },
	{ .name = "2.5 newer, but no fork's", .test = version, .a = "v4.4.46-a-b-c", .strict = ERR(COORD_E_JWT, "prover hard name failure:invalid prover prover_version:*") },
	{ .name = "2.5 +build", .test = version, .a = "v4.4.45+b", .strict = ERR(COORD_E_JWT, "prover hard name failure:invalid prover prover_version:*") },
	{ .name = "2.5 no v", .test = version, .a = "4.4.45-a-b-c", .strict = ERR(COORD_E_JWT, "prover hard name failure:invalid prover prover_version:*") },
	{ .name = "2.5 v4.4.045", .test = version, .a = "v4.4.045-a", .strict = ERR(COORD_E_JWT, "prover hard name failure:invalid prover prover_version:*") },
	{ .name = "2.5 capital V", .test = version, .a = "V4.4.45-a-b-c", .strict = ERR(COORD_E_JWT,
	    "check the login parameter failure: incompatible prover version. please upgrade your prover, minimum allowed version: *") },
	{ .name = "2.5 underscore", .test = version, .a = "v4.4.45-a_b", .strict = ERR(COORD_E_JWT,
	    "check the login parameter failure: incompatible prover version. please upgrade your prover, minimum allowed version: *") },
	{ .name = "2.5 a VK that is known", .test = vk, .a = "mock_vk", .strict = { OK_ANSWER } },

	/* proofs */
	{ .name = "5.3 1 no public key", .test = claims_submit, .a = ID_CLAIMS("\"prover_version\":\"v\""), .b = "{\"task_id\":\"0x1\",\"task_type\":1}",
	    .strict = ERR(COORD_E_PROOF, FAILED COORD_NO_KEY), .kind = EXPIRED },
	{ .name = "5.3 1 no prover version", .test = claims_submit, .a = ID_CLAIMS("\"public_key\":\"02\""), .b = "{\"task_id\":\"0x1\",\"task_type\":1}",
	    .strict = ERR(COORD_E_PROOF, FAILED COORD_NO_VERSION), .kind = EXPIRED },
	{ .name = "5.3 2", .test = unknown_uuid, .flags = NEEDS_TASKS, .strict = PROOF_OK },
	{ .name = "5.3 3", .test = twice, .flags = NEEDS_TASKS, .strict = ERR(COORD_E_PROOF, FAILED COORD_TWICE), .door = { OK_ANSWER } },
	{ .name = "5.3 3 timed out", .test = timed_out, .flags = STRICT_ONLY, .strict = ERR(COORD_E_PROOF, FAILED COORD_TWICE) },
	{ .name = "5.3 4", .test = failure_report, .flags = NEEDS_TASKS, .strict = ERR(COORD_E_PROOF, FAILED COORD_STATUS_NOT_OK), .door = { OK_ANSWER } },
	{ .name = "5.3 5", .test = not_shown, .a = "a time-out is told by row 3" },
	{ .name = "5.3 6", .test = not_shown, .a = "storing the proof does not show" },
	{ .name = "5.3 7", .test = proved_by_another, .flags = STRICT_ONLY, .strict = ERR(COORD_E_PROOF, FAILED COORD_ALREADY_PROVED) },
	{ .name = "5.3 8", .test = no_fork, .flags = NEEDS_TASKS, .strict = ERR(COORD_E_PROOF, FAILED COORD_NO_FORK), .door = { OK_ANSWER } },
	{ .name = "5.3 9 empty", .test = bad_shape, .a = "", .flags = NEEDS_TASKS, .strict = ERR(COORD_E_PROOF, FAILED "unexpected end of JSON input") },
	{ .name = "5.3 9 no JSON", .test = bad_shape, .a = "proof", .flags = NEEDS_TASKS,
	    .strict = ERR(COORD_E_PROOF, FAILED "invalid character 'p' looking for beginning of value"), .door = { OK_ANSWER } },
	{ .name = "5.3 9 another type", .test = bad_shape, .a = "[]", .flags = NEEDS_TASKS,
	    .strict = ERR(COORD_E_PROOF, FAILED "json: cannot unmarshal array into Go value of type message.ChunkProof"), .door = { OK_ANSWER } },
	{ .name = "5.3 9 no base64", .test = bad_shape, .a = "{\"proof\":\"!\"}", .flags = NEEDS_TASKS,
	    .strict = ERR(COORD_E_PROOF, FAILED "illegal base64 data at input byte 0"), .door = { OK_ANSWER } },
	{ .name = "5.3 10 invalid", .test = invalid_proof, .flags = NEEDS_TASKS, .strict = ERR(COORD_E_PROOF, FAILED COORD_INVALID_PROOF), .door = { OK_ANSWER } },
	{ .name = "5.3 10 verifier error", .test = not_shown, .a = "its verifier does not fail" },
	{ .name = "5.3 11", .test = not_shown, .a = "there is no data base to fail" },
	{ .name = "5.3 12", .test = accepted, .flags = NEEDS_TASKS, .strict = { OK_ANSWER } },
};

/* --- running them ------------------------------------------------------------------------------------- */

static void
run_row(void **state)
{
	static const uint8_t seed[32] = { 1 };
	const struct row *r = *state;
	struct visit v = { .server = &servers[0] };
	struct buf key = { 0 };

	coord_identity(seed, r->test == blocked ? BLOCKED_KEY : ++identities, &v.key);
	coord_key_text(&v.key, &key);
	snprintf(v.key_text, sizeof v.key_text, "%s", buf_cstr(&key));
	buf_free(&key);
	server_work(v.server, 1);
	r->test(&v, r);
	buf_free(&v.challenge);
	buf_free(&v.token);
	coord_task_free(&v.task);
	response_free(&v.response);
}

static int
stop_other(void **state)
{
	if (servers[1].type)
		server_stop(&servers[1]);
	return 0;
}

static bool
is_for(const struct row *r, const struct server_type *type)
{
	if (r->test == not_shown)
		return type == server_types;	/* said once */
	if ((r->flags & STRICT_ONLY) && type->kind)
		return false;
	return !((r->flags & NEEDS_TASKS) && !type->has_tasks) && !((r->flags & NEEDS_HTTP) && !type->is_http);
}

static int
run_all(const struct server_type *type, const char *blocked_key)
{
	struct CMUnitTest tests[NELEM(rows)];
	size_t n = 0;

	for (size_t i = 0; i < NELEM(rows); i++)
		if (is_for(&rows[i], type))
			tests[n++] = (struct CMUnitTest){ .name = xprintf("%s: %s", type->name, rows[i].name), .test_func = run_row,
			    .teardown_func = stop_other, .initial_state = (void *)(uintptr_t)&rows[i] };
	servers[0].blocked = blocked_key;
	server_start(&servers[0], type, NULL);
	int failed = _cmocka_run_group_tests(type->name, tests, n, NULL, NULL);
	server_stop(&servers[0]);
	for (size_t i = 0; i < n; i++)
		free((void *)(uintptr_t)tests[i].name);
	return failed;
}

int
main(void)
{
	static const uint8_t seed[32] = { 1 };
	struct ecsig_key key;
	struct buf text = { 0 };
	int failed = 0;

	coord_identity(seed, BLOCKED_KEY, &key);
	coord_key_text(&key, &text);
	for (const struct server_type *t = server_types; t->name; t++)
		failed += run_all(t, buf_cstr(&text));
	buf_free(&text);
	return failed != 0;
}
