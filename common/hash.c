/* hash.c - see hash.h.  Nettle uses the CPU's SHA instructions where it has them. */
#include "common/hash.h"

#include <nettle/hmac.h>
#include <nettle/sha2.h>
#include <nettle/sha3.h>

/* A macro of nettle; a function of ours. */
#undef sha256_init

_Static_assert(sizeof(struct sha256) >= sizeof(struct sha256_ctx), "struct sha256 is too small");

enum { KECCAK_RATE = 136 };	/* bytes a block of Keccak-256 absorbs */

static struct sha256_ctx *
ctx(struct sha256 *h)
{
	return (struct sha256_ctx *)(void *)h->state;
}

void
sha256_init(struct sha256 *h)
{
	nettle_sha256_init(ctx(h));
}

void
sha256_put(struct sha256 *h, const void *p, size_t n)
{
	if (n)
		nettle_sha256_update(ctx(h), n, p);
}

void
sha256_end(struct sha256 *h, uint8_t out[HASH_BYTES])
{
	nettle_sha256_digest(ctx(h), HASH_BYTES, out);
}

void
sha256_of(struct span s, uint8_t out[HASH_BYTES])
{
	struct sha256 h;

	sha256_init(&h);
	sha256_put(&h, s.p, s.n);
	sha256_end(&h, out);
}

void
hmac_sha256(struct span key, struct span text, uint8_t out[HASH_BYTES])
{
	struct hmac_sha256_ctx h;

	hmac_sha256_set_key(&h, key.n, key.n ? key.p : (const uint8_t *)"");
	if (text.n)
		hmac_sha256_update(&h, text.n, text.p);
	hmac_sha256_digest(&h, HASH_BYTES, out);
}

static void
absorb(struct sha3_state *state, const uint8_t block[KECCAK_RATE])
{
	for (size_t i = 0; i < KECCAK_RATE; i++)
		state->a[i / 8] ^= (uint64_t)block[i] << (8 * (i % 8));
	sha3_permute(state);
}

void
keccak256(struct span s, uint8_t out[HASH_BYTES])
{
	struct sha3_state state = { { 0 } };
	uint8_t last[KECCAK_RATE] = { 0 };

	for (; s.n >= KECCAK_RATE; s.p += KECCAK_RATE, s.n -= KECCAK_RATE)
		absorb(&state, s.p);
	if (s.n)
		memcpy(last, s.p, s.n);
	last[s.n] ^= 0x01;
	last[KECCAK_RATE - 1] ^= 0x80;
	absorb(&state, last);
	for (size_t i = 0; i < HASH_BYTES; i++)
		out[i] = (uint8_t)(state.a[i / 8] >> (8 * (i % 8)));
}
