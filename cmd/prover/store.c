/* store.c - the directory of the prover's tasks.  See store.h. */
#include "cmd/prover/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "common/diag.h"
#include "common/file.h"
#include "common/lock.h"

enum { FILE_BYTES = 512 << 20, WHY = 300 };

struct store {
	int	 dir;
	int	 lock;
	char	*path;
};

/* ---- life ---- */

/* The directory and, where it is missing, the one it is in. */
static int
make_dirs(const char *path)
{
	char *parent = xstrdup(path), *slash = strrchr(parent, '/');

	if (slash && slash != parent) {
		*slash = '\0';
		if (mkdir(parent, 0770) != 0 && errno != EEXIST)
			diag(DIAG_WARN, "no-directory", "path=%s why=%s", diag_quote(parent), diag_quote(strerror(errno)));
	}
	free(parent);
	return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : -1;
}

static void
sweep(struct store *s)
{
	DIR *d = opendir(s->path);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (strncmp(e->d_name, "tmp.", 4) == 0 && unlinkat(s->dir, e->d_name, 0) != 0)
			diag(DIAG_WARN, "not-removed", "file=%s why=%s", diag_quote(e->d_name), diag_quote(strerror(errno)));
	if (d)
		closedir(d);
}

static struct store *
fails(struct store *s, char *why, const char *path, const char *what)
{
	snprintf(why, WHY, "%s: %s", path, what);
	store_close(&s);
	return NULL;
}

struct store *
store_open(const char *path, char *why, int *status)
{
	struct store *s = xzalloc(sizeof *s);

	*status = EXIT_SYSTEM;
	*s = (struct store){ .dir = -1, .lock = -1, .path = xstrdup(path) };
	if (make_dirs(path) != 0 || (s->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return fails(s, why, path, strerror(errno));
	char *lock = xprintf("%s/lock", path);
	s->lock = lock_take(lock);
	free(lock);
	if (s->lock < 0 && errno == EWOULDBLOCK) {
		*status = EXIT_USAGE;
		return fails(s, why, path, "locked: Another process works in this directory.");
	}
	if (s->lock < 0)
		return fails(s, why, path, strerror(errno));
	sweep(s);
	return s;
}

void
store_close(struct store **sp)
{
	struct store *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	if (s->dir >= 0)
		close(s->dir);
	if (s->lock >= 0)
		close(s->lock);
	free(s->path);
	free(s);
}

/* ---- reading ---- */

static int
read_open(int fd, size_t max, struct buf *out)
{
	struct stat st;
	ssize_t n = 1;

	if (fstat(fd, &st) != 0)
		return -1;
	errno = !S_ISREG(st.st_mode) ? EINVAL : EFBIG;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > max)
		return -1;
	while (n > 0 && out->n <= max) {
		n = read(fd, buf_room(out, (size_t)st.st_size + 1), (size_t)st.st_size + 1);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			out->n += (size_t)n;
	}
	return n == 0 ? 0 : -1;
}

static int
read_at(int at, const char *name, size_t max, struct buf *out)
{
	int fd = openat(at, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return -1;
	int rc = read_open(fd, max, out), saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

int
store_read(const char *path, size_t max, struct buf *out)
{
	return read_at(AT_FDCWD, path, max, out);
}

/* -1 with errno 0: it can be read, but is no task. */
static int
load_at(int at, const char *name, struct record *r, char *why)
{
	const char *slash = strrchr(name, '/');
	struct buf text = { 0 };
	struct record named = { 0 };

	*r = (struct record){ 0 };
	bool ok = read_at(at, name, FILE_BYTES, &text) == 0;
	if (!ok)
		snprintf(why, TASKFILE_WHY, "%s", strerror(errno));
	else if (!(ok = taskfile_read(SPAN_OF(&text), r, why)))
		errno = 0;
	buf_free(&text);
	if (ok && taskfile_named(slash ? slash + 1 : name, &named)) {
		if (named.identity != r->identity) {
			snprintf(why, TASKFILE_WHY, "it is identity %" PRIu32 "'s", r->identity);
			record_free(r);
			errno = 0;
			return -1;
		}
		r->tries = named.tries;
		r->failures = named.failures;
	}
	return ok ? 0 : -1;
}

int
store_load(const char *path, struct record *r, char *why)
{
	return load_at(AT_FDCWD, path, r, why);
}

/* The name of a bad file; an earlier one of that name is not replaced. */
static char *
bad_name(struct store *s, const char *name)
{
	struct stat st;
	char *bad = xprintf("%s.bad", name);

	for (unsigned n = 2; fstatat(s->dir, bad, &st, AT_SYMLINK_NOFOLLOW) == 0; n++) {
		free(bad);
		bad = xprintf("%s.bad.%u", name, n);
	}
	return bad;
}

static void
put_out_of_the_way(struct store *s, const char *name, const char *why)
{
	char *bad = bad_name(s, name);

	diag(DIAG_ERROR, "task-file-bad", "file=%s renamed=%s code=%s why=%s", diag_quote(name), diag_quote(bad),
	    code_word(CODE_TASK_BAD), diag_quote(why));
	if (renameat(s->dir, name, s->dir, bad) != 0)
		diag(DIAG_WARN, "not-renamed", "file=%s why=%s", diag_quote(name), diag_quote(strerror(errno)));
	free(bad);
}

/* Why what could not be read is no task, and will be none; NULL: a start later may find it well. */
static const char *
is_odd(struct store *s, const char *name, int error)
{
	struct stat st;

	if (error == EFBIG)
		return "larger than a task is";
	return fstatat(s->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode) ? "not a file" : NULL;
}

/* What load_at did not take. */
static void
sort_out(struct store *s, const char *name, const char *why)
{
	int error = errno;
	const char *odd = error ? is_odd(s, name, error) : why;

	errno = error;
	if (!odd)
		die_sys("%s/%s", s->path, name);
	put_out_of_the_way(s, name, odd);
}

static int
by_number(const void *a, const void *b)
{
	struct record one = { 0 }, two = { 0 };

	if (!taskfile_named(*(char *const *)a, &one) || !taskfile_named(*(char *const *)b, &two))
		bug("a name that is none");
	return one.identity != two.identity ? (one.identity < two.identity ? -1 : 1) : (one.tries < two.tries) - (one.tries > two.tries);
}

static char **
names(struct store *s, size_t *n)
{
	DIR *d = opendir(s->path);
	struct dirent *e;
	struct record r;
	char **list = NULL;

	if (!d)		/* none is not the same as not known */
		die_sys("%s", s->path);
	*n = 0;
	while ((e = readdir(d))) {
		if (!taskfile_named(e->d_name, &r))
			continue;
		list = xrealloc(list, (*n + 1) * sizeof *list);
		list[(*n)++] = xstrdup(e->d_name);
	}
	closedir(d);
	if (*n)
		qsort(list, *n, sizeof *list, by_number);
	return list;
}

void
store_each(struct store *s, void (*fn)(void *arg, struct record *), void *arg)
{
	char why[TASKFILE_WHY] = "";
	size_t n;
	char **list = names(s, &n);

	for (size_t i = 0; i < n; i++) {
		struct record r;
		if (load_at(s->dir, list[i], &r, why) == 0)
			fn(arg, &r);
		else
			sort_out(s, list[i], why);
		free(list[i]);
	}
	free(list);
}

/* ---- writing ---- */

/* Written and on the disk, under a temporary name. */
static int
write_temporary(const char *path, struct span text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -1;
	int rc = file_write_all(fd, text) == 0 && fsync(fd) == 0 ? 0 : -1, saved = errno;
	if (close(fd) != 0 && rc == 0) {
		rc = -1;
		saved = errno;
	}
	errno = saved;
	return rc;
}

int
store_keep(struct store *s, const struct record *r)
{
	struct buf text = { 0 };
	char name[TASKFILE_NAME];
	char *path = xprintf("%s/tmp.%" PRIu32, s->path, r->identity);

	taskfile_put(&text, r);
	taskfile_name(r, name);
	int rc = write_temporary(path, SPAN_OF(&text));
	/* from here it is kept */
	if (rc == 0)
		rc = renameat(AT_FDCWD, path, s->dir, name) == 0 && fsync(s->dir) == 0 ? 0 : -1;
	int saved = errno;
	if (rc != 0)
		unlink(path);
	free(path);
	buf_free(&text);
	errno = saved;
	return rc;
}

int
store_number(struct store *s, const struct record *r, uint32_t tries, uint32_t failures)
{
	struct record next = { .identity = r->identity, .tries = tries, .failures = failures };
	char from[TASKFILE_NAME], to[TASKFILE_NAME];

	taskfile_name(r, from);
	taskfile_name(&next, to);
	if (renameat(s->dir, from, s->dir, to) != 0)
		return -1;
	if (fsync(s->dir) == 0)
		return 0;
	int saved = errno;
	if (renameat(s->dir, to, s->dir, from) != 0)
		diag(DIAG_WARN, "not-renamed", "file=%s why=%s", diag_quote(to), diag_quote(strerror(errno)));
	errno = saved;
	return -1;
}

int
store_forget(struct store *s, const struct record *r)
{
	char name[TASKFILE_NAME];

	taskfile_name(r, name);
	return unlinkat(s->dir, name, 0) == 0 || errno == ENOENT ? 0 : -1;
}

int
store_aside(struct store *s, const struct record *r)
{
	char from[TASKFILE_NAME], to[TASKFILE_NAME];

	taskfile_name(r, from);
	taskfile_aside(r, to);
	return renameat(s->dir, from, s->dir, to);
}

int
store_take_back(struct store *s, const struct record *r)
{
	char from[TASKFILE_NAME], to[TASKFILE_NAME];

	taskfile_aside(r, from);
	taskfile_name(r, to);
	return renameat(s->dir, from, s->dir, to) == 0 || errno == ENOENT ? 0 : -1;
}
