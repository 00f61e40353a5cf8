/* lock.h - floor 2: a lock file, held for life.
 *
 * The file stays when its holder ends; the kernel gives the lock back.  So a free
 * lock proves that the process which held it is dead. */
#ifndef PROVA_LOCK_H
#define PROVA_LOCK_H

#include "common/base.h"

/* Take the lock of `path` (made, mode 0660) and write our pid into it.  A descriptor to
 * close or to keep; -1 with errno: EWOULDBLOCK (somebody holds it), or why it cannot
 * be opened.  Does not block.  Children do not inherit it. */
int	lock_take(const char *path) MUSTCHECK;
/* Is it held, by anybody?  0 no (nor is there such a file), 1 yes, -1 with errno. */
int	lock_held(const char *path) MUSTCHECK;

#endif
