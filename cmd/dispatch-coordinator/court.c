/* court.c - provers, attempts, proofs.  See court.h. */
#include "cmd/dispatch-coordinator/court.h"

#include <strings.h>

#include "cmd/dispatch-coordinator/uuid.h"
#include "common/clock.h"
#include "common/codes.h"
#include "common/diag.h"
#include "common/map.h"
#include "common/rule.h"

enum {
	LOOK_MS		= 1000,		/* look again at what waits for something else */
	ANSWER_MS	= 10000,	/* a prover that brings something hears by then, whatever the ledger does */
	TRIES_MAX	= 5,		/* of a failure report whose row went on meanwhile */
	HAD_MAX		= 1024,		/* remembered: who was given which work */
	LAST_PART	= 3,		/* of take_ms, after which a work may go to a prover that had it before */
};

/* Attempts that have no prover, the oldest first. */
struct orders { struct order *first, *last; };

/* An attempt in hand. */
struct order {
	struct held	*held;
	struct prover	*prover;	/* who has it, or is being given it */
	uint64_t	 since_ms;	/* in hand, or with its prover */
	bool		 given;		/* its prover was told, now or by an earlier process */
	struct orders	*in;		/* NULL: none */
	struct order	*older, *newer;
};

struct prover {
	char		*key, *forks, *task;
	uint64_t	 hash;		/* of its key */
	uint64_t	 types;
	void		*request;	/* NULL: it is not asking */
	uint64_t	 until_ms;
	struct order	*order;
	struct prover	*newer, *older;	/* among those that ask */
};

struct brought {
	uint64_t	 attempt, token, until_ms;
	bool		 failure;
	unsigned	 tries;
	struct row	*set;		/* owned */
	void		**requests;	/* that wait for the answer */
	size_t		 nrequests;
	struct brought	*next;
};

struct court {
	struct court_opts o;
	struct map	 provers;
	struct prover	*first, *last;	/* those that ask, the longest waiting first */
	struct orders	 allocated;
	struct orders	 second;	/* proving; their provers have another one, from before a crash */
	struct brought	*brought;
	uint64_t	 had[HAD_MAX];	/* works and the provers that were given them, mixed */
	size_t		 nhad;		/* ever */
	uint64_t	 token;
	bool		 ready;		/* all rows of this epoch are known: nobody is given a second task */
};

struct court *
court_new(const struct court_opts *o)
{
	struct court *c = xzalloc(sizeof *c);

	c->o = *o;
	c->o.provider = xstrdup(o->provider);
	c->o.secret.p = memcpy(xmalloc(o->secret.n + 1), o->secret.p, o->secret.n);
	return c;
}

/* --- provers ----------------------------------------------------------------------- */

static bool
has_key(const void *prover, const void *key)
{
	return span_is(*(const struct span *)key, ((const struct prover *)prover)->key);
}

static struct prover *
find_prover(const struct court *c, struct span key)
{
	return map_get(&c->provers, map_hash(0, key), has_key, &key);
}

static struct prover *
need_prover(struct court *c, struct span key)
{
	struct prover *p = find_prover(c, key);

	if (!p) {
		p = xzalloc(sizeof *p);
		p->key = xprintf("%.*s", SPAN_ARG(key));
		p->hash = map_hash(0, key);
		p->forks = xstrdup("");
		p->task = xstrdup("");
		map_put(&c->provers, p->hash, p);
	}
	return p;
}

static void
free_prover(struct prover *p)
{
	free(p->key);
	free(p->forks);
	free(p->task);
	free(p);
}

/* One that neither asks nor has anything is not remembered. */
static void
forget_idle(struct court *c, struct prover *p)
{
	if (p->request || p->order)
		return;
	map_del(&c->provers, p->hash, p);
	free_prover(p);
}

static void
stop_waiting(struct court *c, struct prover *p)
{
	*(p->older ? &p->older->newer : &c->first) = p->newer;
	*(p->newer ? &p->newer->older : &c->last) = p->older;
	p->older = p->newer = NULL;
	p->request = NULL;
	books_changed(c->o.books);
}

static void
start_waiting(struct court *c, struct prover *p, void *request)
{
	p->request = request;
	p->until_ms = clock_ms() + c->o.hold_ms;
	p->older = c->last;
	*(c->last ? &c->last->newer : &c->first) = p;
	c->last = p;
	books_changed(c->o.books);
}

/* "darwinV2,darwin" has it; spellings differ in case. */
static bool
in_list(const char *list, struct span word)
{
	for (; *list; list += strcspn(list, ","), list += *list == ',')
		if (strcspn(list, ",") == word.n && strncasecmp(list, (const char *)word.p, word.n) == 0)
			return true;
	return false;
}

static bool
suits(const struct prover *p, const struct row *r)
{
	return p->types >> r->type & 1 && (!*p->forks || !r->fork.n || in_list(p->forks, r->fork)) &&
	    (!*p->task || span_is(r->task, p->task));
}

static void
set_text(char **to, struct span from)
{
	free(*to);
	*to = xprintf("%.*s", SPAN_ARG(from));
}

/* --- attempts and provers come together ------------------------------------------------ */

static void
leave_list(struct order *o)
{
	if (!o->in)
		return;
	*(o->older ? &o->older->newer : &o->in->first) = o->newer;
	*(o->newer ? &o->newer->older : &o->in->last) = o->older;
	o->in = NULL;
}

/* They come in the order of their ids, nearly. */
static void
enter_list(struct order *o, struct orders *in)
{
	struct order *older = in->last;

	if (o->in == in)
		return;
	leave_list(o);
	while (older && older->held->row->id > o->held->row->id)
		older = older->older;
	o->in = in;
	o->older = older;
	o->newer = older ? older->newer : in->first;
	*(older ? &older->newer : &in->first) = o;
	*(o->newer ? &o->newer->older : &in->last) = o;
}

static void
join(struct order *o, struct prover *p)
{
	leave_list(o);
	o->prover = p;
	p->order = o;
}

static void
part(struct court *c, struct order *o)
{
	struct prover *p = o->prover;

	o->prover = NULL;
	if (!p)
		return;
	p->order = NULL;
	forget_idle(c, p);
}

/* The task is durably this prover's: it is told. */
static void
give(struct court *c, struct order *o, const struct row *r)
{
	struct prover *p = o->prover;
	void *request = p->request;
	char uuid[UUID_CHARS + 1];

	stop_waiting(c, p);
	if (!suits(p, r)) {
		c->o.ops->refuse(c->o.arg, request, COURT_ASSIGNED);
		return;
	}
	uuid_seal(c->o.secret, span_str(p->key), r->id, uuid);
	if (!o->given)
		c->had[c->nhad++ % HAD_MAX] = map_mix(r->work, p->hash);
	o->given = true;
	c->o.ops->give(c->o.arg, request, r, uuid);
}

static const struct brought *
brought_for(const struct court *c, uint64_t attempt)
{
	const struct brought *b = c->brought;

	while (b && b->attempt != attempt)
		b = b->next;
	return b;
}

/* What its prover has already; not while it is being ended, and not when what it was asked for is on its way
 * to the ledger. */
static void
give_again(struct court *c, struct order *o)
{
	const struct row *r = o->held->row;

	if (!o->held->moving && r->state == ATTEMPT_PROVING && !brought_for(c, r->id))
		give(c, o, r);
}

/* Was this prover given this work before, so that the earlier attempt came to nothing? */
static bool
had_it(const struct court *c, const struct prover *p, const struct row *r)
{
	uint64_t both = map_mix(r->work, p->hash);

	for (size_t i = 0; i < MIN2(c->nhad, (size_t)HAD_MAX); i++)
		if (c->had[i] == both)
			return true;
	return false;
}

/* Others come first for a while. */
static bool
may_have(const struct court *c, const struct prover *p, const struct order *o)
{
	const struct row *r = o->held->row;

	return suits(p, r) && (clock_ms() >= o->since_ms + c->o.take_ms / LAST_PART || !had_it(c, p, r));
}

static void
assign(struct court *c, struct prover *p, struct order *o)
{
	struct row set = { 0 };

	join(o, p);
	o->since_ms = clock_ms();
	SET(&set, handle, span_str(p->key));
	SET(&set, begun_ms, books_wall_ms(c->o.books));
	books_step(c->o.books, o->held, ATTEMPT_PROVING, CODE_OK, &set);
	if (!RULE(GIVEN_EARLY))
		give(c, o, o->held->row);
}

static struct order *
own_of(const struct court *c, const struct prover *p)
{
	struct order *o = c->second.first;

	while (o && !span_is(o->held->row->handle, p->key))
		o = o->newer;
	return o;
}

static struct order *
oldest_that_suits(const struct court *c, const struct prover *p)
{
	struct order *o = c->allocated.first;

	while (o && (o->held->moving || !may_have(c, p, o)))
		o = o->newer;
	return o;
}

/* What it has already, or else the oldest attempt that it can do. */
static void
serve(struct court *c, struct prover *p)
{
	struct order *o;

	if (!c->ready)
		return;
	if ((o = own_of(c, p))) {
		join(o, p);
		give_again(c, o);
	} else if ((o = oldest_that_suits(c, p))) {
		assign(c, p, o);
	}
}

void
court_ask(struct court *c, const struct court_want *w, void *request)
{
	struct prover *p = need_prover(c, w->key);
	void *older = p->request;

	if (older) {
		stop_waiting(c, p);
		c->o.ops->idle(c->o.arg, older);
	}
	p->types = w->types & c->o.types;
	set_text(&p->forks, w->forks);
	set_text(&p->task, w->task);
	start_waiting(c, p, request);
	if (p->order)
		give_again(c, p->order);
	else
		serve(c, p);
}

void
court_gone(struct court *c, struct span key, void *request)
{
	struct prover *p = find_prover(c, key);

	if (p && p->request == request) {
		stop_waiting(c, p);
		forget_idle(c, p);
	}
	for (struct brought *b = c->brought; b; b = b->next)
		for (size_t i = 0; i < b->nrequests; i++)
			if (b->requests[i] == request)
				b->requests[i--] = b->requests[--b->nrequests];
}

/* --- rows ----------------------------------------------------------------------------------- */

static struct prover *
first_for(const struct court *c, const struct order *o)
{
	for (struct prover *p = c->ready ? c->first : NULL; p; p = p->newer)
		if (!p->order && may_have(c, p, o))
			return p;
	return NULL;
}

static void
on_allocated(struct court *c, struct held *h)
{
	struct order *o = h->own;
	uint64_t now = clock_ms();

	part(c, o);		/* our move was refused */
	enter_list(o, &c->allocated);
	struct prover *p = first_for(c, o);
	if (p)
		assign(c, p, o);
	else if (now >= o->since_ms + c->o.take_ms)
		books_step(c->o.books, h, ATTEMPT_CANCELLED, CODE_NO_TAKER, NULL);
	else
		books_later(c->o.books, h, MIN2(o->since_ms + c->o.take_ms - now, (uint64_t)LOOK_MS));
}

static void
adopt(struct court *c, struct order *o, const struct row *r)
{
	struct prover *p = need_prover(c, r->handle);

	if (p->order) {
		enter_list(o, &c->second);	/* it comes after the other */
		return;
	}
	join(o, p);
	p->types |= p->request ? 0 : UINT64_C(1) << r->type;
	books_changed(c->o.books);
}

/* Whose time is over; nothing is over while its proof is on its way to the ledger. */
static uint64_t
overdue(const struct court *c, const struct order *o, const struct row *r)
{
	if (brought_for(c, r->id))
		return CODE_OK;
	if (RULE(NO_PROVE_TIME) && HAS(r, begun_ms) && books_wall_ms(c->o.books) >= r->begun_ms + c->o.prove_ms)
		return CODE_PROOF_TIMEOUT;
	return !o->given && clock_ms() >= o->since_ms + c->o.take_ms ? CODE_NO_TAKER : CODE_OK;
}

static void
on_proving(struct court *c, struct held *h)
{
	struct order *o = h->own;

	if (o->prover && !span_is(h->row->handle, o->prover->key))
		part(c, o);			/* our move was refused: it is another's */
	o->given |= !h->fresh && !o->prover;	/* by a process before this one */
	if (!o->prover)
		adopt(c, o, h->row);
	if (o->prover && o->prover->request)
		give_again(c, o);
	uint64_t code = overdue(c, o, h->row);
	if (code != CODE_OK)
		books_step(c->o.books, h, ATTEMPT_FAILED, code, NULL);
	else
		books_later(c->o.books, h, LOOK_MS);
}

void
court_act(struct court *c, struct held *h)
{
	const struct row *r = h->row;
	struct order *o = h->own;

	if (r->kind != ROW_ATTEMPT || (r->state != ATTEMPT_ALLOCATED && r->state != ATTEMPT_PROVING)) {
		books_drop(c->o.books, h);
		return;
	}
	if (!o) {
		h->own = o = xzalloc(sizeof *o);
		o->held = h;
		o->since_ms = clock_ms();
	}
	if (r->state == ATTEMPT_ALLOCATED)
		on_allocated(c, h);
	else
		on_proving(c, h);
}

void
court_lose(struct court *c, struct held *h)
{
	struct order *o = h->own;

	h->own = NULL;
	if (!o)
		return;
	leave_list(o);
	part(c, o);
	free(o);
	books_changed(c->o.books);
}

/* --- what provers bring ------------------------------------------------------------------------ */

static void
tell(struct court *c, struct brought *b, uint64_t rev)
{
	struct books_item item = { .kind = ROW_ATTEMPT, .id = b->attempt, .rev = rev, .from = ATTEMPT_PROVING,
	    .to = b->failure ? ATTEMPT_FAILED : ATTEMPT_PROVED, .code = b->failure ? CODE_PROVER_FAILED : CODE_OK,
	    .set = b->set };

	b->token = ++c->token;
	if (b->failure)
		books_move(c->o.books, NULL, b->token, &item, 1);
	else
		books_fact(c->o.books, b->token, &item);
}

static bool
same_thing(const struct brought *b, uint64_t attempt, bool failure, const struct row *set)
{
	return b->attempt == attempt && b->failure == failure &&
	    (failure || memcmp(b->set->proof_blob, set->proof_blob, HASH_BYTES) == 0);
}

/* The same thing brought again, while the first is on its way, waits with the first. */
static struct brought *
need_brought(struct court *c, uint64_t attempt, bool failure, const struct row *set, bool *is_new)
{
	struct brought *b = c->brought;

	while (b && !same_thing(b, attempt, failure, set))
		b = b->next;
	*is_new = !b;
	if (b)
		return b;
	b = xzalloc(sizeof *b);
	b->attempt = attempt;
	b->failure = failure;
	b->set = row_keep(set);
	b->next = c->brought;
	c->brought = b;
	return b;
}

/* Each request that waits for it hears: taken, or why not. */
static void
say(struct court *c, struct brought *b, bool taken, enum court_no no)
{
	size_t n = b->nrequests;

	b->nrequests = 0;
	for (size_t i = 0; i < n; i++) {
		if (taken)
			c->o.ops->taken(c->o.arg, b->requests[i]);
		else
			c->o.ops->refuse(c->o.arg, b->requests[i], no);
	}
}

bool
court_can_take(const struct court *c)
{
	return books_connected_now(c->o.books);
}

static void
take(struct court *c, uint64_t attempt, bool failure, const struct row *set, void *request)
{
	struct held *h = books_find(c->o.books, ROW_ATTEMPT, attempt);
	bool is_new;

	if (!court_can_take(c)) {
		c->o.ops->refuse(c->o.arg, request, COURT_AWAY);
		return;
	}
	struct brought *b = need_brought(c, attempt, failure, set, &is_new);
	b->requests = xrealloc(b->requests, (b->nrequests + 1) * sizeof *b->requests);
	if (b->nrequests == 0)
		b->until_ms = clock_ms() + ANSWER_MS;
	b->requests[b->nrequests++] = request;
	if (is_new)
		tell(c, b, failure && h ? h->row->rev : 0);
	if (!RULE(TAKEN_EARLY))
		say(c, b, true, COURT_AWAY);
}

void
court_proof(struct court *c, uint64_t attempt, const struct row *set, void *request)
{
	take(c, attempt, false, set, request);
}

void
court_failure(struct court *c, uint64_t attempt, const struct row *set, void *request)
{
	take(c, attempt, true, set, request);
}

uint64_t
court_attempt(const struct court *c, struct span key, struct span uuid)
{
	return uuid_open(c->o.secret, key, uuid);
}

static void
forget_brought(struct court *c, struct brought *b)
{
	struct brought **at = &c->brought;

	while (*at != b)
		at = &(*at)->next;
	*at = b->next;
	free(b->set);
	free(b->requests);
	free(b);
}

/* A report on a row that went on meanwhile, or was not in hand: again, with the row as it is. */
static bool
report_again(struct court *c, struct brought *b, uint64_t code, const struct row *first)
{
	if (!b->failure || code != CODE_CONFLICT || !first || first->state != ATTEMPT_PROVING || b->tries++ >= TRIES_MAX ||
	    !RULE(REPORT_ONCE))
		return false;
	tell(c, b, first->rev);
	return true;
}

void
court_answer(struct court *c, uint64_t token, uint64_t code, const struct row *first)
{
	struct brought *b = c->brought;

	while (b && b->token != token)
		b = b->next;
	if (!b || report_again(c, b, code, first))
		return;
	if (code == CODE_OK || (b->failure && (code == CODE_CONFLICT || code == CODE_GONE)))
		say(c, b, true, COURT_AWAY);
	else
		say(c, b, false, code == CODE_GONE ? COURT_UNKNOWN : COURT_AWAY);
	if (code == CODE_GONE && !b->failure)
		diag(DIAG_WARN, "proof-of-nothing", "attempt=%" PRIu64 " bytes=%" PRIu64, b->attempt, b->set->proof_bytes);
	forget_brought(c, b);
}

/* --- levels, time ---------------------------------------------------------------------------------- */

void
court_levels(struct court *c, struct tick *t)
{
	size_t at = 0, waiting = 0, proving = 0;
	const struct prover *p;

	snprintf(t->provider, sizeof t->provider, "%s", c->o.provider);
	memcpy(t->price, c->o.price, sizeof t->price);
	t->slots = pools_one(c->o.types, c->o.ahead);
	while ((p = map_next(&c->provers, &at))) {
		struct pools one = pools_one(p->types, 1);
		pools_add(&t->slots, &one);
		proving += p->order != NULL;
		waiting += !p->order;
	}
	if (!waiting && !proving)
		snprintf(t->note, sizeof t->note, "no prover asks for work");
	else
		snprintf(t->note, sizeof t->note, "%zu provers wait, %zu prove", waiting, proving);
}

/* Moves died with their epoch, facts did not. */
void
court_reset(struct court *c)
{
	c->ready = false;
	for (struct brought *b = c->brought, *next; b; b = next) {
		next = b->next;
		if (!b->failure)
			continue;
		say(c, b, false, COURT_AWAY);
		forget_brought(c, b);
	}
}

/* Now it is known who has what: those that wait are served. */
static void
begin(struct court *c)
{
	c->ready = true;
	for (struct prover *p = c->first, *next; p; p = next) {
		next = p->newer;
		if (!p->order)
			serve(c, p);
	}
}

/* To whom a task is on its way is not sent off without it, unless the ledger does not answer. */
static uint64_t
wait_ends(const struct prover *p)
{
	return p->until_ms + (p->order ? ANSWER_MS : 0);
}

static uint64_t
end_waits(struct court *c)
{
	uint64_t due = UINT64_MAX, now = clock_ms();
	struct prover *p = c->first;

	for (struct prover *next; p && p->until_ms <= now; p = next) {
		void *request = p->request;
		next = p->newer;
		if (wait_ends(p) > now) {
			due = MIN2(due, wait_ends(p));
			continue;
		}
		stop_waiting(c, p);
		forget_idle(c, p);
		c->o.ops->idle(c->o.arg, request);
	}
	return p ? MIN2(due, p->until_ms) : due;
}

uint64_t
court_turn(struct court *c)
{
	uint64_t due;

	if (!c->ready && (books_told_all(c->o.books) || !RULE(SERVED_EARLY)))
		begin(c);
	due = end_waits(c);
	for (struct brought *b = c->brought; b; b = b->next) {
		if (b->nrequests && b->until_ms <= clock_ms())
			say(c, b, false, COURT_AWAY);
		if (b->nrequests)
			due = MIN2(due, b->until_ms);
	}
	return due;
}

void
court_free(struct court **cp)
{
	struct court *c = *cp;
	struct prover *p;

	*cp = NULL;
	if (!c)
		return;
	while (c->brought)
		forget_brought(c, c->brought);
	for (size_t at = 0; (p = map_next(&c->provers, &at)); )
		free_prover(p);
	map_free(&c->provers);
	free((void *)(uintptr_t)c->o.provider);
	free((void *)(uintptr_t)c->o.secret.p);
	free(c);
}
