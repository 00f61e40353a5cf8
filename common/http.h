/* http.h - floor 4: many HTTP exchanges at once as a client (libcurl, multi_socket on the loop).
 *
 * Redirects are never followed, Expect is never sent, CAPATH and the environment's
 * proxies are off.  A call ends exactly once, by its done function, unless it is
 * cancelled.  sink and may_send may cancel calls, but not start any. */
#ifndef PROVA_HTTP_H
#define PROVA_HTTP_H

#include "common/bytes.h"
#include "common/loop.h"

struct http;		/* a pool of connections */
struct http_call;	/* one exchange under way */

enum http_fail {
	HTTP_OK,		/* an answer came, whatever its status */
	HTTP_NOT_SENT,		/* surely nothing reached the peer: resolve, connect, TLS failed */
	HTTP_NO_ANSWER,		/* sent, wholly or in part; no complete answer */
	HTTP_TOO_LARGE,		/* the answer passed max_bytes (or sink said stop) */
	HTTP_TIMEOUT,		/* timeout_ms passed after connect; may have been sent */
};

struct http_req {
	const char	*method;	/* "GET", "POST" */
	const char	*url;
	const char	*const *headers;/* NULL-ended "Name: value"; may be NULL */
	struct span	 body;		/* copied unless body_borrowed */
	bool		 body_borrowed;	/* caller keeps body alive until done */
	unsigned	 connect_ms;	/* 0: 5 s */
	unsigned	 timeout_ms;	/* the whole exchange; 0: 30 s */
	size_t		 max_bytes;	/* of the answer's body; 0: 16 MB */
	bool		 fresh;		/* a connection of its own, closed after */
	/* where the answer's body goes as it comes; NULL: kept in answer.body.
	 * False ends the call with HTTP_TOO_LARGE. */
	bool		(*sink)(void *arg, const uint8_t *, size_t);
	/* asked right before the first byte is sent: false ends the call HTTP_NOT_SENT */
	bool		(*may_send)(void *arg);
};

struct http_answer {
	enum http_fail	 fail;
	long		 status;	/* 0 when there is none */
	const char	*error;		/* for people; valid in done */
	struct buf	 body;		/* taken away by the pool after done; move it to keep it */
	unsigned	 retry_after_s;	/* 0: the header was not there */
};

typedef void http_done_fn(void *arg, struct http_answer *);

struct http *http_new(struct loop *, unsigned connections_per_host) MUSTCHECK;
void	http_free(struct http **);	/* cancels what is under way */

/* Never blocks, never fails at once: failures arrive in done, in a later turn. */
struct http_call *http_start(struct http *, const struct http_req *, http_done_fn *, void *arg);
/* Forget it; done is not called.  Nulls the caller's pointer. */
void	http_cancel(struct http_call **);

#endif
