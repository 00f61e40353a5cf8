/* door.c - see door.h.
 *
 * Whether a ledger is there at all is known from its lock: so "it is not running" is said at
 * once, while one that is starting is waited for. */
#include "cmd/prova/door.h"

#include "common/clock.h"
#include "common/codes.h"
#include "common/diag.h"
#include "common/lock.h"
#include "common/sock.h"

enum { ANSWER_MAX = 4 << 20 };

struct door {
	char		*lock;		/* path of the ledger's lock file */
	struct loop	*loop;
	struct socks	*socks;
	struct sock	*sock;
	struct buf	 answer;
	bool		 answered;
};

static void
on_answer(void *arg, const struct sock_from *from, struct span message)
{
	struct door *d = arg;

	buf_reset(&d->answer);
	buf_put(&d->answer, message.p, message.n);
	d->answered = true;
}

static const struct sock_ops ops = { .message = on_answer };

struct door *
door_open(struct tool *t)
{
	const char *run = settings_text(tool_settings(t), "prova", NULL, "run_dir");
	struct door *d = xzalloc(sizeof *d);
	char *endpoint = xprintf("ipc://%s/query", run);

	d->lock = xprintf("%s/ledger.lock", run);
	d->loop = loop_new();
	d->socks = socks_new(d->loop);
	d->sock = sock_open(d->socks, &(struct sock_opts){ .role = SOCK_DEALER, .endpoint = endpoint, .ops = &ops,
	    .arg = d, .max_bytes = ANSWER_MAX });
	if (!d->sock) {
		fprintf(stderr, "%s: %s: %s\n", diag_whoami(), endpoint, strerror(errno));
		door_close(&d);
	} else {
		loop_last(d->loop, socks_drain, d->socks);
		loop_last(d->loop, socks_look, d->socks);
	}
	free(endpoint);
	return d;
}

void
door_close(struct door **dp)
{
	struct door *d = *dp;

	if (!d)
		return;
	socks_free(&d->socks);
	loop_free(&d->loop);
	buf_free(&d->answer);
	free(d->lock);
	free(d);
	*dp = NULL;
}

static void
say_away(const struct door *d, const char *how)
{
	fprintf(stderr, "%s: %s: %s  %s (%s)\n", diag_whoami(), code_word(CODE_LEDGER_AWAY), code_sentence(CODE_LEDGER_AWAY),
	    code_action(CODE_LEDGER_AWAY), how);
}

static bool
wait_for_answer(struct door *d, uint64_t timeout_ms)
{
	uint64_t end = clock_ms() + timeout_ms, now;

	while (!d->answered && !loop_stopping(d->loop) && (now = clock_ms()) < end) {
		if (lock_held(d->lock) == 0) {
			say_away(d, "nobody holds its lock");
			return false;
		}
		loop_turn(d->loop, (int)MIN2(end - now, (uint64_t)500));
	}
	if (!d->answered && !loop_stopping(d->loop))
		say_away(d, "it runs, but does not answer questions in time");
	return d->answered;
}

struct json *
door_ask(struct door *d, struct span request, uint64_t timeout_ms)
{
	char why[128];

	d->answered = false;
	if (sock_send(d->sock, request) != 0) {
		fprintf(stderr, "%s: the question cannot be sent: %s\n", diag_whoami(), strerror(errno));
		return NULL;
	}
	if (!wait_for_answer(d, timeout_ms))
		return NULL;
	struct json *doc = json_parse(SPAN_OF(&d->answer), ANSWER_MAX, why);
	if (!doc) {
		fprintf(stderr, "%s: the ledger's answer cannot be read: %s\n", diag_whoami(), why);
		return NULL;
	}
	struct span error = json_str(doc, "error");
	if (error.p) {
		fprintf(stderr, "%s: %.*s\n", diag_whoami(), SPAN_ARG(error));
		json_free(&doc);
	}
	return doc;
}

struct span
door_answer(const struct door *d)
{
	return SPAN_OF(&d->answer);
}

bool
door_pause(struct door *d, uint64_t ms)
{
	uint64_t end = clock_ms() + ms, now;

	while (!loop_stopping(d->loop) && (now = clock_ms()) < end)
		loop_turn(d->loop, (int)(end - now));
	return !loop_stopping(d->loop);
}

void
door_print(const struct door *d)
{
	printf("%.*s\n", SPAN_ARG(SPAN_OF(&d->answer)));
}
