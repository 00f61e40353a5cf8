/* server.h - the servers whose Coordinator's side is tested, and one exchange with them, header by header.
 *
 * A server is a row of the table in server.c: how it is started, what it is told to be,
 * and whether it is kind (common/desk.h).  The rows of wire_server.c run against each. */
#ifndef PROVA_TESTS_WIRE_SERVER_H
#define PROVA_TESTS_WIRE_SERVER_H

#include "common/bytes.h"
#include "common/coord.h"
#include "common/desk.h"

#define SERVER_SECRET	"prova-devnet"		/* of the tokens, so that tests can forge some */
#define SERVER_MIN	"v4.4.43"
#define SERVER_OWN	"v4.4.70-000000-000000-000000"
#define SERVER_VERSION	"v4.4.45-37af5ef5-38a68e2-1c5093c"

struct server;
struct farm;

struct server_type {
	const char	*name;
	bool		 kind;		/* DESK_KINDNESSES apply */
	bool		 door;		/* and DOOR_KINDNESSES of dispatch-coordinator */
	bool		 has_tasks;	/* chunks to give, and a verifier */
	bool		 is_http;
	void		(*start)(struct server *, const char *const *options);
	void		(*stop)(struct server *);
};

extern const struct server_type server_types[];	/* ended by name NULL */

struct server {
	const struct server_type *type;
	const char	*blocked;	/* a public key that gets no tasks */
	pid_t		 pid;
	unsigned	 port;
	struct desk	 desk;
	struct farm	*farm;
	char		 dir[64];
};

struct response {
	unsigned	 status;		/* 0: no answer */
	struct buf	 head;			/* header lines */
	struct buf	 body;
};

/* options: NULL-ended, of the server's own command line; NULL: none. */
void	server_start(struct server *, const struct server_type *, const char *const *options);
void	server_stop(struct server *);

/* Send what desk_ask says; its content type may be NULL. */
void	server_ask(struct server *, const struct desk_ask *, struct response *);
/* Send bytes as they are, and read until the end. Only of one that speaks HTTP. */
void	server_send(struct server *, struct span bytes, struct response *);
/* The bytes of an answer: head and body. */
void	response_read(struct buf *bytes, struct response *);
void	response_free(struct response *);
/* One that speaks HTTP, by hand: its port, a connection to a port, a moment for it to do what it has to do. */
unsigned server_port(const struct server *);
int	server_connect(unsigned port) MUSTCHECK;
void	server_turn(struct server *);
/* Where tasks are given out by the test: so many chunks more. */
void	server_work(struct server *, unsigned chunks);
/* A header's value, "" where there is none; valid until the next call. */
const char *response_header(const struct response *, const char *name);

#endif
