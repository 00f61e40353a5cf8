/* json.c - see json.h.
 *
 * A struct json is a json_t under another name.  jansson nests up to 2048
 * levels by recursion, so depth is counted before it sees the text; its
 * integers are 64 bits with a sign, larger ones are refused. */
#include "common/json.h"

#include "common/diag.h"

#include <jansson.h>

/* Macros of jansson; functions of ours. */
#undef json_is_object
#undef json_is_array
#undef json_is_null
#undef json_is_string

enum { DEPTH_MAX = 64, WHY_BYTES = 128 };

static const json_t *
in(const struct json *j)
{
	return (const json_t *)(const void *)j;
}

static const struct json *
ours(const json_t *j)
{
	return (const struct json *)(const void *)j;
}

static bool
too_deep(struct span s)
{
	unsigned depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		if (quoted) {
			i += c == '\\';
			quoted = c != '"';
		} else if (c == '"') {
			quoted = true;
		} else if (c == '{' || c == '[') {
			if (++depth > DEPTH_MAX)
				return true;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return false;
}

struct json *
json_parse(struct span s, size_t max, char *why)
{
	char unused[WHY_BYTES];
	json_error_t error;

	if (!why)
		why = unused;
	if (s.n > max) {
		snprintf(why, WHY_BYTES, "%zu bytes, more than %zu", s.n, max);
		return NULL;
	}
	if (too_deep(s)) {
		snprintf(why, WHY_BYTES, "nested deeper than %d", DEPTH_MAX);
		return NULL;
	}
	json_t *j = json_loadb(s.n ? (const char *)s.p : "", s.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	if (!j)
		snprintf(why, WHY_BYTES, "byte %d: %.100s", error.position, error.text);
	return (struct json *)(void *)j;
}

void
json_free(struct json **j)
{
	json_decref((json_t *)(void *)*j);
	*j = NULL;
}

const struct json *
json_get(const struct json *object, const char *name)
{
	return ours(json_object_get(in(object), name));
}

const struct json *
json_at(const struct json *array, size_t i)
{
	return ours(json_array_get(in(array), i));
}

size_t
json_size(const struct json *array)
{
	return json_array_size(in(array));
}

static bool
is(const struct json *j, json_type type)
{
	return j && json_typeof(in(j)) == type;
}

bool
json_is_object(const struct json *j)
{
	return is(j, JSON_OBJECT);
}

bool
json_is_array(const struct json *j)
{
	return is(j, JSON_ARRAY);
}

bool
json_is_null(const struct json *j)
{
	return !j || is(j, JSON_NULL);
}

bool
json_is_string(const struct json *j)
{
	return is(j, JSON_STRING);
}

struct span
json_text(const struct json *j)
{
	if (!is(j, JSON_STRING))
		return (struct span){ NULL, 0 };
	return (struct span){ (const uint8_t *)json_string_value(in(j)), json_string_length(in(j)) };
}

struct span
json_str(const struct json *object, const char *name)
{
	return json_text(json_get(object, name));
}

bool
json_i64(const struct json *j, int64_t *out)
{
	if (!is(j, JSON_INTEGER))
		return false;
	*out = json_integer_value(in(j));
	return true;
}

bool
json_u64(const struct json *j, uint64_t *out)
{
	int64_t v;

	if (!json_i64(j, &v) || v < 0)
		return false;
	*out = (uint64_t)v;
	return true;
}

bool
json_bool(const struct json *j)
{
	return is(j, JSON_TRUE);
}

bool
json_bool_is(const struct json *j, bool want)
{
	return is(j, want ? JSON_TRUE : JSON_FALSE);
}

bool
json_same(const struct json *a, const struct json *b)
{
	return json_equal(in(a), in(b));
}

void
json_each(const struct json *object, void (*fn)(void *, const char *, const struct json *), void *arg)
{
	/* jansson iterates over what it does not change, but asks for it without const */
	json_t *o = (json_t *)(uintptr_t)in(object);

	for (void *it = json_object_iter(o); it; it = json_object_iter_next(o, it))
		fn(arg, json_object_iter_key(it), ours(json_object_iter_value(it)));
}

/* Length of the well-formed UTF-8 sequence at p (RFC 3629, section 4), 0 when it is none. */
static size_t
utf8_length(const uint8_t *p, size_t n)
{
	static const struct { uint8_t from, to, low, high, length; } forms[] = {
		{ 0x00, 0x7f, 0, 0, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < NELEM(forms); i++) {
		if (*p < forms[i].from || *p > forms[i].to)
			continue;
		size_t length = forms[i].length;
		if (length > n || (length > 1 && (p[1] < forms[i].low || p[1] > forms[i].high)))
			return 0;
		for (size_t k = 2; k < length; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return length;
	}
	return 0;
}

/* The two-letter escape of c; 0: it has none. */
static char
short_escape(uint8_t c)
{
	static const char pairs[] = "\"\"\\\\\nn\rr\tt";

	for (const char *p = pairs; *p; p += 2)
		if ((uint8_t)*p == c)
			return p[1];
	return 0;
}

/* U+2028 and U+2029, which Go escapes always. */
static bool
line_separator(const uint8_t *p, size_t length)
{
	return length == 3 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] | 1) == 0xa9;
}

void
json_put_str(struct buf *b, struct span s, bool go)
{
	buf_putc(b, '"');
	for (size_t i = 0; i < s.n; ) {
		const uint8_t *p = s.p + i;
		size_t length = utf8_length(p, s.n - i);
		char letter = short_escape(*p);
		if (length == 0)
			buf_puts(b, "\\ufffd");
		else if (letter)
			buf_printf(b, "\\%c", letter);
		else if (*p < 0x20 || (go && (*p == '<' || *p == '>' || *p == '&')))
			buf_printf(b, "\\u%04x", *p);
		else if (go && line_separator(p, length))
			buf_printf(b, "\\u202%d", p[2] & 15);
		else
			buf_put(b, p, length);
		i += MAX2(length, (size_t)1);
	}
	buf_putc(b, '"');
}

static int
append(const char *text, size_t n, void *b)
{
	buf_put(b, text, n);
	return 0;
}

void
json_put(struct buf *b, const struct json *j)
{
	if (!j)
		buf_puts(b, "null");
	else if (json_dump_callback(in(j), append, b, JSON_COMPACT | JSON_ENCODE_ANY) != 0)
		bug("a JSON value that cannot be written");
}
