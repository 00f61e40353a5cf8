/* test_sweep.c - which blobs go, and when.
 * uses: cmd/ledger */
#include "cmd/ledger/sweep.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "cmd/ledger/store_memory.h"
#include "common/clock.h"
#include "common/diag.h"
#include "common/hash.h"
#include "common/wire.h"

enum { GRACE_MS = 10 * 60 * 1000, OLD_S = 3600 };

struct bench {
	char		 dir[64];
	struct blobs	*blobs;
	struct disk	*disk;
	struct store	*store;
	struct core	*core;
	struct sweep	*sweep;
	uint64_t	 now_ms;
};

static void
swallow(void *arg, struct span route, struct span message)
{
}

static bool
have(void *arg, const uint8_t hash[HASH_BYTES])
{
	return sweep_have(((struct bench *)arg)->sweep, hash);
}

static int
begin(void **state)
{
	struct bench *b = xzalloc(sizeof *b);
	char why[256];

	snprintf(b->dir, sizeof b->dir, "/tmp/prova-sweep.XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	assert_non_null(b->blobs = blob_open(b->dir));
	b->disk = disk_new();
	b->store = disk_store(b->disk);
	b->core = core_new(&(struct core_opts){ .ops = &store_memory, .store = b->store, .ledger = "test",
	    .retry_ms = 2000, .lease_ms = 5000, .send = swallow, .blob = have, .arg = b }, why);
	assert_non_null(b->core);
	b->sweep = sweep_new(b->blobs, GRACE_MS);
	b->now_ms = 1000;
	diag_threshold(DIAG_ERROR);
	*state = b;
	return 0;
}

static void
remove_it(void *arg, const uint8_t *hash, const char *path, uint64_t bytes)
{
	assert_int_equal(unlink(path), 0);
}

static int
end(void **state)
{
	struct bench *b = *state;

	sweep_free(&b->sweep);
	core_free(&b->core);
	store_memory.close(&b->store);
	disk_free(&b->disk);
	assert_int_equal(blob_each(b->blobs, 0, remove_it, b), 0);
	for (unsigned i = 0; i < 256; i++) {
		char path[80];
		snprintf(path, sizeof path, "%s/%02x", b->dir, i);
		assert_int_equal(rmdir(path), 0);
	}
	assert_int_equal(rmdir(b->dir), 0);
	blob_close(&b->blobs);
	free(b);
	return 0;
}

static void
age(const char *path, time_t seconds)
{
	time_t then = (time_t)(clock_wall_ms() / 1000) - seconds;
	struct timespec times[2] = { { .tv_sec = then }, { .tv_sec = then } };

	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* A blob of a few bytes that is so old. */
static void
put(struct bench *b, unsigned which, time_t seconds, uint8_t hash[HASH_BYTES])
{
	char text[32];

	snprintf(text, sizeof text, "blob %u", which);
	assert_int_equal(blob_put(b->blobs, span_str(text), false, hash), 0);
	age(blob_path(b->blobs, hash), seconds);
}

static bool
is_there(struct bench *b, const uint8_t hash[HASH_BYTES])
{
	uint64_t bytes;

	return blob_have(b->blobs, hash, &bytes);
}

/* Turns until so many sweeps have ended; the clock goes on by a minute between two. */
static void
run(struct bench *b, uint64_t sweeps)
{
	bool more = true;

	for (uint64_t end_ms = clock_ms() + 10000; more || sweep_counted(b->sweep).sweeps < sweeps; ) {
		assert_true(clock_ms() < end_ms);
		more = sweep_turn(b->sweep, b->core, b->now_ms);
		if (!more)
			b->now_ms += 60 * 1000;
		usleep(200);
	}
}

static void
name_it(struct bench *b, const uint8_t hash[HASH_BYTES])
{
	struct row r = { 0 };

	SET(&r, kind, ROW_WORK);
	SET(&r, id, 1);
	SET(&r, rev, 1);
	SET(&r, state, WORK_OPEN);
	SET(&r, chain, SPAN("test"));
	SET(&r, type, TYPE_CHUNK);
	SET(&r, task, SPAN("1"));
	ROW_HASH(&r, input_blob, hash);
	state_load(core_state(b->core), &r, &(struct maker){ 0 });
}

static void
an_old_blob_goes_one_that_a_row_names_stays(void **state)
{
	struct bench *b = *state;
	uint8_t old[HASH_BYTES], young[HASH_BYTES], named[HASH_BYTES];

	put(b, 1, OLD_S, old);
	put(b, 2, 0, young);
	put(b, 3, OLD_S, named);
	name_it(b, named);
	run(b, 1);
	assert_false(is_there(b, old));
	assert_true(is_there(b, young));
	assert_true(is_there(b, named));
	assert_int_equal(sweep_counted(b->sweep).blobs, 1);
	assert_int_equal(sweep_counted(b->sweep).bytes, 6);
}

static void
what_has_gone_is_not_remembered_as_being_there(void **state)
{
	struct bench *b = *state;
	uint8_t hash[HASH_BYTES], zero[HASH_BYTES] = { 0 };

	put(b, 1, OLD_S, hash);
	assert_true(sweep_have(b->sweep, hash));
	assert_false(sweep_have(b->sweep, zero));
	run(b, 1);
	assert_false(sweep_have(b->sweep, hash));
}

static void
temporary_files_go_when_they_are_old(void **state)
{
	struct bench *b = *state;
	struct blob_writer *w[2] = { blob_begin(b->blobs), blob_begin(b->blobs) };
	char *first = NULL;
	struct dirent *e;
	DIR *d = opendir(b->dir);

	while (!first && (e = readdir(d)))
		if (strncmp(e->d_name, "tmp.", 4) == 0)
			first = xprintf("%s/%s", b->dir, e->d_name);
	closedir(d);
	age(first, OLD_S);
	run(b, 1);
	assert_int_equal(sweep_counted(b->sweep).temporary, 1);
	assert_int_not_equal(access(first, F_OK), 0);
	blob_drop(&w[0]);
	blob_drop(&w[1]);
	free(first);
}

static void
nothing_goes_before_the_ledger_has_been_up_for_a_grace(void **state)
{
	struct bench *b = *state;
	uint8_t old[HASH_BYTES];

	put(b, 1, OLD_S, old);
	for (uint64_t ms = 0; ms < GRACE_MS; ms += 1000)
		assert_false(sweep_turn(b->sweep, b->core, b->now_ms + ms));
	assert_int_equal(sweep_counted(b->sweep).sweeps, 0);
	assert_true(is_there(b, old));
}

/* Forty old blobs, and a sweep that has deleted the first few of them. */
static void
begin_to_delete(struct bench *b, uint8_t hashes[40][HASH_BYTES])
{
	for (unsigned i = 0; i < 40; i++)
		put(b, i, OLD_S, hashes[i]);
	while (!sweep_turn(b->sweep, b->core, b->now_ms)) {
		b->now_ms += 60 * 1000;
		usleep(200);
	}
}

static void
what_is_asked_for_in_the_middle_of_a_sweep_is_spared(void **state)
{
	struct bench *b = *state;
	uint8_t hashes[40][HASH_BYTES];
	unsigned left = 0, kept = 0;

	begin_to_delete(b, hashes);
	for (unsigned i = 0; i < 40; i++)
		left += sweep_have(b->sweep, hashes[i]);
	assert_in_range(left, 1, 39);
	run(b, 1);
	for (unsigned i = 0; i < 40; i++)
		kept += is_there(b, hashes[i]);
	assert_int_equal(kept, left);
}

static void
what_is_written_again_in_the_middle_of_a_sweep_stays(void **state)
{
	struct bench *b = *state;
	uint8_t hashes[40][HASH_BYTES];
	unsigned kept = 0;

	begin_to_delete(b, hashes);
	for (unsigned i = 0; i < 40; i++)
		put(b, i, 0, hashes[i]);
	run(b, 1);
	for (unsigned i = 0; i < 40; i++)
		kept += is_there(b, hashes[i]);
	assert_int_equal(kept, 40);
}

/* The store fails from now on, and something wants to be stored. */
static void
break_store(struct bench *b)
{
	struct wire_head h = { 0 };
	struct buf m = { 0 };
	bool active;

	disk_fail(b->disk, 1000);
	wire_put_hello(&m, &h, &(struct wire_hello){ .instance = "submit", .stage = "submit", .inbox = "",
	    .role = "", .chain = "" });
	core_hear(b->core, SPAN("r"), 0, SPAN_OF(&m));
	core_turn(b->core, &active);
	assert_true(core_in_trouble(b->core));
	buf_free(&m);
}

/* One sweep, from its beginning to its end, at this moment. */
static void
sweep_now(struct bench *b)
{
	uint64_t before = sweep_counted(b->sweep).sweeps;

	while (sweep_turn(b->sweep, b->core, b->now_ms) || sweep_counted(b->sweep).sweeps == before)
		usleep(200);
}

static void
a_time_without_writes_does_not_count(void **state)
{
	struct bench *b = *state;
	uint8_t older[HASH_BYTES], old[HASH_BYTES];

	sweep_turn(b->sweep, b->core, b->now_ms);
	b->now_ms += GRACE_MS;
	sweep_now(b);
	break_store(b);
	sweep_turn(b->sweep, b->core, b->now_ms);
	put(b, 1, OLD_S + GRACE_MS / 1000 + 60, older);
	put(b, 2, OLD_S, old);
	b->now_ms += OLD_S * 1000;
	sweep_now(b);
	assert_false(is_there(b, older));
	assert_true(is_there(b, old));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_old_blob_goes_one_that_a_row_names_stays, begin, end),
		cmocka_unit_test_setup_teardown(what_has_gone_is_not_remembered_as_being_there, begin, end),
		cmocka_unit_test_setup_teardown(temporary_files_go_when_they_are_old, begin, end),
		cmocka_unit_test_setup_teardown(nothing_goes_before_the_ledger_has_been_up_for_a_grace, begin, end),
		cmocka_unit_test_setup_teardown(what_is_asked_for_in_the_middle_of_a_sweep_is_spared, begin, end),
		cmocka_unit_test_setup_teardown(what_is_written_again_in_the_middle_of_a_sweep_stays, begin, end),
		cmocka_unit_test_setup_teardown(a_time_without_writes_does_not_count, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
