/* http.c - many HTTP exchanges at once as a client.  See http.h.
 *
 * libcurl's multi_socket on the loop.  A call is taken away ("reaped") after
 * each step of libcurl, never inside one of its callbacks; a pool that is freed
 * while it is reaping goes at the end of the turn. */
#include "common/http.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/diag.h"

enum {
	CONNECT_MS	= 5000,
	TIMEOUT_MS	= 30000,
	ANSWER_BYTES	= 16 << 20,
	STEP_BYTES	= 256 << 10,	/* read at once */
	CACHED_HOSTS	= 16,		/* connections kept: this times those per host */
};

struct http {
	struct loop		*loop;
	CURLM			*multi;
	struct loop_timer	 timer;
	struct http_call	*calls;		/* all of them */
	unsigned		 depth;		/* inside libcurl or a done function */
	bool			 dead;
};

struct http_call {
	struct http		*pool;
	struct http_call	*prev, *next;
	CURL			*easy;
	struct curl_slist	*headers;
	http_done_fn		*done;
	void			*arg;
	bool			(*sink)(void *, const uint8_t *, size_t);
	bool			(*may_send)(void *);
	size_t			 max_bytes, got_bytes;
	unsigned		 timeout_ms;
	bool			 sent;		/* the first byte may have left */
	bool			 cancelled;
	struct http_answer	 answer;
	char			 error[CURL_ERROR_SIZE];
};

/* What a watched socket needs to find its way back. */
struct http_sock {
	struct http	*pool;
	curl_socket_t	 fd;
};

/* calls */

static void
call_free(struct http_call *c)
{
	if (c->prev)
		c->prev->next = c->next;
	else
		c->pool->calls = c->next;
	if (c->next)
		c->next->prev = c->prev;
	curl_multi_remove_handle(c->pool->multi, c->easy);
	curl_easy_cleanup(c->easy);
	curl_slist_free_all(c->headers);
	buf_free(&c->answer.body);
	free(c);
}

/* The server may answer and close before it has read the whole body: what it
 * said counts, when it is complete. */
static bool
answer_is_whole(struct http_call *c)
{
	curl_off_t length = -1;

	curl_easy_getinfo(c->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	return c->answer.status >= 200 && length >= 0 && (size_t)length == c->got_bytes;
}

static enum http_fail
judge(struct http_call *c, CURLcode rc)
{
	if (rc == CURLE_OK)
		return HTTP_OK;
	if (!c->sent)
		return HTTP_NOT_SENT;
	if (rc == CURLE_WRITE_ERROR || rc == CURLE_FILESIZE_EXCEEDED)
		return HTTP_TOO_LARGE;
	if (rc == CURLE_OPERATION_TIMEDOUT)
		return HTTP_TIMEOUT;
	if (rc == CURLE_SEND_ERROR && answer_is_whole(c))
		return HTTP_OK;
	return HTTP_NO_ANSWER;
}

static void
finish(struct http_call *c, CURLcode rc)
{
	curl_off_t retry_after = 0;

	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &c->answer.status);
	curl_easy_getinfo(c->easy, CURLINFO_RETRY_AFTER, &retry_after);
	c->answer.retry_after_s = (unsigned)MIN2(retry_after, (curl_off_t)UINT32_MAX);
	c->answer.fail = judge(c, rc);
	c->answer.error = c->answer.fail == HTTP_OK ? ""
	    : c->error[0] ? c->error : curl_easy_strerror(rc);
	if (!c->cancelled)
		c->done(c->arg, &c->answer);
	call_free(c);
}

static void
pool_free(void *arg)
{
	struct http *h = arg;

	while (h->calls)
		call_free(h->calls);
	curl_multi_cleanup(h->multi);
	loop_timer(h->loop, &h->timer, 0);
	free(h);
}

static void
reap_cancelled(struct http *h)
{
	for (struct http_call *c = h->calls, *next; c; c = next) {
		next = c->next;
		if (c->cancelled)
			call_free(c);
	}
}

static void
reap(struct http *h)
{
	CURLMsg *m;
	int left;

	while (!h->dead && (m = curl_multi_info_read(h->multi, &left))) {
		struct http_call *c;
		CURLcode rc = m->data.result;
		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&c);
		finish(c, rc);
	}
	if (!h->dead)
		reap_cancelled(h);
}

static void
step(struct http *h, curl_socket_t fd, int mask)
{
	int running;

	h->depth++;
	curl_multi_socket_action(h->multi, fd, mask, &running);
	reap(h);
	h->depth--;
}

/* what libcurl wants of the loop */

static void
on_socket(void *arg, unsigned events)
{
	struct http_sock s = *(struct http_sock *)arg;
	int mask = (events & LOOP_IN ? CURL_CSELECT_IN : 0) |
	    (events & LOOP_OUT ? CURL_CSELECT_OUT : 0) | (events & LOOP_ERR ? CURL_CSELECT_ERR : 0);

	step(s.pool, s.fd, mask);
}

static void
on_timer(void *arg)
{
	step(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int
want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *own)
{
	static const unsigned events[] = {
		[CURL_POLL_IN] = LOOP_IN, [CURL_POLL_OUT] = LOOP_OUT, [CURL_POLL_INOUT] = LOOP_IN | LOOP_OUT,
	};
	struct http *h = arg;
	struct http_sock *s = own;

	if (what == CURL_POLL_REMOVE) {
		loop_fd(h->loop, fd, 0, NULL, NULL);
		curl_multi_assign(h->multi, fd, NULL);
		free(s);
		return 0;
	}
	if (!s) {
		s = xzalloc(sizeof *s);
		*s = (struct http_sock){ h, fd };
		curl_multi_assign(h->multi, fd, s);
	}
	loop_fd(h->loop, fd, events[what], on_socket, s);
	return 0;
}

/* libcurl counts from its own clock: one millisecond more, so as not to ask too early. */
static int
want_timer(CURLM *multi, long ms, void *arg)
{
	struct http *h = arg;
	uint64_t after = ms > 0 ? (uint64_t)ms + 1 : 0;

	loop_timer(h->loop, &h->timer, ms < 0 ? 0 : MAX2(clock_ms() + after, 1));
	return 0;
}

/* what libcurl asks about a call */

/* Data that nobody acknowledges within the call's time ends the connection. */
static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	const struct http_call *c = arg;
	unsigned patience_ms = c->timeout_ms;
	int fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);

	if (fd < 0)
		return CURL_SOCKET_BAD;
	if (a->family == AF_INET || a->family == AF_INET6)
		setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience_ms, sizeof patience_ms);
	return fd;
}

static int
before_sending(void *arg, char *to, char *from, int to_port, int from_port)
{
	struct http_call *c = arg;

	if (c->cancelled || (c->may_send && !c->may_send(c->arg)))
		return CURL_PREREQFUNC_ABORT;
	c->sent = true;
	return CURL_PREREQFUNC_OK;
}

static void
expect_bytes(struct http_call *c)
{
	curl_off_t length = -1;

	curl_easy_getinfo(c->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	if (length > 0)
		buf_room(&c->answer.body, MIN2((size_t)length, c->max_bytes));
}

static size_t
take_body(char *p, size_t one, size_t n, void *arg)
{
	struct http_call *c = arg;

	if (c->cancelled || n > c->max_bytes - c->got_bytes)
		return 0;
	if (c->sink) {
		if (!c->sink(c->arg, (const uint8_t *)p, n))
			return 0;
	} else {
		if (!c->got_bytes)
			expect_bytes(c);
		buf_put(&c->answer.body, p, n);
	}
	c->got_bytes += n;
	return n;
}

/* starting */

static bool
names_content_type(const char *const *headers)
{
	for (; headers && *headers; headers++)
		if (strncasecmp(*headers, "content-type:", 13) == 0)
			return true;
	return false;
}

static void
set_headers(struct http_call *c, const struct http_req *r)
{
	c->headers = curl_slist_append(NULL, "Expect:");
	if (!names_content_type(r->headers))
		c->headers = curl_slist_append(c->headers, "Content-Type:");
	for (const char *const *h = r->headers; h && *h; h++)
		c->headers = curl_slist_append(c->headers, *h);
	curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers);
}

static void
set_method(CURL *e, const struct http_req *r)
{
	if (strcmp(r->method, "HEAD") == 0) {
		curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
	} else if (r->body.n || strcmp(r->method, "POST") == 0) {
		curl_easy_setopt(e, CURLOPT_POST, 1L);
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
		curl_easy_setopt(e, r->body_borrowed ? CURLOPT_POSTFIELDS : CURLOPT_COPYPOSTFIELDS,
		    r->body.n ? (const char *)r->body.p : "");
	}
	if (strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0)
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method);
}

static void
set_rules(struct http_call *c, const struct http_req *r)
{
	CURL *e = c->easy;

	curl_easy_setopt(e, CURLOPT_URL, r->url);
	curl_easy_setopt(e, CURLOPT_PRIVATE, c);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->error);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)(r->connect_ms ? r->connect_ms : CONNECT_MS));
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)c->timeout_ms);
	curl_easy_setopt(e, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)c->max_bytes);
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE, (long)STEP_BYTES);
	curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, (long)r->fresh);
	curl_easy_setopt(e, CURLOPT_FORBID_REUSE, (long)r->fresh);
}

static void
set_callbacks(struct http_call *c)
{
	CURL *e = c->easy;

	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, c);
	curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, before_sending);
	curl_easy_setopt(e, CURLOPT_PREREQDATA, c);
}

struct http_call *
http_start(struct http *h, const struct http_req *r, http_done_fn *done, void *arg)
{
	struct http_call *c = xzalloc(sizeof *c);

	c->pool = h;
	c->done = done;
	c->arg = arg;
	c->sink = r->sink;
	c->may_send = r->may_send;
	c->max_bytes = r->max_bytes ? r->max_bytes : ANSWER_BYTES;
	c->timeout_ms = r->timeout_ms ? r->timeout_ms : TIMEOUT_MS;
	c->easy = curl_easy_init();
	if (!c->easy)
		die(EXIT_SYSTEM, "libcurl: out of memory");
	set_rules(c, r);
	set_callbacks(c);
	set_headers(c, r);
	set_method(c->easy, r);
	c->next = h->calls;
	if (h->calls)
		h->calls->prev = c;
	h->calls = c;
	CURLMcode rc = curl_multi_add_handle(h->multi, c->easy);
	if (rc != CURLM_OK)
		bug("curl_multi_add_handle: %s", curl_multi_strerror(rc));
	return c;
}

/* Inside libcurl nothing may be taken away: the call is marked, and reaped after. */
void
http_cancel(struct http_call **cp)
{
	struct http_call *c = *cp;

	*cp = NULL;
	if (!c)
		return;
	c->cancelled = true;
	if (!c->pool->depth)
		call_free(c);
}

struct http *
http_new(struct loop *loop, unsigned connections_per_host)
{
	static bool ready;
	struct http *h = xzalloc(sizeof *h);

	if (!ready && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		die(EXIT_SYSTEM, "libcurl does not start");
	ready = true;
	h->loop = loop;
	h->timer = (struct loop_timer){ .fn = on_timer, .arg = h };
	h->multi = curl_multi_init();
	if (!h->multi)
		die(EXIT_SYSTEM, "libcurl: out of memory");
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)connections_per_host);
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)connections_per_host * CACHED_HOSTS);
	return h;
}

void
http_free(struct http **hp)
{
	struct http *h = *hp;

	*hp = NULL;
	if (!h)
		return;
	h->dead = true;
	for (struct http_call *c = h->calls; c; c = c->next)
		c->cancelled = true;
	if (h->depth)
		loop_bury(h->loop, pool_free, h);
	else
		pool_free(h);
}
