/* provers.c - see provers.h. */
#include "tests/bench/provers.h"

#include "common/clock.h"
#include "common/coord.h"
#include "common/diag.h"

enum { PROOF_BYTES = 300, PATIENCE_MS = 120000 };

enum step { RESTS, CHALLENGE, LOGIN, ASKS, PROVES, BRINGS, STEPS };

struct prover {
	struct provers	*all;
	struct web_conn	*conn;
	uint32_t	 index;
	enum step	 step;
	struct buf	 ask, token;	/* the whole get_task */
	struct buf	 uuid, task;
	struct loop_timer proved;
	uint64_t	 sent_ns;
};

/* --- what it says --- */

static void
say(struct prover *p, enum step step, struct span request)
{
	p->all->busy += p->step == RESTS;
	p->step = step;
	p->sent_ns = nanos_now();
	web_send(p->conn, request);
}

static void
say_of_coord(struct prover *p, enum step step, struct coord_request *r)
{
	struct buf out = { 0 };
	struct span token = r->authorization ? web_header(span_str(r->authorization), "Bearer ") : (struct span){ 0 };

	web_put_request(&out, r->method, r->path, token, SPAN_OF(&r->body));
	say(p, step, SPAN_OF(&out));
	buf_free(&out);
	coord_request_free(r);
}

static void
rest(struct prover *p)
{
	p->step = RESTS;
	p->all->busy--;
}

static void
ask(struct prover *p)
{
	say(p, ASKS, SPAN_OF(&p->ask));
}

static void
bring(struct prover *p)
{
	static struct buf body, out;
	static const char filler[PROOF_BYTES - PROVERS_DIGITS + 1] = { [0 ... PROOF_BYTES - PROVERS_DIGITS - 1] = 'x' };

	buf_reset(&body);
	buf_reset(&out);
	buf_printf(&body, "{\"uuid\":\"%s\",\"task_id\":\"%s\",\"task_type\":%d,\"status\":0,\"proof\":\"%020" PRIu64 "%s\"}",
	    buf_cstr(&p->uuid), buf_cstr(&p->task), TYPE_BATCH, nanos_now(), filler);
	web_put_request(&out, "POST", coord_path(COORD_SUBMIT), SPAN_OF(&p->token), SPAN_OF(&body));
	say(p, BRINGS, SPAN_OF(&out));
}

static void
login(struct prover *p, struct span challenge)
{
	static const uint8_t seed[32] = "bare provers";
	static const uint8_t types[] = { 3 };
	struct coord_login l = { 0 };
	struct coord_request r;
	struct ecsig_key key;

	coord_identity(seed, p->index, &key);
	buf_put(&l.challenge, challenge.p, challenge.n);
	buf_puts(&l.version, "v4.4.45-37af5ef5-38a68e2-1c5093c");
	buf_printf(&l.name, "bare_%" PRIu32, p->index);
	buf_put(&l.types, types, sizeof types);
	coord_login_sign(&l, &key);
	coord_ask_login(&r, &l);
	say_of_coord(p, LOGIN, &r);
	coord_login_free(&l);
}

/* --- what it hears --- */

static bool
is_good(struct span body)
{
	static const char good[] = "{\"errcode\":0,";

	return body.n >= sizeof good && memcmp(body.p, good, sizeof good - 1) == 0;
}

static void
need_good(const struct prover *p, struct span body)
{
	if (!is_good(body))
		die(EXIT_NO, "prover %" PRIu32 ", step %d: %.*s", p->index, p->step, SPAN_ARG(body));
}

static void
on_challenge(struct prover *p, struct span body)
{
	need_good(p, body);
	login(p, web_member(body, "\"token\":\""));
}

static void
on_login(struct prover *p, struct span body)
{
	struct span token = web_member(body, "\"token\":\"");

	need_good(p, body);
	buf_put(&p->token, token.p, token.n);
	web_put_request(&p->ask, "POST", coord_path(COORD_GET_TASK), token, SPAN("{\"task_types\":[2]}"));
	p->all->signed_in++;
	rest(p);
}

static double
since_us(uint64_t ns)
{
	return (double)(nanos_now() - ns) / 1e3;
}

static void
set(struct buf *to, struct span from)
{
	buf_reset(to);
	buf_put(to, from.p, from.n);
}

static void
on_proved(void *arg)
{
	bring(arg);
}

/* Give or take a half, so that they do not march in step. */
static void
prove(struct prover *p)
{
	double share = 0.5 + (double)((p->index * 7919 + p->all->done * 104729) % 1000) / 1000;

	p->step = PROVES;
	p->proved = (struct loop_timer){ .fn = on_proved, .arg = p };
	loop_timer(p->all->loop, &p->proved, clock_ms() + 1 + (uint64_t)(p->all->delay_ms * share));
}

static void
on_task(struct prover *p, struct span body)
{
	uint64_t made;

	if (web_member(body, "{\"errcode\":20004").p) {
		p->all->empty++;
		ask(p);
		return;
	}
	need_good(p, body);
	figures_add(&p->all->asked_us, since_us(p->sent_ns));
	set(&p->uuid, web_member(body, "\"uuid\":\""));
	set(&p->task, web_member(body, "\"task_id\":\""));
	made = strtoull(buf_cstr(&p->task), NULL, 10);
	if (made)
		figures_add(&p->all->age_us, since_us(made));
	if (p->all->delay_ms > 0)
		prove(p);
	else
		bring(p);
}

static void
on_taken(struct prover *p, struct span body)
{
	struct provers *all = p->all;

	need_good(p, body);
	figures_add(&all->brought_us, since_us(p->sent_ns));
	all->done++;
	if (!all->left) {
		rest(p);
		return;
	}
	all->left--;
	ask(p);
}

static void
on_answer(void *arg, struct web_conn *c, struct span head, struct span body)
{
	static void (*const hear[STEPS])(struct prover *, struct span) = {
		[CHALLENGE] = on_challenge, [LOGIN] = on_login, [ASKS] = on_task, [BRINGS] = on_taken,
	};
	struct prover *p = arg;

	if (!hear[p->step] || head.n < 12 || memcmp(head.p, "HTTP/1.1 200", 12) != 0)
		die(EXIT_NO, "prover %" PRIu32 ", step %d: %.*s", p->index, p->step, SPAN_ARG(head));
	hear[p->step](p, body);
}

/* --- all of them --- */

void
provers_open(struct provers *all)
{
	all->all = xzalloc(all->n * sizeof *all->all);
	for (size_t i = 0; i < all->n; i++) {
		struct prover *p = &all->all[i];
		struct coord_request r;
		*p = (struct prover){ .all = all, .index = (uint32_t)(all->first + i) };
		p->conn = web_connect(all->loop, all->port, on_answer, p);
		coord_ask_challenge(&r);
		say_of_coord(p, CHALLENGE, &r);
	}
	provers_run(all);
	if (all->signed_in != all->n)
		die(EXIT_NO, "%zu of %zu are signed in", all->signed_in, all->n);
}

void
provers_close(struct provers *all)
{
	for (size_t i = 0; i < all->n; i++) {
		struct prover *p = &all->all[i];
		loop_timer(all->loop, &p->proved, 0);
		web_close(&p->conn);
		buf_free(&p->ask);
		buf_free(&p->token);
		buf_free(&p->uuid);
		buf_free(&p->task);
	}
	free(all->all);
	provers_forget(all);
}

void
provers_ask(struct provers *all)
{
	for (size_t i = 0; i < all->n && all->left; i++)
		if (all->all[i].step == RESTS) {
			all->left--;
			ask(&all->all[i]);
		}
}

void
provers_run(struct provers *all)
{
	uint64_t end = clock_ms() + PATIENCE_MS;

	while (all->busy && clock_ms() < end && !loop_stopping(all->loop))
		loop_turn(all->loop, 100);
	if (all->busy)
		die(EXIT_SYSTEM, "%zu of %zu provers still wait", all->busy, all->n);
}

void
provers_forget(struct provers *all)
{
	all->done = all->empty = 0;
	figures_free(&all->asked_us);
	figures_free(&all->brought_us);
	figures_free(&all->age_us);
}
