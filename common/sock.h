/* sock.h - floor 4: ZeroMQ sockets by role, on the loop.  The only user of zmq.h.
 *
 * libzmq is used directly, without czmq: one loop owns the wait and every option
 * is set here, so zsock would only add its own defaults, environment and signals.
 *
 * A message is one frame of at most MESSAGE_BYTES.  Whoever binds is an inbox, whoever
 * connects keeps what it sent until the peer is there (up to the high-water mark); nothing
 * survives a close or a crash: the ledger owns unsent work.  Nothing here blocks, but
 * socks_free for at most the linger of sock_linger.
 *
 * The descriptor of a ZeroMQ socket is edge-like: any send or receive may swallow
 * its edge.  So it only wakes the loop; messages are read by socks_drain, and the last
 * act of each turn is socks_look.  Register both with loop_last, with everything that
 * sends in between:
 *
 *	loop_last(loop, socks_drain, socks);
 *	loop_last(loop, my_commits_and_sends, me);
 *	loop_last(loop, socks_look, socks);
 */
#ifndef PROVA_SOCK_H
#define PROVA_SOCK_H

#include "common/bytes.h"
#include "common/loop.h"

struct socks;		/* the process's one context */
struct sock;

enum sock_role {
	SOCK_ROUTER,	/* binds; knows its senders by routing id */
	SOCK_DEALER,	/* connects to a ROUTER; tells when the link is there */
	SOCK_PULL,	/* binds; receives only */
	SOCK_PUSH,	/* connects to a PULL; sends only */
};

/* What a message came with.  Spans are valid until the call-back returns. */
struct sock_from {
	struct span	id;	/* ROUTER: the routing id, for sock_send_to; else empty */
	int64_t		uid;	/* ROUTER on ipc: the peer's uid as the kernel says it; else -1 */
};

/* May send, open and close sockets (also the one that calls).  Unused ones are NULL. */
struct sock_ops {
	void	(*message)(void *arg, const struct sock_from *, struct span message);
	void	(*connected)(void *arg);	/* DEALER: the link is there (again) */
	void	(*disconnected)(void *arg);	/* DEALER: the link is broken; it is made again by itself */
};

struct sock_opts {
	enum sock_role		 role;
	const char		*endpoint;	/* "ipc:///run/prova/x.inbox", "tcp://host:port" */
	const struct sock_ops	*ops;		/* may be NULL; kept, not copied */
	void			*arg;
	size_t			 cap_messages;	/* read at most so many each turn; 0: 64 */
	size_t			 cap_bytes;	/* and stop after so many bytes; 0: no limit */
	size_t			 max_bytes;	/* of one message; 0: MESSAGE_BYTES */
};

struct sock_count {
	uint64_t	received, sent;
	uint64_t	unsent;		/* no room (EAGAIN) or no such peer (EHOSTUNREACH) */
	uint64_t	refused;	/* messages of more than one frame */
};

/* The context.  Call after loop_new (its threads must inherit the blocked signals). */
struct socks *socks_new(struct loop *) MUSTCHECK;
void	socks_free(struct socks **);	/* closes what is open */

/* Both are loop_last_fn for loop_last; true: there is more. */
bool	socks_drain(void *socks);
bool	socks_look(void *socks);

/* Bind or connect.  NULL with errno: EADDRINUSE, EACCES, ENAMETOOLONG (ipc paths have at
 * most 107 bytes), EINVAL, EPROTONOSUPPORT ...  On ipc a second bind of one path succeeds
 * and silences the first: hold a lock file. */
struct sock *sock_open(struct socks *, const struct sock_opts *) MUSTCHECK;
/* Nulls; may be called twice.  A bound ipc path is unlinked. */
void	sock_close(struct sock **);

/* Queue a copy of one message.  0; -1 with EAGAIN (no room: lost, the protocol repairs it),
 * EMSGSIZE (over max_bytes). */
int	sock_send(struct sock *, struct span message);
/* ROUTER: to one peer; also -1 with EHOSTUNREACH (it has gone). */
int	sock_send_to(struct sock *, struct span id, struct span message);
/* Before the end: what was sent gets so long to leave (the default is 0). */
void	sock_linger(struct sock *, unsigned ms);

/* The endpoint bound, with the port chosen when 0 was asked for. */
const char *sock_endpoint(const struct sock *);
struct sock_count sock_counted(const struct sock *);

#endif
