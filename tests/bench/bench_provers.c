/* bench_provers.c - bare provers at a Coordinator's port, and what they see of it.
 *
 * bench_provers PORT rate N TASKS    N at once, each a task after the other: tasks per second, waits
 * bench_provers PORT steps TASKS     64, 128 ... 1,024 at once, TASKS in each step: its rate, its longest wait
 * bench_provers PORT idle N PID      N connections of which each has asked something and was answered, then as many
 *                                    provers that are held: bytes of the process PID for each
 * The Coordinator has tasks enough (rate, steps) or none (idle). */
#include "common/coord.h"
#include "common/clock.h"
#include "common/diag.h"
#include "tests/bench/provers.h"

enum { STEP = 64, STEPS = 16, WARM = 8, SETTLE_MS = 1000 };

struct bench {
	struct loop	*loop;
	unsigned	 port;
};

/* So many tasks, by those that there are: seconds. */
static double
round_of(struct provers *p, uint64_t tasks)
{
	double begun = seconds_now();

	p->left = tasks;
	provers_ask(p);
	provers_run(p);
	return seconds_now() - begun;
}

static void
rate(struct bench *b, char **argv)
{
	struct provers p = { .loop = b->loop, .port = b->port, .n = operand(argv[0]) };
	uint64_t tasks = operand(argv[1]);

	provers_open(&p);
	round_of(&p, p.n * WARM);
	provers_forget(&p);
	printf("tasks_per_s %.1f\n", (double)tasks / round_of(&p, tasks));
	printf("empty_per_task %.4f\n", (double)p.empty / (double)tasks);
	figures_say("get_task", &p.asked_us);
	figures_say("submit", &p.brought_us);
	provers_close(&p);
}

static double
longest_ms(struct provers *p)
{
	double asked = figures_at(&p->asked_us, 100), brought = figures_at(&p->brought_us, 100);

	return (asked > brought ? asked : brought) / 1e3;
}

static void
steps(struct bench *b, char **argv)
{
	uint64_t tasks = operand(argv[0]);

	struct provers warm = { .loop = b->loop, .port = b->port, .n = STEP };

	provers_open(&warm);
	round_of(&warm, warm.n * WARM);
	provers_close(&warm);
	for (size_t n = STEP; n <= STEP * STEPS; n += STEP) {
		struct provers p = { .loop = b->loop, .port = b->port, .n = n, .first = n * STEPS };
		provers_open(&p);
		printf("rate_%zu %.1f\n", n, (double)tasks / round_of(&p, tasks));
		printf("longest_ms_%zu %.1f\n", n, longest_ms(&p));
		provers_close(&p);
	}
}

/* --- memory --- */

struct crowd { struct web_conn **all; size_t n, answered; };

static void
on_answer(void *arg, struct web_conn *c, struct span head, struct span body)
{
	((struct crowd *)arg)->answered++;
}

static void
settle(struct bench *b)
{
	for (uint64_t end = clock_ms() + SETTLE_MS; clock_ms() < end; )
		loop_turn(b->loop, 50);
}

static void
open_idle(struct bench *b, struct crowd *c)
{
	struct buf request = { 0 };

	web_put_request(&request, "GET", coord_path(COORD_CHALLENGE), (struct span){ 0 }, (struct span){ 0 });
	c->all = xzalloc(c->n * sizeof(struct web_conn *));
	for (size_t i = 0; i < c->n; i++) {
		c->all[i] = web_connect(b->loop, b->port, on_answer, c);
		web_send(c->all[i], SPAN_OF(&request));
		while (c->answered + STEP < i)
			loop_turn(b->loop, 10);
	}
	while (c->answered < c->n)
		loop_turn(b->loop, 10);
	buf_free(&request);
}

static void
idle(struct bench *b, char **argv)
{
	long pid = (long)operand(argv[1]);
	struct crowd c = { .n = operand(argv[0]) };
	struct provers p = { .loop = b->loop, .port = b->port, .n = c.n };
	double before = (double)process_private_kb(pid);

	open_idle(b, &c);
	settle(b);
	printf("idle_bytes %.0f\n", ((double)process_private_kb(pid) - before) * 1024 / (double)c.n);
	for (size_t i = 0; i < c.n; i++)
		web_close(&c.all[i]);
	free(c.all);
	settle(b);
	printf("left_bytes %.0f\n", ((double)process_private_kb(pid) - before) * 1024 / (double)c.n);
	provers_open(&p);
	p.left = c.n;
	provers_ask(&p);
	settle(b);
	if (p.busy != c.n || p.empty)
		die(EXIT_NO, "%zu of %zu are held", p.busy, c.n);
	printf("held_bytes %.0f\n", ((double)process_private_kb(pid) - before) * 1024 / (double)c.n);
	provers_close(&p);
}

static const struct mode { const char *name; int operands; void (*run)(struct bench *, char **); } modes[] = {
	{ "rate", 2, rate }, { "steps", 1, steps }, { "idle", 2, idle },
};

int
main(int argc, char **argv)
{
	struct bench b = { 0 };

	for (size_t i = 0; argc > 2 && i < NELEM(modes); i++) {
		if (strcmp(argv[2], modes[i].name) != 0 || argc != 3 + modes[i].operands)
			continue;
		b.port = (unsigned)operand(argv[1]);
		b.loop = loop_new();
		modes[i].run(&b, argv + 3);
		loop_free(&b.loop);
		return EXIT_DONE;
	}
	die(EXIT_USAGE, "usage: bench_provers port rate n tasks | port steps tasks | port idle n pid");
}
