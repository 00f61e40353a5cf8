/* tool.c - the skeleton of one-shot tools.  See tool.h. */
#include "common/tool.h"

#include <signal.h>

#include "common/args.h"
#include "common/diag.h"

struct tool {
	const struct tool_def	*def;
	struct args_def		 args_def;
	struct args		 args;
};

struct settings *
tool_settings(struct tool *t)
{
	return t->args.settings;
}

/* Where a program beside this one lies, in a static buffer. */
static const char *
beside(const char *program)
{
	static char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

	path[n > 0 ? n : 0] = '\0';
	char *slash = strrchr(path, '/');
	if (!slash || (size_t)snprintf(slash + 1, sizeof path - (size_t)(slash + 1 - path), "%s", program) >=
	    sizeof path - (size_t)(slash + 1 - path) || access(path, X_OK) != 0)
		return program;
	return path;
}

char **
tool_argv(struct tool *t, const char *program, const char *const *more)
{
	const struct args *a = &t->args;
	size_t n = 0, nmore = 0;

	while (more[nmore])
		nmore++;
	char **argv = xmalloc((6 + 2 * a->noverrides + nmore) * sizeof *argv);
	argv[n++] = (char *)beside(program);
	if (a->file) {
		argv[n++] = (char *)"-c";
		argv[n++] = (char *)a->file;
	}
	for (size_t i = 0; i < a->noverrides; i++) {
		argv[n++] = (char *)"-O";
		argv[n++] = (char *)a->overrides[i];
	}
	for (size_t i = 0; i < nmore; i++)
		argv[n++] = (char *)more[i];
	argv[n] = NULL;
	return argv;
}

void
tool_wrong(struct tool *t, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	args_wrong(&t->args_def, "%s", text);
}

bool
tool_flushed(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	fprintf(stderr, "%s: standard output: %s\n", diag_whoami(), strerror(errno));
	return false;
}

static void
print_commands(const void *arg, FILE *f)
{
	const struct tool_def *d = arg;

	for (size_t i = 0; i < d->ncommands; i++)
		fprintf(f, "       %s %s%s%s\n", d->name, d->commands[i].name,
		    *d->commands[i].synopsis ? " " : "", d->commands[i].synopsis);
}

/* How many operands the words of a name match; 0: not this command. */
static int
match(const char *name, int argc, char **argv)
{
	int n = 0;

	for (const char *word = name; *word; n++) {
		size_t len = strcspn(word, " ");
		if (n >= argc || strlen(argv[n]) != len || memcmp(argv[n], word, len) != 0)
			return 0;
		word += len + (word[len] == ' ');
	}
	return n;
}

static int
run_command(struct tool *t, int argc, char **argv)
{
	const struct tool_command *best = NULL;
	int words = 0;

	for (size_t i = 0; i < t->def->ncommands; i++) {
		int n = match(t->def->commands[i].name, argc, argv);
		if (n > words) {
			words = n;
			best = &t->def->commands[i];
		}
	}
	if (!best && argc == 0)
		tool_wrong(t, "which command?");
	if (!best)
		tool_wrong(t, "%s: no such command", argv[0]);
	unsigned rest = (unsigned)(argc - words);
	if (rest < best->min || rest > best->max)
		tool_wrong(t, "%s %s", best->name, rest < best->min ? "needs more" : "takes less");
	return best->run(t, argc - words, argv + words);
}

/* For a tool a bug is a status, not a core: whoever calls it is a person or a script. */
static void
on_abort(int signo)
{
	_exit(EXIT_BUG);
}

int
tool_main(const struct tool_def *def, int argc, char **argv)
{
	struct tool t = { .def = def, .args_def = { .name = def->name, .synopsis = def->synopsis,
	    .usage = print_commands, .arg = def } };

	signal(SIGABRT, on_abort);
	args_read(&t.args, &t.args_def, argc, argv);
	args_settings(&t.args);
	if (t.args.check) {
		puts("settings are fine");
		args_free(&t.args);
		return tool_flushed() ? EXIT_DONE : EXIT_SYSTEM;
	}
	int status = run_command(&t, argc - t.args.rest, argv + t.args.rest);
	args_free(&t.args);
	return status;
}
