/* client.c - task-fetch's calls.  See client.h.
 *
 * A poll for a chunk states how far the L2 node is (prover_height; without it a
 * Coordinator of generation (b) gives no chunk).  The number is asked for when it is
 * older than a few seconds; when the node is away the last one known is sent. */
#include "cmd/task-fetch/client.h"

#include "common/diag.h"
#include "common/hash.h"
#include "common/json.h"
#include "common/num.h"
#include "common/scan.h"

enum {
	HEIGHT_MS	= 3000,		/* a block number is good, and a node that is away left alone, for so long */
	L2_MS		= 5000,		/* a node is waited for so long at most */
	TASK_BYTES	= 64 << 20,	/* largest answer to get_task */
	L2_BYTES	= 64 << 10,
};

struct poll_call {
	struct client		*client;
	uint64_t		 identity, type;
	struct coord_task	 task;		/* fetched, not stored yet */
	struct coord_answer	 answer;
	struct loop_timer	 timer;		/* to store it again */
	struct poll_call	*next, *next_waiting;
};

struct client {
	struct client_opts	 o;
	char			*urls;
	uint64_t		 height;
	bool			 height_known;
	uint64_t		 l2_next_ms;		/* not asked before */
	bool			 l2_away;
	const char		*l2_at;			/* the URL being asked; NULL: none */
	struct http_call	*l2;
	struct poll_call	*polls;			/* all */
	struct poll_call	*waiting;		/* for the height */
};

struct client *
client_new(const struct client_opts *o)
{
	struct client *c = xzalloc(sizeof *c);

	c->o = *o;
	c->urls = xstrdup(o->l2_urls);
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
	http_cancel(&c->l2);
	while (c->polls)
		free_poll(c->polls);
	free(c->urls);
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

	SET(row, body_bytes, t->data.n);
	if (t->data.n <= INLINE_BYTES) {
		sha256_of(SPAN_OF(&t->data), hash);
		SET(row, body, SPAN_OF(&t->data));
	} else if (blob_put(c->o.blobs, SPAN_OF(&t->data), true, hash) != 0) {
		return false;
	}
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
	struct coord_want want = { .ntypes = 1, .types = { (int64_t)p->type }, .universal = c->o.universal,
		.height = c->height, .no_height = p->type != TYPE_CHUNK || !c->height_known };

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
ask(struct poll_call *p)
{
	struct client *c = p->client;

	identity_call(c->o.identities, (uint32_t)p->identity, &(struct identity_ask){ .make = make_request,
	    .done = got_answer, .arg = p, .timeout_ms = c->o.timeout_ms, .max_bytes = TASK_BYTES });
}

/* --- how far the L2 node is --- */

static void ask_height(struct client *, const char *from);

static void
height_over(struct client *c, bool known)
{
	struct poll_call *p;

	if (c->l2_away == known)
		diag(known ? DIAG_INFO : DIAG_WARN, known ? "l2-back" : "l2-away", "code=%s last_height=%" PRIu64,
		    code_word(known ? CODE_OK : CODE_L2_AWAY), c->height);
	c->l2_away = !known;
	c->l2_next_ms = clock_ms() + HEIGHT_MS;
	c->l2_at = NULL;
	while ((p = c->waiting)) {
		c->waiting = p->next_waiting;
		ask(p);
	}
}

static bool
read_height(struct span body, uint64_t *height)
{
	struct json *doc = json_parse(body, L2_BYTES, NULL);
	bool ok = num_quantity(json_str(doc, "result"), height);

	json_free(&doc);
	return ok;
}

static void
height_done(void *arg, struct http_answer *a)
{
	struct client *c = arg;

	c->l2 = NULL;
	if (a->fail == HTTP_OK && a->status == 200 && read_height(SPAN_OF(&a->body), &c->height)) {
		c->height_known = true;
		height_over(c, true);
		return;
	}
	ask_height(c, c->l2_at + strcspn(c->l2_at, " \t"));
}

/* Ask the first node in the list from here on; none left: it stays as it was. */
static void
ask_height(struct client *c, const char *from)
{
	static const char *const headers[] = { "Content-Type: application/json", NULL };

	c->l2_at = from + strspn(from, " \t");
	if (!*c->l2_at) {
		height_over(c, false);
		return;
	}
	char *url = xprintf("%.*s", (int)strcspn(c->l2_at, " \t"), c->l2_at);
	struct http_req r = { .method = "POST", .url = url, .headers = headers, .max_bytes = L2_BYTES,
	    .body = SPAN("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_blockNumber\",\"params\":[]}"),
	    .timeout_ms = (unsigned)MIN2(c->o.l2_timeout_ms, L2_MS) };
	c->l2 = http_start(c->o.http, &r, height_done, c);
	free(url);
}

void
client_poll(struct client *c, uint64_t identity, uint64_t type)
{
	struct poll_call *p = xzalloc(sizeof *p);

	*p = (struct poll_call){ .client = c, .identity = identity, .type = type, .next = c->polls,
	    .timer = { .fn = store, .arg = p } };
	c->polls = p;
	if (type != TYPE_CHUNK || !*c->urls || (!c->l2_at && clock_ms() < c->l2_next_ms)) {
		ask(p);
		return;
	}
	p->next_waiting = c->waiting;
	c->waiting = p;
	if (!c->l2_at)
		ask_height(c, c->urls);
}
