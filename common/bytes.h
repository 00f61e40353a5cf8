/* bytes.h - floor 1: spans that borrow and buffers that own.
 *
 * A span never owns; it is valid as long as what it points into.  A buf owns
 * its bytes; a zeroed buf is valid and empty.  Out of memory ends the process
 * (111): the ledger makes a restart harmless. */
#ifndef PROVA_BYTES_H
#define PROVA_BYTES_H

#include "common/base.h"

struct span {
	const uint8_t	*p;
	size_t		 n;
};

struct buf {
	uint8_t	*p;
	size_t	 n;	/* used */
	size_t	 cap;
};

#define SPAN(s)		((struct span){ (const uint8_t *)(s), sizeof(s) - 1 })
#define SPAN_OF(b)	((struct span){ (b)->p, (b)->n })
/* for "%.*s" */
#define SPAN_ARG(s)	(int)(s).n, (const char *)((s).p ? (s).p : (const uint8_t *)"")

struct span span_str(const char *s);		/* NULL gives the empty span */
bool	span_eq(struct span a, struct span b);
bool	span_is(struct span a, const char *s);
/* Copy as a C string into dst (at most size - 1 bytes, always ended).  False when
 * it does not fit or has a NUL inside; dst is then the empty string. */
bool	span_cstr(struct span, char *dst, size_t size);

/* The buffer with room for n more bytes: buf_room calls it. */
uint8_t	*buf_grow(struct buf *, size_t n);
/* Room for n more bytes; returns where they go (not counted yet). */
static inline uint8_t *
buf_room(struct buf *b, size_t n)
{
	return b->p && n <= b->cap - b->n ? b->p + b->n : buf_grow(b, n);
}
static inline void
buf_putc(struct buf *b, int c)
{
	*buf_room(b, 1) = (uint8_t)c;
	b->n++;
}
void	buf_put(struct buf *, const void *, size_t);
void	buf_puts(struct buf *, const char *);
void	buf_printf(struct buf *, const char *fmt, ...) PRINTF(2, 3);
/* Take n bytes away from the front. */
void	buf_drop(struct buf *, size_t n);
/* A NUL behind the last byte (not counted), as a C string. */
char	*buf_cstr(struct buf *);
void	buf_reset(struct buf *);		/* empty, keeps its memory */
void	buf_free(struct buf *);			/* empty and zeroed; may be called twice */

/* malloc and friends that never return NULL. */
void	*xmalloc(size_t) MUSTCHECK;
void	*xzalloc(size_t) MUSTCHECK;
void	*xrealloc(void *, size_t) MUSTCHECK;
char	*xstrdup(const char *) MUSTCHECK;
char	*xprintf(const char *fmt, ...) PRINTF(1, 2) MUSTCHECK;

#endif
