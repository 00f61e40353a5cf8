/* web.h - HTTP/1.1 as light as it can be: both ends, on the loop, kept alive, messages with Content-Length only.
 *
 * Enough for our own servers and clients on this machine; whatever else happens ends the process. */
#ifndef PROVA_BENCH_WEB_H
#define PROVA_BENCH_WEB_H

#include "common/bytes.h"
#include "common/loop.h"

struct web_conn;

/* A whole message came: borrowed until the return.  head is its first line and headers, up to and with the empty line. */
typedef void web_fn(void *arg, struct web_conn *, struct span head, struct span body);

struct web_conn *web_connect(struct loop *, unsigned port, web_fn *, void *arg) MUSTCHECK;
void	web_close(struct web_conn **);			/* not from inside its fn */
void	web_send(struct web_conn *, struct span);	/* a whole request or answer */
void	web_put_request(struct buf *, const char *method, const char *path, struct span token, struct span body);
void	web_answer(struct web_conn *, struct span json);	/* 200 */

/* A listener on 127.0.0.1 for as long as the process lives; fn hears every request.  Its port. */
unsigned web_serve(struct loop *, web_fn *, void *arg);

/* What follows NAME in the head, up to the end of the line; empty: there is none.  name: "\r\nAuthorization: " */
struct span web_header(struct span head, const char *name);
/* The characters of a string member, as they stand; "name":" is what is looked for.  Empty: there is none. */
struct span web_member(struct span json, const char *name);

#endif
