/* answer.c - what is asked of the store by people.  See answer.h. */
#include "cmd/ledger/answer.h"

#include "cmd/ledger/check.h"
#include "cmd/ledger/sqlrow.h"
#include "common/json.h"

enum { CUT_BYTES = ANSWER_BYTES / 2, LIMIT = 100, LIMIT_MAX = 1000, WHY_BYTES = 256 };

struct asking {
	struct sql		*sql;
	const char		*blobs_dir;
	const struct json	*request;
	struct buf		*out;
	bool			 cut;		/* a list had no room */
	bool			 failed;	/* the store could not be asked */
};

static void
refuse(struct buf *out, const char *why)
{
	buf_reset(out);
	buf_puts(out, "{\"error\":");
	json_put_str(out, span_str(why), false);
	buf_putc(out, '}');
}

/* The next row of a query; false also when it fails, which is kept in mind. */
static bool
next(struct asking *a, struct sql_stmt *q)
{
	int rc = q ? sql_step(q) : SQL_TROUBLE;

	a->failed |= rc < 0;
	return rc == SQL_ROW;
}

/* A member as a number; `none` when it is absent or no number. */
static uint64_t
number(const struct asking *a, const char *name, uint64_t none)
{
	uint64_t v;

	return json_u64(json_get(a->request, name), &v) ? v : none;
}

static uint64_t
limit(const struct asking *a)
{
	return MIN2(number(a, "limit", LIMIT), (uint64_t)LIMIT_MAX);
}

/* --- rows --- */

/* Fields of its work that a job is listed with; `joined` columns have this order. */
#define JOINED	"w.chain,w.type,w.task,w.fork"

static struct sql_stmt *
select_rows(struct asking *a, uint64_t kind, const char *joined, const char *rest)
{
	struct buf text = { 0 };

	buf_puts(&text, "SELECT ");
	sqlrow_list(&text, kind, "r.");
	buf_printf(&text, "%s FROM %s r %s", joined, row_kind_name(kind), rest);
	struct sql_stmt *q = sql_prepare(a->sql, buf_cstr(&text));
	buf_free(&text);
	return q;
}

/* The row of a statement without its bulky fields; with = columns of JOINED behind its own. */
static bool
read_row(struct sql_stmt *q, uint64_t kind, bool joined, struct row *row)
{
	int at = sql_columns(q) - 4;

	if (!sqlrow_get(q, 0, kind, row))
		return false;
	row->have &= ~(BIT(body) | BIT(proof));
	if (joined) {
		SET(row, chain, sql_text(q, at));
		SET(row, type, sql_u64(q, at + 1));
		SET(row, task, sql_text(q, at + 2));
		SET(row, fork, sql_text(q, at + 3));
	}
	return true;
}

/* "name":[rows], as many as there is room for.  The id of the last one, 0 when the list is whole. */
static uint64_t
put_list(struct asking *a, const char *name, struct sql_stmt *q, uint64_t kind, bool joined)
{
	struct row row;
	uint64_t n = 0, last = 0;

	buf_printf(a->out, "\"%s\":[", name);
	while (next(a, q) && read_row(q, kind, joined, &row)) {
		if ((a->cut |= a->out->n > CUT_BYTES))
			break;
		if (n++)
			buf_putc(a->out, ',');
		row_put_json(a->out, &row);
		last = row.id;
	}
	buf_putc(a->out, ']');
	return a->cut || n == limit(a) ? last : 0;
}

/* One row, owned; NULL when there is none. */
static struct row *
take_row(struct asking *a, struct sql_stmt **q, uint64_t kind, bool joined)
{
	struct row row, *kept = NULL;

	if (next(a, *q) && read_row(*q, kind, joined, &row))
		kept = row_keep(&row);
	sql_finish(q);
	return kept;
}

/* --- jobs --- */

struct range { uint64_t from, to; };

static bool
state_range(struct span name, struct range *r)
{
	*r = (struct range){ 1, UINT8_MAX };
	if (!name.p)
		return true;
	if (span_is(name, "open") || span_is(name, "ended")) {
		*r = name.n == 4 ? (struct range){ 1, STATE_END - 1 } : (struct range){ STATE_END, UINT8_MAX };
		return true;
	}
	for (uint64_t state = 1; state < UINT8_MAX; state++)
		if (span_is(name, row_state_name(ROW_JOB, state)))
			return *r = (struct range){ state, state }, true;
	return false;
}

static bool
type_number(struct span name, uint64_t *type)
{
	*type = 0;
	if (!name.p)
		return true;
	for (uint64_t t = 1; t <= TYPE_MAX; t++)
		if (span_is(name, type_name(t)))
			return *type = t, true;
	return false;
}

static void
put_text_or_null(struct sql_stmt *q, int at, struct span text)
{
	if (text.p)
		sql_put_text(q, at, text);
	else
		sql_put_null(q, at);
}

static void
answer_jobs(struct asking *a)
{
	struct range states;
	uint64_t type;

	if (!state_range(json_str(a->request, "state"), &states)) {
		refuse(a->out, "jobs have no such state");
		return;
	}
	if (!type_number(json_str(a->request, "type"), &type)) {
		refuse(a->out, "there is no such type");
		return;
	}
	struct sql_stmt *q = select_rows(a, ROW_JOB, "," JOINED, "CROSS JOIN work w ON w.id=r.work WHERE r.id < ?1"
	    " AND r.state BETWEEN ?2 AND ?3 AND (?4 IS NULL OR w.chain=?4) AND (?5 = 0 OR w.type=?5)"
	    " ORDER BY r.id DESC LIMIT ?6");
	if (q) {
		sql_put_u64(q, 1, number(a, "after", INT64_MAX));
		sql_put_u64(q, 2, states.from);
		sql_put_u64(q, 3, states.to);
		put_text_or_null(q, 4, json_str(a->request, "chain"));
		sql_put_u64(q, 5, type);
		sql_put_u64(q, 6, limit(a));
	}
	buf_putc(a->out, '{');
	uint64_t last = put_list(a, "jobs", q, ROW_JOB, true);
	if (last)
		buf_printf(a->out, ",\"next\":%" PRIu64, last);
	buf_putc(a->out, '}');
	sql_finish(&q);
}

/* --- one job --- */

static struct row *
find_job(struct asking *a)
{
	struct span uuid = json_str(a->request, "uuid");
	struct sql_stmt *q = select_rows(a, ROW_JOB, "," JOINED, uuid.p ?
	    "CROSS JOIN work w ON w.id=r.work WHERE r.uuid=?1 AND (?2 IS NULL OR w.chain=?2) ORDER BY r.id DESC LIMIT 1" :
	    "JOIN work w ON w.id=r.work WHERE r.id=?1");

	if (q && uuid.p) {
		sql_put_text(q, 1, uuid);
		put_text_or_null(q, 2, json_str(a->request, "chain"));
	} else if (q) {
		sql_put_u64(q, 1, number(a, "id", 0));
	}
	return take_row(a, &q, ROW_JOB, true);
}

static void
put_member(struct buf *out, const char *name, const struct row *row)
{
	buf_printf(out, "\"%s\":", name);
	if (row)
		row_put_json(out, row);
	else
		buf_puts(out, "null");
}

static struct row *
work_of(struct asking *a, const struct row *job)
{
	struct sql_stmt *q = select_rows(a, ROW_WORK, "", "WHERE r.id=?");

	if (q)
		sql_put_u64(q, 1, job->work);
	return take_row(a, &q, ROW_WORK, false);
}

static struct row *
identity_of(struct asking *a, const struct row *job)
{
	struct sql_stmt *q = select_rows(a, ROW_IDENTITY, "", "WHERE r.chain=? AND r.identity=?");

	if (q) {
		sql_put_text(q, 1, job->chain);
		sql_put_u64(q, 2, job->identity);
	}
	return take_row(a, &q, ROW_IDENTITY, false);
}

static void
put_children(struct asking *a, const char *name, uint64_t kind, uint64_t work)
{
	struct sql_stmt *q = select_rows(a, kind, "", "WHERE r.work=? ORDER BY r.id");

	if (q)
		sql_put_u64(q, 1, work);
	buf_putc(a->out, ',');
	put_list(a, name, q, kind, false);
	sql_finish(&q);
}

/* The rows of the story, each line with the name of who asked.  An identity's history is told from the
 * moment that the job was fetched until its end. */
static const char history_of_job[] =
	"SELECT h.at_ms, h.kind, h.id, h.rev, h.before, h.after, h.code, i.name, h.epoch, h.seq FROM ("
	"SELECT * FROM history WHERE kind=2 AND id IN (SELECT id FROM job WHERE work=?2)"
	" UNION ALL SELECT * FROM history WHERE kind=1 AND id=?2"
	" UNION ALL SELECT * FROM history WHERE kind=3 AND id IN (SELECT id FROM attempt WHERE work=?2)"
	" UNION ALL SELECT * FROM history WHERE kind=4 AND id=?3 AND at_ms BETWEEN"
	" (SELECT at_ms FROM history WHERE kind=2 AND id=?1 AND rev=1) AND ?4"
	") AS h LEFT JOIN instance i ON i.id=h.instance ORDER BY h.at_ms, h.rev, h.kind, h.id";
static const char entries_of_job[] =
	"SELECT e.at_ms, e.kind, e.id, e.rev, a.name, e.micro, e.n FROM entry e JOIN account a ON a.id=e.account WHERE"
	" (e.kind=1 AND e.id=?2) OR (e.kind=2 AND e.id=?1) OR (e.kind=3 AND e.id IN (SELECT id FROM attempt WHERE work=?2))"
	" ORDER BY e.n";
_Static_assert(ROW_WORK == 1 && ROW_JOB == 2 && ROW_ATTEMPT == 3 && ROW_IDENTITY == 4, "the texts above say these");

static void
put_line(struct buf *out, struct sql_stmt *q)
{
	uint64_t kind = sql_u64(q, 1);
	struct span who = sql_text(q, 7);

	buf_printf(out, "{\"at_ms\":%" PRIu64 ",\"kind\":\"%s\",\"id\":%" PRIu64 ",\"rev\":%" PRIu64 ",\"from\":\"%s\",\"to\":\"%s\","
	    "\"code\":\"%s\",\"by\":", sql_u64(q, 0), row_kind_name(kind), sql_u64(q, 2), sql_u64(q, 3),
	    row_state_name(kind, sql_u64(q, 4)), row_state_name(kind, sql_u64(q, 5)), code_word(sql_u64(q, 6)));
	json_put_str(out, who.n ? who : SPAN("(ledger)"), false);
	buf_printf(out, ",\"epoch\":%" PRIu64 ",\"seq\":%" PRIu64 "}", sql_u64(q, 8), sql_u64(q, 9));
}

static void
put_entry(struct buf *out, struct sql_stmt *q)
{
	buf_printf(out, "{\"at_ms\":%" PRIu64 ",\"kind\":\"%s\",\"id\":%" PRIu64 ",\"rev\":%" PRIu64 ",\"account\":", sql_u64(q, 0),
	    row_kind_name(sql_u64(q, 1)), sql_u64(q, 2), sql_u64(q, 3));
	json_put_str(out, sql_text(q, 4), false);
	buf_printf(out, ",\"micro\":%" PRId64 "}", (int64_t)sql_u64(q, 5));
}

/* "name":[lines], as many as there is room for. */
static void
put_lines(struct asking *a, const char *name, struct sql_stmt *q, void (*put)(struct buf *, struct sql_stmt *))
{
	buf_printf(a->out, "\"%s\":[", name);
	for (size_t n = 0; next(a, q); n++) {
		if ((a->cut |= a->out->n > ANSWER_BYTES / 8 * 7))
			break;
		if (n)
			buf_putc(a->out, ',');
		put(a->out, q);
	}
	buf_putc(a->out, ']');
}

static void
put_end(struct asking *a)
{
	buf_puts(a->out, a->cut ? ",\"cut\":true}" : "}");
}

static void
put_story(struct asking *a, const struct row *job, const struct row *identity)
{
	struct sql_stmt *history = sql_prepare(a->sql, history_of_job), *entries = sql_prepare(a->sql, entries_of_job);

	if (history && entries) {
		sql_put_u64(history, 1, job->id);
		sql_put_u64(history, 2, job->work);
		sql_put_u64(history, 3, identity ? identity->id : 0);
		sql_put_u64(history, 4, job->state >= STATE_END ? job->at_ms : INT64_MAX);
		sql_put_u64(entries, 1, job->id);
		sql_put_u64(entries, 2, job->work);
		buf_putc(a->out, ',');
		put_lines(a, "history", history, put_line);
		buf_putc(a->out, ',');
		put_lines(a, "entries", entries, put_entry);
	}
	a->failed |= !history || !entries;
	sql_finish(&history);
	sql_finish(&entries);
}

static void
put_job(struct asking *a, bool story)
{
	struct row *job = find_job(a);

	if (!job) {
		refuse(a->out, "there is no such job");
		return;
	}
	struct row *work = work_of(a, job), *identity = identity_of(a, job);
	buf_putc(a->out, '{');
	put_member(a->out, "job", job);
	buf_putc(a->out, ',');
	put_member(a->out, "work", work);
	buf_putc(a->out, ',');
	put_member(a->out, "identity", identity);
	put_children(a, "jobs", ROW_JOB, job->work);
	put_children(a, "attempts", ROW_ATTEMPT, job->work);
	if (story)
		put_story(a, job, identity);
	put_end(a);
	free(job);
	free(work);
	free(identity);
}

static void
answer_job(struct asking *a)
{
	put_job(a, false);
}

static void
answer_explain(struct asking *a)
{
	put_job(a, true);
}

/* --- check, money --- */

static void
answer_check(struct asking *a)
{
	check_store(a->sql, a->blobs_dir, a->out);
}

static void
put_account(struct buf *out, struct sql_stmt *q)
{
	buf_puts(out, "{\"account\":");
	json_put_str(out, sql_text(q, 0), false);
	buf_printf(out, ",\"micro\":%" PRId64 "}", (int64_t)sql_u64(q, 1));
}

static void
put_numbered_entry(struct buf *out, struct sql_stmt *q)
{
	put_entry(out, q);
	out->n--;
	buf_printf(out, ",\"n\":%" PRIu64 "}", sql_u64(q, 6));
}

static void
answer_money(struct asking *a)
{
	struct span account = json_str(a->request, "account");
	struct sql_stmt *q = sql_prepare(a->sql, account.p ?
	    "SELECT e.at_ms, e.kind, e.id, e.rev, a.name, e.micro, e.n FROM account a JOIN entry e ON e.account=a.id"
	    " WHERE a.name=?1 AND e.n < ?2 ORDER BY e.n DESC LIMIT ?3" :
	    "SELECT a.name, a.micro + coalesce(s.micro, 0) FROM account a LEFT JOIN (SELECT account, sum(micro) AS micro"
	    " FROM entry WHERE n > (SELECT value FROM meta WHERE name='summed') GROUP BY account) AS s ON s.account=a.id"
	    " ORDER BY a.name");

	if (q && account.p) {
		sql_put_text(q, 1, account);
		sql_put_u64(q, 2, number(a, "after", INT64_MAX));
		sql_put_u64(q, 3, limit(a));
	}
	buf_putc(a->out, '{');
	put_lines(a, account.p ? "entries" : "accounts", q, account.p ? put_numbered_entry : put_account);
	put_end(a);
	sql_finish(&q);
}

/* --- any --- */

static const struct { const char *what; void (*answer)(struct asking *); } answers[] = {
	{ "jobs", answer_jobs },
	{ "job", answer_job },
	{ "explain", answer_explain },
	{ "check", answer_check },
	{ "money", answer_money },
};

static void
answer(struct asking *a)
{
	struct span what = json_str(a->request, "what");

	for (size_t i = 0; i < NELEM(answers); i++) {
		if (!span_is(what, answers[i].what))
			continue;
		bool begun = sql_run(a->sql, "BEGIN") == SQL_DONE;
		answers[i].answer(a);
		if (a->failed)
			refuse(a->out, sql_why(a->sql));
		if (begun)
			sql_run(a->sql, "COMMIT");
		return;
	}
	refuse(a->out, "what: jobs, job, explain, check, money or status");
}

void
answer_request(struct sql *sql, const char *blobs_dir, struct span request, struct buf *out)
{
	char why[WHY_BYTES] = "";
	struct json *doc = json_parse(request, ASK_BYTES, why);
	struct asking a = { sql, blobs_dir, doc, out, false, false };

	if (!doc)
		refuse(out, why);
	else if (!sql)
		refuse(out, "the ledger has no store that can be asked");
	else
		answer(&a);
	json_free(&doc);
}
