/* stage.c - fetched jobs in, ready jobs out; see inputs.h for the work itself.
 *
 * A job whose work has its input already, in place, goes on at once.  A move that the
 * ledger refused brings the row back: it is tried again after a wait, from the
 * beginning, because the blob may be what is missing. */
#include "cmd/trace-build/stage.h"


#include "common/backoff.h"
#include "common/clock.h"
#include "common/diag.h"
#include "common/inputs.h"

enum { CHAINS = 32, AGAIN_MS = 1000, AGAIN_MAX_MS = 30000, LOOK_MS = 1000 };

/* A chain and where its blocks come from. */
struct chain {
	const char	*name;
	const char	*l2_name;	/* "": nowhere */
	struct l2	*l2;		/* made at first use; shared by chains of one [l2] */
};

struct own {
	struct stage	*st;
	struct inputs	*inputs;
	struct chain	 chains[CHAINS];
	size_t		 nchains;
	struct line	*first, **last;	/* rows of the filter, in the order they came */
	uint64_t	 draw;
};

/* What hangs on a held row. */
struct errand {
	struct own		*own;
	struct held		*h;
	struct inputs_ask	*ask;
	bool			 told;		/* its move was asked for */
	struct backoff		 again;		/* such moves that were refused */
};

/* A row of the filter; it leaves when those before it have left. */
struct line {
	struct own	*own;
	struct line	*next;
	struct row	*row;
	struct inputs_ask *ask;
	struct loop_timer late;		/* while it waits and has a deadline */
	struct buf	 detail;
	bool		 ready;
};

/* ---- settings ---- */

static bool
section_there(struct settings *s, const char *section, const char *name)
{
	const char *have;

	for (size_t i = 0; (have = settings_name(s, section, i)); i++)
		if (strcmp(have, name) == 0)
			return true;
	return false;
}

static bool
chain_fine(struct settings *s, const struct chain *c)
{
	const char *wrong = NULL;

	if (*c->l2_name && !section_there(s, "l2", c->l2_name))
		wrong = "there is no such section";
	else if (*c->l2_name)
		wrong = l2_check(settings_text(s, "l2", c->l2_name, "urls"));
	if (wrong)
		fprintf(stderr, "[chain %s] l2 = %s: %s: %s\n", c->name, c->l2_name, code_word(CODE_SETTING), wrong);
	return !wrong;
}

static int
read_chains(struct own *own)
{
	struct settings *s = stage_settings(own->st);
	const char *only = stage_text(own->st, "chain"), *name;

	for (size_t i = 0; (name = settings_name(s, "chain", i)); i++) {
		struct chain *c = &own->chains[own->nchains];
		if (*only && strcmp(only, name) != 0)
			continue;
		if (own->nchains == CHAINS) {
			fprintf(stderr, "[chain %s]: %s: more than %d chains\n", name, code_word(CODE_SETTING), CHAINS);
			return EXIT_USAGE;
		}
		*c = (struct chain){ .name = name, .l2_name = settings_text(s, "chain", name, "l2") };
		if (!chain_fine(s, c))
			return EXIT_USAGE;
		own->nchains++;
	}
	if (*only && own->nchains == 0) {
		fprintf(stderr, "[stage trace-build] chain = %s: %s: there is no [chain %s]\n", only, code_word(CODE_SETTING), only);
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

/* ---- nodes ---- */

static void
note_changed(void *arg)
{
	struct own *own = arg;

	if (stage_books(own->st))
		books_changed(stage_books(own->st));
}

static struct l2 *
make_l2(struct own *own, const char *name)
{
	struct settings *s = stage_settings(own->st);

	return l2_new(&(struct l2_opts){
		.name = name, .loop = stage_loop(own->st), .urls = settings_text(s, "l2", name, "urls"),
		.parallel = (unsigned)settings_num(s, "l2", name, "parallel"),
		.timeout_ms = (unsigned)settings_num(s, "l2", name, "timeout"),
		.max_bytes = (size_t)settings_num(s, "l2", name, "max_bytes"),
		.blobs = stage_blobs(own->st), .changed = note_changed, .arg = own,
	});
}

/* Rows of a filter may leave the chain out where there is only one. */
static struct chain *
find_chain(struct own *own, struct span name)
{
	if (name.n == 0 && own->nchains == 1)
		return &own->chains[0];
	for (size_t i = 0; i < own->nchains; i++)
		if (span_is(name, own->chains[i].name))
			return &own->chains[i];
	return NULL;
}

static struct l2 *
nodes_of(void *arg, struct span name)
{
	struct own *own = arg;
	struct chain *c = find_chain(own, name);

	if (!c || !*c->l2_name)
		return NULL;
	for (size_t i = 0; i < own->nchains && !c->l2; i++)
		if (strcmp(own->chains[i].l2_name, c->l2_name) == 0)
			c->l2 = own->chains[i].l2;
	if (!c->l2)
		c->l2 = make_l2(own, c->l2_name);
	return c->l2;
}

static void
free_nodes(struct own *own)
{
	for (size_t i = 0; i < own->nchains; i++) {
		struct l2 *l2 = own->chains[i].l2;
		for (size_t k = i; k < own->nchains; k++)
			if (own->chains[k].l2 == l2)
				own->chains[k].l2 = NULL;
		l2_free(&l2);
	}
}

/* ---- jobs of the ledger ---- */

static void
tell_ready(struct errand *e, const uint8_t blob[HASH_BYTES], uint64_t bytes)
{
	struct row set = { 0 };

	ROW_HASH(&set, input_blob, blob);
	SET(&set, input_bytes, bytes);
	e->told = true;
	books_step(stage_books(e->own->st), e->h, JOB_READY, CODE_OK, &set);
}

static void
on_input(void *arg, const struct inputs_result *r)
{
	struct errand *e = arg;
	struct row set = { 0 };

	e->ask = NULL;
	if (r->code == CODE_OK) {
		tell_ready(e, r->blob, r->bytes);
		return;
	}
	diag(DIAG_WARN, "task-given-up", "job=%" PRIu64 " code=%s why=%s", e->h->row->id, code_word(r->code),
	    diag_quote(r->detail));
	SET(&set, detail, span_str(r->detail));
	e->told = true;
	books_step(stage_books(e->own->st), e->h, JOB_GIVEN_UP, r->code, &set);
}

static struct errand *
errand_of(struct own *own, struct held *h)
{
	if (!h->own) {
		struct errand *e = h->own = xzalloc(sizeof *e);
		e->own = own;
		e->h = h;
	}
	return h->own;
}

void
trace_build_act(struct stage *st, struct held *h)
{
	struct own *own = stage_own(st);
	const struct row *row = h->row;
	uint64_t bytes;

	if (row->kind != ROW_JOB || row->state != JOB_FETCHED) {
		books_drop(stage_books(st), h);
		return;
	}
	struct errand *e = errand_of(own, h);
	if (e->told && !h->due) {
		books_later(stage_books(st), h, backoff_fail(&e->again, AGAIN_MS, AGAIN_MAX_MS, &own->draw));
		return;
	}
	e->told = false;
	if (HAS(row, input_blob) && blob_have(stage_blobs(st), row->input_blob, &bytes)) {
		inputs_cancel(&e->ask);
		tell_ready(e, row->input_blob, bytes);
	} else if (!e->ask)
		e->ask = inputs_start(own->inputs, row, on_input, e);
}

void
trace_build_lose(struct stage *st, struct held *h)
{
	struct errand *e = h->own;

	if (!e)
		return;
	inputs_cancel(&e->ask);
	free(e);
	h->own = NULL;
}

void
trace_build_levels(struct stage *st, struct tick *tick)
{
	struct own *own = stage_own(st);

	inputs_note(own->inputs, tick->note, sizeof tick->note);
	for (size_t i = 0; i < own->nchains && !*tick->note; i++)
		if (own->chains[i].l2)
			l2_note(own->chains[i].l2, tick->note, sizeof tick->note);
}

/* ---- rows of the filter ---- */

static void
line_free(struct line *l)
{
	loop_timer(stage_loop(l->own->st), &l->late, 0);
	inputs_cancel(&l->ask);
	buf_free(&l->detail);
	free(l->row);
	free(l);
}

static void
emit_lines(struct own *own)
{
	struct line *l;

	while ((l = own->first) && l->ready) {
		own->first = l->next;
		if (!own->first)
			own->last = &own->first;
		stage_emit(own->st, l->row);
		stage_filtered(own->st);
		line_free(l);
	}
}

static void
line_ends(struct line *l, uint64_t state, uint64_t code)
{
	loop_timer(stage_loop(l->own->st), &l->late, 0);
	inputs_cancel(&l->ask);
	SET(l->row, kind, ROW_JOB);
	SET(l->row, state, state);
	SET(l->row, code, code);
	l->ready = true;
	emit_lines(l->own);
}

/* What has no nodes can be built by a process with other settings, and stays as it came. */
static uint64_t
state_after(enum code code)
{
	return code == CODE_OK ? JOB_READY : code == CODE_SETTING ? JOB_FETCHED : JOB_GIVEN_UP;
}

static void
line_done(void *arg, const struct inputs_result *r)
{
	struct line *l = arg;

	l->ask = NULL;
	if (r->code == CODE_OK) {
		ROW_HASH(l->row, input_blob, r->blob);
		SET(l->row, input_bytes, r->bytes);
	} else {
		buf_puts(&l->detail, r->detail);
		SET(l->row, detail, SPAN_OF(&l->detail));
	}
	line_ends(l, state_after(r->code), r->code);
}

/* Nobody else ends it here: as the ledger would.  It looks now and then, because the time of day can be set. */
static void
watch_deadline(void *arg)
{
	struct line *l = arg;
	uint64_t now = clock_wall_ms();

	if (now >= l->row->deadline_ms)
		line_ends(l, JOB_LATE, CODE_LATE);
	else
		loop_timer(stage_loop(l->own->st), &l->late, clock_ms() + MIN2(l->row->deadline_ms - now, (uint64_t)LOOK_MS));
}

static void
build_line(struct line *l)
{
	const struct row *row = l->row;

	if (!HAS(row, body) && !HAS(row, body_blob)) {
		line_done(l, &(struct inputs_result){ .code = CODE_TASK_BAD, .detail = "the row has neither body nor body_blob" });
		return;
	}
	l->ask = inputs_start(l->own->inputs, row, line_done, l);
	if (HAS(row, deadline_ms))
		watch_deadline(l);
}

/* Rows made by hand may leave kind and state out. */
static bool
is_fetched(const struct row *row)
{
	return (!HAS(row, kind) || row->kind == ROW_JOB) && (!HAS(row, state) || row->state == JOB_FETCHED);
}

void
trace_build_filter(struct stage *st, struct row *row)
{
	struct own *own = stage_own(st);
	struct line *l = xzalloc(sizeof *l);

	*l = (struct line){ .own = own, .row = row, .late = { .fn = watch_deadline, .arg = l } };
	*own->last = l;
	own->last = &l->next;
	if (is_fetched(row)) {
		build_line(l);
		return;
	}
	l->ready = true;
	emit_lines(own);
}

/* ---- begin and end ---- */

int
trace_build_start(struct stage *st)
{
	struct own *own = xzalloc(sizeof *own);

	own->st = st;
	own->last = &own->first;
	stage_set_own(st, own);
	int status = read_chains(own);
	if (status != EXIT_DONE || stage_checking(st))
		return status;
	loop_many_fds();	/* a window of blocks for each build, a descriptor for each block */
	arc4random_buf(&own->draw, sizeof own->draw);
	own->inputs = inputs_new(&(struct inputs_opts){
		.loop = stage_loop(st), .blobs = stage_blobs(st), .nodes = nodes_of, .changed = note_changed, .arg = own,
		.no_nodes_ends = !stage_books(st),
	});
	return EXIT_DONE;
}

void
trace_build_stop(struct stage *st)
{
	struct own *own = stage_own(st);

	if (!own)
		return;
	for (struct line *l; (l = own->first); line_free(l))
		own->first = l->next;
	inputs_free(&own->inputs);
	free_nodes(own);
	free(own);
	stage_set_own(st, NULL);
}
