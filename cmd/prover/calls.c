/* calls.c - get_task and submit_proof.  See calls.h. */
#include "cmd/prover/calls.h"

enum {
	TASK_BYTES	= 256 << 20,	/* largest answer to get_task: a universal task carries its witness */
	ANSWER_BYTES	= 1 << 20,
	LARGE_BYTES	= 256 << 10,	/* a Coordinator that dislikes the token may cut off larger posts without a word */
};

struct call {
	struct calls		*calls;
	size_t			 worker;
	uint32_t		 identity;
	uint64_t		 types;		/* of a poll */
	struct buf		 task_id;
	struct loop_timer	 timer;		/* a poll that is not made is told so in the next turn */
	const struct record	*record;	/* of a post; borrowed */
	struct call		*next;
};

struct calls {
	struct calls_opts	 o;
	struct call		*all;
};

struct calls *
calls_new(const struct calls_opts *o)
{
	struct calls *c = xzalloc(sizeof *c);

	c->o = *o;
	return c;
}

static void
free_call(struct call *call)
{
	struct call **at = &call->calls->all;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	loop_timer(call->calls->o.loop, &call->timer, 0);
	buf_free(&call->task_id);
	free(call);
}

void
calls_free(struct calls **cp)
{
	struct calls *c = *cp;

	*cp = NULL;
	if (!c)
		return;
	while (c->all)
		free_call(c->all);
	free(c);
}

static struct call *
new_call(struct calls *c, size_t worker, uint32_t identity)
{
	struct call *call = xzalloc(sizeof *call);

	*call = (struct call){ .calls = c, .worker = worker, .identity = identity, .next = c->all };
	c->all = call;
	return call;
}

/* ---- get_task ---- */

static void
poll_over(struct call *call, const struct poll_result *r)
{
	struct calls *c = call->calls;
	size_t worker = call->worker;

	free_call(call);
	c->o.polled(c->o.arg, worker, r);
}

static bool
make_poll(void *arg, struct span token, struct coord_request *r)
{
	struct call *call = arg;
	struct calls *c = call->calls;
	struct coord_want want = { .universal = c->o.universal, .task_id = call->task_id };

	for (uint64_t type = TYPE_CHUNK; type <= TYPE_MAX; type++)
		if (call->types >> type & 1)
			want.types[want.ntypes++] = (int64_t)type;
	want.no_height = !(call->types >> TYPE_CHUNK & 1) || !c->o.height || !height_known(c->o.height, &want.height);
	coord_ask_task(r, token, &want);
	return true;
}

static const enum poll_outcome outcomes[] = {
	[COORD_DONE] = POLL_TASK, [COORD_IDLE] = POLL_EMPTY, [COORD_ALREADY] = POLL_ASSIGNED,
	[COORD_BLOCKED] = POLL_BLOCKED, [COORD_TOKEN] = POLL_REFUSED, [COORD_REFUSED] = POLL_REFUSED,
};

/* Not the protocol.  What stands between may have stopped waiting for the Coordinator; else it is over there. */
static enum poll_outcome
page(long status)
{
	return status == 502 || status == 504 ? POLL_UNANSWERED : POLL_NOT_SENT;
}

static bool
poll_done(void *arg, const struct identity_answer *a)
{
	struct call *call = arg;
	struct coord_answer answer = { 0 };
	struct coord_task task = { 0 };

	if (a->fail != HTTP_OK) {
		poll_over(call, &(struct poll_result){ .code = a->code, .why = a->error,
		    .outcome = a->fail == HTTP_NOT_SENT ? POLL_NOT_SENT : POLL_UNANSWERED });
		return false;
	}
	enum coord_outcome o = coord_read_task(a->status, a->body, &answer, &task);
	if (o == COORD_TOKEN && !a->last)
		return true;
	poll_over(call, &(struct poll_result){ .outcome = o == COORD_GARBAGE ? page(a->status) : outcomes[o], .task = &task,
	    .code = o == COORD_TOKEN ? CODE_LOGIN_REFUSED : answer.code, .why = answer.errmsg });
	coord_task_free(&task);
	return false;
}

static void
not_asked(void *arg)
{
	poll_over(arg, &(struct poll_result){ .outcome = POLL_SKIPPED, .code = CODE_L2_AWAY, .why = "no L2 node answers" });
}

static void
ask(void *arg)
{
	struct call *call = arg;
	struct calls *c = call->calls;

	if (c->o.height && height_away(c->o.height))
		call->types &= ~(UINT64_C(1) << TYPE_CHUNK);
	if (!call->types) {
		call->timer = (struct loop_timer){ .fn = not_asked, .arg = call };
		loop_timer(c->o.loop, &call->timer, MAX2(clock_ms(), 1));
		return;
	}
	identity_call(c->o.identities, call->identity, &(struct identity_ask){ .make = make_poll, .done = poll_done,
	    .arg = call, .timeout_ms = c->o.timeout_ms, .max_bytes = TASK_BYTES });
}

void
calls_poll(struct calls *c, size_t worker, uint32_t identity, uint64_t types, struct span task_id)
{
	struct call *call = new_call(c, worker, identity);

	call->types = types;
	if (task_id.n)
		buf_put(&call->task_id, task_id.p, task_id.n);
	if (c->o.height && types >> TYPE_CHUNK & 1)
		height_wait(c->o.height, ask, call);
	else
		ask(call);
}

/* ---- submit_proof ---- */

static bool
make_post(void *arg, struct span token, struct coord_request *r)
{
	struct call *call = arg;

	taskfile_submit(call->record, call->calls->o.universal, token, r);
	return true;
}

static void
post_over(struct call *call, enum posted posted, enum code code, const char *why)
{
	struct calls *c = call->calls;
	size_t worker = call->worker;

	free_call(call);
	c->o.posted(c->o.arg, worker, posted, code, why);
}

static const enum posted meanings[] = {
	[COORD_V_ACCEPTED] = POSTED_TAKEN, [COORD_V_TWICE] = POSTED_FINAL, [COORD_V_PROVED] = POSTED_FINAL,
	[COORD_V_BAD_PROOF] = POSTED_FINAL, [COORD_V_REPORTED] = POSTED_FINAL, [COORD_V_SHAPE] = POSTED_UNREADABLE,
	[COORD_V_PARAMETER] = POSTED_UNREADABLE, [COORD_V_AGAIN] = POSTED_UNKNOWN, [COORD_V_TOKEN] = POSTED_UNANSWERED,
};

/* Not the protocol.  What refuses the request as such (too large, no such path) will do so again; it may be
 * what stands between, so it says nothing about the Coordinator. */
static enum posted
barred(long status)
{
	bool lasts = status >= 400 && status < 500 && status != 401 && status != 408 && status != 429;

	return lasts ? POSTED_BARRED : POSTED_UNANSWERED;
}

static bool
post_done(void *arg, const struct identity_answer *a)
{
	struct call *call = arg;
	struct coord_answer answer = { 0 };

	if (a->fail != HTTP_OK) {
		post_over(call, POSTED_UNANSWERED, a->code, a->error);
		return false;
	}
	enum coord_verdict v = coord_read_submit(a->status, a->body, &answer);
	if (v == COORD_V_TOKEN && !a->last)
		return true;
	post_over(call, answer.outcome == COORD_GARBAGE ? barred(a->status) : meanings[v],
	    answer.code ? answer.code : CODE_POST_FAILED, answer.errmsg);
	return false;
}

void
calls_post(struct calls *c, size_t worker, const struct record *r, bool again)
{
	struct call *call = new_call(c, worker, r->identity);

	call->record = r;
	identity_call(c->o.identities, r->identity, &(struct identity_ask){ .make = make_post, .done = post_done,
	    .arg = call, .timeout_ms = c->o.timeout_ms, .max_bytes = ANSWER_BYTES,
	    .renew = again && r->outcome.n > LARGE_BYTES });
}
