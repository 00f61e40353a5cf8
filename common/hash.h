/* hash.h - floor 3: digests (nettle). */
#ifndef PROVA_HASH_H
#define PROVA_HASH_H

#include "common/bytes.h"

/* An incremental sha256; opaque storage on the caller's stack. */
struct sha256 { _Alignas(16) uint8_t state[256]; };

void	sha256_init(struct sha256 *);
void	sha256_put(struct sha256 *, const void *, size_t);
void	sha256_end(struct sha256 *, uint8_t out[HASH_BYTES]);
void	sha256_of(struct span, uint8_t out[HASH_BYTES]);
void	hmac_sha256(struct span key, struct span text, uint8_t out[HASH_BYTES]);
/* Keccak-256 with the original 0x01 padding (Ethereum), not SHA3-256. */
void	keccak256(struct span, uint8_t out[HASH_BYTES]);

#endif
