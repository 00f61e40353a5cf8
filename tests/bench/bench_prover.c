/* bench_prover.c - a plug-in (prova-plugin(7)) that proves at once and notes how old each task is when it is asked.
 *
 * A task is named after the moment at which it was made (bench_play.c).  The ages, in microseconds, one a
 * line, are appended to the file that BENCH_AGES names, when the answer has been given. */
#include <fcntl.h>

#include "common/diag.h"
#include "common/json.h"
#include "common/num.h"
#include "tests/bench/figures.h"

enum { LINE_BYTES = 1 << 16 };

static void
note_age(int fd, uint64_t age_ns)
{
	char text[32];
	int n = snprintf(text, sizeof text, "%" PRIu64 "\n", age_ns / 1000);

	if (fd >= 0 && write(fd, text, (size_t)n) != n)
		die_sys("the file of ages");
}

static void
answer(struct span line, int ages)
{
	char why[128] = "";
	uint64_t now = nanos_now(), id = 0, made;
	struct json *doc = json_parse(line, LINE_BYTES, why);

	if (!doc || !json_u64(json_get(doc, "id"), &id))
		die(EXIT_USAGE, "no request: %s", why);
	if (span_is(json_str(doc, "verb"), "capabilities"))
		printf("{\"id\":%" PRIu64 ",\"ok\":true,\"sync\":true,\"ask\":\"key\",\"verbs\":[\"prove\",\"cancel\"]}\n", id);
	else if (span_is(json_str(doc, "verb"), "prove"))
		printf("{\"id\":%" PRIu64 ",\"ok\":true,\"proof\":\"made up\"}\n", id);
	else
		printf("{\"id\":%" PRIu64 ",\"ok\":true,\"state\":\"cancelled\"}\n", id);
	if (fflush(stdout) != 0)
		die_sys("standard output");
	if (num_u64(json_str(doc, "task"), &made))
		note_age(ages, now - made);
	json_free(&doc);
}

int
main(void)
{
	static char line[LINE_BYTES];
	const char *path = getenv("BENCH_AGES");
	int ages = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;

	if (path && ages < 0)
		die_sys("%s", path);
	while (fgets(line, sizeof line, stdin))
		answer((struct span){ (const uint8_t *)line, strcspn(line, "\n") }, ages);
	return EXIT_DONE;
}
