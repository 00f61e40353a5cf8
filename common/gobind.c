/* gobind.c - JSON as a Go program reads it.  See gobind.h.
 *
 * Two passes: `check` finds the end of the first value and every fault of its
 * syntax; `bind` walks it by the table of the type, and need not look for faults. */
#include "common/gobind.h"

#include "common/num.h"

enum { DEPTH_MAX = 10000 };

struct text {
	const uint8_t	*p, *end;
	struct buf	*why;		/* NULL: nobody asks */
};

/* what Go says */

void
gobind_put_char(struct buf *b, uint8_t c)
{
	static const char named[] = "abtnvfr";	/* 7 to 13 */

	if (c == '\'')
		buf_puts(b, "'\\''");
	else if (c == '\\')
		buf_puts(b, "'\\\\'");
	else if (c >= 7 && c <= 13)
		buf_printf(b, "'\\%c'", named[c - 7]);
	else if (c < 0x20 || c == 0x7f)
		buf_printf(b, "'\\x%02x'", c);
	else if (c < 0x7f)
		buf_printf(b, "'%c'", c);
	else if (c <= 0xa0 || c == 0xad)
		buf_printf(b, "'\\u%04x'", c);
	else
		buf_printf(b, "'%c%c'", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
}

static bool
fault(struct text *t, const char *where)
{
	if (!t->why)
		return false;
	buf_reset(t->why);
	if (t->p == t->end) {
		buf_puts(t->why, "unexpected EOF");
		return false;
	}
	buf_puts(t->why, "invalid character ");
	gobind_put_char(t->why, *t->p);
	buf_printf(t->why, " %s", where);
	return false;
}

size_t
gobind_base64_fault(struct span s, bool url, bool padded)
{
	const char *extra = url ? "-_" : "+/";
	size_t n = 0;

	while (n < s.n && ((s.p[n] >= '0' && s.p[n] <= '9') || ((s.p[n] | 0x20) >= 'a' && (s.p[n] | 0x20) <= 'z') ||
	    s.p[n] == extra[0] || s.p[n] == extra[1]))
		n++;
	if (n == s.n && (padded || n % 4 == 1))
		return n - n % 4;
	return n;
}

/* pass 1: syntax */

static bool
at(const struct text *t, uint8_t c)
{
	return t->p < t->end && *t->p == c;
}

static bool
at_digit(const struct text *t)
{
	return t->p < t->end && *t->p >= '0' && *t->p <= '9';
}

static void
skip_blanks(struct text *t)
{
	while (t->p < t->end && (*t->p == ' ' || *t->p == '\n' || *t->p == '\t' || *t->p == '\r'))
		t->p++;
}

static bool
check_escape(struct text *t)
{
	t->p++;
	if (t->p == t->end || !strchr("\"\\/bfnrtu", *t->p) || !*t->p)
		return fault(t, "in string escape code");
	if (*t->p++ != 'u')
		return true;
	for (int i = 0; i < 4; i++, t->p++) {
		uint8_t c = t->p < t->end ? *t->p : 0;
		if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')))
			return fault(t, "in \\u hexadecimal character escape");
	}
	return true;
}

static bool
check_string(struct text *t)
{
	for (t->p++; ; ) {
		while (t->p < t->end && *t->p >= 0x20 && *t->p != '"' && *t->p != '\\')
			t->p++;
		if (at(t, '\\')) {
			if (!check_escape(t))
				return false;
			continue;
		}
		if (!at(t, '"'))
			return fault(t, "in string literal");
		t->p++;
		return true;
	}
}

static bool
check_digits(struct text *t, const char *where)
{
	if (!at_digit(t))
		return fault(t, where);
	while (at_digit(t))
		t->p++;
	return true;
}

static bool
check_number(struct text *t)
{
	if (at(t, '-'))
		t->p++;
	if (at(t, '0'))
		t->p++;
	else if (!check_digits(t, "in numeric literal"))
		return false;
	if (at(t, '.')) {
		t->p++;
		if (!check_digits(t, "after decimal point in numeric literal"))
			return false;
	}
	if (at(t, 'e') || at(t, 'E')) {
		t->p++;
		if (at(t, '+') || at(t, '-'))
			t->p++;
		return check_digits(t, "in exponent of numeric literal");
	}
	return true;
}

static bool
check_literal(struct text *t, const char *word)
{
	char where[64];

	for (const char *c = word; *c; c++, t->p++)
		if (!at(t, (uint8_t)*c)) {
			snprintf(where, sizeof where, "in literal %s (expecting '%c')", word, *c);
			return fault(t, where);
		}
	return true;
}

static bool
check_scalar(struct text *t)
{
	if (at(t, '"'))
		return check_string(t);
	if (at(t, '-') || at_digit(t))
		return check_number(t);
	if (at(t, 't'))
		return check_literal(t, "true");
	if (at(t, 'f'))
		return check_literal(t, "false");
	if (at(t, 'n'))
		return check_literal(t, "null");
	return fault(t, "looking for beginning of value");
}

static bool
check_key(struct text *t)
{
	skip_blanks(t);
	if (!at(t, '"'))
		return fault(t, "looking for beginning of object key string");
	if (!check_string(t))
		return false;
	skip_blanks(t);
	if (!at(t, ':'))
		return fault(t, "after object key");
	t->p++;
	return true;
}

/* Behind a value: close what ends here.  True with *depth > 0: another value follows. */
static bool
check_after(struct text *t, const uint8_t *closers, size_t *depth)
{
	while (*depth) {
		uint8_t closer = closers[*depth - 1];
		skip_blanks(t);
		if (at(t, ',')) {
			t->p++;
			return closer == ']' || check_key(t);
		}
		if (!at(t, closer))
			return fault(t, closer == ']' ? "after array element" : "after object key:value pair");
		t->p++;
		--*depth;
	}
	return true;
}

/* An opening bracket: true with *open when something is inside. */
static bool
check_open(struct text *t, uint8_t *closers, size_t *depth, bool *open)
{
	uint8_t closer = *t->p == '{' ? '}' : ']';

	if (*depth == DEPTH_MAX)
		return fault(t, "exceeded max depth");
	t->p++;
	skip_blanks(t);
	*open = !at(t, closer);
	if (!*open) {
		t->p++;
		return true;
	}
	closers[(*depth)++] = closer;
	return closer == ']' || check_key(t);
}

static bool
check(struct text *t)
{
	uint8_t closers[DEPTH_MAX];
	size_t depth = 0;

	do {
		bool open = false;
		skip_blanks(t);
		if (at(t, '{') || at(t, '[')) {
			if (!check_open(t, closers, &depth, &open))
				return false;
			if (open)
				continue;
		} else if (!check_scalar(t)) {
			return false;
		}
		if (!check_after(t, closers, &depth))
			return false;
	} while (depth);
	return true;
}

/* pass 2: a text that is known to be good */

static void
skip_string(struct text *t)
{
	for (t->p++; *t->p != '"'; t->p++)
		if (*t->p == '\\')
			t->p++;
	t->p++;
}

/* The value that begins here, as it is written. */
static struct span
take_value(struct text *t)
{
	size_t depth = 0;

	skip_blanks(t);
	const uint8_t *from = t->p;
	do {
		uint8_t c = *t->p;
		if (c == '"') {
			skip_string(t);
			continue;
		}
		depth += c == '{' || c == '[';
		depth -= c == '}' || c == ']';
		t->p++;
		if (!depth && c != '}' && c != ']')
			while (t->p < t->end && !strchr(",]} \t\r\n", *t->p))
				t->p++;
	} while (depth);
	return (struct span){ from, (size_t)(t->p - from) };
}

/* The next element or member: false at the closing bracket (which is passed). */
static bool
take_next(struct text *t)
{
	skip_blanks(t);
	if (at(t, ',')) {
		t->p++;
		skip_blanks(t);
	}
	if (!at(t, ']') && !at(t, '}'))
		return true;
	t->p++;
	return false;
}

static const char *
kind_of(struct span raw)
{
	switch (raw.p[0]) {
	case '{': return "object";
	case '[': return "array";
	case '"': return "string";
	case 't': case 'f': return "bool";
	default: return "number";
	}
}

/* Where we are, for Go's words; the first fault is the one that is told. */
struct place {
	const struct gobind_type *type;		/* innermost struct */
	char			 path[128];	/* "message.prover_types" */
	struct buf		*why;
	bool			 failed;
};

static void
mismatch(struct place *at_, struct span raw, bool with_number, const char *prefix, const char *type)
{
	if (at_->failed)
		return;
	at_->failed = true;
	if (!at_->why)
		return;
	buf_reset(at_->why);
	buf_printf(at_->why, "json: cannot unmarshal %s", kind_of(raw));
	if (with_number)
		buf_printf(at_->why, " %.*s", SPAN_ARG(raw));
	if (at_->path[0])
		buf_printf(at_->why, " into Go struct field %s.%s of type %s%s", at_->type->go_name, at_->path, prefix, type);
	else
		buf_printf(at_->why, " into Go value of type %s%s", prefix, type);
}

static bool
is_int(struct span raw)
{
	bool negative = raw.n && raw.p[0] == '-';
	uint64_t v;

	return num_u64((struct span){ raw.p + negative, raw.n - negative }, &v) &&
	    v <= (uint64_t)INT64_MAX + negative;
}

static bool
is_uint(struct span raw, uint64_t max)
{
	uint64_t v;

	return num_u64(raw, &v) && v <= max;
}

/* One number, boolean or string against its Go type. */
static bool
fits(enum gobind_kind kind, struct span raw)
{
	switch (kind) {
	case GOBIND_STR: case GOBIND_STRS: return raw.p[0] == '"';
	case GOBIND_INT: case GOBIND_INTS: return is_int(raw);
	case GOBIND_UINT: return is_uint(raw, UINT64_MAX);
	case GOBIND_BYTE: case GOBIND_BYTES: return is_uint(raw, UINT8_MAX);
	case GOBIND_BOOL: return raw.p[0] == 't' || raw.p[0] == 'f';
	default: return true;
	}
}

static bool
is_null(struct span raw)
{
	return raw.p[0] == 'n';
}

static void
bind_scalar(struct place *here, const struct gobind_field *f, struct span raw)
{
	bool number = strcmp(kind_of(raw), "number") == 0 && f->kind != GOBIND_STR &&
	    f->kind != GOBIND_STRS && f->kind != GOBIND_BOOL;

	if (!is_null(raw) && !fits(f->kind, raw))
		mismatch(here, raw, number, "", f->go_type);
}

static bool
good_base64(struct span raw)
{
	struct buf bytes = { 0 };
	bool good = raw.p[0] == '"';

	if (good) {
		gobind_bytes(raw, &bytes);
		good = bytes.n || raw.n == 2;
	}
	buf_free(&bytes);
	return good;
}

static void
bind_base64(struct place *here, struct span raw)
{
	struct buf text = { 0 };

	if (!good_base64(raw) && !here->failed) {
		here->failed = true;
		gobind_str(raw, &text);
		if (here->why) {
			buf_reset(here->why);
			buf_printf(here->why, "illegal base64 data at input byte %zu",
			    gobind_base64_fault(SPAN_OF(&text), false, true));
		}
	}
	buf_free(&text);
}

static void
bind_array(struct place *here, const struct gobind_field *f, struct span raw)
{
	struct text t = { raw.p + 1, raw.p + raw.n, NULL };

	if (f->kind == GOBIND_BYTES && raw.p[0] == '"') {
		bind_base64(here, raw);
		return;
	}
	if (raw.p[0] != '[') {
		mismatch(here, raw, false, "[]", f->go_type);
		return;
	}
	while (take_next(&t))
		bind_scalar(here, f, take_value(&t));
}

static bool
names(struct span key, const char *name)
{
	struct buf plain = { 0 };
	bool same = key.n == strlen(name) + 2 && strncasecmp((const char *)key.p + 1, name, key.n - 2) == 0;

	if (!same && memchr(key.p, '\\', key.n)) {
		gobind_str(key, &plain);
		same = plain.n == strlen(name) && strncasecmp((const char *)plain.p, name, plain.n) == 0;
	}
	buf_free(&plain);
	return same;
}

static const struct gobind_field *
field_named(const struct gobind_type *type, struct span key)
{
	for (size_t i = 0; i < type->nfields; i++)
		if (names(key, type->fields[i].name))
			return &type->fields[i];
	return NULL;
}

static void bind_object(struct place *, const struct gobind_type *, struct span raw, struct span *values);

static void
bind_field(struct place *here, const struct gobind_field *f, struct span raw, struct span *values)
{
	size_t depth = strlen(here->path);

	snprintf(here->path + depth, sizeof here->path - depth, "%s%s", depth ? "." : "", f->name);
	if (f->kind == GOBIND_OBJECT)
		bind_object(here, f->object, raw, values);
	else if (f->kind == GOBIND_INTS || f->kind == GOBIND_BYTES || f->kind == GOBIND_STRS)
		bind_array(here, f, raw);
	else
		bind_scalar(here, f, raw);
	here->path[depth] = '\0';
	values[f->at] = raw;
}

/* Go names the struct that a member belongs to, and, for a member that should
 * be a struct itself, the type it should have. */
static void
bind_object(struct place *here, const struct gobind_type *type, struct span raw, struct span *values)
{
	const struct gobind_type *outer = here->type;
	struct text t = { raw.p + 1, raw.p + raw.n, NULL };

	if (raw.p[0] != '{') {
		mismatch(here, raw, false, type->package, type->go_name);
		return;
	}
	here->type = type;
	while (take_next(&t)) {
		struct span key = take_value(&t);
		skip_blanks(&t);
		t.p++;
		struct span value = take_value(&t);
		const struct gobind_field *f = field_named(type, key);
		if (f && !is_null(value))
			bind_field(here, f, value, values);
	}
	here->type = outer;
}

static void
clear(const struct gobind_type *type, struct span *values)
{
	for (size_t i = 0; i < type->nfields; i++) {
		values[type->fields[i].at] = (struct span){ 0 };
		if (type->fields[i].object)
			clear(type->fields[i].object, values);
	}
}

/* rest: where the text goes on behind the value. */
static bool
read_value(struct span s, const struct gobind_type *type, struct span *values, struct buf *why, struct text *rest)
{
	struct text t = { s.p, s.p, why };
	struct place here = { .type = type, .why = why };

	clear(type, values);
	if (s.n)
		t.end += s.n;
	skip_blanks(&t);
	if (t.p == t.end) {
		if (why)
			buf_puts(why, "EOF");
		return false;
	}
	struct span value = { t.p, 0 };
	if (!check(&t))
		return false;
	value.n = (size_t)(t.p - value.p);
	*rest = t;
	if (!is_null(value))
		bind_object(&here, type, value, values);
	return !here.failed;
}

bool
gobind_read(struct span s, const struct gobind_type *type, struct span *values, struct buf *why)
{
	struct text rest;

	return read_value(s, type, values, why, &rest);
}

bool
gobind_whole(struct span s, const struct gobind_type *type, struct span *values, struct buf *why)
{
	struct text rest = { 0 };
	bool good = read_value(s, type, values, why, &rest);

	if (rest.p)
		skip_blanks(&rest);
	if (rest.p != rest.end)
		return fault(&rest, "after top-level value");
	if (!good && !rest.p && why && (span_is(SPAN_OF(why), "EOF") || span_is(SPAN_OF(why), "unexpected EOF"))) {
		buf_reset(why);
		buf_puts(why, "unexpected end of JSON input");
	}
	return good;
}

static bool
is_zero(const struct gobind_field *f, struct span raw)
{
	if (!raw.p)
		return true;
	if (f->kind == GOBIND_STR)
		return raw.n == 2;
	return f->kind == GOBIND_INT && gobind_int(raw) == 0;
}

static void
require(const struct gobind_type *type, const char *path, const struct span *values, struct buf *why)
{
	char inner[128];

	for (size_t i = 0; i < type->nfields; i++) {
		const struct gobind_field *f = &type->fields[i];
		snprintf(inner, sizeof inner, "%s.%s", path, f->go_name ? f->go_name : "");
		if (f->object)
			require(f->object, inner, values, why);
		else if (f->required && is_zero(f, values[f->at]))
			buf_printf(why, "%sKey: '%s' Error:Field validation for '%s' failed on the 'required' tag",
			    why->n ? "\n" : "", inner, f->go_name);
	}
}

bool
gobind_require(const struct gobind_type *type, const struct span *values, struct buf *why)
{
	buf_reset(why);
	require(type, type->go_name, values, why);
	return why->n == 0;
}

/* raw texts to values */

static unsigned
hex4(const uint8_t *p)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++)
		v = v << 4 | (unsigned)(p[i] <= '9' ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
	return v;
}

static void
put_utf8(struct buf *b, unsigned c)
{
	if (c < 0x80) {
		buf_putc(b, (int)c);
	} else if (c < 0x800) {
		buf_putc(b, (int)(0xc0 | c >> 6));
		buf_putc(b, (int)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		buf_putc(b, (int)(0xe0 | c >> 12));
		buf_putc(b, (int)(0x80 | (c >> 6 & 0x3f)));
		buf_putc(b, (int)(0x80 | (c & 0x3f)));
	} else {
		buf_putc(b, (int)(0xf0 | c >> 18));
		buf_putc(b, (int)(0x80 | (c >> 12 & 0x3f)));
		buf_putc(b, (int)(0x80 | (c >> 6 & 0x3f)));
		buf_putc(b, (int)(0x80 | (c & 0x3f)));
	}
}

/* p: behind "\u".  A surrogate without its partner becomes U+FFFD.  Returns the end. */
static const uint8_t *
put_unicode(struct buf *b, const uint8_t *p, const uint8_t *end)
{
	unsigned c = hex4(p), low = 0;

	p += 4;
	if (c >= 0xd800 && c < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u')
		low = hex4(p + 2);
	if (low >= 0xdc00 && low < 0xe000) {
		put_utf8(b, 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff));
		return p + 6;
	}
	put_utf8(b, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
	return p;
}

void
gobind_str(struct span raw, struct buf *out)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";

	if (raw.n < 2)
		return;
	const uint8_t *p = raw.p + 1, *end = raw.p + raw.n - 1;
	buf_room(out, raw.n);
	while (p < end) {
		const uint8_t *stop = memchr(p, '\\', (size_t)(end - p));
		if (!stop)
			stop = end;
		buf_put(out, p, (size_t)(stop - p));
		if (stop == end)
			return;
		uint8_t c = stop[1];
		const char *named = c ? strchr(from, c) : NULL;
		p = stop + 2;
		if (c == 'u')
			p = put_unicode(out, p, end);
		else
			buf_putc(out, named ? to[named - from] : c);
	}
}

int64_t
gobind_int(struct span raw)
{
	bool negative = raw.n && raw.p[0] == '-';
	uint64_t v = 0;

	if (!raw.p || !num_u64((struct span){ raw.p + negative, raw.n - negative }, &v))
		return 0;
	return negative ? (int64_t)(0 - v) : (int64_t)v;
}

uint64_t
gobind_uint(struct span raw)
{
	uint64_t v = 0;

	return raw.p && num_u64(raw, &v) ? v : 0;
}

bool
gobind_bool(struct span raw)
{
	return raw.p && raw.p[0] == 't';
}

static void
put_byte(void *arg, struct span element)
{
	buf_putc(arg, (int)gobind_uint(element));
}

static void
put_base64_bytes(struct span raw, struct buf *out)
{
	struct buf text = { 0 }, plain = { 0 };

	gobind_str(raw, &text);
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != '\n' && text.p[i] != '\r')
			buf_putc(&plain, text.p[i]);
	size_t before = out->n;
	if (!num_base64(SPAN_OF(&plain), out))
		out->n = before;
	buf_free(&text);
	buf_free(&plain);
}

void
gobind_bytes(struct span raw, struct buf *out)
{
	if (raw.p && raw.p[0] == '"')
		put_base64_bytes(raw, out);
	else
		gobind_each(raw, put_byte, out);
}

size_t
gobind_each(struct span raw, void (*fn)(void *, struct span), void *arg)
{
	size_t n = 0;

	if (!raw.p || raw.p[0] != '[')
		return 0;
	struct text t = { raw.p + 1, raw.p + raw.n, NULL };
	for (; take_next(&t); n++)
		fn(arg, take_value(&t));
	return n;
}
