/* l2.h - floor 5: block traces from the nodes of one [l2 NAME], by JSON-RPC 2.0 over HTTP
 * (scroll_getBlockTraceByNumberOrHash).
 *
 * A fetch goes on until it has the right block, is cancelled, or the disk is full: another node first, then
 * again with growing waits (at most 5 s, jittered).  A node that does not answer, or not
 * sensibly, rests; one call tries whether it is back. */
#ifndef PROVA_L2_H
#define PROVA_L2_H

#include "common/blob.h"
#include "common/bytes.h"
#include "common/codes.h"
#include "common/loop.h"

struct l2;
struct l2_fetch;

enum {
	L2_NODES	= 16,
	L2_CLAIMS	= 16,
};

struct l2_opts {
	const char	*name;
	struct loop	*loop;
	const char	*urls;		/* separated by blanks or commas; the first is preferred */
	unsigned	 parallel;	/* calls at once, all nodes together */
	unsigned	 timeout_ms;	/* of a whole call */
	size_t		 max_bytes;	/* of an answer */
	struct blobs	*blobs;		/* answers go to unnamed files of its file system */
	void		(*changed)(void *arg);	/* l2_note may say something else now; may be NULL */
	void		*arg;
};

/* A stored answer: the bytes of the trace as received, and nothing else. */
struct l2_trace {
	int		 fd;		/* the receiver's, to be closed by it; -1: see writer, error */
	struct blob_writer *writer;	/* the receiver's, when it asked for one: "[" and the trace */
	int		 error;		/* errno: it could not be stored; make room before it is asked for again */
	uint64_t	 n;		/* bytes of the trace */
	uint64_t	 number;	/* of the block */
};

typedef void l2_done_fn(void *arg, const struct l2_trace *);

/* Are these URLs? NULL, or what is wrong with them (static). */
const char *l2_check(const char *urls);

struct l2 *l2_new(const struct l2_opts *) MUSTCHECK;	/* copies the texts */
void	l2_free(struct l2 **);				/* cancels what is under way */

/* Who fetches much claims first: at most L2_CLAIMS claims are out at a time, so that files and
 * their space are not held by many at once. */
bool	l2_claim(struct l2 *) MUSTCHECK;
void	l2_release(struct l2 *);
/* How many blocks a claim should ask for at a time to keep every call busy. */
size_t	l2_window(const struct l2 *);

/* Fetch the trace of a block.  Lower `order` goes first, then who came first.  The first block of an
 * input goes right into a blob (`opens`), so that it need not be copied and hashed later.  `done`
 * is called once, never from inside this call; its fetch is then gone. */
struct l2_fetch *l2_start(struct l2 *, uint64_t order, const uint8_t hash[HASH_BYTES], bool opens,
	    l2_done_fn *done, void *arg) MUSTCHECK;
void	l2_cancel(struct l2_fetch **);

/* What is wrong, for prova status ("L2 node 2 away for 40 s (...)"); "" when nothing is. */
void	l2_note(const struct l2 *, char *out, size_t size);

#endif
