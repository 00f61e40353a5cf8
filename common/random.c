/* random.c - see random.h. */
#include "common/random.h"

#include <sodium.h>

#include "common/diag.h"

static void
ready(void)
{
	if (sodium_init() < 0)
		die(EXIT_SYSTEM, "no source of random bytes");
}

void
random_bytes(void *p, size_t n)
{
	ready();
	randombytes_buf(p, n);
}

uint64_t
random_u64(void)
{
	uint64_t v;

	random_bytes(&v, sizeof v);
	return v;
}

void
random_wipe(void *p, size_t n)
{
	sodium_memzero(p, n);
}
