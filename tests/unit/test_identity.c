/* test_identity.c - the seed file, signing in, and calls as an identity, against a Coordinator in this process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/identity.h"
#include "tests/unit/fake_coordinator.h"

static struct loop *loop;
static struct http *http;
static struct fake_coordinator coordinator;
static struct identities *ids;
static unsigned answers, changes;
static bool signed_in, away;
static enum http_fail fail;
static enum code code;
static char body[256];

static void on_changed(void *arg, uint32_t index, bool yes) { changes++; signed_in = yes; }
static void on_away(void *arg, uint64_t since_ms) { away = since_ms != 0; }

static void
start(uint8_t fields)
{
	static const uint8_t seed[32] = { 1, 2, 3 };

	ids = identities_new(&(struct identity_opts){ .loop = loop, .http = http, .coordinator = "test",
	    .url = coordinator.url, .seed = seed, .prover = "prova", .version = "v4.4.45-a-b-c", .fields = fields,
	    .provider = 1, .types = { 1, 2 }, .ntypes = 2, .vks = "vk1 vk2", .timeout_ms = 500,
	    .backoff_ms = 20, .backoff_max_ms = 100, .changed = on_changed, .away = on_away });
}

static int
setup(void **state)
{
	loop = loop_new();
	http = http_new(loop, 8);
	fake_coordinator_start(&coordinator, loop);
	answers = changes = 0;
	signed_in = away = false;
	return 0;
}

static int
teardown(void **state)
{
	identities_free(&ids);
	http_free(&http);
	fake_coordinator_stop(&coordinator);
	loop_free(&loop);
	return 0;
}

static bool
make(void *arg, struct span token, struct coord_request *r)
{
	coord_ask_task(r, token, &(struct coord_want){ .types = { 1 }, .ntypes = 1 });
	return true;
}

static bool
done(void *arg, const struct identity_answer *a)
{
	struct coord_answer answer;
	struct coord_task task = { 0 };

	fail = a->fail;
	code = a->code;
	snprintf(body, sizeof body, "%.*s", SPAN_ARG(a->body));
	if (a->fail == HTTP_OK && coord_read_task(a->status, a->body, &answer, &task) == COORD_TOKEN && !a->last)
		return true;
	coord_task_free(&task);
	answers++;
	return false;
}

static void
call(uint32_t index)
{
	identity_call(ids, index, &(struct identity_ask){ .make = make, .done = done, .timeout_ms = 400, .max_bytes = 1 << 20 });
}

/* Until it is so, at most some seconds. */
#define UNTIL(what) do { \
	for (uint64_t end_ = clock_ms() + 5000; !(what); ) { \
		assert_true(clock_ms() < end_); \
		loop_turn(loop, 20); \
	} } while (0)

static void
a_kept_identity_signs_in_with_five_fields(void **state)
{
	start(5);
	identity_keep(ids, 3);
	UNTIL(signed_in);
	assert_int_equal(coordinator.logins, 1);
	assert_false(coordinator.provider_seen);
	assert_true(identity_signed_in(ids, 3));
	assert_int_equal(strlen(identity_pubkey(ids, 3)), 66);
}

static void
a_kept_identity_signs_in_with_six_fields(void **state)
{
	start(6);
	identity_keep(ids, 0);
	UNTIL(signed_in);
	assert_true(coordinator.provider_seen);
}

static void
a_token_is_renewed_before_it_ends(void **state)
{
	coordinator.life_s = 3;
	start(5);
	identity_keep(ids, 0);
	UNTIL(coordinator.logins == 2);
	assert_int_equal(changes, 1);	/* it was never without a token */
	assert_true(signed_in);
}

static void
a_call_signs_in_first(void **state)
{
	start(5);
	call(2);
	UNTIL(answers);
	assert_int_equal(fail, HTTP_OK);
	assert_int_equal(coordinator.logins, 1);
	call(2);
	UNTIL(answers == 2);
	assert_int_equal(coordinator.logins, 1);
	assert_int_equal(coordinator.tasks, 2);
}

static void
a_refused_token_is_renewed_and_the_call_repeated(void **state)
{
	start(5);
	coordinator.expired = 1;
	call(0);
	UNTIL(answers);
	assert_int_equal(coordinator.logins, 2);
	assert_int_equal(coordinator.tasks, 2);
	assert_non_null(strstr(body, "uuid"));
}

static void
a_token_that_is_refused_for_ever_ends_the_call(void **state)
{
	start(5);
	coordinator.expired = 1000;
	call(0);
	UNTIL(answers);
	assert_int_equal(coordinator.tasks, 2);
	assert_non_null(strstr(body, "50001"));
}

static void
a_refused_login_fails_the_call_with_its_code(void **state)
{
	start(5);
	coordinator.refuse_logins = true;
	call(0);
	UNTIL(answers);
	assert_int_equal(fail, HTTP_NOT_SENT);
	assert_int_equal(code, CODE_LOGIN_REFUSED);
	assert_int_equal(coordinator.tasks, 0);
	coordinator.refuse_logins = false;
	UNTIL((call(0), loop_turn(loop, 10), fail == HTTP_OK));
}

static void
an_away_coordinator_is_tried_by_one_identity_at_a_time(void **state)
{
	start(5);
	coordinator.aborted_logins = 3;
	for (uint32_t i = 0; i < 5; i++)
		identity_keep(ids, i);
	UNTIL(away);
	UNTIL(!away);
	UNTIL(changes == 5);
	assert_in_range(coordinator.challenges, 8, 8);
}

static void
a_coordinator_that_is_not_there_fails_calls_unsent(void **state)
{
	httpd_free(&coordinator.httpd);
	start(5);
	call(0);
	UNTIL(answers);
	assert_int_equal(fail, HTTP_NOT_SENT);
	assert_int_equal(code, CODE_COORD_AWAY);
	call(0);		/* while the back-off lasts: at once */
	UNTIL(answers == 2);
	assert_int_equal(fail, HTTP_NOT_SENT);
}

static void
an_unanswered_call_is_told_as_such(void **state)
{
	start(5);
	coordinator.how = HOW_SILENT;
	call(0);
	UNTIL(answers);
	assert_int_equal(fail, HTTP_TIMEOUT);
	coordinator.how = HOW_ABORT;
	call(0);
	UNTIL(answers == 2);
	assert_int_equal(fail, HTTP_NO_ANSWER);
}

/* --- the seed --- */

/* A directory of its own for seeds. */
struct place {
	char	dir[40], path[64];
};

static struct place
place(void)
{
	struct place p = { "/tmp/prova-seed-XXXXXX", "" };

	assert_non_null(mkdtemp(p.dir));
	snprintf(p.path, sizeof p.path, "%s/seed", p.dir);
	return p;
}

/* How many files are there; they are removed, as is it. */
static unsigned
clear(const struct place *p)
{
	DIR *d = opendir(p->dir);
	unsigned n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d)) != NULL; )
		if (e->d_name[0] != '.') {
			assert_int_equal(unlinkat(dirfd(d), e->d_name, 0), 0);
			n++;
		}
	closedir(d);
	assert_int_equal(rmdir(p->dir), 0);
	return n;
}

static void
the_seed_is_made_once_and_private(void **state)
{
	char dir[] = "/tmp/prova-seed-XXXXXX", path[64], why[256];
	uint8_t a[32], b[32];
	struct stat st;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/task-fetch/seed", dir);
	assert_int_equal(identity_seed(path, false, a, why), EXIT_USAGE);
	assert_int_equal(identity_seed(path, true, a, why), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(identity_seed(path, true, b, why), 0);
	assert_memory_equal(a, b, 32);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(identity_seed(path, true, b, why), EXIT_USAGE);
	assert_non_null(strstr(why, "open to others"));
	unlink(path);
	snprintf(path, sizeof path, "%s/task-fetch", dir);
	rmdir(path);
	rmdir(dir);
}

/* The kernel kills who writes more bytes than that: in the middle of making a seed. */
static void
make_killed_after(const char *path, rlim_t bytes)
{
	uint8_t seed[32];
	char why[256];
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		signal(SIGXFSZ, SIG_DFL);
		setrlimit(RLIMIT_FSIZE, &(struct rlimit){ bytes, bytes });
		_exit(identity_seed(path, true, seed, why));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGXFSZ);
}

static void
killed_while_it_makes_the_seed_it_makes_one_at_the_next_start(void **state)
{
	struct place p = place();
	uint8_t a[32], b[32];
	char why[256];

	make_killed_after(p.path, 0);
	make_killed_after(p.path, 10);
	assert_int_equal(access(p.path, F_OK), -1);
	assert_int_equal(identity_seed(p.path, false, a, why), EXIT_USAGE);
	assert_int_equal(identity_seed(p.path, true, a, why), 0);
	assert_int_equal(identity_seed(p.path, true, b, why), 0);
	assert_memory_equal(a, b, 32);
	assert_int_equal(clear(&p), 3);	/* with what the killed ones left */
}

/* In a process that can open nothing more. */
static int
status_without_descriptors(const char *path)
{
	uint8_t seed[32];
	char why[256];
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 0, 0 });
		_exit(identity_seed(path, true, seed, why));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
what_may_be_well_later_is_no_wrong_call(void **state)
{
	struct place p = place();
	uint8_t seed[32];
	char why[256], nowhere[80];

	assert_int_equal(status_without_descriptors(p.path), EXIT_SYSTEM);
	assert_int_equal(identity_seed(p.path, true, seed, why), 0);
	assert_int_equal(status_without_descriptors(p.path), EXIT_SYSTEM);
	snprintf(nowhere, sizeof nowhere, "%s/no/such/seed", p.dir);
	assert_int_equal(identity_seed(nowhere, true, seed, why), EXIT_USAGE);
	assert_int_equal(clear(&p), 1);
}

enum { MAKERS = 8, ROUNDS = 20 };

/* Makes the seed when `begin` is closed at its other end, and writes it to `out`. */
static void
be_a_maker(const char *path, int begin, int out)
{
	uint8_t seed[32];
	char why[256], c;

	if (read(begin, &c, 1) != 0 || identity_seed(path, true, seed, why) != 0)
		_exit(1);
	_exit(write(out, seed, 32) == 32 ? 0 : 1);
}

static void
makers_at_once_have_one_seed(void **state)
{
	uint8_t seeds[MAKERS][32];
	int begin[2], out[2], status;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct place p = place();
		assert_int_equal(pipe(begin) | pipe(out), 0);
		for (unsigned i = 0; i < MAKERS; i++)
			if (fork() == 0) {
				close(begin[1]);
				be_a_maker(p.path, begin[0], out[1]);
			}
		close(begin[1]);
		for (unsigned i = 0; i < MAKERS; i++) {
			assert_true(wait(&status) > 0);
			assert_int_equal(status, 0);
		}
		assert_int_equal(read(out[0], seeds, sizeof seeds), sizeof seeds);
		for (unsigned i = 1; i < MAKERS; i++)
			assert_memory_equal(seeds[i], seeds[0], 32);
		close(begin[0]);
		close(out[0]);
		close(out[1]);
		assert_int_equal(clear(&p), 1);	/* no temporary file is left */
	}
}

static void
an_empty_seed_is_refused_with_what_to_do(void **state)
{
	struct place p = place();
	uint8_t seed[32];
	char why[256];
	struct stat st;

	close(open(p.path, O_WRONLY | O_CREAT, 0600));
	assert_int_equal(identity_seed(p.path, true, seed, why), EXIT_USAGE);
	assert_non_null(strstr(why, "put your copy of it back"));
	assert_non_null(strstr(why, "remove it: the next start makes one"));
	assert_int_equal(stat(p.path, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(clear(&p), 1);
}

static void
a_seed_of_another_form_is_refused(void **state)
{
	char path[] = "/tmp/prova-seed-XXXXXX", why[256];
	uint8_t seed[32];
	int fd = mkstemp(path);

	assert_int_equal(write(fd, "0123456789\n", 11), 11);
	close(fd);
	assert_int_equal(identity_seed(path, true, seed, why), EXIT_USAGE);
	assert_non_null(strstr(why, "64 hexadecimal digits"));
	unlink(path);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(a_kept_identity_signs_in_with_five_fields),
		T(a_kept_identity_signs_in_with_six_fields),
		T(a_token_is_renewed_before_it_ends),
		T(a_call_signs_in_first),
		T(a_refused_token_is_renewed_and_the_call_repeated),
		T(a_token_that_is_refused_for_ever_ends_the_call),
		T(a_refused_login_fails_the_call_with_its_code),
		T(an_away_coordinator_is_tried_by_one_identity_at_a_time),
		T(a_coordinator_that_is_not_there_fails_calls_unsent),
		T(an_unanswered_call_is_told_as_such),
		cmocka_unit_test(the_seed_is_made_once_and_private),
		cmocka_unit_test(killed_while_it_makes_the_seed_it_makes_one_at_the_next_start),
		cmocka_unit_test(what_may_be_well_later_is_no_wrong_call),
		cmocka_unit_test(makers_at_once_have_one_seed),
		cmocka_unit_test(an_empty_seed_is_refused_with_what_to_do),
		cmocka_unit_test(a_seed_of_another_form_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
