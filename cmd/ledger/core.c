/* core.c - messages, epochs, the turn.  See core.h; rule numbers are those of prova-wire(7). */
#include "cmd/ledger/inside.h"

#include "common/json.h"

/* --- instances --- */

struct instance *
core_instance(struct core *c, uint64_t id)
{
	for (size_t k = 0; id && k < c->ninstances; k++)
		if (c->instances[k]->id == id)
			return c->instances[k];
	return NULL;
}

static struct instance *
instance_named(struct core *c, struct span name)
{
	for (size_t k = 0; k < c->ninstances; k++)
		if (span_is(name, c->instances[k]->name))
			return c->instances[k];
	return NULL;
}

/* "dispatch-exec.gpu1.2" drives "gpu1": what stands between the kind and a number. */
static void
name_provider(struct instance *i)
{
	size_t n = strlen(i->kind);
	const char *rest = i->name[n] == '.' ? i->name + n + 1 : "", *dot = strrchr(rest, '.');
	bool numbered = dot && dot[1] && strspn(dot + 1, "0123456789") == strlen(dot + 1);
	struct span name = { (const uint8_t *)rest, numbered ? (size_t)(dot - rest) : strlen(rest) };

	if (!span_cstr(name, i->provider, sizeof i->provider))
		i->provider[0] = '\0';		/* too long: nobody's */
}

static struct instance *
add_instance(struct core *c, uint64_t id, struct span name, struct span kind)
{
	struct instance *i = xzalloc(sizeof *i);

	i->id = id;
	i->uid = -1;
	span_cstr(name, i->name, sizeof i->name);
	span_cstr(kind, i->kind, sizeof i->kind);
	i->principal = move_principal(kind);
	name_provider(i);
	c->instances = xrealloc(c->instances, (c->ninstances + 1) * sizeof *c->instances);
	c->instances[c->ninstances++] = i;
	c->next_instance = MAX2(c->next_instance, id + 1);
	return i;
}

/* Who sent this, by the connection and the epoch it names; NULL: nobody of today. */
static struct instance *
sender_of(struct core *c, struct span route, uint64_t epoch)
{
	for (size_t k = 0; k < c->ninstances; k++) {
		struct instance *i = c->instances[k];
		if (span_eq(route, (struct span){ i->route, i->nroute }) && (i->epoch == epoch || !RULE(NO_EPOCH)))
			return i;
	}
	return NULL;
}

const struct core_chain *
core_chain_of(const struct core *c, struct span name)
{
	const struct core_chain *any = NULL;

	for (size_t k = 0; k < c->o.nchains; k++) {
		if (span_is(name, c->o.chains[k].name))
			return &c->o.chains[k];
		if (!c->o.chains[k].name[0])
			any = &c->o.chains[k];
	}
	return any;
}

/* --- sending --- */

struct wire_head
core_head(const struct core *c, const struct instance *i)
{
	return (struct wire_head){ i ? i->epoch : 0, c->term, c->wall_ms };
}

void
core_send(struct core *c, const struct instance *to, struct buf *message)
{
	if (to->nroute)
		c->o.send(c->o.arg, (struct span){ to->route, to->nroute }, SPAN_OF(message));
	buf_reset(message);
}

static void
send_plain(struct core *c, struct span route, enum wire_kind kind, uint64_t epoch, enum code code)
{
	struct wire_head h = { epoch, c->term, c->wall_ms };

	wire_put_plain(&c->scratch, kind, &h, code);
	c->o.send(c->o.arg, route, SPAN_OF(&c->scratch));
	buf_reset(&c->scratch);
}

struct buf *
core_parcel(struct core *c, struct instance *to)
{
	if (c->nparcels == c->cap_parcels) {
		size_t old = c->cap_parcels;
		c->cap_parcels = old ? 2 * old : 16;
		c->parcels = xrealloc(c->parcels, c->cap_parcels * sizeof *c->parcels);
		memset(c->parcels + old, 0, (c->cap_parcels - old) * sizeof *c->parcels);
	}
	struct parcel *p = &c->parcels[c->nparcels++];
	p->to = to;
	p->nroute = to->nroute;
	memcpy(p->route, to->route, to->nroute);
	buf_reset(&p->bytes);
	return &p->bytes;
}

static void
send_parcels(struct core *c)
{
	for (size_t k = 0; k < c->nparcels; k++)
		if (c->parcels[k].nroute)
			c->o.send(c->o.arg, (struct span){ c->parcels[k].route, c->parcels[k].nroute },
			    SPAN_OF(&c->parcels[k].bytes));
	c->nparcels = 0;
}

uint64_t
outbox_name(struct outbox *o, const struct instance *i)
{
	for (size_t k = 0; k < o->nnames; k++)
		if (o->names[k] == i)
			return k + 1;
	if (o->nnames == NELEM(o->names))
		return 0;
	o->names[o->nnames++] = i;
	return o->nnames;
}

void
core_flush_results(struct core *c, struct instance *i, uint64_t upto)
{
	const char *pairs[NELEM(i->out.names)][2];
	struct wire_head h = core_head(c, i);

	if (i->out.n == 0)
		return;
	for (size_t k = 0; k < i->out.nnames; k++) {
		pairs[k][0] = i->out.names[k]->name;
		pairs[k][1] = i->out.names[k]->inbox;
	}
	struct wire_names names = { i->out.nnames, (const char *const (*)[2])pairs };
	wire_put_done(core_parcel(c, i), &h, upto, CODE_OK, i->out.n, SPAN_OF(&i->out.part), &names);
	buf_reset(&i->out.part);
	i->out.n = i->out.nnames = 0;
}

static void
drop_results(struct instance *i)
{
	buf_reset(&i->out.part);
	i->out.n = i->out.nnames = 0;
}

/* --- HELLO --- */

/* The old process is proved dead by its lock file (same machine), or has said BYE, or was
 * silent for a lease (rule 1). */
static bool
may_replace(const struct core *c, const struct instance *i, int64_t uid)
{
	if (uid >= 0 || i->bye || i->epoch == 0)
		return true;
	uint64_t since = i->heard ? i->heard_ms : c->term_ms;
	return c->now_ms >= since + c->o.lease_ms;
}

static void
settle_route(struct instance *i, struct span route, int64_t uid)
{
	i->nroute = MIN2(route.n, sizeof i->route);
	memcpy(i->route, route.p, i->nroute);
	i->uid = uid;
}

static void
welcome(struct core *c, struct instance *i, struct span route, int64_t uid, const struct wire *w)
{
	settle_route(i, route, uid);
	span_cstr(w->inbox, i->inbox, sizeof i->inbox);
	span_cstr(w->chain, i->chain, sizeof i->chain);
	if (i->chain[0])
		state_chain(&c->state, span_str(i->chain));
	if (i->principal & (BY_DISPATCH | BY_COORDINATOR)) {
		uint16_t at = state_provider(&c->state, span_str(i->provider));
		c->state.providers[at].pulls = i->principal == BY_COORDINATOR;
	}
	i->heard = true;
	i->hellos++;
	i->bye = false;
	i->heard_ms = c->now_ms;
	i->welcome = true;
	i->held = w->epoch;
	i->capacity_due = true;		/* what was on its way may be lost */
}

static void
new_epoch(struct core *c, struct instance *i)
{
	drop_results(i);
	i->epoch++;
	i->seq = i->refused_seq = 0;
	i->dirty = true;
	room_forget(i);
}

static void
on_hello(struct core *c, struct span route, int64_t uid, const struct wire *w)
{
	struct instance *i = instance_named(c, w->instance);

	if (w->version != WIRE_VERSION) {
		send_plain(c, route, WIRE_REFUSE, 0, CODE_VERSION);
		return;
	}
	if (w->instance.n == 0 || w->instance.n > 64 || w->stage.n > 32 || !move_principal(w->stage) || route.n > 255 ||
	    (i && !span_is(w->stage, i->kind))) {
		send_plain(c, route, WIRE_REFUSE, 0, CODE_ILLEGAL);
		return;
	}
	if (i && w->epoch && w->epoch != i->epoch) {
		send_plain(c, route, WIRE_FENCED, w->epoch, CODE_FENCED);
		return;
	}
	if (i && w->epoch == 0 && !may_replace(c, i, uid)) {
		send_plain(c, route, WIRE_REFUSE, 0, CODE_BUSY);
		return;
	}
	if (!i) {
		i = add_instance(c, c->next_instance, w->instance, w->stage);
		i->fresh = true;
	}
	if (w->epoch == 0 || i->epoch == 0)
		new_epoch(c, i);
	welcome(c, i, route, uid, w);
}

/* --- MOVE --- */

/* A refusal uses up its seq durably (rule 2); so does every move. */
static void
on_group(struct core *c, struct instance *i, const struct wire *w, size_t k)
{
	const struct wire_group *g = &w->groups[k];
	uint64_t seq = w->seq + k;
	bool copy = seq <= i->seq;

	if (copy && RULE(COPY_JUDGED_AGAIN) && RULE(NO_REV_NO_SEQ)) {
		judge_copy(c, i, seq, w->items + g->first, g->n);
		return;
	}
	size_t changes = c->state.nchanges;
	judge_group(c, i, seq, w->items + g->first, g->n);
	if (!copy)
		i->seq = seq;
	if (c->state.nchanges != changes || RULE(REFUSED_NOT_KEPT))
		i->dirty = true;
}

static void
on_move(struct core *c, struct instance *i, const struct wire *w)
{
	for (size_t k = 0; k < w->ngroups; k++) {
		if (w->seq + k > i->seq + 1 && RULE(NO_GAP_CHECK)) {
			struct wire_head h = core_head(c, i);
			core_flush_results(c, i, i->seq);
			wire_put_done(core_parcel(c, i), &h, i->seq + 1, CODE_GAP, 0, (struct span){ 0 },
			    &(struct wire_names){ 0, NULL });
			return;
		}
		on_group(c, i, w, k);
	}
}

static void
on_ask(struct core *c, struct instance *i, const struct wire *w)
{
	i->ask_due = true;
}

static void
on_bye(struct core *c, struct instance *i, const struct wire *w)
{
	i->bye = i->dirty = true;
	room_forget(i);
	i->nroute = 0;
}

/* Who has nothing to do hears once a second that we are here, and what time it is. */
static void
on_tick(struct core *c, struct instance *i, const struct wire *w)
{
	room_tick(c, i, w);
	if (c->now_ms < i->beat_ms)
		return;
	i->beat_ms = c->now_ms + BEAT_MS;
	struct wire_head h = core_head(c, i);
	wire_put_rows(&c->scratch, WIRE_NEWS, &h, i->serial, 0, (struct span){ 0 }, false);
	core_send(c, i, &c->scratch);
}

static const struct {
	enum wire_kind kind;
	void (*fn)(struct core *, struct instance *, const struct wire *);
} handlers[] = { { WIRE_MOVE, on_move }, { WIRE_ASK, on_ask }, { WIRE_TICK, on_tick }, { WIRE_BYE, on_bye } };

static void
begin_turn(struct core *c)
{
	c->now_ms = clock_ms();
	c->wall_ms = clock_wall_ms();
}

static void
note_before(struct instance *i)
{
	if (i->dirty || i->welcome)
		return;
	i->before_seq = i->seq;
	i->before_epoch = i->epoch;
	i->before_bye = i->bye;
}

void
core_hear(struct core *c, struct span route, int64_t uid, struct span message)
{
	struct wire *w = c->in;
	char why[128];

	begin_turn(c);
	if (!wire_read(w, message, why)) {
		diag(DIAG_WARN, "malformed", "uid=%" PRId64 " bytes=%zu why=%s", uid, message.n, diag_quote(why));
		send_plain(c, route, WIRE_REFUSE, 0, CODE_MALFORMED);
		return;
	}
	if (w->term > c->term)
		c->younger_term = w->term;	/* rule 10: somebody took over */
	if (!RULE(TERM_CHECKED_BEFORE))
		c->term_was_ours = c->o.ops->number(c->o.store, "term") == c->term;
	if (c->younger_term || c->in_trouble)
		return;
	for (size_t k = 0; k < c->ninstances; k++)
		note_before(c->instances[k]);
	if (w->kind == WIRE_HELLO) {
		on_hello(c, route, uid, w);
		return;
	}
	struct instance *i = sender_of(c, route, w->epoch);
	if (!i && w->kind == WIRE_TICK && !RULE(TICK_IS_FREE))
		return;
	if (!i && w->term < c->term) {
		send_plain(c, route, WIRE_REFUSE, 0, CODE_STANDBY);	/* it will say HELLO in this term */
		return;
	}
	if (!i) {
		send_plain(c, route, WIRE_FENCED, w->epoch, CODE_FENCED);
		return;
	}
	i->heard_ms = c->now_ms;
	i->heard = true;
	for (size_t k = 0; k < NELEM(handlers); k++)
		if ((uint64_t)handlers[k].kind == w->kind)
			handlers[k].fn(c, i, w);
}

/* --- the commit --- */

static int
write_entries(struct core *c)
{
	struct entry lines[STORE_LINES];
	int r = STORE_OK;

	for (size_t k = 0, n; k < c->nentries && r == STORE_OK; k += n) {
		n = MIN2(c->nentries - k, NELEM(lines));
		for (size_t i = 0; i < n; i++) {
			lines[i] = c->entries[k + i];
			lines[i].account = span_str(c->balances[lines[i].account.n].account);
		}
		r = c->o.ops->put_entries(c->o.store, lines, n);
	}
	return r;
}

static int
write_instances(struct core *c)
{
	int r = STORE_OK;

	for (size_t k = 0; k < c->ninstances && r == STORE_OK; k++) {
		const struct instance *i = c->instances[k];
		struct stored_instance si = { i->id, span_str(i->name), span_str(i->kind), i->epoch, i->seq, i->bye };
		if (i->dirty)
			r = c->o.ops->put_instance(c->o.store, &si);
	}
	return r;
}

/* Ids are reserved in blocks before one of them can be seen by anybody. */
static int
reserve_ids(struct core *c)
{
	int r = STORE_OK;

	for (uint64_t kind = 1; kind < ROW_KINDS && r == STORE_OK; kind++) {
		char name[32];
		if (c->state.next_id[kind] <= c->state.reserved_id[kind])
			continue;
		snprintf(name, sizeof name, "next:%s", row_kind_name(kind));
		uint64_t upto = c->state.next_id[kind] + ID_BLOCK;
		r = c->o.ops->put_number(c->o.store, name, upto);
		if (r == STORE_OK)
			c->state.reserved_id[kind] = upto;
	}
	return r;
}

static int
write_rows(struct core *c)
{
	const struct store_ops *ops = c->o.ops;
	int r = STORE_OK;

	for (size_t k = 0; k < c->state.nchanges && r == STORE_OK; k++) {
		struct live *l = state_changed(&c->state, k);
		struct row row;
		if (!l)
			continue;
		state_row(l, &row);
		r = ops->put_row(c->o.store, &row, store_columns(l->kind));
	}
	return r == STORE_OK ? ops->put_history(c->o.store, c->state.history, c->state.nhistory) : r;
}

static int
write_all(struct core *c)
{
	bool inside = RULE(NO_TERM) && RULE(TERM_CHECKED_BEFORE);
	int r = c->o.ops->begin(c->o.store, inside ? c->term : 0);

	if (!RULE(TERM_CHECKED_BEFORE) && !c->term_was_ours)
		return STORE_DEPOSED;
	if (r != STORE_OK)
		return r;
	if ((r = reserve_ids(c)) == STORE_OK && (r = write_rows(c)) == STORE_OK &&
	    (r = write_entries(c)) == STORE_OK && (r = write_instances(c)) == STORE_OK)
		return c->o.ops->commit(c->o.store);
	c->o.ops->rollback(c->o.store);
	return r;
}

static bool
anything_to_write(const struct core *c)
{
	if (c->state.nchanges)
		return true;
	for (size_t k = 0; k < c->ninstances; k++)
		if (c->instances[k]->dirty)
			return true;
	return false;
}

/* Nothing of this turn was kept: memory goes back, answers are not sent; the stages
 * will ask again. */
static void
take_back(struct core *c)
{
	state_undo(&c->state, 0);
	memset(c->state.reserved_id, 0, sizeof c->state.reserved_id);	/* what was reserved is not known */
	while (c->nentries) {
		struct entry *e = &c->entries[--c->nentries];
		judge_book(c, c->balances[e->account.n].account, -e->micro);
	}
	for (size_t k = 0; k < c->ninstances; k++) {
		struct instance *i = c->instances[k];
		drop_results(i);
		if (!i->dirty && !i->welcome)
			continue;
		i->seq = i->before_seq;
		i->epoch = i->before_epoch;
		i->bye = i->before_bye;
		i->dirty = i->welcome = false;
		if (!i->epoch)
			i->nroute = 0;		/* nobody of this name was ever welcome */
	}
	c->nparcels = 0;
}

/* --- after the commit --- */

static void
note_forget(struct core *c, struct live *l)
{
	if (l->gone)
		return;
	l->gone = true;
	if (c->nforget == c->cap_forget) {
		c->cap_forget = c->cap_forget ? 2 * c->cap_forget : 64;
		c->forget = xrealloc(c->forget, c->cap_forget * sizeof *c->forget);
	}
	c->forget[c->nforget++] = l;
}

/* A job that has ended leaves memory at once (its uuid stays for a day), a work takes
 * its attempts along when it ends. */
static void
after_row(struct core *c, struct live *l)
{
	struct row r, w;

	if (l->kind == ROW_JOB && l->rev == 1 && core_instance(c, l->by.instance)) {
		state_row(l, &r);
		room_fetched(c, core_instance(c, l->by.instance), r.identity);
	}
	if (l->kind == ROW_JOB && l->state >= STATE_END) {
		state_row(l, &r);
		state_row(l->work, &w);
		state_uuid_end(&c->state, w.chain, r.uuid, c->wall_ms);
		custody_forget(c, l);
		note_forget(c, l);
	} else if (l->kind == ROW_WORK && l->state >= STATE_END) {
		custody_forget(c, l);
		note_forget(c, l);
	} else if (l->work && l->work->state >= STATE_END) {
		note_forget(c, l->work);
	} else if (l->kind == ROW_WORK) {
		/* its rev was raised: a kept proof may be somebody's turn */
		for (struct live *child = l->children; child; child = child->sibling)
			if (child->kind == ROW_JOB && (!child->listed || l->kept))
				custody_give(c, child, core_instance(c, child->holder), true);
	} else {
		custody_give(c, l, core_instance(c, l->holder), true);
	}
}

static void
after_commit(struct core *c)
{
	for (size_t k = 0; k < c->state.nchanges; k++) {
		struct live *l = state_changed(&c->state, k);
		if (l && !l->gone)
			after_row(c, l);
	}
	state_keep(&c->state);
	c->nentries = 0;
	for (size_t pass = 0; pass < 2; pass++)		/* works last: they take their children along */
		for (size_t k = 0; k < c->nforget; k++)
			if (c->forget[k] && (c->forget[k]->kind == ROW_WORK) == (pass == 1)) {
				state_forget(&c->state, c->forget[k]);
				c->forget[k] = NULL;
			}
	c->nforget = 0;
	for (size_t k = 0; k < c->ninstances; k++)
		c->instances[k]->dirty = c->instances[k]->fresh = false;
}

static void
send_welcomes(struct core *c)
{
	for (size_t k = 0; k < c->ninstances; k++) {
		struct instance *i = c->instances[k];
		struct wire_head h = core_head(c, i);
		if (!i->welcome)
			continue;
		i->welcome = false;
		wire_put_welcome(&c->scratch, &h, i->held, c->ledger, "active");
		core_send(c, i, &c->scratch);
	}
}

static void
into_trouble(struct core *c, int why)
{
	take_back(c);
	if (why == STORE_DEPOSED) {
		c->younger_term = c->term + 1;
		return;
	}
	if (!c->in_trouble)
		diag(DIAG_ERROR, "disk", "code=%s text=%s", code_word(why == STORE_POISON ? CODE_STORE : CODE_DISK),
		    diag_quote("the store does not take this turn; trying again"));
	c->in_trouble = true;
	c->trouble_ms = c->now_ms + 250;
}

/* Is the store back?  A transaction that changes nothing of meaning tells. */
static void
try_again(struct core *c)
{
	int r;

	if (c->now_ms < c->trouble_ms)
		return;
	c->trouble_ms = c->now_ms + 250;
	r = c->o.ops->begin(c->o.store, c->term);
	if (r == STORE_OK && (r = c->o.ops->put_number(c->o.store, "probe", c->now_ms)) == STORE_OK)
		r = c->o.ops->commit(c->o.store);
	else if (r != STORE_DEPOSED)
		c->o.ops->rollback(c->o.store);
	if (r == STORE_DEPOSED)
		c->younger_term = c->term + 1;
	if (r != STORE_OK)
		return;
	c->in_trouble = false;
	diag(DIAG_INFO, "disk", "text=%s", diag_quote("the store takes writes again"));
}

static bool
commit(struct core *c)
{
	for (size_t k = 0; k < c->ninstances; k++)
		core_flush_results(c, c->instances[k], c->instances[k]->seq);
	if (!RULE(DONE_FIRST))
		send_parcels(c);
	if (anything_to_write(c)) {
		int r = write_all(c);
		if (r != STORE_OK) {
			into_trouble(c, r);
			return false;
		}
	}
	send_welcomes(c);
	send_parcels(c);
	after_commit(c);
	return true;
}

static void
begin_sweep(struct core *c)
{
	if (c->now_ms >= c->sweep_ms + c->o.lease_ms)	/* just begun, frozen, or the store took nothing */
		c->awake_ms = c->now_ms;
	c->sweep_ms = c->now_ms + 1000;
	c->sweeping = true;
	c->sweep_at = 0;
	if (c->now_ms < c->hour_ms)
		return;
	c->hour_ms = c->now_ms + 3600 * 1000;
	state_uuids_before(&c->state, c->wall_ms > UUID_LIFE_MS ? c->wall_ms - UUID_LIFE_MS : 0);
}

/* Every row once a second, a piece in each turn: nobody waits behind all of them. */
static void
sweep(struct core *c)
{
	if (!c->sweeping && c->now_ms >= c->sweep_ms)
		begin_sweep(c);
	if (c->sweeping)
		c->sweeping = judge_clock(c, &c->sweep_at);
}

uint64_t
core_turn(struct core *c, bool *active)
{
	uint64_t next;

	begin_turn(c);
	*active = true;
	if (c->in_trouble)
		try_again(c);
	if (!c->in_trouble && !c->younger_term) {
		sweep(c);
		commit(c);
	}
	if (c->younger_term) {
		*active = false;
		return c->now_ms + 1000;
	}
	if (c->in_trouble)
		return c->trouble_ms;
	next = MIN2(custody_turn(c), room_turn(c));
	return MIN2(next, c->sweeping ? c->now_ms : c->sweep_ms);
}

/* --- beginning --- */

static void
load_row(void *arg, const struct row *r, const struct history *last)
{
	struct core *c = arg;
	struct maker by = { last->instance, last->epoch, last->seq };
	struct live *l;

	if (r->kind != ROW_WORK && r->kind != ROW_IDENTITY && !state_find(&c->state, ROW_WORK, r->work))
		bug("%s %" PRIu64 " of a work that is not open", row_kind_name(r->kind), r->id);
	l = state_load(&c->state, r, &by);
	custody_give(c, l, NULL, true);
}

static void
load_instance(void *arg, const struct stored_instance *si)
{
	struct instance *i = add_instance(arg, si->id, si->name, si->kind);

	i->epoch = si->epoch;
	i->seq = si->seq;
	i->bye = si->bye;
}

static void
load_uuid(void *arg, struct span chain, struct span uuid, uint64_t ended_ms)
{
	struct core *c = arg;

	state_uuid_end(&c->state, chain, uuid, ended_ms);
}

static void
load_balance(void *arg, struct span account, int64_t micro)
{
	char name[80];

	if (span_cstr(account, name, sizeof name))
		judge_book(arg, name, micro);
}

static void
load_ids(struct core *c)
{
	for (uint64_t kind = 1; kind < ROW_KINDS; kind++) {
		char name[32];
		snprintf(name, sizeof name, "next:%s", row_kind_name(kind));
		uint64_t next = c->o.ops->number(c->o.store, name);
		c->state.next_id[kind] = c->state.reserved_id[kind] = MAX2(next, (uint64_t)1);
	}
}

struct core *
core_new(const struct core_opts *o, char *why)
{
	struct core *c = xzalloc(sizeof *c);

	c->o = *o;
	snprintf(c->ledger, sizeof c->ledger, "%s", o->ledger);
	c->in = wire_new();
	c->next_instance = 1;
	state_init(&c->state);
	begin_turn(c);
	c->term_ms = c->now_ms;
	c->term = o->ops->new_term(o->store);
	if (!c->term) {
		snprintf(why, 256, "%s: the store does not take a new term", code_word(CODE_DISK));
		core_free(&c);
		return NULL;
	}
	load_ids(c);
	struct store_loader loader = { c, load_row, load_instance, load_uuid, load_balance,
	    c->wall_ms > UUID_LIFE_MS ? c->wall_ms - UUID_LIFE_MS : 0 };
	if (o->ops->load(o->store, &loader) != STORE_OK) {
		snprintf(why, 256, "%s: the store cannot be read", code_word(CODE_DISK));
		core_free(&c);
	}
	return c;
}

void
core_free(struct core **cp)
{
	struct core *c = *cp;

	if (!c)
		return;
	state_free(&c->state);
	for (size_t k = 0; k < c->ninstances; k++) {
		buf_free(&c->instances[k]->out.part);
		free(c->instances[k]->tick);
		free(c->instances[k]->grants);
		free(c->instances[k]);
	}
	for (size_t k = 0; k < c->cap_parcels; k++)
		buf_free(&c->parcels[k].bytes);
	free(c->parcels);
	free(c->instances);
	free(c->entries);
	free(c->balances);
	free(c->forget);
	buf_free(&c->scratch);
	buf_free(&c->rows);
	wire_free(&c->in);
	free(c);
	*cp = NULL;
}

uint64_t
core_term(const struct core *c)
{
	return c->term;
}

bool
core_in_trouble(const struct core *c)
{
	return c->in_trouble;
}

struct state *
core_state(struct core *c)
{
	return &c->state;
}

void
core_blobs(struct core *c, void (*fn)(void *, const uint8_t *, bool), void *arg)
{
	size_t at = 0;
	struct live *l;
	struct row r;

	while ((l = map_next(&c->state.rows, &at))) {
		if (l->kind != ROW_WORK && l->kind != ROW_ATTEMPT)
			continue;
		state_row(l, &r);
		if (HAS(&r, body_blob))
			fn(arg, r.body_blob, false);
		if (HAS(&r, input_blob))
			fn(arg, r.input_blob, true);
		if (HAS(&r, proof_blob))
			fn(arg, r.proof_blob, false);
	}
}

/* --- status --- */

static void
status_instance(const struct core *c, const struct instance *i, struct buf *out)
{
	buf_puts(out, "{\"instance\":");
	json_put_str(out, span_str(i->name), false);
	buf_printf(out, ",\"kind\":\"%s\",\"alive\":%s,\"epoch\":%" PRIu64 ",\"silent_ms\":%" PRIu64,
	    i->kind, custody_alive(c, i) ? "true" : "false", i->epoch,
	    i->heard ? c->now_ms - i->heard_ms : c->now_ms - c->term_ms);
	if (i->tick && i->tick->provider[0]) {
		buf_puts(out, ",\"provider\":");
		json_put_str(out, span_str(i->tick->provider), false);
		buf_printf(out, ",\"slots\":%" PRIu64, pools_all(&i->tick->slots));
	}
	if (i->tick && i->principal == BY_FETCH)
		buf_printf(out, ",\"polling\":%zu,\"waiting\":%zu", i->tick->npolls + i->ngrants, i->tick->nready);
	buf_puts(out, ",\"note\":");
	json_put_str(out, span_str(i->tick ? i->tick->note : ""), false);
	buf_puts(out, "}");
}

static void
status_rows(const struct core *c, struct buf *out)
{
	char sep = '{';

	for (uint64_t kind = 1; kind < ROW_KINDS; kind++)
		for (uint64_t s = 0; s < STATES; s++)
			if (c->state.rows_in[kind][s]) {
				buf_printf(out, "%c\"%s.%s\":%" PRIu64, sep, row_kind_name(kind), row_state_name(kind, s),
				    c->state.rows_in[kind][s]);
				sep = ',';
			}
	buf_puts(out, sep == '{' ? "{}" : "}");
}

static void
status_kinds(struct core *c, struct buf *out)
{
	char sep = '[';

	for (size_t k = 0; k < c->state.nchains; k++)
		for (uint64_t t = 1; t <= TYPE_MAX; t++) {
			uint64_t room = room_stated(c, (uint16_t)k, t);
			buf_printf(out, "%c{\"chain\":", sep);
			json_put_str(out, span_str(c->state.chains[k]), false);
			buf_printf(out, ",\"type\":\"%s\",\"room\":%" PRIu64 ",\"unplaced\":%" PRIu64 ",\"open\":%" PRIu64 "}",
			    type_name(t), room, c->state.counts[k][t].unplaced, c->state.counts[k][t].open);
			sep = ',';
		}
	buf_puts(out, sep == '[' ? "[]" : "]");
}

static void
status_money(const struct core *c, struct buf *out)
{
	char sep = '{';

	for (size_t k = 0; k < c->nbalances; k++, sep = ',') {
		buf_putc(out, sep);
		json_put_str(out, span_str(c->balances[k].account), false);
		buf_printf(out, ":%" PRId64, c->balances[k].micro);
	}
	buf_puts(out, sep == '{' ? "{}" : "}");
}

void
core_status(struct core *c, struct buf *out)
{
	buf_printf(out, "{\"ledger\":\"%s\",\"term\":%" PRIu64 ",\"up_ms\":%" PRIu64 ",\"trouble\":%s,\"rows\":",
	    c->ledger, c->term, c->now_ms - c->term_ms, c->in_trouble ? "true" : "false");
	status_rows(c, out);
	buf_puts(out, ",\"kinds\":");
	status_kinds(c, out);
	buf_puts(out, ",\"money\":");
	status_money(c, out);
	buf_puts(out, ",\"instances\":[");
	for (size_t k = 0; k < c->ninstances; k++) {
		if (k)
			buf_putc(out, ',');
		status_instance(c, c->instances[k], out);
	}
	buf_puts(out, "]}");
}
