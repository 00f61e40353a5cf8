/* main.c - prova-prover: a reference prover for any Coordinator.  See prova-prover(8). */
#include "cmd/prover/run.h"

#include "common/codes.h"
#include "common/diag.h"

static const struct args_def def = {
	.name		= "prova-prover",
	.synopsis	= "[-dhnVv] [-c file] [-I name] [-O key=value] [--mock] [run | handle task ... | dump type task [file]]",
	.section	= "prover",
	.shorthand	= "mock",
};

static int
cmd_run(const struct setup *o, char **operands)
{
	return run_daemon(o);
}

static int
cmd_dump(const struct setup *o, char **operands)
{
	return run_dump(o, operands[0], operands[1], operands[2]);
}

static const struct command {
	const char	*name;
	int		(*run)(const struct setup *, char **operands);
	int		 min, max;	/* operands */
	bool		 proves;
} commands[] = {
	{ "run", cmd_run, 0, 0, true },
	{ "handle", run_handle, 1, INT_MAX, true },
	{ "dump", cmd_dump, 2, 3, false },
};

static const struct command *
find_command(int argc, char **argv)
{
	const struct command *c = &commands[0];

	if (argc == 0)
		return c;
	while (c < commands + NELEM(commands) && strcmp(c->name, argv[0]) != 0)
		c++;
	if (c == commands + NELEM(commands))
		args_wrong(&def, "%s: no such command", argv[0]);
	if (argc - 1 < c->min || argc - 1 > c->max)
		args_wrong(&def, "%s %s", c->name, argc - 1 < c->min ? "needs more" : "takes less");
	return c;
}

int
main(int argc, char **argv)
{
	struct args a;
	struct setup o;

	args_read(&a, &def, argc, argv);
	const struct command *c = find_command(argc - a.rest, argv + a.rest);
	args_settings(&a);
	if (!a.verbose)
		diag_threshold((enum diag_level)settings_num(a.settings, "prover", a.instance, "log"));
	int status = setup_read(&o, &a, c->proves);
	if (status == EXIT_DONE && a.check)
		puts("settings are fine");
	else if (status == EXIT_DONE)
		status = c->run(&o, argc - a.rest > 0 ? argv + a.rest + 1 : NULL);
	setup_free(&o);
	args_free(&a);
	return status;
}
