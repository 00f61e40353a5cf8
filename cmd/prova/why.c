/* why.c - see why.h. */
#include "cmd/prova/why.h"

#include "cmd/prova/expected.h"
#include "cmd/prova/show.h"
#include "common/codes.h"

/* From the end of the pipeline to its begin: where rows wait, and who is to go on with them. */
static const struct place { const char *kind; const char *rows[4]; const char *what; } places[] = {
	{ "submit", { "job.submitting", "attempt.proved", "attempt.verified" }, "to verify or submit" },
	{ "dispatch-", { "attempt.allocated", "attempt.sending", "attempt.proving" }, "with provers" },
	{ "allocate", { "job.ready", "job.queued" }, "to place" },
	{ "trace-build", { "job.fetched" }, "to build" },
};
/* What a pipeline cannot do without, in its order. */
static const char *const needed[] = { "task-fetch", "trace-build", "allocate", "dispatch-", "submit" };

/* "dispatch-" stands for every kind that begins so. */
static bool
is_kind(const struct json *instance, const char *kind)
{
	struct span k = json_str(instance, "kind");
	size_t n = strlen(kind);

	return k.n >= n && memcmp(k.p, kind, n) == 0 && (kind[n - 1] == '-' || k.n == n);
}

/* The next instance of a kind from *at on; NULL: no more. */
static const struct json *
next_of(const struct json *status, const char *kind, size_t *at)
{
	const struct json *all = json_get(status, "instances");

	while (*at < json_size(all)) {
		const struct json *i = json_at(all, (*at)++);
		if (is_kind(i, kind))
			return i;
	}
	return NULL;
}

static bool
is_alive(const struct json *instance)
{
	return json_bool(json_get(instance, "alive"));
}

static void
say_unheard(const struct json *instance, char *out, size_t size)
{
	snprintf(out, size, "%s is not heard for %s: is it running?", show_text(instance, "instance"),
	    show_span(show_num(instance, "silent_ms")));
}

static bool
say_missing(const struct json *status, const char *kind, char *out, size_t size)
{
	const struct json *i, *known = NULL;
	bool all = kind[strlen(kind) - 1] == '-';

	for (size_t at = 0; (i = next_of(status, kind, &at)); ) {
		if (is_alive(i))
			return false;
		if (!known || show_num(i, "silent_ms") < show_num(known, "silent_ms"))
			known = i;
	}
	if (known)
		say_unheard(known, out, size);
	else
		snprintf(out, size, "no prova-%s%s was ever heard: start one", kind, all ? "PROVIDER" : "");
	return true;
}

static const char *
provider_of(const struct json *instance, const struct settings *s)
{
	return expected_provider(s, show_text(instance, "kind"), show_text(instance, "instance"));
}

/* Does nobody drive this provider? */
static bool
is_deserted(const struct json *status, const struct settings *s, const char *provider)
{
	const struct json *i;

	for (size_t at = 0; (i = next_of(status, "dispatch-", &at)); ) {
		const char *driven = is_alive(i) ? provider_of(i, s) : NULL;
		if (driven && strcmp(driven, provider) == 0)
			return false;
	}
	return true;
}

/* A silent one that others of its kind cannot stand in for.  One that the settings do not ask for was renamed or removed. */
static bool
say_silent(const struct json *status, const struct settings *s, const char *kind, char *out, size_t size)
{
	const struct json *i;

	for (size_t at = 0; (i = next_of(status, kind, &at)); ) {
		const char *provider = provider_of(i, s);
		bool alone = provider ? is_deserted(status, s, provider) :
		    expected_alone(s, show_text(i, "kind"), show_text(i, "instance"));
		if (!is_alive(i) && alone) {
			say_unheard(i, out, size);
			return true;
		}
	}
	return false;
}

/* The note of the first living instance of a kind that has one. */
static bool
say_note(const struct json *status, const char *kind, char *out, size_t size)
{
	const struct json *i;

	for (size_t at = 0; (i = next_of(status, kind, &at)); ) {
		const char *note = show_text(i, "note");
		if (*note && is_alive(i)) {
			snprintf(out, size, "%s: %s", show_text(i, "instance"), note);
			return true;
		}
	}
	return false;
}

static uint64_t
rows_at(const struct json *status, const struct place *p)
{
	uint64_t n = 0;

	for (size_t i = 0; i < NELEM(p->rows) && p->rows[i]; i++)
		n += show_num(json_get(status, "rows"), p->rows[i]);
	return n;
}

static bool
say_waiting(const struct json *status, char *out, size_t size)
{
	for (size_t i = 0; i < NELEM(places); i++)
		if (rows_at(status, &places[i]) && say_note(status, places[i].kind, out, size))
			return true;
	return false;
}

static bool
say_work(const struct json *status, char *out, size_t size)
{
	size_t used = 0;

	for (size_t i = NELEM(places); i-- > 0; ) {
		uint64_t n = rows_at(status, &places[i]);
		if (n && used < size)
			used += (size_t)snprintf(out + used, size - used, "%s%" PRIu64 " %s", used ? ", " : "at work: ", n, places[i].what);
	}
	return used > 0;
}

/* True when no kind of task has room, and that is why nothing is fetched. */
static bool
say_no_room(const struct json *status, char *out, size_t size)
{
	const struct json *kinds = json_get(status, "kinds"), *k;
	char first[128] = "";

	for (size_t i = 0; (k = json_at(kinds, i)); i++) {
		uint64_t room = show_num(k, "room"), held = show_num(k, "unplaced") + show_num(k, "open");
		if (room > held)
			return false;
		if (room && !*first)
			snprintf(first, sizeof first, "no room for %s: %" PRIu64 " of %" PRIu64 " places taken", show_text(k, "type"), held, room);
	}
	if (say_note(status, "dispatch-", out, size) || say_note(status, "allocate", out, size))
		return true;
	snprintf(out, size, "%s", *first ? first : "no room for any task: no provider states a slot");
	return true;
}

static void
say_idle(const struct json *status, char *out, size_t size)
{
	const struct json *i;
	uint64_t polling = 0, waiting = 0;

	for (size_t at = 0; (i = next_of(status, "task-fetch", &at)); ) {
		polling += show_num(i, "polling");
		waiting += show_num(i, "waiting");
	}
	snprintf(out, size, "nothing to do: no task at the Coordinator so far (asking: %" PRIu64 ", could ask: %" PRIu64 ")", polling, waiting);
}

void
why_line(const struct json *status, const struct settings *s, char *out, size_t size)
{
	if (!json_get(status, "term")) {
		snprintf(out, size, "the ledger has just begun");
		return;
	}
	if (json_bool(json_get(status, "trouble"))) {
		snprintf(out, size, "%s: %s  %s", code_word(CODE_DISK), code_sentence(CODE_DISK), code_action(CODE_DISK));
		return;
	}
	for (size_t i = 0; i < NELEM(needed); i++)
		if (say_missing(status, needed[i], out, size))
			return;
	for (size_t i = 0; i < NELEM(needed); i++)
		if (say_silent(status, s, needed[i], out, size))
			return;
	if (say_waiting(status, out, size) || say_work(status, out, size) || say_note(status, "task-fetch", out, size) ||
	    say_no_room(status, out, size))
		return;
	say_idle(status, out, size);
}
