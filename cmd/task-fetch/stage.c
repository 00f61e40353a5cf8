/* stage.c - prova-task-fetch: the parts put together, from the settings to the call-backs of the skeleton. */
#include "cmd/task-fetch/stage.h"

#include "cmd/task-fetch/client.h"
#include "cmd/task-fetch/generate.h"
#include "common/diag.h"
#include "common/random.h"

struct task_fetch {
	struct stage		*stage;
	const char		*chain, *coordinator;
	struct fetch_opts	 opts;
	const char		**pubkeys;
	struct http		*http;
	struct identities	*identities;
	struct client		*client;
	struct fetch		*fetch;		/* with a ledger */
	struct generate		*generate;	/* without */
	struct loop_timer	 timer;
};

/* --- what the parts call --- */

static void
poll_now(void *arg, uint64_t identity, uint64_t type)
{
	client_poll(((struct task_fetch *)arg)->client, identity, type);
}

static void
answered(void *arg, uint64_t identity, const struct fetch_result *r)
{
	struct task_fetch *t = arg;

	if (t->fetch)
		fetch_answer(t->fetch, identity, r);
	else
		generate_answer(t->generate, identity, r);
}

static void
signed_in(void *arg, uint32_t index, bool yes)
{
	struct task_fetch *t = arg;

	if (t->fetch)
		fetch_signed_in(t->fetch, index, yes);
	if (t->generate)
		generate_signed_in(t->generate, index, yes);
}

static void
away(void *arg, uint64_t since_ms)
{
	struct task_fetch *t = arg;

	if (t->fetch)
		fetch_away(t->fetch, since_ms);
}

static void
emit(void *arg, const struct row *row)
{
	struct task_fetch *t = arg;

	stage_emit(t->stage, row);
	stage_filtered(t->stage);
}

/* --- settings --- */

/* The chain that the settings name, or the only one. */
static const char *
served_chain(struct stage *st)
{
	const char *chain = stage_text(st, "chain");

	if (!*chain && settings_name(stage_settings(st), "chain", 0) && !settings_name(stage_settings(st), "chain", 1))
		chain = settings_name(stage_settings(st), "chain", 0);
	return chain;
}

static int
wrong(const char *section, const char *name, const char *what)
{
	fprintf(stderr, "%s: [%s%s%s]: %s: %s\n", diag_whoami(), section, *name ? " " : "", name, code_word(CODE_SETTING), what);
	return EXIT_USAGE;
}

static int
check(struct task_fetch *t)
{
	const struct settings *s = stage_settings(t->stage);

	t->chain = served_chain(t->stage);
	if (!*t->chain || !settings_given(s, "chain", t->chain, "coordinator"))
		return wrong("chain", t->chain, "this stage serves one chain that has a coordinator: write chain = NAME in [stage task-fetch]");
	t->coordinator = settings_text(s, "chain", t->chain, "coordinator");
	if (!settings_given(s, "coordinator", t->coordinator, "url"))
		return wrong("coordinator", t->coordinator, "there is none of this name with a url");
	if (!type_set(settings_text(s, "coordinator", t->coordinator, "types")))
		return wrong("coordinator", t->coordinator, "types: write some of chunk batch bundle");
	const char *l2 = settings_text(s, "chain", t->chain, "l2");
	if (*l2 && !settings_given(s, "l2", l2, "urls"))
		return wrong("l2", l2, "there is none of this name with urls");
	return EXIT_DONE;
}

static void
read_times(struct task_fetch *t)
{
	const struct settings *s = stage_settings(t->stage);
	const char *name = t->coordinator;

	t->opts = (struct fetch_opts){
		.chain = t->chain, .coordinator = name, .seed = random_u64(), .arg = t,
		.n = settings_num(s, "coordinator", name, "identities"),
		.types = type_set(settings_text(s, "coordinator", name, "types")),
		.poll_ms = settings_num(s, "coordinator", name, "poll"),
		.timeout_ms = settings_num(s, "coordinator", name, "timeout"),
		.stagger_ms = settings_num(s, "coordinator", name, "stagger"),
		.backoff_max_ms = settings_num(s, "coordinator", name, "backoff_max"),
		.collection_ms = { 0, settings_num(s, "chain", t->chain, "collection_chunk"),
		    settings_num(s, "chain", t->chain, "collection_batch"),
		    settings_num(s, "chain", t->chain, "collection_bundle") },
	};
	t->opts.backoff_ms = MIN2(500, t->opts.backoff_max_ms);
	t->opts.rest_ms = MIN2(5000, t->opts.backoff_max_ms);
}

/* --- start --- */

static int
open_identities(struct task_fetch *t)
{
	const struct settings *s = stage_settings(t->stage);
	struct identity_opts o = { .loop = stage_loop(t->stage), .changed = signed_in, .away = away, .arg = t };
	char *path = identity_seed_path(s, t->coordinator), why[256];
	uint8_t seed[32];

	stage_state_dir(t->stage);
	int status = identity_seed(path, true, seed, why);
	free(path);
	if (status != EXIT_DONE) {
		wrong("coordinator", t->coordinator, why);
		return status;
	}
	t->http = http_new(o.loop, (unsigned)settings_num(s, "coordinator", t->coordinator, "connections"));
	o.http = t->http;
	o.seed = seed;
	identity_settings(&o, s, "coordinator", t->coordinator);
	t->identities = identities_new(&o);
	random_wipe(seed, sizeof seed);
	t->pubkeys = xzalloc(t->opts.n * sizeof *t->pubkeys);
	for (uint32_t i = 0; i < t->opts.n; i++) {
		t->pubkeys[i] = identity_pubkey(t->identities, i);
		identity_keep(t->identities, i);
	}
	t->opts.pubkeys = t->pubkeys;
	return EXIT_DONE;
}

static void
open_client(struct task_fetch *t)
{
	const struct settings *s = stage_settings(t->stage);
	const char *l2 = settings_text(s, "chain", t->chain, "l2");

	t->client = client_new(&(struct client_opts){ .loop = stage_loop(t->stage), .http = t->http,
	    .blobs = stage_blobs(t->stage), .identities = t->identities, .timeout_ms = t->opts.timeout_ms,
	    .l2_urls = *l2 ? settings_text(s, "l2", l2, "urls") : "",
	    .l2_timeout_ms = *l2 ? settings_num(s, "l2", l2, "timeout") : 0, .retry_ms = t->opts.backoff_max_ms / 4 + 250,
	    .universal = settings_bool(s, "coordinator", t->coordinator, "universal"), .answer = answered, .arg = t });
}

/* At the end of each turn of the loop: what is due, and when the next thing will be. */
static bool
turn(void *arg)
{
	struct task_fetch *t = arg;
	uint64_t next = fetch_turn(t->fetch), now = clock_ms();

	loop_timer(stage_loop(t->stage), &t->timer, next == UINT64_MAX ? 0 : MAX2(next, now + 1));
	return false;
}

static void
woken(void *arg)
{
}

int
task_fetch_start(struct stage *st)
{
	static const struct fetch_ops ops = { poll_now };
	struct task_fetch *t = xzalloc(sizeof *t);

	t->stage = st;
	stage_set_own(st, t);
	int status = check(t);
	if (status != EXIT_DONE)
		return status;
	read_times(t);
	if (stage_checking(st))
		return EXIT_DONE;
	if ((status = open_identities(t)) != EXIT_DONE)
		return status;
	open_client(t);
	if (!stage_books(st))
		return EXIT_DONE;
	t->opts.ops = &ops;
	t->fetch = fetch_new(&t->opts);
	fetch_bind(t->fetch, stage_books(st));
	t->timer = (struct loop_timer){ .fn = woken, .arg = t };
	loop_last(stage_loop(st), turn, t);
	return EXIT_DONE;
}

void
task_fetch_stop(struct stage *st)
{
	struct task_fetch *t = stage_own(st);

	if (!t)
		return;
	if (t->fetch) {
		loop_last_forget(stage_loop(st), turn, t);
		loop_timer(stage_loop(st), &t->timer, 0);
	}
	client_free(&t->client);
	identities_free(&t->identities);
	http_free(&t->http);
	fetch_free(&t->fetch);
	generate_free(&t->generate);
	free(t->pubkeys);
	free(t);
	stage_set_own(st, NULL);
}

/* --- the skeleton's call-backs --- */

static struct fetch *
core(struct stage *st)
{
	return ((struct task_fetch *)stage_own(st))->fetch;
}

void
task_fetch_act(struct stage *st, struct held *h)
{
	fetch_act(core(st), h);
}

void
task_fetch_lose(struct stage *st, struct held *h)
{
	fetch_lose(core(st), h);
}

void
task_fetch_levels(struct stage *st, struct tick *t)
{
	fetch_levels(core(st), t);
}

void
task_fetch_news(struct stage *st, const struct news *n)
{
	fetch_news(core(st), n);
}

void
task_fetch_reset(struct stage *st)
{
	fetch_reset(core(st));
}

void
task_fetch_answer(struct stage *st, uint64_t token, uint64_t code, const struct row *first)
{
	fetch_told(core(st), token, code, first);
}

void
task_fetch_generate(struct stage *st, uint64_t count)
{
	struct task_fetch *t = stage_own(st);

	t->generate = generate_new(&(struct generate_opts){ .loop = stage_loop(st), .fetch = t->opts, .count = count,
	    .poll = poll_now, .emit = emit, .arg = t });
}
