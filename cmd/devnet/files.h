/* files.h - the *.json files of a directory. */
#ifndef PROVA_DEVNET_FILES_H
#define PROVA_DEVNET_FILES_H

#include "common/bytes.h"

/* The whole file, appended.  False with errno. */
bool	files_read(const char *path, struct buf *out) MUSTCHECK;
/* Each *.json of a directory, in the order of their names; fn returns false to stop.  False: fn
 * did, or there is none (why, at least 256 bytes, then says so). */
bool	files_each(const char *directory, bool (*fn)(void *arg, const char *path, char *why), void *arg, char *why) MUSTCHECK;

#endif
