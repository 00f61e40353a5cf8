/* recording.c - recorded exchanges.  See recording.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/num.h"
#include "tests/wire/recording.h"
#include "tests/wire/server.h"

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
recording_is_own(void)
{
	return getenv("PROVA_FIXTURES") == NULL;
}

const char *
recording_secret(const char *theirs)
{
	return recording_is_own() ? SERVER_SECRET : theirs;
}

void
recording_each(const char *path, const char *name, void (*fn)(void *, const struct json *), void *arg)
{
	char *file_path = recording_is_own() ? xprintf("tests/wire/recordings/%s", name) : xprintf("%s/%s", getenv("PROVA_FIXTURES"), path);
	struct buf file = { 0 };
	char why[128];

	read_file(file_path, &file);
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
	free(file_path);
}

uint64_t
recording_at_ms(const struct json *line)
{
	struct buf number = { 0 };

	json_put(&number, json_get(line, "at"));
	uint64_t ms = (uint64_t)(strtod(buf_cstr(&number), NULL) * 1000);
	buf_free(&number);
	return ms;
}

struct span
recording_header(const struct json *message, const char *name)
{
	const struct json *headers = json_get(message, "headers");

	for (size_t i = 0; i < json_size(headers); i++) {
		struct span key = json_text(json_at(json_at(headers, i), 0));
		if (key.n == strlen(name) && strncasecmp((const char *)key.p, name, key.n) == 0)
			return json_text(json_at(json_at(headers, i), 1));
	}
	return (struct span){ 0 };
}

/* Bytes that are not UTF-8 were recorded in base64. */
void
recording_body(const struct json *request, struct buf *out)
{
	struct span text = json_str(request, "body"), bytes = json_str(json_get(request, "body"), "base64");

	if (bytes.p)
		assert_true(num_base64(bytes, out));
	else
		buf_put(out, text.p, text.n);
}

struct json *
recording_asked(struct span body)
{
	char uuid[37] = "", task[67] = "", why[128];
	char *text = xprintf("%.*s", (int)MIN2(body.n, 200), body.p ? (const char *)body.p : "");
	bool form = sscanf(text, "uuid=%36[^&]&task_id=%66[^&]", uuid, task) == 2;
	char *json = form ? xprintf("{\"uuid\":\"%s\",\"task_id\":\"%s\"}", uuid, task) : NULL;
	struct json *asked = json ? json_parse(span_str(json), 1 << 20, why) : body.p ? json_parse(body, 64 << 20, why) : NULL;

	free(text);
	free(json);
	return asked;
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
		if (!list[i].met && recording_is_own())
			continue;
		print_message("left out: %s: %zu lines: %s\n", list[i].name, list[i].met, list[i].why);
		assert_true(list[i].met > 0);
	}
}
