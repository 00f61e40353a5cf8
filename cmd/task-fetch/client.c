/* client.c - task-fetch's calls.  See client.h. */
#include "cmd/task-fetch/client.h"

#include "common/diag.h"
#include "common/height.h"
#include "common/scan.h"

enum { TASK_BYTES = 64 << 20 };		/* largest answer to get_task */

struct poll_call {
	struct client		*client;
	uint64_t		 identity, type;
	struct coord_task	 task;		/* fetched, not stored yet */
	struct coord_answer	 answer;
	struct loop_timer	 timer;		/* to store it again */
	struct poll_call	*next;
};

struct client {
	struct client_opts	 o;
	struct height		*height;
	struct poll_call	*polls;
};

struct client *
client_new(const struct client_opts *o)
{
	struct client *c = xzalloc(sizeof *c);

	c->o = *o;
	c->height = height_new(&(struct height_opts){ .loop = o->loop, .http = o->http, .urls = o->l2_urls,
	    .timeout_ms = o->l2_timeout_ms });
	return c;
}

static void
free_poll(struct poll_call *p)
{
	struct poll_call **at = &p->client->polls;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	loop_timer(p->client->o.loop, &p->timer, 0);
	coord_task_free(&p->task);
	free(p);
}

void
client_free(struct client **cp)
{
	struct client *c = *cp;

	if (!c)
		return;
	height_free(&c->height);
	while (c->polls)
		free_poll(c->polls);
	free(c);
	*cp = NULL;
}

static void
finish(struct poll_call *p, const struct fetch_result *r)
{
	struct client *c = p->client;
	uint64_t identity = p->identity;

	c->o.answer(c->o.arg, identity, r);
	free_poll(p);
}

/* --- a task --- */

bool
client_task_ok(uint64_t type, bool universal, struct span data)
{
	struct buf hashes = { 0 }, queue = { 0 };
	bool ok;

	if (type == TYPE_CHUNK && !universal)
		ok = coord_chunk_hashes(data, &hashes, &queue);
	else
		ok = scan_members(data, NULL, 0, NULL, NULL);
	buf_free(&hashes);
	buf_free(&queue);
	return ok;
}

/* A text as a row can have it: false when it had to be cut. */
static bool
fit(const struct buf *text, size_t max, struct span *out)
{
	size_t n = 0;

	while (n < text->n && n < max && text->p[n] >= 0x20 && text->p[n] < 0x7f)
		n++;
	*out = (struct span){ text->p, n };
	return n == text->n && n > 0;
}

static bool
store_body(struct client *c, const struct coord_task *t, struct row *row)
{
	uint8_t hash[HASH_BYTES];
	bool in_row;

	if (blob_keep(c->o.blobs, SPAN_OF(&t->data), hash, &in_row) != 0)
		return false;
	if (in_row)
		SET(row, body, SPAN_OF(&t->data));
	SET(row, body_bytes, t->data.n);
	ROW_HASH(row, body_blob, hash);
	return true;
}

/* From here the task is ours: its body is durable before the ledger hears of it. */
static void
store(void *arg)
{
	struct poll_call *p = arg;
	struct client *c = p->client;
	const struct coord_task *t = &p->task;
	struct row row = { 0 };
	struct span uuid, task, fork;

	if (!store_body(c, t, &row)) {
		diag(DIAG_ERROR, "body-not-stored", "identity=%" PRIu64 " bytes=%zu code=%s why=%s again_ms=%" PRIu64,
		    p->identity, t->data.n, code_word(CODE_BLOB_IO), diag_quote(strerror(errno)), c->o.retry_ms);
		loop_timer(c->o.loop, &p->timer, clock_ms() + c->o.retry_ms);
		return;
	}
	bool ok = fit(&t->uuid, 64, &uuid);
	ok = fit(&t->task_id, 256, &task) && ok;
	ok = (fit(&t->fork, 32, &fork) || t->fork.n == 0) && ok;
	SET(&row, uuid, uuid);
	SET(&row, task, task);
	SET(&row, fork, fork);
	SET(&row, type, t->type);
	struct fetch_result r = { .outcome = FETCH_TASK, .task = &row,
		.code = t->type == p->type ? CODE_OK : CODE_TASK_TYPE,
		.bad = !ok || !client_task_ok(t->type, c->o.universal, SPAN_OF(&t->data)) };
	if (r.bad)
		diag(DIAG_ERROR, "task-bad", "identity=%" PRIu64 " uuid=%.*s type=%s bytes=%zu", p->identity,
		    SPAN_ARG(uuid), type_name(t->type), t->data.n);
	finish(p, &r);
}

/* --- get_task --- */

static bool
make_request(void *arg, struct span token, struct coord_request *r)
{
	struct poll_call *p = arg;
	struct client *c = p->client;
	struct coord_want want = { .ntypes = 1, .types = { (int64_t)p->type }, .universal = c->o.universal };

	want.no_height = p->type != TYPE_CHUNK || !height_known(c->height, &want.height);
	coord_ask_task(r, token, &want);
	return true;
}

static const enum fetch_outcome outcomes[] = {
	[COORD_DONE] = FETCH_TASK, [COORD_IDLE] = FETCH_EMPTY, [COORD_ALREADY] = FETCH_ASSIGNED,
	[COORD_BLOCKED] = FETCH_BLOCKED, [COORD_TOKEN] = FETCH_REFUSED, [COORD_REFUSED] = FETCH_REFUSED,
	[COORD_GARBAGE] = FETCH_UNANSWERED,
};

static bool
got_answer(void *arg, const struct identity_answer *a)
{
	struct poll_call *p = arg;

	if (a->fail != HTTP_OK) {
		finish(p, &(struct fetch_result){ .code = a->code, .detail = span_str(a->error),
		    .outcome = a->fail == HTTP_NOT_SENT ? FETCH_NOT_SENT : FETCH_UNANSWERED });
		return false;
	}
	enum coord_outcome o = coord_read_task(a->status, a->body, &p->answer, &p->task);
	if (o == COORD_TOKEN && !a->last)
		return true;
	if (o == COORD_DONE) {
		store(p);
		return false;
	}
	finish(p, &(struct fetch_result){ .outcome = outcomes[o],
	    .code = p->answer.code ? p->answer.code : CODE_COORD_BAD, .detail = span_str(p->answer.errmsg) });
	return false;
}

static void
ask(void *arg)
{
	struct poll_call *p = arg;
	struct client *c = p->client;

	identity_call(c->o.identities, (uint32_t)p->identity, &(struct identity_ask){ .make = make_request,
	    .done = got_answer, .arg = p, .timeout_ms = c->o.timeout_ms, .max_bytes = TASK_BYTES });
}

void
client_poll(struct client *c, uint64_t identity, uint64_t type)
{
	struct poll_call *p = xzalloc(sizeof *p);

	*p = (struct poll_call){ .client = c, .identity = identity, .type = type, .next = c->polls,
	    .timer = { .fn = store, .arg = p } };
	c->polls = p;
	if (type == TYPE_CHUNK)
		height_wait(c->height, ask, p);
	else
		ask(p);
}
