/* figures.c - see figures.h. */
#include "tests/bench/figures.h"

#include <time.h>

#include "common/bytes.h"
#include "common/diag.h"
#include "common/num.h"

void
figures_add(struct figures *f, double v)
{
	if (f->n == f->cap) {
		f->cap = f->cap ? 2 * f->cap : 1024;
		f->v = xrealloc(f->v, f->cap * sizeof *f->v);
	}
	f->v[f->n++] = v;
	f->sorted = false;
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double
figures_at(struct figures *f, double percent)
{
	if (f->n == 0)
		return 0;
	if (!f->sorted)
		qsort(f->v, f->n, sizeof *f->v, by_size);
	f->sorted = true;
	return f->v[(size_t)((double)(f->n - 1) * percent / 100)];
}

void
figures_free(struct figures *f)
{
	free(f->v);
	*f = (struct figures){ 0 };
}

void
figures_say(const char *what, struct figures *f)
{
	printf("%s_p50_us %.0f\n%s_p99_us %.0f\n%s_max_us %.0f\n", what, figures_at(f, 50), what, figures_at(f, 99), what,
	    figures_at(f, 100));
}

uint64_t
nanos_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

double
seconds_now(void)
{
	return (double)nanos_now() / 1e9;
}

/* A file of /proc/PID, whole enough. */
static size_t
read_proc(long pid, const char *name, char *out, size_t size)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%ld/%s", pid, name);
	FILE *f = fopen(path, "re");
	if (!f)
		die_sys("%s", path);
	size_t n = fread(out, 1, size - 1, f);
	fclose(f);
	out[n] = '\0';
	return n;
}

double
process_cpu_s(long pid)
{
	enum { TICKS_FIELD = 11 };	/* utime, counted behind the name's bracket */
	char text[1024];

	read_proc(pid, "stat", text, sizeof text);
	char *at = strrchr(text, ')');
	for (int i = 0; at && i <= TICKS_FIELD; i++)
		at = strchr(at + 1, ' ');
	if (!at)
		die(EXIT_SYSTEM, "/proc/%ld/stat", pid);
	uint64_t user = strtoull(at, &at, 10), kernel = strtoull(at, NULL, 10);
	return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

uint64_t
process_private_kb(long pid)
{
	static const char *const names[] = { "\nPrivate_Clean:", "\nPrivate_Dirty:" };
	char text[4096];
	uint64_t sum = 0;

	read_proc(pid, "smaps_rollup", text, sizeof text);
	for (size_t i = 0; i < NELEM(names); i++) {
		const char *at = strstr(text, names[i]);
		sum += at ? strtoull(at + strlen(names[i]), NULL, 10) : 0;
	}
	return sum;
}

uint64_t
env_number(const char *name, uint64_t none)
{
	const char *text = getenv(name);
	uint64_t v;

	if (!text || !*text)
		return none;
	if (!num_u64(span_str(text), &v))
		die(EXIT_USAGE, "%s=%s: not a whole number", name, text);
	return v;
}

uint64_t
operand(const char *text)
{
	uint64_t n;

	if (!num_u64(span_str(text), &n))
		die(EXIT_USAGE, "%s: not a number", text);
	return n;
}
