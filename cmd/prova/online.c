/* online.c - prova check --online: does everything that the settings name answer?
 *
 * One thing after the other, each with a deadline, on one loop.  Where there is no seed yet, a key
 * made for this login shows whether the Coordinator takes logins. */
#include "cmd/prova/report.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/codes.h"
#include "common/coproc.h"
#include "common/identity.h"
#include "common/random.h"
#include "common/scan.h"
#include "common/url.h"

enum { LOGIN_MS = 30000, PLUGIN_MS = 12000, SLACK_MS = 2000, FSYNCS = 5, FSYNC_BYTES = 4096, FIRST_BYTES = 512 };

struct online {
	struct settings	*settings;
	struct report	*report;
	struct loop	*loop;
	struct http	*http;
};

/* Turn the loop until *done.  False: the time is over, or a signal came. */
static bool
wait_until(struct online *o, const bool *done, uint64_t timeout_ms)
{
	uint64_t end = clock_ms() + timeout_ms, now;

	while (!*done && !loop_stopping(o->loop) && (now = clock_ms()) < end)
		loop_turn(o->loop, (int)MIN2(end - now, (uint64_t)1000));
	return *done;
}

/* --- Coordinators --- */

struct login { bool done, signed_in; char why[256]; };

static bool
login_make(void *arg, struct span token, struct coord_request *q)
{
	((struct login *)arg)->signed_in = true;
	return false;		/* the login was all that was wanted */
}

static bool
login_done(void *arg, const struct identity_answer *a)
{
	struct login *l = arg;

	if (!l->signed_in)
		snprintf(l->why, sizeof l->why, "%s: %s", code_word(a->code), a->error ? a->error : code_sentence(a->code));
	l->done = true;
	return false;
}

static void
log_in(struct online *o, const char *name, const char *what, const uint8_t *seed, const char *whose)
{
	struct identity_opts io = { .loop = o->loop, .http = o->http, .coordinator = name, .seed = seed };
	struct login l = { .why = "no answer in time" };
	uint64_t begin = clock_ms();

	identity_settings(&io, o->settings, "coordinator", name);
	io.prover = settings_text(o->settings, "coordinator", name, "name_prefix");
	struct identities *ids = identities_new(&io);
	identity_call(ids, 0, &(struct identity_ask){ login_make, login_done, &l, LOGIN_MS, 1 << 20, false });
	wait_until(o, &l.done, LOGIN_MS + SLACK_MS);
	if (l.signed_in)
		report_say(o->report, true, what, "%s signed in after %" PRIu64 " ms", whose, clock_ms() - begin);
	else
		report_say(o->report, false, what, "%s: %s", whose, l.why);
	identities_free(&ids);
}

static void
check_coordinator(struct online *o, const char *name)
{
	char *what = xprintf("coordinator %s", name), *path = identity_seed_path(o->settings, name), why[256];
	uint8_t seed[32];
	struct stat st;

	if (stat(path, &st) != 0 && errno == ENOENT) {
		random_bytes(seed, sizeof seed);
		log_in(o, name, what, seed, "a new key (there is no seed yet)");
	} else if (identity_seed(path, false, seed, why) == 0) {
		log_in(o, name, what, seed, "identity 0");
	} else {
		report_say(o->report, false, what, "%s", why);
	}
	random_wipe(seed, sizeof seed);
	free(path);
	free(what);
}

/* --- L2 nodes --- */

struct block {
	bool		 done;
	enum http_fail	 fail;
	long		 status;
	char		 why[256];
	struct scan	 scan;
	uint64_t	 bytes;
	struct buf	 first;		/* of the answer, for numbers and errors */
};

static bool
take_piece(void *arg, const uint8_t *p, size_t n)
{
	struct block *b = arg;
	size_t room = FIRST_BYTES - MIN2(b->first.n, (size_t)FIRST_BYTES);

	buf_put(&b->first, p, MIN2(n, room));
	b->bytes += n;
	scan_put(&b->scan, (struct span){ p, n });
	return true;
}

static void
block_done(void *arg, struct http_answer *a)
{
	struct block *b = arg;

	b->done = true;
	b->fail = a->fail;
	b->status = a->status;
	snprintf(b->why, sizeof b->why, "%s", a->error ? a->error : "");
}

/* One JSON-RPC call; true: there is a result. */
static bool
call(struct online *o, const char *l2, const char *url, const char *body, struct block *b)
{
	static const char *const headers[] = { "Content-Type: application/json", NULL };
	static const char *const paths[] = { "result", "error" };
	uint64_t timeout_ms = settings_num(o->settings, "l2", l2, "timeout");

	*b = (struct block){ .fail = HTTP_NO_ANSWER };
	scan_init(&b->scan, paths, NELEM(paths));
	struct http_call *c = http_start(o->http, &(struct http_req){ .method = "POST", .url = url, .headers = headers,
	    .body = span_str(body), .timeout_ms = (unsigned)timeout_ms, .sink = take_piece,
	    .max_bytes = settings_num(o->settings, "l2", l2, "max_bytes") }, block_done, b);
	if (!wait_until(o, &b->done, timeout_ms + SLACK_MS))
		http_cancel(&c);
	const struct scan_hit *result = scan_found(&b->scan, 0);
	if (b->fail == HTTP_OK && b->status == 200 && scan_whole(&b->scan) && result && result->first != 'n')
		return true;
	if (b->fail == HTTP_OK)
		snprintf(b->why, sizeof b->why, "status %ld: %.*s", b->status, (int)MIN2(b->first.n, (size_t)160), (const char *)b->first.p);
	return false;
}

static void
check_node(struct online *o, const char *l2, const char *url)
{
	char *what = xprintf("l2 %s, %s", l2, url), number[67] = "", *body = NULL;
	struct block head, trace = { .done = false };
	uint64_t begin = clock_ms();
	bool good = call(o, l2, url, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_blockNumber\",\"params\":[]}", &head);
	const struct scan_hit *hit = good ? scan_found(&head.scan, 0) : NULL;

	if (hit && hit->at + hit->n <= head.first.n)
		good = span_cstr(scan_text((struct span){ head.first.p + hit->at, hit->n }), number, sizeof number) && *number;
	if (!good) {
		report_say(o->report, false, what, "eth_blockNumber: %s", head.why);
		goto out;
	}
	body = xprintf("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"scroll_getBlockTraceByNumberOrHash\",\"params\":[\"%s\"]}", number);
	if (call(o, l2, url, body, &trace))
		report_say(o->report, true, what, "block %s traced, %" PRIu64 " bytes after %" PRIu64 " ms", number, trace.bytes, clock_ms() - begin);
	else
		report_say(o->report, false, what, "scroll_getBlockTraceByNumberOrHash of %s: %s", number, trace.why);
	buf_free(&trace.first);
out:
	buf_free(&head.first);
	free(body);
	free(what);
}

static void
check_l2(struct online *o, const char *name)
{
	const char *at = settings_text(o->settings, "l2", name, "urls");
	struct span next;

	while (url_next(&at, &next)) {
		char *url = xprintf("%.*s", SPAN_ARG(next));
		check_node(o, name, url);
		free(url);
	}
}

/* --- plug-ins --- */

static void
say_caps(struct online *o, const char *what, const struct plugin_caps *caps)
{
	struct buf text = { 0 };

	for (unsigned v = 0; v < PLUGIN_VERBS; v++)
		if ((caps->verbs >> v) & 1)
			buf_printf(&text, " %s", plugin_verb_name(v));
	report_say(o->report, true, what, "answers; it knows%s; asked about orders by: %s", buf_cstr(&text), plugin_ask_name(caps->ask));
	buf_free(&text);
}

static void
check_plugin(struct online *o, const char *what, const char *command)
{
	uint64_t end = clock_ms() + PLUGIN_MS;
	struct coproc *c = coproc_new(&(struct coproc_opts){ .loop = o->loop, .name = what, .command = command });

	while (!coproc_caps(c) && !loop_stopping(o->loop) && clock_ms() < end)
		loop_turn(o->loop, 100);
	if (coproc_caps(c))
		say_caps(o, what, coproc_caps(c));
	else
		report_say(o->report, false, what, "%s: %s  %s", code_word(coproc_trouble(c)), code_sentence(coproc_trouble(c)),
		    code_action(coproc_trouble(c)));
	coproc_close(&c);
}

static void
check_provider(struct online *o, const char *name)
{
	if (!*settings_text(o->settings, "provider", name, "command"))
		return;		/* its provers come to us */
	char *what = xprintf("provider %s", name);

	check_plugin(o, what, settings_text(o->settings, "provider", name, "command"));
	free(what);
}

static void
check_verifiers(struct online *o, const char *chain)
{
	static const char *const keys[] = { "verify_chunk", "verify_batch", "verify_bundle" };
	const char *before = "none";

	for (size_t i = 0; i < NELEM(keys); i++) {
		if (!settings_given(o->settings, "chain", chain, keys[i]))
			continue;
		const char *command = settings_text(o->settings, "chain", chain, keys[i]);
		if (strcmp(command, "none") == 0 || strcmp(command, before) == 0)
			continue;
		char *what = xprintf("%s of chain %s", keys[i], chain);
		check_plugin(o, what, command);
		free(what);
		before = command;
	}
}

/* --- disks --- */

static int
write_and_sync(int fd, uint64_t *best_us)
{
	static const char bytes[FSYNC_BYTES];

	for (int i = 0; i < FSYNCS; i++) {
		uint64_t begin = clock_us();
		if (pwrite(fd, bytes, sizeof bytes, i * FSYNC_BYTES) != (ssize_t)sizeof bytes || fdatasync(fd) != 0)
			return -1;
		*best_us = MIN2(*best_us, clock_us() - begin);
	}
	return 0;
}

/* The best of a few is what the disk can; a busy disk is slower. */
static void
check_disk(struct online *o, const char *what, const char *dir)
{
	char *path = xprintf("%s/tmp.prova-check.XXXXXX", dir);
	uint64_t best_us = UINT64_MAX;
	int fd = mkostemp(path, O_CLOEXEC);

	if (fd >= 0 && write_and_sync(fd, &best_us) == 0)
		report_say(o->report, true, what, "%s: 4 kB are durable after %" PRIu64 ".%02" PRIu64 " ms", dir, best_us / 1000, best_us % 1000 / 10);
	else
		report_say(o->report, false, what, "%s: %s", dir, strerror(errno));
	if (fd >= 0) {
		unlink(path);
		close(fd);
	}
	free(path);
}

static void
check_disks(struct online *o)
{
	const char *store = settings_text(o->settings, "prova", NULL, "store"), *slash = strrchr(store, '/');

	check_disk(o, "blobs_dir", settings_text(o->settings, "prova", NULL, "blobs_dir"));
	if (slash) {
		char *dir = xprintf("%.*s", slash == store ? 1 : (int)(slash - store), store);
		check_disk(o, "store", dir);
		free(dir);
	}
}

/* --- all --- */

static void
check_each(struct online *o, const char *section, void (*fn)(struct online *, const char *))
{
	const char *name;

	for (size_t i = 0; (name = settings_name(o->settings, section, i)) && !loop_stopping(o->loop); i++)
		fn(o, name);
}

void
check_online(struct tool *t, struct report *r)
{
	struct online o = { .settings = tool_settings(t), .report = r, .loop = loop_new() };

	o.http = http_new(o.loop, 2);
	check_each(&o, "coordinator", check_coordinator);
	check_each(&o, "l2", check_l2);
	check_each(&o, "provider", check_provider);
	check_each(&o, "chain", check_verifiers);
	check_disks(&o);
	http_free(&o.http);
	loop_free(&o.loop);
}
