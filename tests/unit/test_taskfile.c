/* test_taskfile.c - prova-prover's tasks as files: bytes, names, and the directory they are in.
 * uses: cmd/prover */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "cmd/prover/store.h"

static char dir[64];

static int
setup(void **state)
{
	snprintf(dir, sizeof dir, "/tmp/prova-store-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(dir + strlen(dir), sizeof dir - strlen(dir), "/p");
	return 0;
}

static int
teardown(void **state)
{
	char *rm = xprintf("rm -rf %.*s", (int)strlen(dir) - 2, dir);

	assert_int_equal(system(rm), 0);
	free(rm);
	return 0;
}

static struct record
a_task(uint32_t identity, enum record_state state)
{
	struct record r = { .identity = identity, .state = state, .task = { .type = TYPE_BATCH } };

	buf_printf(&r.task.uuid, "6f0c1b1e-0000-4000-8000-%012u", identity);
	buf_puts(&r.task.task_id, "up1:0x12ab");
	buf_puts(&r.task.fork, "darwinV2");
	buf_puts(&r.task.data, "{\"chunk_infos\":[],\"text\":\"\\\"\\u2028 <&> \xc3\xa9 \\n\"}\n\t");
	if (state != RECORD_OPEN)
		buf_puts(&r.outcome, "{\"proof\":\"\\\\ \xf0\x9f\x98\x80\"}");
	r.failure_type = state == RECORD_FAILED ? 2 : 0;
	return r;
}

static void
assert_same(const struct record *a, const struct record *b)
{
	assert_true(a->identity == b->identity && a->state == b->state && a->failure_type == b->failure_type);
	assert_true(a->task.type == b->task.type);
	assert_true(span_eq(SPAN_OF(&a->task.uuid), SPAN_OF(&b->task.uuid)));
	assert_true(span_eq(SPAN_OF(&a->task.task_id), SPAN_OF(&b->task.task_id)));
	assert_true(span_eq(SPAN_OF(&a->task.fork), SPAN_OF(&b->task.fork)));
	assert_true(span_eq(SPAN_OF(&a->task.data), SPAN_OF(&b->task.data)));
	assert_true(span_eq(SPAN_OF(&a->outcome), SPAN_OF(&b->outcome)));
}

static void
bytes_come_back(void **state)
{
	char why[TASKFILE_WHY];

	for (int s = RECORD_OPEN; s <= RECORD_FAILED; s++) {
		struct record r = a_task(7, (enum record_state)s), back;
		struct buf text = { 0 };

		taskfile_put(&text, &r);
		assert_true(taskfile_read(SPAN_OF(&text), &back, why));
		assert_same(&r, &back);
		record_free(&back);
		for (size_t n = 0; n < text.n - 2; n++)		/* cut off anywhere */
			assert_false(taskfile_read((struct span){ text.p, n }, &back, why));
		buf_free(&text);
		record_free(&r);
	}
}

static void
other_bytes_are_refused(void **state)
{
#define TASK "\"uuid\":\"u\",\"task_id\":\"t\",\"task_type\":1,\"task_data\":\"{}\""
	static const char *const wrong[][2] = {
		{ "", "" }, { "null", "version" }, { "[]", "" }, { "{}", "version" }, { "{\"prova_task\":2,\"identity\":1," TASK "}", "version" },
		{ "{\"prova_task\":1," TASK "}", "identity" }, { "{\"prova_task\":1,\"identity\":-1," TASK "}", "" },
		{ "{\"prova_task\":1,\"identity\":4294967296," TASK "}", "identity" },
		{ "{\"prova_task\":1,\"identity\":1,\"uuid\":\"u\",\"task_id\":\"\",\"task_type\":1,\"task_data\":\"\"}", "task_id" },
		{ "{\"prova_task\":1,\"identity\":1,\"uuid\":\"a b\",\"task_id\":\"t\",\"task_type\":1,\"task_data\":\"\"}", "uuid" },
		{ "{\"prova_task\":1,\"identity\":1,\"uuid\":\"u\",\"task_id\":\"t\",\"task_type\":4,\"task_data\":\"\"}", "task_type" },
		{ "{\"prova_task\":1,\"identity\":1,\"uuid\":\"u\",\"task_id\":\"t\",\"task_type\":1}", "task_data" },
		{ "{\"prova_task\":1,\"identity\":1," TASK ",\"proof\":\"\",\"failure_msg\":\"\"}", "both" },
		{ "{\"prova_task\":1,\"identity\":1," TASK ",\"failure_msg\":\"\"}", "failure_type" },
		{ "{\"prova_task\":1,\"identity\":1," TASK "} {}", "" },
	};
	struct record r;
	char why[TASKFILE_WHY] = "";

	for (size_t i = 0; i < NELEM(wrong); i++)
		if (taskfile_read(span_str(wrong[i][0]), &r, why) || !*why || !strstr(why, wrong[i][1]) || r.task.uuid.p)
			fail_msg("%s: %s", wrong[i][0], why);
	assert_true(taskfile_read(SPAN("{\"prova_task\":1,\"identity\":4294967295," TASK "}"), &r, why));
	assert_int_equal(r.state, RECORD_OPEN);
	record_free(&r);
}

static void
names_are_strict(void **state)
{
	static const char *const wrong[] = { "", "task", "task.", "task.1.2", "task.1.2.", "task.1.2.3.4", "task.01.2.3", "task.1.-2.3",
		"task.4294967296.0.0", "task.1.2.3.bad", "tmp.1", "task.1.2.x", "task..2.3", "Task.1.2.3",
		"task.111111111111111111111111111111111111111111111111.2.3" };
	struct record r = { 0 };

	assert_true(taskfile_named("task.12.3.1", &r) && r.identity == 12 && r.tries == 3 && r.failures == 1);
	assert_true(taskfile_named("task.4294967295.4294967295.4294967295", &r));
	for (size_t i = 0; i < NELEM(wrong); i++)
		if (taskfile_named(wrong[i], &r))
			fail_msg("%s", wrong[i]);
}

static void
an_order_keeps_its_name_until_it_fails(void **state)
{
	struct record r = a_task(1, RECORD_OPEN);
	struct buf a = { 0 };

	r.tries = 4;
	r.failures = 2;
	taskfile_attempt(&r, &a);
	assert_string_equal(buf_cstr(&a), "6f0c1b1e-0000-4000-8000-000000000001.2");
	buf_reset(&a);
	while (r.task.uuid.n < 100)
		buf_putc(&r.task.uuid, 'x');
	taskfile_attempt(&r, &a);
	assert_true(a.n <= 64 && a.n > 20);
	buf_free(&a);
	record_free(&r);
}

/* ---- the directory ---- */

static struct store *
opened(void)
{
	char why[300];
	int status;
	struct store *s = store_open(dir, why, &status);

	if (!s)
		fail_msg("%s", why);
	return s;
}

static size_t found;
static struct record last;

static void
on_task(void *arg, struct record *r)
{
	found++;
	record_free(&last);
	last = *r;
}

static size_t
count(struct store *s)
{
	found = 0;
	store_each(s, on_task, NULL);
	return found;
}

static bool
there(const char *name)
{
	char *path = xprintf("%s/%s", dir, name);
	bool yes = access(path, F_OK) == 0;

	free(path);
	return yes;
}

static void
put_file(const char *name, const char *text)
{
	char *path = xprintf("%s/%s", dir, name);
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	free(path);
}

static void
a_task_goes_through_the_directory(void **state)
{
	struct store *s = opened();
	struct record r = a_task(5, RECORD_OPEN);

	assert_int_equal(store_keep(s, &r), 0);
	assert_true(there("task.5.0.0"));
	assert_int_equal(store_number(s, &r, 2, 1), 0);
	assert_true(there("task.5.2.1") && !there("task.5.0.0"));
	r.tries = 2;
	r.failures = 1;
	r.state = RECORD_PROVED;
	buf_puts(&r.outcome, "proof");
	assert_int_equal(store_keep(s, &r), 0);
	assert_int_equal(count(s), 1);
	assert_same(&last, &r);
	assert_true(last.tries == 2 && last.failures == 1);
	assert_int_equal(store_aside(s, &r), 0);
	assert_int_equal(count(s), 0);
	assert_int_equal(store_take_back(s, &r), 0);
	assert_int_equal(store_take_back(s, &r), 0);	/* there is none any more */
	assert_int_equal(count(s), 1);
	assert_int_equal(store_forget(s, &r), 0);
	assert_int_equal(store_forget(s, &r), 0);
	assert_int_equal(count(s), 0);
	assert_int_equal(store_number(s, &r, 3, 1), -1);
	record_free(&last);
	record_free(&r);
	store_close(&s);
}

static void
what_is_half_or_bad_is_put_out_of_the_way(void **state)
{
	struct store *s = opened();
	struct record r = a_task(3, RECORD_OPEN);

	assert_int_equal(store_keep(s, &r), 0);
	put_file("tmp.4", "{\"prova_task\":1,");
	put_file("task.4.0.0", "{\"prova_task\":1,");
	put_file("task.6.0.0", "");
	store_close(&s);
	char *from = xprintf("%s/task.3.0.0", dir), *to = xprintf("%s/task.9.0.0", dir);	/* not its identity's */
	assert_int_equal(link(from, to), 0);
	s = opened();
	assert_false(there("tmp.4"));
	assert_int_equal(count(s), 1);
	assert_same(&last, &r);
	assert_true(there("task.4.0.0.bad") && there("task.6.0.0.bad") && there("task.9.0.0.bad") && !there("task.4.0.0"));
	assert_int_equal(count(s), 1);
	free(from);
	free(to);
	record_free(&last);
	record_free(&r);
	store_close(&s);
}

static void
one_process_at_a_time(void **state)
{
	struct store *s = opened();
	char why[300];
	int status;

	assert_null(store_open(dir, why, &status));
	assert_int_equal(status, EXIT_USAGE);
	assert_non_null(strstr(why, "locked"));
	store_close(&s);
	assert_null(store_open("/dev/null/p", why, &status));
	assert_int_equal(status, EXIT_SYSTEM);
	s = opened();
	store_close(&s);
}

static void
a_file_anywhere_is_a_task_or_says_why_not(void **state)
{
	struct store *s = opened();
	struct record r = a_task(2, RECORD_PROVED), back;
	char why[TASKFILE_WHY], *path = xprintf("%s/task.2.0.0", dir);

	assert_int_equal(store_keep(s, &r), 0);
	assert_int_equal(store_load(path, &back, why), 0);
	assert_same(&r, &back);
	record_free(&back);
	assert_int_equal(store_load("/dev/zero", &back, why), -1);
	assert_int_equal(store_load("/nonexistent", &back, why), -1);
	assert_string_equal(why, strerror(ENOENT));
	record_free(&r);
	free(path);
	store_close(&s);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		T(bytes_come_back), T(other_bytes_are_refused), T(names_are_strict), T(an_order_keeps_its_name_until_it_fails),
		T(a_task_goes_through_the_directory), T(what_is_half_or_bad_is_put_out_of_the_way), T(one_process_at_a_time),
		T(a_file_anywhere_is_a_task_or_says_why_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
