/* sqlrow.c - rows of rows.h as rows of tables.  See sqlrow.h. */
#include "cmd/ledger/sqlrow.h"

static uint64_t
columns_of(uint64_t kind)
{
	return store_columns(kind) & ~BIT(kind);
}

void
sqlrow_each(uint64_t kind, void (*fn)(void *, const struct field *), void *arg)
{
	for (size_t i = 0; i < row_nfields; i++)
		if ((columns_of(kind) >> row_fields[i].key) & 1)
			fn(arg, &row_fields[i]);
}

const char *
sqlrow_type(const struct field *f)
{
	static const char *const types[] = {
		[FIELD_U64] = "INTEGER", [FIELD_TEXT] = "TEXT", [FIELD_BIN] = "BLOB", [FIELD_HASH] = "BLOB",
	};

	return types[f->type];
}

struct list { struct buf *out; const char *prefix; int n; };

static void
add_column(void *arg, const struct field *f)
{
	struct list *l = arg;

	buf_printf(l->out, "%s%s%s", l->n++ ? "," : "", l->prefix, f->name);
}

int
sqlrow_list(struct buf *out, uint64_t kind, const char *prefix)
{
	struct list l = { out, prefix, 0 };

	sqlrow_each(kind, add_column, &l);
	return l.n;
}

static void
put_field(struct sql_stmt *s, int at, const struct field *f, const void *value)
{
	switch (f->type) {
	case FIELD_U64:
		sql_put_u64(s, at, *(const uint64_t *)value);
		break;
	case FIELD_TEXT:
		sql_put_text(s, at, *(const struct span *)value);
		break;
	case FIELD_BIN:
		sql_put_blob(s, at, *(const struct span *)value);
		break;
	case FIELD_HASH:
		sql_put_blob(s, at, (struct span){ value, HASH_BYTES });
		break;
	}
}

void
sqlrow_put(struct sql_stmt *s, const struct row *row, uint64_t mask)
{
	uint64_t columns = columns_of(row->kind);
	int at = 0;

	mask &= row->have;
	for (size_t i = 0; i < row_nfields; i++) {
		const struct field *f = &row_fields[i];
		if (!((columns >> f->key) & 1))
			continue;
		if ((mask >> f->key) & 1)
			put_field(s, ++at, f, (const char *)row + f->off);
		else
			sql_put_null(s, ++at);
	}
}

static bool
get_field(struct sql_stmt *s, int column, const struct field *f, void *value)
{
	struct span bytes;

	switch (f->type) {
	case FIELD_U64:
		*(uint64_t *)value = sql_u64(s, column);
		return true;
	case FIELD_TEXT:
		bytes = *(struct span *)value = sql_text(s, column);
		return bytes.n <= f->max;
	case FIELD_BIN:
		bytes = *(struct span *)value = sql_blob(s, column);
		return bytes.n <= f->max;
	case FIELD_HASH:
		bytes = sql_blob(s, column);
		if (bytes.n != HASH_BYTES)
			return false;
		memcpy(value, bytes.p, HASH_BYTES);
		return true;
	}
	return false;
}

bool
sqlrow_get(struct sql_stmt *s, int at, uint64_t kind, struct row *row)
{
	uint64_t columns = columns_of(kind);

	*row = (struct row){ .have = BIT(kind), .kind = kind };
	for (size_t i = 0; i < row_nfields; i++) {
		const struct field *f = &row_fields[i];
		if (!((columns >> f->key) & 1))
			continue;
		int column = at++;
		if (sql_is_null(s, column))
			continue;
		if (!get_field(s, column, f, (char *)row + f->off))
			return false;
		row->have |= UINT64_C(1) << f->key;
	}
	return true;
}
