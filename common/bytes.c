/* bytes.c - see bytes.h. */
#include "common/bytes.h"

#include "common/diag.h"

struct span
span_str(const char *s)
{
	return (struct span){ (const uint8_t *)s, s ? strlen(s) : 0 };
}

bool
span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool
span_is(struct span a, const char *s)
{
	return span_eq(a, span_str(s));
}

bool
span_cstr(struct span s, char *dst, size_t size)
{
	if (size > 0)
		dst[0] = '\0';
	if (s.n >= size || (s.n && memchr(s.p, 0, s.n)))
		return false;
	if (s.n)
		memcpy(dst, s.p, s.n);
	dst[s.n] = '\0';
	return true;
}

uint8_t *
buf_grow(struct buf *b, size_t n)
{
	if (n > SIZE_MAX / 4 - b->n)
		die(EXIT_SYSTEM, "buffer of %zu bytes", n);
	b->cap = MAX2(b->cap * 2, b->n + n + 64);
	b->p = xrealloc(b->p, b->cap);
	return b->p + b->n;
}

void
buf_put(struct buf *b, const void *p, size_t n)
{
	uint8_t *to = buf_room(b, n);

	if (n)
		memcpy(to, p, n);
	b->n += n;
}

void
buf_puts(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		bug("format %s", fmt);
	uint8_t *to = buf_room(b, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf((char *)to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
}

void
buf_drop(struct buf *b, size_t n)
{
	if (n > b->n)
		bug("buf_drop %zu of %zu", n, b->n);
	b->n -= n;
	if (b->n)
		memmove(b->p, b->p + n, b->n);
}

char *
buf_cstr(struct buf *b)
{
	*buf_room(b, 1) = 0;
	return (char *)b->p;
}

void
buf_reset(struct buf *b)
{
	b->n = 0;
}

void
buf_free(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ 0 };
}

void *
xmalloc(size_t n)
{
	void *p = malloc(n ? n : 1);

	if (!p)
		die(EXIT_SYSTEM, "out of memory (%zu bytes)", n);
	return p;
}

void *
xzalloc(size_t n)
{
	return memset(xmalloc(n), 0, n);
}

void *
xrealloc(void *p, size_t n)
{
	p = realloc(p, n ? n : 1);
	if (!p)
		die(EXIT_SYSTEM, "out of memory (%zu bytes)", n);
	return p;
}

char *
xstrdup(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(xmalloc(n), s, n);
}

char *
xprintf(const char *fmt, ...)
{
	char *s;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		die(EXIT_SYSTEM, "out of memory");
	va_end(ap);
	return s;
}
