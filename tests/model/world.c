/* world.c - time, chance, and the run of one schedule. */
#include "tests/model/world.h"

#include "common/map.h"

uint64_t
world_draw(struct world *w, uint64_t below)
{
	return below ? backoff_draw(&w->rng) % below : 0;
}

bool
world_chance(struct world *w, unsigned percent)
{
	return world_draw(w, 100) < percent && !w->calm;
}

void
world_say(struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (!w->trace)
		return;
	printf("%8" PRIu64 " ", w->now % 100000000);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

void
world_blame(struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (w->verdict[0])
		return;
	va_start(ap, fmt);
	vsnprintf(w->verdict, sizeof w->verdict, fmt, ap);
	va_end(ap);
	world_say(w, "WRONG: %s", w->verdict);
}

static bool
sooner(const struct event *a, const struct event *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

struct event *
world_post(struct world *w, uint64_t delay, event_fn *fn, struct proc *p)
{
	struct event *e = xzalloc(sizeof *e);
	size_t i = w->nheap;

	e->at = w->now + delay;
	e->order = ++w->order;
	e->fn = fn;
	e->proc = p;
	e->life = p ? p->life : 0;
	if (w->nheap == w->cap_heap) {
		w->cap_heap = w->cap_heap ? 2 * w->cap_heap : 256;
		w->heap = xrealloc(w->heap, w->cap_heap * sizeof *w->heap);
	}
	w->nheap++;
	for (; i && sooner(e, w->heap[(i - 1) / 2]); i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = e;
	return e;
}

static struct event *
next_event(struct world *w)
{
	struct event *first = w->heap[0], *last = w->heap[--w->nheap];
	size_t i = 0;

	for (size_t k; (k = 2 * i + 1) < w->nheap; i = k) {
		if (k + 1 < w->nheap && sooner(w->heap[k + 1], w->heap[k]))
			k++;
		if (!sooner(w->heap[k], last))
			break;
		w->heap[i] = w->heap[k];
	}
	w->heap[i] = last;
	return first;
}

static void
free_event(struct event *e)
{
	buf_free(&e->bytes);
	free(e);
}

/* A frozen process gets its events when it thaws, in their order; a dead one never. */
static bool
put_off(struct world *w, struct event *e)
{
	struct proc *p = e->proc;

	if (!p || e->life != p->life || w->now >= p->frozen_until)
		return false;
	struct event *later = world_post(w, p->frozen_until - w->now, e->fn, p);
	later->a = e->a;
	later->b = e->b;
	later->c = e->c;
	memcpy(later->text, e->text, sizeof e->text);
	later->bytes = e->bytes;
	e->bytes = (struct buf){ 0 };
	return true;
}

static void
run_event(struct world *w, struct event *e)
{
	w->now = e->at;
	clock_freeze(w->now);
	if (!put_off(w, e) && (!e->proc || e->life == e->proc->life))
		e->fn(w, e);
	free_event(e);
}

static void
calm_down(struct world *w, struct event *e)
{
	w->calm = true;
	world_say(w, "-- no faults from here");
}

struct world *
world_new(uint64_t seed, bool trace)
{
	struct world *w = xzalloc(sizeof *w);

	w->seed = seed;
	w->rng = map_mix(seed, 1);
	w->now = 1000000000;
	w->trace = trace;
	w->ear = wire_new();
	clock_freeze(w->now);
	outside_begin(w);
	actors_begin(w);
	faults_begin(w);
	world_post(w, FAULTS_MS, calm_down, NULL);
	return w;
}

void
world_run(struct world *w)
{
	uint64_t end = w->now + LIMIT_MS;

	while (w->nheap && !w->verdict[0] && w->now < end) {
		run_event(w, next_event(w));
		if (w->calm && (w->order & 15) == 0 && judge_is_over(w))
			break;
	}
	judge_end(w);
}

void
world_free(struct world *w)
{
	actors_end(w);
	while (w->nheap)
		free_event(next_event(w));
	free(w->heap);
	wire_free(&w->ear);
	free(w);
	clock_freeze(0);
}
