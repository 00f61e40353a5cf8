/* thread.h - the ledger's helper threads: they take no signals, those stay with the loop. */
#ifndef PROVA_THREAD_H
#define PROVA_THREAD_H

#include <pthread.h>

/* Run fn(arg) in a thread of its own until it returns; pthread_join ends it.  Ends the program where the
 * system has no thread to give. */
void	thread_start(pthread_t *, void *(*fn)(void *), void *arg);

#endif
