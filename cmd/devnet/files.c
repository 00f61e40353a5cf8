/* files.c - the *.json files of a directory.  See files.h. */
#include "cmd/devnet/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { STEP_BYTES = 65536 };

bool
files_read(const char *path, struct buf *out)
{
	struct stat st;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && st.st_size > 0)
		buf_room(out, (size_t)st.st_size + STEP_BYTES);
	while ((n = read(fd, buf_room(out, STEP_BYTES), STEP_BYTES)) > 0)
		out->n += (size_t)n;
	int saved = errno;
	close(fd);
	errno = saved;
	return n == 0;
}

static int
is_json(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 5 && strcmp(e->d_name + n - 5, ".json") == 0;
}

bool
files_each(const char *directory, bool (*fn)(void *, const char *, char *), void *arg, char *why)
{
	struct dirent **names;
	int n = scandir(directory, &names, is_json, alphasort);
	bool good = n > 0;

	if (!good)
		snprintf(why, 256, "%s: %s", directory, n < 0 ? strerror(errno) : "no *.json there");
	for (int i = 0; i < n; i++) {
		char *path = xprintf("%s/%s", directory, names[i]->d_name);
		good = good && fn(arg, path, why);
		free(path);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return good;
}
