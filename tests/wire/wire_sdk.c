/* wire_sdk.c - requests of the real proving SDK: dispatch-coordinator gives each the answer that its recorded
 * continuation needs.
 * uses: cmd/dispatch-coordinator
 *
 * Reads sdk/requests.jsonl of PROVA_FIXTURES; without, recordings/sdk.jsonl, our own.  Each recorded request for a Coordinator is sent
 * as it was, at its recorded time, over HTTP to our door, court and desk, with the test as ledger.  It needs:
 *
 *   challenge, login          a token
 *   get_task                  a task of a type that it named, with all that the SDK demands; the same one again as long
 *                             as it is held
 *   submit_proof              errcode 0, also when it comes again; the proof, or the failure, is then with the ledger
 *   a token that is over      50001, on which the SDK signs in again
 *
 * uuids are ours: a recorded one is replaced by that of the task which was given in its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <time.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/jwt.h"
#include "tests/wire/farm.h"
#include "tests/wire/recording.h"

enum { TASKS = 256, HOLD_MS = 1000 };	/* the clock stands: nobody is held so long */

static struct left_out left_out[] = {
	{ "/l2-", "for the L2 node", 0 },
	{ "/coordinator-other-307-target", "the path is that of a redirect of the recording's server", 0 },
	{ "login-challenge-odd-token/", "its challenge is no token of a Coordinator", 0 },
	{ "submit-answer-before-body/coordinator-submit_proof-early-413-next", "its body is not in the recording", 0 },
	{ "submit-failures/coordinator-submit_proof-empty-proof", "a proof without a byte is refused, as by the real one", 0 },
	{ "/coordinator-submit_proof-large-ok", "its body is not in the recording", 0 },
};

/* A task that our side gave in place of a recorded one. */
struct task {
	char		*recorded, *ours;	/* uuids */
	char		*key;
	uint64_t	 attempt;
};

/* One run of the SDK: it began with a server that knew nothing. */
struct run {
	char		*name;
	struct farm	*farm;
	struct span	 secret;
	struct task	 tasks[TASKS];
	size_t		 ntasks;
};

struct replay {
	struct run	 run;
	uint64_t	 now_ms;
	size_t		 challenges, logins, tasks, proofs, failures, renewals, runs, left_out, bad;
};

static void
end_run(struct run *r)
{
	farm_free(&r->farm);
	for (size_t i = 0; i < r->ntasks; i++) {
		free(r->tasks[i].recorded);
		free(r->tasks[i].ours);
		free(r->tasks[i].key);
	}
	free(r->name);
	*r = (struct run){ 0 };
}

static void
begin_run(struct replay *all, struct span name)
{
	static const struct desk_version versions[] = { { "*", "darwinV2,darwin" }, { NULL, NULL } };
	static const char *const vks[] = { "mock_vk", NULL };
	struct run *r = &all->run;

	end_run(r);
	all->runs++;
	r->name = xprintf("%.*s", SPAN_ARG(name));
	r->secret = span_str(recording_secret(strstr(r->name, "real-") ? "prover secret key" : "a secret of ours"));
	r->farm = farm_new(&(struct desk_opts){ .secret = r->secret, .challenge_life_s = 3600, .login_life_s = 3600,
	    .own_version = "v4.4.70-0-0-0", .versions = versions, .kind = true,
	    .vks = { [TYPE_CHUNK] = vks, [TYPE_BATCH] = vks, [TYPE_BUNDLE] = vks } }, HOLD_MS);
}

/* --- sending ------------------------------------------------------------------------------ */

struct headers { struct buf *out; size_t body; };

static void
put_header(void *arg, const char *name, const struct json *value)
{
	struct headers *h = arg;

	if (strcasecmp(name, "content-length") == 0)
		buf_printf(h->out, "%s: %zu\r\n", name, h->body);
	else
		buf_printf(h->out, "%s: %.*s\r\n", name, SPAN_ARG(json_text(value)));
}

static void
send_request(struct run *r, const struct json *request, struct span body, struct response *answer)
{
	struct buf bytes = { 0 };
	struct headers h = { &bytes, body.n };

	buf_printf(&bytes, "%.*s %.*s HTTP/1.1\r\n", SPAN_ARG(json_str(request, "method")), SPAN_ARG(json_str(request, "path")));
	json_each(json_get(request, "headers"), put_header, &h);
	buf_puts(&bytes, "connection: close\r\n\r\n");
	buf_put(&bytes, body.p, body.n);
	farm_send(r->farm, SPAN_OF(&bytes), answer);
	buf_free(&bytes);
}

static struct span
token_of(const struct json *request)
{
	struct span text = json_str(json_get(request, "headers"), "authorization");

	return text.n > 7 ? (struct span){ text.p + 7, text.n - 7 } : (struct span){ 0 };
}

/* Who asks; NULL: the token is not good, or not any more. */
static char *
asker(const struct run *r, const struct json *request)
{
	struct buf json = { 0 };
	struct coord_claims k = { 0 };
	char *key = NULL;

	if (jwt_verify(token_of(request), r->secret, clock_wall_ms() / 1000, &json, NULL) == JWT_OK &&
	    coord_take_claims(SPAN_OF(&json), &k) && k.public_key.p)
		key = xstrdup(buf_cstr(&k.public_key));
	coord_claims_free(&k);
	buf_free(&json);
	return key;
}

/* --- what answers must be, as strictly as the SDK reads them -------------------------------- */

static struct json *
envelope(const struct response *answer, int64_t errcode)
{
	char why[128];
	struct json *j = json_parse(SPAN_OF(&answer->body), 64 << 20, why);
	int64_t code = -1;

	if (answer->status != 200 || !json_i64(json_get(j, "errcode"), &code) || code != errcode ||
	    !json_is_string(json_get(j, "errmsg")) || (errcode && !json_is_null(json_get(j, "data"))))
		json_free(&j);
	return j;
}

static bool
is_token(const struct response *answer)
{
	struct json *j = envelope(answer, 0);
	const struct json *data = json_get(j, "data");
	bool good = json_str(data, "token").n && json_str(data, "time").n;

	json_free(&j);
	return good;
}

static bool
is_taken(const struct response *answer)
{
	struct json *j = envelope(answer, 0);
	bool good = j && json_is_null(json_get(j, "data"));

	json_free(&j);
	return good;
}

static bool
is_expired(const struct response *answer)
{
	struct json *j = envelope(answer, COORD_E_EXPIRED);
	bool good = j != NULL;

	json_free(&j);
	return good;
}

/* --- tasks -------------------------------------------------------------------------------------- */

static struct task *
task_of_key(struct run *r, const char *key)
{
	for (size_t i = r->ntasks; i-- > 0; )
		if (strcmp(r->tasks[i].key, key) == 0 && !farm_proved(r->farm, r->tasks[i].attempt) &&
		    !farm_failed(r->farm, r->tasks[i].attempt))
			return &r->tasks[i];
	return NULL;
}

static struct task *
task_recorded(struct run *r, const char *key, struct span uuid)
{
	for (size_t i = r->ntasks; i-- > 0; )
		if (strcmp(r->tasks[i].key, key) == 0 && span_is(uuid, r->tasks[i].recorded))
			return &r->tasks[i];
	return NULL;
}

/* It is over, and not ours any more. */
static void
withdraw(struct run *r, uint64_t attempt)
{
	farm_withdraw(r->farm, attempt);
	for (size_t i = 0; i < r->ntasks; i++)
		if (r->tasks[i].attempt == attempt)
			*r->tasks[i].key = '\0';
}

static bool
names_type(const struct json *types, uint64_t type)
{
	uint64_t t = 0;

	for (size_t i = 0; i < json_size(types); i++)
		if (json_u64(json_at(types, i), &t) && t == type)
			return true;
	return false;
}

/* The type to offer: the recorded one, where it was asked for. */
static uint64_t
type_to_offer(const struct json *want, const struct json *given)
{
	const struct json *types = json_get(want, "task_types");
	uint64_t type = 0;

	if (json_u64(json_get(given, "task_type"), &type) && names_type(types, type))
		return type;
	(void)!json_u64(json_at(types, 0), &type);
	return type;
}

/* Something like the recorded task is there to be done. */
static uint64_t
offer(struct run *r, uint64_t type, const struct json *given)
{
	struct span fork = json_str(given, "hard_fork_name"), id = json_str(given, "task_id"), data = json_str(given, "task_data");

	if (!span_is(fork, "darwin"))
		fork = SPAN("darwinV2");
	return farm_offer(r->farm, type, id.n ? id : SPAN("0x01"), fork, data.n && data.n < 60000 ? data : SPAN("{\"block_hashes\":[]}"));
}

/* A whole task, of a type that was asked for.  Its uuid is kept under the recorded one. */
static bool
take_task(struct run *r, const char *key, const struct json *want, struct span recorded, uint64_t attempt, const struct response *answer)
{
	static const char *const texts[] = { "uuid", "task_id", "task_data", "hard_fork_name" };
	struct json *j = envelope(answer, 0);
	const struct json *data = json_get(j, "data"), *types = json_get(want, "task_types");
	uint64_t type = 0;
	bool good = json_u64(json_get(data, "task_type"), &type) && (json_size(types) == 0 || names_type(types, type));

	for (size_t i = 0; i < NELEM(texts); i++)
		good = good && json_is_string(json_get(data, texts[i]));
	struct task *held = task_of_key(r, key);
	good = good && (!held || held->attempt != attempt || span_is(json_str(data, "uuid"), held->ours));
	if (good && r->ntasks < TASKS)
		r->tasks[r->ntasks++] = (struct task){ .recorded = xprintf("%.*s", SPAN_ARG(recorded)), .key = xstrdup(key),
		    .ours = xprintf("%.*s", SPAN_ARG(json_str(data, "uuid"))), .attempt = attempt };
	json_free(&j);
	return good;
}

/* The recorded server gave another task than the one that is held here: that one was over. */
static struct task *
still_held(struct run *r, const char *key, const struct json *given)
{
	struct task *t = task_of_key(r, key);
	struct span uuid = json_str(given, "uuid");

	if (!t || !uuid.p || span_is(uuid, t->recorded))
		return t;
	withdraw(r, t->attempt);
	return NULL;
}

static struct json *
parse_text(struct span text)
{
	char why[128];

	return text.p ? json_parse(text, 64 << 20, why) : NULL;
}

static bool
replay_get_task(struct replay *all, const struct json *line)
{
	const struct json *request = json_get(line, "request");
	struct json *want = parse_text(json_str(request, "body")), *theirs = parse_text(json_str(json_get(line, "response"), "body"));
	const struct json *given = json_is_object(theirs) ? json_get(theirs, "data") : NULL;
	struct run *r = &all->run;
	struct response answer;
	char *key = asker(r, request);
	bool good;

	struct task *t = key ? still_held(r, key, given) : NULL;
	uint64_t attempt = t ? t->attempt : key ? offer(r, type_to_offer(want, given), given) : 0;
	send_request(r, request, json_str(request, "body"), &answer);
	if (key) {
		good = take_task(r, key, want, json_str(given, "uuid").p ? json_str(given, "uuid") : SPAN("?"), attempt, &answer);
		all->tasks++;
	} else {
		good = is_expired(&answer);
		all->renewals++;
	}
	response_free(&answer);
	json_free(&want);
	json_free(&theirs);
	free(key);
	return good;
}

/* --- proofs ------------------------------------------------------------------------------------------ */

/* A task for a proof whose get_task was not recorded. */
static struct task *
task_for_proof(struct run *r, const char *key, const struct json *request, const struct json *body)
{
	struct response answer;
	struct task *t = task_recorded(r, key, json_str(body, "uuid"));
	uint64_t type = 0;

	if (t)
		return t;
	if (!json_u64(json_get(body, "task_type"), &type) || type < TYPE_CHUNK || type > TYPE_MAX)
		type = TYPE_CHUNK;
	if ((t = task_of_key(r, key)))
		withdraw(r, t->attempt);
	uint64_t attempt = offer(r, type, body);
	char *ask = xprintf("{\"task_types\":[%" PRIu64 "],\"prover_height\":null}", type);
	char *bytes = xprintf("POST %s HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\nauthorization: Bearer %.*s\r\n"
	    "content-length: %zu\r\n\r\n%s", coord_path(COORD_GET_TASK), SPAN_ARG(token_of(request)), strlen(ask), ask);
	farm_send(r->farm, span_str(bytes), &answer);
	struct json *want = parse_text(span_str(ask));
	bool good = take_task(r, key, want, json_str(body, "uuid"), attempt, &answer);
	json_free(&want);
	response_free(&answer);
	free(ask);
	free(bytes);
	return good ? &r->tasks[r->ntasks - 1] : NULL;
}

/* The body with our uuid in it. */
static void
put_body(struct buf *out, struct span body, struct span recorded, const char *ours)
{
	char *from = xprintf("\"uuid\":\"%.*s\"", SPAN_ARG(recorded));
	const uint8_t *at = memmem(body.p, body.n, from, strlen(from));

	assert_non_null(at);
	buf_put(out, body.p, (size_t)(at - body.p));
	buf_printf(out, "\"uuid\":\"%s\"", ours);
	at += strlen(from);
	buf_put(out, at, (size_t)(body.p + body.n - at));
	free(from);
}

static bool
replay_submit(struct replay *all, const struct json *line)
{
	const struct json *request = json_get(line, "request");
	struct span text = json_str(request, "body");
	struct json *body = parse_text(text);
	struct run *r = &all->run;
	struct response answer;
	struct buf ours = { 0 };
	char *key = asker(r, request);
	int64_t status = 0;

	struct task *t = key ? task_for_proof(r, key, request, body) : NULL;
	(void)!json_i64(json_get(body, "status"), &status);
	put_body(&ours, text, json_str(body, "uuid"), t ? t->ours : "");
	send_request(r, request, SPAN_OF(&ours), &answer);
	bool good = !key ? is_expired(&answer) : t && is_taken(&answer) && (farm_proved(r->farm, t->attempt) || farm_failed(r->farm, t->attempt));
	/* once more, byte for byte */
	response_free(&answer);
	send_request(r, request, SPAN_OF(&ours), &answer);
	good = good && (key ? is_taken(&answer) : is_expired(&answer));
	*(!key ? &all->renewals : status ? &all->failures : &all->proofs) += 1;
	response_free(&answer);
	buf_free(&ours);
	json_free(&body);
	free(key);
	return good;
}

/* --- tokens -------------------------------------------------------------------------------------------- */

static bool
replay_challenge(struct replay *all, const struct json *line)
{
	struct response answer;

	send_request(&all->run, json_get(line, "request"), (struct span){ 0 }, &answer);
	bool good = is_token(&answer);
	all->challenges++;
	response_free(&answer);
	return good;
}

/* Twice: the second is answered with the first one's token. */
static bool
replay_login(struct replay *all, const struct json *line)
{
	const struct json *request = json_get(line, "request");
	struct response answer, again;

	send_request(&all->run, request, json_str(request, "body"), &answer);
	send_request(&all->run, request, json_str(request, "body"), &again);
	bool good = is_token(&answer) && span_eq(SPAN_OF(&answer.body), SPAN_OF(&again.body));
	all->logins++;
	response_free(&answer);
	response_free(&again);
	return good;
}

/* --- all of it -------------------------------------------------------------------------------------------- */

/* "Sat, 21 Nov 2026 00:18:38 GMT"; where it is missing, as the line before, or when the token was made. */
static void
set_clock(struct replay *all, const struct json *line)
{
	struct span date = json_str(json_get(json_get(line, "response"), "headers"), "Date");
	uint64_t exp_s, made_s;
	char text[64];
	struct tm tm = { 0 };

	if (span_cstr(date, text, sizeof text) && strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm))
		all->now_ms = (uint64_t)timegm(&tm) * 1000;
	else if (jwt_times(token_of(json_get(line, "request")), &exp_s, &made_s) && made_s * 1000 > all->now_ms)
		all->now_ms = made_s * 1000;
	clock_freeze(all->now_ms);
}

/* Where the recorded server called the token over, it is: its last second has passed. */
static void
end_token(struct replay *all, const struct json *line)
{
	struct json *theirs = parse_text(json_str(json_get(line, "response"), "body"));
	uint64_t exp_s, made_s;
	int64_t errcode = 0;

	if (json_is_object(theirs) && json_i64(json_get(theirs, "errcode"), &errcode) && errcode == COORD_E_EXPIRED &&
	    jwt_times(token_of(json_get(line, "request")), &exp_s, &made_s))
		clock_freeze(exp_s * 1000);
	json_free(&theirs);
}

static void
replay_line(void *arg, const struct json *line)
{
	static bool (*const calls[])(struct replay *, const struct json *) = {
		[COORD_CHALLENGE] = replay_challenge, [COORD_LOGIN] = replay_login, [COORD_GET_TASK] = replay_get_task, [COORD_SUBMIT] = replay_submit,
	};
	struct replay *all = arg;
	struct span name = json_str(line, "name"), run = name, path = json_str(json_get(line, "request"), "path");
	enum coord_call call = COORD_CHALLENGE;

	run.n = (size_t)((const uint8_t *)memchr(name.p, '/', name.n) - name.p);
	if (recording_left_out(left_out, NELEM(left_out), name)) {
		all->left_out++;
		return;
	}
	if (!all->run.name || !span_is(run, all->run.name))
		begin_run(all, run);
	set_clock(all, line);
	while (call < COORD_SUBMIT && !span_is(path, coord_path(call)))
		call++;
	if (call >= COORD_GET_TASK)
		end_token(all, line);
	if (!calls[call](all, line)) {
		print_error("%.*s: not the answer that it needs\n", SPAN_ARG(name));
		all->bad++;
	}
}

static void
each_recorded_request_gets_the_answer_that_it_needs(void **state)
{
	struct replay all = { 0 };

	recording_each("sdk/requests.jsonl", "sdk.jsonl", replay_line, &all);
	end_run(&all.run);
	clock_freeze(0);
	recording_report(left_out, NELEM(left_out));
	print_message("%zu runs: %zu challenges, %zu logins, %zu tasks, %zu proofs, %zu failure reports, %zu old tokens; "
	    "%zu lines left out; %zu bad\n", all.runs, all.challenges, all.logins, all.tasks, all.proofs, all.failures, all.renewals,
	    all.left_out, all.bad);
	assert_int_equal(all.bad, 0);
	if (recording_is_own())
		assert_true(all.logins == 2 && all.tasks == 2 && all.proofs == 2 && all.failures == 1 && all.renewals == 1);
	else
		assert_true(all.logins >= 40 && all.tasks >= 180 && all.proofs >= 90 && all.renewals >= 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_recorded_request_gets_the_answer_that_it_needs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
