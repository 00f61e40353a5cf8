/* judge.c - what must hold: at every moment, and when all is over. */
#include "tests/model/world.h"

struct told { uint64_t key, rev; };

static uint64_t
move_key(const char *name, uint64_t epoch, uint64_t seq)
{
	return map_hash(map_mix(epoch, seq), span_str(name));
}

/* What each move was decided on. */
void
judge_ask(struct world *w, const char *from, struct span message)
{
	char why[128];

	if (!wire_read(w->ear, message, why) || w->ear->kind != WIRE_MOVE)
		return;
	for (size_t g = 0; g < w->ear->ngroups; g++)
		for (size_t i = 0; i < w->ear->groups[g].n; i++) {
			const struct wire_item *it = &w->ear->items[w->ear->groups[g].first + i];
			bool fact = it->kind == ROW_ATTEMPT && (it->to == ATTEMPT_PROVING || it->to == ATTEMPT_PROVED);
			uint64_t key = map_mix(move_key(from, w->ear->epoch, w->ear->seq + g), map_mix(it->kind, it->id));
			if (!it->id || fact || map_get(&w->asked, key, NULL, NULL))
				continue;
			struct told *t = xzalloc(sizeof *t);
			t->key = key;
			t->rev = it->rev;
			map_put(&w->asked, key, t);
		}
}

struct made { uint64_t instance; const char *name; struct world *w; };

static void
find_instance(void *arg, const struct stored_instance *si)
{
	struct made *m = arg;

	if (span_is(si->name, m->name))
		m->instance = si->id;
}

/* A stage that is told "applied", or "refused", is told the truth. */
static void
check_truth(struct world *w, const char *to)
{
	struct made m = { .name = to };
	struct disk_reader reader = { .arg = &m, .instance = find_instance };

	disk_read(w->disk, &reader);
	for (size_t i = 0; i < w->ear->nresults; i++) {
		const struct wire_result *r = &w->ear->results[i];
		bool made = false, fact = false;
		for (size_t k = 0; k < r->n; k++) {
			const struct row *row = &w->ear->rows[r->first + k].row;
			fact |= row->kind == ROW_ATTEMPT && row->state >= ATTEMPT_PROVING;
			made |= store_memory.made_by(w->store, row->kind, row->id, m.instance, w->ear->epoch, r->seq) == 1;
		}
		if (r->n && !fact && made != (r->code == CODE_OK))
			world_blame(w, "%s was told \"%s\" of its move %" PRIu64 ", which was %s", to, code_word(r->code), r->seq,
			    made ? "applied" : "not applied");
	}
}

struct cut { uint64_t identity; bool yes; };

static void
look_for_cut(void *arg, const struct row *r)
{
	struct cut *c = arg;

	c->yes |= r->kind == ROW_IDENTITY && r->identity == c->identity && r->again;
}

/* A poll that was cut off is repeated, and needs no room. */
static bool
was_cut_off(struct world *w, uint64_t identity)
{
	struct cut c = { .identity = identity };
	struct disk_reader reader = { .arg = &c, .row = look_for_cut };

	disk_read(w->disk, &reader);
	return c.yes;
}

/* No poll is granted on the word of those that are silent. */
static void
check_grant(struct world *w)
{
	bool allocate = false, dispatch = false;

	for (size_t i = 0; i < w->nprocs; i++) {
		bool heard = w->heard_at[i] && w->now < w->heard_at[i] + 4000;
		allocate |= heard && w->procs[i].kind == P_ALLOCATE;
		dispatch |= heard && (w->procs[i].kind == P_DISPATCH || w->procs[i].kind == P_COURT);
	}
	for (size_t i = 0; i < w->ear->news.ngrants; i++)
		if ((!allocate || !dispatch) && !was_cut_off(w, w->ear->news.grants[i].identity))
			world_blame(w, "a poll is granted while %s is silent", allocate ? "every dispatcher" : "allocate");
}

void
judge_call(struct world *w, const struct row *r, uint64_t now)
{
	if (r->send_by_ms && now > r->send_by_ms)
		world_blame(w, "a call for attempt %" PRIu64 " departs %" PRIu64 " ms after its send_by", r->id, now - r->send_by_ms);
}

/* A DONE is never unsaid: remember what it told. */
void
judge_hear(struct world *w, const char *to, struct span message)
{
	char why[128];

	if (!wire_read(w->ear, message, why)) {
		world_blame(w, "the ledger sent a message that does not decode: %s", why);
		return;
	}
	for (size_t i = 0; i < w->ear->news.ngrants; i++)
		world_say(w, "granted: identity %" PRIu64 " type %" PRIu64, w->ear->news.grants[i].identity, w->ear->news.grants[i].type);
	check_grant(w);
	if (to[0])
		check_truth(w, to);
	for (size_t i = 0; i < w->ear->nresults; i++)
		for (size_t k = 0; k < w->ear->results[i].n; k++) {
			const struct row *r = &w->ear->rows[w->ear->results[i].first + k].row;
			uint64_t key = map_mix(r->kind, r->id);
			struct told *t = map_get(&w->told, key, NULL, NULL);
			if (!t) {
				t = xzalloc(sizeof *t);
				t->key = key;
				map_put(&w->told, key, t);
			}
			t->rev = MAX2(t->rev, r->rev);
		}
}

static void
check_told(void *arg, const struct row *r)
{
	struct world *w = arg;
	const struct told *t = map_get(&w->told, map_mix(r->kind, r->id), NULL, NULL);

	if (t && t->rev > r->rev)
		world_blame(w, "DONE told rev %" PRIu64 " of %s %" PRIu64 ", the store has %" PRIu64, t->rev,
		    row_kind_name(r->kind), r->id, r->rev);
}

/* A work that needs a slot: jobs of it wait, or an attempt is open. */
static bool
needs_slot(const struct live *work)
{
	for (const struct live *l = work->children; l; l = l->sibling) {
		if (l->kind == ROW_JOB && l->state <= JOB_QUEUED && !work->kept)
			return true;
		if (l->kind == ROW_ATTEMPT && l->state <= ATTEMPT_PROVING)
			return true;
	}
	return false;
}

/* More works than slots come only from polls cut off, and from proofs that turned out bad
 * after their slot had been given away. */
static void
check_room(struct world *w)
{
	const struct state *s = core_state(w->core);
	unsigned in_hand = 0, bad = w->farm_lies, slots = (unsigned)w->nfarmers;
	size_t at = 0;
	const struct live *l;

	while ((l = map_next(&s->rows, &at)))
		in_hand += l->kind == ROW_WORK && needs_slot(l);
	for (size_t p = 0; p < NELEM(w->providers); p++)
		for (size_t i = 0; i < w->providers[p].norders; i++)
			bad += w->providers[p].orders[i].lies;
	for (size_t i = 0; i < w->nprocs; i++)
		slots += w->procs[i].kind == P_DISPATCH;
	if (in_hand > slots + w->orphans + bad)
		world_blame(w, "%u works in hand, %u slots, %u polls cut off, %u bad proofs", in_hand, slots, w->orphans, bad);
}

/* No job is placed on a work without an open attempt or a proof. */
static void
check_placed(struct world *w)
{
	const struct state *s = core_state(w->core);
	size_t at = 0;
	const struct live *l;

	while ((l = map_next(&s->rows, &at)))
		if (l->kind == ROW_JOB && l->state == JOB_PLACED && !l->work->open && !l->work->kept)
			world_blame(w, "job %" PRIu64 " is placed, and nobody proves its work", l->id);
}

/* --- provers that come by themselves --- */

struct gift_search { struct world *w; const char *key; uint64_t attempt, state, others; bool has_proof, is_its; };

static void
look_for_gift(void *arg, const struct row *r)
{
	struct gift_search *s = arg;

	if (r->kind != ROW_ATTEMPT)
		return;
	if (r->id == s->attempt) {
		s->state = r->state;
		s->has_proof = HAS(r, proof_blob) && r->proof_bytes;
		s->is_its = span_is(r->handle, s->key);
	} else if (r->state == ATTEMPT_PROVING && span_is(r->handle, s->key)) {
		s->others = r->id;
	}
}

static struct gift_search
find_gift(struct world *w, uint64_t attempt, const char *key)
{
	struct gift_search s = { .w = w, .key = key, .attempt = attempt };
	struct disk_reader reader = { .arg = &s, .row = look_for_gift };

	disk_read(w->disk, &reader);
	return s;
}

static struct gift *
gift_of(struct world *w, uint64_t attempt)
{
	for (size_t i = 0; i < w->ngifts; i++)
		if (w->gifts[i].attempt == attempt)
			return &w->gifts[i];
	return NULL;
}

/* A prover is told of what is durably its own, always by the same name, and of one task at a time. */
void
judge_give(struct world *w, const char *key, const struct row *attempt, const char *uuid)
{
	struct gift_search s = find_gift(w, attempt->id, key);
	struct gift *g = gift_of(w, attempt->id);

	world_say(w, "attempt %" PRIu64 " is given to %s as %s", attempt->id, key, uuid);
	if (!s.is_its)
		world_blame(w, "%s is given attempt %" PRIu64 ", which is not its own", key, attempt->id);
	if (s.others && s.state == ATTEMPT_PROVING)
		world_blame(w, "%s is given attempt %" PRIu64 ", and has attempt %" PRIu64, key, attempt->id, s.others);
	if (!g && w->ngifts == GIFTS_MAX) {
		world_blame(w, "more attempts are given than can be");
	} else if (!g) {
		g = &w->gifts[w->ngifts++];
		g->attempt = attempt->id;
		snprintf(g->key, sizeof g->key, "%s", key);
		snprintf(g->uuid, sizeof g->uuid, "%s", uuid);
	} else if (strcmp(g->key, key) != 0 || strcmp(g->uuid, uuid) != 0) {
		world_blame(w, "attempt %" PRIu64 " is %s for %s, and was %s for %s", attempt->id, uuid, key, g->uuid, g->key);
	}
}

/* What was taken is on the disk, from this moment on; a report has ended the attempt. */
void
judge_taken(struct world *w, uint64_t attempt, bool proof)
{
	struct gift *g = gift_of(w, attempt);
	struct gift_search s = find_gift(w, attempt, "");

	if (!g)
		world_blame(w, "attempt %" PRIu64 " is taken, and was given to nobody", attempt);
	else
		g->taken |= proof;
	if (proof && !s.has_proof)
		world_blame(w, "the proof of attempt %" PRIu64 " is taken, and the ledger has none", attempt);
	if (!proof && s.state <= ATTEMPT_PROVING)
		world_blame(w, "the report on attempt %" PRIu64 " is taken, and it is still open", attempt);
}

static void
check_taken(struct world *w)
{
	for (size_t i = 0; i < w->ngifts; i++)
		if (w->gifts[i].taken && !find_gift(w, w->gifts[i].attempt, "").has_proof)
			world_blame(w, "the proof of attempt %" PRIu64 " was taken, and is lost", w->gifts[i].attempt);
}

void
judge_moment(struct world *w)
{
	check_room(w);
	check_placed(w);
	if (w->judged_term != core_term(w->core)) {
		struct disk_reader reader = { .arg = w, .row = check_told };
		w->judged_term = core_term(w->core);
		disk_read(w->disk, &reader);
		check_taken(w);
	}
}

/* --- the end --- */

struct ledger_sum { struct world *w; uint64_t open_rows, holding, accepted[TASKS]; int64_t owed; };

static void
count_open(void *arg, const struct row *r)
{
	struct ledger_sum *s = arg;

	if ((r->kind == ROW_JOB && r->state < STATE_END) || (r->kind == ROW_ATTEMPT && r->state <= ATTEMPT_VERIFIED))
		s->open_rows++;
	if (r->kind == ROW_IDENTITY && r->state == IDENTITY_HOLDING)
		s->holding++;
}

bool
judge_is_over(struct world *w)
{
	struct ledger_sum s = { .w = w };
	struct disk_reader reader = { .arg = &s, .row = count_open };

	for (unsigned t = 0; t < TASKS; t++)
		if (!w->tasks[t].verified)
			return false;
	disk_read(w->disk, &reader);
	return w->core && s.open_rows == 0 && s.holding == 0 && w->nlate == 0;
}

static const char *
first_stuck(struct world *w)
{
	for (unsigned t = 0; t < TASKS; t++)
		if (!w->tasks[t].verified)
			return "a task";
	return w->nlate ? "a late proof" : "a row";
}

static void
check_purchases(struct world *w)
{
	unsigned good[TASKS] = { 0 };

	for (size_t p = 0; p < NELEM(w->providers); p++) {
		const struct seller *s = &w->providers[p];
		for (size_t i = 0; i < s->norders; i++) {
			if (!s->orders[i].fails && !s->orders[i].lies)
				good[s->orders[i].task]++;
			for (size_t k = 0; k < i; k++)
				if (strcmp(s->orders[i].key, s->orders[k].key) == 0)
					world_blame(w, "%s took two orders for %s", s->name, s->orders[i].key);
		}
	}
	for (unsigned t = 0; t < TASKS; t++)
		if (good[t] > 1)
			world_blame(w, "task t%u was bought %u times", t, good[t]);
}

/* --- rows, history, money --- */

struct search { const char *handle; bool found; };

static void
look_for_handle(void *arg, const struct row *r)
{
	struct search *s = arg;

	s->found |= r->kind == ROW_ATTEMPT && (span_is(r->handle, s->handle) || span_is(r->stray, s->handle));
}

/* No answer that named an order, and reached a dispatcher that lived on, is thrown away. */
static void
check_orders(struct world *w)
{
	for (size_t p = 0; p < NELEM(w->providers); p++)
		for (size_t i = 0; i < w->providers[p].norders; i++) {
			const struct order *o = &w->providers[p].orders[i];
			char handle[32];
			struct search s = { .handle = handle };
			struct disk_reader reader = { .arg = &s, .row = look_for_handle };
			snprintf(handle, sizeof handle, "%s:%zu", w->providers[p].name, i);
			if (!o->heard || !o->by->alive || o->by->life != o->by_life)
				continue;
			disk_read(w->disk, &reader);
			if (!s.found)
				world_blame(w, "order %s reached %s and is recorded nowhere", handle, o->by->name);
		}
}

struct steps { struct world *w; struct map rev, state, movers, last; char names[64][65]; };

struct step { uint64_t key, value; };

static struct step *
step_of(struct map *m, uint64_t key)
{
	struct step *s = map_get(m, key, NULL, NULL);

	if (!s) {
		s = xzalloc(sizeof *s);
		s->key = key;
		map_put(m, key, s);
	}
	return s;
}

static void
note_name(void *arg, const struct stored_instance *si)
{
	struct steps *s = arg;

	if (si->id < NELEM(s->names))
		span_cstr(si->name, s->names[si->id], sizeof s->names[0]);
}

/* Moves of an epoch are applied in order, each on the version that it was decided on. */
static void
check_mover(struct steps *s, const struct history *h, uint64_t row)
{
	const char *name = s->names[h->instance % NELEM(s->names)];
	struct step *last = step_of(&s->last, map_mix(h->instance, h->epoch));
	const struct told *asked = map_get(&s->w->asked, map_mix(move_key(name, h->epoch, h->seq), row), NULL, NULL);

	if (h->seq < last->value)
		world_blame(s->w, "%s: move %" PRIu64 " was applied after move %" PRIu64, name, h->seq, last->value);
	last->value = h->seq;
	if (asked && h->from && asked->rev + 1 != h->rev)
		world_blame(s->w, "%s decided on rev %" PRIu64 " of %s %" PRIu64 ", it was applied to rev %" PRIu64, name, asked->rev,
		    row_kind_name(h->kind), h->id, h->rev - 1);
}

static void
check_step(void *arg, const struct history *h)
{
	struct steps *s = arg;
	uint64_t key = map_mix(h->kind, h->id);
	struct step *rev = step_of(&s->rev, key), *state = step_of(&s->state, key);

	if (h->rev != rev->value + 1)
		world_blame(s->w, "%s %" PRIu64 ": rev %" PRIu64 " after %" PRIu64, row_kind_name(h->kind), h->id, h->rev, rev->value);
	if (h->from != state->value)
		world_blame(s->w, "%s %" PRIu64 " rev %" PRIu64 " comes from %s, it was %s", row_kind_name(h->kind), h->id, h->rev,
		    row_state_name(h->kind, h->from), row_state_name(h->kind, state->value));
	bool same = h->from == h->to && (h->kind == ROW_IDENTITY || h->kind == ROW_ATTEMPT);
	if (!move_find(h->kind, h->from, h->to) && !same)
		world_blame(s->w, "%s %" PRIu64 ": %s to %s is no arrow", row_kind_name(h->kind), h->id,
		    row_state_name(h->kind, h->from), row_state_name(h->kind, h->to));
	if (h->instance) {
		check_mover(s, h, key);
		uint64_t mover = map_mix(map_mix(h->instance, h->epoch), map_mix(h->seq, key));
		struct step *m = step_of(&s->movers, mover);
		if (m->value++)
			world_blame(s->w, "a move of %s %" PRIu64 " was applied twice (seq %" PRIu64 ")", row_kind_name(h->kind), h->id, h->seq);
	}
	rev->value = h->rev;
	state->value = h->to;
}

static void
free_steps(struct map *m)
{
	size_t at = 0;
	void *s;

	while ((s = map_next(m, &at)))
		free(s);
	map_free(m);
}

static void
check_history(struct world *w)
{
	struct steps s = { .w = w };
	struct disk_reader names = { .arg = &s, .instance = note_name };
	struct disk_reader reader = { .arg = &s, .history = check_step };

	disk_read(w->disk, &names);
	disk_read(w->disk, &reader);
	free_steps(&s.last);
	free_steps(&s.rev);
	free_steps(&s.state);
	free_steps(&s.movers);
}

/* A job that says submitted was taken, unless it says presumed; what was taken says so. */
static void
check_job(void *arg, const struct row *r)
{
	struct ledger_sum *s = arg;
	struct world *w = s->w;

	if (r->kind == ROW_ATTEMPT && r->state == ATTEMPT_ACCEPTED)
		s->accepted[0]++;
	if (r->kind != ROW_JOB)
		return;
	for (size_t i = 0; i < w->nassigned; i++) {
		const struct assignment *a = &w->assigned[i];
		if (!span_is(r->uuid, a->uuid))
			continue;
		if (r->state == JOB_SUBMITTED && r->code != CODE_PRESUMED && r->code != CODE_ALREADY_PROVED && a->state != A_TAKEN)
			world_blame(w, "job %" PRIu64 " says submitted, the Coordinator did not take it", r->id);
		if (r->state != JOB_SUBMITTED && r->state >= STATE_END && a->state == A_TAKEN)
			world_blame(w, "job %" PRIu64 " says %s, the Coordinator took it", r->id, row_state_name(ROW_JOB, r->state));
	}
}

static void
add_entry(void *arg, const struct entry *e)
{
	struct ledger_sum *s = arg;

	if (e->account.n > 5 && memcmp(e->account.p, "owed:", 5) == 0)
		s->owed += e->micro;
}

static void
check_money(struct world *w)
{
	struct ledger_sum s = { .w = w };
	struct disk_reader reader = { .arg = &s, .row = check_job, .entry = add_entry };

	disk_read(w->disk, &reader);
	if (s.owed != (int64_t)s.accepted[0] * PRICE)
		world_blame(w, "%" PRId64 " owed for %" PRIu64 " accepted proofs", s.owed, s.accepted[0]);
	if (s.accepted[0] != TASKS && !w->verdict[0])
		world_blame(w, "%" PRIu64 " proofs accepted for %d tasks", s.accepted[0], TASKS);
}

static void
tell_row(void *arg, const struct row *r)
{
	struct buf b = { 0 };

	row_put_json(&b, r);
	world_say(arg, "%s", buf_cstr(&b));
	buf_free(&b);
}

/* With -v: what the ledger knows at the end. */
static void
tell_state(struct world *w)
{
	struct buf b = { 0 };
	struct disk_reader reader = { .arg = w, .row = tell_row };

	if (!w->trace || !w->core)
		return;
	disk_read(w->disk, &reader);
	core_status(w->core, &b);
	world_say(w, "%s", buf_cstr(&b));
	buf_free(&b);
}

void
judge_end(struct world *w)
{
	tell_state(w);
	if (!w->verdict[0] && !judge_is_over(w))
		world_blame(w, "stuck: %s never comes to its end", first_stuck(w));
	check_purchases(w);
	check_history(w);
	check_money(w);
	check_orders(w);
	check_taken(w);
	free_steps(&w->told);
	free_steps(&w->asked);
}
