/* serve.h - the ledger as a daemon: lock, store, socket, and the turn around the core. */
#ifndef PROVA_SERVE_H
#define PROVA_SERVE_H

#include "common/settings.h"

/* Does this value of [prova] store mean the store that keeps nothing? */
bool	serve_in_memory(const char *store);

/* Is what only the ledger understands of the settings right?  EXIT_DONE, or EXIT_USAGE having said why. */
int	serve_check(const struct settings *);

/* Serve until SIGTERM or SIGINT: EXIT_DONE.  EXIT_SYSTEM, having said why: another ledger has begun
 * a younger term, or something cannot be opened.  EXIT_USAGE: another process holds the lock, or
 * the store is a newer release's.  A store that takes no writes is waited for. */
int	serve(const struct settings *);

#endif
