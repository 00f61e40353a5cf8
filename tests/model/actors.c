/* actors.c - the processes, what connects them, and what befalls them. */
#include "tests/model/world.h"

#include "common/map.h"

bool
proc_runs(const struct proc *p)
{
	return p->alive && p->w->now >= p->frozen_until;
}

/* --- the ledger --- */

static void
turn_ledger(struct world *w, struct event *e)
{
	bool active;

	if (!w->core || e->a != w->ledger_life || e->at != w->ledger_turn_at)
		return;
	w->ledger_turn_at = 0;
	uint64_t next = core_turn(w->core, &active);
	if (disk_killed(w->disk) || !active) {		/* SIGKILL in the middle of the commit */
		world_say(w, "ledger killed in a commit");
		core_free(&w->core);
		w->ledger_life++;
		return;
	}
	judge_moment(w);
	if (!w->ledger_turn_at || next < w->ledger_turn_at) {
		w->ledger_turn_at = MAX2(next, w->now + 1);
		world_post(w, w->ledger_turn_at - w->now, turn_ledger, NULL)->a = w->ledger_life;
	}
}

void
ledger_turn_soon(struct world *w)
{
	uint64_t at = w->now + world_draw(w, 4);

	if (w->ledger_turn_at && w->ledger_turn_at <= at)
		return;
	w->ledger_turn_at = at;
	world_post(w, at - w->now, turn_ledger, NULL)->a = w->ledger_life;
}

/* A routing id: the connection's number, or the instance's, the same for all its connections. */
static uint64_t
route_of(const struct proc *p, uint64_t conn)
{
	uint64_t first = 0;

	while (strcmp(p->w->procs[first].name, p->name) != 0)
		first++;
	return p->w->fixed_routes ? first + 1 : conn + PROCS_MAX;
}

static struct proc *
proc_of_route(struct world *w, uint64_t route)
{
	struct proc *found = NULL;

	for (size_t i = 0; i < w->nprocs; i++)
		if (w->procs[i].conn && route_of(&w->procs[i], w->procs[i].conn) == route &&
		    (!found || found->conn < w->procs[i].conn))
			found = &w->procs[i];
	return found;
}

static struct proc *
proc_of_last_conn(struct world *w, uint64_t route)
{
	for (size_t i = 0; i < w->nprocs; i++)
		if (w->procs[i].alive && w->procs[i].conn && route_of(&w->procs[i], w->procs[i].last_conn) == route)
			return &w->procs[i];
	return NULL;
}

static void
down_arrives(struct world *w, struct event *e)
{
	if (e->proc->conn != e->a)
		return;
	books_hear(e->proc->books, SPAN_OF(&e->bytes));
	proc_turn(e->proc);
}

static void
ledger_sends(void *arg, struct span route, struct span message)
{
	struct world *w = arg;
	uint64_t id;

	if (disk_killed(w->disk))
		return;
	memcpy(&id, route.p, sizeof id);
	struct proc *p = proc_of_route(w, id);
	if (w->speaks_deposed) {
		p = proc_of_last_conn(w, id);
	} else {
		judge_hear(w, p ? p->name : "", message);
	}
	if (!p)
		return;
	p->down_at = MAX2(p->down_at, w->now + world_draw(w, world_chance(w, 5) ? 400 : 3));
	struct event *e = world_post(w, p->down_at - w->now, down_arrives, p);
	e->a = p->conn;
	buf_put(&e->bytes, message.p, message.n);
}

static void
up_arrives(struct world *w, struct event *e)
{
	struct proc *p = &w->procs[e->c];
	uint64_t route = route_of(p, e->a);

	if (w->deposed && e->a <= w->deposed_conns) {
		core_hear(w->deposed, (struct span){ (uint8_t *)&route, sizeof route }, e->b ? -1 : 1000, SPAN_OF(&e->bytes));
		return;
	}
	if (!w->core)
		return;
	judge_ask(w, p->name, SPAN_OF(&e->bytes));
	w->heard_at[e->c] = w->now;
	core_hear(w->core, (struct span){ (uint8_t *)&route, sizeof route }, e->b ? -1 : 1000, SPAN_OF(&e->bytes));
	ledger_turn_soon(w);
}

static bool
blob_is_there(void *arg, const uint8_t hash[HASH_BYTES])
{
	return true;
}

static void
start_ledger(struct world *w)
{
	static const struct core_chain chain = { "", 0, KEEP_MS };
	char why[256];
	struct core_opts o = { .ops = &store_memory, .store = w->store, .ledger = "sim", .retry_ms = 2000, .lease_ms = 5000,
	    .chains = &chain, .nchains = 1, .send = ledger_sends, .blob = blob_is_there, .arg = w };

	w->core = core_new(&o, why);
	world_say(w, "ledger starts, term %" PRIu64, core_term(w->core));
	w->ledger_turn_at = 0;
	ledger_turn_soon(w);
}

/* --- connections --- */

static void wake_deposed(struct world *, struct event *);

static void
connect_proc(struct world *w, struct event *e)
{
	struct proc *p = e->proc;

	if (!w->core || p->conn) {
		if (!p->conn)
			world_post(w, 10 + world_draw(w, 100), connect_proc, p);
		return;
	}
	p->last_conn = p->conn_before;
	p->conn = p->conn_before = ++w->conns;
	p->up_at = p->down_at = w->now;
	books_connected(p->books);
	proc_turn(p);
	if (w->wakes_for == p && w->deposed && p->conn > w->deposed_conns && !books_epoch(p->books))
		wake_deposed(w, e);
}

static void
break_connection(struct proc *p)
{
	struct world *w = p->w;

	p->conn = 0;
	if (p->alive)
		world_post(w, 10 + world_draw(w, 100), connect_proc, p);
}

static void
books_sends(void *arg, struct span message)
{
	struct proc *p = arg;
	struct world *w = p->w;

	if (!p->conn)
		return;
	p->up_at = MAX2(p->up_at, w->now + world_draw(w, world_chance(w, 5) ? 400 : 3));
	struct event *e = world_post(w, p->up_at - w->now, up_arrives, NULL);
	e->a = p->conn;
	e->b = p->remote;
	e->c = (uint64_t)(p - w->procs);
	buf_put(&e->bytes, message.p, message.n);
}

static void
offer_arrives(struct world *w, struct event *e)
{
	books_offered(e->proc->books, SPAN_OF(&e->bytes));
	proc_turn(e->proc);
}

static void
books_offers(void *arg, struct span inbox, struct span message)
{
	struct world *w = ((struct proc *)arg)->w;
	unsigned copies = world_chance(w, 10) ? 0 : world_chance(w, 5) ? 2 : 1;

	for (size_t i = 0; i < w->nprocs; i++)
		for (unsigned k = 0; k < copies && span_is(inbox, w->procs[i].name) && w->procs[i].alive; k++) {
			struct event *e = world_post(w, world_draw(w, world_chance(w, 10) ? 4000 : 3), offer_arrives, &w->procs[i]);
			buf_put(&e->bytes, message.p, message.n);
		}
}

/* --- what each kind of stage does --- */

static void
trace_act(struct proc *p, struct held *h)
{
	struct row set = { 0 };
	uint8_t hash[HASH_BYTES] = { 7 };

	if (h->row->kind != ROW_JOB || h->row->state != JOB_FETCHED) {
		books_drop(p->books, h);
	} else if (!h->due) {
		books_later(p->books, h, 1 + world_draw(p->w, 300));
	} else {
		ROW_HASH(&set, input_blob, hash);
		SET(&set, input_bytes, 10);
		books_step(p->books, h, JOB_READY, CODE_OK, &set);
	}
}

static void
on_act(void *arg, struct held *h)
{
	struct proc *p = arg;

	world_say(p->w, "%s acts on %s %" PRIu64 " rev %" PRIu64 " %s%s", p->name, row_kind_name(h->row->kind), h->row->id,
	    h->row->rev, row_state_name(h->row->kind, h->row->state), h->fresh ? " (fresh)" : "");
	switch (p->kind) {
	case P_FETCH:	 fetch_act(p->fetch, h); break;
	case P_TRACE:	 trace_act(p, h); break;
	case P_ALLOCATE: place_act(p->place, h); break;
	case P_DISPATCH: purchase_act(p->purchase, h); break;
	case P_COURT:	 court_act(p->court, h); break;
	case P_SUBMIT:	 settle_act(p->settle, h); break;
	}
}

static void
on_lose(void *arg, struct held *h)
{
	struct proc *p = arg;

	if (p->kind == P_FETCH && p->fetch)
		fetch_lose(p->fetch, h);
	if (p->kind == P_DISPATCH && p->purchase)
		purchase_lose(p->purchase, h);
	if (p->kind == P_COURT)
		court_lose(p->court, h);
	if (p->kind == P_SUBMIT && p->settle)
		settle_lose(p->settle, h);
}

static void
on_answer(void *arg, uint64_t token, uint64_t code, const struct row *first)
{
	struct proc *p = arg;

	if (p->kind == P_FETCH)
		fetch_told(p->fetch, token, code, first);
	if (p->kind == P_ALLOCATE)
		place_answer(p->place, token, code, first);
	if (p->kind == P_COURT)
		court_answer(p->court, token, code, first);
	if (p->kind == P_SUBMIT)
		settle_told(p->settle, token, code, first);
}

static void
dispatch_levels(struct proc *p, struct tick *t)
{
	const struct seller *prov = &p->w->providers[p->provider];

	snprintf(t->provider, sizeof t->provider, "%s", prov->name);
	t->slots = pools_one(prov->types, 1);
	for (unsigned i = 1; i <= TYPE_MAX; i++)
		t->price[i] = PRICE;
}

static void
on_levels(void *arg, struct tick *t)
{
	struct proc *p = arg;

	if (p->kind == P_FETCH)
		fetch_levels(p->fetch, t);
	if (p->kind == P_ALLOCATE)
		place_levels(p->place, t);
	if (p->kind == P_DISPATCH)
		dispatch_levels(p, t);
	if (p->kind == P_COURT)
		court_levels(p->court, t);
	if (p->kind == P_SUBMIT)
		settle_levels(p->settle, t);
}

static void
on_news(void *arg, const struct news *n)
{
	struct proc *p = arg;

	if (p->kind == P_FETCH)
		fetch_news(p->fetch, n);
	if (p->kind == P_ALLOCATE)
		place_news(p->place, n);
}

static void
on_reset(void *arg)
{
	struct proc *p = arg;

	world_say(p->w, "%s begins epoch %" PRIu64, p->name, books_epoch(p->books));
	if (p->kind == P_FETCH)
		fetch_reset(p->fetch);
	if (p->kind == P_ALLOCATE)
		place_reset(p->place);
	if (p->kind == P_DISPATCH)
		purchase_reset(p->purchase);
	if (p->kind == P_COURT)
		court_reset(p->court);
	if (p->kind == P_SUBMIT)
		settle_reset(p->settle);
}

static const struct books_ops ops = {
	books_sends, books_offers, on_act, on_lose, on_answer, on_levels, on_news, on_reset,
};

/* --- the cores and their ways out --- */

static void
fetch_polls(void *arg, uint64_t identity, uint64_t type)
{
	outside_poll(arg, identity, type);
}

static const struct fetch_ops fetch_out = { fetch_polls };

static void
settle_verifies(void *arg, const struct row *attempt)
{
	outside_verify(arg, attempt);
}

static void
settle_forgets(void *arg, uint64_t attempt)
{
}

static void
settle_posts(void *arg, const struct row *job)
{
	outside_post(arg, job);
}

static const struct settle_ops settle_out = { settle_verifies, settle_forgets, settle_posts };

static bool
purchase_calls_out(void *arg, const struct purchase_call *c)
{
	return outside_call(arg, c);
}

static size_t
purchase_room(void *arg)
{
	const struct proc *p = arg;

	return p->proving ? 0 : 1;
}

static uint64_t
purchase_able(void *arg, const struct row *r)
{
	return CODE_OK;
}

static bool
purchase_dead(void *arg, struct span owner)
{
	const struct world *w = ((struct proc *)arg)->w;

	for (size_t i = 0; i < w->nprocs; i++)
		if (span_is(owner, w->procs[i].name) && w->procs[i].alive)
			return false;
	return true;
}

static const struct purchase_ops purchase_out = {
	purchase_calls_out, purchase_calls_out, purchase_calls_out, purchase_calls_out,
	purchase_room, purchase_able, purchase_dead,
};

static void
make_fetch(struct proc *p)
{
	static const char *const keys[IDENTITIES] = { "k0", "k1", "k2", "k3" };
	struct fetch_opts o = { .chain = "c", .coordinator = "c", .n = IDENTITIES, .pubkeys = keys,
	    .types = 1 << TYPE_CHUNK | 1 << TYPE_BATCH, .poll_ms = 1000, .rest_ms = 500, .timeout_ms = 3000, .stagger_ms = 5,
	    .backoff_ms = 100, .backoff_max_ms = 3000, .seed = p->w->seed, .ops = &fetch_out, .arg = p };

	for (unsigned t = 1; t <= TYPE_MAX; t++)
		o.collection_ms[t] = COLLECTION_MS;
	p->fetch = fetch_new(&o);
	fetch_bind(p->fetch, p->books);
	for (uint64_t i = 0; i < IDENTITIES; i++)
		fetch_signed_in(p->fetch, i, true);
}

static void
make_place(struct proc *p)
{
	struct policy policies[2];
	static const struct place_provider providers[] = { { "a", "", false }, { "b", "", false }, { "c", "", true }, { "d", "", true } };

	memset(policies, 0, sizeof policies);
	for (unsigned t = 0; t < 2; t++) {
		snprintf(policies[t].chain, sizeof policies[t].chain, "c");
		policies[t].type = t + 1;
		policies[t].max_attempts = 100;
		policies[t].chooser = chooser_find("turn");
	}
	struct place_opts o = { policies, 2, providers, NELEM(providers) };
	p->place = place_new(&o);
	place_bind(p->place, p->books);
}

static void
make_purchase(struct proc *p)
{
	const struct seller *prov = &p->w->providers[p->provider];
	struct purchase_opts o = { p->books, p->name, &purchase_out, p };
	struct purchase_terms t = { .known = true, .ask = prov->ask, .when_unsure = PURCHASE_WAIT, .lag_ms = prov->lag_ms,
	    .send_by_ms = 2000, .prove_call_ms = 1000, .call_ms = 1000, .prove_ms = 600000, .poll_ms = 200 };

	p->purchase = purchase_new(&o);
	purchase_terms(p->purchase, &t);
}

static void
make_settle(struct proc *p)
{
	struct settle_opts o = { .backoff_ms = 100, .backoff_max_ms = 3000, .seed = p->w->seed, .ops = &settle_out, .arg = p };

	p->settle = settle_new(&o);
	settle_bind(p->settle, p->books);
}

static void (*const makers[])(struct proc *) = {
	[P_FETCH] = make_fetch, [P_ALLOCATE] = make_place, [P_DISPATCH] = make_purchase, [P_COURT] = farm_open,
	[P_SUBMIT] = make_settle,
};

static void
start_proc(struct world *w, struct event *e)
{
	struct proc *p = e->proc;
	struct books_opts o = { p->name, p->stage, p->name, "", &ops, p };

	if (p->alive)
		return;
	p->alive = true;
	p->frozen_until = p->wake_at = p->proving = 0;
	p->books = books_new(&o);
	if (makers[p->kind])
		makers[p->kind](p);
	world_say(w, "%s starts", p->name);
	connect_proc(w, e);
}

static void
end_proc(struct proc *p)
{
	struct fetch *f = p->fetch;
	struct settle *s = p->settle;
	struct purchase *u = p->purchase;

	p->conn = 0;
	p->alive = false;
	p->fetch = NULL;
	p->settle = NULL;
	p->purchase = NULL;
	books_free(&p->books);		/* without a connection its last words are lost */
	farm_close(p);
	fetch_free(&f);
	settle_free(&s);
	purchase_free(&u);
	place_free(&p->place);
	p->life++;
}

static void
wake_proc(struct world *w, struct event *e)
{
	if (e->proc->wake_at && e->proc->wake_at <= w->now) {
		e->proc->wake_at = 0;
		proc_turn(e->proc);
	}
}

void
proc_turn(struct proc *p)
{
	struct world *w = p->w;
	uint64_t next;

	if (p->kind == P_FETCH)
		fetch_turn(p->fetch);
	if (p->kind == P_COURT)
		court_turn(p->court);
	next = books_turn(p->books, w->now);
	if (p->kind == P_FETCH)
		next = MIN2(next, fetch_turn(p->fetch));
	if (p->kind == P_COURT)
		next = MIN2(next, court_turn(p->court));
	next = MAX2(next, w->now + 1);
	if (next == UINT64_MAX || (p->wake_at && p->wake_at <= next))
		return;
	p->wake_at = next;
	world_post(w, next - w->now, wake_proc, p);
}

/* --- faults --- */

static uint64_t
down_time(struct world *w)
{
	return world_draw(w, 10) == 0 ? 6000 + world_draw(w, 6000) : 10 + world_draw(w, 1500);
}

static void
kill_proc(struct world *w, struct proc *p)
{
	if (!p->alive)
		return;
	world_say(w, "%s killed", p->name);
	if (p->kind == P_FETCH)
		w->orphans += (unsigned)fetch_pending(p->fetch);
	end_proc(p);
	if (p->mortal && world_draw(w, 4) == 0)
		world_say(w, "%s is gone for ever", p->name);
	else if (!p->clone)
		world_post(w, down_time(w), start_proc, p);
}

static void
freeze_proc(struct world *w, struct proc *p)
{
	if (!proc_runs(p))
		return;
	p->frozen_until = w->now + 100 + world_draw(w, world_draw(w, 3) ? 2000 : 12000);
	world_say(w, "%s frozen for %" PRIu64, p->name, p->frozen_until - w->now);
	for (size_t i = 0; i < w->nprocs && p->remote && !p->clone; i++)
		if (w->procs[i].clone && strcmp(w->procs[i].name, p->name) == 0 && !w->procs[i].alive)
			world_post(w, world_draw(w, 1000), start_proc, &w->procs[i]);
}

static void
kill_late(struct world *w, struct event *e)
{
	kill_proc(w, e->proc);
}

void
faults_in_window(struct proc *p)
{
	struct world *w = p->w;

	p->frozen_until = w->now + 2000 + world_draw(w, 5000);
	world_say(w, "%s frozen before connect for %" PRIu64, p->name, p->frozen_until - w->now);
	if (world_draw(w, 2))
		world_post(w, p->frozen_until - w->now + 4 + world_draw(w, 300), kill_late, p);
}

static void
restart_ledger(struct world *w, struct event *e)
{
	if (!w->core)
		start_ledger(w);
}

static void
look_after_ledger(struct world *w)
{
	if (w->core)
		return;
	for (size_t i = 0; i < w->nprocs; i++)
		if (w->procs[i].conn)
			break_connection(&w->procs[i]);
	world_post(w, 20 + world_draw(w, world_draw(w, 5) ? 800 : 5000), restart_ledger, NULL);
}

static void
kill_ledger(struct world *w, struct proc *unused)
{
	if (!w->core)
		return;
	world_say(w, "ledger killed");
	core_free(&w->core);
	w->ledger_life++;
	look_after_ledger(w);
}

/* SIGCONT: it goes on as if nothing had been. */
static void
wake_deposed(struct world *w, struct event *e)
{
	bool active;

	w->wakes_for = NULL;
	if (!w->deposed)
		return;
	world_say(w, "the deposed ledger goes on");
	w->speaks_deposed = true;
	for (int i = 0; i < 2; i++)
		core_turn(w->deposed, &active);
	w->speaks_deposed = false;
	core_free(&w->deposed);
	store_memory.close(&w->deposed_store);
}

/* The ledger is stopped, another takes its place upon the same store. */
static void
depose_ledger(struct world *w, struct proc *unused)
{
	if (!w->core || w->deposed)
		return;
	world_say(w, "ledger stopped, another takes over");
	w->deposed = w->core;
	w->deposed_store = w->store;
	w->deposed_conns = w->conns;
	w->core = NULL;
	w->ledger_life++;
	w->store = disk_store(w->disk);
	for (size_t i = 0; i < w->nprocs; i++)
		if (w->procs[i].conn)
			break_connection(&w->procs[i]);
	start_ledger(w);
	world_post(w, 50 + world_draw(w, 3000), wake_deposed, NULL);
}

static void
break_some(struct world *w, struct proc *p)
{
	if (p->conn) {
		world_say(w, "%s loses its connection", p->name);
		break_connection(p);
	}
}

/* It has said HELLO with its epoch: the ledger is stopped before it answers, and goes on when a new
 * process of the name has just said its own. */
static void
answer_too_late(struct world *w, struct event *e)
{
	if (!w->core || w->deposed || !e->proc->conn)
		return;
	depose_ledger(w, NULL);
	kill_proc(w, e->proc);
	w->wakes_for = e->proc;
}

static void
hello_before_a_stop(struct world *w, struct proc *p)
{
	if (!proc_runs(p) || !w->core || w->deposed || p->clone)
		return;
	break_some(w, p);
	world_post(w, 10 + world_draw(w, 105), answer_too_late, p);
}

static void
disk_fails(struct world *w, struct proc *unused)
{
	disk_fail(w->disk, 1 + (unsigned)world_draw(w, 8));
}

static void
kill_in_commit(struct world *w, struct proc *unused)
{
	if (w->core)
		disk_kill_in_commit(w->disk, world_draw(w, 2));
}

static void
coordinator_away(struct world *w, struct proc *unused)
{
	w->coord_away_until = w->now + world_draw(w, 5000);
}

static void (*const faults[])(struct world *, struct proc *) = {
	kill_proc, kill_proc, kill_proc, freeze_proc, freeze_proc, kill_ledger, break_some, disk_fails, kill_in_commit,
	coordinator_away, depose_ledger, hello_before_a_stop,
};

static void
next_fault(struct world *w, struct event *e)
{
	if (w->calm)
		return;
	faults[world_draw(w, NELEM(faults))](w, &w->procs[world_draw(w, w->nprocs)]);
	world_post(w, 50 + world_draw(w, e->a), next_fault, NULL)->a = e->a;
}

/* Somebody has to start a ledger again that was killed in a commit. */
static void
watch_ledger(struct world *w, struct event *e)
{
	look_after_ledger(w);
	world_post(w, 500, watch_ledger, NULL);
}

void
faults_begin(struct world *w)
{
	static const uint64_t every[] = { 400, 1500, 6000 };

	world_post(w, 500, watch_ledger, NULL);
	world_post(w, 100, next_fault, NULL)->a = every[world_draw(w, NELEM(every))];
}

/* --- beginning and end --- */

static void
add(struct world *w, enum proc_kind kind, const char *stage, const char *name, unsigned provider, bool remote, bool clone)
{
	struct proc *p = &w->procs[w->nprocs++];

	bool mortal = strcmp(name, "trace-build.1") == 0 || strcmp(name, "dispatch-exec.a.2") == 0;
	*p = (struct proc){ .w = w, .mortal = mortal, .kind = kind, .stage = stage, .name = name, .provider = provider, .remote = remote, .clone = clone };
	if (!clone)
		world_post(w, world_draw(w, 200), start_proc, p);
	if (kind == P_COURT && !clone)
		farm_begin(p);
}

void
actors_begin(struct world *w)
{
	w->fixed_routes = w->seed % 2;
	w->disk = disk_new();
	w->store = disk_store(w->disk);
	start_ledger(w);
	add(w, P_FETCH, "task-fetch", "task-fetch", 0, false, false);
	add(w, P_TRACE, "trace-build", "trace-build.1", 0, false, false);
	add(w, P_TRACE, "trace-build", "trace-build.2", 0, true, false);
	add(w, P_TRACE, "trace-build", "trace-build.2", 0, true, true);
	add(w, P_ALLOCATE, "allocate", "allocate", 0, false, false);
	if (w->seed % 3 == 0)
		add(w, P_ALLOCATE, "allocate", "allocate.2", 0, false, false);
	if (w->seed % 5 != 1) {
		add(w, P_DISPATCH, "dispatch-exec", "dispatch-exec.a", 0, false, false);
		add(w, P_DISPATCH, "dispatch-exec", "dispatch-exec.a.2", 0, false, false);
		add(w, P_DISPATCH, "dispatch-exec", "dispatch-exec.b", 1, false, false);
	}
	if (w->seed % 5 != 0)
		add(w, P_COURT, "dispatch-coordinator", "dispatch-coordinator.c", 0, w->seed % 5 == 1, false);
	if (w->seed % 5 == 1)
		add(w, P_COURT, "dispatch-coordinator", "dispatch-coordinator.d", 0, false, false);
	if (w->seed % 5 == 1 && !w->fixed_routes)	/* else one of the two is deaf as long as both live */
		add(w, P_COURT, "dispatch-coordinator", "dispatch-coordinator.c", 0, true, true);
	add(w, P_SUBMIT, "submit", "submit", 0, false, false);
}

void
actors_end(struct world *w)
{
	for (size_t i = 0; i < w->nprocs; i++)
		if (w->procs[i].alive)
			end_proc(&w->procs[i]);
	core_free(&w->core);
	core_free(&w->deposed);
	store_memory.close(&w->store);
	store_memory.close(&w->deposed_store);
	disk_free(&w->disk);
}
