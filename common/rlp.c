/* rlp.c - RLP, writing only.  See rlp.h. */
#include "common/rlp.h"

enum { SHORT_MAX = 55 };

/* Big-endian without leading zeros; returns how many bytes. */
static size_t
big_endian(uint64_t v, uint8_t out[8])
{
	size_t n = 0;

	for (int shift = 56; shift >= 0; shift -= 8)
		if (n || v >> shift)
			out[n++] = (uint8_t)(v >> shift);
	return n;
}

/* base: 0x80 for strings, 0xc0 for lists. */
static void
put_header(struct buf *b, unsigned base, size_t length)
{
	uint8_t bytes[8];

	if (length <= SHORT_MAX) {
		buf_putc(b, (int)(base + length));
		return;
	}
	size_t n = big_endian(length, bytes);
	buf_putc(b, (int)(base + SHORT_MAX + n));
	buf_put(b, bytes, n);
}

void
rlp_put_str(struct buf *b, struct span s)
{
	if (s.n != 1 || s.p[0] >= 0x80)
		put_header(b, 0x80, s.n);
	buf_put(b, s.p, s.n);
}

void
rlp_put_u64(struct buf *b, uint64_t v)
{
	uint8_t bytes[8];
	size_t n = big_endian(v, bytes);

	rlp_put_str(b, (struct span){ bytes, n });
}

void
rlp_put_list(struct buf *b, struct span items)
{
	put_header(b, 0xc0, items.n);
	buf_put(b, items.p, items.n);
}
