/* bench_chain.c - what four hops and four durable writes cost with nothing around them.
 *
 * bench_chain DIR RATE SECONDS: five processes in a row, 400 bytes handed on by ZeroMQ PUSH and PULL over ipc,
 * RATE a second; then 4 KB appended to a file in DIR and fdatasync, 4 x RATE a second or as fast as it goes.
 * DIR is a directory on the ledger's file system. */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <zmq.h>

#include "common/bytes.h"
#include "common/diag.h"
#include "common/num.h"
#include "tests/bench/figures.h"

enum { HOPS = 4, MESSAGE = 400, PAGE = 4096, SETTLE_MS = 200 };

static void *
open_end(void *context, int type, const char *dir, int hop)
{
	void *s = zmq_socket(context, type);
	char endpoint[256];

	snprintf(endpoint, sizeof endpoint, "ipc://%s/hop%d", dir, hop);
	if (!s || (type == ZMQ_PULL ? zmq_bind(s, endpoint) : zmq_connect(s, endpoint)) != 0)
		die_sys("%s", endpoint);
	return s;
}

/* Hand on until an empty message comes. */
static void
forward(const char *dir, int hop)
{
	void *context = zmq_ctx_new();
	void *in = open_end(context, ZMQ_PULL, dir, hop), *out = open_end(context, ZMQ_PUSH, dir, hop + 1);
	char message[MESSAGE];
	int n;

	do {
		n = zmq_recv(in, message, sizeof message, 0);
		if (zmq_send(out, message, n > 0 ? (size_t)n : 0, 0) < 0)
			die_sys("zmq_send");
	} while (n > 0);
	zmq_close(in);
	zmq_close(out);
	zmq_ctx_term(context);
	exit(EXIT_DONE);
}

static void
receive(const char *dir)
{
	void *context = zmq_ctx_new();
	void *in = open_end(context, ZMQ_PULL, dir, HOPS);
	struct figures ages = { 0 };
	char message[MESSAGE];
	uint64_t sent;

	while (zmq_recv(in, message, sizeof message, 0) > 0) {
		memcpy(&sent, message, sizeof sent);
		figures_add(&ages, (double)(nanos_now() - sent) / 1e3);
	}
	printf("chain_p50_us %.0f\nchain_p99_us %.0f\n", figures_at(&ages, 50), figures_at(&ages, 99));
	figures_free(&ages);
	zmq_close(in);
	zmq_ctx_term(context);
	exit(fflush(stdout) == 0 ? EXIT_DONE : EXIT_SYSTEM);
}

static void
sleep_until(uint64_t ns)
{
	struct timespec t = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

static void
send_all(const char *dir, uint64_t rate, uint64_t seconds)
{
	void *context = zmq_ctx_new();
	void *out = open_end(context, ZMQ_PUSH, dir, 1);
	char message[MESSAGE] = "";
	uint64_t begun = nanos_now() + UINT64_C(1000000) * SETTLE_MS;

	for (uint64_t i = 0; i < rate * seconds; i++) {
		sleep_until(begun + i * 1000000000 / rate);
		uint64_t now = nanos_now();
		memcpy(message, &now, sizeof now);
		if (zmq_send(out, message, sizeof message, 0) < 0)
			die_sys("zmq_send");
	}
	if (zmq_send(out, "", 0, 0) < 0)
		die_sys("zmq_send");
	zmq_close(out);
	zmq_ctx_term(context);
}

static void
run_chain(const char *dir, uint64_t rate, uint64_t seconds)
{
	for (int hop = 1; hop <= HOPS; hop++) {
		pid_t pid = fork();
		if (pid < 0)
			die_sys("fork");
		if (pid == 0 && hop == HOPS)
			receive(dir);
		if (pid == 0)
			forward(dir, hop);
	}
	send_all(dir, rate, seconds);
	while (wait(NULL) > 0)
		;
}

static void
run_disk(const char *dir, uint64_t rate, uint64_t seconds)
{
	static const char page[PAGE] = "x";
	char *path = xprintf("%s/synced", dir);
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
	struct figures took = { 0 };
	uint64_t begun = nanos_now();

	if (fd < 0)
		die_sys("%s", path);
	for (uint64_t i = 0; nanos_now() < begun + seconds * 1000000000; i++) {
		sleep_until(begun + i * 1000000000 / (rate * HOPS));
		uint64_t from = nanos_now();
		if (write(fd, page, sizeof page) != (ssize_t)sizeof page || fdatasync(fd) != 0)
			die_sys("%s", path);
		figures_add(&took, (double)(nanos_now() - from) / 1e3);
	}
	printf("fdatasync_p50_us %.0f\nfdatasync_p99_us %.0f\n", figures_at(&took, 50), figures_at(&took, 99));
	figures_free(&took);
	close(fd);
	unlink(path);
	free(path);
}

int
main(int argc, char **argv)
{
	uint64_t rate, seconds;

	if (argc != 4 || !num_u64(span_str(argv[2]), &rate) || !num_u64(span_str(argv[3]), &seconds) || rate == 0)
		die(EXIT_USAGE, "usage: bench_chain directory rate seconds");
	run_chain(argv[1], rate, seconds);
	run_disk(argv[1], rate, seconds);
	return EXIT_DONE;
}
