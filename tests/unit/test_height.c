/* test_height.c - how far the L2 nodes are: who is asked, how often, and what is known when nobody answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "common/height.h"

#include "common/clock.h"
#include "common/httpd.h"

static struct loop *loop;
static struct http *http;
static struct httpd *node;
static struct height *height;
static char url[64];
static const char *says;	/* NULL: the connection is cut */
static unsigned asked, told;

static void
on_request(void *arg, struct httpd_req *r)
{
	asked++;
	if (says)
		httpd_answer(r, 200, "application/json", NULL, span_str(says));
	else
		httpd_abort(r);
}

static void
on_known(void *arg)
{
	told++;
}

static int
setup(void **state)
{
	loop = loop_new();
	http = http_new(loop, 4);
	node = httpd_new(loop, &(struct httpd_opts){ .listen = "127.0.0.1:0", .max_body = 1 << 20, .max_connections = 10,
	    .idle_s = 30, .handler = on_request });
	assert_non_null(node);
	snprintf(url, sizeof url, "http://127.0.0.1:%u/", httpd_port(node));
	says = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0x10\"}";
	asked = told = 0;
	return 0;
}

static int
teardown(void **state)
{
	clock_freeze(0);
	height_free(&height);
	http_free(&http);
	httpd_free(&node);
	loop_free(&loop);
	return 0;
}

static void
open_height(const char *urls)
{
	height = height_new(&(struct height_opts){ .loop = loop, .http = http, .urls = urls, .timeout_ms = 2000 });
}

static void
wait_told(unsigned n)
{
	for (int i = 0; i < 2000 && told < n; i++)
		loop_turn(loop, 10);
	assert_int_equal(told, n);
}

static void
the_first_node_that_answers_is_heard(void **state)
{
	char *urls = xprintf("http://127.0.0.1:1, %s %s", url, url);
	uint64_t number;

	open_height(urls);
	assert_false(height_known(height, &number));
	height_wait(height, on_known, NULL);
	height_wait(height, on_known, NULL);	/* one question for both */
	assert_int_equal(told, 0);
	wait_told(2);
	assert_int_equal(asked, 1);
	assert_true(height_known(height, &number) && number == 16);
	assert_false(height_away(height));
	height_wait(height, on_known, NULL);	/* young enough */
	assert_int_equal(told, 3);
	assert_int_equal(asked, 1);
	free(urls);
}

static void
other_answers_are_none(void **state)
{
	static const char *const bad[] = { NULL, "", "{}", "[1]", "{\"result\":16}", "{\"result\":\"16\"}", "{\"error\":{\"code\":1}}",
		"{\"result\":\"0x10000000000000000\"}" };
	uint64_t number = 0;

	for (size_t i = 0; i < NELEM(bad); i++) {
		says = bad[i];
		height_free(&height);
		open_height(url);
		told = 0;
		height_wait(height, on_known, NULL);
		wait_told(1);
		if (!height_away(height) || height_known(height, &number))
			fail_msg("%s", bad[i] ? bad[i] : "cut");
	}
}

static void
a_node_is_asked_again_after_a_while_and_its_number_stays(void **state)
{
	uint64_t number, now = clock_ms();

	open_height(url);
	height_wait(height, on_known, NULL);
	wait_told(1);
	says = NULL;
	clock_freeze(now + 10000);
	height_wait(height, on_known, NULL);
	wait_told(2);
	assert_true(asked >= 2);	/* the library repeats it on a connection that had served before */
	assert_true(height_away(height) && height_known(height, &number) && number == 16);
	says = "{\"result\":\"0x11\"}";
	clock_freeze(now + 20000);
	height_wait(height, on_known, NULL);
	wait_told(3);
	assert_true(!height_away(height) && height_known(height, &number) && number == 17);
}

static void
without_nodes_nobody_waits(void **state)
{
	uint64_t number;

	open_height("");
	height_wait(height, on_known, NULL);
	assert_int_equal(told, 1);
	assert_false(height_known(height, &number) || height_away(height));
}

static void
who_waits_is_not_called_after_the_end(void **state)
{
	open_height(url);
	height_wait(height, on_known, NULL);
	height_free(&height);
	for (int i = 0; i < 10; i++)
		loop_turn(loop, 5);
	assert_int_equal(told, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		T(the_first_node_that_answers_is_heard), T(other_answers_are_none),
		T(a_node_is_asked_again_after_a_while_and_its_number_stays), T(without_nodes_nobody_waits),
		T(who_waits_is_not_called_after_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
