/* test_sock.c - the sockets over ipc, both ends in one process. */
#include "common/sock.h"

#include <setjmp.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/clock.h"

enum { PATIENCE_MS = 20000 };

struct bench {
	struct loop	*loop;
	struct socks	*socks;
	char		 dir[64], endpoint[96];
	/* the binding side's */
	struct sock	*bound;
	size_t		 got, bytes;
	int64_t		 uid;
	bool		 ordered, echo, close_in_callback;
	/* the connecting side's */
	struct sock	*link;
	size_t		 answers, connected, disconnected;
};

static void
on_bound(void *arg, const struct sock_from *from, struct span message)
{
	struct bench *b = arg;
	uint32_t n = 0;

	if (message.n >= sizeof n)
		memcpy(&n, message.p, sizeof n);
	b->ordered &= n == b->got;
	b->got++;
	b->bytes += message.n;
	b->uid = from->uid;
	if (b->echo)
		assert_int_equal(sock_send_to(b->bound, from->id, message), 0);
	if (b->close_in_callback)
		sock_close(&b->bound);
}

static void
on_link(void *arg, const struct sock_from *from, struct span message)
{
	struct bench *b = arg;

	assert_int_equal(from->id.n, 0);
	assert_int_equal(from->uid, -1);
	b->answers++;
}

static void
on_connected(void *arg)
{
	((struct bench *)arg)->connected++;
}

static void
on_disconnected(void *arg)
{
	((struct bench *)arg)->disconnected++;
}

static const struct sock_ops bound_ops = { .message = on_bound };
static const struct sock_ops link_ops = { on_link, on_connected, on_disconnected };

static int
setup(void **state)
{
	struct bench *b = xzalloc(sizeof *b);

	snprintf(b->dir, sizeof b->dir, "/tmp/prova-sock.XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->endpoint, sizeof b->endpoint, "ipc://%s/inbox", b->dir);
	b->loop = loop_new();
	b->socks = socks_new(b->loop);
	loop_last(b->loop, socks_drain, b->socks);
	loop_last(b->loop, socks_look, b->socks);
	b->ordered = true;
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *b = *state;

	sock_close(&b->link);
	sock_close(&b->bound);
	socks_free(&b->socks);
	loop_free(&b->loop);
	assert_int_equal(rmdir(b->dir), 0);	/* the path was unlinked */
	free(b);
	return 0;
}

static struct sock *
open_bound(struct bench *b, enum sock_role role)
{
	struct sock *s = sock_open(b->socks, &(struct sock_opts){ .role = role, .endpoint = b->endpoint,
	    .ops = &bound_ops, .arg = b });

	assert_non_null(s);
	return s;
}

static struct sock *
open_link(struct bench *b, enum sock_role role)
{
	struct sock *s = sock_open(b->socks, &(struct sock_opts){ .role = role, .endpoint = b->endpoint,
	    .ops = &link_ops, .arg = b });

	assert_non_null(s);
	return s;
}

static void
run_until(struct bench *b, const size_t *count, size_t want)
{
	uint64_t end = clock_ms() + PATIENCE_MS;

	while (*count < want && clock_ms() < end)
		loop_turn(b->loop, 100);
	assert_true(*count >= want);
}

static void
send_number(struct bench *b, uint32_t n)
{
	uint64_t end = clock_ms() + PATIENCE_MS;
	struct span s = { (const uint8_t *)&n, sizeof n };

	while (sock_send(b->link, s) != 0) {
		assert_int_equal(errno, EAGAIN);
		assert_true(clock_ms() < end);
		loop_turn(b->loop, 1);
	}
}

static void
ten_thousand_messages_arrive_in_order(void **state)
{
	struct bench *b = *state;

	b->bound = open_bound(b, SOCK_PULL);
	b->link = open_link(b, SOCK_PUSH);
	for (uint32_t i = 0; i < 10000; i++)
		send_number(b, i);
	run_until(b, &b->got, 10000);
	assert_true(b->ordered);
	assert_int_equal(b->uid, -1);
	assert_int_equal(sock_counted(b->bound).received, 10000);
	assert_int_equal(sock_counted(b->link).sent, 10000);
}

static void
a_router_answers_each_message_and_knows_the_uid(void **state)
{
	struct bench *b = *state;

	b->echo = true;
	b->bound = open_bound(b, SOCK_ROUTER);
	b->link = open_link(b, SOCK_DEALER);
	for (uint32_t n = 0; n < 10000; n += 500) {	/* fewer than a queue holds, whoever is slow */
		for (uint32_t i = n; i < n + 500; i++)
			send_number(b, i);
		run_until(b, &b->answers, n + 500);
	}
	assert_true(b->ordered);
	assert_int_equal(b->uid, getuid());
	assert_int_equal(b->connected, 1);
}

static void
a_restart_of_the_binding_side_is_told_and_survived(void **state)
{
	struct bench *b = *state;

	b->echo = true;
	b->bound = open_bound(b, SOCK_ROUTER);
	b->link = open_link(b, SOCK_DEALER);
	run_until(b, &b->connected, 1);
	for (size_t i = 1; i <= 3; i++) {
		sock_close(&b->bound);
		run_until(b, &b->disconnected, i);
		send_number(b, 7);	/* kept while the peer is away */
		b->bound = open_bound(b, SOCK_ROUTER);
		run_until(b, &b->connected, i + 1);
		run_until(b, &b->answers, i);
	}
}

static void
a_push_keeps_what_it_sent_before_anybody_listened(void **state)
{
	struct bench *b = *state;

	b->link = open_link(b, SOCK_PUSH);
	for (uint32_t i = 0; i < 100; i++)
		send_number(b, i);
	b->bound = open_bound(b, SOCK_PULL);
	run_until(b, &b->got, 100);
	assert_true(b->ordered);
}

static void
a_sender_is_told_when_there_is_no_room(void **state)
{
	struct bench *b = *state;
	size_t n = 0;

	b->link = open_link(b, SOCK_PUSH);
	while (n < 100000 && sock_send(b->link, SPAN("xxxx")) == 0)
		n++;
	assert_int_equal(errno, EAGAIN);
	assert_in_range(n, 1000, 10000);
	assert_int_equal(sock_counted(b->link).unsent, 1);
}

static void
a_message_over_the_limit_is_refused_here_and_there(void **state)
{
	struct bench *b = *state;
	uint8_t *large = xzalloc(200000);

	b->bound = open_bound(b, SOCK_PULL);
	b->link = open_link(b, SOCK_PUSH);
	assert_int_equal(sock_send(b->link, (struct span){ large, MESSAGE_BYTES + 1 }), -1);
	assert_int_equal(errno, EMSGSIZE);
	assert_int_equal(sock_send(b->link, (struct span){ large, MESSAGE_BYTES }), 0);
	run_until(b, &b->got, 1);

	/* one that does not keep the limit: its link is broken, others go on */
	struct sock *rude = sock_open(b->socks, &(struct sock_opts){ .role = SOCK_PUSH,
	    .endpoint = b->endpoint, .max_bytes = 200000 });
	assert_non_null(rude);
	assert_int_equal(sock_send(rude, (struct span){ large, 200000 }), 0);
	assert_int_equal(sock_send(b->link, SPAN("small")), 0);
	assert_int_equal(sock_send(rude, SPAN("small")), 0);
	run_until(b, &b->got, 3);
	assert_int_equal(b->bytes, MESSAGE_BYTES + 5 + 5);
	sock_close(&rude);
	free(large);
}

static void
a_peer_that_has_gone_is_an_error(void **state)
{
	struct bench *b = *state;

	b->bound = open_bound(b, SOCK_ROUTER);
	assert_int_equal(sock_send_to(b->bound, SPAN("nobody"), SPAN("x")), -1);
	assert_int_equal(errno, EHOSTUNREACH);
	assert_int_equal(sock_counted(b->bound).unsent, 1);
}

static void
a_call_back_may_close_its_own_socket(void **state)
{
	struct bench *b = *state;

	b->close_in_callback = true;
	b->bound = open_bound(b, SOCK_PULL);
	b->link = open_link(b, SOCK_PUSH);
	for (uint32_t i = 0; i < 10; i++)
		send_number(b, i);
	run_until(b, &b->got, 1);
	loop_turn(b->loop, 0);
	assert_int_equal(b->got, 1);
	assert_null(b->bound);
}

static void
a_bad_endpoint_says_why(void **state)
{
	struct bench *b = *state;
	char path[200] = "ipc:///tmp/";

	memset(path + strlen(path), 'x', 150);
	struct sock *s = sock_open(b->socks, &(struct sock_opts){ .role = SOCK_PULL, .endpoint = path });
	assert_null(s);
	assert_int_equal(errno, ENAMETOOLONG);
	s = sock_open(b->socks, &(struct sock_opts){ .role = SOCK_PUSH, .endpoint = "nonsense" });
	assert_null(s);
	assert_int_equal(errno, EINVAL);
	s = sock_open(b->socks, &(struct sock_opts){ .role = SOCK_DEALER, .endpoint = "smoke://signal" });
	assert_null(s);
	assert_int_equal(errno, EPROTONOSUPPORT);
}

static void
a_tcp_port_is_chosen_and_told(void **state)
{
	struct bench *b = *state;

	snprintf(b->endpoint, sizeof b->endpoint, "tcp://127.0.0.1:0");
	b->echo = true;
	b->bound = open_bound(b, SOCK_ROUTER);
	snprintf(b->endpoint, sizeof b->endpoint, "%s", sock_endpoint(b->bound));
	b->link = open_link(b, SOCK_DEALER);
	send_number(b, 0);
	run_until(b, &b->answers, 1);
	assert_int_equal(b->uid, -1);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(ten_thousand_messages_arrive_in_order),
		T(a_router_answers_each_message_and_knows_the_uid),
		T(a_restart_of_the_binding_side_is_told_and_survived),
		T(a_push_keeps_what_it_sent_before_anybody_listened),
		T(a_sender_is_told_when_there_is_no_room),
		T(a_message_over_the_limit_is_refused_here_and_there),
		T(a_peer_that_has_gone_is_an_error),
		T(a_call_back_may_close_its_own_socket),
		T(a_bad_endpoint_says_why),
		T(a_tcp_port_is_chosen_and_told),
	};

	return cmocka_run_group_tests_name("sock", tests, NULL, NULL);
}
