/* store_sqlite.c - the ledger's store in one SQLite file.  See store.h, schema.c.
 *
 * WAL, synchronous=FULL: commit is durable when it returns.  Every statement is prepared
 * once; nothing is copied on the way in.  No index but the primary keys: what is asked on
 * the path is in memory, and an index would cost every write (a fifth of all CPU, measured
 * for one on open rows).  Rows are replaced whole, which is one step in the tree. */
#include "cmd/ledger/store_sqlite.h"

#include "cmd/ledger/sqlrow.h"
#include "common/diag.h"
#include "common/map.h"

_Static_assert((int)SQL_DONE == (int)STORE_OK && (int)SQL_TROUBLE == (int)STORE_TROUBLE &&
    (int)SQL_POISON == (int)STORE_POISON, "results of SQL are results of the store");

enum { HISTORY_COLUMNS = 7, WHY_BYTES = 256 };

/* An account's number, so that an entry is one statement. */
struct account {
	uint64_t id;
	char	 name[80];
};

struct store {
	struct sql	*sql;
	struct sql_stmt	*begin, *commit, *rollback, *term, *history, *histories, *entry, *entries, *instance;
	struct sql_stmt	*number, *set_number, *made_by, *find_account, *add_account;
	struct sql_stmt	*put[ROW_KINDS], *get[ROW_KINDS];
	struct map	 accounts;
	struct account	**fresh;		/* added by this transaction */
	size_t		 nfresh;
	bool		 in_trouble;		/* said once */
};

/* Lines go in one at a time or STORE_LINES at a time, which spares most of what a statement costs.  OR FAIL: the
 * transaction is rolled back all the same, and nothing has to be noted for undoing half a statement. */
#define HISTORY	"INSERT OR FAIL INTO history(kind,id,rev,at_ms,before,after,code,instance,epoch,seq) VALUES"
#define ENTRY	"INSERT OR FAIL INTO entry(kind,id,rev,at_ms,account,micro) VALUES"
#define EIGHT(line) line "," line "," line "," line "," line "," line "," line "," line
_Static_assert(STORE_LINES == 8, "EIGHT is eight");

static const struct { size_t off; const char *text; } statements[] = {
#define S(name, text) { offsetof(struct store, name), text }
	S(begin, "BEGIN IMMEDIATE"),
	S(commit, "COMMIT"),
	S(rollback, "ROLLBACK"),
	S(term, "SELECT value FROM meta WHERE name='term'"),
	S(history, HISTORY "(?,?,?,?,?,?,?,?,?,?)"),
	S(histories, HISTORY EIGHT("(?,?,?,?,?,?,?,?,?,?)")),
	S(entry, ENTRY "(?,?,?,?,?,?)"),
	S(entries, ENTRY EIGHT("(?,?,?,?,?,?)")),
	S(instance, "INSERT INTO instance(id,name,kind,epoch,seq,bye) VALUES(?1,?2,?3,?4,?5,?6) ON CONFLICT(id) DO"
	    " UPDATE SET name=?2, kind=?3, epoch=?4, seq=?5, bye=?6"),
	S(number, "SELECT value FROM meta WHERE name=?"),
	S(set_number, "INSERT OR REPLACE INTO meta(name,value) VALUES(?,?)"),
	S(made_by, "SELECT 1 FROM history WHERE kind=? AND id=? AND instance=? AND epoch=? AND seq=? LIMIT 1"),
	S(find_account, "SELECT id FROM account WHERE name=?"),
	S(add_account, "INSERT INTO account(name) VALUES(?) RETURNING id"),
#undef S
};

static struct sql_stmt **
statement(struct store *s, size_t off)
{
	return (struct sql_stmt **)(void *)((char *)s + off);
}

/* --- opening and closing --- */

static bool
prepare_kind(struct store *s, uint64_t kind)
{
	struct buf text = { 0 };

	buf_printf(&text, "INSERT OR REPLACE INTO %s(", row_kind_name(kind));
	int n = sqlrow_list(&text, kind, "");
	for (int i = 0; i < n; i++)
		buf_puts(&text, i ? ",?" : ") VALUES(?");
	buf_puts(&text, ")");
	s->put[kind] = sql_prepare(s->sql, buf_cstr(&text));
	buf_reset(&text);
	buf_puts(&text, "SELECT ");
	sqlrow_list(&text, kind, "");
	buf_printf(&text, " FROM %s WHERE id=?", row_kind_name(kind));
	s->get[kind] = sql_prepare(s->sql, buf_cstr(&text));
	buf_free(&text);
	return s->put[kind] && s->get[kind];
}

static bool
prepare_all(struct store *s)
{
	for (size_t i = 0; i < NELEM(statements); i++)
		if (!(*statement(s, statements[i].off) = sql_prepare(s->sql, statements[i].text)))
			return false;
	for (uint64_t kind = ROW_WORK; kind < ROW_KINDS; kind++)
		if (!prepare_kind(s, kind))
			return false;
	return true;
}

static void
forget_fresh(struct store *s)
{
	for (size_t i = 0; i < s->nfresh; i++) {
		map_del(&s->accounts, map_hash(0, span_str(s->fresh[i]->name)), s->fresh[i]);
		free(s->fresh[i]);
	}
	s->nfresh = 0;
}

static void
sqlite_rollback(struct store *s)
{
	forget_fresh(s);
	if (sql_in_transaction(s->sql))
		sql_do(s->rollback);
}

static void
sqlite_close(struct store **sp)
{
	struct store *s = *sp;
	struct account *a;
	size_t at = 0;

	*sp = NULL;
	if (!s)
		return;
	if (s->rollback)
		sqlite_rollback(s);
	for (size_t i = 0; i < NELEM(statements); i++)
		sql_finish(statement(s, statements[i].off));
	for (uint64_t kind = ROW_WORK; kind < ROW_KINDS; kind++) {
		sql_finish(&s->put[kind]);
		sql_finish(&s->get[kind]);
	}
	while ((a = map_next(&s->accounts, &at)))
		free(a);
	map_free(&s->accounts);
	free(s->fresh);
	sql_close(&s->sql);
	free(s);
}

static struct store *
sqlite_open(const char *path, char *why)
{
	struct store *s = xzalloc(sizeof *s);
	char reason[WHY_BYTES];

	s->sql = sql_open(path, SQL_WRITER, reason);
	if (!s->sql) {
		snprintf(why, WHY_BYTES, "%s: %.200s", code_word(CODE_DISK), reason);
		goto fail;
	}
	if (!schema_update(s->sql, why))
		goto fail;
	if (!prepare_all(s)) {
		snprintf(why, WHY_BYTES, "%s: %s: %s", code_word(CODE_SCHEMA), path, sql_why(s->sql));
		goto fail;
	}
	return s;
fail:
	sqlite_close(&s);
	return NULL;
}

struct sql *
store_sqlite_connection(struct store *s)
{
	return s->sql;
}

/* --- writing --- */

/* Trouble is said when it begins and when it is over. */
static int
watched(struct store *s, int rc)
{
	if (rc == STORE_TROUBLE && !s->in_trouble)
		diag(DIAG_ERROR, "store-trouble", "code=%s why=%s", code_word(CODE_DISK), diag_quote(sql_why(s->sql)));
	if (rc == STORE_POISON)
		diag(DIAG_WARN, "store-refused", "code=%s why=%s", code_word(CODE_STORE), diag_quote(sql_why(s->sql)));
	if (rc == STORE_TROUBLE)
		s->in_trouble = true;
	return rc;
}

/* The first column of a query with one row: 1, 0 when there is none, STORE_TROUBLE. */
static int
first_number(struct sql_stmt *s, uint64_t *out)
{
	int rc = sql_step(s);

	if (rc == SQL_ROW)
		*out = sql_u64(s, 0);
	sql_reset(s);
	return rc;
}

static int
sqlite_begin(struct store *s, uint64_t term)
{
	uint64_t now = 0;
	int rc = watched(s, sql_do(s->begin));

	if (rc != STORE_OK)
		return rc;
	rc = first_number(s->term, &now);
	if (rc == SQL_ROW && now == term)
		return STORE_OK;
	rc = rc == SQL_ROW ? STORE_DEPOSED : watched(s, STORE_TROUBLE);
	sqlite_rollback(s);
	return rc;
}

static int
sqlite_put_row(struct store *s, const struct row *row, uint64_t mask)
{
	struct sql_stmt *put = row->kind < ROW_KINDS ? s->put[row->kind] : NULL;

	if (!put || !HAS(row, id))
		bug("a row of kind %" PRIu64 " without a table or an id", row->kind);
	sqlrow_put(put, row, mask | BIT(id));
	return watched(s, sql_do(put));
}

/* Numbers of many lines, `columns` each, by the statement for one and that for STORE_LINES. */
static int
put_lines(struct store *s, struct sql_stmt *one, struct sql_stmt *many, const uint64_t *v, size_t columns, size_t n)
{
	int rc = STORE_OK;

	while (n > 0 && rc == STORE_OK) {
		size_t k = n < STORE_LINES ? 1 : STORE_LINES;
		struct sql_stmt *put = k == 1 ? one : many;
		for (size_t i = 0; i < k * columns; i++)
			sql_put_u64(put, (int)i + 1, *v++);
		rc = watched(s, sql_do(put));
		n -= k;
	}
	return rc;
}

static int
sqlite_put_history(struct store *s, const struct history *h, size_t n)
{
	enum { COLUMNS = 10 };
	uint64_t values[STORE_LINES][COLUMNS];
	int rc = STORE_OK;

	for (size_t k; n > 0 && rc == STORE_OK; h += k, n -= k) {
		k = MIN2(n, (size_t)STORE_LINES);
		for (size_t i = 0; i < k; i++)
			memcpy(values[i], (uint64_t [COLUMNS]){ h[i].kind, h[i].id, h[i].rev, h[i].at_ms, h[i].from, h[i].to,
			    h[i].code, h[i].instance, h[i].epoch, h[i].seq }, sizeof values[i]);
		rc = put_lines(s, s->history, s->histories, values[0], COLUMNS, k);
	}
	return rc;
}

static bool
same_name(const void *value, const void *arg)
{
	return span_is(*(const struct span *)arg, ((const struct account *)value)->name);
}

/* An account's number from the store, made when it is new.  1, 0 (new: not committed yet) or a result < 0. */
static int
number_account(struct store *s, struct span name, uint64_t *id)
{
	sql_put_text(s->find_account, 1, name);
	int rc = first_number(s->find_account, id);
	if (rc != SQL_DONE)
		return rc;
	sql_put_text(s->add_account, 1, name);
	rc = first_number(s->add_account, id);
	return rc == SQL_ROW ? 0 : rc;
}

static int
find_account(struct store *s, struct span name, uint64_t *id)
{
	uint64_t key = map_hash(0, name);
	struct account *a = map_get(&s->accounts, key, same_name, &name);
	char text[sizeof a->name];

	if (a)
		return *id = a->id, STORE_OK;
	if (!span_cstr(name, text, sizeof text))
		return STORE_POISON;
	int rc = number_account(s, name, id);
	if (rc < 0)
		return rc;
	a = xzalloc(sizeof *a);
	a->id = *id;
	memcpy(a->name, text, sizeof text);
	map_put(&s->accounts, key, a);
	if (rc == 0) {
		s->fresh = xrealloc(s->fresh, (s->nfresh + 1) * sizeof *s->fresh);
		s->fresh[s->nfresh++] = a;
	}
	return STORE_OK;
}

static int
sqlite_put_entries(struct store *s, const struct entry *e, size_t n)
{
	enum { COLUMNS = 6 };
	uint64_t values[STORE_LINES][COLUMNS];
	int rc = STORE_OK;

	for (size_t k; n > 0 && rc == STORE_OK; e += k, n -= k) {
		k = MIN2(n, (size_t)STORE_LINES);
		for (size_t i = 0; i < k && rc == STORE_OK; i++) {
			uint64_t account = 0;
			rc = watched(s, find_account(s, e[i].account, &account));
			memcpy(values[i], (uint64_t [COLUMNS]){ e[i].kind, e[i].id, e[i].rev, e[i].at_ms, account,
			    (uint64_t)e[i].micro }, sizeof values[i]);
		}
		if (rc == STORE_OK)
			rc = put_lines(s, s->entry, s->entries, values[0], COLUMNS, k);
	}
	return rc;
}

static int
sqlite_put_instance(struct store *s, const struct stored_instance *i)
{
	sql_put_u64(s->instance, 1, i->id);
	sql_put_text(s->instance, 2, i->name);
	sql_put_text(s->instance, 3, i->kind);
	sql_put_u64(s->instance, 4, i->epoch);
	sql_put_u64(s->instance, 5, i->seq);
	sql_put_u64(s->instance, 6, i->bye);
	return watched(s, sql_do(s->instance));
}

static int
sqlite_put_number(struct store *s, const char *name, uint64_t value)
{
	sql_put_text(s->set_number, 1, span_str(name));
	sql_put_u64(s->set_number, 2, value);
	return watched(s, sql_do(s->set_number));
}

static int
sqlite_commit(struct store *s)
{
	int rc = watched(s, sql_do(s->commit));

	if (rc != STORE_OK) {
		sqlite_rollback(s);
		return rc;
	}
	s->nfresh = 0;
	if (s->in_trouble)
		diag(DIAG_INFO, "store-well", "why=%s", "\"it takes writes again\"");
	s->in_trouble = false;
	return STORE_OK;
}

/* The sums of accounts are brought up to the last entry, so that the next load reads few. */
static const char sum_up[] =
	"UPDATE account SET micro = account.micro + s.micro FROM (SELECT account, sum(micro) AS micro FROM entry"
	" WHERE n > (SELECT value FROM meta WHERE name='summed') GROUP BY account) AS s WHERE s.account = account.id;"
	"UPDATE meta SET value = (SELECT coalesce(max(n), 0) FROM entry) WHERE name='summed';"
	"UPDATE meta SET value = value + 1 WHERE name='term'";

static uint64_t
sqlite_new_term(struct store *s)
{
	uint64_t term = 0;

	if (watched(s, sql_do(s->begin)) != STORE_OK)
		return 0;
	if (watched(s, sql_run(s->sql, sum_up)) != STORE_OK || first_number(s->term, &term) != SQL_ROW) {
		sqlite_rollback(s);
		return 0;
	}
	return sqlite_commit(s) == STORE_OK ? term : 0;
}

/* --- reading --- */

static uint64_t
sqlite_number(struct store *s, const char *name)
{
	uint64_t v = 0;

	sql_put_text(s->number, 1, span_str(name));
	return watched(s, first_number(s->number, &v)) == SQL_ROW ? v : 0;
}

static int
sqlite_made_by(struct store *s, uint64_t kind, uint64_t id, uint64_t instance, uint64_t epoch, uint64_t seq)
{
	const uint64_t values[] = { kind, id, instance, epoch, seq };
	uint64_t one;

	for (size_t i = 0; i < NELEM(values); i++)
		sql_put_u64(s->made_by, (int)i + 1, values[i]);
	return watched(s, first_number(s->made_by, &one));
}

static struct row *
sqlite_row_of(struct store *s, uint64_t kind, uint64_t id)
{
	struct sql_stmt *get = kind < ROW_KINDS ? s->get[kind] : NULL;
	struct row row, *kept = NULL;

	if (!get)
		return NULL;
	sql_put_u64(get, 1, id);
	int rc = watched(s, sql_step(get));
	if (rc == SQL_ROW && sqlrow_get(get, 0, kind, &row))
		kept = row_keep(&row);
	sql_reset(get);
	return kept;
}

/* Walk a query; each() returns false to stop with STORE_TROUBLE. */
static int
walk(struct store *s, const char *text, uint64_t parameter, bool (*each)(struct sql_stmt *, const struct store_loader *,
    uint64_t kind), const struct store_loader *l, uint64_t kind)
{
	struct sql_stmt *q = sql_prepare(s->sql, text);
	int rc = q ? SQL_ROW : SQL_TROUBLE;

	if (q && strchr(text, '?'))
		sql_put_u64(q, 1, parameter);
	while (rc == SQL_ROW && (rc = sql_step(q)) == SQL_ROW)
		if (!each(q, l, kind)) {
			diag(DIAG_ERROR, "store-damaged", "kind=%s id=%" PRIu64, row_kind_name(kind), sql_u64(q, 0));
			sql_finish(&q);
			return STORE_TROUBLE;
		}
	watched(s, rc);
	sql_finish(&q);
	return rc;
}

/* A row, and behind its columns the last line of its history. */
static bool
load_row(struct sql_stmt *q, const struct store_loader *l, uint64_t kind)
{
	struct row row;
	int at = sql_columns(q) - HISTORY_COLUMNS;

	if (!sqlrow_get(q, 0, kind, &row))
		return false;
	struct history last = {
		.kind = kind, .id = row.id, .rev = row.rev,
		.at_ms = sql_u64(q, at), .from = sql_u64(q, at + 1), .to = sql_u64(q, at + 2), .code = sql_u64(q, at + 3),
		.instance = sql_u64(q, at + 4), .epoch = sql_u64(q, at + 5), .seq = sql_u64(q, at + 6),
	};
	l->row(l->arg, &row, &last);
	return true;
}

static int
load_kind(struct store *s, const struct store_loader *l, uint64_t kind, const char *where)
{
	struct buf text = { 0 };

	buf_puts(&text, "SELECT ");
	sqlrow_list(&text, kind, "r.");
	buf_printf(&text, ",h.at_ms,h.before,h.after,h.code,h.instance,h.epoch,h.seq FROM %s r LEFT JOIN history h"
	    " ON h.kind=%" PRIu64 " AND h.id=r.id AND h.rev=r.rev %s", row_kind_name(kind), kind, where);
	int rc = walk(s, buf_cstr(&text), 0, load_row, l, kind);
	buf_free(&text);
	return rc;
}

static bool
load_instance(struct sql_stmt *q, const struct store_loader *l, uint64_t kind)
{
	struct stored_instance i = { sql_u64(q, 0), sql_text(q, 1), sql_text(q, 2), sql_u64(q, 3), sql_u64(q, 4), sql_u64(q, 5) };

	l->instance(l->arg, &i);
	return true;
}

static bool
load_uuid(struct sql_stmt *q, const struct store_loader *l, uint64_t kind)
{
	l->uuid(l->arg, sql_text(q, 0), sql_text(q, 1), sql_u64(q, 2));
	return true;
}

static bool
load_balance(struct sql_stmt *q, const struct store_loader *l, uint64_t kind)
{
	l->balance(l->arg, sql_text(q, 0), (int64_t)sql_u64(q, 1));
	return true;
}

static const struct { uint64_t kind; const char *where; } open_rows[] = {
	{ ROW_WORK, "WHERE r.state < 32" },
	{ ROW_JOB, "WHERE r.state < 32" },
	{ ROW_ATTEMPT, "WHERE r.work IN (SELECT id FROM work WHERE state < 32)" },
	{ ROW_IDENTITY, "" },
};
_Static_assert(STATE_END == 32, "open_rows says 32");

static const struct part {
	const char *text;
	bool (*each)(struct sql_stmt *, const struct store_loader *, uint64_t);
} parts[] = {
	{ "SELECT id,name,kind,epoch,seq,bye FROM instance", load_instance },
	{ "SELECT w.chain, j.uuid, j.at_ms FROM job j CROSS JOIN work w ON w.id=j.work WHERE j.state >= 32 AND j.at_ms >= ?",
	    load_uuid },
	{ "SELECT a.name, a.micro + coalesce(s.micro, 0) FROM account a LEFT JOIN (SELECT account, sum(micro) AS micro"
	    " FROM entry WHERE n > (SELECT value FROM meta WHERE name='summed') GROUP BY account) AS s ON s.account=a.id",
	    load_balance },
};

static int
sqlite_load(struct store *s, const struct store_loader *l)
{
	int rc = watched(s, sql_run(s->sql, "BEGIN"));

	for (size_t i = 0; rc == STORE_OK && i < NELEM(open_rows); i++)
		rc = load_kind(s, l, open_rows[i].kind, open_rows[i].where);
	for (size_t i = 0; rc == STORE_OK && i < NELEM(parts); i++)
		rc = walk(s, parts[i].text, l->uuids_since_ms, parts[i].each, l, 0);
	if (sql_in_transaction(s->sql))
		sql_run(s->sql, "COMMIT");
	return rc;
}

const struct store_ops store_sqlite = {
	.open = sqlite_open,
	.close = sqlite_close,
	.number = sqlite_number,
	.load = sqlite_load,
	.made_by = sqlite_made_by,
	.row_of = sqlite_row_of,
	.begin = sqlite_begin,
	.put_row = sqlite_put_row,
	.put_history = sqlite_put_history,
	.put_entries = sqlite_put_entries,
	.put_instance = sqlite_put_instance,
	.put_number = sqlite_put_number,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
	.new_term = sqlite_new_term,
};
