/* file.h - floor 2: files that are there whole, also after a crash.
 *
 * A file gets its name when its bytes are on the disk, and the name is synced after it.  Whoever is
 * killed before leaves a temporary file that nobody reads. */
#ifndef PROVA_FILE_H
#define PROVA_FILE_H

#include "common/bytes.h"

/* All bytes; -1 with errno. */
int	file_write_all(int fd, struct span) MUSTCHECK;
/* Names in this directory survive a crash; -1 with errno. */
int	file_sync_dir(const char *dir) MUSTCHECK;

/* A new file of these bytes, mode 0600, durable.  Temporary name PATH.XXXXXX, fdatasync, link, fsync of the
 * directory: of two who make it at once, one does.
 * -1 with errno, EEXIST: there is one, which is whole if it was made here, and stays as it is. */
int	file_make(const char *path, struct span) MUSTCHECK;

#endif
