/* serve.c - the ledger as a daemon.  See serve.h.
 *
 * A turn: messages in (judged), core_turn (committed, answered), the checkpoint's end where it is
 * due, a step of the clean-up, figures for those who look on, the last look at the socket.
 * It never waits for company: while a commit runs, the next group gathers in the socket.
 *
 * The socket is bound before the store is there, so that stages find it at once; what they say
 * before that is dropped, and they say it again. */
#include "cmd/ledger/serve.h"

#include <sys/stat.h>

#include "cmd/ledger/checkpoint.h"
#include "cmd/ledger/core.h"
#include "cmd/ledger/query.h"
#include "cmd/ledger/sweep.h"
#include "common/clock.h"
#include "common/codes.h"
#include "common/diag.h"
#include "common/lock.h"
#include "common/loop.h"
#include "common/notify.h"
#include "common/sock.h"

enum {
	WHY_BYTES	= 256,
	DRAIN_MESSAGES	= 1000,
	DRAIN_BYTES	= 256 * 1024,
	PUBLISH_MS	= 500,
	AGAIN_MS	= 1000,		/* between two attempts to open a store */
	LAST_MS		= 200,		/* for the last answers to leave */
};

struct ledger {
	const struct settings	*settings;
	int			 lock, status;
	struct loop		*loop;
	struct socks		*socks;
	struct sock		*router;
	struct blobs		*blobs;
	struct sweep		*sweep;
	const struct store_ops	*ops;
	struct store		*store;
	struct core_chain	*chains;
	struct core		*core;
	struct checkpoint	*checkpoint;	/* NULL: the store needs none */
	struct query		*query;
	struct loop_timer	 wake, watchdog;
	uint64_t		 publish_ms;
	struct buf		 status_json;
	char			 id[20];
};

/* --- settings --- */

static const char *
common_text(const struct settings *s, const char *key)
{
	return settings_text(s, "prova", NULL, key);
}

static uint64_t
own_num(const struct settings *s, const char *key)
{
	return settings_num(s, "stage", "ledger", key);
}

bool
serve_in_memory(const char *store)
{
	return strcmp(store, "memory:") == 0;
}

int
serve_check(const struct settings *s)
{
	const char *name;
	struct core_chain c;

	for (size_t i = 0; (name = settings_name(s, "chain", i)); i++)
		if (strlen(name) >= sizeof c.name) {
			diag(DIAG_ERROR, "setting", "code=%s name=%s why=%s", code_word(CODE_SETTING), diag_quote(name),
			    diag_quote("a chain's name has at most 32 letters"));
			return EXIT_USAGE;
		}
	return EXIT_DONE;
}

static size_t
read_chains(struct ledger *l)
{
	const struct settings *s = l->settings;
	const char *name;
	size_t n = 0;

	for (; (name = settings_name(s, "chain", n)); n++) {
		l->chains = xrealloc(l->chains, (n + 1) * sizeof *l->chains);
		struct core_chain *c = &l->chains[n];
		snprintf(c->name, sizeof c->name, "%s", name);
		c->budget = settings_num(s, "chain", name, "budget");
		c->keep_ms = settings_num(s, "chain", name, "keep");
	}
	return n;
}

/* --- the core's call-backs --- */

/* What cannot be sent is lost: the stage asks again. */
static void
send_down(void *arg, struct span route, struct span message)
{
	struct ledger *l = arg;

	if (sock_send_to(l->router, route, message) != 0 && errno == EMSGSIZE)
		bug("a message of %zu bytes to a stage", message.n);
}

static bool
have_blob(void *arg, const uint8_t hash[HASH_BYTES])
{
	return sweep_have(((struct ledger *)arg)->sweep, hash);
}

static void
on_message(void *arg, const struct sock_from *from, struct span message)
{
	struct ledger *l = arg;

	if (l->core)
		core_hear(l->core, from->id, from->uid, message);
}

static const struct sock_ops router_ops = { .message = on_message };

/* --- turns --- */

/* What core_status says, and what only we know. */
static void
gather_status(struct ledger *l)
{
	struct sock_count k = sock_counted(l->router);
	struct sweep_count s = sweep_counted(l->sweep);
	struct buf *b = &l->status_json;

	buf_reset(b);
	core_status(l->core, b);
	b->n--;		/* its brace */
	buf_printf(b, ",\"pid\":%ld,\"wal_bytes\":%" PRIu64 ",\"wal_restarts\":%" PRIu64, (long)getpid(),
	    l->checkpoint ? checkpoint_wal_bytes(l->checkpoint) : 0,
	    l->checkpoint ? checkpoint_restarts(l->checkpoint) : 0);
	buf_printf(b, ",\"messages\":{\"in\":%" PRIu64 ",\"out\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"refused\":%" PRIu64 "}",
	    k.received, k.sent, k.unsent, k.refused);
	buf_printf(b, ",\"swept\":{\"sweeps\":%" PRIu64 ",\"blobs\":%" PRIu64 ",\"bytes\":%" PRIu64
	    ",\"temporary\":%" PRIu64 "}}", s.sweeps, s.blobs, s.bytes, s.temporary);
}

static void
publish(struct ledger *l, uint64_t now)
{
	if (now < l->publish_ms)
		return;
	l->publish_ms = now + PUBLISH_MS;
	gather_status(l);
	query_publish(l->query, SPAN_OF(&l->status_json));
	notify_status(core_in_trouble(l->core) ? "the store takes no writes" : "at work");
}

static void
depose(struct ledger *l)
{
	diag(DIAG_ERROR, "deposed", "code=%s term=%" PRIu64 " text=%s", code_word(CODE_STANDBY), core_term(l->core),
	    diag_quote("another ledger has begun a younger term; the one that holds the lock goes on"));
	l->status = EXIT_SYSTEM;
	loop_stop(l->loop);
}

static bool
turn(void *arg)
{
	struct ledger *l = arg;
	bool active;

	if (!l->query)		/* the last thing that is opened */
		return false;
	uint64_t next = core_turn(l->core, &active), now = clock_ms();
	if (!active) {
		depose(l);
		return false;
	}
	if (l->checkpoint && checkpoint_due(l->checkpoint) && checkpoint_finish(l->checkpoint) != STORE_OK)
		diag(DIAG_DEBUG, "checkpoint-later", "wal_bytes=%" PRIu64, checkpoint_wal_bytes(l->checkpoint));
	bool more = sweep_turn(l->sweep, l->core, now);
	publish(l, now);
	loop_timer(l->loop, &l->wake, MAX2(MIN2(next, l->publish_ms), now + 1));
	return more || next <= now;
}

static void
woken(void *arg)
{
}

static void
pat(void *arg)
{
	struct ledger *l = arg;

	notify_alive();
	loop_timer(l->loop, &l->watchdog, clock_ms() + notify_watchdog_ms() / 2);
}

/* --- start --- */

static void
make_dir(const char *path, mode_t mode)
{
	if (mkdir(path, mode) != 0 && errno != EEXIST)
		die_sys("%s", path);
}

static void
take_lock(struct ledger *l)
{
	const char *run = common_text(l->settings, "run_dir");
	char *path = xprintf("%s/ledger.lock", run);

	make_dir(run, 0770);
	l->lock = lock_take(path);
	if (l->lock < 0 && errno == EWOULDBLOCK)
		die(EXIT_USAGE, "%s: %s: %s  %s", path, code_word(CODE_LOCKED), code_sentence(CODE_LOCKED),
		    code_action(CODE_LOCKED));
	if (l->lock < 0)
		die_sys("%s", path);
	free(path);
}

static void
bind_router(struct ledger *l)
{
	const char *endpoint = common_text(l->settings, "ledger");

	l->socks = socks_new(l->loop);
	l->router = sock_open(l->socks, &(struct sock_opts){ .role = SOCK_ROUTER, .endpoint = endpoint,
	    .ops = &router_ops, .arg = l, .cap_messages = DRAIN_MESSAGES, .cap_bytes = DRAIN_BYTES });
	if (!l->router && (errno == ENAMETOOLONG || errno == EINVAL || errno == EPROTONOSUPPORT))
		die(EXIT_USAGE, "%s: %s", endpoint, strerror(errno));
	if (!l->router)
		die_sys("%s", endpoint);
}

/* The store's own directory is nobody else's; its parent may be shared by all. */
static void
make_store_dir(struct ledger *l)
{
	char *path = xstrdup(common_text(l->settings, "store"));
	char *slash = strrchr(path, '/');

	if (slash && slash != path) {
		*slash = '\0';
		make_dir(common_text(l->settings, "state_dir"), 0770);
		make_dir(path, 0700);
	}
	free(path);
}

/* The store and what is in it.  False: why. */
static bool
open_core(struct ledger *l, size_t nchains, char *why)
{
	l->store = l->ops->open(common_text(l->settings, "store"), why);
	if (!l->store)
		return false;
	snprintf(l->id, sizeof l->id, "%016" PRIx64, l->ops->number(l->store, "ledger"));
	l->core = core_new(&(struct core_opts){ .ops = l->ops, .store = l->store, .ledger = l->id,
	    .retry_ms = own_num(l->settings, "retry"), .lease_ms = own_num(l->settings, "lease"),
	    .chains = l->chains, .nchains = nchains, .send = send_down, .blob = have_blob, .arg = l }, why);
	if (!l->core)
		l->ops->close(&l->store);
	return l->core != NULL;
}

/* A disk that is full or away is waited for, until we are told to stop (no core then);
 * only another release's store is not. */
static int
open_store(struct ledger *l)
{
	const char *hopeless = code_word(CODE_SCHEMA);
	char why[WHY_BYTES], said[WHY_BYTES] = "";
	size_t nchains = read_chains(l);

	while (!open_core(l, nchains, why)) {
		if (strcmp(why, said) != 0)
			diag(DIAG_ERROR, "store-away", "store=%s why=%s", diag_quote(common_text(l->settings, "store")),
			    diag_quote(why));
		snprintf(said, sizeof said, "%s", why);
		if (strncmp(why, hopeless, strlen(hopeless)) == 0)
			return EXIT_USAGE;
		notify_status(why);
		uint64_t again = clock_ms() + AGAIN_MS;
		for (uint64_t now; (now = clock_ms()) < again && !loop_stopping(l->loop); )
			loop_turn(l->loop, (int)(again - now));
		if (loop_stopping(l->loop))
			break;
	}
	return EXIT_DONE;
}

static int
start_checkpoints(struct ledger *l)
{
	char why[WHY_BYTES];

	if (l->ops != &store_sqlite || !l->core)
		return EXIT_DONE;
	l->checkpoint = checkpoint_start(l->store, common_text(l->settings, "store"),
	    own_num(l->settings, "checkpoint_frames"), why);
	if (l->checkpoint)
		return EXIT_DONE;
	diag(DIAG_ERROR, "checkpoint-failed", "why=%s", diag_quote(why));
	return EXIT_SYSTEM;
}

/* For `prova status` and the like. */
static int
start_queries(struct ledger *l)
{
	const struct settings *s = l->settings;
	char why[WHY_BYTES], *endpoint = xprintf("ipc://%s/query", common_text(s, "run_dir"));

	if (l->core)
		l->query = query_start(&(struct query_opts){ .loop = l->loop, .socks = l->socks, .endpoint = endpoint,
		    .db = l->ops == &store_sqlite ? common_text(s, "store") : NULL,
		    .blobs_dir = common_text(s, "blobs_dir") }, why);
	free(endpoint);
	if (l->query || !l->core)
		return EXIT_DONE;
	diag(DIAG_ERROR, "query-failed", "why=%s", diag_quote(why));
	return EXIT_SYSTEM;
}

static void
start_turns(struct ledger *l)
{
	l->wake = (struct loop_timer){ .fn = woken, .arg = l };
	l->watchdog = (struct loop_timer){ .fn = pat, .arg = l };
	loop_last(l->loop, socks_drain, l->socks);
	loop_last(l->loop, turn, l);
	loop_last(l->loop, socks_look, l->socks);
	if (notify_watchdog_ms())
		pat(l);
}

static int
start(struct ledger *l)
{
	const char *dir = common_text(l->settings, "blobs_dir");
	int status;

	take_lock(l);
	l->loop = loop_new();
	l->blobs = blob_open(dir);
	if (!l->blobs)
		die_sys("%s", dir);
	l->sweep = sweep_new(l->blobs, own_num(l->settings, "grace"));
	bind_router(l);
	start_turns(l);
	if (l->ops == &store_sqlite)
		make_store_dir(l);
	if ((status = open_store(l)) == EXIT_DONE && (status = start_checkpoints(l)) == EXIT_DONE)
		status = start_queries(l);
	return status;
}

/* --- end --- */

/* What was heard until now is still committed and answered. */
static void
finish(struct ledger *l)
{
	bool active;

	sock_linger(l->router, LAST_MS);
	socks_drain(l->socks);
	core_turn(l->core, &active);
}

static void
close_all(struct ledger *l)
{
	sweep_free(&l->sweep);
	query_stop(&l->query);
	checkpoint_stop(&l->checkpoint);
	core_free(&l->core);
	if (l->store)
		l->ops->close(&l->store);
	socks_free(&l->socks);
	blob_close(&l->blobs);
	loop_free(&l->loop);
	free(l->chains);
	buf_free(&l->status_json);
	close(l->lock);
}

int
serve(const struct settings *settings)
{
	struct ledger l = { .settings = settings, .lock = -1 };

	diag_name("ledger");
	l.ops = serve_in_memory(common_text(settings, "store")) ? &store_memory : &store_sqlite;
	l.status = start(&l);
	if (l.status == EXIT_DONE && l.core) {
		notify_ready();
		diag(DIAG_INFO, "started", "version=%s pid=%ld ledger=%s term=%" PRIu64 " endpoint=%s", PROVA_VERSION,
		    (long)getpid(), l.id, core_term(l.core), diag_quote(sock_endpoint(l.router)));
		loop_run(l.loop);
		notify_stopping();
		diag(DIAG_INFO, "stopping", "term=%" PRIu64, core_term(l.core));
		if (l.status == EXIT_DONE)
			finish(&l);
	}
	close_all(&l);
	return l.status;
}
