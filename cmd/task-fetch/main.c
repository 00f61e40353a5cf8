/* main.c - prova-task-fetch: turns free capacity into jobs.
 * See prova-task-fetch(8). */
#include "cmd/task-fetch/stage.h"

static const struct stage_def def = {
	.kind		= "task-fetch",
	.synopsis	= "[-dhvV] [-c file] [-I instance] [-O key=value] [--ledger endpoint] [-n [count -o -]]",
	.start		= task_fetch_start,
	.stop		= task_fetch_stop,
	.act		= task_fetch_act,
	.lose		= task_fetch_lose,
	.answer		= task_fetch_answer,
	.levels		= task_fetch_levels,
	.news		= task_fetch_news,
	.reset		= task_fetch_reset,
	.generate	= task_fetch_generate,
};

int
main(int argc, char **argv)
{
	return stage_main(&def, argc, argv);
}
