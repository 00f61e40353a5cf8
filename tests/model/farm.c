/* farm.c - provers that come by themselves, and the HTTP between them and their dispatcher.
 *
 * A farmer asks, proves, submits: late, twice, again, after a crash of its own with the task that it
 * remembers or without it, or never.  What it sends may be lost, doubled or late, and so may what it
 * is answered; it may hang up without the other side hearing of it. */
#include "tests/model/world.h"

enum { HOLD_MS = 2000, TAKE_MS = 4000, PROVE_MS = 15000, ASK_TIMEOUT_MS = 4000 };
enum { ASKS, BRINGS_PROOF, BRINGS_FAILURE };
enum { HEARS_TASK, HEARS_IDLE, HEARS_TAKEN, HEARS_ASSIGNED, HEARS_UNKNOWN, HEARS_AWAY };

/* A request that the dispatcher has. */
struct visit {
	struct proc	*p;
	struct farmer	*f;
	uint64_t	 serial, attempt;	/* of the farmer's exchange; what it brings something for */
	unsigned	 what;
	struct visit	*next;
};

static void wakes(struct world *, struct event *);

/* It has nothing any more that the end has to wait for. */
static void
be_in_time(struct farmer *f)
{
	f->w->nlate -= f->late;
	f->late = false;
}

/* Later; whatever is under way meanwhile is not waited for after that. */
static void
wake(struct farmer *f, uint64_t delay)
{
	struct event *e = world_post(f->w, delay, wakes, NULL);

	if (f->state == FARMER_RESTS)
		be_in_time(f);
	e->a = (uint64_t)(f - f->w->farmers);
	e->b = ++f->serial;
}

/* --- answers --- */

static void
take_task(struct farmer *f, struct event *e)
{
	if (strcmp(f->uuid, e->text) != 0)
		f->fate = FATE_OPEN;
	span_cstr(span_str(e->text), f->uuid, sizeof f->uuid);
	f->task = (unsigned)strtoul(buf_cstr(&e->bytes) + 1, NULL, 10);
	f->state = FARMER_PROVES;
	if (f->w->seed % 8 == 4 && f->mortal && !f->late && world_chance(f->w, 20)) {
		f->w->nlate++;
		f->late = true;
		wake(f, 200000 + world_draw(f->w, 200000));
		return;
	}
	wake(f, world_chance(f->w, 6) ? 10000 + world_draw(f->w, 15000) : world_draw(f->w, 6000));
}

/* a: farmer, b: serial, c: what, text: uuid, bytes: the task's name */
static void
answer_arrives(struct world *w, struct event *e)
{
	struct farmer *f = &w->farmers[e->a];
	bool ends = e->c == HEARS_TAKEN || e->c == HEARS_UNKNOWN;

	if (f->serial != e->b)
		return;			/* it waits no more */
	world_say(w, "%s hears %d %s", f->key, (int)e->c, e->text);
	if (e->c == HEARS_TASK) {
		take_task(f, e);
	} else if (ends && world_chance(w, 12)) {
		wake(f, world_draw(w, 20000));		/* and brings it once more */
	} else {
		if (ends)
			f->uuid[0] = '\0';
		if (ends || f->state == FARMER_ASKS)
			f->state = FARMER_RESTS;
		wake(f, world_draw(w, 1500));
	}
}

static void
reply(struct farmer *f, uint64_t serial, unsigned what, const char *uuid, struct span task)
{
	struct world *w = f->w;

	if (world_chance(w, 4))
		return;
	struct event *e = world_post(w, 1 + world_draw(w, world_chance(w, 10) ? 3000 : 20), answer_arrives, NULL);
	e->a = (uint64_t)(f - w->farmers);
	e->b = serial;
	e->c = what;
	snprintf(e->text, sizeof e->text, "%s", uuid);
	buf_put(&e->bytes, task.p, task.n);
}

static void
end_visit(struct visit *v)
{
	struct visit **at = &v->p->visits;

	while (*at != v)
		at = &(*at)->next;
	*at = v->next;
	free(v);
}

static void
answer(struct visit *v, unsigned what, const char *uuid, struct span task)
{
	reply(v->f, v->serial, what, uuid, task);
	end_visit(v);
}

static void
court_gives(void *arg, void *request, const struct row *r, const char *uuid)
{
	struct visit *v = request;

	judge_give(v->f->w, v->f->key, r, uuid);
	answer(v, HEARS_TASK, uuid, r->task);
}

static void
court_idles(void *arg, void *request)
{
	answer(request, HEARS_IDLE, "", (struct span){ 0 });
}

static void
court_takes(void *arg, void *request)
{
	struct visit *v = request;

	judge_taken(v->f->w, v->attempt, v->what == BRINGS_PROOF);
	answer(v, HEARS_TAKEN, "", (struct span){ 0 });
}

static void
court_refuses(void *arg, void *request, enum court_no no)
{
	struct visit *v = request;

	if (no == COURT_UNKNOWN)
		world_blame(v->f->w, "attempt %" PRIu64 " was given to %s and is not known", v->attempt, v->f->key);
	answer(v, no == COURT_ASSIGNED ? HEARS_ASSIGNED : no == COURT_UNKNOWN ? HEARS_UNKNOWN : HEARS_AWAY, "",
	    (struct span){ 0 });
}

static const struct court_ops court_out = { court_gives, court_idles, court_takes, court_refuses };

/* --- requests --- */

static void
bring(struct proc *p, struct visit *v, struct event *e)
{
	struct row set = { 0 };
	uint8_t hash[HASH_BYTES] = { (uint8_t)e->bytes.n };

	v->attempt = court_attempt(p->court, span_str(v->f->key), span_str(e->text));
	if (!v->attempt)
		world_blame(p->w, "%s brings %s, and it is not recognised", v->f->key, e->text);
	if (v->what == BRINGS_FAILURE) {
		SET(&set, detail, SPAN("cannot"));
		court_failure(p->court, v->attempt, &set, v);
		return;
	}
	SET(&set, proof, SPAN_OF(&e->bytes));
	ROW_HASH(&set, proof_blob, hash);
	SET(&set, proof_bytes, e->bytes.n);
	court_proof(p->court, v->attempt, &set, v);
}

/* a: farmer, b: serial, c: what, text: uuid, bytes: the types asked for, or the proof */
static void
request_arrives(struct world *w, struct event *e)
{
	struct proc *p = e->proc;
	struct visit *v = xzalloc(sizeof *v);

	*v = (struct visit){ .p = p, .f = &w->farmers[e->a], .serial = e->b, .what = (unsigned)e->c, .next = p->visits };
	p->visits = v;
	if (e->c == ASKS)
		court_ask(p->court, &(struct court_want){ .key = span_str(v->f->key), .forks = SPAN("e,F"),
		    .types = strtoull(buf_cstr(&e->bytes), NULL, 10) }, v);
	else
		bring(p, v, e);
	proc_turn(p);
}

static void
gone_arrives(struct world *w, struct event *e)
{
	for (struct visit *v = e->proc->visits, *next; v; v = next) {
		next = v->next;
		if (v->f != &w->farmers[e->a] || v->serial != e->b)
			continue;
		court_gone(e->proc->court, span_str(v->f->key), v);
		end_visit(v);
	}
	proc_turn(e->proc);
}

/* What it waits for no longer. */
static void
hang_up(struct farmer *f)
{
	struct world *w = f->w;

	if (!f->at->alive || world_chance(w, 25))
		return;
	struct event *e = world_post(w, world_draw(w, 30), gone_arrives, f->at);
	e->a = (uint64_t)(f - w->farmers);
	e->b = f->serial;
}

/* Any of the processes of its dispatcher's name that there are. */
static struct proc *
pick_process(struct farmer *f)
{
	struct world *w = f->w;
	struct proc *found = f->at;
	uint64_t n = 0;

	for (struct proc *p = w->procs; p < w->procs + w->nprocs; p++)
		if (p->alive && strcmp(p->name, f->at->name) == 0 && world_draw(w, ++n) == 0)
			found = p;
	return found;
}

static void
send(struct farmer *f, unsigned what, const char *body, uint64_t timeout)
{
	struct world *w = f->w;
	unsigned copies = world_chance(w, 4) ? 0 : world_chance(w, 6) ? 2 : 1;

	hang_up(f);
	f->at = pick_process(f);
	wake(f, timeout);
	if (!f->at->alive) {
		reply(f, f->serial, HEARS_AWAY, "", (struct span){ 0 });
		return;
	}
	for (unsigned i = 0; i < copies; i++) {
		struct event *e = world_post(w, 1 + world_draw(w, world_chance(w, 10) ? 2000 : 20), request_arrives, f->at);
		e->a = (uint64_t)(f - w->farmers);
		e->b = f->serial;
		e->c = what;
		snprintf(e->text, sizeof e->text, "%s", f->uuid);
		buf_puts(&e->bytes, body);
	}
}

/* --- farmers --- */

static void
decide(struct farmer *f)
{
	struct world *w = f->w;
	struct coord_task *t = &w->tasks[f->task];

	if (f->fate != FATE_OPEN)
		return;
	f->fate = FATE_GOOD;
	if (t->type != TYPE_CHUNK || t->failed)
		return;			/* somebody else must be able to prove it */
	t->failed = true;
	if (w->failures_left && world_draw(w, 2) == 0) {
		w->failures_left--;
		f->fate = FATE_FAILS;
	} else if (w->lies_left && world_draw(w, 2) == 0) {
		w->lies_left--;
		w->farm_lies++;
		f->fate = FATE_LIES;
	}
}

static void
submit(struct farmer *f)
{
	char proof[32];

	decide(f);
	f->state = FARMER_SUBMITS;
	snprintf(proof, sizeof proof, f->fate == FATE_LIES ? "lie %u" : "proof t%u", f->task);
	send(f, f->fate == FATE_FAILS ? BRINGS_FAILURE : BRINGS_PROOF, proof, world_draw(f->w, 2) ? 3000 : 15000);
}

/* For all that it can prove, or once in a while for one type only. */
static void
ask(struct farmer *f)
{
	uint64_t one = f->types & (world_draw(f->w, 2) ? 1 << TYPE_CHUNK : 1 << TYPE_BATCH);
	char types[24];

	snprintf(types, sizeof types, "%" PRIu64, one && world_chance(f->w, 15) ? one : f->types);
	if (f->state == FARMER_RESTS)
		f->state = FARMER_ASKS;
	send(f, ASKS, types, ASK_TIMEOUT_MS);
}

static void
crash(struct farmer *f)
{
	struct world *w = f->w;
	bool forgets = world_draw(w, 5) < 2;

	hang_up(f);
	if (forgets)
		f->uuid[0] = '\0';
	f->state = f->uuid[0] ? FARMER_PROVES : FARMER_RESTS;
	f->serial++;
	world_say(w, "%s crashes%s", f->key, forgets ? ", and forgets" : "");
	if (f->mortal && !f->late && world_draw(w, 6) == 0)
		world_say(w, "%s is gone for ever", f->key);
	else
		wake(f, 100 + world_draw(w, world_draw(w, 4) ? 2000 : 12000));
}

static void
crashes(struct world *w, struct event *e)
{
	if (w->farmers[e->a].serial == e->b)
		crash(&w->farmers[e->a]);
}

/* a: farmer, b: serial.  What it waited for has not come, or its pause is over. */
static void
wakes(struct world *w, struct event *e)
{
	struct farmer *f = &w->farmers[e->a];

	if (f->serial != e->b)
		return;
	if (world_chance(w, 4))
		crash(f);
	else if (f->state == FARMER_SUBMITS || (f->state == FARMER_PROVES && !world_chance(w, 10)))
		submit(f);
	else
		ask(f);
	if (world_chance(w, 6)) {
		struct event *c = world_post(w, world_draw(w, 3000), crashes, NULL);
		c->a = e->a;
		c->b = f->serial;
	}
}

/* --- beginning and end --- */

void
farm_begin(struct proc *p)
{
	struct world *w = p->w;

	for (unsigned i = 0; i < FARMERS; i++) {
		struct farmer *f = &w->farmers[w->nfarmers++];
		*f = (struct farmer){ .w = w, .at = p, .mortal = i > 0,
		    .types = UINT64_C(1) << TYPE_CHUNK | (i < 2 ? UINT64_C(1) << TYPE_BATCH : 0) };
		snprintf(f->key, sizeof f->key, "%s%u", strrchr(p->name, '.') + 1, i);
		wake(f, world_draw(w, 1000));
	}
}

void
farm_open(struct proc *p)
{
	struct court_opts o = { .books = p->books, .ops = &court_out, .arg = p, .secret = SPAN("of the farms"),
	    .provider = strrchr(p->name, '.') + 1, .types = 1 << TYPE_CHUNK | 1 << TYPE_BATCH, .ahead = 0, .hold_ms = HOLD_MS,
	    .take_ms = TAKE_MS, .prove_ms = PROVE_MS };

	for (unsigned t = 1; t <= TYPE_MAX; t++)
		o.price[t] = PRICE;
	p->court = court_new(&o);
}

void
farm_close(struct proc *p)
{
	court_free(&p->court);
	while (p->visits)
		end_visit(p->visits);
}
