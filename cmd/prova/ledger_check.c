/* ledger_check.c - prova ledger check: every invariant of the store, by the running ledger or from the file. */
#include "cmd/prova/commands.h"
#include "cmd/prova/door.h"
#include "cmd/prova/show.h"
#include "common/diag.h"

#include <sys/wait.h>

enum { TIMEOUT_MS = 600 * 1000, ANSWER_MAX = 4 << 20 };

static int
judge(const struct json *answer)
{
	const struct json *checked = json_get(answer, "checked"), *errors = json_get(answer, "errors");
	uint64_t n = show_num(answer, "nerrors");

	for (size_t i = 0; i < json_size(errors); i++) {
		struct span text = json_text(json_at(errors, i));
		printf("%.*s\n", SPAN_ARG(text));
	}
	printf("%s: %" PRIu64 " rows, %" PRIu64 " lines of history, %" PRIu64 " entries, %" PRIu64 " blobs checked, %" PRIu64 " faults\n",
	    n ? "FAULTY" : "ok", show_num(checked, "rows"), show_num(checked, "history"), show_num(checked, "entries"),
	    show_num(checked, "blobs"), n);
	return json_bool(json_get(answer, "ok")) ? EXIT_DONE : EXIT_NO;
}

static int
ask_running(struct tool *t, bool raw)
{
	struct door *d = door_open(t);
	struct json *answer = d ? door_ask(d, SPAN("{\"what\":\"check\"}"), TIMEOUT_MS) : NULL;
	int status = EXIT_SYSTEM;

	if (answer && raw) {
		door_print(d);
		status = json_bool(json_get(answer, "ok")) ? EXIT_DONE : EXIT_NO;
	} else if (answer) {
		status = judge(answer);
	}
	json_free(&answer);
	door_close(&d);
	return status;
}

static void
read_all(int fd, struct buf *out)
{
	ssize_t n;

	while (out->n < ANSWER_MAX && (n = read(fd, buf_room(out, 65536), 65536)) != 0) {
		if (n > 0)
			out->n += (size_t)n;
		else if (errno != EINTR)
			break;
	}
}

/* The program's own answer and status. */
static int
run_ledger(char **argv, struct buf *out)
{
	int fds[2], status;

	if (pipe(fds) != 0)
		die_sys("pipe");
	pid_t pid = fork();
	if (pid < 0)
		die_sys("fork");
	if (pid == 0) {
		dup2(fds[1], 1);
		close(fds[0]);
		close(fds[1]);
		execvp(argv[0], argv);
		die_sys("%s", argv[0]);
	}
	close(fds[1]);
	read_all(fds[0], out);
	close(fds[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_BUG;
}

static int
ask_file(struct tool *t)
{
	char **argv = tool_argv(t, "prova-ledger", (const char *const[]){ "-C", NULL }), why[128];
	struct buf out = { 0 };
	int status = run_ledger(argv, &out);
	struct json *answer = out.n ? json_parse(SPAN_OF(&out), ANSWER_MAX, why) : NULL;

	if (answer)
		judge(answer);
	else if (status == EXIT_DONE)
		status = EXIT_BUG;
	json_free(&answer);
	buf_free(&out);
	free(argv);
	return status;
}

int
ledger_check_run(struct tool *t, int argc, char **argv)
{
	struct opts o = { .n = 0 };

	opts_read(t, argc, argv, "JF", &o);
	if (o.noperands)
		tool_wrong(t, "ledger check takes no operand");
	if (o.offline && o.json) {
		char **call = tool_argv(t, "prova-ledger", (const char *const[]){ "-C", NULL });
		execvp(call[0], call);
		die_sys("%s", call[0]);
	}
	int status = o.offline ? ask_file(t) : ask_running(t, o.json);
	return tool_flushed() ? status : EXIT_SYSTEM;
}
