/* test_stage.c - a stage as a process, against a ledger that is this test. */
#include "common/stage.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/sock.h"
#include "common/wire.h"

enum { PATIENCE_MS = 20000 };

struct bench {
	struct loop	*loop;
	struct socks	*socks;
	struct sock	*ledger;
	struct wire	*heard;
	char		 dir[64], endpoint[96], conf[96];
	uint8_t		 id[64];
	size_t		 nid;
	int64_t		 uid;
	size_t		 hellos, moves, byes, ticks;
	uint64_t	 seq;
	pid_t		 pid;
};

/* --- the stage: moves each job that is ready to queued --- */

static void
act(struct stage *st, struct held *h)
{
	if (h->row->state == JOB_READY)
		books_step(stage_books(st), h, JOB_QUEUED, CODE_NO_SLOT, NULL);
}

static const struct stage_def def = { .kind = "allocate", .synopsis = "", .act = act };

/* --- the ledger --- */

static void
on_message(void *arg, const struct sock_from *from, struct span message)
{
	struct bench *b = arg;
	char why[128];

	assert_true(wire_read(b->heard, message, why));
	assert_true(from->id.n <= sizeof b->id);
	memcpy(b->id, from->id.p, from->id.n);
	b->nid = from->id.n;
	b->uid = from->uid;
	b->hellos += b->heard->kind == WIRE_HELLO;
	b->ticks += b->heard->kind == WIRE_TICK;
	b->moves += b->heard->kind == WIRE_MOVE;
	b->byes += b->heard->kind == WIRE_BYE;
	if (b->heard->kind == WIRE_MOVE)
		b->seq = b->heard->seq;
}

static const struct sock_ops ledger_ops = { .message = on_message };

static void
open_ledger(struct bench *b)
{
	b->ledger = sock_open(b->socks, &(struct sock_opts){ .role = SOCK_ROUTER, .endpoint = b->endpoint,
	    .ops = &ledger_ops, .arg = b });
	assert_non_null(b->ledger);
}

static void
answer(struct bench *b, struct buf *message)
{
	assert_int_equal(sock_send_to(b->ledger, (struct span){ b->id, b->nid }, SPAN_OF(message)), 0);
	buf_free(message);
}

static void
welcome(struct bench *b, uint64_t epoch, uint64_t term)
{
	struct buf out = { 0 };

	wire_put_welcome(&out, &(struct wire_head){ epoch, term, clock_wall_ms() }, 0, "ledger", "active");
	answer(b, &out);
}

static struct row
make_job(uint64_t id)
{
	struct row r = { 0 };

	SET(&r, kind, ROW_JOB);
	SET(&r, id, id);
	SET(&r, rev, 1);
	SET(&r, state, JOB_READY);
	return r;
}

static void
run_until(struct bench *b, const size_t *count, size_t want)
{
	uint64_t end = clock_ms() + PATIENCE_MS;

	while (*count < want && clock_ms() < end)
		loop_turn(b->loop, 50);
	assert_true(*count >= want);
}

/* --- set up --- */

static void
write_conf(struct bench *b)
{
	snprintf(b->conf, sizeof b->conf, "%s/conf", b->dir);
	FILE *f = fopen(b->conf, "w");
	assert_non_null(f);
	fprintf(f, "[prova]\nrun_dir = %s\nstate_dir = %s/state\nblobs_dir = %s/blobs\nledger = %s\n",
	    b->dir, b->dir, b->dir, b->endpoint);
	assert_int_equal(fclose(f), 0);
}

static void
start_stage(struct bench *b)
{
	char *argv[] = { (char[]){ "prova-allocate" }, (char[]){ "-c" }, b->conf, NULL };

	b->pid = fork();
	if (b->pid == 0)
		exit(stage_main(&def, 3, argv));
}

/* Fork comes before the context: its threads do not survive it. */
static int
setup(void **state)
{
	struct bench *b = xzalloc(sizeof *b);

	snprintf(b->dir, sizeof b->dir, "/tmp/prova-stage.XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->endpoint, sizeof b->endpoint, "ipc://%s/ledger", b->dir);
	write_conf(b);
	start_stage(b);
	b->loop = loop_new();
	b->socks = socks_new(b->loop);
	loop_last(b->loop, socks_drain, b->socks);
	loop_last(b->loop, socks_look, b->socks);
	b->heard = wire_new();
	open_ledger(b);
	run_until(b, &b->hellos, 1);
	welcome(b, 1, 1);
	*state = b;
	return 0;
}

static int
end_stage(struct bench *b, int signo)
{
	int status;

	kill(b->pid, signo);
	while (waitpid(b->pid, &status, WNOHANG) == 0)
		loop_turn(b->loop, 20);
	b->pid = 0;
	return status;
}

static int
teardown(void **state)
{
	struct bench *b = *state;
	char *command = xprintf("rm -rf %s", b->dir);

	if (b->pid)
		end_stage(b, SIGKILL);
	sock_close(&b->ledger);
	socks_free(&b->socks);
	loop_free(&b->loop);
	wire_free(&b->heard);
	assert_int_equal(system(command), 0);
	free(command);
	free(b);
	return 0;
}

/* --- tests --- */

static void
send_rows(struct bench *b, uint64_t from, uint64_t n)
{
	struct buf body = { 0 }, out = { 0 };

	for (uint64_t i = from; i < from + n; i++) {
		struct row job = make_job(i);
		wire_put_row(&body, &job, 0);
	}
	wire_put_rows(&out, WIRE_ROWS, &(struct wire_head){ 1, 1, clock_wall_ms() }, 0, n, SPAN_OF(&body), false);
	buf_free(&body);
	answer(b, &out);
}

static void
the_moves_of_a_turn_leave_in_one_message_and_in_that_turn(void **state)
{
	struct bench *b = *state;

	run_until(b, &b->ticks, 1);
	assert_int_equal(b->uid, getuid());
	uint64_t began = clock_ms();
	send_rows(b, 1, 20);
	run_until(b, &b->moves, 1);
	assert_int_equal(b->seq, 1);
	assert_true(clock_ms() - began < 450);	/* not by the next TICK */
}

static void
an_offer_to_the_inbox_is_acted_on(void **state)
{
	struct bench *b = *state;
	struct row job = make_job(9);
	struct buf out = { 0 };
	char inbox[128];

	run_until(b, &b->ticks, 1);
	snprintf(inbox, sizeof inbox, "ipc://%s/allocate.inbox", b->dir);
	struct sock *push = sock_open(b->socks, &(struct sock_opts){ .role = SOCK_PUSH, .endpoint = inbox });
	assert_non_null(push);
	wire_put_offer(&out, &job);
	assert_int_equal(sock_send(push, SPAN_OF(&out)), 0);
	buf_free(&out);
	run_until(b, &b->moves, 1);
	sock_close(&push);
}

static void
a_ledger_that_comes_back_is_greeted_at_once_and_told_again(void **state)
{
	struct bench *b = *state;

	run_until(b, &b->ticks, 1);
	send_rows(b, 1, 1);
	run_until(b, &b->moves, 1);
	sock_close(&b->ledger);		/* and never answered */
	loop_turn(b->loop, 0);
	b->hellos = b->moves = 0;
	uint64_t began = clock_ms();
	open_ledger(b);
	run_until(b, &b->hellos, 1);
	assert_true(clock_ms() - began < 1900);
	welcome(b, 1, 2);
	run_until(b, &b->moves, 1);
	assert_int_equal(b->seq, 1);
}

static void
a_stop_says_what_is_to_be_said_and_bye(void **state)
{
	struct bench *b = *state;

	run_until(b, &b->ticks, 1);
	assert_int_equal(end_stage(b, SIGTERM), 0);
	run_until(b, &b->byes, 1);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_moves_of_a_turn_leave_in_one_message_and_in_that_turn),
		T(an_offer_to_the_inbox_is_acted_on),
		T(a_ledger_that_comes_back_is_greeted_at_once_and_told_again),
		T(a_stop_says_what_is_to_be_said_and_bye),
	};

	return cmocka_run_group_tests_name("stage", tests, NULL, NULL);
}
