/* check.c - prova check: would it work?  The settings as each stage judges them; --online
 * also everything that they name (online.c). */
#include "cmd/prova/commands.h"
#include "cmd/prova/expected.h"
#include "cmd/prova/report.h"
#include "common/diag.h"
#include "common/bytes.h"

#include <fcntl.h>
#include <sys/wait.h>

void
report_say(struct report *r, bool good, const char *what, const char *fmt, ...)
{
	va_list ap;

	printf("%-5s %s: ", good ? "ok" : "FAIL", what);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	*(good ? &r->good : &r->bad) += 1;
}

/* Run a program, its standard output thrown away, its standard error kept.  Its exit status; -1: it could not be run. */
static int
run(char **argv, struct buf *said)
{
	int fds[2], status;
	ssize_t n;

	if (pipe(fds) != 0)
		die_sys("pipe");
	fflush(stdout);
	pid_t pid = fork();
	if (pid < 0)
		die_sys("fork");
	if (pid == 0) {
		int nowhere = open("/dev/null", O_WRONLY);
		dup2(nowhere, 1);
		dup2(fds[1], 2);
		close(fds[0]);
		close(fds[1]);
		execvp(argv[0], argv);
		die_sys("%s", argv[0]);
	}
	close(fds[1]);
	while ((n = read(fds[0], buf_room(said, 4096), 4096)) > 0 || (n < 0 && errno == EINTR))
		said->n += n > 0 ? (size_t)n : 0;
	close(fds[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_BUG;
}

static void
check_instance(struct tool *t, struct report *r, const char *kind, const char *instance)
{
	char *program = xprintf("prova-%s", kind);
	char *what = xprintf("settings of %s%s", strcmp(kind, "prover") == 0 ? "prover." : "", instance);
	bool ledger = strcmp(kind, "ledger") == 0;
	char **argv = tool_argv(t, program, (const char *const[]){ "-n", ledger ? NULL : "-I", instance, NULL });
	struct buf said = { 0 };
	int status = run(argv, &said);

	while (said.n && said.p[said.n - 1] == '\n')
		said.n--;
	report_say(r, status == EXIT_DONE, what, "%s", status == EXIT_DONE ? "fine" : said.n ? buf_cstr(&said) : "its check failed");
	buf_free(&said);
	free(argv);
	free(program);
	free(what);
}

static void
check_kind(struct tool *t, struct report *r, const char *kind)
{
	const char *name;

	for (size_t i = 0; (name = expected_instance(tool_settings(t), kind, i)); i++)
		check_instance(t, r, kind, name);
}

static void
check_providers(struct tool *t, struct report *r, const char *kind, const char *key)
{
	const struct settings *s = tool_settings(t);
	const char *name;

	for (size_t i = 0; (name = settings_name(s, "provider", i)); i++) {
		char *instance = xprintf("%s.%s", kind, name);
		if (*settings_text(s, "provider", name, key))
			check_instance(t, r, kind, instance);
		free(instance);
	}
}

static void
check_have_provider(struct tool *t, struct report *r)
{
	const struct settings *s = tool_settings(t);
	const char *name;

	if (!settings_name(s, "provider", 0))
		report_say(r, false, "settings", "there is no [provider]: nobody proves");
	for (size_t i = 0; (name = settings_name(s, "provider", i)); i++)
		if (!*settings_text(s, "provider", name, "command") == !*settings_text(s, "provider", name, "listen"))
			report_say(r, false, "settings", "[provider %s] has to have either command or listen", name);
}

/* Provers of our own: no stages, and each an instance of its own name. */
static void
check_provers(struct tool *t, struct report *r)
{
	const char *name;

	for (size_t i = 0; (name = settings_name(tool_settings(t), "prover", i)); i++)
		check_instance(t, r, "prover", name);
}

void
check_settings(struct tool *t, struct report *r)
{
	for (size_t i = 0; i < stage_kinds_count; i++) {
		if (stage_kinds[i].of_provider)
			check_providers(t, r, stage_kinds[i].kind, stage_kinds[i].of_provider);
		else
			check_kind(t, r, stage_kinds[i].kind);
	}
	check_have_provider(t, r);
	check_provers(t, r);
}

int
check_run(struct tool *t, int argc, char **argv)
{
	struct report r = { 0 };
	struct opts o = { .n = 0 };

	opts_read(t, argc, argv, "N", &o);
	if (o.noperands)
		tool_wrong(t, "check takes no operand");
	check_settings(t, &r);
	if (o.online)
		check_online(t, &r);
	printf("%u are well, %u are not\n", r.good, r.bad);
	return !tool_flushed() ? EXIT_SYSTEM : r.bad ? EXIT_NO : EXIT_DONE;
}
