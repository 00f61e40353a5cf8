/* custody.c - who has a row, who gets it next, and NEWS of what lies still (rule 4).
 *
 * Leases are memory: a new term forgets them, and gives rows away only after one TICK.
 * Rows that wait for somebody stand on lists, one for each step of the growing
 * retry, oldest first: what is due is at the heads. */
#include "cmd/ledger/inside.h"

static const uint64_t retry_factor[STEPS] = { 1, 2, 4, 8, 15 };

bool
custody_alive(const struct core *c, const struct instance *i)
{
	return i->heard && !i->bye && i->nroute && c->now_ms < i->heard_ms + c->o.lease_ms;
}

static unsigned
job_actor(const struct live *l)
{
	switch (l->state) {
	case JOB_FETCHED:
		return BY_TRACE;
	case JOB_READY:
	case JOB_QUEUED:
		return l->work->kept ? BY_SUBMIT : BY_ALLOCATE;
	case JOB_PLACED:
		return l->work->kept ? BY_SUBMIT : 0;
	case JOB_SUBMITTING:
		return BY_SUBMIT;
	default:
		return 0;
	}
}

unsigned
custody_of(const struct core *c, const struct live *l)
{
	if (l->kind == ROW_JOB)
		return job_actor(l);
	if (l->kind == ROW_IDENTITY)
		return BY_FETCH;
	if (l->kind != ROW_ATTEMPT)
		return 0;
	if (l->state >= ATTEMPT_ALLOCATED && l->state <= ATTEMPT_PROVING)
		return BY_DISPATCH | BY_COORDINATOR;
	return l->state == ATTEMPT_PROVED ? BY_SUBMIT : 0;
}

static bool
serves_chain(const struct core *c, const struct instance *i, const struct live *l)
{
	return !i->chain[0] || strcmp(i->chain, c->state.chains[l->chain]) == 0;
}

/* Could this instance go on with the row at all? */
static bool
fits(const struct core *c, const struct instance *i, const struct live *l, unsigned actor)
{
	if (!(i->principal & actor) || !serves_chain(c, i, l))
		return false;
	return l->kind != ROW_ATTEMPT || l->state == ATTEMPT_PROVED ||
	    strcmp(i->provider, c->state.providers[l->provider].name) == 0;
}

/* A row in sending belongs to its owner; to another only when that is silent and the
 * moment of the call is over (rule 6; the dispatcher itself waits until it is settled). */
static struct instance *
owner_or_heir(struct core *c, const struct live *l)
{
	struct instance *owner = NULL, *heir = NULL;
	struct row r;

	state_row(l, &r);
	for (size_t k = 0; k < c->ninstances; k++) {
		struct instance *i = c->instances[k];
		if (span_is(r.owner, i->name))
			owner = i;
		else if (fits(c, i, l, BY_DISPATCH) && custody_alive(c, i))
			heir = i;
	}
	if (owner && custody_alive(c, owner) && RULE(NO_LEASE))
		return owner;
	if (heir && r.send_by_ms < c->wall_ms)
		return heir;
	return owner && custody_alive(c, owner) ? owner : NULL;
}

struct instance *
custody_next(struct core *c, const struct live *l, const struct instance *mover)
{
	unsigned actor = custody_of(c, l);
	struct instance *best = NULL;
	size_t start = (size_t)map_mix(l->id, l->rev);

	if (!actor)
		return NULL;
	if (l->kind == ROW_ATTEMPT && l->state == ATTEMPT_SENDING)
		return owner_or_heir(c, l);
	for (size_t k = 0; k < c->ninstances; k++) {
		struct instance *i = c->instances[(start + k) % c->ninstances];
		if (!fits(c, i, l, actor) || !custody_alive(c, i))
			continue;
		if (i == mover || i->id == l->holder)
			return i;
		if (!best)
			best = i;
	}
	return best;
}

/* --- the lists --- */

static void
unlist(struct core *c, struct live *l)
{
	if (!l->listed)
		return;
	*(l->older ? &l->older->newer : &c->first[l->step]) = l->newer;
	*(l->newer ? &l->newer->older : &c->last[l->step]) = l->older;
	l->older = l->newer = NULL;
	l->listed = false;
}

static void
list(struct core *c, struct live *l)
{
	l->older = c->last[l->step];
	*(l->older ? &l->older->newer : &c->first[l->step]) = l;
	c->last[l->step] = l;
	l->listed = true;
}

void
custody_give(struct core *c, struct live *l, const struct instance *to, bool moved)
{
	unlist(c, l);
	if (!custody_of(c, l))
		return;
	/* an identity waits for nothing: its task-fetch only has to hear of it */
	if (l->kind == ROW_IDENTITY && !moved && l->step == STEPS - 1)
		return;
	l->step = moved ? 0 : MIN2(l->step + 1, (uint32_t)STEPS - 1);
	l->news_ms = c->now_ms + c->o.retry_ms * retry_factor[l->step];
	if (to) {
		l->holder = to->id;
		l->given_hello = to->hellos;
	}
	list(c, l);
}

void
custody_forget(struct core *c, struct live *l)
{
	unlist(c, l);
	for (struct live *child = l->kind == ROW_WORK ? l->children : NULL; child; child = child->sibling)
		unlist(c, child);
}

/* --- sending rows --- */

struct batch { struct instance *to; struct buf part; size_t n; };

static void
send_rows(struct core *c, struct batch *b, enum wire_kind kind, bool more)
{
	struct wire_head h = core_head(c, b->to);

	if (b->n || kind == WIRE_ROWS) {
		wire_put_rows(&c->scratch, kind, &h, b->to->serial, b->n, SPAN_OF(&b->part), more);
		core_send(c, b->to, &c->scratch);
	}
	buf_reset(&b->part);
	b->n = 0;
}

static void
add_to(struct core *c, struct batch *b, struct live *l, enum wire_kind kind)
{
	state_put_joined(&c->state, l, 0, &b->part);
	if (++b->n >= 64 || b->part.n > MESSAGE_FILL / 2)
		send_rows(c, b, kind, kind == WIRE_ROWS);
}

/* In a new term former holders are not known yet: wait one TICK, unless only one
 * instance of the kind exists. */
static bool
may_give(const struct core *c, const struct instance *to)
{
	if (c->now_ms >= c->term_ms + TICK_EVERY_MS + 100)
		return true;
	for (size_t k = 0; k < c->ninstances; k++)
		if (c->instances[k] != to && !c->instances[k]->bye && c->instances[k]->principal == to->principal)
			return false;
	return true;
}

static bool
is_for(struct core *c, struct live *l, struct instance *to)
{
	if (!(custody_of(c, l) & to->principal) || (l->holder == to->id && l->given_hello == to->hellos))
		return false;
	return custody_next(c, l, l->holder ? NULL : to) == to;
}

void
custody_ask(struct core *c, struct instance *to)
{
	struct batch b = { .to = to };
	size_t at = 0, given = 0;
	bool more = false;
	struct live *l;

	while (!more && (l = map_next(&c->state.rows, &at))) {
		if (l->state >= STATE_END || !is_for(c, l, to))
			continue;
		more = ++given == 1024;
		add_to(c, &b, l, WIRE_ROWS);
		custody_give(c, l, to, true);
		l->holder = to->id;
		l->given_hello = to->hellos;
	}
	send_rows(c, &b, WIRE_ROWS, more);
	buf_free(&b.part);
	to->ask_due = more;
}

/* To the holder, or to another when it is silent or not known. */
static struct instance *
news_for(struct core *c, struct live *l)
{
	struct instance *holder = core_instance(c, l->holder);

	if (!RULE(NEWS_HOLDER_ONLY) && holder)
		return custody_alive(c, holder) ? holder : NULL;
	return custody_next(c, l, NULL);
}

static uint64_t
run_step(struct core *c, unsigned step, struct batch *batches, size_t nbatches)
{
	struct live *l;

	for (unsigned n = 0; n < 1024 && (l = c->first[step]) && l->news_ms <= c->now_ms; n++) {
		struct instance *to = news_for(c, l);
		if (to && RULE(NO_NEWS))
			for (size_t k = 0; k < nbatches; k++)
				if (batches[k].to == to)
					add_to(c, &batches[k], l, WIRE_NEWS);
		custody_give(c, l, to, false);
	}
	return c->first[step] ? c->first[step]->news_ms : UINT64_MAX;
}

uint64_t
custody_turn(struct core *c)
{
	struct batch *batches;
	uint64_t next = UINT64_MAX;
	bool due = false;

	for (size_t k = 0; k < c->ninstances; k++) {
		struct instance *i = c->instances[k];
		if (i->ask_due && i->heard && may_give(c, i))
			custody_ask(c, i);
		if (i->ask_due)
			next = MIN2(next, c->now_ms + 50);
	}
	if (c->now_ms < c->term_ms + TICK_EVERY_MS + 100)
		return MIN2(next, c->term_ms + TICK_EVERY_MS + 100);
	for (unsigned s = 0; s < STEPS; s++) {
		due |= c->first[s] && c->first[s]->news_ms <= c->now_ms;
		if (c->first[s])
			next = MIN2(next, c->first[s]->news_ms);
	}
	if (!due)
		return next;
	batches = xzalloc((c->ninstances + 1) * sizeof *batches);
	for (size_t k = 0; k < c->ninstances; k++)
		batches[k].to = c->instances[k];
	for (unsigned s = 0; s < STEPS; s++)
		next = MIN2(next, run_step(c, s, batches, c->ninstances));
	for (size_t k = 0; k < c->ninstances; k++) {
		send_rows(c, &batches[k], WIRE_NEWS, false);
		buf_free(&batches[k].part);
	}
	free(batches);
	return next;
}
