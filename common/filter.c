/* filter.c - rows as JSON lines.  See filter.h. */
#include "common/filter.h"

#include "common/codes.h"
#include "common/diag.h"

enum { READ_BYTES = 65536 };

struct filter {
	struct filter_opts	 o;
	struct buf		 text;		/* read, not yet taken */
	uint64_t		 line;		/* number of the last line taken */
	uint64_t		 under_way;
	bool			 ended, skipping;	/* input is over; a line too long is passed over */
	int			 status;
};

static void readable(void *, unsigned);

static void
listen_to(struct filter *f, bool on)
{
	if (f->o.in >= 0)
		loop_fd(f->o.loop, f->o.in, on ? LOOP_IN : 0, readable, f);
}

static void
refuse(struct filter *f, const char *why)
{
	diag(DIAG_ERROR, "line-refused", "line=%" PRIu64 " code=%s why=%s", f->line,
	    code_word(CODE_MALFORMED), diag_quote(why));
	f->status = EXIT_USAGE;
}

static bool
is_blank(struct span line)
{
	for (size_t i = 0; i < line.n; i++)
		if (!strchr(" \t\r", line.p[i]) || !line.p[i])
			return false;
	return true;
}

static void
take_line(struct filter *f, struct span line)
{
	char why[128] = "";

	f->line++;
	if (f->skipping) {
		f->skipping = false;
		refuse(f, "longer than a row can be");
		return;
	}
	if (is_blank(line))
		return;
	struct row *row = row_from_json(line, why);
	if (!row) {
		refuse(f, why);
		return;
	}
	f->under_way++;
	f->o.row(f->o.arg, row);
}

/* Take lines while there is a hand free. */
static void
take_lines(struct filter *f)
{
	size_t at = 0;

	while (f->under_way < f->o.hand && at < f->text.n) {
		const uint8_t *from = f->text.p + at;
		const uint8_t *end = memchr(from, '\n', f->text.n - at);
		if (!end && !f->ended)
			break;
		size_t n = end ? (size_t)(end - from) : f->text.n - at;
		take_line(f, (struct span){ from, n });
		at += n + (end != NULL);
	}
	buf_drop(&f->text, at);
	if (f->text.n > FILTER_LINE && !memchr(f->text.p, '\n', f->text.n)) {
		f->skipping = true;
		buf_reset(&f->text);
	}
}

/* Hands may have become free, or the input over. */
static bool
go_on(void *arg)
{
	struct filter *f = arg;

	take_lines(f);
	listen_to(f, !f->ended && f->under_way < f->o.hand && f->text.n <= FILTER_LINE);
	if (f->ended && f->skipping && f->text.n == 0)
		take_line(f, (struct span){ NULL, 0 });
	if (f->ended && f->under_way == 0 && f->text.n == 0)
		loop_stop(f->o.loop);
	return false;
}

static void
readable(void *arg, unsigned events)
{
	struct filter *f = arg;
	ssize_t n = read(f->o.in, buf_room(&f->text, READ_BYTES), READ_BYTES);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0)
		die_sys("read rows");
	f->text.n += (size_t)n;
	f->ended = n == 0;
	if (f->ended)
		listen_to(f, false);
}

struct filter *
filter_new(const struct filter_opts *o)
{
	struct filter *f = xzalloc(sizeof *f);

	f->o = *o;
	f->ended = o->in < 0;
	listen_to(f, true);
	loop_last(o->loop, go_on, f);
	return f;
}

void
filter_free(struct filter **fp)
{
	struct filter *f = *fp;

	if (!f)
		return;
	listen_to(f, false);
	loop_last_forget(f->o.loop, go_on, f);
	buf_free(&f->text);
	free(f);
	*fp = NULL;
}

void
filter_emit(struct filter *f, const struct row *row)
{
	struct buf line = { 0 };

	row_put_json(&line, row);
	buf_putc(&line, '\n');
	for (size_t at = 0; at < line.n && f->o.out >= 0; ) {
		ssize_t n = write(f->o.out, line.p + at, line.n - at);
		if (n < 0 && errno != EINTR)
			die_sys("write rows");
		at += n > 0 ? (size_t)n : 0;
	}
	buf_free(&line);
}

void
filter_through(struct filter *f)
{
	if (f->under_way == 0)
		bug("a row was through twice");
	f->under_way--;
}

void
filter_expect(struct filter *f, uint64_t n)
{
	f->under_way += n;
}

int
filter_status(const struct filter *f)
{
	return f->status;
}
