/* coordinator.c - the Coordinator of prova-devnet.  See coordinator.h. */
#include "cmd/devnet/coordinator.h"

#include "cmd/devnet/verifier.h"
#include "common/clock.h"
#include "common/map.h"
#include "common/random.h"

#define OWN_VERSION	"v4.4.70-000000-000000-000000"
#define MIN_VERSION	"v4.4.43"

enum { REFUSALS_MAX = 64, REFUSAL_CHARS = 120 };

static const struct desk_version versions[] = {
	{ "v4.4.45", "darwinV2,darwin" }, { "v4.4.43", "darwin" }, { NULL, NULL },
};

static const char *const vks[] = { "mock_vk", NULL };

void
coordinator_init(struct coordinator *c, const struct coordinator_opts *opts, struct tasks *tasks, uint64_t seed)
{
	*c = (struct coordinator){ .opts = *opts, .tasks = tasks, .dice = seed };
	desk_init(&c->desk, &(struct desk_opts){
		.secret = span_str(opts->secret), .challenge_life_s = opts->life_s, .login_life_s = opts->life_s,
		.min_version = MIN_VERSION, .own_version = OWN_VERSION, .versions = versions,
		.vks = { [TYPE_CHUNK] = vks, [TYPE_BATCH] = vks, [TYPE_BUNDLE] = vks } });
}

void
coordinator_free(struct coordinator *c)
{
	desk_free(&c->desk);
	for (size_t i = 0; i < c->nrefusals; i++)
		free(c->refusals[i].text);
	free(c->refusals);
}

/* --- saying ----------------------------------------------------------------------- */

/* What a refusal is counted as: its text without keys, versions and offsets. */
static struct span
refusal_name(enum coord_text text, const char *inserted)
{
	static const char *const names[] = {
#define X(name, errcode, format) [COORD_T_##name] = #name,
		COORD_TEXTS(X)
#undef X
	};
	const char *is = strstr(inserted, " is ");

	if (text == COORD_T_TASK_CHECK && is)
		return (struct span){ (const uint8_t *)is + 1, strcspn(is + 1, ".") };
	if (text == COORD_T_SUBMIT_FAILED)
		return (struct span){ (const uint8_t *)inserted, MIN2(strlen(inserted), (size_t)REFUSAL_CHARS) };
	return span_str(names[text]);
}

static void
count_refusal(struct coordinator *c, struct span name)
{
	for (size_t i = 0; i < c->nrefusals; i++)
		if (span_is(name, c->refusals[i].text) || i == REFUSALS_MAX) {
			c->refusals[i].n++;
			return;
		}
	c->refusals = xrealloc(c->refusals, (c->nrefusals + 1) * sizeof *c->refusals);
	c->refusals[c->nrefusals].text = c->nrefusals == REFUSALS_MAX ? xstrdup("others") : xprintf("%.*s", SPAN_ARG(name));
	c->refusals[c->nrefusals++].n = 1;
}

static void
count_answer(struct coordinator *c, struct desk_reply *r)
{
	if (r->text == COORD_T_TASK_EMPTY)
		c->idle++;
	else if (r->text != COORD_T_OK)
		count_refusal(c, refusal_name(r->text, buf_cstr(&r->inserted)));
}

/* --- get_task -------------------------------------------------------------------------- */

static uint64_t
draw(struct coordinator *c, size_t n)
{
	c->dice = map_mix(c->dice, 1);
	return c->dice % n;
}

/* One of the types asked for, at random; 0 and a refusal when it is none. */
static uint64_t
drawn_type(struct coordinator *c, const struct coord_want *w, struct desk_reply *r)
{
	uint8_t type = (uint8_t)(w->ntypes ? (uint64_t)w->types[draw(c, w->ntypes)] : draw(c, TYPE_MAX) + 1);

	if (type >= TYPE_CHUNK && type <= TYPE_MAX)
		return type;
	desk_refuse(r, COORD_T_TASK_TYPE, "%u", type);
	return 0;
}

static bool
is_blocked(const struct coordinator *c, const char *key)
{
	for (const char *const *b = c->opts.blocked; b && *b; b++)
		if (strcmp(*b, key) == 0)
			return true;
	return false;
}

static const char *
missing_claim(const struct coord_claims *k)
{
	return !k->public_key.p ? COORD_NO_KEY : !k->name.p ? COORD_NO_NAME :
	    !k->version.p ? COORD_NO_TASK_VERSION : !k->fork.p ? COORD_NO_FORK_NAME : NULL;
}

static bool
may_have_one(struct coordinator *c, struct coord_claims *k, struct desk_reply *r)
{
	const char *missing = missing_claim(k);

	if (missing) {
		desk_refuse(r, COORD_T_TASK_CHECK, "%s", missing);
		return false;
	}
	const char *key = buf_cstr(&k->public_key);
	if (is_blocked(c, key)) {
		desk_refuse(r, COORD_T_TASK_CHECK, "public key %s is blocked from fetching tasks. ProverName: %s, ProverVersion: %s",
		    key, buf_cstr(&k->name), buf_cstr(&k->version));
		return false;
	}
	if (tasks_held(c->tasks, key)) {
		desk_refuse(r, COORD_T_TASK_CHECK, "prover with publicKey %s is already assigned a task. ProverName: %s, ProverVersion: %s",
		    key, buf_cstr(&k->name), buf_cstr(&k->version));
		return false;
	}
	return true;
}

static void
put_uuid(struct buf *b)
{
	uint8_t u[16];

	random_bytes(u, sizeof u);
	u[6] = (u[6] & 0x0f) | 0x40;
	u[8] = (u[8] & 0x3f) | 0x80;
	for (size_t i = 0; i < sizeof u; i++)
		buf_printf(b, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", u[i]);
}

/* The real one writes the name into its data base, which takes no NUL: the attempt is burnt. */
static bool
can_be_written(const struct coord_claims *k)
{
	return !memchr(k->name.p, 0, k->name.n);
}

static void
assign(struct coordinator *c, struct coord_claims *k, uint64_t type, const struct coord_want *w, struct desk_reply *r)
{
	struct span id = c->opts.by_id ? SPAN_OF(&w->task_id) : (struct span){ 0 };
	struct item *it = tasks_choose(c->tasks, type, w->height, id);
	struct coord_task task = { .type = type };

	if (!it) {
		desk_refuse(r, COORD_T_TASK_EMPTY, "%s", "");
		return;
	}
	if (!can_be_written(k) || !tasks_data(c->tasks, it)) {
		tasks_give_back(it);
		desk_refuse(r, COORD_T_TASK_INTERNAL, "%s", "");
		return;
	}
	put_uuid(&task.uuid);
	tasks_open(c->tasks, it, buf_cstr(&task.uuid), buf_cstr(&k->public_key));
	buf_puts(&task.task_id, it->id);
	buf_puts(&task.fork, c->opts.fork);
	task.data = it->data;
	coord_put_task(&r->body, &task);
	task.data = (struct buf){ 0 };
	coord_task_free(&task);
}

static void
get_task(struct coordinator *c, struct desk_call *call, struct desk_reply *r)
{
	uint64_t type = drawn_type(c, &call->want, r);

	if (type && may_have_one(c, &call->claims, r))
		assign(c, &call->claims, type, &call->want, r);
}

/* --- submit_proof ------------------------------------------------------------------------- */

static void
failed(struct desk_reply *r, const char *text)
{
	desk_refuse(r, COORD_T_SUBMIT_FAILED, "%s", text);
}

/* The item that the request names gets the proof, whatever the row says. */
static void
judge_proof(struct coordinator *c, const struct coord_proof *p, struct row *row, struct item *it, struct desk_reply *r)
{
	struct buf why = { 0 };
	enum verifier verdict = verifier_judge(c->tasks, it, SPAN_OF(&p->proof), c->opts.mock_verifier, &why);

	if (verdict == VERIFIER_SHAPE) {
		failed(r, buf_cstr(&why));
	} else if (verdict == VERIFIER_BAD) {
		tasks_close(c->tasks, row, ROW_INVALID, FAIL_VERIFY, it->type);
		failed(r, COORD_INVALID_PROOF);
	} else {
		tasks_close(c->tasks, row, ROW_VALID, 0, it->type);
		tasks_verified(c->tasks, it, SPAN_OF(&p->proof));
		coord_put_taken(&r->body);
	}
	buf_free(&why);
}

static void
take_proof(struct coordinator *c, const struct coord_proof *p, const char *key, struct desk_reply *r)
{
	uint8_t type = (uint8_t)p->type;
	struct row *row = tasks_row(c->tasks, SPAN_OF(&p->uuid), key);
	struct item *it = type ? tasks_item(c->tasks, type, SPAN_OF(&p->task_id)) : NULL;

	if (!row) {
		failed(r, COORD_NO_SUCH_TASK);
	} else if (row->status != ROW_ASSIGNED) {
		failed(r, COORD_TWICE);
	} else if (p->status != 0) {
		tasks_close(c->tasks, row, ROW_INVALID, FAIL_NOT_OK, type);
		failed(r, COORD_STATUS_NOT_OK);
	} else if (it && it->status == ITEM_VERIFIED) {
		tasks_close(c->tasks, row, ROW_INVALID, FAIL_ALREADY, 0);
		failed(r, COORD_ALREADY_PROVED);
	} else if (!it) {
		failed(r, COORD_NO_FORK);
	} else {
		judge_proof(c, p, row, it, r);
	}
}

/* --- all of it -------------------------------------------------------------------------------- */

void
coordinator_answer(struct coordinator *c, const struct desk_ask *a, struct desk_reply *r)
{
	struct desk_call call;
	enum desk_next next = desk_take(&c->desk, a, clock_wall_ms(), &call, r);

	if (next == DESK_TASK)
		get_task(c, &call, r);
	else if (next == DESK_PROOF)
		take_proof(c, &call.proof, buf_cstr(&call.claims.public_key), r);
	count_answer(c, r);
	desk_call_free(&call);
}
