/* wire_replay_devnet.c - exchanges of a real Coordinator: prova-devnet answers as that one did.
 *
 * uses: cmd/devnet cmd/dispatch-coordinator
 *
 * Bytes on a connection are sent to a prova-devnet.  Reads coordinator/v4.4.70.jsonl of PROVA_FIXTURES; without, recordings/coordinator.jsonl, our own.  Each
 * recorded request is put to our Coordinator at its recorded time; HTTP status,
 * errcode and errmsg must be the same.  Lines that gave a task are taken over: ours would
 * choose another uuid.  What else is left out stands in a table, with the reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cmd/devnet/coordinator.h"
#include "common/clock.h"
#include "common/coord.h"
#include "common/jwt.h"
#include "tests/wire/raw.h"
#include "tests/wire/recording.h"

#define SECRET recording_secret("prover secret key")

enum { WORLDS = 40 };

/* One group of one recorded configuration: each began with a fresh data base. */
struct world {
	char			*name;		/* configuration and group */
	struct blocks		 blocks;
	struct tasks		 tasks;
	struct coordinator	 coordinator;
	const char		*blocked[2];
};

struct replay {
	struct world	 worlds[WORLDS];
	struct server	 http;		/* a process, for bytes on a connection; not started: type NULL */
	size_t		 nworlds, played, left_out, bad;
};

static struct left_out left_out[] = {
	{ "raw.http2-preface", DIFF_VERSIONS, 0 },
	{ "raw.expect-100", DIFF_EXPECT, 0 },
	{ "raw.short-body-then-silence", "no answer comes", 0 },
	{ "route.get-percent", "HTTP decodes the path before we see it", 0 },
	{ "login.ctype-xml", DIFF_DECODERS, 0 }, { "login.ctype-yaml", DIFF_DECODERS, 0 },
	{ "login.ctype-multipart", DIFF_DECODERS, 0 }, { "login.ctype-comma", DIFF_DECODERS, 0 },
	{ "get_task.race", "simultaneous requests", 0 }, { "submit.race", "simultaneous requests", 0 },
	{ "timeout.thirteen", "simultaneous requests", 0 },
	{ "submit.proof-chunk-info", "members of a proof that devnet does not read", 0 },
	{ "submit.proof-row-usages", "members of a proof that devnet does not read", 0 },
	{ "submit.after-all-those-errors", "follows them", 0 },
	{ "submit.big-10MB", "its body is not in the recording", 0 }, { "bigbad.", "their bodies are not in the recording", 0 },
	{ "get_task.name-with-nul", "rows were changed by hand between two lines", 0 },
	{ "pipeline.rcr-bundle-at-once", "our cron comes before every line", 0 },
	{ "broken.", "rows that are broken", 0 }, { "real.small-bad", "rows that are broken", 0 },
	{ "dbdown.", "a data base that is away", 0 },
};

static bool
begins(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strncmp(name, list[i], strlen(list[i])) == 0)
			return true;
	return false;
}

static char *
text_of(const struct json *object, const char *name)
{
	struct span s = json_str(object, name);

	return s.p ? xprintf("%.*s", SPAN_ARG(s)) : NULL;
}

static char *
header_of(const struct json *request, const char *name)
{
	struct span value = recording_header(request, name);

	return value.p ? xprintf("%.*s", SPAN_ARG(value)) : NULL;
}

/* One request to our Coordinator. */
static void
play(struct world *w, const struct json *request, struct desk_reply *r)
{
	struct buf body = { 0 };
	char *method = text_of(request, "method"), *path = text_of(request, "path");
	char *type = header_of(request, "Content-Type"), *authorization = header_of(request, "Authorization");
	char *cookie = header_of(request, "Cookie"), *query = strchr(path, '?');

	recording_body(request, &body);
	if (query)
		*query++ = '\0';
	if (authorization)
		for (size_t n = strlen(authorization); n && authorization[n - 1] == ' '; n--)
			authorization[n - 1] = '\0';
	coordinator_answer(&w->coordinator, &(struct desk_ask){ .method = method, .path = path, .content_type = type,
	    .authorization = authorization, .cookies = cookie,
	    .query_token = query && strncmp(query, "token=", 6) == 0 ? query + 6 : NULL, .body = SPAN_OF(&body) }, r);
	buf_free(&body);
	free(method);
	free(path);
	free(type);
	free(authorization);
	free(cookie);
}

static bool
same_header(const struct json *response, const char *name, const char *ours)
{
	char *theirs = header_of(response, name);
	bool same = strcmp(theirs ? theirs : "", ours ? ours : "") == 0;

	free(theirs);
	return same;
}

/* Of lines that were recorded with headers. */
static bool
same_headers(const struct desk_reply *r, const struct json *response)
{
	return json_size(json_get(response, "headers")) == 0 || (same_header(response, "Content-Type", r->content_type) &&
	    same_header(response, "Location", r->location) &&
	    same_header(response, "Www-Authenticate", r->authenticate ? "JWT realm=gin jwt" : NULL));
}

static bool
same_answer(const char *name, const struct desk_reply *r, const struct json *response)
{
	uint64_t status = 0;
	char why[128];
	struct json *ours = json_parse(SPAN_OF(&r->body), 64 << 20, why);
	struct span text = json_str(response, "body");
	struct json *theirs = text.p ? json_parse(text, 64 << 20, why) : NULL;
	int64_t e1 = -1, e2 = -1;

	bool good = json_u64(json_get(response, "status"), &status) && status == r->status && same_headers(r, response);
	if (theirs && json_is_object(theirs)) {
		(void)!json_i64(json_get(ours, "errcode"), &e1);
		(void)!json_i64(json_get(theirs, "errcode"), &e2);
		good = good && e1 == e2 && span_eq(json_str(ours, "errmsg"), json_str(theirs, "errmsg"));
	}
	if (!good)
		print_error("%s\n  theirs: %" PRIu64 " %.*s\n  ours:   %u %.*s\n", name, status, (int)MIN2(text.n, 400), text.p,
		    r->status, (int)MIN2(r->body.n, 400), r->body.p);
	json_free(&ours);
	json_free(&theirs);
	return good;
}

/* --- the state that recorded lines presuppose --------------------------------------------- */

static struct item *
item_named(struct world *w, uint64_t type, struct span id)
{
	struct item *it = tasks_item(&w->tasks, type, id);

	if (it)
		return it;
	/* the lowest that nobody has named yet gets this name */
	for (size_t i = 0; !it && i < w->tasks.opts.n[type]; i++)
		if (w->tasks.items[type][i].end_block == 0)
			it = &w->tasks.items[type][i];
	assert_non_null(it);
	map_del(&w->tasks.by_id, map_hash(0, span_str(it->id)), it);
	assert_true(span_cstr(id, it->id, sizeof it->id));
	map_put(&w->tasks.by_id, map_hash(0, span_str(it->id)), it);
	it->end_block = 1;
	it->ready = false;
	return it;
}

/* Who asks: the claim public_key of the token, which is between quotes in the claims. */
static char *
asker(const struct json *request)
{
	char *authorization = header_of(request, "Authorization");
	struct buf claims = { 0 };
	struct coord_claims k = { 0 };
	char *key = NULL;

	if (authorization && strlen(authorization) > 7 &&
	    jwt_verify(span_str(authorization + 7), span_str(SECRET), clock_wall_ms() / 1000, &claims, NULL) == JWT_OK &&
	    coord_take_claims(SPAN_OF(&claims), &k) && k.public_key.p)
		key = xstrdup(buf_cstr(&k.public_key));
	coord_claims_free(&k);
	buf_free(&claims);
	free(authorization);
	return key;
}

/* The recorded Coordinator gave this task to this key: so do we. */
static void
adopt(struct world *w, const char *key, struct span uuid, uint64_t type, struct span id)
{
	char text[64];

	if (!key || !span_cstr(uuid, text, sizeof text) || tasks_row(&w->tasks, uuid, key))
		return;
	struct item *it = item_named(w, type, id);
	it->status = it->status == ITEM_VERIFIED ? ITEM_VERIFIED : ITEM_ASSIGNED;
	it->total++;
	it->active++;
	tasks_open(&w->tasks, it, text, key);
}

/* A line that gives a task: ours cannot choose the same uuid, so it is adopted. */
static bool
gave_a_task(struct world *w, const struct json *line)
{
	char why[128];
	struct span text = json_str(json_get(line, "response"), "body");
	struct json *answer = text.p ? json_parse(text, 64 << 20, why) : NULL;
	const struct json *data = json_get(answer, "data");
	bool gave = json_str(data, "uuid").p != NULL;
	uint64_t type = TYPE_CHUNK;

	if (gave) {
		char *key = asker(json_get(line, "request"));
		(void)!json_u64(json_get(data, "task_type"), &type);
		adopt(w, key, json_str(data, "uuid"), type, json_str(data, "task_id"));
		free(key);
	}
	json_free(&answer);
	return gave;
}

/* The task that the malformed submissions are about. */
#define OWN_TASK "0x717887e58138f75f8ec8c9450536e9c858ac284e1d44ef33c37096d1e1a44b61"

/* A submission of a task whose get_task was not recorded. */
static void
prepare_submit(struct world *w, const char *name, const struct json *line)
{
	static const char *const nobodys[] = { "submit.uuid-unknown", "submit.uuid-0x", "submit.other-provers-uuid" };
	static const char *const of_other[] = { "submit.task_id-of-other-chunk" };
	static const char *const odd[] = { "submit.task_" };
	const struct json *request = json_get(line, "request");
	struct json *body = recording_asked(json_str(request, "body"));
	struct span uuid = json_str(body, "uuid"), id = json_str(body, "task_id");
	uint64_t type = TYPE_CHUNK;

	if (uuid.p && id.p && !begins(name, nobodys, NELEM(nobodys))) {
		char *key = asker(request);
		bool own = begins(name, odd, 1) || id.n != 66;
		if (own || !json_u64(json_get(body, "task_type"), &type) || type < TYPE_CHUNK || type > TYPE_MAX)
			type = TYPE_CHUNK;
		adopt(w, key, uuid, type, own ? SPAN(OWN_TASK) : id);
		if (begins(name, of_other, 1))
			item_named(w, TYPE_CHUNK, id);
		free(key);
	}
	json_free(&body);
}

/* A key that is told "no task" holds none: it has been freed by something that was not recorded. */
static void
prepare_get_task(struct world *w, const struct json *line)
{
	struct span text = json_str(json_get(line, "response"), "body");
	struct span path = json_str(json_get(line, "request"), "path");
	char *key = asker(json_get(line, "request"));
	struct row *held;

	if (key && span_is(path, coord_path(COORD_GET_TASK)) && text.p && memmem(text.p, text.n, "get empty prover task", 21))
		while ((held = tasks_held(&w->tasks, key)))
			tasks_close(&w->tasks, held, ROW_INVALID, FAIL_SERVER, held->item->type);
	free(key);
}

static struct world *
world_of(struct replay *all, const struct json *line)
{
	struct span config = json_str(line, "config"), group = json_str(line, "name");
	struct world *w = all->worlds;
	char why[256];

	group.n = (size_t)((const uint8_t *)memchr(group.p, '.', group.n) - group.p);
	char *name = xprintf("%.*s %.*s", SPAN_ARG(config), SPAN_ARG(group));
	while (w < all->worlds + all->nworlds && strcmp(w->name, name) != 0)
		w++;
	if (w < all->worlds + all->nworlds) {
		free(name);
		return w;
	}
	assert_true(++all->nworlds <= WORLDS);
	*w = (struct world){ .name = name, .blocked = { "020ab9ddbabd28b0b5951b3752c3bb87108fe8703d490b8596158a94b191708b76" } };
	assert_true(tasks_init(&w->tasks, &w->blocks, &(struct tasks_opts){ .n = { 0, 500, 20, 10 }, .blocks_per_chunk = 1,
	    .attempts = 3, .per_session = 1, .collection_ms = span_is(config, "rto") ? 4000 : 600000 }, why));
	coordinator_init(&w->coordinator, &(struct coordinator_opts){ .secret = SECRET, .life_s = 3600,
	    .fork = "darwinV2", .mock_verifier = true }, &w->tasks, 1);
	return w;
}

static void
replay_bytes(struct replay *all, const struct json *line)
{
	bool codes;

	if (!all->http.type) {
		all->http.blocked = "02";
		server_start(&all->http, server_types, NULL);
	}
	if (!raw_same(&all->http, line, &codes) || !codes) {
		print_error("%.*s\n", SPAN_ARG(json_str(line, "name")));
		all->bad++;
	}
	all->played++;
}

static void
replay_line(void *arg, const struct json *line)
{
	static const char *const blocked[] = { "get_task.blocked" };
	struct replay *all = arg;
	char *name = text_of(line, "name");
	struct world *w = world_of(all, line);
	struct desk_reply r;

	clock_freeze(recording_at_ms(line));
	tasks_cron(&w->tasks);
	w->coordinator.opts.blocked = begins(name, blocked, 1) ? w->blocked : NULL;
	if (recording_left_out(left_out, NELEM(left_out), span_str(name)) || gave_a_task(w, line)) {
		all->left_out++;
		free(name);
		return;
	}
	if (raw_is(line)) {
		replay_bytes(all, line);
		free(name);
		return;
	}
	prepare_get_task(w, line);
	prepare_submit(w, name, line);
	play(w, json_get(line, "request"), &r);
	all->bad += !same_answer(name, &r, json_get(line, "response"));
	all->played++;
	desk_reply_free(&r);
	free(name);
}

static void
free_worlds(struct replay *all)
{
	for (size_t i = 0; i < all->nworlds; i++) {
		coordinator_free(&all->worlds[i].coordinator);
		tasks_free(&all->worlds[i].tasks);
		free(all->worlds[i].name);
	}
}

static void
devnet_answers_as_the_recorded_coordinator_did(void **state)
{
	struct replay all = { 0 };

	recording_each("coordinator/v4.4.70.jsonl", "coordinator.jsonl", replay_line, &all);
	clock_freeze(0);
	if (all.http.type)
		server_stop(&all.http);
	recording_report(left_out, NELEM(left_out));
	print_message("%zu exchanges played, %zu left out, %zu differ\n", all.played, all.left_out, all.bad);
	assert_int_equal(all.bad, 0);
	assert_true(all.played >= (recording_is_own() ? 20 : 350));
	free_worlds(&all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devnet_answers_as_the_recorded_coordinator_did),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
