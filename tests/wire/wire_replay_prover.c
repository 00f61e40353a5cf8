/* wire_replay_prover.c - exchanges of a real Coordinator: our prover's side sends the same requests, and understands
 * the answers.
 *
 * Reads coordinator/v4.4.70.jsonl of PROVA_FIXTURES; without, recordings/coordinator.jsonl, our own.  A recorded request is made again by our
 * codec from what went before: the login from its fields, get_task with the token read from the captured login,
 * the post with token and task read from captured answers (where those were not recorded, from the request
 * itself).  Method, path, headers and every member must be the same; keys and signatures, which are of others, are
 * kept.  Each captured answer is read, and must mean what its errcode and text say.  Requests that no prover
 * of ours sends are left out: a table says which and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/coord.h"
#include "common/map.h"
#include "tests/wire/recording.h"

enum { LINE_BYTES = 64 << 20 };

static struct left_out left_out[] = {
	{ "route.", "other methods, paths, queries", 0 },
	{ "challenge.method-", "other methods, paths, queries", 0 },
	{ "challenge.query-", "other methods, paths, queries", 0 },
	{ "raw.", "bytes on a connection, not requests", 0 },
	{ "auth.get_task-lower-scheme", "a token that is not where, or not as, ours is", 0 },
	{ "auth.get_task-no-scheme", "a token that is not where, or not as, ours is", 0 },
	{ "auth.get_task-bad-header", "a token that is not where, or not as, ours is", 0 },
	{ "login.auth-none", "a token that is not where, or not as, ours is", 0 },
	{ "login.auth-basic", "a token that is not where, or not as, ours is", 0 },
	{ "login.auth-no-scheme", "a token that is not where, or not as, ours is", 0 },
	{ "login.auth-trailing", "a token that is not where, or not as, ours is", 0 },
	{ "login.auth-empty", "a token that is not where, or not as, ours is", 0 },
	{ "login.challenge-not-equal", "a token that is not where, or not as, ours is", 0 },
	{ "login.order-token-before-body", "a token that is not where, or not as, ours is", 0 },
	{ "login.order-equality", "a token that is not where, or not as, ours is", 0 },
	{ "auth.guard-before-body", "a body that is no JSON, or not of the form", 0 },
	{ "jwt.html-with-expired", "a body that is no JSON, or not of the form", 0 },
	{ "login.body-", "a body that is no JSON, or not of the form", 0 },
	{ "login.message-string", "a body that is no JSON, or not of the form", 0 },
	{ "login.missing-", "a body that is no JSON, or not of the form", 0 },
	{ "login.empty-", "a body that is no JSON, or not of the form", 0 },
	{ "login.null-", "a body that is no JSON, or not of the form", 0 },
	{ "login.order-body-before", "a body that is no JSON, or not of the form", 0 },
	{ "get_task.empty-body", "a body that is no JSON, or not of the form", 0 },
	{ "get_task.null", "a body that is no JSON, or not of the form", 0 },
	{ "get_task.array", "a body that is no JSON, or not of the form", 0 },
	{ "get_task.html", "a body that is no JSON, or not of the form", 0 },
	{ "get_task.gzip", "a body that is no JSON, or not of the form", 0 },
	{ "submit.body-", "a body that is no JSON, or not of the form", 0 },
	{ "submit.gzip", "a body that is no JSON, or not of the form", 0 },
	{ "submit.form", "a body that is no JSON, or not of the form", 0 },
	{ "login.form-flat", "a body that is no JSON, or not of the form", 0 },
	{ "login.ctype-", "another content type", 0 },
	{ "get_task.ctype-", "another content type", 0 },
	{ "login.ok-types-base64", "prover_types otherwise than as an array of small numbers", 0 },
	{ "login.types-base64", "prover_types otherwise than as an array of small numbers", 0 },
	{ "login.types-strings", "prover_types otherwise than as an array of small numbers", 0 },
	{ "login.types-256", "prover_types otherwise than as an array of small numbers", 0 },
	{ "login.types-float", "prover_types otherwise than as an array of small numbers", 0 },
	{ "login.types-null-element", "prover_types otherwise than as an array of small numbers", 0 },
	{ "login.pk-absent", "no public key", 0 },
	{ "get_task.types-float", "task_types and prover_height of other types and sizes", 0 },
	{ "get_task.types-string", "task_types and prover_height of other types and sizes", 0 },
	{ "get_task.types-text", "task_types and prover_height of other types and sizes", 0 },
	{ "get_task.types-huge", "task_types and prover_height of other types and sizes", 0 },
	{ "get_task.height-string", "task_types and prover_height of other types and sizes", 0 },
	{ "get_task.height-negative", "task_types and prover_height of other types and sizes", 0 },
	{ "get_task.height-float", "task_types and prover_height of other types and sizes", 0 },
	{ "get_task.height-2-64", "task_types and prover_height of other types and sizes", 0 },
	{ "get_task.height-exp", "task_types and prover_height of other types and sizes", 0 },
	{ "get_task.height-max-u64", "task_types and prover_height of other types and sizes", 0 },
	{ "get_task.old-single-type", "task_types and prover_height of other types and sizes", 0 },
	{ "submit.uuid-absent", "a member is missing, or of another type", 0 },
	{ "submit.uuid-number", "a member is missing, or of another type", 0 },
	{ "submit.task_id-missing", "a member is missing, or of another type", 0 },
	{ "submit.task_id-null", "a member is missing, or of another type", 0 },
	{ "submit.task_id-number", "a member is missing, or of another type", 0 },
	{ "submit.task_type-0", "a member is missing, or of another type", 0 },
	{ "submit.task_type-null", "a member is missing, or of another type", 0 },
	{ "submit.task_type-float", "a member is missing, or of another type", 0 },
	{ "submit.status-string", "a member is missing, or of another type", 0 },
	{ "submit.proof-is-", "a member is missing, or of another type", 0 },
	{ "submit.failure_msg-number", "a member is missing, or of another type", 0 },
	{ "pps.third-fails", "a failure report without a type, or a type without a failure", 0 },
	{ "submit.twice-as-failure", "a failure report without a type, or a type without a failure", 0 },
	{ "submit.failure-type--1", "a failure report without a type, or a type without a failure", 0 },
	{ "submit.status-", "a failure report without a type, or a type without a failure", 0 },
	{ "submit.failure-with-good-proof", "a failure report without a type, or a type without a failure", 0 },
	{ "submit.failure-unknown-task-id", "a failure report without a type, or a type without a failure", 0 },
	{ "submit.big-10MB", "its body is not in the recording", 0 },
	{ "bigbad.", "its body is not in the recording", 0 },
};

struct replay {
	struct map	 tokens, tasks;		/* read from captured answers, by their text */
	size_t		 logins, asks, posts, chained, read, left_out, bad;
};

/* --- what answers brought --------------------------------------------------------------- */

static bool
same_span(const void *buf, const void *span)
{
	return span_eq(SPAN_OF((const struct buf *)buf), *(const struct span *)span);
}

/* The copy of a text that an answer brought; NULL: none did. */
static const struct buf *
brought(const struct map *m, struct span text)
{
	return map_get(m, map_hash(0, text), same_span, &text);
}

static bool
same_uuid(const void *task, const void *span)
{
	return span_eq(SPAN_OF(&((const struct coord_task *)task)->uuid), *(const struct span *)span);
}

/* --- requests ----------------------------------------------------------------------------- */

/* null, [] and an absent member are one: where something is required, none of them will do (table 1.5). */
static bool
is_nothing(const struct json *j)
{
	return json_is_null(j) || (json_is_array(j) && json_size(j) == 0);
}

struct members {
	const struct json	*other;
	bool			 same;
};

static bool same_value(const struct json *, const struct json *);

static void
compare_member(void *arg, const char *name, const struct json *value)
{
	struct members *m = arg;

	m->same = m->same && same_value(value, json_get(m->other, name));
}

static bool
same_value(const struct json *a, const struct json *b)
{
	struct members forth = { b, true }, back = { a, true };

	if (is_nothing(a) || is_nothing(b))
		return is_nothing(a) && is_nothing(b);
	if (!json_is_object(a) || !json_is_object(b))
		return json_same(a, b);
	json_each(a, compare_member, &forth);
	json_each(b, compare_member, &back);
	return forth.same && back.same;
}

static bool
same_json(struct span a, struct span b)
{
	char why[128];
	struct json *x = json_parse(a, LINE_BYTES, why), *y = json_parse(b, LINE_BYTES, why);
	bool same = json_is_object(x) && json_is_object(y) && same_value(x, y);

	json_free(&x);
	json_free(&y);
	return same;
}

/* Is our request the recorded one?  Takes it. */
static bool
same_request(struct coord_request *r, const struct json *request)
{
	struct span authorization = recording_header(request, "Authorization"), body = json_str(request, "body");
	char *bearer = authorization.n ? xprintf("Authorization: %.*s", SPAN_ARG(authorization)) : NULL;

	bool same = span_is(json_str(request, "method"), r->method) && span_is(json_str(request, "path"), r->path) &&
	    strcmp(bearer ? bearer : "", r->authorization ? r->authorization : "") == 0 &&
	    (!r->body.n || (span_is(recording_header(request, "Content-Type"), "application/json") && same_json(SPAN_OF(&r->body), body)));
	if (!same)
		print_error("  theirs: %.*s %.300s\n  ours:   %s %.300s\n", SPAN_ARG(json_str(request, "path")), body.p ? (const char *)body.p : "",
		    r->path, buf_cstr(&r->body));
	free(bearer);
	coord_request_free(r);
	return same;
}

static struct span
token_of(struct replay *all, const struct json *request)
{
	struct span authorization = recording_header(request, "Authorization");

	if (authorization.n <= 7)
		return (struct span){ 0 };
	struct span text = { authorization.p + 7, authorization.n - 7 };
	const struct buf *read = brought(&all->tokens, text);
	all->chained += read != NULL;
	return read ? SPAN_OF(read) : text;
}

static bool
replay_challenge(struct replay *all, const struct json *request)
{
	struct coord_request r;

	coord_ask_challenge(&r);
	return same_request(&r, request);
}

static bool
replay_login(struct replay *all, const struct json *request)
{
	struct coord_login l = { 0 };
	struct coord_request r;
	struct buf why = { 0 };
	bool same = coord_take_login("application/json", json_str(request, "body"), &l, &why);
	const struct buf *challenge = brought(&all->tokens, SPAN_OF(&l.challenge));

	all->logins++;
	if (challenge) {
		all->chained++;
		buf_reset(&l.challenge);
		buf_put(&l.challenge, challenge->p, challenge->n);
	}
	coord_ask_login(&r, &l);
	same = same_request(&r, request) && same;
	coord_login_free(&l);
	buf_free(&why);
	return same;
}

static bool
replay_ask(struct replay *all, const struct json *request)
{
	struct coord_want w = { 0 };
	struct coord_request r;
	struct buf why = { 0 };
	bool same = coord_take_want("application/json", json_str(request, "body"), &w, &why);

	all->asks++;
	coord_ask_task(&r, token_of(all, request), &w);
	same = same_request(&r, request) && same;
	coord_want_free(&w);
	buf_free(&why);
	return same;
}

static bool
replay_post(struct replay *all, const struct json *request)
{
	struct coord_proof p = { 0 };
	struct coord_request r;
	struct buf why = { 0 };
	bool same = coord_take_proof("application/json", json_str(request, "body"), &p, &why);
	struct span uuid = SPAN_OF(&p.uuid);
	const struct coord_task *task = map_get(&all->tasks, map_hash(0, uuid), same_uuid, &uuid);

	all->posts++;
	if (task) {
		all->chained++;
		buf_reset(&p.task_id);
		buf_put(&p.task_id, task->task_id.p, task->task_id.n);
		p.type = (int64_t)task->type;
	}
	coord_ask_submit(&r, token_of(all, request), &p);
	same = same_request(&r, request) && same;
	coord_proof_free(&p);
	buf_free(&why);
	return same;
}

/* --- answers -------------------------------------------------------------------------------- */

/* What an errcode, with these words, means to a get_task, and to a login. */
static const struct {
	int64_t			 errcode;
	const char		*words;
	enum coord_outcome	 task, login;
} meanings[] = {
	{ COORD_E_EXPIRED, "", COORD_TOKEN, COORD_TOKEN },
	{ COORD_E_JWT, "", COORD_TOKEN, COORD_REFUSED },
	{ COORD_E_EMPTY, "", COORD_IDLE, COORD_REFUSED },
	{ COORD_E_GET_TASK, "is already assigned a task", COORD_ALREADY, COORD_REFUSED },
	{ COORD_E_GET_TASK, "is blocked from fetching tasks", COORD_BLOCKED, COORD_REFUSED },
	{ COORD_E_GET_TASK, "", COORD_REFUSED, COORD_REFUSED },
	{ COORD_E_PARAMETER, "", COORD_REFUSED, COORD_REFUSED },
};

/* The same of a post. */
static const struct {
	int64_t			 errcode;
	const char		*words;
	enum coord_verdict	 verdict;
} verdicts[] = {
	{ COORD_E_OK, "", COORD_V_ACCEPTED }, { COORD_E_EXPIRED, "", COORD_V_TOKEN }, { COORD_E_JWT, "", COORD_V_TOKEN },
	{ COORD_E_PARAMETER, "", COORD_V_PARAMETER },
	{ COORD_E_PROOF, COORD_TWICE, COORD_V_TWICE }, { COORD_E_PROOF, COORD_ALREADY_PROVED, COORD_V_PROVED },
	{ COORD_E_PROOF, COORD_INVALID_PROOF, COORD_V_BAD_PROOF }, { COORD_E_PROOF, COORD_STATUS_NOT_OK, COORD_V_REPORTED },
	{ COORD_E_PROOF, COORD_NO_SUCH_TASK, COORD_V_AGAIN }, { COORD_E_PROOF, COORD_NO_FORK, COORD_V_AGAIN },
	{ COORD_E_PROOF, COORD_NO_KEY, COORD_V_TOKEN }, { COORD_E_PROOF, COORD_NO_VERSION, COORD_V_TOKEN },
	{ COORD_E_PROOF, "", COORD_V_SHAPE },	/* all that is left are its decoder's words */
};

static void
envelope_of(struct span body, int64_t *errcode, struct buf *text)
{
	char why[128];
	struct json *j = json_parse(body, LINE_BYTES, why);
	struct span words = json_str(j, "errmsg");

	*errcode = -1;
	(void)!json_i64(json_get(j, "errcode"), errcode);
	buf_put(text, words.p, words.n);
	json_free(&j);
}

static bool
read_token(struct replay *all, long status, struct span body, enum coord_outcome expected)
{
	struct coord_answer a;
	struct coord_token t;

	if (coord_read_token(status, body, &a, &t) != expected)
		return false;
	if (expected != COORD_DONE)
		return true;
	struct buf *text = xzalloc(sizeof *text);
	*text = t.text;
	map_put(&all->tokens, map_hash(0, SPAN_OF(text)), text);
	return t.life_s > 0 && t.exp_s > 0;
}

static bool
read_task(struct replay *all, long status, struct span body, enum coord_outcome expected)
{
	struct coord_answer a;
	struct coord_task *t = xzalloc(sizeof *t);

	if (coord_read_task(status, body, &a, t) != expected) {
		free(t);
		return false;
	}
	if (expected == COORD_DONE)
		map_put(&all->tasks, map_hash(0, SPAN_OF(&t->uuid)), t);
	else
		free(t);
	return true;
}

static enum coord_outcome
outcome_of(int64_t errcode, const char *text, bool login)
{
	if (errcode == COORD_E_OK)
		return COORD_DONE;
	for (size_t i = 0; i < NELEM(meanings); i++)
		if (meanings[i].errcode == errcode && strstr(text, meanings[i].words))
			return login ? meanings[i].login : meanings[i].task;
	return COORD_GARBAGE;
}

static enum coord_verdict
verdict_of(int64_t errcode, const char *text)
{
	for (size_t i = 0; i < NELEM(verdicts); i++)
		if (verdicts[i].errcode == errcode && strstr(text, verdicts[i].words))
			return verdicts[i].verdict;
	return COORD_V_AGAIN;
}

/* Any answer at this path: a garbled one is garbage, the others mean what they say. */
static bool
replay_answer(struct replay *all, enum coord_call call, const struct json *response)
{
	struct span body = json_str(response, "body");
	struct buf text = { 0 };
	struct coord_answer a;
	uint64_t status = 0;
	int64_t errcode;
	bool good;

	if (!json_u64(json_get(response, "status"), &status) || !body.p)
		return true;		/* no answer, or one that was too long for the recording */
	envelope_of(body, &errcode, &text);
	const char *words = buf_cstr(&text);
	all->read++;
	if (call == COORD_SUBMIT)
		good = coord_read_submit((long)status, body, &a) == verdict_of(errcode, words);
	else if (call == COORD_GET_TASK)
		good = read_task(all, (long)status, body, outcome_of(errcode, words, false));
	else
		good = read_token(all, (long)status, body, outcome_of(errcode, words, true));
	buf_free(&text);
	return good;
}

/* --- a line --------------------------------------------------------------------------------------- */

static bool
route(const struct json *request, enum coord_call *call)
{
	struct span path = json_str(request, "path");

	for (*call = COORD_CHALLENGE; *call <= COORD_SUBMIT; ++*call)
		if (span_is(path, coord_path(*call)))
			return true;
	return false;
}

static void
replay_line(void *arg, const struct json *line)
{
	static bool (*const requests[])(struct replay *, const struct json *) = {
		[COORD_CHALLENGE] = replay_challenge, [COORD_LOGIN] = replay_login, [COORD_GET_TASK] = replay_ask, [COORD_SUBMIT] = replay_post,
	};
	const struct json *request = json_get(line, "request");
	struct replay *all = arg;
	struct span name = json_str(line, "name");
	enum coord_call call = COORD_CHALLENGE;
	bool routed = route(request, &call);

	if (recording_left_out(left_out, NELEM(left_out), name)) {
		all->left_out++;
	} else if (!routed || !requests[call](all, request)) {
		print_error("%.*s: another request\n", SPAN_ARG(name));
		all->bad++;
	}
	if (routed && !replay_answer(all, call, json_get(line, "response"))) {
		print_error("%.*s: another meaning\n", SPAN_ARG(name));
		all->bad++;
	}
}

static void
free_replay(struct replay *all)
{
	size_t at = 0;

	for (struct buf *t; (t = map_next(&all->tokens, &at)); free(t))
		buf_free(t);
	at = 0;
	for (struct coord_task *t; (t = map_next(&all->tasks, &at)); free(t))
		coord_task_free(t);
	map_free(&all->tokens);
	map_free(&all->tasks);
}

static void
our_prover_asks_and_understands_as_recorded(void **state)
{
	struct replay all = { 0 };

	recording_each("coordinator/v4.4.70.jsonl", "coordinator.jsonl", replay_line, &all);
	recording_report(left_out, NELEM(left_out));
	print_message("%zu logins, %zu get_task, %zu posts made again, %zu tokens and tasks of them from captured answers; "
	    "%zu answers read; %zu requests left out, %zu differ\n", all.logins, all.asks, all.posts, all.chained, all.read, all.left_out, all.bad);
	assert_int_equal(all.bad, 0);
	if (recording_is_own())
		assert_true(all.logins >= 5 && all.asks >= 8 && all.posts >= 5 && all.read >= 20 && all.chained >= 5);
	else
		assert_true(all.logins >= 80 && all.asks >= 90 && all.posts >= 70 && all.read >= 400);
	free_replay(&all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_prover_asks_and_understands_as_recorded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
