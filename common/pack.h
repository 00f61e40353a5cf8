/* pack.h - floor 3: msgpack, written with msgpack-c, read with a strict cursor.
 *
 * Reading does not use msgpack-c's objects: a cursor over the bytes needs no zone
 * and costs a quarter (measured), and refuses what this protocol does not use:
 * floats, negative numbers, extensions, maps and arrays nested where none belong. */
#ifndef PROVA_PACK_H
#define PROVA_PACK_H

#include "common/bytes.h"

void	pack_long(struct buf *, uint64_t);	/* pack_u64 of what takes more than a byte */
void	pack_text(struct buf *, struct span);	/* str */
void	pack_bin(struct buf *, struct span);	/* bin */
void	pack_array(struct buf *, size_t n);
void	pack_map(struct buf *, size_t n);
/* A map whose pairs are counted behind it, at most 65535. */
size_t	pack_map_later(struct buf *) MUSTCHECK;
void	pack_map_count(struct buf *, size_t map, size_t n);

/* Nearly all numbers of a message are keys, states and small counts. */
static inline void
pack_u64(struct buf *out, uint64_t v)
{
	if (v < 0x80)
		buf_putc(out, (int)v);
	else
		pack_long(out, v);
}

/* A cursor.  Once `bad` is set every call fails. */
struct cursor {
	const uint8_t	*p, *end;
	bool		 bad;
};

#define CURSOR(span) ((struct cursor){ (span).p, (span).p + (span).n, false })

uint64_t cursor_long(struct cursor *);			/* cursor_u64 of what takes more than a byte */
static inline uint64_t
cursor_u64(struct cursor *c)
{
	return !c->bad && c->p < c->end && *c->p < 0x80 ? *c->p++ : cursor_long(c);
}
struct span cursor_text(struct cursor *, size_t max);	/* UTF-8 is not checked; no NUL inside */
struct span cursor_bin(struct cursor *, size_t max);
size_t	cursor_array(struct cursor *, size_t max);	/* number of elements */
size_t	cursor_map(struct cursor *, size_t max);	/* number of pairs */
/* Step over one value of any type, at most 16 deep. */
void	cursor_skip(struct cursor *);
/* The bytes of the next value, stepped over. */
struct span cursor_raw(struct cursor *);

#endif
