/* test_file.c - files that are there whole. */
#include "common/file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sys/stat.h>

#include <cmocka.h>

static char dir[40];

static int
begin(void **state)
{
	snprintf(dir, sizeof dir, "/tmp/prova-file.XXXXXX");
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

/* Fails where something is left in it. */
static int
end(void **state)
{
	return chdir("/") == 0 && rmdir(dir) == 0 ? 0 : -1;
}

static void
holds(const char *path, const char *text)
{
	char got[64];
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, got, sizeof got);

	close(fd);
	assert_int_equal(n, strlen(text));
	assert_memory_equal(got, text, (size_t)n);
}

static void
a_file_is_made_once_private_and_without_leavings(void **state)
{
	struct stat st;

	assert_int_equal(file_make("one", span_str("first")), 0);
	holds("one", "first");
	assert_int_equal(stat("one", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_nlink, 1);
	errno = 0;
	assert_int_equal(file_make("one", span_str("second")), -1);
	assert_int_equal(errno, EEXIST);
	holds("one", "first");
	assert_int_equal(unlink("one"), 0);
}

static void
a_path_may_have_a_directory(void **state)
{
	char path[64];

	snprintf(path, sizeof path, "%s/two", dir);
	assert_int_equal(file_make(path, span_str("x")), 0);
	holds(path, "x");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(file_make("nowhere/two", span_str("x")), -1);
	assert_int_equal(errno, ENOENT);
}

static void
what_cannot_be_written_is_said(void **state)
{
	int fd = open("/dev/full", O_WRONLY);

	assert_int_equal(file_write_all(fd, span_str("x")), -1);
	assert_int_equal(errno, ENOSPC);
	close(fd);
	assert_int_equal(file_sync_dir("nowhere"), -1);
	assert_int_equal(errno, ENOENT);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	static const struct CMUnitTest tests[] = {
		T(a_file_is_made_once_private_and_without_leavings),
		T(a_path_may_have_a_directory),
		T(what_cannot_be_written_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
