/* main.c - prova-dispatch-coordinator: lets existing provers work as if this were their Coordinator.
 * See prova-dispatch-coordinator(8). */
#include "cmd/dispatch-coordinator/stage.h"

static const struct stage_def def = {
	.kind		= "dispatch-coordinator",
	.synopsis	= "[-dhnVv] [-c file] [-I instance] [--ledger endpoint] [-O key=value]",
	.start		= dispatch_coordinator_start,
	.stop		= dispatch_coordinator_stop,
	.act		= dispatch_coordinator_act,
	.lose		= dispatch_coordinator_lose,
	.answer		= dispatch_coordinator_answer,
	.levels		= dispatch_coordinator_levels,
	.reset		= dispatch_coordinator_reset,
};

int
main(int argc, char **argv)
{
	return stage_main(&def, argc, argv);
}
