/* query.h - the door for questions: a ROUTER that people's tools ask, and a thread that
 * reads the store for them, so that the turn is never disturbed.
 *
 * A request is one JSON object of at most ASK_BYTES, its answer another of at most
 * ANSWER_BYTES, one message each; see answer.h.  {"what":"status"} is answered at
 * once with what query_publish was given last.  Answers to one peer come in the order of its
 * requests, but for status. */
#ifndef PROVA_QUERY_H
#define PROVA_QUERY_H

#include "cmd/ledger/answer.h"
#include "common/sock.h"

struct query;

struct query_opts {
	struct loop	*loop;
	struct socks	*socks;		/* of that loop */
	const char	*endpoint;	/* "ipc://RUN/query" */
	const char	*db;		/* path; NULL: there is no file, only status is answered */
	const char	*blobs_dir;	/* for check; NULL: blobs are not looked for */
};

/* Bind, open a connection that cannot write, start the thread.  NULL: `why` (256 bytes). */
struct query *query_start(const struct query_opts *, char *why) MUSTCHECK;
/* Breaks off what is under way.  Nulls; may be called twice. */
void	query_stop(struct query **);

/* What status is answered with from now on.  Copies. */
void	query_publish(struct query *, struct span json);

/* Check a store's file, also one that no ledger has open.  Appends the answer to "check".
 * 1 all is well, 0 it is not, -1 it could not be read. */
int	query_check_file(const char *db, const char *blobs_dir, struct buf *json);

#endif
