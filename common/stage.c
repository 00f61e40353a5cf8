/* stage.c - the skeleton of every stage.  See stage.h.
 *
 * Order of a start: descriptors and options, settings, lock, loop (blocks the
 * signals before anything makes threads), blobs, sockets, books, the stage's own start,
 * READY.  Order of an end: STOPPING, what the books still have to say, lose for each
 * row in hand, BYE, the stage's own stop, sockets.
 * Each turn ends with: messages in, books' messages out, the last look at the sockets. */
#include "common/stage.h"

#include <sys/stat.h>

#include "common/args.h"
#include "common/clock.h"
#include "common/codes.h"
#include "common/diag.h"
#include "common/filter.h"
#include "common/lock.h"
#include "common/notify.h"
#include "common/sock.h"

enum {
	OUTBOXES	= 64,	/* links to other stages kept open */
	BYE_MS		= 200,	/* for what was said last to leave */
	HTTP_PER_HOST	= 64,
	FILTER_HAND	= 64,
	AWAY_MS		= 3000,	/* a start may take so long to find the ledger */
};

/* A PUSH to one inbox.  sock NULL: it could not be opened, which was said once. */
struct outbox {
	char		 endpoint[256];
	struct sock	*sock;
	uint64_t	 used;
};

struct stage {
	const struct stage_def	*def;
	struct args		 args;
	void			*own;
	int			 lock;
	struct loop		*loop;
	struct socks		*socks;
	struct sock		*link, *inbox;
	struct outbox		 outboxes[OUTBOXES];
	size_t			 noutboxes;
	uint64_t		 offers;
	struct books		*books;
	struct blobs		*blobs;
	struct http		*http;
	struct filter		*filter;
	struct loop_timer	 wake, watchdog;
	bool			 up;		/* the ledger is there */
	uint64_t		 away_ms;	/* when to say that it is not; 0: it was said */
	char			 note[256], status[300];
	char			 inbox_endpoint[300], state_dir[300];
};

/* --- what a stage asks its skeleton --- */

void
stage_set_own(struct stage *st, void *own)
{
	st->own = own;
}

void *
stage_own(struct stage *st)
{
	return st->own;
}

struct loop *
stage_loop(struct stage *st)
{
	return st->loop;
}

struct books *
stage_books(struct stage *st)
{
	return st->books;
}

struct settings *
stage_settings(struct stage *st)
{
	return st->args.settings;
}

const char *
stage_name(const struct stage *st)
{
	return st->args.instance;
}

const char *
stage_suffix(const struct stage *st)
{
	const char *dot = strchr(st->args.instance, '.');

	return dot ? dot + 1 : "";
}

bool
stage_checking(const struct stage *st)
{
	return st->args.check;
}

const char *
stage_text(struct stage *st, const char *key)
{
	return settings_text(st->args.settings, "stage", stage_name(st), key);
}

uint64_t
stage_num(struct stage *st, const char *key)
{
	return settings_num(st->args.settings, "stage", stage_name(st), key);
}

static const char *
common_text(struct stage *st, const char *key)
{
	return settings_text(st->args.settings, "prova", NULL, key);
}

struct blobs *
stage_blobs(struct stage *st)
{
	if (st->blobs || st->args.check)
		return st->blobs;
	st->blobs = blob_open(common_text(st, "blobs_dir"));
	if (!st->blobs)
		die_sys("%s", common_text(st, "blobs_dir"));
	return st->blobs;
}

struct http *
stage_http(struct stage *st)
{
	if (!st->http && st->loop)
		st->http = http_new(st->loop, HTTP_PER_HOST);
	return st->http;
}

/* The parent is shared by all stages, what is in it is each one's own. */
const char *
stage_state_dir(struct stage *st)
{
	const char *parent = common_text(st, "state_dir");
	int n = snprintf(st->state_dir, sizeof st->state_dir, "%s/%s", parent, stage_name(st));

	if (n < 0 || (size_t)n >= sizeof st->state_dir)
		die(EXIT_USAGE, "state_dir %s: too long", parent);
	if (st->args.check)
		return st->state_dir;
	if (mkdir(parent, 0770) != 0 && errno != EEXIST)
		die_sys("%s", parent);
	if (mkdir(st->state_dir, 0700) != 0 && errno != EEXIST)
		die_sys("%s", st->state_dir);
	return st->state_dir;
}

void
stage_emit(struct stage *st, const struct row *row)
{
	filter_emit(st->filter, row);
}

void
stage_filtered(struct stage *st)
{
	filter_through(st->filter);
}

/* --- the books' call-backs --- */

static void
send_up(void *arg, struct span message)
{
	struct stage *st = arg;

	if (sock_send(st->link, message) != 0 && errno == EMSGSIZE)
		bug("a message of %zu bytes to the ledger", message.n);
}

/* The one for this endpoint; else a new place, or that of the one unused for longest. */
static struct outbox *
outbox_for(struct stage *st, const char *endpoint, bool *found)
{
	struct outbox *oldest = &st->outboxes[0];

	for (size_t i = 0; i < st->noutboxes; i++) {
		struct outbox *o = &st->outboxes[i];
		*found = strcmp(o->endpoint, endpoint) == 0;
		if (*found)
			return o;
		if (o->used < oldest->used)
			oldest = o;
	}
	*found = false;
	return st->noutboxes < OUTBOXES ? &st->outboxes[st->noutboxes++] : oldest;
}

static void
open_outbox(struct stage *st, struct outbox *o, const char *endpoint)
{
	sock_close(&o->sock);
	snprintf(o->endpoint, sizeof o->endpoint, "%s", endpoint);
	o->sock = sock_open(st->socks, &(struct sock_opts){ .role = SOCK_PUSH, .endpoint = endpoint });
	if (!o->sock)
		diag(DIAG_WARN, "inbox-bad", "endpoint=%s why=%s", diag_quote(endpoint),
		    diag_quote(strerror(errno)));
}

/* A hint: when it cannot be sent the ledger's NEWS brings the row. */
static void
offer(void *arg, struct span inbox, struct span message)
{
	struct stage *st = arg;
	char endpoint[sizeof st->outboxes[0].endpoint];
	bool found;

	if (!span_cstr(inbox, endpoint, sizeof endpoint))
		return;
	struct outbox *o = outbox_for(st, endpoint, &found);
	if (!found)
		open_outbox(st, o, endpoint);
	o->used = ++st->offers;
	if (o->sock && sock_send(o->sock, message) != 0)
		diag(DIAG_DEBUG, "offer-unsent", "endpoint=%s", diag_quote(endpoint));
}

static void
act(void *arg, struct held *h)
{
	struct stage *st = arg;

	if (st->def->act)
		st->def->act(st, h);
}

static void
lose(void *arg, struct held *h)
{
	struct stage *st = arg;

	if (st->def->lose)
		st->def->lose(st, h);
}

static void
answer(void *arg, uint64_t token, uint64_t code, const struct row *first)
{
	struct stage *st = arg;

	if (st->def->answer)
		st->def->answer(st, token, code, first);
}

static void
levels(void *arg, struct tick *t)
{
	struct stage *st = arg;

	if (st->def->levels)
		st->def->levels(st, t);
	snprintf(st->note, sizeof st->note, "%s", t->note);
}

static void
news(void *arg, const struct news *n)
{
	struct stage *st = arg;

	if (st->def->news)
		st->def->news(st, n);
}

static void
reset(void *arg)
{
	struct stage *st = arg;

	if (st->def->reset)
		st->def->reset(st);
}

static const struct books_ops books_ops = { send_up, offer, act, lose, answer, levels, news, reset };

/* --- the sockets' call-backs --- */

static void
on_link(void *arg, const struct sock_from *from, struct span message)
{
	books_hear(((struct stage *)arg)->books, message);
}

static void
on_connected(void *arg)
{
	books_connected(((struct stage *)arg)->books);
}

static void
on_inbox(void *arg, const struct sock_from *from, struct span message)
{
	books_offered(((struct stage *)arg)->books, message);
}

static const struct sock_ops link_ops = { .message = on_link, .connected = on_connected };
static const struct sock_ops inbox_ops = { .message = on_inbox };

/* --- turns --- */

static void
say_status(struct stage *st)
{
	const char *text = !st->up ? "the ledger is away" : *st->note ? st->note : "at work";

	if (strcmp(text, st->status) == 0)
		return;
	snprintf(st->status, sizeof st->status, "%s", text);
	notify_status(text);
}

/* The first moments of a start are no news. */
static void
watch_ledger(struct stage *st, uint64_t now)
{
	bool up = books_connected_now(st->books);

	if (st->up && !up)
		st->away_ms = now;
	if (up && !st->up)
		diag(DIAG_INFO, "ledger-there", "endpoint=%s epoch=%" PRIu64, diag_quote(sock_endpoint(st->link)),
		    books_epoch(st->books));
	if (!up && st->away_ms && now >= st->away_ms) {
		diag(DIAG_WARN, "ledger-away", "code=%s endpoint=%s", code_word(CODE_LEDGER_AWAY),
		    diag_quote(sock_endpoint(st->link)));
		st->away_ms = 0;
	}
	if (up)
		st->away_ms = UINT64_MAX;
	st->up = up;
}

/* The wait ends when the books want to be called again. */
static bool
turn_books(void *arg)
{
	struct stage *st = arg;
	uint64_t now = clock_ms(), next = books_turn(st->books, now);

	watch_ledger(st, now);
	say_status(st);
	loop_timer(st->loop, &st->wake, next == UINT64_MAX ? 0 : MAX2(next, now + 1));
	return next <= now;
}

static void
woken(void *arg)
{
}

static void
pat(void *arg)
{
	struct stage *st = arg;

	notify_alive();
	loop_timer(st->loop, &st->watchdog, clock_ms() + notify_watchdog_ms() / 2);
}

static void
start_watchdog(struct stage *st)
{
	st->watchdog = (struct loop_timer){ .fn = pat, .arg = st };
	if (notify_watchdog_ms())
		pat(st);
}

/* --- start and end --- */

static void
take_lock(struct stage *st)
{
	const char *run = common_text(st, "run_dir");
	char path[300];

	if (mkdir(run, 0770) != 0 && errno != EEXIST)
		die_sys("%s", run);
	snprintf(path, sizeof path, "%s/%s.lock", run, stage_name(st));
	st->lock = lock_take(path);
	if (st->lock < 0 && errno == EWOULDBLOCK)
		die(EXIT_USAGE, "%s: %s: %s  %s", path, code_word(CODE_LOCKED), code_sentence(CODE_LOCKED),
		    code_action(CODE_LOCKED));
	if (st->lock < 0)
		die_sys("%s", path);
}

static struct sock *
must_open(struct stage *st, enum sock_role role, const char *endpoint, const struct sock_ops *ops)
{
	struct sock *s = sock_open(st->socks, &(struct sock_opts){ .role = role, .endpoint = endpoint,
	    .ops = ops, .arg = st });

	if (!s && (errno == ENAMETOOLONG || errno == EINVAL || errno == EPROTONOSUPPORT))
		die(EXIT_USAGE, "%s: %s", endpoint, strerror(errno));
	if (!s)
		die_sys("%s", endpoint);
	return s;
}

static void
open_link(struct stage *st)
{
	snprintf(st->inbox_endpoint, sizeof st->inbox_endpoint, "ipc://%s/%s.inbox",
	    common_text(st, "run_dir"), stage_name(st));
	st->socks = socks_new(st->loop);
	st->books = books_new(&(struct books_opts){ .instance = stage_name(st), .kind = st->def->kind,
	    .inbox = st->inbox_endpoint, .chain = stage_text(st, "chain"), .ops = &books_ops, .arg = st });
	st->inbox = must_open(st, SOCK_PULL, st->inbox_endpoint, &inbox_ops);
	st->link = must_open(st, SOCK_DEALER, common_text(st, "ledger"), &link_ops);
	st->wake = (struct loop_timer){ .fn = woken, .arg = st };
	st->away_ms = clock_ms() + AWAY_MS;
}

static void
close_all(struct stage *st)
{
	if (st->link)
		sock_linger(st->link, BYE_MS);
	books_free(&st->books);
	if (st->def->stop)
		st->def->stop(st);
	filter_free(&st->filter);
	http_free(&st->http);
	socks_free(&st->socks);
	blob_close(&st->blobs);
	loop_free(&st->loop);
	args_free(&st->args);
	if (st->lock >= 0)
		close(st->lock);
}

static int
run_daemon(struct stage *st)
{
	diag_name(stage_name(st));
	take_lock(st);
	st->loop = loop_new();
	stage_blobs(st);
	open_link(st);
	int status = st->def->start ? st->def->start(st) : EXIT_DONE;
	if (status != EXIT_DONE)
		return status;
	/* behind what start registered: its sends of a turn leave in that turn */
	loop_last(st->loop, socks_drain, st->socks);
	loop_last(st->loop, turn_books, st);
	loop_last(st->loop, socks_look, st->socks);
	start_watchdog(st);
	notify_ready();
	diag(DIAG_INFO, "started", "version=%s pid=%ld", PROVA_VERSION, (long)getpid());
	loop_run(st->loop);
	notify_stopping();
	diag(DIAG_INFO, "stopping", "unanswered=%zu", books_pending(st->books));
	return EXIT_DONE;
}

static void
on_row(void *arg, struct row *row)
{
	struct stage *st = arg;

	st->def->filter(st, row);
}

static int
run_filter(struct stage *st)
{
	st->loop = loop_new();
	st->filter = filter_new(&(struct filter_opts){ .loop = st->loop, .in = st->args.in ? 0 : -1, .out = 1,
	    .hand = FILTER_HAND, .row = on_row, .arg = st });
	if (st->args.counted)
		filter_expect(st->filter, st->args.count);
	int status = st->def->start ? st->def->start(st) : EXIT_DONE;
	if (status != EXIT_DONE)
		return status;
	if (st->args.counted)
		st->def->generate(st, st->args.count);
	loop_run(st->loop);
	return filter_status(st->filter);
}

static int
run_check(struct stage *st)
{
	int status = st->def->start ? st->def->start(st) : EXIT_DONE;

	if (status == EXIT_DONE)
		puts("settings are fine");
	return status;
}

typedef int run_fn(struct stage *);

/* Which of the three ways of running the options ask for; a wrong mixture ends the process. */
static run_fn *
way_to_run(struct stage *st)
{
	const struct args *a = &st->args;
	bool none = a->ledger && strcmp(a->ledger, "none") == 0;

	if (a->check)
		return run_check;
	if (!a->in && !a->out && !a->counted && !none)
		return run_daemon;
	if (!st->def->filter && !st->def->generate)
		args_wrong(a->def, "this stage is no filter: it needs the ledger");
	if (a->ledger && !none)
		args_wrong(a->def, "--ledger %s: a filter moves no rows, only \"none\" goes with it", a->ledger);
	if (st->def->generate && (!a->counted || !a->out || a->in))
		args_wrong(a->def, "without a ledger: -n COUNT -o -");
	if (!st->def->generate && (!a->in || !a->out))
		args_wrong(a->def, "without a ledger: -i - -o -");
	return run_filter;
}

int
stage_main(const struct stage_def *def, int argc, char **argv)
{
	struct stage *st = xzalloc(sizeof *st);
	char *name = xprintf("prova-%s", def->kind);
	struct args_def ad = { .name = name, .synopsis = def->synopsis, .kind = def->kind,
	    .counts = def->generate != NULL };

	st->def = def;
	st->lock = -1;
	args_read(&st->args, &ad, argc, argv);
	if (st->args.rest < argc)
		args_wrong(&ad, "%s: no operands are known", argv[st->args.rest]);
	umask(0007);
	run_fn *run = way_to_run(st);
	args_settings(&st->args);
	if (!st->args.verbose)
		diag_threshold((enum diag_level)stage_num(st, "log"));
	int status = run(st);
	close_all(st);
	free(name);
	free(st);
	return status;
}
