/* test_post.c - submit's posts over HTTP, and its verifiers as real processes.
 * uses: cmd/submit */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cmd/submit/post.h"
#include "cmd/submit/verify.h"
#include "tests/unit/fake_coordinator.h"

static struct loop *loop;
static struct blobs *blobs;
static struct settings *settings;
static struct fake_coordinator coordinator;
static struct posts *posts;
static struct verifiers *verifiers;
static char dir[32];

static unsigned answers;
static enum settle_post how;
static enum settle_verdict verdict;
static uint64_t code;
static char detail[256];

static void
on_posted(void *arg, uint64_t job, enum settle_post h, uint64_t c, struct span d)
{
	answers++;
	how = h;
	code = c;
}

static void
on_verified(void *arg, uint64_t attempt, enum settle_verdict v, uint64_t c, struct span d)
{
	answers++;
	verdict = v;
	code = c;
	snprintf(detail, sizeof detail, "%.*s", SPAN_ARG(d));
}

static void
set(const char *assignment, const char *value)
{
	char why[512], *text = xprintf("%s=%s", assignment, value);

	if (settings_override(settings, NULL, text, why, sizeof why) != 0)
		fail_msg("%s", why);
	free(text);
}

static int
setup(void **state)
{
	char why[512];

	snprintf(dir, sizeof dir, "/tmp/prova-post-XXXXXX");
	assert_non_null(mkdtemp(dir));
	loop = loop_new();
	blobs = blob_open(dir);
	fake_coordinator_start(&coordinator, loop);
	settings = settings_read(NULL, why, sizeof why);
	set("prova.state_dir", dir);
	set("chain:main.coordinator", "up");
	set("coordinator:up.url", coordinator.url);
	set("coordinator:up.timeout", "400ms");
	posts = posts_new(&(struct posts_opts){ .loop = loop, .blobs = blobs, .settings = settings, .done = on_posted });
	assert_int_equal(posts_open(posts, "main", why), 0);
	verifiers = verifiers_new(&(struct verifiers_opts){ .loop = loop, .blobs = blobs, .settings = settings,
	    .parallel = 2, .patience_ms = 300, .done = on_verified });
	answers = 0;
	return 0;
}

static int
teardown(void **state)
{
	char *rm = xprintf("rm -rf %s", dir);

	posts_free(&posts);
	verifiers_free(&verifiers);
	fake_coordinator_stop(&coordinator);
	blob_close(&blobs);
	settings_free(&settings);
	loop_free(&loop);
	assert_int_equal(system(rm), 0);
	free(rm);
	return 0;
}

static void
make_seed(void)
{
	char path[64], why[256];
	uint8_t seed[32];

	snprintf(path, sizeof path, "%s/task-fetch/seed", dir);
	assert_int_equal(identity_seed(path, true, seed, why), 0);
}

static void
wait_for(unsigned n)
{
	for (uint64_t end = clock_ms() + 10000; answers < n; ) {
		assert_true(clock_ms() < end);
		loop_turn(loop, 20);
	}
}

static struct row
job(struct span proof)
{
	struct row row = { 0 };

	SET(&row, kind, ROW_JOB);
	SET(&row, id, 7);
	SET(&row, chain, SPAN("main"));
	SET(&row, identity, 1);
	SET(&row, type, TYPE_CHUNK);
	SET(&row, uuid, SPAN("u-1"));
	SET(&row, task, SPAN("0x1111"));
	SET(&row, posts, 1);
	if (proof.p)
		SET(&row, proof, proof);
	return row;
}

static void
post_one(enum how h, const struct row *row)
{
	coordinator.how = h;
	answers = 0;
	posts_post(posts, row);
	wait_for(1);
}

static void
a_proof_goes_upstream_as_it_is(void **state)
{
	struct row row = job(SPAN("{\"proof\":\"a\\\"b<>&\", \"x\": 1}"));

	make_seed();
	post_one(HOW_WELL, &row);
	assert_int_equal(how, POST_TAKEN);
	assert_true(span_eq(SPAN_OF(&coordinator.proof.proof), row.proof));
	assert_true(span_is(SPAN_OF(&coordinator.proof.uuid), "u-1"));
	assert_true(span_is(SPAN_OF(&coordinator.proof.task_id), "0x1111"));
	assert_int_equal(coordinator.proof.type, TYPE_CHUNK);
	assert_int_equal(coordinator.proof.status, 0);
}

static void
a_large_proof_comes_from_its_blob(void **state)
{
	struct row row = job((struct span){ 0 });
	struct buf text = { 0 };
	uint8_t hash[HASH_BYTES];

	make_seed();
	buf_puts(&text, "{\"proof\":\"");
	for (int i = 0; i < 300000; i++)
		buf_puts(&text, "0123456789");
	buf_puts(&text, "\"}");
	assert_int_equal(blob_put(blobs, SPAN_OF(&text), true, hash), 0);
	ROW_HASH(&row, proof_blob, hash);
	SET(&row, proof_bytes, text.n);
	post_one(HOW_WELL, &row);
	assert_int_equal(how, POST_TAKEN);
	assert_true(span_eq(SPAN_OF(&coordinator.proof.proof), SPAN_OF(&text)));
	buf_free(&text);
}

static void
a_proof_that_cannot_be_read_is_not_sent(void **state)
{
	struct row row = job((struct span){ 0 });
	static const uint8_t hash[HASH_BYTES] = { 1 };

	make_seed();
	ROW_HASH(&row, proof_blob, hash);
	post_one(HOW_WELL, &row);
	assert_int_equal(how, POST_NOT_SENT);
	assert_int_equal(code, CODE_BLOB_IO);
	assert_int_equal(coordinator.submits, 0);
}

static void
without_a_seed_nothing_is_sent_until_there_is_one(void **state)
{
	struct row row = job(SPAN("{}"));

	post_one(HOW_WELL, &row);
	assert_int_equal(how, POST_NOT_SENT);
	make_seed();
	post_one(HOW_WELL, &row);
	assert_int_equal(how, POST_TAKEN);
}

static void
an_expired_token_is_renewed_within_the_post(void **state)
{
	struct row row = job(SPAN("{}"));

	make_seed();
	coordinator.expired = 1;
	post_one(HOW_WELL, &row);
	assert_int_equal(how, POST_TAKEN);
	assert_int_equal(coordinator.logins, 2);
	assert_int_equal(coordinator.submits, 2);
}

static void
answers_to_posts_have_their_meanings(void **state)
{
	static const struct { enum how h; enum settle_post how; } table[] = {
		{ HOW_WELL, POST_TAKEN }, { HOW_TWICE, POST_TWICE }, { HOW_NO_TASK, POST_LATER },
		{ HOW_HTML, POST_UNANSWERED }, { HOW_HALF, POST_UNANSWERED }, { HOW_HUGE, POST_UNANSWERED },
		{ HOW_500, POST_UNANSWERED }, { HOW_ABORT, POST_UNANSWERED }, { HOW_SILENT, POST_UNANSWERED },
	};
	struct row row = job(SPAN("{}"));

	make_seed();
	for (size_t i = 0; i < NELEM(table); i++) {
		post_one(table[i].h, &row);
		assert_int_equal(how, table[i].how);
	}
}

/* --- verifiers --- */

/* A shell plug-in; %s stands for what it answers to verify, behind the id. */
#define PLUGIN(answer) "while read -r l; do id=${l#*:}; id=${id%%%%,*}; case $l in " \
	"*capabilities*) echo '{\"id\":'$id',\"ok\":true,\"verbs\":[\"verify\"]}';; " \
	"*) " answer ";; esac; done"

static void
verify_one(const char *command)
{
	struct row row = job(SPAN("{}"));

	SET(&row, kind, ROW_ATTEMPT);
	set("chain:main.verify", command);
	answers = 0;
	verifiers_ask(verifiers, &row);
	wait_for(1);
}

static char *
plugin(const char *answer)
{
	return xprintf(PLUGIN("%s"), answer);
}

static void
verdicts_come_from_the_plug_in(void **state)
{
	char *good = plugin("echo '{\"id\":'$id',\"ok\":true,\"valid\":true}'");
	char *bad = plugin("echo '{\"id\":'$id',\"ok\":true,\"valid\":false,\"reason\":\"no\"}'");
	char *neither = plugin("echo '{\"id\":'$id',\"ok\":true}'");

	verify_one(good);
	assert_int_equal(verdict, VERDICT_GOOD);
	verify_one(bad);
	assert_int_equal(verdict, VERDICT_BAD);
	assert_string_equal(detail, "no");
	verify_one(neither);
	assert_int_equal(verdict, VERDICT_NONE);
	assert_int_equal(code, CODE_PLUGIN_GARBAGE);
	free(good);
	free(bad);
	free(neither);
}

static void
trouble_with_a_plug_in_is_no_verdict(void **state)
{
	char *ends = plugin("exit 3"), *garbage = plugin("echo hello"), *hangs = plugin(":");

	set("chain:main.verify_timeout", "100ms");
	verify_one(ends);
	assert_int_equal(verdict, VERDICT_NONE);
	assert_int_equal(code, CODE_PLUGIN_EXIT);
	verify_one(garbage);
	assert_int_equal(code, CODE_PLUGIN_GARBAGE);
	verify_one(hangs);
	assert_int_equal(code, CODE_PLUGIN_HANG);
	verify_one("/nonexistent/verifier");
	assert_int_equal(verdict, VERDICT_NONE);
	assert_int_equal(code, CODE_PLUGIN_START);
	free(ends);
	free(garbage);
	free(hangs);
}

static void
none_takes_every_proof(void **state)
{
	verify_one("none");
	assert_int_equal(verdict, VERDICT_GOOD);
}

static void
a_forgotten_verification_is_not_answered(void **state)
{
	char *good = plugin("echo '{\"id\":'$id',\"ok\":true,\"valid\":true}'");
	struct row a = job(SPAN("{}")), b = a;

	set("chain:main.verify", good);
	SET(&b, id, 8);
	verifiers_ask(verifiers, &a);
	verifiers_ask(verifiers, &b);
	verifiers_forget(verifiers, 7);
	wait_for(1);
	assert_int_equal(answers, 1);
	free(good);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(a_proof_goes_upstream_as_it_is),
		T(a_large_proof_comes_from_its_blob),
		T(a_proof_that_cannot_be_read_is_not_sent),
		T(without_a_seed_nothing_is_sent_until_there_is_one),
		T(an_expired_token_is_renewed_within_the_post),
		T(answers_to_posts_have_their_meanings),
		T(verdicts_come_from_the_plug_in),
		T(trouble_with_a_plug_in_is_no_verdict),
		T(none_takes_every_proof),
		T(a_forgotten_verification_is_not_answered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
