/* devnet.c - prova-devnet as a whole.  See devnet.h. */
#include "cmd/devnet/devnet.h"

#include <sys/stat.h>

#include "cmd/devnet/coordinator.h"
#include "cmd/devnet/faults.h"
#include "cmd/devnet/l2node.h"
#include "cmd/devnet/report.h"
#include "common/clock.h"
#include "common/diag.h"
#include "common/desk_http.h"
#include "common/loop.h"

#define SECRET "prova-devnet"

enum {
	PROOF_BYTES	= 64 << 20,
	RPC_BYTES	= 1 << 20,
	IDLE_S		= 120,
	CHUNKED_BYTES	= 2048,		/* what is longer Go's server sends in chunks */
};

/* An answer that is held back. */
struct held {
	struct devnet		*devnet;
	struct httpd_req	*request;
	struct desk_reply	 reply;
	struct fate		 fate;
	struct loop_timer	 timer;
};

struct devnet {
	const struct options	*options;
	struct loop		*loop;
	struct httpd		*front, *l2;
	struct blocks		 blocks;
	struct tasks		 tasks;
	struct coordinator	 coordinator;
	struct faults		 faults;
	struct loop_timer	 cron;
	char			*stats;		/* the last text written */
};

/* --- answers, and what may happen to them --------------------------------------------- */

static void
send_reply(struct httpd_req *r, const struct fate *fate, const struct desk_reply *reply)
{
	struct desk_headers headers;
	enum httpd_form form = fate->kind == FAULT_HALF ? HTTPD_HALF : reply->body.n > CHUNKED_BYTES ? HTTPD_CHUNKED : HTTPD_WHOLE;

	if (fate->kind == FAULT_DROP || fate->kind == FAULT_LOST)
		httpd_abort(r);
	else
		httpd_answer_as(r, form, reply->status, reply->content_type, desk_headers(reply, &headers), SPAN_OF(&reply->body));
}

static void
free_held(struct held *h)
{
	loop_timer(h->devnet->loop, &h->timer, 0);
	desk_reply_free(&h->reply);
	free(h);
}

static void
on_late(void *arg)
{
	struct held *h = arg;

	send_reply(h->request, &h->fate, &h->reply);
	free_held(h);
}

/* The peer did not wait for it. */
static void
on_gone(void *arg, struct httpd_req *r)
{
	if (httpd_get(r))
		free_held(httpd_get(r));
}

/* Takes the reply. */
static void
finish(struct devnet *d, struct httpd_req *r, const struct fate *fate, struct desk_reply *reply)
{
	if (!fate->delay_ms) {
		send_reply(r, fate, reply);
		desk_reply_free(reply);
		return;
	}
	struct held *h = xzalloc(sizeof *h);
	*h = (struct held){ .devnet = d, .request = r, .reply = *reply, .fate = *fate, .timer = { .fn = on_late, .arg = h } };
	httpd_set(r, h);
	loop_timer(d->loop, &h->timer, clock_ms() + fate->delay_ms);
}

/* --- the Coordinator's door ------------------------------------------------------- */

static void
serve_coordinator(struct devnet *d, struct httpd_req *r)
{
	struct desk_reply reply = DESK_REPLY;
	struct fate fate = { 0 };
	struct desk_ask ask = desk_ask_of(r);
	enum coord_call call = COORD_CHALLENGE;

	if (coord_route(httpd_method(r), httpd_path(r), &call))
		fate = faults_draw(&d->faults, call);
	if (fate.kind != FAULT_DROP && !faults_reply(&fate, call, &reply))
		coordinator_answer(&d->coordinator, &ask, &reply);
	finish(d, r, &fate, &reply);
}

static void
serve_report(struct devnet *d, struct httpd_req *r)
{
	static const char task[] = "/devnet/task/";
	const char *path = httpd_path(r);
	struct buf text = { 0 };
	bool known = true;

	if (strcmp(path, "/devnet/stats") == 0)
		report_stats(&d->coordinator, &d->faults, &text);
	else
		known = strncmp(path, task, sizeof task - 1) == 0 &&
		    report_task(&d->coordinator, path + sizeof task - 1, &text);
	httpd_answer(r, known ? 200 : 404, "application/json", NULL, known ? SPAN_OF(&text) : SPAN("null\n"));
	buf_free(&text);
}

static void
on_front(void *arg, struct httpd_req *r)
{
	struct devnet *d = arg;

	if (strncmp(httpd_path(r), "/devnet/", 8) == 0 && strcmp(httpd_method(r), "GET") == 0)
		serve_report(d, r);
	else
		serve_coordinator(d, r);
}

/* --- the L2 node's door ------------------------------------------------------------- */

static void
on_l2(void *arg, struct httpd_req *r)
{
	struct devnet *d = arg;
	struct desk_reply reply;

	if (strcmp(httpd_method(r), "POST") != 0) {
		httpd_answer(r, 405, "text/plain", NULL, SPAN("method not allowed\n"));
		return;
	}
	struct fate fate = faults_draw(&d->faults, FAULT_L2);
	if (!faults_reply(&fate, FAULT_L2, &reply)) {
		reply = (struct desk_reply){ .status = 200, .content_type = "application/json" };
		l2node_answer(&d->blocks, fate.kind, httpd_body(r), &reply.body);
	}
	finish(d, r, &fate, &reply);
}

/* --- files that tell about us ---------------------------------------------------------- */

/* Whole or not at all: readers never see half a file. */
static void
write_file(const char *path, struct span text)
{
	char *fresh = xprintf("%s.new", path);
	FILE *f = fopen(fresh, "we");

	if (!f || fwrite(text.p, 1, text.n, f) != text.n || fclose(f) != 0 || rename(fresh, path) < 0)
		die_sys("%s", path);
	free(fresh);
}

static void
write_ports(const struct devnet *d)
{
	struct buf text = { 0 };

	buf_printf(&text, "COORDINATOR=%u\nL2=%u\n", httpd_port(d->front), httpd_port(d->l2));
	write_file(d->options->ports, SPAN_OF(&text));
	buf_free(&text);
}

static void
write_stats(struct devnet *d)
{
	struct buf text = { 0 };

	report_stats(&d->coordinator, &d->faults, &text);
	if (!d->stats || strcmp(d->stats, buf_cstr(&text)) != 0) {
		write_file(d->options->stats, SPAN_OF(&text));
		free(d->stats);
		d->stats = xstrdup(buf_cstr(&text));
	}
	buf_free(&text);
}

static void
on_cron(void *arg)
{
	struct devnet *d = arg;

	tasks_cron(&d->tasks);
	if (d->options->stats)
		write_stats(d);
	loop_timer(d->loop, &d->cron, clock_ms() + d->options->cron_ms);
}

/* --- beginning and end ------------------------------------------------------------------- */

static void
make_world(struct devnet *d)
{
	const struct options *o = d->options;
	char why[512];

	if (!o->traces)
		blocks_generate(&d->blocks, o->chunks * o->blocks_per_chunk, o->seed, o->trace_bytes);
	else if (!blocks_load(&d->blocks, o->traces, why))
		die(EXIT_USAGE, "%s", why);
	const struct tasks_opts opts = {
		.n = { 0, o->chunks, o->batches, o->bundles },
		.blocks_per_chunk = o->blocks_per_chunk, .collection_ms = o->collection_ms,
		.attempts = (unsigned)o->attempts, .per_session = o->same_task_twice ? 2 : 1, .task_dir = o->task_dir,
	};
	if (!tasks_init(&d->tasks, &d->blocks, &opts, why))
		die(EXIT_USAGE, "%s", why);
	coordinator_init(&d->coordinator, &(struct coordinator_opts){
		.secret = SECRET, .life_s = o->token_life_s, .fork = o->fork, .mock_verifier = o->mock_verifier, .by_id = o->task_by_id,
		.blocked = o->blocked.texts }, &d->tasks, o->seed);
	d->faults.seed = o->seed;
	for (size_t i = 0; i < o->faults.n; i++)
		if (!faults_add(&d->faults, o->faults.texts[i], why))
			die(EXIT_USAGE, "%s", why);
}

static struct httpd *
open_door(struct devnet *d, const char *listen, size_t max_body, httpd_fn *handler)
{
	struct httpd *door = httpd_new(d->loop, &(struct httpd_opts){
		.listen = listen, .max_body = max_body, .idle_s = IDLE_S, .handler = handler, .gone = on_gone, .arg = d });

	if (!door)
		die_sys("cannot listen at %s", listen);
	return door;
}

int
devnet_run(const struct options *o)
{
	struct devnet d = { .options = o, .loop = loop_new(), .cron = { .fn = on_cron, .arg = &d } };

	make_world(&d);
	d.front = open_door(&d, o->listen, PROOF_BYTES, on_front);
	d.l2 = open_door(&d, o->l2_listen, RPC_BYTES, on_l2);
	if (o->ports)
		write_ports(&d);
	on_cron(&d);
	diag(DIAG_INFO, "ready", "coordinator=%u l2=%u chunks=%" PRIu64 " batches=%" PRIu64 " bundles=%" PRIu64 " blocks=%zu",
	    httpd_port(d.front), httpd_port(d.l2), o->chunks, o->batches, o->bundles, d.blocks.n);
	loop_run(d.loop);
	httpd_free(&d.front);
	httpd_free(&d.l2);
	coordinator_free(&d.coordinator);
	faults_free(&d.faults);
	tasks_free(&d.tasks);
	blocks_free(&d.blocks);
	free(d.stats);
	loop_free(&d.loop);
	return EXIT_DONE;
}
