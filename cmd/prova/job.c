/* job.c - prova job: the rows of one job as they are now, every field. */
#include "cmd/prova/commands.h"
#include "cmd/prova/door.h"
#include "cmd/prova/one.h"
#include "cmd/prova/show.h"
#include "common/num.h"

enum { TIMEOUT_MS = 10000 };

static void
put_request(struct buf *out, const char *what, const struct opts *o)
{
	uint64_t id;

	buf_printf(out, "{\"what\":\"%s\"", what);
	if (num_u64(span_str(o->operands[0]), &id)) {
		buf_printf(out, ",\"id\":%" PRIu64, id);
	} else {
		buf_puts(out, ",\"uuid\":");
		json_put_str(out, span_str(o->operands[0]), false);
	}
	if (o->chain) {
		buf_puts(out, ",\"chain\":");
		json_put_str(out, span_str(o->chain), false);
	}
	buf_putc(out, '}');
}

int
one_ask(struct tool *t, int argc, char **argv, const char *what, void (*print)(const struct json *))
{
	struct opts o = { .n = 0 };
	struct buf request = { 0 };

	opts_read(t, argc, argv, "Jc:", &o);
	if (o.noperands != 1)
		tool_wrong(t, "%s takes one id", what);
	put_request(&request, what, &o);
	struct door *d = door_open(t);
	struct json *answer = d ? door_ask(d, SPAN_OF(&request), TIMEOUT_MS) : NULL;
	/* an answer that says no was said already */
	int status = answer ? EXIT_DONE : d && door_answer(d).n ? EXIT_NO : EXIT_SYSTEM;
	if (answer && o.json)
		door_print(d);
	else if (answer)
		print(answer);
	json_free(&answer);
	door_close(&d);
	buf_free(&request);
	return tool_flushed() ? status : EXIT_SYSTEM;
}

static bool
is_among(const char *name, const char *const *names)
{
	while (*names && strcmp(*names, name) != 0)
		names++;
	return *names;
}

static void
print_member(void *arg, const char *name, const struct json *value)
{
	static const char *const said[] = { "kind", "id", "state", NULL };
	static const char *const times[] = { "at_ms", "fetched_ms", "deadline_ms", "send_by_ms", "begun_ms", "until_ms", "verified_ms", NULL };
	static const char *const amounts[] = { "price", "owed", NULL };
	const struct json *row = arg;
	uint64_t n;

	if (is_among(name, said) || (json_is_string(value) && json_text(value).n == 0))
		return;
	if (json_is_string(value))
		printf("  %-12s %s\n", name, show_text(row, name));
	else if (json_u64(value, &n) && is_among(name, times))
		printf("  %-12s %s\n", name, show_time(n));
	else if (json_u64(value, &n) && is_among(name, amounts))
		printf("  %-12s %s\n", name, show_micro((int64_t)n));
	else if (json_u64(value, &n))
		printf("  %-12s %" PRIu64 "\n", name, n);
}

static void
print_row(const char *title, const struct json *row)
{
	if (!json_is_object(row))
		return;
	printf("%s %" PRIu64 ", %s\n", title, show_num(row, "id"), show_text(row, "state"));
	json_each(row, print_member, (void *)row);
}

static void
print_rows(const char *title, const struct json *rows, uint64_t but)
{
	for (size_t i = 0; i < json_size(rows); i++)
		if (show_num(json_at(rows, i), "id") != but)
			print_row(title, json_at(rows, i));
}

static void
print_all(const struct json *a)
{
	print_row("job", json_get(a, "job"));
	print_row("work", json_get(a, "work"));
	print_rows("other job of this work", json_get(a, "jobs"), show_num(json_get(a, "job"), "id"));
	print_rows("attempt", json_get(a, "attempts"), 0);
	print_row("identity", json_get(a, "identity"));
}

int
job_run(struct tool *t, int argc, char **argv)
{
	return one_ask(t, argc, argv, "job", print_all);
}
