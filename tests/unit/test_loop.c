/* test_loop.c - the event loop with real descriptors, signals and time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/loop.h"
#include "common/bytes.h"

struct seen {
	struct loop	*loop;
	int		 fds[2];
	int		 reads, ticks, lasts, children, buried;
	unsigned	 events;
	char		 order[64];
};

static void
read_one(void *arg, unsigned events)
{
	struct seen *s = arg;
	char c;

	s->events = events;
	s->reads += read(s->fds[0], &c, 1) == 1;
}

static void
turn_until(struct seen *s, const int *what, int n)
{
	uint64_t end = clock_ms() + 5000;

	while (*what < n && clock_ms() < end)
		loop_turn(s->loop, 50);
	assert_int_equal(*what, n);
}

static void
a_descriptor_is_level_triggered_until_it_is_forgotten(void **state)
{
	struct seen s = { .loop = loop_new() };

	assert_int_equal(pipe(s.fds), 0);
	loop_fd(s.loop, s.fds[0], LOOP_IN, read_one, &s);
	assert_int_equal(write(s.fds[1], "abc", 3), 3);
	turn_until(&s, &s.reads, 3);
	loop_fd(s.loop, s.fds[0], 0, NULL, NULL);
	assert_int_equal(write(s.fds[1], "d", 1), 1);
	loop_turn(s.loop, 10);
	assert_int_equal(s.reads, 3);
	close(s.fds[0]);
	close(s.fds[1]);
	loop_free(&s.loop);
	assert_null(s.loop);
}

static void
a_hang_up_is_told_to_who_reads(void **state)
{
	struct seen s = { .loop = loop_new() };

	assert_int_equal(pipe(s.fds), 0);
	loop_fd(s.loop, s.fds[0], LOOP_IN, read_one, &s);
	close(s.fds[1]);
	loop_turn(s.loop, 1000);
	assert_int_equal(s.events, LOOP_IN | LOOP_ERR);
	close(s.fds[0]);
	loop_free(&s.loop);
}

/* Unread bytes do not hide it, and do not wake who asks for nothing else. */
static void
a_closed_direction_is_told_to_who_waits_for_it(void **state)
{
	struct seen s = { .loop = loop_new() };

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s.fds), 0);
	loop_fd(s.loop, s.fds[0], LOOP_HUP, read_one, &s);
	assert_int_equal(write(s.fds[1], "abc", 3), 3);
	loop_turn(s.loop, 10);
	assert_int_equal(s.reads, 0);
	shutdown(s.fds[1], SHUT_WR);
	loop_turn(s.loop, 1000);
	assert_int_equal(s.events, LOOP_HUP);
	close(s.fds[0]);
	close(s.fds[1]);
	loop_free(&s.loop);
}

static void
a_descriptor_number_may_be_used_again_without_being_forgotten(void **state)
{
	struct seen s = { .loop = loop_new() };
	int other[2];

	assert_int_equal(pipe(s.fds), 0);
	loop_fd(s.loop, s.fds[0], LOOP_IN, read_one, &s);
	close(s.fds[0]);
	assert_int_equal(pipe(other), 0);
	assert_int_equal(dup2(other[0], s.fds[0]), s.fds[0]);
	loop_fd(s.loop, s.fds[0], LOOP_IN, read_one, &s);
	assert_int_equal(write(other[1], "x", 1), 1);
	turn_until(&s, &s.reads, 1);
	loop_fd(s.loop, s.fds[0], 0, NULL, NULL);
	close(s.fds[1]);
	close(other[0]);
	close(other[1]);
	loop_free(&s.loop);
}

static void
a_regular_file_is_always_ready(void **state)
{
	struct seen s = { .loop = loop_new() };

	s.fds[0] = open("/proc/self/exe", O_RDONLY);
	loop_fd(s.loop, s.fds[0], LOOP_IN, read_one, &s);
	turn_until(&s, &s.reads, 3);
	loop_fd(s.loop, s.fds[0], 0, NULL, NULL);
	loop_turn(s.loop, 0);
	assert_int_equal(s.reads, 3);
	close(s.fds[0]);
	loop_free(&s.loop);
}

struct named {
	struct loop_timer	 timer;
	struct seen		*seen;
	char			 name;
};

static void
note(void *arg)
{
	struct named *n = arg;

	n->seen->order[n->seen->ticks++] = n->name;
}

static void
timers_go_off_in_order_and_can_be_disarmed(void **state)
{
	struct seen s = { .loop = loop_new() };
	struct named t[20];
	uint64_t now = clock_ms();

	for (int i = 0; i < 20; i++) {
		t[i] = (struct named){ .timer = { .fn = note, .arg = &t[i] }, .seen = &s, .name = (char)('a' + i) };
		loop_timer(s.loop, &t[i].timer, now + 1 + (uint64_t)(i * 7 % 20) * 2);
	}
	for (int i = 0; i < 20; i += 2)
		loop_timer(s.loop, &t[i].timer, 0);
	turn_until(&s, &s.ticks, 10);
	for (int i = 1; i < 10; i++)
		assert_true((s.order[i - 1] - 'a') * 7 % 20 < (s.order[i] - 'a') * 7 % 20);
	assert_true(clock_ms() >= now + 39);
	loop_free(&s.loop);
}

static void
rearm(void *arg)
{
	struct named *n = arg;

	n->seen->ticks++;
	loop_timer(n->seen->loop, &n->timer, clock_ms());
}

static void
a_timer_that_arms_itself_for_now_does_not_hold_the_turn(void **state)
{
	struct seen s = { .loop = loop_new() };
	struct named t = { .timer = { .fn = rearm, .arg = &t }, .seen = &s };

	loop_timer(s.loop, &t.timer, 1);
	loop_turn(s.loop, 100);
	assert_int_equal(s.ticks, 1);
	loop_turn(s.loop, 100);
	assert_int_equal(s.ticks, 2);
	loop_timer(s.loop, &t.timer, 0);
	loop_free(&s.loop);
}

static bool
last(void *arg)
{
	struct seen *s = arg;

	return ++s->lasts < 5;
}

static void
a_source_with_more_to_do_keeps_the_loop_awake(void **state)
{
	struct seen s = { .loop = loop_new() };
	uint64_t from = clock_ms();

	loop_last(s.loop, last, &s);
	for (int i = 0; i < 5; i++)
		loop_turn(s.loop, 10000);
	assert_true(clock_ms() - from < 5000);
	assert_int_equal(s.lasts, 5);
	loop_last_forget(s.loop, last, &s);
	loop_turn(s.loop, 0);
	assert_int_equal(s.lasts, 5);
	loop_free(&s.loop);
}

static void
dig(void *arg)
{
	((struct seen *)arg)->buried++;
}

static void
the_buried_go_at_the_end_of_the_turn(void **state)
{
	struct seen s = { .loop = loop_new() };

	loop_bury(s.loop, dig, &s);
	assert_int_equal(s.buried, 0);
	loop_turn(s.loop, 10000);
	assert_int_equal(s.buried, 1);
	loop_bury(s.loop, dig, &s);
	loop_free(&s.loop);
	assert_int_equal(s.buried, 2);
}

static void
child(void *arg)
{
	((struct seen *)arg)->children++;
}

static void
signals_are_events(void **state)
{
	struct seen s = { .loop = loop_new() };

	loop_child(s.loop, child, &s);
	raise(SIGCHLD);
	raise(SIGPIPE);
	turn_until(&s, &s.children, 1);
	assert_false(loop_stopping(s.loop));
	raise(SIGTERM);
	loop_run(s.loop);
	assert_true(loop_stopping(s.loop));
	loop_free(&s.loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_descriptor_is_level_triggered_until_it_is_forgotten),
		cmocka_unit_test(a_hang_up_is_told_to_who_reads),
		cmocka_unit_test(a_closed_direction_is_told_to_who_waits_for_it),
		cmocka_unit_test(a_descriptor_number_may_be_used_again_without_being_forgotten),
		cmocka_unit_test(a_regular_file_is_always_ready),
		cmocka_unit_test(timers_go_off_in_order_and_can_be_disarmed),
		cmocka_unit_test(a_timer_that_arms_itself_for_now_does_not_hold_the_turn),
		cmocka_unit_test(a_source_with_more_to_do_keeps_the_loop_awake),
		cmocka_unit_test(the_buried_go_at_the_end_of_the_turn),
		cmocka_unit_test(signals_are_events),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
