/* main.c - prova-submit: verifies proofs, returns them, settles.
 * See prova-submit(8). */
#include "cmd/submit/stage.h"

static const struct stage_def def = {
	.kind		= "submit",
	.synopsis	= "[-dhnvV] [-c file] [-I instance] [-O key=value] [--ledger endpoint]",
	.start		= submit_start,
	.stop		= submit_stop,
	.act		= submit_act,
	.lose		= submit_lose,
	.answer		= submit_answer,
	.levels		= submit_levels,
	.reset		= submit_reset,
};

int
main(int argc, char **argv)
{
	return stage_main(&def, argc, argv);
}
