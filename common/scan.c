/* scan.c - see scan.h.
 *
 * One function per state; each takes bytes from p, moves p on or changes the state, and
 * returns where it stopped.  Nearly all bytes of a trace are inside strings: those are
 * skipped sixteen (SSE2) or eight at a time. */
#include "common/scan.h"

#include "common/diag.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum state { S_START, S_VALUE, S_FIRST, S_NAME, S_NAME_FIRST, S_COLON, S_NEXT, S_STRING, S_ESCAPE, S_NUMBER, S_WORD, S_WHOLE, S_BAD };

#define ONES	UINT64_C(0x0101010101010101)
#define HIGHS	UINT64_C(0x8080808080808080)

static const uint8_t *
bad(struct scan *s, const uint8_t *end)
{
	s->state = S_BAD;
	return end;
}

static const uint8_t *
skip_blanks(const uint8_t *p, const uint8_t *end)
{
	if (p < end && *p > ' ')
		return p;
	for (;;) {
		for (uint64_t w; end - p >= 8; p += 8) {
			memcpy(&w, p, 8);
			if (w != ONES * ' ')
				break;
		}
		if (p == end || (*p != ' ' && *p != '\n' && *p != '\t' && *p != '\r'))
			return p;
		p++;
	}
}

static uint64_t
offset_of(const struct scan *s, const uint8_t *p)
{
	return s->at + (uint64_t)(p - s->piece);
}

static bool
in_object(const struct scan *s)
{
	uint32_t level = s->depth - 1;

	return (s->stack[level / 64] >> level % 64) & 1;
}

/* ---- paths ---- */

/* Paths that are looked for among the members at this depth. */
static uint32_t
live_here(const struct scan *s)
{
	return s->depth <= SCAN_DEPTH ? s->live[s->depth] : 0;
}

/* Part `depth` (from 1) of a path, which has it. */
static struct span
path_part(const char *path, uint32_t depth, bool *last)
{
	const char *dot;

	while ((dot = strchr(path, '.')) && --depth > 0)
		path = dot + 1;
	*last = !dot;
	return (struct span){ (const uint8_t *)path, dot ? (size_t)(dot - path) : strlen(path) };
}

/* A name has been read: which paths does it end, which does it continue? */
static bool
match_name(struct scan *s)
{
	struct span name = { (const uint8_t *)s->name, s->nname };

	for (uint32_t left = live_here(s); left; left &= left - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(left);
		bool last;
		if (!span_eq(path_part(s->paths[i], s->depth, &last), name))
			continue;
		if (last && s->hits[i].first)
			return false;
		*(last ? &s->ends : &s->goes_on) |= UINT32_C(1) << i;
	}
	return true;
}

static void
hits_begin(struct scan *s, const uint8_t *p)
{
	for (uint32_t left = s->ends; left; left &= left - 1)
		s->hits[__builtin_ctz(left)] = (struct scan_hit){ .at = offset_of(s, p), .first = *p };
	s->taking[s->depth] = s->ends;
	s->ends = 0;
}

/* A value ended right before p. */
static void
value_ends(struct scan *s, const uint8_t *p)
{
	s->state = S_NEXT;
	if (s->depth > SCAN_DEPTH || !s->taking[s->depth])
		return;
	for (uint32_t left = s->taking[s->depth]; left; left &= left - 1) {
		struct scan_hit *hit = &s->hits[__builtin_ctz(left)];
		hit->n = offset_of(s, p) - hit->at;
	}
	s->taking[s->depth] = 0;
}

/* ---- containers ---- */

static const uint8_t *
open_level(struct scan *s, const uint8_t *p, const uint8_t *end)
{
	uint32_t level = s->depth;
	uint64_t bit = UINT64_C(1) << level % 64;

	if (level == SCAN_NESTING)
		return bad(s, end);
	if (*p == '{')
		s->stack[level / 64] |= bit;
	else
		s->stack[level / 64] &= ~bit;
	s->state = *p == '{' ? S_NAME_FIRST : S_FIRST;
	s->depth++;
	if (s->depth <= SCAN_DEPTH)
		s->live[s->depth] = *p == '{' ? s->goes_on : 0;
	s->goes_on = 0;
	return p + 1;
}

static const uint8_t *
close_level(struct scan *s, const uint8_t *p, const uint8_t *end)
{
	if (*p != (in_object(s) ? '}' : ']'))
		return bad(s, end);
	s->depth--;
	value_ends(s, p + 1);
	if (s->depth == 0)
		s->state = S_WHOLE;
	return p + 1;
}

static const uint8_t *
do_start(struct scan *s, const uint8_t *p, const uint8_t *end)
{
	p = skip_blanks(p, end);
	if (p == end)
		return p;
	if (*p != '{')
		return bad(s, end);
	s->goes_on = (uint32_t)((UINT64_C(1) << s->npaths) - 1);
	return open_level(s, p, end);
}

static const uint8_t *
do_whole(struct scan *s, const uint8_t *p, const uint8_t *end)
{
	p = skip_blanks(p, end);
	return p < end ? bad(s, end) : p;
}

/* ---- strings ---- */

/* high bit set in each byte below n (n <= 128), and in the lowest of them surely no false one */
#define BELOW(w, n) (((w) - ONES * (n)) & ~(w) & HIGHS)

/* The first byte that is a quote, a backslash or a control character. */
static const uint8_t *
skip_plain(const uint8_t *p, const uint8_t *end)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), control = _mm_set1_epi8(0x1f);

	for (; end - p >= 16; p += 16) {
		__m128i v = _mm_loadu_si128((const void *)p);
		__m128i stop = _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(v, control), v),
		    _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)));
		int mask = _mm_movemask_epi8(stop);
		if (mask)
			return p + __builtin_ctz((unsigned)mask);
	}
#endif
	for (uint64_t w; end - p >= 8; p += 8) {
		memcpy(&w, p, 8);
		if (BELOW(w, 0x20) | BELOW(w ^ ONES * '"', 1) | BELOW(w ^ ONES * '\\', 1))
			break;
	}
	while (p < end && *p != '"' && *p != '\\' && *p >= 0x20)
		p++;
	return p;
}

/* Keep a name's bytes where a path may match; one too long for any path matches none. */
static void
keep_name(struct scan *s, const uint8_t *p, size_t n)
{
	size_t room = SCAN_NAME - s->nname;

	if (live_here(s)) {
		memcpy(s->name + s->nname, p, MIN2(n, room));
		s->nname = (uint8_t)(s->nname + MIN2(n, room));
	}
}

static const uint8_t *
name_ends(struct scan *s, const uint8_t *p, const uint8_t *end)
{
	s->naming = false;
	s->state = S_COLON;
	if (s->depth == 1)
		s->members++;
	if (live_here(s) && s->nname < SCAN_NAME && !match_name(s))
		return bad(s, end);
	return p;
}

static const uint8_t *
do_string(struct scan *s, const uint8_t *p, const uint8_t *end)
{
	const uint8_t *stop = skip_plain(p, end);

	if (s->naming)
		keep_name(s, p, (size_t)(stop - p));
	if (stop == end)
		return end;
	if (*stop == '"') {
		if (s->naming)
			return name_ends(s, stop + 1, end);
		value_ends(s, stop + 1);
		return stop + 1;
	}
	if (*stop != '\\' || (s->naming && live_here(s)))
		return bad(s, end);
	s->state = S_ESCAPE;
	s->escape = 0;
	return stop + 1;
}

/* Behind a backslash; escape counts the hex digits of \uXXXX that are to come. */
static const uint8_t *
do_escape(struct scan *s, const uint8_t *p, const uint8_t *end)
{
	bool fine = s->escape ? (*p >= '0' && *p <= '9') || ((*p | 32) >= 'a' && (*p | 32) <= 'f') :
	    *p && strchr("\"\\/bfnrtu", *p) != NULL;

	if (!fine)
		return bad(s, end);
	s->escape = s->escape ? (uint8_t)(s->escape - 1) : *p == 'u' ? 4 : 0;
	s->state = s->escape ? S_ESCAPE : S_STRING;
	return p + 1;
}

/* ---- numbers and words ---- */

enum number { N_MINUS, N_ZERO, N_INT, N_DOT, N_FRACTION, N_E, N_SIGN, N_EXPONENT, N_NONE };
enum digit { D_OTHER, D_ZERO, D_DIGIT, D_DOT, D_E, D_PLUS, D_MINUS, D_CLASSES };

static const uint8_t digit_class[256] = {
	['0'] = D_ZERO, ['1'] = D_DIGIT, ['2'] = D_DIGIT, ['3'] = D_DIGIT, ['4'] = D_DIGIT, ['5'] = D_DIGIT,
	['6'] = D_DIGIT, ['7'] = D_DIGIT, ['8'] = D_DIGIT, ['9'] = D_DIGIT,
	['.'] = D_DOT, ['e'] = D_E, ['E'] = D_E, ['+'] = D_PLUS, ['-'] = D_MINUS,
};

/* by state: other, 0, 1-9, point, e, +, - */
static const uint8_t number_next[][D_CLASSES] = {
	[N_MINUS]    = { N_NONE, N_ZERO, N_INT, N_NONE, N_NONE, N_NONE, N_NONE },
	[N_ZERO]     = { N_NONE, N_NONE, N_NONE, N_DOT, N_E, N_NONE, N_NONE },
	[N_INT]      = { N_NONE, N_INT, N_INT, N_DOT, N_E, N_NONE, N_NONE },
	[N_DOT]      = { N_NONE, N_FRACTION, N_FRACTION, N_NONE, N_NONE, N_NONE, N_NONE },
	[N_FRACTION] = { N_NONE, N_FRACTION, N_FRACTION, N_NONE, N_E, N_NONE, N_NONE },
	[N_E]        = { N_NONE, N_EXPONENT, N_EXPONENT, N_NONE, N_NONE, N_SIGN, N_SIGN },
	[N_SIGN]     = { N_NONE, N_EXPONENT, N_EXPONENT, N_NONE, N_NONE, N_NONE, N_NONE },
	[N_EXPONENT] = { N_NONE, N_EXPONENT, N_EXPONENT, N_NONE, N_NONE, N_NONE, N_NONE },
};
static const bool number_may_end[] = { [N_ZERO] = true, [N_INT] = true, [N_FRACTION] = true, [N_EXPONENT] = true };

static const uint8_t *
do_number(struct scan *s, const uint8_t *p, const uint8_t *end)
{
	uint8_t now = s->number;

	for (; p < end; p++) {
		uint8_t next = number_next[now][digit_class[*p]];
		if (next == N_NONE) {
			if (!number_may_end[now])
				return bad(s, end);
			value_ends(s, p);
			return p;
		}
		now = next;
	}
	s->number = now;
	return p;
}

static const uint8_t *
do_word(struct scan *s, const uint8_t *p, const uint8_t *end)
{
	for (; p < end && *s->word; p++, s->word++)
		if (*p != (uint8_t)*s->word)
			return bad(s, end);
	if (!*s->word)
		value_ends(s, p);
	return p;
}

/* ---- between values ---- */

static const uint8_t *
begin_other(struct scan *s, const uint8_t *p, const uint8_t *end)
{
	static const char *const words[256] = { ['t'] = "rue", ['f'] = "alse", ['n'] = "ull" };

	s->goes_on = 0;
	s->word = words[*p];
	s->number = *p == '-' ? N_MINUS : *p == '0' ? N_ZERO : N_INT;
	if (s->word)
		s->state = S_WORD;
	else if (*p == '-' || (*p >= '0' && *p <= '9'))
		s->state = S_NUMBER;
	else
		return bad(s, end);
	return p + 1;
}

static const uint8_t *
do_value(struct scan *s, const uint8_t *p, const uint8_t *end)
{
	p = skip_blanks(p, end);
	if (p == end)
		return p;
	if (s->ends)
		hits_begin(s, p);
	if (*p == '"') {
		s->goes_on = 0;
		s->state = S_STRING;
		return do_string(s, p + 1, end);
	}
	if (*p == '{' || *p == '[')
		return open_level(s, p, end);
	return begin_other(s, p, end);
}

static const uint8_t *
do_first(struct scan *s, const uint8_t *p, const uint8_t *end)
{
	p = skip_blanks(p, end);
	if (p < end && *p == ']')
		return close_level(s, p, end);
	return p < end ? do_value(s, p, end) : p;
}

static const uint8_t *
do_name(struct scan *s, const uint8_t *p, const uint8_t *end)
{
	p = skip_blanks(p, end);
	if (p == end)
		return p;
	if (*p != '"')
		return bad(s, end);
	s->naming = true;
	s->nname = 0;
	s->state = S_STRING;
	return do_string(s, p + 1, end);
}

static const uint8_t *
do_name_first(struct scan *s, const uint8_t *p, const uint8_t *end)
{
	p = skip_blanks(p, end);
	if (p < end && *p == '}')
		return close_level(s, p, end);
	return p < end ? do_name(s, p, end) : p;
}

static const uint8_t *
do_colon(struct scan *s, const uint8_t *p, const uint8_t *end)
{
	p = skip_blanks(p, end);
	if (p == end)
		return p;
	if (*p != ':')
		return bad(s, end);
	s->state = S_VALUE;
	return do_value(s, p + 1, end);
}

static const uint8_t *
do_next(struct scan *s, const uint8_t *p, const uint8_t *end)
{
	p = skip_blanks(p, end);
	if (p == end)
		return p;
	if (*p != ',')
		return close_level(s, p, end);
	if (in_object(s)) {
		s->state = S_NAME;
		return do_name(s, p + 1, end);
	}
	s->state = S_VALUE;
	return do_value(s, p + 1, end);
}

static const uint8_t *
do_bad(struct scan *s, const uint8_t *p, const uint8_t *end)
{
	return end;
}

static const uint8_t *(*const step[])(struct scan *, const uint8_t *, const uint8_t *) = {
	[S_START] = do_start, [S_VALUE] = do_value, [S_FIRST] = do_first, [S_NAME] = do_name,
	[S_NAME_FIRST] = do_name_first, [S_COLON] = do_colon, [S_NEXT] = do_next, [S_STRING] = do_string,
	[S_ESCAPE] = do_escape, [S_NUMBER] = do_number, [S_WORD] = do_word, [S_WHOLE] = do_whole, [S_BAD] = do_bad,
};

/* ---- the outside ---- */

void
scan_init(struct scan *s, const char *const *paths, size_t npaths)
{
	if (npaths > SCAN_PATHS)
		bug("scan for %zu paths", npaths);
	for (size_t i = 0; i < npaths; i++) {
		size_t parts = 1;
		for (const char *c = paths[i]; *c; c++)
			parts += *c == '.';
		if (parts > SCAN_DEPTH)
			bug("scan path %s", paths[i]);
	}
	*s = (struct scan){ .paths = paths, .npaths = (uint32_t)npaths };
}

bool
scan_put(struct scan *s, struct span piece)
{
	if (piece.n == 0)
		return s->state != S_BAD;
	const uint8_t *p = piece.p, *end = p + piece.n;
	s->piece = p;
	while (p < end)
		p = step[s->state](s, p, end);
	s->at += piece.n;
	return s->state != S_BAD;
}

bool
scan_whole(const struct scan *s)
{
	return s->state == S_WHOLE;
}

const struct scan_hit *
scan_found(const struct scan *s, size_t i)
{
	return i < s->npaths && s->hits[i].n ? &s->hits[i] : NULL;
}

bool
scan_members(struct span document, const char *const *paths, size_t npaths, struct span *out, uint64_t *members)
{
	struct scan s;

	scan_init(&s, paths, npaths);
	if (!scan_put(&s, document) || !scan_whole(&s))
		return false;
	for (size_t i = 0; i < npaths; i++) {
		const struct scan_hit *hit = scan_found(&s, i);
		out[i] = hit ? (struct span){ document.p + hit->at, hit->n } : (struct span){ 0 };
	}
	if (members)
		*members = s.members;
	return true;
}

struct span
scan_text(struct span value)
{
	if (value.n < 2 || value.p[0] != '"' || memchr(value.p, '\\', value.n))
		return (struct span){ 0 };
	return (struct span){ value.p + 1, value.n - 2 };
}
