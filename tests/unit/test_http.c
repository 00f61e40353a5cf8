/* test_http.c - the HTTP client and the HTTP server against each other, and each against bare sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/http.h"
#include "common/httpd.h"

enum { BODY_MAX = 1 << 20 };

struct world {
	struct loop		*loop;
	struct http		*http;
	struct httpd		*server;
	struct httpd_req	*held;		/* answered later */
	int			 handled, gone, done;
	enum http_fail		 fail;
	long			 status;
	unsigned		 retry_after_s;
	struct buf		 body;
	bool			 may_send;
	int			 asked;
	size_t			 sunk, sink_max;
	struct http_call	*victim;	/* cancelled in done */
	bool			 free_pool;	/* in done */
};

/* One path, one behaviour. */
static void
echo(struct world *w, struct httpd_req *r)
{
	static const char *const extra[] = { "X-Echo: yes", "Retry-After: 7", NULL };

	httpd_answer(r, 200, "text/plain", extra, httpd_body(r));
}

static void
hold(struct world *w, struct httpd_req *r)
{
	w->held = r;
}

static void
drop(struct world *w, struct httpd_req *r)
{
	httpd_abort(r);
}

static void
redirect(struct world *w, struct httpd_req *r)
{
	static const char *const extra[] = { "Location: /echo", NULL };

	httpd_answer(r, 302, NULL, extra, SPAN("moved"));
}

static void
tell(struct world *w, struct httpd_req *r)
{
	struct buf b = { 0 };
	const char *q = httpd_query(r, "q"), *h = httpd_header(r, "X-Test");
	const char *type = httpd_header(r, "Content-Type"), *expect = httpd_header(r, "Expect");

	buf_printf(&b, "%s %s %s %s %s %s", httpd_method(r), httpd_path(r), q ? q : "-", h ? h : "-",
	    type ? type : "-", expect ? expect : "-");
	httpd_answer(r, 200, NULL, NULL, SPAN_OF(&b));
	buf_free(&b);
}

/* The body comes back in a form. */
static void
form(struct world *w, struct httpd_req *r)
{
	bool half = strcmp(httpd_path(r), "/half") == 0;

	httpd_answer_as(r, half ? HTTPD_HALF : HTTPD_CHUNKED, 200, "text/plain", NULL, httpd_body(r));
}

static void
serve(void *arg, struct httpd_req *r)
{
	static const struct {
		const char *path;
		void (*fn)(struct world *, struct httpd_req *);
	} paths[] = { { "/echo", echo }, { "/hold", hold }, { "/drop", drop }, { "/redirect", redirect }, { "/tell", tell },
	    { "/chunked", form }, { "/half", form } };
	struct world *w = arg;

	w->handled++;
	httpd_set(r, w);
	assert_ptr_equal(httpd_get(r), w);
	for (size_t i = 0; i < NELEM(paths); i++)
		if (strcmp(httpd_path(r), paths[i].path) == 0) {
			paths[i].fn(w, r);
			return;
		}
	httpd_answer(r, 404, NULL, NULL, SPAN("nothing"));
}

static void
went(void *arg, struct httpd_req *r)
{
	struct world *w = arg;

	w->gone++;
	w->held = NULL;
}

static int
begin(void **state)
{
	struct world *w = xzalloc(sizeof *w);

	w->loop = loop_new();
	w->http = http_new(w->loop, 8);
	w->server = httpd_new(w->loop, &(struct httpd_opts){ .listen = "127.0.0.1:0", .max_body = BODY_MAX,
	    .max_held = BODY_MAX + BODY_MAX / 2, .max_connections = 100, .idle_s = 10, .handler = serve, .gone = went, .arg = w });
	w->may_send = true;
	*state = w;
	return w->server ? 0 : -1;
}

static int
end(void **state)
{
	struct world *w = *state;

	http_free(&w->http);
	httpd_free(&w->server);
	loop_free(&w->loop);
	buf_free(&w->body);
	free(w);
	return 0;
}

static void
done(void *arg, struct http_answer *a)
{
	struct world *w = arg;

	w->done++;
	w->fail = a->fail;
	w->status = a->status;
	w->retry_after_s = a->retry_after_s;
	buf_free(&w->body);
	w->body = a->body;
	a->body = (struct buf){ 0 };
	if (w->victim)
		http_cancel(&w->victim);
	if (w->free_pool)
		http_free(&w->http);
}

static void
turn_until(struct world *w, const int *what, int n)
{
	uint64_t stop = clock_ms() + 10000;

	while (*what < n && clock_ms() < stop)
		loop_turn(w->loop, 50);
	assert_int_equal(*what, n);
}

static struct http_call *
start(struct world *w, struct http_req *r, const char *path)
{
	char *url = xprintf("http://127.0.0.1:%u%s", httpd_port(w->server), path);

	r->url = url;
	if (!r->method)
		r->method = r->body.n ? "POST" : "GET";
	struct http_call *c = http_start(w->http, r, done, w);
	free(url);
	return c;
}

static void
fetch(struct world *w, struct http_req r, const char *path)
{
	int before = w->done;

	start(w, &r, path);
	assert_int_equal(w->done, before);
	turn_until(w, &w->done, before + 1);
}

static int
dial(struct world *w, const char *text)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	    .sin_port = htons((uint16_t)httpd_port(w->server)) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
	return fd;
}

/* Its other side has closed it; what came before that is read away. */
static bool
is_closed(int fd)
{
	char c[4096];
	ssize_t n;

	while ((n = recv(fd, c, sizeof c, MSG_DONTWAIT)) > 0)
		;
	return n == 0 || errno != EAGAIN;
}

static void
a_body_goes_there_and_back(void **state)
{
	struct world *w = *state;
	uint8_t *big = xmalloc(BODY_MAX);

	memset(big, 'x', BODY_MAX);
	fetch(w, (struct http_req){ .body = { big, BODY_MAX }, .body_borrowed = true }, "/echo");
	assert_int_equal(w->fail, HTTP_OK);
	assert_int_equal(w->status, 200);
	assert_int_equal(w->retry_after_s, 7);
	assert_true(span_eq(SPAN_OF(&w->body), (struct span){ big, BODY_MAX }));
	free(big);
}

static void
headers_and_query_arrive_and_nothing_else_is_added(void **state)
{
	static const char *const headers[] = { "X-Test: 1", NULL };
	static const char *const typed[] = { "Content-Type: application/json", NULL };
	struct world *w = *state;
	uint8_t *big = xmalloc(BODY_MAX);

	fetch(w, (struct http_req){ .headers = headers }, "/tell?q=a%20b");
	assert_string_equal(buf_cstr(&w->body), "GET /tell a b 1 - -");
	fetch(w, (struct http_req){ .body = SPAN("x") }, "/tell");
	assert_string_equal(buf_cstr(&w->body), "POST /tell - - - -");
	fetch(w, (struct http_req){ .method = "POST", .headers = typed }, "/tell");
	assert_string_equal(buf_cstr(&w->body), "POST /tell - - application/json -");
	fetch(w, (struct http_req){ .method = "DELETE" }, "/tell");
	assert_string_equal(buf_cstr(&w->body), "DELETE /tell - - - -");
	memset(big, 'x', BODY_MAX);
	fetch(w, (struct http_req){ .method = "PUT", .body = { big, BODY_MAX } }, "/tell");
	assert_string_equal(buf_cstr(&w->body), "PUT /tell - - - -");
	free(big);
}

static void
answers_come_in_chunks_or_are_cut_off(void **state)
{
	struct world *w = *state;
	uint8_t *big = xmalloc(BODY_MAX);

	memset(big, 'x', BODY_MAX);
	fetch(w, (struct http_req){ .body = { big, BODY_MAX } }, "/chunked");
	assert_int_equal(w->fail, HTTP_OK);
	assert_true(span_eq(SPAN_OF(&w->body), (struct span){ big, BODY_MAX }));
	fetch(w, (struct http_req){ .method = "POST" }, "/chunked");
	assert_int_equal(w->fail, HTTP_OK);
	assert_int_equal(w->body.n, 0);
	fetch(w, (struct http_req){ .body = { big, BODY_MAX } }, "/half");
	assert_int_equal(w->fail, HTTP_NO_ANSWER);
	fetch(w, (struct http_req){ .body = SPAN("xy") }, "/half");
	assert_int_equal(w->fail, HTTP_NO_ANSWER);
	free(big);
}

static void
redirects_are_not_followed(void **state)
{
	struct world *w = *state;

	fetch(w, (struct http_req){ 0 }, "/redirect");
	assert_int_equal(w->status, 302);
	assert_string_equal(buf_cstr(&w->body), "moved");
}

static void
a_request_may_be_answered_later(void **state)
{
	struct world *w = *state;
	struct http_req r = { .body = SPAN("later") };

	start(w, &r, "/hold");
	turn_until(w, &w->handled, 1);
	loop_turn(w->loop, 20);
	assert_int_equal(w->done, 0);
	assert_true(span_is(httpd_body(w->held), "later"));
	httpd_answer(w->held, 201, NULL, NULL, SPAN("now"));
	turn_until(w, &w->done, 1);
	assert_int_equal(w->status, 201);
	assert_int_equal(w->gone, 0);
}

static bool
answer_at_last(void *arg)
{
	struct world *w = arg;

	if (w->held)
		httpd_answer(w->held, 200, NULL, NULL, SPAN("at last"));
	w->held = NULL;
	return false;
}

static void
too_late(void *arg)
{
	*(bool *)arg = true;
}

/* Behind the server's own last act nothing else would wake the loop: it must not sleep with the answer in hand. */
static void
an_answer_at_the_end_of_a_turn_leaves_at_once(void **state)
{
	struct world *w = *state;
	struct http_req r = { 0 };
	bool slept = false;
	struct loop_timer alarm = { .fn = too_late, .arg = &slept };

	start(w, &r, "/hold");
	turn_until(w, &w->handled, 1);
	for (int i = 0; i < 10; i++)
		loop_turn(w->loop, 20);
	loop_timer(w->loop, &alarm, clock_ms() + 900);
	loop_last(w->loop, answer_at_last, w);
	while (!w->done && !slept)
		loop_turn(w->loop, 1000);
	assert_false(slept);
	assert_string_equal(buf_cstr(&w->body), "at last");
	loop_timer(w->loop, &alarm, 0);
}

static void
a_peer_that_goes_away_is_noticed_while_it_waits(void **state)
{
	struct world *w = *state;
	struct http_req r = { .fresh = true };
	struct http_call *c = start(w, &r, "/hold");

	turn_until(w, &w->handled, 1);
	http_cancel(&c);
	assert_null(c);
	turn_until(w, &w->gone, 1);
	assert_int_equal(w->done, 0);
	fetch(w, (struct http_req){ .body = SPAN("still alive") }, "/echo");
	assert_int_equal(w->fail, HTTP_OK);
}

/* Be it all of it or only its own direction, and whatever it has sent behind the request, before or after that is held. */
static void
bytes_behind_a_request_do_not_hide_that_its_peer_went(void **state)
{
	static const struct { const char *at_once, *later; bool half; } peers[] = {
		{ "", "", false }, { "", "", true }, { "", "\r\n", false }, { "", "\r\n", true }, { "\r\n", "", false },
		{ "", "GET /tell HTTP/1.1\r\nHost: x\r\n\r\n", false }, { "GET /tell HTTP/1.1\r\nHost: x\r\n\r\n", "", true },
	};
	struct world *w = *state;

	for (size_t i = 0; i < NELEM(peers); i++) {
		char *text = xprintf("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n%s", peers[i].at_once);
		int fd = dial(w, text);
		turn_until(w, &w->handled, (int)i + 1);
		assert_int_equal(send(fd, peers[i].later, strlen(peers[i].later), 0), strlen(peers[i].later));
		for (int turn = 0; turn < 5; turn++)
			loop_turn(w->loop, 10);
		assert_int_equal(w->gone, i);
		(peers[i].half ? shutdown(fd, SHUT_WR) : close(fd));
		turn_until(w, &w->gone, (int)i + 1);
		if (peers[i].half) {
			while (!is_closed(fd))
				loop_turn(w->loop, 10);
			close(fd);
		}
		free(text);
	}
	assert_int_equal(w->handled, NELEM(peers));
}

/* A next request that comes early is answered behind the one before it. */
static void
a_request_that_came_early_is_answered_in_its_turn(void **state)
{
	struct world *w = *state;
	static const char next[] = "GET /tell HTTP/1.1\r\nHost: x\r\n\r\n";
	int fd = dial(w, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
	struct buf all = { 0 };
	ssize_t n;

	turn_until(w, &w->handled, 1);
	assert_int_equal(send(fd, next, sizeof next - 1, 0), sizeof next - 1);
	for (int turn = 0; turn < 5; turn++)
		loop_turn(w->loop, 10);
	assert_int_equal(w->handled, 1);
	httpd_answer(w->held, 200, NULL, NULL, SPAN("first"));
	turn_until(w, &w->handled, 2);
	while (!strstr(buf_cstr(&all), "GET /tell")) {
		loop_turn(w->loop, 10);
		if ((n = recv(fd, buf_room(&all, 4096), 4096, MSG_DONTWAIT)) > 0)
			all.n += (size_t)n;
	}
	assert_true(strstr(buf_cstr(&all), "first") < strstr(buf_cstr(&all), "GET /tell"));
	assert_int_equal(w->gone, 0);
	buf_free(&all);
	close(fd);
	loop_turn(w->loop, 10);
}

static void
a_server_ends_with_requests_waiting(void **state)
{
	struct world *w = *state;
	struct http_req r = { 0 };

	start(w, &r, "/hold");
	turn_until(w, &w->handled, 1);
	httpd_free(&w->server);
	assert_int_equal(w->gone, 1);
	turn_until(w, &w->done, 1);
	assert_int_equal(w->fail, HTTP_NO_ANSWER);
}

static void
no_answer_is_told_from_not_sent(void **state)
{
	struct world *w = *state;
	struct http_req r = { .url = "http://127.0.0.1:1/", .method = "GET" };

	fetch(w, (struct http_req){ .fresh = true }, "/drop");
	assert_int_equal(w->fail, HTTP_NO_ANSWER);
	assert_int_equal(w->status, 0);
	http_start(w->http, &r, done, w);
	turn_until(w, &w->done, 2);
	assert_int_equal(w->fail, HTTP_NOT_SENT);
	r.url = "ftp://127.0.0.1/";
	http_start(w->http, &r, done, w);
	turn_until(w, &w->done, 3);
	assert_int_equal(w->fail, HTTP_NOT_SENT);
}

static void
silence_ends_with_the_deadline(void **state)
{
	struct world *w = *state;

	fetch(w, (struct http_req){ .timeout_ms = 50 }, "/hold");
	assert_int_equal(w->fail, HTTP_TIMEOUT);
}

static bool
ask(void *arg)
{
	struct world *w = arg;

	w->asked++;
	return w->may_send;
}

static void
the_last_moment_is_asked_for_each_call(void **state)
{
	struct world *w = *state;

	fetch(w, (struct http_req){ .may_send = ask }, "/echo");
	assert_int_equal(w->fail, HTTP_OK);
	fetch(w, (struct http_req){ .may_send = ask }, "/echo");
	assert_int_equal(w->asked, 2);
	w->may_send = false;
	fetch(w, (struct http_req){ .may_send = ask }, "/echo");
	assert_int_equal(w->fail, HTTP_NOT_SENT);
	fetch(w, (struct http_req){ .may_send = ask, .fresh = true }, "/echo");
	assert_int_equal(w->fail, HTTP_NOT_SENT);
	assert_int_equal(w->asked, 4);
	assert_int_equal(w->handled, 2);
}

static bool
swallow(void *arg, const uint8_t *p, size_t n)
{
	struct world *w = arg;

	w->sunk += n;
	return w->sunk <= w->sink_max;
}

static void
answers_have_a_largest_size(void **state)
{
	struct world *w = *state;
	uint8_t big[5000] = { 0 };
	struct span body = { big, sizeof big };

	fetch(w, (struct http_req){ .body = body, .max_bytes = 4999 }, "/echo");
	assert_int_equal(w->fail, HTTP_TOO_LARGE);
	fetch(w, (struct http_req){ .body = body, .max_bytes = 5000 }, "/echo");
	assert_int_equal(w->fail, HTTP_OK);
	w->sink_max = 5000;
	fetch(w, (struct http_req){ .body = body, .sink = swallow }, "/echo");
	assert_int_equal(w->fail, HTTP_OK);
	assert_int_equal(w->body.n, 0);
	fetch(w, (struct http_req){ .body = body, .sink = swallow }, "/echo");
	assert_int_equal(w->fail, HTTP_TOO_LARGE);
}

static void
bodies_too_large_are_drained_and_refused(void **state)
{
	struct world *w = *state;
	size_t n = BODY_MAX + 1;
	uint8_t *big = xzalloc(n);

	fetch(w, (struct http_req){ .body = { big, n } }, "/echo");
	assert_int_equal(w->status, 413);
	assert_int_equal(w->handled, 0);
	fetch(w, (struct http_req){ .body = SPAN("ok") }, "/echo");
	assert_int_equal(w->status, 200);
	free(big);
}

/* One is held by the handler, so a second one does not fit into memory beside it. */
static void
bodies_that_are_too_many_hear_later(void **state)
{
	struct world *w = *state;
	uint8_t *big = xzalloc(BODY_MAX);
	struct http_req first = { .body = { big, BODY_MAX } };

	start(w, &first, "/hold");
	turn_until(w, &w->handled, 1);
	fetch(w, (struct http_req){ .body = { big, BODY_MAX } }, "/echo");
	assert_true(w->status == 503 && w->retry_after_s == 1);
	fetch(w, (struct http_req){ .body = SPAN("small") }, "/echo");
	assert_int_equal(w->status, 200);
	httpd_answer(w->held, 200, NULL, NULL, SPAN("ok"));
	turn_until(w, &w->done, 3);
	fetch(w, (struct http_req){ .body = { big, BODY_MAX } }, "/echo");
	assert_int_equal(w->status, 200);
	free(big);
}

static void
many_calls_share_few_connections(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 300; i++) {
		struct http_req r = { .body = SPAN("x") };
		start(w, &r, "/echo");
	}
	turn_until(w, &w->done, 300);
	assert_int_equal(w->fail, HTTP_OK);
}

static void
calls_and_pools_may_end_inside_done(void **state)
{
	struct world *w = *state;
	struct http_req a = { 0 }, b = { 0 }, c = { 0 };

	start(w, &a, "/echo");
	w->victim = start(w, &b, "/hold");
	turn_until(w, &w->done, 1);
	assert_null(w->victim);
	w->free_pool = true;
	start(w, &c, "/echo");
	turn_until(w, &w->done, 2);
	assert_null(w->http);
	loop_turn(w->loop, 0);
}

/* A server that answers before it has read the body, and closes. */
static void
an_early_answer_counts_although_the_body_was_not_taken(void **state)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nearly";
	struct world *w = *state;
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof sa;
	size_t big_n = 64 << 20;
	uint8_t *big = xzalloc(big_n);
	char head[1000];
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd;

	assert_int_equal(bind(listener, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&sa, &n), 0);
	char *url = xprintf("http://127.0.0.1:%u/", ntohs(sa.sin_port));
	struct http_req r = { .method = "POST", .url = url, .body = { big, big_n }, .body_borrowed = true };
	http_start(w->http, &r, done, w);
	while (poll(&(struct pollfd){ .fd = listener, .events = POLLIN }, 1, 0) == 0)
		loop_turn(w->loop, 10);
	fd = accept(listener, NULL, NULL);
	while (poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 0) == 0)
		loop_turn(w->loop, 10);
	assert_true(read(fd, head, sizeof head) > 0);
	assert_int_equal(write(fd, answer, sizeof answer - 1), sizeof answer - 1);
	loop_turn(w->loop, 100);
	close(fd);
	turn_until(w, &w->done, 1);
	assert_int_equal(w->fail, HTTP_OK);
	assert_string_equal(buf_cstr(&w->body), "early");
	close(listener);
	free(url);
	free(big);
}

static void
a_port_that_is_taken_is_told(void **state)
{
	struct world *w = *state;
	char *listen_at = xprintf("127.0.0.1:%u", httpd_port(w->server));

	assert_null(httpd_new(w->loop, &(struct httpd_opts){ .listen = listen_at, .handler = serve }));
	assert_int_equal(errno, EADDRINUSE);
	assert_null(httpd_new(w->loop, &(struct httpd_opts){ .listen = "nonsense", .handler = serve }));
	assert_int_equal(errno, EINVAL);
	free(listen_at);
}

/* --- peers that are slow, or many --------------------------------------------- */

/* Another server with these limits. */
static void
serve_anew(struct world *w, struct httpd_opts o)
{
	httpd_free(&w->server);
	o.listen = "127.0.0.1:0";
	o.max_body = BODY_MAX;
	o.handler = serve;
	o.gone = went;
	o.arg = w;
	w->server = httpd_new(w->loop, &o);
	assert_non_null(w->server);
}

/* Nobody who sends a byte now and then, or takes one, stays longer than he may. */
static void
slowness_is_bounded_whatever_is_sent_in_between(void **state)
{
	static const char *const begins[] = {
		"", "GET /echo HTTP/1.1\r\nX: ", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n",
		"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n", "GET /echo HTTP/1.1\r\nHost: x\r\n\r\nGET /e",
	};
	struct world *w = *state;
	int fds[NELEM(begins)];
	size_t closed = 0;

	serve_anew(w, (struct httpd_opts){ .max_connections = 100, .head_s = 1, .idle_s = 1, .body_s = 1 });
	for (size_t i = 0; i < NELEM(begins); i++)
		fds[i] = dial(w, begins[i]);
	uint64_t stop = clock_ms() + 20000;
	while (closed < NELEM(begins) && clock_ms() < stop) {
		loop_turn(w->loop, 50);
		for (size_t i = 0; i < NELEM(begins); i++) {
			if (fds[i] < 0 || (i && send(fds[i], "x", 1, MSG_NOSIGNAL) == 1 && !is_closed(fds[i])) || (!i && !is_closed(fds[i])))
				continue;
			close(fds[i]);
			fds[i] = -1;
			closed++;
		}
	}
	assert_int_equal(closed, NELEM(begins));
	fetch(w, (struct http_req){ .body = SPAN("ok") }, "/echo");
	assert_int_equal(w->status, 200);
}

/* It asks for a large answer and does not take it. */
static void
an_answer_that_is_not_taken_ends(void **state)
{
	struct world *w = *state;
	size_t n = BODY_MAX;
	char *text = xmalloc(n + 1);
	int small = 4096;

	memset(text, 'x', n);
	text[n] = '\0';
	serve_anew(w, (struct httpd_opts){ .max_connections = 2, .body_s = 1 });
	int fd = dial(w, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	for (size_t at = 0; at < n; ) {
		ssize_t sent = send(fd, text + at, n - at, MSG_DONTWAIT);
		at += sent > 0 ? (size_t)sent : 0;
		loop_turn(w->loop, 0);
	}
	turn_until(w, &w->handled, 1);
	uint64_t stop = clock_ms() + 20000;
	while (send(fd, "x", 1, MSG_NOSIGNAL) == 1 && clock_ms() < stop)
		loop_turn(w->loop, 50);
	assert_true(clock_ms() < stop);
	close(fd);
	free(text);
}

/* Who waits for an answer stays; those without a request go, the oldest first. */
static void
half_open_connections_give_way(void **state)
{
	struct world *w = *state;
	int fds[12];

	serve_anew(w, (struct httpd_opts){ .max_connections = 4 });
	int held = dial(w, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
	turn_until(w, &w->handled, 1);
	for (size_t i = 0; i < NELEM(fds); i++) {
		fds[i] = dial(w, i % 2 ? "GET /ec" : "");
		loop_turn(w->loop, 50);
	}
	fetch(w, (struct http_req){ .body = SPAN("ok") }, "/echo");
	assert_int_equal(w->status, 200);
	assert_false(is_closed(held));
	assert_true(is_closed(fds[0]));
	assert_true(is_closed(fds[NELEM(fds) - 4]));
	httpd_answer(w->held, 200, NULL, NULL, SPAN("at last"));
	for (size_t i = 0; i < NELEM(fds); i++)
		close(fds[i]);
	close(held);
	loop_turn(w->loop, 50);
}

/* More than are accepted beyond the limit; they go before their time is over. */
static void
slow_bodies_give_way(void **state)
{
	struct world *w = *state;
	int fds[100];

	serve_anew(w, (struct httpd_opts){ .max_connections = 4, .body_s = 6 });
	for (size_t i = 0; i < NELEM(fds); i++)
		fds[i] = dial(w, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
	fetch(w, (struct http_req){ .body = SPAN("ok") }, "/echo");
	assert_int_equal(w->status, 200);
	assert_true(is_closed(fds[0]));
	for (size_t i = 0; i < NELEM(fds); i++)
		close(fds[i]);
	loop_turn(w->loop, 50);
}

static bool
is_worth(void *arg, struct httpd_req *r)
{
	return httpd_header(r, "X-Known") != NULL;
}

static void
what_is_not_worth_reading_is_drained(void **state)
{
	static const char *const known[] = { "X-Known: yes", NULL };
	struct world *w = *state;
	uint8_t *big = xzalloc(5000);

	serve_anew(w, (struct httpd_opts){ .worth = is_worth, .small_body = 1000 });
	fetch(w, (struct http_req){ .body = { big, 1000 } }, "/echo");
	assert_int_equal(w->body.n, 1000);
	fetch(w, (struct http_req){ .body = { big, 5000 } }, "/echo");
	assert_int_equal(w->status, 200);
	assert_int_equal(w->body.n, 0);
	fetch(w, (struct http_req){ .body = { big, 5000 }, .headers = known }, "/echo");
	assert_int_equal(w->body.n, 5000);
	free(big);
}

/* Two servers that read such a head differently would see two different next requests. */
static void
a_head_that_can_be_read_in_two_ways_is_refused(void **state)
{
	static const struct { const char *version, *lines; long status; const char *text; } heads[] = {
		{ "1.1", "", 400, "400 Bad Request: missing required Host header" },
		{ "1.1", "Host : x\r\n", 400, "400 Bad Request: missing required Host header" },
		{ "1.1", "Host: x\r\nHost: x\r\n", 400, "400 Bad Request" },
		{ "1.0", "Host: x\r\nHost: y\r\n", 400, "400 Bad Request" },
		{ "1.0", "", 200, "POST" },
		{ "1.1", "Host: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n", 400, "400 Bad Request" },
		{ "1.1", "Host: x\r\nContent-Length: 2\r\nContent-Length: 02\r\n", 400, "400 Bad Request" },
		{ "1.1", "Host: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n", 200, "POST" },
		{ "1.1", "Host: x\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n", 200, "POST" },
		{ "1.1", "Host: x\r\nTransfer-Encoding: Chunked\r\n", 200, "POST" },
		{ "1.1", "Host: x\r\nTransfer-Encoding: gzip\r\n", 501, "Unsupported transfer encoding" },
		{ "1.1", "Host: x\r\nTransfer-Encoding: gzip, chunked\r\n", 501, "Unsupported transfer encoding" },
		{ "1.1", "Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 501, "Unsupported transfer encoding" },
		{ "1.1", "Host: x\r\nContent-Length: 0\r\nTransfer-Encoding : chunked\r\n", 400, "400 Bad Request: invalid header name" },
		{ "1.1", "Host: x\r\nX-\xe4: 1\r\n", 400, "400 Bad Request: invalid header name" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < NELEM(heads); i++) {
		bool chunked = strcasestr(heads[i].lines, ": chunked\r\n");
		char *text = xprintf("POST /tell HTTP/%s\r\nConnection: close\r\n%s\r\n%s", heads[i].version, heads[i].lines,
		    chunked ? "0\r\n\r\n" : strstr(heads[i].lines, "Length: 2") ? "{}" : "");
		int fd = dial(w, text), before = w->handled;
		struct buf all = { 0 };
		ssize_t n = -1;
		for (uint64_t stop = clock_ms() + 20000; n != 0; ) {
			assert_true(clock_ms() < stop);
			loop_turn(w->loop, 10);
			if ((n = recv(fd, buf_room(&all, 4096), 4096, MSG_DONTWAIT)) > 0)
				all.n += (size_t)n;
		}
		assert_int_equal(strtol(buf_cstr(&all) + strlen("HTTP/1.1 "), NULL, 10), heads[i].status);
		assert_non_null(strstr(buf_cstr(&all), heads[i].text));
		assert_true(heads[i].status == 200 || strstr(buf_cstr(&all), "Connection: close\r\n"));
		assert_int_equal(w->handled - before, heads[i].status == 200);
		buf_free(&all);
		close(fd);
		free(text);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_body_goes_there_and_back),
		TEST(headers_and_query_arrive_and_nothing_else_is_added),
		TEST(answers_come_in_chunks_or_are_cut_off),
		TEST(redirects_are_not_followed),
		TEST(a_request_may_be_answered_later),
		TEST(an_answer_at_the_end_of_a_turn_leaves_at_once),
		TEST(a_peer_that_goes_away_is_noticed_while_it_waits),
		TEST(bytes_behind_a_request_do_not_hide_that_its_peer_went),
		TEST(a_request_that_came_early_is_answered_in_its_turn),
		TEST(a_server_ends_with_requests_waiting),
		TEST(no_answer_is_told_from_not_sent),
		TEST(silence_ends_with_the_deadline),
		TEST(the_last_moment_is_asked_for_each_call),
		TEST(answers_have_a_largest_size),
		TEST(bodies_too_large_are_drained_and_refused),
		TEST(bodies_that_are_too_many_hear_later),
		TEST(many_calls_share_few_connections),
		TEST(calls_and_pools_may_end_inside_done),
		TEST(an_early_answer_counts_although_the_body_was_not_taken),
		TEST(a_port_that_is_taken_is_told),
		TEST(slowness_is_bounded_whatever_is_sent_in_between),
		TEST(an_answer_that_is_not_taken_ends),
		TEST(half_open_connections_give_way),
		TEST(slow_bodies_give_way),
		TEST(what_is_not_worth_reading_is_drained),
		TEST(a_head_that_can_be_read_in_two_ways_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
