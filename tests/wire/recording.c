/* recording.c - recorded exchanges.  See recording.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/wire/recording.h"

static void
read_file(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "re");
	size_t n;

	assert_non_null(f);
	while ((n = fread(buf_room(out, 65536), 1, 65536, f)) > 0)
		out->n += n;
	fclose(f);
}

bool
recording_each(const char *name, void (*fn)(void *, const struct json *), void *arg)
{
	const char *root = getenv("PROVA_FIXTURES");
	struct buf file = { 0 };
	char why[128];

	if (!root)
		return false;
	char *path = xprintf("%s/%s", root, name);
	read_file(path, &file);
	for (size_t from = 0, i = 0; i < file.n; i++) {
		if (file.p[i] != '\n')
			continue;
		struct json *line = json_parse((struct span){ file.p + from, i - from }, 64 << 20, why);
		assert_non_null(line);
		fn(arg, line);
		json_free(&line);
		from = i + 1;
	}
	buf_free(&file);
	free(path);
	return true;
}

static bool
fits(const char *entry, struct span name)
{
	const uint8_t *at = name.n ? memmem(name.p, name.n, entry, strlen(entry)) : NULL;

	return at && (*entry == '/' || at == name.p);
}

bool
recording_left_out(struct left_out *list, size_t n, struct span name)
{
	bool out = false;

	for (size_t i = 0; i < n; i++)
		if (fits(list[i].name, name)) {
			list[i].met++;
			out = true;
		}
	return out;
}

void
recording_report(const struct left_out *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		print_message("left out: %s: %zu lines: %s\n", list[i].name, list[i].met, list[i].why);
		assert_true(list[i].met > 0);
	}
}
