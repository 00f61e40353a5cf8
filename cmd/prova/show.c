/* show.c - see show.h. */
#include "cmd/prova/show.h"

#include <time.h>

#include "common/codes.h"

enum { TEXT_BYTES = 4200 };

static char *
next_buffer(void)
{
	static char buffers[8][TEXT_BYTES];
	static unsigned turn;

	return buffers[turn++ % 8];
}

uint64_t
show_num(const struct json *object, const char *name)
{
	uint64_t n;

	return json_u64(json_get(object, name), &n) ? n : 0;
}

const char *
show_text(const struct json *object, const char *name)
{
	struct span s = json_str(object, name);
	char *out = next_buffer();
	size_t n = MIN2(s.n, (size_t)TEXT_BYTES - 1);

	for (size_t i = 0; i < n; i++)
		out[i] = s.p[i] < ' ' || s.p[i] == 0x7f ? '?' : (char)s.p[i];
	out[n] = '\0';
	return out;
}

const char *
show_time(uint64_t wall_ms)
{
	time_t s = (time_t)(wall_ms / 1000);
	char *out = next_buffer();
	struct tm tm;

	if (wall_ms == 0 || !gmtime_r(&s, &tm))
		return "-";
	size_t n = strftime(out, TEXT_BYTES, "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(out + n, TEXT_BYTES - n, ".%03u", (unsigned)(wall_ms % 1000));
	return out;
}

const char *
show_span(uint64_t ms)
{
	uint64_t s = ms / 1000;
	char *out = next_buffer();

	if (ms < 1000)
		snprintf(out, TEXT_BYTES, "%" PRIu64 " ms", ms);
	else if (s < 60)
		snprintf(out, TEXT_BYTES, "%" PRIu64 ".%" PRIu64 " s", s, ms % 1000 / 100);
	else if (s < 3600)
		snprintf(out, TEXT_BYTES, "%" PRIu64 " m %" PRIu64 " s", s / 60, s % 60);
	else
		snprintf(out, TEXT_BYTES, "%" PRIu64 " h %" PRIu64 " m", s / 3600, s % 3600 / 60);
	return out;
}

const char *
show_micro(int64_t micro)
{
	uint64_t u = micro < 0 ? 0 - (uint64_t)micro : (uint64_t)micro;
	char *out = next_buffer();
	int n = snprintf(out, TEXT_BYTES, "%s%" PRIu64 ".%06" PRIu64, micro < 0 ? "-" : "", u / 1000000, u % 1000000);

	while (out[n - 1] == '0')
		out[--n] = '\0';
	if (out[n - 1] == '.')
		out[--n] = '\0';
	return out;
}

uint64_t
show_code(struct span word)
{
	enum code code;

	for (size_t i = 0; code_nth(i, &code); i++)
		if (span_is(word, code_word(code)))
			return code;
	return UINT64_MAX;
}

void
show_why(const struct json *object, const char *label)
{
	struct span word = json_str(object, "code");
	const char *detail = show_text(object, "detail");

	if (word.n && !span_is(word, code_word(CODE_OK)))
		printf("%s%.*s: %s  %s\n", label, SPAN_ARG(word), code_sentence(show_code(word)), code_action(show_code(word)));
	if (*detail)
		printf("%sit said: %s\n", label, detail);
}
