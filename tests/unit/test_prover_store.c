/* test_prover_store.c - the directory of the prover's tasks, with fsync counted and failed by the test.
 * uses: cmd/prover */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <cmocka.h>

#include "cmd/prover/store.h"
#include "common/diag.h"

static char dir[64];
static struct store *store;
static unsigned dir_syncs, sync_errors;		/* so many of them fail */

/* In place of the library's. */
int
fsync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		dir_syncs++;
	if (sync_errors && sync_errors--) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

static int
setup(void **state)
{
	char why[300];
	int status;

	diag_threshold(DIAG_ERROR + 1);
	snprintf(dir, sizeof dir, "/tmp/prova-prover.XXXXXX");
	assert_non_null(mkdtemp(dir));
	store = store_open(dir, why, &status);
	assert_non_null(store);
	sync_errors = dir_syncs = 0;
	return 0;
}

static int
teardown(void **state)
{
	char *remove = xprintf("rm -rf %s", dir);

	store_close(&store);
	assert_int_equal(system(remove), 0);
	free(remove);
	return 0;
}

static struct record
new_record(uint32_t identity)
{
	struct record r = { .identity = identity, .task = { .type = TYPE_CHUNK } };

	buf_printf(&r.task.uuid, "uuid-%" PRIu32, identity);
	buf_puts(&r.task.task_id, "0x1");
	buf_puts(&r.task.fork, "darwinV2");
	buf_puts(&r.task.data, "{}");
	return r;
}

static char *
in_dir(const char *name)
{
	return xprintf("%s/%s", dir, name);
}

static bool
is_there(const char *name)
{
	char *path = in_dir(name);
	struct stat st;
	bool there = lstat(path, &st) == 0;

	free(path);
	return there;
}

/* ---- tests ---- */

static void
a_try_is_on_the_disk_when_its_call_returns(void **state)
{
	struct record r = new_record(0);

	assert_int_equal(store_keep(store, &r), 0);
	dir_syncs = 0;
	assert_int_equal(store_number(store, &r, 1, 0), 0);
	assert_int_equal(dir_syncs, 1);
	assert_true(is_there("task.0.1.0") && !is_there("task.0.0.0"));
	record_free(&r);
}

static void
a_try_that_is_not_on_the_disk_did_not_begin(void **state)
{
	struct record r = new_record(0);

	assert_int_equal(store_keep(store, &r), 0);
	sync_errors = 1;
	assert_int_equal(store_number(store, &r, 1, 0), -1);
	assert_int_equal(errno, EIO);
	assert_true(is_there("task.0.0.0") && !is_there("task.0.1.0"));
	assert_int_equal(store_number(store, &r, 1, 0), 0);	/* so it can be said again */
	assert_true(is_there("task.0.1.0") && !is_there("task.0.0.0"));
	record_free(&r);
}

static void
make_text(const char *name, const char *text)
{
	char *path = in_dir(name);
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	free(path);
}

static void
make_rubbish(const char *path)
{
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static void
make_directory(const char *path)
{
	assert_int_equal(mkdir(path, 0700), 0);
}

static void
make_fifo(const char *path)
{
	assert_int_equal(mkfifo(path, 0600), 0);
}

static void
make_link_to_nothing(const char *path)
{
	assert_int_equal(symlink("nothing", path), 0);
}

static void
make_link_to_itself(const char *path)
{
	assert_int_equal(symlink("task.0.1.0", path), 0);
}

static void
make_large(const char *path)
{
	make_rubbish(path);
	assert_int_equal(truncate(path, (off_t)600 << 20), 0);
}

static void
take(void *arg, struct record *r)
{
	*(unsigned *)arg += 1 << r->identity;
	record_free(r);
}

/* One is named as a task; those of the other identities are found all the same. */
static void
what_is_no_task_is_put_out_of_the_way(void **state)
{
	static void (*const makers[])(const char *) = { make_rubbish, make_directory, make_fifo, make_link_to_nothing,
		make_link_to_itself, make_large };
	struct record one = new_record(1), two = new_record(2);
	char *path = in_dir("task.0.1.0");

	assert_int_equal(store_keep(store, &one) | store_keep(store, &two), 0);
	for (size_t i = 0; i < NELEM(makers); i++) {
		unsigned found = 0;
		makers[i](path);
		store_each(store, take, &found);
		assert_int_equal(found, 1 << 1 | 1 << 2);
		assert_false(is_there("task.0.1.0"));
	}
	assert_true(is_there("task.0.1.0.bad") && is_there("task.0.1.0.bad.2") && is_there("task.0.1.0.bad.6"));
	record_free(&one);
	record_free(&two);
	free(path);
}

static void
an_earlier_bad_file_is_not_replaced(void **state)
{
	char *path = in_dir("task.0.1.0.bad");
	struct buf text = { 0 };
	unsigned found = 0;

	make_text("task.0.1.0.bad", "old");
	make_text("task.0.1.0", "new");
	store_each(store, take, &found);
	assert_int_equal(found, 0);
	assert_int_equal(store_read(path, 99, &text), 0);
	assert_string_equal(buf_cstr(&text), "old");
	assert_true(is_there("task.0.1.0.bad.2"));
	buf_free(&text);
	free(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_try_is_on_the_disk_when_its_call_returns, setup, teardown),
		cmocka_unit_test_setup_teardown(a_try_that_is_not_on_the_disk_did_not_begin, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_task_is_put_out_of_the_way, setup, teardown),
		cmocka_unit_test_setup_teardown(an_earlier_bad_file_is_not_replaced, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
