/* bench_play.c - a stage that does nothing but its moves: the shipped skeleton and books, made-up work.
 *
 * bench_play KIND [options of a stage].  KIND is task-fetch, trace-build, allocate, dispatch-exec, submit;
 * any of them may be the real program instead.  From the environment:
 *   BENCH_JOBS    task-fetch: so many, then it ends (default 1000); BENCH_OPEN at a time (default 512)
 *   BENCH_RATE    task-fetch: jobs per second; 0: as fast as they end
 * A task is named after the moment at which it was made, so that whoever sees it knows its age.  What
 * was measured comes to standard output at the end, "NAME NUMBER" a line: by task-fetch jobs_per_s, life_*_us;
 * by dispatch-exec prove_*_us (a task's age when its intent is durable); by allocate gap_ms, the longest time
 * between two jobs that came to it. */
#include "common/clock.h"
#include "common/diag.h"
#include "common/num.h"
#include "common/stage.h"
#include "tests/bench/figures.h"
#include "tests/bench/life.h"

enum { PACE_MS = 1 };

struct own {
	struct loop_timer pace;
	uint64_t	 jobs, rate, open, begun, ended, identities;
	double		 first_s, last_s;
	uint64_t	*free_ones, *revs, *made_ns;	/* by identity */
	size_t		 nfree;
	struct figures	 ages;
	uint64_t	 last_act_ns, gap_ns;
};

static struct own own;

static void
say(const char *what, struct figures *f)
{
	if (f->n == 0)
		return;
	printf("%s_p50_us %.0f\n%s_p99_us %.0f\n%s_max_us %.0f\n%s_n %zu\n", what, figures_at(f, 50), what,
	    figures_at(f, 99), what, figures_at(f, 100), what, f->n);
}

static void
make_move(struct stage *st, struct held *h, enum life_step step, const struct life *l)
{
	static struct life_group g;

	life_group(&g, step, l);
	books_move(stage_books(st), h, 0, g.items, g.n);
}

/* What a step needs of a row that is held. */
static struct life
life_of(struct stage *st, const struct row *r)
{
	struct life l = { .job = r->id, .job_rev = r->rev, .job_state = r->state, .work = r->work, .work_rev = r->work_rev,
	    .attempt = r->kind == ROW_JOB ? r->kept : r->id, .attempt_rev = r->rev, .owner = stage_name(st),
	    .wall_ms = books_wall_ms(stage_books(st)) };

	return l;
}

static void
go_on(struct stage *st, struct held *h, enum life_step step)
{
	struct life l = life_of(st, h->row);

	make_move(st, h, step, &l);
}

/* --- task-fetch: makes the tasks --- */

enum { TOKEN_IDENTITY = UINT64_C(1) << 32, TOKEN_JOB = UINT64_C(2) << 32 };

static void
make_job(struct stage *st)
{
	static struct life_group g;
	uint64_t index = own.free_ones[--own.nfree], now = nanos_now();
	char task[40];

	snprintf(task, sizeof task, "%" PRIu64, now);
	struct life l = { .identity = index, .number = own.begun++, .task = task,
	    .wall_ms = books_wall_ms(stage_books(st)) };
	own.made_ns[index] = now;
	life_group(&g, LIFE_FETCHED, &l);
	books_move(stage_books(st), NULL, TOKEN_JOB | (index + 1), g.items, g.n);
}

/* So many as are due by now, and have an identity. */
static void
make_jobs(struct stage *st)
{
	uint64_t due = own.jobs;

	if (own.identities < own.open)
		return;
	if (own.first_s == 0)
		own.first_s = seconds_now();
	if (own.rate)
		due = MIN2(due, 1 + (uint64_t)((seconds_now() - own.first_s) * (double)own.rate));
	while (own.begun < due && own.nfree)
		make_job(st);
}

static void
pace(void *arg)
{
	struct stage *st = arg;

	make_jobs(st);
	loop_timer(stage_loop(st), &own.pace, clock_ms() + PACE_MS);
}

static int
fetch_start(struct stage *st)
{
	own.jobs = env_number("BENCH_JOBS", 1000);
	own.rate = env_number("BENCH_RATE", 0);
	own.open = env_number("BENCH_OPEN", 512);
	own.free_ones = xzalloc(own.open * sizeof *own.free_ones);
	own.revs = xzalloc(own.open * sizeof *own.revs);
	own.made_ns = xzalloc(own.open * sizeof *own.made_ns);
	own.pace = (struct loop_timer){ .fn = pace, .arg = st };
	return EXIT_DONE;
}

static void
fetch_reset(struct stage *st)
{
	static struct life_group g;

	for (uint64_t i = own.identities; i < own.open; i++) {
		life_identity(&g, i);
		books_move(stage_books(st), NULL, TOKEN_IDENTITY | (i + 1), g.items, g.n);
	}
	pace(st);
}

static void
free_identity(struct stage *st, const struct row *r)
{
	if (r->identity >= own.open || r->rev <= own.revs[r->identity])
		return;
	own.revs[r->identity] = r->rev;
	own.free_ones[own.nfree++] = r->identity;
	if (own.made_ns[r->identity] == 0)
		return;
	figures_add(&own.ages, (double)(nanos_now() - own.made_ns[r->identity]) / 1e3);
	own.last_s = seconds_now();
	if (++own.ended >= own.jobs)
		loop_stop(stage_loop(st));
	if (!own.rate)
		make_jobs(st);
}

static void
fetch_answer(struct stage *st, uint64_t token, uint64_t code, const struct row *first)
{
	if (code != CODE_OK)
		die(EXIT_NO, "a creation: %s", code_word(code));
	if (token < TOKEN_JOB && ++own.identities == own.open)
		make_jobs(st);
}

static void
fetch_act(struct stage *st, struct held *h)
{
	struct row r = *h->row;

	if (r.kind == ROW_IDENTITY && r.state == IDENTITY_IDLE)
		free_identity(st, h->row);
	books_drop(stage_books(st), h);
}

static void
fetch_stop(struct stage *st)
{
	if (own.ended)
		printf("jobs_per_s %.1f\n", (double)own.ended / (own.last_s - own.first_s));
	say("life", &own.ages);
}

/* --- the others --- */

static void
trace_act(struct stage *st, struct held *h)
{
	go_on(st, h, LIFE_READY);
}

static void
allocate_act(struct stage *st, struct held *h)
{
	uint64_t now = nanos_now();

	if (own.last_act_ns)
		own.gap_ns = MAX2(own.gap_ns, now - own.last_act_ns);
	own.last_act_ns = now;
	go_on(st, h, LIFE_PLACED);
}

static void
allocate_stop(struct stage *st)
{
	if (own.gap_ns)
		printf("gap_ms %.1f\n", (double)own.gap_ns / 1e6);
}

static void
dispatch_act(struct stage *st, struct held *h)
{
	uint64_t made;

	if (h->row->state != ATTEMPT_SENDING) {
		go_on(st, h, LIFE_SENDING);
		return;
	}
	if (num_u64(h->row->task, &made))
		figures_add(&own.ages, (double)(nanos_now() - made) / 1e3);
	go_on(st, h, LIFE_PROVED);
}

static void
dispatch_levels(struct stage *st, struct tick *t)
{
	snprintf(t->provider, sizeof t->provider, "%s", stage_suffix(st));
	t->slots = pools_one(UINT64_C(1) << TYPE_BATCH, 4096);
}

static void
dispatch_stop(struct stage *st)
{
	say("prove", &own.ages);
}

static void
submit_act(struct stage *st, struct held *h)
{
	const struct row *r = h->row;

	if (r->kind == ROW_ATTEMPT)
		go_on(st, h, LIFE_VERIFIED);
	else
		go_on(st, h, r->state == JOB_SUBMITTING ? LIFE_SUBMITTED : LIFE_SUBMITTING);
}

static void
lose(struct stage *st, struct held *h)
{
}

static void
no_levels(struct stage *st, struct tick *t)
{
}

static void
no_news(struct stage *st, const struct news *n)
{
}

static void
no_reset(struct stage *st)
{
}

static void
no_answer(struct stage *st, uint64_t token, uint64_t code, const struct row *first)
{
}

static const char synopsis[] = "[-v] [-c file] [-I name] [-O key=value]";
#define PLAYER(k, a) { .kind = k, .synopsis = synopsis, .act = a, .lose = lose, .levels = no_levels, .news = no_news, \
	.reset = no_reset, .answer = no_answer }
static struct stage_def players[] = {
	PLAYER("task-fetch", fetch_act), PLAYER("trace-build", trace_act), PLAYER("allocate", allocate_act),
	PLAYER("dispatch-exec", dispatch_act), PLAYER("submit", submit_act),
};

static void
fill_in(void)
{
	players[LIFE_FETCH].start = fetch_start;
	players[LIFE_FETCH].reset = fetch_reset;
	players[LIFE_FETCH].answer = fetch_answer;
	players[LIFE_FETCH].stop = fetch_stop;
	players[LIFE_ALLOCATE].stop = allocate_stop;
	players[LIFE_DISPATCH].levels = dispatch_levels;
	players[LIFE_DISPATCH].stop = dispatch_stop;
}

int
main(int argc, char **argv)
{
	fill_in();
	for (size_t i = 0; argc > 1 && i < NELEM(players); i++)
		if (strcmp(argv[1], players[i].kind) == 0)
			return stage_main(&players[i], argc - 1, argv + 1);
	die(EXIT_USAGE, "usage: bench_play kind %s", synopsis);
}
