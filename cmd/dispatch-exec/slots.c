/* slots.c - co-processes as the outside of a purchase.  See slots.h.
 *
 * A proof is kept before it is told: larger ones become blobs, durably.  While the
 * disk does not take it, its slot is asked nothing else (the file that it named would
 * not last), and it is tried again every second. */
#include "cmd/dispatch-exec/slots.h"

#include "common/clock.h"
#include "common/codes.h"
#include "common/diag.h"
#include "common/hash.h"
#include "common/lock.h"
#include "common/reply.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { KEEP_MS = 1000, PROOF_MAX = 1 << 30 };

struct slot {
	struct slots		*s;
	struct coproc		*co;
	char			 name[64];
	enum plugin_verb	 verb;
	uint64_t		 serial;
	/* a proof that is not kept yet */
	bool			 keeping;
	struct buf		 proof;
	char			 path[1024];
	struct buf		 handle, detail;
	struct loop_timer	 again;
};

struct slots {
	struct slots_opts	 o;	/* texts are our own */
	struct purchase		*purchase;
	struct purchase_terms	 terms;
	struct plugin_caps	 caps;	/* of the one that said it last */
	size_t			 up;
	struct slot		*slot;
};

/* ---- keeping a proof ---- */

static int
read_small(int fd, size_t n, struct buf *out)
{
	buf_reset(out);
	while (out->n < n) {
		ssize_t got = read(fd, buf_room(out, n - out->n), n - out->n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got == 0)
			errno = ENODATA;
		if (got <= 0)
			return -1;
		out->n += (size_t)got;
	}
	return 0;
}

static int
copy_large(struct blobs *blobs, int fd, uint64_t n, uint8_t hash[HASH_BYTES])
{
	struct blob_writer *w = blob_begin(blobs);
	uint64_t bytes;

	if (!w)
		return -1;
	if (blob_copy(w, fd, 0, n) == 0)
		return blob_end(&w, true, hash, &bytes);
	int saved = errno;
	blob_drop(&w);
	errno = saved;
	return -1;
}

/* Take in the file that the plug-in named.  1 when it cannot be had at all. */
static int
keep_file(struct slot *slot, struct purchase_answer *a)
{
	struct stat st;
	int rc = 1, fd = open(slot->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > PROOF_MAX)
		goto out;
	a->proof_bytes = (uint64_t)st.st_size;
	if (st.st_size > INLINE_BYTES)
		rc = copy_large(slot->s->o.blobs, fd, a->proof_bytes, a->proof_blob);
	else if (read_small(fd, (size_t)st.st_size, &slot->proof) == 0) {
		a->proof = SPAN_OF(&slot->proof);
		sha256_of(a->proof, a->proof_blob);
		rc = 0;
	}
out:
	if (fd >= 0)
		close(fd);
	return rc;
}

static int
keep_text(struct slot *slot, struct purchase_answer *a)
{
	struct span text = SPAN_OF(&slot->proof);
	bool in_row;
	int rc = blob_keep(slot->s->o.blobs, text, a->proof_blob, &in_row);

	a->proof_bytes = text.n;
	if (in_row)
		a->proof = text;
	return rc;
}

/* Keep it and tell it; later when the disk does not take it. */
static void
keep(void *arg)
{
	struct slot *slot = arg;
	struct purchase_answer a = { .outcome = REPLY_PROVED, .handle = SPAN_OF(&slot->handle), .detail = SPAN_OF(&slot->detail) };
	int rc = slot->path[0] ? keep_file(slot, &a) : keep_text(slot, &a);

	slot->keeping = rc < 0;
	if (rc < 0) {
		diag(DIAG_WARN, "proof-not-kept", "name=%s code=%s why=%s", slot->name, code_word(CODE_BLOB_IO),
		    diag_quote(strerror(errno)));
		loop_timer(slot->s->o.loop, &slot->again, clock_ms() + KEEP_MS);
		return;
	}
	if (rc > 0) {
		diag(DIAG_WARN, "proof-path", "name=%s path=%s code=%s", slot->name, diag_quote(slot->path), code_word(CODE_PLUGIN_GARBAGE));
		a = (struct purchase_answer){ .outcome = REPLY_NO_ANSWER, .code = CODE_PLUGIN_GARBAGE,
		    .detail = SPAN("proof_path cannot be read") };
	}
	purchase_answer(slot->s->purchase, slot->serial, &a);
}

static void
keep_later(void *arg)
{
	struct slot *slot = arg;

	keep(slot);
	if (!slot->keeping)
		purchase_kick(slot->s->purchase);
}

static void
on_answer(void *arg, const struct coproc_result *result)
{
	struct slot *slot = arg;
	struct reply r;

	reply_read(slot->verb, result, &r);
	if (r.outcome != REPLY_PROVED) {
		purchase_answer(slot->s->purchase, slot->serial, &(struct purchase_answer){ .outcome = r.outcome,
		    .code = r.code, .detail = r.detail, .handle = r.handle });
		return;
	}
	buf_reset(&slot->proof);
	buf_reset(&slot->handle);
	buf_reset(&slot->detail);
	buf_put(&slot->proof, r.proof.p, r.proof.n);
	buf_put(&slot->handle, r.handle.p, r.handle.n);
	buf_put(&slot->detail, r.detail.p, r.detail.n);
	snprintf(slot->path, sizeof slot->path, "%s", r.path);
	keep(slot);
}

/* ---- what the purchase asks ---- */

static bool
is_free(const struct slot *slot)
{
	return coproc_ready(slot->co) && !slot->keeping;
}

static size_t
room(void *arg)
{
	const struct slots *s = arg;
	size_t n = 0;

	for (size_t i = 0; i < s->o.n; i++)
		n += is_free(&s->slot[i]);
	return n;
}

static uint64_t
able(void *arg, const struct row *row)
{
	const struct slots *s = arg;
	uint64_t bytes;

	if (row->type > TYPE_MAX || !(slots_types(s) >> row->type & 1) || !plugin_caps_fork(&s->caps, row->fork))
		return CODE_NOT_ABLE;
	if (*s->o.chain && !span_is(row->chain, s->o.chain))
		return CODE_NOT_ABLE;
	if (!HAS(row, input_blob) || !blob_have(s->o.blobs, row->input_blob, &bytes))
		return CODE_BLOB_DAMAGED;
	return HAS(row, input_bytes) && bytes != row->input_bytes ? CODE_BLOB_DAMAGED : CODE_OK;
}

static void
put_task(const struct slots *s, const struct purchase_call *c, struct buf *members)
{
	const struct row *row = c->row;

	plugin_put_text(members, "chain", row->chain);
	plugin_put_text(members, "type", span_str(type_name(row->type)));
	plugin_put_text(members, "task", row->task);
	plugin_put_text(members, "fork", row->fork);
	plugin_put_text(members, "input", span_str(blob_path(s->o.blobs, row->input_blob)));
	plugin_put_hash(members, "input_sha256", row->input_blob);
	plugin_put_num(members, "input_bytes", row->input_bytes);
	plugin_put_num(members, "prove_ms", s->o.prove_timeout_ms);
}

static bool
ask(struct slots *s, const struct purchase_call *c, enum plugin_verb verb)
{
	struct slot *slot = NULL;
	struct buf members = { 0 };

	for (size_t i = 0; i < s->o.n && !slot; i++)
		if (is_free(&s->slot[i]))
			slot = &s->slot[i];
	if (!slot)
		return false;
	plugin_put_text(&members, "attempt", span_str(c->key));
	if (verb == PLUGIN_PROVE)
		put_task(s, c, &members);
	if (HAS(c->row, handle))
		plugin_put_text(&members, "handle", c->row->handle);
	plugin_put_num(&members, "deadline_ms", c->deadline_ms);
	slot->verb = verb;
	slot->serial = c->serial;
	/* the last look before the first byte */
	bool go = verb != PLUGIN_PROVE || purchase_may_send(s->purchase, c->serial);
	if (go)
		coproc_ask(slot->co, verb, SPAN_OF(&members), c->deadline_ms, on_answer, slot);
	buf_free(&members);
	return go;
}

static bool
prove(void *arg, const struct purchase_call *c)
{
	return ask(arg, c, PLUGIN_PROVE);
}

static bool
poll(void *arg, const struct purchase_call *c)
{
	return ask(arg, c, PLUGIN_POLL);
}

static bool
reconcile(void *arg, const struct purchase_call *c)
{
	return ask(arg, c, PLUGIN_RECONCILE);
}

static bool
cancel(void *arg, const struct purchase_call *c)
{
	return ask(arg, c, PLUGIN_CANCEL);
}

/* Its lock is free: the kernel gave it back when the process died.  True of this machine only,
 * so the file has to be there. */
static bool
is_dead(void *arg, struct span owner)
{
	const struct slots *s = arg;
	char path[512];
	int n = snprintf(path, sizeof path, "%s/%.*s.lock", s->o.run_dir, SPAN_ARG(owner));

	return n > 0 && (size_t)n < sizeof path && access(path, F_OK) == 0 && lock_held(path) == 0;
}

/* ---- capabilities ---- */

/* The weaker of what the settings trust and what the plug-in promises. */
static enum plugin_ask
weaker_ask(const struct slots *s)
{
	enum plugin_ask ask = MIN2(s->o.terms.ask, s->caps.ask);

	if (ask == PLUGIN_ASK_LOOKUP && !(s->caps.verbs >> PLUGIN_RECONCILE & 1))
		return PLUGIN_ASK_NONE;
	return ask;
}

static void
take_caps(struct slots *s, const struct plugin_caps *caps)
{
	s->caps = *caps;
	s->terms = s->o.terms;
	s->terms.known = true;
	s->terms.ask = weaker_ask(s);
	s->terms.can_cancel = caps->verbs >> PLUGIN_CANCEL & 1;
	s->terms.lag_ms = MAX2(s->o.terms.lag_ms, caps->lag_ms);
	s->terms.prove_call_ms = caps->sync ? s->o.prove_timeout_ms : s->o.terms.call_ms;
	purchase_terms(s->purchase, &s->terms);
}

static void
on_changed(void *arg)
{
	struct slot *slot = arg;
	struct slots *s = slot->s;
	const struct plugin_caps *caps = coproc_caps(slot->co);
	size_t up = 0;

	for (size_t i = 0; i < s->o.n; i++)
		up += s->slot[i].co && coproc_caps(s->slot[i].co);
	if (caps && (up != s->up || !s->terms.known))
		take_caps(s, caps);
	if (up != s->up)
		books_changed(s->o.books);
	s->up = up;
	purchase_kick(s->purchase);
}

/* ---- life ---- */

static void
open_slot(struct slots *s, size_t i)
{
	struct slot *slot = &s->slot[i];

	slot->s = s;
	snprintf(slot->name, sizeof slot->name, "%s.%zu", s->o.provider, i);
	slot->again = (struct loop_timer){ .fn = keep_later, .arg = slot };
	slot->co = coproc_new(&(struct coproc_opts){ .loop = s->o.loop, .name = slot->name, .command = s->o.command,
	    .line_max = s->o.line_max, .changed = on_changed, .arg = slot });
}

struct slots *
slots_new(const struct slots_opts *opts)
{
	static const struct purchase_ops ops = {
		.prove = prove, .poll = poll, .reconcile = reconcile, .cancel = cancel,
		.room = room, .able = able, .dead = is_dead,
	};
	struct slots *s = xzalloc(sizeof *s);

	s->o = *opts;
	s->o.provider = xstrdup(opts->provider);
	s->o.command = xstrdup(opts->command);
	s->o.run_dir = xstrdup(opts->run_dir);
	s->o.chain = xstrdup(opts->chain);
	s->purchase = purchase_new(&(struct purchase_opts){ .books = opts->books, .instance = opts->instance, .ops = &ops, .arg = s });
	s->slot = xzalloc(s->o.n * sizeof *s->slot);
	for (size_t i = 0; i < s->o.n; i++)
		open_slot(s, i);
	return s;
}

static void
close_slot(struct slot *slot)
{
	coproc_close(&slot->co);
	loop_timer(slot->s->o.loop, &slot->again, 0);
	buf_free(&slot->proof);
	buf_free(&slot->handle);
	buf_free(&slot->detail);
}

void
slots_free(struct slots **sp)
{
	struct slots *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	for (size_t i = 0; i < s->o.n; i++)
		close_slot(&s->slot[i]);
	purchase_free(&s->purchase);
	free((void *)(uintptr_t)s->o.provider);
	free((void *)(uintptr_t)s->o.command);
	free((void *)(uintptr_t)s->o.run_dir);
	free((void *)(uintptr_t)s->o.chain);
	free(s->slot);
	free(s);
}

struct purchase *
slots_purchase(struct slots *s)
{
	return s->purchase;
}

size_t
slots_up(const struct slots *s)
{
	return s->up;
}

uint64_t
slots_types(const struct slots *s)
{
	return s->o.types & s->caps.types;
}

void
slots_note(const struct slots *s, char *out, size_t size)
{
	size_t keeping = 0;
	uint64_t trouble = CODE_OK;

	for (size_t i = 0; i < s->o.n; i++) {
		keeping += s->slot[i].keeping;
		if (!coproc_caps(s->slot[i].co))
			trouble = coproc_trouble(s->slot[i].co);
	}
	if (keeping)
		snprintf(out, size, "%zu proofs wait for room on the disk", keeping);
	else if (trouble != CODE_OK)
		snprintf(out, size, "%zu of %zu plug-ins do not run: %s", s->o.n - s->up, s->o.n, code_word(trouble));
	else
		purchase_note(s->purchase, out, size);
}
