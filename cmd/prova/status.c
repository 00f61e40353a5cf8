/* status.c - prova status: the ledger's live figures, the answer first. */
#include "cmd/prova/commands.h"
#include "cmd/prova/door.h"
#include "cmd/prova/show.h"
#include "cmd/prova/why.h"

enum { TIMEOUT_MS = 5000, EVERY_MS = 1000 };

static void
print_instance(const struct json *i)
{
	char does[96] = "";

	if (json_get(i, "slots"))
		snprintf(does, sizeof does, "%s, %" PRIu64 " slots", show_text(i, "provider"), show_num(i, "slots"));
	if (json_get(i, "polling"))
		snprintf(does, sizeof does, "%" PRIu64 " ask, %" PRIu64 " wait", show_num(i, "polling"), show_num(i, "waiting"));
	printf("  %-28s %-8s %10s  %-22s %s\n", show_text(i, "instance"), json_bool(json_get(i, "alive")) ? "alive" : "silent",
	    show_span(show_num(i, "silent_ms")), does, show_text(i, "note"));
}

static void
print_room(const struct json *k)
{
	uint64_t room = show_num(k, "room"), unplaced = show_num(k, "unplaced"), open = show_num(k, "open");

	if (room || unplaced || open)
		printf("  %-16s %-8s room %-6" PRIu64 " unplaced %-6" PRIu64 " with provers %" PRIu64 "\n", show_text(k, "chain"),
		    show_text(k, "type"), room, unplaced, open);
}

static void
print_count(void *arg, const char *name, const struct json *value)
{
	uint64_t n;

	if (json_u64(value, &n))
		printf("  %-24s %8" PRIu64 "\n", name, n);
}

static void
print_balance(void *arg, const char *name, const struct json *value)
{
	int64_t micro;

	if (json_i64(value, &micro))
		printf("  %-40s %16s\n", name, show_micro(micro));
}

static void
print_all(const struct json *s, const struct settings *settings)
{
	const struct json *instances = json_get(s, "instances"), *kinds = json_get(s, "kinds");
	char why[512];

	why_line(s, settings, why, sizeof why);
	printf("%s\n\nledger %s, term %" PRIu64 ", up %s, process %" PRIu64 ", write-ahead log %" PRIu64 " kB\n", why,
	    show_text(s, "ledger"), show_num(s, "term"), show_span(show_num(s, "up_ms")), show_num(s, "pid"), show_num(s, "wal_bytes") / 1024);
	printf("\ninstances (last heard)\n");
	for (size_t i = 0; i < json_size(instances); i++)
		print_instance(json_at(instances, i));
	printf("\nroom\n");
	for (size_t i = 0; i < json_size(kinds); i++)
		print_room(json_at(kinds, i));
	printf("\nrows in memory\n");
	json_each(json_get(s, "rows"), print_count, NULL);
	printf("\nmoney\n");
	json_each(json_get(s, "money"), print_balance, NULL);
}

static int
once(struct tool *t, struct door *d, const struct opts *o)
{
	struct json *status = door_ask(d, SPAN("{\"what\":\"status\"}"), TIMEOUT_MS);

	if (!status)
		return EXIT_SYSTEM;
	if (o->watch && !o->json && isatty(1))
		printf("\033[H\033[2J");
	if (o->json)
		door_print(d);
	else
		print_all(status, tool_settings(t));
	json_free(&status);
	return tool_flushed() ? EXIT_DONE : EXIT_SYSTEM;
}

int
status_run(struct tool *t, int argc, char **argv)
{
	struct opts o = { .n = 0 };

	opts_read(t, argc, argv, "Jw", &o);
	if (o.noperands)
		tool_wrong(t, "status takes no operand");
	struct door *d = door_open(t);
	if (!d)
		return EXIT_SYSTEM;
	int rc = once(t, d, &o);
	while (o.watch && (rc == EXIT_DONE || isatty(1)) && door_pause(d, EVERY_MS))
		rc = once(t, d, &o);
	door_close(&d);
	return rc;
}
