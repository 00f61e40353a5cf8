/* door.c - requests in, answers out.  See door.h. */
#include "cmd/dispatch-coordinator/door.h"

#include "common/clock.h"
#include "common/desk_http.h"
#include "common/diag.h"

enum {
	HELD_BODIES	= 4,			/* largest ones, in memory at a time */
	SMALL_BODY	= 64 << 10,		/* read from everybody; larger ones with a good token only */
	HEAD_S		= 20,			/* a stranger's first request may take */
	BODY_S		= 120,			/* a body may take */
	IDLE_S		= 180,			/* provers come back to a connection after 20 s and more */
	BODY_BYTES	= 256 << 20,		/* of a task */
	DETAIL_BYTES	= 500,
	AWAY_S		= 2,			/* Retry-After */
};

struct door {
	struct loop		*loop;
	struct blobs		*blobs;
	struct httpd		*httpd;
	struct desk		 desk;
	struct court		*court;
	struct loop_timer	 timer;
};

/* One that the court has. */
struct request {
	struct door		*door;
	struct httpd_req	*http;
	struct buf		 key, name, version;	/* of its prover */
};

/* --- answers ------------------------------------------------------------------ */

static void
answer(struct httpd_req *r, struct desk_reply *reply)
{
	struct desk_headers headers;

	httpd_answer(r, reply->status, reply->content_type, desk_headers(reply, &headers), SPAN_OF(&reply->body));
	desk_reply_free(reply);
}

static void
free_request(struct request *q)
{
	buf_free(&q->key);
	buf_free(&q->name);
	buf_free(&q->version);
	free(q);
}

static void
end(struct request *q, struct desk_reply *reply)
{
	httpd_set(q->http, NULL);
	answer(q->http, reply);
	free_request(q);
}

/* A prover sends it again: nothing that it would take for a verdict. */
static struct desk_reply
away(void)
{
	return (struct desk_reply){ .status = 503, .retry_after_s = AWAY_S };
}

static bool
read_body(const struct door *d, const struct row *r, struct buf *out)
{
	if (HAS(r, body)) {
		buf_put(out, r->body.p, r->body.n);
		return true;
	}
	if (blob_read(d->blobs, r->body_blob, BODY_BYTES, out) == 0)
		return true;
	diag(DIAG_WARN, "task-not-read", "attempt=%" PRIu64 " code=%s why=%s", r->id,
	    code_word(errno == EBADMSG ? CODE_BLOB_DAMAGED : CODE_BLOB_IO), diag_quote(strerror(errno)));
	return false;
}

static void
on_give(void *arg, void *request, const struct row *r, const char *uuid)
{
	struct coord_task task = { .type = r->type };
	struct desk_reply reply = DESK_REPLY;

	buf_puts(&task.uuid, uuid);
	buf_put(&task.task_id, r->task.p, r->task.n);
	buf_put(&task.fork, r->fork.p, r->fork.n);
	if (read_body(arg, r, &task.data))
		coord_put_task(&reply.body, &task);
	else
		reply = away();
	coord_task_free(&task);
	end(request, &reply);
}

static void
on_idle(void *arg, void *request)
{
	struct desk_reply reply = DESK_REPLY;

	desk_refuse(&reply, COORD_T_TASK_EMPTY, "%s", "");
	end(request, &reply);
}

static void
on_taken(void *arg, void *request)
{
	struct desk_reply reply = DESK_REPLY;

	coord_put_taken(&reply.body);
	end(request, &reply);
}

static void
on_refuse(void *arg, void *request, enum court_no no)
{
	struct request *q = request;
	struct desk_reply reply = DESK_REPLY;

	if (no == COURT_AWAY)
		reply = away();
	else if (no == COURT_UNKNOWN)
		desk_refuse(&reply, COORD_T_SUBMIT_FAILED, "%s", COORD_NO_SUCH_TASK);
	else
		desk_refuse(&reply, COORD_T_TASK_CHECK, "prover with publicKey %s is already assigned a task. ProverName: %s, ProverVersion: %s",
		    buf_cstr(&q->key), buf_cstr(&q->name), buf_cstr(&q->version));
	end(q, &reply);
}

static const struct court_ops court_ops = { .give = on_give, .idle = on_idle, .taken = on_taken, .refuse = on_refuse };

/* --- requests ------------------------------------------------------------------- */

static struct request *
new_request(struct door *d, struct httpd_req *r, const struct coord_claims *claims)
{
	struct request *q = xzalloc(sizeof *q);

	q->door = d;
	q->http = r;
	buf_put(&q->key, claims->public_key.p, claims->public_key.n);
	buf_put(&q->name, claims->name.p, claims->name.n);
	buf_put(&q->version, claims->version.p, claims->version.n);
	httpd_set(r, q);
	return q;
}

static void
take_want(struct door *d, struct httpd_req *r, const struct desk_call *call)
{
	struct court_want want = { .key = SPAN_OF(&call->claims.public_key), .forks = SPAN_OF(&call->claims.fork),
	    .task = SPAN_OF(&call->want.task_id) };

	for (size_t i = 0; i < call->want.ntypes; i++)
		want.types |= UINT64_C(1) << call->want.types[i];
	court_ask(d->court, &want, new_request(d, r, &call->claims));
}

static int
store(struct door *d, struct span proof, struct row *set)
{
	uint8_t hash[HASH_BYTES];
	bool in_row;

	if (blob_keep(d->blobs, proof, hash, &in_row) < 0)
		return -1;
	if (in_row)
		SET(set, proof, proof);
	ROW_HASH(set, proof_blob, hash);
	SET(set, proof_bytes, proof.n);
	return 0;
}

/* A finished proof: on the disk first, then the court. */
static void
take_proof(struct door *d, struct httpd_req *r, const struct desk_call *call, uint64_t attempt)
{
	struct row set = { 0 };
	struct desk_reply reply = DESK_REPLY;

	if (call->proof.proof.n == 0) {
		desk_refuse(&reply, COORD_T_SUBMIT_FAILED, "%s", "unexpected end of JSON input");
		answer(r, &reply);
	} else if (store(d, SPAN_OF(&call->proof.proof), &set) < 0) {
		diag(DIAG_WARN, "proof-not-stored", "attempt=%" PRIu64 " code=%s why=%s", attempt, code_word(CODE_BLOB_IO),
		    diag_quote(strerror(errno)));
		reply = away();
		answer(r, &reply);
	} else {
		court_proof(d->court, attempt, &set, new_request(d, r, &call->claims));
	}
}

static void
take_failure(struct door *d, struct httpd_req *r, struct desk_call *call, uint64_t attempt)
{
	const char *text = buf_cstr(&call->proof.failure_msg);
	struct row set = { 0 };

	SET(&set, detail, ((struct span){ (const uint8_t *)text, strnlen(text, DETAIL_BYTES) }));
	court_failure(d->court, attempt, &set, new_request(d, r, &call->claims));
}

static void
take_submit(struct door *d, struct httpd_req *r, struct desk_call *call)
{
	uint64_t attempt = court_attempt(d->court, SPAN_OF(&call->claims.public_key), SPAN_OF(&call->proof.uuid));
	struct desk_reply reply = DESK_REPLY;

	if (!attempt) {
		desk_refuse(&reply, COORD_T_SUBMIT_FAILED, "%s", COORD_NO_SUCH_TASK);
		answer(r, &reply);
	} else if (!court_can_take(d->court)) {	/* before it is stored, again and again */
		reply = away();
		answer(r, &reply);
	} else if (call->proof.status != 0) {
		take_failure(d, r, call, attempt);
	} else {
		take_proof(d, r, call, attempt);
	}
}

static bool
worth(void *arg, struct httpd_req *r)
{
	const struct door *d = arg;
	struct desk_ask ask = desk_ask_of(r);

	return desk_listens(&d->desk, &ask, clock_wall_ms());
}

static void
on_request(void *arg, struct httpd_req *r)
{
	struct door *d = arg;
	struct desk_ask ask = desk_ask_of(r);
	struct desk_call call;
	struct desk_reply reply;
	enum desk_next next = desk_take(&d->desk, &ask, clock_wall_ms(), &call, &reply);

	if (next == DESK_ANSWERED) {
		answer(r, &reply);
	} else {
		desk_reply_free(&reply);
		(next == DESK_TASK ? take_want(d, r, &call) : take_submit(d, r, &call));
	}
	desk_call_free(&call);
}

static void
on_gone(void *arg, struct httpd_req *r)
{
	struct request *q = httpd_get(r);

	if (!q)
		return;
	if (q->door->court)
		court_gone(q->door->court, SPAN_OF(&q->key), q);
	httpd_set(r, NULL);
	free_request(q);
}

/* --- life ---------------------------------------------------------------------------- */

static void
on_timer(void *arg)
{
}

static bool
at_last(void *arg)
{
	struct door *d = arg;
	uint64_t due = court_turn(d->court);

	loop_timer(d->loop, &d->timer, due == UINT64_MAX ? 0 : due);
	return false;
}

struct door *
door_new(const struct door_opts *o)
{
	struct door *d = xzalloc(sizeof *d);
	struct court_opts court = o->court;

	d->loop = o->loop;
	d->blobs = o->blobs;
	d->httpd = httpd_new(o->loop, &(struct httpd_opts){ .listen = o->listen, .max_body = o->max_body,
	    .max_held = HELD_BODIES * o->max_body, .worth = worth, .small_body = SMALL_BODY,
	    .max_connections = o->max_connections, .head_s = HEAD_S, .body_s = BODY_S, .idle_s = IDLE_S, .handler = on_request, .gone = on_gone, .arg = d });
	if (!d->httpd) {
		free(d);
		return NULL;
	}
	desk_init(&d->desk, &o->desk);
	court.ops = &court_ops;
	court.arg = d;
	d->court = court_new(&court);
	d->timer = (struct loop_timer){ .fn = on_timer, .arg = d };
	loop_last(o->loop, at_last, d);
	diag(DIAG_INFO, "listening", "port=%u", httpd_port(d->httpd));
	return d;
}

struct court *
door_court(struct door *d)
{
	return d->court;
}

unsigned
door_port(const struct door *d)
{
	return httpd_port(d->httpd);
}

void
door_free(struct door **dp)
{
	struct door *d = *dp;

	*dp = NULL;
	if (!d)
		return;
	loop_last_forget(d->loop, at_last, d);
	loop_timer(d->loop, &d->timer, 0);
	court_free(&d->court);		/* first: its books are gone already, and requests that end now would change them */
	httpd_free(&d->httpd);
	desk_free(&d->desk);
	free(d);
}
