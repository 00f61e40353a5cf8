/* fuzz_num.c - any text is a number or is not; what was read is written the same. */
#include "common/num.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span s = { p, n };
	struct buf raw = { 0 }, text = { 0 };
	uint8_t hex[HASH_BYTES];
	uint64_t v;
	unsigned found = num_u64(s, &v) + num_quantity(s, &v) + num_span_ms(s, &v) + num_micro(s, &v);

	if (num_u64(s, &v) != (num_size(s, &v) && n > 0 && p[n - 1] <= '9') || found > 2)
		abort();
	if (num_hex(s, true, hex, sizeof hex) && n < 2 * sizeof hex)
		abort();
	if (num_base64(s, &raw)) {
		num_put_base64(&text, SPAN_OF(&raw));
		if (!span_eq(SPAN_OF(&text), s))
			abort();
	}
	buf_reset(&raw);
	buf_reset(&text);
	if (num_base64url(s, &raw)) {
		num_put_base64url(&text, SPAN_OF(&raw), false);
		if (!span_eq(SPAN_OF(&text), s))
			abort();
	}
	buf_free(&raw);
	buf_free(&text);
	return 0;
}
