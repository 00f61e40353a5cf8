/* fuzz_json.c - what was parsed is written as a document that parses; any text is written as a string that does. */
#include "common/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must_parse(struct span s)
{
	struct json *j = json_parse(s, SIZE_MAX, NULL);

	if (!j)
		abort();
	json_free(&j);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char why[128];
	struct buf b = { 0 };
	struct json *j = json_parse((struct span){ p, n }, 1 << 16, why);

	if (j) {
		json_put(&b, j);
		must_parse(SPAN_OF(&b));
		json_free(&j);
	}
	buf_reset(&b);
	json_put_str(&b, (struct span){ p, n }, n % 2);
	must_parse(SPAN_OF(&b));
	buf_free(&b);
	return 0;
}
