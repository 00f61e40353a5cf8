/* main.c - prova: the operator's front.  See prova(1). */
#include "cmd/prova/commands.h"

static const struct tool_command commands[] = {
	{ "status", "[--json] [-w]", status_run, 0, 2 },
	{ "jobs", "[--json] [-c chain] [-n number] [-s state] [-t type]", jobs_run, 0, 9 },
	{ "job", "[--json] [-c chain] id", job_run, 1, 4 },
	{ "explain", "[--json] [-c chain] id", explain_run, 1, 4 },
	{ "check", "[--online]", check_run, 0, 1 },
	{ "keys", "[coordinator]", keys_run, 0, 1 },
	{ "ledger check", "[--json] [--offline]", ledger_check_run, 0, 2 },
};

static const struct tool_def def = {
	.name = "prova",
	.synopsis = "[-dhnvV] [-c file] [-O key=value] command [argument ...]",
	.commands = commands,
	.ncommands = NELEM(commands),
};

int
main(int argc, char **argv)
{
	return tool_main(&def, argc, argv);
}
