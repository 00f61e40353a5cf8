/* raw.c - recorded bytes on a connection.  See raw.h. */
#include "tests/wire/raw.h"

#include <sys/socket.h>

#include "common/clock.h"
#include "common/num.h"

enum { TURNS_MAX = 20000, ANSWERS_MAX = 4 };

struct answers {
	struct response	 list[ANSWERS_MAX];
	size_t		 n;
};

bool
raw_is(const struct json *line)
{
	return json_str(json_get(line, "request"), "bytes").p != NULL;
}

/* Each character stands for a byte. */
static void
put_latin1(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		bool two = text.p[i] >= 0xc2 && i + 1 < text.n;
		buf_putc(out, (char)(two ? (text.p[i] & 3) << 6 | (text.p[i + 1] & 0x3f) : text.p[i]));
		i += two;
	}
}

/* Those that are whole. */
static void
cut(struct span bytes, struct answers *a)
{
	while (a->n < ANSWERS_MAX) {
		const uint8_t *gap = bytes.n ? memmem(bytes.p, bytes.n, "\r\n\r\n", 4) : NULL;
		struct buf one = { 0 };
		if (!gap)
			return;
		size_t head = (size_t)(gap + 4 - bytes.p);
		buf_put(&one, bytes.p, head);
		response_read(&one, &a->list[a->n]);
		size_t n = strtoul(response_header(&a->list[a->n], "Content-Length"), NULL, 10);
		buf_free(&one);
		/* without a length it is what there is: the connection ends with it */
		if (!*response_header(&a->list[a->n], "Content-Length"))
			n = bytes.n - head;
		if (bytes.n - head < n) {
			response_free(&a->list[a->n]);
			return;
		}
		buf_put(&a->list[a->n++].body, bytes.p + head, n);
		bytes = (struct span){ bytes.p + head + n, bytes.n - head - n };
	}
}

static void
free_answers(struct answers *a)
{
	while (a->n)
		response_free(&a->list[--a->n]);
}

/* Until so many answers are there, and the end where there must be one; false: the end did not come. */
static bool
listen_for(struct server *s, int fd, size_t want, bool end, struct answers *a)
{
	struct buf all = { 0 };
	ssize_t n = -1;

	for (int turns = 0; turns < TURNS_MAX && n != 0 && (end || a->n < want); turns++) {
		server_turn(s);
		if ((n = recv(fd, buf_room(&all, 65536), 65536, MSG_DONTWAIT)) > 0)
			all.n += (size_t)n;
		else if (n < 0 && errno != EAGAIN)
			n = 0;
		free_answers(a);
		cut(SPAN_OF(&all), a);
	}
	buf_free(&all);
	return !end || n == 0;
}

static bool
same_codes(const struct response *ours, const struct response *theirs)
{
	char why[128];
	struct json *a = json_parse(SPAN_OF(&ours->body), 1 << 20, why), *b = json_parse(SPAN_OF(&theirs->body), 1 << 20, why);
	bool same = !json_is_object(b) || (json_same(json_get(a, "errcode"), json_get(b, "errcode")) &&
	    json_same(json_get(a, "errmsg"), json_get(b, "errmsg")));

	json_free(&a);
	json_free(&b);
	return same;
}

bool
raw_same(struct server *s, const struct json *line, bool *codes)
{
	struct buf sent = { 0 }, said = { 0 };
	struct answers ours = { 0 }, theirs = { 0 };
	const struct json *response = json_get(line, "response");
	int fd = server_connect(server_port(s));

	put_latin1(&sent, json_str(json_get(line, "request"), "bytes"));
	put_latin1(&said, json_str(response, "bytes"));
	cut(SPAN_OF(&said), &theirs);
	bool same = send(fd, sent.p, sent.n, MSG_NOSIGNAL) == (ssize_t)sent.n &&
	    listen_for(s, fd, theirs.n, json_bool(json_get(response, "server_closed")), &ours) && theirs.n && ours.n == theirs.n;
	*codes = same;
	for (size_t i = 0; same && i < theirs.n; i++) {
		same = ours.list[i].status == theirs.list[i].status;
		*codes = *codes && same_codes(&ours.list[i], &theirs.list[i]);
	}
	close(fd);
	free_answers(&ours);
	free_answers(&theirs);
	buf_free(&sent);
	buf_free(&said);
	return same;
}
