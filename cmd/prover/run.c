/* run.c - the parts put together: the daemon, handle and dump.  See run.h.
 *
 * The core decides; here are its ops.  Inputs are blobs in the directory `inputs` beside the tasks: each goes
 * when its task does, and what a killed process has left there after a day. */
#include "cmd/prover/run.h"

#include <sys/stat.h>

#include "cmd/prover/calls.h"
#include "cmd/prover/engine.h"
#include "cmd/prover/store.h"
#include "common/diag.h"
#include "common/inputs.h"
#include "common/notify.h"
#include "common/random.h"

enum { OLD_MS = 24 * 3600 * 1000 };

/* What a worker's task has outside the core. */
struct place {
	struct prover		*p;
	size_t			 worker;
	struct inputs_ask	*ask;
	bool			 built;
	uint8_t			 blob[HASH_BYTES];
	uint64_t		 bytes;
};

struct prover {
	const struct setup	*o;
	struct store		*store;
	struct loop		*loop;
	struct http		*http;
	struct identities	*identities;
	struct height		*height;
	struct blobs		*blobs;
	struct l2		*l2;
	struct inputs		*inputs;
	struct engine		*engine;
	struct calls		*calls;
	struct core		*core;
	struct place		**places;	/* by worker */
	size_t			 nplaces;
	struct loop_timer	 wake, watchdog;
	char			 note[256];
	bool			 once;
	int			 status;	/* the worst so far */
	const char		*dump_to;	/* a file; NULL: standard output */
	bool			 dump;
};

/* ---- the core's ops ---- */

static struct place *
place_of(struct prover *p, size_t worker)
{
	while (p->nplaces <= worker) {
		p->places = xrealloc(p->places, (p->nplaces + 1) * sizeof(struct place *));
		struct place *new = p->places[p->nplaces] = xzalloc(sizeof *new);
		*new = (struct place){ .p = p, .worker = p->nplaces++ };
	}
	return p->places[worker];
}

static void
poll_now(void *arg, size_t worker, uint64_t types, struct span task_id)
{
	struct prover *p = arg;

	calls_poll(p->calls, worker, core_identity(p->core, worker), types, task_id);
}

static void
built(void *arg, const struct inputs_result *r)
{
	struct place *place = arg;

	place->ask = NULL;
	place->built = r->code == CODE_OK;
	memcpy(place->blob, r->blob, HASH_BYTES);
	place->bytes = r->bytes;
	core_built(place->p->core, place->worker, r->code, r->detail);
}

static void
build(void *arg, size_t worker, const struct record *record)
{
	struct prover *p = arg;
	struct place *place = place_of(p, worker);
	struct row row = { 0 };

	if (p->engine)
		engine_open(p->engine, worker);
	SET(&row, chain, SPAN("prover"));
	SET(&row, type, record->task.type);
	SET(&row, body, SPAN_OF(&record->task.data));
	place->built = false;
	place->ask = inputs_start(p->inputs, &row, built, place);
}

static void
prove(void *arg, size_t worker, const struct record *record, bool again)
{
	struct prover *p = arg;
	const struct place *place = place_of(p, worker);
	struct engine_order order = { .record = record, .again = again, .bytes = place->bytes };
	char *path = xstrdup(blob_path(p->blobs, place->blob));

	order.input = path;
	memcpy(order.sha256, place->blob, HASH_BYTES);
	engine_prove(p->engine, worker, &order);
	free(path);
}

static void
post(void *arg, size_t worker, const struct record *record, bool again)
{
	struct prover *p = arg;

	calls_post(p->calls, worker, record, again);
}

/* Another identity may hold the same task. */
static void
unbuild(void *arg, size_t worker)
{
	struct prover *p = arg;
	struct place *place = place_of(p, worker);
	bool mine = place->built;

	place->built = false;
	for (size_t i = 0; i < p->nplaces && mine; i++)
		mine = !p->places[i]->built || memcmp(p->places[i]->blob, place->blob, HASH_BYTES) != 0;
	if (mine && blob_delete(p->blobs, place->blob) != 0 && errno != ENOENT)
		diag(DIAG_WARN, "not-removed", "file=%s why=%s", diag_quote(blob_path(p->blobs, place->blob)), diag_quote(strerror(errno)));
}

static int
keep(void *arg, const struct record *r)
{
	return store_keep(((struct prover *)arg)->store, r);
}

static int
number(void *arg, const struct record *r, uint32_t tries, uint32_t failures)
{
	return store_number(((struct prover *)arg)->store, r, tries, failures);
}

static int
forget(void *arg, const struct record *r)
{
	return store_forget(((struct prover *)arg)->store, r);
}

static int
put_aside(void *arg, const struct record *r)
{
	return store_aside(((struct prover *)arg)->store, r);
}

/* ---- events ---- */

static void
polled(void *arg, size_t worker, const struct poll_result *r)
{
	core_polled(((struct prover *)arg)->core, worker, r);
}

static void
posted(void *arg, size_t worker, enum posted how, enum code code, const char *why)
{
	core_posted(((struct prover *)arg)->core, worker, how, code, why);
}

static void
able(void *arg, size_t worker, uint64_t types, const char *vks)
{
	struct prover *p = arg;

	if (!p->o->vks_given && types)
		identities_vks(p->identities, vks);
	core_able(p->core, worker, types);
}

static void
proved(void *arg, size_t worker, enum proof_outcome outcome, struct span proof, enum code code, const char *why)
{
	core_proved(((struct prover *)arg)->core, worker, outcome, proof, code, why);
}

static struct l2 *
nodes(void *arg, struct span chain)
{
	return ((struct prover *)arg)->l2;
}

/* ---- one-shot commands ---- */

static void
worse(struct prover *p, int status)
{
	if (status > p->status)
		p->status = status;
}

static bool
copy_out(struct prover *p, const uint8_t blob[HASH_BYTES], FILE *to)
{
	FILE *from = fopen(blob_path(p->blobs, blob), "re");
	char *piece = xmalloc(1 << 16);
	size_t n;

	while (from && (n = fread(piece, 1, 1 << 16, from)) > 0)
		fwrite(piece, 1, n, to);
	bool ok = from && !ferror(from);
	if (from)
		fclose(from);
	free(piece);
	return fflush(to) == 0 && !ferror(to) && ok;
}

static void
write_dump(struct prover *p, size_t worker)
{
	const char *name = p->dump_to ? p->dump_to : "standard output";
	FILE *to = p->dump_to ? fopen(p->dump_to, "we") : stdout;
	bool ok = to && copy_out(p, place_of(p, worker)->blob, to);

	if (to && p->dump_to)
		ok = fclose(to) == 0 && ok;
	if (ok)
		return;
	fprintf(stderr, "%s: %s: %s\n", diag_whoami(), name, strerror(errno));
	worse(p, EXIT_SYSTEM);
}

static void
ended(void *arg, size_t worker, const char *task_id, int status, const char *why)
{
	struct prover *p = arg;

	worse(p, status);
	if (p->dump && status == EXIT_DONE) {
		write_dump(p, worker);
		unbuild(p, worker);
	} else if (p->dump) {
		fprintf(stderr, "%s: %s: %s\n", diag_whoami(), task_id, why);
	} else {
		printf("%s %s%s%s\n", task_id, status == EXIT_DONE ? "accepted" : status == EXIT_NO ? "refused" : "unanswered",
		    *why ? ": " : "", why);
	}
	fflush(stdout);
}

/* ---- beginning and end ---- */

static void
remove_old(void *arg, const uint8_t *hash, const char *path, uint64_t bytes)
{
	if (unlink(path) != 0)
		diag(DIAG_WARN, "not-removed", "file=%s why=%s", diag_quote(path), diag_quote(strerror(errno)));
}

static int
open_store(struct prover *p)
{
	char why[300];
	int status;

	p->store = store_open(p->o->dir, why, &status);
	if (!p->store) {
		fprintf(stderr, "%s: %s\n", diag_whoami(), why);
		return status;
	}
	char *dir = xprintf("%s/inputs", p->o->dir);
	p->blobs = blob_open(dir);
	if (!p->blobs)
		die_sys("%s", dir);
	blob_each(p->blobs, OLD_MS, remove_old, NULL);
	free(dir);
	return EXIT_DONE;
}

static int
open_identities(struct prover *p)
{
	struct identity_opts io = p->o->identity;
	uint8_t seed[32];
	char why[256];

	int status = identity_seed(p->o->seed, true, seed, why);
	if (status != EXIT_DONE) {
		fprintf(stderr, "%s: %s\n", diag_whoami(), why);
		return status;
	}
	p->http = http_new(p->loop, p->o->connections);
	io.loop = p->loop;
	io.http = p->http;
	io.seed = seed;
	p->identities = identities_new(&io);
	random_wipe(seed, sizeof seed);
	return EXIT_DONE;
}

static void
open_l2(struct prover *p)
{
	const struct setup *o = p->o;

	p->inputs = inputs_new(&(struct inputs_opts){ .loop = p->loop, .blobs = p->blobs, .nodes = nodes, .arg = p });
	if (!*o->l2_urls)
		return;
	p->l2 = l2_new(&(struct l2_opts){ .name = o->name, .loop = p->loop, .urls = o->l2_urls, .parallel = o->l2_parallel,
	    .timeout_ms = (unsigned)o->l2_timeout_ms, .max_bytes = o->l2_max_bytes, .blobs = p->blobs });
	if (!o->universal)
		p->height = height_new(&(struct height_opts){ .loop = p->loop, .http = p->http, .urls = o->l2_urls,
		    .timeout_ms = o->l2_timeout_ms });
}

static void
open_engine(struct prover *p)
{
	const struct setup *o = p->o;

	p->engine = engine_new(&(struct engine_opts){ .loop = p->loop, .name = o->name, .command = o->command, .types = o->types,
	    .call_ms = o->call_ms, .prove_ms = o->prove_ms, .poll_ms = o->command_poll_ms, .line_max = o->line_max,
	    .mock = o->mock, .mock_delay_ms = o->mock_delay_ms, .mock_fail = o->mock_fail,
	    .able = able, .proved = proved, .arg = p });
}

static void
open_core(struct prover *p)
{
	static const struct core_ops ops = { .poll = poll_now, .build = build, .prove = prove, .post = post, .unbuild = unbuild,
	    .keep = keep, .number = number, .forget = forget, .aside = put_aside, .ended = ended };
	const struct setup *o = p->o;

	p->core = core_new(&(struct core_opts){ .workers = o->workers, .types = o->types, .all_types = o->all_types,
	    .once = p->once, .dump = p->dump, .max_tries = o->max_tries, .poll_ms = o->poll_ms, .rest_ms = o->rest_ms,
	    .failure_rest_ms = o->failure_rest_ms,
	    .timeout_ms = o->identity.timeout_ms, .stagger_ms = o->identity.stagger_ms, .backoff_ms = o->identity.backoff_ms,
	    .backoff_max_ms = o->identity.backoff_max_ms, .give_up_ms = o->give_up_ms, .seed = random_u64(),
	    .ops = &ops, .arg = p });
	p->calls = calls_new(&(struct calls_opts){ .loop = p->loop, .identities = p->identities, .height = p->height,
	    .timeout_ms = o->identity.timeout_ms, .universal = o->universal, .polled = polled, .posted = posted, .arg = p });
}

static void
close_all(struct prover *p)
{
	calls_free(&p->calls);
	identities_free(&p->identities);
	height_free(&p->height);
	engine_free(&p->engine);
	inputs_free(&p->inputs);
	l2_free(&p->l2);
	http_free(&p->http);
	core_free(&p->core);
	for (size_t i = 0; i < p->nplaces; i++)
		free(p->places[i]);
	free(p->places);
	blob_close(&p->blobs);
	loop_free(&p->loop);
	store_close(&p->store);
}

static int
open_all(struct prover *p, const struct setup *o, bool once, bool dump)
{
	char who[96];

	*p = (struct prover){ .o = o, .once = once, .dump = dump };
	snprintf(who, sizeof who, "prover.%s", o->name);
	diag_name(who);
	umask(0077);
	int status = open_store(p);
	if (status != EXIT_DONE)
		return status;
	p->loop = loop_new();
	loop_many_fds();	/* four for each process of the command */
	if ((status = open_identities(p)) != EXIT_DONE)
		return status;
	open_l2(p);
	if (!dump)
		open_engine(p);
	open_core(p);
	return EXIT_DONE;
}

static void
say_note(struct prover *p)
{
	char note[sizeof p->note];

	core_note(p->core, note, sizeof note);
	if (strcmp(note, p->note) == 0)
		return;
	memcpy(p->note, note, sizeof note);
	notify_status(note);
}

static bool
turn(void *arg)
{
	struct prover *p = arg;
	uint64_t next = core_turn(p->core);

	if (p->once && core_over(p->core))
		loop_stop(p->loop);
	say_note(p);
	loop_timer(p->loop, &p->wake, next == UINT64_MAX ? 0 : MAX2(next, clock_ms() + 1));
	return false;
}

static void
woken(void *arg)
{
}

static void
pat(void *arg)
{
	struct prover *p = arg;

	notify_alive();
	loop_timer(p->loop, &p->watchdog, clock_ms() + notify_watchdog_ms() / 2);
}

static void
work(struct prover *p)
{
	p->wake = (struct loop_timer){ .fn = woken, .arg = p };
	p->watchdog = (struct loop_timer){ .fn = pat, .arg = p };
	if (notify_watchdog_ms())
		pat(p);
	notify_ready();
	loop_last(p->loop, turn, p);
	loop_timer(p->loop, &p->wake, MAX2(clock_ms(), 1));
	loop_run(p->loop);
	notify_stopping();
	core_stop(p->core);
}

/* ---- run ---- */

/* One of an identity: a second can only have been put there by hand, and both would be one file some day. */
static void
adopt(void *arg, struct record *r)
{
	struct prover *p = arg;

	if (!core_taken(p->core, r->identity)) {
		core_adopt(p->core, r);
		return;
	}
	diag(DIAG_ERROR, "put-aside", "identity=%" PRIu32 " uuid=%.*s why=%s", r->identity, SPAN_ARG(SPAN_OF(&r->task.uuid)),
	    diag_quote("this identity has another file"));
	if (store_aside(p->store, r) != 0)
		die_sys("%s", p->o->dir);
	record_free(r);
}

int
run_daemon(const struct setup *o)
{
	struct prover p;
	int status = open_all(&p, o, false, false);

	if (status == EXIT_DONE) {
		diag(DIAG_INFO, "started", "version=%s pid=%ld workers=%zu first_key=%s", PROVA_VERSION, (long)getpid(), o->workers,
		    identity_pubkey(p.identities, 0));
		store_each(p.store, adopt, &p);
		for (size_t i = 0; i < o->workers; i++)
			engine_open(p.engine, i);
		work(&p);
		diag(DIAG_INFO, "stopping", "doing=%s", diag_quote(p.note));
	}
	close_all(&p);
	return status;
}

/* ---- handle ---- */

/* A task that is asked for. */
struct wanted {
	struct record	 record;	/* of a file */
	bool		 is_file, found;
	const char	*task_id;
	uint64_t	 types;
};

struct wants {
	struct prover	*p;
	struct wanted	*all;
	size_t		 n;
};

/* What is fetched is to be proved some day. */
static int
types_fit(const struct setup *o, uint64_t types, const char *what)
{
	if (!(types & ~o->types))
		return EXIT_DONE;
	fprintf(stderr, "%s: %s: the settings' types do not have this one\n", diag_whoami(), what);
	return EXIT_USAGE;
}

/* "chunk:0x12", "0x12" or a file. */
static int
read_operand(const struct setup *o, const char *operand, struct wanted *w)
{
	char why[TASKFILE_WHY], word[16];
	size_t n = strcspn(operand, ":");

	*w = (struct wanted){ .task_id = operand, .types = o->types };
	if (strchr(operand, '/') || access(operand, F_OK) == 0) {
		w->is_file = true;
		if (store_load(operand, &w->record, why) == 0)
			return EXIT_DONE;
		fprintf(stderr, "%s: %s: %s\n", diag_whoami(), operand, why);
		return EXIT_USAGE;
	}
	if (operand[n] && n < sizeof word) {
		snprintf(word, sizeof word, "%.*s", (int)n, operand);
		uint64_t types = type_set(word);
		if (types) {
			w->types = types;
			w->task_id = operand + n + 1;
		}
	}
	return types_fit(o, w->types, operand);
}

static bool
is_wanted(const struct wanted *w, const struct record *r)
{
	if (w->is_file)
		return span_eq(SPAN_OF(&w->record.task.uuid), SPAN_OF(&r->task.uuid)) && w->record.identity == r->identity;
	return span_is(SPAN_OF(&r->task.task_id), w->task_id) && w->types >> r->task.type & 1;
}

/* A task in the directory: wanted, or in the way of its identity. */
static void
sort_out(void *arg, struct record *r)
{
	struct wants *wants = arg;
	struct prover *p = wants->p;
	size_t i = 0;

	while (i < wants->n && (wants->all[i].found || !is_wanted(&wants->all[i], r)))
		i++;
	if (i == wants->n) {
		core_leave(p->core, r->identity);
		record_free(r);
		return;
	}
	wants->all[i].found = true;
	if (p->dump)
		r->state = RECORD_OPEN;		/* its input is what is asked for */
	core_named(p->core, core_adopt(p->core, r));
}

/* A file from elsewhere, or one that was put aside, is kept as any other from here on. */
static void
import(struct prover *p, struct wanted *w)
{
	int rc = store_take_back(p->store, &w->record);

	if (rc == 0)
		rc = store_keep(p->store, &w->record);
	if (rc != 0)
		die_sys("%s", p->o->dir);
	core_named(p->core, core_adopt(p->core, &w->record));
}

static void
take_wants(struct wants *wants)
{
	struct prover *p = wants->p;

	store_each(p->store, sort_out, wants);
	for (size_t i = 0; i < wants->n; i++) {
		struct wanted *w = &wants->all[i];
		if (w->found)
			continue;
		if (!w->is_file)
			core_want(p->core, w->task_id, w->types);
		else if (core_taken(p->core, w->record.identity))
			ended(p, 0, w->task_id, EXIT_NO, "its identity holds another task");
		else
			import(p, w);
	}
}

/* The end of a command that is not a daemon: interrupted, it is not done. */
static int
finish(struct prover *p, struct wants *wants)
{
	take_wants(wants);
	work(p);
	if (!core_over(p->core))
		worse(p, EXIT_SYSTEM);
	return p->status;
}

int
run_handle(const struct setup *o, char **operands)
{
	struct wants wants = { 0 };
	struct prover p = { 0 };
	int status = EXIT_DONE;

	for (; status == EXIT_DONE && operands[wants.n]; wants.n++) {
		wants.all = xrealloc(wants.all, (wants.n + 1) * sizeof *wants.all);
		status = read_operand(o, operands[wants.n], &wants.all[wants.n]);
	}
	if (status == EXIT_DONE && (status = open_all(&p, o, true, false)) == EXIT_DONE) {
		wants.p = &p;
		status = finish(&p, &wants);
	}
	close_all(&p);
	for (size_t i = 0; i < wants.n; i++)
		record_free(&wants.all[i].record);
	free(wants.all);
	return status;
}

/* ---- dump ---- */

int
run_dump(const struct setup *o, const char *type, const char *task_id, const char *file)
{
	struct wanted w = { .task_id = task_id, .types = type_set(type) };
	struct prover p = { 0 };
	struct wants wants = { .p = &p, .all = &w, .n = 1 };

	if (!w.types) {
		fprintf(stderr, "%s: %s: not a type: write chunk, batch or bundle\n", diag_whoami(), type);
		return EXIT_USAGE;
	}
	int status = types_fit(o, w.types, type);
	if (status == EXIT_DONE)
		status = open_all(&p, o, true, true);
	if (status == EXIT_DONE) {
		p.dump_to = file;
		status = finish(&p, &wants);
	}
	close_all(&p);
	return status;
}
