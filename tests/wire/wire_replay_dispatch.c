/* wire_replay_dispatch.c - exchanges of a real Coordinator: dispatch-coordinator answers as that one did, but for the kindnesses
 * that it names, each of them at the lines named here.
 * uses: cmd/dispatch-coordinator
 *
 * Reads coordinator/v4.4.70.jsonl of PROVA_FIXTURES; without, recordings/coordinator.jsonl, our own.  Each recorded request is sent at its
 * recorded time over HTTP to our door, court and desk, with the test as ledger: what the recorded Coordinator had to
 * give is there to be taken.  HTTP status, errcode, errmsg, the headers that matter and a task's members must be the
 * same.  uuids are ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cmd/dispatch-coordinator/door.h"
#include "common/clock.h"
#include "common/jwt.h"
#include "tests/wire/farm.h"
#include "tests/wire/raw.h"
#include "tests/wire/recording.h"

#define SECRET	recording_secret("prover secret key")
#define BLOCKED	"020ab9ddbabd28b0b5951b3752c3bb87108fe8703d490b8596158a94b191708b76"

enum { UUIDS = 512 };

enum kindness {
#define X(name, sentence) KIND_##name,
	DESK_KINDNESSES(X)
	DOOR_KINDNESSES(X)
#undef X
	KINDNESSES
};

static const char *const sentences[] = {
#define X(name, sentence) [KIND_##name] = sentence,
	DESK_KINDNESSES(X)
	DOOR_KINDNESSES(X)
#undef X
};

/* A name, or the beginning of several, and what is the kindness there; each differs at least once. */
static struct {
	const char	*name;
	enum kindness	 kindness;
	size_t		 met;
} kind_at[] = {
	{ "auth.", KIND_TOKEN, 0 },
	{ "raw.content-length-and-chunked", KIND_TOKEN, 0 },
	{ "raw.short-body-then-rest", KIND_TOKEN, 0 },
	{ "login.type-3-with-vk", KIND_ANY_PROVER, 0 },
	{ "login.name-nul", KIND_NO_NUL, 0 },
	{ "login.sig-0x-only", KIND_NO_PANIC, 0 },
	{ "login.pk-absent", KIND_OLD_LOGIN, 0 },
	{ "login.single-use-4", KIND_REPEAT, 0 },
	{ "login.replay-race~2", KIND_REPEAT, 0 },
	{ "get_task.blocked-login", KIND_ADMISSION, 0 },
	{ "jwt.edge-0.40", KIND_AGAIN, 0 },
	{ "restart.get-again", KIND_AGAIN, 0 },
	{ "get_task.second-while-holding", KIND_AGAIN, 0 },
	{ "fork.", KIND_FORK, 0 },
	{ "get_task.unknown-members", KIND_TASK_ID, 0 },
	{ "timeout.late-submit", KIND_TWICE, 0 },
	{ "timeout.old-uuid", KIND_TWICE, 0 },
	{ "pps.first-late", KIND_TWICE, 0 },
	{ "pps.first-again", KIND_TWICE, 0 },
	{ "pps.third-unknown", KIND_TWICE, 0 },
	{ "submit.twice", KIND_TWICE, 0 },
	{ "pps.third-fails", KIND_REPORT, 0 },
	{ "get_task.fail-it", KIND_REPORT, 0 },
	{ "submit.failure-", KIND_REPORT, 0 },
	{ "submit.status-", KIND_REPORT, 0 },
	{ "pps.third-invalid", KIND_TRUST, 0 },
	{ "submit.invalid-proof", KIND_TRUST, 0 },
	{ "submit.task_id-", KIND_UUID, 0 },
	{ "submit.task_type-wrong", KIND_UUID, 0 },
	{ "submit.proof-", KIND_UUID, 0 },
	{ "submit.victim-of-it", KIND_UUID, 0 },
};

static struct left_out left_out[] = {
	{ "raw.http2-preface", DIFF_VERSIONS, 0 },
	{ "raw.expect-100", DIFF_EXPECT, 0 },
	{ "raw.short-body-then-silence", "no answer comes", 0 },
	{ "login.ctype-xml", DIFF_DECODERS, 0 },
	{ "login.ctype-yaml", DIFF_DECODERS, 0 },
	{ "login.ctype-multipart", DIFF_DECODERS, 0 },
	{ "login.ctype-comma", DIFF_DECODERS, 0 },
	{ "get_task.race", "simultaneous requests", 0 },
	{ "timeout.thirteen", "simultaneous requests", 0 },
	{ "submit.big-10MB", "its body is not in the recording", 0 },
	{ "bigbad.", "their bodies are not in the recording", 0 },
	{ "get_task.before-block", "here that key is blocked from the beginning", 0 },
	{ "get_task.blocked-submit", "follows it", 0 },
	{ "get_task.name-with-nul", "here that name does not log in", 0 },
	{ "broken.", "rows that are broken", 0 },
	{ "real.small-bad", "rows that are broken", 0 },
	{ "dbdown.", "a data base that is away", 0 },
};

struct replay {
	struct farm	*farm;
	char		*world;			/* configuration and group */
	struct { char *recorded, *ours, *key; uint64_t attempt; } uuids[UUIDS];
	size_t		 nuuids, played, kind, left_out, bad;
	size_t		 of_kind[KINDNESSES];
};

static void
end_world(struct replay *all)
{
	farm_free(&all->farm);
	free(all->world);
	all->world = NULL;
	for (; all->nuuids; all->nuuids--) {
		free(all->uuids[all->nuuids - 1].recorded);
		free(all->uuids[all->nuuids - 1].ours);
		free(all->uuids[all->nuuids - 1].key);
	}
}

/* Each group of each recorded configuration began with a fresh data base. */
static void
begin_world(struct replay *all, const struct json *line)
{
	static const struct desk_version versions[] = {
		{ "v4.4.45", "darwinV2,darwin" }, { "v4.4.43", "darwin" }, { NULL, NULL },
	};
	static const char *const vks[] = { "mock_vk", NULL }, *const blocked[] = { BLOCKED, NULL };
	struct span config = json_str(line, "config"), group = json_str(line, "name");

	group.n = (size_t)((const uint8_t *)memchr(group.p, '.', group.n) - group.p);
	char *world = xprintf("%.*s %.*s", SPAN_ARG(config), SPAN_ARG(group));
	if (all->world && strcmp(world, all->world) == 0) {
		free(world);
		return;
	}
	end_world(all);
	all->world = world;
	all->farm = farm_new(&(struct desk_opts){ .secret = span_str(SECRET), .challenge_life_s = 3600, .login_life_s = 3600,
	    .min_version = "v4.4.43", .own_version = "v4.4.70-000000-000000-000000", .versions = versions, .kind = true,
	    .blocked = span_is(group, "get_task") ? blocked : NULL,
	    .vks = { [TYPE_CHUNK] = vks, [TYPE_BATCH] = vks, [TYPE_BUNDLE] = vks } }, 0);
}

/* --- requests ----------------------------------------------------------------------------- */

static bool
is_framing(struct span name)
{
	static const char *const names[] = { "content-length", "transfer-encoding", "connection" };

	for (size_t i = 0; i < NELEM(names); i++)
		if (name.n == strlen(names[i]) && strncasecmp((const char *)name.p, names[i], name.n) == 0)
			return true;
	return false;
}

static void
send_request(struct replay *all, const struct json *request, struct span body, struct response *answer)
{
	const struct json *headers = json_get(request, "headers");
	struct buf bytes = { 0 };

	buf_printf(&bytes, "%.*s %.*s HTTP/1.1\r\n", SPAN_ARG(json_str(request, "method")), SPAN_ARG(json_str(request, "path")));
	for (size_t i = 0; i < json_size(headers); i++) {
		struct span name = json_text(json_at(json_at(headers, i), 0));
		if (!is_framing(name))
			buf_printf(&bytes, "%.*s: %.*s\r\n", SPAN_ARG(name), SPAN_ARG(json_text(json_at(json_at(headers, i), 1))));
	}
	buf_printf(&bytes, "Content-Length: %zu\r\nConnection: close\r\n\r\n", body.n);
	buf_put(&bytes, body.p, body.n);
	farm_send(all->farm, SPAN_OF(&bytes), answer);
	buf_free(&bytes);
}

static struct span
token_of(const struct json *request)
{
	struct span text = recording_header(request, "Authorization");

	return text.n > 7 ? (struct span){ text.p + 7, text.n - 7 } : (struct span){ 0 };
}

/* Who asks, in lower case; NULL: nobody. */
static char *
asker(const struct json *request)
{
	struct buf json = { 0 };
	struct coord_claims k = { 0 };
	char *key = NULL;

	if (jwt_verify(token_of(request), span_str(SECRET), clock_wall_ms() / 1000, &json, NULL) == JWT_OK &&
	    coord_take_claims(SPAN_OF(&json), &k) && k.public_key.n)
		key = xstrdup(buf_cstr(&k.public_key));
	coord_claims_free(&k);
	buf_free(&json);
	return key;
}

/* --- tasks that the recorded Coordinator had to give ------------------------------------------- */

static struct json *
parse_text(struct span text)
{
	char why[128];

	return text.p ? json_parse(text, 64 << 20, why) : NULL;
}

static size_t
known(const struct replay *all, const char *key, struct span uuid)
{
	for (size_t i = 0; i < all->nuuids; i++)
		if (strcmp(all->uuids[i].key, key) == 0 && (!uuid.p || span_is(uuid, all->uuids[i].recorded)))
			return i;
	return SIZE_MAX;
}

/* What the key still holds here ended there. */
static void
free_key(struct replay *all, const char *key)
{
	for (size_t i = 0; i < all->nuuids; i++) {
		uint64_t attempt = all->uuids[i].attempt;
		if (strcmp(all->uuids[i].key, key) == 0 && attempt && !farm_proved(all->farm, attempt) && !farm_failed(all->farm, attempt)) {
			farm_withdraw(all->farm, attempt);
			all->uuids[i].attempt = 0;
		}
	}
}

static void
remember(struct replay *all, const char *key, struct span recorded, const struct response *answer, uint64_t attempt)
{
	struct json *j = parse_text(SPAN_OF(&answer->body));
	struct span ours = json_str(json_get(j, "data"), "uuid");

	if (ours.p) {
		assert_true(all->nuuids < UUIDS);
		all->uuids[all->nuuids].recorded = xprintf("%.*s", SPAN_ARG(recorded));
		all->uuids[all->nuuids].ours = xprintf("%.*s", SPAN_ARG(ours));
		all->uuids[all->nuuids].key = xstrdup(key);
		all->uuids[all->nuuids++].attempt = attempt;
	} else {
		farm_withdraw(all->farm, attempt);
	}
	json_free(&j);
}

static uint64_t
type_of(const struct json *j)
{
	uint64_t type = 0;

	return json_u64(json_get(j, "task_type"), &type) && type >= TYPE_CHUNK && type <= TYPE_MAX ? type : TYPE_CHUNK;
}

static bool
is_named(struct span fork)
{
	return span_is(fork, "darwinV2") || span_is(fork, "darwin");
}

static struct span
fork_to_offer(const struct replay *all, struct span recorded)
{
	return is_named(recorded) || strstr(all->world, " fork") ? recorded : SPAN("darwinV2");
}

/* A task whose get_task was not recorded: it is fetched now, as this prover. */
static void
fetch(struct replay *all, const char *key, struct span uuid, const struct json *request, const struct json *body)
{
	struct response answer;
	char *ask = xprintf("{\"task_types\":[%" PRIu64 "]}", type_of(body));

	free_key(all, key);
	uint64_t attempt = farm_offer(all->farm, type_of(body), SPAN("0x01"), SPAN(""), SPAN("{}"));
	char *bytes = xprintf("POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nAuthorization: Bearer %.*s\r\n"
	    "Content-Length: %zu\r\n\r\n%s", coord_path(COORD_GET_TASK), SPAN_ARG(token_of(request)), strlen(ask), ask);
	farm_send(all->farm, span_str(bytes), &answer);
	remember(all, key, uuid, &answer, attempt);
	response_free(&answer);
	free(bytes);
	free(ask);
}

/* --- comparing ------------------------------------------------------------------------------------ */

static bool
same_header(const struct response *ours, const struct json *theirs, const char *name)
{
	return span_is(recording_header(theirs, name), response_header(ours, name));
}

/* The fork is the recorded one only where the recorded provers' tokens name it. */
static bool
same_task(const struct json *ours, const struct json *theirs)
{
	static const char *const members[] = { "task_id", "task_type", "task_data", "hard_fork_name" };
	bool named = is_named(json_str(theirs, "hard_fork_name"));

	for (size_t i = 0; i < NELEM(members) - !named; i++)
		if (!json_same(json_get(ours, members[i]), json_get(theirs, members[i])))
			return false;
	return true;
}

static bool
same_envelope(const struct json *ours, const struct json *theirs)
{
	const struct json *data = json_get(theirs, "data"), *own = json_get(ours, "data");

	return json_same(json_get(ours, "errcode"), json_get(theirs, "errcode")) &&
	    json_same(json_get(ours, "errmsg"), json_get(theirs, "errmsg")) &&
	    (json_str(data, "uuid").p ? same_task(own, data) : json_is_null(own) == json_is_null(data));
}

static bool
same_answer(const struct response *ours, const struct json *theirs)
{
	struct json *a = parse_text(SPAN_OF(&ours->body)), *b = parse_text(json_str(theirs, "body"));
	uint64_t status = 0;
	bool same = json_u64(json_get(theirs, "status"), &status) && status == ours->status;

	if (json_size(json_get(theirs, "headers")))
		same = same && same_header(ours, theirs, "Content-Type") && same_header(ours, theirs, "Location") &&
		    same_header(ours, theirs, "Www-Authenticate");
	if (json_is_object(b))
		same = same && json_is_object(a) && same_envelope(a, b);
	json_free(&a);
	json_free(&b);
	return same;
}

/* --- a line -------------------------------------------------------------------------------------------- */

static bool
says(struct span text, const char *words)
{
	return text.n && memmem(text.p, text.n, words, strlen(words));
}

/* What must be there before the request; the body gets our uuid. */
static uint64_t
prepare(struct replay *all, const char *key, const struct json *line, struct buf *body)
{
	const struct json *request = json_get(line, "request");
	struct span path = json_str(request, "path"), said = json_str(json_get(line, "response"), "body");
	struct json *asked = recording_asked(SPAN_OF(body)), *answer = parse_text(said);
	struct span uuid = json_str(asked, "uuid"), given = json_str(json_get(answer, "data"), "uuid");
	uint64_t attempt = 0;

	if (uuid.n == 38 && uuid.p[0] == '{')
		uuid = (struct span){ uuid.p + 1, 36 };
	if (given.p) {
		const struct json *data = json_get(answer, "data");
		free_key(all, key);
		attempt = farm_offer(all->farm, type_of(data), json_str(data, "task_id"),
		    fork_to_offer(all, json_str(data, "hard_fork_name")), json_str(data, "task_data"));
	} else if (span_is(path, coord_path(COORD_GET_TASK)) && says(said, "get empty")) {
		free_key(all, key);
	} else if (span_is(path, coord_path(COORD_SUBMIT)) && uuid.n == 36 && !says(said, "get none prover task")) {
		if (known(all, key, uuid) == SIZE_MAX)
			fetch(all, key, uuid, request, asked);
		size_t i = known(all, key, uuid);
		uint8_t *at = memmem(body->p, body->n, uuid.p, uuid.n);
		if (i != SIZE_MAX && at)
			memcpy(at, all->uuids[i].ours, 36);
	}
	json_free(&asked);
	json_free(&answer);
	return attempt;
}

static bool
is_kindness(struct replay *all, struct span name)
{
	for (size_t i = 0; i < NELEM(kind_at); i++)
		if (name.n >= strlen(kind_at[i].name) && memcmp(name.p, kind_at[i].name, strlen(kind_at[i].name)) == 0) {
			kind_at[i].met++;
			all->of_kind[kind_at[i].kindness]++;
			return true;
		}
	return false;
}

static void
judge(struct replay *all, const struct json *line, const struct response *answer)
{
	struct span name = json_str(line, "name"), theirs = json_str(json_get(line, "response"), "body");

	all->played++;
	if (same_answer(answer, json_get(line, "response")))
		return;
	if (is_kindness(all, name)) {
		all->kind++;
		return;
	}
	all->bad++;
	print_error("%.*s\n  theirs: %.*s\n", SPAN_ARG(name), (int)MIN2(theirs.n, 300), theirs.p ? (const char *)theirs.p : "");
	print_error("  ours:   %u %.*s\n", answer->status, (int)MIN2(answer->body.n, 300), answer->body.p ? (const char *)answer->body.p : "");
}

/* Bytes on a connection: our answers have the same status at the least. */
static void
replay_bytes(struct replay *all, const struct json *line)
{
	struct span name = json_str(line, "name");
	struct server s = { .farm = all->farm };
	bool codes, same = raw_same(&s, line, &codes);

	all->played++;
	if (same && !codes && is_kindness(all, name)) {
		all->kind++;
	} else if (!same || !codes) {
		all->bad++;
		print_error("%.*s\n", SPAN_ARG(name));
	}
}

static void
replay_line(void *arg, const struct json *line)
{
	const struct json *request = json_get(line, "request");
	struct span name = json_str(line, "name");
	struct replay *all = arg;
	struct buf body = { 0 };
	struct response answer;

	if (recording_left_out(left_out, NELEM(left_out), name)) {
		all->left_out++;
		return;
	}
	clock_freeze(recording_at_ms(line));
	begin_world(all, line);
	clock_freeze(recording_at_ms(line));
	if (raw_is(line)) {
		replay_bytes(all, line);
		return;
	}
	recording_body(request, &body);
	char *key = asker(request);
	uint64_t attempt = key ? prepare(all, key, line, &body) : 0;
	send_request(all, request, SPAN_OF(&body), &answer);
	if (attempt) {
		struct json *theirs = parse_text(json_str(json_get(line, "response"), "body"));
		remember(all, key, json_str(json_get(theirs, "data"), "uuid"), &answer, attempt);
		json_free(&theirs);
	}
	judge(all, line, &answer);
	response_free(&answer);
	buf_free(&body);
	free(key);
}

static void
dispatch_coordinator_differs_by_its_kindnesses_alone(void **state)
{
	struct replay *all = xzalloc(sizeof *all);

	recording_each("coordinator/v4.4.70.jsonl", "coordinator.jsonl", replay_line, all);
	end_world(all);
	clock_freeze(0);
	recording_report(left_out, NELEM(left_out));
	for (size_t i = 0; i < KINDNESSES; i++)
		print_message("kind at %zu lines: %s\n", all->of_kind[i], sentences[i]);
	for (size_t i = 0; i < NELEM(kind_at); i++)
		if (!kind_at[i].met && !recording_is_own())
			fail_msg("%s: no difference there", kind_at[i].name);
	print_message("%zu exchanges played, %zu differ by a kindness, %zu otherwise; %zu left out\n", all->played, all->kind, all->bad, all->left_out);
	assert_int_equal(all->bad, 0);
	assert_true(all->kind > 0);
	assert_true(all->played >= (recording_is_own() ? 20 : 380));
	free(all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dispatch_coordinator_differs_by_its_kindnesses_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
