/* httpd.h - floor 4: an HTTP server (libmicrohttpd on the loop, external epoll).
 *
 * Each request is read whole (up to max_body), then handed to the handler once;
 * the handler answers at once or later (the request is suspended meanwhile).
 * What Go's server refuses by its head alone is refused here, in the same words, and the connection ends: HTTP/1.1
 * without Host, two Hosts, differing lengths, a transfer encoding but chunked, a header's name that is no token.
 * How slowly a peer may come and take is bounded, whatever it sends in between; where all
 * connections are in use, those that bring no request give way to new ones. */
#ifndef PROVA_HTTPD_H
#define PROVA_HTTPD_H

#include "common/bytes.h"
#include "common/loop.h"

enum { HTTPD_HEAD_BYTES = 15 << 10 };	/* a request's head may have, in a few dozen lines; much longer ones are answered 431 */

struct httpd;
struct httpd_req;

/* method and path point into the request; body is borrowed until the answer. */
typedef void httpd_fn(void *arg, struct httpd_req *);

struct httpd_opts {
	const char	*listen;	/* "127.0.0.1:8390"; port 0 picks one */
	size_t		 max_body;	/* larger ones are drained and answered 413 */
	/* of all bodies together but small ones; what is more is drained and answered 503, and bodies that have been
	 * coming in for long end their connections.  0: no limit */
	size_t		 max_held;
	/* a body that passes small_body is asked about, once: false drains it, and the handler gets an empty one.
	 * NULL: all are kept */
	bool		(*worth)(void *arg, struct httpd_req *);
	size_t		 small_body;
	unsigned	 max_connections;
	/* a connection ends that takes longer; 0: no limit */
	unsigned	 head_s;	/* to its first request */
	unsigned	 idle_s;	/* to each one after that; also one on which nothing moves */
	unsigned	 body_s;	/* for a body, either way */
	httpd_fn	*handler;
	/* the peer went away before the answer: the request must not be used any more; may be NULL.  Gone is who has closed
	 * the connection or only its own direction of it (the two look the same from here), whatever it sent before that,
	 * be it the next request: no answer goes to it, and the connection ends */
	httpd_fn	*gone;
	void		*arg;
};

/* NULL with errno set (EADDRINUSE ...) when it cannot listen. */
struct httpd *httpd_new(struct loop *, const struct httpd_opts *) MUSTCHECK;
void	httpd_free(struct httpd **);
unsigned httpd_port(const struct httpd *);

const char *httpd_method(const struct httpd_req *);
const char *httpd_path(const struct httpd_req *);		/* without the query */
const char *httpd_header(const struct httpd_req *, const char *name);	/* NULL: absent */
const char *httpd_query(const struct httpd_req *, const char *name);	/* NULL: absent */
struct span httpd_body(const struct httpd_req *);
void	httpd_set(struct httpd_req *, void *own);	/* the handler's own pointer */
void	*httpd_get(const struct httpd_req *);

/* Answer, once.  content_type NULL: none.  extra: NULL-ended "Name: value" or NULL.  Copies body. */
void	httpd_answer(struct httpd_req *, unsigned status, const char *content_type,
	    const char *const *extra, struct span body);
/* The same in another form. */
enum httpd_form {
	HTTPD_WHOLE,		/* with its length: what httpd_answer does */
	HTTPD_CHUNKED,		/* without: in chunks, as Go's server sends what is long */
	HTTPD_HALF,		/* with its length, but cut off after a half (faults on demand) */
};
void	httpd_answer_as(struct httpd_req *, enum httpd_form, unsigned status, const char *content_type,
	    const char *const *extra, struct span body);
/* Close the connection without an answer (faults on demand). */
void	httpd_abort(struct httpd_req *);

#endif
