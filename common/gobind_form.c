/* gobind_form.c - a form as JSON.  See gobind_form.h. */
#include "common/gobind_form.h"

#include "common/num.h"

enum { FORM_MAX = 10 << 20 };		/* Go's server reads no longer ones */

struct form {
	struct span	 text;
	struct buf	*json, *why;
	struct buf	 name, value;	/* without escapes */
};

bool
gobind_is_form(const char *content_type)
{
	static const char form[] = "application/x-www-form-urlencoded";

	return content_type && strcspn(content_type, " ;") == sizeof form - 1 &&
	    strncasecmp(content_type, form, sizeof form - 1) == 0;
}

/* The next name=value. */
static bool
take_pair(struct span *rest, struct span *name, struct span *value)
{
	const uint8_t *end = rest->n ? memchr(rest->p, '&', rest->n) : NULL;
	size_t n = end ? (size_t)(end - rest->p) : rest->n;
	const uint8_t *is = n ? memchr(rest->p, '=', n) : NULL;

	if (!rest->n)
		return false;
	*name = (struct span){ rest->p, is ? (size_t)(is - rest->p) : n };
	*value = (struct span){ is ? is + 1 : rest->p + n, is ? n - name->n - 1 : 0 };
	*rest = (struct span){ rest->p + n + (end != NULL), rest->n - n - (end != NULL) };
	return true;
}

static bool
unescape(struct span s, struct buf *out, struct buf *why)
{
	uint8_t c;

	buf_reset(out);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '%') {
			buf_putc(out, s.p[i] == '+' ? ' ' : s.p[i]);
		} else if (s.n - i > 2 && num_hex((struct span){ s.p + i + 1, 2 }, false, &c, 1)) {
			buf_putc(out, c);
			i += 2;
		} else {
			buf_printf(why, "invalid URL escape \"%.*s\"", (int)MIN2(s.n - i, 3), (const char *)s.p + i);
			return false;
		}
	}
	return true;
}

/* The whole of it, as Go does before it looks for members. */
static bool
is_sound(struct form *f)
{
	struct span rest = f->text, name, value;

	if (f->text.n > FORM_MAX) {
		buf_puts(f->why, "http: POST too large");
		return false;
	}
	while (take_pair(&rest, &name, &value)) {
		if ((name.n && memchr(name.p, ';', name.n)) || (value.n && memchr(value.p, ';', value.n))) {
			buf_puts(f->why, "invalid semicolon separator in query");
			return false;
		}
		if (!unescape(name, &f->name, f->why) || !unescape(value, &f->value, f->why))
			return false;
	}
	return true;
}

/* values to JSON */

static bool
put_str(struct form *f)
{
	buf_putc(f->json, '"');
	for (size_t i = 0; i < f->value.n; i++) {
		uint8_t c = f->value.p[i];
		if (c < 0x20)
			buf_printf(f->json, "\\u%04x", c);
		else if (c == '"' || c == '\\')
			buf_printf(f->json, "\\%c", c);
		else
			buf_putc(f->json, c);
	}
	buf_putc(f->json, '"');
	return true;
}

static bool
not_parsed(struct form *f, const char *function)
{
	buf_printf(f->why, "strconv.%s: parsing \"%s\": invalid syntax", function, buf_cstr(&f->value));
	return false;
}

static bool
put_int(struct form *f)
{
	struct span s = SPAN_OF(&f->value);
	bool negative = s.n && s.p[0] == '-';
	uint64_t v = 0;

	if (s.n && !num_u64((struct span){ s.p + negative, s.n - negative }, &v))
		return not_parsed(f, "ParseInt");
	if (v > (uint64_t)INT64_MAX + negative)
		return not_parsed(f, "ParseInt");
	buf_printf(f->json, "%s%" PRIu64, negative ? "-" : "", v);
	return true;
}

static bool
put_uint_to(struct form *f, uint64_t max)
{
	uint64_t v = 0;

	if ((f->value.n && !num_u64(SPAN_OF(&f->value), &v)) || v > max)
		return not_parsed(f, "ParseUint");
	buf_printf(f->json, "%" PRIu64, v);
	return true;
}

static bool put_uint(struct form *f) { return put_uint_to(f, UINT64_MAX); }
static bool put_byte(struct form *f) { return put_uint_to(f, UINT8_MAX); }

static bool
put_bool(struct form *f)
{
	static const struct { const char *word; bool is; } words[] = {
		{ "", false }, { "0", false }, { "f", false }, { "F", false }, { "FALSE", false }, { "false", false }, { "False", false },
		{ "1", true }, { "t", true }, { "T", true }, { "TRUE", true }, { "true", true }, { "True", true },
	};

	for (size_t i = 0; i < NELEM(words); i++)
		if (span_is(SPAN_OF(&f->value), words[i].word)) {
			buf_puts(f->json, words[i].is ? "true" : "false");
			return true;
		}
	return not_parsed(f, "ParseBool");
}

static const struct { bool (*put)(struct form *); bool many; } kinds[] = {
	[GOBIND_STR] = { put_str, false }, [GOBIND_INT] = { put_int, false }, [GOBIND_UINT] = { put_uint, false },
	[GOBIND_BYTE] = { put_byte, false }, [GOBIND_BOOL] = { put_bool, false }, [GOBIND_INTS] = { put_int, true },
	[GOBIND_BYTES] = { put_byte, true }, [GOBIND_STRS] = { put_str, true },
};

/* *any: something stands there before it. */
static void
put_name(struct form *f, const char *name, bool *any)
{
	buf_printf(f->json, "%s\"%s\":", *any ? "," : "", name);
	*any = true;
}

static bool
put_field(struct form *f, const struct gobind_field *field, bool *any)
{
	struct span rest = f->text, name, value;
	bool many = kinds[field->kind].many, good = true;
	size_t n = 0;

	while (good && (many || !n) && take_pair(&rest, &name, &value)) {
		if (!unescape(name, &f->name, f->why) || !span_is(SPAN_OF(&f->name), field->name))
			continue;
		if (n++ == 0)
			put_name(f, field->name, any);
		if (many)
			buf_putc(f->json, n == 1 ? '[' : ',');
		good = unescape(value, &f->value, f->why) && kinds[field->kind].put(f);
	}
	if (many && n)
		buf_putc(f->json, ']');
	return good;
}

static bool
put_object(struct form *f, const struct gobind_type *type)
{
	bool any = false, good = true;

	buf_putc(f->json, '{');
	for (size_t i = 0; good && i < type->nfields; i++) {
		const struct gobind_field *field = &type->fields[i];
		if (field->object)
			put_name(f, field->name, &any);
		good = field->object ? put_object(f, field->object) :
		    field->kind >= NELEM(kinds) || put_field(f, field, &any);
	}
	buf_putc(f->json, '}');
	return good;
}

bool
gobind_form(struct span form, const struct gobind_type *type, struct buf *json, struct buf *why)
{
	struct form f = { .text = form, .json = json, .why = why };
	bool good = is_sound(&f) && put_object(&f, type);

	buf_free(&f.name);
	buf_free(&f.value);
	return good;
}
