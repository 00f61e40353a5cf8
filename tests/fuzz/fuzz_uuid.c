/* fuzz_uuid.c - a prover's uuid, whatever it is, names no attempt, or the one that seals to it.
 *
 * Input: a byte that says how many bytes of key follow, the key, the text.  What opens is sealed
 * again; and the key's own uuid opens, so that both ways are taken.
 * uses: cmd/dispatch-coordinator */
#include "cmd/dispatch-coordinator/uuid.h"

int	LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
check_sealed(struct span key, uint64_t id)
{
	char text[UUID_CHARS + 1];

	uuid_seal(SPAN("secret"), key, id, text);
	if (uuid_open(SPAN("secret"), key, span_str(text)) != id)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	size_t nkey = n ? MIN2((size_t)p[0], n - 1) : 0;
	struct span key = { p + (n > 0), nkey }, text = { p + (n > 0) + nkey, n - (n > 0) - nkey };
	uint64_t id = uuid_open(SPAN("secret"), key, text);

	if (id >> 48)
		abort();
	if (id)
		check_sealed(key, id);
	check_sealed(key, 1 + (n << 16 | nkey));
	return 0;
}
