/* desk.c - the front of a Coordinator.  See desk.h. */
#include "common/desk.h"

#include "common/hash.h"
#include "common/jwt.h"
#include "common/random.h"

enum {
	USED_MAX	= 100000,	/* challenges remembered; the oldest are forgotten first */
	TYPE_OPENVM	= 3,		/* the prover type that proves every task type */
};

/* A challenge that was logged in with. */
struct desk_used {
	struct desk_used *next;		/* the one used after it */
	uint8_t		 challenge[HASH_BYTES], request[HASH_BYTES];
	uint64_t	 at_ms;
	uint64_t	 signed_ms;	/* when the token was made that it got */
};

static const char *const kindnesses[] = {
#define X(name, sentence) [DESK_KIND_##name] = sentence,
	DESK_KINDNESSES(X)
#undef X
};

const char *
desk_kindness(enum desk_kindness k)
{
	return kindnesses[k];
}

void
desk_init(struct desk *d, const struct desk_opts *opts)
{
	*d = (struct desk){ .opts = *opts };
}

static uint64_t
key_of(const struct desk_used *u)
{
	return map_hash(0, (struct span){ u->challenge, sizeof u->challenge });
}

static void
forget_oldest(struct desk *d)
{
	struct desk_used *u = d->oldest;

	d->oldest = u->next;
	if (!d->oldest)
		d->newest = NULL;
	d->nused--;
	map_del(&d->used, key_of(u), u);
	free(u);
}

void
desk_free(struct desk *d)
{
	while (d->oldest)
		forget_oldest(d);
	map_free(&d->used);
}

void
desk_reply_free(struct desk_reply *r)
{
	buf_free(&r->body);
	buf_free(&r->inserted);
}

void
desk_call_free(struct desk_call *c)
{
	coord_claims_free(&c->claims);
	coord_want_free(&c->want);
	coord_proof_free(&c->proof);
}

/* --- saying ----------------------------------------------------------------------- */

void
desk_refuse(struct desk_reply *r, enum coord_text text, const char *fmt, ...)
{
	char *inserted = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&inserted, fmt, ap) < 0)
		abort();
	va_end(ap);
	coord_put_refusal(&r->body, text, inserted);
	buf_puts(&r->inserted, inserted);
	r->text = text;
	r->authenticate = text >= COORD_T_LOGIN_BINDER;
	free(inserted);
}

/* What the Go program does when it runs into the wall. */
static void
panic(struct desk_reply *r)
{
	r->status = 500;
	r->content_type = NULL;
}

const char *const *
desk_headers(const struct desk_reply *r, struct desk_headers *h)
{
	size_t n = 0;

	*h = (struct desk_headers){ 0 };
	snprintf(h->location, sizeof h->location, "Location: %s", r->location ? r->location : "");
	snprintf(h->retry, sizeof h->retry, "Retry-After: %u", r->retry_after_s);
	if (r->authenticate)
		h->list[n++] = "Www-Authenticate: JWT realm=gin jwt";
	if (r->location)
		h->list[n++] = h->location;
	if (r->retry_after_s)
		h->list[n++] = h->retry;
	return h->list;
}

/* --- tokens ------------------------------------------------------------------------ */

/* False: it would be too long to be used. */
static bool
give_token(const struct desk *d, struct desk_reply *r, struct span claims, uint64_t expires_ms)
{
	struct buf token = { 0 };

	jwt_make(&token, claims, d->opts.secret);
	bool fits = token.n <= DESK_TOKEN_BYTES;
	if (fits)
		coord_put_token(&r->body, SPAN_OF(&token), expires_ms * 1000000);
	buf_free(&token);
	return fits;
}

static void
challenge(struct desk *d, uint64_t wall_ms, struct desk_reply *r)
{
	uint64_t life_s = d->opts.challenge_life_s;
	uint8_t nonce[32];
	struct buf claims = { 0 };

	random_bytes(nonce, sizeof nonce);
	coord_put_challenge_claims(&claims, wall_ms / 1000 + life_s, wall_ms / 1000, nonce);
	(void)give_token(d, r, SPAN_OF(&claims), wall_ms + life_s * 1000);	/* always as short */
	buf_free(&claims);
}

/* The cookie "jwt"; NULL when there is none. */
static char *
cookie_token(const char *cookies)
{
	for (const char *c = cookies; c; c = strchr(c, ';')) {
		c += strspn(c, "; ");
		if (strncmp(c, "jwt=", 4) == 0)
			return xprintf("%.*s", (int)strcspn(c + 4, ";"), c + 4);
	}
	return NULL;
}

/* The claims' JSON of a good token; false: refused. */
static bool
guard(const struct desk *d, const struct desk_ask *a, uint64_t wall_ms, bool kind, struct desk_reply *r, struct buf *claims)
{
	char *cookie = cookie_token(a->cookies);
	struct span token = coord_bearer(a->authorization, a->query_token, cookie);
	struct buf why = { 0 };
	enum jwt_verdict verdict = JWT_BAD;

	if (token.n)
		verdict = jwt_verify(token, d->opts.secret, wall_ms / 1000, claims, &why);
	else
		buf_puts(&why, "cookie token is empty");
	if (verdict == JWT_EXPIRED || (verdict != JWT_OK && kind))
		desk_refuse(r, COORD_T_TOKEN_EXPIRED, "%s", "");
	else if (verdict != JWT_OK)
		desk_refuse(r, COORD_T_TOKEN_BAD, "%s", buf_cstr(&why));
	buf_free(&why);
	free(cookie);
	return verdict == JWT_OK;
}

/* --- login --------------------------------------------------------------------------- */

static bool
listed(const char *const *list, const char *text)
{
	for (; list && *list; list++)
		if (strcasecmp(*list, text) == 0)
			return true;
	return false;
}

static bool
admits(const struct desk *d, const char *key)
{
	return !listed(d->opts.blocked, key) && (!d->opts.admitted || listed(d->opts.admitted, key));
}

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
has_vks(const struct desk *d)
{
	for (uint64_t type = 1; type <= TYPE_MAX; type++)
		if (d->opts.vks[type])
			return true;
	return false;
}

/* Is it one of the VKs of these task types (a bit each)? */
static bool
vk_known(const struct desk *d, unsigned types, struct span vk)
{
	for (uint64_t type = 1; type <= TYPE_MAX; type++)
		for (const char *const *v = d->opts.vks[type]; (types >> type & 1) && v && *v; v++)
			if (span_is(vk, *v))
				return true;
	return false;
}

/* The task types of a login's prover types: 1 proves chunks, 2 the rest. */
static unsigned
provable(const struct desk *d, const struct coord_login *l)
{
	unsigned types = 0;

	for (size_t i = 0; i < l->types.n; i++) {
		if (l->types.p[i] == 1)
			types |= 1U << TYPE_CHUNK;
		else if (l->types.p[i] == 2)
			types |= 1U << TYPE_BATCH | 1U << TYPE_BUNDLE;
		else if (l->types.p[i] == TYPE_OPENVM && d->opts.kind)
			types |= 1U << TYPE_CHUNK | 1U << TYPE_BATCH | 1U << TYPE_BUNDLE;
	}
	return types;
}

static bool
vks_known(const struct desk *d, const struct coord_login *l)
{
	for (size_t i = 0; i < l->nvks && l->types.n && has_vks(d); i++)
		if (!vk_known(d, provable(d, l), SPAN_OF(&l->vks[i])))
			return false;
	return true;
}

static bool
compatible(const struct desk *d, struct coord_login *l, struct desk_reply *r)
{
	const char *version = buf_cstr(&l->version), *min = d->opts.min_version, *own = d->opts.own_version;

	if (min && !coord_version_ok(SPAN_OF(&l->version), min)) {
		desk_refuse(r, COORD_T_LOGIN_CHECK, "incompatible prover version. please upgrade your prover, "
		    "minimum allowed version: %s, actual version: %s", min, version);
		return false;
	}
	if (vks_known(d, l))
		return true;
	if (span_eq(build_part(SPAN_OF(&l->version), 2), build_part(span_str(own), 2)))
		desk_refuse(r, COORD_T_LOGIN_CHECK, "incompatible vk. please check your params files or config files");
	else
		desk_refuse(r, COORD_T_LOGIN_CHECK, "incompatible prover version. please upgrade your prover, "
		    "expect version: %s, actual version: %s", own, version);
	return false;
}

static const char *
forks_of(const struct desk *d, struct span version)
{
	struct span head = version;

	for (head.n = 0; head.n < version.n && version.p[head.n] != '-'; )
		head.n++;
	for (const struct desk_version *v = d->opts.versions; v->version; v++)
		if (span_is(head, v->version) || strcmp(v->version, "*") == 0)
			return v->forks;
	return NULL;
}

/* False: refused. */
static bool
log_in(const struct desk *d, const struct coord_login *l, const char *forks, uint64_t at_ms, struct desk_reply *r)
{
	uint64_t life_s = d->opts.login_life_s;
	struct coord_claims claims = { .exp_s = at_ms / 1000 + life_s, .orig_iat_s = at_ms / 1000 };
	struct buf json = { 0 };

	buf_put(&claims.public_key, l->public_key.p, l->public_key.n);
	buf_put(&claims.name, l->name.p, l->name.n);
	buf_put(&claims.version, l->version.p, l->version.n);
	buf_puts(&claims.fork, forks);
	coord_put_claims(&json, &claims);
	bool fits = give_token(d, r, SPAN_OF(&json), at_ms + life_s * 1000);
	if (!fits)
		desk_refuse(r, COORD_T_LOGIN_CHECK, "prover name or version is too long");
	coord_claims_free(&claims);
	buf_free(&json);
	return fits;
}

static bool
same_challenge_used(const void *used, const void *digest)
{
	return memcmp(((const struct desk_used *)used)->challenge, digest, HASH_BYTES) == 0;
}

/* No challenge lives longer after its use than one that was made then. */
static void
forget_expired(struct desk *d, uint64_t wall_ms)
{
	while (d->oldest && (d->nused > USED_MAX || wall_ms >= d->oldest->at_ms + d->opts.challenge_life_s * 1000))
		forget_oldest(d);
}

static void
remember(struct desk *d, struct desk_used *fresh)
{
	map_put(&d->used, key_of(fresh), fresh);
	if (d->newest)
		d->newest->next = fresh;
	else
		d->oldest = fresh;
	d->newest = fresh;
	d->nused++;
}

/* The same request again: the same answer, unless its token is over. */
static void
log_in_again(struct desk *d, struct desk_used *first, const struct coord_login *l, const char *forks, uint64_t wall_ms,
    struct desk_reply *r)
{
	if (wall_ms / 1000 >= first->signed_ms / 1000 + d->opts.login_life_s)
		first->signed_ms = wall_ms;
	(void)log_in(d, l, forks, first->signed_ms, r);	/* as long as the first one */
}

/* Each challenge is good for one login. */
static void
use_challenge(struct desk *d, const struct desk_ask *a, struct coord_login *l, const char *forks, uint64_t wall_ms,
    struct desk_reply *r)
{
	struct desk_used *fresh = xzalloc(sizeof *fresh);

	forget_expired(d, wall_ms);
	sha256_of(SPAN_OF(&l->challenge), fresh->challenge);
	sha256_of(a->body, fresh->request);
	fresh->at_ms = fresh->signed_ms = wall_ms;
	struct desk_used *first = map_get(&d->used, key_of(fresh), same_challenge_used, fresh->challenge);
	bool same = first && memcmp(first->request, fresh->request, HASH_BYTES) == 0;
	if (!first && log_in(d, l, forks, wall_ms, r)) {
		remember(d, fresh);
		d->logins++;
		return;
	}
	free(fresh);
	if (!first)
		return;
	if (d->opts.kind && same)
		log_in_again(d, first, l, forks, wall_ms, r);
	else
		desk_refuse(r, COORD_T_LOGIN_USED, "%s", buf_cstr(&l->challenge));
}

static bool
same_challenge(const struct desk_ask *a, const struct coord_login *l)
{
	return span_eq(SPAN_OF(&l->challenge), coord_bearer(a->authorization, NULL, NULL));
}

static void
lower_case(struct buf *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->p[i] >= 'A' && b->p[i] <= 'Z')
			b->p[i] |= 0x20;
}

/* Who it is; false: refused. */
static bool
identified(const struct desk *d, struct coord_login *l, struct desk_reply *r)
{
	enum coord_sig sig = d->opts.kind ? coord_login_identify(l) : coord_login_verify(l);

	if (sig == COORD_SIG_PANIC && !d->opts.kind)
		panic(r);
	else if (sig != COORD_SIG_OK)
		desk_refuse(r, COORD_T_LOGIN_CHECK, "auth message verify failure");
	return sig == COORD_SIG_OK;
}

/* What only a kind desk refuses. */
static bool
welcome(const struct desk *d, struct coord_login *l, struct desk_reply *r)
{
	if (!d->opts.kind)
		return true;
	lower_case(&l->public_key);
	if (memchr(l->name.p, 0, l->name.n))
		desk_refuse(r, COORD_T_LOGIN_CHECK, "prover name has a NUL inside");
	else if (!admits(d, buf_cstr(&l->public_key)))
		desk_refuse(r, COORD_T_LOGIN_CHECK, "public key %s is not admitted", buf_cstr(&l->public_key));
	return r->text == COORD_T_OK;
}

static void
check_login(struct desk *d, const struct desk_ask *a, struct coord_login *l, uint64_t wall_ms, struct desk_reply *r)
{
	const char *forks = forks_of(d, SPAN_OF(&l->version));

	if (!same_challenge(a, l))
		desk_refuse(r, COORD_T_LOGIN_NOT_EQUAL, "%s", "");
	else if (!identified(d, l, r) || !welcome(d, l, r) || !compatible(d, l, r))
		return;
	else if (!forks)
		desk_refuse(r, COORD_T_LOGIN_FORK, "%s", buf_cstr(&l->version));
	else
		use_challenge(d, a, l, forks, wall_ms, r);
}

static void
login(struct desk *d, const struct desk_ask *a, uint64_t wall_ms, struct desk_reply *r)
{
	struct buf claims = { 0 }, why = { 0 };
	struct coord_login l = { 0 };

	if (guard(d, a, wall_ms, false, r, &claims)) {
		if ((d->opts.kind ? coord_take_old_login : coord_take_login)(a->content_type, a->body, &l, &why))
			check_login(d, a, &l, wall_ms, r);
		else
			desk_refuse(r, COORD_T_LOGIN_BINDER, "%s", buf_cstr(&why));
	}
	coord_login_free(&l);
	buf_free(&claims);
	buf_free(&why);
}

/* --- what goes on to others ------------------------------------------------------------- */

static bool
is_complete(const struct coord_claims *k)
{
	return k->public_key.n && k->name.p && k->version.p && k->fork.p;
}

/* The identity of a login token; false: refused. */
static bool
take_identity(const struct desk *d, const struct desk_ask *a, uint64_t wall_ms, struct coord_claims *k, struct desk_reply *r)
{
	struct buf json = { 0 };
	bool kind = d->opts.kind, good = guard(d, a, wall_ms, kind, r, &json);

	if (good && (!coord_take_claims(SPAN_OF(&json), k) || (kind && !is_complete(k)))) {
		good = false;
		if (kind)
			desk_refuse(r, COORD_T_TOKEN_EXPIRED, "%s", "");
		else
			panic(r);
	}
	buf_free(&json);
	return good;
}

/* Each type once, cut to 8 bits as that Coordinator cuts it; none named: all. */
static bool
tidy_types(struct coord_want *w, struct desk_reply *r)
{
	unsigned seen = 0;
	size_t n = 0;

	if (!w->ntypes)
		for (; w->ntypes < TYPE_MAX; w->ntypes++)
			w->types[w->ntypes] = (int64_t)w->ntypes + 1;
	uint8_t first = (uint8_t)w->types[0];
	for (size_t i = 0; i < w->ntypes; i++) {
		uint8_t type = (uint8_t)w->types[i];
		if (type < TYPE_CHUNK || type > TYPE_MAX || (seen >> type & 1))
			continue;
		seen |= 1U << type;
		w->types[n++] = type;
	}
	w->ntypes = n;
	if (!n)
		desk_refuse(r, COORD_T_TASK_TYPE, "%u", first);
	return n > 0;
}

static bool
wanted_vks_known(const struct desk *d, const struct coord_want *w)
{
	unsigned types = 0;

	for (size_t i = 0; i < w->ntypes; i++)
		types |= 1U << w->types[i];
	for (size_t i = 0; i < w->nvks && has_vks(d); i++)
		if (!vk_known(d, types, SPAN_OF(&w->vks[i])))
			return false;
	return true;
}

static bool
may_ask(const struct desk *d, struct desk_call *c, struct desk_reply *r)
{
	const char *key = buf_cstr(&c->claims.public_key);

	if (!admits(d, key))
		desk_refuse(r, COORD_T_TASK_CHECK, "public key %s is blocked from fetching tasks. ProverName: %s, ProverVersion: %s",
		    key, buf_cstr(&c->claims.name), buf_cstr(&c->claims.version));
	else if (tidy_types(&c->want, r) && !wanted_vks_known(d, &c->want))
		desk_refuse(r, COORD_T_TASK_CHECK, "incompatible vk. please check your params files or config files");
	return r->text == COORD_T_OK;
}

static enum desk_next
get_task(const struct desk *d, const struct desk_ask *a, uint64_t wall_ms, struct desk_call *c, struct desk_reply *r)
{
	struct buf why = { 0 };
	bool kind = d->opts.kind, go_on = take_identity(d, a, wall_ms, &c->claims, r);

	if (go_on && !(kind ? coord_take_old_want : coord_take_want)(a->content_type, a->body, &c->want, &why)) {
		desk_refuse(r, COORD_T_TASK_BINDER, "%s", buf_cstr(&why));
		go_on = false;
	}
	go_on = go_on && (!kind || may_ask(d, c, r));
	buf_free(&why);
	return go_on ? DESK_TASK : DESK_ANSWERED;
}

static enum desk_next
submit(const struct desk *d, const struct desk_ask *a, uint64_t wall_ms, struct desk_call *c, struct desk_reply *r)
{
	const struct coord_claims *k = &c->claims;
	struct buf why = { 0 };
	bool go_on = take_identity(d, a, wall_ms, &c->claims, r);

	if (go_on && !coord_take_proof(a->content_type, a->body, &c->proof, &why)) {
		desk_refuse(r, COORD_T_SUBMIT_BINDER, "%s", buf_cstr(&why));
		go_on = false;
	} else if (go_on && (!k->public_key.p || !k->version.p)) {
		desk_refuse(r, COORD_T_SUBMIT_FAILED, "%s", k->public_key.p ? COORD_NO_VERSION : COORD_NO_KEY);
		go_on = false;
	}
	buf_free(&why);
	return go_on ? DESK_PROOF : DESK_ANSWERED;
}

/* --- all of it -------------------------------------------------------------------------------- */

/* The path of "http://host/path", which a proxy's client sends. */
static const char *
without_origin(const char *path)
{
	static const char scheme[] = "http://";
	const char *slash;

	if (strncmp(path, scheme, sizeof scheme - 1) != 0)
		return path;
	slash = strchr(path + sizeof scheme - 1, '/');
	return slash ? slash : "/";
}

/* No such route, or one too many slashes at its end. */
static void
lost(const char *method, const char *path, struct desk_reply *r)
{
	size_t n = strlen(path);
	char *shorter = xprintf("%.*s", (int)(n ? n - 1 : 0), path);
	enum coord_call call;

	if (n > 1 && path[n - 1] == '/' && coord_route(method, shorter, &call)) {
		bool moved = strcmp(method, "GET") == 0;
		r->status = moved ? 301 : 307;
		r->content_type = moved ? "text/html; charset=utf-8" : NULL;
		r->location = coord_path(call);
		if (moved)
			buf_printf(&r->body, "<a href=\"%s\">Moved Permanently</a>.\n\n", r->location);
	} else {
		r->status = 404;
		r->content_type = "text/plain";
		buf_puts(&r->body, "404 page not found");
	}
	free(shorter);
}

bool
desk_listens(const struct desk *d, const struct desk_ask *head, uint64_t wall_ms)
{
	struct coord_claims k = { 0 };
	struct desk_reply r = DESK_REPLY;
	struct buf json = { 0 };
	enum coord_call call;
	bool yes = coord_route(head->method, without_origin(head->path), &call) && call != COORD_CHALLENGE;

	/* a challenge is anybody's: with kind it earns nothing */
	if (yes && call == COORD_LOGIN)
		yes = !d->opts.kind && guard(d, head, wall_ms, false, &r, &json);
	else if (yes)
		yes = take_identity(d, head, wall_ms, &k, &r);
	buf_free(&json);
	coord_claims_free(&k);
	desk_reply_free(&r);
	return yes;
}

enum desk_next
desk_take(struct desk *d, const struct desk_ask *a, uint64_t wall_ms, struct desk_call *c, struct desk_reply *r)
{
	const char *path = without_origin(a->path);
	enum coord_call call;

	*r = DESK_REPLY;
	*c = (struct desk_call){ 0 };
	if (!coord_route(a->method, path, &call))
		lost(a->method, path, r);
	else if (call == COORD_CHALLENGE)
		challenge(d, wall_ms, r);
	else if (call == COORD_LOGIN)
		login(d, a, wall_ms, r);
	else
		return (call == COORD_GET_TASK ? get_task : submit)(d, a, wall_ms, c, r);
	return DESK_ANSWERED;
}
