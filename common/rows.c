/* rows.c - the table of fields, owned copies, and rows as JSON lines.  See rows.h. */
#include "common/rows.h"

#include "common/json.h"
#include "common/num.h"

#define U64	FIELD_U64
#define TEXT	FIELD_TEXT
#define BIN	FIELD_BIN
#define HASH	FIELD_HASH
const struct field row_fields[] = {
#define F(key, name, type, max) { key, #name, type, max, offsetof(struct row, name) },
	ROW_FIELDS(F)
#undef F
};
#undef U64
#undef TEXT
#undef BIN
#undef HASH
const size_t row_nfields = NELEM(row_fields);

_Static_assert(KEY_END <= 64, "`have` has one bit per field");

static const char *const kinds[ROW_KINDS] = { "?", "work", "job", "attempt", "identity" };
static const char *const types[TYPE_MAX + 1] = { "?", "chunk", "batch", "bundle" };

static const struct state_name { uint64_t kind, state; const char *name; } states[] = {
	{ ROW_WORK, WORK_OPEN, "open" },
	{ ROW_WORK, WORK_ENDED, "ended" },
	{ ROW_JOB, JOB_FETCHED, "fetched" },
	{ ROW_JOB, JOB_READY, "ready" },
	{ ROW_JOB, JOB_QUEUED, "queued" },
	{ ROW_JOB, JOB_PLACED, "placed" },
	{ ROW_JOB, JOB_SUBMITTING, "submitting" },
	{ ROW_JOB, JOB_SUBMITTED, "submitted" },
	{ ROW_JOB, JOB_LATE, "late" },
	{ ROW_JOB, JOB_GIVEN_UP, "given-up" },
	{ ROW_JOB, JOB_CANCELLED, "cancelled" },
	{ ROW_ATTEMPT, ATTEMPT_ALLOCATED, "allocated" },
	{ ROW_ATTEMPT, ATTEMPT_SENDING, "sending" },
	{ ROW_ATTEMPT, ATTEMPT_PROVING, "proving" },
	{ ROW_ATTEMPT, ATTEMPT_PROVED, "proved" },
	{ ROW_ATTEMPT, ATTEMPT_VERIFIED, "verified" },
	{ ROW_ATTEMPT, ATTEMPT_UNCLE, "uncle" },
	{ ROW_ATTEMPT, ATTEMPT_ACCEPTED, "accepted" },
	{ ROW_ATTEMPT, ATTEMPT_FAILED, "failed" },
	{ ROW_ATTEMPT, ATTEMPT_CANCELLED, "cancelled" },
	{ ROW_ATTEMPT, ATTEMPT_UNCLE_ENDED, "uncle-ended" },
	{ ROW_IDENTITY, IDENTITY_IDLE, "idle" },
	{ ROW_IDENTITY, IDENTITY_HOLDING, "holding" },
	{ ROW_IDENTITY, IDENTITY_RESTING, "resting" },
	{ ROW_IDENTITY, IDENTITY_BLOCKED, "blocked" },
};

const char *
row_kind_name(uint64_t kind)
{
	return kind < ROW_KINDS ? kinds[kind] : "?";
}

const char *
row_state_name(uint64_t kind, uint64_t state)
{
	for (size_t i = 0; i < NELEM(states); i++)
		if (states[i].kind == kind && states[i].state == state)
			return states[i].name;
	return state == 0 ? "-" : "?";
}

const char *
type_name(uint64_t type)
{
	return type <= TYPE_MAX ? types[type] : "?";
}

uint64_t
type_set(const char *words)
{
	uint64_t set = 0;

	for (words += strspn(words, " \t,"); *words; words += strspn(words, " \t,")) {
		struct span word = { (const uint8_t *)words, strcspn(words, " \t,") };
		uint64_t type = TYPE_CHUNK;

		while (type <= TYPE_MAX && !span_is(word, types[type]))
			type++;
		if (type > TYPE_MAX)
			return 0;
		set |= UINT64_C(1) << type;
		words += word.n;
	}
	return set;
}

void
row_merge(struct row *dst, const struct row *src, uint64_t mask)
{
	static const size_t sizes[] = { sizeof(uint64_t), sizeof(struct span), sizeof(struct span), HASH_BYTES };

	mask &= src->have;
	for (size_t i = 0; i < row_nfields; i++) {
		const struct field *f = &row_fields[i];
		if ((mask >> f->key) & 1)
			memcpy((char *)dst + f->off, (const char *)src + f->off, sizes[f->type]);
	}
	dst->have |= mask;
}

static bool
is_span(const struct field *f)
{
	return f->type == FIELD_TEXT || f->type == FIELD_BIN;
}

struct row *
row_keep(const struct row *row)
{
	size_t n = sizeof *row;

	for (size_t i = 0; i < row_nfields; i++)
		if (is_span(&row_fields[i]) && ((row->have >> row_fields[i].key) & 1))
			n += ((const struct span *)((const char *)row + row_fields[i].off))->n;
	struct row *copy = xmalloc(n);
	uint8_t *to = (uint8_t *)(copy + 1);
	*copy = *row;
	for (size_t i = 0; i < row_nfields; i++) {
		if (!is_span(&row_fields[i]) || !((row->have >> row_fields[i].key) & 1))
			continue;
		struct span *s = (struct span *)((char *)copy + row_fields[i].off);
		if (s->n)
			memcpy(to, s->p, s->n);
		s->p = to;
		to += s->n;
	}
	return copy;
}

/* The name of a number: of a kind, state, type, code.  NULL for other fields, and for one that
 * no table here has: it stays a number. */
static const char *
named(const struct row *row, const struct field *f)
{
	const char *name = f->key == KEY_kind ? row_kind_name(row->kind) :
	    f->key == KEY_state ? row_state_name(row->kind, row->state) :
	    f->key == KEY_type ? type_name(row->type) :
	    f->key == KEY_code ? code_word(row->code) : "?";
	bool none = strcmp(name, "?") == 0 || strcmp(name, "-") == 0 || strcmp(name, "unknown") == 0;

	return none ? NULL : name;
}

static void
put_value(struct buf *out, const struct row *row, const struct field *f)
{
	const char *at = (const char *)row + f->off;
	const struct span *s = (const struct span *)at;
	const char *name = named(row, f);

	switch (f->type) {
	case FIELD_U64:
		if (name)
			buf_printf(out, "\"%s\"", name);
		else
			buf_printf(out, "%" PRIu64, *(const uint64_t *)at);
		break;
	case FIELD_TEXT:
		json_put_str(out, *s, false);
		break;
	case FIELD_BIN:
		buf_putc(out, '"');
		num_put_base64(out, *s);
		buf_putc(out, '"');
		break;
	case FIELD_HASH:
		buf_putc(out, '"');
		num_put_hex(out, (struct span){ (const uint8_t *)at, HASH_BYTES });
		buf_putc(out, '"');
		break;
	}
}

void
row_put_json(struct buf *out, const struct row *row)
{
	char sep = '{';

	for (size_t i = 0; i < row_nfields; i++) {
		if (!((row->have >> row_fields[i].key) & 1))
			continue;
		buf_printf(out, "%c\"%s\":", sep, row_fields[i].name);
		put_value(out, row, &row_fields[i]);
		sep = ',';
	}
	buf_puts(out, sep == '{' ? "{}" : "}");
}

static bool
number_of_name(struct row *row, const struct field *f, struct span text, uint64_t *out)
{
	enum code code;

	for (uint64_t i = 1; f->key == KEY_kind && i < ROW_KINDS; i++)
		if (span_is(text, kinds[i]))
			return *out = i, true;
	for (uint64_t i = 1; f->key == KEY_type && i <= TYPE_MAX; i++)
		if (span_is(text, types[i]))
			return *out = i, true;
	for (size_t i = 0; f->key == KEY_state && i < NELEM(states); i++)
		if (states[i].kind == row->kind && span_is(text, states[i].name))
			return *out = states[i].state, true;
	for (size_t i = 0; f->key == KEY_code && code_nth(i, &code); i++)
		if (span_is(text, code_word(code)))
			return *out = code, true;
	return false;
}

/* Bytes decoded for the row live in `own` until row_keep has copied them. */
static bool
read_value(struct row *row, const struct field *f, const struct json *value, struct buf *own)
{
	char *at = (char *)row + f->off;
	struct span text = json_text(value);

	switch (f->type) {
	case FIELD_U64:
		return json_u64(value, (uint64_t *)at) ||
		    (text.p && number_of_name(row, f, text, (uint64_t *)at));
	case FIELD_TEXT:
		if (!text.p || text.n > f->max || (text.n && memchr(text.p, 0, text.n)))
			return false;
		*(struct span *)at = text;
		return true;
	case FIELD_BIN:
		if (!text.p || !num_base64(text, own) || own->n > f->max)
			return false;
		*(struct span *)at = SPAN_OF(own);
		return true;
	case FIELD_HASH:
		return text.p && num_hex(text, false, (uint8_t *)at, HASH_BYTES);
	}
	return false;
}

struct row *
row_from_json(struct span line, char *why)
{
	struct json *doc = json_parse(line, 1 << 20, why);
	struct buf own[2] = { { 0 }, { 0 } };	/* the two BIN fields */
	struct row row = { 0 }, *kept = NULL;
	size_t nbin = 0;

	if (!doc)
		return NULL;
	if (!json_is_object(doc)) {
		snprintf(why, 128, "not an object");
		goto out;
	}
	for (size_t i = 0; i < row_nfields; i++) {
		const struct field *f = &row_fields[i];
		const struct json *value = json_get(doc, f->name);
		if (!value)
			continue;
		if (!read_value(&row, f, value, &own[f->type == FIELD_BIN ? nbin++ : 0])) {
			snprintf(why, 128, "member %s has the wrong form", f->name);
			goto out;
		}
		row.have |= UINT64_C(1) << f->key;
	}
	kept = row_keep(&row);
out:
	buf_free(&own[0]);
	buf_free(&own[1]);
	json_free(&doc);
	return kept;
}
