/* core.c - what the prover decides.  See core.h.
 *
 * A worker is one identity; what it does next is a row of `steps`, taken when its moment (at_ms) has come and no
 * call of it is under way.  The order of steps is that of the states in core.h. */
#include "cmd/prover/core.h"

#include "common/diag.h"
#include "common/rows.h"

enum { DISK_MS = 1000 };		/* a file op that failed is tried again after it */

enum doing { RESTS, POLLS, KEEPS, BUILDS, WAITS, PROVES, FINISHES, POSTS, CLEARS, PARKED, DOINGS };
static const char *const doing_words[DOINGS] = {
	[RESTS] = "rest", [POLLS] = "poll", [KEEPS] = "wait for the disk", [BUILDS] = "wait for their input",
	[WAITS] = "wait for the command", [PROVES] = "prove", [FINISHES] = "wait for the disk", [POSTS] = "submit",
	[CLEARS] = "wait for the disk", [PARKED] = "are done",
};

/* A task asked for by name. */
struct wish {
	char		*task_id;
	uint64_t	 types;		/* not asked for yet */
	struct wish	*next;
};

struct worker {
	struct core	*core;
	uint32_t	 identity;
	enum doing	 doing;
	bool		 busy;		/* a call is under way */
	bool		 polls;
	bool		 left;		/* another's business */
	bool		 has;		/* rec is a task */
	bool		 named;		/* its end is told */
	bool		 aside;		/* CLEARS: not removed but put aside */
	uint64_t	 at_ms;		/* not before; UINT64_MAX: not before something happens */
	uint64_t	 able;
	struct record	 rec;
	uint32_t	 tries, failures;	/* what its name is to say */
	bool		 ordered;	/* an order of this number of failures may be there */
	bool		 counted;	/* PROVES: what is under way is a new try */
	uint32_t	 lost;		/* PROOF_LOST in a row, the last one for this reason: */
	enum code	 lost_code;
	char		 lost_why[256];
	struct backoff	 trouble;
	uint64_t	 keep_ms;	/* when its end is written again; 0: it is on the disk */
	/* polls */
	struct wish	*wish;
	uint64_t	 type;		/* asked for last */
	bool		 same;		/* ask for it once more */
	unsigned	 empty;		/* types in a row that had nothing */
	uint64_t	 calm_ms;	/* CLEARS, RESTS: its task failed, and it polls no sooner; 0: it did not */
	uint64_t	 failed_ms;	/* and so long where no proof is accepted meanwhile */
	uint64_t	 began_ms;
	/* posts */
	unsigned	 posts;
	uint64_t	 unknown_ms;	/* since when its task is not known there, or it is not let through; 0: neither */
};

struct core {
	struct core_opts o;
	struct worker	**workers;
	size_t		 n;
	struct wish	*wishes;	/* that nobody asks for yet */
	size_t		 named;		/* tasks whose end is to be told */
	uint64_t	 next_poll_ms;
	size_t		 first;		/* who comes first in the next turn: the one behind who polled last */
	struct backoff	 failing;	/* tasks that failed, of all workers, since a proof was accepted */
	uint64_t	 away_ms;	/* since when the Coordinator does not answer; 0: it does */
	uint64_t	 draw;
};

/* ---- life ---- */

static struct worker *
add_worker(struct core *c, uint32_t identity)
{
	struct worker *w = xzalloc(sizeof *w);

	*w = (struct worker){ .core = c, .identity = identity, .type = (identity + TYPE_MAX - 1) % TYPE_MAX + 1 };
	c->workers = xrealloc(c->workers, (c->n + 1) * sizeof(struct worker *));
	c->workers[c->n++] = w;
	return w;
}

struct core *
core_new(const struct core_opts *o)
{
	struct core *c = xzalloc(sizeof *c);

	c->o = *o;
	c->draw = o->seed;
	for (uint32_t i = 0; i < o->workers; i++)
		add_worker(c, i)->polls = true;
	return c;
}

static void
wish_free(struct wish *wish)
{
	if (wish)
		free(wish->task_id);
	free(wish);
}

void
core_free(struct core **cp)
{
	struct core *c = *cp;

	*cp = NULL;
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++) {
		record_free(&c->workers[i]->rec);
		wish_free(c->workers[i]->wish);
		free(c->workers[i]);
	}
	for (struct wish *wish; (wish = c->wishes); wish_free(wish))
		c->wishes = wish->next;
	free(c->workers);
	free(c);
}

/* ---- small things ---- */

static size_t
number_of(const struct worker *w)
{
	size_t i = 0;

	while (w->core->workers[i] != w)
		i++;
	return i;
}

static struct worker *
answered(struct core *c, size_t i, enum doing doing)
{
	if (i >= c->n || !c->workers[i]->busy || c->workers[i]->doing != doing)
		bug("worker %zu: an answer to nothing", i);
	c->workers[i]->busy = false;
	return c->workers[i];
}

static void
go(struct worker *w, enum doing doing, uint64_t at_ms)
{
	w->doing = doing;
	w->at_ms = at_ms;
}

static uint64_t
fails(struct worker *w)
{
	const struct core_opts *o = &w->core->o;

	return clock_ms() + backoff_fail(&w->trouble, o->backoff_ms, o->backoff_max_ms, &w->core->draw);
}

/* When it is tried again. */
static uint64_t
not_kept(const struct worker *w, const char *what)
{
	diag(DIAG_ERROR, "not-kept", "identity=%" PRIu32 " what=%s code=%s why=%s again_ms=%d", w->identity, what,
	    code_word(CODE_BLOB_IO), diag_quote(strerror(errno)), DISK_MS);
	return clock_ms() + DISK_MS;
}

static void
disk_fails(struct worker *w, const char *what)
{
	w->at_ms = not_kept(w, what);
}

static const char *
task_word(const struct worker *w)
{
	static char word[300];

	snprintf(word, sizeof word, "identity=%" PRIu32 " type=%s task=%.*s uuid=%.*s", w->identity, type_name(w->rec.task.type),
	    (int)MIN2(w->rec.task.task_id.n, 128), (const char *)w->rec.task.task_id.p,
	    (int)MIN2(w->rec.task.uuid.n, 64), (const char *)w->rec.task.uuid.p);
	return word;
}

/* The Coordinator does not answer, or does. */
static void
is_away(struct core *c, enum code code, const char *why)
{
	if (c->away_ms == 0) {
		c->away_ms = clock_ms();
		diag(DIAG_WARN, "coordinator-silent", "code=%s why=%s", code_word(code), diag_quote(why));
	}
}

static void
is_there(struct core *c)
{
	if (c->away_ms)
		diag(DIAG_INFO, "coordinator-answers", "silent_ms=%" PRIu64, clock_ms() - c->away_ms);
	c->away_ms = 0;
}

/* ---- tasks asked for by name ---- */

static void
tell(struct worker *w, const char *task_id, int status, const char *why)
{
	struct core *c = w->core;

	c->named--;
	c->o.ops->ended(c->o.arg, number_of(w), task_id, status, why);
}

/* What this worker was asked to do is over. */
static void
end_wish(struct worker *w, int status, const char *why)
{
	struct wish *wish = w->wish;

	w->wish = NULL;
	if (wish)
		tell(w, wish->task_id, status, why);
	else if (w->named)
		tell(w, buf_cstr(&w->rec.task.task_id), status, why);
	w->named = false;
	wish_free(wish);
}

/* Those that have nothing to do look again. */
static void
wake(struct core *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->workers[i]->doing == RESTS && c->workers[i]->at_ms == UINT64_MAX)
			c->workers[i]->at_ms = 0;
}

void
core_want(struct core *c, const char *task_id, uint64_t types)
{
	struct wish **at = &c->wishes, *wish = xzalloc(sizeof *wish);

	*wish = (struct wish){ .task_id = xstrdup(task_id), .types = types };
	while (*at)
		at = &(*at)->next;
	*at = wish;
	c->named++;
	wake(c);
}

void
core_named(struct core *c, size_t i)
{
	c->named += !c->workers[i]->named;
	c->workers[i]->named = true;
}

bool
core_over(const struct core *c)
{
	return c->named == 0;
}

/* Somebody may still ask for what nobody asks for yet. */
static bool
anybody(const struct core *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (!c->workers[i]->left && c->workers[i]->polls && c->workers[i]->doing != PARKED)
			return true;
	return false;
}

static void
end_wishes(struct core *c)
{
	struct wish *wish;

	while (!anybody(c) && (wish = c->wishes)) {
		c->wishes = wish->next;
		c->named--;
		c->o.ops->ended(c->o.arg, 0, wish->task_id, EXIT_NO, "every identity holds another task");
		wish_free(wish);
	}
}

/* ---- adoption ---- */

/* The worker of this identity that has no task; one that does not poll is made where there is none. */
static struct worker *
worker_of(struct core *c, uint32_t identity)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->workers[i]->identity == identity && !c->workers[i]->has)
			return c->workers[i];
	return add_worker(c, identity);
}

size_t
core_adopt(struct core *c, struct record *r)
{
	struct worker *w = worker_of(c, r->identity);

	w->rec = *r;
	*r = (struct record){ 0 };
	w->has = w->ordered = true;
	w->left = false;
	w->lost = 0;
	w->tries = w->rec.tries;
	w->failures = w->rec.failures;
	go(w, w->rec.state == RECORD_OPEN ? BUILDS : POSTS, 0);
	diag(DIAG_INFO, "task-found", "%s tries=%" PRIu32 " state=%s", task_word(w), w->rec.tries,
	    w->rec.state == RECORD_OPEN ? "open" : w->rec.state == RECORD_PROVED ? "proved" : "failed");
	return number_of(w);
}

void
core_leave(struct core *c, uint32_t identity)
{
	worker_of(c, identity)->left = true;
}

bool
core_taken(const struct core *c, uint32_t identity)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->workers[i]->identity == identity && (c->workers[i]->has || c->workers[i]->left))
			return true;
	return false;
}

/* Whoever waits for this looks again. */
void
core_able(struct core *c, size_t i, uint64_t types)
{
	struct worker *w = c->workers[i];

	if (w->able != types && w->at_ms == UINT64_MAX && w->doing != PARKED)
		w->at_ms = 0;
	w->able = types;
}

/* ---- RESTS, POLLS ---- */

/* The type behind w->type that is among types; a poll that was not answered is made again as it was. */
static uint64_t
next_type(struct worker *w, uint64_t types)
{
	uint64_t type = w->type;

	if (w->same && types >> type & 1)
		return type;
	do
		type = type % TYPE_MAX + 1;
	while (!(types >> type & 1));
	return type;
}

static uint64_t
types_to_ask(const struct worker *w)
{
	if (w->left || !w->polls)
		return 0;
	if (w->wish)
		return w->wish->types;
	return w->core->o.once ? 0 : w->core->o.types & w->able;
}

static void
take_wish(struct worker *w)
{
	struct core *c = w->core;

	if (w->left || !w->polls || w->wish || !c->wishes)
		return;
	w->wish = c->wishes;
	c->wishes = w->wish->next;
	w->wish->next = NULL;
}

static void
step_rests(struct worker *w)
{
	struct core *c = w->core;
	uint64_t now = clock_ms();

	take_wish(w);
	uint64_t types = types_to_ask(w);
	if (!types || now < c->next_poll_ms) {
		w->at_ms = types ? c->next_poll_ms : UINT64_MAX;
		return;
	}
	w->calm_ms = 0;
	c->next_poll_ms = now + c->o.stagger_ms;
	c->first = number_of(w) + 1;
	w->type = next_type(w, types);
	w->same = false;
	w->began_ms = now;
	w->busy = true;
	go(w, POLLS, 0);
	bool all = c->o.all_types && !w->wish;
	c->o.ops->poll(c->o.arg, number_of(w), all ? types : UINT64_C(1) << w->type,
	    w->wish ? span_str(w->wish->task_id) : (struct span){ 0 });
}

static void
on_task(struct worker *w, const struct poll_result *r)
{
	w->rec = (struct record){ .identity = w->identity, .task = *r->task };
	*r->task = (struct coord_task){ 0 };
	w->has = true;
	w->tries = w->failures = w->lost = w->empty = 0;
	w->ordered = false;
	backoff_ok(&w->trouble);
	diag(DIAG_INFO, "task-fetched", "%s bytes=%zu", task_word(w), w->rec.task.data.n);
	go(w, KEEPS, 0);
}

static void
wish_empty(struct worker *w, const struct poll_result *r)
{
	w->wish->types &= ~(UINT64_C(1) << w->type);
	if (!w->wish->types)
		end_wish(w, EXIT_NO, "the Coordinator does not give it now");
}

static void
on_empty(struct worker *w, const struct poll_result *r)
{
	struct core *c = w->core;

	backoff_ok(&w->trouble);
	go(w, RESTS, 0);
	if (w->wish) {
		wish_empty(w, r);
		return;
	}
	w->empty++;
	if (!c->o.all_types && w->empty < (unsigned)__builtin_popcountll(c->o.types & w->able))
		return;
	w->empty = 0;
	w->at_ms = clock_ms() + c->o.poll_ms;
}

/* Something else may be there meanwhile; this type is no better a moment later. */
static void
on_skipped(struct worker *w, const struct poll_result *r)
{
	if (w->wish)
		end_wish(w, EXIT_SYSTEM, r->why);
	on_empty(w, r);
}

/* Another identity may get what was asked for by name. */
static void
give_wish_back(struct worker *w)
{
	struct core *c = w->core;

	if (!w->wish)
		return;
	w->wish->next = c->wishes;
	c->wishes = w->wish;
	w->wish = NULL;
	go(w, PARKED, UINT64_MAX);
	wake(c);
}

static void
on_assigned(struct worker *w, const struct poll_result *r)
{
	diag(r->outcome == POLL_BLOCKED ? DIAG_ERROR : DIAG_WARN, "identity-rests", "identity=%" PRIu32 " code=%s for_ms=%" PRIu64 " why=%s",
	    w->identity, code_word(r->code), w->core->o.rest_ms, diag_quote(r->why));
	go(w, RESTS, clock_ms() + w->core->o.rest_ms);
	give_wish_back(w);
}

static void
on_refused(struct worker *w, const struct poll_result *r)
{
	go(w, RESTS, MAX2(fails(w), clock_ms() + w->core->o.poll_ms));
	diag(DIAG_WARN, "poll-refused", "identity=%" PRIu32 " type=%s code=%s why=%s", w->identity, type_name(w->type),
	    code_word(r->code), diag_quote(r->why));
	end_wish(w, EXIT_NO, r->why);
}

static void
on_not_sent(struct worker *w, const struct poll_result *r)
{
	is_away(w->core, r->code, r->why);
	w->same = true;
	go(w, RESTS, fails(w));
	end_wish(w, r->code == CODE_LOGIN_REFUSED ? EXIT_NO : EXIT_SYSTEM, r->why);
}

/* The first may still run there, and two at once could bring two tasks: not before it cannot any more. */
static void
on_unanswered(struct worker *w, const struct poll_result *r)
{
	is_away(w->core, r->code, r->why);
	w->same = true;
	go(w, RESTS, MAX2(fails(w), w->began_ms + w->core->o.timeout_ms));
	end_wish(w, EXIT_SYSTEM, r->why);
}

void
core_polled(struct core *c, size_t i, const struct poll_result *r)
{
	static void (*const on[POLL_OUTCOMES])(struct worker *, const struct poll_result *) = {
		[POLL_TASK] = on_task, [POLL_EMPTY] = on_empty, [POLL_ASSIGNED] = on_assigned, [POLL_BLOCKED] = on_assigned,
		[POLL_REFUSED] = on_refused, [POLL_SKIPPED] = on_skipped, [POLL_NOT_SENT] = on_not_sent,
		[POLL_UNANSWERED] = on_unanswered,
	};
	struct worker *w = answered(c, i, POLLS);

	if (r->outcome < POLL_SKIPPED)
		is_there(c);
	on[r->outcome](w, r);
}

/* ---- KEEPS, BUILDS ---- */

static void
step_keeps(struct worker *w)
{
	struct core *c = w->core;

	if (c->o.ops->keep(c->o.arg, &w->rec) != 0) {
		disk_fails(w, "task");
		return;
	}
	go(w, BUILDS, 0);
	if (w->wish && !span_is(SPAN_OF(&w->rec.task.task_id), w->wish->task_id)) {
		go(w, PARKED, UINT64_MAX);
		end_wish(w, EXIT_NO, "the Coordinator gave another task, which is kept");
	}
}

static void
step_builds(struct worker *w)
{
	struct core *c = w->core;

	w->busy = true;
	c->o.ops->build(c->o.arg, number_of(w), &w->rec);
}

/* There will be no proof: from here it is to be reported. */
static void
fail_task(struct worker *w, enum code code, unsigned type, const char *why)
{
	w->rec.state = RECORD_FAILED;
	w->rec.failure_type = (uint8_t)type;
	buf_reset(&w->rec.outcome);
	buf_printf(&w->rec.outcome, "%s: %s", code_word(code), why);
	diag(DIAG_ERROR, "task-failed", "%s tries=%" PRIu32 " code=%s why=%s", task_word(w), w->rec.tries, code_word(code), diag_quote(why));
	go(w, FINISHES, 0);
}

void
core_built(struct core *c, size_t i, enum code code, const char *why)
{
	struct worker *w = answered(c, i, BUILDS);
	char text[300];

	go(w, WAITS, 0);
	if (c->o.dump) {
		go(w, PARKED, UINT64_MAX);
		end_wish(w, code == CODE_OK ? EXIT_DONE : EXIT_NO, why);
	} else if (code != CODE_OK) {
		snprintf(text, sizeof text, "failed to build proving input: %s", why);
		fail_task(w, code, 2, text);
	}
}

/* ---- WAITS, PROVES ---- */

/* Make the name say what it is to say. */
static int
renumber(struct worker *w)
{
	struct core *c = w->core;

	if (w->tries == w->rec.tries && w->failures == w->rec.failures)
		return 0;
	if (c->o.ops->number(c->o.arg, &w->rec, w->tries, w->failures) != 0)
		return -1;
	w->rec.tries = w->tries;
	w->rec.failures = w->failures;
	return 0;
}

/* The commit point of a try: from here it counts, also when we end in the middle.  To go on with an order is a new
 * try only where that order's was given back. */
static void
begin_try(struct worker *w)
{
	struct core *c = w->core;

	w->counted = !w->ordered || w->tries == w->failures;
	w->tries += w->counted;
	if (renumber(w) != 0) {
		w->tries -= w->counted;
		disk_fails(w, "try");
		return;
	}
	diag(DIAG_INFO, w->ordered ? "resuming" : "proving", "%s try=%" PRIu32, task_word(w), w->rec.tries);
	w->busy = true;
	go(w, PROVES, 0);
	c->o.ops->prove(c->o.arg, number_of(w), &w->rec, w->ordered);
}

/* What was under way does not count. */
static void
give_back(struct worker *w)
{
	w->tries -= w->counted;
	w->counted = false;
	if (renumber(w) != 0)
		disk_fails(w, "try");
}

static void
fail_cut_off(struct worker *w)
{
	if (w->lost)
		fail_task(w, w->lost_code, 1, w->lost_why);
	else
		fail_task(w, CODE_MAX_ATTEMPTS, 1, "proving was begun, and cut off, as often as it may be");
}

static void
step_waits(struct worker *w)
{
	struct core *c = w->core;

	if (w->able == 0)
		w->at_ms = UINT64_MAX;
	else if (!(w->able >> w->rec.task.type & 1))
		fail_task(w, CODE_NOT_ABLE, 2, "this prover does not prove tasks of this type");
	else if (w->tries >= c->o.max_tries && (!w->ordered || w->tries == w->failures))
		fail_cut_off(w);
	else
		begin_try(w);
}

static void
on_done(struct worker *w, struct span proof)
{
	w->rec.state = RECORD_PROVED;
	buf_reset(&w->rec.outcome);
	buf_put(&w->rec.outcome, proof.p, proof.n);
	backoff_ok(&w->trouble);
	diag(DIAG_INFO, "proved", "%s try=%" PRIu32 " bytes=%zu", task_word(w), w->rec.tries, proof.n);
	go(w, FINISHES, 0);
}

/* The same order may still bring a proof after PROOF_LOST, so it is asked for, also behind the last try, but not for
 * ever; after PROOF_FAILED it takes another. */
static void
on_failed(struct worker *w, enum proof_outcome outcome, enum code code, const char *why)
{
	struct core *c = w->core;

	w->ordered = outcome == PROOF_LOST;
	w->lost = w->ordered ? w->lost + 1 : 0;
	w->lost_code = code;
	snprintf(w->lost_why, sizeof w->lost_why, "%s", why);
	diag(DIAG_WARN, "try-failed", "%s try=%" PRIu32 " of=%" PRIu32 " code=%s why=%s", task_word(w), w->rec.tries,
	    c->o.max_tries, code_word(code), diag_quote(why));
	w->failures += outcome == PROOF_FAILED;
	if (renumber(w) != 0)
		disk_fails(w, "failure");	/* the next try's will say it, too */
	if (w->lost > c->o.max_tries)
		fail_cut_off(w);
	else if (w->tries >= c->o.max_tries && !w->ordered)
		fail_task(w, code, 2, why);
	else
		go(w, WAITS, fails(w));
}

/* Surely there is no order: the next one is a new try. */
static void
on_none(struct worker *w)
{
	diag(DIAG_DEBUG, "no-order", "%s try=%" PRIu32, task_word(w), w->rec.tries);
	go(w, WAITS, 0);
	w->ordered = false;
	give_back(w);
}

static void
on_later(struct worker *w, enum code code, const char *why)
{
	diag(DIAG_DEBUG, "try-later", "%s code=%s why=%s", task_word(w), code_word(code), diag_quote(why));
	give_back(w);
	go(w, WAITS, fails(w));
}

void
core_proved(struct core *c, size_t i, enum proof_outcome outcome, struct span proof, enum code code, const char *why)
{
	struct worker *w = answered(c, i, PROVES);

	if (outcome == PROOF_DONE)
		on_done(w, proof);
	else if (outcome == PROOF_NONE)
		on_none(w);
	else if (outcome == PROOF_LATER)
		on_later(w, code, why);
	else
		on_failed(w, outcome, code, why);
}

/* ---- FINISHES, POSTS ---- */

/* From here the proof cannot be lost: it is on the disk before it is submitted. */
/* A proof, or a failure to be reported, that the disk does not take is submitted from memory, and written when it does. */
static void
step_finishes(struct worker *w)
{
	struct core *c = w->core;

	if (c->o.ops->keep(c->o.arg, &w->rec) != 0) {
		disk_fails(w, "proof");
		if (w->rec.state == RECORD_OPEN)
			return;
		w->keep_ms = w->at_ms;
	}
	backoff_ok(&w->trouble);
	w->posts = 0;
	w->unknown_ms = 0;
	go(w, w->rec.state == RECORD_OPEN ? BUILDS : POSTS, 0);
}

/* Also while its submission is under way. */
static void
keep_again(struct worker *w)
{
	struct core *c = w->core;

	if (c->o.ops->keep(c->o.arg, &w->rec) != 0) {
		w->keep_ms = not_kept(w, "proof");
		return;
	}
	w->keep_ms = 0;
	diag(DIAG_INFO, "kept", "%s", task_word(w));
}

static void
step_posts(struct worker *w)
{
	struct core *c = w->core;

	w->busy = true;
	c->o.ops->post(c->o.arg, number_of(w), &w->rec, w->posts++ > 0);
}

static void
clear(struct worker *w, int status, const char *why)
{
	go(w, CLEARS, 0);
	w->keep_ms = 0;
	end_wish(w, status, why);
}

/* Each failure uses up one of the attempts that its task has there.  The command is that of all workers: when all tasks
 * fail, each of them waits longer; what is asked for by name is not put off. */
static void
task_fails(struct worker *w, enum code code, const char *why)
{
	struct core *c = w->core;
	uint64_t now = clock_ms();

	if (c->o.once)
		return;
	bool first = c->failing.tries == 0;
	w->calm_ms = now + c->o.poll_ms;
	w->failed_ms = MAX2(w->calm_ms, now + backoff_fail(&c->failing, c->o.backoff_ms, c->o.failure_rest_ms, &c->draw));
	if (first)
		diag(DIAG_WARN, "failure-rest", "identity=%" PRIu32 " for_ms=%" PRIu64 " max_ms=%" PRIu64 " code=%s why=%s", w->identity,
		    w->failed_ms - now, MAX2(c->o.poll_ms, c->o.failure_rest_ms), code_word(code), diag_quote(why));
}

/* The command proves. */
static void
proof_is_accepted(struct core *c)
{
	if (c->failing.tries)
		diag(DIAG_INFO, "failure-rest-over", "failed=%u for_ms=%" PRIu64, c->failing.tries, clock_ms() - c->failing.since_ms);
	backoff_ok(&c->failing);
	for (size_t i = 0; i < c->n; i++) {
		struct worker *w = c->workers[i];
		w->failed_ms = w->calm_ms;
		if (w->calm_ms && w->doing == RESTS)
			w->at_ms = MIN2(w->at_ms, w->calm_ms);
	}
}

static void
on_taken(struct worker *w, enum code code, const char *why)
{
	bool proved = w->rec.state == RECORD_PROVED;

	diag(DIAG_INFO, proved ? "submitted" : "reported", "%s posts=%u", task_word(w), w->posts);
	if (proved)
		proof_is_accepted(w->core);
	else
		task_fails(w, CODE_PROVER_FAILED, buf_cstr(&w->rec.outcome));
	clear(w, proved ? EXIT_DONE : EXIT_NO, proved ? "" : buf_cstr(&w->rec.outcome));
}

static void
on_final(struct worker *w, enum code code, const char *why)
{
	if (w->rec.state == RECORD_FAILED) {
		on_taken(w, code, why);
		return;
	}
	diag(DIAG_WARN, "proof-refused", "%s posts=%u code=%s why=%s", task_word(w), w->posts, code_word(code), diag_quote(why));
	if (code == CODE_REFUSED_PROOF)
		task_fails(w, code, why);
	clear(w, EXIT_NO, why);
}

/* The task is still ours, but not with this proof. */
static void
on_unreadable(struct worker *w, enum code code, const char *why)
{
	if (w->rec.state == RECORD_FAILED) {
		on_taken(w, code, why);
		return;
	}
	w->rec.state = RECORD_OPEN;
	buf_reset(&w->rec.outcome);
	w->keep_ms = 0;
	on_failed(w, PROOF_FAILED, code, why);
	if (w->rec.state == RECORD_OPEN)
		w->doing = FINISHES;	/* without that proof */
}

/* It is posted again until the operator's patience is over, and where only memory has it, on and on. */
static void
on_barred(struct worker *w, enum code code, const char *why)
{
	uint64_t now = clock_ms();

	if (w->unknown_ms == 0) {
		diag(DIAG_WARN, "submit-again", "%s code=%s why=%s", task_word(w), code_word(code), diag_quote(why));
		w->unknown_ms = now;
	}
	go(w, POSTS, fails(w));
	w->aside = w->keep_ms == 0 && now - w->unknown_ms >= w->core->o.give_up_ms;
	if (!w->aside)
		return;
	diag(DIAG_ERROR, "put-aside", "%s posts=%u code=%s why=%s", task_word(w), w->posts, code_word(code), diag_quote(why));
	clear(w, EXIT_NO, why);
}

/* A data base that is away makes the Coordinator say so, too. */
static void
on_unknown(struct worker *w, enum code code, const char *why)
{
	if (w->rec.state == RECORD_FAILED)
		on_taken(w, code, why);
	else
		on_barred(w, code, why);
}

static void
on_silence(struct worker *w, enum code code, const char *why)
{
	is_away(w->core, code, why);
	diag(DIAG_DEBUG, "submit-again", "%s posts=%u code=%s why=%s", task_word(w), w->posts, code_word(code), diag_quote(why));
	go(w, POSTS, fails(w));
}

void
core_posted(struct core *c, size_t i, enum posted posted, enum code code, const char *why)
{
	static void (*const on[POSTED_OUTCOMES])(struct worker *, enum code, const char *) = {
		[POSTED_TAKEN] = on_taken, [POSTED_FINAL] = on_final, [POSTED_UNREADABLE] = on_unreadable,
		[POSTED_UNKNOWN] = on_unknown, [POSTED_BARRED] = on_barred, [POSTED_UNANSWERED] = on_silence,
	};
	struct worker *w = answered(c, i, POSTS);

	if (posted < POSTED_BARRED)
		is_there(c);
	on[posted](w, code, why);
}

/* ---- CLEARS ---- */

static void
step_clears(struct worker *w)
{
	struct core *c = w->core;

	if ((w->aside ? c->o.ops->aside : c->o.ops->forget)(c->o.arg, &w->rec) != 0) {
		disk_fails(w, "end");
		return;
	}
	c->o.ops->unbuild(c->o.arg, number_of(w));
	record_free(&w->rec);
	w->has = w->aside = false;
	backoff_ok(&w->trouble);
	go(w, RESTS, w->calm_ms ? w->failed_ms : 0);
}

/* ---- turns ---- */

static void
take_steps(struct worker *w)
{
	static void (*const steps[DOINGS])(struct worker *) = {
		[RESTS] = step_rests, [KEEPS] = step_keeps, [BUILDS] = step_builds, [WAITS] = step_waits,
		[FINISHES] = step_finishes, [POSTS] = step_posts, [CLEARS] = step_clears,
	};

	if (w->keep_ms && w->keep_ms <= clock_ms())
		keep_again(w);
	while (!w->busy && steps[w->doing] && w->at_ms <= clock_ms())
		steps[w->doing](w);
}

static uint64_t
wants_ms(const struct worker *w)
{
	uint64_t step = w->busy ? UINT64_MAX : w->at_ms;

	return w->keep_ms ? MIN2(step, w->keep_ms) : step;
}

uint64_t
core_turn(struct core *c)
{
	uint64_t next = UINT64_MAX;
	size_t first = c->first;

	for (size_t i = 0; i < c->n; i++)
		take_steps(c->workers[(first + i) % c->n]);
	end_wishes(c);
	for (size_t i = 0; i < c->n; i++)
		next = MIN2(next, wants_ms(c->workers[i]));
	return next;
}

void
core_stop(struct core *c)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->workers[i]->doing == PROVES)
			give_back(c->workers[i]);
		if (c->workers[i]->keep_ms)
			keep_again(c->workers[i]);
	}
}

const struct record *
core_record(const struct core *c, size_t i)
{
	return c->workers[i]->has ? &c->workers[i]->rec : NULL;
}

uint32_t
core_identity(const struct core *c, size_t i)
{
	return c->workers[i]->identity;
}

size_t
core_workers(const struct core *c)
{
	return c->n;
}

void
core_note(const struct core *c, char *out, size_t size)
{
	size_t count[DOINGS] = { 0 }, unkept = 0;
	struct buf text = { 0 };

	for (size_t i = 0; i < c->n; i++) {
		count[c->workers[i]->doing]++;
		unkept += c->workers[i]->keep_ms != 0;
	}
	if (c->away_ms)
		buf_printf(&text, "the Coordinator is silent for %" PRIu64 " s; ", (clock_ms() - c->away_ms) / 1000);
	if (c->failing.tries)
		buf_printf(&text, "%u tasks failed and none was proved; ", c->failing.tries);
	if (unkept)
		buf_printf(&text, "the disk does not take %zu; ", unkept);
	for (size_t d = 0; d < DOINGS; d++)
		if (count[d])
			buf_printf(&text, "%s%zu %s", text.n && text.p[text.n - 1] != ' ' ? ", " : "", count[d], doing_words[d]);
	snprintf(out, size, "%s", buf_cstr(&text));
	buf_free(&text);
}
