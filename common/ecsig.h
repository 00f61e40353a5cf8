/* ecsig.h - floor 3: secp256k1 signatures as Ethereum uses them (libsecp256k1; RFC 6979 nonces, low s). */
#ifndef PROVA_ECSIG_H
#define PROVA_ECSIG_H

#include "common/bytes.h"

enum {
	ECSIG_SECRET_BYTES	= 32,
	ECSIG_PUBLIC_BYTES	= 33,	/* compressed SEC1 point */
	ECSIG_BYTES		= 65,	/* r, s, recovery id 0 or 1 */
};

struct ecsig_key {
	uint8_t	secret[ECSIG_SECRET_BYTES];
	uint8_t	public[ECSIG_PUBLIC_BYTES];
};

/* False when the secret is 0 or not below the order of the curve. */
bool	ecsig_key(struct ecsig_key *, const uint8_t secret[ECSIG_SECRET_BYTES]) MUSTCHECK;
void	ecsig_sign(const struct ecsig_key *, const uint8_t digest[HASH_BYTES], uint8_t sig[ECSIG_BYTES]);
/* sig: r and s; a high s is refused.  public: compressed (33) or plain (65) point. */
bool	ecsig_verify(const uint8_t digest[HASH_BYTES], const uint8_t sig[64], struct span public) MUSTCHECK;
/* The key that made sig; false when there is none. */
bool	ecsig_recover(const uint8_t digest[HASH_BYTES], const uint8_t sig[ECSIG_BYTES],
	    uint8_t public[ECSIG_PUBLIC_BYTES]) MUSTCHECK;

#endif
