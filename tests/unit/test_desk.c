/* test_desk.c - the front of a Coordinator: signing in, what goes on to others, and each kindness beside the
 * strict answer it replaces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/desk.h"
#include "common/hash.h"
#include "common/json.h"
#include "common/jwt.h"
#include "common/num.h"
#include "common/rlp.h"

#define JSON "application/json"
#define NOW 1700000000000
#define VERSION "v4.4.45-37af5ef5-38a68e2-1c5093c"

static const struct desk_version versions[] = {
	{ "v4.4.45", "darwinV2,darwin" }, { "v4.1.0", "shanghai" }, { NULL, NULL },
};
static const char *const chunk_vks[] = { "vk_c", NULL }, *const batch_vks[] = { "vk_b", NULL }, *const bundle_vks[] = { "vk_u", NULL };

struct visit {
	struct desk		 desk;
	struct ecsig_key	 key;
	struct desk_call	 call;
	struct desk_reply	 reply;
	struct coord_answer	 answer;
	struct coord_token	 token;
	uint64_t		 now;
};

static void
open_desk(struct visit *v, bool kind)
{
	uint8_t seed[32] = { 5 };

	*v = (struct visit){ .now = NOW };
	desk_init(&v->desk, &(struct desk_opts){ .secret = SPAN("s"), .challenge_life_s = 60, .login_life_s = 3600,
	    .min_version = "v4.1.0", .own_version = "v4.4.70-0-38a68e2-0", .versions = versions, .kind = kind,
	    .vks = { [TYPE_CHUNK] = chunk_vks, [TYPE_BATCH] = batch_vks, [TYPE_BUNDLE] = bundle_vks } });
	coord_identity(seed, 0, &v->key);
}

static void
tidy(struct visit *v)
{
	desk_call_free(&v->call);
	desk_reply_free(&v->reply);
}

static void
close_desk(struct visit *v)
{
	tidy(v);
	coord_token_free(&v->token);
	desk_free(&v->desk);
}

static enum desk_next
ask(struct visit *v, const char *method, const char *path, struct span token, struct span body)
{
	char *bearer = token.n ? xprintf("Bearer %.*s", SPAN_ARG(token)) : NULL;

	tidy(v);
	enum desk_next next = desk_take(&v->desk, &(struct desk_ask){ .method = method, .path = path, .content_type = JSON,
	    .authorization = bearer, .body = body }, v->now, &v->call, &v->reply);
	free(bearer);
	return next;
}

static enum desk_next
ask_task(struct visit *v, struct span token, const char *body)
{
	return ask(v, "POST", coord_path(COORD_GET_TASK), token, span_str(body));
}

static void
assert_answer(struct visit *v, int errcode, const char *text)
{
	char why[128];
	struct json *j = json_parse(SPAN_OF(&v->reply.body), 1 << 20, why);
	int64_t code = -1;

	assert_int_equal(v->reply.status, 200);
	assert_true(json_i64(json_get(j, "errcode"), &code));
	if (code != errcode || !span_is(json_str(j, "errmsg"), text))
		fail_msg("not %d %s: %s", errcode, text, buf_cstr(&v->reply.body));
	json_free(&j);
}

static void
get_challenge(struct visit *v)
{
	assert_int_equal(ask(v, "GET", coord_path(COORD_CHALLENGE), (struct span){ 0 }, (struct span){ 0 }), DESK_ANSWERED);
	coord_token_free(&v->token);
	assert_int_equal(coord_read_token(200, SPAN_OF(&v->reply.body), &v->answer, &v->token), COORD_DONE);
}

static void
begin_login(struct visit *v, struct coord_login *l, bool has_provider)
{
	get_challenge(v);
	*l = (struct coord_login){ .has_provider = has_provider, .provider = 1 };
	buf_put(&l->challenge, v->token.text.p, v->token.text.n);
	buf_puts(&l->version, VERSION);
	buf_puts(&l->name, "prover");
}

/* Post it as it is; the token is kept when there is one. */
static bool
post_login(struct visit *v, const struct coord_login *l)
{
	struct coord_request r;

	coord_ask_login(&r, l);
	assert_int_equal(ask(v, "POST", coord_path(COORD_LOGIN), SPAN_OF(&l->challenge), SPAN_OF(&r.body)), DESK_ANSWERED);
	coord_request_free(&r);
	coord_token_free(&v->token);
	return coord_read_token(v->reply.status, SPAN_OF(&v->reply.body), &v->answer, &v->token) == COORD_DONE;
}

static bool
log_in(struct visit *v, bool has_provider, void (*change)(struct coord_login *))
{
	struct coord_login l;

	begin_login(v, &l, has_provider);
	if (change)
		change(&l);
	coord_login_sign(&l, &v->key);
	bool ok = post_login(v, &l);
	coord_login_free(&l);
	return ok;
}

static bool
listens(struct visit *v, const char *method, const char *path, struct span token)
{
	char *bearer = token.n ? xprintf("Bearer %.*s", SPAN_ARG(token)) : NULL;
	bool yes = desk_listens(&v->desk, &(struct desk_ask){ .method = method, .path = path, .authorization = bearer }, v->now);

	free(bearer);
	return yes;
}

/* As provers before v4.4.37 sign: 3 fields, or 4 with a fork, and no key. */
static bool
old_log_in(struct visit *v, const char *fork, const char *more)
{
	struct buf items = { 0 }, list = { 0 }, body = { 0 };
	uint8_t digest[HASH_BYTES], sig[ECSIG_BYTES];

	get_challenge(v);
	rlp_put_str(&items, SPAN("old"));
	rlp_put_str(&items, SPAN("v4.1.0-a-b-c"));
	rlp_put_str(&items, SPAN_OF(&v->token.text));
	if (fork)
		rlp_put_str(&items, span_str(fork));
	rlp_put_list(&list, SPAN_OF(&items));
	keccak256(SPAN_OF(&list), digest);
	ecsig_sign(&v->key, digest, sig);
	buf_printf(&body, "{\"message\":{\"challenge\":\"%.*s\",\"prover_name\":\"old\",\"prover_version\":\"v4.1.0-a-b-c\"%s},\"signature\":\"",
	    SPAN_ARG(SPAN_OF(&v->token.text)), more);
	num_put_hex(&body, (struct span){ sig, sizeof sig });
	buf_puts(&body, "\"}");
	ask(v, "POST", coord_path(COORD_LOGIN), SPAN_OF(&v->token.text), SPAN_OF(&body));
	coord_token_free(&v->token);
	bool ok = coord_read_token(v->reply.status, SPAN_OF(&v->reply.body), &v->answer, &v->token) == COORD_DONE;
	buf_free(&items);
	buf_free(&list);
	buf_free(&body);
	return ok;
}

static void
assert_is_prover(struct visit *v)
{
	struct buf key = { 0 };

	coord_key_text(&v->key, &key);
	assert_int_equal(ask_task(v, SPAN_OF(&v->token.text), "{}"), DESK_TASK);
	assert_true(span_eq(SPAN_OF(&v->call.claims.public_key), SPAN_OF(&key)));
	buf_free(&key);
}

/* A token with these claims, signed as the desk signs. */
static void
forge(struct visit *v, const char *claims)
{
	coord_token_free(&v->token);
	jwt_make(&v->token.text, span_str(claims), SPAN("s"));
}

/* --- both desks --------------------------------------------------------------------- */

static void
a_prover_signs_in_asks_and_brings_a_proof(void **state)
{
	struct visit v;

	for (int kind = 0; kind < 2; kind++) {
		open_desk(&v, kind);
		assert_true(log_in(&v, kind, NULL));
		assert_int_equal(v.token.life_s, 3600);
		assert_int_equal(ask_task(&v, SPAN_OF(&v.token.text), "{\"task_types\":[2],\"prover_height\":7}"), DESK_TASK);
		assert_int_equal(v.call.want.types[0], 2);
		assert_int_equal(v.call.want.height, 7);
		assert_string_equal(buf_cstr(&v.call.claims.fork), "darwinV2,darwin");
		char body[] = "{\"uuid\":\"u\",\"task_id\":\"0x1\",\"task_type\":1,\"proof\":\"{}\"}";
		assert_int_equal(ask(&v, "POST", coord_path(COORD_SUBMIT), SPAN_OF(&v.token.text), SPAN(body)), DESK_PROOF);
		memset(body, 'x', sizeof body - 1);
		assert_string_equal(buf_cstr(&v.call.proof.uuid), "u");
		assert_string_equal(buf_cstr(&v.call.proof.proof), "{}");
		assert_string_equal(buf_cstr(&v.call.claims.name), "prover");
		assert_int_equal(v.desk.logins, 1);
		close_desk(&v);
	}
}

/* A challenge is heard at login, a login's token where tasks are; all of it only while the token is good. */
static void
only_a_good_token_is_listened_to(void **state)
{
	static const struct { const char *method, *path; bool challenge, login; } rows[] = {
		{ "GET", "/coordinator/v1/challenge", false, false },
		{ "POST", "/coordinator/v1/login", false, false },	/* anybody has a challenge */
		{ "POST", "/coordinator/v1/get_task", false, true },
		{ "POST", "/coordinator/v1/submit_proof", false, true },
		{ "POST", "/coordinator/v1/nothing", false, false },
	};
	struct visit v;

	open_desk(&v, true);
	get_challenge(&v);
	char *challenge = xstrdup(buf_cstr(&v.token.text));
	assert_true(log_in(&v, true, NULL));
	for (size_t i = 0; i < NELEM(rows); i++) {
		assert_int_equal(listens(&v, rows[i].method, rows[i].path, span_str(challenge)), rows[i].challenge);
		assert_int_equal(listens(&v, rows[i].method, rows[i].path, SPAN_OF(&v.token.text)), rows[i].login);
		assert_false(listens(&v, rows[i].method, rows[i].path, (struct span){ 0 }));
		assert_false(listens(&v, rows[i].method, rows[i].path, SPAN("a.b.c")));
	}
	v.now += 3600 * 1000;
	assert_false(listens(&v, "POST", coord_path(COORD_SUBMIT), SPAN_OF(&v.token.text)));
	free(challenge);
	close_desk(&v);
}

static void
paths_are_routed_as_gin_routes_them(void **state)
{
	static const struct {
		const char *method, *path, *type, *location, *body;
		unsigned status;
	} cases[] = {
		{ "GET", "/coordinator/v1/challenge/", "text/html; charset=utf-8", "/coordinator/v1/challenge",
		    "<a href=\"/coordinator/v1/challenge\">Moved Permanently</a>.\n\n", 301 },
		{ "POST", "/coordinator/v1/login/", NULL, "/coordinator/v1/login", "", 307 },
		{ "POST", "/coordinator/v1/get_task/", NULL, "/coordinator/v1/get_task", "", 307 },
		{ "POST", "/coordinator/v1/submit_proof/", NULL, "/coordinator/v1/submit_proof", "", 307 },
		{ "GET", "/coordinator/v1/login/", "text/plain", NULL, "404 page not found", 404 },
		{ "GET", "/coordinator/v1/login", "text/plain", NULL, "404 page not found", 404 },
		{ "HEAD", "/coordinator/v1/challenge", "text/plain", NULL, "404 page not found", 404 },
		{ "GET", "//coordinator/v1/challenge", "text/plain", NULL, "404 page not found", 404 },
		{ "GET", "/coordinator/v1/challenge//", "text/plain", NULL, "404 page not found", 404 },
		{ "GET", "/coordinator/v1/CHALLENGE", "text/plain", NULL, "404 page not found", 404 },
		{ "GET", "/", "text/plain", NULL, "404 page not found", 404 },
		{ "GET", "", "text/plain", NULL, "404 page not found", 404 },
		{ "GET", "http://x", "text/plain", NULL, "404 page not found", 404 },
	};
	struct visit v;

	open_desk(&v, false);
	for (size_t i = 0; i < NELEM(cases); i++) {
		assert_int_equal(ask(&v, cases[i].method, cases[i].path, (struct span){ 0 }, (struct span){ 0 }), DESK_ANSWERED);
		assert_int_equal(v.reply.status, cases[i].status);
		assert_string_equal(v.reply.content_type ? v.reply.content_type : "", cases[i].type ? cases[i].type : "");
		assert_string_equal(v.reply.location ? v.reply.location : "", cases[i].location ? cases[i].location : "");
		assert_string_equal(buf_cstr(&v.reply.body), cases[i].body);
	}
	ask(&v, "GET", "http://x/coordinator/v1/challenge", (struct span){ 0 }, (struct span){ 0 });
	assert_int_equal(coord_read_token(v.reply.status, SPAN_OF(&v.reply.body), &v.answer, &v.token), COORD_DONE);
	close_desk(&v);
}

/* HTTP takes blanks behind a header's value away; where the server does not, we do. */
static void
blanks_behind_a_token_are_none_of_it(void **state)
{
	struct visit v;
	struct coord_login l;
	struct coord_request r;

	open_desk(&v, false);
	begin_login(&v, &l, false);
	coord_login_sign(&l, &v.key);
	coord_ask_login(&r, &l);
	char *bearer = xprintf("Bearer %s  ", buf_cstr(&l.challenge));
	tidy(&v);
	assert_int_equal(desk_take(&v.desk, &(struct desk_ask){ .method = "POST", .path = coord_path(COORD_LOGIN), .content_type = JSON,
	    .authorization = bearer, .body = SPAN_OF(&r.body) }, v.now, &v.call, &v.reply), DESK_ANSWERED);
	assert_int_equal(v.reply.text, COORD_T_OK);
	assert_int_equal(v.desk.logins, 1);
	free(bearer);
	coord_request_free(&r);
	coord_login_free(&l);
	close_desk(&v);
}

static void
headers_say_what_the_reply_has(void **state)
{
	struct desk_headers h;
	struct desk_reply r = { .authenticate = true, .location = "/x", .retry_after_s = 5 };

	const char *const *list = desk_headers(&r, &h);
	assert_string_equal(list[0], "Www-Authenticate: JWT realm=gin jwt");
	assert_string_equal(list[1], "Location: /x");
	assert_string_equal(list[2], "Retry-After: 5");
	assert_null(list[3]);
	assert_null(desk_headers(&DESK_REPLY, &h)[0]);
}

static void
a_token_is_looked_for_in_header_query_and_cookie(void **state)
{
	static const char *const cookies[] = { "jwt=%s", "a=b; jwt=%s", "xjwt=1; jwt=%s; c=d" };
	struct visit v;
	char text[2048];

	open_desk(&v, false);
	assert_true(log_in(&v, false, NULL));
	struct desk_ask a = { .method = "POST", .path = coord_path(COORD_GET_TASK), .content_type = JSON, .body = SPAN("{}") };
	for (size_t i = 0; i < NELEM(cookies); i++) {
		tidy(&v);
		char *before = strstr(cookies[i], "%s") ? xprintf("%.*s", (int)(strstr(cookies[i], "%s") - cookies[i]), cookies[i]) : NULL;
		snprintf(text, sizeof text, "%s%s%s", before, buf_cstr(&v.token.text), strstr(cookies[i], "%s") + 2);
		a.cookies = text;
		assert_int_equal(desk_take(&v.desk, &a, v.now, &v.call, &v.reply), DESK_TASK);
		free(before);
	}
	tidy(&v);
	a.cookies = "xjwt=1";
	assert_int_equal(desk_take(&v.desk, &a, v.now, &v.call, &v.reply), DESK_ANSWERED);
	assert_answer(&v, COORD_E_JWT, "cookie token is empty");
	tidy(&v);
	a.query_token = buf_cstr(&v.token.text);
	assert_int_equal(desk_take(&v.desk, &a, v.now, &v.call, &v.reply), DESK_TASK);
	close_desk(&v);
}

static void
challenges_are_forgotten_when_they_have_expired(void **state)
{
	struct visit v;

	open_desk(&v, true);
	for (int i = 0; i < 20; i++, v.now += 10000)
		assert_true(log_in(&v, false, NULL));
	assert_in_range(v.desk.nused, 6, 7);
	v.now += 60000;
	assert_true(log_in(&v, false, NULL));
	assert_int_equal(v.desk.nused, 1);
	assert_int_equal(v.desk.used.n, 1);
	close_desk(&v);
}

/* --- each kindness, and the strict answer beside it ------------------------------------ */

static void
kind_token(struct visit *strict, struct visit *kind)
{
	static const struct {
		const char *claims;		/* NULL: no token; "": not a token */
		int errcode;
		const char *text;
	} cases[] = {
		{ NULL, COORD_E_JWT, "cookie token is empty" },
		{ "", COORD_E_JWT, "token contains an invalid number of segments" },
		{ "{\"exp\":1}", COORD_E_EXPIRED, "token is expired" },
		{ "{}", COORD_E_JWT, "missing exp field" },
	};
	struct visit *both[] = { strict, kind };

	for (size_t i = 0; i < NELEM(cases); i++)
		for (int k = 0; k < 2; k++) {
			if (cases[i].claims && *cases[i].claims)
				forge(both[k], cases[i].claims);
			else
				coord_token_free(&both[k]->token);
			struct span token = cases[i].claims && !*cases[i].claims ? SPAN("abc") : SPAN_OF(&both[k]->token.text);
			assert_int_equal(ask_task(both[k], token, "{}"), DESK_ANSWERED);
			assert_answer(both[k], k ? COORD_E_EXPIRED : cases[i].errcode, k ? "token is expired" : cases[i].text);
			assert_int_equal(ask(both[k], "POST", coord_path(COORD_SUBMIT), token, SPAN("{}")), DESK_ANSWERED);
			assert_answer(both[k], k ? COORD_E_EXPIRED : cases[i].errcode, k ? "token is expired" : cases[i].text);
		}
	/* a challenge is no login */
	for (int k = 0; k < 2; k++) {
		get_challenge(both[k]);
		assert_int_equal(ask_task(both[k], SPAN_OF(&both[k]->token.text), "{}"), k ? DESK_ANSWERED : DESK_TASK);
	}
	assert_answer(kind, COORD_E_EXPIRED, "token is expired");
	/* and the challenge of a login is judged as ever */
	ask(kind, "POST", coord_path(COORD_LOGIN), SPAN("abc"), SPAN("{}"));
	assert_answer(kind, COORD_E_JWT, "token contains an invalid number of segments");
	/* a fresh token is good, to its last second */
	assert_true(log_in(kind, false, NULL));
	kind->now += 3599999;
	assert_int_equal(ask_task(kind, SPAN_OF(&kind->token.text), "{}"), DESK_TASK);
}

static void
kind_repeat(struct visit *strict, struct visit *kind)
{
	struct visit *both[] = { strict, kind };

	for (int k = 0; k < 2; k++) {
		struct visit *v = both[k];
		struct coord_login l;
		begin_login(v, &l, false);
		coord_login_sign(&l, &v->key);
		assert_true(post_login(v, &l));
		char *first = xstrdup(buf_cstr(&v->reply.body)), *used = xprintf(
		    "login insert challenge string failure:the challenge string:%s have been used", buf_cstr(&l.challenge));
		for (char *c = used; *c; c++)
			*c = *c >= 'A' && *c <= 'Z' ? *c | 0x20 : *c;
		v->now += 5000;
		assert_int_equal(post_login(v, &l), k);
		if (k)
			assert_string_equal(buf_cstr(&v->reply.body), first);
		else
			assert_answer(v, COORD_E_JWT, used);
		buf_puts(&l.name, "x");
		coord_login_sign(&l, &v->key);
		assert_false(post_login(v, &l));
		assert_answer(v, COORD_E_JWT, used);
		assert_int_equal(v->desk.logins, 1);
		free(first);
		free(used);
		coord_login_free(&l);
	}
}

static void
kind_old_login(struct visit *strict, struct visit *kind)
{
	assert_false(old_log_in(strict, NULL, ""));
	assert_answer(strict, COORD_E_JWT, "check the login parameter failure: auth message verify failure");
	assert_true(old_log_in(kind, NULL, ""));
	assert_is_prover(kind);
	assert_string_equal(buf_cstr(&kind->call.claims.fork), "shanghai");
	assert_true(old_log_in(kind, NULL, ",\"hard_fork_name\":\"\""));
	assert_is_prover(kind);
	assert_true(old_log_in(kind, "curie", ",\"hard_fork_name\":\"curie\""));
	assert_is_prover(kind);
	assert_true(old_log_in(kind, NULL, ",\"vk\":\"any\""));
	assert_is_prover(kind);
	assert_true(log_in(kind, true, NULL));
	assert_is_prover(kind);
	assert_true(log_in(kind, false, NULL));
	assert_is_prover(kind);
}

static void
kind_old_task(struct visit *strict, struct visit *kind)
{
	assert_true(log_in(strict, false, NULL));
	assert_int_equal(ask_task(strict, SPAN_OF(&strict->token.text), "{\"task_type\":2,\"vk\":\"vk_x\"}"), DESK_TASK);
	assert_int_equal(strict->call.want.ntypes, 0);
	assert_true(log_in(kind, false, NULL));
	assert_int_equal(ask_task(kind, SPAN_OF(&kind->token.text), "{\"task_type\":2,\"vk\":\"vk_b\"}"), DESK_TASK);
	assert_int_equal(kind->call.want.ntypes, 1);
	assert_int_equal(kind->call.want.types[0], 2);
	assert_int_equal(ask_task(kind, SPAN_OF(&kind->token.text), "{\"task_type\":1,\"vks\":[\"vk_c\",\"vk_b\"]}"), DESK_ANSWERED);
	assert_answer(kind, COORD_E_GET_TASK,
	    "return prover task err:check prover task parameter failed, error:incompatible vk. please check your params files or config files");
}

static void
kind_all_types(struct visit *strict, struct visit *kind)
{
	assert_true(log_in(strict, false, NULL));
	assert_int_equal(ask_task(strict, SPAN_OF(&strict->token.text), "{\"task_types\":[3,9,3,258]}"), DESK_TASK);
	assert_int_equal(strict->call.want.ntypes, 4);
	assert_true(log_in(kind, false, NULL));
	assert_int_equal(ask_task(kind, SPAN_OF(&kind->token.text), "{\"task_types\":[3,9,3,258]}"), DESK_TASK);
	assert_int_equal(kind->call.want.ntypes, 2);
	assert_int_equal(kind->call.want.types[0], 3);
	assert_int_equal(kind->call.want.types[1], 2);
	assert_int_equal(ask_task(kind, SPAN_OF(&kind->token.text), "null"), DESK_TASK);
	assert_int_equal(kind->call.want.ntypes, 3);
	assert_int_equal(ask_task(kind, SPAN_OF(&kind->token.text), "{\"task_types\":[-1,0]}"), DESK_ANSWERED);
	assert_answer(kind, COORD_E_PARAMETER, "parameter wrong proof type:illegal proof type: 255");
}

static void
name_openvm(struct coord_login *l)
{
	buf_putc(&l->types, 3);
	l->vks = xzalloc(sizeof *l->vks);
	buf_puts(&l->vks[l->nvks++], "vk_u");
}

static void
kind_any_prover(struct visit *strict, struct visit *kind)
{
	assert_false(log_in(strict, true, name_openvm));
	assert_answer(strict, COORD_E_JWT, "check the login parameter failure: incompatible vk. please check your params files or config files");
	assert_true(log_in(kind, true, name_openvm));
}

static bool
log_in_in_capitals(struct visit *v)
{
	struct coord_login l;

	begin_login(v, &l, false);
	coord_login_sign(&l, &v->key);
	for (size_t i = 0; i < l.public_key.n; i++)
		if (l.public_key.p[i] >= 'a')
			l.public_key.p[i] &= (uint8_t)~0x20;
	bool ok = post_login(v, &l);
	coord_login_free(&l);
	return ok;
}

static void
kind_lower_case(struct visit *strict, struct visit *kind)
{
	struct buf key = { 0 };

	coord_key_text(&strict->key, &key);
	assert_true(log_in_in_capitals(strict));
	assert_int_equal(ask_task(strict, SPAN_OF(&strict->token.text), "{}"), DESK_TASK);
	assert_false(span_eq(SPAN_OF(&strict->call.claims.public_key), SPAN_OF(&key)));
	assert_true(log_in_in_capitals(kind));
	assert_is_prover(kind);
	buf_free(&key);
}

static void
kind_no_panic(struct visit *strict, struct visit *kind)
{
	struct visit *both[] = { strict, kind };

	for (int k = 0; k < 2; k++) {
		struct coord_login l;
		begin_login(both[k], &l, false);
		coord_login_sign(&l, &both[k]->key);
		buf_reset(&l.signature);
		buf_puts(&l.signature, "0x");
		assert_false(post_login(both[k], &l));
		coord_login_free(&l);
		if (k) {
			assert_answer(kind, COORD_E_JWT, "check the login parameter failure: auth message verify failure");
		} else {
			assert_int_equal(strict->reply.status, 500);
			assert_null(strict->reply.content_type);
			assert_int_equal(strict->reply.body.n, 0);
		}
		forge(both[k], "{\"exp\":9999999999,\"public_key\":5}");
		ask_task(both[k], SPAN_OF(&both[k]->token.text), "{}");
		assert_int_equal(both[k]->reply.status, k ? 200 : 500);
	}
}

static void
name_nul(struct coord_login *l)
{
	buf_put(&l->name, "\0x", 2);
}

static void
kind_no_nul(struct visit *strict, struct visit *kind)
{
	assert_true(log_in(strict, false, name_nul));
	assert_false(log_in(kind, false, name_nul));
	assert_answer(kind, COORD_E_JWT, "check the login parameter failure: prover name has a nul inside");
}

static void
kind_admission(struct visit *strict, struct visit *kind)
{
	static const char *const nobody[] = { NULL };
	struct visit *both[] = { strict, kind };
	struct buf key = { 0 };

	coord_key_text(&kind->key, &key);
	const char *one[] = { buf_cstr(&key), NULL };
	for (int blocked = 0; blocked < 2; blocked++)
		for (int k = 0; k < 2; k++) {
			struct visit *v = both[k];
			v->desk.opts.admitted = v->desk.opts.blocked = NULL;
			assert_true(log_in(v, false, NULL));
			v->desk.opts.admitted = blocked ? one : nobody;
			v->desk.opts.blocked = blocked ? one : NULL;
			assert_int_equal(ask_task(v, SPAN_OF(&v->token.text), "{}"), k ? DESK_ANSWERED : DESK_TASK);
			assert_int_equal(ask(v, "POST", coord_path(COORD_SUBMIT), SPAN_OF(&v->token.text),
			    SPAN("{\"uuid\":\"u\",\"task_id\":\"0x1\",\"task_type\":1}")), DESK_PROOF);
			assert_int_equal(log_in(v, false, NULL), !k);
		}
	kind->desk.opts.admitted = one;
	kind->desk.opts.blocked = NULL;
	assert_true(log_in(kind, false, NULL));
	buf_free(&key);
}

static void
a_kind_desk_differs_where_it_says_so(void **state)
{
	static void (*const cases[DESK_KIND_MAX])(struct visit *, struct visit *) = {
		[DESK_KIND_TOKEN] = kind_token, [DESK_KIND_REPEAT] = kind_repeat, [DESK_KIND_OLD_LOGIN] = kind_old_login,
		[DESK_KIND_OLD_TASK] = kind_old_task, [DESK_KIND_ALL_TYPES] = kind_all_types,
		[DESK_KIND_ANY_PROVER] = kind_any_prover, [DESK_KIND_LOWER_CASE] = kind_lower_case,
		[DESK_KIND_NO_PANIC] = kind_no_panic, [DESK_KIND_NO_NUL] = kind_no_nul, [DESK_KIND_ADMISSION] = kind_admission,
	};
	struct visit strict, kind;

	for (int i = 0; i < DESK_KIND_MAX; i++) {
		print_message("%s\n", desk_kindness((enum desk_kindness)i));
		open_desk(&strict, false);
		open_desk(&kind, true);
		cases[i](&strict, &kind);
		close_desk(&strict);
		close_desk(&kind);
	}
}

/* --- settings of a desk ------------------------------------------------------------------ */

static void
versions_and_vks_may_be_left_open(void **state)
{
	static const struct desk_version any[] = { { "v4.4.45", "darwin" }, { "*", "feynman" }, { NULL, NULL } };
	struct visit v;

	open_desk(&v, true);
	v.desk.opts.versions = any;
	v.desk.opts.min_version = NULL;
	memset(v.desk.opts.vks, 0, sizeof v.desk.opts.vks);
	struct coord_login l;
	begin_login(&v, &l, true);
	buf_reset(&l.version);
	buf_puts(&l.version, "sdk-v1.0.0-x");
	name_openvm(&l);
	coord_login_sign(&l, &v.key);
	assert_true(post_login(&v, &l));
	assert_int_equal(ask_task(&v, SPAN_OF(&v.token.text), "{}"), DESK_TASK);
	assert_string_equal(buf_cstr(&v.call.claims.fork), "feynman");
	coord_login_free(&l);
	close_desk(&v);
}

static void
a_repeat_whose_token_is_over_gets_a_fresh_one(void **state)
{
	struct visit v;
	struct coord_login l;

	open_desk(&v, true);
	v.desk.opts.login_life_s = 5;
	begin_login(&v, &l, false);
	coord_login_sign(&l, &v.key);
	assert_true(post_login(&v, &l));
	v.now += 6000;
	assert_true(post_login(&v, &l));
	assert_int_equal(ask_task(&v, SPAN_OF(&v.token.text), "{}"), DESK_TASK);
	coord_login_free(&l);
	close_desk(&v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_prover_signs_in_asks_and_brings_a_proof),
		cmocka_unit_test(only_a_good_token_is_listened_to),
		cmocka_unit_test(paths_are_routed_as_gin_routes_them),
		cmocka_unit_test(blanks_behind_a_token_are_none_of_it),
		cmocka_unit_test(headers_say_what_the_reply_has),
		cmocka_unit_test(a_token_is_looked_for_in_header_query_and_cookie),
		cmocka_unit_test(challenges_are_forgotten_when_they_have_expired),
		cmocka_unit_test(a_kind_desk_differs_where_it_says_so),
		cmocka_unit_test(versions_and_vks_may_be_left_open),
		cmocka_unit_test(a_repeat_whose_token_is_over_gets_a_fresh_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
