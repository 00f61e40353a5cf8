/* web.c - see web.h. */
#include "tests/bench/web.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "common/diag.h"

enum { READ_BYTES = 4096, BACKLOG = 4096 };

struct web_conn {
	struct loop	*loop;
	int		 fd;
	bool		 served;	/* the peer may go as it likes */
	struct buf	 in;
	web_fn		*fn;
	void		*arg;
};

struct listener { struct loop *loop; int fd; web_fn *fn; void *arg; };

/* --- texts --- */

static struct span
behind(struct span text, const char *word, const char *end)
{
	const uint8_t *at = text.n ? memmem(text.p, text.n, word, strlen(word)) : NULL;
	struct span value = { 0 };

	if (!at)
		return value;
	value.p = at + strlen(word);
	for (size_t left = text.n - (size_t)(value.p - text.p); value.n < left && !strchr(end, value.p[value.n]); )
		value.n++;
	return value;
}

struct span
web_header(struct span head, const char *name)
{
	return behind(head, name, "\r\n");
}

struct span
web_member(struct span json, const char *name)
{
	return behind(json, name, "\"");
}

void
web_put_request(struct buf *b, const char *method, const char *path, struct span token, struct span body)
{
	buf_printf(b, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n", method, path);
	if (token.n)
		buf_printf(b, "Authorization: Bearer %.*s\r\n", SPAN_ARG(token));
	if (body.n)
		buf_printf(b, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body.n);
	buf_puts(b, "\r\n");
	buf_put(b, body.p, body.n);
}

/* --- messages --- */

/* The first message of what came is all there. */
static bool
whole(const struct buf *in, struct span *head, struct span *body)
{
	const uint8_t *end = in->n ? memmem(in->p, in->n, "\r\n\r\n", 4) : NULL;
	struct span length;

	if (!end)
		return false;
	*head = (struct span){ in->p, (size_t)(end - in->p) + 4 };
	length = web_header(*head, "\r\nContent-Length: ");
	*body = (struct span){ end + 4, length.n ? strtoul((const char *)length.p, NULL, 10) : 0 };
	return in->n - head->n >= body->n;
}

static void
lost(struct web_conn *c)
{
	if (!c->served)
		die(EXIT_SYSTEM, "the server hung up");
	web_close(&c);
}

static void
on_bytes(void *arg, unsigned events)
{
	struct web_conn *c = arg;
	struct span head, body;
	ssize_t n = recv(c->fd, buf_room(&c->in, READ_BYTES), READ_BYTES, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		lost(c);
		return;
	}
	c->in.n += (size_t)n;
	while (whole(&c->in, &head, &body)) {
		c->fn(c->arg, c, head, body);
		buf_drop(&c->in, head.n + body.n);
	}
}

void
web_send(struct web_conn *c, struct span s)
{
	while (s.n) {
		ssize_t n = send(c->fd, s.p, s.n, MSG_NOSIGNAL);
		if (n < 0 && c->served)
			return;
		if (n < 0)
			die_sys("send");
		s.p += n;
		s.n -= (size_t)n;
	}
}

void
web_answer(struct web_conn *c, struct span json)
{
	static struct buf out;

	buf_reset(&out);
	buf_printf(&out, "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %zu\r\n\r\n", json.n);
	buf_put(&out, json.p, json.n);
	web_send(c, SPAN_OF(&out));
}

/* --- connections --- */

static struct web_conn *
new_conn(struct loop *loop, int fd, bool served, web_fn *fn, void *arg)
{
	struct web_conn *c = xzalloc(sizeof *c);
	int on = 1;

	*c = (struct web_conn){ .loop = loop, .fd = fd, .served = served, .fn = fn, .arg = arg };
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	loop_fd(loop, fd, LOOP_IN, on_bytes, c);
	return c;
}

struct web_conn *
web_connect(struct loop *loop, unsigned port, web_fn *fn, void *arg)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0)
		die_sys("port %u", port);
	return new_conn(loop, fd, false, fn, arg);
}

void
web_close(struct web_conn **cp)
{
	struct web_conn *c = *cp;

	*cp = NULL;
	if (!c)
		return;
	loop_fd(c->loop, c->fd, 0, NULL, NULL);
	close(c->fd);
	buf_free(&c->in);
	free(c);
}

static void
on_peer(void *arg, unsigned events)
{
	struct listener *l = arg;
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		die_sys("accept");
	struct web_conn *c = new_conn(l->loop, fd, true, l->fn, l->arg);
	(void)c;	/* the loop has it */
}

unsigned
web_serve(struct loop *loop, web_fn *fn, void *arg)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct listener *l = xzalloc(sizeof *l);
	socklen_t n = sizeof at;

	*l = (struct listener){ loop, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fn, arg };
	if (l->fd < 0 || bind(l->fd, (struct sockaddr *)&at, n) != 0 || listen(l->fd, BACKLOG) != 0 ||
	    getsockname(l->fd, (struct sockaddr *)&at, &n) != 0)
		die_sys("a listener");
	loop_fd(loop, l->fd, LOOP_IN, on_peer, l);
	return ntohs(at.sin_port);
}
