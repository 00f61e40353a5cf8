/* coord_client.c - the Coordinator's protocol as a prover speaks it.  See coord.h. */
#include "common/coord.h"

#include "common/gobind.h"
#include "common/jwt.h"
#include "common/num.h"

#define JSON_TYPE "Content-Type: application/json"

/* --- asking ------------------------------------------------------------------- */

static void
begin(struct coord_request *r, enum coord_call call, const char *method, struct span token)
{
	*r = (struct coord_request){ .method = method, .path = coord_path(call) };
	r->headers[0] = JSON_TYPE;
	if (!token.p)
		return;
	r->authorization = xprintf("Authorization: Bearer %.*s", SPAN_ARG(token));
	r->headers[1] = r->authorization;
}

void
coord_request_free(struct coord_request *r)
{
	free(r->authorization);
	buf_free(&r->body);
	*r = (struct coord_request){ 0 };
}

static void
put_member(struct buf *b, const char *name, const struct buf *value)
{
	buf_printf(b, "\"%s\":", name);
	coord_put_text(b, SPAN_OF(value));
}

void
coord_ask_challenge(struct coord_request *r)
{
	begin(r, COORD_CHALLENGE, "GET", (struct span){ 0 });
}

static void
put_types(struct buf *b, const struct coord_login *l)
{
	buf_puts(b, ",\"prover_types\":[");
	for (size_t i = 0; i < l->types.n; i++)
		buf_printf(b, "%s%u", i ? "," : "", l->types.p[i]);
	buf_puts(b, "],\"vks\":[");
	for (size_t i = 0; i < l->nvks; i++) {
		if (i)
			buf_putc(b, ',');
		coord_put_text(b, SPAN_OF(&l->vks[i]));
	}
	buf_putc(b, ']');
}

void
coord_ask_login(struct coord_request *r, const struct coord_login *l)
{
	begin(r, COORD_LOGIN, "POST", SPAN_OF(&l->challenge));
	struct buf *b = &r->body;
	buf_puts(b, "{\"message\":{");
	put_member(b, "challenge", &l->challenge);
	buf_putc(b, ',');
	put_member(b, "prover_version", &l->version);
	buf_putc(b, ',');
	put_member(b, "prover_name", &l->name);
	if (l->has_provider)
		buf_printf(b, ",\"prover_provider_type\":%u", l->provider);
	put_types(b, l);
	buf_puts(b, "},");
	put_member(b, "public_key", &l->public_key);
	buf_putc(b, ',');
	put_member(b, "signature", &l->signature);
	buf_putc(b, '}');
}

void
coord_ask_task(struct coord_request *r, struct span token, const struct coord_want *w)
{
	begin(r, COORD_GET_TASK, "POST", token);
	struct buf *b = &r->body;
	buf_puts(b, "{\"task_types\":[");
	for (size_t i = 0; i < w->ntypes; i++)
		buf_printf(b, "%s%" PRId64, i ? "," : "", w->types[i]);
	if (w->no_height)
		buf_puts(b, "],\"prover_height\":null");
	else
		buf_printf(b, "],\"prover_height\":%" PRIu64, w->height);
	if (w->universal)
		buf_puts(b, ",\"universal\":true");
	if (w->task_id.n) {
		buf_putc(b, ',');
		put_member(b, "task_id", &w->task_id);
	}
	buf_putc(b, '}');
}

void
coord_ask_submit(struct coord_request *r, struct span token, const struct coord_proof *p)
{
	begin(r, COORD_SUBMIT, "POST", token);
	struct buf *b = &r->body;
	buf_room(b, p->proof.n + p->proof.n / 8 + 512);
	buf_putc(b, '{');
	put_member(b, "uuid", &p->uuid);
	buf_putc(b, ',');
	put_member(b, "task_id", &p->task_id);
	buf_printf(b, ",\"task_type\":%" PRId64 ",\"status\":%" PRId64 ",", p->type, p->status);
	put_member(b, "proof", &p->proof);
	if (p->status) {
		buf_printf(b, ",\"failure_type\":%" PRId64 ",", p->failure_type);
		put_member(b, "failure_msg", &p->failure_msg);
	} else {
		buf_puts(b, ",\"failure_type\":null,\"failure_msg\":null");
	}
	if (p->universal)
		buf_puts(b, ",\"universal\":true");
	buf_putc(b, '}');
}

/* --- reading ------------------------------------------------------------------ */

enum { V_ERRCODE, V_ERRMSG, V_DATA, V_TOKEN, V_UUID, V_TASK_ID, V_TYPE, V_TASK_DATA, V_FORK, V_MAX };

static const struct gobind_field token_fields[] = {
	{ .name = "token", .go_type = "string", .kind = GOBIND_STR, .at = V_TOKEN },
};
static const struct gobind_field task_fields[] = {
	{ .name = "uuid", .go_type = "string", .kind = GOBIND_STR, .at = V_UUID },
	{ .name = "task_id", .go_type = "string", .kind = GOBIND_STR, .at = V_TASK_ID },
	{ .name = "task_type", .go_type = "int", .kind = GOBIND_INT, .at = V_TYPE },
	{ .name = "task_data", .go_type = "string", .kind = GOBIND_STR, .at = V_TASK_DATA },
	{ .name = "hard_fork_name", .go_type = "string", .kind = GOBIND_STR, .at = V_FORK },
};
static const struct gobind_type token_data = { "data", "", token_fields, NELEM(token_fields) };
static const struct gobind_type task_data = { "data", "", task_fields, NELEM(task_fields) };

#define ENVELOPE(data_kind, data_type) { \
	{ .name = "errcode", .go_type = "int", .kind = GOBIND_INT, .at = V_ERRCODE }, \
	{ .name = "errmsg", .go_type = "string", .kind = GOBIND_STR, .at = V_ERRMSG }, \
	{ .name = "data", .go_type = "", .kind = data_kind, .at = V_DATA, .object = data_type }, \
}
static const struct gobind_field token_envelope[] = ENVELOPE(GOBIND_OBJECT, &token_data);
static const struct gobind_field task_envelope[] = ENVELOPE(GOBIND_OBJECT, &task_data);
static const struct gobind_field bare_envelope[] = ENVELOPE(GOBIND_ANY, NULL);
static const struct gobind_type token_answer = { "answer", "", token_envelope, 3 };
static const struct gobind_type task_answer = { "answer", "", task_envelope, 3 };
static const struct gobind_type bare_answer = { "answer", "", bare_envelope, 3 };

static void
say(struct coord_answer *a, struct span text)
{
	size_t n = MIN2(text.n, sizeof a->errmsg - 1);

	for (size_t i = 0; i < n; i++)
		a->errmsg[i] = text.p[i] ? (char)text.p[i] : '?';
	a->errmsg[n] = '\0';
}

static enum coord_outcome
settle(struct coord_answer *a, enum coord_outcome outcome, enum code code)
{
	a->outcome = outcome;
	a->code = code;
	return outcome;
}

/* The envelope.  False: it is none, and the answer says so. */
static bool
open_envelope(long status, struct span body, const struct gobind_type *type, struct span *v, struct coord_answer *a)
{
	struct buf text = { 0 };

	*a = (struct coord_answer){ .status = status };
	bool good = (status == 200 || status == 401) && gobind_read(body, type, v, &text) && v[V_ERRCODE].p;
	if (good) {
		a->errcode = gobind_int(v[V_ERRCODE]);
		gobind_str(v[V_ERRMSG], &text);
		say(a, SPAN_OF(&text));
	} else {
		snprintf(a->errmsg, sizeof a->errmsg, "HTTP %ld, no answer of a Coordinator%s%.200s", status,
		    text.n ? ": " : "", text.n ? buf_cstr(&text) : "");
		settle(a, COORD_GARBAGE, status >= 500 ? CODE_COORD_AWAY : CODE_COORD_BAD);
	}
	buf_free(&text);
	return good;
}

static enum coord_outcome
garbage(struct coord_answer *a, enum code code, const char *text)
{
	say(a, span_str(text));
	return settle(a, COORD_GARBAGE, code);
}

void
coord_token_free(struct coord_token *t)
{
	buf_free(&t->text);
}

/* A token goes into a header line: nothing but printable characters. */
static bool
is_plain(const struct buf *b, size_t max)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->p[i] <= ' ' || b->p[i] >= 0x7f)
			return false;
	return b->n > 0 && b->n <= max;
}

enum coord_outcome
coord_read_token(long status, struct span body, struct coord_answer *a, struct coord_token *t)
{
	struct span v[V_MAX];
	uint64_t orig_iat_s = 0;

	if (!open_envelope(status, body, &token_answer, v, a))
		return a->outcome;
	if (a->errcode == COORD_E_EXPIRED)
		return settle(a, COORD_TOKEN, CODE_OK);
	if (a->errcode != COORD_E_OK)
		return settle(a, COORD_REFUSED, CODE_LOGIN_REFUSED);
	*t = (struct coord_token){ 0 };
	gobind_str(v[V_TOKEN], &t->text);
	if (!is_plain(&t->text, 64 << 10)) {
		coord_token_free(t);
		return garbage(a, CODE_COORD_BAD, "an answer without a usable token");
	}
	if (jwt_times(SPAN_OF(&t->text), &t->exp_s, &orig_iat_s) && orig_iat_s && t->exp_s > orig_iat_s)
		t->life_s = t->exp_s - orig_iat_s;
	return settle(a, COORD_DONE, CODE_OK);
}

static enum coord_outcome
refused_task(struct coord_answer *a)
{
	if (a->errcode == COORD_E_EMPTY)
		return settle(a, COORD_IDLE, CODE_OK);
	if (a->errcode == COORD_E_EXPIRED || a->errcode == COORD_E_JWT)
		return settle(a, COORD_TOKEN, CODE_OK);
	if (strstr(a->errmsg, "is already assigned a task"))
		return settle(a, COORD_ALREADY, CODE_ALREADY_ASSIGNED);
	if (strstr(a->errmsg, "is blocked from fetching tasks"))
		return settle(a, COORD_BLOCKED, CODE_KEY_BLOCKED);
	return settle(a, COORD_REFUSED, CODE_GET_TASK_FAILED);
}

enum coord_outcome
coord_read_task(long status, struct span body, struct coord_answer *a, struct coord_task *t)
{
	struct span v[V_MAX];

	if (!open_envelope(status, body, &task_answer, v, a))
		return a->outcome;
	if (a->errcode != COORD_E_OK)
		return refused_task(a);
	int64_t type = gobind_int(v[V_TYPE]);
	*t = (struct coord_task){ .type = (uint64_t)type };
	gobind_str(v[V_UUID], &t->uuid);
	gobind_str(v[V_TASK_ID], &t->task_id);
	gobind_str(v[V_FORK], &t->fork);
	if (type < TYPE_CHUNK || type > TYPE_MAX || !is_plain(&t->uuid, 128) || !is_plain(&t->task_id, 256) ||
	    (t->fork.n && !is_plain(&t->fork, 64)) || !v[V_TASK_DATA].p) {
		coord_task_free(t);
		return garbage(a, CODE_TASK_BAD, "a task without type, uuid, task_id or task_data");
	}
	gobind_str(v[V_TASK_DATA], &t->data);
	return settle(a, COORD_DONE, CODE_OK);
}

/* What follows "handle zk proof failure, err:"; a prefix of the text. */
static const struct {
	const char		*text;
	enum coord_verdict	 verdict;
	enum code		 code;
} failures[] = {
	{ COORD_TWICE,			COORD_V_TWICE,		CODE_TWICE },
	{ COORD_TIMED_OUT,		COORD_V_TWICE,		CODE_TWICE },
	{ COORD_ALREADY_PROVED,		COORD_V_PROVED,		CODE_ALREADY_PROVED },
	{ COORD_INVALID_PROOF,		COORD_V_BAD_PROOF,	CODE_REFUSED_PROOF },
	{ COORD_VERIFIER_ERROR,		COORD_V_BAD_PROOF,	CODE_REFUSED_PROOF },
	{ COORD_STATUS_NOT_OK,		COORD_V_REPORTED,	CODE_OK },
	{ COORD_NO_KEY,			COORD_V_TOKEN,		CODE_POST_FAILED },
	{ COORD_NO_VERSION,		COORD_V_TOKEN,		CODE_POST_FAILED },
	{ "unexpected end of JSON",	COORD_V_SHAPE,		CODE_REFUSED_SHAPE },
	{ "invalid character",		COORD_V_SHAPE,		CODE_REFUSED_SHAPE },
	{ "illegal base64",		COORD_V_SHAPE,		CODE_REFUSED_SHAPE },
	{ "json:",			COORD_V_SHAPE,		CODE_REFUSED_SHAPE },
	{ "hex string",			COORD_V_SHAPE,		CODE_REFUSED_SHAPE },
	{ "can not re-wrapping proof",	COORD_V_SHAPE,		CODE_REFUSED_SHAPE },
};

static enum coord_verdict
judge_failure(struct coord_answer *a)
{
	static const char prefix[] = "handle zk proof failure, err:";
	const char *text = a->errmsg;

	if (strncmp(text, prefix, sizeof prefix - 1) == 0)
		text += sizeof prefix - 1;
	for (size_t i = 0; i < NELEM(failures); i++)
		if (strncmp(text, failures[i].text, strlen(failures[i].text)) == 0) {
			settle(a, COORD_REFUSED, failures[i].code);
			return failures[i].verdict;
		}
	settle(a, COORD_REFUSED, CODE_POST_FAILED);
	return COORD_V_AGAIN;
}

enum coord_verdict
coord_read_submit(long status, struct span body, struct coord_answer *a)
{
	struct span v[V_MAX];

	if (!open_envelope(status, body, &bare_answer, v, a))
		return COORD_V_AGAIN;
	if (a->errcode == COORD_E_OK) {
		settle(a, COORD_DONE, CODE_OK);
		return COORD_V_ACCEPTED;
	}
	if (a->errcode == COORD_E_EXPIRED || a->errcode == COORD_E_JWT) {
		settle(a, COORD_TOKEN, CODE_POST_FAILED);
		return COORD_V_TOKEN;
	}
	if (a->errcode == COORD_E_PARAMETER) {
		settle(a, COORD_REFUSED, CODE_REFUSED_SHAPE);
		return COORD_V_PARAMETER;
	}
	return judge_failure(a);
}

/* --- a chunk's task_data ------------------------------------------------------- */

enum { C_HASHES, C_QUEUE, C_MAX };

static const struct gobind_field chunk_fields[] = {
	{ .name = "block_hashes", .go_type = "common.Hash", .kind = GOBIND_STRS, .at = C_HASHES },
	{ .name = "prev_msg_queue_hash", .go_type = "common.Hash", .kind = GOBIND_STR, .at = C_QUEUE },
};
static const struct gobind_type chunk_type = { "ChunkTaskDetail", "message.", chunk_fields, NELEM(chunk_fields) };

struct hashes {
	struct buf	*out;
	bool		 good;
};

static void
put_hash(void *arg, struct span element)
{
	struct hashes *h = arg;
	uint8_t bytes[HASH_BYTES];

	/* quoted: 0x and 64 digits, nothing that would need an escape */
	h->good = h->good && element.n > 2 &&
	    num_hex((struct span){ element.p + 1, element.n - 2 }, true, bytes, sizeof bytes);
	if (h->good)
		buf_put(h->out, bytes, sizeof bytes);
}

bool
coord_chunk_hashes(struct span text, struct buf *hashes, struct buf *queue)
{
	struct span v[C_MAX];
	struct hashes all = { hashes, true }, one = { queue, true };

	if (!gobind_read(text, &chunk_type, v, NULL) || gobind_each(v[C_HASHES], put_hash, &all) == 0)
		return false;
	if (v[C_QUEUE].p)
		put_hash(&one, v[C_QUEUE]);
	return all.good && one.good;
}
