/* purchase.c - the purchase protocol.  See purchase.h.
 *
 * An `order` is what this process knows of an attempt beyond its row.  It outlives
 * the row in hand and the epoch, because a call under way, and what it brings, does.
 *
 * BUGS: what was told is forgotten half a minute after its row was lost, an answer that names no
 * order (a refusal) an hour after. */
#include "cmd/dispatch-exec/purchase.h"

#include "common/clock.h"
#include "common/codes.h"
#include "common/diag.h"
#include "common/map.h"
#include "common/rule.h"

enum {
	MARGIN_MS	= 50,		/* clocks differ, and a check is not the act */
	PACE_MIN_MS	= 200,
	PACE_MAX_MS	= 30000,
	LOOK_MS		= 2000,		/* look again at what waits for somebody else */
	TELL_MS		= 1000,
	REFUSALS_MAX	= 5,		/* "not now" as often: another provider is tried */
	CALLS_MAX	= 3,		/* with when_unsure = fail: unanswered calls with one key */
	TOLD_MS		= 30000,	/* a fact may be refused (disk full) and be wanted again */
	FORGET_MS	= 3600000,
	SWEEP_MS	= 1000,
};

/* What is to be told of an attempt. */
struct known {
	uint64_t	 to;		/* 0: nothing */
	uint64_t	 code;
	struct row	*set;		/* owned */
	bool		 fact;		/* true whatever the row has become */
};

struct order {
	uint64_t		 id;
	bool			 intended;	/* our intent is under way in this epoch */
	enum purchase_verb	 verb;		/* call under way */
	uint64_t		 serial, prove_serial;
	uint64_t		 intent;	/* the last one of ours */
	uint64_t		 intent_ms, send_by_ms;
	uint64_t		 ended_ms, ended_code;	/* our last prove call ended without an answer */
	unsigned		 refusals, calls, waits;
	uint64_t		 not_before_ms;
	struct known		 known;
	uint64_t		 told_ms, touched_ms;
	uint64_t		 why;		/* it waits: code; 0 it does not */
};

struct purchase {
	struct books		*books;
	char			*instance;
	struct purchase_ops	 ops;
	void			*arg;
	struct purchase_terms	 terms;
	uint64_t		 start_ms, serial, swept_ms;
	size_t			 nintended;	/* intents under way */
	struct map		 orders;	/* by attempt */
	struct map		 calls;		/* orders by serial, of the last call and the last prove call */
};

static void	go_on(struct purchase *, struct order *, struct held *);

/* ---- orders ---- */

static bool
is_order(const void *value, const void *id)
{
	return ((const struct order *)value)->id == *(const uint64_t *)id;
}

static struct order *
find_order(const struct purchase *p, uint64_t id)
{
	return map_get(&p->orders, map_mix(ROW_ATTEMPT, id), is_order, &id);
}

static bool
has_serial(const void *value, const void *serial)
{
	const struct order *o = value;

	return o->serial == *(const uint64_t *)serial || o->prove_serial == *(const uint64_t *)serial;
}

static struct order *
order_of_call(const struct purchase *p, uint64_t serial)
{
	return map_get(&p->calls, map_mix(0, serial), has_serial, &serial);
}

static struct order *
need_order(struct purchase *p, uint64_t id)
{
	struct order *o = find_order(p, id);

	if (!o) {
		o = xzalloc(sizeof *o);
		o->id = id;
		map_put(&p->orders, map_mix(ROW_ATTEMPT, id), o);
	}
	o->touched_ms = clock_ms();
	return o;
}

static void
forget_known(struct order *o)
{
	free(o->known.set);
	o->known = (struct known){ 0 };
	o->told_ms = 0;
}

static void
set_intended(struct purchase *p, struct order *o, bool intended)
{
	p->nintended += (size_t)intended - (size_t)o->intended;
	o->intended = intended;
}

static void
set_serial(struct purchase *p, struct order *o, uint64_t serial, bool prove)
{
	if (o->serial != o->prove_serial)
		map_del(&p->calls, map_mix(0, o->serial), o);
	if (prove)
		map_del(&p->calls, map_mix(0, o->prove_serial), o);
	map_put(&p->calls, map_mix(0, serial), o);
	o->serial = serial;
	if (prove)
		o->prove_serial = serial;
}

static void
forget(struct purchase *p, struct order *o)
{
	set_intended(p, o, false);
	map_del(&p->calls, map_mix(0, o->serial), o);
	map_del(&p->calls, map_mix(0, o->prove_serial), o);
	map_del(&p->orders, map_mix(ROW_ATTEMPT, o->id), o);
	forget_known(o);
	free(o);
}

/* Is there nothing left that only this order knows? */
static bool
is_spent(const struct purchase *p, const struct order *o)
{
	uint64_t now = clock_ms();

	if (o->verb || books_find(p->books, ROW_ATTEMPT, o->id))
		return false;
	if (o->known.to)
		return now > o->touched_ms + (o->known.fact && o->told_ms ? TOLD_MS : FORGET_MS);
	return now > o->touched_ms + LOOK_MS && (!o->ended_ms || now > o->ended_ms + p->terms.prove_call_ms + p->terms.lag_ms);
}

static void
sweep(struct purchase *p)
{
	struct order *o, **spent;
	size_t at = 0, n = 0;

	if (clock_ms() < p->swept_ms + SWEEP_MS)
		return;
	p->swept_ms = clock_ms();
	spent = xmalloc(p->orders.n * sizeof *spent);
	while ((o = map_next(&p->orders, &at)))
		if (is_spent(p, o))
			spent[n++] = o;
	while (n)
		forget(p, spent[--n]);
	free(spent);
}

static void
later(struct purchase *p, struct order *o, struct held *h, uint64_t why, uint64_t ms)
{
	o->why = why;
	books_later(p->books, h, ms);
}

/* Wait longer each time. */
static void
pace(struct order *o)
{
	uint64_t ms = (uint64_t)PACE_MIN_MS << MIN2(o->waits, 10u);

	o->waits++;
	o->not_before_ms = clock_ms() + MIN2(ms, (uint64_t)PACE_MAX_MS);
}

/* ---- telling ---- */

/* A fact leaves whether or not the row is in hand.  Its rev is 0: true of any. */
static void
tell_fact(struct purchase *p, struct order *o)
{
	struct books_item item = { .kind = ROW_ATTEMPT, .id = o->id, .from = ATTEMPT_SENDING,
	    .to = o->known.to, .code = o->known.code, .set = o->known.set };

	books_fact(p->books, 0, &item);
	o->told_ms = clock_ms();
}

static void
tell(struct purchase *p, struct order *o, struct held *h)
{
	if (!o->known.fact) {
		if (o->known.to == ATTEMPT_ALLOCATED)
			pace(o);
		books_step(p->books, h, o->known.to, o->known.code, o->known.set);
		forget_known(o);
		return;
	}
	if (!o->told_ms || (clock_ms() >= o->told_ms + TELL_MS && !books_pending(p->books)))
		tell_fact(p, o);
	books_later(p->books, h, TELL_MS);
}

static void
know(struct order *o, uint64_t to, uint64_t code, bool fact, const struct row *set)
{
	forget_known(o);
	o->known = (struct known){ .to = to, .code = code, .fact = fact, .set = row_keep(set) };
	o->why = 0;
}

/* ---- calls ---- */

/* The same for every call of the attempt, by whichever instance. */
static void
make_key(const struct row *row, char *key, size_t size)
{
	int n = snprintf(key, size, "%.*s-%" PRIu64, SPAN_ARG(row->chain), row->id);

	if (!RULE(INTENT_IS_KEY))
		snprintf(key + n, size - (size_t)n, "-%" PRIu64, row->intent);
}

static bool
call(struct purchase *p, struct order *o, const struct row *row, enum purchase_verb verb)
{
	bool (*const fns[PURCHASE_VERBS])(void *, const struct purchase_call *) = {
		NULL, p->ops.prove, p->ops.poll, p->ops.reconcile, p->ops.cancel,
	};
	char key[96];
	struct purchase_call c = { .serial = ++p->serial, .verb = verb, .row = row, .key = key,
	    .deadline_ms = verb == PURCHASE_PROVE ? p->terms.prove_call_ms : p->terms.call_ms };

	make_key(row, key, sizeof key);
	o->verb = verb;
	o->intent = row->intent;
	set_serial(p, o, c.serial, verb == PURCHASE_PROVE);
	if (fns[verb](p->arg, &c))
		return true;
	o->verb = PURCHASE_NONE;
	return false;
}

/* A call that costs nothing: now, or a little later. */
static void
call_free(struct purchase *p, struct order *o, struct held *h, enum purchase_verb verb)
{
	if (!call(p, o, h->row, verb))
		books_later(p->books, h, p->terms.poll_ms);
}

static bool
in_time(const struct purchase *p, const struct order *o)
{
	return books_wall_latest_ms(p->books) + MARGIN_MS < o->send_by_ms &&
	    clock_ms() + MARGIN_MS < o->intent_ms + p->terms.send_by_ms;
}

static bool
is_mine(const struct purchase *p, const struct row *row)
{
	return span_is(row->owner, p->instance) || !RULE(NO_OWNER);
}

bool
purchase_may_send(struct purchase *p, uint64_t serial)
{
	struct order *o = order_of_call(p, serial);

	if (!o || o->verb != PURCHASE_PROVE || o->serial != serial)
		return false;
	struct held *h = books_find(p->books, ROW_ATTEMPT, o->id);
	if (RULE(NO_INTENT) && (!h || h->moving || h->row->state != ATTEMPT_SENDING || h->row->intent != o->intent))
		return false;
	if (RULE(NO_INTENT) && !is_mine(p, h->row))
		return false;
	return in_time(p, o) || !RULE(NO_SEND_BY);
}

/* ---- intents ---- */

static bool
has_room(const struct purchase *p)
{
	return p->terms.known && p->ops.room(p->arg) > p->nintended;
}

/* The intent is durable before the call is made: on_sending goes on when its DONE is here. */
static void
intend(struct purchase *p, struct order *o, struct held *h)
{
	uint64_t wall = books_wall_ms(p->books);
	struct row set = { 0 };

	set_intended(p, o, true);
	o->intent = h->row->intent + 1;
	o->intent_ms = clock_ms();
	o->send_by_ms = wall + p->terms.send_by_ms;
	o->why = 0;
	SET(&set, owner, span_str(p->instance));
	SET(&set, intent, o->intent);
	SET(&set, send_by_ms, o->send_by_ms);
	if (h->row->state == ATTEMPT_ALLOCATED && !HAS(h->row, begun_ms))
		SET(&set, begun_ms, wall);
	struct row now = *h->row;
	books_step(p->books, h, ATTEMPT_SENDING, CODE_OK, &set);
	if (!RULE(NO_INTENT)) {
		row_merge(&now, &set, BIT(intent));
		set_intended(p, o, false);
		(void)call(p, o, &now, PURCHASE_PROVE);
	}
}

static void
on_allocated(struct purchase *p, struct order *o, struct held *h)
{
	uint64_t now = clock_ms(), able;

	set_intended(p, o, false);	/* an earlier intent was refused */
	if (!p->terms.known)
		return later(p, o, h, CODE_PLUGIN_START, LOOK_MS);
	if (now < o->not_before_ms)
		return books_later(p->books, h, o->not_before_ms - now);
	able = p->ops.able(p->arg, h->row);
	if (able != CODE_OK && able != CODE_NOT_ABLE)
		return later(p, o, h, able, LOOK_MS);
	if (able == CODE_OK && !has_room(p))
		return later(p, o, h, CODE_NO_SLOT, LOOK_MS);
	o->calls = 0;
	intend(p, o, h);
}

/* DONE of our own intent is here. */
static void
send_order(struct purchase *p, struct order *o, struct held *h)
{
	uint64_t able = p->ops.able(p->arg, h->row);
	const struct row none = { 0 };

	if (able == CODE_NOT_ABLE)
		know(o, ATTEMPT_FAILED, able, false, &none);
	else if (able != CODE_OK)
		know(o, ATTEMPT_ALLOCATED, able, false, &none);
	else if (!in_time(p, o) && RULE(NO_SEND_BY))
		know(o, ATTEMPT_ALLOCATED, CODE_SEND_BY_MISSED, false, &none);
	else if (!call(p, o, h->row, PURCHASE_PROVE))
		know(o, ATTEMPT_ALLOCATED, CODE_PLUGIN_START, false, &none);
	if (!o->known.to)
		return;
	/* with a key an earlier call may have been taken: only what that one brought counts */
	if (o->calls > 0) {
		forget_known(o);
		pace(o);
		books_later(p->books, h, PACE_MIN_MS);
	} else {
		tell(p, o, h);
	}
}

/* ---- sending, and it is not known whether the order is there ---- */

/* How long a call can still become an order, from its end on. */
static uint64_t
reach_ms(const struct purchase *p)
{
	return p->terms.prove_call_ms + (RULE(LAG_FORGOTTEN) ? p->terms.lag_ms : 0) + MARGIN_MS;
}

/* From then on no call of this process that was not answered, and none of its forerunner, can. */
static uint64_t
calls_settled_ms(const struct purchase *p, const struct order *o)
{
	uint64_t began = RULE(DEATH_AT_ONCE) ? p->start_ms : 0, ended = RULE(LAG_OF_OWN_CALL_FORGOTTEN) ? o->ended_ms : 0;

	return MAX2(began, ended) + reach_ms(p);
}

/* How long until it is settled: 0 now. */
static uint64_t
settle_ms(const struct purchase *p, const struct order *o, const struct row *row)
{
	uint64_t now = clock_ms(), wall = books_wall_ms(p->books);
	uint64_t at = calls_settled_ms(p, o), wall_at = row->send_by_ms + reach_ms(p);

	if (!RULE(NO_SETTLE))
		return 0;
	return MAX2(at > now ? at - now : 0, wall_at > wall ? wall_at - wall : 0);
}

static bool
is_over(const struct purchase *p, uint64_t since_wall_ms)
{
	return since_wall_ms && books_wall_ms(p->books) > since_wall_ms + p->terms.prove_ms;
}

/* The same call again, with the same key, behind an intent of its own. */
static void
call_again(struct purchase *p, struct order *o, struct held *h)
{
	if (!has_room(p))
		return later(p, o, h, o->ended_code, LOOK_MS);
	intend(p, o, h);
}

static void
step_back(struct purchase *p, struct order *o, struct held *h, uint64_t to, uint64_t code)
{
	const struct row none = { 0 };

	know(o, to, code, false, &none);
	tell(p, o, h);
}

static void
nobody_to_ask(struct purchase *p, struct order *o, struct held *h)
{
	if (p->terms.when_unsure == PURCHASE_WAIT)
		later(p, o, h, CODE_UNSURE, LOOK_MS);
	else if (p->terms.when_unsure == PURCHASE_RESEND)
		step_back(p, o, h, ATTEMPT_ALLOCATED, CODE_UNSURE);
	else
		step_back(p, o, h, ATTEMPT_FAILED, o->ended_code ? o->ended_code : CODE_UNSURE);
}

static void
unsure(struct purchase *p, struct order *o, struct held *h)
{
	bool key = p->terms.ask == PLUGIN_ASK_KEY;
	uint64_t now = clock_ms(), wait = settle_ms(p, o, h->row);

	o->calls = MAX2(o->calls, 1u);	/* by this process, or one before it */
	if (!p->terms.known)
		return later(p, o, h, CODE_PLUGIN_START, LOOK_MS);
	if (now < o->not_before_ms)
		return later(p, o, h, o->ended_code, o->not_before_ms - now);
	if (key && p->terms.when_unsure == PURCHASE_FAIL && o->calls >= CALLS_MAX)
		return step_back(p, o, h, ATTEMPT_FAILED, o->ended_code);
	if (wait && !key)
		return later(p, o, h, o->ended_code, MIN2(wait, (uint64_t)PACE_MAX_MS));
	if (!wait && p->terms.can_cancel && p->terms.ask != PLUGIN_ASK_NONE && is_over(p, h->row->begun_ms))
		return call_free(p, o, h, PURCHASE_CANCEL);
	if (key)
		return call_again(p, o, h);
	if (p->terms.ask == PLUGIN_ASK_LOOKUP)
		return call_free(p, o, h, PURCHASE_RECONCILE);
	nobody_to_ask(p, o, h);
}

/* Another instance's row, whose lease the ledger says is gone. */
static void
take_over(struct purchase *p, struct order *o, struct held *h)
{
	uint64_t wait = settle_ms(p, o, h->row);
	bool dead = p->ops.dead && p->ops.dead(p->arg, h->row->owner);
	struct row set = { 0 };

	if (p->terms.known && p->terms.ask == PLUGIN_ASK_NONE)
		return books_drop(p->books, h);
	if (!p->terms.known || wait || (p->terms.ask == PLUGIN_ASK_LOOKUP && !dead))
		return later(p, o, h, CODE_UNSURE, MAX2(MIN2(wait, (uint64_t)PACE_MAX_MS), (uint64_t)LOOK_MS));
	o->calls = MAX2(o->calls, 1u);
	if (p->terms.ask == PLUGIN_ASK_KEY)
		return call_again(p, o, h);
	o->ended_ms = clock_ms();	/* its last call may have begun just before it died */
	SET(&set, owner, span_str(p->instance));
	books_step(p->books, h, ATTEMPT_SENDING, CODE_OK, &set);
}

static void
on_sending(struct purchase *p, struct order *o, struct held *h)
{
	bool intended = o->intended && h->fresh && h->row->intent == o->intent;

	set_intended(p, o, false);
	if (!is_mine(p, h->row))
		take_over(p, o, h);
	else if (intended)
		send_order(p, o, h);
	else
		unsure(p, o, h);
}

/* ---- proving ---- */

static void
on_proving(struct purchase *p, struct order *o, struct held *h)
{
	uint64_t now = clock_ms();

	if (!p->terms.known)
		return later(p, o, h, CODE_PLUGIN_START, LOOK_MS);
	if (now < o->not_before_ms)
		return books_later(p->books, h, o->not_before_ms - now);
	call_free(p, o, h, PURCHASE_POLL);
}

/* It is still at work: ask again, or end it.  Only its answer ends what may cost. */
static void
keep_polling(struct purchase *p, struct order *o, struct held *h)
{
	const struct row *row = h ? h->row : NULL;
	const struct row none = { 0 };

	o->waits = 0;
	o->not_before_ms = clock_ms() + p->terms.poll_ms;
	if (!row || row->state != ATTEMPT_PROVING || !is_over(p, HAS(row, send_by_ms) ? row->send_by_ms : row->begun_ms))
		return;
	if (p->terms.can_cancel)
		(void)call(p, o, row, PURCHASE_CANCEL);
	else
		know(o, ATTEMPT_FAILED, CODE_PROOF_TIMEOUT, false, &none);
}

/* ---- answers ---- */

typedef void take_fn(struct purchase *, struct order *, struct held *, const struct purchase_answer *, struct row *set);

static void
take_handle(struct purchase *p, struct order *o, struct held *h, const struct purchase_answer *a, struct row *set)
{
	SET(set, handle, a->handle);
	know(o, ATTEMPT_PROVING, CODE_OK, true, set);
}

static void
take_proof(struct purchase *p, struct order *o, struct held *h, const struct purchase_answer *a, struct row *set)
{
	if (a->handle.n)
		SET(set, handle, a->handle);
	if (a->proof.n)
		SET(set, proof, a->proof);
	ROW_HASH(set, proof_blob, a->proof_blob);
	SET(set, proof_bytes, a->proof_bytes);
	know(o, ATTEMPT_PROVED, CODE_OK, true, set);
}

static void
take_at_work(struct purchase *p, struct order *o, struct held *h, const struct purchase_answer *a, struct row *set)
{
	keep_polling(p, o, h);
}

static void
take_refusal(struct purchase *p, struct order *o, struct held *h, const struct purchase_answer *a, struct row *set)
{
	uint64_t code = a->code ? a->code : CODE_PROVER_RETRY;

	if (o->calls > 0 && clock_ms() < calls_settled_ms(p, o))	/* an earlier call with this key may be there */
		pace(o);
	else if (++o->refusals >= REFUSALS_MAX)
		know(o, ATTEMPT_FAILED, code, false, set);
	else if (o->calls > 0)
		pace(o);
	else
		know(o, ATTEMPT_ALLOCATED, code, false, set);
}

static void
take_failure(struct purchase *p, struct order *o, struct held *h, const struct purchase_answer *a, struct row *set)
{
	know(o, ATTEMPT_FAILED, a->code ? a->code : CODE_PROVER_FAILED, false, set);
}

static void
take_timeout(struct purchase *p, struct order *o, struct held *h, const struct purchase_answer *a, struct row *set)
{
	know(o, ATTEMPT_FAILED, CODE_PROOF_TIMEOUT, false, set);
}

static void
take_unknown(struct purchase *p, struct order *o, struct held *h, const struct purchase_answer *a, struct row *set)
{
	know(o, ATTEMPT_ALLOCATED, CODE_NOT_THERE, false, set);
}

/* It has forgotten an order that it took: within its lag that may still change. */
static void
take_forgotten(struct purchase *p, struct order *o, struct held *h, const struct purchase_answer *a, struct row *set)
{
	uint64_t since = h ? MAX2(h->row->send_by_ms, h->row->begun_ms) : 0;

	if (since && books_wall_ms(p->books) > since + p->terms.lag_ms + p->terms.prove_call_ms)
		know(o, ATTEMPT_FAILED, CODE_NOT_THERE, false, set);
	else
		pace(o);
}

static void
take_not_sent(struct purchase *p, struct order *o, struct held *h, const struct purchase_answer *a, struct row *set)
{
	if (o->calls > 0)
		pace(o);
	else
		know(o, ATTEMPT_ALLOCATED, a->code ? a->code : CODE_PLUGIN_START, false, set);
}

static void
take_silence(struct purchase *p, struct order *o, struct held *h, const struct purchase_answer *a, struct row *set)
{
	o->ended_ms = clock_ms();
	o->ended_code = a->code ? a->code : CODE_UNSURE;
	o->calls++;
	pace(o);
}

static void
take_nothing(struct purchase *p, struct order *o, struct held *h, const struct purchase_answer *a, struct row *set)
{
	pace(o);
}

static take_fn *const takes[PURCHASE_VERBS][REPLY_OUTCOMES] = {
	[PURCHASE_PROVE] = {
		[REPLY_HANDLE] = take_handle, [REPLY_PROVED] = take_proof, [REPLY_REFUSED] = take_refusal,
		[REPLY_FAILED] = take_failure, [REPLY_NOT_SENT] = take_not_sent, [REPLY_NO_ANSWER] = take_silence,
	},
	[PURCHASE_POLL] = {
		[REPLY_PROVED] = take_proof, [REPLY_PROVING] = take_at_work, [REPLY_HANDLE] = take_at_work,
		[REPLY_FAILED] = take_failure, [REPLY_UNKNOWN] = take_forgotten, [REPLY_CANCELLED] = take_failure,
	},
	[PURCHASE_RECONCILE] = {
		[REPLY_HANDLE] = take_handle, [REPLY_PROVED] = take_proof,
		[REPLY_FAILED] = take_failure, [REPLY_UNKNOWN] = take_unknown,
	},
	[PURCHASE_CANCEL] = {
		[REPLY_PROVED] = take_proof, [REPLY_FAILED] = take_failure, [REPLY_CANCELLED] = take_timeout,
		[REPLY_UNKNOWN] = take_timeout,
	},
};

static bool
names_order(const struct purchase_answer *a)
{
	return a->outcome == REPLY_HANDLE || a->outcome == REPLY_PROVED;
}

void
purchase_answer(struct purchase *p, uint64_t serial, const struct purchase_answer *a)
{
	struct order *o = order_of_call(p, serial);
	struct row set = { 0 };

	if (!o)
		return;
	bool late = !o->verb || o->serial != serial;
	if (late && !names_order(a))
		return;
	struct held *h = books_find(p->books, ROW_ATTEMPT, o->id);
	enum purchase_verb verb = late ? PURCHASE_PROVE : o->verb;
	take_fn *take = takes[verb][a->outcome];
	if (!late)
		o->verb = PURCHASE_NONE;
	if (a->detail.n)
		SET(&set, detail, ((struct span){ a->detail.p, MIN2(a->detail.n, (size_t)512) }));
	if (!RULE(DROP_STRAY) && !h)
		return;
	if (o->known.fact && !o->told_ms)	/* this may be a second order: both are told */
		tell_fact(p, o);
	o->touched_ms = clock_ms();
	(take ? take : take_nothing)(p, o, h, a, &set);
	go_on(p, o, h);
}

/* ---- the row in hand, or not ---- */

/* Is there nothing to tell any more: the row has come as far (a fact), or is another than
 * the one that the answer was about? */
static bool
is_settled(const struct purchase *p, const struct order *o, const struct row *row)
{
	if (o->known.fact)
		return row->state >= o->known.to;
	if (row->intent != o->intent)
		return true;
	return row->state != ATTEMPT_PROVING && !(row->state == ATTEMPT_SENDING && is_mine(p, row));
}

static void
go_on(struct purchase *p, struct order *o, struct held *h)
{
	static void (*const on[])(struct purchase *, struct order *, struct held *) = {
		[ATTEMPT_ALLOCATED] = on_allocated, [ATTEMPT_SENDING] = on_sending, [ATTEMPT_PROVING] = on_proving,
	};

	if (h && h->moving)
		return;
	if (o->known.fact && !o->told_ms)
		tell_fact(p, o);
	if (h && o->known.to && is_settled(p, o, h->row))
		forget_known(o);
	if (!h || o->verb)
		return;
	if (h->row->state >= NELEM(on) || !on[h->row->state])
		books_drop(p->books, h);
	else if (o->known.to)
		tell(p, o, h);
	else
		on[h->row->state](p, o, h);
}

void
purchase_act(struct purchase *p, struct held *h)
{
	if (h->row->kind != ROW_ATTEMPT)
		return books_drop(p->books, h);
	sweep(p);
	struct order *o = need_order(p, h->row->id);
	o->why = 0;
	go_on(p, o, h);
}

void
purchase_lose(struct purchase *p, struct held *h)
{
	struct order *o = find_order(p, h->row->id);

	if (!o)
		return;
	set_intended(p, o, false);
	o->why = 0;
	o->touched_ms = clock_ms();
	if (o->known.fact && !o->told_ms)
		tell_fact(p, o);
}

void
purchase_reset(struct purchase *p)
{
	struct order *o;
	size_t at = 0;

	while ((o = map_next(&p->orders, &at)))
		set_intended(p, o, false);
}

struct waiting { struct purchase *p; uint64_t *ids; size_t n, cap; };

static void
note_waiting(void *arg, struct held *h)
{
	struct waiting *w = arg;
	struct order *o = h->row->kind == ROW_ATTEMPT ? find_order(w->p, h->row->id) : NULL;

	if (!o || h->moving || o->verb || !o->why)
		return;
	if (w->n == w->cap) {
		w->cap = w->cap ? 2 * w->cap : 16;
		w->ids = xrealloc(w->ids, w->cap * sizeof *w->ids);
	}
	w->ids[w->n++] = h->row->id;
}

void
purchase_kick(struct purchase *p)
{
	struct waiting w = { .p = p };

	books_each(p->books, note_waiting, &w);
	for (size_t i = 0; i < w.n; i++) {
		struct held *h = books_find(p->books, ROW_ATTEMPT, w.ids[i]);
		if (h && !h->moving)
			purchase_act(p, h);
	}
	free(w.ids);
}

size_t
purchase_calls(const struct purchase *p)
{
	const struct order *o;
	size_t at = 0, n = 0;

	while ((o = map_next(&p->orders, &at)))
		n += o->verb != PURCHASE_NONE;
	return n;
}

void
purchase_note(const struct purchase *p, char *out, size_t size)
{
	const struct order *o, *first = NULL;
	size_t at = 0, n = 0;

	while ((o = map_next(&p->orders, &at)))
		if (o->why && o->why != CODE_NO_SLOT && n++ == 0)
			first = o;
	if (!first)
		snprintf(out, size, "%s", "");
	else
		snprintf(out, size, "%zu waiting; attempt %" PRIu64 ": %s", n, first->id, code_word(first->why));
}

struct purchase *
purchase_new(const struct purchase_opts *opts)
{
	struct purchase *p = xzalloc(sizeof *p);

	p->books = opts->books;
	p->instance = xstrdup(opts->instance);
	p->ops = *opts->ops;
	p->arg = opts->arg;
	p->start_ms = clock_ms();
	return p;
}

void
purchase_terms(struct purchase *p, const struct purchase_terms *terms)
{
	p->terms = *terms;
}

void
purchase_free(struct purchase **pp)
{
	struct purchase *p = *pp;
	struct order *o;
	size_t at = 0;

	*pp = NULL;
	if (!p)
		return;
	while (at = 0, (o = map_next(&p->orders, &at)))
		forget(p, o);
	map_free(&p->orders);
	map_free(&p->calls);
	free(p->instance);
	free(p);
}
