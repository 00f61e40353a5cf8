/* prova-allocate - gives each work to a provider.  See prova-allocate(8). */
#include "cmd/allocate/stage.h"

int
main(int argc, char **argv)
{
	static const struct stage_def def = {
		.kind = "allocate",
		.synopsis = "[-dhnvV] [-c file] [-I instance] [-O key=value] [--ledger endpoint] [-i - -o -]",
		.start = allocate_start,
		.stop = allocate_stop,
		.act = allocate_act,
		.answer = allocate_answer,
		.levels = allocate_levels,
		.news = allocate_news,
		.reset = allocate_reset,
		.filter = allocate_filter,
	};

	return stage_main(&def, argc, argv);
}
