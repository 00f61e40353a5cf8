/* opts.c - options of subcommands.  See commands.h. */
#include "cmd/prova/commands.h"

#include <getopt.h>

#include "common/num.h"

static const struct option longs[] = {
	{ "json", no_argument, NULL, 'J' }, { "online", no_argument, NULL, 'N' },
	{ "offline", no_argument, NULL, 'F' }, { 0 },
};

static void
take(struct tool *t, struct opts *o, int letter)
{
	bool *const flags[] = { ['J'] = &o->json, ['N'] = &o->online, ['F'] = &o->offline, ['w'] = &o->watch };
	const char **const texts[] = { ['c'] = &o->chain, ['s'] = &o->state, ['t'] = &o->type };

	if ((size_t)letter < NELEM(flags) && flags[letter])
		*flags[letter] = true;
	else if ((size_t)letter < NELEM(texts) && texts[letter])
		*texts[letter] = optarg;
	else if (!num_u64(span_str(optarg), &o->n) || o->n == 0)
		tool_wrong(t, "-n %s: not a number from 1 on", optarg);
}

void
opts_read(struct tool *t, int argc, char **argv, const char *letters, struct opts *o)
{
	char spec[32];
	int letter;

	snprintf(spec, sizeof spec, ":%s", letters);
	optind = 0;		/* begin anew; what stands before the first operand is the command's word */
	while ((letter = getopt_long(argc + 1, argv - 1, spec, longs, NULL)) != -1) {
		if (letter == ':' || letter == '?' || !strchr(letters, letter))
			tool_wrong(t, "%s: %s", argv[optind - 2], letter == ':' ? "needs a value" : "no such option");
		take(t, o, letter);
	}
	o->operands = argv + optind - 1;
	o->noperands = argc - (optind - 1);
}
