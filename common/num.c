/* num.c - see num.h.
 *
 * Every parser takes the whole text or nothing, and checks for overflow before
 * it happens.  Base64 is RFC 4648; bits that no byte owns must be zero, so
 * that one value has one spelling. */
#include "common/num.h"

struct unit {
	const char	*name;
	uint64_t	 factor;
};

static bool
is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool
times(uint64_t a, uint64_t b, uint64_t *out)
{
	return !__builtin_mul_overflow(a, b, out);
}

/* The digits at the front of s: how many were used; 0 when there are none or they overflow. */
static size_t
leading_u64(struct span s, uint64_t *out)
{
	uint64_t v = 0;
	size_t i = 0;

	for (; i < s.n && is_digit(s.p[i]); i++)
		if (!times(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
			return 0;
	*out = v;
	return i;
}

bool
num_u64(struct span s, uint64_t *out)
{
	uint64_t v;
	size_t n = leading_u64(s, &v);

	if (n == 0 || n != s.n)
		return false;
	*out = v;
	return true;
}

static bool
with_unit(struct span s, const struct unit *units, size_t nunits, uint64_t *out)
{
	uint64_t v;
	size_t n = leading_u64(s, &v);

	if (n == 0)
		return false;
	struct span rest = { s.p + n, s.n - n };
	for (size_t i = 0; i < nunits; i++)
		if (span_is(rest, units[i].name) && times(v, units[i].factor, &v)) {
			*out = v;
			return true;
		}
	return false;
}

bool
num_span_ms(struct span s, uint64_t *out)
{
	static const struct unit units[] = {
		{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 },
	};

	return with_unit(s, units, NELEM(units), out);
}

bool
num_size(struct span s, uint64_t *out)
{
	static const struct unit units[] = {
		{ "", 1 }, { "k", 1 << 10 }, { "K", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 },
	};

	return with_unit(s, units, NELEM(units), out);
}

bool
num_micro(struct span s, uint64_t *out)
{
	uint64_t whole, part = 0, scale = 1000000;
	size_t n = leading_u64(s, &whole);

	if (n == 0 || !times(whole, scale, &whole))
		return false;
	if (n < s.n) {
		if (s.p[n++] != '.' || n == s.n || s.n - n > 6)
			return false;
		for (; n < s.n; n++) {
			if (!is_digit(s.p[n]))
				return false;
			scale /= 10;
			part += (uint64_t)(s.p[n] - '0') * scale;
		}
	}
	if (__builtin_add_overflow(whole, part, &whole))
		return false;
	*out = whole;
	return true;
}

static int
hex_digit(uint8_t c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
num_quantity(struct span s, uint64_t *out)
{
	uint64_t v = 0;

	if (s.n < 3 || s.n > 18 || s.p[0] != '0' || s.p[1] != 'x')
		return false;
	for (size_t i = 2; i < s.n; i++) {
		int d = hex_digit(s.p[i]);
		if (d < 0)
			return false;
		v = v << 4 | (uint64_t)d;
	}
	*out = v;
	return true;
}

void
num_put_hex(struct buf *b, struct span s)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t *to = buf_room(b, s.n * 2);

	for (size_t i = 0; i < s.n; i++) {
		to[2 * i] = (uint8_t)digits[s.p[i] >> 4];
		to[2 * i + 1] = (uint8_t)digits[s.p[i] & 15];
	}
	b->n += s.n * 2;
}

bool
num_hex(struct span s, bool prefix_ok, uint8_t *out, size_t n)
{
	if (prefix_ok && s.n >= 2 && s.p[0] == '0' && (s.p[1] | 0x20) == 'x')
		s = (struct span){ s.p + 2, s.n - 2 };
	if (s.n / 2 != n || s.n % 2)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (hex_digit(s.p[i]) < 0)
			return false;
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(hex_digit(s.p[2 * i]) << 4 | hex_digit(s.p[2 * i + 1]));
	return true;
}

#define ALPHANUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
static const char standard[] = ALPHANUM "+/";
static const char urlsafe[] = ALPHANUM "-_";

static void
put_base64(struct buf *b, struct span s, const char *alphabet, bool pad)
{
	for (size_t i = 0; i < s.n; i += 3) {
		size_t have = MIN2(s.n - i, (size_t)3);
		uint32_t v = (uint32_t)s.p[i] << 16;
		if (have > 1)
			v |= (uint32_t)s.p[i + 1] << 8;
		if (have > 2)
			v |= s.p[i + 2];
		for (size_t k = 0; k < 4; k++)
			if (k <= have)
				buf_putc(b, alphabet[v >> (18 - 6 * k) & 63]);
			else if (pad)
				buf_putc(b, '=');
	}
}

/* The value of c in an alphabet whose last two letters are given; -1: not in it. */
static int
sextet(uint8_t c, const char *last)
{
	uint8_t low = c | 0x20;

	if (is_digit(c))
		return c - '0' + 52;
	if (low >= 'a' && low <= 'z')
		return c == low ? c - 'a' + 26 : c - 'A';
	if (c == (uint8_t)last[0])
		return 62;
	return c == (uint8_t)last[1] ? 63 : -1;
}

/* s has no padding any more. */
static bool
get_base64(struct span s, const char *alphabet, struct buf *out)
{
	size_t before = out->n;
	uint32_t v = 0;
	unsigned bits = 0;

	for (size_t i = 0; i < s.n; i++) {
		int d = sextet(s.p[i], alphabet + 62);
		if (d < 0)
			goto bad;
		v = v << 6 | (uint32_t)d;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			buf_putc(out, (int)(v >> bits & 255));
			v &= (1u << bits) - 1;
		}
	}
	if (bits < 6 && v == 0)
		return true;
bad:
	out->n = before;
	return false;
}

void
num_put_base64(struct buf *b, struct span s)
{
	put_base64(b, s, standard, true);
}

void
num_put_base64url(struct buf *b, struct span s, bool pad)
{
	put_base64(b, s, urlsafe, pad);
}

bool
num_base64(struct span s, struct buf *out)
{
	if (s.n % 4)
		return false;
	for (int pad = 0; pad < 2 && s.n && s.p[s.n - 1] == '='; pad++)
		s.n--;
	return get_base64(s, standard, out);
}

bool
num_base64url(struct span s, struct buf *out)
{
	return get_base64(s, urlsafe, out);
}
