/* outside.c - the Coordinator (generation (b): no second delivery, "twice" after a time-out) and the
 * providers of the simulation. */
#include "tests/model/world.h"

#include "common/map.h"

enum { SESSIONS_MAX = NELEM(((struct world *)0)->assigned) };

/* --- the Coordinator --- */

static void
time_out(struct world *w)
{
	for (size_t i = 0; i < w->nassigned; i++) {
		struct assignment *a = &w->assigned[i];
		if (a->state == A_ASSIGNED && w->now >= a->at + COLLECTION_MS) {
			a->state = A_CLOSED;
			w->tasks[a->task].active--;
		}
	}
}

static bool
holds_one(const struct world *w, unsigned identity)
{
	for (size_t i = 0; i < w->nassigned; i++)
		if (w->assigned[i].identity == identity && w->assigned[i].state == A_ASSIGNED)
			return true;
	return false;
}

static struct assignment *
assign(struct world *w, unsigned identity, uint64_t type)
{
	for (unsigned t = 0; t < TASKS && w->nassigned < SESSIONS_MAX; t++) {
		struct coord_task *task = &w->tasks[t];
		unsigned most = w->same_task_twice && t % 3 == 0 ? 2 : 1;
		if (task->type != type || task->verified || task->active >= most)
			continue;
		struct assignment *a = &w->assigned[w->nassigned++];
		*a = (struct assignment){ identity, t, A_ASSIGNED, w->now, "" };
		snprintf(a->uuid, sizeof a->uuid, "u%zu", w->nassigned);
		task->active++;
		return a;
	}
	return NULL;
}

static void
got_answer(struct world *w, struct event *e)
{
	struct proc *p = e->proc;
	struct fetch_result r = { .outcome = (enum fetch_outcome)e->b };
	struct row task = { 0 };
	char name[16];
	uint8_t hash[HASH_BYTES] = { 0 };

	if (r.outcome == FETCH_TASK) {
		const struct assignment *a = &w->assigned[e->c];
		snprintf(name, sizeof name, "t%u", a->task);
		hash[0] = (uint8_t)(a->task + 1);
		SET(&task, uuid, span_str(a->uuid));
		SET(&task, type, w->tasks[a->task].type);
		SET(&task, task, span_str(name));
		SET(&task, fork, SPAN("f"));
		SET(&task, body, span_str(name));
		ROW_HASH(&task, body_blob, hash);
		SET(&task, body_bytes, strlen(name));
		r.task = &task;
	}
	world_say(w, "identity %" PRIu64 " got %d %s", e->a, (int)r.outcome, r.task ? name : "");
	fetch_answer(p->fetch, e->a, &r);
	proc_turn(p);
}

static void
ask_coordinator(struct world *w, struct event *e)
{
	struct assignment *a = NULL;
	enum fetch_outcome outcome = FETCH_EMPTY;
	bool lost = w->now < w->coord_away_until || world_chance(w, 4);

	time_out(w);
	if (holds_one(w, (unsigned)e->a))
		outcome = FETCH_ASSIGNED;
	else if (w->now >= w->coord_away_until && (a = assign(w, (unsigned)e->a, e->b)))
		outcome = FETCH_TASK;
	if (lost && a)
		w->orphans++;
	struct proc *p = (struct proc *)(uintptr_t)e->c;
	if ((uint64_t)p->life != strtoull(e->text, NULL, 10) || !p->alive)
		return;
	struct event *r = world_post(w, lost ? 3000 : 1 + world_draw(w, world_chance(w, 30) ? 2500 : 30), got_answer, p);
	r->a = e->a;
	r->b = lost ? FETCH_UNANSWERED : outcome;
	r->c = a ? (uint64_t)(a - w->assigned) : 0;
}

void
outside_poll(struct proc *p, uint64_t identity, uint64_t type)
{
	struct world *w = p->w;
	struct event *e = world_post(w, 1 + world_draw(w, 20), ask_coordinator, NULL);

	e->a = identity;
	e->b = type;
	e->c = (uint64_t)(uintptr_t)p;
	snprintf(e->text, sizeof e->text, "%u", p->life);
}

/* A post under way: a job, its uuid, and the proof. */
static void
post_answered(struct world *w, struct event *e)
{
	world_say(w, "post of job %" PRIu64 ": %d", e->a, (int)e->b);
	settle_posted(e->proc->settle, e->a, (enum settle_post)e->b, CODE_POST_FAILED, (struct span){ 0 });
	proc_turn(e->proc);
}

static enum settle_post
take_post(struct world *w, const char *uuid, struct span proof)
{
	char right[32];

	time_out(w);
	for (size_t i = 0; i < w->nassigned; i++) {
		struct assignment *a = &w->assigned[i];
		if (strcmp(a->uuid, uuid) != 0)
			continue;
		if (a->state != A_ASSIGNED)
			return POST_TWICE;
		w->tasks[a->task].active--;
		a->state = A_CLOSED;
		if (w->tasks[a->task].verified)
			return POST_ALREADY;
		snprintf(right, sizeof right, "proof t%u", a->task);
		if (!span_is(proof, right))
			return POST_BAD_PROOF;
		a->state = A_TAKEN;
		w->tasks[a->task].verified = true;
		return POST_TAKEN;
	}
	return POST_TWICE;
}

static void
post_arrives(struct world *w, struct event *e)
{
	struct proc *p = (struct proc *)(uintptr_t)e->c;
	bool lost = w->now < w->coord_away_until || world_chance(w, 4);
	bool answer_lost = world_chance(w, 6);
	enum settle_post outcome = POST_UNANSWERED;

	if (!lost)
		outcome = take_post(w, e->text, SPAN_OF(&e->bytes));
	if (p->life != e->b || !p->alive)
		return;
	lost |= answer_lost;
	struct event *r = world_post(w, lost ? 1500 : 1 + world_draw(w, 30), post_answered, p);
	r->a = e->a;
	r->b = lost ? POST_UNANSWERED : outcome;
}

void
outside_post(struct proc *p, const struct row *job)
{
	struct world *w = p->w;
	struct event *e = world_post(w, 1 + world_draw(w, 20), post_arrives, NULL);

	e->a = job->id;
	e->b = p->life;
	e->c = (uint64_t)(uintptr_t)p;
	span_cstr(job->uuid, e->text, sizeof e->text);
	buf_put(&e->bytes, job->proof.p, job->proof.n);
}

static void
judged(struct world *w, struct event *e)
{
	settle_verified(e->proc->settle, e->a, (enum settle_verdict)e->b, CODE_PROOF_BAD, (struct span){ 0 });
	proc_turn(e->proc);
}

void
outside_verify(struct proc *p, const struct row *attempt)
{
	struct world *w = p->w;
	char right[48];

	snprintf(right, sizeof right, "proof %.*s", SPAN_ARG(attempt->task));
	struct event *e = world_post(w, 1 + world_draw(w, 50), judged, p);
	e->a = attempt->id;
	e->b = world_chance(w, 3) ? VERDICT_NONE : span_is(attempt->proof, right) ? VERDICT_GOOD : VERDICT_BAD;
}

/* --- the providers --- */

static struct order *
find_order(struct seller *s, const char *key, uint64_t seen_before)
{
	for (size_t i = 0; i < s->norders; i++)
		if (strcmp(s->orders[i].key, key) == 0 && s->orders[i].taken_at <= seen_before)
			return &s->orders[i];
	return NULL;
}

static void
hears_of_order(struct proc *p, const char *handle)
{
	struct seller *s = &p->w->providers[p->provider];
	size_t n = handle[0] ? strtoull(handle + 2, NULL, 10) : SIZE_MAX;

	if (n < s->norders) {
		s->orders[n].heard = true;
		s->orders[n].by = p;
		s->orders[n].by_life = p->life;
	}
}

static void
answer(struct proc *p, uint64_t serial, enum reply_outcome outcome, const char *handle, const char *proof)
{
	struct purchase_answer a = { .outcome = outcome, .handle = span_str(handle), .proof = span_str(proof) };

	a.proof_bytes = a.proof.n;
	a.proof_blob[0] = (uint8_t)a.proof.n;
	if (p->proving == serial)
		p->proving = 0;
	hears_of_order(p, handle);
	world_say(p->w, "%s: call %" PRIu64 " answered %d %s%s", p->name, serial, (int)outcome, handle, proof);
	purchase_answer(p->purchase, serial, &a);
	purchase_kick(p->purchase);
	proc_turn(p);
}

/* a: serial, b: outcome, text: handle, bytes: proof */
static void
call_answered(struct world *w, struct event *e)
{
	answer(e->proc, e->a, (enum reply_outcome)e->b, e->text, e->bytes.n ? buf_cstr(&e->bytes) : "");
}

static void
reply(struct world *w, struct event *call, enum reply_outcome outcome, const char *handle, const char *proof)
{
	struct proc *p = (struct proc *)(uintptr_t)call->b;

	if (!p->alive || p->life != call->c || world_chance(w, 6))
		return;
	struct event *e = world_post(w, 1 + world_draw(w, 60), call_answered, p);
	e->a = call->a;
	e->b = outcome;
	snprintf(e->text, sizeof e->text, "%s", handle);
	buf_puts(&e->bytes, proof);
}

static void
proof_text(const struct order *o, char *out, size_t size)
{
	snprintf(out, size, o->lies ? "lie %u" : "proof t%u", o->task);
}

static struct order *
take_order(struct world *w, struct seller *s, const char *key, unsigned task, uint64_t intent)
{
	struct order *o = &s->orders[s->norders];

	if (s->norders == NELEM(s->orders)) {
		world_blame(w, "more orders than can be");
		return o - 1;
	}
	s->norders++;
	*o = (struct order){ .task = task, .intent = intent, .taken_at = w->now, .done_at = w->now + world_draw(w, 8000) };
	snprintf(o->key, sizeof o->key, "%s", key);
	if (w->tasks[task].type != TYPE_CHUNK || w->tasks[task].failed)
		return o;		/* somebody else must be able to prove it */
	w->tasks[task].failed = true;
	if (w->failures_left && world_draw(w, 2) == 0) {
		w->failures_left--;
		o->fails = true;
	} else if (w->lies_left && world_draw(w, 2) == 0) {
		w->lies_left--;
		o->lies = true;
	}
	return o;
}

/* A call's words: "VERB SELLER TASK INTENT KEY HANDLE". */
struct words { unsigned verb, seller, task; uint64_t intent, attempt, send_by; char key[96], handle[32]; };

static void
provider_hears(struct world *w, struct event *e)
{
	struct words *c = (struct words *)e->bytes.p;
	struct seller *s = &w->providers[c->seller];
	char handle[32], proof[32];
	struct order *o;

	if (c->verb == PURCHASE_PROVE) {
		o = s->ask == PLUGIN_ASK_KEY ? find_order(s, c->key, UINT64_MAX) : NULL;
		if (!o)
			o = take_order(w, s, c->key, c->task, c->intent);
		snprintf(handle, sizeof handle, "%s:%zu", s->name, (size_t)(o - s->orders));
		proof_text(o, proof, sizeof proof);
		if (w->seed % 2 && c->seller == 1 && !o->fails)
			reply(w, e, REPLY_PROVED, handle, proof);
		else
			reply(w, e, REPLY_HANDLE, handle, "");
	} else if (c->verb == PURCHASE_RECONCILE) {
		o = find_order(s, c->key, w->now - MIN2(w->now, s->lag_ms));
		snprintf(handle, sizeof handle, "%s:%zu", s->name, o ? (size_t)(o - s->orders) : 0);
		reply(w, e, o ? REPLY_HANDLE : REPLY_UNKNOWN, o ? handle : "", "");
	} else {
		o = find_order(s, c->key, UINT64_MAX);
		size_t n = strtoull(c->handle[0] ? c->handle + 2 : "0", NULL, 10);
		o = n < s->norders ? &s->orders[n] : o;
		if (!o || w->now < o->done_at) {
			reply(w, e, REPLY_PROVING, "", "");
			return;
		}
		proof_text(o, proof, sizeof proof);
		reply(w, e, o->fails ? REPLY_FAILED : REPLY_PROVED, "", o->fails ? "" : proof);
	}
}

static void
deadline_passed(struct world *w, struct event *e)
{
	struct purchase_answer a = { .outcome = REPLY_NO_ANSWER, .code = CODE_PLUGIN_HANG };

	if (e->proc->proving == e->a)
		e->proc->proving = 0;
	purchase_answer(e->proc->purchase, e->a, &a);
	purchase_kick(e->proc->purchase);
	proc_turn(e->proc);
}

/* Between the check and the first byte a process may be stopped, or end; what has left
 * arrives, whatever becomes of its sender. */
static void
call_leaves(struct world *w, struct event *e)
{
	struct proc *p = e->proc;

	world_post(w, 1000, deadline_passed, p)->a = e->a;
	if (world_chance(w, 4))
		return;
	struct event *call = world_post(w, world_draw(w, world_chance(w, 10) ? 900 : 20), provider_hears, NULL);
	call->a = e->a;
	call->b = (uint64_t)(uintptr_t)p;
	call->c = p->life;
	buf_put(&call->bytes, e->bytes.p, e->bytes.n);
}

/* The moment before the first byte. */
static void
call_departs(struct world *w, struct event *e)
{
	struct words *c = (struct words *)e->bytes.p;
	struct proc *p = e->proc;

	if (c->verb == PURCHASE_PROVE && !purchase_may_send(p->purchase, e->a)) {
		answer(p, e->a, REPLY_NOT_SENT, "", "");
		return;
	}
	if (c->verb == PURCHASE_PROVE)
		judge_call(w, &(struct row){ .id = c->attempt, .send_by_ms = c->send_by }, w->now);
	struct event *go = world_post(w, world_draw(w, world_chance(w, 20) ? 200 : 3), call_leaves, p);
	go->a = e->a;
	go->bytes = e->bytes;
	e->bytes = (struct buf){ 0 };
	if (world_chance(w, 6))
		faults_in_window(p);
}

bool
outside_call(struct proc *p, const struct purchase_call *pc)
{
	struct world *w = p->w;
	struct words c = { .verb = pc->verb, .seller = p->provider, .intent = pc->row->intent, .attempt = pc->row->id,
	    .send_by = pc->row->send_by_ms };
	struct event *e = world_post(w, world_draw(w, world_chance(w, 10) ? 3000 : 10), call_departs, p);

	c.task = pc->row->task.n > 1 ? (unsigned)(pc->row->task.p[1] - '0') : 0;
	snprintf(c.key, sizeof c.key, "%s", pc->key);
	span_cstr(pc->row->handle, c.handle, sizeof c.handle);
	if (pc->verb == PURCHASE_PROVE)
		p->proving = pc->serial;
	world_say(w, "%s: call %" PRIu64 " verb %d attempt %" PRIu64 " key %s", p->name, pc->serial, (int)pc->verb,
	    pc->row->id, pc->key);
	e->a = pc->serial;
	buf_put(&e->bytes, &c, sizeof c);
	return true;
}

void
outside_begin(struct world *w)
{
	for (unsigned t = 0; t < TASKS; t++)
		w->tasks[t].type = t % 3 == 1 ? TYPE_BATCH : TYPE_CHUNK;
	w->same_task_twice = world_draw(w, 2);
	w->failures_left = (unsigned)world_draw(w, 3);
	w->lies_left = (unsigned)world_draw(w, 2);
	w->providers[0] = (struct seller){ .name = "a", .types = 1 << TYPE_CHUNK | 1 << TYPE_BATCH };
	w->providers[1] = (struct seller){ .name = "b", .types = 1 << TYPE_CHUNK };
	for (unsigned i = 0; i < 2; i++) {
		w->providers[i].ask = world_draw(w, 2) ? PLUGIN_ASK_KEY : PLUGIN_ASK_LOOKUP;
		w->providers[i].lag_ms = w->providers[i].ask == PLUGIN_ASK_LOOKUP ? world_draw(w, 3) * 2000 : 0;
	}
}
