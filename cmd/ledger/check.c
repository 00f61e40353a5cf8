/* check.c - every invariant of a store.  See check.h. */
#include "cmd/ledger/check.h"

#include <sys/stat.h>

#include "cmd/ledger/moves.h"
#include "cmd/ledger/store_sqlite.h"
#include "common/blob.h"
#include "common/json.h"
#include "common/num.h"

enum { ERRORS_MAX = 100 };

struct check {
	struct sql	*sql;
	struct blobs	*blobs;
	struct buf	 errors;
	uint64_t	 nerrors, nrows, nhistory, nentries, nblobs;
	bool		 trouble;
};

static void
fault_text(struct check *c, struct span text)
{
	if (c->nerrors++ >= ERRORS_MAX)
		return;
	if (c->errors.n)
		buf_putc(&c->errors, ',');
	json_put_str(&c->errors, text, false);
}

static void PRINTF(2, 3)
fault(struct check *c, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	fault_text(c, span_str(text));
}

/* What the texts of SQL below call states and kinds. */
static const struct { const char *name; uint64_t value; } names[] = {
	{ ":end", STATE_END },
	{ ":work", ROW_WORK }, { ":job", ROW_JOB }, { ":attempt", ROW_ATTEMPT }, { ":identity", ROW_IDENTITY },
	{ ":submitted", JOB_SUBMITTED }, { ":accepted", ATTEMPT_ACCEPTED }, { ":proved", ATTEMPT_PROVED },
	{ ":verified", ATTEMPT_VERIFIED }, { ":uncle", ATTEMPT_UNCLE },
};

static struct sql_stmt *
ask(struct check *c, const char *text)
{
	struct sql_stmt *q = c->trouble ? NULL : sql_prepare(c->sql, text);

	if (c->trouble)
		return NULL;
	if (!q) {
		fault(c, "the store cannot be asked: %s", sql_why(c->sql));
		c->trouble = true;
		return NULL;
	}
	for (size_t i = 0; i < NELEM(names); i++) {
		int at = sql_parameter(q, names[i].name);
		if (at)
			sql_put_u64(q, at, names[i].value);
	}
	return q;
}

static bool
next(struct check *c, struct sql_stmt *q)
{
	int rc = q ? sql_step(q) : SQL_DONE;

	if (rc < 0) {
		fault(c, "the store cannot be read: %s", sql_why(c->sql));
		c->trouble = true;
	}
	return rc == SQL_ROW;
}

/* --- histories and rows, side by side --- */

struct line { uint64_t kind, id, rev, state, code, at_ms, before; };

/* The rows of each kind by id, one step ahead. */
struct side {
	struct sql_stmt	*q[ROW_KINDS];
	struct line	 row[ROW_KINDS];
	bool		 there[ROW_KINDS];
};

static void
advance(struct check *c, struct side *s, uint64_t kind)
{
	struct sql_stmt *q = s->q[kind];

	s->there[kind] = next(c, q);
	if (!s->there[kind])
		return;
	s->row[kind] = (struct line){ kind, sql_u64(q, 0), sql_u64(q, 1), sql_u64(q, 2), sql_u64(q, 3), sql_u64(q, 4), 0 };
	c->nrows++;
}

static void
open_side(struct check *c, struct side *s)
{
	char text[128];

	for (uint64_t kind = ROW_WORK; kind < ROW_KINDS; kind++) {
		snprintf(text, sizeof text, "SELECT id,rev,state,code,at_ms FROM %s ORDER BY id", row_kind_name(kind));
		s->q[kind] = ask(c, text);
		advance(c, s, kind);
	}
}

/* Rows below an id that no history was found for. */
static void
pass_rows(struct check *c, struct side *s, uint64_t kind, uint64_t id)
{
	for (; s->there[kind] && s->row[kind].id < id; advance(c, s, kind))
		fault(c, "%s %" PRIu64 " has no history", row_kind_name(kind), s->row[kind].id);
}

/* The last line of a history: is the row as it says? */
static void
end_path(struct check *c, struct side *s, const struct line *last)
{
	const struct line *row = &s->row[last->kind];
	const char *name = row_kind_name(last->kind);

	if (!last->kind)
		return;
	pass_rows(c, s, last->kind, last->id);
	if (!s->there[last->kind] || row->id != last->id) {
		fault(c, "%s %" PRIu64 " has a history and no row", name, last->id);
		return;
	}
	if (row->rev != last->rev || row->state != last->state)
		fault(c, "%s %" PRIu64 " is %s at rev %" PRIu64 ", its history says %s at rev %" PRIu64, name, row->id,
		    row_state_name(row->kind, row->state), row->rev, row_state_name(last->kind, last->state), last->rev);
	else if (row->code != last->code || row->at_ms != last->at_ms)
		fault(c, "%s %" PRIu64 " has another code or time than the last line of its history", name, row->id);
	advance(c, s, last->kind);
}

/* A second order is recorded in whatever state the attempt is. */
static bool
is_arrow(const struct line *l)
{
	if (l->kind == ROW_ATTEMPT && l->before == l->state && l->code == CODE_SECOND_ORDER)
		return true;
	return move_find(l->kind, l->before, l->state) != NULL;
}

static void
follow(struct check *c, const struct line *l, const struct line *before)
{
	const char *name = row_kind_name(l->kind);

	if (l->rev != before->rev + 1)
		fault(c, "%s %" PRIu64 " goes from rev %" PRIu64 " to %" PRIu64, name, l->id, before->rev, l->rev);
	else if (l->before != before->state)
		fault(c, "%s %" PRIu64 " rev %" PRIu64 " leaves %s, but was %s", name, l->id, l->rev,
		    row_state_name(l->kind, l->before), row_state_name(l->kind, before->state));
	if (!is_arrow(l))
		fault(c, "%s %" PRIu64 " rev %" PRIu64 ": no move leads from %s to %s", name, l->id, l->rev,
		    row_state_name(l->kind, l->before), row_state_name(l->kind, l->state));
}

static void
check_histories(struct check *c)
{
	static const struct line none;
	struct side s = { .q = { NULL } };
	struct line last = none;
	struct sql_stmt *q = ask(c, "SELECT kind,id,rev,after,code,at_ms,before FROM history ORDER BY kind,id,rev");

	open_side(c, &s);
	while (next(c, q)) {
		struct line l = { sql_u64(q, 0), sql_u64(q, 1), sql_u64(q, 2), sql_u64(q, 3), sql_u64(q, 4), sql_u64(q, 5),
		    sql_u64(q, 6) };
		c->nhistory++;
		if (l.kind == 0 || l.kind >= ROW_KINDS) {
			fault(c, "history of kind %" PRIu64 " id %" PRIu64, l.kind, l.id);
			continue;
		}
		bool same = l.kind == last.kind && l.id == last.id;
		if (!same)
			end_path(c, &s, &last);
		follow(c, &l, same ? &last : &none);
		last = l;
	}
	end_path(c, &s, &last);
	for (uint64_t kind = ROW_WORK; kind < ROW_KINDS; kind++) {
		pass_rows(c, &s, kind, UINT64_MAX);
		sql_finish(&s.q[kind]);
	}
	sql_finish(&q);
}

/* What another release wrote may mean other things than what is looked for here. */
static void
check_version(struct check *c)
{
	uint64_t version = schema_version(c->sql);

	if (version != schema_newest)
		fault(c, "the store has version %" PRIu64 ", this release knows %" PRIu64, version, schema_newest);
}

/* --- what a query can find: each row of its answer is a fault --- */

static const char *const queries[] = {
	/* money */
	"SELECT printf('the entries of kind %d id %d rev %d add up to %d', kind, id, rev, sum(micro)) FROM entry"
	" GROUP BY kind, id, rev HAVING sum(micro) <> 0",
	"SELECT printf('entry %d belongs to no line of the history', n) FROM entry e WHERE NOT EXISTS"
	" (SELECT 1 FROM history h WHERE h.kind=e.kind AND h.id=e.id AND h.rev=e.rev)",
	"SELECT printf('entry %d has no account', n) FROM entry WHERE account NOT IN (SELECT id FROM account)",
	"SELECT printf('account %s: kept sum %d, entries say %d', a.name, a.micro, coalesce(s.micro, 0)) FROM account a"
	" LEFT JOIN (SELECT account, sum(micro) AS micro FROM entry WHERE n <= (SELECT value FROM meta WHERE name='summed')"
	" GROUP BY account) AS s ON s.account=a.id WHERE a.micro <> coalesce(s.micro, 0)",
	"SELECT printf('work %d: its providers were owed %d times', a.work, count(*)) FROM entry e"
	" JOIN account c ON c.id=e.account JOIN attempt a ON a.id=e.id WHERE e.kind=:attempt AND e.micro > 0"
	" AND c.name LIKE 'owed:%' GROUP BY a.work HAVING count(*) > 1",
	"SELECT printf('attempt %d is owed %d, its entries say %d', a.id, coalesce(a.owed, 0), coalesce(s.micro, 0))"
	" FROM attempt a LEFT JOIN (SELECT e.id, sum(e.micro) AS micro FROM entry e JOIN account c ON c.id=e.account"
	" WHERE e.kind=:attempt AND e.micro > 0 AND c.name LIKE 'owed:%' GROUP BY e.id) AS s ON s.id=a.id"
	" WHERE coalesce(a.owed, 0) <> coalesce(s.micro, 0)",
	"SELECT printf('attempt %d is accepted at %d, and its provider is owed %d', id, coalesce(price, 0), coalesce(owed, 0))"
	" FROM attempt WHERE state=:accepted AND coalesce(owed, 0) <> coalesce(price, 0)",
	"SELECT printf('%s is %d, the prices of open attempts add up to %d', c.name, coalesce(s.micro, 0),"
	" coalesce(p.price, 0)) FROM account c LEFT JOIN (SELECT account, sum(micro) AS micro FROM entry GROUP BY account)"
	" AS s ON s.account=c.id LEFT JOIN (SELECT 'reserved:' || w.chain AS name, sum(a.price) AS price FROM attempt a"
	" CROSS JOIN work w ON w.id=a.work WHERE a.state < :end GROUP BY w.chain) AS p ON p.name=c.name"
	" WHERE c.name LIKE 'reserved:%' AND coalesce(s.micro, 0) <> coalesce(p.price, 0)",
	/* bought and paid once */
	"SELECT printf('work %d has %d accepted attempts', work, count(*)) FROM attempt WHERE state=:accepted"
	" GROUP BY work HAVING count(*) > 1",
	"SELECT printf('job %d is submitted, its work %d has no accepted attempt', id, work) FROM job"
	" WHERE state=:submitted AND work NOT IN (SELECT work FROM attempt WHERE state=:accepted)",
	"SELECT printf('work %d has %d open attempts that nothing allows', work, count(*)) FROM attempt"
	" WHERE state <= :proved AND coalesce(allow, '') = '' GROUP BY work HAVING count(*) > 1",
	"SELECT printf('uuid %s of chain %s is the name of %d jobs', j.uuid, w.chain, count(*)) FROM job j"
	" CROSS JOIN work w ON w.id=j.work GROUP BY w.chain, j.uuid HAVING count(*) > 1",
	/* who names whom */
	"SELECT printf('job %d: work %d is not there', id, work) FROM job WHERE work NOT IN (SELECT id FROM work)",
	"SELECT printf('attempt %d: work %d is not there', id, work) FROM attempt WHERE work NOT IN (SELECT id FROM work)",
	"SELECT printf('job %d is open, its work %d has ended', j.id, w.id) FROM job j CROSS JOIN work w ON w.id=j.work"
	" WHERE j.state < :end AND w.state >= :end",
	"SELECT printf('attempt %d is open, its work %d has ended', a.id, w.id) FROM attempt a CROSS JOIN work w"
	" ON w.id=a.work WHERE a.state < :end AND w.state >= :end",
	"SELECT printf('work %d says that attempt %d is open', w.id, w.open) FROM work w LEFT JOIN attempt a ON a.id=w.open"
	" WHERE w.open <> 0 AND (a.id IS NULL OR a.work <> w.id OR a.state > :proved) AND w.state < :end",
	"SELECT printf('work %d says that it keeps the proof of attempt %d', w.id, w.kept) FROM work w LEFT JOIN attempt a"
	" ON a.id=w.kept WHERE w.kept <> 0 AND (a.id IS NULL OR a.work <> w.id OR"
	" a.state NOT IN (:verified, :uncle, :accepted)) AND w.state < :end",
	"SELECT printf('identity %d holds job %d, which has ended or is not there', i.id, i.job) FROM identity i"
	" LEFT JOIN job j ON j.id=i.job WHERE i.job <> 0 AND (j.id IS NULL OR j.state >= :end OR j.identity <> i.identity)",
	/* the file itself */
	"SELECT 'sqlite: ' || quick_check FROM pragma_quick_check(20) WHERE quick_check <> 'ok'",
};

static void
check_queries(struct check *c)
{
	for (size_t i = 0; i < NELEM(queries); i++) {
		struct sql_stmt *q = ask(c, queries[i]);
		while (next(c, q))
			fault_text(c, sql_text(q, 0));
		sql_finish(&q);
	}
	struct sql_stmt *n = ask(c, "SELECT count(*) FROM entry");
	c->nentries = next(c, n) ? sql_u64(n, 0) : 0;
	sql_finish(&n);
}

/* --- blobs that open works need --- */

static const struct { const char *what, *text; } blob_queries[] = {
	{ "body of work", "SELECT id, body_blob, body_bytes FROM work WHERE state < :end AND body IS NULL AND body_bytes > 0" },
	{ "input of work", "SELECT id, input_blob, input_bytes FROM work WHERE state < :end" },
	{ "proof of attempt", "SELECT id, proof_blob, proof_bytes FROM attempt WHERE proof IS NULL AND work IN"
	    " (SELECT id FROM work WHERE state < :end)" },
};

static void
check_blob(struct check *c, const char *what, struct sql_stmt *q)
{
	struct span hash = sql_blob(q, 1);
	uint64_t bytes = 0;
	struct buf hex = { 0 };

	num_put_hex(&hex, hash);
	if (!blob_have(c->blobs, hash.p, &bytes))
		fault(c, "%s %" PRIu64 ": blob %s is missing", what, sql_u64(q, 0), buf_cstr(&hex));
	else if (!sql_is_null(q, 2) && bytes != sql_u64(q, 2))
		fault(c, "%s %" PRIu64 ": blob %s has %" PRIu64 " bytes", what, sql_u64(q, 0), buf_cstr(&hex), bytes);
	c->nblobs++;
	buf_free(&hex);
}

static void
check_blobs(struct check *c, const char *dir)
{
	struct stat st;

	if (stat(dir, &st) != 0 || !(c->blobs = blob_open(dir))) {	/* blob_open would make it */
		fault(c, "blobs directory %s: %s", dir, strerror(errno));
		return;
	}
	for (size_t i = 0; i < NELEM(blob_queries); i++) {
		struct sql_stmt *q = ask(c, blob_queries[i].text);
		while (next(c, q))
			if (sql_blob(q, 1).n == HASH_BYTES)
				check_blob(c, blob_queries[i].what, q);
		sql_finish(&q);
	}
	blob_close(&c->blobs);
}

int
check_store(struct sql *sql, const char *blobs_dir, struct buf *json)
{
	struct check c = { .sql = sql };

	bool begun = sql_run(sql, "BEGIN") == SQL_DONE;
	check_version(&c);
	check_histories(&c);
	check_queries(&c);
	if (blobs_dir)
		check_blobs(&c, blobs_dir);
	if (begun)
		sql_run(sql, "COMMIT");
	buf_printf(json, "{\"ok\":%s,\"checked\":{\"rows\":%" PRIu64 ",\"history\":%" PRIu64 ",\"entries\":%" PRIu64
	    ",\"blobs\":%" PRIu64 "},\"nerrors\":%" PRIu64 ",\"errors\":[", c.nerrors ? "false" : "true",
	    c.nrows, c.nhistory, c.nentries, c.nblobs, c.nerrors);
	buf_put(json, c.errors.p, c.errors.n);
	buf_puts(json, "]}");
	buf_free(&c.errors);
	return c.trouble ? -1 : c.nerrors == 0;
}
