/* loop.c - the one place where a process waits.  See loop.h.
 *
 * One epoll, one heap of timers, one signalfd.  A watch is found by its
 * descriptor and told from an earlier one of the same number by its generation,
 * so that an event of this batch for a descriptor that was forgotten (and
 * perhaps opened again) in this batch reaches nobody. */
#include "common/loop.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include "common/bytes.h"
#include "common/clock.h"
#include "common/diag.h"

enum {
	BATCH		= 256,	/* events taken in one turn */
	NAP_MAX_MS	= 1000,	/* epoll's clock stands still while the machine sleeps */
};

struct watch {
	loop_fd_fn	*fn;		/* NULL: nobody watches */
	void		*arg;
	unsigned	 events;
	unsigned	 generation;
	bool		 always;	/* epoll does not take it (a regular file): ready at any time */
};

struct last {
	loop_last_fn	*fn;		/* NULL: forgotten in this turn */
	void		*arg;
};

struct child {
	loop_fn	*fn;
	void	*arg;
};

struct grave {
	void	(*fn)(void *);
	void	*p;
};

struct loop {
	int		  epfd;
	int		  sigfd;
	bool		  stopping;
	bool		  more;		/* a source has more to do: do not sleep */
	struct watch	 *watches;	/* by descriptor */
	size_t		  nwatches;
	size_t		  nalways;
	struct loop_timer **heap;	/* the earliest first */
	size_t		  ntimers, captimers;
	struct last	 *lasts;
	size_t		  nlasts;
	struct child	 *children;
	size_t		  nchildren;
	struct grave	 *graves;
	size_t		  ngraves, capgraves;
};

/* signals */

static void
take_signals(void *arg, unsigned events)
{
	struct loop *l = arg;
	struct signalfd_siginfo si;
	bool child = false;

	while (read(l->sigfd, &si, sizeof si) == (ssize_t)sizeof si) {
		if (si.ssi_signo == SIGCHLD)
			child = true;
		else
			l->stopping = true;
	}
	for (size_t i = 0; child && i < l->nchildren; i++)
		l->children[i].fn(l->children[i].arg);
}

struct loop *
loop_new(void)
{
	struct loop *l = xzalloc(sizeof *l);
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		die_sys("sigprocmask");
	signal(SIGPIPE, SIG_IGN);
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	l->sigfd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (l->epfd < 0 || l->sigfd < 0)
		die_sys("epoll or signalfd");
	loop_fd(l, l->sigfd, LOOP_IN, take_signals, l);
	return l;
}

static void
run_graves(struct loop *l)
{
	for (size_t i = 0; i < l->ngraves; i++) {
		struct grave g = l->graves[i];	/* fn may bury more and move the array */
		g.fn(g.p);
	}
	l->ngraves = 0;
}

void
loop_free(struct loop **lp)
{
	struct loop *l = *lp;

	if (!l)
		return;
	run_graves(l);
	for (size_t i = 0; i < l->ntimers; i++)
		l->heap[i]->at_ms = 0;
	close(l->sigfd);
	close(l->epfd);
	free(l->watches);
	free(l->heap);
	free(l->lasts);
	free(l->children);
	free(l->graves);
	free(l);
	*lp = NULL;
}

/* descriptors */

static uint32_t
to_epoll(unsigned events)
{
	return (events & LOOP_IN ? EPOLLIN : 0u) | (events & LOOP_OUT ? EPOLLOUT : 0u) | (events & LOOP_HUP ? EPOLLRDHUP : 0u);
}

/* A hung-up or broken descriptor also counts as what is watched, so that its
 * owner reads or writes and learns what it is. */
static unsigned
from_epoll(uint32_t got, unsigned watched)
{
	unsigned events = 0;

	if (got & EPOLLIN)
		events |= LOOP_IN;
	if (got & EPOLLOUT)
		events |= LOOP_OUT;
	if (got & EPOLLRDHUP)
		events |= LOOP_HUP;
	if (got & (EPOLLERR | EPOLLHUP))
		events |= LOOP_ERR | watched;
	return events;
}

static void
forget_fd(struct loop *l, int fd)
{
	struct watch *w = &l->watches[fd];

	if (!w->fn)
		return;
	if (w->always)
		l->nalways--;
	else
		epoll_ctl(l->epfd, EPOLL_CTL_DEL, fd, NULL);
	*w = (struct watch){ .generation = w->generation };
}

/* The descriptor may have been closed, and opened again, behind our back: what
 * epoll knows and what the table says need not agree. */
static void
tell_epoll(struct loop *l, int fd, struct watch *w)
{
	struct epoll_event ev = {
		.events = to_epoll(w->events),
		.data.u64 = (uint64_t)w->generation << 32 | (uint32_t)fd,
	};

	if (epoll_ctl(l->epfd, EPOLL_CTL_MOD, fd, &ev) == 0)
		return;
	if (errno == ENOENT && epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) == 0)
		return;
	if (errno != EPERM)
		bug("epoll_ctl of descriptor %d: %s", fd, strerror(errno));
	w->always = true;
	l->nalways++;
}

void
loop_fd(struct loop *l, int fd, unsigned events, loop_fd_fn *fn, void *arg)
{
	size_t at = (size_t)fd;

	if (fd < 0)
		return;
	if (at >= l->nwatches) {
		size_t n = MAX2(at + 1, l->nwatches * 2);
		l->watches = xrealloc(l->watches, n * sizeof *l->watches);
		memset(l->watches + l->nwatches, 0, (n - l->nwatches) * sizeof *l->watches);
		l->nwatches = n;
	}
	struct watch *w = &l->watches[at];
	if (!events || w->always)
		forget_fd(l, fd);
	if (!events)
		return;
	if (!w->fn)
		w->generation++;
	w->fn = fn;
	w->arg = arg;
	w->events = events;
	tell_epoll(l, fd, w);
}

static void
serve(struct loop *l, const struct epoll_event *ev)
{
	size_t fd = (uint32_t)ev->data.u64;
	struct watch w = fd < l->nwatches ? l->watches[fd] : (struct watch){ 0 };

	if (w.fn && w.generation == ev->data.u64 >> 32)
		w.fn(w.arg, from_epoll(ev->events, w.events));
}

static void
serve_files(struct loop *l)
{
	for (size_t fd = 0; l->nalways && fd < l->nwatches; fd++) {
		struct watch w = l->watches[fd];
		if (w.always)
			w.fn(w.arg, w.events);
	}
}

void
loop_many_fds(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

/* timers */

static void
heap_set(struct loop *l, size_t i, struct loop_timer *t)
{
	l->heap[i] = t;
	t->slot = i;
}

static void
heap_up(struct loop *l, size_t i)
{
	struct loop_timer *t = l->heap[i];

	for (; i && l->heap[(i - 1) / 2]->at_ms > t->at_ms; i = (i - 1) / 2)
		heap_set(l, i, l->heap[(i - 1) / 2]);
	heap_set(l, i, t);
}

static void
heap_down(struct loop *l, size_t i)
{
	struct loop_timer *t = l->heap[i];

	for (size_t kid; (kid = 2 * i + 1) < l->ntimers; i = kid) {
		if (kid + 1 < l->ntimers && l->heap[kid + 1]->at_ms < l->heap[kid]->at_ms)
			kid++;
		if (l->heap[kid]->at_ms >= t->at_ms)
			break;
		heap_set(l, i, l->heap[kid]);
	}
	heap_set(l, i, t);
}

static void
heap_take(struct loop *l, struct loop_timer *t)
{
	size_t i = t->slot;
	struct loop_timer *tail = l->heap[--l->ntimers];

	t->at_ms = 0;
	if (tail == t)
		return;
	heap_set(l, i, tail);
	heap_up(l, i);
	heap_down(l, tail->slot);
}

void
loop_timer(struct loop *l, struct loop_timer *t, uint64_t at_ms)
{
	if (t->at_ms)
		heap_take(l, t);
	if (!at_ms)
		return;
	if (l->ntimers == l->captimers) {
		l->captimers = MAX2(16, l->captimers * 2);
		l->heap = xrealloc(l->heap, l->captimers * sizeof *l->heap);
	}
	t->at_ms = at_ms;
	l->heap[l->ntimers++] = t;
	heap_up(l, l->ntimers - 1);
}

/* A timer that arms itself for now goes off in the next turn, not in this one for ever. */
static void
fire_timers(struct loop *l)
{
	uint64_t now = clock_ms();

	for (size_t n = l->ntimers; n && l->ntimers && l->heap[0]->at_ms <= now; n--) {
		struct loop_timer *t = l->heap[0];
		heap_take(l, t);
		t->fn(t->arg);
	}
}

/* ends of turns, children */

void
loop_last(struct loop *l, loop_last_fn *fn, void *arg)
{
	l->lasts = xrealloc(l->lasts, (l->nlasts + 1) * sizeof *l->lasts);
	l->lasts[l->nlasts++] = (struct last){ fn, arg };
	l->more = true;
}

void
loop_last_forget(struct loop *l, loop_last_fn *fn, void *arg)
{
	for (size_t i = 0; i < l->nlasts; i++)
		if (l->lasts[i].fn == fn && l->lasts[i].arg == arg)
			l->lasts[i].fn = NULL;
}

static void
run_lasts(struct loop *l)
{
	size_t kept = 0;

	l->more = false;
	for (size_t i = 0; i < l->nlasts; i++)
		if (l->lasts[i].fn && l->lasts[i].fn(l->lasts[i].arg))
			l->more = true;
	for (size_t i = 0; i < l->nlasts; i++)
		if (l->lasts[i].fn)
			l->lasts[kept++] = l->lasts[i];
	l->nlasts = kept;
}

void
loop_bury(struct loop *l, void (*fn)(void *), void *p)
{
	if (l->ngraves == l->capgraves) {
		l->capgraves = MAX2(16, l->capgraves * 2);
		l->graves = xrealloc(l->graves, l->capgraves * sizeof *l->graves);
	}
	l->graves[l->ngraves++] = (struct grave){ fn, p };
}

void
loop_child(struct loop *l, loop_fn *fn, void *arg)
{
	l->children = xrealloc(l->children, (l->nchildren + 1) * sizeof *l->children);
	l->children[l->nchildren++] = (struct child){ fn, arg };
}

/* turns */

static int
nap_ms(const struct loop *l, int max_ms)
{
	uint64_t nap = max_ms < 0 ? NAP_MAX_MS : MIN2((uint64_t)max_ms, NAP_MAX_MS);

	if (l->more || l->nalways || l->ngraves)
		return 0;
	if (l->ntimers) {
		uint64_t now = clock_ms(), at = l->heap[0]->at_ms;
		nap = at <= now ? 0 : MIN2(nap, at - now);
	}
	return (int)nap;
}

void
loop_turn(struct loop *l, int max_ms)
{
	struct epoll_event evs[BATCH];
	int n = epoll_wait(l->epfd, evs, BATCH, nap_ms(l, max_ms));

	if (n < 0 && errno != EINTR)
		bug("epoll_wait: %s", strerror(errno));
	for (int i = 0; i < n; i++)
		serve(l, &evs[i]);
	serve_files(l);
	fire_timers(l);
	run_lasts(l);
	run_graves(l);
}

void
loop_run(struct loop *l)
{
	while (!l->stopping)
		loop_turn(l, -1);
}

void
loop_stop(struct loop *l)
{
	l->stopping = true;
}

bool
loop_stopping(const struct loop *l)
{
	return l->stopping;
}
