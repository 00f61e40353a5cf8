/* sql.c - SQLite in a few words.  See sql.h. */
#include "cmd/ledger/sql.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "common/diag.h"

enum { WHY_BYTES = 256, BUSY_MS = 2000 };

struct sql {
	sqlite3		*db;
	_Atomic uint64_t wal_frames;
};

/* A struct sql_stmt is a sqlite3_stmt under another name. */
static sqlite3_stmt *
in(struct sql_stmt *s)
{
	return (sqlite3_stmt *)(void *)s;
}

static int
result_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
		return SQL_DONE;
	case SQLITE_ROW:
		return SQL_ROW;
	case SQLITE_CONSTRAINT:
	case SQLITE_TOOBIG:
	case SQLITE_MISMATCH:
		return SQL_POISON;
	case SQLITE_MISUSE:
	case SQLITE_RANGE:
		bug("sqlite: %s", sqlite3_errstr(rc));
	default:
		return SQL_TROUBLE;
	}
}

/* Memory statistics cost a lock on every allocation. */
static void
configure(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static int
note_frames(void *arg, sqlite3 *db, const char *name, int frames)
{
	struct sql *s = arg;

	atomic_store_explicit(&s->wal_frames, (uint64_t)frames, memory_order_relaxed);
	return SQLITE_OK;
}

static const char *const pragmas[] = {
	[SQL_WRITER] = "PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
	    "PRAGMA locking_mode=NORMAL; PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=12582912;"
	    "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-8192; PRAGMA trusted_schema=OFF",
	[SQL_CHECKPOINTER] = "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-64",
	[SQL_READER] = "PRAGMA query_only=ON; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-2048; PRAGMA trusted_schema=OFF",
};

static bool
is_wal(struct sql *s)
{
	struct sql_stmt *mode = sql_prepare(s, "PRAGMA journal_mode");
	bool wal = mode && sql_step(mode) == SQL_ROW && span_is(sql_text(mode, 0), "wal");

	sql_finish(&mode);
	return wal;
}

struct sql *
sql_open(const char *path, enum sql_mode mode, char *why)
{
	static const int flags[] = {
		[SQL_WRITER] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
		[SQL_CHECKPOINTER] = SQLITE_OPEN_READWRITE,
		[SQL_READER] = SQLITE_OPEN_READONLY,
	};
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct sql *s = xzalloc(sizeof *s);

	pthread_once(&once, configure);
	int rc = sqlite3_open_v2(path, &s->db, flags[mode] | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_busy_timeout(s->db, BUSY_MS);
		rc = sqlite3_exec(s->db, pragmas[mode], NULL, NULL, NULL);
	}
	if (rc != SQLITE_OK) {
		snprintf(why, WHY_BYTES, "%s: %s", path, s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc));
		sql_close(&s);
		return NULL;
	}
	if (mode == SQL_WRITER && !is_wal(s)) {
		snprintf(why, WHY_BYTES, "%s: this file system does not take a write-ahead log", path);
		sql_close(&s);
		return NULL;
	}
	if (mode == SQL_WRITER)
		sqlite3_wal_hook(s->db, note_frames, s);
	return s;
}

void
sql_close(struct sql **sp)
{
	struct sql *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	if (sqlite3_close(s->db) != SQLITE_OK)
		bug("sqlite: a statement is left over");
	free(s);
}

int
sql_run(struct sql *s, const char *text)
{
	return result_of(sqlite3_exec(s->db, text, NULL, NULL, NULL));
}

struct sql_stmt *
sql_prepare(struct sql *s, const char *text)
{
	sqlite3_stmt *stmt = NULL;

	if (sqlite3_prepare_v3(s->db, text, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK)
		return NULL;
	return (struct sql_stmt *)(void *)stmt;
}

void
sql_finish(struct sql_stmt **s)
{
	sqlite3_finalize(in(*s));
	*s = NULL;
}

static void
bound(int rc)
{
	if (rc != SQLITE_OK && rc != SQLITE_TOOBIG && rc != SQLITE_NOMEM)
		bug("sqlite: bind: %s", sqlite3_errstr(rc));
}

void
sql_put_null(struct sql_stmt *s, int at)
{
	bound(sqlite3_bind_null(in(s), at));
}

void
sql_put_u64(struct sql_stmt *s, int at, uint64_t v)
{
	bound(sqlite3_bind_int64(in(s), at, (sqlite3_int64)v));
}

/* A NULL pointer would bind NULL: an empty text or blob has none of its own. */
static const void *
start_of(struct span v)
{
	return v.n ? (const void *)v.p : "";
}

void
sql_put_text(struct sql_stmt *s, int at, struct span v)
{
	bound(sqlite3_bind_text64(in(s), at, start_of(v), v.n, SQLITE_STATIC, SQLITE_UTF8));
}

void
sql_put_blob(struct sql_stmt *s, int at, struct span v)
{
	bound(sqlite3_bind_blob64(in(s), at, start_of(v), v.n, SQLITE_STATIC));
}

int
sql_parameter(struct sql_stmt *s, const char *name)
{
	return sqlite3_bind_parameter_index(in(s), name);
}

int
sql_step(struct sql_stmt *s)
{
	return result_of(sqlite3_step(in(s)));
}

void
sql_reset(struct sql_stmt *s)
{
	sqlite3_reset(in(s));
}

int
sql_do(struct sql_stmt *s)
{
	int rc = sql_step(s);

	sql_reset(s);
	return rc;
}

bool
sql_is_null(struct sql_stmt *s, int column)
{
	return sqlite3_column_type(in(s), column) == SQLITE_NULL;
}

uint64_t
sql_u64(struct sql_stmt *s, int column)
{
	return (uint64_t)sqlite3_column_int64(in(s), column);
}

struct span
sql_text(struct sql_stmt *s, int column)
{
	const uint8_t *p = sqlite3_column_text(in(s), column);

	return (struct span){ p, (size_t)sqlite3_column_bytes(in(s), column) };
}

struct span
sql_blob(struct sql_stmt *s, int column)
{
	const uint8_t *p = sqlite3_column_blob(in(s), column);

	return (struct span){ p, (size_t)sqlite3_column_bytes(in(s), column) };
}

int
sql_columns(struct sql_stmt *s)
{
	return sqlite3_column_count(in(s));
}

const char *
sql_column_name(struct sql_stmt *s, int column)
{
	return sqlite3_column_name(in(s), column);
}

const char *
sql_why(struct sql *s)
{
	return sqlite3_errmsg(s->db);
}

bool
sql_in_transaction(struct sql *s)
{
	return !sqlite3_get_autocommit(s->db);
}

int
sql_checkpoint(struct sql *s, uint64_t *frames, uint64_t *copied)
{
	int log = 0, done = 0;
	int rc = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &log, &done);

	*frames = log > 0 ? (uint64_t)log : 0;
	*copied = done > 0 ? (uint64_t)done : 0;
	return result_of(rc);
}

uint64_t
sql_wal_frames(struct sql *s)
{
	return atomic_load_explicit(&s->wal_frames, memory_order_relaxed);
}

void
sql_interrupt(struct sql *s)
{
	sqlite3_interrupt(s->db);
}
