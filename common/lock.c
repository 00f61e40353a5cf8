/* lock.c - a lock file, held for life.  See lock.h. */
#include "common/lock.h"

#include <fcntl.h>
#include <sys/file.h>

/* The pid is for people only: that it cannot be written hurts nobody. */
static void
sign(int fd)
{
	char text[24];
	int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());

	if (ftruncate(fd, 0) != 0 || write(fd, text, (size_t)n) != n)
		errno = 0;
}

static int
open_locked(const char *path, int flags, int how)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0660);

	if (fd < 0 || flock(fd, how | LOCK_NB) == 0)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int
lock_take(const char *path)
{
	int fd = open_locked(path, O_RDWR | O_CREAT, LOCK_EX);

	if (fd >= 0)
		sign(fd);
	return fd;
}

int
lock_held(const char *path)
{
	int fd = open_locked(path, O_RDONLY, LOCK_SH);

	if (fd < 0)
		return errno == EWOULDBLOCK ? 1 : errno == ENOENT ? 0 : -1;
	close(fd);
	return 0;
}
