/* l2.c - see l2.h.
 *
 * Fetches wait in one list, by order.  The pump gives each that may go to a node that may take
 * it; it runs when a fetch comes or ends, and when a rest or a wait is over.  An answer is
 * scanned as it comes and its result written to a file; only its header stays in memory.
 * Answers of a node are not trusted: see judge. */
#include "common/l2.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "common/backoff.h"
#include "common/clock.h"
#include "common/diag.h"
#include "common/file.h"
#include "common/header.h"
#include "common/http.h"
#include "common/json.h"
#include "common/num.h"
#include "common/scan.h"
#include "common/url.h"

enum {
	REST_MS		= 100,		/* after the first failure */
	REST_MAX_MS	= 4000,		/* with jitter: 5 s */
	MEMBER_BYTES	= 64 * 1024,	/* of a header, of a JSON-RPC error */
	NOTE_TRIES	= 3,		/* a block that failed so often is worth a note */
};

enum path { P_RESULT, P_ERROR, P_HEADER, P_COUNT };
static const char *const paths[P_COUNT] = { "result", "error", "result.header" };

struct node {
	char		*url;
	unsigned	 number;	/* from 1, for people */
	unsigned	 calls;		/* under way */
	struct backoff	 rest;
	char		 why[120];	/* of its last failure */
};

struct l2 {
	struct loop		*loop;
	struct http		*http;
	char			*name;
	struct blobs		*blobs;
	struct node		 nodes[L2_NODES];
	size_t			 nnodes;
	unsigned		 parallel, calls, timeout_ms, claims;
	size_t			 max_bytes;
	struct l2_fetch		*first;
	struct loop_timer	 timer;
	uint64_t		 draw, serial;
	void			(*changed)(void *);
	void			*arg;
};

struct l2_fetch {
	struct l2		*l2;
	struct l2_fetch		*prev, *next;
	uint64_t		 order;
	uint8_t			 hash[HASH_BYTES];
	uint32_t		 tried;		/* nodes that failed it in this round */
	struct backoff		 wait;		/* before the next round */
	l2_done_fn		*done;
	void			*arg;
	/* of the call under way */
	struct node		*node;
	struct http_call	*call;
	struct scan		 scan;
	bool			 opens;
	struct blob_writer	*writer;	/* where the result goes when it opens an input, */
	int			 fd;		/* else this file */
	int			 disk;		/* errno of a failed write */
	struct buf		 header, error;	/* members of the answer, as far as they are there */
	bool			 garbled;	/* not the JSON it should be */
	char			 why[120];
};

/* What became of a call. */
struct verdict {
	enum code	 code;
	bool		 node_rests;
	unsigned	 retry_after_s;
};

static void pump(void *);

/* ---- the answer ---- */

static int
open_unnamed(const char *dir)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
		return fd;
	char *path = xprintf("%s/tmp.XXXXXX", dir);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	free(path);
	return fd;
}

/* Where the result goes.  False with errno set. */
static bool
open_store(struct l2_fetch *f)
{
	if (f->opens)
		return (f->writer = blob_begin(f->l2->blobs)) && blob_write(f->writer, "[", 1) == 0;
	f->fd = open_unnamed(blob_dir(f->l2->blobs));
	return f->fd >= 0;
}

/* What of a piece that begins at `off` belongs to a member, which may not have ended yet. */
static struct span
part_of(const struct scan_hit *hit, uint64_t off, struct span piece)
{
	uint64_t from = hit->at > off ? hit->at - off : 0;
	uint64_t to = hit->n && hit->at + hit->n < off + piece.n ? hit->at + hit->n - off : piece.n;

	if (!hit->first || (hit->n && hit->at + hit->n <= off) || from >= to)
		return (struct span){ 0 };
	return (struct span){ piece.p + from, (size_t)(to - from) };
}

/* Keep a small member; one that is too large is as good as none. */
static void
keep(struct buf *b, struct span part)
{
	if (part.n > 0 && b->n + part.n <= MEMBER_BYTES)
		buf_put(b, part.p, part.n);
}

static bool
on_bytes(void *arg, const uint8_t *p, size_t n)
{
	struct l2_fetch *f = arg;
	struct span piece = { p, n };
	uint64_t off = f->scan.at;

	if (!scan_put(&f->scan, piece))
		return !(f->garbled = true);
	keep(&f->header, part_of(&f->scan.hits[P_HEADER], off, piece));
	keep(&f->error, part_of(&f->scan.hits[P_ERROR], off, piece));
	piece = part_of(&f->scan.hits[P_RESULT], off, piece);
	if (piece.n == 0)
		return true;
	if ((f->writer ? blob_write(f->writer, piece.p, piece.n) : file_write_all(f->fd, piece)) == 0)
		return true;
	f->disk = errno;
	return false;
}

PRINTF(3, 4)
static enum code
say(struct l2_fetch *f, enum code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->why, sizeof f->why, fmt, ap);
	va_end(ap);
	return code;
}

static enum code
rpc_error(struct l2_fetch *f)
{
	struct json *j = json_parse(SPAN_OF(&f->error), MEMBER_BYTES, NULL);
	struct span message = SPAN("a JSON-RPC error");

	if (json_str(j, "message").p)
		message = json_str(j, "message");
	say(f, CODE_L2_ERROR, "%.*s", (int)MIN2(message.n, sizeof f->why), (const char *)message.p);
	json_free(&j);
	return CODE_L2_ERROR;
}

static enum code
check_header(struct l2_fetch *f, uint64_t *number)
{
	struct header header;

	if (!header_read(SPAN_OF(&f->header), &header))
		return say(f, CODE_L2_BAD, "no header, or one without number, hash or parentHash");
	if (memcmp(header.hash, f->hash, HASH_BYTES) != 0)
		return say(f, CODE_L2_WRONG_BLOCK, "another block, number %" PRIu64, header.number);
	if (header.verdict == HEADER_MISMATCH)
		return say(f, CODE_L2_WRONG_BLOCK, "the header does not hash to its own hash");
	*number = header.number;
	return CODE_OK;
}

/* Is this complete answer the block that was asked for? */
static enum code
judge_answer(struct l2_fetch *f, uint64_t *number)
{
	const struct scan_hit *error = scan_found(&f->scan, P_ERROR), *result = scan_found(&f->scan, P_RESULT);

	if (!scan_whole(&f->scan))
		return say(f, CODE_L2_BAD, "the answer is cut off");
	if (error && error->first != 'n')
		return rpc_error(f);
	if (!result)
		return say(f, CODE_L2_BAD, "neither result nor error");
	if (result->first == 'n')
		return say(f, CODE_L2_NULL, "it does not know the block");
	return check_header(f, number);
}

/* Does the node rest?  Not when it is only this block that it does not give. */
static struct verdict
judge(struct l2_fetch *f, const struct http_answer *a, uint64_t *number)
{
	if (f->disk)
		return (struct verdict){ say(f, CODE_BLOB_IO, "%s", strerror(f->disk)), false, 0 };
	if (a->status && a->status != 200)
		return (struct verdict){ say(f, CODE_L2_ERROR, "HTTP status %ld", a->status), true, a->retry_after_s };
	if (f->garbled)
		return (struct verdict){ say(f, CODE_L2_BAD, "not a JSON-RPC answer"), true, 0 };
	if (a->fail == HTTP_TOO_LARGE)
		return (struct verdict){ say(f, CODE_L2_BAD, "more than max_bytes"), true, 0 };
	if (a->fail != HTTP_OK)
		return (struct verdict){ say(f, CODE_L2_AWAY, "%s", a->error), true, 0 };
	enum code code = judge_answer(f, number);
	return (struct verdict){ code, code == CODE_L2_BAD || code == CODE_L2_WRONG_BLOCK, 0 };
}

/* ---- fetches ---- */

static void
unlink_fetch(struct l2_fetch *f)
{
	if (f->prev)
		f->prev->next = f->next;
	else
		f->l2->first = f->next;
	if (f->next)
		f->next->prev = f->prev;
}

/* The call is over: forget all but what it stored. */
static void
end_call(struct l2_fetch *f)
{
	f->node->calls--;
	f->l2->calls--;
	f->node = NULL;
	f->call = NULL;
}

static void
close_store(struct l2_fetch *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	blob_drop(&f->writer);
}

static void
changed(struct l2 *l2)
{
	if (l2->changed)
		l2->changed(l2->arg);
}

static const char *
hash_word(const uint8_t hash[HASH_BYTES])
{
	static char word[2 + 2 * HASH_BYTES + 1];
	struct buf hex = { 0 };

	num_put_hex(&hex, (struct span){ hash, HASH_BYTES });
	snprintf(word, sizeof word, "0x%s", buf_cstr(&hex));
	buf_free(&hex);
	return word;
}

static void
node_fails(struct l2 *l2, struct node *node, const struct l2_fetch *f, const struct verdict *v)
{
	if (backoff_waits(&node->rest))
		return;		/* calls that were under way together fail together: that is one failure */
	snprintf(node->why, sizeof node->why, "%s", f->why);
	uint64_t ms = backoff_fail(&node->rest, REST_MS, REST_MAX_MS, &l2->draw);
	if (v->retry_after_s * UINT64_C(1000) > ms)
		node->rest.until_ms = clock_ms() + MIN2(v->retry_after_s, 60u) * UINT64_C(1000);
	diag(node->rest.tries == 1 ? DIAG_WARN : DIAG_DEBUG, "l2-node-rests", "l2=%s node=%u code=%s tries=%u why=%s",
	    l2->name, node->number, code_word(v->code), node->rest.tries, diag_quote(f->why));
}

static void
node_works(struct l2 *l2, struct node *node)
{
	if (node->rest.tries == 0)
		return;
	diag(DIAG_INFO, "l2-node-back", "l2=%s node=%u after_ms=%" PRIu64, l2->name, node->number,
	    clock_ms() - node->rest.since_ms);
	backoff_ok(&node->rest);
	changed(l2);
}

static void
fetch_fails(struct l2_fetch *f, struct node *node, const struct verdict *v)
{
	struct l2 *l2 = f->l2;

	f->tried |= UINT32_C(1) << (node->number - 1);
	backoff_fail(&f->wait, REST_MS, REST_MAX_MS, &l2->draw);
	diag(f->wait.tries == 1 && !v->node_rests ? DIAG_WARN : DIAG_DEBUG, "l2-fetch-failed", "l2=%s node=%u block=%s code=%s tries=%u why=%s",
	    l2->name, node->number, hash_word(f->hash), code_word(v->code), f->wait.tries, diag_quote(f->why));
	if (v->node_rests)
		node_fails(l2, node, f, v);
	else
		node_works(l2, node);
	changed(l2);
}

static void
fetch_free(struct l2_fetch *f)
{
	buf_free(&f->header);
	buf_free(&f->error);
	free(f);
}

/* With a trace, or without one because it cannot be stored. */
static void
fetch_ends(struct l2_fetch *f, uint64_t number)
{
	const struct scan_hit *result = scan_found(&f->scan, P_RESULT);
	struct l2_trace trace = { .fd = f->fd, .writer = f->writer, .error = f->disk, .number = number };
	bool noted = f->wait.tries >= NOTE_TRIES;

	if (!f->disk)
		trace.n = result->n;
	unlink_fetch(f);
	if (noted)
		changed(f->l2);
	f->done(f->arg, &trace);
	fetch_free(f);
}

static void
on_answer(void *arg, struct http_answer *a)
{
	struct l2_fetch *f = arg;
	struct l2 *l2 = f->l2;
	struct node *node = f->node;
	uint64_t number = 0;

	end_call(f);
	struct verdict v = judge(f, a, &number);
	if (v.code != CODE_OK)
		close_store(f);
	if (v.code == CODE_OK)
		node_works(l2, node);
	if (v.code == CODE_OK || v.code == CODE_BLOB_IO)
		fetch_ends(f, number);
	else
		fetch_fails(f, node, &v);
	pump(l2);
}

static void
call_node(struct l2_fetch *f, struct node *node)
{
	struct l2 *l2 = f->l2;
	static const char *const headers[] = { "Content-Type: application/json", NULL };
	char body[192];
	int n = snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":%" PRIu64
	    ",\"method\":\"scroll_getBlockTraceByNumberOrHash\",\"params\":[\"%s\"]}", ++l2->serial, hash_word(f->hash));
	struct http_req req = {
		.method = "POST", .url = node->url, .headers = headers,
		.body = { (const uint8_t *)body, (size_t)n },
		.timeout_ms = l2->timeout_ms, .max_bytes = l2->max_bytes, .sink = on_bytes,
	};

	f->garbled = false;
	f->disk = 0;
	buf_reset(&f->header);
	buf_reset(&f->error);
	scan_init(&f->scan, paths, P_COUNT);
	f->node = node;
	node->calls++;
	l2->calls++;
	f->call = http_start(l2->http, &req, on_answer, f);
}

/* ---- who goes where ---- */

/* A node that failed is tried by one call at a time until it works again. */
static bool
may_take(const struct node *node)
{
	return !backoff_waits(&node->rest) && (node->rest.tries == 0 || node->calls == 0);
}

static struct node *
first_but(struct l2 *l2, uint32_t but)
{
	for (size_t i = 0; i < l2->nnodes; i++)
		if (!(but >> i & 1) && may_take(&l2->nodes[i]))
			return &l2->nodes[i];
	return NULL;
}

/* Another node than those that failed it at once; after the wait, any. */
static struct node *
choose(struct l2 *l2, struct l2_fetch *f)
{
	struct node *node = first_but(l2, f->tried);

	if (node || backoff_waits(&f->wait))
		return node;
	node = first_but(l2, 0);
	if (node)
		f->tried = 0;
	return node;
}

static void
begin(struct l2 *l2, struct l2_fetch *f, struct node *node)
{
	if (open_store(f)) {
		call_node(f, node);
		return;
	}
	say(f, CODE_BLOB_IO, "blobs directory: %s", strerror(errno));
	close_store(f);
	f->tried = ~UINT32_C(0);	/* no other node can help */
	backoff_fail(&f->wait, REST_MS, REST_MAX_MS, &l2->draw);
	changed(l2);
}

static uint64_t
sooner(uint64_t when, const struct backoff *b)
{
	return backoff_waits(b) && (when == 0 || b->until_ms < when) ? b->until_ms : when;
}

static void
pump(void *arg)
{
	struct l2 *l2 = arg;
	uint64_t when = 0;

	for (struct l2_fetch *f = l2->first; f && l2->calls < l2->parallel; f = f->next) {
		struct node *node = f->call ? NULL : choose(l2, f);
		if (node)
			begin(l2, f, node);
		if (!f->call)
			when = sooner(when, &f->wait);
	}
	for (size_t i = 0; i < l2->nnodes; i++)
		when = sooner(when, &l2->nodes[i].rest);
	loop_timer(l2->loop, &l2->timer, l2->first ? when : 0);
}

/* ---- the outside ---- */

bool
l2_claim(struct l2 *l2)
{
	if (l2->claims == L2_CLAIMS)
		return false;
	l2->claims++;
	return true;
}

void
l2_release(struct l2 *l2)
{
	l2->claims--;
}

size_t
l2_window(const struct l2 *l2)
{
	return 2 * (size_t)l2->parallel;
}

struct l2_fetch *
l2_start(struct l2 *l2, uint64_t order, const uint8_t hash[HASH_BYTES], bool opens,
    l2_done_fn *done, void *arg)
{
	struct l2_fetch *f = xzalloc(sizeof *f), *at = l2->first;

	*f = (struct l2_fetch){ .l2 = l2, .order = order, .opens = opens, .done = done, .arg = arg, .fd = -1 };
	memcpy(f->hash, hash, HASH_BYTES);
	while (at && at->next && at->next->order <= order)
		at = at->next;
	if (at && at->order <= order) {
		f->prev = at;
		f->next = at->next;
		at->next = f;
	} else {
		f->next = at;
		l2->first = f;
	}
	if (f->next)
		f->next->prev = f;
	pump(l2);
	return f;
}

void
l2_cancel(struct l2_fetch **fp)
{
	struct l2_fetch *f = *fp;

	*fp = NULL;
	if (!f)
		return;
	struct l2 *l2 = f->l2;
	if (f->call) {
		http_cancel(&f->call);
		end_call(f);
	}
	close_store(f);
	unlink_fetch(f);
	fetch_free(f);
	pump(l2);
}

const char *
l2_check(const char *urls)
{
	struct span url;
	size_t n = 0;

	while (url_next(&urls, &url)) {
		if (!url_good(url))
			return "an L2 node's URL begins with http:// or https://, and names a host";
		if (++n > L2_NODES)
			return "more than 16 L2 nodes";
	}
	return n ? NULL : "no URL of an L2 node";
}

struct l2 *
l2_new(const struct l2_opts *o)
{
	struct l2 *l2 = xzalloc(sizeof *l2);
	const char *at = o->urls;
	struct span url;

	*l2 = (struct l2){
		.loop = o->loop, .name = xstrdup(o->name), .blobs = o->blobs,
		.parallel = MAX2(o->parallel, 1u), .timeout_ms = o->timeout_ms, .max_bytes = o->max_bytes,
		.timer = { .fn = pump, .arg = l2 }, .changed = o->changed, .arg = o->arg,
	};
	arc4random_buf(&l2->draw, sizeof l2->draw);
	while (l2->nnodes < L2_NODES && url_next(&at, &url)) {
		struct node *node = &l2->nodes[l2->nnodes++];
		node->url = xprintf("%.*s", SPAN_ARG(url));
		node->number = (unsigned)l2->nnodes;
	}
	l2->http = http_new(o->loop, l2->parallel);
	return l2;
}

void
l2_free(struct l2 **lp)
{
	struct l2 *l2 = *lp;

	*lp = NULL;
	if (!l2)
		return;
	l2->parallel = 0;	/* begin nothing new */
	for (struct l2_fetch *f; (f = l2->first); )
		l2_cancel(&f);
	http_free(&l2->http);
	loop_timer(l2->loop, &l2->timer, 0);
	for (size_t i = 0; i < l2->nnodes; i++)
		free(l2->nodes[i].url);
	free(l2->name);
	free(l2);
}

static bool
note_nodes(const struct l2 *l2, struct buf *out)
{
	for (size_t i = 0; i < l2->nnodes; i++) {
		const struct node *node = &l2->nodes[i];
		if (node->rest.tries)
			buf_printf(out, "%sL2 node %u away for %" PRIu64 " s (%s)", out->n ? "; " : "", node->number,
			    (clock_ms() - node->rest.since_ms) / 1000, node->why);
	}
	return out->n > 0;
}

static void
note_fetches(const struct l2 *l2, struct buf *out)
{
	for (const struct l2_fetch *f = l2->first; f; f = f->next)
		if (f->wait.tries >= NOTE_TRIES) {
			buf_printf(out, "L2: block %s for %" PRIu64 " s: %s", hash_word(f->hash),
			    (clock_ms() - f->wait.since_ms) / 1000, f->why);
			return;
		}
}

void
l2_note(const struct l2 *l2, char *out, size_t size)
{
	struct buf text = { 0 };

	if (!note_nodes(l2, &text))
		note_fetches(l2, &text);
	snprintf(out, size, "%s", buf_cstr(&text));
	buf_free(&text);
}
