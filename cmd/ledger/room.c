/* room.c - demand comes from capacity: levels, never counts of messages (rule 7).
 *
 * A poll of a kind is granted only while polling + unplaced + open attempts of that
 * kind < room, and the same sum over all kinds that share slots < those slots.  Levels
 * expire after three ticks; polls die with the epoch of their task-fetch. */
#include "cmd/ledger/inside.h"

static bool
level_lives(const struct core *c, const struct instance *i)
{
	return i->tick && !i->bye && (c->now_ms < i->tick_ms + LEVEL_LIFE_MS || !RULE(NO_EXPIRY));
}

void
room_forget(struct instance *i)
{
	if (RULE(POLL_OUTLIVES_EPOCH))
		i->ngrants = 0;
	if (i->tick && RULE(POLL_OUTLIVES_EPOCH)) {
		i->tick->npolls = i->tick->nready = i->tick->nrooms = 0;
		i->tick->slots = (struct pools){ { 0 } };
	}
	i->tick_ms = 0;
	i->serial = 0;
}

/* Only what is used of the lists: they are long. */
static void
take_levels(struct tick *to, const struct tick *from)
{
	memcpy(to, from, offsetof(struct tick, rooms));
	memcpy(to->rooms, from->rooms, from->nrooms * sizeof *to->rooms);
	memcpy(to->chain, from->chain, sizeof to->chain);
	to->types = from->types;
	to->npolls = from->npolls;
	to->nready = from->nready;
	memcpy(to->polls, from->polls, from->npolls * sizeof *to->polls);
	memcpy(to->ready, from->ready, from->nready * sizeof *to->ready);
	memcpy(to->note, from->note, sizeof to->note);
}

/* Grants that the TICK's sender had not heard of when it spoke stay polls. */
static void
keep_unheard_grants(struct instance *i, uint64_t heard_serial)
{
	size_t kept = 0;

	for (size_t k = 0; k < i->ngrants; k++)
		if (i->grants[k].serial > heard_serial)
			i->grants[kept++] = i->grants[k];
	i->ngrants = kept;
}

void
room_tick(struct core *c, struct instance *i, const struct wire *w)
{
	if (!i->tick)
		i->tick = xzalloc(sizeof *i->tick);
	if (i->principal == BY_ALLOCATE && i->tick_ms == 0)
		i->capacity_due = true;
	take_levels(i->tick, &w->tick);
	i->tick_ms = c->now_ms;
	/* what it heard in an older term says nothing of this term's grants */
	keep_unheard_grants(i, w->term == c->term ? w->serial : 0);
}

/* The task is here: the poll that brought it is over. */
void
room_fetched(struct core *c, struct instance *i, uint64_t identity)
{
	for (size_t k = 0; i->tick && k < i->tick->npolls; k++)
		if (i->tick->polls[k].identity == identity)
			i->tick->polls[k--] = i->tick->polls[--i->tick->npolls];
	for (size_t k = 0; k < i->ngrants; k++)
		if (i->grants[k].identity == identity)
			i->grants[k--] = i->grants[--i->ngrants];
}

/* --- sums --- */

struct sums {
	uint64_t in_hand[CHAINS_MAX][TYPE_MAX + 1];	/* polling + unplaced + open */
};

static bool
already_polls(const struct instance *i, uint64_t identity)
{
	for (size_t k = 0; k < i->tick->npolls; k++)
		if (i->tick->polls[k].identity == identity)
			return true;
	for (size_t k = 0; k < i->ngrants; k++)
		if (i->grants[k].identity == identity)
			return true;
	return false;
}

static void
add_polls(struct core *c, const struct instance *i, struct sums *s)
{
	uint16_t chain = state_chain(&c->state, span_str(i->chain[0] ? i->chain : i->tick ? i->tick->chain : ""));

	for (size_t k = 0; i->tick && k < i->tick->npolls; k++)
		s->in_hand[chain][i->tick->polls[k].type]++;
	for (size_t k = 0; k < i->ngrants; k++)
		s->in_hand[chain][i->grants[k].type]++;
	/* cut off, and to be polled again: it may have brought a task already */
	for (size_t k = 0; i->tick && k < i->tick->nready; k++)
		if (i->tick->ready[k].type && !already_polls(i, i->tick->ready[k].identity))
			s->in_hand[chain][i->tick->ready[k].type]++;
}

static void
sum_up(struct core *c, struct sums *s)
{
	memset(s, 0, sizeof *s);
	for (size_t k = 0; k < c->state.nchains; k++)
		for (uint64_t t = 1; t <= TYPE_MAX; t++)
			s->in_hand[k][t] = c->state.counts[k][t].unplaced + c->state.counts[k][t].open;
	for (size_t k = 0; k < c->ninstances; k++)
		if (c->instances[k]->principal == BY_FETCH && !c->instances[k]->bye)
			add_polls(c, c->instances[k], s);
}

/* Room for a kind: what every living allocate states for it. */
uint64_t
room_stated(const struct core *c, uint16_t chain, uint64_t type)
{
	uint64_t room = 0;

	for (size_t k = 0; k < c->ninstances; k++) {
		const struct instance *i = c->instances[k];
		if (i->principal != BY_ALLOCATE || !level_lives(c, i))
			continue;
		for (size_t n = 0; n < i->tick->nrooms; n++) {
			const struct level *l = &i->tick->rooms[n];
			if (l->type == type && (!l->chain[0] || strcmp(l->chain, c->state.chains[chain]) == 0))
				room = MAX2(room, l->n);
		}
	}
	return room;
}

/* Is there a place, wherever the provers are, for one more of this type beside all that is in hand? */
static bool
has_place(const struct core *c, const struct sums *s, uint64_t type)
{
	struct pools all = { { 0 } };
	uint64_t used[TYPE_MAX + 1] = { 0 };

	for (size_t k = 0; k < c->ninstances; k++) {
		const struct instance *i = c->instances[k];
		if (i->principal & (BY_DISPATCH | BY_COORDINATOR) && level_lives(c, i))
			pools_add(&all, &i->tick->slots);
	}
	for (size_t chain = 0; chain < c->state.nchains; chain++)
		for (uint64_t t = 1; t <= TYPE_MAX; t++)
			used[t] += s->in_hand[chain][t];
	return pools_fit(&all, used, type);
}

static bool
has_room(const struct core *c, const struct sums *s, uint16_t chain, uint64_t type)
{
	if (!RULE(NO_ROOM_CHECK))
		return true;
	if (!RULE(ROOM_IS_FREE))
		return s->in_hand[chain][type] - c->state.counts[chain][type].open < room_stated(c, chain, type);
	if (s->in_hand[chain][type] >= room_stated(c, chain, type))
		return false;
	return !RULE(SPLIT_UNCHECKED) || has_place(c, s, type);
}

/* --- granting --- */

/* In a new term: every task-fetch of the store has spoken, or a lease has passed. */
static bool
polls_are_known(const struct core *c)
{
	if (c->now_ms >= c->term_ms + c->o.lease_ms || !RULE(NO_TERM_WAIT))
		return true;
	for (size_t k = 0; k < c->ninstances; k++) {
		const struct instance *i = c->instances[k];
		if (i->principal == BY_FETCH && !i->bye && !i->tick_ms)
			return false;
	}
	return true;
}

static void
grant(struct core *c, struct instance *i, uint64_t identity, uint64_t type, struct news *n)
{
	if (i->ngrants == i->cap_grants) {
		i->cap_grants = i->cap_grants ? 2 * i->cap_grants : 16;
		i->grants = xrealloc(i->grants, i->cap_grants * sizeof *i->grants);
	}
	i->grants[i->ngrants++] = (struct grant){ identity, type, i->serial + 1 };
	n->grants[n->ngrants++] = (struct poll){ identity, type };
}

/* The next type, in turn, that its task-fetch polls for and that has room; 0 none. */
static uint64_t
next_type(const struct core *c, const struct sums *s, uint16_t chain, struct instance *i)
{
	for (uint64_t k = 1; k <= TYPE_MAX; k++) {
		uint64_t t = (i->last_type + k - 1) % TYPE_MAX + 1;
		if (i->tick->types >> t & 1 && has_room(c, s, chain, t))
			return i->last_type = t;
	}
	return 0;
}

static void
grant_to(struct core *c, struct instance *i, struct sums *s, struct news *n)
{
	uint16_t chain = state_chain(&c->state, span_str(i->chain[0] ? i->chain : i->tick->chain));
	bool full = false;

	n->ngrants = 0;
	n->has_capacity = false;
	for (size_t k = 0; k < i->tick->nready && n->ngrants < 256; k++) {
		const struct poll *p = &i->tick->ready[k];
		if (full && !p->type)
			continue;	/* one that was cut off may stand behind it */
		struct live *l = state_identity_of(&c->state, span_str(c->state.chains[chain]), p->identity);
		if (!l || l->state != IDENTITY_IDLE || already_polls(i, p->identity))
			continue;
		uint64_t type = p->type ? p->type : next_type(c, s, chain, i);
		full |= !type;
		if (!type)
			continue;
		grant(c, i, p->identity, type, n);
		if (!p->type)
			s->in_hand[chain][type]++;
	}
	if (!n->ngrants)
		return;
	struct wire_head h = core_head(c, i);
	wire_put_news(&c->scratch, &h, ++i->serial, n);
	core_send(c, i, &c->scratch);
}

/* --- capacity, for allocate --- */

/* One line per provider, however many instances drive it. */
static struct capacity *
capacity_of(struct news *n, const char *provider)
{
	for (size_t k = 0; k < n->ncapacity; k++)
		if (strcmp(n->capacity[k].name, provider) == 0)
			return &n->capacity[k];
	struct capacity *p = &n->capacity[n->ncapacity++];
	*p = (struct capacity){ .slots = { { 0 } } };
	snprintf(p->name, sizeof p->name, "%s", provider);
	return p;
}

static void
gather(struct core *c, struct news *n)
{
	n->has_capacity = true;
	n->ncapacity = n->ngrants = 0;
	for (size_t k = 0; k < c->ninstances && n->ncapacity < PROVIDERS_MAX; k++) {
		const struct instance *i = c->instances[k];
		if (!(i->principal & (BY_DISPATCH | BY_COORDINATOR)) || !level_lives(c, i))
			continue;
		struct capacity *p = capacity_of(n, i->provider);
		pools_add(&p->slots, &i->tick->slots);
		memcpy(p->price, i->tick->price, sizeof p->price);
		uint16_t at = state_provider(&c->state, span_str(p->name));
		memcpy(p->used, c->state.providers[at].used, sizeof p->used);
	}
}

static bool
same_capacity(const struct news *a, const struct news *b)
{
	if (a->ncapacity != b->ncapacity)
		return false;
	for (size_t k = 0; k < a->ncapacity; k++) {
		const struct capacity *x = &a->capacity[k], *y = &b->capacity[k];
		if (strcmp(x->name, y->name) != 0 || !pools_same(&x->slots, &y->slots) ||
		    memcmp(x->used, y->used, sizeof x->used) != 0 || memcmp(x->price, y->price, sizeof x->price) != 0)
			return false;
	}
	return true;
}

static void
tell_capacity(struct core *c)
{
	gather(c, &c->news);
	bool changed = !same_capacity(&c->news, &c->told);

	if (changed) {
		c->told.ncapacity = c->news.ncapacity;
		memcpy(c->told.capacity, c->news.capacity, sizeof c->told.capacity);
	}
	for (size_t k = 0; k < c->ninstances; k++) {
		struct instance *i = c->instances[k];
		i->capacity_due |= changed;	/* one that is silent now hears of it later */
		if (i->principal != BY_ALLOCATE || !custody_alive(c, i) || !i->capacity_due)
			continue;
		struct wire_head h = core_head(c, i);
		wire_put_news(&c->scratch, &h, ++i->serial, &c->news);
		core_send(c, i, &c->scratch);
		i->capacity_due = false;
	}
}

uint64_t
room_turn(struct core *c)
{
	struct sums s;

	tell_capacity(c);
	if (!polls_are_known(c))
		return c->term_ms + c->o.lease_ms;
	sum_up(c, &s);
	for (size_t k = 0; k < c->ninstances; k++) {
		struct instance *i = c->instances[k];
		if (i->principal == BY_FETCH && custody_alive(c, i) && level_lives(c, i) && i->tick->nready)
			grant_to(c, i, &s, &c->news);
	}
	return UINT64_MAX;
}
