/* test_notify.c - what a service manager hears. */
#include "common/notify.h"

#include <setjmp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

static int
listen_at(char *path, size_t size)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(path, size, "/tmp/prova-notify.%ld", (long)getpid());
	snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

static void
expect(int fd, const char *want)
{
	char got[200];
	ssize_t n = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);

	assert_true(n > 0);
	got[n] = '\0';
	assert_string_equal(got, want);
}

static void
the_manager_hears_each_message(void **state)
{
	char path[64];
	int fd = listen_at(path, sizeof path);

	setenv("NOTIFY_SOCKET", path, 1);
	notify_ready();
	expect(fd, "READY=1");
	notify_status("3 jobs wait");
	expect(fd, "STATUS=3 jobs wait");
	notify_alive();
	expect(fd, "WATCHDOG=1");
	notify_stopping();
	expect(fd, "STOPPING=1");
	unsetenv("NOTIFY_SOCKET");
	close(fd);
	unlink(path);
}

static void
the_watchdog_is_asked_for_by_the_manager_alone(void **state)
{
	unsetenv("WATCHDOG_USEC");
	assert_int_equal(notify_watchdog_ms(), 0);
	setenv("WATCHDOG_USEC", "30000000", 1);
	assert_int_equal(notify_watchdog_ms(), 30000);
	unsetenv("WATCHDOG_USEC");
}

static void
without_a_manager_nothing_happens(void **state)
{
	unsetenv("NOTIFY_SOCKET");
	notify_ready();
	notify_status("nobody listens");
	notify_stopping();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_manager_hears_each_message),
		cmocka_unit_test(the_watchdog_is_asked_for_by_the_manager_alone),
		cmocka_unit_test(without_a_manager_nothing_happens),
	};

	return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
