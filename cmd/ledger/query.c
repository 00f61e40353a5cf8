/* query.c - the door for questions.  See query.h.
 *
 * The socket belongs to the loop's thread, as the context does; the reader has a queue of
 * requests and one of answers under one lock, and an eventfd that wakes the loop.
 * (A loop of its own in the reader would take the process's signals.) */
#include "cmd/ledger/query.h"

#include <sys/eventfd.h>
#include <time.h>

#include "cmd/ledger/check.h"
#include "cmd/ledger/thread.h"
#include "common/diag.h"
#include "common/json.h"

enum { QUEUE_MAX = 64, PER_TURN = 8, WHY_BYTES = 256, JOIN_NS = 5000000, SECOND_NS = 1000000000 };

struct parcel {
	struct parcel	*next;
	struct buf	 peer, text;	/* the request; then its answer */
};

struct queue {
	struct parcel	*first, **last;
	size_t		 n;
};

struct query {
	struct loop	*loop;
	struct sock	*sock;
	struct sql	*sql;
	char		*blobs_dir;
	struct buf	 status;
	int		 answered;	/* eventfd */
	pthread_t	 thread;
	bool		 running;
	pthread_mutex_t	 lock;
	pthread_cond_t	 asked;
	/* under lock */
	struct queue	 requests, answers;
	bool		 stopping;
};

static void
queue_put(struct queue *q, struct parcel *p)
{
	p->next = NULL;
	if (!q->first)
		q->last = &q->first;
	*q->last = p;
	q->last = &p->next;
	q->n++;
}

static struct parcel *
queue_take(struct queue *q)
{
	struct parcel *p = q->first;

	if (p) {
		q->first = p->next;
		q->n--;
	}
	return p;
}

static void
parcel_free(struct parcel *p)
{
	buf_free(&p->peer);
	buf_free(&p->text);
	free(p);
}

/* --- the reader's thread --- */

static void
answer_parcel(struct query *q, struct parcel *p)
{
	struct buf out = { 0 };

	answer_request(q->sql, q->blobs_dir, SPAN_OF(&p->text), &out);
	buf_free(&p->text);
	p->text = out;
}

static struct parcel *
wait_for_request(struct query *q)
{
	pthread_mutex_lock(&q->lock);
	while (!q->requests.first && !q->stopping)
		pthread_cond_wait(&q->asked, &q->lock);
	struct parcel *p = q->stopping ? NULL : queue_take(&q->requests);
	pthread_mutex_unlock(&q->lock);
	return p;
}

static void *
read_for_others(void *arg)
{
	struct query *q = arg;
	struct parcel *p;

	while ((p = wait_for_request(q))) {
		answer_parcel(q, p);
		pthread_mutex_lock(&q->lock);
		queue_put(&q->answers, p);
		pthread_mutex_unlock(&q->lock);
		eventfd_write(q->answered, 1);
	}
	return NULL;
}

/* --- the loop's thread --- */

static void
send_answers(void *arg, unsigned events)
{
	struct query *q = arg;
	eventfd_t unused;

	eventfd_read(q->answered, &unused);
	for (;;) {
		pthread_mutex_lock(&q->lock);
		struct parcel *p = queue_take(&q->answers);
		pthread_mutex_unlock(&q->lock);
		if (!p)
			return;
		/* who asked may have gone */
		if (sock_send_to(q->sock, SPAN_OF(&p->peer), SPAN_OF(&p->text)) != 0)
			diag(DIAG_DEBUG, "answer-unsent", "why=\"%s\"", strerror(errno));
		parcel_free(p);
	}
}

/* False: there are too many already. */
static bool
pass_on(struct query *q, struct span peer, struct span request)
{
	struct parcel *p = xzalloc(sizeof *p);

	buf_put(&p->peer, peer.p, peer.n);
	buf_put(&p->text, request.p, request.n);
	pthread_mutex_lock(&q->lock);
	bool room = q->requests.n < QUEUE_MAX;
	if (room) {
		queue_put(&q->requests, p);
		pthread_cond_signal(&q->asked);
	}
	pthread_mutex_unlock(&q->lock);
	if (!room)
		parcel_free(p);
	return room;
}

static bool
asks_status(struct span request)
{
	struct json *doc = json_parse(request, ASK_BYTES, NULL);
	bool status = span_is(json_str(doc, "what"), "status");

	json_free(&doc);
	return status;
}

static void
on_request(void *arg, const struct sock_from *from, struct span request)
{
	struct query *q = arg;
	struct span now = SPAN("{\"error\":\"too many questions at once\"}");

	if (asks_status(request))
		now = q->status.n ? SPAN_OF(&q->status) : SPAN("{}");
	else if (pass_on(q, from->id, request))
		return;
	if (sock_send_to(q->sock, from->id, now) != 0)
		diag(DIAG_DEBUG, "answer-unsent", "why=\"%s\"", strerror(errno));
}

struct query *
query_start(const struct query_opts *o, char *why)
{
	static const struct sock_ops ops = { .message = on_request };
	struct query *q = xzalloc(sizeof *q);
	struct sock_opts so = {
		.role = SOCK_ROUTER, .endpoint = o->endpoint, .ops = &ops, .arg = q,
		.cap_messages = PER_TURN, .max_bytes = ANSWER_BYTES,
	};

	q->loop = o->loop;
	q->blobs_dir = o->blobs_dir ? xstrdup(o->blobs_dir) : NULL;
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->asked, NULL);
	q->answered = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (q->answered < 0)
		die_sys("eventfd");
	if (o->db && !(q->sql = sql_open(o->db, SQL_READER, why)))
		goto fail;
	q->sock = sock_open(o->socks, &so);
	if (!q->sock) {
		snprintf(why, WHY_BYTES, "%s: %s", o->endpoint, strerror(errno));
		goto fail;
	}
	loop_fd(q->loop, q->answered, LOOP_IN, send_answers, q);
	thread_start(&q->thread, read_for_others, q);
	q->running = true;
	return q;
fail:
	query_stop(&q);
	return NULL;
}

static void
end_thread(struct query *q)
{
	pthread_mutex_lock(&q->lock);
	q->stopping = true;
	pthread_cond_signal(&q->asked);
	pthread_mutex_unlock(&q->lock);
	/* what is under way may be several statements */
	for (;;) {
		if (q->sql)
			sql_interrupt(q->sql);
		struct timespec until;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += (until.tv_nsec += JOIN_NS) / SECOND_NS;
		until.tv_nsec %= SECOND_NS;
		if (pthread_timedjoin_np(q->thread, NULL, &until) == 0)
			return;
	}
}

void
query_stop(struct query **qp)
{
	struct query *q = *qp;
	struct parcel *p;

	*qp = NULL;
	if (!q)
		return;
	if (q->running)
		end_thread(q);
	loop_fd(q->loop, q->answered, 0, NULL, NULL);
	sock_close(&q->sock);
	close(q->answered);
	while ((p = queue_take(&q->requests)) || (p = queue_take(&q->answers)))
		parcel_free(p);
	pthread_mutex_destroy(&q->lock);
	pthread_cond_destroy(&q->asked);
	sql_close(&q->sql);
	free(q->blobs_dir);
	buf_free(&q->status);
	free(q);
}

void
query_publish(struct query *q, struct span json)
{
	buf_reset(&q->status);
	buf_put(&q->status, json.p, json.n);
}

int
query_check_file(const char *db, const char *blobs_dir, struct buf *json)
{
	char why[WHY_BYTES];
	struct sql *sql = sql_open(db, SQL_READER, why);

	if (!sql) {
		buf_puts(json, "{\"ok\":false,\"nerrors\":1,\"errors\":[");
		json_put_str(json, span_str(why), false);
		buf_puts(json, "]}");
		return -1;
	}
	int ok = check_store(sql, blobs_dir, json);
	sql_close(&sql);
	return ok;
}
