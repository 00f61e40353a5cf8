/* coordinator.c - the Coordinator of prova-devnet.  See coordinator.h. */
#include "cmd/devnet/coordinator.h"

#include "cmd/devnet/verifier.h"
#include "common/clock.h"
#include "common/coord.h"
#include "common/jwt.h"
#include "common/random.h"

#define OWN_VERSION	"v4.4.70-000000-000000-000000"
#define MIN_VERSION	"v4.4.43"
#define VK		"mock_vk"

enum { REFUSALS_MAX = 64, REFUSAL_CHARS = 120 };

/* A prover's version, up to its first dash, says which forks it proves. */
static const struct {
	const char	*version, *forks;
} forks[] = {
	{ "v4.4.45", "darwinV2,darwin" },
	{ "v4.4.43", "darwin" },
};

void
coordinator_init(struct coordinator *c, const struct coordinator_opts *opts, struct tasks *tasks, uint64_t seed)
{
	*c = (struct coordinator){ .opts = *opts, .tasks = tasks, .dice = seed };
}

void
coordinator_free(struct coordinator *c)
{
	char *challenge;

	for (size_t at = 0; (challenge = map_next(&c->used, &at)); )
		free(challenge);
	map_free(&c->used);
	for (size_t i = 0; i < c->nrefusals; i++)
		free(c->refusals[i].text);
	free(c->refusals);
}

/* --- saying ----------------------------------------------------------------------- */

/* What a refusal is counted as: its text without keys, versions and offsets. */
static struct span
refusal_name(enum coord_text text, const char *inserted)
{
	static const char *const names[] = {
#define X(name, errcode, format) [COORD_T_##name] = #name,
		COORD_TEXTS(X)
#undef X
	};
	const char *is = strstr(inserted, " is ");

	if (text == COORD_T_TASK_CHECK && is)
		return (struct span){ (const uint8_t *)is + 1, strcspn(is + 1, ".") };
	if (text == COORD_T_SUBMIT_FAILED)
		return (struct span){ (const uint8_t *)inserted, MIN2(strlen(inserted), (size_t)REFUSAL_CHARS) };
	return span_str(names[text]);
}

static void
count_refusal(struct coordinator *c, struct span name)
{
	for (size_t i = 0; i < c->nrefusals; i++)
		if (span_is(name, c->refusals[i].text) || i == REFUSALS_MAX) {
			c->refusals[i].n++;
			return;
		}
	c->refusals = xrealloc(c->refusals, (c->nrefusals + 1) * sizeof *c->refusals);
	c->refusals[c->nrefusals].text = c->nrefusals == REFUSALS_MAX ? xstrdup("others") : xprintf("%.*s", SPAN_ARG(name));
	c->refusals[c->nrefusals++].n = 1;
}

static void
refuse(struct coordinator *c, struct reply *r, enum coord_text text, const char *inserted)
{
	coord_put_refusal(&r->body, text, inserted);
	r->authenticate = text >= COORD_T_LOGIN_BINDER;
	if (text == COORD_T_TASK_EMPTY)
		c->idle++;
	else
		count_refusal(c, refusal_name(text, inserted));
}

static void
refuse_printf(struct coordinator *c, struct reply *r, enum coord_text text, const char *fmt, ...) PRINTF(4, 5);

static void
refuse_printf(struct coordinator *c, struct reply *r, enum coord_text text, const char *fmt, ...)
{
	char inserted[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(inserted, sizeof inserted, fmt, ap);
	va_end(ap);
	refuse(c, r, text, inserted);
}

/* What the Go program does when it runs into the wall. */
static void
panic(struct reply *r)
{
	r->status = 500;
	r->content_type = NULL;
}

/* --- tokens ------------------------------------------------------------------------ */

static void
give_token(struct coordinator *c, struct reply *r, struct span claims, uint64_t wall_ms)
{
	struct buf token = { 0 };

	jwt_make(&token, claims, span_str(c->opts.secret));
	coord_put_token(&r->body, SPAN_OF(&token), (wall_ms + c->opts.life_s * 1000) * 1000000);
	buf_free(&token);
}

/* The claims' JSON of a good token; false: refused. */
static bool
guard(struct coordinator *c, const struct ask *a, struct reply *r, struct buf *claims)
{
	struct span token = coord_bearer(a->authorization, a->query_token, a->cookie_token);
	struct buf why = { 0 };
	enum jwt_verdict verdict = JWT_BAD;

	if (token.n)
		verdict = jwt_verify(token, span_str(c->opts.secret), clock_wall_ms() / 1000, claims, &why);
	else
		buf_puts(&why, "cookie token is empty");
	if (verdict == JWT_EXPIRED)
		refuse(c, r, COORD_T_TOKEN_EXPIRED, "");
	else if (verdict != JWT_OK)
		refuse(c, r, COORD_T_TOKEN_BAD, buf_cstr(&why));
	buf_free(&why);
	return verdict == JWT_OK;
}

static void
challenge(struct coordinator *c, const struct ask *a, struct reply *r)
{
	uint64_t now = clock_wall_ms();
	uint8_t nonce[32];
	struct buf claims = { 0 };

	random_bytes(nonce, sizeof nonce);
	coord_put_challenge_claims(&claims, now / 1000 + c->opts.life_s, now / 1000, nonce);
	give_token(c, r, SPAN_OF(&claims), now);
	buf_free(&claims);
}

/* --- login --------------------------------------------------------------------------- */

/* Dash-separated part i of a version; empty when it has not exactly 4. */
static struct span
build_part(struct span version, size_t want)
{
	struct span part[4];
	size_t n = 0, from = 0;

	for (size_t i = 0; i <= version.n; i++) {
		if (i < version.n && version.p[i] != '-')
			continue;
		if (n == 4)
			return (struct span){ 0 };
		part[n++] = (struct span){ version.p + from, i - from };
		from = i + 1;
	}
	return n == 4 ? part[want] : (struct span){ 0 };
}

static bool
vks_known(const struct coord_login *l)
{
	bool any = false;

	for (size_t i = 0; i < l->types.n; i++)
		any = any || l->types.p[i] == TYPE_CHUNK || l->types.p[i] == TYPE_BATCH;
	for (size_t i = 0; i < l->nvks && l->types.n; i++)
		if (!any || !span_is(SPAN_OF(&l->vks[i]), VK))
			return false;
	return true;
}

static bool
compatible(struct coordinator *c, struct coord_login *l, struct reply *r)
{
	const char *version = buf_cstr(&l->version);

	if (!coord_version_ok(SPAN_OF(&l->version), MIN_VERSION)) {
		refuse_printf(c, r, COORD_T_LOGIN_CHECK, "incompatible prover version. please upgrade your prover, "
		    "minimum allowed version: %s, actual version: %s", MIN_VERSION, version);
		return false;
	}
	if (vks_known(l))
		return true;
	struct span mine = build_part(span_str(OWN_VERSION), 2);
	if (span_eq(build_part(SPAN_OF(&l->version), 2), mine))
		refuse(c, r, COORD_T_LOGIN_CHECK, "incompatible vk. please check your params files or config files");
	else
		refuse_printf(c, r, COORD_T_LOGIN_CHECK, "incompatible prover version. please upgrade your prover, "
		    "expect version: %s, actual version: %s", OWN_VERSION, version);
	return false;
}

static const char *
forks_of(struct span version)
{
	struct span head = version;

	for (head.n = 0; head.n < version.n && version.p[head.n] != '-'; )
		head.n++;
	for (size_t i = 0; i < NELEM(forks); i++)
		if (span_is(head, forks[i].version))
			return forks[i].forks;
	return NULL;
}

static bool
same_text(const void *a, const void *b)
{
	return strcmp(a, b) == 0;
}

/* Each challenge is good for one login. */
static bool
use_challenge(struct coordinator *c, struct coord_login *l, struct reply *r)
{
	const char *text = buf_cstr(&l->challenge);
	uint64_t key = map_hash(0, SPAN_OF(&l->challenge));

	if (map_get(&c->used, key, same_text, text)) {
		refuse(c, r, COORD_T_LOGIN_USED, text);
		return false;
	}
	map_put(&c->used, key, xstrdup(text));
	return true;
}

static void
log_in(struct coordinator *c, struct coord_login *l, const char *fork_names, struct reply *r)
{
	uint64_t now = clock_wall_ms();
	struct coord_claims claims = { .exp_s = now / 1000 + c->opts.life_s, .orig_iat_s = now / 1000 };
	struct buf json = { 0 };

	buf_put(&claims.public_key, l->public_key.p, l->public_key.n);
	buf_put(&claims.name, l->name.p, l->name.n);
	buf_put(&claims.version, l->version.p, l->version.n);
	buf_puts(&claims.fork, fork_names);
	coord_put_claims(&json, &claims);
	give_token(c, r, SPAN_OF(&json), now);
	c->logins++;
	coord_claims_free(&claims);
	buf_free(&json);
}

static bool
same_challenge(const struct ask *a, const struct coord_login *l)
{
	static const char scheme[] = "Bearer ";

	return a->authorization && strncmp(a->authorization, scheme, sizeof scheme - 1) == 0 &&
	    span_is(SPAN_OF(&l->challenge), a->authorization + sizeof scheme - 1);
}

static void
check_login(struct coordinator *c, const struct ask *a, struct coord_login *l, struct reply *r)
{
	const char *fork_names = forks_of(SPAN_OF(&l->version));

	if (!same_challenge(a, l)) {
		refuse(c, r, COORD_T_LOGIN_NOT_EQUAL, "");
		return;
	}
	enum coord_sig sig = coord_login_verify(l);
	if (sig == COORD_SIG_PANIC)
		panic(r);
	else if (sig != COORD_SIG_OK)
		refuse(c, r, COORD_T_LOGIN_CHECK, "auth message verify failure");
	else if (!compatible(c, l, r))
		return;
	else if (!fork_names)
		refuse(c, r, COORD_T_LOGIN_FORK, buf_cstr(&l->version));
	else if (use_challenge(c, l, r))
		log_in(c, l, fork_names, r);
}

static void
login(struct coordinator *c, const struct ask *a, struct reply *r)
{
	struct buf claims = { 0 }, why = { 0 };
	struct coord_login l = { 0 };

	if (guard(c, a, r, &claims)) {
		if (coord_take_login(a->content_type, a->body, &l, &why))
			check_login(c, a, &l, r);
		else
			refuse(c, r, COORD_T_LOGIN_BINDER, buf_cstr(&why));
	}
	coord_login_free(&l);
	buf_free(&claims);
	buf_free(&why);
}

/* --- get_task -------------------------------------------------------------------------- */

static uint64_t
draw(struct coordinator *c, size_t n)
{
	c->dice = map_mix(c->dice, 1);
	return c->dice % n;
}

/* One of the types asked for, at random; 0 and a refusal when it is none. */
static uint64_t
drawn_type(struct coordinator *c, const struct coord_want *w, struct reply *r)
{
	uint8_t type = (uint8_t)(w->ntypes ? (uint64_t)w->types[draw(c, w->ntypes)] : draw(c, TYPE_MAX) + 1);

	if (type >= TYPE_CHUNK && type <= TYPE_MAX)
		return type;
	refuse_printf(c, r, COORD_T_TASK_TYPE, "%u", type);
	return 0;
}

static bool
is_blocked(const struct coordinator *c, const char *key)
{
	for (const char *const *b = c->opts.blocked; b && *b; b++)
		if (strcmp(*b, key) == 0)
			return true;
	return false;
}

static const char *
missing_claim(const struct coord_claims *k)
{
	return !k->public_key.p ? COORD_NO_KEY : !k->name.p ? COORD_NO_NAME :
	    !k->version.p ? COORD_NO_TASK_VERSION : !k->fork.p ? COORD_NO_FORK_NAME : NULL;
}

static bool
may_have_one(struct coordinator *c, struct coord_claims *k, struct reply *r)
{
	const char *missing = missing_claim(k);

	if (missing) {
		refuse(c, r, COORD_T_TASK_CHECK, missing);
		return false;
	}
	const char *key = buf_cstr(&k->public_key);
	if (is_blocked(c, key)) {
		refuse_printf(c, r, COORD_T_TASK_CHECK, "public key %s is blocked from fetching tasks. ProverName: %s, ProverVersion: %s",
		    key, buf_cstr(&k->name), buf_cstr(&k->version));
		return false;
	}
	if (tasks_held(c->tasks, key)) {
		refuse_printf(c, r, COORD_T_TASK_CHECK, "prover with publicKey %s is already assigned a task. ProverName: %s, ProverVersion: %s",
		    key, buf_cstr(&k->name), buf_cstr(&k->version));
		return false;
	}
	return true;
}

static void
put_uuid(struct buf *b)
{
	uint8_t u[16];

	random_bytes(u, sizeof u);
	u[6] = (u[6] & 0x0f) | 0x40;
	u[8] = (u[8] & 0x3f) | 0x80;
	for (size_t i = 0; i < sizeof u; i++)
		buf_printf(b, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", u[i]);
}

/* The real one writes the name into its data base, which takes no NUL: the attempt is burnt. */
static bool
can_be_written(const struct coord_claims *k)
{
	return !memchr(k->name.p, 0, k->name.n);
}

static void
assign(struct coordinator *c, struct coord_claims *k, uint64_t type, uint64_t height, struct reply *r)
{
	struct item *it = tasks_choose(c->tasks, type, height);
	struct coord_task task = { .type = type };

	if (!it) {
		refuse(c, r, COORD_T_TASK_EMPTY, "");
		return;
	}
	if (!can_be_written(k) || !tasks_data(c->tasks, it)) {
		tasks_give_back(it);
		refuse(c, r, COORD_T_TASK_INTERNAL, "");
		return;
	}
	put_uuid(&task.uuid);
	tasks_open(c->tasks, it, buf_cstr(&task.uuid), buf_cstr(&k->public_key));
	buf_puts(&task.task_id, it->id);
	buf_puts(&task.fork, c->opts.fork);
	task.data = it->data;
	coord_put_task(&r->body, &task);
	task.data = (struct buf){ 0 };
	coord_task_free(&task);
}

static void
get_task(struct coordinator *c, const struct ask *a, struct reply *r)
{
	struct buf claims = { 0 }, why = { 0 };
	struct coord_claims k = { 0 };
	struct coord_want w = { 0 };
	uint64_t type;

	if (!guard(c, a, r, &claims))
		;
	else if (!coord_take_claims(SPAN_OF(&claims), &k))
		panic(r);
	else if (!coord_take_want(a->content_type, a->body, &w, &why))
		refuse(c, r, COORD_T_TASK_BINDER, buf_cstr(&why));
	else if ((type = drawn_type(c, &w, r)) && may_have_one(c, &k, r))
		assign(c, &k, type, w.height, r);
	coord_want_free(&w);
	coord_claims_free(&k);
	buf_free(&claims);
	buf_free(&why);
}

/* --- submit_proof ------------------------------------------------------------------------- */

static void
failed(struct coordinator *c, struct reply *r, const char *text)
{
	refuse(c, r, COORD_T_SUBMIT_FAILED, text);
}

/* The item that the request names gets the proof, whatever the row says. */
static void
judge_proof(struct coordinator *c, const struct coord_proof *p, struct row *row, struct item *it, struct reply *r)
{
	struct buf why = { 0 };
	enum verifier verdict = verifier_judge(c->tasks, it, SPAN_OF(&p->proof), c->opts.mock_verifier, &why);

	if (verdict == VERIFIER_SHAPE) {
		failed(c, r, buf_cstr(&why));
	} else if (verdict == VERIFIER_BAD) {
		tasks_close(c->tasks, row, ROW_INVALID, FAIL_VERIFY, it->type);
		failed(c, r, COORD_INVALID_PROOF);
	} else {
		tasks_close(c->tasks, row, ROW_VALID, 0, it->type);
		tasks_verified(c->tasks, it, SPAN_OF(&p->proof));
		coord_put_taken(&r->body);
	}
	buf_free(&why);
}

static void
take_proof(struct coordinator *c, const struct coord_proof *p, const char *key, struct reply *r)
{
	uint8_t type = (uint8_t)p->type;
	struct row *row = tasks_row(c->tasks, SPAN_OF(&p->uuid), key);
	struct item *it = type ? tasks_item(c->tasks, type, SPAN_OF(&p->task_id)) : NULL;

	if (!row) {
		failed(c, r, COORD_NO_SUCH_TASK);
	} else if (row->status != ROW_ASSIGNED) {
		failed(c, r, COORD_TWICE);
	} else if (p->status != 0) {
		tasks_close(c->tasks, row, ROW_INVALID, FAIL_NOT_OK, type);
		failed(c, r, COORD_STATUS_NOT_OK);
	} else if (it && it->status == ITEM_VERIFIED) {
		tasks_close(c->tasks, row, ROW_INVALID, FAIL_ALREADY, 0);
		failed(c, r, COORD_ALREADY_PROVED);
	} else if (!it) {
		failed(c, r, COORD_NO_FORK);
	} else {
		judge_proof(c, p, row, it, r);
	}
}

static void
submit(struct coordinator *c, const struct ask *a, struct reply *r)
{
	struct buf claims = { 0 }, why = { 0 };
	struct coord_claims k = { 0 };
	struct coord_proof p = { 0 };

	if (!guard(c, a, r, &claims))
		;
	else if (!coord_take_claims(SPAN_OF(&claims), &k))
		panic(r);
	else if (!coord_take_proof(a->content_type, a->body, &p, &why))
		refuse(c, r, COORD_T_SUBMIT_BINDER, buf_cstr(&why));
	else if (!k.public_key.p || !k.version.p)
		failed(c, r, k.public_key.p ? COORD_NO_VERSION : COORD_NO_KEY);
	else
		take_proof(c, &p, buf_cstr(&k.public_key), r);
	coord_proof_free(&p);
	coord_claims_free(&k);
	buf_free(&claims);
	buf_free(&why);
}

/* --- all of it -------------------------------------------------------------------------------- */

void
coordinator_answer(struct coordinator *c, const struct ask *a, struct reply *r)
{
	static void (*const calls[])(struct coordinator *, const struct ask *, struct reply *) = {
		[COORD_CHALLENGE] = challenge, [COORD_LOGIN] = login, [COORD_GET_TASK] = get_task, [COORD_SUBMIT] = submit,
	};
	enum coord_call call;

	*r = (struct reply){ .status = 200, .content_type = "application/json; charset=utf-8" };
	if (coord_route(a->method, a->path, &call)) {
		calls[call](c, a, r);
		return;
	}
	r->status = 404;
	r->content_type = "text/plain";
	buf_puts(&r->body, "404 page not found");
}
