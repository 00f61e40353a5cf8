/* blob.c - see blob.h.
 *
 * Temporary files are DIR/tmp.XXXXXX, blobs DIR/ab/HASH.  The 256 directories
 * are made when the directory is opened, so that one fsync of the directory of
 * a blob makes its name durable.
 *
 * A blob that is there already: the file just written is synced whatever the
 * caller asked for and takes its place.  So a damaged one is healed, a durable
 * one stays durable, and its age begins anew, which keeps the ledger from
 * deleting it before the move that names it.
 *
 * What comes in small pieces is gathered: whole aligned pieces are written in half the time.  Hashing
 * takes as long as writing: a large blob is hashed by a thread that reads the file behind the
 * writer, so that both go on at once. */
#include "common/blob.h"

#include "common/clock.h"
#include "common/file.h"
#include "common/hash.h"
#include "common/num.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

enum { NAME_BYTES = 2 * HASH_BYTES, COPY_BYTES = 256 * 1024, DIR_MODE = 02770, FILE_MODE = 0640 };
enum { LARGE_BYTES = 1024 * 1024 };	/* hashed by a thread from here on */

struct blobs {
	char	*dir;
};

struct hasher;

struct blob_writer {
	struct blobs	*blobs;
	char		*path;
	int		 fd;
	uint64_t	 bytes;		/* written */
	struct buf	 gathered;	/* goes behind them */
	struct sha256	 sha;
	struct hasher	*hasher;	/* of a large one: sha is its */
};

/* Below a set-group-id directory the kernel sets that bit by itself; a sandbox may forbid us to. */
static int
make_dir(const char *path)
{
	struct stat st;

	if (mkdir(path, DIR_MODE & 0777) != 0)
		return errno == EEXIST ? 0 : -1;
	if (stat(path, &st) != 0)
		return -1;
	return (st.st_mode & 07777) == DIR_MODE ? 0 : chmod(path, DIR_MODE);
}

static int
make_dirs(const char *dir)
{
	char path[PATH_MAX];

	if (make_dir(dir) != 0)
		return -1;
	for (unsigned i = 0; i < 256; i++) {
		if (snprintf(path, sizeof path, "%s/%02x", dir, i) >= (int)sizeof path) {
			errno = ENAMETOOLONG;
			return -1;
		}
		if (make_dir(path) != 0)
			return -1;
	}
	return file_sync_dir(dir);
}

struct blobs *
blob_open(const char *dir)
{
	if (strlen(dir) > PATH_MAX - NAME_BYTES - 8) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	if (make_dirs(dir) != 0)
		return NULL;
	struct blobs *b = xzalloc(sizeof *b);
	b->dir = xstrdup(dir);
	return b;
}

void
blob_close(struct blobs **b)
{
	if (*b)
		free((*b)->dir);
	free(*b);
	*b = NULL;
}

const char *
blob_dir(const struct blobs *b)
{
	return b->dir;
}

const char *
blob_path(const struct blobs *blobs, const uint8_t hash[HASH_BYTES])
{
	static _Thread_local char ring[4][PATH_MAX];
	static _Thread_local unsigned turn;
	char *path = ring[turn++ % NELEM(ring)];
	struct buf hex = { 0 };

	num_put_hex(&hex, (struct span){ hash, HASH_BYTES });
	snprintf(path, PATH_MAX, "%s/%.2s/%s", blobs->dir, (char *)hex.p, buf_cstr(&hex));
	buf_free(&hex);
	return path;
}

/* --- hashing behind the writer --- */

struct hasher {
	pthread_t	 thread;
	pthread_mutex_t	 lock;
	pthread_cond_t	 more;
	uint64_t	 written;	/* under lock, as is over: nothing more comes */
	bool		 over;
	/* the thread's, until it has ended */
	int		 fd, error;
	uint64_t	 hashed;
	struct sha256	*sha;
};

/* How much can be hashed now; waits for it.  0: all is hashed. */
static size_t
wait_for_bytes(struct hasher *h)
{
	pthread_mutex_lock(&h->lock);
	while (h->hashed == h->written && !h->over)
		pthread_cond_wait(&h->more, &h->lock);
	uint64_t n = h->written - h->hashed;
	pthread_mutex_unlock(&h->lock);
	return (size_t)MIN2(n, (uint64_t)COPY_BYTES);
}

static void *
hash_file(void *arg)
{
	struct hasher *h = arg;
	uint8_t *piece = xmalloc(COPY_BYTES);

	for (size_t n; !h->error && (n = wait_for_bytes(h)) > 0; ) {
		ssize_t k = pread(h->fd, piece, n, (off_t)h->hashed);
		if (k <= 0) {
			h->error = k < 0 ? errno : ENODATA;
			continue;
		}
		sha256_put(h->sha, piece, (size_t)k);
		h->hashed += (uint64_t)k;
	}
	free(piece);
	return NULL;
}

/* What w has written is hashed; a thread does the rest.  NULL: there is no thread to be had. */
static struct hasher *
start_hasher(struct blob_writer *w)
{
	struct hasher *h = xzalloc(sizeof *h);
	sigset_t all, before;

	h->fd = w->fd;
	h->sha = &w->sha;
	h->hashed = h->written = w->bytes;
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->more, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	bool begun = pthread_create(&h->thread, NULL, hash_file, h) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (begun)
		return h;
	free(h);
	return NULL;
}

static void
tell_hasher(struct hasher *h, uint64_t written, bool over)
{
	pthread_mutex_lock(&h->lock);
	h->written = written;
	h->over = over;
	pthread_cond_signal(&h->more);
	pthread_mutex_unlock(&h->lock);
}

/* Hash up to `written` and end.  -1 with errno: it could not be read. */
static int
end_hasher(struct hasher **hp, uint64_t written)
{
	struct hasher *h = *hp;
	int error;

	*hp = NULL;
	if (!h)
		return 0;
	tell_hasher(h, written, true);
	pthread_join(h->thread, NULL);
	pthread_mutex_destroy(&h->lock);
	pthread_cond_destroy(&h->more);
	error = h->error;
	free(h);
	if (error)
		errno = error;
	return error ? -1 : 0;
}

/* --- writing --- */

struct blob_writer *
blob_begin(struct blobs *blobs)
{
	char *path = xprintf("%s/tmp.XXXXXX", blobs->dir);
	int fd = mkostemp(path, O_CLOEXEC);

	if (fd < 0 || fchmod(fd, FILE_MODE) != 0) {
		int saved = errno;
		if (fd >= 0) {
			close(fd);
			unlink(path);
		}
		free(path);
		errno = saved;
		return NULL;
	}
	struct blob_writer *w = xzalloc(sizeof *w);
	w->blobs = blobs;
	w->path = path;
	w->fd = fd;
	sha256_init(&w->sha);
	return w;
}

/* n bytes of p have been written. */
static void
count(struct blob_writer *w, const uint8_t *p, size_t n)
{
	if (!w->hasher && w->bytes + n > LARGE_BYTES)
		w->hasher = start_hasher(w);
	w->bytes += n;
	if (w->hasher)
		tell_hasher(w->hasher, w->bytes, false);
	else
		sha256_put(&w->sha, p, n);
}

static int
flush(struct blob_writer *w)
{
	size_t n = w->gathered.n;

	if (n == 0)
		return 0;
	if (file_write_all(w->fd, SPAN_OF(&w->gathered)) != 0)
		return -1;
	count(w, w->gathered.p, n);
	buf_reset(&w->gathered);
	return 0;
}

int
blob_write(struct blob_writer *w, const void *p, size_t n)
{
	const uint8_t *from = p;

	while (n > 0) {
		size_t room = COPY_BYTES - (size_t)((w->bytes + w->gathered.n) % COPY_BYTES), k = MIN2(n, room);
		buf_put(&w->gathered, from, k);
		if (k == room && flush(w) != 0)
			return -1;
		from += k;
		n -= k;
	}
	return 0;
}

/* n bytes of p are what lies at offset of fd: let the kernel move them, or, where
 * it cannot, write them. */
static int
move_bytes(struct blob_writer *w, int fd, off_t offset, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t k = copy_file_range(fd, &offset, w->fd, NULL, n, 0);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return file_write_all(w->fd, (struct span){ p, n });
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

int
blob_copy(struct blob_writer *w, int fd, uint64_t offset, uint64_t n)
{
	uint8_t *piece = xmalloc(COPY_BYTES);
	int rc = flush(w);

	while (n > 0 && rc == 0) {
		ssize_t k = pread(fd, piece, (size_t)MIN2(n, (uint64_t)COPY_BYTES), (off_t)offset);
		if (k < 0 && errno == EINTR)
			continue;
		if (k == 0)
			errno = ENODATA;
		if (k <= 0) {
			rc = -1;
			break;
		}
		rc = move_bytes(w, fd, (off_t)offset, piece, (size_t)k);
		if (rc == 0)
			count(w, piece, (size_t)k);
		offset += (uint64_t)k;
		n -= (uint64_t)k;
	}
	free(piece);
	return rc;
}

void
blob_drop(struct blob_writer **w)
{
	int saved = errno;

	if (*w) {
		end_hasher(&(*w)->hasher, (*w)->bytes);
		if ((*w)->fd >= 0)
			close((*w)->fd);
		unlink((*w)->path);
		buf_free(&(*w)->gathered);
		free((*w)->path);
	}
	free(*w);
	*w = NULL;
	errno = saved;
}

/* The temporary file gets its name.  See above for a name that is taken. */
static int
name_it(struct blob_writer *w, bool durable, const char *path)
{
	if (durable && fdatasync(w->fd) != 0)
		return -1;
	if (link(w->path, path) == 0)
		return 0;
	if (errno != EEXIST || (!durable && fdatasync(w->fd) != 0))
		return -1;
	return rename(w->path, path);
}

int
blob_end(struct blob_writer **wp, bool durable, uint8_t hash[HASH_BYTES], uint64_t *bytes)
{
	struct blob_writer *w = *wp;

	if (flush(w) != 0 || end_hasher(&w->hasher, w->bytes) != 0) {
		blob_drop(wp);
		return -1;
	}
	sha256_end(&w->sha, hash);
	*bytes = w->bytes;
	const char *path = blob_path(w->blobs, hash);
	int rc = name_it(w, durable, path);
	if (rc == 0 && durable) {
		char *dir = xprintf("%s/%02x", w->blobs->dir, hash[0]);
		rc = file_sync_dir(dir);
		free(dir);
	}
	blob_drop(wp);
	return rc;
}

int
blob_put(struct blobs *blobs, struct span s, bool durable, uint8_t hash[HASH_BYTES])
{
	uint64_t bytes;
	struct blob_writer *w = blob_begin(blobs);

	if (!w)
		return -1;
	if (blob_write(w, s.p, s.n) != 0) {
		blob_drop(&w);
		return -1;
	}
	return blob_end(&w, durable, hash, &bytes);
}

int
blob_keep(struct blobs *blobs, struct span s, uint8_t hash[HASH_BYTES], bool *in_row)
{
	*in_row = s.n <= INLINE_BYTES;
	if (!*in_row)
		return blob_put(blobs, s, true, hash);
	sha256_of(s, hash);
	return 0;
}

bool
blob_have(const struct blobs *blobs, const uint8_t hash[HASH_BYTES], uint64_t *bytes)
{
	struct stat st;

	if (stat(blob_path(blobs, hash), &st) != 0 || !S_ISREG(st.st_mode))
		return false;
	*bytes = (uint64_t)st.st_size;
	return true;
}

/* Appends the rest of fd; -1 with EFBIG when it is more than max. */
static int
read_all(int fd, size_t max, struct buf *out)
{
	for (size_t had = 0; ; ) {
		ssize_t k = read(fd, buf_room(out, COPY_BYTES), COPY_BYTES);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return (int)k;
		had += (size_t)k;
		if (had > max) {
			errno = EFBIG;
			return -1;
		}
		out->n += (size_t)k;
	}
}

int
blob_read(const struct blobs *blobs, const uint8_t hash[HASH_BYTES], size_t max, struct buf *out)
{
	uint8_t found[HASH_BYTES];
	size_t before = out->n;
	int fd = open(blob_path(blobs, hash), O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	int rc = read_all(fd, max, out);
	int saved = errno;
	close(fd);
	if (rc == 0) {
		sha256_of((struct span){ out->p + before, out->n - before }, found);
		if (memcmp(found, hash, HASH_BYTES) == 0)
			return 0;
		saved = EBADMSG;
	}
	out->n = before;
	errno = saved;
	return -1;
}

int
blob_delete(struct blobs *blobs, const uint8_t hash[HASH_BYTES])
{
	return unlink(blob_path(blobs, hash));
}

struct walk {
	uint64_t before_ms;
	void	(*fn)(void *, const uint8_t *, const char *, uint64_t);
	void	*arg;
	bool	 temporary;	/* tmp.*, else blobs */
};

static void
visit(const struct walk *w, int dir, const char *parent, const char *name)
{
	struct stat st;
	uint8_t hash[HASH_BYTES];

	if (w->temporary ? strncmp(name, "tmp.", 4) != 0 : !num_hex(span_str(name), false, hash, sizeof hash))
		return;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
		return;
	if ((uint64_t)st.st_mtim.tv_sec * 1000 + (uint64_t)st.st_mtim.tv_nsec / 1000000 > w->before_ms)
		return;
	char *path = xprintf("%s/%s", parent, name);
	w->fn(w->arg, w->temporary ? NULL : hash, path, (uint64_t)st.st_size);
	free(path);
}

static int
walk_dir(const struct walk *w, const char *path)
{
	DIR *d = opendir(path);

	if (!d)
		return -1;
	for (struct dirent *e; (e = readdir(d)) != NULL; )
		visit(w, dirfd(d), path, e->d_name);
	closedir(d);
	return 0;
}

int
blob_each(struct blobs *blobs, uint64_t older_ms,
    void (*fn)(void *arg, const uint8_t *hash, const char *path, uint64_t bytes), void *arg)
{
	uint64_t now = clock_wall_ms();
	struct walk w = { now - MIN2(now, older_ms), fn, arg, true };
	int rc = walk_dir(&w, blobs->dir);

	w.temporary = false;
	for (unsigned i = 0; i < 256 && rc == 0; i++) {
		char *dir = xprintf("%s/%02x", blobs->dir, i);
		rc = walk_dir(&w, dir);
		free(dir);
	}
	return rc;
}
