/* blob.h - floor 4: the content-addressed directory of task bodies, inputs and proofs.
 *
 * A blob is a file DIR/ab/abcdef... named by the sha256 of its bytes.  Whoever gets
 * the bytes first writes it: temporary name while hashing, fdatasync (unless it can be
 * rebuilt), link, fsync of the directory; only then a move may name it.  Only
 * the ledger deletes. */
#ifndef PROVA_BLOB_H
#define PROVA_BLOB_H

#include "common/bytes.h"

struct blobs;			/* a directory, opened */
struct blob_writer;		/* one being written */

/* Opens (and makes, mode 2770) the directory.  NULL with errno set. */
struct blobs *blob_open(const char *dir) MUSTCHECK;
void	blob_close(struct blobs **);
const char *blob_dir(const struct blobs *);

/* Begin one.  NULL with errno set (ENOSPC, EACCES ...). */
struct blob_writer *blob_begin(struct blobs *) MUSTCHECK;
/* -1 with errno: the writer must be dropped. */
int	blob_write(struct blob_writer *, const void *, size_t) MUSTCHECK;
/* Append n bytes of another file from offset, by copy_file_range, hashing them. */
int	blob_copy(struct blob_writer *, int fd, uint64_t offset, uint64_t n) MUSTCHECK;
/* Finish: 0 and hash, bytes set, the blob is in place (durable when `durable`);
 * -1 with errno.  Frees the writer and nulls it either way. */
int	blob_end(struct blob_writer **, bool durable, uint8_t hash[HASH_BYTES], uint64_t *bytes) MUSTCHECK;
void	blob_drop(struct blob_writer **);	/* give up; removes the temporary file */

/* All in one. */
int	blob_put(struct blobs *, struct span, bool durable, uint8_t hash[HASH_BYTES]) MUSTCHECK;

/* What a row is to carry: at most INLINE_BYTES stay in the row and are only hashed, more become a durable blob.
 * in_row tells which; -1 with errno. */
int	blob_keep(struct blobs *, struct span, uint8_t hash[HASH_BYTES], bool *in_row) MUSTCHECK;

/* Path of a blob, in a static buffer of four in turn. */
const char *blob_path(const struct blobs *, const uint8_t hash[HASH_BYTES]);
bool	blob_have(const struct blobs *, const uint8_t hash[HASH_BYTES], uint64_t *bytes);
/* Whole content; -1 with errno (EFBIG over max, EBADMSG when the bytes do not match the name). */
int	blob_read(const struct blobs *, const uint8_t hash[HASH_BYTES], size_t max, struct buf *out) MUSTCHECK;
int	blob_delete(struct blobs *, const uint8_t hash[HASH_BYTES]);
/* Every blob older than age_ms, and every temporary file older than that (temporary: hash NULL, path given). */
int	blob_each(struct blobs *, uint64_t older_ms,
	    void (*fn)(void *arg, const uint8_t *hash, const char *path, uint64_t bytes), void *arg);

#endif
