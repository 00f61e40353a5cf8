/* main.c - prova-trace-build: turns a job's block hashes into the prover's input, stored once.
 * See prova-trace-build(8). */
#include "cmd/trace-build/stage.h"

static const struct stage_def def = {
	.kind		= "trace-build",
	.synopsis	= "[-dhnvV] [-c file] [-I instance] [-O key=value] [--ledger endpoint] [-i - -o -]",
	.start		= trace_build_start,
	.stop		= trace_build_stop,
	.act		= trace_build_act,
	.lose		= trace_build_lose,
	.levels		= trace_build_levels,
	.filter		= trace_build_filter,
};

int
main(int argc, char **argv)
{
	return stage_main(&def, argc, argv);
}
