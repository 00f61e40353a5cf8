/* test_filter.c - rows as JSON lines over pipes; the lock file. */
#include "common/filter.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "common/lock.h"

struct bench {
	struct loop	*loop;
	struct filter	*filter;
	int		 in[2], out[2];
	uint64_t	 ids[64];
	size_t		 n, most;	/* rows seen; under way at most */
	bool		 at_once;
	size_t		 waiting;
};

static void
on_row(void *arg, struct row *row)
{
	struct bench *b = arg;

	b->ids[b->n++ % 64] = row->id;
	b->waiting++;
	b->most = MAX2(b->most, b->waiting);
	filter_emit(b->filter, row);
	free(row);
	if (b->at_once) {
		b->waiting--;
		filter_through(b->filter);
	}
}

static int
setup(void **state)
{
	struct bench *b = xzalloc(sizeof *b);

	assert_int_equal(pipe2(b->in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(b->out, O_CLOEXEC), 0);
	b->loop = loop_new();
	b->filter = filter_new(&(struct filter_opts){ .loop = b->loop, .in = b->in[0], .out = b->out[1],
	    .hand = 3, .row = on_row, .arg = b });
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *b = *state;

	filter_free(&b->filter);
	loop_free(&b->loop);
	close(b->in[0]);
	close(b->out[0]);
	close(b->out[1]);
	free(b);
	return 0;
}

static void
put(struct bench *b, const char *text)
{
	assert_int_equal(write(b->in[1], text, strlen(text)), strlen(text));
}

static void
rows_come_in_and_go_out_and_the_end_of_input_is_the_end(void **state)
{
	struct bench *b = *state;
	char got[200];

	b->at_once = true;
	put(b, "{\"kind\":\"job\",\"id\":7}\n\n{\"kind\":\"job\",\"id\":8}");
	close(b->in[1]);
	loop_run(b->loop);
	assert_int_equal(b->n, 2);
	assert_int_equal(b->ids[1], 8);
	ssize_t n = read(b->out[0], got, sizeof got - 1);
	got[n] = '\0';
	assert_string_equal(got, "{\"kind\":\"job\",\"id\":7}\n{\"kind\":\"job\",\"id\":8}\n");
	assert_int_equal(filter_status(b->filter), EXIT_DONE);
}

static void
a_bad_line_is_refused_and_the_others_go_on(void **state)
{
	struct bench *b = *state;

	b->at_once = true;
	put(b, "{\"kind\":\"job\",\"id\":1}\nnonsense\n{\"id\":\"x\"}\n{\"kind\":\"job\",\"id\":2}\n");
	close(b->in[1]);
	loop_run(b->loop);
	assert_int_equal(b->n, 2);
	assert_int_equal(filter_status(b->filter), EXIT_USAGE);
}

static void
reading_waits_while_all_hands_are_full(void **state)
{
	struct bench *b = *state;

	for (int i = 0; i < 9; i++)
		put(b, "{\"kind\":\"job\",\"id\":1}\n");
	close(b->in[1]);
	while (!loop_stopping(b->loop)) {
		loop_turn(b->loop, 0);
		for (; b->waiting && b->n >= 3; b->waiting--)
			filter_through(b->filter);
	}
	assert_int_equal(b->n, 9);
	assert_int_equal(b->most, 3);
}

/* A line that never ends is not kept in memory. */
static void
an_endless_line_is_refused(void **state)
{
	struct bench *b = *state;
	char chunk[4096];

	b->at_once = true;
	memset(chunk, 'x', sizeof chunk);
	for (size_t i = 0; i < 3 * FILTER_LINE / sizeof chunk; i++) {
		assert_int_equal(write(b->in[1], chunk, sizeof chunk), sizeof chunk);
		loop_turn(b->loop, 0);
	}
	put(b, "\n{\"kind\":\"job\",\"id\":5}\n");
	close(b->in[1]);
	loop_run(b->loop);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->ids[0], 5);
	assert_int_equal(filter_status(b->filter), EXIT_USAGE);
}

static void
a_generator_ends_when_all_are_made(void **state)
{
	struct loop *loop = loop_new();
	struct filter *f = filter_new(&(struct filter_opts){ .loop = loop, .in = -1, .out = -1, .hand = 1 });

	filter_expect(f, 2);
	loop_turn(loop, 0);
	assert_false(loop_stopping(loop));
	filter_through(f);
	filter_through(f);
	loop_run(loop);
	filter_free(&f);
	loop_free(&loop);
}

static void
a_lock_is_held_until_its_holder_dies(void **state)
{
	char path[] = "/tmp/prova-lock.XXXXXX";
	int fd = mkstemp(path), go[2], there[2], status;
	char c;

	close(fd);
	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(there), 0);
	pid_t child = fork();
	if (child == 0) {
		close(go[1]);
		bool good = lock_take(path) >= 0 && write(there[1], "x", 1) == 1;
		_exit(good && read(go[0], &c, 1) == 0 ? 0 : 1);
	}
	close(go[0]);
	assert_int_equal(read(there[0], &c, 1), 1);
	assert_int_equal(lock_held(path), 1);
	assert_int_equal(lock_take(path), -1);
	assert_int_equal(errno, EWOULDBLOCK);
	close(go[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(lock_held(path), 0);
	fd = lock_take(path);
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	assert_int_equal(lock_held(path), 0);
	close(there[0]);
	close(there[1]);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(rows_come_in_and_go_out_and_the_end_of_input_is_the_end),
		T(a_bad_line_is_refused_and_the_others_go_on),
		T(reading_waits_while_all_hands_are_full),
		T(an_endless_line_is_refused),
		cmocka_unit_test(a_generator_ends_when_all_are_made),
		cmocka_unit_test(a_lock_is_held_until_its_holder_dies),
	};

	return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}
