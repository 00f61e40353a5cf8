/* fetch.c - what task-fetch decides.  See fetch.h.
 *
 * One struct ident per identity says what is going on with it:
 *
 *   FREE     nothing; it may be ready
 *   GRANTED  the ledger granted a poll that has not begun (polls are staggered)
 *   POLLING  the Coordinator was asked and has not answered
 *   TELLING  it gave a task that the ledger has not taken yet
 *
 * All but FREE are stated as polls under way.  A reset forgets grants; polls
 * and tasks survive it.  What an answer means for the identity's row is kept as a
 * `want` until the ledger has it. */
#include "cmd/task-fetch/fetch.h"

#include "common/diag.h"

enum doing { FREE, GRANTED, POLLING, TELLING };
enum { ASK_MS = 250 };		/* what the ledger knows comes within this; the rest is created */

/* Tokens of creations: the identity's index, and what was created. */
enum { TOKEN_IDENTITY = 1, TOKEN_JOB = 2 };
#define TOKEN(what, index)	((uint64_t)(what) << 32 | (index))

struct want {
	bool		 set;
	uint64_t	 state, code, again, until_ms;
	bool		 has_again;
	char		 detail[160];
};

struct ident {
	uint64_t	 index, row;	/* row: its id in the ledger, 0 not known */
	enum doing	 doing;
	uint64_t	 type;		/* GRANTED, POLLING */
	uint64_t	 begin_ms;	/* GRANTED: when; POLLING: since */
	uint64_t	 pause_ms;	/* no poll before */
	bool		 signed_in;
	bool		 creating;	/* its row was asked for in this epoch */
	bool		 blocked;	/* the Coordinator told this process so */
	bool		 stranger;	/* the ledger knows it with another key */
	struct want	 want;
	struct backoff	 refused;	/* refusals in a row */
	struct row	*task;		/* TELLING */
	bool		 bad;
	struct backoff	 telling;	/* the ledger could not take it */
};

struct fetch {
	struct fetch_opts o;
	char		*chain, *coordinator;
	char		(*pubkeys)[67];
	struct ident	*idents;
	struct books	*books;
	uint64_t	 draw;
	uint64_t	 create_ms;	/* when unknown identities are created; 0: no epoch */
	uint64_t	 next_begin_ms;
	uint64_t	 wake_ms;
	size_t		 turn;		/* where the list of ready ones begins */
	size_t		 pending;	/* POLLING or TELLING */
	struct backoff	 polls;		/* the Coordinator did not answer polls */
	uint64_t	 away_ms;	/* nor logins, since; 0: it does */
};

struct fetch *
fetch_new(const struct fetch_opts *o)
{
	struct fetch *f = xzalloc(sizeof *f);

	f->o = *o;
	f->o.n = MIN2(o->n, POLLS_MAX);
	f->o.types = o->types ? o->types : (1 << TYPE_CHUNK | 1 << TYPE_BATCH | 1 << TYPE_BUNDLE);
	f->chain = xstrdup(o->chain);
	f->coordinator = xstrdup(o->coordinator);
	f->pubkeys = xzalloc(MAX2(f->o.n, 1) * sizeof *f->pubkeys);
	f->idents = xzalloc(MAX2(f->o.n, 1) * sizeof *f->idents);
	f->draw = o->seed;
	f->wake_ms = UINT64_MAX;
	for (size_t i = 0; i < f->o.n; i++) {
		f->idents[i].index = i;
		snprintf(f->pubkeys[i], sizeof f->pubkeys[i], "%s", o->pubkeys[i]);
	}
	return f;
}

void
fetch_free(struct fetch **fp)
{
	struct fetch *f = *fp;

	if (!f)
		return;
	for (size_t i = 0; i < f->o.n; i++)
		free(f->idents[i].task);
	free(f->idents);
	free(f->pubkeys);
	free(f->chain);
	free(f->coordinator);
	free(f);
	*fp = NULL;
}

void
fetch_bind(struct fetch *f, struct books *books)
{
	f->books = books;
}

static void
wake(struct fetch *f, uint64_t at_ms)
{
	f->wake_ms = MIN2(f->wake_ms, at_ms);
}

static void
set_doing(struct fetch *f, struct ident *i, enum doing doing)
{
	f->pending -= i->doing >= POLLING;
	f->pending += doing >= POLLING;
	i->doing = doing;
	books_changed(f->books);
}

static struct held *
row_of(struct fetch *f, const struct ident *i)
{
	return i->row ? books_find(f->books, ROW_IDENTITY, i->row) : NULL;
}

/* Rows of identities. */

static void
step(struct fetch *f, struct held *h, const struct want *w)
{
	struct row set = { 0 };

	if (w->state == IDENTITY_RESTING)
		SET(&set, until_ms, w->until_ms);
	SET(&set, detail, span_str(w->detail));
	if (w->has_again)
		SET(&set, again, w->again);
	books_step(f->books, h, w->state, w->code, &set);
}

/* Tell the ledger what an answer meant, when its row is here. */
static void
apply(struct fetch *f, struct ident *i)
{
	struct held *h = row_of(f, i);

	if (i->want.set && h && !h->moving && h->row->state == IDENTITY_IDLE)
		step(f, h, &i->want);
}

static void
pause_until(struct fetch *f, struct ident *i, uint64_t at_ms)
{
	i->pause_ms = MAX2(i->pause_ms, at_ms);
	wake(f, i->pause_ms);
}

static void
act_idle(struct fetch *f, struct ident *i, struct held *h)
{
	if (h->fresh && !h->due)
		i->want.set = false;
	apply(f, i);
	books_changed(f->books);
}

static void
act_holding(struct fetch *f, struct ident *i, struct held *h)
{
	i->want.set = false;
	books_changed(f->books);
}

static void
act_resting(struct fetch *f, struct ident *i, struct held *h)
{
	uint64_t now = books_wall_ms(f->books);

	i->want.set = false;
	books_changed(f->books);
	if (h->row->until_ms > now)
		books_later(f->books, h, h->row->until_ms - now);
	else
		step(f, h, &(struct want){ .state = IDENTITY_IDLE });
}

/* What an earlier process was told may be over: the first poll tells.  One that holds a job holds it still. */
static void
act_blocked(struct fetch *f, struct ident *i, struct held *h)
{
	act_holding(f, i, h);
	if (!i->blocked && h->row->job == 0)
		step(f, h, &(struct want){ .state = IDENTITY_IDLE });
}

static bool
is_ours(struct fetch *f, const struct row *row)
{
	return row->kind == ROW_IDENTITY && span_is(row->chain, f->chain) && row->identity < f->o.n;
}

static void
check_key(struct fetch *f, struct ident *i, const struct row *row)
{
	bool stranger = HAS(row, pubkey) && !span_is(row->pubkey, f->pubkeys[i->index]);

	if (stranger && !i->stranger)
		diag(DIAG_ERROR, "identity-key", "identity=%" PRIu64 " ours=%s ledger=%.*s hint=%s", i->index,
		    f->pubkeys[i->index], SPAN_ARG(row->pubkey), diag_quote("was the seed file replaced?"));
	i->stranger = stranger;
}

void
fetch_act(struct fetch *f, struct held *h)
{
	static void (*const on[])(struct fetch *, struct ident *, struct held *) = {
		[IDENTITY_IDLE] = act_idle,
		[IDENTITY_HOLDING] = act_holding,
		[IDENTITY_RESTING] = act_resting,
		[IDENTITY_BLOCKED] = act_blocked,
	};

	if (!is_ours(f, h->row)) {
		books_drop(f->books, h);
		return;
	}
	struct ident *i = &f->idents[h->row->identity];
	/* a process that begins does not know when the poll that was cut off began */
	if (i->row == 0 && h->row->again)
		pause_until(f, i, clock_ms() + f->o.timeout_ms);
	i->row = h->row->id;
	check_key(f, i, h->row);
	if (h->row->state < NELEM(on) && on[h->row->state])
		on[h->row->state](f, i, h);
}

void
fetch_lose(struct fetch *f, struct held *h)
{
	if (is_ours(f, h->row))
		books_changed(f->books);
}

/* Moves and creations. */

static void
create_identity(struct fetch *f, struct ident *i)
{
	struct row set = { 0 };

	SET(&set, chain, span_str(f->chain));
	SET(&set, identity, i->index);
	SET(&set, pubkey, span_str(f->pubkeys[i->index]));
	struct books_item item = { .kind = ROW_IDENTITY, .to = IDENTITY_IDLE, .set = &set };
	i->creating = true;
	books_move(f->books, NULL, TOKEN(TOKEN_IDENTITY, i->index), &item, 1);
}

static void
tell(struct fetch *f, struct ident *i)
{
	struct books_item item = { .kind = ROW_JOB, .to = JOB_FETCHED, .set = i->task };

	i->telling.until_ms = 0;
	if (f->create_ms)
		books_move(f->books, NULL, TOKEN(TOKEN_JOB, i->index), &item, 1);
}

static void
give_up(struct fetch *f, const struct row *job)
{
	struct books_item item = { .kind = ROW_JOB, .id = job->id, .rev = job->rev, .from = JOB_FETCHED,
		.to = JOB_GIVEN_UP, .code = CODE_TASK_BAD };

	books_move(f->books, NULL, 0, &item, 1);
}

/* Rest until its task's collection time is over: it holds one that we cannot do anything for. */
static void
want_rest(struct fetch *f, struct ident *i, uint64_t ms, uint64_t code, struct span detail)
{
	i->want = (struct want){ .set = true, .state = IDENTITY_RESTING, .code = code,
		.until_ms = books_wall_ms(f->books) + ms };
	snprintf(i->want.detail, sizeof i->want.detail, "%.*s", SPAN_ARG(detail));
	pause_until(f, i, clock_ms() + MIN2(ms, f->o.poll_ms));
}

static void
job_told(struct fetch *f, struct ident *i, uint64_t code, const struct row *first)
{
	bool ended = code == CODE_GONE || (first && first->state >= STATE_END);

	if (code != CODE_OK && code != CODE_CONFLICT && code != CODE_GONE) {
		uint64_t wait = backoff_fail(&i->telling, f->o.backoff_ms, f->o.backoff_max_ms, &f->draw);
		diag(DIAG_WARN, "job-not-taken", "identity=%" PRIu64 " uuid=%.*s code=%s again_ms=%" PRIu64, i->index,
		    SPAN_ARG(i->task->uuid), code_word(code), wait);
		wake(f, i->telling.until_ms);
		return;
	}
	if (code == CODE_OK && i->bad && first)
		give_up(f, first);
	if (code != CODE_OK && ended)
		want_rest(f, i, f->o.collection_ms[i->type], CODE_ALREADY_ASSIGNED, SPAN("a task that has ended here came again"));
	free(i->task);
	i->task = NULL;
	backoff_ok(&i->telling);
	set_doing(f, i, FREE);
	apply(f, i);
}

void
fetch_told(struct fetch *f, uint64_t token, uint64_t code, const struct row *first)
{
	uint64_t index = token & UINT32_MAX;
	struct ident *i = index < f->o.n ? &f->idents[index] : NULL;

	if (!i)
		return;
	if (token >> 32 == TOKEN_JOB && i->doing == TELLING)
		job_told(f, i, code, first);
	if (token >> 32 == TOKEN_IDENTITY && code != CODE_OK && code != CODE_CONFLICT) {
		diag(DIAG_WARN, "identity-not-taken", "identity=%" PRIu64 " code=%s", index, code_word(code));
		i->creating = false;
		f->create_ms = clock_ms() + f->o.backoff_ms;
		wake(f, f->create_ms);
	}
}

void
fetch_reset(struct fetch *f)
{
	f->create_ms = clock_ms() + ASK_MS;
	f->next_begin_ms = 0;
	wake(f, f->create_ms);
	for (size_t k = 0; k < f->o.n; k++) {
		struct ident *i = &f->idents[k];
		i->creating = false;
		if (i->doing == GRANTED)
			set_doing(f, i, FREE);
		if (i->doing == TELLING)
			tell(f, i);
	}
}

/* Answers of the Coordinator. */

static void
away(struct fetch *f, struct ident *i, const struct fetch_result *r)
{
	if (f->polls.tries == 0)
		diag(DIAG_WARN, "coordinator-away", "coordinator=%s code=%s detail=%.*s", f->coordinator,
		    code_word(r->code), SPAN_ARG(r->detail));
	/* polls that began together fail together: that is one failure */
	if (!backoff_waits(&f->polls))
		backoff_fail(&f->polls, f->o.backoff_ms, f->o.backoff_max_ms, &f->draw);
	pause_until(f, i, f->polls.until_ms);
}

static void
here(struct fetch *f)
{
	if (f->polls.tries > 0)
		diag(DIAG_INFO, "coordinator-back", "coordinator=%s away_ms=%" PRIu64, f->coordinator,
		    clock_ms() - f->polls.since_ms);
	backoff_ok(&f->polls);
}

static void
on_task(struct fetch *f, struct ident *i, const struct fetch_result *r)
{
	struct row job = *r->task;
	uint64_t now = books_wall_ms(f->books), type = job.type >= 1 && job.type <= TYPE_MAX ? job.type : i->type;

	SET(&job, chain, span_str(f->chain));
	SET(&job, identity, i->index);
	SET(&job, fetched_ms, now);
	SET(&job, deadline_ms, now + f->o.collection_ms[type]);
	if (r->detail.n)
		SET(&job, detail, r->detail);
	backoff_ok(&i->refused);
	i->task = row_keep(&job);
	i->bad = r->bad;
	i->type = type;
	set_doing(f, i, TELLING);
	tell(f, i);
}

static void
on_empty(struct fetch *f, struct ident *i, const struct fetch_result *r)
{
	struct held *h = row_of(f, i);

	backoff_ok(&i->refused);
	pause_until(f, i, clock_ms() + backoff_jitter(&f->draw, f->o.poll_ms));
	if (i->want.has_again || (h && h->row->again))
		i->want = (struct want){ .set = true, .state = IDENTITY_IDLE, .has_again = true };
}

static void
on_assigned(struct fetch *f, struct ident *i, const struct fetch_result *r)
{
	want_rest(f, i, f->o.collection_ms[i->type], r->code, r->detail);
	i->want.has_again = true;
}

static void
on_blocked(struct fetch *f, struct ident *i, const struct fetch_result *r)
{
	want_rest(f, i, f->o.backoff_max_ms, r->code, r->detail);
	i->want.state = IDENTITY_BLOCKED;
	i->blocked = true;
	diag(DIAG_ERROR, "identity-blocked", "identity=%" PRIu64 " pubkey=%s", i->index, f->pubkeys[i->index]);
}

static void
on_refused(struct fetch *f, struct ident *i, const struct fetch_result *r)
{
	uint64_t ms = backoff_fail(&i->refused, f->o.rest_ms, f->o.backoff_max_ms, &f->draw);

	want_rest(f, i, ms, r->code, r->detail);
}

static void
on_not_sent(struct fetch *f, struct ident *i, const struct fetch_result *r)
{
	away(f, i, r);
}

/* The first may still run there: the same type again, but not before it cannot any more.  One that was cut
 * off in the middle began at some time before now. */
static void
on_unanswered(struct fetch *f, struct ident *i, const struct fetch_result *r)
{
	away(f, i, r);
	if (clock_ms() < i->begin_ms + f->o.timeout_ms)
		pause_until(f, i, clock_ms() + f->o.timeout_ms);
	i->want = (struct want){ .set = true, .state = IDENTITY_IDLE, .code = r->code, .has_again = true, .again = i->type };
	snprintf(i->want.detail, sizeof i->want.detail, "%.*s", SPAN_ARG(r->detail));
}

void
fetch_answer(struct fetch *f, uint64_t identity, const struct fetch_result *r)
{
	static void (*const on[FETCH_OUTCOMES])(struct fetch *, struct ident *, const struct fetch_result *) = {
		[FETCH_TASK] = on_task, [FETCH_EMPTY] = on_empty, [FETCH_ASSIGNED] = on_assigned,
		[FETCH_BLOCKED] = on_blocked, [FETCH_REFUSED] = on_refused,
		[FETCH_NOT_SENT] = on_not_sent, [FETCH_UNANSWERED] = on_unanswered,
	};

	if (identity >= f->o.n || f->idents[identity].doing != POLLING)
		bug("answer to no poll, identity %" PRIu64, identity);
	struct ident *i = &f->idents[identity];
	if (r->outcome != FETCH_NOT_SENT && r->outcome != FETCH_UNANSWERED)
		here(f);
	set_doing(f, i, FREE);
	on[r->outcome](f, i, r);
	apply(f, i);
}

void
fetch_signed_in(struct fetch *f, uint64_t identity, bool yes)
{
	if (identity >= f->o.n || f->idents[identity].signed_in == yes)
		return;
	f->idents[identity].signed_in = yes;
	books_changed(f->books);
}

void
fetch_away(struct fetch *f, uint64_t since_ms)
{
	f->away_ms = since_ms;
	books_changed(f->books);
}

/* Grants. */

static bool
is_away(const struct fetch *f)
{
	return f->away_ms || backoff_waits(&f->polls);
}

static bool
is_ready(struct fetch *f, const struct ident *i)
{
	struct held *h = row_of(f, i);

	return h && !h->moving && h->row->state == IDENTITY_IDLE && i->doing == FREE && i->signed_in &&
	    !i->stranger && !i->want.set && clock_ms() >= i->pause_ms;
}

static void
begin(struct fetch *f, struct ident *i)
{
	i->begin_ms = clock_ms();
	f->next_begin_ms = i->begin_ms + f->o.stagger_ms;
	set_doing(f, i, POLLING);
	f->o.ops->poll(f->o.arg, i->index, i->type);
}

static void
granted(struct fetch *f, const struct poll *g)
{
	struct ident *i = g->identity < f->o.n ? &f->idents[g->identity] : NULL;

	/* a late grant: the next TICK says what is true */
	if (!i || g->type > TYPE_MAX || !(f->o.types >> g->type & 1) || is_away(f) || !is_ready(f, i) ||
	    (row_of(f, i)->row->again && row_of(f, i)->row->again != g->type)) {
		books_changed(f->books);
		return;
	}
	i->type = g->type;
	i->begin_ms = MAX2(clock_ms(), f->next_begin_ms);
	f->next_begin_ms = i->begin_ms + f->o.stagger_ms;
	set_doing(f, i, GRANTED);
	wake(f, i->begin_ms);
}

void
fetch_news(struct fetch *f, const struct news *n)
{
	for (size_t k = 0; k < n->ngrants; k++)
		granted(f, &n->grants[k]);
}

/* A grant whose moment has come; it may have become void meanwhile. */
static void
begin_granted(struct fetch *f, struct ident *i)
{
	set_doing(f, i, FREE);
	if (!is_away(f) && is_ready(f, i))
		begin(f, i);
}

/* Levels. */

/* While the Coordinator is in doubt one poll tries it, then all the others. */
static size_t
ready_max(const struct fetch *f, const struct tick *t)
{
	if (is_away(f))
		return 0;
	if (f->polls.tries > 0)
		return t->npolls ? 0 : 1;
	return POLLS_MAX;
}

static void
note_idle(struct fetch *f, struct tick *t)
{
	for (size_t k = 0; k < f->o.n; k++) {
		struct ident *i = &f->idents[k];
		struct held *h = row_of(f, i);
		uint64_t now = books_wall_ms(f->books);
		if (!h || h->row->state < IDENTITY_RESTING)
			continue;
		if (h->row->state == IDENTITY_BLOCKED)
			snprintf(t->note, sizeof t->note, "identity %zu is blocked by coordinator %s", k, f->coordinator);
		else
			snprintf(t->note, sizeof t->note, "identity %zu rests %" PRIu64 " s: %s", k,
			    (h->row->until_ms - MIN2(now, h->row->until_ms) + 999) / 1000, code_word(h->row->code));
		return;
	}
}

static void
note(struct fetch *f, struct tick *t)
{
	uint64_t since = f->away_ms ? f->away_ms : f->polls.since_ms;
	size_t strangers = 0, out = 0;

	for (size_t k = 0; k < f->o.n; k++) {
		strangers += f->idents[k].stranger;
		out += !f->idents[k].signed_in;
	}
	if (f->away_ms || f->polls.tries > 0)
		snprintf(t->note, sizeof t->note, "coordinator %s away for %" PRIu64 " s", f->coordinator,
		    (clock_ms() - MIN2(since, clock_ms())) / 1000);
	else if (strangers)
		snprintf(t->note, sizeof t->note, "%zu identities have another key in the ledger: was the seed file replaced?", strangers);
	else if (out && t->npolls + t->nready == 0)
		snprintf(t->note, sizeof t->note, "%zu of %zu identities are not signed in at coordinator %s", out, f->o.n, f->coordinator);
	else if (t->npolls + t->nready == 0)
		note_idle(f, t);
}

/* The type of a poll that was cut off and may have brought a task; 0: none. */
static uint64_t
cut_off_type(struct fetch *f, const struct ident *i)
{
	struct held *h = row_of(f, i);

	if (i->doing != FREE)
		return 0;
	return i->want.set && i->want.has_again ? i->want.again : h ? h->row->again : 0;
}

static bool
is_stated(const struct tick *t, uint64_t identity)
{
	for (size_t k = 0; k < t->nready; k++)
		if (t->ready[k].identity == identity)
			return true;
	return false;
}

void
fetch_levels(struct fetch *f, struct tick *t)
{
	snprintf(t->chain, sizeof t->chain, "%s", f->chain);
	t->types = f->o.types;
	t->npolls = t->nready = 0;
	for (size_t k = 0; k < f->o.n; k++)
		if (f->idents[k].doing != FREE)
			t->polls[t->npolls++] = (struct poll){ k, f->idents[k].type };
	size_t max = ready_max(f, t);
	for (size_t k = 0; k < f->o.n && t->nready < max; k++) {
		struct ident *i = &f->idents[(f->turn + k) % f->o.n];
		if (is_ready(f, i))
			t->ready[t->nready++] = (struct poll){ i->index, row_of(f, i)->row->again };
	}
	/* a poll that was cut off counts as under way until it is asked again */
	for (size_t k = 0; k < f->o.n; k++)
		if (cut_off_type(f, &f->idents[k]) && !is_stated(t, k))
			t->polls[t->npolls++] = (struct poll){ k, cut_off_type(f, &f->idents[k]) };
	/* one that was chosen to try the Coordinator goes behind the others */
	if (f->polls.tries > 0 && t->nready)
		f->turn = t->ready[0].identity + 1;
	note(f, t);
}

/* What is due. */

static void
ident_turn(struct fetch *f, struct ident *i, uint64_t now)
{
	if (i->doing == GRANTED && i->begin_ms <= now)
		begin_granted(f, i);
	if (i->doing == TELLING && i->telling.until_ms && i->telling.until_ms <= now)
		tell(f, i);
	if (f->create_ms && f->create_ms <= now && !row_of(f, i) && !i->creating)
		create_identity(f, i);
	if (i->pause_ms && i->pause_ms <= now) {
		i->pause_ms = 0;
		books_changed(f->books);
	}
}

static void
ident_wake(struct fetch *f, const struct ident *i)
{
	if (i->doing == GRANTED)
		wake(f, i->begin_ms);
	if (i->doing == TELLING && i->telling.until_ms)
		wake(f, i->telling.until_ms);
	if (f->create_ms && !i->row && !i->creating)
		wake(f, f->create_ms);
	if (i->pause_ms)
		wake(f, i->pause_ms);
}

uint64_t
fetch_turn(struct fetch *f)
{
	uint64_t now = clock_ms();

	if (now < f->wake_ms)
		return f->wake_ms;
	for (size_t k = 0; k < f->o.n; k++)
		ident_turn(f, &f->idents[k], now);
	f->wake_ms = UINT64_MAX;
	for (size_t k = 0; k < f->o.n; k++)
		ident_wake(f, &f->idents[k]);
	return f->wake_ms;
}

size_t
fetch_pending(const struct fetch *f)
{
	return f->pending;
}
