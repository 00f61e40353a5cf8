/* inputs.c - see inputs.h.
 *
 * A build is one input being made; asks hang on it.  Its blocks are fetched a window ahead
 * and appended in task order as soon as it is their turn, so that a build holds few
 * descriptors and hashing goes on while the network brings the rest.  When the disk
 * fails, the build drops what it has and begins again after a wait.
 *
 * Everything happens in one timer, which does a little of each build and then lets the
 * loop turn: a build's done functions are never called from inside inputs_start. */
#include "common/inputs.h"

#include "common/backoff.h"
#include "common/build.h"
#include "common/clock.h"
#include "common/diag.h"
#include "common/hash.h"

enum {
	RECENT		= 64,			/* results remembered: rows under way may still ask */
	BODY_BYTES	= 512 << 20,		/* of a task body */
	WAIT_MS		= 200,
	WAIT_MAX_MS	= 4000,			/* with jitter: 5 s */
};

struct inputs_ask {
	struct build		*build;
	struct inputs_ask	*next;
	inputs_done_fn		*done;
	void			*arg;
};

/* What makes two tasks have one input. */
struct key {
	char		 chain[33];
	uint64_t	 type;
	uint8_t		 body[HASH_BYTES];
};

/* A block in the window. */
struct slot {
	struct build	*build;
	struct l2_fetch	*fetch;		/* under way */
	struct l2_trace	 trace;		/* stored, when have */
	bool		 have;
};

struct build {
	struct inputs		*inputs;
	struct build		*next;
	struct key		 key;
	uint64_t		 order;
	struct inputs_ask	*asks;
	bool			 inlined;	/* the body came in the row */
	struct buf		 body;		/* that one, until it is planned */
	struct build_plan	 plan;
	bool			 planned;
	struct l2		*l2;		/* while it fetches */
	struct slot		*slots;		/* block i in slot i % window */
	size_t			 window;
	size_t			 asked, taken;	/* blocks asked for; appended */
	uint64_t		 number;	/* of the block appended last */
	struct blob_writer	*writer;
	struct backoff		 wait;
	enum code		 code;		/* why it waits */
	char			 why[BUILD_WHY];
	bool			 over;
	struct inputs_result	 result;
};

struct recent {
	struct key	 key;
	uint8_t		 blob[HASH_BYTES];
};

struct inputs {
	struct inputs_opts	 o;
	struct build		*builds;	/* in the order they came */
	struct loop_timer	 timer;
	uint64_t		 orders, draw;
	struct recent		 recent[RECENT];
	size_t			 nrecent;
};

static void
wake(struct inputs *in)
{
	loop_timer(in->o.loop, &in->timer, MAX2(clock_ms(), UINT64_C(1)));
}

static void
changed(struct inputs *in)
{
	if (in->o.changed)
		in->o.changed(in->o.arg);
}

/* ---- ends ---- */

static void
trace_free(struct l2_trace *trace)
{
	if (trace->fd >= 0)
		close(trace->fd);
	trace->fd = -1;
	blob_drop(&trace->writer);
}

/* Give back everything that was fetched. */
static void
drop_blocks(struct build *b)
{
	for (size_t i = 0; i < b->window; i++) {
		l2_cancel(&b->slots[i].fetch);
		if (b->slots[i].have)
			trace_free(&b->slots[i].trace);
	}
	free(b->slots);
	b->slots = NULL;
	blob_drop(&b->writer);
	b->asked = b->taken = b->window = 0;
	if (b->l2)
		l2_release(b->l2);
	b->l2 = NULL;
}

static void
build_free_all(struct build *b)
{
	drop_blocks(b);
	build_free(&b->plan);
	buf_free(&b->body);
	free(b);
}

static void
ends(struct build *b, enum code code, const char *detail)
{
	b->over = true;
	b->result.code = code;
	b->result.detail = detail;
	drop_blocks(b);
}

/* Our own trouble: from the beginning, later. */
static void
trouble(struct build *b, enum code code, const char *what, const char *problem)
{
	drop_blocks(b);
	snprintf(b->why, sizeof b->why, "%s: %s", what, problem);
	b->code = code;
	backoff_fail(&b->wait, WAIT_MS, WAIT_MAX_MS, &b->inputs->draw);
	diag(b->wait.tries == 1 ? DIAG_WARN : DIAG_DEBUG, "input-waits", "chain=%s type=%" PRIu64 " code=%s tries=%u why=%s",
	    b->key.chain, b->key.type, code_word(code), b->wait.tries, diag_quote(b->why));
	changed(b->inputs);
}

static void
remember(struct inputs *in, const struct build *b)
{
	struct recent *r = &in->recent[in->nrecent++ % RECENT];

	r->key = b->key;
	memcpy(r->blob, b->result.blob, HASH_BYTES);
}

/* Was it built a moment ago? */
static bool
recall(struct build *b)
{
	struct inputs *in = b->inputs;

	for (size_t i = 0; i < MIN2(in->nrecent, (size_t)RECENT); i++)
		if (memcmp(&in->recent[i].key, &b->key, sizeof b->key) == 0
		    && blob_have(in->o.blobs, in->recent[i].blob, &b->result.bytes)) {
			memcpy(b->result.blob, in->recent[i].blob, HASH_BYTES);
			return true;
		}
	return false;
}

/* ---- the body ---- */

/* The body is the input: it must be a blob. */
static void
pass_through(struct build *b, struct span body, bool stored)
{
	memcpy(b->result.blob, b->key.body, HASH_BYTES);
	b->result.bytes = body.n;
	if (!stored && blob_put(b->inputs->o.blobs, body, false, b->result.blob) != 0)
		trouble(b, CODE_BLOB_IO, "blobs directory", strerror(errno));
	else
		ends(b, CODE_OK, "");
}

static void
plan_from(struct build *b, struct span body, bool stored)
{
	enum code code = build_read(b->key.type, body, &b->plan, b->why);

	if (code != CODE_OK)
		ends(b, code, b->why);
	else if (b->plan.pass)
		pass_through(b, body, stored);
	else {
		b->planned = true;
		buf_free(&b->body);
	}
}

static void
plan(struct build *b)
{
	struct buf body = { 0 };

	if (recall(b))
		ends(b, CODE_OK, "");
	else if (b->inlined)
		plan_from(b, SPAN_OF(&b->body), false);
	else if (blob_read(b->inputs->o.blobs, b->key.body, BODY_BYTES, &body) == 0)
		plan_from(b, SPAN_OF(&body), true);
	else
		trouble(b, errno == EBADMSG ? CODE_BLOB_DAMAGED : CODE_BLOB_IO, "task body", strerror(errno));
	buf_free(&body);
}

/* ---- blocks ---- */

static void
on_trace(void *arg, const struct l2_trace *trace)
{
	struct slot *slot = arg;
	struct build *b = slot->build;

	slot->fetch = NULL;
	slot->trace = *trace;
	slot->have = trace->error == 0;
	if (!slot->have)
		trouble(b, CODE_BLOB_IO, "blobs directory", strerror(trace->error));
	wake(b->inputs);
}

static void
ask_blocks(struct build *b)
{
	for (; b->asked < b->plan.n && b->asked < b->taken + b->window; b->asked++) {
		struct slot *slot = &b->slots[b->asked % b->window];
		slot->build = b;
		slot->fetch = l2_start(b->l2, b->order, b->plan.hashes[b->asked], b->asked == 0, on_trace, slot);
	}
}

static void
no_nodes(struct build *b)
{
	trouble(b, CODE_SETTING, b->key.chain, "this chain has no l2 in the settings");
	if (b->inputs->o.no_nodes_ends)
		ends(b, CODE_SETTING, b->why);
}

/* False: not yet, or it is over. */
static bool
begin_blocks(struct build *b)
{
	struct l2 *l2 = b->inputs->o.nodes(b->inputs->o.arg, span_str(b->key.chain));

	if (!l2)
		no_nodes(b);
	if (!l2 || !l2_claim(l2))
		return false;
	b->l2 = l2;
	b->window = MIN2(l2_window(l2), b->plan.n);
	b->slots = xzalloc(b->window * sizeof *b->slots);
	return true;
}

/* The first block brings the blob with it. */
static int
append_bytes(struct build *b, struct l2_trace *trace)
{
	if (trace->writer) {
		b->writer = trace->writer;
		trace->writer = NULL;
		return 0;
	}
	return blob_write(b->writer, ",", 1) == 0 ? blob_copy(b->writer, trace->fd, 0, trace->n) : -1;
}

static bool
append_block(struct build *b, struct slot *slot)
{
	struct l2_trace *trace = &slot->trace;

	if (b->taken && trace->number != b->number + 1) {
		snprintf(b->why, sizeof b->why, "block_hashes[%zu] is block %" PRIu64 ", the one before is %" PRIu64,
		    b->taken, trace->number, b->number);
		ends(b, CODE_L2_ORDER, b->why);
		return false;
	}
	if (append_bytes(b, trace) != 0) {
		trouble(b, CODE_BLOB_IO, "blobs directory", strerror(errno));
		return false;
	}
	trace_free(trace);
	slot->have = false;
	b->number = trace->number;
	b->taken++;
	return true;
}

static void
finish_blocks(struct build *b)
{
	if (blob_write(b->writer, "]", 1) != 0
	    || blob_end(&b->writer, false, b->result.blob, &b->result.bytes) != 0)
		trouble(b, CODE_BLOB_IO, "blobs directory", strerror(errno));
	else
		ends(b, CODE_OK, "");
}

/* Append the next block when it is there.  True when the one after it is there too. */
static bool
step_blocks(struct build *b)
{
	struct slot *slot = &b->slots[b->taken % b->window];

	if (slot->have && !append_block(b, slot))
		return false;
	if (b->taken == b->plan.n) {
		finish_blocks(b);
		return false;
	}
	ask_blocks(b);
	return b->slots[b->taken % b->window].have;
}

/* ---- the timer ---- */

/* A little of one build.  True when it has more to do right now. */
static bool
step(struct build *b)
{
	if (b->over || backoff_waits(&b->wait))
		return b->over;
	if (!b->planned) {
		plan(b);
		return b->planned || b->over;
	}
	if (!b->l2 && !begin_blocks(b))
		return false;
	return step_blocks(b) || b->over;
}

static void
unlink_build(struct inputs *in, struct build *b)
{
	struct build **at = &in->builds;

	while (*at != b)
		at = &(*at)->next;
	*at = b->next;
}

/* Take the first build that is over out of the list and tell everyone who asked. */
static bool
tell_one(struct inputs *in)
{
	struct build *b = in->builds;
	struct inputs_ask *ask;

	while (b && !b->over)
		b = b->next;
	if (!b)
		return false;
	unlink_build(in, b);
	if (b->result.code == CODE_OK)
		remember(in, b);
	if (b->wait.tries)
		changed(in);
	while ((ask = b->asks)) {
		b->asks = ask->next;
		ask->done(ask->arg, &b->result);
		free(ask);
	}
	build_free_all(b);
	return true;
}

static void
on_timer(void *arg)
{
	struct inputs *in = arg;
	bool more = false;
	uint64_t when = 0;

	for (struct build *b = in->builds; b; b = b->next) {
		more |= step(b);
		if (backoff_waits(&b->wait) && (when == 0 || b->wait.until_ms < when))
			when = b->wait.until_ms;
	}
	while (tell_one(in))
		more = true;	/* another may fetch now */
	if (more)
		wake(in);
	else
		loop_timer(in->o.loop, &in->timer, when);
}

/* ---- the outside ---- */

static void
key_of(const struct row *row, struct key *key)
{
	memset(key, 0, sizeof *key);	/* compared as bytes */
	if (!span_cstr(row->chain, key->chain, sizeof key->chain))
		key->chain[0] = '\0';
	key->type = row->type;
	if (HAS(row, body))
		sha256_of(row->body, key->body);
	else
		memcpy(key->body, row->body_blob, HASH_BYTES);
}

static struct build *
find_or_make(struct inputs *in, const struct row *row)
{
	struct key key;
	struct build **at = &in->builds;

	key_of(row, &key);
	for (; *at; at = &(*at)->next)
		if (!(*at)->over && memcmp(&(*at)->key, &key, sizeof key) == 0)
			return *at;
	struct build *b = *at = xzalloc(sizeof *b);
	b->inputs = in;
	b->key = key;
	b->order = ++in->orders;
	b->inlined = HAS(row, body);
	if (b->inlined && row->body.n > 0)
		buf_put(&b->body, row->body.p, row->body.n);
	return b;
}

struct inputs_ask *
inputs_start(struct inputs *in, const struct row *row, inputs_done_fn *done, void *arg)
{
	struct build *b = find_or_make(in, row);
	struct inputs_ask *ask = xmalloc(sizeof *ask);

	*ask = (struct inputs_ask){ .build = b, .next = b->asks, .done = done, .arg = arg };
	b->asks = ask;
	wake(in);
	return ask;
}

void
inputs_cancel(struct inputs_ask **ap)
{
	struct inputs_ask *ask = *ap;

	*ap = NULL;
	if (!ask)
		return;
	struct build *b = ask->build;
	struct inputs_ask **at = &b->asks;
	while (*at && *at != ask)
		at = &(*at)->next;
	if (!*at)
		return;		/* its done function is being called */
	*at = ask->next;
	free(ask);
	if (b->asks || b->over)
		return;
	unlink_build(b->inputs, b);
	wake(b->inputs);
	build_free_all(b);
}

struct inputs *
inputs_new(const struct inputs_opts *o)
{
	struct inputs *in = xzalloc(sizeof *in);

	in->o = *o;
	in->timer = (struct loop_timer){ .fn = on_timer, .arg = in };
	arc4random_buf(&in->draw, sizeof in->draw);
	return in;
}

void
inputs_free(struct inputs **ip)
{
	struct inputs *in = *ip;

	*ip = NULL;
	if (!in)
		return;
	for (struct build *b; (b = in->builds); ) {
		in->builds = b->next;
		for (struct inputs_ask *ask; (ask = b->asks); free(ask))
			b->asks = ask->next;
		build_free_all(b);
	}
	loop_timer(in->o.loop, &in->timer, 0);
	free(in);
}

void
inputs_note(const struct inputs *in, char *out, size_t size)
{
	out[0] = '\0';
	for (const struct build *b = in->builds; b; b = b->next)
		if (b->wait.tries && !b->l2) {
			snprintf(out, size, "%s (%s) for %" PRIu64 " s", b->why, code_word(b->code),
			    (clock_ms() - b->wait.since_ms) / 1000);
			return;
		}
}
