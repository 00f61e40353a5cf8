/* test_prover.c - what prova-prover decides, with the test as Coordinator, command and disk; and a process that is
 * killed at each step of it.
 * uses: cmd/prover */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cmd/prover/core.h"

enum { START_MS = 1000000, POLL_MS = 20000, TIMEOUT_MS = 60000, REST_MS = 70000, FAILURE_REST_MS = 600000, GIVE_UP_MS = 3600000, ALL = 14, FILES = 16 };

/* ---- a disk ---- */

struct file {
	char		name[TASKFILE_NAME];
	struct buf	bytes;
};

static struct file files[FILES];
static size_t nfiles;
static unsigned disk_errors;		/* so many writes fail */

static struct file *
find_file(const char *name)
{
	for (size_t i = 0; i < nfiles; i++)
		if (strcmp(files[i].name, name) == 0)
			return &files[i];
	return NULL;
}

static bool
disk_fails(void)
{
	errno = ENOSPC;
	return disk_errors && disk_errors--;
}

static int
write_file(const struct record *r)
{
	char name[TASKFILE_NAME];

	if (disk_fails())
		return -1;
	taskfile_name(r, name);
	struct file *f = find_file(name);
	if (!f) {
		assert_true(nfiles < FILES);
		f = &files[nfiles++];
		snprintf(f->name, sizeof f->name, "%s", name);
	}
	buf_reset(&f->bytes);
	taskfile_put(&f->bytes, r);
	return 0;
}

static int
remove_file(const struct record *r)
{
	char name[TASKFILE_NAME];

	if (disk_fails())
		return -1;
	taskfile_name(r, name);
	struct file *f = find_file(name);
	assert_non_null(f);
	buf_free(&f->bytes);
	*f = files[--nfiles];
	files[nfiles] = (struct file){ 0 };
	return 0;
}

static int
rename_file(const struct record *r, const char *to)
{
	char name[TASKFILE_NAME];

	if (disk_fails())
		return -1;
	taskfile_name(r, name);
	struct file *f = find_file(name);
	assert_non_null(f);
	snprintf(f->name, sizeof f->name, "%s", to);
	return 0;
}

static void
load_file(const struct file *f, struct record *r)
{
	struct record named = { 0 };
	char why[TASKFILE_WHY];

	assert_true(taskfile_read(SPAN_OF(&f->bytes), r, why));
	assert_true(taskfile_named(f->name, &named));
	assert_int_equal(named.identity, r->identity);
	r->tries = named.tries;
	r->failures = named.failures;
}

static void
empty_disk(void)
{
	for (size_t i = 0; i < nfiles; i++)
		buf_free(&files[i].bytes);
	memset(files, 0, sizeof files);
	nfiles = 0;
}

/* ---- what went out ---- */

static struct core *core;
static char log_text[4096];		/* "poll0:2 keep0 ..." */
static struct buf last_post;

PRINTF(1, 2)
static void
note(const char *fmt, ...)
{
	size_t n = strlen(log_text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(log_text + n, sizeof log_text - n, fmt, ap);
	va_end(ap);
}

/* All since the last look. */
static const char *
seen(void)
{
	static char copy[sizeof log_text];

	memcpy(copy, log_text, sizeof copy);
	log_text[0] = '\0';
	size_t n = strlen(copy);
	if (n)
		copy[n - 1] = '\0';
	return copy;
}

static void
on_poll(void *arg, size_t worker, uint64_t types, struct span task_id)
{
	note("poll%zu:%" PRIu64 "%s%.*s ", worker, types, task_id.n ? "=" : "", SPAN_ARG(task_id));
}

static void
on_build(void *arg, size_t worker, const struct record *r)
{
	note("build%zu ", worker);
}

static void
on_prove(void *arg, size_t worker, const struct record *r, bool begun)
{
	struct buf attempt = { 0 };

	taskfile_attempt(r, &attempt);
	note("%s%zu=%s ", begun ? "resume" : "prove", worker, buf_cstr(&attempt));
	buf_free(&attempt);
}

static void
on_post(void *arg, size_t worker, const struct record *r, bool again)
{
	struct coord_request q = { 0 };

	taskfile_submit(r, false, SPAN("token"), &q);
	if (again)
		assert_true(span_eq(SPAN_OF(&q.body), SPAN_OF(&last_post)));
	buf_reset(&last_post);
	buf_put(&last_post, q.body.p, q.body.n);
	coord_request_free(&q);
	note("post%zu:%s ", worker, r->state == RECORD_PROVED ? "proof" : "failure");
}

static void
on_unbuild(void *arg, size_t worker)
{
	note("unbuild%zu ", worker);
}

static int
on_keep(void *arg, const struct record *r)
{
	note("keep%" PRIu32 " ", r->identity);
	return write_file(r);
}

static int
on_number(void *arg, const struct record *r, uint32_t tries, uint32_t failures)
{
	struct record next = { .identity = r->identity, .tries = tries, .failures = failures };
	char name[TASKFILE_NAME];

	taskfile_name(&next, name);
	note("number=%s ", name);
	return rename_file(r, name);
}

static int
on_forget(void *arg, const struct record *r)
{
	note("forget%" PRIu32 " ", r->identity);
	return remove_file(r);
}

static int
on_aside(void *arg, const struct record *r)
{
	char name[TASKFILE_NAME];

	taskfile_aside(r, name);
	note("aside%" PRIu32 " ", r->identity);
	return rename_file(r, name);
}

static void
on_ended(void *arg, size_t worker, const char *task_id, int status, const char *why)
{
	note("ended=%s:%d ", task_id, status);
}

static const struct core_ops ops = { .poll = on_poll, .build = on_build, .prove = on_prove, .post = on_post,
	.unbuild = on_unbuild, .keep = on_keep, .number = on_number, .forget = on_forget, .aside = on_aside, .ended = on_ended };

static struct core_opts
usual(void)
{
	return (struct core_opts){ .workers = 1, .types = ALL, .max_tries = 3, .poll_ms = POLL_MS, .rest_ms = REST_MS,
	    .failure_rest_ms = FAILURE_REST_MS,
	    .timeout_ms = TIMEOUT_MS, .stagger_ms = 0, .backoff_ms = 500, .backoff_max_ms = 30000, .give_up_ms = GIVE_UP_MS,
	    .seed = 7, .ops = &ops };
}

static void
begin_with(const struct core_opts *o)
{
	core_free(&core);
	core = core_new(o);
	log_text[0] = '\0';
	for (size_t i = 0; i < o->workers && !o->once; i++)
		core_able(core, i, ALL);
	core_turn(core);
}

static void
begin(void)
{
	struct core_opts o = usual();

	begin_with(&o);
}

static int
setup(void **state)
{
	clock_freeze(START_MS);
	disk_errors = 0;
	return 0;
}

static int
teardown(void **state)
{
	core_free(&core);
	empty_disk();
	buf_free(&last_post);
	clock_freeze(0);
	return 0;
}

static void
pass(uint64_t ms)
{
	clock_freeze(clock_ms() + ms);
	core_turn(core);
}

/* ---- what comes back ---- */

static void
poll_says(size_t worker, enum poll_outcome outcome, enum code code)
{
	core_polled(core, worker, &(struct poll_result){ .outcome = outcome, .code = code, .why = "so it is" });
	core_turn(core);
}

static void
give(size_t worker, uint64_t type, const char *task_id)
{
	struct coord_task t = { .type = type };

	buf_printf(&t.uuid, "uuid-%s", task_id);
	buf_puts(&t.task_id, task_id);
	buf_puts(&t.fork, "darwinV2");
	buf_puts(&t.data, "{\"block_hashes\":[]}");
	core_polled(core, worker, &(struct poll_result){ .outcome = POLL_TASK, .task = &t });
	assert_null(t.data.p);
	core_turn(core);
}

static void
built(size_t worker, enum code code)
{
	core_built(core, worker, code, code == CODE_OK ? "" : "block_hashes has 0 entries");
	core_turn(core);
}

static void
proved(size_t worker, enum proof_outcome outcome)
{
	core_proved(core, worker, outcome, outcome == PROOF_DONE ? SPAN("{\"proof\":1}") : (struct span){ 0 },
	    outcome == PROOF_DONE ? CODE_OK : CODE_PROVER_FAILED, "no GPU");
	core_turn(core);
}

static void
posted(size_t worker, enum posted how)
{
	core_posted(core, worker, how, how == POSTED_TAKEN ? CODE_OK : CODE_POST_FAILED, "said so");
	core_turn(core);
}

/* A task on the way to its proof's post. */
static void
until_post(void)
{
	begin();
	give(0, TYPE_CHUNK, "0x1");
	built(0, CODE_OK);
	proved(0, PROOF_DONE);
	assert_non_null(strstr(seen(), "post0:proof"));
}

static void
until_try(void)
{
	begin();
	give(0, TYPE_CHUNK, "0x1");
	built(0, CODE_OK);
	assert_non_null(strstr(seen(), "prove0=uuid-0x1.0"));
}

/* ---- tests ---- */

static void
each_step_is_kept_before_the_next(void **state)
{
	begin();
	assert_string_equal(seen(), "poll0:2");
	give(0, TYPE_CHUNK, "0x1");
	assert_string_equal(seen(), "keep0 build0");
	built(0, CODE_OK);
	assert_string_equal(seen(), "number=task.0.1.0 prove0=uuid-0x1.0");
	proved(0, PROOF_DONE);
	assert_string_equal(seen(), "keep0 post0:proof");
	assert_non_null(strstr(buf_cstr(&last_post), "\"uuid\":\"uuid-0x1\",\"task_id\":\"0x1\",\"task_type\":1,\"status\":0"));
	posted(0, POSTED_TAKEN);
	assert_string_equal(seen(), "forget0 unbuild0 poll0:4");
	assert_int_equal(nfiles, 0);
}

static void
types_are_asked_for_in_turn(void **state)
{
	begin();
	poll_says(0, POLL_EMPTY, CODE_OK);
	poll_says(0, POLL_EMPTY, CODE_OK);
	assert_string_equal(seen(), "poll0:2 poll0:4 poll0:8");
	poll_says(0, POLL_EMPTY, CODE_OK);
	pass(POLL_MS - 1);
	assert_string_equal(seen(), "");
	pass(1);
	assert_string_equal(seen(), "poll0:2");
}

static void
all_types_are_asked_for_at_once(void **state)
{
	struct core_opts o = usual();

	o.all_types = true;
	begin_with(&o);
	poll_says(0, POLL_EMPTY, CODE_OK);
	pass(POLL_MS - 1);
	assert_string_equal(seen(), "poll0:14");
	pass(1);
	assert_string_equal(seen(), "poll0:14");
}

static void
workers_poll_one_after_the_other(void **state)
{
	struct core_opts o = usual();

	o.workers = 3;
	o.stagger_ms = 100;
	begin_with(&o);
	assert_string_equal(seen(), "poll0:2");
	pass(99);
	assert_string_equal(seen(), "");
	pass(1);
	assert_string_equal(seen(), "poll1:4");
	poll_says(0, POLL_EMPTY, CODE_OK);
	pass(100);
	assert_string_equal(seen(), "poll2:8");		/* not worker 0 again */
	pass(100);
	assert_string_equal(seen(), "poll0:4");
}

static void
nothing_is_polled_for_what_cannot_be_proved(void **state)
{
	begin();
	poll_says(0, POLL_EMPTY, CODE_OK);
	core_able(core, 0, 0);
	poll_says(0, POLL_EMPTY, CODE_OK);
	pass(10 * POLL_MS);
	assert_string_equal(seen(), "poll0:2 poll0:4");
	core_able(core, 0, 1 << TYPE_BUNDLE);
	core_turn(core);
	assert_string_equal(seen(), "poll0:8");
}

static void
two_polls_of_an_identity_never_overlap(void **state)
{
	begin();
	pass(5000);
	poll_says(0, POLL_UNANSWERED, CODE_COORD_AWAY);
	pass(TIMEOUT_MS - 5001);
	assert_string_equal(seen(), "poll0:2");
	pass(1);
	assert_string_equal(seen(), "poll0:2");		/* the same type */
	poll_says(0, POLL_NOT_SENT, CODE_COORD_AWAY);
	pass(5000);
	assert_string_equal(seen(), "poll0:2");		/* surely not there: after the back-off */
}

static void
an_identity_that_holds_another_task_rests(void **state)
{
	static const enum poll_outcome outcomes[] = { POLL_ASSIGNED, POLL_BLOCKED };

	for (size_t i = 0; i < NELEM(outcomes); i++) {
		begin();
		poll_says(0, outcomes[i], CODE_ALREADY_ASSIGNED);
		pass(REST_MS - 1);
		assert_string_equal(seen(), "poll0:2");
		pass(1);
		assert_string_equal(seen(), "poll0:4");
	}
}

static void
what_could_not_be_built_is_skipped(void **state)
{
	begin();
	poll_says(0, POLL_SKIPPED, CODE_L2_AWAY);
	assert_string_equal(seen(), "poll0:2 poll0:4");
	poll_says(0, POLL_EMPTY, CODE_OK);
	poll_says(0, POLL_EMPTY, CODE_OK);
	pass(POLL_MS - 1);
	assert_string_equal(seen(), "poll0:8");
	pass(1);
	assert_string_equal(seen(), "poll0:2");
}

static void
a_refused_poll_is_made_again_later(void **state)
{
	begin();
	poll_says(0, POLL_REFUSED, CODE_GET_TASK_FAILED);
	pass(POLL_MS - 1);
	assert_string_equal(seen(), "poll0:2");
	pass(1);
	assert_string_equal(seen(), "poll0:4");
}

static void
a_task_that_fails_too_often_is_reported(void **state)
{
	until_try();
	proved(0, PROOF_FAILED);
	assert_string_equal(seen(), "number=task.0.1.1");
	pass(60000);
	assert_string_equal(seen(), "number=task.0.2.1 prove0=uuid-0x1.1");	/* another order */
	proved(0, PROOF_LOST);
	pass(60000);
	assert_string_equal(seen(), "resume0=uuid-0x1.1");	/* the same: no new try */
	proved(0, PROOF_FAILED);
	pass(60000);
	assert_string_equal(seen(), "number=task.0.2.2 number=task.0.3.2 prove0=uuid-0x1.2");
	proved(0, PROOF_FAILED);
	assert_string_equal(seen(), "number=task.0.3.3 keep0 post0:failure");
	assert_non_null(strstr(buf_cstr(&last_post), "\"status\":1,\"proof\":\"\",\"failure_type\":2,\"failure_msg\":\"prover-failed: no GPU\""));
	posted(0, POSTED_UNANSWERED);
	assert_int_equal(nfiles, 1);
	pass(60000);
	assert_string_equal(seen(), "post0:failure");
	posted(0, POSTED_FINAL);	/* so a real Coordinator answers a report */
	assert_string_equal(seen(), "forget0 unbuild0");
	pass(POLL_MS);
	assert_string_equal(seen(), "poll0:4");
}

/* A task of this worker, from its poll to the report that it failed. */
static void
fail_one(size_t worker)
{
	give(worker, TYPE_CHUNK, "0x1");
	built(worker, CODE_TASK_BAD);
	posted(worker, POSTED_FINAL);
	seen();
}

static void
prove_one(size_t worker, enum posted how, enum code code)
{
	give(worker, TYPE_CHUNK, "0x1");
	built(worker, CODE_OK);
	proved(worker, PROOF_DONE);
	seen();
	core_posted(core, worker, how, code, "said so");
	core_turn(core);
}

/* Until this worker polls. */
static uint64_t
rests_for(size_t worker)
{
	char poll[32];
	uint64_t from = clock_ms();

	snprintf(poll, sizeof poll, "poll%zu:", worker);
	while (!strstr(seen(), poll)) {
		assert_true(clock_ms() - from < 2 * FAILURE_REST_MS);
		pass(1000);
	}
	return clock_ms() - from;
}

static void
a_worker_whose_tasks_fail_rests_longer_and_longer(void **state)
{
	uint64_t rest = 0, all = 0;
	char doing[128];

	begin();
	for (int i = 0; i < 20; i++) {
		fail_one(0);
		rest = rests_for(0);
		all += rest;
		assert_true(rest >= POLL_MS && rest <= FAILURE_REST_MS * 5 / 4 + 1000);
		assert_true(i > 3 || rest == POLL_MS);		/* a few are not much */
	}
	assert_true(rest >= FAILURE_REST_MS * 3 / 4);
	assert_true(all >= 8 * FAILURE_REST_MS * 3 / 4);
	core_note(core, doing, sizeof doing);
	assert_string_equal(doing, "20 tasks failed and none was proved; 1 poll");
	prove_one(0, POSTED_TAKEN, CODE_OK);
	assert_int_equal(rests_for(0), 0);
	core_note(core, doing, sizeof doing);
	assert_string_equal(doing, "1 poll");
	fail_one(0);
	assert_int_equal(rests_for(0), POLL_MS);	/* anew */
}

static void
workers(size_t n)
{
	struct core_opts o = usual();

	o.workers = n;
	begin_with(&o);
	seen();
}

/* They have one command: what one of them has seen fail is known to the next. */
static void
all_workers_failures_count(void **state)
{
	workers(12);
	for (size_t i = 0; i < 11; i++)
		fail_one(i);
	fail_one(11);
	assert_true(rests_for(11) >= FAILURE_REST_MS * 3 / 4);
}

static void
a_task_that_fails_among_good_ones_slows_nobody_else(void **state)
{
	workers(2);
	for (int i = 0; i < 20; i++) {
		fail_one(0);
		prove_one(1, POSTED_TAKEN, CODE_OK);
		assert_non_null(strstr(seen(), "poll1:"));
		assert_int_equal(rests_for(0), POLL_MS);
	}
}

/* What the others' rest was for is over. */
static void
an_accepted_proof_ends_the_longer_rest(void **state)
{
	workers(13);
	for (size_t i = 0; i < 12; i++)
		fail_one(i);
	pass(1000);
	assert_string_equal(seen(), "");
	prove_one(12, POSTED_TAKEN, CODE_OK);
	seen();
	pass(POLL_MS - 1001);
	assert_string_equal(seen(), "");
	pass(1);
	assert_non_null(strstr(seen(), "poll11:"));
}

/* That it does not verify is the command's fault; that it came late, or twice, is not. */
static void
a_proof_that_does_not_verify_counts_as_a_failure(void **state)
{
	begin();
	prove_one(0, POSTED_FINAL, CODE_TWICE);
	assert_int_equal(rests_for(0), 0);
	prove_one(0, POSTED_FINAL, CODE_REFUSED_PROOF);
	assert_int_equal(rests_for(0), POLL_MS);
	for (int i = 0; i < 11; i++) {
		prove_one(0, POSTED_FINAL, CODE_REFUSED_PROOF);
		rests_for(0);
	}
	prove_one(0, POSTED_FINAL, CODE_REFUSED_PROOF);
	assert_true(rests_for(0) >= FAILURE_REST_MS * 3 / 4);
}

static void
a_try_that_did_not_begin_does_not_count(void **state)
{
	until_try();
	for (int i = 0; i < 10; i++) {
		proved(0, PROOF_LATER);
		pass(60000);
		assert_string_equal(seen(), "number=task.0.0.0 number=task.0.1.0 prove0=uuid-0x1.0");
	}
}

static void
what_cannot_be_built_or_done_is_reported_at_once(void **state)
{
	begin();
	give(0, TYPE_CHUNK, "0x1");
	built(0, CODE_TASK_BAD);
	assert_string_equal(seen(), "poll0:2 keep0 build0 keep0 post0:failure");
	assert_non_null(strstr(buf_cstr(&last_post), "failed to build proving input: block_hashes has 0 entries"));
	posted(0, POSTED_TAKEN);
	pass(POLL_MS);
	core_able(core, 0, 1 << TYPE_CHUNK);
	give(0, TYPE_BATCH, "0x2");
	built(0, CODE_OK);
	assert_non_null(strstr(seen(), "keep0 build0 keep0 post0:failure"));
	assert_non_null(strstr(buf_cstr(&last_post), "not-able"));
}

static void
a_task_waits_for_the_command(void **state)
{
	begin();
	give(0, TYPE_CHUNK, "0x1");
	core_able(core, 0, 0);
	seen();
	built(0, CODE_OK);
	pass(3600000);
	assert_string_equal(seen(), "");
	core_able(core, 0, ALL);
	core_turn(core);
	assert_string_equal(seen(), "number=task.0.1.0 prove0=uuid-0x1.0");
}

static void
a_finished_proof_is_submitted_until_there_is_an_answer(void **state)
{
	until_post();
	for (int i = 0; i < 20; i++) {
		posted(0, POSTED_UNANSWERED);
		assert_string_equal(seen(), "");
		pass(40000);
		assert_string_equal(seen(), "post0:proof");	/* on_post compares the bytes */
	}
	posted(0, POSTED_UNKNOWN);
	pass(40000);
	assert_string_equal(seen(), "post0:proof");
	assert_int_equal(nfiles, 1);
	posted(0, POSTED_FINAL);
	assert_string_equal(seen(), "forget0 unbuild0 poll0:4");
}

static void
a_proof_whose_task_is_unknown_for_long_is_put_aside(void **state)
{
	until_post();
	for (uint64_t at = clock_ms(); clock_ms() - at < GIVE_UP_MS; ) {
		posted(0, POSTED_UNKNOWN);
		assert_int_equal(nfiles, 1);
		pass(40000);
		assert_string_equal(seen(), "post0:proof");
	}
	posted(0, POSTED_UNKNOWN);
	assert_string_equal(seen(), "aside0 unbuild0 poll0:4");
	assert_int_equal(strncmp(files[0].name, "aside.", 6), 0);
}

static void
a_post_that_is_not_let_through_is_put_aside_in_the_end(void **state)
{
	char doing[128];

	for (int failed = 0; failed < 2; failed++) {
		empty_disk();
		begin();
		give(0, TYPE_CHUNK, "0x1");
		built(0, failed ? CODE_TASK_BAD : CODE_OK);
		if (!failed)
			proved(0, PROOF_DONE);
		seen();
		for (uint64_t at = clock_ms(); clock_ms() - at < GIVE_UP_MS; ) {
			posted(0, POSTED_BARRED);
			assert_string_equal(seen(), "");
			core_note(core, doing, sizeof doing);
			assert_string_equal(doing, "1 submit");		/* and nobody is silent */
			pass(40000);
			assert_string_equal(seen(), failed ? "post0:failure" : "post0:proof");
		}
		posted(0, POSTED_BARRED);
		assert_string_equal(seen(), "aside0 unbuild0 poll0:4");
	}
}

static void
a_proof_that_cannot_be_read_is_a_failed_try(void **state)
{
	until_post();
	posted(0, POSTED_UNREADABLE);
	pass(60000);
	assert_string_equal(seen(), "number=task.0.1.1 keep0 build0");
	built(0, CODE_OK);
	assert_string_equal(seen(), "number=task.0.2.1 prove0=uuid-0x1.1");
	proved(0, PROOF_DONE);
	posted(0, POSTED_UNREADABLE);
	pass(60000);
	built(0, CODE_OK);
	proved(0, PROOF_DONE);
	seen();
	posted(0, POSTED_UNREADABLE);
	assert_string_equal(seen(), "number=task.0.3.3 keep0 post0:failure");
}

static void
a_full_disk_stops_the_step_and_loses_nothing(void **state)
{
	begin();
	disk_errors = 3;
	give(0, TYPE_CHUNK, "0x1");
	for (int i = 0; i < 3; i++)
		pass(1000);
	assert_string_equal(seen(), "poll0:2 keep0 keep0 keep0 keep0 build0");
	disk_errors = 1;
	built(0, CODE_OK);
	assert_string_equal(seen(), "number=task.0.1.0");
	pass(1000);
	assert_string_equal(seen(), "number=task.0.1.0 prove0=uuid-0x1.0");
	proved(0, PROOF_DONE);
	assert_string_equal(seen(), "keep0 post0:proof");
	disk_errors = 1;
	posted(0, POSTED_TAKEN);
	assert_string_equal(seen(), "forget0");
	pass(1000);
	assert_string_equal(seen(), "forget0 unbuild0 poll0:4");
}

static bool
is_kept(const char *name, enum record_state state)
{
	struct file *f = find_file(name);
	struct record r;

	assert_non_null(f);
	load_file(f, &r);
	bool kept = r.state == state;
	record_free(&r);
	return kept;
}

/* A proof that the disk refuses so often. */
static void
until_unkept(unsigned errors)
{
	until_try();
	disk_errors = errors;
	proved(0, PROOF_DONE);
}

static void
a_proof_that_the_disk_does_not_take_is_submitted(void **state)
{
	char doing[128];

	until_unkept(3);
	assert_string_equal(seen(), "keep0 post0:proof");
	core_note(core, doing, sizeof doing);
	assert_string_equal(doing, "the disk does not take 1; 1 submit");
	assert_int_equal(core_turn(core), clock_ms() + 1000);
	pass(1000);
	assert_string_equal(seen(), "keep0");		/* while the post is under way */
	posted(0, POSTED_UNANSWERED);
	pass(1000);
	assert_string_equal(seen(), "keep0 post0:proof");
	assert_true(is_kept("task.0.1.0", RECORD_OPEN));
	pass(1000);
	assert_string_equal(seen(), "keep0");
	assert_true(is_kept("task.0.1.0", RECORD_PROVED));
	core_note(core, doing, sizeof doing);
	assert_null(strstr(doing, "disk"));
	pass(60000);
	assert_string_equal(seen(), "");
	posted(0, POSTED_TAKEN);
	assert_string_equal(seen(), "forget0 unbuild0 poll0:4");
}

static void
the_answer_may_come_before_the_disk(void **state)
{
	until_unkept(1000);
	pass(1000);
	assert_string_equal(seen(), "keep0 post0:proof keep0");
	disk_errors = 0;
	posted(0, POSTED_TAKEN);
	assert_string_equal(seen(), "forget0 unbuild0 poll0:4");
	pass(10000);
	assert_string_equal(seen(), "");
	assert_int_equal(nfiles, 0);
}

static void
a_failure_that_the_disk_does_not_take_is_reported(void **state)
{
	begin();
	give(0, TYPE_CHUNK, "0x1");
	seen();
	disk_errors = 1;
	built(0, CODE_TASK_BAD);
	assert_string_equal(seen(), "keep0 post0:failure");
}

/* What is put aside is the file: it would be without the proof. */
static void
what_only_memory_has_is_not_put_aside(void **state)
{
	until_unkept(1000000);
	for (uint64_t at = clock_ms(); clock_ms() - at < 2 * GIVE_UP_MS; ) {
		posted(0, POSTED_UNKNOWN);
		pass(40000);
	}
	assert_null(strstr(seen(), "aside0"));
	disk_errors = 0;
	pass(1000);
	assert_true(is_kept("task.0.1.0", RECORD_PROVED));
	posted(0, POSTED_UNKNOWN);
	assert_string_equal(seen(), "keep0 aside0 unbuild0 poll0:4");
}

static void
what_only_memory_has_is_written_at_the_end(void **state)
{
	until_unkept(1);
	assert_true(is_kept("task.0.1.0", RECORD_OPEN));
	core_stop(core);
	assert_true(is_kept("task.0.1.0", RECORD_PROVED));
}

/* The file that is there has no proof, or one that must go: it is written before anything else. */
static void
an_unreadable_proof_that_is_not_on_the_disk_is_a_failed_try(void **state)
{
	until_unkept(1);
	posted(0, POSTED_UNREADABLE);
	seen();
	pass(60000);
	assert_string_equal(seen(), "keep0 build0");
	assert_true(is_kept("task.0.1.1", RECORD_OPEN));
}

/* What the disk has, in a new process. */
static void
restart(const struct core_opts *o)
{
	core_free(&core);
	core = core_new(o);
	for (size_t i = 0; i < nfiles; i++) {
		struct record r;
		load_file(&files[i], &r);
		core_adopt(core, &r);
	}
	for (size_t i = 0; i < core_workers(core); i++)
		core_able(core, i, ALL);
	core_turn(core);
}

/* A new process has built the input again. */
static void
again(const struct core_opts *o)
{
	restart(o);
	seen();
	built(0, CODE_OK);
}

static void
an_end_gives_the_try_back_and_a_kill_does_not(void **state)
{
	struct core_opts o = usual();

	until_try();
	core_stop(core);
	assert_non_null(find_file("task.0.0.0"));
	again(&o);
	assert_string_equal(seen(), "number=task.0.1.0 resume0=uuid-0x1.0");
	proved(0, PROOF_NONE);
	assert_string_equal(seen(), "number=task.0.0.0 number=task.0.1.0 prove0=uuid-0x1.0");
	for (int i = 2; i <= 3; i++) {		/* nobody knows what became of the order: another one is begun */
		again(&o);
		assert_string_equal(seen(), "resume0=uuid-0x1.0");
		proved(0, PROOF_NONE);
		assert_non_null(strstr(seen(), "prove0=uuid-0x1.0"));
	}
	assert_non_null(find_file("task.0.3.0"));
	again(&o);
	core_stop(core);	/* to ask is no try: there is none to give back */
	assert_non_null(find_file("task.0.3.0"));
	again(&o);
	seen();
	proved(0, PROOF_NONE);
	assert_string_equal(seen(), "keep0 post0:failure");
	assert_non_null(strstr(buf_cstr(&last_post), "\"failure_type\":1,\"failure_msg\":\"max-attempts: "));
}

static void
an_order_outlives_any_number_of_kills(void **state)
{
	struct core_opts o = usual();

	until_try();
	o.max_tries = 1;
	for (int i = 0; i < 5; i++) {
		again(&o);
		assert_string_equal(seen(), "resume0=uuid-0x1.0");
		proved(0, PROOF_LATER);		/* the command is not there yet */
		pass(60000);
		assert_string_equal(seen(), "resume0=uuid-0x1.0");
		assert_non_null(find_file("task.0.1.0"));
	}
	proved(0, PROOF_DONE);
	assert_string_equal(seen(), "keep0 post0:proof");
}

static void
the_last_try_s_order_is_asked_for_when_it_was_lost(void **state)
{
	struct core_opts o = usual();

	o.max_tries = 1;
	for (int i = 0; i < 3; i++) {
		empty_disk();
		begin_with(&o);
		give(0, TYPE_CHUNK, "0x1");
		built(0, CODE_OK);
		proved(0, PROOF_LOST);
		seen();
		pass(60000);
		assert_string_equal(seen(), "resume0=uuid-0x1.0");
		proved(0, (enum proof_outcome[]){ PROOF_DONE, PROOF_NONE, PROOF_LOST }[i]);
		assert_string_equal(seen(), i == 0 ? "keep0 post0:proof" : "keep0 post0:failure");
		if (i > 0)
			assert_non_null(strstr(buf_cstr(&last_post), "\"failure_type\":1,\"failure_msg\":\"prover-failed: no GPU\""));
	}
}

/* Killed between the last failure and its report: the next number of failures is no order's. */
static void
nothing_is_ordered_behind_the_last_failure(void **state)
{
	struct core_opts o = usual();

	until_try();
	proved(0, PROOF_FAILED);
	assert_non_null(find_file("task.0.1.1"));
	o.max_tries = 1;
	again(&o);
	assert_string_equal(seen(), "keep0 post0:failure");
}

static void
a_finished_proof_is_submitted_after_a_restart(void **state)
{
	struct core_opts o = usual();

	until_post();
	o.workers = 0;		/* there are fewer workers now */
	restart(&o);
	assert_string_equal(seen(), "post0:proof");
	posted(0, POSTED_TAKEN);
	pass(10 * POLL_MS);
	assert_string_equal(seen(), "forget0 unbuild0");
}

static void
one_task_is_asked_for_by_name(void **state)
{
	struct core_opts o = usual();

	o.once = true;
	begin_with(&o);
	assert_string_equal(seen(), "");
	core_want(core, "0x9", ALL);
	assert_false(core_over(core));
	core_turn(core);
	poll_says(0, POLL_EMPTY, CODE_OK);
	assert_string_equal(seen(), "poll0:2=0x9 poll0:4=0x9");
	give(0, TYPE_BATCH, "0x9");
	core_able(core, 0, ALL);
	built(0, CODE_OK);
	proved(0, PROOF_DONE);
	seen();
	posted(0, POSTED_TAKEN);
	assert_string_equal(seen(), "ended=0x9:0 forget0 unbuild0");
	assert_true(core_over(core));
	core_want(core, "0xa", 1 << TYPE_BUNDLE);
	core_turn(core);
	poll_says(0, POLL_EMPTY, CODE_OK);
	assert_string_equal(seen(), "poll0:8=0xa ended=0xa:1");
	core_want(core, "0xb", 1 << TYPE_BUNDLE);
	core_turn(core);
	poll_says(0, POLL_UNANSWERED, CODE_COORD_AWAY);
	assert_string_equal(seen(), "poll0:8=0xb ended=0xb:111");
	assert_true(core_over(core));
}

static void
the_next_that_is_asked_for_by_name_does_not_wait_for_a_failure(void **state)
{
	struct core_opts o = usual();

	o.once = true;
	begin_with(&o);
	core_want(core, "0x1", 1 << TYPE_CHUNK);
	core_want(core, "0x2", 1 << TYPE_CHUNK);
	core_turn(core);
	give(0, TYPE_CHUNK, "0x1");
	built(0, CODE_TASK_BAD);
	seen();
	posted(0, POSTED_FINAL);
	assert_string_equal(seen(), "ended=0x1:1 forget0 unbuild0 poll0:2=0x2");
}

static void
another_task_than_the_one_asked_for_is_kept(void **state)
{
	struct core_opts o = usual();

	o.once = true;
	begin_with(&o);
	core_want(core, "0x9", ALL);
	core_turn(core);
	give(0, TYPE_CHUNK, "0x1");
	assert_string_equal(seen(), "poll0:2=0x9 keep0 ended=0x9:1");
	assert_int_equal(nfiles, 1);
	assert_int_equal(core_turn(core), UINT64_MAX);
}

static void
another_identity_asks_where_one_holds_a_task(void **state)
{
	struct core_opts o = usual();

	o.once = true;
	o.workers = 3;
	begin_with(&o);
	core_leave(core, 0);
	core_want(core, "0x9", 1 << TYPE_CHUNK);
	core_turn(core);
	poll_says(1, POLL_ASSIGNED, CODE_ALREADY_ASSIGNED);
	assert_string_equal(seen(), "poll1:2=0x9 poll2:2=0x9");
	poll_says(2, POLL_BLOCKED, CODE_KEY_BLOCKED);
	assert_string_equal(seen(), "ended=0x9:1");
	assert_true(core_over(core));
}

static void
a_dump_ends_with_the_input(void **state)
{
	struct core_opts o = usual();

	o.once = o.dump = true;
	begin_with(&o);
	core_want(core, "0x9", 1 << TYPE_CHUNK);
	core_turn(core);
	give(0, TYPE_CHUNK, "0x9");
	seen();
	built(0, CODE_OK);
	assert_string_equal(seen(), "ended=0x9:0");
	assert_int_equal(nfiles, 1);
	assert_int_equal(core_turn(core), UINT64_MAX);
}

/* ---- killed at each step ---- */

/* A world that answers by itself: a Coordinator with three tasks, and whatever the prover asks for is done.  The process
 * dies at its kill_at-th op, before or behind what the op does; what it says while dead has no effect. */
enum { TASKS = 3, WORKERS = 2 };

struct job {
	unsigned	round;		/* of hand-outs: its uuid */
	int		holder;		/* an identity, -1 none */
	unsigned	refusals;	/* of its holder's polls: after two of them its time is over */
	unsigned	accepted, twice;
};

static struct job jobs[TASKS];
static unsigned ops_done, kill_at, proofs;
static bool dead, effect;
static bool finds;		/* the command goes on with an order that it has begun */
static char orders[256];	/* that it has begun: " UUID UUID " */
static struct { enum { NOTHING, POLLED, BUILT, PROVED, UNKNOWN, POSTED } what; int task; char uuid[32]; } pending[8];

/* May this op do what it does? */
static bool
alive(void)
{
	if (dead)
		return false;
	if (++ops_done != kill_at)
		return true;
	dead = true;
	return effect;
}

static void
sim_poll(void *arg, size_t w, uint64_t types, struct span task_id)
{
	if (!alive())
		return;
	pending[w].what = POLLED;
	pending[w].task = -1;
	for (int i = 0; i < TASKS; i++)
		if (jobs[i].holder == (int)core_identity(core, w)) {
			pending[w].task = -2;
			if (++jobs[i].refusals == 2)
				jobs[i].holder = -1;
			return;
		}
	for (int i = 0; i < TASKS; i++)
		if (!jobs[i].accepted && jobs[i].holder < 0) {
			jobs[i].holder = (int)core_identity(core, w);
			jobs[i].round++;
			jobs[i].refusals = 0;
			pending[w].task = i;
			return;
		}
}

static void
sim_call(size_t w, int what)
{
	if (alive())
		pending[w].what = (unsigned)what;
}

static void sim_build(void *arg, size_t w, const struct record *r) { sim_call(w, BUILT); }

/* Where there may be an order. */
static void
sim_resume(size_t w, const struct record *r)
{
	char order[32];

	snprintf(order, sizeof order, " %.*s ", SPAN_ARG(SPAN_OF(&r->task.uuid)));
	sim_call(w, finds && strstr(orders, order) ? PROVED : UNKNOWN);
}

static void
sim_prove(void *arg, size_t w, const struct record *r, bool begun)
{
	struct record kept;
	char name[TASKFILE_NAME];

	if (!dead) {	/* a try is on the disk before it begins */
		taskfile_name(r, name);
		assert_non_null(find_file(name));
		load_file(find_file(name), &kept);
		assert_true(kept.tries == r->tries && kept.state == RECORD_OPEN);
		record_free(&kept);
	}
	if (begun) {
		sim_resume(w, r);
		return;
	}
	if (!alive())
		return;
	proofs++;
	snprintf(orders + strlen(orders), sizeof orders - strlen(orders), " %.*s ", SPAN_ARG(SPAN_OF(&r->task.uuid)));
	pending[w].what = PROVED;
}

static void
sim_post(void *arg, size_t w, const struct record *r, bool again)
{
	struct record kept;
	char name[TASKFILE_NAME], uuid[32];

	if (!dead) {	/* and so is a proof before it is submitted */
		taskfile_name(r, name);
		assert_non_null(find_file(name));
		load_file(find_file(name), &kept);
		assert_true(kept.state == RECORD_PROVED && span_eq(SPAN_OF(&kept.outcome), SPAN_OF(&r->outcome)));
		record_free(&kept);
	}
	if (!alive())
		return;
	pending[w].what = POSTED;
	pending[w].task = r->task.task_id.p[0] - '0';
	struct job *j = &jobs[pending[w].task];
	snprintf(uuid, sizeof uuid, "%d.%u", pending[w].task, j->round);
	assert_true(span_is(SPAN_OF(&r->task.uuid), uuid));
	if (j->accepted)
		j->twice++;
	j->accepted = 1;
	j->holder = -1;
}

static void sim_unbuild(void *arg, size_t w) { (void)alive(); }
static int sim_keep(void *arg, const struct record *r) { return alive() ? write_file(r) : 0; }
static int sim_forget(void *arg, const struct record *r) { return alive() ? remove_file(r) : 0; }

static int
sim_number(void *arg, const struct record *r, uint32_t tries, uint32_t failures)
{
	struct record next = { .identity = r->identity, .tries = tries, .failures = failures };
	char name[TASKFILE_NAME];

	taskfile_name(&next, name);
	return alive() ? rename_file(r, name) : 0;
}

static int sim_aside(void *arg, const struct record *r) { fail(); return -1; }

static void
sim_polled(size_t w)
{
	struct coord_task t = { .type = TYPE_CHUNK };
	int task = pending[w].task;

	if (task < 0) {
		core_polled(core, w, &(struct poll_result){ .outcome = task == -1 ? POLL_EMPTY : POLL_ASSIGNED, .why = "" });
		return;
	}
	buf_printf(&t.uuid, "%d.%u", task, jobs[task].round);
	buf_printf(&t.task_id, "%d", task);
	buf_puts(&t.data, "{}");
	core_polled(core, w, &(struct poll_result){ .outcome = POLL_TASK, .task = &t });
}

static void
sim_answer(size_t w)
{
	int what = pending[w].what;

	pending[w].what = NOTHING;
	if (what == POLLED)
		sim_polled(w);
	else if (what == BUILT)
		core_built(core, w, CODE_OK, "");
	else if (what == PROVED)
		core_proved(core, w, PROOF_DONE, SPAN("proof"), CODE_OK, "");
	else if (what == UNKNOWN)
		core_proved(core, w, PROOF_NONE, (struct span){ 0 }, CODE_OK, "");
	else if (what == POSTED)
		core_posted(core, w, jobs[pending[w].task].twice ? POSTED_FINAL : POSTED_TAKEN, CODE_OK, "");
}

static bool
all_accepted(void)
{
	for (int i = 0; i < TASKS; i++)
		if (!jobs[i].accepted)
			return false;
	return nfiles == 0;
}

static void
sim_life(const struct core_opts *o)
{
	memset(pending, 0, sizeof pending);
	dead = false;
	restart(o);
	for (int i = 0; i < 400 && !dead && !all_accepted(); i++) {
		for (size_t w = 0; w < core_workers(core) && !dead; w++)
			sim_answer(w);
		pass(1000);
	}
}

/* How many ops it took. */
static unsigned
sim_run(unsigned kill, bool with_effect)
{
	static const struct core_ops sim = { .poll = sim_poll, .build = sim_build, .prove = sim_prove, .post = sim_post,
		.unbuild = sim_unbuild, .keep = sim_keep, .number = sim_number, .forget = sim_forget, .aside = sim_aside,
		.ended = on_ended };
	struct core_opts o = usual();

	memset(jobs, 0, sizeof jobs);
	for (int i = 0; i < TASKS; i++)
		jobs[i].holder = -1;
	ops_done = proofs = 0;
	orders[0] = '\0';
	kill_at = kill;
	effect = with_effect;
	o.ops = &sim;
	o.workers = WORKERS;
	o.types = 1 << TYPE_CHUNK;
	o.poll_ms = 1000;
	sim_life(&o);
	if (kill) {
		assert_true(dead);
		sim_life(&o);
	}
	if (!all_accepted())
		fail_msg("killed at op %u%s: not all were accepted", kill, with_effect ? " after its effect" : "");
	/* what was being proved, by each worker, when it was killed may be proved once more where no order is found; nothing else */
	if (proofs > TASKS + (kill && !finds ? WORKERS : 0))
		fail_msg("killed at op %u%s: %u proofs of %d tasks", kill, with_effect ? " after its effect" : "", proofs, TASKS);
	return ops_done;
}

static void
a_process_may_be_killed_at_each_step(void **state)
{
	unsigned n = sim_run(0, false);

	assert_true(n > 20);
	for (unsigned i = 0; i < 2 * n; i++) {
		finds = i >= n;
		sim_run(i % n + 1, false);
		sim_run(i % n + 1, true);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		T(each_step_is_kept_before_the_next), T(types_are_asked_for_in_turn), T(all_types_are_asked_for_at_once),
		T(workers_poll_one_after_the_other), T(nothing_is_polled_for_what_cannot_be_proved),
		T(two_polls_of_an_identity_never_overlap), T(an_identity_that_holds_another_task_rests),
		T(what_could_not_be_built_is_skipped), T(a_refused_poll_is_made_again_later), T(a_task_that_fails_too_often_is_reported),
		T(a_worker_whose_tasks_fail_rests_longer_and_longer),
		T(all_workers_failures_count), T(a_task_that_fails_among_good_ones_slows_nobody_else),
		T(an_accepted_proof_ends_the_longer_rest), T(a_proof_that_does_not_verify_counts_as_a_failure),
		T(a_try_that_did_not_begin_does_not_count), T(what_cannot_be_built_or_done_is_reported_at_once),
		T(a_task_waits_for_the_command), T(a_finished_proof_is_submitted_until_there_is_an_answer),
		T(a_proof_whose_task_is_unknown_for_long_is_put_aside),
		T(a_post_that_is_not_let_through_is_put_aside_in_the_end), T(a_proof_that_cannot_be_read_is_a_failed_try),
		T(a_full_disk_stops_the_step_and_loses_nothing), T(a_proof_that_the_disk_does_not_take_is_submitted),
		T(the_answer_may_come_before_the_disk), T(a_failure_that_the_disk_does_not_take_is_reported),
		T(what_only_memory_has_is_not_put_aside), T(what_only_memory_has_is_written_at_the_end),
		T(an_unreadable_proof_that_is_not_on_the_disk_is_a_failed_try),
		T(an_end_gives_the_try_back_and_a_kill_does_not),
		T(an_order_outlives_any_number_of_kills), T(the_last_try_s_order_is_asked_for_when_it_was_lost),
		T(nothing_is_ordered_behind_the_last_failure),
		T(a_finished_proof_is_submitted_after_a_restart), T(one_task_is_asked_for_by_name),
		T(the_next_that_is_asked_for_by_name_does_not_wait_for_a_failure),
		T(another_task_than_the_one_asked_for_is_kept), T(another_identity_asks_where_one_holds_a_task),
		T(a_dump_ends_with_the_input), T(a_process_may_be_killed_at_each_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
