/* httpd.c - an HTTP server on the loop.  See httpd.h.
 *
 * libmicrohttpd without a thread: its epoll descriptor lies in ours.  A request
 * that is not answered at once is suspended; libmicrohttpd then does not look
 * at its socket, so we do, to notice a peer that goes away; bytes of a next
 * request that come meanwhile stay there, for libmicrohttpd to read later.  Its own time-out
 * begins anew with each byte: ours, by phases, do not. */
#include "common/httpd.h"

#include <microhttpd.h>
#include <netdb.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/diag.h"
#include "common/num.h"

enum {
	CONNECTION_BYTES	= HTTPD_HEAD_BYTES + 1024,	/* libmicrohttpd's memory for one connection */
	DRAIN_BYTES		= 256 << 20,	/* of a body too large, before we hang up */
	BACKLOG			= 1024,
	PIECE_BYTES		= 16384,
	CONNECTIONS		= 1000,		/* where opts says nothing */
	SPARE_CONNECTIONS	= 64,		/* accepted above that, before others have given way */
	SLOW_PART		= 12,		/* a body that has taken this part of its time may have to give way */
};

/* What a connection is at. */
enum phase {
	PHASE_HEAD,		/* has not brought a request yet */
	PHASE_NEXT,		/* has, and may bring another */
	PHASE_BODY,
	PHASE_HANDLED,		/* the handler has it */
	PHASE_ANSWER,
	PHASE_ENDING,		/* shut down by us */
	PHASE_MAX
};

struct connection {
	struct httpd		*server;
	struct connection	*prev, *next;	/* of its phase, in the order of since_ms */
	enum phase		 phase;
	uint64_t		 since_ms;
	int			 fd;
};

struct phase_list { struct connection *first, *last; };

struct httpd {
	struct loop		*loop;
	struct MHD_Daemon	*daemon;
	struct httpd_opts	 opts;		/* listen is not kept */
	struct loop_timer	 timer;
	int			 epfd;
	unsigned		 port;
	bool			 again;		/* to be run before the loop may sleep */
	bool			 stopping;
	size_t			 held;		/* bytes of bodies */
	struct httpd_req	*waiting;	/* suspended ones */
	struct phase_list	 phases[PHASE_MAX];
	size_t			 nconnections;	/* not those that are ending */
	struct loop_timer	 sweep;
};

struct httpd_req {
	struct httpd		*server;
	struct httpd_req	*prev, *next;	/* among the waiting */
	struct MHD_Connection	*connection;
	struct connection	*conn;
	char			*method, *path;
	struct buf		 body;
	size_t			 drained;
	struct MHD_Response	*response;
	unsigned		 status;
	unsigned		 refusal;	/* the status that a body we did not keep is answered with; 0 none */
	bool			 handled, suspended, aborted;
	bool			 asked, unread;	/* whether it is worth reading; it is not */
	int			 fd;		/* watched while suspended */
	void			*own;
};

/* connections, by phase */

static uint64_t
limit_ms(const struct httpd *h, enum phase phase)
{
	const unsigned limits_s[PHASE_MAX] = { [PHASE_HEAD] = h->opts.head_s, [PHASE_NEXT] = h->opts.idle_s,
	    [PHASE_BODY] = h->opts.body_s, [PHASE_ANSWER] = h->opts.body_s };

	return limits_s[phase] ? limits_s[phase] * UINT64_C(1000) : UINT64_MAX;
}

static void
sweep_by(struct httpd *h, uint64_t due)
{
	if (due != UINT64_MAX && (!h->sweep.at_ms || due < h->sweep.at_ms))
		loop_timer(h->loop, &h->sweep, due);
}

static void
leave_phase(struct connection *c)
{
	struct phase_list *l = &c->server->phases[c->phase];

	*(c->prev ? &c->prev->next : &l->first) = c->next;
	*(c->next ? &c->next->prev : &l->last) = c->prev;
	c->prev = c->next = NULL;
	c->server->nconnections -= c->phase != PHASE_ENDING;
}

static void
enter_phase(struct connection *c, enum phase phase)
{
	struct httpd *h = c->server;
	struct phase_list *l = &h->phases[phase];
	uint64_t limit = limit_ms(h, phase);

	c->phase = phase;
	c->since_ms = clock_ms();
	c->prev = l->last;
	*(l->last ? &l->last->next : &l->first) = c;
	l->last = c;
	h->nconnections += phase != PHASE_ENDING;
	sweep_by(h, limit == UINT64_MAX ? limit : c->since_ms + limit);
}

static void
change_phase(struct connection *c, enum phase phase)
{
	if (c->phase == PHASE_ENDING)
		return;
	leave_phase(c);
	enter_phase(c, phase);
}

/* libmicrohttpd reads the end, and closes it. */
static void
shut(struct connection *c)
{
	shutdown(c->fd, SHUT_RDWR);
	change_phase(c, PHASE_ENDING);
}

/* From which age connections of a phase may end for others; UINT64_MAX: never. */
static uint64_t
spare_ms(const struct httpd *h, enum phase phase)
{
	if (phase == PHASE_HEAD || phase == PHASE_NEXT)
		return 0;
	return phase == PHASE_HANDLED || !h->opts.body_s ? UINT64_MAX : h->opts.body_s * UINT64_C(1000) / SLOW_PART;
}

/* There are too many: the oldest of those that bring nothing end, or else of those that are slow. */
static void
make_room(struct httpd *h, size_t room)
{
	uint64_t now = clock_ms(), next = UINT64_MAX;

	for (enum phase p = 0; p < PHASE_ENDING; p++) {
		uint64_t spare = spare_ms(h, p);
		struct connection *c;
		while ((c = h->phases[p].first) && spare != UINT64_MAX && now - c->since_ms >= spare &&
		    h->nconnections + room > h->opts.max_connections)
			shut(c);
		if (c && spare != UINT64_MAX)
			next = MIN2(next, c->since_ms + spare);
	}
	if (h->nconnections + room > h->opts.max_connections)
		sweep_by(h, next);
}

/* End those whose time is over. */
static void
on_sweep(void *arg)
{
	struct httpd *h = arg;
	uint64_t now = clock_ms(), next = UINT64_MAX;
	struct connection *c;

	make_room(h, 0);
	for (enum phase p = 0; p < PHASE_ENDING; p++) {
		uint64_t limit = limit_ms(h, p);
		while ((c = h->phases[p].first) && limit != UINT64_MAX && now - c->since_ms >= limit)
			shut(c);
		if (c && limit != UINT64_MAX)
			next = MIN2(next, c->since_ms + limit);
	}
	sweep_by(h, next);
}

static void
on_connection(void *arg, struct MHD_Connection *connection, void **own, enum MHD_ConnectionNotificationCode what)
{
	struct httpd *h = arg;
	struct connection *c = *own;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		make_room(h, 1);
		c = *own = xzalloc(sizeof *c);
		c->server = h;
		c->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		enter_phase(c, PHASE_HEAD);
	} else {
		*own = NULL;
		leave_phase(c);
		free(c);
	}
}

/* waiting for the handler's answer */

/* The answer may have come behind at_last in this turn, when all are asked whether the loop may sleep. */
static void
run_soon(struct httpd *h)
{
	if (h->again)
		return;
	h->again = true;
	loop_timer(h->loop, &h->timer, clock_ms());
}

static void
leave_waiting(struct httpd_req *r)
{
	if (r->prev)
		r->prev->next = r->next;
	else
		r->server->waiting = r->next;
	if (r->next)
		r->next->prev = r->prev;
	r->prev = r->next = NULL;
}

static void
resume(struct httpd_req *r)
{
	loop_fd(r->server->loop, r->fd, 0, NULL, NULL);
	leave_waiting(r);
	r->suspended = false;
	MHD_resume_connection(r->connection);
	run_soon(r->server);
}

static void
peer_went(struct httpd_req *r)
{
	if (r->server->opts.gone)
		r->server->opts.gone(r->server->opts.arg, r);
	r->aborted = true;
	if (r->suspended)
		resume(r);
}

static void
on_hang_up(void *arg, unsigned events)
{
	peer_went(arg);
}

static void
suspend(struct httpd_req *r)
{
	struct httpd *h = r->server;

	r->fd = r->conn->fd;
	r->suspended = true;
	r->next = h->waiting;
	if (h->waiting)
		h->waiting->prev = r;
	h->waiting = r;
	MHD_suspend_connection(r->connection);
	loop_fd(h->loop, r->fd, LOOP_HUP, on_hang_up, r);
}

/* what libmicrohttpd calls */

static void
let_go_of_body(struct httpd_req *r)
{
	r->server->held -= r->body.n;
	buf_free(&r->body);
}

/* There is no memory for more: bodies that drip in end for those that come in one go. */
static void
end_slow_bodies(struct httpd *h, const struct connection *but)
{
	struct connection *c;

	while ((c = h->phases[PHASE_BODY].first) && c != but && clock_ms() - c->since_ms >= spare_ms(h, PHASE_BODY))
		shut(c);
}

/* Why n more bytes cannot be kept; 0: they can.  A small body always can. */
static unsigned
refusal_of(const struct httpd_req *r, size_t n)
{
	struct httpd *h = r->server;

	if (r->refusal)
		return r->refusal;
	if (n > h->opts.max_body - r->body.n)
		return MHD_HTTP_CONTENT_TOO_LARGE;
	if (!h->opts.max_held || h->held + n <= h->opts.max_held || r->body.n + n <= h->opts.small_body)
		return 0;
	end_slow_bodies(h, r->conn);
	return MHD_HTTP_SERVICE_UNAVAILABLE;
}

/* Is what is more than a little worth keeping? */
static bool
worth(struct httpd_req *r, size_t n)
{
	const struct httpd_opts *o = &r->server->opts;

	if (!r->asked && o->worth && r->body.n + n > o->small_body) {
		r->asked = true;
		r->unread = !o->worth(o->arg, r);
	}
	return !r->unread;
}

/* False: hang up. */
static bool
take_upload(struct httpd_req *r, const char *p, size_t n)
{
	bool keep = worth(r, n);

	if (keep)
		r->refusal = refusal_of(r, n);
	if (keep && !r->refusal) {
		buf_put(&r->body, p, n);
		r->server->held += n;
		return true;
	}
	let_go_of_body(r);
	r->drained += n;
	return r->drained <= DRAIN_BYTES;
}

/* What is wrong with a head that libmicrohttpd lets pass, the first one first; the words are those of Go's server. */
enum fault { FAULT_CODING, FAULT_LENGTHS, FAULT_HOSTS, FAULT_NO_HOST, FAULT_NAME, FAULTS };

static const struct { unsigned status; const char *text; } faults[FAULTS] = {
	[FAULT_CODING] = { MHD_HTTP_NOT_IMPLEMENTED, "Unsupported transfer encoding" },
	[FAULT_LENGTHS] = { MHD_HTTP_BAD_REQUEST, "400 Bad Request" },
	[FAULT_HOSTS] = { MHD_HTTP_BAD_REQUEST, "400 Bad Request" },
	[FAULT_NO_HOST] = { MHD_HTTP_BAD_REQUEST, "400 Bad Request: missing required Host header" },
	[FAULT_NAME] = { MHD_HTTP_BAD_REQUEST, "400 Bad Request: invalid header name" },
};

struct head {
	unsigned	 hosts, codings;
	const char	*length;
	bool		 has[FAULTS];
};

static bool
is_token(const char *name)
{
	return *name && !name[strspn(name, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")];
}

static enum MHD_Result
look_at_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct head *h = arg;

	value = value ? value : "";
	h->has[FAULT_NAME] |= !is_token(name);
	if (strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0) {
		h->has[FAULT_HOSTS] |= h->hosts++ > 0;
	} else if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
		h->has[FAULT_CODING] |= h->codings++ > 0 || strcasecmp(value, "chunked") != 0;
	} else if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
		h->has[FAULT_LENGTHS] |= h->length && strcmp(value, h->length) != 0;
		h->length = value;
	}
	return MHD_YES;
}

/* Answer a request whose head says two things about where it ends, or whom it is for; false: it does not. */
static bool
refuse_head(struct httpd_req *r, const char *version)
{
	static const char *const extra[] = { "Connection: close", NULL };
	struct head h = { 0 };
	enum fault f = 0;

	MHD_get_connection_values(r->connection, MHD_HEADER_KIND, look_at_header, &h);
	h.has[FAULT_NO_HOST] = !h.hosts && strcmp(version, MHD_HTTP_VERSION_1_1) == 0;
	while (f < FAULTS && !h.has[f])
		f++;
	if (f == FAULTS)
		return false;
	r->handled = true;
	httpd_answer(r, faults[f].status, "text/plain; charset=utf-8", extra, span_str(faults[f].text));
	return true;
}

static void
handle(struct httpd_req *r)
{
	static const char *const later[] = { "Retry-After: 1", NULL };

	r->handled = true;
	change_phase(r->conn, PHASE_HANDLED);
	if (r->refusal)
		httpd_answer(r, r->refusal, NULL, r->refusal == MHD_HTTP_SERVICE_UNAVAILABLE ? later : NULL, (struct span){ 0 });
	else
		r->server->opts.handler(r->server->opts.arg, r);
}

static enum MHD_Result
on_request(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
    const char *version, const char *upload, size_t *n, void **own)
{
	struct httpd *h = arg;
	struct httpd_req *r = *own;

	if (!r) {
		r = *own = xzalloc(sizeof *r);
		r->server = h;
		r->connection = connection;
		r->conn = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
		change_phase(r->conn, PHASE_BODY);
		r->method = xstrdup(method);
		r->path = xstrdup(url);
		return refuse_head(r, version) ? MHD_queue_response(connection, r->status, r->response) : MHD_YES;
	}
	if (*n) {
		bool go_on = take_upload(r, upload, *n);
		*n = 0;
		return go_on ? MHD_YES : MHD_NO;
	}
	if (!r->handled && !h->stopping)
		handle(r);
	if (r->aborted)
		return MHD_NO;
	if (r->response)
		return MHD_queue_response(connection, r->status, r->response);
	if (h->stopping)
		return MHD_NO;
	suspend(r);
	return MHD_YES;
}

static void
on_completed(void *arg, struct MHD_Connection *connection, void **own, enum MHD_RequestTerminationCode how)
{
	struct httpd_req *r = *own;

	if (!r)
		return;
	*own = NULL;
	change_phase(r->conn, PHASE_NEXT);
	if (r->response)
		MHD_destroy_response(r->response);
	let_go_of_body(r);
	free(r->method);
	free(r->path);
	free(r);
}

/* running it */

static void
run(struct httpd *h)
{
	h->again = false;
	MHD_run(h->daemon);
}

static void
on_epoll(void *arg, unsigned events)
{
	run(arg);
}

static void
on_timer(void *arg)
{
	((struct httpd *)arg)->again = true;
}

/* The last act of each turn: run what was resumed; ask when to run again.  A
 * handler may have run in here and sent something elsewhere: another turn. */
static bool
at_last(void *arg)
{
	struct httpd *h = arg;
	bool ran = h->again;
	MHD_UNSIGNED_LONG_LONG ms = 0;

	if (ran)
		run(h);
	if (MHD_get_timeout(h->daemon, &ms) == MHD_NO)
		loop_timer(h->loop, &h->timer, 0);
	else if (ms)
		loop_timer(h->loop, &h->timer, clock_ms() + ms + 1);
	else
		h->again = true;
	return ran || h->again;
}

/* listening */

static int
bind_one(const struct addrinfo *a)
{
	int on = 1;
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* "127.0.0.1:8390", "[::1]:0", ":8390" (every address). */
static int
listen_at(const char *text)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *list;
	const char *colon = strrchr(text, ':');
	struct span host = { (const uint8_t *)text, colon ? (size_t)(colon - text) : 0 };
	char name[256];
	int fd = -1;

	if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = (struct span){ host.p + 1, host.n - 2 };
	if (!colon || !span_cstr(host, name, sizeof name) ||
	    getaddrinfo(*name ? name : NULL, colon + 1, &hints, &list) != 0) {
		errno = EINVAL;
		return -1;
	}
	for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next)
		fd = bind_one(a);
	freeaddrinfo(list);
	return fd;
}

static unsigned
port_of(int fd)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof sa;
	char text[16] = "";
	uint64_t port = 0;

	if (getsockname(fd, (struct sockaddr *)&sa, &n) < 0 ||
	    getnameinfo((struct sockaddr *)&sa, n, NULL, 0, text, sizeof text, NI_NUMERICSERV) != 0 ||
	    !num_u64(span_str(text), &port))
		return 0;
	return (unsigned)port;
}

static bool
start_daemon(struct httpd *h, int fd)
{
	h->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, h,
	    MHD_OPTION_LISTEN_SOCKET, fd,
	    MHD_OPTION_NOTIFY_COMPLETED, on_completed, h,
	    MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
	    MHD_OPTION_CONNECTION_LIMIT, h->opts.max_connections + SPARE_CONNECTIONS,
	    MHD_OPTION_CONNECTION_TIMEOUT, h->opts.idle_s,
	    MHD_OPTION_END);
	if (!h->daemon)
		return false;
	h->epfd = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	return true;
}

struct httpd *
httpd_new(struct loop *loop, const struct httpd_opts *opts)
{
	int fd = listen_at(opts->listen);

	if (fd < 0)
		return NULL;
	loop_many_fds();
	struct httpd *h = xzalloc(sizeof *h);
	h->loop = loop;
	h->opts = *opts;
	h->opts.listen = NULL;
	if (!h->opts.max_connections)
		h->opts.max_connections = CONNECTIONS;
	h->port = port_of(fd);
	if (!start_daemon(h, fd)) {
		close(fd);
		free(h);
		errno = ENOMEM;
		return NULL;
	}
	h->timer = (struct loop_timer){ .fn = on_timer, .arg = h };
	h->sweep = (struct loop_timer){ .fn = on_sweep, .arg = h };
	loop_fd(loop, h->epfd, LOOP_IN, on_epoll, h);
	loop_last(loop, at_last, h);
	return h;
}

/* libmicrohttpd must not be stopped with suspended connections. */
void
httpd_free(struct httpd **hp)
{
	struct httpd *h = *hp;

	*hp = NULL;
	if (!h)
		return;
	h->stopping = true;
	while (h->waiting)
		peer_went(h->waiting);
	run(h);
	loop_fd(h->loop, h->epfd, 0, NULL, NULL);
	loop_last_forget(h->loop, at_last, h);
	loop_timer(h->loop, &h->timer, 0);
	MHD_stop_daemon(h->daemon);
	loop_timer(h->loop, &h->sweep, 0);	/* the last phases set it again */
	free(h);
}

unsigned
httpd_port(const struct httpd *h)
{
	return h->port;
}

/* requests */

const char *
httpd_method(const struct httpd_req *r)
{
	return r->method;
}

const char *
httpd_path(const struct httpd_req *r)
{
	return r->path;
}

const char *
httpd_header(const struct httpd_req *r, const char *name)
{
	return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

const char *
httpd_query(const struct httpd_req *r, const char *name)
{
	return MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, name);
}

struct span
httpd_body(const struct httpd_req *r)
{
	return SPAN_OF(&r->body);
}

void
httpd_set(struct httpd_req *r, void *own)
{
	r->own = own;
}

void *
httpd_get(const struct httpd_req *r)
{
	return r->own;
}

static void
add_header(struct MHD_Response *response, const char *line)
{
	const char *colon = strchr(line, ':');
	char name[128];

	if (!colon || !span_cstr((struct span){ (const uint8_t *)line, (size_t)(colon - line) }, name, sizeof name))
		bug("not a header: %s", line);
	MHD_add_response_header(response, name, colon + 1 + strspn(colon + 1, " "));
}

/* A body that is sent piece by piece. */
struct pieces {
	struct buf	 body;
	size_t		 end;		/* where it is cut off */
};

static ssize_t
next_piece(void *arg, uint64_t at, char *out, size_t max)
{
	struct pieces *p = arg;
	size_t n = at < p->end ? MIN2(max, p->end - (size_t)at) : 0;

	if (!n)
		return p->end < p->body.n ? MHD_CONTENT_READER_END_WITH_ERROR : MHD_CONTENT_READER_END_OF_STREAM;
	memcpy(out, p->body.p + at, n);
	return (ssize_t)n;
}

static void
free_pieces(void *arg)
{
	struct pieces *p = arg;

	buf_free(&p->body);
	free(p);
}

static struct MHD_Response *
in_pieces(enum httpd_form form, struct span body)
{
	struct pieces *p = xzalloc(sizeof *p);

	buf_put(&p->body, body.p, body.n);
	p->end = form == HTTPD_HALF ? body.n / 2 : body.n;
	return MHD_create_response_from_callback(form == HTTPD_HALF ? body.n : MHD_SIZE_UNKNOWN, PIECE_BYTES,
	    next_piece, p, free_pieces);
}

void
httpd_answer_as(struct httpd_req *r, enum httpd_form form, unsigned status, const char *content_type,
    const char *const *extra, struct span body)
{
	if (r->response || r->aborted)
		bug("answered twice: %s", r->path);
	r->status = status;
	r->response = form == HTTPD_WHOLE || !body.n ?
	    MHD_create_response_from_buffer(body.n, (void *)(uintptr_t)body.p, MHD_RESPMEM_MUST_COPY) : in_pieces(form, body);
	if (!r->response)
		die(EXIT_SYSTEM, "libmicrohttpd: out of memory");
	if (content_type)
		MHD_add_response_header(r->response, "Content-Type", content_type);
	for (; extra && *extra; extra++)
		add_header(r->response, *extra);
	let_go_of_body(r);
	change_phase(r->conn, PHASE_ANSWER);
	if (r->suspended)
		resume(r);
}

void
httpd_answer(struct httpd_req *r, unsigned status, const char *content_type,
    const char *const *extra, struct span body)
{
	httpd_answer_as(r, HTTPD_WHOLE, status, content_type, extra, body);
}

void
httpd_abort(struct httpd_req *r)
{
	r->aborted = true;
	if (r->suspended)
		resume(r);
}
