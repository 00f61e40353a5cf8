/* generate.c - see generate.h. */
#include "cmd/task-fetch/generate.h"

#include "common/diag.h"

struct worker {
	struct generate	*all;
	uint64_t	 index, type;
	bool		 signed_in, busy, done;
	struct backoff	 again;
	struct loop_timer timer;
};

struct generate {
	struct generate_opts o;
	struct worker	*workers;
	uint64_t	 left;		/* to be fetched */
	uint64_t	 busy;		/* polls under way */
	uint64_t	 done;		/* workers that are used up */
	uint64_t	 draw;
};

static uint64_t
next_type(const struct generate *g, uint64_t type)
{
	do
		type = type % TYPE_MAX + 1;
	while (!(g->o.fetch.types >> type & 1));
	return type;
}

/* Poll, unless that could bring more than was asked for. */
static void
try(void *arg)
{
	struct worker *w = arg;
	struct generate *g = w->all;

	if (w->busy || w->done || !w->signed_in || g->busy >= g->left)
		return;
	w->busy = true;
	g->busy++;
	w->type = next_type(g, w->type);
	g->o.poll(g->o.arg, w->index, w->type);
}

static void
try_later(struct worker *w, uint64_t ms)
{
	loop_timer(w->all->o.loop, &w->timer, clock_ms() + MAX2(ms, 1));
}

struct generate *
generate_new(const struct generate_opts *o)
{
	struct generate *g = xzalloc(sizeof *g);

	g->o = *o;
	g->left = o->count;
	g->draw = o->fetch.seed;
	g->workers = xzalloc(o->fetch.n * sizeof *g->workers);
	for (uint64_t i = 0; i < o->fetch.n; i++)
		g->workers[i] = (struct worker){ .all = g, .index = i, .timer = { .fn = try, .arg = &g->workers[i] } };
	return g;
}

void
generate_free(struct generate **gp)
{
	struct generate *g = *gp;

	if (!g)
		return;
	for (uint64_t i = 0; i < g->o.fetch.n; i++)
		loop_timer(g->o.loop, &g->workers[i].timer, 0);
	free(g->workers);
	free(g);
	*gp = NULL;
}

void
generate_signed_in(struct generate *g, uint64_t identity, bool yes)
{
	g->workers[identity].signed_in = yes;
	if (yes && !g->workers[identity].timer.at_ms)
		try_later(&g->workers[identity], g->o.fetch.stagger_ms);
}

static void
emit(struct generate *g, uint64_t identity, const struct fetch_result *r)
{
	struct row job = *r->task;
	uint64_t now = clock_wall_ms();

	SET(&job, kind, ROW_JOB);
	SET(&job, state, r->bad ? JOB_GIVEN_UP : JOB_FETCHED);
	SET(&job, code, r->bad ? CODE_TASK_BAD : r->code);
	SET(&job, chain, span_str(g->o.fetch.chain));
	SET(&job, identity, identity);
	SET(&job, fetched_ms, now);
	SET(&job, deadline_ms, now + g->o.fetch.collection_ms[job.type <= TYPE_MAX ? job.type : 0]);
	g->o.emit(g->o.arg, &job);
}

/* This identity brings nothing any more. */
static void
used_up(struct worker *w)
{
	struct generate *g = w->all;

	w->done = true;
	if (++g->done == g->o.fetch.n && g->left)
		die(EXIT_SYSTEM, "%" PRIu64 " tasks are missing: none of the %zu identities can get another", g->left,
		    g->o.fetch.n);
}

/* Others may poll in its place. */
static void
others(struct generate *g)
{
	for (uint64_t i = 0; i < g->o.fetch.n; i++)
		if (!g->workers[i].timer.at_ms)
			try_later(&g->workers[i], i * g->o.fetch.stagger_ms);
}

void
generate_answer(struct generate *g, uint64_t identity, const struct fetch_result *r)
{
	struct worker *w = &g->workers[identity];
	const struct fetch_opts *o = &g->o.fetch;

	w->busy = false;
	g->busy--;
	if (r->outcome == FETCH_TASK) {
		g->left--;
		emit(g, identity, r);
		used_up(w);
		return;
	}
	if (r->outcome != FETCH_EMPTY)
		diag(DIAG_WARN, "no-task", "identity=%" PRIu64 " code=%s detail=%.*s", identity, code_word(r->code),
		    SPAN_ARG(r->detail));
	if (r->outcome == FETCH_ASSIGNED || r->outcome == FETCH_BLOCKED)
		used_up(w);
	else if (r->outcome == FETCH_EMPTY)
		try_later(w, backoff_jitter(&g->draw, o->poll_ms));
	else
		try_later(w, backoff_fail(&w->again, o->backoff_ms, o->backoff_max_ms, &g->draw) +
		    (r->outcome == FETCH_UNANSWERED ? o->timeout_ms : 0));
	others(g);
}
