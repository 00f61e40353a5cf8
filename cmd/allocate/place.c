/* place.c - jobs to places.  See place.h. */
#include "cmd/allocate/place.h"

#include "common/clock.h"
#include "common/diag.h"
#include "common/rule.h"

enum {
	AGAIN_MS	= 1000,	/* a waiting job is tried again, whatever news says */
	SETTLE_MS	= 2000,	/* by then the ledger's count holds an answered placement */
};

/* One provider, with what each policy has given it. */
struct known {
	struct capacity	 now;		/* no slots: not heard */
	char		 only[33];
	bool		 many;
	uint64_t	*served;	/* by policy */
	bool		*joined;	/* has stood in line at that policy */
};

/* A placement of ours that the last news may not count. */
struct pending {
	uint64_t	token;
	size_t		provider, policy;
	uint64_t	answered_ms;	/* 0: not yet */
};

struct place {
	struct books		*books;
	struct policy		*policies;
	size_t			 npolicies;
	struct place_provider	*hints;
	size_t			 nhints;
	struct known		 known[PROVIDERS_MAX];
	size_t			 nknown;
	struct pending		*pending;
	size_t			 npending, cap_pending;
	uint64_t		 token;
	uint64_t		 tried_ms;	/* when all that waits was tried last */
	uint64_t		 why;		/* why the last job that waits does */
	struct held		**line;		/* scratch: what waits, in order */
	size_t			 nline, cap_line;
	struct verdict		 verdict;
};

struct place *
place_new(const struct place_opts *o)
{
	struct place *p = xzalloc(sizeof *p);

	p->npolicies = o->npolicies;
	p->policies = xzalloc(o->npolicies * sizeof *p->policies);
	if (o->npolicies)
		memcpy(p->policies, o->policies, o->npolicies * sizeof *p->policies);
	p->nhints = o->nproviders;
	p->hints = xzalloc(o->nproviders * sizeof *p->hints);
	if (o->nproviders)
		memcpy(p->hints, o->providers, o->nproviders * sizeof *p->hints);
	return p;
}

void
place_free(struct place **pp)
{
	struct place *p = *pp;

	if (!p)
		return;
	for (size_t i = 0; i < p->nknown; i++) {
		free(p->known[i].served);
		free(p->known[i].joined);
	}
	free(p->policies);
	free(p->hints);
	free(p->pending);
	free(p->line);
	free(p);
	*pp = NULL;
}

void
place_bind(struct place *p, struct books *b)
{
	p->books = b;
}

/* --- providers --- */

static struct known *
find_known(struct place *p, const char *name)
{
	for (size_t i = 0; i < p->nknown; i++)
		if (strcmp(p->known[i].now.name, name) == 0)
			return &p->known[i];
	return NULL;
}

static void
forget_pending(struct place *p, size_t i)
{
	p->pending[i] = p->pending[--p->npending];
}

static void
forget_pending_of(struct place *p, size_t provider)
{
	for (size_t i = p->npending; i-- > 0; )
		if (p->pending[i].provider == provider)
			forget_pending(p, i);
}

/* A new name takes a place of its own, or, when the table is full, that of one not heard. */
static struct known *
add_known(struct place *p, const char *name)
{
	struct known *k = NULL;

	if (p->nknown < PROVIDERS_MAX)
		k = &p->known[p->nknown++];
	for (size_t i = 0; !k && i < p->nknown; i++)
		if (pools_all(&p->known[i].now.slots) == 0)
			k = &p->known[i];
	if (!k)
		return NULL;
	forget_pending_of(p, (size_t)(k - p->known));
	free(k->served);
	free(k->joined);
	*k = (struct known){ .served = xzalloc(p->npolicies * sizeof *k->served),
	    .joined = xzalloc(p->npolicies * sizeof *k->joined) };
	for (size_t i = 0; i < p->nhints; i++)
		if (strcmp(p->hints[i].name, name) == 0) {
			memcpy(k->only, p->hints[i].only, sizeof k->only);
			k->many = p->hints[i].many;
		}
	return k;
}

static void
count_pending(const struct place *p, size_t provider, uint64_t used[TYPE_MAX + 1])
{
	for (size_t i = 0; i < p->npending; i++)
		used[p->policies[p->pending[i].policy].type] += p->pending[i].provider == provider;
}

static void
describe(const struct place *p, size_t provider, size_t policy, struct provider *out)
{
	const struct known *k = &p->known[provider];

	*out = (struct provider){ .slots = k->now.slots, .served = k->served[policy], .many = k->many };
	memcpy(out->used, k->now.used, sizeof out->used);
	count_pending(p, provider, out->used);
	memcpy(out->name, k->now.name, sizeof out->name);
	memcpy(out->only, k->only, sizeof out->only);
	memcpy(out->price, k->now.price, sizeof out->price);
}

static bool
is_live(const struct provider *v)
{
	return pools_all(&v->slots) > 0;
}

/* One that comes late stands behind the one whose turn it is, and gets no burst. */
static void
let_join(struct place *p, size_t policy, struct provider *all)
{
	const struct policy *rule = &p->policies[policy];
	struct contender first = { 0 };

	for (size_t i = 0; i < p->nknown; i++) {
		struct contender c = { .served = all[i].served, .weight = pools_for(&all[i].slots, rule->type) };
		if (p->known[i].joined[policy] && is_live(&all[i]) && policy_names(rule, &all[i]) &&
		    (!first.weight || turn_compare(&c, &first) < 0))
			first = c;
	}
	for (size_t i = 0; i < p->nknown; i++) {
		struct known *k = &p->known[i];
		if (!is_live(&all[i]) || !policy_names(rule, &all[i]) || k->joined[policy])
			continue;
		k->joined[policy] = true;
		if (first.weight)
			k->served[policy] = MAX2(k->served[policy], turn_join(&first, pools_for(&all[i].slots, rule->type)));
		all[i].served = k->served[policy];
	}
}

/* --- one job --- */

static const struct policy *
policy_of(const struct place *p, const struct row *r)
{
	for (size_t i = 0; i < p->npolicies; i++)
		if (span_is(r->chain, p->policies[i].chain) && r->type == p->policies[i].type)
			return &p->policies[i];
	return NULL;
}

/* The verdict on a job: who is free for it now. */
static void
decide(struct place *p, const struct row *r)
{
	struct provider all[PROVIDERS_MAX];
	const struct policy *rule = policy_of(p, r);
	struct question q = { question_chain(r->chain), r->type, r->task, r->attempts };

	if (!rule) {
		p->verdict = (struct verdict){ .code = CODE_NO_PROVIDER };
		return;
	}
	size_t policy = (size_t)(rule - p->policies);
	for (size_t i = 0; i < p->nknown; i++)
		describe(p, i, policy, &all[i]);
	let_join(p, policy, all);
	policy_decide(rule, &q, r->tried, all, p->nknown, &p->verdict);
	if (!p->verdict.chosen)
		return;
	size_t provider = (size_t)(p->verdict.chosen - all);
	p->verdict.chosen = NULL;
	if (p->npending == p->cap_pending) {
		p->cap_pending = 2 * p->cap_pending + 16;
		p->pending = xrealloc(p->pending, p->cap_pending * sizeof *p->pending);
	}
	p->pending[p->npending++] = (struct pending){ ++p->token, provider, policy, 0 };
	p->known[provider].served[policy]++;
}

static struct books_item
to_placed(const struct row *r)
{
	return (struct books_item){ .kind = ROW_JOB, .id = r->id, .rev = r->rev, .from = r->state,
	    .to = JOB_PLACED, .relies = { { ROW_WORK, r->work, r->work_rev } } };
}

/* A work is bought once: whoever else has a job of it waits with the first. */
static void
join(struct place *p, struct held *h)
{
	struct books_item item = to_placed(h->row);

	books_move(p->books, h, 0, &item, 1);
}

/* The attempt and the job's move, all or nothing. */
static void
buy(struct place *p, struct held *h)
{
	const struct pending *mine = &p->pending[p->npending - 1];
	struct row set = { 0 };
	struct books_item items[2] = { { .kind = ROW_ATTEMPT, .to = ATTEMPT_ALLOCATED, .set = &set },
	    to_placed(h->row) };

	SET(&set, work, h->row->work);
	SET(&set, provider, span_str(p->known[mine->provider].now.name));
	SET(&set, price, p->verdict.price);
	SET(&set, reason, span_str(p->verdict.reason));
	books_move(p->books, h, mine->token, items, NELEM(items));
}

static void
wait(struct place *p, struct held *h, uint64_t code)
{
	p->why = code;
	if (h->row->state == JOB_READY)
		books_step(p->books, h, JOB_QUEUED, code, NULL);
	else
		books_later(p->books, h, AGAIN_MS);
}

static uint64_t
max_attempts(const struct place *p, const struct row *r)
{
	const struct policy *rule = policy_of(p, r);

	return rule ? rule->max_attempts : UINT64_MAX;
}

/* What comes of a job without asking any provider: its next state and why.  0: one is to be chosen. */
static uint64_t
foregone(const struct place *p, const struct row *r, uint64_t wall_ms, uint64_t *code)
{
	*code = CODE_OK;
	if (RULE(PER_JOB) && (r->open || r->kept))
		return JOB_PLACED;
	if (r->attempts >= max_attempts(p, r))
		*code = CODE_MAX_ATTEMPTS;
	else if (HAS(r, deadline_ms) && wall_ms >= r->deadline_ms)
		*code = CODE_DEADLINE;
	return *code == CODE_OK ? 0 : JOB_GIVEN_UP;
}

static void
try_one(struct place *p, struct held *h)
{
	uint64_t code, state = foregone(p, h->row, books_wall_ms(p->books), &code);

	if (state == JOB_PLACED) {
		join(p, h);
		return;
	}
	if (state) {
		books_step(p->books, h, state, code, NULL);
		return;
	}
	decide(p, h->row);
	if (p->verdict.code == CODE_OK)
		buy(p, h);
	else
		wait(p, h, p->verdict.code);
}

/* --- all that waits --- */

static void
put_in_line(void *arg, struct held *h)
{
	struct place *p = arg;

	if (h->moving)
		return;
	if (p->nline == p->cap_line) {
		p->cap_line = 2 * p->cap_line + 64;
		p->line = xrealloc(p->line, p->cap_line * sizeof *p->line);
	}
	p->line[p->nline++] = h;
}

static int
by_deadline(const void *a, const void *b)
{
	const struct row *x = (*(struct held *const *)a)->row, *y = (*(struct held *const *)b)->row;

	if (x->deadline_ms != y->deadline_ms)
		return x->deadline_ms < y->deadline_ms ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static void
settle_pending(struct place *p, uint64_t now)
{
	for (size_t i = p->npending; i-- > 0; )
		if (p->pending[i].answered_ms && now >= p->pending[i].answered_ms + SETTLE_MS)
			forget_pending(p, i);
}

/* In order of deadline, so that a slot goes to whoever has least time. */
static void
try_all(struct place *p)
{
	p->tried_ms = clock_ms();
	p->nline = 0;
	settle_pending(p, p->tried_ms);
	books_each(p->books, put_in_line, p);
	if (p->nline)
		qsort(p->line, p->nline, sizeof *p->line, by_deadline);
	for (size_t i = 0; i < p->nline; i++)
		try_one(p, p->line[i]);
}

/* As the table of moves has it. */
static bool
may_place(uint64_t state)
{
	return state == JOB_READY || state == JOB_QUEUED;
}

void
place_act(struct place *p, struct held *h)
{
	const struct row *r = h->row;

	if (r->kind != ROW_JOB || !may_place(r->state))
		books_drop(p->books, h);
	else if (h->due && clock_ms() >= p->tried_ms + AGAIN_MS / 2)
		try_all(p);
	else
		try_one(p, h);
}

void
place_answer(struct place *p, uint64_t token, uint64_t code, const struct row *first)
{
	for (size_t i = 0; i < p->npending; i++) {
		struct pending *mine = &p->pending[i];
		if (mine->token != token)
			continue;
		mine->answered_ms = clock_ms();
		if (code == CODE_OK)
			return;
		p->known[mine->provider].served[mine->policy]--;
		forget_pending(p, i);
		return;
	}
}

/* --- capacity --- */

static uint64_t
total_slots(const struct place *p, size_t policy)
{
	uint64_t n = 0, type = p->policies[policy].type;

	for (size_t i = 0; i < p->nknown; i++) {
		struct provider v;
		describe(p, i, policy, &v);
		uint64_t all = pools_for(&v.slots, type);
		if (is_live(&v) && policy_names(&p->policies[policy], &v))
			n += RULE(ROOM_IS_FREE) ? all : all - MIN2(v.used[type], all);
	}
	return n;
}

static void
count_waiting(void *arg, struct held *h)
{
	*(size_t *)arg += !h->moving;
}

static void
write_note(const struct place *p, char *note, size_t size)
{
	size_t live = 0, waiting = 0;

	books_each(p->books, count_waiting, &waiting);
	for (size_t i = 0; i < p->nknown; i++)
		live += pools_all(&p->known[i].now.slots) > 0;
	if (live == 0)
		snprintf(note, size, "no provider is heard");
	else if (waiting)
		snprintf(note, size, "%zu jobs wait: %s", waiting, code_word(p->why));
}

void
place_levels(struct place *p, struct tick *t)
{
	for (size_t i = 0; i < p->npolicies && t->nrooms < LEVELS_MAX; i++) {
		const struct policy *rule = &p->policies[i];
		uint64_t slots = total_slots(p, i);
		if (slots == 0)
			continue;
		struct level *room = &t->rooms[t->nrooms++];
		*room = (struct level){ .type = rule->type, .n = slots };
		memcpy(room->chain, rule->chain, sizeof room->chain);
	}
	write_note(p, t->note, sizeof t->note);
}

/* True when what the rooms are made of has changed. */
static bool
take_capacity(struct place *p, const struct capacity *all, size_t n)
{
	bool changed = false;
	struct pools before[PROVIDERS_MAX];

	for (size_t i = 0; i < p->nknown; i++) {
		before[i] = p->known[i].now.slots;
		p->known[i].now.slots = (struct pools){ { 0 } };
	}
	size_t nbefore = p->nknown;
	for (size_t i = 0; i < n; i++) {
		struct known *k = find_known(p, all[i].name);
		if (!k)
			k = add_known(p, all[i].name);
		if (k)
			k->now = all[i];
	}
	for (size_t i = 0; i < p->nknown; i++)
		changed |= i >= nbefore || !pools_same(&before[i], &p->known[i].now.slots);
	return changed;
}

void
place_news(struct place *p, const struct news *n)
{
	if (!n->has_capacity)
		return;
	for (size_t i = p->npending; i-- > 0; )
		if (p->pending[i].answered_ms)
			forget_pending(p, i);	/* the ledger committed it before it counted */
	if (take_capacity(p, n->capacity, n->ncapacity))
		books_changed(p->books);
	try_all(p);
}

void
place_reset(struct place *p)
{
	p->npending = 0;
	p->tried_ms = 0;
	take_capacity(p, NULL, 0);
}

/* --- without a ledger --- */

void
place_assume(struct place *p, const struct capacity *all, size_t n)
{
	take_capacity(p, all, n);
}

/* Round after round: when no slot is left all are free again. */
static uint64_t
choose_alone(struct place *p, struct row *r, uint64_t *code)
{
	decide(p, r);
	if (p->verdict.code == CODE_NO_SLOT) {
		p->npending = 0;
		decide(p, r);
	}
	*code = p->verdict.code;
	SET(r, reason, span_str(p->verdict.reason));
	if (*code != CODE_OK)
		return JOB_QUEUED;
	SET(r, provider, span_str(p->known[p->pending[p->npending - 1].provider].now.name));
	SET(r, price, p->verdict.price);
	return JOB_PLACED;
}

bool
place_alone(struct place *p, struct row *r)
{
	uint64_t code, state;

	if (HAS(r, kind) && r->kind != ROW_JOB)
		return false;
	if (HAS(r, state) && !may_place(r->state))
		return false;
	state = foregone(p, r, clock_wall_ms(), &code);
	if (!state)
		state = choose_alone(p, r, &code);
	SET(r, kind, ROW_JOB);
	SET(r, state, state);
	SET(r, code, code);
	return true;
}
