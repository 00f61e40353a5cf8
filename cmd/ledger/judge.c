/* judge.c - is a move legal, and what follows from it.
 *
 * A group is all or nothing: it is applied item by item to memory, and undone when
 * one item is refused.  What follows from an item (consequences) is applied with it, in
 * the same commit, by the ledger itself. */
#include "cmd/ledger/inside.h"

/* An item being judged. */
struct trial {
	struct core		*c;
	struct instance		*inst;
	const struct wire_item	*it;
	const struct move	*move;
	struct maker		 by;
	struct live		*live;		/* NULL: a creation */
	struct row		 row;		/* as it is; then as it will be */
	bool			 alone;		/* the only item of its group */
};

static const struct maker by_ledger;

/* --- money --- */

static struct balance *
balance_of(struct core *c, const char *account)
{
	for (size_t i = 0; i < c->nbalances; i++)
		if (strcmp(c->balances[i].account, account) == 0)
			return &c->balances[i];
	c->balances = xrealloc(c->balances, (c->nbalances + 1) * sizeof *c->balances);
	struct balance *b = &c->balances[c->nbalances++];
	*b = (struct balance){ .micro = 0 };
	snprintf(b->account, sizeof b->account, "%s", account);
	return b;
}

int64_t
judge_balance(const struct core *c, const char *account)
{
	for (size_t i = 0; i < c->nbalances; i++)
		if (strcmp(c->balances[i].account, account) == 0)
			return c->balances[i].micro;
	return 0;
}

void
judge_book(struct core *c, const char *account, int64_t micro)
{
	balance_of(c, account)->micro += micro;
}

static void
write_entry(struct core *c, const struct row *cause, const char *account, int64_t micro)
{
	size_t i = (size_t)(balance_of(c, account) - c->balances);

	if (c->nentries == c->cap_entries) {
		c->cap_entries = c->cap_entries ? 2 * c->cap_entries : 64;
		c->entries = xrealloc(c->entries, c->cap_entries * sizeof *c->entries);
	}
	/* the account is kept by its index: balances may move while the turn goes on */
	c->entries[c->nentries++] = (struct entry){ cause->kind, cause->id, cause->rev, c->wall_ms,
	    { NULL, i }, micro };
	judge_book(c, account, micro);
}

/* Move an amount from one account to another, because of a row's new revision. */
static void
book(struct core *c, const struct row *cause, const char *from, struct span from_name, const char *to,
    struct span to_name, uint64_t micro)
{
	char a[80], b[80];

	if (micro == 0)
		return;
	snprintf(a, sizeof a, "%s:%.*s", from, SPAN_ARG(from_name));
	snprintf(b, sizeof b, "%s:%.*s", to, SPAN_ARG(to_name));
	write_entry(c, cause, a, -(int64_t)micro);
	write_entry(c, cause, b, (int64_t)micro);
}

static void
undo_entries(struct core *c, size_t mark)
{
	while (c->nentries > mark) {
		struct entry *e = &c->entries[--c->nentries];
		c->balances[e->account.n].micro -= e->micro;
	}
}

/* --- works and their attempts --- */

static bool
is_open_attempt(const struct live *l)
{
	return l->kind == ROW_ATTEMPT && l->state >= ATTEMPT_ALLOCATED && l->state <= ATTEMPT_PROVED;
}

/* How good a kept proof is; 0: none is kept.  It counts whatever became of its attempt. */
static unsigned
proof_rank(const struct live *l)
{
	if (l->kind != ROW_ATTEMPT)
		return 0;
	switch (l->state) {
	case ATTEMPT_ACCEPTED:	return RULE(VERIFIED_ONLY) ? 3 : 0;
	case ATTEMPT_VERIFIED:	return 2;
	case ATTEMPT_UNCLE:	return RULE(VERIFIED_ONLY) ? 1 : 0;
	default:		return 0;
	}
}

static bool
has_child(const struct live *work, uint64_t kind, uint64_t from, uint64_t to)
{
	for (const struct live *l = work->children; l; l = l->sibling)
		if (l->kind == kind && l->state >= from && l->state <= to)
			return true;
	return false;
}

/* The ledger's own change of a row. */
static void
consequence(struct core *c, struct live *l, struct row *r, uint64_t state, uint64_t code)
{
	r->rev++;
	r->state = state;
	SET(r, code, code);
	SET(r, at_ms, c->wall_ms);
	state_put(&c->state, l, r, &by_ledger);
}

/* The work's rev goes up, and it says which attempt is open and which proof is kept. */
static void
touch_work(struct core *c, struct live *work, struct row *w)
{
	unsigned best = 0;

	SET(w, open, 0);
	SET(w, kept, 0);
	for (const struct live *l = work->children; l; l = l->sibling) {
		if (is_open_attempt(l) && (!w->open || l->id < w->open))
			w->open = l->id;
		if (proof_rank(l) > best) {
			best = proof_rank(l);
			w->kept = l->id;
		}
	}
	consequence(c, work, w, WORK_OPEN, CODE_OK);
}

static void
refresh_work(struct core *c, struct live *work)
{
	struct row w;

	state_row(work, &w);
	touch_work(c, work, &w);
}

/* An attempt that the ledger itself moves. */
static void
move_attempt(struct core *c, struct live *l, uint64_t to, uint64_t code)
{
	struct row r, w;

	state_row(l, &r);
	state_row(l->work, &w);
	r.rev++;
	if (to == ATTEMPT_ACCEPTED) {
		SET(&r, owed, r.price);
		book(c, &r, "reserved", w.chain, "owed", r.provider, r.price);
	}
	if (to == ATTEMPT_UNCLE_ENDED)
		book(c, &r, "reserved", w.chain, "budget", w.chain, r.price);
	r.rev--;
	consequence(c, l, &r, to, code);
}

/* Proofs that nobody needs become uncles: another was first, or every job ended otherwise. */
static void
settle_uncles(struct core *c, struct live *work)
{
	bool accepted = has_child(work, ROW_ATTEMPT, ATTEMPT_ACCEPTED, ATTEMPT_ACCEPTED);
	bool wanted = has_child(work, ROW_JOB, JOB_FETCHED, JOB_SUBMITTING);

	if (!accepted && wanted)
		return;
	for (struct live *l = work->children; l; l = l->sibling)
		if (l->kind == ROW_ATTEMPT && l->state == ATTEMPT_VERIFIED)
			move_attempt(c, l, ATTEMPT_UNCLE, accepted ? CODE_OTHER_FIRST : CODE_UNCLE);
}

static bool
may_be_accepted(const struct live *l)
{
	return l->state == ATTEMPT_VERIFIED || (l->state == ATTEMPT_UNCLE && RULE(UNCLE_IS_END));
}

/* A job was submitted with this attempt's proof: its provider is owed, once per work. */
static void
accept_proof(struct core *c, struct live *work, uint64_t attempt)
{
	struct live *l = state_find(&c->state, ROW_ATTEMPT, attempt);

	if (!RULE(OWED_PER_JOB) && l && l->state == ATTEMPT_ACCEPTED) {
		struct row r, w;
		state_row(l, &r);
		state_row(work, &w);
		book(c, &r, "reserved", w.chain, "owed", r.provider, r.price);
	}
	if (l && may_be_accepted(l) && !has_child(work, ROW_ATTEMPT, ATTEMPT_ACCEPTED, ATTEMPT_ACCEPTED))
		move_attempt(c, l, ATTEMPT_ACCEPTED, CODE_OK);
	settle_uncles(c, work);
	refresh_work(c, work);
}

static void
requeue_placed(struct core *c, struct live *work)
{
	if (!RULE(NO_REQUEUE) || work->open || work->kept)
		return;
	for (struct live *l = work->children; l; l = l->sibling) {
		struct row r;
		if (l->kind != ROW_JOB || l->state != JOB_PLACED)
			continue;
		state_row(l, &r);
		consequence(c, l, &r, JOB_QUEUED, CODE_OK);
	}
}

/* The work remembers who failed it and why; its jobs look for another. */
static void
note_failure(struct core *c, struct live *work, struct span provider, uint64_t code)
{
	struct row w;
	char tried[2048];

	state_row(work, &w);
	int n = snprintf(tried, sizeof tried, "%.*s%s%.*s:%s", SPAN_ARG(w.tried), w.tried.n ? " " : "",
	    SPAN_ARG(provider), code_word(code));
	if (n > 0 && (size_t)n < sizeof tried)
		SET(&w, tried, span_str(tried));
	SET(&w, failures, w.failures + 1);
	touch_work(c, work, &w);
	requeue_placed(c, work);
}

/* The Coordinator's verifier refused this proof, and no other post of it is under way: it is not
 * kept any longer, nobody is owed for it, and the work may be bought elsewhere. */
static void
refuse_proof(struct core *c, struct live *work, uint64_t attempt)
{
	struct live *l = state_find(&c->state, ROW_ATTEMPT, attempt);
	struct row r;

	if (!l || !may_be_accepted(l) || has_child(work, ROW_JOB, JOB_SUBMITTING, JOB_SUBMITTING))
		return;
	if (l->state == ATTEMPT_VERIFIED)
		move_attempt(c, l, ATTEMPT_UNCLE, CODE_REFUSED_PROOF);
	move_attempt(c, l, ATTEMPT_UNCLE_ENDED, CODE_REFUSED_PROOF);
	state_row(l, &r);
	note_failure(c, work, r.provider, CODE_REFUSED_PROOF);
}

static void
free_identity(struct core *c, const struct row *job, struct span chain)
{
	struct live *l = state_identity_of(&c->state, chain, job->identity);
	struct row r;

	if (!l)
		return;
	state_row(l, &r);
	if (r.job != job->id)
		return;
	SET(&r, job, 0);
	consequence(c, l, &r, l->state == IDENTITY_HOLDING ? IDENTITY_IDLE : l->state, CODE_OK);
}

/* What every end of a job brings: its identity is free, its proof may have become an uncle. */
static void
end_job(struct core *c, struct live *job)
{
	struct row r, w;

	state_row(job, &r);
	state_row(job->work, &w);
	free_identity(c, &r, w.chain);
	if (job->state == JOB_SUBMITTED)
		accept_proof(c, job->work, r.attempt);
	else
		settle_uncles(c, job->work);
}

/* --- checks before a move --- */

static enum code
check_placed(struct trial *t)
{
	struct live *work = t->live->work;

	if (!RULE(JOIN_UNCHECKED) && t->alone)
		return CODE_OK;
	if (RULE(PER_JOB) && RULE(JOB_REV_ONLY) &&
	    (t->it->relies[0].kind != ROW_WORK || t->it->relies[0].id != work->id))
		return CODE_ILLEGAL;
	return work->open || work->kept ? CODE_OK : CODE_CONFLICT;
}

/* The most that one chain may reserve and owe, budget or not: sums of it fit everywhere. */
#define MICRO_MAX ((uint64_t)INT64_MAX / 64)

static enum code
check_allocated(struct trial *t)
{
	struct live *work = state_find(&t->c->state, ROW_WORK, t->row.work);
	char account[80];
	struct row w;

	if (!work || work->state != WORK_OPEN || t->row.provider.n == 0 || t->row.price > MICRO_MAX)
		return CODE_ILLEGAL;
	if (RULE(PER_JOB) && RULE(JOB_REV_ONLY) && (work->open || work->kept) && t->row.allow.n == 0)
		return CODE_CONFLICT;
	state_row(work, &w);
	const struct core_chain *chain = core_chain_of(t->c, w.chain);
	snprintf(account, sizeof account, "budget:%.*s", SPAN_ARG(w.chain));
	uint64_t most = chain && chain->budget ? MIN2(chain->budget, MICRO_MAX) : MICRO_MAX;
	if ((uint64_t)-judge_balance(t->c, account) + t->row.price > most && t->row.price)
		return CODE_BUDGET;
	return CODE_OK;
}

/* A take-over: only from an owner that is silent, and only behind its send_by. */
static enum code
check_take_over(struct trial *t, const struct row *old)
{
	for (size_t i = 0; i < t->c->ninstances; i++)
		if (span_is(old->owner, t->c->instances[i]->name) && custody_alive(t->c, t->c->instances[i]) && RULE(NO_LEASE))
			return CODE_CONFLICT;
	return old->send_by_ms >= t->c->wall_ms ? CODE_CONFLICT : CODE_OK;
}

/* Who may make the provider's calls for this row, and how far the intent has come.  A take-over that
 * only means to ask the provider writes no intent of its own. */
static enum code
check_intent(struct trial *t)
{
	struct row old;

	state_row(t->live, &old);
	bool again = t->live->state == ATTEMPT_SENDING, intends = HAS(&t->it->set, intent) || !again;
	if (!span_is(t->row.owner, t->inst->name) || (intends && t->row.intent != old.intent + 1))
		return CODE_ILLEGAL;
	if (intends && t->row.send_by_ms <= t->c->wall_ms)
		return CODE_CONFLICT;
	if (again && !span_is(old.owner, t->inst->name) && RULE(NO_OWNER))
		return check_take_over(t, &old);
	return CODE_OK;
}

static enum code
check_owner(struct trial *t)
{
	if (!RULE(NO_OWNER))
		return CODE_OK;
	return span_is(t->row.owner, t->inst->name) ? CODE_OK : CODE_CONFLICT;
}

static enum code
check_proof(struct trial *t)
{
	if (!HAS(&t->row, proof_blob) || !t->row.proof_bytes)
		return CODE_ILLEGAL;
	SET(&t->row, verified_ms, t->c->wall_ms);
	return t->live->state == ATTEMPT_SENDING ? check_owner(t) : CODE_OK;
}

static bool
same_proof(const struct row *a, const struct row *b)
{
	return HAS(a, proof_blob) && HAS(b, proof_blob) && memcmp(a->proof_blob, b->proof_blob, HASH_BYTES) == 0;
}

/* A finished proof is not dropped because we had stopped waiting for it, or because another one of its attempt was
 * bad: while its work is open it is judged like any other, beside whoever else was asked meanwhile.  Another
 * one is judged once, or one prover could keep the verifier busy. */
static enum code
check_late(struct trial *t)
{
	const struct row *set = &t->it->set;
	struct row old;

	state_row(t->live, &old);
	if (t->live->work->state != WORK_OPEN || !HAS(set, proof_blob))
		return CODE_ILLEGAL;
	if (HAS(&old, proof_blob) && (same_proof(&old, set) || span_is(old.allow, "another")))
		return CODE_ILLEGAL;
	SET(&t->row, allow, span_str(HAS(&old, proof_blob) ? "another" : "late"));
	if (!HAS(set, proof))
		t->row.have &= ~BIT(proof);	/* what stood in the row was the other one */
	return check_proof(t);
}

static enum code
check_submitting(struct trial *t)
{
	if (t->live->work->kept == 0 || t->row.attempt != t->live->work->kept || t->row.posts != 1)
		return CODE_CONFLICT;
	return CODE_OK;
}

/* One that was blocked while it held a job holds it still. */
static enum code
check_idle(struct trial *t)
{
	return t->row.job ? CODE_CONFLICT : CODE_OK;
}

static enum code
check_posts(struct trial *t)
{
	struct row old;

	state_row(t->live, &old);
	return t->row.posts == old.posts + 1 ? CODE_OK : CODE_ILLEGAL;
}

/* "Somebody else's proof was first" is wrong when that proof was ours, delivered by another job
 * of the work: submit hears of it with the row. */
static enum code
check_given_up(struct trial *t)
{
	bool ours = has_child(t->live->work, ROW_ATTEMPT, ATTEMPT_ACCEPTED, ATTEMPT_ACCEPTED);

	return t->it->code == CODE_ALREADY_PROVED && ours ? CODE_CONFLICT : CODE_OK;
}

/* --- what follows a move --- */

static void
after_ready(struct trial *t)
{
	struct live *work = t->live->work;
	struct row w;

	state_row(work, &w);
	if (w.ready)
		return;
	row_merge(&w, &t->it->set, BIT(input_blob) | BIT(input_bytes));
	SET(&w, ready, 1);
	touch_work(t->c, work, &w);
}

static void
after_allocated(struct trial *t)
{
	struct live *work = t->live->work;
	struct row w;

	state_row(work, &w);
	book(t->c, &t->row, "budget", w.chain, "reserved", w.chain, t->row.price);
	SET(&w, attempts, w.attempts + 1);
	touch_work(t->c, work, &w);
}

static void
after_failed(struct trial *t)
{
	struct row w;

	state_row(t->live->work, &w);
	book(t->c, &t->row, "reserved", w.chain, "budget", w.chain, t->row.price);
	note_failure(t->c, t->live->work, t->row.provider, t->row.code);
}

static void
after_proved(struct trial *t)
{
	refresh_work(t->c, t->live->work);
}

static void
after_late(struct trial *t)
{
	struct row w;

	state_row(t->live->work, &w);
	book(t->c, &t->row, "budget", w.chain, "reserved", w.chain, t->row.price);
	refresh_work(t->c, t->live->work);
}

static void
after_verified(struct trial *t)
{
	settle_uncles(t->c, t->live->work);
	refresh_work(t->c, t->live->work);
}

static void
after_end(struct trial *t)
{
	end_job(t->c, t->live);
}

static void
after_given_up(struct trial *t)
{
	if (t->it->from == JOB_SUBMITTING && t->it->code == CODE_REFUSED_PROOF)
		refuse_proof(t->c, t->live->work, t->row.attempt);
	end_job(t->c, t->live);
}

enum { ANY = 255 };
static const struct hook {
	uint64_t kind, from, to;
	enum code (*check)(struct trial *);
	void (*after)(struct trial *);
} hooks[] = {
	{ ROW_JOB, ANY, JOB_READY, NULL, after_ready },
	{ ROW_JOB, ANY, JOB_PLACED, check_placed, NULL },
	{ ROW_JOB, JOB_SUBMITTING, JOB_SUBMITTING, check_posts, NULL },
	{ ROW_JOB, ANY, JOB_SUBMITTING, check_submitting, NULL },
	{ ROW_JOB, ANY, JOB_SUBMITTED, NULL, after_end },
	{ ROW_JOB, ANY, JOB_LATE, NULL, after_end },
	{ ROW_JOB, ANY, JOB_GIVEN_UP, check_given_up, after_given_up },
	{ ROW_JOB, ANY, JOB_CANCELLED, NULL, after_end },
	{ ROW_ATTEMPT, 0, ATTEMPT_ALLOCATED, check_allocated, after_allocated },
	{ ROW_ATTEMPT, ATTEMPT_SENDING, ATTEMPT_ALLOCATED, check_owner, NULL },
	{ ROW_ATTEMPT, ANY, ATTEMPT_SENDING, check_intent, NULL },
	{ ROW_ATTEMPT, ATTEMPT_FAILED, ATTEMPT_PROVED, check_late, after_late },
	{ ROW_ATTEMPT, ANY, ATTEMPT_PROVED, check_proof, after_proved },
	{ ROW_ATTEMPT, ANY, ATTEMPT_VERIFIED, NULL, after_verified },
	{ ROW_ATTEMPT, ATTEMPT_SENDING, ATTEMPT_FAILED, check_owner, after_failed },
	{ ROW_ATTEMPT, ANY, ATTEMPT_FAILED, NULL, after_failed },
	{ ROW_ATTEMPT, ANY, ATTEMPT_CANCELLED, NULL, after_failed },
	{ ROW_IDENTITY, IDENTITY_BLOCKED, IDENTITY_IDLE, check_idle, NULL },
};

static const struct hook *
hook_of(const struct trial *t)
{
	static const struct hook none;

	for (size_t i = 0; i < NELEM(hooks); i++)
		if (hooks[i].kind == t->it->kind && hooks[i].to == t->it->to &&
		    (hooks[i].from == ANY || hooks[i].from == t->it->from))
			return &hooks[i];
	return &none;
}

/* --- creations --- */

static bool
has_blob(const struct core *c, const struct row *set, uint64_t inlined, uint64_t named, const uint8_t *hash)
{
	if (!(set->have & named) || set->have & inlined)
		return true;
	return c->o.blob(c->o.arg, hash);
}

static enum code
check_blobs(const struct core *c, const struct row *set)
{
	bool there = has_blob(c, set, BIT(body), BIT(body_blob), set->body_blob) &&
	    has_blob(c, set, 0, BIT(input_blob), set->input_blob) &&
	    has_blob(c, set, BIT(proof), BIT(proof_blob), set->proof_blob);

	return there ? CODE_OK : CODE_NOBLOB;
}

/* The work of a fetched task: the one that is open already, or a new one. */
static struct live *
work_for(struct core *c, const struct row *set)
{
	struct live *work = state_work_of(&c->state, set);
	struct row w = { 0 };

	if (work && RULE(PER_JOB))
		return work;
	row_merge(&w, set, BIT(chain) | BIT(type) | BIT(task) | BIT(fork) | BIT(body) | BIT(body_blob) | BIT(body_bytes));
	SET(&w, kind, ROW_WORK);
	SET(&w, id, state_new_id(&c->state, ROW_WORK));
	SET(&w, rev, 1);
	SET(&w, state, WORK_OPEN);
	SET(&w, code, CODE_OK);
	SET(&w, at_ms, c->wall_ms);
	SET(&w, open, 0);
	SET(&w, kept, 0);
	SET(&w, attempts, 0);
	SET(&w, failures, 0);
	SET(&w, ready, 0);
	return state_put(&c->state, NULL, &w, &by_ledger);
}

static void
hold_identity(struct core *c, struct live *identity, uint64_t job)
{
	struct row r;

	state_row(identity, &r);
	SET(&r, job, job);
	SET(&r, again, 0);
	SET(&r, until_ms, 0);
	consequence(c, identity, &r, IDENTITY_HOLDING, CODE_OK);
}

static enum code
create_job(struct trial *t)
{
	const struct row *set = &t->it->set;
	struct core *c = t->c;
	uint64_t must = BIT(chain) | BIT(uuid) | BIT(type) | BIT(task) | BIT(fork) | BIT(identity) | BIT(body_blob) |
	    BIT(body_bytes) | BIT(fetched_ms) | BIT(deadline_ms);

	if ((set->have & must) != must || set->type == 0 || set->type > TYPE_MAX || set->uuid.n == 0)
		return CODE_ILLEGAL;
	if (state_uuid_ended(&c->state, set->chain, set->uuid))
		return CODE_GONE;
	if (state_job_of(&c->state, set->chain, set->uuid))
		return CODE_CONFLICT;
	struct live *identity = state_identity_of(&c->state, set->chain, set->identity);
	if (!identity)
		return CODE_ILLEGAL;
	SET(&t->row, work, work_for(c, set)->id);
	SET(&t->row, posts, 0);
	hold_identity(c, identity, t->row.id);
	return CODE_OK;
}

static enum code
create_identity(struct trial *t)
{
	if (!HAS(&t->row, chain) || !HAS(&t->row, identity))
		return CODE_ILLEGAL;
	return state_identity_of(&t->c->state, t->row.chain, t->row.identity) ? CODE_CONFLICT : CODE_OK;
}

static enum code
begin_creation(struct trial *t)
{
	t->row = (struct row){ 0 };
	row_merge(&t->row, &t->it->set, t->move->fields);
	SET(&t->row, kind, t->it->kind);
	SET(&t->row, id, state_new_id(&t->c->state, t->it->kind));
	SET(&t->row, rev, 0);
	if (t->it->kind == ROW_JOB)
		return create_job(t);
	if (t->it->kind == ROW_IDENTITY)
		return create_identity(t);
	SET(&t->row, intent, 0);
	return CODE_OK;
}

/* --- one item --- */

static bool
known_id(const struct core *c, uint64_t kind, uint64_t id)
{
	return kind > 0 && kind < ROW_KINDS && id > 0 && id < c->state.next_id[kind];
}

/* A dispatcher acts for its provider only. */
static bool
may_act(const struct trial *t)
{
	if (!(t->move->by & t->inst->principal))
		return false;
	if (t->it->kind == ROW_ATTEMPT && t->inst->principal & (BY_DISPATCH | BY_COORDINATOR))
		return span_is(t->row.provider, t->inst->provider);
	return true;
}

static enum code
find_row(struct trial *t)
{
	const struct wire_item *it = t->it;

	t->live = state_find(&t->c->state, it->kind, it->id);
	if (!t->live)
		return known_id(t->c, it->kind, it->id) ? CODE_GONE : CODE_ILLEGAL;
	if (t->live->state != it->from)
		return CODE_CONFLICT;
	if (t->live->rev != it->rev && RULE(NO_REV) && RULE(NO_REV_NO_SEQ))
		return CODE_CONFLICT;
	state_row(t->live, &t->row);
	return CODE_OK;
}

static void
put(struct trial *t, uint64_t to)
{
	SET(&t->row, rev, t->row.rev + 1);
	SET(&t->row, state, to);
	SET(&t->row, code, t->it->code);
	SET(&t->row, at_ms, t->c->wall_ms);
	t->live = state_put(&t->c->state, t->live, &t->row, &t->by);
}

static enum code
judge_item(struct trial *t)
{
	enum code code;

	t->move = move_find(t->it->kind, t->it->from, t->it->to);
	if (!t->move || t->it->set.have & ~t->move->fields)
		return CODE_ILLEGAL;
	code = t->it->from ? find_row(t) : t->it->id ? CODE_ILLEGAL : CODE_OK;
	if (code != CODE_OK)
		return code;
	if (!may_act(t))
		return CODE_ILLEGAL;
	code = check_blobs(t->c, &t->it->set);
	if (code != CODE_OK)
		return code;
	if (t->it->from)
		row_merge(&t->row, &t->it->set, t->move->fields);
	else
		code = begin_creation(t);
	const struct hook *hook = hook_of(t);
	if (code == CODE_OK && hook->check)
		code = hook->check(t);
	if (code != CODE_OK)
		return code;
	put(t, t->it->to);
	if (hook->after)
		hook->after(t);
	return CODE_OK;
}

/* --- facts: an order is known, whoever brings it (rule 3) --- */

static bool
is_fact(const struct wire_item *it)
{
	return it->kind == ROW_ATTEMPT && it->id &&
	    ((it->to == ATTEMPT_PROVING && HAS(&it->set, handle)) || (it->to == ATTEMPT_PROVED && HAS(&it->set, proof_blob)));
}

static bool
is_news(const struct row *now, const struct row *set)
{
	bool order = HAS(set, handle) && !span_eq(now->handle, set->handle) && !span_eq(now->stray, set->handle);

	return order || (HAS(set, proof_blob) && !HAS(now, proof_blob));
}

/* A second order, or an order or a proof that nobody waits for any more: recorded, never dropped. */
static enum code
record_stray(struct trial *t)
{
	const struct row *set = &t->it->set;

	if (!is_news(&t->row, set) || !RULE(DROP_STRAY))
		return CODE_OK;
	diag(DIAG_WARN, "second-order", "attempt=%" PRIu64 " handle=%.*s proof_bytes=%" PRIu64, t->row.id, SPAN_ARG(set->handle),
	    set->proof_bytes);
	if (HAS(set, handle) && !span_eq(t->row.handle, set->handle))
		SET(&t->row, stray, set->handle);
	if (!HAS(&t->row, proof_blob))
		row_merge(&t->row, set, BIT(proof) | BIT(proof_blob) | BIT(proof_bytes));
	SET(&t->row, code, CODE_SECOND_ORDER);
	SET(&t->row, rev, t->row.rev + 1);
	SET(&t->row, at_ms, t->c->wall_ms);
	t->live = state_put(&t->c->state, t->live, &t->row, &t->by);
	return CODE_OK;
}

/* The proof of an attempt that had failed without it.  False: it is too late for that. */
static bool
take_late(struct trial *t)
{
	struct row before = t->row;

	row_merge(&t->row, &t->it->set, BIT(proof) | BIT(proof_blob) | BIT(proof_bytes) | BIT(detail));
	if (check_late(t) != CODE_OK) {
		t->row = before;
		return false;
	}
	put(t, ATTEMPT_PROVED);
	after_late(t);
	return true;
}

/* An attempt that has left memory comes back for as long as its stray order takes to be written. *work_too:
 * its work was not there either. */
static struct live *
recall(struct core *c, uint64_t id, bool *work_too)
{
	struct row *attempt = c->o.ops->row_of(c->o.store, ROW_ATTEMPT, id), *work = NULL;
	struct live *l = NULL;

	if (!attempt)
		return NULL;
	if (!state_find(&c->state, ROW_WORK, attempt->work)) {
		work = c->o.ops->row_of(c->o.store, ROW_WORK, attempt->work);
		*work_too = work && state_load(&c->state, work, &by_ledger);
	}
	if (state_find(&c->state, ROW_WORK, attempt->work))
		l = state_load(&c->state, attempt, &by_ledger);
	free(work);
	free(attempt);
	return l;
}

static enum code
judge_known_fact(struct trial *t)
{
	state_row(t->live, &t->row);
	if (!span_is(t->row.provider, t->inst->provider))
		return CODE_ILLEGAL;
	if (check_blobs(t->c, &t->it->set) != CODE_OK)
		return CODE_NOBLOB;
	if (t->it->to == ATTEMPT_PROVED && t->live->state == ATTEMPT_PROVED && !same_proof(&t->row, &t->it->set) &&
	    !is_news(&t->row, &t->it->set))
		return CODE_CONFLICT;		/* one at a time: it may come again when the first has been judged */
	bool open = t->live->state == ATTEMPT_ALLOCATED || t->live->state == ATTEMPT_SENDING;
	if (t->it->to == ATTEMPT_PROVED && t->live->state == ATTEMPT_FAILED && take_late(t))
		return CODE_OK;
	if (!open && !(t->it->to == ATTEMPT_PROVED && t->live->state == ATTEMPT_PROVING))
		return record_stray(t);
	if (t->it->to == ATTEMPT_PROVED)
		SET(&t->row, verified_ms, t->c->wall_ms);
	row_merge(&t->row, &t->it->set, BIT(handle) | BIT(proof) | BIT(proof_blob) | BIT(proof_bytes) | BIT(detail));
	if (t->it->to == ATTEMPT_PROVED && t->live->state == ATTEMPT_ALLOCATED)
		put(t, ATTEMPT_PROVING);	/* a proof implies an order */
	put(t, t->it->to);
	if (t->it->to == ATTEMPT_PROVED)
		refresh_work(t->c, t->live->work);
	return CODE_OK;
}

static enum code
judge_fact(struct trial *t)
{
	bool recalled = false;

	t->live = state_find(&t->c->state, ROW_ATTEMPT, t->it->id);
	if (!t->live)
		t->live = recall(t->c, t->it->id, &recalled);
	if (!t->live)
		return CODE_GONE;
	uint64_t rev = t->live->rev;
	enum code code = judge_known_fact(t);
	if (recalled && t->live->rev == rev) {	/* nothing to write: it leaves memory again */
		state_forget(&t->c->state, t->live->work);
		t->live = NULL;
	}
	return code;
}

/* --- groups --- */

static bool
relies_hold(const struct core *c, const struct wire_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < NELEM(items[i].relies) && items[i].relies[k].kind; k++) {
			const struct books_rely *r = &items[i].relies[k];
			struct live *l = state_find(&c->state, r->kind, r->id);
			bool join = n == 1;
			if (!RULE(JOB_REV_ONLY) || !RULE(PER_JOB) || (join && !RULE(JOIN_UNCHECKED)))
				continue;
			if (!l || l->rev != r->rev)
				return false;
		}
	}
	return true;
}

static void
put_result_row(struct core *c, struct instance *inst, struct live *l, struct buf *rows)
{
	struct instance *next = custody_next(c, l, inst);

	state_put_joined(&c->state, l, next ? outbox_name(&inst->out, next) : 0, rows);
	l->holder = next ? next->id : 0;
	l->given_hello = next ? next->hellos : 0;
}

static void
answer(struct core *c, struct instance *inst, uint64_t seq, enum code code, struct live *const *rows, size_t n)
{
	size_t i = 0;

	/* what does not fit comes as NEWS */
	buf_reset(&c->rows);
	for (; i < n; i++) {
		size_t before = c->rows.n;
		put_result_row(c, inst, rows[i], &c->rows);
		if (i > 0 && inst->out.part.n + c->rows.n > RESULTS_FILL) {
			c->rows.n = before;
			break;
		}
	}
	wire_put_result(&inst->out.part, seq, code, i, SPAN_OF(&c->rows));
	inst->out.n++;
	if (inst->out.part.n > MESSAGE_FILL / 4 || inst->out.nnames + ROW_KINDS * 4 > NELEM(inst->out.names))
		core_flush_results(c, inst, seq);
}

enum { RESULT_ROWS = 48 };

static void
add_row(struct live **rows, size_t *n, struct live *l)
{
	for (size_t i = 0; i < *n; i++)
		if (rows[i] == l)
			return;
	if (*n < RESULT_ROWS && l)
		rows[(*n)++] = l;
}

/* Jobs of a work that keeps a proof now are submit's turn, although they did not move. */
static void
add_woken(struct live **rows, size_t *n, const struct live *work)
{
	if (!work || work->kind != ROW_WORK || !work->kept)
		return;
	for (struct live *l = work->children; l; l = l->sibling)
		if (l->kind == ROW_JOB && l->state > JOB_FETCHED && l->state < JOB_SUBMITTING)
			add_row(rows, n, l);
}

/* A row that changed; of a work whose proof is there now, the jobs that it settles too. */
static void
add_touched(struct live **rows, size_t *n, struct live *l)
{
	add_row(rows, n, l);
	for (struct live *job = l && l->kind == ROW_WORK && l->kept ? l->children : NULL; job; job = job->sibling)
		if (job->kind == ROW_JOB && job->state >= JOB_READY && job->state <= JOB_PLACED)
			add_row(rows, n, job);
}

/* The rows of a refusal: those that the items name, as they are. */
static void
refuse(struct core *c, struct instance *inst, uint64_t seq, enum code code, const struct wire_item *items, size_t n)
{
	struct live *rows[RESULT_ROWS];
	size_t nrows = 0;

	for (size_t i = 0; i < n; i++) {
		struct live *l = items[i].id ? state_find(&c->state, items[i].kind, items[i].id) : NULL;
		if (!l && items[i].kind == ROW_JOB && items[i].from == 0)
			l = state_job_of(&c->state, items[i].set.chain, items[i].set.uuid);
		if (!l && items[i].kind == ROW_IDENTITY && items[i].from == 0)
			l = state_identity_of(&c->state, items[i].set.chain, items[i].set.identity);
		add_row(rows, &nrows, l);
	}
	answer(c, inst, seq, code, rows, nrows);
}

void
judge_group(struct core *c, struct instance *inst, uint64_t seq, const struct wire_item *items, size_t n)
{
	size_t mark = state_mark(&c->state), entries = c->nentries, nrows = 0;
	struct live *rows[RESULT_ROWS];
	enum code code = relies_hold(c, items, n) ? CODE_OK : CODE_CONFLICT;

	for (size_t i = 0; i < n && code == CODE_OK; i++) {
		struct trial t = { .c = c, .inst = inst, .it = &items[i], .by = { inst->id, inst->epoch, seq }, .alone = n == 1 };
		code = judge_item(&t);
		if ((code == CODE_CONFLICT || code == CODE_GONE) && is_fact(&items[i]))
			code = judge_fact(&t);
		add_row(rows, &nrows, t.live);
	}
	if (code != CODE_OK) {
		state_undo(&c->state, mark);
		undo_entries(c, entries);
		refuse(c, inst, seq, code, items, n);
		return;
	}
	for (size_t i = mark; i < c->state.nchanges; i++)
		add_touched(rows, &nrows, state_changed(&c->state, i));
	for (size_t i = mark; i < c->state.nchanges; i++)
		add_woken(rows, &nrows, state_changed(&c->state, i));
	answer(c, inst, seq, CODE_OK, rows, nrows);
}

/* Did this very move make the row, now or in its history?  A row that is not in memory: GONE. */
static enum code
made_by(struct core *c, const struct instance *inst, uint64_t seq, const struct wire_item *it, struct live *l)
{
	if (!l)
		return CODE_GONE;
	if (l->by.instance == inst->id && l->by.epoch == inst->epoch && l->by.seq == seq)
		return CODE_OK;
	return c->o.ops->made_by(c->o.store, l->kind, l->id, inst->id, inst->epoch, seq) == 1 ? CODE_OK : CODE_CONFLICT;
}

static struct live *
row_of_item(const struct core *c, const struct wire_item *it)
{
	if (it->id)
		return state_find(&c->state, it->kind, it->id);
	if (it->kind == ROW_JOB)
		return state_job_of(&c->state, it->set.chain, it->set.uuid);
	if (it->kind == ROW_IDENTITY)
		return state_identity_of(&c->state, it->set.chain, it->set.identity);
	return NULL;
}

void
judge_copy(struct core *c, struct instance *inst, uint64_t seq, const struct wire_item *items, size_t n)
{
	struct live *rows[RESULT_ROWS];
	size_t nrows = 0;
	enum code code = CODE_GONE;

	for (size_t i = 0; i < n; i++) {
		struct live *l = row_of_item(c, &items[i]);
		if (!l)
			continue;
		add_row(rows, &nrows, l);
		code = code == CODE_GONE || code == CODE_OK ? made_by(c, inst, seq, &items[i], l) : code;
	}
	if (!RULE(COPY_IS_SUCCESS))
		code = CODE_OK;
	answer(c, inst, seq, code, rows, nrows);
}

/* --- the clock --- */

static void
end_late_job(struct core *c, struct live *l)
{
	struct row r;

	state_row(l, &r);
	consequence(c, l, &r, JOB_LATE, CODE_LATE);
	end_job(c, l);
}

/* Does anybody drive its provider?  Only what was listened to can have been silent. */
static bool
is_driven(const struct core *c, const struct live *attempt)
{
	uint64_t heard_ms = c->awake_ms;

	for (size_t k = 0; k < c->ninstances; k++) {
		const struct instance *i = c->instances[k];
		if (i->principal & (BY_DISPATCH | BY_COORDINATOR) && i->heard &&
		    strcmp(i->provider, c->state.providers[attempt->provider].name) == 0)
			heard_ms = MAX2(heard_ms, i->heard_ms);
	}
	return c->now_ms < heard_ms + STRANDED_LEASES * c->o.lease_ms;
}

/* Nothing has left for this attempt, so it can be ended: when no job waits for it any more (that is not
 * the provider's failure), or when its provider is silent, and another may be asked. */
static void
end_unsent(struct core *c, struct live *l)
{
	bool wanted = has_child(l->work, ROW_JOB, JOB_FETCHED, JOB_SUBMITTING);
	struct row r, w;

	if (wanted && is_driven(c, l))
		return;
	state_row(l, &r);
	state_row(l->work, &w);
	r.rev++;
	book(c, &r, "reserved", w.chain, "budget", w.chain, r.price);
	r.rev--;
	consequence(c, l, &r, ATTEMPT_CANCELLED, wanted ? CODE_LEASE_LOST : CODE_LATE);
	if (wanted)
		note_failure(c, l->work, r.provider, CODE_LEASE_LOST);
	else
		refresh_work(c, l->work);
}

/* Nothing is under way for this work, and its last end lies back far enough. */
static bool
may_end(const struct core *c, const struct live *work)
{
	struct row w;
	uint64_t last = work->at_ms, keep = SETTLED_KEEP_MS;

	for (const struct live *l = work->children; l; l = l->sibling) {
		if ((l->kind == ROW_JOB && l->state < STATE_END) || is_open_attempt(l) || l->state == ATTEMPT_VERIFIED)
			return false;
		last = MAX2(last, l->at_ms);
		if (l->kind == ROW_ATTEMPT && l->state == ATTEMPT_UNCLE && keep == SETTLED_KEEP_MS) {
			state_row(work, &w);
			const struct core_chain *chain = core_chain_of(c, w.chain);
			keep = chain ? MAX2(chain->keep_ms, (uint64_t)SETTLED_KEEP_MS) : keep;
		}
	}
	return c->wall_ms >= last + keep;
}

static void
end_work(struct core *c, struct live *work)
{
	struct row w;

	for (struct live *l = work->children; l; l = l->sibling)
		if (l->kind == ROW_ATTEMPT && l->state == ATTEMPT_UNCLE)
			move_attempt(c, l, ATTEMPT_UNCLE_ENDED, CODE_UNCLE);
	state_row(work, &w);
	consequence(c, work, &w, WORK_ENDED, CODE_OK);
}

bool
judge_clock(struct core *c, size_t *at)
{
	struct live *l = NULL;
	uint64_t last = RULE(LATE_ANYWHERE) ? JOB_PLACED : JOB_SUBMITTING;

	for (size_t n = 0; n < SWEEP_PIECE && (l = map_next(&c->state.rows, at)); n++) {
		if (l->kind == ROW_JOB && l->state <= last && l->deadline_ms <= c->wall_ms)
			end_late_job(c, l);
		else if (l->kind == ROW_ATTEMPT && l->state == ATTEMPT_ALLOCATED)
			end_unsent(c, l);
		else if (l->kind == ROW_WORK && l->state == WORK_OPEN && may_end(c, l))
			end_work(c, l);
	}
	return l != NULL;
}
