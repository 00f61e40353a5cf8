/* coproc.c - one program as a co-process.  See coproc.h and prova-plugin(7).
 *
 *   DOWN      no process; the timer starts one
 *   STARTING  capabilities asked; the timer is the end of its patience
 *   READY     nothing asked
 *   ASKED     a request is under way; the timer is its deadline
 *   ENDING    SIGTERM was sent; the timer sends SIGKILL, and then looks again
 *
 * The end of the process is a readable pidfd, so no SIGCHLD is needed. */
#include "common/coproc.h"

#include "common/clock.h"
#include "common/codes.h"
#include "common/diag.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum state { DOWN, STARTING, READY, ASKED, ENDING };

enum {
	BACKOFF_MIN_MS = 100, BACKOFF_MAX_MS = 10000,
	TERM_MS = 500, LOOK_MS = 20, CLOSE_MS = 200,
	START_MS = 10000,
	READ_BYTES = 65536,
	END_READS = 256,			/* of what a dead process has left in its pipe */
	SAY_BYTES = 1024,			/* of one line of stderr */
	SAY_LINES = 20, SAY_WINDOW_MS = 10000,	/* of them, so many in so long */
};

struct coproc {
	struct coproc_opts	 opts;		/* texts are our own */
	enum state		 state;
	pid_t			 pid;
	int			 pidfd, in, out, err;	/* -1: not open */
	bool			 killed, closed;
	unsigned		 failures;	/* in a row, without an answered request */
	uint64_t		 trouble;
	struct loop_timer	 timer;
	uint64_t		 id;		/* of the last request */
	enum plugin_verb	 verb;
	bool			 sent, broken;
	coproc_fn		*fn;
	void			*arg;
	struct buf		 wr, rd, said;	/* not yet written; read; a line of stderr */
	size_t			 scanned;	/* bytes of rd known to have no newline */
	struct plugin_caps	 caps;
	uint64_t		 say_since;
	unsigned		 say_lines, say_left_out;
};

static loop_fd_fn on_in, on_out, on_err, on_end;
static loop_fn on_timer;

static void
arm(struct coproc *c, uint64_t ms)
{
	loop_timer(c->opts.loop, &c->timer, clock_ms() + ms);
}

static void
close_fd(struct coproc *c, int *fd)
{
	if (*fd < 0)
		return;
	loop_fd(c->opts.loop, *fd, 0, NULL, NULL);
	close(*fd);
	*fd = -1;
}

static void
changed(struct coproc *c)
{
	if (!c->closed && c->opts.changed)
		c->opts.changed(c->opts.arg);
}

/* ---- what it says on stderr ---- */

static void
say(struct coproc *c, const char *line)
{
	uint64_t now = clock_ms();

	if (now - c->say_since >= SAY_WINDOW_MS) {
		if (c->say_left_out)
			diag(DIAG_WARN, "plugin-lines-left-out", "name=%s lines=%u", diag_quote(c->opts.name), c->say_left_out);
		c->say_since = now;
		c->say_lines = c->say_left_out = 0;
	}
	if (c->say_lines++ >= SAY_LINES)
		c->say_left_out++;
	else
		diag(DIAG_INFO, "plugin-says", "name=%s text=%s", diag_quote(c->opts.name), diag_quote(line));
}

/* Take whole lines, and what is too long for one, out of `said`. */
static void
say_lines(struct coproc *c, bool all)
{
	for (;;) {
		uint8_t *newline = c->said.n ? memchr(c->said.p, '\n', c->said.n) : NULL;
		size_t n = newline ? (size_t)(newline - c->said.p) : c->said.n;

		if (!newline && c->said.n < SAY_BYTES && !(all && n))
			return;
		struct buf line = { 0 };
		buf_put(&line, c->said.p, MIN2(n, (size_t)SAY_BYTES));
		if (n)
			say(c, buf_cstr(&line));
		buf_free(&line);
		buf_drop(&c->said, n + (newline != NULL));
	}
}

/* Read what is there: > 0 bytes appended, 0 the end, -1 nothing now. */
static ssize_t
pull(int fd, struct buf *to)
{
	ssize_t n;

	do
		n = read(fd, buf_room(to, READ_BYTES), READ_BYTES);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		to->n += (size_t)n;
	return n < 0 && errno != EAGAIN ? 0 : n;
}

static void
on_err(void *arg, unsigned events)
{
	struct coproc *c = arg;
	ssize_t n = pull(c->err, &c->said);

	say_lines(c, n == 0);
	if (n == 0)
		close_fd(c, &c->err);
}

/* ---- the end of a process ---- */

static uint64_t
backoff_ms(const struct coproc *c)
{
	uint64_t ms = (uint64_t)BACKOFF_MIN_MS << MIN2(c->failures ? c->failures - 1 : 0, 10u);

	return MIN2(ms, (uint64_t)BACKOFF_MAX_MS);
}

/* Is the leader dead?  Then end what is left of its group, before its number can be
 * given to another, and bury it. */
static bool
reap(struct coproc *c)
{
	siginfo_t info = { 0 };
	int status;

	if (c->pid <= 0)
		return true;
	bool ours = waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
	if (ours && info.si_pid == 0)
		return false;
	if (ours)
		kill(-c->pid, SIGKILL);
	if (ours && waitpid(c->pid, &status, WNOHANG) == c->pid)
		diag(DIAG_DEBUG, "plugin-ended", "name=%s %s=%d", diag_quote(c->opts.name),
		    WIFSIGNALED(status) ? "signal" : "status", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	c->pid = 0;
	return true;
}

static void
drop_pipes(struct coproc *c)
{
	if (c->err >= 0)
		on_err(c, LOOP_IN);	/* its last words */
	say_lines(c, true);
	close_fd(c, &c->in);
	close_fd(c, &c->out);
	close_fd(c, &c->err);
	buf_reset(&c->wr);
	buf_reset(&c->rd);
	buf_reset(&c->said);
	c->scanned = 0;
}

/* The process is on its way out: go DOWN when it is dead, else look again. */
static void
finish(struct coproc *c)
{
	if (!reap(c)) {
		c->state = ENDING;
		return;
	}
	drop_pipes(c);
	close_fd(c, &c->pidfd);
	c->state = DOWN;
	arm(c, backoff_ms(c));
}

static void
begin_end(struct coproc *c)
{
	close_fd(c, &c->in);
	close_fd(c, &c->out);
	if (c->pid > 0)
		kill(-c->pid, SIGTERM);
	c->killed = false;
	arm(c, TERM_MS);
	finish(c);
}

/* Tell who asked; it may ask again or close from inside. */
static void
tell(struct coproc *c, const struct coproc_result *result)
{
	coproc_fn *fn = c->fn;

	c->fn = NULL;
	if (fn && !c->closed)
		fn(c->arg, result);
}

static void
fail(struct coproc *c, uint64_t code, const char *what)
{
	enum state was = c->state;
	struct coproc_result result = { .code = code, .sent = c->sent };

	c->trouble = was == STARTING ? CODE_PLUGIN_START : code;
	c->failures++;
	diag(DIAG_WARN, "plugin-failed", "name=%s code=%s verb=%s what=%s restart_ms=%" PRIu64, diag_quote(c->opts.name),
	    code_word(c->trouble), was == READY ? "none" : plugin_verb_name(c->verb), diag_quote(what), backoff_ms(c));
	begin_end(c);
	if (was == ASKED)
		tell(c, &result);
	if (was != STARTING)
		changed(c);
}

/* ---- answers ---- */

static void
handshake(struct coproc *c, const struct plugin_answer *answer)
{
	char why[128] = "";

	if (!answer->ok)
		return fail(c, CODE_PLUGIN_GARBAGE, answer->message);
	if (!plugin_caps_parse(answer, &c->caps, why))
		return fail(c, CODE_PLUGIN_GARBAGE, why);
	c->trouble = CODE_OK;
	c->state = READY;
	loop_timer(c->opts.loop, &c->timer, 0);
	changed(c);
}

static void
answered(struct coproc *c, const struct plugin_answer *answer)
{
	struct coproc_result result = { .code = CODE_OK, .sent = true, .answer = answer };

	c->failures = 0;
	c->state = READY;
	loop_timer(c->opts.loop, &c->timer, 0);
	tell(c, &result);
	if (c->state == READY)
		changed(c);
}

static void
take_line(struct coproc *c, struct span line)
{
	struct plugin_answer answer;
	bool asked = c->state == STARTING || c->state == ASKED;

	if (plugin_parse(line, c->opts.line_max, &answer) != CODE_OK)
		fail(c, CODE_PLUGIN_GARBAGE, answer.message);
	else if (answer.id > c->id)
		fail(c, CODE_PLUGIN_GARBAGE, "an answer to a request that was not made");
	else if (answer.id < c->id || !asked)
		diag(DIAG_DEBUG, "plugin-stale", "name=%s id=%" PRIu64, diag_quote(c->opts.name), answer.id);
	else if (c->state == STARTING)
		handshake(c, &answer);
	else
		answered(c, &answer);
	plugin_answer_free(&answer);
}

/* Whole lines of rd.  Whatever they cause may end the process (out < 0) or close c. */
static void
take_lines(struct coproc *c)
{
	while (c->out >= 0 && c->rd.n > c->scanned) {
		uint8_t *newline = memchr(c->rd.p + c->scanned, '\n', c->rd.n - c->scanned);
		size_t n = newline ? (size_t)(newline - c->rd.p) : c->rd.n;

		if (n > c->opts.line_max)
			return fail(c, CODE_PLUGIN_LARGE, "an answer longer than the limit");
		c->scanned = n;
		if (!newline)
			return;
		struct buf line = { 0 };
		buf_put(&line, c->rd.p, n);
		buf_drop(&c->rd, n + 1);
		c->scanned = 0;
		take_line(c, SPAN_OF(&line));
		buf_free(&line);
	}
}

static void
on_out(void *arg, unsigned events)
{
	struct coproc *c = arg;
	ssize_t n = pull(c->out, &c->rd);

	take_lines(c);
	if (n == 0 && c->out >= 0)
		fail(c, CODE_PLUGIN_EXIT, "its standard output has ended");
}

/* The process is dead; its last answer may still lie in the pipe. */
static void
on_end(void *arg, unsigned events)
{
	struct coproc *c = arg;

	for (int i = 0; i < END_READS && c->out >= 0 && pull(c->out, &c->rd) > 0; i++)
		take_lines(c);
	if (c->closed)
		return;
	if (c->state != ENDING && c->state != DOWN)
		fail(c, CODE_PLUGIN_EXIT, "the process has ended");
	else if (c->state == ENDING)
		finish(c);
}

/* ---- requests ---- */

static void
flush(struct coproc *c)
{
	while (c->wr.n) {
		ssize_t n = write(c->in, c->wr.p, c->wr.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			c->broken = true;
			arm(c, 0);	/* fails at the next turn */
			buf_reset(&c->wr);
		}
		if (n <= 0)
			break;
		c->sent = true;
		buf_drop(&c->wr, (size_t)n);
	}
	loop_fd(c->opts.loop, c->in, c->wr.n ? LOOP_OUT : 0, on_in, c);
}

static void
on_in(void *arg, unsigned events)
{
	flush(arg);
}

static void
ask(struct coproc *c, enum state state, enum plugin_verb verb, struct span members, uint64_t deadline_ms)
{
	c->state = state;
	c->verb = verb;
	c->sent = c->broken = false;
	plugin_put_request(&c->wr, ++c->id, verb, members);
	arm(c, deadline_ms);
	flush(c);
}

void
coproc_ask(struct coproc *c, enum plugin_verb verb, struct span members, uint64_t deadline_ms, coproc_fn *fn, void *arg)
{
	if (c->state != READY)
		bug("coproc %s is asked %s while it is not ready", c->opts.name, plugin_verb_name(verb));
	c->fn = fn;
	c->arg = arg;
	ask(c, ASKED, verb, members, deadline_ms);
}

/* ---- the start of a process ---- */

/* In the child, between fork and exec: only calls that are safe there. */
static void NORETURN
become(const char *command, int in, int out, int err, pid_t parent)
{
	sigset_t none;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_SYSTEM);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(EXIT_SYSTEM);
	close_range(3, ~0U, 0);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

/* Three pipes, close-on-exec; ours[] and its[] by descriptor number of the child. */
static int
make_pipes(int ours[3], int its[3])
{
	for (int i = 0; i < 3; i++) {
		int ends[2];

		if (pipe2(ends, O_CLOEXEC) != 0)
			return -1;
		ours[i] = ends[i == 0];
		its[i] = ends[i != 0];
		if (fcntl(ours[i], F_SETFL, O_NONBLOCK) != 0)
			return -1;
	}
	return 0;
}

static void
close_all(int fds[3])
{
	for (int i = 0; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void
adopt(struct coproc *c, const int ours[3])
{
	c->in = ours[0];
	c->out = ours[1];
	c->err = ours[2];
	setpgid(c->pid, c->pid);	/* both sides do it: whoever comes first */
	c->pidfd = pidfd_open(c->pid, 0);
	if (c->pidfd >= 0)		/* without one (an old kernel) the end of its stdout has to do */
		loop_fd(c->opts.loop, c->pidfd, LOOP_IN, on_end, c);
	loop_fd(c->opts.loop, c->out, LOOP_IN, on_out, c);
	loop_fd(c->opts.loop, c->err, LOOP_IN, on_err, c);
}

static void
start(void *arg)
{
	struct coproc *c = arg;
	int ours[3] = { -1, -1, -1 }, its[3] = { -1, -1, -1 };
	pid_t parent = getpid();

	if (make_pipes(ours, its) != 0 || (c->pid = fork()) < 0) {
		diag(DIAG_WARN, "plugin-start", "name=%s what=%s", diag_quote(c->opts.name), diag_quote(strerror(errno)));
		close_all(ours);
		close_all(its);
		c->pid = 0;
		c->failures++;
		c->trouble = CODE_PLUGIN_START;
		arm(c, backoff_ms(c));
		return;
	}
	if (c->pid == 0)
		become(c->opts.command, its[0], its[1], its[2], parent);
	close_all(its);
	adopt(c, ours);
	ask(c, STARTING, PLUGIN_CAPABILITIES, (struct span){ 0 }, c->opts.start_ms);
}

static void
end_harder(void *arg)
{
	struct coproc *c = arg;

	if (!c->killed && c->pid > 0)
		kill(-c->pid, SIGKILL);
	c->killed = true;
	arm(c, LOOK_MS);
	finish(c);
}

static void
hang(void *arg)
{
	struct coproc *c = arg;

	if (c->broken)
		fail(c, CODE_PLUGIN_EXIT, "its standard input is closed");
	else
		fail(c, CODE_PLUGIN_HANG, "no answer in time");
}

static void
on_timer(void *arg)
{
	static loop_fn *const on[] = {
		[DOWN] = start, [STARTING] = hang, [ASKED] = hang, [ENDING] = end_harder,
	};
	struct coproc *c = arg;

	if (c->state != READY)
		on[c->state](c);
}

/* ---- life ---- */

struct coproc *
coproc_new(const struct coproc_opts *opts)
{
	struct coproc *c = xzalloc(sizeof *c);

	c->opts = *opts;
	c->opts.name = xstrdup(opts->name);
	c->opts.command = xstrdup(opts->command);
	c->opts.line_max = opts->line_max ? opts->line_max : COPROC_LINE;
	c->opts.start_ms = opts->start_ms ? opts->start_ms : START_MS;
	c->pidfd = c->in = c->out = c->err = -1;
	c->trouble = CODE_PLUGIN_START;
	c->timer = (struct loop_timer){ .fn = on_timer, .arg = c };
	arm(c, 0);
	return c;
}

static void
release(void *p)
{
	struct coproc *c = p;

	free((void *)(uintptr_t)c->opts.name);
	free((void *)(uintptr_t)c->opts.command);
	buf_free(&c->wr);
	buf_free(&c->rd);
	buf_free(&c->said);
	free(c);
}

void
coproc_close(struct coproc **slot)
{
	struct coproc *c = *slot;

	*slot = NULL;
	if (!c)
		return;
	c->closed = true;
	close_fd(c, &c->in);
	close_fd(c, &c->out);
	if (c->pid > 0)
		kill(-c->pid, SIGTERM);
	for (int ms = 0; ms < CLOSE_MS && !reap(c); ms++)
		usleep(1000);
	if (c->pid > 0) {
		kill(-c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
	}
	drop_pipes(c);
	close_fd(c, &c->pidfd);
	loop_timer(c->opts.loop, &c->timer, 0);
	loop_bury(c->opts.loop, release, c);
}

bool
coproc_ready(const struct coproc *c)
{
	return c->state == READY;
}

const struct plugin_caps *
coproc_caps(const struct coproc *c)
{
	return c->state == READY || c->state == ASKED ? &c->caps : NULL;
}

uint64_t
coproc_trouble(const struct coproc *c)
{
	return c->trouble;
}
