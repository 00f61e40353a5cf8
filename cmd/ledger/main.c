/* main.c - prova-ledger: has custody of every job, attempt and amount.  See prova-ledger(8). */
#include <sys/stat.h>

#include "cmd/ledger/query.h"
#include "cmd/ledger/serve.h"
#include "common/args.h"
#include "common/diag.h"

static const struct args_def def = {
	.name = "prova-ledger",
	.synopsis = "[-CdhnvV] [-c file] [-O key=value] [--ledger endpoint]",
	.kind = "ledger",
	.flag = 'C',
};

static int
run_check(const struct args *a)
{
	puts("settings are fine");
	return EXIT_DONE;
}

/* -C: of a store that a ledger has open, or none. */
static int
run_check_store(const struct args *a)
{
	static const int status[] = { EXIT_SYSTEM, EXIT_NO, EXIT_DONE };
	const char *store = settings_text(a->settings, "prova", NULL, "store");
	struct buf json = { 0 };

	if (serve_in_memory(store))
		args_wrong(&def, "-C: %s has no file", store);
	int answer = query_check_file(store, settings_text(a->settings, "prova", NULL, "blobs_dir"), &json);
	puts(buf_cstr(&json));
	buf_free(&json);
	return fflush(stdout) == 0 ? status[answer + 1] : EXIT_SYSTEM;
}

static int
run_serve(const struct args *a)
{
	return serve(a->settings);
}

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
	if (status == EXIT_DONE)
		status = (a.check ? run_check : a.flagged ? run_check_store : run_serve)(&a);
	args_free(&a);
	return status;
}
