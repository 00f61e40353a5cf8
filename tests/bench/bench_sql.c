/* bench_sql.c - one process issues the SQL of whole lives, 1,000 moves per commit, and nothing else.
 *
 * bench_sql STORE [JOBS [record]]: the ledger's core is played JOBS lives with a store that only writes
 * down what it is told; then a fresh SQLite store at STORE is told the same.  With "record" it
 * ends before that: what the core costs without a store.  Checkpoints run as in the ledger.
 * uses: cmd/ledger */
#include <sys/resource.h>

#include "cmd/ledger/checkpoint.h"
#include "cmd/ledger/core.h"
#include "cmd/ledger/store_sqlite.h"
#include "common/diag.h"
#include "common/num.h"
#include "tests/bench/crowd.h"
#include "tests/bench/figures.h"

enum { COMMIT_MOVES = 1000, OPEN = 2000, GROUPS = 32 };

/* One statement: what the core told the store. */
enum told_kind { TOLD_COMMIT, TOLD_ROW, TOLD_HISTORY, TOLD_ENTRY, TOLD_INSTANCE, TOLD_NUMBER, TOLD_KINDS };
struct told {
	enum told_kind	 kind;
	struct row	*row;		/* owned */
	uint64_t	 mask;
	size_t		 n;
	union {
		struct history *history;	/* n of them, owned */
		struct entry *entries;
		struct stored_instance instance;
		struct { char name[32]; uint64_t value; } number;
	} as;
};

static struct told *all;
static size_t nall, cap_all, counted[TOLD_KINDS], prelude;	/* prelude: statements before the first life */
static bool keeping = true;

static struct told *
tell(enum told_kind kind, size_t statements)
{
	static struct told dropped;

	counted[kind] += statements;
	if (!keeping)
		return &dropped;
	if (nall == cap_all) {
		cap_all = cap_all ? 2 * cap_all : 4096;
		all = xrealloc(all, cap_all * sizeof *all);
	}
	all[nall] = (struct told){ .kind = kind };
	return &all[nall++];
}

/* --- the store that writes down --- */

/* Names outlive the call: accounts are few. */
static struct span
keep_name(struct span s)
{
	static char names[64][80];
	static size_t n;

	for (size_t i = 0; i < n; i++)
		if (span_is(s, names[i]))
			return span_str(names[i]);
	if (n == NELEM(names) || !span_cstr(s, names[n], sizeof names[n]))
		bug("too many names");
	return span_str(names[n++]);
}

static uint64_t
none_number(struct store *s, const char *name)
{
	return 0;
}

static int
none_load(struct store *s, const struct store_loader *l)
{
	return STORE_OK;
}

static int
none_begin(struct store *s, uint64_t term)
{
	return STORE_OK;
}

static int
told_row(struct store *s, const struct row *row, uint64_t mask)
{
	struct told *t = tell(TOLD_ROW, 1);

	if (keeping) {
		t->row = row_keep(row);
		t->mask = mask;
	}
	return STORE_OK;
}

/* So many statements do lines of history or entries take. */
static size_t
statements_of(size_t n)
{
	return n / STORE_LINES + n % STORE_LINES;
}

static int
told_history(struct store *s, const struct history *h, size_t n)
{
	struct told *t = tell(TOLD_HISTORY, statements_of(n));

	t->n = n;
	if (keeping)
		t->as.history = memcpy(xmalloc(n * sizeof *h), h, n * sizeof *h);
	return STORE_OK;
}

static int
told_entries(struct store *s, const struct entry *e, size_t n)
{
	struct told *t = tell(TOLD_ENTRY, statements_of(n));

	t->n = n;
	if (!keeping)
		return STORE_OK;
	t->as.entries = memcpy(xmalloc(n * sizeof *e), e, n * sizeof *e);
	for (size_t i = 0; i < n; i++)
		t->as.entries[i].account = keep_name(e[i].account);
	return STORE_OK;
}

static int
told_instance(struct store *s, const struct stored_instance *i)
{
	struct told *t = tell(TOLD_INSTANCE, 1);

	t->as.instance = *i;
	t->as.instance.name = keep_name(i->name);
	t->as.instance.kind = keep_name(i->kind);
	return STORE_OK;
}

static int
told_number(struct store *s, const char *name, uint64_t value)
{
	struct told *t = tell(TOLD_NUMBER, 1);

	snprintf(t->as.number.name, sizeof t->as.number.name, "%s", name);
	t->as.number.value = value;
	return STORE_OK;
}

static int
told_commit(struct store *s)
{
	tell(TOLD_COMMIT, 1);
	return STORE_OK;
}

static void
none_rollback(struct store *s)
{
}

static uint64_t
none_new_term(struct store *s)
{
	return 1;
}

static const struct store_ops telling = {
	.number = none_number, .load = none_load, .begin = none_begin, .put_row = told_row, .put_history = told_history,
	.put_entries = told_entries, .put_instance = told_instance, .put_number = told_number, .commit = told_commit,
	.rollback = none_rollback, .new_term = none_new_term,
};

/* --- the core and the crowd, back to back --- */

struct post { enum life_actor who; struct buf bytes; };
struct posts { struct post *v; size_t n, cap; };

struct play {
	struct core	*core;
	struct crowd	*crowd;
	struct posts	 up, down;
};

static void
post(struct posts *p, enum life_actor who, struct span message)
{
	if (p->n == p->cap) {
		size_t old = p->cap;
		p->cap = old ? 2 * old : 64;
		p->v = xrealloc(p->v, p->cap * sizeof *p->v);
		memset(p->v + old, 0, (p->cap - old) * sizeof *p->v);
	}
	struct post *one = &p->v[p->n++];
	one->who = who;
	buf_reset(&one->bytes);
	buf_put(&one->bytes, message.p, message.n);
}

static void
send_up(void *arg, enum life_actor who, struct span message)
{
	post(&((struct play *)arg)->up, who, message);
}

static void
send_down(void *arg, struct span route, struct span message)
{
	post(&((struct play *)arg)->down, (enum life_actor)route.p[0], message);
}

static bool
every_blob(void *arg, const uint8_t hash[HASH_BYTES])
{
	return true;
}

/* What the crowd says is heard in turns of at most COMMIT_MOVES moves. */
static void
play_round(struct play *p)
{
	bool active;

	crowd_turn(p->crowd);
	for (size_t i = 0, messages = 0; i < p->up.n; i++) {
		uint8_t route = (uint8_t)p->up.v[i].who;
		core_hear(p->core, (struct span){ &route, 1 }, 0, SPAN_OF(&p->up.v[i].bytes));
		if (++messages == COMMIT_MOVES / GROUPS || i + 1 == p->up.n) {
			core_turn(p->core, &active);
			messages = 0;
		}
	}
	p->up.n = 0;
	for (size_t i = 0; i < p->down.n; i++)
		crowd_hear(p->crowd, p->down.v[i].who, SPAN_OF(&p->down.v[i].bytes));
	p->down.n = 0;
}

static void
free_posts(struct posts *p)
{
	for (size_t i = 0; i < p->cap; i++)
		buf_free(&p->v[i].bytes);
	free(p->v);
}

static void
play(uint64_t jobs)
{
	static const struct core_chain chain = { .name = "" };
	struct play p = { 0 };
	char why[256];

	p.core = core_new(&(struct core_opts){ .ops = &telling, .ledger = "bench", .retry_ms = 60000, .lease_ms = 60000,
	    .chains = &chain, .nchains = 1, .send = send_down, .blob = every_blob, .arg = &p }, why);
	if (!p.core)
		die(EXIT_SYSTEM, "%s", why);
	p.crowd = crowd_new(&(struct crowd_opts){ .jobs = jobs, .open = MIN2(OPEN, jobs), .groups = GROUPS,
	    .last = LIFE_SUBMITTED, .send = send_up, .arg = &p });
	for (enum life_actor who = 0; who < LIFE_ACTORS; who++)
		crowd_connected(p.crowd, who);
	while (!crowd_welcome(p.crowd))
		play_round(&p);
	memset(counted, 0, sizeof counted);
	prelude = nall;
	double begun = seconds_now();
	while (crowd_done(p.crowd) < jobs)
		play_round(&p);
	printf("core_us_per_move %.3f\n", (seconds_now() - begun) * 1e6 / (double)(jobs * LIFE_MOVES));
	crowd_free(&p.crowd);
	core_free(&p.core);
	free_posts(&p.up);
	free_posts(&p.down);
}

/* --- the same SQL --- */

static int
write_told(struct store *s, const struct told *t)
{
	const struct store_ops *ops = &store_sqlite;

	switch (t->kind) {
	case TOLD_ROW:		return ops->put_row(s, t->row, t->mask);
	case TOLD_HISTORY:	return ops->put_history(s, t->as.history, t->n);
	case TOLD_ENTRY:	return ops->put_entries(s, t->as.entries, t->n);
	case TOLD_INSTANCE:	return ops->put_instance(s, &t->as.instance);
	case TOLD_NUMBER:	return ops->put_number(s, t->as.number.name, t->as.number.value);
	default:		return ops->commit(s);
	}
}

static double
cpu_s(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static void
write_all(const char *path, uint64_t moves)
{
	char why[256];
	struct store *s = store_sqlite.open(path, why);
	struct checkpoint *checkpoint = s ? checkpoint_start(s, path, 1000, why) : NULL;

	if (!checkpoint)
		die(EXIT_SYSTEM, "%s", why);
	uint64_t term = store_sqlite.new_term(s);
	double begun = seconds_now(), cpu = cpu_s();
	int rc = store_sqlite.begin(s, term);
	for (size_t i = 0; i < nall && rc == STORE_OK; i++) {
		if (i == prelude) {
			begun = seconds_now();
			cpu = cpu_s();
		}
		rc = write_told(s, &all[i]);
		if (all[i].kind != TOLD_COMMIT || rc != STORE_OK)
			continue;
		if (checkpoint_due(checkpoint))
			(void)checkpoint_finish(checkpoint);
		rc = i + 1 < nall ? store_sqlite.begin(s, term) : STORE_OK;
	}
	if (rc != STORE_OK)
		die(EXIT_SYSTEM, "%s: the store does not take it", path);
	printf("moves_per_s %.0f\n", (double)moves / (seconds_now() - begun));
	printf("cpu_us_per_move %.3f\n", (cpu_s() - cpu) * 1e6 / (double)moves);
	checkpoint_stop(&checkpoint);
	store_sqlite.close(&s);
}

static void
free_told(struct told *t)
{
	free(t->row);
	if (t->kind == TOLD_HISTORY)
		free(t->as.history);
	if (t->kind == TOLD_ENTRY)
		free(t->as.entries);
}

static void
say_counts(uint64_t moves)
{
	static const char *const names[TOLD_KINDS] = { "commit", "row", "history", "entry", "instance", "number" };
	size_t statements = 0;

	for (size_t k = 0; k < TOLD_KINDS; k++) {
		printf("%s_per_move %.3f\n", names[k], (double)counted[k] / (double)moves);
		statements += k == TOLD_COMMIT ? 0 : counted[k];
	}
	printf("statements_per_move %.3f\n", (double)statements / (double)moves);
}

int
main(int argc, char **argv)
{
	uint64_t jobs = 10000;

	if (argc < 2 || argc > 4 || (argc > 2 && !num_u64(span_str(argv[2]), &jobs)))
		die(EXIT_USAGE, "usage: bench_sql store [jobs [record]]");
	diag_threshold(DIAG_WARN);
	keeping = argc < 4;
	play(jobs);
	say_counts(jobs * LIFE_MOVES);
	if (keeping)
		write_all(argv[1], jobs * LIFE_MOVES);
	for (size_t i = 0; i < nall; i++)
		free_told(&all[i]);
	free(all);
	return EXIT_DONE;
}
