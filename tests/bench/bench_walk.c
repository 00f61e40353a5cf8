/* bench_walk.c - both ends of the whole pipeline in one process: a bare Coordinator, and bare provers.
 *
 * bench_walk bare N TASKS                      the provers at the Coordinator itself, a process of its own: four exchanges
 *                                              are counted as a task, as a task that walks through Prova takes four
 * bench_walk through DIR N DELAY_MS TASKS      the Coordinator writes its port to DIR/coordinator, waits for
 *                                              the port of a dispatch-coordinator in DIR/door, and N provers go there
 * The Coordinator has a batch for whoever asks.  A task's id is the moment at which it was given, a proof begins with
 * the moment at which it was sent.  Tasks per second, and ages: of a task when its prover has it, of a proof when the
 * Coordinator has it, of the Coordinator's answer when the identity asks again. */
#include <signal.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/desk.h"
#include "common/diag.h"
#include "tests/bench/provers.h"

enum { BODY_BYTES = 400, WAIT_MS = 60000, WARM_SHARE = 10 };

/* Who signed in with this token. */
struct holder {
	char		*token;
	uint64_t	 number;
	uint64_t	 answered_ns;	/* when its last proof was answered; 0: it has asked since */
};

struct walk {
	struct loop	*loop;
	unsigned	 port;
	struct desk	 desk;
	struct map	 holders;	/* by token */
	struct holder	**by_number;
	uint64_t	 nholders, given, accepted;
	struct figures	 proof_us, again_us;
};

/* --- the Coordinator --- */

static bool
has_token(const void *holder, const void *token)
{
	return span_is(*(const struct span *)token, ((const struct holder *)holder)->token);
}

static struct holder *
holder_of(struct walk *w, struct span head)
{
	struct span token = web_header(head, "\r\nAuthorization: Bearer ");
	uint64_t key = map_hash(0, token);
	struct holder *h = map_get(&w->holders, key, has_token, &token);

	if (h)
		return h;
	h = xzalloc(sizeof *h);
	*h = (struct holder){ .token = xprintf("%.*s", SPAN_ARG(token)), .number = w->nholders++ };
	map_put(&w->holders, key, h);
	w->by_number = xrealloc(w->by_number, w->nholders * sizeof(struct holder *));
	w->by_number[h->number] = h;
	return h;
}

static void
answer_task(struct walk *w, struct web_conn *c, struct span head)
{
	static struct buf json, data;
	struct holder *h = holder_of(w, head);

	if (h->answered_ns)
		figures_add(&w->again_us, (double)(nanos_now() - h->answered_ns) / 1e3);
	h->answered_ns = 0;
	buf_reset(&json);
	buf_reset(&data);
	buf_printf(&data, "{\\\"n\\\":%" PRIu64 ",\\\"x\\\":\\\"%0*d\\\"}", w->given, BODY_BYTES, 0);
	buf_printf(&json, "{\"errcode\":0,\"errmsg\":\"\",\"data\":{\"uuid\":\"%08" PRIx64 "-0000-4000-8000-%012" PRIx64 "\","
	    "\"task_id\":\"%" PRIu64 "\",\"task_type\":%d,\"task_data\":\"%s\",\"hard_fork_name\":\"euclidV2\"}}",
	    h->number, w->given++, nanos_now(), TYPE_BATCH, buf_cstr(&data));
	web_answer(c, SPAN_OF(&json));
}

static void
answer_proof(struct walk *w, struct web_conn *c, struct span body)
{
	struct span proof = web_member(body, "\"proof\":\""), uuid = web_member(body, "\"uuid\":\"");
	struct buf digits = { 0 };
	uint64_t n = uuid.n ? strtoull((const char *)uuid.p, NULL, 16) : UINT64_MAX;

	if (proof.n < PROVERS_DIGITS || n >= w->nholders)
		die(EXIT_NO, "not a proof: %.*s", SPAN_ARG(body));
	buf_put(&digits, proof.p, PROVERS_DIGITS);
	figures_add(&w->proof_us, (double)(nanos_now() - strtoull(buf_cstr(&digits), NULL, 10)) / 1e3);
	buf_free(&digits);
	w->accepted++;
	web_answer(c, SPAN("{\"errcode\":0,\"errmsg\":\"\",\"data\":null}"));
	w->by_number[n]->answered_ns = nanos_now();
}

static void
answer_front(struct walk *w, struct web_conn *c, const char *method, const char *path, struct span head, struct span body)
{
	struct span authorization = web_header(head, "\r\nAuthorization: ");
	char *text = xprintf("%.*s", SPAN_ARG(authorization));
	struct desk_call call;
	struct desk_reply reply;

	if (desk_take(&w->desk, &(struct desk_ask){ .method = method, .path = path, .content_type = "application/json",
	    .authorization = text, .body = body }, clock_wall_ms(), &call, &reply) != DESK_ANSWERED || reply.status != 200)
		die(EXIT_NO, "not a request: %.*s", SPAN_ARG(head));
	web_answer(c, SPAN_OF(&reply.body));
	desk_reply_free(&reply);
	desk_call_free(&call);
	free(text);
}

static void
on_request(void *arg, struct web_conn *c, struct span head, struct span body)
{
	struct walk *w = arg;
	char line[128], *space;
	enum coord_call call;

	snprintf(line, sizeof line, "%.*s", (int)MIN2(head.n, sizeof line - 1), (const char *)head.p);
	space = strchr(line, ' ');
	if (!space)
		die(EXIT_NO, "not a request: %s", line);
	*space++ = '\0';
	space[strcspn(space, " \r\n")] = '\0';
	if (!coord_route(line, space, &call))
		die(EXIT_NO, "not a route: %s %s", line, space);
	if (call == COORD_GET_TASK)
		answer_task(w, c, head);
	else if (call == COORD_SUBMIT)
		answer_proof(w, c, body);
	else
		answer_front(w, c, line, space, head, body);
}

static void
open_coordinator(struct walk *w)
{
	static const struct desk_version versions[] = { { "*", "" }, { NULL, NULL } };

	desk_init(&w->desk, &(struct desk_opts){ .secret = SPAN("bench"), .challenge_life_s = 600, .login_life_s = 86400,
	    .own_version = "v4.4.70", .versions = versions, .kind = true });
	w->port = web_serve(w->loop, on_request, w);
}

/* --- the rates --- */

static void
bare(struct walk *w, char **argv)
{
	struct provers p = { .n = operand(argv[0]) };
	uint64_t exchanges = operand(argv[1]) * 4;
	pid_t pid;

	open_coordinator(w);
	if ((pid = fork()) < 0)
		die_sys("fork");
	if (pid == 0)
		for (struct loop *l = w->loop; ; )
			loop_turn(l, -1);
	loop_free(&w->loop);
	w->loop = p.loop = loop_new();
	p.port = w->port;
	provers_open(&p);
	double begun = seconds_now();
	p.left = exchanges / 2;
	provers_ask(&p);
	provers_run(&p);
	printf("tasks_per_s %.1f\n", (double)exchanges / 4 / (seconds_now() - begun));
	provers_close(&p);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void
write_port(const char *dir, unsigned port)
{
	char *path = xprintf("%s/coordinator", dir), *made = xprintf("%s/coordinator.new", dir);
	FILE *f = fopen(made, "we");

	if (!f || fprintf(f, "%u\n", port) < 0 || fclose(f) != 0 || rename(made, path) != 0)
		die_sys("%s", path);
	free(path);
	free(made);
}

/* While the Coordinator serves those that sign in. */
static unsigned
wait_for_door(struct walk *w, const char *dir)
{
	char *path = xprintf("%s/door", dir), line[16] = "";
	FILE *f = NULL;

	for (uint64_t end = clock_ms() + WAIT_MS; !f && clock_ms() < end; f = fopen(path, "re"))
		loop_turn(w->loop, 50);
	if (!f || !fgets(line, sizeof line, f))
		die_sys("%s", path);
	fclose(f);
	free(path);
	return (unsigned)strtoul(line, NULL, 10);
}

static void
until_accepted(struct walk *w, uint64_t n)
{
	for (uint64_t end = clock_ms() + WAIT_MS; w->accepted < n; loop_turn(w->loop, 100))
		if (clock_ms() > end || loop_stopping(w->loop))
			die(EXIT_SYSTEM, "%" PRIu64 " of %" PRIu64 " proofs came", w->accepted, n);
}

static void
through(struct walk *w, char **argv)
{
	struct provers p = { .loop = w->loop, .n = operand(argv[1]), .delay_ms = (double)operand(argv[2]), .left = UINT64_MAX };
	uint64_t tasks = operand(argv[3]), warm = tasks / WARM_SHARE;

	open_coordinator(w);
	write_port(argv[0], w->port);
	p.port = wait_for_door(w, argv[0]);
	provers_open(&p);
	provers_ask(&p);
	until_accepted(w, warm);
	provers_forget(&p);
	figures_free(&w->proof_us);
	figures_free(&w->again_us);
	double begun = seconds_now();
	uint64_t from = w->accepted;
	until_accepted(w, from + tasks);
	printf("tasks_per_s %.1f\n", (double)(w->accepted - from) / (seconds_now() - begun));
	figures_say("task", &p.age_us);
	figures_say("proof", &w->proof_us);
	figures_say("again", &w->again_us);
	provers_close(&p);
}

static const struct mode { const char *name; int operands; void (*run)(struct walk *, char **); } modes[] = {
	{ "bare", 2, bare }, { "through", 4, through },
};

int
main(int argc, char **argv)
{
	struct walk w = { .loop = NULL };

	for (size_t i = 0; argc > 1 && i < NELEM(modes); i++) {
		if (strcmp(argv[1], modes[i].name) != 0 || argc != 2 + modes[i].operands)
			continue;
		w.loop = loop_new();
		modes[i].run(&w, argv + 2);
		return fflush(stdout) == 0 ? EXIT_DONE : EXIT_SYSTEM;
	}
	die(EXIT_USAGE, "usage: bench_walk bare n tasks | through directory n delay tasks");
}
