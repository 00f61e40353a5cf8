/* state.c - see state.h. */
#include "cmd/ledger/state.h"

#include "common/diag.h"
#include "common/wire.h"

/* What a change did, to take it back. */
struct change {
	struct live	*live;
	struct live	 before;	/* its hot part; fields: the packed bytes as they were (owned) */
	bool		 created, repeated;
	size_t		 nhistory;	/* lines written before it */
};

struct ended_uuid { uint64_t key, at_ms; };

/* What a job or an attempt is sent with, of its work. */
#define OF_WORK	(BIT(chain) | BIT(type) | BIT(task) | BIT(fork) | BIT(body_blob) | BIT(body_bytes) | BIT(input_blob) | \
		 BIT(input_bytes) | BIT(open) | BIT(kept) | BIT(tried) | BIT(attempts) | BIT(failures) | BIT(ready))
#define OF_PROOF (BIT(proof) | BIT(proof_blob) | BIT(proof_bytes) | BIT(provider) | BIT(owed))

void
state_init(struct state *s)
{
	memset(s, 0, sizeof *s);
	for (size_t k = 0; k < ROW_KINDS; k++)
		s->next_id[k] = s->reserved_id[k] = 1;
}

/* --- keys --- */

static uint64_t
row_key(uint64_t kind, uint64_t id)
{
	return map_mix(kind, id);
}

static uint64_t
text_key(uint64_t seed, struct span a, struct span b)
{
	return map_hash(map_hash(seed, a), b);
}

static uint64_t
work_key(const struct row *r)
{
	uint64_t h = text_key(r->type, r->chain, r->task);

	return map_hash(map_hash(h, r->fork), (struct span){ r->body_blob, HASH_BYTES });
}

void
state_row(const struct live *l, struct row *r)
{
	if (!wire_get_fields((struct span){ l->fields, l->nfields }, r))
		bug("row %s %" PRIu64 " is damaged in memory", row_kind_name(l->kind), l->id);
}

struct pair { uint64_t a, b; };

static bool
same_id(const void *value, const void *arg)
{
	const struct live *l = value;
	const struct pair *p = arg;

	return l->kind == p->a && l->id == p->b && !l->gone;
}

static bool
same_work(const void *value, const void *arg)
{
	const struct row *want = arg;
	struct row r;

	if (((const struct live *)value)->state >= STATE_END || ((const struct live *)value)->gone)
		return false;
	state_row(value, &r);
	return r.type == want->type && span_eq(r.chain, want->chain) && span_eq(r.task, want->task) &&
	    span_eq(r.fork, want->fork) && memcmp(r.body_blob, want->body_blob, HASH_BYTES) == 0;
}

static bool
same_uuid(const void *value, const void *arg)
{
	const struct span *want = arg;		/* chain, uuid */
	const struct live *l = value;
	struct row r, w;

	if (l->gone)
		return false;
	state_row(l, &r);
	state_row(l->work, &w);
	return span_eq(w.chain, want[0]) && span_eq(r.uuid, want[1]);
}

static bool
same_identity(const void *value, const void *arg)
{
	const struct row *want = arg;
	struct row r;

	if (((const struct live *)value)->gone)
		return false;
	state_row(value, &r);
	return r.identity == want->identity && span_eq(r.chain, want->chain);
}

struct live *
state_find(const struct state *s, uint64_t kind, uint64_t id)
{
	struct pair p = { kind, id };

	return map_get(&s->rows, row_key(kind, id), same_id, &p);
}

struct live *
state_work_of(const struct state *s, const struct row *key)
{
	return map_get(&s->works, work_key(key), same_work, key);
}

struct live *
state_job_of(const struct state *s, struct span chain, struct span uuid)
{
	struct span want[] = { chain, uuid };

	return map_get(&s->uuids, text_key(ROW_JOB, chain, uuid), same_uuid, want);
}

struct live *
state_identity_of(const struct state *s, struct span chain, uint64_t index)
{
	struct row want = { .chain = chain, .identity = index };

	return map_get(&s->identities, map_hash(index, chain), same_identity, &want);
}

bool
state_uuid_ended(const struct state *s, struct span chain, struct span uuid)
{
	return map_get(&s->ended_uuids, text_key(ROW_JOB, chain, uuid), NULL, NULL) != NULL;
}

void
state_uuid_end(struct state *s, struct span chain, struct span uuid, uint64_t at_ms)
{
	struct ended_uuid *e = xmalloc(sizeof *e);

	*e = (struct ended_uuid){ text_key(ROW_JOB, chain, uuid), at_ms };
	map_put(&s->ended_uuids, e->key, e);
}

void
state_uuids_before(struct state *s, uint64_t ms)
{
	size_t at = 0;
	struct map kept = { 0 };
	struct ended_uuid *e;

	while ((e = map_next(&s->ended_uuids, &at))) {
		if (e->at_ms >= ms)
			map_put(&kept, e->key, e);
		else
			free(e);
	}
	map_free(&s->ended_uuids);
	s->ended_uuids = kept;
}

uint16_t
state_chain(struct state *s, struct span name)
{
	size_t i = 0;

	for (; i < s->nchains; i++)
		if (span_is(name, s->chains[i]))
			return (uint16_t)i;
	if (i == CHAINS_MAX - 1)
		return CHAINS_MAX - 1;
	span_cstr(name, s->chains[i], sizeof s->chains[i]);
	return (uint16_t)s->nchains++;
}

uint16_t
state_provider(struct state *s, struct span name)
{
	for (size_t i = 0; i < s->nproviders; i++)
		if (span_is(name, s->providers[i].name))
			return (uint16_t)i;
	s->providers = xrealloc(s->providers, (s->nproviders + 1) * sizeof *s->providers);
	s->providers[s->nproviders] = (struct provider_count){ .name = "" };
	span_cstr(name, s->providers[s->nproviders].name, sizeof s->providers[0].name);
	return (uint16_t)s->nproviders++;
}

/* Whoever is to go on with it needs the task itself. */
static bool
wants_body(const struct state *s, const struct live *l)
{
	if (l->kind == ROW_ATTEMPT)
		return l->state <= ATTEMPT_PROVING && s->providers[l->provider].pulls;
	return l->kind == ROW_JOB && l->state == JOB_FETCHED;
}

static struct span
packed(const struct live *l)
{
	return (struct span){ l->fields, l->nfields };
}

/* A job has its work's proof: the one that it posts, else the one that is kept.  Another proof of ours that
 * was first is heard of, too, by what is owed for it. */
static size_t
add_proof(const struct state *s, const struct live *job, struct wire_part *parts)
{
	struct live *kept = state_find(s, ROW_ATTEMPT, job->work->kept), *posted = kept;
	size_t n = 0;
	struct row r;

	if (job->state == JOB_SUBMITTING) {
		state_row(job, &r);
		posted = state_find(s, ROW_ATTEMPT, r.attempt);
	}
	if (kept && kept != posted)
		parts[n++] = (struct wire_part){ packed(kept), BIT(owed) };
	if (posted)
		parts[n++] = (struct wire_part){ packed(posted), kept == posted ? OF_PROOF : OF_PROOF & ~BIT(owed) };
	return n;
}

void
state_put_joined(const struct state *s, const struct live *l, uint64_t next, struct buf *out)
{
	uint64_t body = l->work && wants_body(s, l) ? BIT(body) : 0;
	struct wire_part parts[4];
	size_t n = 0;

	/* its jobs have a work's body, and nobody acts upon a work */
	parts[n++] = (struct wire_part){ packed(l), l->kind == ROW_WORK ? ~BIT(body) : UINT64_MAX };
	if (l->kind == ROW_JOB && l->work->kept)
		n += add_proof(s, l, parts + n);
	if (l->work)
		parts[n++] = (struct wire_part){ packed(l->work), OF_WORK | body };
	wire_put_joined(out, parts, n, l->work ? l->work->rev : 0, next);
}

uint64_t
state_new_id(struct state *s, uint64_t kind)
{
	return s->next_id[kind]++;
}

/* --- counting --- */

static void
count(struct state *s, const struct live *l, int sign)
{
	uint64_t by = (uint64_t)(int64_t)sign;
	uint64_t type = l->type <= TYPE_MAX ? l->type : 0;
	struct counts *c = &s->counts[l->chain][type];

	s->rows_in[l->kind][l->state % STATES] += by;
	if (l->kind == ROW_JOB && l->state >= JOB_FETCHED && l->state <= JOB_QUEUED)
		c->unplaced += by;
	if (l->kind == ROW_ATTEMPT && l->state >= ATTEMPT_ALLOCATED && l->state <= ATTEMPT_PROVING) {
		c->open += by;
		s->providers[l->provider].used[type] += by;
	}
}

/* --- changing --- */

static void
index_row(struct state *s, struct live *l, const struct row *r)
{
	map_put(&s->rows, row_key(l->kind, l->id), l);
	if (l->kind == ROW_WORK)
		map_put(&s->works, work_key(r), l);
	if (l->kind == ROW_IDENTITY)
		map_put(&s->identities, map_hash(r->identity, r->chain), l);
	if (l->kind == ROW_JOB) {
		struct row w;
		state_row(l->work, &w);
		map_put(&s->uuids, text_key(ROW_JOB, w.chain, r->uuid), l);
	}
	if (l->work) {
		l->sibling = l->work->children;
		l->work->children = l;
	}
}

static void
unindex_row(struct state *s, struct live *l)
{
	struct row r, w;

	state_row(l, &r);
	map_del(&s->rows, row_key(l->kind, l->id), l);
	if (l->kind == ROW_WORK)
		map_del(&s->works, work_key(&r), l);
	if (l->kind == ROW_IDENTITY)
		map_del(&s->identities, map_hash(r.identity, r.chain), l);
	if (l->kind == ROW_JOB) {
		state_row(l->work, &w);
		map_del(&s->uuids, text_key(ROW_JOB, w.chain, r.uuid), l);
	}
	for (struct live **at = l->work ? &l->work->children : NULL; at && *at; at = &(*at)->sibling)
		if (*at == l) {
			*at = l->sibling;
			break;
		}
}

/* Write a row's fields into its live form. */
static void
fill(struct state *s, struct live *l, const struct row *r, const struct maker *by)
{
	l->rev = r->rev;
	l->state = (uint8_t)r->state;
	l->at_ms = r->at_ms;
	l->by = *by;
	if (l->kind == ROW_JOB)
		l->deadline_ms = r->deadline_ms;
	if (l->kind == ROW_WORK) {
		l->open = r->open;
		l->kept = r->kept;
	}
	if (l->kind == ROW_ATTEMPT)
		l->provider = state_provider(s, r->provider);
	if (l->kind == ROW_WORK || l->kind == ROW_IDENTITY)
		l->chain = state_chain(s, r->chain);
	l->type = (uint8_t)(l->kind == ROW_WORK ? r->type : l->work ? l->work->type : 0);
	if (l->work)
		l->chain = l->work->chain;
	buf_reset(&s->scratch);
	wire_put_fields(&s->scratch, r, store_columns(l->kind));
	l->nfields = (uint32_t)s->scratch.n;
	l->fields = xmalloc(s->scratch.n);
	memcpy(l->fields, s->scratch.p, s->scratch.n);
}

static struct live *
create(struct state *s, const struct row *r)
{
	struct live *l = xzalloc(sizeof *l);

	l->kind = (uint8_t)r->kind;
	l->id = r->id;
	if (r->kind == ROW_JOB || r->kind == ROW_ATTEMPT) {
		l->work = state_find(s, ROW_WORK, r->work);
		if (!l->work)
			bug("%s %" PRIu64 " without its work", row_kind_name(r->kind), r->id);
	}
	return l;
}

static struct change *
note_change(struct state *s, struct live *l, bool created)
{
	if (s->nchanges == s->cap_changes) {
		s->cap_changes = s->cap_changes ? 2 * s->cap_changes : 256;
		s->changes = xrealloc(s->changes, s->cap_changes * sizeof *s->changes);
	}
	struct change *c = &s->changes[s->nchanges++];
	*c = (struct change){ .live = l, .before = *l, .created = created, .nhistory = s->nhistory };
	return c;
}

static void
write_history(struct state *s, const struct row *r, uint64_t from, const struct maker *by)
{
	if (s->nhistory == s->cap_history) {
		s->cap_history = s->cap_history ? 2 * s->cap_history : 256;
		s->history = xrealloc(s->history, s->cap_history * sizeof *s->history);
	}
	s->history[s->nhistory++] = (struct history){ r->kind, r->id, r->rev, r->at_ms, from, r->state, r->code,
	    by->instance, by->epoch, by->seq };
}

struct live *
state_put(struct state *s, struct live *l, const struct row *r, const struct maker *by)
{
	bool created = !l;

	if (created)
		l = create(s, r);
	note_change(s, l, created);
	write_history(s, r, created ? 0 : l->state, by);
	if (!created)
		count(s, l, -1);
	fill(s, l, r, by);		/* the packed bytes as they were live on in the change */
	if (created)
		index_row(s, l, r);
	count(s, l, +1);
	return l;
}

struct live *
state_load(struct state *s, const struct row *r, const struct maker *by)
{
	struct live *l = create(s, r);

	fill(s, l, r, by);
	index_row(s, l, r);
	count(s, l, +1);
	return l;
}

size_t
state_mark(const struct state *s)
{
	return s->nchanges;
}

static void
undo_one(struct state *s, const struct change *c)
{
	struct live *l = c->live;

	count(s, l, -1);
	s->nhistory = c->nhistory;
	if (c->created) {
		unindex_row(s, l);
		free(l->fields);
		free(l);
		return;
	}
	free(l->fields);
	struct live now = *l;
	*l = c->before;
	/* links and custody are not part of the change */
	l->children = now.children;
	l->sibling = now.sibling;
	l->holder = now.holder;
	l->given_hello = now.given_hello;
	l->news_ms = now.news_ms;
	l->step = now.step;
	l->newer = now.newer;
	l->older = now.older;
	l->listed = now.listed;
	l->deadline_seen = now.deadline_seen;
	count(s, l, +1);
}

void
state_undo(struct state *s, size_t mark)
{
	while (s->nchanges > mark)
		undo_one(s, &s->changes[--s->nchanges]);
}

void
state_keep(struct state *s)
{
	for (size_t i = 0; i < s->nchanges; i++)
		if (!s->changes[i].created)
			free(s->changes[i].before.fields);
	s->nchanges = s->nhistory = 0;
}

/* The last change of a row stands for all of them: it has the revision that the row has now. */
struct live *
state_changed(const struct state *s, size_t i)
{
	const struct change *c = &s->changes[i];
	uint64_t rev_after = c->created ? 1 : c->before.rev + 1;

	return rev_after == c->live->rev ? c->live : NULL;
}

void
state_forget(struct state *s, struct live *l)
{
	while (l->kind == ROW_WORK && l->children)
		state_forget(s, l->children);
	if (l->listed)
		bug("%s %" PRIu64 " is forgotten while it is on a list", row_kind_name(l->kind), l->id);
	count(s, l, -1);
	unindex_row(s, l);
	free(l->fields);
	free(l);
}

void
state_free(struct state *s)
{
	size_t at = 0;
	struct live *l;
	struct ended_uuid *e;

	state_keep(s);
	while ((l = map_next(&s->rows, &at))) {
		free(l->fields);
		free(l);
	}
	at = 0;
	while ((e = map_next(&s->ended_uuids, &at)))
		free(e);
	map_free(&s->rows);
	map_free(&s->works);
	map_free(&s->uuids);
	map_free(&s->identities);
	map_free(&s->ended_uuids);
	free(s->providers);
	free(s->changes);
	free(s->history);
	buf_free(&s->scratch);
}
