/* fake_coordinator.h - a Coordinator inside a test: signs in whoever signs rightly, and answers the next get_task
 * or submit_proof in one of the ways of `how`. */
#ifndef FAKE_COORDINATOR_H
#define FAKE_COORDINATOR_H

#include "common/clock.h"
#include "common/coord.h"
#include "common/httpd.h"
#include "common/jwt.h"

enum how {
	HOW_WELL, HOW_EMPTY, HOW_ASSIGNED, HOW_REFUSED, HOW_TWICE, HOW_NO_TASK,
	HOW_HTML, HOW_HALF, HOW_HUGE, HOW_500, HOW_ABORT, HOW_SILENT, HOW_LARGE_TASK, HOW_BAD_TASK,
};

struct fake_coordinator {
	struct loop	*loop;
	struct httpd	*httpd;
	char		 url[64];
	unsigned	 challenges, logins, tasks, submits;
	unsigned	 life_s;		/* of tokens */
	unsigned	 expired;		/* so many calls get 50001 */
	unsigned	 aborted_logins;	/* so many challenges are cut off */
	bool		 refuse_logins;
	bool		 provider_seen;		/* the last login was the 6-field form */
	bool		 height_seen;
	uint64_t	 height;
	enum how	 how;
	struct coord_proof proof;		/* the last one */
	/* so many requests of this call get this answer */
	struct {
		unsigned	 times;
		enum coord_call	 call;
		unsigned	 status;
		const char	*type;
		struct span	 body;
	} say;
	struct buf	 heard[COORD_SUBMIT + 1];	/* the last body of each call */
};

static const struct span fake_secret = { (const uint8_t *)"secret", 6 };

static void
fake_say(struct httpd_req *r, struct buf *b)
{
	httpd_answer(r, 200, "application/json; charset=utf-8", NULL, SPAN_OF(b));
	buf_free(b);
}

static void
fake_no(struct httpd_req *r, enum coord_text text, const char *inserted)
{
	struct buf b = { 0 };

	coord_put_refusal(&b, text, inserted);
	fake_say(r, &b);
}

static void
fake_token(struct fake_coordinator *f, struct httpd_req *r, unsigned life_s)
{
	struct buf claims = { 0 }, token = { 0 }, b = { 0 };
	uint64_t now = clock_wall_ms() / 1000;

	buf_printf(&claims, "{\"exp\":%" PRIu64 ",\"orig_iat\":%" PRIu64 "}", now + life_s, now);
	jwt_make(&token, SPAN_OF(&claims), fake_secret);
	coord_put_token(&b, SPAN_OF(&token), (now + life_s) * UINT64_C(1000000000));
	fake_say(r, &b);
	buf_free(&claims);
	buf_free(&token);
}

static void
fake_challenge(struct fake_coordinator *f, struct httpd_req *r)
{
	f->challenges++;
	if (f->aborted_logins && f->aborted_logins--)
		httpd_abort(r);
	else
		fake_token(f, r, 60);
}

static void
fake_login(struct fake_coordinator *f, struct httpd_req *r)
{
	struct coord_login l = { 0 };
	struct buf why = { 0 };
	bool ok = coord_take_login(httpd_header(r, "Content-Type"), httpd_body(r), &l, &why) &&
	    coord_login_verify(&l) == COORD_SIG_OK && !f->refuse_logins;

	f->logins++;
	f->provider_seen = l.has_provider;
	if (ok)
		fake_token(f, r, f->life_s);
	else
		fake_no(r, COORD_T_LOGIN_CHECK, "auth message verify failure");
	coord_login_free(&l);
	buf_free(&why);
}

static void
fake_task(struct httpd_req *r, enum how how)
{
	struct coord_task t = { .type = TYPE_CHUNK };
	struct buf b = { 0 };

	buf_puts(&t.uuid, "6f0c1b1e-0000-4000-8000-000000000001");
	buf_puts(&t.task_id, "0x1111");
	buf_puts(&t.fork, "darwinV2");
	buf_puts(&t.data, how == HOW_BAD_TASK ? "{\"nothing\":1" : "{\"block_hashes\":[");
	for (int i = 0; how != HOW_BAD_TASK && i < (how == HOW_LARGE_TASK ? 400 : 2); i++)
		buf_printf(&t.data, "%s\"0x%064d\"", i ? "," : "", i);
	if (how != HOW_BAD_TASK)
		buf_puts(&t.data, "]}");
	coord_put_task(&b, &t);
	fake_say(r, &b);
	coord_task_free(&t);
}

static void
fake_huge(struct httpd_req *r)
{
	struct buf b = { 0 };

	memset(buf_room(&b, 100 << 20), 'x', 100 << 20);
	b.n = 100 << 20;
	fake_say(r, &b);
}

static void
fake_text(struct httpd_req *r, unsigned status, const char *type, const char *text)
{
	httpd_answer(r, status, type, NULL, span_str(text));
}

static void
fake_work(struct fake_coordinator *f, struct httpd_req *r, bool submit)
{
	struct buf b = { 0 };

	if (f->expired && f->expired--) {
		fake_no(r, COORD_T_TOKEN_EXPIRED, NULL);
		return;
	}
	switch (f->how) {
	case HOW_EMPTY:		fake_no(r, COORD_T_TASK_EMPTY, NULL); break;
	case HOW_ASSIGNED:	fake_no(r, COORD_T_TASK_CHECK, "prover with publicKey 02 is already assigned a task. ProverName: a, ProverVersion: b"); break;
	case HOW_REFUSED:	fake_no(r, COORD_T_TASK_INTERNAL, NULL); break;
	case HOW_TWICE:		fake_no(r, COORD_T_SUBMIT_FAILED, COORD_TWICE); break;
	case HOW_NO_TASK:	fake_no(r, COORD_T_SUBMIT_FAILED, COORD_NO_SUCH_TASK); break;
	case HOW_HTML:		fake_text(r, 200, "text/html", "<html><body>Welcome to nginx</body></html>"); break;
	case HOW_HALF:		fake_text(r, 200, "application/json", "{\"errcode\":0,\"errmsg\":\"\",\"data\":{\"uu"); break;
	case HOW_HUGE:		fake_huge(r); break;
	case HOW_500:		fake_text(r, 500, NULL, ""); break;
	case HOW_ABORT:		httpd_abort(r); break;
	case HOW_SILENT:	break;
	default:
		if (!submit) {
			fake_task(r, f->how);
			break;
		}
		coord_put_taken(&b);
		fake_say(r, &b);
	}
}

static void
fake_read(struct fake_coordinator *f, struct httpd_req *r, bool submit)
{
	struct coord_want w = { 0 };
	struct buf why = { 0 };

	if (submit) {
		coord_proof_free(&f->proof);
		f->proof = (struct coord_proof){ 0 };
		(void)!coord_take_proof(httpd_header(r, "Content-Type"), httpd_body(r), &f->proof, &why);
	} else if (coord_take_want(httpd_header(r, "Content-Type"), httpd_body(r), &w, &why)) {
		f->height_seen = !w.no_height;
		f->height = w.height;
	}
	coord_want_free(&w);
	buf_free(&why);
}

static void
fake_request(void *arg, struct httpd_req *r)
{
	struct fake_coordinator *f = arg;
	enum coord_call call;

	if (!coord_route(httpd_method(r), httpd_path(r), &call)) {
		fake_text(r, 200, "application/json", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0x2a\"}");
		return;
	}
	buf_reset(&f->heard[call]);
	buf_put(&f->heard[call], httpd_body(r).p, httpd_body(r).n);
	f->challenges += call == COORD_CHALLENGE && f->say.times && f->say.call == call;
	f->logins += call == COORD_LOGIN && f->say.times && f->say.call == call;
	f->tasks += call == COORD_GET_TASK;
	f->submits += call == COORD_SUBMIT;
	if (f->say.times && f->say.call == call) {
		f->say.times--;
		httpd_answer(r, f->say.status, f->say.type, NULL, f->say.body);
		return;
	}
	if (call == COORD_CHALLENGE) {
		fake_challenge(f, r);
		return;
	}
	if (call == COORD_LOGIN) {
		fake_login(f, r);
		return;
	}
	fake_read(f, r, call == COORD_SUBMIT);
	fake_work(f, r, call == COORD_SUBMIT);
}

static void
fake_coordinator_start(struct fake_coordinator *f, struct loop *loop)
{
	*f = (struct fake_coordinator){ .loop = loop, .life_s = 3600 };
	f->httpd = httpd_new(loop, &(struct httpd_opts){ .listen = "127.0.0.1:0", .max_body = 80 << 20,
	    .max_connections = 100, .idle_s = 30, .handler = fake_request, .arg = f });
	snprintf(f->url, sizeof f->url, "http://127.0.0.1:%u", httpd_port(f->httpd));
}

static void
fake_coordinator_stop(struct fake_coordinator *f)
{
	coord_proof_free(&f->proof);
	for (size_t i = 0; i < NELEM(f->heard); i++)
		buf_free(&f->heard[i]);
	httpd_free(&f->httpd);
}

#endif
