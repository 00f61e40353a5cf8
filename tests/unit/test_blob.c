/* test_blob.c - the directory of blobs, in a temporary one. */
#include "common/blob.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/hash.h"

struct bench {
	char		 dir[64];
	struct blobs	*blobs;
	unsigned	 seen, temporary;
};

static int
begin(void **state)
{
	struct bench *b = xzalloc(sizeof *b);

	snprintf(b->dir, sizeof b->dir, "/tmp/prova-blob.XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	b->blobs = blob_open(b->dir);
	assert_non_null(b->blobs);
	*state = b;
	return 0;
}

static void
remove_it(void *arg, const uint8_t *hash, const char *path, uint64_t bytes)
{
	struct bench *b = arg;

	b->seen++;
	b->temporary += hash == NULL;
	assert_int_equal(unlink(path), 0);
}

static int
end(void **state)
{
	struct bench *b = *state;
	char path[128];

	b->seen = b->temporary = 0;
	assert_int_equal(blob_each(b->blobs, 0, remove_it, b), 0);
	for (unsigned i = 0; i < 256; i++) {
		snprintf(path, sizeof path, "%s/%02x", b->dir, i);
		assert_int_equal(rmdir(path), 0);
	}
	assert_int_equal(rmdir(b->dir), 0);
	blob_close(&b->blobs);
	blob_close(&b->blobs);
	free(b);
	return 0;
}

static void
a_blob_is_found_under_the_hash_of_its_bytes(void **state)
{
	struct bench *b = *state;
	uint8_t hash[HASH_BYTES], want[HASH_BYTES];
	uint64_t bytes = 0;
	struct buf out = { 0 };

	sha256_of(SPAN("hello"), want);
	assert_false(blob_have(b->blobs, want, &bytes));
	assert_int_equal(blob_put(b->blobs, SPAN("hello"), true, hash), 0);
	assert_memory_equal(hash, want, HASH_BYTES);
	assert_true(blob_have(b->blobs, hash, &bytes) && bytes == 5);
	assert_string_equal(strrchr(blob_path(b->blobs, hash), '/') + 1,
	    "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
	buf_puts(&out, "before ");
	assert_int_equal(blob_read(b->blobs, hash, 5, &out), 0);
	assert_string_equal(buf_cstr(&out), "before hello");
	assert_int_equal(blob_delete(b->blobs, hash), 0);
	assert_false(blob_have(b->blobs, hash, &bytes));
	assert_int_equal(blob_read(b->blobs, hash, 5, &out), -1);
	assert_int_equal(errno, ENOENT);
	buf_free(&out);
}

static void
the_empty_blob_is_a_blob(void **state)
{
	struct bench *b = *state;
	uint8_t hash[HASH_BYTES];
	struct buf out = { 0 };

	assert_int_equal(blob_put(b->blobs, (struct span){ 0 }, false, hash), 0);
	assert_int_equal(blob_read(b->blobs, hash, 0, &out), 0);
	assert_int_equal(out.n, 0);
	buf_free(&out);
}

static void
too_much_and_damage_are_told_apart(void **state)
{
	struct bench *b = *state;
	uint8_t hash[HASH_BYTES];
	struct buf out = { 0 };

	assert_int_equal(blob_put(b->blobs, SPAN("hello"), false, hash), 0);
	assert_int_equal(blob_read(b->blobs, hash, 4, &out), -1);
	assert_int_equal(errno, EFBIG);
	assert_int_equal(truncate(blob_path(b->blobs, hash), 3), 0);
	assert_int_equal(blob_read(b->blobs, hash, 5, &out), -1);
	assert_int_equal(errno, EBADMSG);
	assert_int_equal(out.n, 0);
	/* writing it again heals it */
	assert_int_equal(blob_put(b->blobs, SPAN("hello"), false, hash), 0);
	assert_int_equal(blob_read(b->blobs, hash, 5, &out), 0);
	buf_free(&out);
}

/* Its hash is made by a thread. */
static void
a_large_blob_is_hashed_while_it_is_written(void **state)
{
	enum { PIECE = 70001, PIECES = 60 };
	struct bench *b = *state;
	uint8_t hash[HASH_BYTES], want[HASH_BYTES], *all = xmalloc(PIECE * PIECES);
	uint64_t bytes;

	for (size_t i = 0; i < PIECE * PIECES; i++)
		all[i] = (uint8_t)(i * 2654435761u >> 13);
	for (size_t upto = PIECES; upto > 0; upto -= 20) {
		struct blob_writer *w = blob_begin(b->blobs), *dropped = blob_begin(b->blobs);
		assert_true(w && dropped);
		for (size_t i = 0; i < upto; i++) {
			assert_int_equal(blob_write(w, all + i * PIECE, PIECE), 0);
			assert_int_equal(blob_write(dropped, all + i * PIECE, PIECE), 0);
		}
		blob_drop(&dropped);
		assert_int_equal(blob_end(&w, false, hash, &bytes), 0);
		assert_int_equal(bytes, upto * PIECE);
		sha256_of((struct span){ all, upto * PIECE }, want);
		assert_memory_equal(hash, want, HASH_BYTES);
	}
	free(all);
}

static void
parts_of_other_files_are_copied_and_hashed(void **state)
{
	struct bench *b = *state;
	uint8_t hash[HASH_BYTES], source[HASH_BYTES], want[HASH_BYTES], *big = xmalloc(700000);
	struct buf all = { 0 };
	uint64_t bytes;

	for (size_t i = 0; i < 700000; i++)
		big[i] = (uint8_t)(i * 31 >> 3);
	assert_int_equal(blob_put(b->blobs, (struct span){ big, 700000 }, false, source), 0);
	int fd = open(blob_path(b->blobs, source), O_RDONLY);
	struct blob_writer *w = blob_begin(b->blobs);
	assert_non_null(w);
	assert_int_equal(blob_write(w, "[", 1), 0);
	assert_int_equal(blob_copy(w, fd, 17, 600000), 0);
	assert_int_equal(blob_write(w, "]", 1), 0);
	assert_int_equal(blob_end(&w, true, hash, &bytes), 0);
	assert_null(w);
	assert_int_equal(bytes, 600002);
	buf_putc(&all, '[');
	buf_put(&all, big + 17, 600000);
	buf_putc(&all, ']');
	sha256_of(SPAN_OF(&all), want);
	assert_memory_equal(hash, want, HASH_BYTES);
	buf_reset(&all);
	assert_int_equal(blob_read(b->blobs, hash, 1 << 20, &all), 0);
	w = blob_begin(b->blobs);
	assert_int_equal(blob_copy(w, fd, 699999, 2), -1);
	assert_int_equal(errno, ENODATA);
	blob_drop(&w);
	blob_drop(&w);
	close(fd);
	buf_free(&all);
	free(big);
}

static void
age(const char *path)
{
	struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };

	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
}

static void
count(void *arg, const uint8_t *hash, const char *path, uint64_t bytes)
{
	struct bench *b = arg;

	b->seen++;
	b->temporary += hash == NULL;
	assert_int_equal(bytes, 3);
}

static void
only_what_is_old_is_offered_for_deletion(void **state)
{
	struct bench *b = *state;
	uint8_t hash[HASH_BYTES];
	char left[96];

	assert_int_equal(blob_put(b->blobs, SPAN("new"), false, hash), 0);
	assert_int_equal(blob_put(b->blobs, SPAN("old"), false, hash), 0);
	age(blob_path(b->blobs, hash));
	snprintf(left, sizeof left, "%s/tmp.abcdef", b->dir);
	int fd = open(left, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "abc", 3), 3);
	close(fd);
	assert_int_equal(blob_each(b->blobs, 60000, count, b), 0);
	assert_int_equal(b->seen, 1);
	age(left);
	b->seen = 0;
	assert_int_equal(blob_each(b->blobs, 60000, count, b), 0);
	assert_int_equal(b->seen, 2);
	assert_int_equal(b->temporary, 1);
	/* whoever writes it again makes it young: the move that names it has time */
	assert_int_equal(blob_put(b->blobs, SPAN("old"), false, hash), 0);
	b->seen = 0;
	assert_int_equal(blob_each(b->blobs, 60000, count, b), 0);
	assert_int_equal(b->seen, 1);
}

static void
a_directory_that_cannot_be_made_is_an_error(void **state)
{
	struct bench *b = *state;
	char path[96];

	snprintf(path, sizeof path, "%s/none/none", b->dir);
	assert_null(blob_open(path));
	assert_int_equal(errno, ENOENT);
	assert_null(blob_open("/dev/null"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_blob_is_found_under_the_hash_of_its_bytes, begin, end),
		cmocka_unit_test_setup_teardown(the_empty_blob_is_a_blob, begin, end),
		cmocka_unit_test_setup_teardown(too_much_and_damage_are_told_apart, begin, end),
		cmocka_unit_test_setup_teardown(a_large_blob_is_hashed_while_it_is_written, begin, end),
		cmocka_unit_test_setup_teardown(parts_of_other_files_are_copied_and_hashed, begin, end),
		cmocka_unit_test_setup_teardown(only_what_is_old_is_offered_for_deletion, begin, end),
		cmocka_unit_test_setup_teardown(a_directory_that_cannot_be_made_is_an_error, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
