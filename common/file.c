/* file.c - see file.h. */
#include "common/file.h"

#include <fcntl.h>

int
file_write_all(int fd, struct span s)
{
	while (s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		s.p += n;
		s.n -= (size_t)n;
	}
	return 0;
}

/* errno stays as it is. */
static void
close_quietly(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
}

int
file_sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	int rc = fsync(fd);
	close_quietly(fd);
	return rc;
}

/* The directory that path is in.  Free it. */
static char *
dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return xstrdup(".");
	return xprintf("%.*s", (int)MAX2((uint64_t)(slash - path), 1), path);
}

int
file_make(const char *path, struct span s)
{
	char *temporary = xprintf("%s.XXXXXX", path), *dir = dir_of(path);
	int fd = mkostemp(temporary, O_CLOEXEC), rc = -1;

	if (fd >= 0) {
		if (file_write_all(fd, s) == 0 && fdatasync(fd) == 0)
			rc = link(temporary, path);
		close_quietly(fd);
		int saved = errno;
		unlink(temporary);
		errno = saved;
	}
	if (rc == 0)
		rc = file_sync_dir(dir);
	free(temporary);
	free(dir);
	return rc;
}
