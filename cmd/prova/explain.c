/* explain.c - prova explain: one job's whole story, in the order of time. */
#include "cmd/prova/commands.h"
#include "cmd/prova/one.h"
#include "cmd/prova/show.h"
#include "common/codes.h"

static void
print_head(const struct json *a)
{
	const struct json *job = json_get(a, "job"), *work = json_get(a, "work");

	printf("job %" PRIu64 " is %s: %s %s of chain %s, fork %s\n", show_num(job, "id"), show_text(job, "state"),
	    show_text(work, "type"), show_text(work, "task"), show_text(work, "chain"), show_text(work, "fork"));
	printf("  uuid %s, fetched by identity %" PRIu64 " at %s, proof due %s\n", show_text(job, "uuid"), show_num(job, "identity"),
	    show_time(show_num(job, "fetched_ms")), show_time(show_num(job, "deadline_ms")));
	printf("  work %" PRIu64 ": task body %" PRIu64 " bytes, input %" PRIu64 " bytes, sha256 %s\n", show_num(work, "id"),
	    show_num(work, "body_bytes"), show_num(work, "input_bytes"),
	    *show_text(work, "input_blob") ? show_text(work, "input_blob") : "not known yet");
	if (json_size(json_get(a, "jobs")) > 1)
		printf("  the Coordinator assigned this work %zu times; it is bought once\n", json_size(json_get(a, "jobs")));
	show_why(job, "  ");
}

/* A work's revision goes up with each move of its attempts: that is no news of its own. */
static bool
is_echo(const struct json *h)
{
	return span_is(json_str(h, "kind"), "work") && span_eq(json_str(h, "from"), json_str(h, "to")) &&
	    span_is(json_str(h, "code"), code_word(CODE_OK));
}

static void
print_line(const struct json *h, uint64_t *before_ms)
{
	uint64_t at = show_num(h, "at_ms");
	struct span code = json_str(h, "code");
	char row[64], move[64], later[32];

	snprintf(row, sizeof row, "%s %" PRIu64, show_text(h, "kind"), show_num(h, "id"));
	snprintf(move, sizeof move, "%s -> %s", show_text(h, "from"), show_text(h, "to"));
	snprintf(later, sizeof later, "%s", *before_ms ? show_span(at - MIN2(at, *before_ms)) : "");
	printf("  %s %9s  %-14s %-26s by %s\n", show_time(at), later, row, move, show_text(h, "by"));
	if (code.n && !span_is(code, code_word(CODE_OK)))
		printf("  %35s %.*s: %s  %s\n", "", SPAN_ARG(code), code_sentence(show_code(code)), code_action(show_code(code)));
	*before_ms = at;
}

static void
print_attempt(const struct json *at)
{
	printf("  attempt %" PRIu64 " is %s: provider %s, price %s", show_num(at, "id"), show_text(at, "state"),
	    show_text(at, "provider"), show_micro((int64_t)show_num(at, "price")));
	if (show_num(at, "owed"))
		printf(", owed %s", show_micro((int64_t)show_num(at, "owed")));
	if (*show_text(at, "handle"))
		printf(", order %s", show_text(at, "handle"));
	if (show_num(at, "proof_bytes"))
		printf(", proof of %" PRIu64 " bytes", show_num(at, "proof_bytes"));
	if (*show_text(at, "reason"))
		printf("\n    chosen: %s", show_text(at, "reason"));
	if (*show_text(at, "stray"))
		printf("\n    a second order: %s", show_text(at, "stray"));
	putchar('\n');
	show_why(at, "    ");
}

static void
print_entry(const struct json *e)
{
	int64_t micro;

	if (json_i64(json_get(e, "micro"), &micro))
		printf("  %s  %-32s %14s  (%s %" PRIu64 ")\n", show_time(show_num(e, "at_ms")), show_text(e, "account"),
		    show_micro(micro), show_text(e, "kind"), show_num(e, "id"));
}

static void
print_all(const struct json *a)
{
	const struct json *history = json_get(a, "history"), *attempts = json_get(a, "attempts"), *entries = json_get(a, "entries");
	uint64_t before_ms = 0;

	print_head(a);
	printf("\nwhat happened (UTC)\n");
	for (size_t i = 0; i < json_size(history); i++)
		if (!is_echo(json_at(history, i)))
			print_line(json_at(history, i), &before_ms);
	printf("\nattempts%s\n", json_size(attempts) ? "" : ": none");
	for (size_t i = 0; i < json_size(attempts); i++)
		print_attempt(json_at(attempts, i));
	printf("\nmoney%s\n", json_size(entries) ? "" : ": none");
	for (size_t i = 0; i < json_size(entries); i++)
		print_entry(json_at(entries, i));
	if (json_bool(json_get(a, "cut")))
		printf("\nthere is more: too long for one answer\n");
}

int
explain_run(struct tool *t, int argc, char **argv)
{
	return one_ask(t, argc, argv, "explain", print_all);
}
