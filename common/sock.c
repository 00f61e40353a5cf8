/* sock.c - ZeroMQ sockets by role, on the loop.  See sock.h.
 *
 * Options that are the same for all, and why:
 *   LINGER 0          the ledger owns unsent work; a stop never hangs
 *   SNDHWM, RCVHWM    4096: never engages, rows in flight are bounded elsewhere
 *   IMMEDIATE 0       keep the queue while the peer restarts
 *   MAXMSGSIZE        the default is no limit.  A little slack lets a message that is slightly
 *                     too large arrive, to be refused with a code; more breaks the link
 *   HEARTBEAT         unset: with a receiver at its mark it aborts (bound PULL: loses)
 *   RECONNECT_IVL     10 ms, at most 1 s: a restarted peer is found at once
 *   ROUTER_MANDATORY  a peer that is gone is an error that can be counted
 * BUGS: a peer may send a message of endless frames; it is read to its end and refused. */
#include "common/sock.h"

#include <zmq.h>

#include "common/diag.h"
#include "common/num.h"

enum {
	HWM		= 4096,
	CAP_MESSAGES	= 64,
	SLACK_BYTES	= 4096,
	RECONNECT_MS	= 10,
	RECONNECT_MAX_MS = 1000,
	HANDSHAKE_MS	= 5000,
	MONITORED	= ZMQ_EVENT_CONNECTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
			  ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH,
};

struct socks {
	struct loop	*loop;
	void		*context;
	struct sock	**all;		/* closed ones are NULL until the next look */
	size_t		 n, cap;
	uint64_t	 monitors;	/* opened so far: names their inproc endpoints */
};

struct sock {
	struct socks		*socks;
	void			*zmq;		/* NULL: closed, buried */
	void			*monitor;	/* DEALER only */
	enum sock_role		 role;
	struct sock_ops		 ops;
	void			*arg;
	size_t			 cap_messages, cap_bytes, max_bytes;
	char			 endpoint[256];
	char			 unlink[128];	/* path of a bound ipc socket, else "" */
	bool			 ipc;
	struct sock_count	 count;
};

static const struct role {
	int	type;
	bool	binds, reads, monitored;
} roles[] = {
	[SOCK_ROUTER]	= { ZMQ_ROUTER, true,  true,  false },
	[SOCK_DEALER]	= { ZMQ_DEALER, false, true,  true },
	[SOCK_PULL]	= { ZMQ_PULL,   true,  true,  false },
	[SOCK_PUSH]	= { ZMQ_PUSH,   false, false, false },
};

struct socks *
socks_new(struct loop *loop)
{
	struct socks *k = xzalloc(sizeof *k);

	k->loop = loop;
	k->context = zmq_ctx_new();
	if (!k->context)
		die_sys("zmq_ctx_new");
	zmq_ctx_set(k->context, ZMQ_BLOCKY, 0);
	zmq_ctx_set(k->context, ZMQ_IPV6, 1);
	return k;
}

void
socks_free(struct socks **kp)
{
	struct socks *k = *kp;

	if (!k)
		return;
	for (size_t i = 0; i < k->n; i++) {
		struct sock *s = k->all[i];
		sock_close(&s);
	}
	while (zmq_ctx_term(k->context) == -1 && errno == EINTR)
		;
	free(k->all);
	free(k);
	*kp = NULL;
}

static void
set_int(void *zmq, int option, int value)
{
	if (zmq_setsockopt(zmq, option, &value, sizeof value) != 0)
		bug("zmq option %d = %d: %s", option, value, zmq_strerror(errno));
}

static void
set_options(struct sock *s)
{
	static const struct { int option, value; } fixed[] = {
		{ ZMQ_LINGER, 0 }, { ZMQ_SNDHWM, HWM }, { ZMQ_RCVHWM, HWM }, { ZMQ_IMMEDIATE, 0 },
		{ ZMQ_RECONNECT_IVL, RECONNECT_MS }, { ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS },
		{ ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS },
	}, tcp[] = {
		{ ZMQ_TCP_KEEPALIVE, 1 }, { ZMQ_TCP_KEEPALIVE_IDLE, 10 }, { ZMQ_TCP_KEEPALIVE_INTVL, 5 },
		{ ZMQ_TCP_KEEPALIVE_CNT, 3 },
	};
	int64_t largest = (int64_t)s->max_bytes + SLACK_BYTES;

	for (size_t i = 0; i < NELEM(fixed); i++)
		set_int(s->zmq, fixed[i].option, fixed[i].value);
	for (size_t i = 0; i < NELEM(tcp) && !s->ipc; i++)
		set_int(s->zmq, tcp[i].option, tcp[i].value);
	if (zmq_setsockopt(s->zmq, ZMQ_MAXMSGSIZE, &largest, sizeof largest) != 0)
		bug("ZMQ_MAXMSGSIZE: %s", zmq_strerror(errno));
	if (s->role == SOCK_ROUTER)
		set_int(s->zmq, ZMQ_ROUTER_MANDATORY, 1);
}

/* The descriptor only wakes the loop: socks_drain reads. */
static void
woken(void *arg, unsigned events)
{
}

static void
watch(struct socks *k, void *zmq, unsigned events)
{
	int fd;
	size_t n = sizeof fd;

	if (zmq_getsockopt(zmq, ZMQ_FD, &fd, &n) != 0)
		bug("ZMQ_FD: %s", zmq_strerror(errno));
	loop_fd(k->loop, fd, events, woken, NULL);
}

static bool
readable(void *zmq)
{
	int events = 0;
	size_t n = sizeof events;

	return zmq_getsockopt(zmq, ZMQ_EVENTS, &events, &n) == 0 && (events & ZMQ_POLLIN);
}

static int
open_monitor(struct sock *s)
{
	struct socks *k = s->socks;
	char name[48];

	snprintf(name, sizeof name, "inproc://monitor.%" PRIu64, ++k->monitors);
	if (zmq_socket_monitor(s->zmq, name, MONITORED) != 0)
		return -1;
	s->monitor = zmq_socket(k->context, ZMQ_PAIR);
	if (!s->monitor)
		return -1;
	set_int(s->monitor, ZMQ_LINGER, 0);
	if (zmq_connect(s->monitor, name) != 0)
		return -1;
	watch(k, s->monitor, LOOP_IN);
	return 0;
}

static int
attach(struct sock *s, const char *endpoint)
{
	size_t n = sizeof s->endpoint;

	if (!roles[s->role].binds) {
		snprintf(s->endpoint, sizeof s->endpoint, "%s", endpoint);
		return zmq_connect(s->zmq, endpoint);
	}
	if (zmq_bind(s->zmq, endpoint) != 0)
		return -1;
	if (zmq_getsockopt(s->zmq, ZMQ_LAST_ENDPOINT, s->endpoint, &n) != 0)
		return -1;
	if (s->ipc)
		snprintf(s->unlink, sizeof s->unlink, "%s", s->endpoint + strlen("ipc://"));
	return 0;
}

static void
keep(struct socks *k, struct sock *s)
{
	if (k->n == k->cap) {
		k->cap = k->cap * 2 + 8;
		k->all = xrealloc(k->all, k->cap * sizeof *k->all);
	}
	k->all[k->n++] = s;
}

struct sock *
sock_open(struct socks *k, const struct sock_opts *o)
{
	struct sock *s = xzalloc(sizeof *s);

	s->socks = k;
	s->role = o->role;
	s->ops = o->ops ? *o->ops : (struct sock_ops){ 0 };
	s->arg = o->arg;
	s->cap_messages = o->cap_messages ? o->cap_messages : CAP_MESSAGES;
	s->cap_bytes = o->cap_bytes ? o->cap_bytes : SIZE_MAX;
	s->max_bytes = o->max_bytes ? o->max_bytes : MESSAGE_BYTES;
	s->ipc = strncmp(o->endpoint, "ipc://", 6) == 0;
	keep(k, s);
	s->zmq = zmq_socket(k->context, roles[s->role].type);
	if (!s->zmq)
		goto fail;
	set_options(s);
	if (roles[s->role].monitored && open_monitor(s) != 0)
		goto fail;
	if (attach(s, o->endpoint) != 0)
		goto fail;
	if (roles[s->role].reads)
		watch(k, s->zmq, LOOP_IN);
	return s;
fail:;
	int saved = errno;
	sock_close(&s);
	errno = saved;
	return NULL;
}

static void
forget(struct sock *s)
{
	for (size_t i = 0; i < s->socks->n; i++)
		if (s->socks->all[i] == s)
			s->socks->all[i] = NULL;
}

void
sock_close(struct sock **sp)
{
	struct sock *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	forget(s);
	if (s->zmq && roles[s->role].reads)
		watch(s->socks, s->zmq, 0);
	if (s->monitor) {
		zmq_socket_monitor(s->zmq, NULL, 0);
		watch(s->socks, s->monitor, 0);
		zmq_close(s->monitor);
	}
	if (*s->unlink)
		unlink(s->unlink);
	if (s->zmq)
		zmq_close(s->zmq);
	s->zmq = s->monitor = NULL;
	loop_bury(s->socks->loop, free, s);	/* a call-back of it may be on the stack */
}

static int
count_sent(struct sock *s, int rc)
{
	s->count.sent += rc >= 0;
	s->count.unsent += rc < 0;
	return rc < 0 ? -1 : 0;
}

static bool
fits(const struct sock *s, struct span message)
{
	if (message.n <= s->max_bytes)
		return true;
	errno = EMSGSIZE;
	return false;
}

int
sock_send(struct sock *s, struct span message)
{
	if (!fits(s, message))
		return -1;
	return count_sent(s, zmq_send(s->zmq, message.p, message.n, ZMQ_DONTWAIT));
}

int
sock_send_to(struct sock *s, struct span id, struct span message)
{
	if (!fits(s, message))
		return -1;
	if (zmq_send(s->zmq, id.p, id.n, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0)
		return count_sent(s, -1);
	return count_sent(s, zmq_send(s->zmq, message.p, message.n, ZMQ_DONTWAIT));
}

void
sock_linger(struct sock *s, unsigned ms)
{
	set_int(s->zmq, ZMQ_LINGER, (int)ms);
}

const char *
sock_endpoint(const struct sock *s)
{
	return s->endpoint;
}

struct sock_count
sock_counted(const struct sock *s)
{
	return s->count;
}

/* The kernel's word for who is at the other end: "localhost:UID:GID:PID". */
static int64_t
peer_uid(const struct sock *s, zmq_msg_t *frame)
{
	static const char before[] = "localhost:";
	const char *peer = s->ipc ? zmq_msg_gets(frame, "Peer-Address") : NULL;
	uint64_t uid;

	if (!peer || strncmp(peer, before, sizeof before - 1) != 0)
		return -1;
	peer += sizeof before - 1;
	struct span text = { (const uint8_t *)peer, strcspn(peer, ":") };
	return num_u64(text, &uid) && uid <= UINT32_MAX ? (int64_t)uid : -1;
}

static struct span
frame_span(zmq_msg_t *frame)
{
	return (struct span){ zmq_msg_data(frame), zmq_msg_size(frame) };
}

/* Read the frames behind the last one that is wanted.  False: there were some. */
static bool
at_end(void *zmq, zmq_msg_t *last)
{
	bool end = !zmq_msg_more(last);

	for (bool more = !end; more; ) {
		zmq_msg_t extra;
		zmq_msg_init(&extra);
		more = zmq_msg_recv(&extra, zmq, ZMQ_DONTWAIT) >= 0 && zmq_msg_more(&extra);
		zmq_msg_close(&extra);
	}
	return end;
}

static void
deliver(struct sock *s, zmq_msg_t *id, zmq_msg_t *body)
{
	struct sock_from from = { .uid = -1 };

	if (s->role == SOCK_ROUTER)
		from = (struct sock_from){ frame_span(id), peer_uid(s, body) };
	s->count.received++;
	if (s->ops.message)
		s->ops.message(s->arg, &from, frame_span(body));
}

static void
refuse(struct sock *s)
{
	s->count.refused++;
	diag(DIAG_WARN, "message-refused", "code=malformed why=frames endpoint=%s", diag_quote(s->endpoint));
}

/* One message.  Its size, or -1 when there is none. */
static int
receive(struct sock *s)
{
	zmq_msg_t id, body;
	int n;

	zmq_msg_init(&id);
	zmq_msg_init(&body);
	if (s->role == SOCK_ROUTER && zmq_msg_recv(&id, s->zmq, ZMQ_DONTWAIT) < 0)
		n = -1;
	else
		n = zmq_msg_recv(&body, s->zmq, ZMQ_DONTWAIT);
	if (n >= 0 && at_end(s->zmq, &body))
		deliver(s, &id, &body);
	else if (n >= 0)
		refuse(s);
	zmq_msg_close(&id);
	zmq_msg_close(&body);
	return n;
}

/* What the monitor says: event and value in one frame, the address in the next. */
static void
tell_link(struct sock *s, unsigned event, const char *address)
{
	void (*fn)(void *) = event == ZMQ_EVENT_CONNECTED ? s->ops.connected :
	    event == ZMQ_EVENT_DISCONNECTED ? s->ops.disconnected : NULL;

	if (event & ~(unsigned)(ZMQ_EVENT_CONNECTED | ZMQ_EVENT_DISCONNECTED))
		diag(DIAG_WARN, "handshake-failed", "event=0x%x peer=%s", event, diag_quote(address));
	if (fn)
		fn(s->arg);
}

static bool
read_monitor(struct sock *s)
{
	zmq_msg_t what, where;
	uint16_t event = 0;
	char address[256] = "";

	zmq_msg_init(&what);
	zmq_msg_init(&where);
	bool got = zmq_msg_recv(&what, s->monitor, ZMQ_DONTWAIT) >= (int)sizeof event &&
	    zmq_msg_recv(&where, s->monitor, ZMQ_DONTWAIT) >= 0;
	if (got) {
		memcpy(&event, zmq_msg_data(&what), sizeof event);
		if (!span_cstr(frame_span(&where), address, sizeof address))
			address[0] = '\0';
	}
	zmq_msg_close(&what);
	zmq_msg_close(&where);
	if (got)
		tell_link(s, event, address);
	return got;
}

static void
drain(struct sock *s)
{
	size_t bytes = 0;

	while (s->monitor && read_monitor(s))
		;
	for (size_t i = 0; s->zmq && i < s->cap_messages && bytes < s->cap_bytes; i++) {
		int n = receive(s);
		if (n < 0)
			return;
		bytes += (size_t)n;
	}
}

/* Look at ZMQ_EVENTS before reading: it also takes back the descriptor's signal. */
bool
socks_drain(void *arg)
{
	struct socks *k = arg;

	for (size_t i = 0; i < k->n; i++) {
		struct sock *s = k->all[i];
		if (!s || !roles[s->role].reads)
			continue;
		bool in = readable(s->zmq) || (s->monitor && readable(s->monitor));
		if (in)
			drain(s);
	}
	return false;		/* socks_look says it */
}

static void
sweep(struct socks *k)
{
	size_t n = 0;

	for (size_t i = 0; i < k->n; i++)
		if (k->all[i])
			k->all[n++] = k->all[i];
	k->n = n;
}

bool
socks_look(void *arg)
{
	struct socks *k = arg;
	bool more = false;

	sweep(k);
	for (size_t i = 0; i < k->n; i++) {
		struct sock *s = k->all[i];
		if (roles[s->role].reads)
			more |= readable(s->zmq);
		if (s->monitor)
			more |= readable(s->monitor);
	}
	return more;
}
