/* test_store.c - the SQLite store: what is kept, refused, survived; checkpoints; questions. */
/* uses: cmd/ledger */
#include "cmd/ledger/store.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "cmd/ledger/check.h"
#include "cmd/ledger/checkpoint.h"
#include "cmd/ledger/query.h"
#include "cmd/ledger/store_sqlite.h"
#include "common/blob.h"
#include "common/clock.h"
#include "common/diag.h"
#include "common/json.h"

enum { PATIENCE_MS = 20000 };

struct bench {
	char		 dir[64], db[96];
	struct store	*store;
	uint64_t	 term;
	/* what load found */
	size_t		 rows[ROW_KINDS], instances, uuids, balances;
	uint64_t	 maker, instance_seq;
	int64_t		 micro;
	char		 uuid[65];
};

static const struct store_ops *const ops = &store_sqlite;

/* --- a store of one's own --- */

static void
reopen(struct bench *b)
{
	char why[256] = "";

	ops->close(&b->store);
	b->store = ops->open(b->db, why);
	if (!b->store)
		fail_msg("%s", why);
	b->term = ops->new_term(b->store);
	assert_int_not_equal(b->term, 0);
}

static int
set_up(void **state)
{
	struct bench *b = xzalloc(sizeof *b);

	snprintf(b->dir, sizeof b->dir, "/tmp/prova-store.XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->db, sizeof b->db, "%s/ledger.db", b->dir);
	diag_threshold(DIAG_ERROR + 1);
	reopen(b);
	*state = b;
	return 0;
}

static int
tear_down(void **state)
{
	struct bench *b = *state;
	char *remove = xprintf("rm -rf %s", b->dir);

	ops->close(&b->store);
	assert_int_equal(system(remove), 0);
	free(remove);
	free(b);
	return 0;
}

static void
begin(struct bench *b)
{
	assert_int_equal(ops->begin(b->store, b->term), STORE_OK);
}

static void
commit(struct bench *b)
{
	assert_int_equal(ops->commit(b->store), STORE_OK);
}

static void
run(struct bench *b, const char *text)
{
	assert_int_equal(sql_run(store_sqlite_connection(b->store), text), SQL_DONE);
}

/* A row with every column of its kind: numbers of 64 bits, texts and bytes as long as may be. */
static struct row
full_row(uint64_t kind, uint64_t id)
{
	static uint8_t bytes[INLINE_BYTES];
	static char text[4096];
	struct row r = { 0 };

	memset(text, 'x', sizeof text);
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 7);
	r.have = store_columns(kind);
	for (size_t i = 0; i < row_nfields; i++) {
		const struct field *f = &row_fields[i];
		char *at = (char *)&r + f->off;
		if (!((r.have >> f->key) & 1))
			continue;
		if (f->type == FIELD_U64)
			*(uint64_t *)(void *)at = UINT64_MAX - f->key;
		else if (f->type == FIELD_HASH)
			memset(at, f->key, HASH_BYTES);
		else
			*(struct span *)(void *)at = (struct span){ f->type == FIELD_TEXT ? (const uint8_t *)text : bytes, f->max };
	}
	r.kind = kind;
	r.id = id;
	return r;
}

static void
assert_same(const struct row *a, const struct row *b)
{
	struct buf left = { 0 }, right = { 0 };

	row_put_json(&left, a);
	row_put_json(&right, b);
	assert_string_equal(buf_cstr(&left), buf_cstr(&right));
	buf_free(&left);
	buf_free(&right);
}

static void
assert_kept(struct bench *b, const struct row *want)
{
	struct row *got = ops->row_of(b->store, want->kind, want->id);

	assert_non_null(got);
	assert_int_equal(got->have, want->have);
	assert_same(got, want);
	free(got);
}

static bool
is_there(struct bench *b, uint64_t kind, uint64_t id)
{
	struct row *got = ops->row_of(b->store, kind, id);
	bool there = got != NULL;

	free(got);
	return there;
}

/* A row of few fields, and the line of history that made it. */
static struct row
small_row(uint64_t kind, uint64_t id, uint64_t rev, uint64_t state)
{
	struct row r = { 0 };

	SET(&r, kind, kind);
	SET(&r, id, id);
	SET(&r, rev, rev);
	SET(&r, state, state);
	SET(&r, code, CODE_OK);
	SET(&r, at_ms, 1000 * id + rev);
	return r;
}

static void
put_from(struct bench *b, const struct row *r, uint64_t from)
{
	struct history h = { r->kind, r->id, r->rev, r->at_ms, from, r->state, r->code, 7, 3, r->rev };

	assert_int_equal(ops->put_row(b->store, r, store_columns(r->kind)), STORE_OK);
	assert_int_equal(ops->put_history(b->store, &h, 1), STORE_OK);
}

static void
pay(struct bench *b, const struct row *r, const char *from, const char *to, int64_t micro)
{
	struct entry e[] = {
		{ r->kind, r->id, r->rev, r->at_ms, span_str(from), -micro },
		{ r->kind, r->id, r->rev, r->at_ms, span_str(to), micro },
	};

	assert_int_equal(ops->put_entries(b->store, e, NELEM(e)), STORE_OK);
}

static void
name_row(struct row *r, const char *uuid)
{
	SET(r, chain, SPAN("devnet"));
	SET(r, type, TYPE_CHUNK);
	SET(r, task, SPAN("task"));
	SET(r, fork, SPAN("euclid"));
	SET(r, work, r->id);
	SET(r, uuid, span_str(uuid));
	SET(r, identity, r->id);
	SET(r, provider, SPAN("alpha"));
	SET(r, price, 250);
}

static struct row
named_row(uint64_t kind, uint64_t id, uint64_t rev, uint64_t state, const char *uuid)
{
	struct row r = small_row(kind, id, rev, state);

	name_row(&r, uuid);
	r.have &= store_columns(kind);
	return r;
}

/* The whole life of one job: its work, its attempt, its identity, its money.  All four have this id. */
static void
put_life(struct bench *b, uint64_t id, const char *uuid)
{
	static const uint64_t jobs[] = { 0, JOB_FETCHED, JOB_READY, JOB_PLACED, JOB_SUBMITTING, JOB_SUBMITTED };
	static const uint64_t attempts[] = { 0, ATTEMPT_ALLOCATED, ATTEMPT_SENDING, ATTEMPT_PROVING, ATTEMPT_PROVED,
	    ATTEMPT_VERIFIED, ATTEMPT_ACCEPTED };
	static const uint64_t identities[] = { 0, IDENTITY_IDLE, IDENTITY_HOLDING, IDENTITY_IDLE };
	struct row r = named_row(ROW_WORK, id, 1, WORK_OPEN, uuid);

	begin(b);
	SET(&r, kept, id);
	put_from(b, &r, 0);
	for (uint64_t i = 1; i < NELEM(identities); i++) {
		r = named_row(ROW_IDENTITY, id, i, identities[i], uuid);
		put_from(b, &r, identities[i - 1]);
	}
	for (uint64_t i = 1; i < NELEM(attempts); i++) {
		r = named_row(ROW_ATTEMPT, id, i, attempts[i], uuid);
		if (i == NELEM(attempts) - 1)
			SET(&r, owed, r.price);
		put_from(b, &r, attempts[i - 1]);
		if (i == 1)
			pay(b, &r, "budget:devnet", "reserved:devnet", 250);
	}
	pay(b, &r, "reserved:devnet", "owed:alpha", 250);
	for (uint64_t i = 1; i < NELEM(jobs); i++) {
		r = named_row(ROW_JOB, id, i, jobs[i], uuid);
		put_from(b, &r, jobs[i - 1]);
	}
	commit(b);
}

/* --- rows --- */

static void
rows_come_back_whole(void **state)
{
	struct bench *b = *state;

	begin(b);
	for (uint64_t kind = ROW_WORK; kind < ROW_KINDS; kind++) {
		struct row r = full_row(kind, 5 + kind);
		assert_int_equal(ops->put_row(b->store, &r, UINT64_MAX), STORE_OK);
	}
	commit(b);
	for (int pass = 0; pass < 2; pass++) {
		for (uint64_t kind = ROW_WORK; kind < ROW_KINDS; kind++) {
			struct row r = full_row(kind, 5 + kind);
			assert_kept(b, &r);
		}
		reopen(b);
	}
	assert_false(is_there(b, ROW_JOB, 1));
	assert_null(ops->row_of(b->store, ROW_KINDS, 1));
}

static void
a_row_is_replaced_whole(void **state)
{
	struct bench *b = *state;
	struct row full = full_row(ROW_ATTEMPT, 1), small = small_row(ROW_ATTEMPT, 1, 2, ATTEMPT_PROVED);

	SET(&small, proof, SPAN(""));		/* empty is not absent */
	SET(&small, handle, SPAN(""));
	begin(b);
	assert_int_equal(ops->put_row(b->store, &full, UINT64_MAX), STORE_OK);
	assert_int_equal(ops->put_row(b->store, &small, UINT64_MAX), STORE_OK);
	commit(b);
	assert_kept(b, &small);
}

static void
fields_that_no_column_keeps_are_left_out(void **state)
{
	struct bench *b = *state;
	struct row r = small_row(ROW_JOB, 1, 1, JOB_FETCHED);

	SET(&r, chain, SPAN("joined"));
	SET(&r, posts, 9);
	begin(b);
	assert_int_equal(ops->put_row(b->store, &r, UINT64_MAX & ~BIT(posts)), STORE_OK);
	commit(b);
	r.have &= ~(BIT(chain) | BIT(posts));
	assert_kept(b, &r);
}

/* --- history, entries, instances, numbers --- */

static void
history_names_who_made_a_row(void **state)
{
	struct bench *b = *state;
	struct row r = small_row(ROW_JOB, 4, 1, JOB_FETCHED);

	begin(b);
	put_from(b, &r, 0);
	commit(b);
	assert_int_equal(ops->made_by(b->store, ROW_JOB, 4, 7, 3, 1), 1);
	assert_int_equal(ops->made_by(b->store, ROW_JOB, 4, 7, 3, 2), 0);
	assert_int_equal(ops->made_by(b->store, ROW_JOB, 5, 7, 3, 1), 0);
	assert_int_equal(ops->made_by(b->store, ROW_WORK, 4, 7, 3, 1), 0);
}

static void
a_line_of_history_twice_is_poison(void **state)
{
	struct bench *b = *state;
	struct row r = small_row(ROW_JOB, 4, 1, JOB_FETCHED), other = small_row(ROW_JOB, 5, 1, JOB_FETCHED);
	struct history again = { ROW_JOB, 4, 1, 0, 0, 0, 0, 0, 0, 0 };

	begin(b);
	put_from(b, &r, 0);
	assert_int_equal(ops->put_history(b->store, &again, 1), STORE_POISON);
	ops->rollback(b->store);
	assert_false(is_there(b, ROW_JOB, 4));
	begin(b);
	put_from(b, &other, 0);
	commit(b);
	assert_true(is_there(b, ROW_JOB, 5));
}

static void
history_and_entries_cannot_be_changed(void **state)
{
	static const char *const texts[] = {
		"DELETE FROM history", "UPDATE history SET code=1", "DELETE FROM entry", "UPDATE entry SET micro=0",
	};
	struct bench *b = *state;

	put_life(b, 1, "u-1");
	for (size_t i = 0; i < NELEM(texts); i++)
		assert_int_equal(sql_run(store_sqlite_connection(b->store), texts[i]), SQL_POISON);
}

static void
numbers_outlive_the_process(void **state)
{
	struct bench *b = *state;
	uint64_t ledger = ops->number(b->store, "ledger"), term = b->term;

	assert_int_not_equal(ledger, 0);
	assert_int_equal(ops->number(b->store, "next:job"), 0);
	assert_int_equal(ops->number(b->store, "term"), term);
	begin(b);
	assert_int_equal(ops->put_number(b->store, "next:job", 4096), STORE_OK);
	commit(b);
	begin(b);
	assert_int_equal(ops->put_number(b->store, "next:job", UINT64_MAX), STORE_OK);
	ops->rollback(b->store);
	reopen(b);
	assert_int_equal(ops->number(b->store, "next:job"), 4096);
	assert_int_equal(ops->number(b->store, "ledger"), ledger);
	assert_int_equal(b->term, term + 1);
}

/* --- load --- */

static void
found_row(void *arg, const struct row *r, const struct history *last)
{
	struct bench *b = arg;

	assert_true(r->kind == ROW_IDENTITY || b->rows[ROW_IDENTITY] == 0);
	assert_true(r->kind != ROW_WORK || b->rows[ROW_JOB] + b->rows[ROW_ATTEMPT] == 0);
	b->rows[r->kind]++;
	assert_int_equal(last->kind, r->kind);
	assert_int_equal(last->rev, r->rev);
	assert_int_equal(last->to, r->state);
	assert_int_equal(last->at_ms, r->at_ms);
	b->maker = last->instance * 100 + last->epoch;
}

static void
found_instance(void *arg, const struct stored_instance *i)
{
	struct bench *b = arg;

	b->instances++;
	b->instance_seq = i->seq;
	assert_true(span_is(i->name, "trace-build.2"));
	assert_true(span_is(i->kind, "trace-build"));
	assert_true(i->bye);
}

static void
found_uuid(void *arg, struct span chain, struct span uuid, uint64_t ended_ms)
{
	struct bench *b = arg;

	b->uuids++;
	assert_true(span_is(chain, "devnet"));
	assert_true(span_cstr(uuid, b->uuid, sizeof b->uuid));
	assert_true(ended_ms >= 1000);
}

static void
found_balance(void *arg, struct span account, int64_t micro)
{
	struct bench *b = arg;

	b->balances++;
	if (span_is(account, "owed:alpha"))
		b->micro = micro;
}

static void
load(struct bench *b, uint64_t since_ms)
{
	struct store_loader l = { b, found_row, found_instance, found_uuid, found_balance, since_ms };

	memset(b->rows, 0, sizeof b->rows);
	b->instances = b->uuids = b->balances = 0;
	assert_int_equal(ops->load(b->store, &l), STORE_OK);
}

static void
load_finds_what_is_open(void **state)
{
	struct bench *b = *state;
	struct stored_instance who = { 7, SPAN("trace-build.2"), SPAN("trace-build"), 3, 41, false };

	put_life(b, 1, "u-1");
	put_life(b, 2, "u-2");
	begin(b);
	struct row ended = named_row(ROW_WORK, 1, 2, WORK_ENDED, ""), open = named_row(ROW_JOB, 3, 1, JOB_FETCHED, "u-3");
	put_from(b, &ended, WORK_OPEN);
	SET(&open, work, 2);
	put_from(b, &open, 0);
	assert_int_equal(ops->put_instance(b->store, &who), STORE_OK);
	who.seq = 42;
	who.bye = true;
	assert_int_equal(ops->put_instance(b->store, &who), STORE_OK);
	commit(b);
	load(b, 1500);
	assert_int_equal(b->rows[ROW_WORK], 1);
	assert_int_equal(b->rows[ROW_JOB], 1);
	assert_int_equal(b->rows[ROW_ATTEMPT], 1);
	assert_int_equal(b->rows[ROW_IDENTITY], 2);
	assert_int_equal(b->maker, 703);
	assert_int_equal(b->instances, 1);
	assert_int_equal(b->instance_seq, 42);
	assert_int_equal(b->uuids, 1);
	assert_string_equal(b->uuid, "u-2");
}

static void
balances_are_right_in_every_term(void **state)
{
	struct bench *b = *state;

	for (uint64_t i = 1; i <= 3; i++) {
		put_life(b, i, "u");
		load(b, 0);
		assert_int_equal(b->balances, 3);
		assert_int_equal(b->micro, 250 * i);
		reopen(b);
		load(b, 0);
		assert_int_equal(b->micro, 250 * i);
	}
}

static void
an_account_that_was_rolled_back_is_made_again(void **state)
{
	struct bench *b = *state;
	struct row r = small_row(ROW_ATTEMPT, 1, 1, ATTEMPT_ALLOCATED), other = small_row(ROW_ATTEMPT, 2, 1, ATTEMPT_ALLOCATED);

	begin(b);
	put_from(b, &r, 0);
	pay(b, &r, "budget:a", "reserved:a", 5);
	ops->rollback(b->store);
	begin(b);
	put_from(b, &other, 0);
	pay(b, &other, "budget:b", "owed:alpha", 6);
	put_from(b, &r, 0);
	pay(b, &r, "budget:a", "reserved:a", 7);
	commit(b);
	load(b, 0);
	assert_int_equal(b->balances, 4);
	assert_int_equal(b->micro, 6);
}

/* More than go into one statement, and some that do not fill another. */
static void
many_lines_are_all_written(void **state)
{
	enum { LINES = 2 * STORE_LINES + 3 };
	struct bench *b = *state;
	struct history h[LINES];
	struct entry e[LINES];

	for (uint64_t i = 0; i < LINES; i++) {
		h[i] = (struct history){ ROW_JOB, 4, i + 1, 0, 0, 0, 0, 7, 3, 100 + i };
		e[i] = (struct entry){ ROW_JOB, 4, i + 1, 0, SPAN("owed:alpha"), 1 << i };
	}
	begin(b);
	assert_int_equal(ops->put_history(b->store, h, LINES), STORE_OK);
	assert_int_equal(ops->put_entries(b->store, e, LINES), STORE_OK);
	commit(b);
	for (uint64_t i = 0; i < LINES; i++)
		assert_int_equal(ops->made_by(b->store, ROW_JOB, 4, 7, 3, 100 + i), 1);
	assert_int_equal(ops->made_by(b->store, ROW_JOB, 4, 7, 3, 100 + LINES), 0);
	load(b, 0);
	assert_int_equal(b->micro, (1 << LINES) - 1);
}

/* --- terms, schemas --- */

static void
a_deposed_ledger_commits_nothing(void **state)
{
	struct bench *b = *state;
	char why[256];
	struct store *other = ops->open(b->db, why);

	assert_non_null(other);
	assert_int_equal(ops->new_term(other), b->term + 1);
	assert_int_equal(ops->begin(b->store, b->term), STORE_DEPOSED);
	assert_int_equal(ops->begin(other, b->term + 1), STORE_OK);
	assert_int_equal(ops->put_number(other, "n", 1), STORE_OK);
	assert_int_equal(ops->commit(other), STORE_OK);
	ops->close(&other);
}

static void
assert_refused(struct bench *b, const char *text)
{
	char why[256] = "";

	ops->close(&b->store);
	b->store = ops->open(b->db, why);
	assert_null(b->store);
	assert_non_null(strstr(why, text));
}

static void
a_newer_schema_is_refused(void **state)
{
	struct bench *b = *state;

	run(b, "UPDATE meta SET value=value+1 WHERE name='schema'");
	assert_refused(b, code_word(CODE_SCHEMA));
}

static void
another_program_s_data_base_is_left_alone(void **state)
{
	struct bench *b = *state;
	char path[128], why[256];
	struct sql *sql;

	snprintf(path, sizeof path, "%s/foreign.db", b->dir);
	sql = sql_open(path, SQL_WRITER, why);
	assert_non_null(sql);
	assert_int_equal(sql_run(sql, "CREATE TABLE x(a)"), SQL_DONE);
	assert_false(schema_update(sql, why));
	assert_non_null(strstr(why, "no ledger's"));
	assert_int_equal(schema_version(sql), 0);
	assert_int_equal(sql_run(sql, "SELECT * FROM meta"), SQL_TROUBLE);	/* it was not made */
	sql_close(&sql);
}

static void
a_column_that_nobody_knows_is_refused(void **state)
{
	struct bench *b = *state;

	run(b, "ALTER TABLE attempt ADD COLUMN tomorrow INTEGER");
	assert_refused(b, code_word(CODE_SCHEMA));
}

static void
a_column_that_an_older_store_lacks_is_added(void **state)
{
	struct bench *b = *state;

	put_life(b, 1, "u-1");
	run(b, "ALTER TABLE attempt DROP COLUMN verified_ms; ALTER TABLE work DROP COLUMN input_blob");
	reopen(b);
	load(b, 0);
	struct row r = full_row(ROW_ATTEMPT, 9);
	begin(b);
	assert_int_equal(ops->put_row(b->store, &r, UINT64_MAX), STORE_OK);
	commit(b);
	assert_kept(b, &r);
}

static void
a_file_that_is_no_store_is_refused(void **state)
{
	struct bench *b = *state;
	FILE *f;

	ops->close(&b->store);
	assert_non_null(f = fopen(b->db, "w"));
	for (int i = 0; i < 1000; i++)
		fputs("not a store at all\n", f);
	fclose(f);
	assert_refused(b, code_word(CODE_DISK));
	snprintf(b->db, sizeof b->db, "%s/no/such/place", b->dir);
	assert_refused(b, code_word(CODE_DISK));
}

/* --- trouble --- */

static void
fill_disk(const char *path)
{
	static char zeros[4096];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	while (write(fd, zeros, sizeof zeros) > 0)
		;
	close(fd);
}

static int
put_large(struct bench *b, uint64_t id)
{
	struct row r = full_row(ROW_WORK, id);
	int rc = ops->begin(b->store, b->term);

	if (rc == STORE_OK)
		rc = ops->put_row(b->store, &r, UINT64_MAX);
	if (rc == STORE_OK)
		return ops->commit(b->store);
	ops->rollback(b->store);
	return rc;
}

static void
use_full_disk(struct bench *b)
{
	char filler[128];
	uint64_t id = 1;
	int rc;

	snprintf(filler, sizeof filler, "%s/filler", b->dir);
	assert_int_equal(put_large(b, id), STORE_OK);
	fill_disk(filler);
	while ((rc = put_large(b, ++id)) == STORE_OK)
		assert_true(id < 1000);
	assert_int_equal(rc, STORE_TROUBLE);
	assert_true(is_there(b, ROW_WORK, id - 1));
	assert_false(is_there(b, ROW_WORK, id));
	assert_int_equal(put_large(b, id), STORE_TROUBLE);
	unlink(filler);
	assert_int_equal(put_large(b, id + 1), STORE_OK);
	reopen(b);
	assert_true(is_there(b, ROW_WORK, id - 1));
	assert_false(is_there(b, ROW_WORK, id));
	assert_true(is_there(b, ROW_WORK, id + 1));
}

static void
a_full_disk_is_trouble_that_passes(void **state)
{
	struct bench *b = *state;

	ops->close(&b->store);
	if (geteuid() != 0 || mount("none", b->dir, "tmpfs", 0, "size=1m") != 0)
		skip();
	reopen(b);
	use_full_disk(b);
	ops->close(&b->store);
	assert_int_equal(umount(b->dir), 0);
}

static int
check(struct bench *b, const char *blobs_dir, struct buf *json)
{
	buf_reset(json);
	int ok = query_check_file(b->db, blobs_dir, json);
	buf_cstr(json);
	return ok;
}

/* Commits ids as long as it lives, and says each one after its commit. */
static void
commit_for_ever(struct bench *b, int out)
{
	char why[256];
	struct store *s = ops->open(b->db, why);
	uint64_t term = s ? ops->new_term(s) : 0;

	for (uint64_t id = 1; s; id++) {
		struct row r = full_row(ROW_WORK, id);
		if (ops->begin(s, term) || ops->put_row(s, &r, UINT64_MAX))
			break;
		if (id % 8 && (ops->commit(s) || write(out, &id, sizeof id) != (ssize_t)sizeof id))
			break;
		if (id % 8 == 0)
			ops->rollback(s);
	}
	_exit(1);
}

static void
a_kill_loses_nothing_committed(void **state)
{
	struct bench *b = *state;
	struct buf json = { 0 };

	for (int round = 0; round < 5; round++) {
		int ends[2];
		uint64_t id, last = 0;
		ops->close(&b->store);
		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		pid_t pid = fork();
		if (pid == 0)
			commit_for_ever(b, ends[1]);
		close(ends[1]);
		while (read(ends[0], &id, sizeof id) == (ssize_t)sizeof id) {
			last = id;
			if (last >= (uint64_t)(20 + round * 7))
				kill(pid, SIGKILL);
		}
		close(ends[0]);
		waitpid(pid, NULL, 0);
		assert_int_equal(check(b, NULL, &json), 0);	/* reads what the log has */
		assert_non_null(strstr((char *)json.p, "work 19 has no history"));
		reopen(b);
		assert_true(last >= 20);
		for (id = 1; id <= last; id++)
			assert_int_equal(is_there(b, ROW_WORK, id), id % 8 != 0);
	}
	buf_free(&json);
}

/* --- checkpoints --- */

static void
the_log_starts_again_under_load(void **state)
{
	struct bench *b = *state;
	char why[256];
	struct checkpoint *c = checkpoint_start(b->store, b->db, 100, why);
	uint64_t until = clock_ms() + PATIENCE_MS;

	assert_non_null(c);
	for (uint64_t id = 1; checkpoint_restarts(c) < 3; id++) {
		assert_true(clock_ms() < until);
		assert_int_equal(put_large(b, id % 50 + 1), STORE_OK);
		if (checkpoint_due(c))
			assert_int_equal(checkpoint_finish(c), STORE_OK);
	}
	assert_int_equal(put_large(b, 1), STORE_OK);
	assert_true(sql_wal_frames(store_sqlite_connection(b->store)) < 100);
	assert_true(checkpoint_wal_bytes(c) > 0);
	checkpoint_stop(&c);
	checkpoint_stop(&c);
}

/* --- check --- */

static void
a_right_store_passes_the_check(void **state)
{
	struct bench *b = *state;
	struct buf json = { 0 };

	put_life(b, 1, "u-1");
	put_life(b, 2, "u-2");
	if (check(b, NULL, &json) != 1)
		fail_msg("%s", (char *)json.p);
	assert_non_null(strstr((char *)json.p, "\"rows\":8,\"history\":30,\"entries\":8,"));
	ops->close(&b->store);
	assert_int_equal(check(b, NULL, &json), 1);	/* also when nobody has it open */
	buf_free(&json);
}

/* Damage, and a word of what the check says. */
static const struct { const char *damage, *says; } damages[] = {
	{ "UPDATE job SET rev=9 WHERE id=1", "job 1 is submitted at rev 9" },
	{ "UPDATE job SET state=33 WHERE id=1", "job 1 is late" },
	{ "UPDATE job SET at_ms=5 WHERE id=1", "job 1 has another code or time" },
	{ "DELETE FROM job WHERE id=1", "job 1 has a history and no row" },
	{ "INSERT INTO job(id,work,uuid) VALUES(8,1,'x')", "job 8 has no history" },
	{ "DROP TRIGGER history_kept; DELETE FROM history WHERE kind=2 AND id=1 AND rev=3", "from rev 2 to 4" },
	{ "DROP TRIGGER history_kept; DELETE FROM history WHERE kind=2 AND id=1 AND rev=1", "from rev 0 to 2" },
	{ "DROP TRIGGER history_fixed; UPDATE history SET after=3 WHERE kind=2 AND id=1 AND rev=2", "leaves ready, but was queued" },
	{ "DROP TRIGGER history_fixed; UPDATE history SET after=3 WHERE kind=2 AND id=1 AND rev=2", "no move leads from fetched to queued" },
	{ "DROP TRIGGER entry_fixed; UPDATE entry SET micro=1 WHERE n=1", "add up to 251" },
	{ "DROP TRIGGER entry_kept; DELETE FROM entry WHERE n=1", "add up to 250" },
	{ "INSERT INTO entry VALUES(99,2,77,1,0,1,0)", "entry 99 belongs to no line" },
	{ "UPDATE account SET micro=3", "kept sum 3" },
	{ "UPDATE attempt SET owed=3 WHERE id=1", "attempt 1 is owed 3" },
	{ "DROP TRIGGER entry_fixed; UPDATE entry SET account=(SELECT id FROM account WHERE name LIKE 'budget:%') WHERE kind=3 AND"
	    " id=1 AND account IN (SELECT id FROM account WHERE name LIKE 'owed:%'); UPDATE attempt SET owed=NULL WHERE id=1",
	    "attempt 1 is accepted at 250" },
	{ "UPDATE meta SET value=999 WHERE name='schema'", "version 999" },
	{ "UPDATE attempt SET state=5 WHERE id=1", "open attempts add up to 250" },
	{ "UPDATE attempt SET work=1 WHERE id=2", "work 1 has 2 accepted attempts" },
	{ "UPDATE attempt SET work=1 WHERE id=2", "its providers were owed 2 times" },
	{ "UPDATE attempt SET state=33 WHERE id=1", "its work 1 has no accepted attempt" },
	{ "UPDATE attempt SET state=1, work=1", "work 1 has 2 open attempts" },
	{ "UPDATE job SET uuid='u-1'", "uuid u-1 of chain devnet" },
	{ "UPDATE job SET work=5 WHERE id=1", "job 1: work 5 is not there" },
	{ "UPDATE attempt SET work=5 WHERE id=1", "attempt 1: work 5 is not there" },
	{ "UPDATE work SET state=32; UPDATE job SET state=1", "job 1 is open, its work 1 has ended" },
	{ "UPDATE work SET state=32; UPDATE attempt SET state=1", "attempt 1 is open, its work 1 has ended" },
	{ "UPDATE work SET open=2 WHERE id=1", "work 1 says that attempt 2 is open" },
	{ "UPDATE work SET kept=2 WHERE id=1", "keeps the proof of attempt 2" },
	{ "UPDATE identity SET job=1 WHERE id=1", "identity 1 holds job 1" },
};

static void
the_check_finds_what_is_wrong(void **state)
{
	struct bench *b = *state;
	struct buf json = { 0 };

	put_life(b, 1, "u-1");
	put_life(b, 2, "u-2");
	for (size_t i = 0; i < NELEM(damages); i++) {
		struct sql *sql = store_sqlite_connection(b->store);
		run(b, "BEGIN");
		run(b, damages[i].damage);
		buf_reset(&json);
		assert_int_equal(check_store(sql, NULL, &json), 0);
		if (!strstr(buf_cstr(&json), damages[i].says))
			fail_msg("%s: %s", damages[i].damage, (char *)json.p);
		run(b, "ROLLBACK");
	}
	buf_free(&json);
}

static void
the_check_finds_missing_blobs(void **state)
{
	struct bench *b = *state;
	struct row r = named_row(ROW_WORK, 1, 1, WORK_OPEN, "");
	struct buf json = { 0 };
	char dir[96];
	uint8_t hash[HASH_BYTES];

	snprintf(dir, sizeof dir, "%s/blobs", b->dir);
	ROW_HASH(&r, body_blob, r.input_blob);
	SET(&r, body_bytes, 5);
	begin(b);
	put_from(b, &r, 0);
	commit(b);
	assert_int_equal(check(b, dir, &json), 0);
	assert_non_null(strstr((char *)json.p, "blobs directory"));
	struct blobs *blobs = blob_open(dir);
	assert_int_equal(check(b, dir, &json), 0);
	assert_non_null(strstr((char *)json.p, "is missing"));
	assert_int_equal(blob_put(blobs, SPAN("hello"), false, hash), 0);
	begin(b);
	ROW_HASH(&r, body_blob, hash);
	assert_int_equal(ops->put_row(b->store, &r, UINT64_MAX), STORE_OK);
	commit(b);
	assert_int_equal(check(b, dir, &json), 1);
	assert_non_null(strstr((char *)json.p, "\"blobs\":1"));
	blob_close(&blobs);
	buf_free(&json);
}

static void
a_store_that_cannot_be_read_fails_the_check(void **state)
{
	struct bench *b = *state;
	struct buf json = { 0 };

	ops->close(&b->store);
	snprintf(b->db, sizeof b->db, "%s/nothing", b->dir);
	assert_int_equal(check(b, NULL, &json), -1);
	assert_non_null(strstr((char *)json.p, "\"ok\":false"));
	buf_free(&json);
}

/* --- questions --- */

static char *
answer(struct bench *b, const char *request)
{
	static struct buf out;
	char why[256];
	struct sql *sql = sql_open(b->db, SQL_READER, why);

	assert_non_null(sql);
	buf_reset(&out);
	answer_request(sql, NULL, span_str(request), &out);
	sql_close(&sql);
	struct json *doc = json_parse(SPAN_OF(&out), ANSWER_BYTES, why);
	if (!doc)
		fail_msg("%s: %.*s", why, SPAN_ARG(SPAN_OF(&out)));
	json_free(&doc);
	return buf_cstr(&out);
}

static void
jobs_are_listed_in_pages(void **state)
{
	struct bench *b = *state;
	char uuid[16];

	for (uint64_t id = 1; id <= 5; id++) {
		snprintf(uuid, sizeof uuid, "u-%" PRIu64, id);
		put_life(b, id, uuid);
	}
	char *page = answer(b, "{\"what\":\"jobs\",\"limit\":2}");
	assert_non_null(strstr(page, "u-5"));
	assert_null(strstr(page, "u-3"));
	assert_non_null(strstr(page, "\"chain\":\"devnet\",\"type\":\"chunk\""));
	assert_non_null(strstr(page, "\"next\":4"));
	page = answer(b, "{\"what\":\"jobs\",\"limit\":3,\"after\":3,\"state\":\"submitted\",\"chain\":\"devnet\",\"type\":\"chunk\"}");
	assert_non_null(strstr(page, "u-2"));
	assert_non_null(strstr(page, "u-1"));
	assert_null(strstr(page, "next"));
	assert_string_equal(answer(b, "{\"what\":\"jobs\",\"state\":\"open\"}"), "{\"jobs\":[]}");
	assert_string_equal(answer(b, "{\"what\":\"jobs\",\"type\":\"batch\"}"), "{\"jobs\":[]}");
	assert_string_equal(answer(b, "{\"what\":\"jobs\",\"chain\":\"other\"}"), "{\"jobs\":[]}");
}

static void
one_job_is_told_whole(void **state)
{
	struct bench *b = *state;

	put_life(b, 1, "u-1");
	put_life(b, 2, "u-2");
	char *story = answer(b, "{\"what\":\"explain\",\"uuid\":\"u-2\",\"chain\":\"devnet\"}");
	assert_non_null(strstr(story, "{\"job\":{\"kind\":\"job\",\"id\":2,"));
	assert_non_null(strstr(story, "\"identity\":{\"kind\":\"identity\",\"id\":2,"));
	assert_non_null(strstr(story, "\"attempts\":[{\"kind\":\"attempt\",\"id\":2,"));
	assert_non_null(strstr(story, "\"from\":\"verified\",\"to\":\"accepted\",\"code\":\"ok\",\"by\":\"(ledger)\""));
	assert_non_null(strstr(story, "\"account\":\"owed:alpha\",\"micro\":250}"));
	assert_null(strstr(story, "\"id\":1,"));
	assert_null(strstr(answer(b, "{\"what\":\"job\",\"id\":1}"), "history"));
	assert_non_null(strstr(answer(b, "{\"what\":\"check\"}"), "\"ok\":true"));
}

static void
money_is_told_by_account(void **state)
{
	struct bench *b = *state;

	put_life(b, 1, "u-1");
	reopen(b);
	put_life(b, 2, "u-2");
	assert_string_equal(answer(b, "{\"what\":\"money\"}"), "{\"accounts\":[{\"account\":\"budget:devnet\",\"micro\":-500},"
	    "{\"account\":\"owed:alpha\",\"micro\":500},{\"account\":\"reserved:devnet\",\"micro\":0}]}");
	assert_string_equal(answer(b, "{\"what\":\"money\",\"account\":\"owed:alpha\",\"after\":8}"),
	    "{\"entries\":[{\"at_ms\":1006,\"kind\":\"attempt\",\"id\":1,\"rev\":6,\"account\":\"owed:alpha\",\"micro\":250,\"n\":4}]}");
}

static void
bad_questions_get_a_reason(void **state)
{
	static const char *const questions[] = {
		"", "{", "[]", "{}", "{\"what\":7}", "{\"what\":\"nothing\"}", "{\"what\":\"jobs\",\"state\":\"odd\"}",
		"{\"what\":\"jobs\",\"type\":\"odd\"}", "{\"what\":\"job\"}", "{\"what\":\"job\",\"id\":1}", "{\"what\":\"job\",\"uuid\":\"u\"}",
	};
	struct bench *b = *state;

	for (size_t i = 0; i < NELEM(questions); i++)
		assert_int_equal(strncmp(answer(b, questions[i]), "{\"error\":\"", 10), 0);
	ops->close(&b->store);
	close(open(b->db, O_WRONLY | O_TRUNC | O_CLOEXEC));
	assert_int_equal(strncmp(answer(b, "{\"what\":\"jobs\"}"), "{\"error\":\"", 10), 0);
}

struct client { struct sock *sock; struct buf answer; size_t n; };

static void
on_answer(void *arg, const struct sock_from *from, struct span message)
{
	struct client *c = arg;

	buf_reset(&c->answer);
	buf_put(&c->answer, message.p, message.n);
	c->n++;
}

static const char *
ask_over_socket(struct loop *loop, struct client *c, const char *request)
{
	uint64_t until = clock_ms() + PATIENCE_MS;
	size_t n = c->n;

	assert_int_equal(sock_send(c->sock, span_str(request)), 0);
	while (c->n == n && clock_ms() < until)
		loop_turn(loop, 100);
	return buf_cstr(&c->answer);
}

static void
the_door_answers(void **state)
{
	static const struct sock_ops sock_ops = { .message = on_answer };
	struct bench *b = *state;
	struct loop *loop = loop_new();
	struct socks *socks = socks_new(loop);
	struct client c = { 0 };
	char endpoint[128], why[256];

	snprintf(endpoint, sizeof endpoint, "ipc://%s/query", b->dir);
	struct query_opts o = { loop, socks, endpoint, b->db, NULL };
	struct sock_opts so = { .role = SOCK_DEALER, .endpoint = endpoint, .ops = &sock_ops, .arg = &c, .max_bytes = ANSWER_BYTES };
	put_life(b, 1, "u-1");
	struct query *q = query_start(&o, why);
	assert_non_null(q);
	assert_non_null(c.sock = sock_open(socks, &so));
	loop_last(loop, socks_drain, socks);
	loop_last(loop, socks_look, socks);
	assert_string_equal(ask_over_socket(loop, &c, "{\"what\":\"status\"}"), "{}");
	query_publish(q, SPAN("{\"jobs\":1}"));
	assert_string_equal(ask_over_socket(loop, &c, "{\"what\":\"status\"}"), "{\"jobs\":1}");
	assert_non_null(strstr(ask_over_socket(loop, &c, "{\"what\":\"jobs\"}"), "u-1"));
	put_life(b, 2, "u-2");
	assert_non_null(strstr(ask_over_socket(loop, &c, "{\"what\":\"job\",\"id\":2}"), "u-2"));
	assert_non_null(strstr(ask_over_socket(loop, &c, "{\"what\":\"check\"}"), "\"ok\":true"));
	assert_non_null(strstr(ask_over_socket(loop, &c, "rubbish"), "error"));
	assert_int_equal(sock_send(c.sock, SPAN("{\"what\":\"check\"}")), 0);
	loop_turn(loop, 100);
	query_stop(&q);
	query_stop(&q);
	o.db = "/nowhere/at/all";
	assert_null(query_start(&o, why));
	sock_close(&c.sock);
	socks_free(&socks);
	loop_free(&loop);
	buf_free(&c.answer);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(rows_come_back_whole),
		T(a_row_is_replaced_whole),
		T(fields_that_no_column_keeps_are_left_out),
		T(history_names_who_made_a_row),
		T(a_line_of_history_twice_is_poison),
		T(many_lines_are_all_written),
		T(history_and_entries_cannot_be_changed),
		T(numbers_outlive_the_process),
		T(load_finds_what_is_open),
		T(balances_are_right_in_every_term),
		T(an_account_that_was_rolled_back_is_made_again),
		T(a_deposed_ledger_commits_nothing),
		T(a_newer_schema_is_refused),
		T(another_program_s_data_base_is_left_alone),
		T(a_column_that_nobody_knows_is_refused),
		T(a_column_that_an_older_store_lacks_is_added),
		T(a_file_that_is_no_store_is_refused),
		T(a_full_disk_is_trouble_that_passes),
		T(a_kill_loses_nothing_committed),
		T(the_log_starts_again_under_load),
		T(a_right_store_passes_the_check),
		T(the_check_finds_what_is_wrong),
		T(the_check_finds_missing_blobs),
		T(a_store_that_cannot_be_read_fails_the_check),
		T(jobs_are_listed_in_pages),
		T(one_job_is_told_whole),
		T(money_is_told_by_account),
		T(bad_questions_get_a_reason),
		T(the_door_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
