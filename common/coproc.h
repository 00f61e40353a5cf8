/* coproc.h - floor 5: one program run as a co-process: JSON lines on its stdin and stdout.
 *
 * The protocol is prova-plugin(7).  The program runs by "/bin/sh -c COMMAND" in a process group
 * of its own, inherits nothing but descriptors 0-2, and dies with us (the shell's child by
 * PR_SET_PDEATHSIG; what it started itself sees its stdin end).  It is asked for its
 * capabilities first; then it is ready, for one request at a time.  After any failure the
 * group is ended (SIGTERM, 500 ms later SIGKILL) and the program started again after a
 * back-off of 100 ms .. 10 s, which an answered request takes back to 100 ms.  Its
 * stderr becomes log lines, masked, cut and limited in number.  Nothing here blocks,
 * except coproc_close for at most 200 ms. */
#ifndef PROVA_COPROC_H
#define PROVA_COPROC_H

#include "common/loop.h"
#include "common/plugin.h"

enum { COPROC_LINE = 4 << 20 };		/* longest answer unless opts say otherwise */

struct coproc;

/* How a request ended.  code is one of
 *   CODE_OK              answered: `answer` is set (it may still be a refusal: answer->ok false)
 *   CODE_PLUGIN_EXIT     it ended in the middle of the request
 *   CODE_PLUGIN_HANG     no answer before the deadline
 *   CODE_PLUGIN_GARBAGE  a line that is no answer
 *   CODE_PLUGIN_LARGE    a line longer than the limit
 * For all but OK what it did with the request is not known, unless !sent: then it
 * saw no byte of it. */
struct coproc_result {
	uint64_t			 code;
	bool				 sent;
	const struct plugin_answer	*answer;	/* borrowed until the call-back returns */
};
typedef void coproc_fn(void *arg, const struct coproc_result *);

struct coproc_opts {
	struct loop	*loop;
	const char	*name;		/* in log lines: "gpu1.0" */
	const char	*command;	/* for /bin/sh -c */
	size_t		 line_max;	/* longest answer; 0: COPROC_LINE */
	uint64_t	 start_ms;	/* time it has to answer the first capabilities; 0: 10 s */
	void		(*changed)(void *arg);	/* coproc_ready changed; may be NULL; never called from inside coproc_ask */
	void		*arg;
};

/* Copies the texts.  The program starts at the next turn of the loop. */
struct coproc *coproc_new(const struct coproc_opts *) MUSTCHECK;
/* End the program and its group.  A request under way gets no call-back. */
void	coproc_close(struct coproc **);

/* Started, has said what it can, and no request is under way. */
bool	coproc_ready(const struct coproc *);
/* Started and has said what it can (a request may be under way): what it said; else NULL. */
const struct plugin_caps *coproc_caps(const struct coproc *);
/* Why it is not up: the code of the last failure (PLUGIN_START: it ended, or could not be run, before it
 * said what it can); CODE_OK when it is up. */
uint64_t coproc_trouble(const struct coproc *);

/* Ask.  members: what stands behind "id" and "verb" in the request (plugin_put_*), copied.
 * fn is called exactly once, later, never from inside.  The first byte is written before this
 * returns.  Asking one that is not ready is a bug. */
void	coproc_ask(struct coproc *, enum plugin_verb, struct span members, uint64_t deadline_ms, coproc_fn *, void *arg);

#endif
