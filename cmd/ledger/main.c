/* main.c - prova-ledger: has custody of every job, attempt and amount.  See prova-ledger(8). */
#include <sys/stat.h>

#include "cmd/ledger/serve.h"
#include "common/args.h"
#include "common/diag.h"

static const struct args_def def = {
	.name = "prova-ledger",
	.synopsis = "[-Cdnv] [-c file] [-O key=value]",
	.kind = "ledger",
	.flag = 'C',
};

int
main(int argc, char **argv)
{
	struct args a;

	args_read(&a, &def, argc, argv);
	if (a.rest < argc)
		args_wrong(&def, "%s: no operands are known", argv[a.rest]);
	umask(0007);
	args_settings(&a);
	if (!a.verbose)
		diag_threshold((enum diag_level)settings_num(a.settings, "stage", "ledger", "log"));
	int status = serve_check(a.settings);
	if (status == EXIT_DONE && a.check)
		puts("settings are fine");
	else if (status == EXIT_DONE)
		status = serve(a.settings);
	args_free(&a);
	return status;
}
