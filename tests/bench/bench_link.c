/* bench_link.c - a real prova-ledger, and one process that plays all five stages as lightly as it can.
 *
 * bench_link LEDGER DIR rate JOBS      whole lives at saturation: moves per second
 * bench_link LEDGER DIR open JOBS      so many jobs with their attempts stay open: memory by job;
 *                                      then kill -9 and the time until the next move's answer
 * DIR is a fresh directory.
 * uses: cmd/ledger */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/blob.h"
#include "common/clock.h"
#include "common/diag.h"
#include "common/num.h"
#include "common/sock.h"
#include "tests/bench/crowd.h"
#include "tests/bench/figures.h"

enum { OPEN = 8000, GROUPS = 32, TICK_MS = 500, FEW = 1000, ROWS_PER_JOB = 3 };

struct end { struct link *link; enum life_actor who; struct sock *sock; };

struct link {
	const char	*ledger, *dir;
	pid_t		 pid;
	struct loop	*loop;
	struct socks	*socks;
	struct end	 ends[LIFE_ACTORS];
	struct crowd	*crowd;
	struct loop_timer tick;
};

/* --- the ledger --- */

static void
write_settings(const struct link *l)
{
	char *path = xprintf("%s/prova.conf", l->dir);
	FILE *f = fopen(path, "we");

	if (!f)
		die_sys("%s", path);
	fprintf(f, "[prova]\nrun_dir = %s/run\nstate_dir = %s/state\nblobs_dir = %s/blobs\nledger = ipc://%s/run/ledger\n"
	    "store = %s/state/ledger/prova.db\n[stage]\nlog = warn\n", l->dir, l->dir, l->dir, l->dir, l->dir);
	if (fclose(f) != 0)
		die_sys("%s", path);
	free(path);
}

static void
put_input(const struct link *l)
{
	char *path = xprintf("%s/blobs", l->dir);
	struct blobs *blobs = blob_open(path);
	uint8_t hash[HASH_BYTES];

	if (!blobs || blob_put(blobs, span_str(life_input), false, hash) != 0)
		die_sys("%s", path);
	blob_close(&blobs);
	free(path);
}

static void
start_ledger(struct link *l)
{
	char *conf = xprintf("%s/prova.conf", l->dir);
	sigset_t none;

	l->pid = fork();
	if (l->pid < 0)
		die_sys("fork");
	if (l->pid == 0) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(l->ledger, l->ledger, "-c", conf, (char *)NULL);
		die_sys("%s", l->ledger);
	}
	free(conf);
}

static void
end_ledger(struct link *l, int sig)
{
	kill(l->pid, sig);
	if (waitpid(l->pid, NULL, 0) < 0)
		die_sys("waitpid");
}

/* --- the link --- */

static void
send_up(void *arg, enum life_actor who, struct span message)
{
	struct link *l = arg;

	if (sock_send(l->ends[who].sock, message) != 0)
		die_sys("%s", life_instances[who]);
}

static void
on_message(void *arg, const struct sock_from *from, struct span message)
{
	struct end *e = arg;

	crowd_hear(e->link->crowd, e->who, message);
}

static void
on_connected(void *arg)
{
	struct end *e = arg;

	crowd_connected(e->link->crowd, e->who);
}

static const struct sock_ops ops = { .message = on_message, .connected = on_connected };

static bool
turn(void *arg)
{
	struct link *l = arg;

	crowd_turn(l->crowd);
	return false;
}

static void
tick(void *arg)
{
	struct link *l = arg;

	crowd_tick(l->crowd);
	loop_timer(l->loop, &l->tick, clock_ms() + TICK_MS);
}

static void
open_link(struct link *l, const struct crowd_opts *o)
{
	char *endpoint = xprintf("ipc://%s/run/ledger", l->dir);

	l->crowd = crowd_new(o);
	l->loop = loop_new();
	l->socks = socks_new(l->loop);
	for (enum life_actor who = 0; who < LIFE_ACTORS; who++) {
		l->ends[who] = (struct end){ .link = l, .who = who };
		l->ends[who].sock = sock_open(l->socks, &(struct sock_opts){ .role = SOCK_DEALER, .endpoint = endpoint,
		    .ops = &ops, .arg = &l->ends[who], .cap_messages = 64 });
		if (!l->ends[who].sock)
			die_sys("%s", endpoint);
	}
	loop_last(l->loop, socks_drain, l->socks);
	loop_last(l->loop, turn, l);
	loop_last(l->loop, socks_look, l->socks);
	l->tick = (struct loop_timer){ .fn = tick, .arg = l };
	tick(l);
	free(endpoint);
}

static void
wait_turn(struct link *l)
{
	loop_turn(l->loop, 100);
	if (loop_stopping(l->loop))
		die(EXIT_NO, "stopped");
}

static void
run_until(struct link *l, uint64_t done)
{
	while (!crowd_welcome(l->crowd) || crowd_done(l->crowd) < done)
		wait_turn(l);
}

/* --- what is measured --- */

static int
measure_rate(struct link *l, uint64_t jobs)
{
	open_link(l, &(struct crowd_opts){ .jobs = 0, .open = MIN2(OPEN, jobs), .groups = GROUPS,
	    .last = LIFE_SUBMITTED, .send = send_up, .arg = l });
	run_until(l, 0);
	double begun = seconds_now(), cpu = process_cpu_s(l->pid), own = process_cpu_s(getpid());
	crowd_more(l->crowd, jobs);
	run_until(l, jobs);
	double moves = (double)(jobs * LIFE_MOVES), took = seconds_now() - begun;
	cpu = process_cpu_s(l->pid) - cpu;
	printf("moves_per_s %.0f\n", moves / took);
	printf("ledger_us_per_move %.3f\n", cpu * 1e6 / moves);
	printf("ledger_cores %.2f\n", cpu / took);
	printf("client_cores %.2f\n", (process_cpu_s(getpid()) - own) / took);
	return EXIT_DONE;
}

static int
measure_open(struct link *l, uint64_t jobs)
{
	open_link(l, &(struct crowd_opts){ .jobs = FEW, .open = FEW, .groups = GROUPS,
	    .last = LIFE_PLACED, .send = send_up, .arg = l });
	run_until(l, FEW);
	uint64_t few_kb = process_private_kb(l->pid);
	crowd_more(l->crowd, jobs - FEW);
	/* none ends: those that are open do not hold others back */
	for (uint64_t n = FEW; n < jobs; n = crowd_done(l->crowd))
		run_until(l, MIN2(jobs, n + 1));
	printf("bytes_per_job %.0f\n", (double)(process_private_kb(l->pid) - few_kb) * 1024 / (double)(jobs - FEW));
	double killed = seconds_now();
	end_ledger(l, SIGKILL);
	crowd_cut_off(l->crowd);
	start_ledger(l);
	uint64_t answers = crowd_answers(l->crowd);
	crowd_more(l->crowd, 1);
	while (crowd_answers(l->crowd) == answers)
		wait_turn(l);
	double took_ms = (seconds_now() - killed) * 1e3, rows = (double)(jobs * ROWS_PER_JOB + FEW);
	printf("first_done_ms %.1f\n", took_ms);
	printf("rows %.0f\n", rows);
	printf("us_per_row %.2f\n", took_ms * 1e3 / rows);
	printf("goal_ms %.0f\n", 100 + 3e-3 * rows);
	return EXIT_DONE;
}

static const struct { const char *name; int (*run)(struct link *, uint64_t jobs); } modes[] = {
	{ "rate", measure_rate }, { "open", measure_open },
};

static void
close_link(struct link *l)
{
	end_ledger(l, SIGTERM);
	crowd_free(&l->crowd);
	socks_free(&l->socks);
	loop_free(&l->loop);
}

int
main(int argc, char **argv)
{
	struct link l = { 0 };
	uint64_t jobs;

	if (argc != 5 || !num_u64(span_str(argv[4]), &jobs))
		die(EXIT_USAGE, "usage: bench_link ledger directory rate|open jobs");
	diag_threshold(DIAG_WARN);
	l.ledger = argv[1];
	l.dir = argv[2];
	write_settings(&l);
	put_input(&l);
	start_ledger(&l);
	for (size_t i = 0; i < NELEM(modes); i++)
		if (strcmp(argv[3], modes[i].name) == 0) {
			int status = modes[i].run(&l, jobs);
			close_link(&l);
			return status;
		}
	die(EXIT_USAGE, "%s: rate or open", argv[3]);
}
