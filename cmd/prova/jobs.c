/* jobs.c - prova jobs: one line for each, newest first. */
#include "cmd/prova/commands.h"
#include "cmd/prova/door.h"
#include "cmd/prova/show.h"

enum { TIMEOUT_MS = 30000, PER_ASK = 500 };

static void
put_member(struct buf *out, const char *name, const char *value)
{
	if (!value)
		return;
	buf_printf(out, ",\"%s\":", name);
	json_put_str(out, span_str(value), false);
}

static void
put_request(struct buf *out, const struct opts *o, uint64_t limit, uint64_t after)
{
	buf_reset(out);
	buf_puts(out, "{\"what\":\"jobs\"");
	put_member(out, "state", o->state);
	put_member(out, "type", o->type);
	put_member(out, "chain", o->chain);
	buf_printf(out, ",\"limit\":%" PRIu64, limit);
	if (after)
		buf_printf(out, ",\"after\":%" PRIu64, after);
	buf_putc(out, '}');
}

static void
print_job(const struct json *j)
{
	const char *code = show_text(j, "code");

	printf("%8" PRIu64 "  %-10s %-6s %-12s %-23s  %-36s  %.16s%s%s\n", show_num(j, "id"), show_text(j, "state"), show_text(j, "type"),
	    show_text(j, "chain"), show_time(show_num(j, "at_ms")), show_text(j, "uuid"), show_text(j, "task"),
	    strcmp(code, "ok") == 0 ? "" : "  ", strcmp(code, "ok") == 0 ? "" : code);
}

/* One answer; the place to go on from, 0 at the end.  False: there was none. */
static bool
print_page(struct door *d, const struct opts *o, struct buf *request, uint64_t *left, uint64_t *after)
{
	put_request(request, o, MIN2(*left, (uint64_t)PER_ASK), *after);
	struct json *answer = door_ask(d, SPAN_OF(request), TIMEOUT_MS);
	const struct json *jobs = json_get(answer, "jobs");

	if (!answer)
		return false;
	if (o->json)
		door_print(d);
	else
		for (size_t i = 0; i < json_size(jobs); i++)
			print_job(json_at(jobs, i));
	*left -= MIN2(*left, (uint64_t)json_size(jobs));
	*after = show_num(answer, "next");
	json_free(&answer);
	return true;
}

int
jobs_run(struct tool *t, int argc, char **argv)
{
	struct opts o = { .n = 20 };
	struct buf request = { 0 };
	uint64_t after = 0;

	opts_read(t, argc, argv, "Jc:n:s:t:", &o);
	if (o.noperands)
		tool_wrong(t, "jobs takes no operand");
	struct door *d = door_open(t);
	if (!d)
		return EXIT_SYSTEM;
	if (!o.json)
		printf("%8s  %-10s %-6s %-12s %-23s  %-36s  %s\n", "ID", "STATE", "TYPE", "CHAIN", "LAST MOVE", "UUID", "TASK, CODE");
	bool good;
	do
		good = print_page(d, &o, &request, &o.n, &after);
	while (good && o.n && after);
	buf_free(&request);
	door_close(&d);
	return tool_flushed() && good ? EXIT_DONE : EXIT_SYSTEM;
}
