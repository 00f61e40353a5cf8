/* options.c - the command line of prova-devnet.  See options.h.
 *
 * One table: names, kinds, places, and what -h says. */
#include "cmd/devnet/options.h"

#include <getopt.h>

#include "common/bytes.h"
#include "common/diag.h"
#include "common/num.h"

enum kind { FLAG, TEXT, COUNT, SIZE, SECONDS_MS, SECONDS, LIST };

static const struct {
	const char	*name, *value;
	enum kind	 kind;
	size_t		 at;
} table[] = {
	{ "listen",		"address:port",	TEXT,		offsetof(struct options, listen) },
	{ "l2-listen",		"address:port",	TEXT,		offsetof(struct options, l2_listen) },
	{ "ports",		"file",		TEXT,		offsetof(struct options, ports) },
	{ "stats",		"file",		TEXT,		offsetof(struct options, stats) },
	{ "chunks",		"number",	COUNT,		offsetof(struct options, chunks) },
	{ "batches",		"number",	COUNT,		offsetof(struct options, batches) },
	{ "bundles",		"number",	COUNT,		offsetof(struct options, bundles) },
	{ "blocks-per-chunk",	"number",	COUNT,		offsetof(struct options, blocks_per_chunk) },
	{ "seed",		"number",	COUNT,		offsetof(struct options, seed) },
	{ "trace-bytes",	"size",		SIZE,		offsetof(struct options, trace_bytes) },
	{ "traces",		"directory",	TEXT,		offsetof(struct options, traces) },
	{ "task-dir",		"directory",	TEXT,		offsetof(struct options, task_dir) },
	{ "fork",		"name",		TEXT,		offsetof(struct options, fork) },
	{ "collection",		"seconds",	SECONDS_MS,	offsetof(struct options, collection_ms) },
	{ "cron",		"seconds",	SECONDS_MS,	offsetof(struct options, cron_ms) },
	{ "token-life",		"seconds",	SECONDS,	offsetof(struct options, token_life_s) },
	{ "attempts",		"number",	COUNT,		offsetof(struct options, attempts) },
	{ "block",		"key",		LIST,		offsetof(struct options, blocked) },
	{ "fault",		"endpoint:kind:rate", LIST,	offsetof(struct options, faults) },
	{ "task-by-id",		NULL,		FLAG,		offsetof(struct options, task_by_id) },
	{ "same-task-twice",	NULL,		FLAG,		offsetof(struct options, same_task_twice) },
	{ "mock-verifier",	NULL,		FLAG,		offsetof(struct options, mock_verifier) },
};

static const struct options defaults = {
	.listen = "127.0.0.1:8390", .l2_listen = "127.0.0.1:8545", .fork = "darwinV2",
	.chunks = 6, .batches = 2, .bundles = 1, .blocks_per_chunk = 2, .seed = 1, .attempts = 5,
	.trace_bytes = 32768, .collection_ms = 180000, .cron_ms = 2000, .token_life_s = 3600,
};

static void
put_usage(FILE *to)
{
	fputs("usage: prova-devnet [-hV]", to);
	for (size_t i = 0; i < NELEM(table); i++)
		fprintf(to, " [--%s%s%s]", table[i].name, table[i].value ? " " : "", table[i].value ? table[i].value : "");
	fputc('\n', to);
}

static void
wrong(const char *fmt, ...) PRINTF(1, 2) NORETURN;

static void
wrong(const char *fmt, ...)
{
	va_list ap;

	fputs("prova-devnet: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	put_usage(stderr);
	exit(EXIT_USAGE);
}

static bool
set_number(enum kind kind, struct span text, uint64_t *out)
{
	uint64_t micro;

	if (kind == SIZE)
		return num_size(text, out);
	if (kind != SECONDS_MS)
		return num_u64(text, out);
	if (!num_micro(text, &micro) || micro < 1000)
		return false;
	*out = micro / 1000;
	return true;
}

static void
add(struct option_list *l, const char *text)
{
	l->texts = xrealloc(l->texts, (l->n + 2) * sizeof *l->texts);
	l->texts[l->n++] = text;
	l->texts[l->n] = NULL;
}

static void
set(struct options *o, size_t i, const char *text)
{
	void *at = (char *)o + table[i].at;

	if (table[i].kind == FLAG)
		*(bool *)at = true;
	else if (table[i].kind == TEXT)
		*(const char **)at = text;
	else if (table[i].kind == LIST)
		add(at, text);
	else if (!set_number(table[i].kind, span_str(text), at))
		wrong("--%s: not a number: %s", table[i].name, text);
}

static void
check(const struct options *o)
{
	if (!o->blocks_per_chunk || !o->attempts || !o->token_life_s)
		wrong("--blocks-per-chunk, --attempts and --token-life are at least 1");
	if (o->chunks > 1000000 || o->batches > 1000000 || o->bundles > 1000000 || o->blocks_per_chunk > 1000)
		wrong("at most 1000000 of each, and 1000 blocks per chunk");
	if (o->attempts > UINT32_MAX)
		wrong("--attempts: too many");
}

void
options_read(struct options *o, int argc, char **argv)
{
	struct option longs[NELEM(table) + 1] = { { 0 } };
	int c, i = 0;

	*o = defaults;
	diag_name("prova-devnet");
	for (size_t k = 0; k < NELEM(table); k++)
		longs[k] = (struct option){ table[k].name, table[k].value ? required_argument : no_argument, NULL, 0 };
	opterr = 0;
	while ((c = getopt_long(argc, argv, "hV", longs, &i)) != -1) {
		if (c == 'h') {
			put_usage(stdout);
			exit(EXIT_DONE);
		}
		if (c == 'V') {
			puts("prova-devnet " PROVA_VERSION);
			exit(EXIT_DONE);
		}
		if (c != 0)
			wrong("unknown option, or a value is missing: %s", argv[optind - 1]);
		set(o, (size_t)i, optarg);
	}
	if (optind < argc)
		wrong("not an option: %s", argv[optind]);
	check(o);
}

void
options_free(struct options *o)
{
	free(o->blocked.texts);
	free(o->faults.texts);
}
