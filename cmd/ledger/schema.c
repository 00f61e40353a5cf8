/* schema.c - the tables of the SQLite store, from the first release to this one.
 *
 * The version of a store is the number of steps that have been applied to it.  A release that
 * changes tables appends a step; steps are never changed.  Columns of rows need
 * SQL of their own only when data must be converted: whatever row_fields and
 * store_columns have and a table has not is added behind the steps (fields are
 * never taken away).  A release that adds a field appends at least an empty step, so that older
 * releases keep away from the store; a column that nobody knows is refused all the same. */
#include "cmd/ledger/sqlrow.h"
#include "cmd/ledger/store_sqlite.h"

#include <sys/random.h>

#include "common/diag.h"

static const char *const steps[] = {
	/* 1 */
	"CREATE TABLE work(id INTEGER PRIMARY KEY) STRICT;"
	"CREATE TABLE job(id INTEGER PRIMARY KEY) STRICT;"
	"CREATE TABLE attempt(id INTEGER PRIMARY KEY) STRICT;"
	"CREATE TABLE identity(id INTEGER PRIMARY KEY) STRICT;"
	"CREATE TABLE instance(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,"
	" epoch INTEGER NOT NULL, seq INTEGER NOT NULL, bye INTEGER NOT NULL) STRICT;"
	"CREATE TABLE history(kind INTEGER NOT NULL, id INTEGER NOT NULL, rev INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
	" before INTEGER NOT NULL, after INTEGER NOT NULL, code INTEGER NOT NULL, instance INTEGER NOT NULL,"
	" epoch INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(kind, id, rev)) STRICT, WITHOUT ROWID;"
	/* micro: the sum of its entries up to meta.summed */
	"CREATE TABLE account(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, micro INTEGER NOT NULL DEFAULT 0) STRICT;"
	"CREATE TABLE entry(n INTEGER PRIMARY KEY, kind INTEGER NOT NULL, id INTEGER NOT NULL, rev INTEGER NOT NULL,"
	" at_ms INTEGER NOT NULL, account INTEGER NOT NULL, micro INTEGER NOT NULL) STRICT;"
	"INSERT INTO meta VALUES('term', 0), ('summed', 0);"
	"CREATE TRIGGER history_kept BEFORE DELETE ON history BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;"
	"CREATE TRIGGER history_fixed BEFORE UPDATE ON history BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;"
	"CREATE TRIGGER entry_kept BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;"
	"CREATE TRIGGER entry_fixed BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;",
};

const uint64_t schema_newest = NELEM(steps);

enum { SQL_BYTES = 256, WHY_BYTES = 256 };

/* The first number of a query; `none` when there is no row, and on trouble. */
static uint64_t
ask(struct sql *sql, const char *text, uint64_t none)
{
	struct sql_stmt *s = sql_prepare(sql, text);
	uint64_t v = s && sql_step(s) == SQL_ROW ? sql_u64(s, 0) : none;

	sql_finish(&s);
	return v;
}

#define UNKNOWN UINT64_MAX	/* trouble: nothing is known, and nothing is to be concluded */

static const char version_of[] = "SELECT coalesce((SELECT value FROM meta WHERE name='schema'), 0)";

/* Without the table there is nothing to compile. */
uint64_t
schema_version(struct sql *sql)
{
	return ask(sql, version_of, 0);
}

struct column_of { struct sql *sql; uint64_t kind; int rc; };

static void
add_column(void *arg, const struct field *f)
{
	struct column_of *c = arg;
	char text[SQL_BYTES];

	snprintf(text, sizeof text, "SELECT 1 FROM pragma_table_info('%s') WHERE name='%s'", row_kind_name(c->kind), f->name);
	if (c->rc != SQL_DONE || ask(c->sql, text, 0))
		return;
	snprintf(text, sizeof text, "ALTER TABLE %s ADD COLUMN %s %s", row_kind_name(c->kind), f->name, sqlrow_type(f));
	c->rc = sql_run(c->sql, text);
}

static void
count_column(void *arg, const struct field *f)
{
	++*(uint64_t *)arg;
}

/* Every field has its column, and every column its field. */
static bool
match_columns(struct sql *sql, uint64_t kind, bool *foreign)
{
	struct column_of c = { sql, kind, SQL_DONE };
	char text[SQL_BYTES];
	uint64_t fields = 0;

	sqlrow_each(kind, add_column, &c);
	sqlrow_each(kind, count_column, &fields);
	snprintf(text, sizeof text, "SELECT count(*) FROM pragma_table_info('%s')", row_kind_name(kind));
	*foreign = c.rc == SQL_DONE && ask(sql, text, 0) != fields;
	return c.rc == SQL_DONE && !*foreign;
}

static bool
name_ledger(struct sql *sql)
{
	uint64_t id = 0;
	char text[SQL_BYTES];

	if (getrandom(&id, sizeof id, 0) != (ssize_t)sizeof id)
		die_sys("getrandom");
	id = (id >> 2) | 1;		/* fits a signed number everywhere */
	snprintf(text, sizeof text, "INSERT OR IGNORE INTO meta VALUES('ledger', %" PRIu64 ")", id);
	return sql_run(sql, text) == SQL_DONE;
}

static bool
too_new(char *why, uint64_t version)
{
	snprintf(why, WHY_BYTES, "%s: the store has version %" PRIu64 ", this release knows %zu",
	    code_word(CODE_SCHEMA), version, NELEM(steps));
	return false;
}

static bool
update(struct sql *sql, char *why)
{
	char text[SQL_BYTES];
	uint64_t tables = ask(sql, "SELECT count(*) FROM sqlite_schema", UNKNOWN);
	bool foreign = false, good = sql_run(sql, "CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY NOT NULL,"
	    " value INTEGER NOT NULL) STRICT, WITHOUT ROWID") == SQL_DONE;
	uint64_t version = ask(sql, version_of, UNKNOWN);

	good = good && tables != UNKNOWN && version != UNKNOWN;
	if (good && version > NELEM(steps))
		return too_new(why, version);
	if (good && version == 0 && tables > 0) {
		snprintf(why, WHY_BYTES, "%s: this is a data base, but no ledger's", code_word(CODE_SCHEMA));
		return false;
	}
	for (uint64_t i = version; good && i < NELEM(steps); i++)
		good = sql_run(sql, steps[i]) == SQL_DONE;
	for (uint64_t kind = ROW_WORK; good && kind < ROW_KINDS; kind++)
		good = match_columns(sql, kind, &foreign);
	if (foreign)
		return too_new(why, version + 1);
	snprintf(text, sizeof text, "INSERT OR REPLACE INTO meta VALUES('schema', %zu)", NELEM(steps));
	if (good && version != NELEM(steps))
		good = name_ledger(sql) && sql_run(sql, text) == SQL_DONE;
	if (!good)
		snprintf(why, WHY_BYTES, "%s: %s", code_word(CODE_DISK), sql_why(sql));
	return good;
}

bool
schema_update(struct sql *sql, char *why)
{
	if (sql_run(sql, "BEGIN IMMEDIATE") != SQL_DONE) {
		snprintf(why, WHY_BYTES, "%s: %s", code_word(CODE_DISK), sql_why(sql));
		return false;
	}
	if (update(sql, why) && sql_run(sql, "COMMIT") == SQL_DONE)
		return true;
	if (sql_in_transaction(sql))
		sql_run(sql, "ROLLBACK");
	return false;
}
