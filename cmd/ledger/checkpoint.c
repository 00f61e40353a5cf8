/* checkpoint.c - keeps the write-ahead log small.  See checkpoint.h. */
#include "cmd/ledger/checkpoint.h"

#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>

#include "cmd/ledger/store_sqlite.h"
#include "cmd/ledger/thread.h"
#include "common/diag.h"

enum { EVERY_MS = 50, NEARLY_FRAMES = 400, NEVER_SEEN = -1 };
enum { WORTH_A_WORD = 20 };	/* failures in a row: the store that is being opened refuses us, too */

struct checkpoint {
	struct sql	*own;		/* the thread's connection */
	struct sql	*turns;		/* the turn's */
	char		*wal_path;
	uint64_t	 long_frames, seen;
	pthread_t	 thread;
	pthread_mutex_t	 lock;
	pthread_cond_t	 wake;
	bool		 stopping;	/* under lock */
	unsigned	 failed;	/* in a row */
	_Atomic bool	 due;
	_Atomic uint64_t wal_bytes, restarts;
};

static void
gauge(struct checkpoint *c)
{
	struct stat st;

	atomic_store(&c->wal_bytes, stat(c->wal_path, &st) == 0 ? (uint64_t)st.st_size : 0);
}

/* While it is due, the log is left to the turn: two at a time would refuse each other. */
static void
look(struct checkpoint *c)
{
	uint64_t now = sql_wal_frames(c->turns), frames, copied;

	gauge(c);
	if (now == c->seen || atomic_load(&c->due))
		return;
	if (sql_checkpoint(c->own, &frames, &copied) != SQL_DONE) {
		if (++c->failed == WORTH_A_WORD)
			diag(DIAG_WARN, "checkpoint-trouble", "code=%s why=\"%s\"", code_word(CODE_DISK), sql_why(c->own));
		return;
	}
	c->failed = 0;
	if (copied == frames)
		c->seen = now;
	if (frames > c->long_frames && frames - copied < NEARLY_FRAMES)
		atomic_store(&c->due, true);
}

/* Sleep, at most until the next look.  False: it is over. */
static bool
wait_for_next(struct checkpoint *c)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += EVERY_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_mutex_lock(&c->lock);
	while (!c->stopping && pthread_cond_clockwait(&c->wake, &c->lock, CLOCK_MONOTONIC, &until) == 0)
		;
	bool go_on = !c->stopping;
	pthread_mutex_unlock(&c->lock);
	return go_on;
}

static void *
run(void *arg)
{
	while (wait_for_next(arg))
		look(arg);
	return NULL;
}

struct checkpoint *
checkpoint_start(struct store *store, const char *path, uint64_t frames, char *why)
{
	struct checkpoint *c = xzalloc(sizeof *c);

	c->own = sql_open(path, SQL_CHECKPOINTER, why);
	if (!c->own) {
		free(c);
		return NULL;
	}
	c->turns = store_sqlite_connection(store);
	c->wal_path = xprintf("%s-wal", path);
	c->long_frames = frames ? frames : CHECKPOINT_FRAMES;
	c->seen = (uint64_t)NEVER_SEEN;		/* an earlier process may have left something */
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->wake, NULL);
	thread_start(&c->thread, run, c);
	return c;
}

void
checkpoint_stop(struct checkpoint **cp)
{
	struct checkpoint *c = *cp;

	*cp = NULL;
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->stopping = true;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->wake);
	sql_close(&c->own);
	free(c->wal_path);
	free(c);
}

bool
checkpoint_due(const struct checkpoint *c)
{
	return atomic_load_explicit(&c->due, memory_order_relaxed);
}

int
checkpoint_finish(struct checkpoint *c)
{
	uint64_t frames, copied;
	int rc = sql_checkpoint(c->turns, &frames, &copied);

	if (rc == SQL_DONE && frames == copied)
		atomic_fetch_add(&c->restarts, 1);
	atomic_store(&c->due, false);
	return rc;
}

uint64_t
checkpoint_wal_bytes(const struct checkpoint *c)
{
	return atomic_load(&c->wal_bytes);
}

uint64_t
checkpoint_restarts(const struct checkpoint *c)
{
	return atomic_load(&c->restarts);
}
