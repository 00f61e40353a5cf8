/* engine.c - what proves.  See engine.h.
 *
 * An order of an asynchronous command outlives the process that took it: its handle is asked for until there is an
 * answer, or until prove_ms is over; then it is cancelled, where the command can do that. */
#include "cmd/prover/engine.h"

#include "cmd/prover/store.h"
#include "common/backoff.h"
#include "common/clock.h"
#include "common/diag.h"
#include "common/num.h"
#include "common/random.h"
#include "common/reply.h"
#include "common/rows.h"

enum { PROOF_BYTES = 256 << 20 };

/* What a worker is at: nothing, a call, the time between two polls, or an order that cannot be asked about. */
enum at { IDLE, RECONCILING, PROVING, BETWEEN, POLLING, CANCELLING, BLIND };
static const enum plugin_verb verbs[] = {
	[RECONCILING] = PLUGIN_RECONCILE, [PROVING] = PLUGIN_PROVE, [POLLING] = PLUGIN_POLL, [CANCELLING] = PLUGIN_CANCEL,
};

struct hand {
	struct engine	*e;
	size_t		 worker;
	char		 name[80];
	struct coproc	*co;			/* NULL: the mock */
	enum at		 at;
	bool		 asked;			/* a call is under way */
	uint64_t	 until_ms;		/* when the order's time is over */
	uint64_t	 quiet_ms;		/* since when no prove call is under way */
	struct buf	 attempt, handle;
	struct buf	 task;			/* members of the call prove */
	struct buf	 proof;			/* the mock's */
	struct loop_timer timer;
};

struct engine {
	struct engine_opts	 o;		/* texts are our own */
	struct hand		**hands;	/* by worker; NULL: not opened */
	size_t			 n;
	uint64_t		 draw;
};

/* ---- answers ---- */

static void
over(struct hand *h, enum proof_outcome outcome, struct span proof, enum code code, const char *why)
{
	h->at = IDLE;
	loop_timer(h->e->o.loop, &h->timer, 0);
	h->e->o.proved(h->e->o.arg, h->worker, outcome, proof, code, why);
}

static void
over_for(struct hand *h, enum proof_outcome outcome, const struct reply *r, enum code usual)
{
	char why[300];

	snprintf(why, sizeof why, "%.*s", SPAN_ARG(r->detail));
	over(h, outcome, (struct span){ 0 }, r->code ? (enum code)r->code : usual, why);
}

static void
poll_later(struct hand *h)
{
	h->at = BETWEEN;
	loop_timer(h->e->o.loop, &h->timer, clock_ms() + h->e->o.poll_ms);
}

static void
on_handle(struct hand *h, const struct reply *r)
{
	buf_reset(&h->handle);
	buf_put(&h->handle, r->handle.p, r->handle.n);
	poll_later(h);
}

static void
on_proved(struct hand *h, const struct reply *r)
{
	struct buf file = { 0 };

	if (!*r->path)
		over(h, PROOF_DONE, r->proof, CODE_OK, "");
	else if (store_read(r->path, PROOF_BYTES, &file) == 0 && file.n > 0)
		over(h, PROOF_DONE, SPAN_OF(&file), CODE_OK, "");
	else
		over(h, PROOF_LOST, (struct span){ 0 }, CODE_PLUGIN_GARBAGE, "proof_path cannot be read");
	buf_free(&file);
}

static void
on_proving(struct hand *h, const struct reply *r)
{
	poll_later(h);
}

static void
on_refused(struct hand *h, const struct reply *r)
{
	over_for(h, PROOF_LATER, r, CODE_PROVER_RETRY);
}

static void
on_failed(struct hand *h, const struct reply *r)
{
	over_for(h, PROOF_FAILED, r, CODE_PROVER_FAILED);
}

/* A question that was not answered is asked again; a prove call may be under way there. */
static void
on_no_answer(struct hand *h, const struct reply *r)
{
	if (h->at == PROVING)
		h->quiet_ms = clock_ms();
	if (h->at == PROVING && r->outcome == REPLY_NO_ANSWER)
		over_for(h, PROOF_LOST, r, CODE_PLUGIN_EXIT);
	else if (h->at == PROVING || h->at == RECONCILING)
		over_for(h, PROOF_LATER, r, CODE_PLUGIN_EXIT);
	else
		poll_later(h);
}

/* An order that was taken may be seen only a while later: before that "unknown" is no answer. */
static void
on_unknown(struct hand *h, const struct reply *r)
{
	const struct plugin_caps *caps = coproc_caps(h->co);

	if (h->at != RECONCILING)
		on_failed(h, r);
	else if (caps && clock_ms() - h->quiet_ms >= caps->lag_ms)
		over(h, PROOF_NONE, (struct span){ 0 }, CODE_OK, "");
	else
		over_for(h, PROOF_LATER, r, CODE_PROVER_RETRY);
}

static void
on_reply(void *arg, const struct coproc_result *result)
{
	static void (*const on[REPLY_OUTCOMES])(struct hand *, const struct reply *) = {
		[REPLY_HANDLE] = on_handle, [REPLY_PROVED] = on_proved, [REPLY_PROVING] = on_proving,
		[REPLY_REFUSED] = on_refused, [REPLY_FAILED] = on_failed, [REPLY_UNKNOWN] = on_unknown,
		[REPLY_CANCELLED] = on_failed, [REPLY_NOT_SENT] = on_no_answer, [REPLY_NO_ANSWER] = on_no_answer,
	};
	struct hand *h = arg;
	struct reply r;

	h->asked = false;
	reply_read(verbs[h->at], result, &r);
	if (h->at == CANCELLING && r.outcome != REPLY_PROVED)
		over(h, PROOF_FAILED, (struct span){ 0 }, CODE_PROOF_TIMEOUT, "prove_timeout is over");
	else
		on[r.outcome](h, &r);
}

/* ---- questions ---- */

static void
ask(struct hand *h, enum at at, struct span task, uint64_t deadline_ms)
{
	struct buf members = { 0 };

	plugin_put_text(&members, "attempt", SPAN_OF(&h->attempt));
	if (task.n) {
		buf_putc(&members, ',');
		buf_put(&members, task.p, task.n);
	}
	if (h->handle.n)
		plugin_put_text(&members, "handle", SPAN_OF(&h->handle));
	plugin_put_num(&members, "deadline_ms", deadline_ms);
	h->at = at;
	h->asked = true;
	coproc_ask(h->co, verbs[at], SPAN_OF(&members), deadline_ms, on_reply, h);
	buf_free(&members);
}

static void
ask_about(struct hand *h, enum at at)
{
	ask(h, at, (struct span){ 0 }, h->e->o.call_ms);
}

static void
poll_again(struct hand *h)
{
	const struct plugin_caps *caps = coproc_caps(h->co);
	bool late = clock_ms() >= h->until_ms;

	if (late && (!caps || !(caps->verbs >> PLUGIN_CANCEL & 1)))
		over(h, PROOF_FAILED, (struct span){ 0 }, CODE_PROOF_TIMEOUT, "prove_timeout is over");
	else if (!coproc_ready(h->co))
		poll_later(h);
	else
		ask_about(h, late ? CANCELLING : POLLING);
}

static void
order(struct hand *h)
{
	ask(h, PROVING, SPAN_OF(&h->task), coproc_caps(h->co)->sync ? h->e->o.prove_ms : h->e->o.call_ms);
}

static void
put_task(struct hand *h, const struct engine_order *o)
{
	const struct coord_task *t = &o->record->task;

	buf_reset(&h->task);
	plugin_put_text(&h->task, "chain", (struct span){ 0 });
	plugin_put_text(&h->task, "type", span_str(type_name(t->type)));
	plugin_put_text(&h->task, "task", SPAN_OF(&t->task_id));
	plugin_put_text(&h->task, "fork", SPAN_OF(&t->fork));
	plugin_put_text(&h->task, "input", span_str(o->input));
	plugin_put_hash(&h->task, "input_sha256", o->sha256);
	plugin_put_num(&h->task, "input_bytes", o->bytes);
	plugin_put_num(&h->task, "prove_ms", h->e->o.prove_ms);
}

static void
in_next_turn(struct hand *h, enum at at)
{
	h->at = at;
	loop_timer(h->e->o.loop, &h->timer, MAX2(clock_ms(), 1));
}

static void
prove_by_command(struct hand *h, const struct engine_order *o)
{
	const struct plugin_caps *caps = coproc_caps(h->co);

	put_task(h, o);
	if (!o->again || caps->ask == PLUGIN_ASK_KEY)
		order(h);
	else if (caps->ask == PLUGIN_ASK_LOOKUP && caps->verbs >> PLUGIN_RECONCILE & 1)
		ask_about(h, RECONCILING);
	else
		in_next_turn(h, BLIND);
}

/* ---- the mock ---- */

static void
prove_by_digest(struct hand *h, const struct engine_order *o)
{
	struct engine *e = h->e;

	if (o->again) {
		in_next_turn(h, BLIND);
		return;
	}
	buf_reset(&h->proof);
	buf_puts(&h->proof, "{\"input_sha256\":\"");
	num_put_hex(&h->proof, (struct span){ o->sha256, HASH_BYTES });
	buf_puts(&h->proof, "\"}");
	if (backoff_draw(&e->draw) % 100 < e->o.mock_fail)
		buf_reset(&h->proof);
	h->at = PROVING;
	loop_timer(e->o.loop, &h->timer, MAX2(clock_ms() + e->o.mock_delay_ms, 1));
}

static void
mock_done(struct hand *h)
{
	if (h->proof.n)
		over(h, PROOF_DONE, SPAN_OF(&h->proof), CODE_OK, "");
	else
		over(h, PROOF_FAILED, (struct span){ 0 }, CODE_PROVER_FAILED, "as mock_fail wants it");
}

/* ---- life ---- */

/* prove was asked for, but the process had just ended: nothing was sent. */
static void
not_ready(struct hand *h)
{
	over(h, PROOF_LATER, (struct span){ 0 }, (enum code)coproc_trouble(h->co), "the command does not run");
}

/* A fork that it does not prove: no try of it can be better. */
static void
wrong_fork(struct hand *h)
{
	over(h, PROOF_FAILED, (struct span){ 0 }, CODE_NOT_ABLE, "the command does not prove tasks of this fork");
}

static void
on_timer(void *arg)
{
	struct hand *h = arg;

	if (h->at == BLIND)
		over(h, PROOF_NONE, (struct span){ 0 }, CODE_OK, "");
	else if (!h->co && h->at == IDLE)
		h->e->o.able(h->e->o.arg, h->worker, h->e->o.types, "");
	else if (!h->co)
		mock_done(h);
	else if (h->at == BETWEEN)
		poll_again(h);
	else if (h->at == PROVING && !h->asked && coproc_ready(h->co))
		wrong_fork(h);
	else if (h->at == PROVING && !h->asked)
		not_ready(h);
}

void
engine_prove(struct engine *e, size_t worker, const struct engine_order *o)
{
	struct hand *h = e->hands[worker];

	buf_reset(&h->attempt);
	buf_reset(&h->handle);
	taskfile_attempt(o->record, &h->attempt);
	h->until_ms = clock_ms() + e->o.prove_ms;
	if (!h->co)
		prove_by_digest(h, o);
	else if (coproc_ready(h->co) && plugin_caps_fork(coproc_caps(h->co), SPAN_OF(&o->record->task.fork)))
		prove_by_command(h, o);
	else
		in_next_turn(h, PROVING);
}

/* Up or down; a call that is under way does not change what it can. */
static void
on_changed(void *arg)
{
	struct hand *h = arg;
	const struct plugin_caps *caps = coproc_caps(h->co);

	h->e->o.able(h->e->o.arg, h->worker, caps ? h->e->o.types & caps->types : 0, caps ? caps->vks : "");
}

void
engine_open(struct engine *e, size_t worker)
{
	if (worker >= e->n) {
		e->hands = xrealloc(e->hands, (worker + 1) * sizeof(struct hand *));
		while (e->n <= worker)
			e->hands[e->n++] = NULL;
	}
	if (e->hands[worker])
		return;
	struct hand *h = e->hands[worker] = xzalloc(sizeof *h);
	*h = (struct hand){ .e = e, .worker = worker, .quiet_ms = clock_ms(), .timer = { .fn = on_timer, .arg = h } };
	snprintf(h->name, sizeof h->name, "%.60s.%zu", e->o.name, worker);
	if (e->o.mock)
		loop_timer(e->o.loop, &h->timer, MAX2(clock_ms(), 1));
	else
		h->co = coproc_new(&(struct coproc_opts){ .loop = e->o.loop, .name = h->name, .command = e->o.command,
		    .line_max = e->o.line_max, .changed = on_changed, .arg = h });
}

struct engine *
engine_new(const struct engine_opts *o)
{
	struct engine *e = xzalloc(sizeof *e);

	e->o = *o;
	e->o.name = xstrdup(o->name);
	e->o.command = xstrdup(o->command);
	e->draw = random_u64();
	return e;
}

void
engine_free(struct engine **ep)
{
	struct engine *e = *ep;

	*ep = NULL;
	if (!e)
		return;
	for (size_t i = 0; i < e->n; i++) {
		struct hand *h = e->hands[i];
		if (!h)
			continue;
		coproc_close(&h->co);
		loop_timer(e->o.loop, &h->timer, 0);
		buf_free(&h->attempt);
		buf_free(&h->handle);
		buf_free(&h->task);
		buf_free(&h->proof);
		free(h);
	}
	free(e->hands);
	free((void *)(uintptr_t)e->o.name);
	free((void *)(uintptr_t)e->o.command);
	free(e);
}
