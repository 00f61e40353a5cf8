/* pack.c - see pack.h. */
#include "common/pack.h"

#include <endian.h>
#include <msgpack/pack.h>

static int
append(void *data, const char *p, size_t n)
{
	buf_put(data, p, n);
	return 0;
}

#define PACKER(out) (&(msgpack_packer){ .data = (out), .callback = append })

void
pack_long(struct buf *out, uint64_t v)
{
	msgpack_pack_uint64(PACKER(out), v);
}

void
pack_text(struct buf *out, struct span s)
{
	msgpack_pack_str(PACKER(out), s.n);
	buf_put(out, s.p, s.n);
}

void
pack_bin(struct buf *out, struct span s)
{
	msgpack_pack_bin(PACKER(out), s.n);
	buf_put(out, s.p, s.n);
}

void
pack_array(struct buf *out, size_t n)
{
	msgpack_pack_array(PACKER(out), n);
}

void
pack_map(struct buf *out, size_t n)
{
	msgpack_pack_map(PACKER(out), n);
}

size_t
pack_map_later(struct buf *out)
{
	buf_put(out, "\xde\0", 3);
	return out->n - 2;
}

void
pack_map_count(struct buf *out, size_t map, size_t n)
{
	out->p[map] = (uint8_t)(n >> 8);
	out->p[map + 1] = (uint8_t)n;
}

/* n big-endian bytes, at most 8; quick where n is constant. */
static inline uint64_t
big(struct cursor *c, size_t n)
{
	uint64_t v = 0;

	if (c->bad || (size_t)(c->end - c->p) < n) {
		c->bad = true;
		return 0;
	}
	memcpy((uint8_t *)&v + sizeof v - n, c->p, n);
	c->p += n;
	return be64toh(v);
}

uint64_t
cursor_long(struct cursor *c)
{
	switch (big(c, 1)) {
	case 0xcc: return big(c, 1);
	case 0xcd: return big(c, 2);
	case 0xce: return big(c, 4);
	case 0xcf: return big(c, 8);
	default:   return c->bad = true, 0;
	}
}

/* A length: `fix` its one-byte form with `mask`, first..first+2 the 8, 16 and 32-bit
 * forms (no 8-bit one when first is 0xdc or 0xde). */
static inline size_t
length(struct cursor *c, uint64_t fix, uint64_t mask, uint64_t first, bool has8)
{
	uint64_t tag = big(c, 1);

	if (c->bad)
		return 0;
	if (mask && (tag & ~mask) == fix)
		return tag & mask;
	switch (tag - first + (has8 ? 0 : 1)) {
	case 0:  return has8 ? big(c, 1) : (c->bad = true, 0);
	case 1:  return big(c, 2);
	case 2:  return big(c, 4);
	default: return c->bad = true, 0;
	}
}

static struct span
take(struct cursor *c, size_t n, size_t max)
{
	if (c->bad || n > max || n > (size_t)(c->end - c->p)) {
		c->bad = true;
		return (struct span){ 0 };
	}
	struct span s = { c->p, n };
	c->p += n;
	return s;
}

struct span
cursor_text(struct cursor *c, size_t max)
{
	struct span s = take(c, length(c, 0xa0, 0x1f, 0xd9, true), max);

	if (s.n && memchr(s.p, 0, s.n))
		c->bad = true;
	return s;
}

struct span
cursor_bin(struct cursor *c, size_t max)
{
	return take(c, length(c, 0, 0, 0xc4, true), max);
}

static size_t
count(struct cursor *c, size_t n, size_t max)
{
	if (n > max || n > (size_t)(c->end - c->p))
		c->bad = true;
	return c->bad ? 0 : n;
}

size_t
cursor_array(struct cursor *c, size_t max)
{
	return count(c, length(c, 0x90, 0x0f, 0xdc, false), max);
}

size_t
cursor_map(struct cursor *c, size_t max)
{
	return count(c, length(c, 0x80, 0x0f, 0xde, false), max);
}

/* Bytes behind the tag of a value without members; SIZE_MAX for str, bin, ext, array, map. */
static size_t
scalar_bytes(uint8_t tag)
{
	if (tag < 0x80 || tag >= 0xe0 || tag == 0xc0 || tag == 0xc2 || tag == 0xc3)
		return 0;
	if (tag == 0xca || tag == 0xcb)
		return tag == 0xca ? 4 : 8;
	if (tag >= 0xcc && tag <= 0xd3)
		return (size_t)1 << ((tag - 0xcc) & 3);
	if (tag >= 0xd4 && tag <= 0xd8)
		return 1 + ((size_t)1 << (tag - 0xd4));
	return SIZE_MAX;
}

static void
skip(struct cursor *c, unsigned depth)
{
	if (c->bad || c->p == c->end || depth > 16) {
		c->bad = true;
		return;
	}
	uint8_t tag = *c->p;
	size_t n = scalar_bytes(tag);
	if (n != SIZE_MAX) {
		c->p++;
		take(c, n, SIZE_MAX);
	} else if ((tag & 0xe0) == 0xa0 || (tag >= 0xd9 && tag <= 0xdb)) {
		take(c, length(c, 0xa0, 0x1f, 0xd9, true), SIZE_MAX);
	} else if (tag >= 0xc4 && tag <= 0xc6) {
		take(c, length(c, 0, 0, 0xc4, true), SIZE_MAX);
	} else if (tag >= 0xc7 && tag <= 0xc9) {
		n = length(c, 0, 0, 0xc7, true);
		take(c, 1, 1);
		take(c, n, SIZE_MAX);
	} else {
		bool map = (tag & 0xf0) == 0x80 || tag == 0xde || tag == 0xdf;
		n = map ? 2 * cursor_map(c, SIZE_MAX / 2) : cursor_array(c, SIZE_MAX);
		while (n-- > 0 && !c->bad)
			skip(c, depth + 1);
	}
}

void
cursor_skip(struct cursor *c)
{
	if (!c->bad && c->p < c->end && *c->p < 0x80)
		c->p++;		/* nearly always */
	else
		skip(c, 0);
}

struct span
cursor_raw(struct cursor *c)
{
	const uint8_t *from = c->p;

	cursor_skip(c);
	return c->bad ? (struct span){ 0 } : (struct span){ from, (size_t)(c->p - from) };
}
