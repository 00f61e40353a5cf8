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

static bool
is_there(const char *name)
{
	char *path = xprintf("%s/%s", dir, name);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_try_is_on_the_disk_when_its_call_returns, setup, teardown),
		cmocka_unit_test_setup_teardown(a_try_that_is_not_on_the_disk_did_not_begin, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
