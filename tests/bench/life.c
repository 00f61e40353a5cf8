/* life.c - see life.h. */
#include "tests/bench/life.h"

#include "common/hash.h"

enum { BODY_BYTES = 400, REASON_BYTES = 200, PROOF_BYTES = 300, PRICE = 200000, CALL_MS = 60 * 1000, DAY_MS = 24 * 3600 * 1000 };

const enum life_actor life_actor_of[LIFE_STEPS] = {
	[LIFE_FETCHED] = LIFE_FETCH, [LIFE_READY] = LIFE_TRACE, [LIFE_PLACED] = LIFE_ALLOCATE,
	[LIFE_SENDING] = LIFE_DISPATCH, [LIFE_PROVED] = LIFE_DISPATCH,
	[LIFE_VERIFIED] = LIFE_SUBMIT, [LIFE_SUBMITTING] = LIFE_SUBMIT, [LIFE_SUBMITTED] = LIFE_SUBMIT,
};
const char *const life_kinds[LIFE_ACTORS] = { "task-fetch", "trace-build", "allocate", "dispatch-exec", "submit" };
const char *const life_instances[LIFE_ACTORS] = {
	"task-fetch", "trace-build", "allocate", ("dispatch-exec." LIFE_PROVIDER), "submit"
};
const char life_input[] = "{\"made\":\"up\"}";

/* What bytes say does not matter, how many there are does. */
static struct span
fill(size_t n)
{
	static char filler[BODY_BYTES];

	memset(filler, 'x', sizeof filler);
	return (struct span){ (const uint8_t *)filler, n };
}

/* A body is JSON, and another for each job. */
static struct span
body_of(uint64_t number)
{
	static char body[BODY_BYTES + 1];
	int n = snprintf(body, sizeof body, "{\"n\":%" PRIu64 ",\"x\":\"", number);

	memset(body + n, 'x', sizeof body - (size_t)n);
	memcpy(body + BODY_BYTES - 2, "\"}", 3);
	return (struct span){ (const uint8_t *)body, BODY_BYTES };
}

static void
set_hash(uint8_t to[HASH_BYTES], uint64_t number)
{
	sha256_of((struct span){ (const uint8_t *)&number, sizeof number }, to);
}

static void
fetched(struct life_group *g, struct books_item *item, const struct life *l)
{
	struct row *set = &g->set;
	uint8_t hash[HASH_BYTES];

	*item = (struct books_item){ .kind = ROW_JOB, .to = JOB_FETCHED, .set = set };
	snprintf(g->uuid, sizeof g->uuid, "00000000-0000-4000-8000-%012" PRIx64, l->number);
	snprintf(g->task, sizeof g->task, "%s", l->task ? l->task : g->uuid);
	set_hash(hash, l->number);
	SET(set, chain, SPAN(LIFE_CHAIN));
	SET(set, identity, l->identity);
	SET(set, uuid, span_str(g->uuid));
	SET(set, type, TYPE_BATCH);
	SET(set, task, span_str(g->task));
	SET(set, fork, SPAN("euclidV2"));
	SET(set, body, body_of(l->number));
	ROW_HASH(set, body_blob, hash);
	SET(set, body_bytes, BODY_BYTES);
	SET(set, fetched_ms, l->wall_ms);
	SET(set, deadline_ms, l->wall_ms + DAY_MS);
}

static void
ready(struct life_group *g, struct books_item *item, const struct life *l)
{
	uint8_t hash[HASH_BYTES];

	*item = (struct books_item){ .kind = ROW_JOB, .id = l->job, .rev = l->job_rev, .from = JOB_FETCHED,
	    .to = JOB_READY, .set = &g->set };
	sha256_of(span_str(life_input), hash);
	ROW_HASH(&g->set, input_blob, hash);
	SET(&g->set, input_bytes, strlen(life_input));
}

static void
placed(struct life_group *g, struct books_item *item, const struct life *l)
{
	*item = (struct books_item){ .kind = ROW_ATTEMPT, .to = ATTEMPT_ALLOCATED, .set = &g->set };
	SET(&g->set, work, l->work);
	SET(&g->set, provider, SPAN(LIFE_PROVIDER));
	SET(&g->set, price, PRICE);
	SET(&g->set, reason, fill(REASON_BYTES));
	g->items[g->n++] = (struct books_item){ .kind = ROW_JOB, .id = l->job, .rev = l->job_rev, .from = JOB_READY,
	    .to = JOB_PLACED, .relies = { { ROW_WORK, l->work, l->work_rev } } };
}

static void
attempt_item(struct life_group *g, struct books_item *item, const struct life *l, uint64_t from, uint64_t to)
{
	*item = (struct books_item){ .kind = ROW_ATTEMPT, .id = l->attempt, .rev = l->attempt_rev, .from = from, .to = to,
	    .set = &g->set };
}

static void
sending(struct life_group *g, struct books_item *item, const struct life *l)
{
	attempt_item(g, item, l, ATTEMPT_ALLOCATED, ATTEMPT_SENDING);
	SET(&g->set, owner, span_str(l->owner));
	SET(&g->set, intent, 1);
	SET(&g->set, send_by_ms, l->wall_ms + CALL_MS);
	SET(&g->set, begun_ms, l->wall_ms);
}

static void
proved(struct life_group *g, struct books_item *item, const struct life *l)
{
	uint8_t hash[HASH_BYTES];

	attempt_item(g, item, l, ATTEMPT_SENDING, ATTEMPT_PROVED);
	set_hash(hash, l->attempt);
	SET(&g->set, proof, fill(PROOF_BYTES));
	ROW_HASH(&g->set, proof_blob, hash);
	SET(&g->set, proof_bytes, PROOF_BYTES);
}

static void
verified(struct life_group *g, struct books_item *item, const struct life *l)
{
	attempt_item(g, item, l, ATTEMPT_PROVED, ATTEMPT_VERIFIED);
}

static void
submitting(struct life_group *g, struct books_item *item, const struct life *l)
{
	*item = (struct books_item){ .kind = ROW_JOB, .id = l->job, .rev = l->job_rev,
	    .from = l->job_state ? l->job_state : (uint64_t)JOB_PLACED, .to = JOB_SUBMITTING, .set = &g->set };
	SET(&g->set, posts, 1);
	SET(&g->set, attempt, l->attempt);
}

static void
submitted(struct life_group *g, struct books_item *item, const struct life *l)
{
	*item = (struct books_item){ .kind = ROW_JOB, .id = l->job, .rev = l->job_rev, .from = JOB_SUBMITTING,
	    .to = JOB_SUBMITTED };
}

void
life_group(struct life_group *g, enum life_step step, const struct life *l)
{
	static void (*const steps[LIFE_STEPS])(struct life_group *, struct books_item *, const struct life *) = {
		fetched, ready, placed, sending, proved, verified, submitting, submitted
	};

	g->set.have = 0;
	g->n = 1;
	steps[step](g, &g->items[0], l);
}

void
life_identity(struct life_group *g, uint64_t index)
{
	g->set.have = 0;
	g->n = 1;
	g->items[0] = (struct books_item){ .kind = ROW_IDENTITY, .to = IDENTITY_IDLE, .set = &g->set };
	snprintf(g->uuid, sizeof g->uuid, "02%038" PRIx64, index);
	SET(&g->set, chain, SPAN(LIFE_CHAIN));
	SET(&g->set, identity, index);
	SET(&g->set, pubkey, span_str(g->uuid));
}
