/* filter.h - floor 5: rows as JSON lines, from one descriptor and to another, on the loop.
 *
 * A bad line is an error line on standard error with its number and a code; the
 * others go on, and the status in the end is 100.  When the input has ended and every
 * row is through, the loop is stopped. */
#ifndef PROVA_FILTER_H
#define PROVA_FILTER_H

#include "common/loop.h"
#include "common/rows.h"

enum { FILTER_LINE = 1 << 20 };		/* longest line */

struct filter;

struct filter_opts {
	struct loop	*loop;
	int		 in;		/* descriptor; -1: none, rows are made by ourselves */
	int		 out;		/* -1: none */
	size_t		 hand;		/* rows under way at most; reading waits while there are so many */
	void		(*row)(void *arg, struct row *);	/* owned by the callee: free() */
	void		*arg;
};

struct filter *filter_new(const struct filter_opts *) MUSTCHECK;
void	filter_free(struct filter **);

/* Write one line.  Blocks as long as the reader of `out` does; a failure ends the process (111). */
void	filter_emit(struct filter *, const struct row *);
/* One row that came in is through.  Without input: n rows are to be made (`expect`), one is. */
void	filter_through(struct filter *);
void	filter_expect(struct filter *, uint64_t n);
/* 0, or 100 when a line was refused. */
int	filter_status(const struct filter *);

#endif
