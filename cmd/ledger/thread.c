/* thread.c - see thread.h. */
#include "cmd/ledger/thread.h"

#include <signal.h>

#include "common/diag.h"

void
thread_start(pthread_t *thread, void *(*fn)(void *), void *arg)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	int rc = pthread_create(thread, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0)
		die(EXIT_SYSTEM, "pthread_create: %s", strerror(rc));
}
