/* coord_server.c - the Coordinator's protocol as a Coordinator speaks it.  See coord.h. */
#include "common/coord.h"

#include <time.h>

#include "common/gobind.h"
#include "common/gobind_form.h"
#include "common/num.h"

/* --- reading requests ----------------------------------------------------------- */

enum { L_MESSAGE, L_CHALLENGE, L_VERSION, L_NAME, L_PROVIDER, L_TYPES, L_VKS, L_KEY, L_SIGNATURE, L_FORK, L_VK, L_MAX };

static const struct gobind_field message_fields[] = {
	{ "challenge", "Challenge", "string", GOBIND_STR, true, L_CHALLENGE, NULL },
	{ "prover_version", "ProverVersion", "string", GOBIND_STR, true, L_VERSION, NULL },
	{ "prover_name", "ProverName", "string", GOBIND_STR, true, L_NAME, NULL },
	{ "prover_provider_type", "ProverProviderType", "types.ProverProviderType", GOBIND_BYTE, false, L_PROVIDER, NULL },
	{ "prover_types", "ProverTypes", "types.ProverType", GOBIND_BYTES, false, L_TYPES, NULL },
	{ "vks", "VKs", "string", GOBIND_STRS, false, L_VKS, NULL },
	/* of older provers */
	{ "hard_fork_name", "HardForkName", "string", GOBIND_STR, false, L_FORK, NULL },
	{ "vk", "VK", "string", GOBIND_STR, false, L_VK, NULL },
};
static const struct gobind_type message_type = { "Message", "types.", message_fields, NELEM(message_fields) - 2 };
static const struct gobind_type old_message_type = { "Message", "types.", message_fields, NELEM(message_fields) };
#define LOGIN_FIELDS(message_object) { 	{ "message", "Message", NULL, GOBIND_OBJECT, true, L_MESSAGE, message_object }, 	{ "public_key", "PublicKey", "string", GOBIND_STR, false, L_KEY, NULL }, 	{ "signature", "Signature", "string", GOBIND_STR, true, L_SIGNATURE, NULL }, }
static const struct gobind_field login_fields[] = LOGIN_FIELDS(&message_type);
static const struct gobind_field old_login_fields[] = LOGIN_FIELDS(&old_message_type);
static const struct gobind_type login_type = { "LoginParameter", "types.", login_fields, NELEM(login_fields) };
static const struct gobind_type old_login_type = { "LoginParameter", "types.", old_login_fields, NELEM(old_login_fields) };

enum { W_HEIGHT, W_TYPES, W_UNIVERSAL, W_TASK_ID, W_TYPE, W_VK, W_VKS, W_MAX };

static const struct gobind_field want_fields[] = {
	{ "prover_height", "ProverHeight", "uint64", GOBIND_UINT, false, W_HEIGHT, NULL },
	{ "task_types", "TaskTypes", "int", GOBIND_INTS, false, W_TYPES, NULL },
	{ "universal", "Universal", "bool", GOBIND_BOOL, false, W_UNIVERSAL, NULL },
	{ "task_id", "TaskID", "string", GOBIND_STR, false, W_TASK_ID, NULL },
	/* of older provers */
	{ "task_type", "TaskType", "int", GOBIND_INT, false, W_TYPE, NULL },
	{ "vk", "VK", "string", GOBIND_STR, false, W_VK, NULL },
	{ "vks", "VKs", "string", GOBIND_STRS, false, W_VKS, NULL },
};
static const struct gobind_type want_type = { "GetTaskParameter", "types.", want_fields, NELEM(want_fields) - 3 };
static const struct gobind_type old_want_type = { "GetTaskParameter", "types.", want_fields, NELEM(want_fields) };

enum { P_UUID, P_TASK_ID, P_TYPE, P_STATUS, P_PROOF, P_FAILURE_TYPE, P_FAILURE_MSG, P_UNIVERSAL, P_MAX };

static const struct gobind_field proof_fields[] = {
	{ "uuid", "UUID", "string", GOBIND_STR, false, P_UUID, NULL },
	{ "task_id", "TaskID", "string", GOBIND_STR, true, P_TASK_ID, NULL },
	{ "task_type", "TaskType", "int", GOBIND_INT, true, P_TYPE, NULL },
	{ "status", "Status", "int", GOBIND_INT, false, P_STATUS, NULL },
	{ "proof", "Proof", "string", GOBIND_STR, false, P_PROOF, NULL },
	{ "failure_type", "FailureType", "int", GOBIND_INT, false, P_FAILURE_TYPE, NULL },
	{ "failure_msg", "FailureMsg", "string", GOBIND_STR, false, P_FAILURE_MSG, NULL },
	{ "universal", "Universal", "bool", GOBIND_BOOL, false, P_UNIVERSAL, NULL },
};
static const struct gobind_type proof_type = { "SubmitProofParameter", "types.", proof_fields, NELEM(proof_fields) };

/* gin's: up to the first blank or semicolon, in this very case. */
static bool
is_json(const char *content_type)
{
	static const char json[] = "application/json";

	return content_type && strcspn(content_type, " ;") == sizeof json - 1 &&
	    strncmp(content_type, json, sizeof json - 1) == 0;
}

/* v points into the body, or into what a form became. */
static bool
bind(const char *content_type, struct span body, const struct gobind_type *type, struct span *v, size_t n, struct buf *form,
    struct buf *why)
{
	bool is_form = gobind_is_form(content_type);

	memset(v, 0, n * sizeof *v);
	buf_reset(why);
	if (is_form && !gobind_form(body, type, form, why))
		return false;
	if ((is_form || is_json(content_type)) && !gobind_read(is_form ? SPAN_OF(form) : body, type, v, why))
		return false;
	return gobind_require(type, v, why);
}

struct texts { struct buf *p; size_t n; };

static void
add_text(void *arg, struct span element)
{
	struct texts *t = arg;

	t->p = xrealloc(t->p, (t->n + 1) * sizeof *t->p);
	t->p[t->n] = (struct buf){ 0 };
	gobind_str(element, &t->p[t->n++]);
}

/* The texts of an array, and a single one behind them where there is one. */
static struct texts
take_texts(struct span array, struct span single)
{
	struct texts t = { 0 };

	gobind_each(array, add_text, &t);
	if (single.n > 2)
		add_text(&t, single);
	return t;
}

static bool
take_login(const char *content_type, struct span body, const struct gobind_type *type, struct coord_login *l, struct buf *why)
{
	struct span v[L_MAX];
	struct buf form = { 0 };

	*l = (struct coord_login){ 0 };
	if (!bind(content_type, body, type, v, L_MAX, &form, why)) {
		buf_free(&form);
		return false;
	}
	gobind_str(v[L_CHALLENGE], &l->challenge);
	gobind_str(v[L_VERSION], &l->version);
	gobind_str(v[L_NAME], &l->name);
	gobind_str(v[L_KEY], &l->public_key);
	gobind_str(v[L_SIGNATURE], &l->signature);
	gobind_bytes(v[L_TYPES], &l->types);
	gobind_str(v[L_FORK], &l->fork);
	/* with a key of its own the list is signed: nothing is added to it */
	struct texts vks = take_texts(v[L_VKS], l->public_key.n ? (struct span){ 0 } : v[L_VK]);
	l->vks = vks.p;
	l->nvks = vks.n;
	l->has_provider = v[L_PROVIDER].p != NULL;
	l->provider = (uint8_t)gobind_uint(v[L_PROVIDER]);
	buf_free(&form);
	return true;
}

bool
coord_take_login(const char *content_type, struct span body, struct coord_login *l, struct buf *why)
{
	return take_login(content_type, body, &login_type, l, why);
}

bool
coord_take_old_login(const char *content_type, struct span body, struct coord_login *l, struct buf *why)
{
	return take_login(content_type, body, &old_login_type, l, why);
}

static void
add_type(void *arg, struct span element)
{
	struct coord_want *w = arg;

	if (w->ntypes < NELEM(w->types))
		w->types[w->ntypes++] = gobind_int(element);
}

static bool
take_want(const char *content_type, struct span body, const struct gobind_type *type, struct coord_want *w, struct buf *why)
{
	struct span v[W_MAX];
	struct buf form = { 0 };

	*w = (struct coord_want){ 0 };
	if (!bind(content_type, body, type, v, W_MAX, &form, why)) {
		buf_free(&form);
		return false;
	}
	w->no_height = v[W_HEIGHT].p == NULL;
	w->height = gobind_uint(v[W_HEIGHT]);
	w->universal = gobind_bool(v[W_UNIVERSAL]);
	gobind_each(v[W_TYPES], add_type, w);
	gobind_str(v[W_TASK_ID], &w->task_id);
	if (gobind_int(v[W_TYPE]))
		add_type(w, v[W_TYPE]);
	struct texts vks = take_texts(v[W_VKS], v[W_VK]);
	w->vks = vks.p;
	w->nvks = vks.n;
	buf_free(&form);
	return true;
}

bool
coord_take_want(const char *content_type, struct span body, struct coord_want *w, struct buf *why)
{
	return take_want(content_type, body, &want_type, w, why);
}

bool
coord_take_old_want(const char *content_type, struct span body, struct coord_want *w, struct buf *why)
{
	return take_want(content_type, body, &old_want_type, w, why);
}

bool
coord_take_proof(const char *content_type, struct span body, struct coord_proof *p, struct buf *why)
{
	struct span v[P_MAX];
	struct buf form = { 0 };

	*p = (struct coord_proof){ 0 };
	if (!bind(content_type, body, &proof_type, v, P_MAX, &form, why)) {
		buf_free(&form);
		return false;
	}
	gobind_str(v[P_UUID], &p->uuid);
	gobind_str(v[P_TASK_ID], &p->task_id);
	gobind_str(v[P_PROOF], &p->proof);
	gobind_str(v[P_FAILURE_MSG], &p->failure_msg);
	p->type = gobind_int(v[P_TYPE]);
	p->status = gobind_int(v[P_STATUS]);
	p->failure_type = gobind_int(v[P_FAILURE_TYPE]);
	p->universal = gobind_bool(v[P_UNIVERSAL]);
	buf_free(&form);
	return true;
}

struct span
coord_bearer(const char *authorization, const char *query, const char *cookie)
{
	static const char scheme[] = "Bearer ";
	struct span token = { 0 };

	if (authorization && strncmp(authorization, scheme, sizeof scheme - 1) == 0)
		token = span_str(authorization + sizeof scheme - 1);
	while (token.n && token.p[token.n - 1] == ' ')
		token.n--;
	if (!token.n)
		token = span_str(query);
	return token.n ? token : span_str(cookie);
}

/* --- answers ---------------------------------------------------------------------- */

static const struct {
	int		 errcode;
	const char	*format;
} texts[] = {
#define X(name, errcode, format) [COORD_T_##name] = { errcode, format },
	COORD_TEXTS(X)
#undef X
};

static char
short_escape(uint8_t c)
{
	static const char from[] = "\b\f\n\r\t\"\\", to[] = "bfnrt\"\\";
	const char *p = c ? strchr(from, c) : NULL;

	return p ? to[p - from] : '\0';
}

void
coord_put_text(struct buf *b, struct span s)
{
	static const bool special[256] = {
		[0 ... 0x1f] = true, ['"'] = true, ['\\'] = true, ['<'] = true, ['>'] = true, ['&'] = true,
	};
	size_t from = 0;

	buf_room(b, s.n + 2);
	buf_putc(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		if (!special[c])
			continue;
		buf_put(b, s.p + from, i - from);
		from = i + 1;
		if (short_escape(c)) {
			buf_putc(b, '\\');
			buf_putc(b, short_escape(c));
		} else {
			buf_printf(b, "\\u%04x", c);
		}
	}
	if (from < s.n)
		buf_put(b, s.p + from, s.n - from);
	buf_putc(b, '"');
}

/* All that goes wrong with tokens and logins comes in lower case, inserted texts too. */
void
coord_put_refusal(struct buf *b, enum coord_text text, const char *inserted)
{
	struct buf said = { 0 };
	const char *gap = strstr(texts[text].format, "%s");

	if (gap) {
		buf_put(&said, texts[text].format, (size_t)(gap - texts[text].format));
		buf_puts(&said, inserted);
		buf_puts(&said, gap + 2);
	} else {
		buf_puts(&said, texts[text].format);
	}
	for (size_t i = 0; i < said.n && texts[text].errcode >= COORD_E_JWT; i++)
		if (said.p[i] >= 'A' && said.p[i] <= 'Z')
			said.p[i] |= 0x20;
	buf_printf(b, "{\"errcode\":%d,\"errmsg\":", texts[text].errcode);
	coord_put_text(b, SPAN_OF(&said));
	buf_puts(b, ",\"data\":null}");
	buf_free(&said);
}

static void
put_time(struct buf *b, uint64_t wall_ns)
{
	time_t s = (time_t)(wall_ns / 1000000000);
	unsigned long fraction = (unsigned long)(wall_ns % 1000000000);
	int digits = 9;
	struct tm tm;
	char text[40];

	gmtime_r(&s, &tm);
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	buf_puts(b, text);
	for (; fraction && fraction % 10 == 0; fraction /= 10)
		digits--;
	if (fraction)
		buf_printf(b, ".%0*lu", digits, fraction);
	buf_putc(b, 'Z');
}

void
coord_put_token(struct buf *b, struct span token, uint64_t expires_wall_ns)
{
	buf_puts(b, "{\"errcode\":0,\"errmsg\":\"\",\"data\":{\"time\":\"");
	put_time(b, expires_wall_ns);
	buf_puts(b, "\",\"token\":");
	coord_put_text(b, token);
	buf_puts(b, "}}");
}

void
coord_put_task(struct buf *b, const struct coord_task *t)
{
	buf_puts(b, "{\"errcode\":0,\"errmsg\":\"\",\"data\":{\"uuid\":");
	coord_put_text(b, SPAN_OF(&t->uuid));
	buf_puts(b, ",\"task_id\":");
	coord_put_text(b, SPAN_OF(&t->task_id));
	buf_printf(b, ",\"task_type\":%" PRIu64 ",\"task_data\":", t->type);
	coord_put_text(b, SPAN_OF(&t->data));
	buf_puts(b, ",\"hard_fork_name\":");
	coord_put_text(b, SPAN_OF(&t->fork));
	buf_puts(b, "}}");
}

void
coord_put_taken(struct buf *b)
{
	buf_puts(b, "{\"errcode\":0,\"errmsg\":\"\",\"data\":null}");
}

/* --- claims --------------------------------------------------------------------------- */

enum { K_KEY, K_NAME, K_VERSION, K_FORK, K_MAX };

static const struct gobind_field claim_fields[] = {
	{ "public_key", NULL, "string", GOBIND_STR, false, K_KEY, NULL },
	{ "prover_name", NULL, "string", GOBIND_STR, false, K_NAME, NULL },
	{ "prover_version", NULL, "string", GOBIND_STR, false, K_VERSION, NULL },
	{ "hard_fork_name", NULL, "string", GOBIND_STR, false, K_FORK, NULL },
};
static const struct gobind_type claims_type = { "claims", "", claim_fields, NELEM(claim_fields) };

void
coord_claims_free(struct coord_claims *c)
{
	buf_free(&c->public_key);
	buf_free(&c->name);
	buf_free(&c->version);
	buf_free(&c->fork);
}

void
coord_put_challenge_claims(struct buf *b, uint64_t exp_s, uint64_t orig_iat_s, const uint8_t nonce[32])
{
	buf_printf(b, "{\"exp\":%" PRIu64 ",\"orig_iat\":%" PRIu64 ",\"random\":\"", exp_s, orig_iat_s);
	num_put_base64url(b, (struct span){ nonce, 32 }, true);
	buf_puts(b, "\"}");
}

void
coord_put_claims(struct buf *b, const struct coord_claims *c)
{
	buf_printf(b, "{\"exp\":%" PRIu64 ",\"hard_fork_name\":", c->exp_s);
	coord_put_text(b, SPAN_OF(&c->fork));
	buf_printf(b, ",\"orig_iat\":%" PRIu64 ",\"prover_name\":", c->orig_iat_s);
	coord_put_text(b, SPAN_OF(&c->name));
	buf_puts(b, ",\"prover_version\":");
	coord_put_text(b, SPAN_OF(&c->version));
	buf_puts(b, ",\"public_key\":");
	coord_put_text(b, SPAN_OF(&c->public_key));
	buf_putc(b, '}');
}

/* An empty text is there, an absent one is not: room makes p differ from NULL. */
static void
take_claim(struct span raw, struct buf *out)
{
	if (!raw.p)
		return;
	buf_room(out, 1);
	gobind_str(raw, out);
}

bool
coord_take_claims(struct span json, struct coord_claims *c)
{
	struct span v[K_MAX];

	*c = (struct coord_claims){ 0 };
	if (!gobind_read(json, &claims_type, v, NULL))
		return false;
	take_claim(v[K_KEY], &c->public_key);
	take_claim(v[K_NAME], &c->name);
	take_claim(v[K_VERSION], &c->version);
	take_claim(v[K_FORK], &c->fork);
	return true;
}
