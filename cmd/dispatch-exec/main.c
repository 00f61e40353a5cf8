/* main.c - prova-dispatch-exec: drives any program that speaks the plug-in protocol.
 * See prova-dispatch-exec(8) and prova-plugin(7). */
#include "cmd/dispatch-exec/stage.h"

static const struct stage_def def = {
	.kind		= "dispatch-exec",
	.synopsis	= "[-dhnVv] [-c file] [-I instance] [--ledger endpoint] [-O key=value]",
	.start		= dispatch_exec_start,
	.stop		= dispatch_exec_stop,
	.act		= dispatch_exec_act,
	.lose		= dispatch_exec_lose,
	.levels		= dispatch_exec_levels,
	.reset		= dispatch_exec_reset,
};

int
main(int argc, char **argv)
{
	return stage_main(&def, argc, argv);
}
