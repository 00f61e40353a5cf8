/* diag.c - log lines and ends of processes.  See diag.h. */
#include "common/diag.h"

#include <time.h>

static char whoami[96] = "prova";
static enum diag_level threshold = DIAG_INFO;

void
diag_name(const char *name)
{
	snprintf(whoami, sizeof whoami, "%s", name);
}

const char *
diag_whoami(void)
{
	return whoami;
}

void
diag_threshold(enum diag_level level)
{
	threshold = level;
}

static void
mask(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

static void
write_line(char *line, size_t n)
{
	mask(line);
	line[n] = '\n';
	for (size_t at = 0; at <= n; ) {
		ssize_t w = write(2, line + at, n + 1 - at);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return;
		at += (size_t)w;
	}
}

static void PRINTF(3, 0)
say(const char *level, const char *event, const char *fmt, va_list ap)
{
	int saved = errno;
	char line[2048];
	struct timespec ts;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	size_t n = strftime(line, sizeof line, "t=%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(line + n, sizeof line - n, ".%03ldZ level=%s who=%s event=%s%s",
	    ts.tv_nsec / 1000000, level, whoami, event, *fmt ? " " : "");
	int m = vsnprintf(line + n, sizeof line - n, fmt, ap);
	if (m > 0)
		n += MIN2((size_t)m, sizeof line - n - 1);
	if (n > sizeof line - 2)
		n = sizeof line - 2;
	line[n] = '\0';
	write_line(line, n);
	errno = saved;
}

void
diag(enum diag_level level, const char *event, const char *fmt, ...)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };
	va_list ap;

	if (level < threshold)
		return;
	va_start(ap, fmt);
	say(names[level], event, fmt, ap);
	va_end(ap);
}

const char *
diag_quote(const char *s)
{
	static char ring[8][264];
	static unsigned at;
	char *out = ring[at++ % 8];
	bool plain = *s != '\0';
	size_t n = 0;

	for (const char *c = s; *c && plain; c++)
		plain = *c > 0x20 && *c != '"' && *c != '=' && *c != 0x7f;
	if (!plain)
		out[n++] = '"';
	for (; *s && n < 258; s++)
		out[n++] = *s == '"' ? '\'' : *s;
	if (!plain)
		out[n++] = '"';
	out[n] = '\0';
	mask(out);
	return out;
}

void
die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char text[1024];
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	fprintf(stderr, "%s: %s\n", whoami, text);
	exit(status);
}

void
die_sys(const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	char text[1024];
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	fprintf(stderr, "%s: %s: %s\n", whoami, text, strerror(saved));
	exit(EXIT_SYSTEM);
}

void
bug(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("bug", "bug", fmt, ap);
	va_end(ap);
	abort();
}
