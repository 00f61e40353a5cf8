/* loop.h - floor 3: the one place where a process waits.
 *
 * One thread, one epoll.  Callbacks must not block.  Objects are freed at the
 * end of a turn, never inside a callback that a library may re-enter.
 * SIGTERM and SIGINT end the loop; SIGPIPE is ignored; SIGCHLD is a call-back. */
#ifndef PROVA_LOOP_H
#define PROVA_LOOP_H

#include "common/base.h"

struct loop;

enum { LOOP_IN = 1, LOOP_OUT = 2, LOOP_ERR = 4, LOOP_HUP = 8 };

typedef void loop_fd_fn(void *arg, unsigned events);
typedef void loop_fn(void *arg);
/* A source polled as the last act of each turn: true when it has more to do
 * right now (the loop then does not sleep). */
typedef bool loop_last_fn(void *arg);

/* A timer belongs to its owner; zeroed is valid and not armed. */
struct loop_timer {
	loop_fn		*fn;
	void		*arg;
	uint64_t	 at_ms;		/* clock_ms(); 0: not armed */
	size_t		 slot;		/* the loop's own */
};

/* Blocks SIGTERM, SIGINT, SIGCHLD for this thread and those it starts later: call it
 * before anything that makes threads (ZeroMQ, curl).  Exits 111 on failure. */
struct loop *loop_new(void) MUSTCHECK;
void	loop_free(struct loop **);

/* Watch fd for LOOP_IN, LOOP_OUT, LOOP_HUP (of a socket: the other side has closed its direction or all of it,
 * also with bytes before that which nobody has read), level-triggered; a second call for the
 * same fd changes it; events 0 forgets it (also when it is closed already). */
void	loop_fd(struct loop *, int fd, unsigned events, loop_fd_fn *, void *arg);

/* Descriptors may become many: allow this process as many as it may have. */
void	loop_many_fds(void);

/* Arm (at_ms > 0, absolute clock_ms) or disarm (0) a timer. */
void	loop_timer(struct loop *, struct loop_timer *, uint64_t at_ms);

/* Register fn to run at the end of every turn, in the order of registration. */
void	loop_last(struct loop *, loop_last_fn *, void *arg);
/* Forget what loop_last registered with this fn and arg. */
void	loop_last_forget(struct loop *, loop_last_fn *, void *arg);

/* Free p with fn at the end of this turn. */
void	loop_bury(struct loop *, void (*fn)(void *), void *p);

/* Called when a child may have ended (SIGCHLD); several may be registered. */
void	loop_child(struct loop *, loop_fn *, void *arg);

/* Run until loop_stop or a signal; loop_stopping is then true.  loop_turn runs one
 * turn and waits at most max_ms (tests). */
void	loop_run(struct loop *);
void	loop_turn(struct loop *, int max_ms);
void	loop_stop(struct loop *);
bool	loop_stopping(const struct loop *);

#endif
