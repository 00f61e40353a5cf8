/* settle.c - what submit decides.  See settle.h.
 *
 * A struct thing stands for a row, by kind and id, not by what is in hand: a post
 * under way outlives its row's being in hand (a reset, another submit), and its
 * answer is kept until the row comes back, for an hour at most. */
#include "cmd/submit/settle.h"

#include "common/diag.h"
#include "common/map.h"
#include "common/rule.h"

enum { ORPHAN_MS = 3600 * 1000, PURGE_MS = 60 * 1000 };

struct thing {
	uint64_t	 kind, id, key;
	bool		 held;
	bool		 busy;		/* verify or post under way */
	bool		 answered;	/* a post was, and the ledger does not know yet */
	enum settle_post post;		/* answered: how */
	uint64_t	 code;
	char		 detail[200];
	uint8_t		 proof[HASH_BYTES];	/* the one that the verifier has */
	uint64_t	 posts;		/* the count under which it was posted */
	uint64_t	 may_rev;	/* the version of the job that this process may post, 0 none */
	struct backoff	 again;
	uint64_t	 orphan_ms;	/* answered when nobody held it */
	struct thing	*next_orphan;
};

struct settle {
	struct settle_opts o;
	struct books	*books;
	struct map	 things;
	uint64_t	 draw;
	size_t		 posting;
	uint64_t	 purge_ms;	/* when to look for orphans again */
	uint64_t	 away_ms, away_code;		/* posts do not get through, since, why */
	uint64_t	 verifier_ms, verifier_code;	/* the same of verifiers */
};

struct settle *
settle_new(const struct settle_opts *o)
{
	struct settle *s = xzalloc(sizeof *s);

	s->o = *o;
	s->draw = o->seed;
	return s;
}

void
settle_free(struct settle **sp)
{
	struct settle *s = *sp;
	struct thing *t;
	size_t at = 0;

	if (!s)
		return;
	while ((t = map_next(&s->things, &at)))
		free(t);
	map_free(&s->things);
	free(s);
	*sp = NULL;
}

void
settle_bind(struct settle *s, struct books *books)
{
	s->books = books;
}

/* Things. */

struct name { uint64_t kind, id; };

static bool
is_it(const void *value, const void *arg)
{
	const struct thing *t = value;
	const struct name *n = arg;

	return t->kind == n->kind && t->id == n->id;
}

static struct thing *
find(const struct settle *s, uint64_t kind, uint64_t id)
{
	return map_get(&s->things, map_mix(kind, id), is_it, &(struct name){ kind, id });
}

static struct thing *
thing_of(struct settle *s, struct held *h)
{
	struct thing *t = find(s, h->row->kind, h->row->id);

	if (!t) {
		t = xzalloc(sizeof *t);
		t->kind = h->row->kind;
		t->id = h->row->id;
		t->key = map_mix(t->kind, t->id);
		map_put(&s->things, t->key, t);
	}
	t->held = true;
	h->own = t;
	return t;
}

static void
forget(struct settle *s, struct thing *t)
{
	map_del(&s->things, t->key, t);
	free(t);
}

/* Answers that nobody came back for. */
static void
purge(struct settle *s)
{
	struct thing *old = NULL, *t;
	size_t at = 0;

	if (clock_ms() < s->purge_ms)
		return;
	s->purge_ms = clock_ms() + PURGE_MS;
	while ((t = map_next(&s->things, &at)))
		if (!t->held && !t->busy && t->orphan_ms && clock_ms() >= t->orphan_ms + ORPHAN_MS) {
			t->next_orphan = old;
			old = t;
		}
	for (; old; old = t) {
		t = old->next_orphan;
		forget(s, old);
	}
}

static void
later(struct settle *s, struct held *h, struct thing *t)
{
	books_later(s->books, h, t->again.until_ms - MIN2(clock_ms(), t->again.until_ms) + 1);
}

/* Attempts. */

static void
act_proved(struct settle *s, struct thing *t, struct held *h)
{
	if (t->busy)
		return;
	if (backoff_waits(&t->again)) {
		later(s, h, t);
		return;
	}
	t->busy = true;
	memcpy(t->proof, h->row->proof_blob, sizeof t->proof);
	s->o.ops->verify(s->o.arg, h->row);
}

static void
judged(struct settle *s, struct held *h, struct thing *t, enum settle_verdict v, uint64_t code)
{
	struct row set = { 0 };

	SET(&set, detail, span_str(t->detail));
	if (v == VERDICT_BAD)
		diag(DIAG_WARN, "proof-bad", "attempt=%" PRIu64 " provider=%.*s detail=%s", h->row->id,
		    SPAN_ARG(h->row->provider), diag_quote(t->detail));
	books_step(s->books, h, v == VERDICT_GOOD ? ATTEMPT_VERIFIED : ATTEMPT_FAILED, code, v == VERDICT_GOOD ? NULL : &set);
}

static void
not_judged(struct settle *s, struct held *h, struct thing *t, uint64_t code)
{
	uint64_t wait = backoff_fail(&t->again, s->o.backoff_ms, s->o.backoff_max_ms, &s->draw);

	diag(DIAG_WARN, "not-verified", "attempt=%" PRIu64 " code=%s again_ms=%" PRIu64 " detail=%s", t->id,
	    code_word(code), wait, diag_quote(t->detail));
	if (!s->verifier_ms)
		s->verifier_ms = clock_ms();
	s->verifier_code = code;
	books_changed(s->books);
	later(s, h, t);
}

void
settle_verified(struct settle *s, uint64_t attempt, enum settle_verdict v, uint64_t code, struct span detail)
{
	struct thing *t = find(s, ROW_ATTEMPT, attempt);
	struct held *h = books_find(s->books, ROW_ATTEMPT, attempt);

	if (v != VERDICT_NONE)
		s->verifier_ms = 0;
	if (!t)
		return;
	t->busy = false;
	snprintf(t->detail, sizeof t->detail, "%.*s", SPAN_ARG(detail));
	if (!h || h->moving || h->row->state != ATTEMPT_PROVED)
		return;
	if (memcmp(t->proof, h->row->proof_blob, sizeof t->proof) != 0)
		act_proved(s, t, h);		/* another submit has judged that one, and this is another */
	else if (v == VERDICT_NONE)
		not_judged(s, h, t, code);
	else
		judged(s, h, t, v, code);
}

/* Jobs. */

static void
act_proof_there(struct settle *s, struct thing *t, struct held *h)
{
	struct row set = { 0 };

	if (!HAS(h->row, kept) || !h->row->kept) {
		books_drop(s->books, h);
		return;
	}
	SET(&set, posts, 1);
	SET(&set, attempt, h->row->kept);
	books_step(s->books, h, JOB_SUBMITTING, CODE_OK, &set);
}

/* Durable first: another post. */
static void
count(struct settle *s, struct held *h, uint64_t code, const char *detail)
{
	struct row set = { 0 };

	SET(&set, posts, h->row->posts + 1);
	SET(&set, detail, span_str(detail));
	books_step(s->books, h, JOB_SUBMITTING, code, &set);
}

static void
post(struct settle *s, struct thing *t, struct held *h)
{
	if (backoff_waits(&t->again)) {
		later(s, h, t);
		return;
	}
	t->busy = true;
	t->posts = h->row->posts;
	s->posting++;
	s->o.ops->post(s->o.arg, h->row);
}

/* What a final answer makes of a job. */
static const struct {
	bool		final;
	uint64_t	state, code;
} ends[POSTS] = {
	[POST_TAKEN]	 = { true, JOB_SUBMITTED, CODE_OK },
	[POST_TWICE]	 = { true, JOB_LATE, CODE_TWICE },
	[POST_ALREADY]	 = { true, JOB_GIVEN_UP, CODE_ALREADY_PROVED },
	[POST_BAD_PROOF] = { true, JOB_GIVEN_UP, CODE_REFUSED_PROOF },
	[POST_BAD_SHAPE] = { true, JOB_GIVEN_UP, CODE_REFUSED_SHAPE },
};

static void
end(struct settle *s, struct thing *t, struct held *h)
{
	uint64_t state = ends[t->post].state, code = ends[t->post].code;
	struct row set = { 0 };

	/* an earlier post was not answered: that one was taken, it seems */
	if (t->post == POST_TWICE && h->row->posts > 1 && RULE(TWICE_IS_LATE)) {
		state = JOB_SUBMITTED;
		code = CODE_PRESUMED;
	}
	/* the proof that was first is ours: another job of the work delivered it */
	if (t->post == POST_ALREADY && HAS(h->row, owed))
		state = JOB_SUBMITTED;
	SET(&set, detail, span_str(t->detail));
	diag(state == JOB_SUBMITTED ? DIAG_INFO : DIAG_WARN, "settled", "job=%" PRIu64 " state=%s code=%s posts=%" PRIu64
	    " detail=%s", h->row->id, row_state_name(ROW_JOB, state), code_word(code), h->row->posts, diag_quote(t->detail));
	const struct row *r = h->row;
	struct books_item item = { .kind = r->kind, .id = r->id, .rev = r->rev, .from = r->state, .to = state,
		.code = code, .set = &set };
	books_move(s->books, h, r->id, &item, 1);
}

/* The ledger has, or has not, the end of a job: until it has, the answer is kept. */
void
settle_told(struct settle *s, uint64_t token, uint64_t code, const struct row *first)
{
	struct thing *t = find(s, ROW_JOB, token);

	if (t && (code == CODE_OK || code == CODE_GONE || (first && first->state >= STATE_END)))
		t->answered = false;
}

/* An answer is there.  True: it was for this version of the row, and the row goes its way. */
static bool
apply(struct settle *s, struct thing *t, struct held *h)
{
	if (ends[t->post].final) {
		end(s, t, h);
		return true;
	}
	if (t->posts != h->row->posts) {
		t->answered = false;	/* counted again since then */
		return false;
	}
	if (t->post == POST_UNANSWERED && RULE(NO_SUBMIT_INTENT)) {
		count(s, h, t->code, t->detail);
		return true;
	}
	/* surely not taken: the count stands */
	t->answered = false;
	t->may_rev = h->row->rev;
	later(s, h, t);
	return true;
}

static void
act_submitting(struct settle *s, struct thing *t, struct held *h)
{
	if (h->fresh)
		t->may_rev = h->row->rev;
	if (t->busy || (t->answered && apply(s, t, h)))
		return;
	if (t->may_rev == h->row->rev || !RULE(NO_SUBMIT_INTENT))
		post(s, t, h);
	else
		count(s, h, CODE_POST_FAILED, "a post of an earlier process may be there");
}

void
settle_act(struct settle *s, struct held *h)
{
	static const struct {
		uint64_t kind, state;
		void	(*fn)(struct settle *, struct thing *, struct held *);
	} table[] = {
		{ ROW_ATTEMPT, ATTEMPT_PROVED, act_proved },
		{ ROW_JOB, JOB_READY, act_proof_there },
		{ ROW_JOB, JOB_QUEUED, act_proof_there },
		{ ROW_JOB, JOB_PLACED, act_proof_there },
		{ ROW_JOB, JOB_SUBMITTING, act_submitting },
	};

	for (size_t i = 0; i < NELEM(table); i++)
		if (table[i].kind == h->row->kind && table[i].state == h->row->state) {
			table[i].fn(s, thing_of(s, h), h);
			return;
		}
	books_drop(s->books, h);
}

/* A post under way goes on, and what it brings is kept. */
void
settle_lose(struct settle *s, struct held *h)
{
	struct thing *t = h->own;

	h->own = NULL;
	if (!t)
		return;
	t->held = false;
	t->may_rev = 0;
	t->orphan_ms = clock_ms();
	if (t->kind == ROW_ATTEMPT && t->busy)
		s->o.ops->forget(s->o.arg, t->id);
	if (t->kind == ROW_ATTEMPT || !(t->busy || t->answered))
		forget(s, t);
}

/* Posts get through again: those that wait need not wait as long. */
static void
hurry(struct settle *s)
{
	struct thing *t;
	size_t at = 0;

	while ((t = map_next(&s->things, &at))) {
		struct held *h = t->held && t->kind == ROW_JOB && !t->busy ? books_find(s->books, t->kind, t->id) : NULL;
		if (!h || h->moving || !backoff_waits(&t->again))
			continue;
		t->again.until_ms = MIN2(t->again.until_ms, clock_ms() + backoff_jitter(&s->draw, s->o.backoff_ms));
		later(s, h, t);
	}
}

static void
got_through(struct settle *s, struct thing *t)
{
	backoff_ok(&t->again);
	if (!s->away_ms)
		return;
	diag(DIAG_INFO, "posts-taken-again", "away_ms=%" PRIu64, clock_ms() - s->away_ms);
	s->away_ms = 0;
	books_changed(s->books);
	hurry(s);
}

static void
not_taken(struct settle *s, struct thing *t)
{
	uint64_t wait = backoff_fail(&t->again, s->o.backoff_ms, s->o.backoff_max_ms, &s->draw);

	diag(DIAG_WARN, "post-failed", "job=%" PRIu64 " code=%s again_ms=%" PRIu64 " detail=%s", t->id,
	    code_word(t->code), wait, diag_quote(t->detail));
	if (!s->away_ms)
		s->away_ms = clock_ms();
	s->away_code = t->code;
	books_changed(s->books);
}

void
settle_posted(struct settle *s, uint64_t job, enum settle_post how, uint64_t code, struct span detail)
{
	struct thing *t = find(s, ROW_JOB, job);
	struct held *h = books_find(s->books, ROW_JOB, job);

	if (!t || !t->busy)
		bug("answer to no post, job %" PRIu64, job);
	s->posting--;
	t->busy = false;
	t->answered = true;
	t->post = how;
	t->code = code;
	snprintf(t->detail, sizeof t->detail, "%.*s", SPAN_ARG(detail));
	(ends[how].final ? got_through : not_taken)(s, t);
	if (h && !h->moving && h->row->state == JOB_SUBMITTING)
		act_submitting(s, t, h);
	else
		t->orphan_ms = clock_ms();
	purge(s);
}

static uint64_t
seconds_since(uint64_t ms)
{
	return (clock_ms() - MIN2(ms, clock_ms())) / 1000;
}

void
settle_levels(struct settle *s, struct tick *t)
{
	if (s->away_ms)
		snprintf(t->note, sizeof t->note, "proofs are not taken for %" PRIu64 " s: %s",
		    seconds_since(s->away_ms), code_word(s->away_code));
	else if (s->verifier_ms)
		snprintf(t->note, sizeof t->note, "proofs are not verified for %" PRIu64 " s: %s",
		    seconds_since(s->verifier_ms), code_word(s->verifier_code));
}

void
settle_reset(struct settle *s)
{
	purge(s);
}

size_t
settle_pending(const struct settle *s)
{
	return s->posting;
}
