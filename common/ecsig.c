/* ecsig.c - secp256k1 signatures.  See ecsig.h. */
#include "common/ecsig.h"

#include <secp256k1.h>
#include <secp256k1_recovery.h>

#include "common/diag.h"

static const secp256k1_context *
context(void)
{
	static secp256k1_context *c;

	if (!c)
		c = secp256k1_context_create(SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_VERIFY);
	return c;
}

static void
compress(const secp256k1_pubkey *point, uint8_t out[ECSIG_PUBLIC_BYTES])
{
	size_t n = ECSIG_PUBLIC_BYTES;

	secp256k1_ec_pubkey_serialize(context(), out, &n, point, SECP256K1_EC_COMPRESSED);
}

bool
ecsig_key(struct ecsig_key *k, const uint8_t secret[ECSIG_SECRET_BYTES])
{
	secp256k1_pubkey point;

	if (!secp256k1_ec_pubkey_create(context(), &point, secret))
		return false;
	memcpy(k->secret, secret, sizeof k->secret);
	compress(&point, k->public);
	return true;
}

void
ecsig_sign(const struct ecsig_key *k, const uint8_t digest[HASH_BYTES], uint8_t sig[ECSIG_BYTES])
{
	secp256k1_ecdsa_recoverable_signature s;
	int id = 0;

	if (!secp256k1_ecdsa_sign_recoverable(context(), &s, digest, k->secret, NULL, NULL))
		bug("signing with a key that is none");
	secp256k1_ecdsa_recoverable_signature_serialize_compact(context(), sig, &id, &s);
	sig[64] = (uint8_t)id;
}

bool
ecsig_verify(const uint8_t digest[HASH_BYTES], const uint8_t sig[64], struct span public)
{
	secp256k1_ecdsa_signature s;
	secp256k1_pubkey point;

	return secp256k1_ec_pubkey_parse(context(), &point, public.p, public.n) &&
	    secp256k1_ecdsa_signature_parse_compact(context(), &s, sig) &&
	    secp256k1_ecdsa_verify(context(), &s, digest, &point);
}

bool
ecsig_recover(const uint8_t digest[HASH_BYTES], const uint8_t sig[ECSIG_BYTES],
    uint8_t public[ECSIG_PUBLIC_BYTES])
{
	secp256k1_ecdsa_recoverable_signature s;
	secp256k1_pubkey point;

	if (sig[64] > 3 ||
	    !secp256k1_ecdsa_recoverable_signature_parse_compact(context(), &s, sig, sig[64]) ||
	    !secp256k1_ecdsa_recover(context(), &point, &s, digest))
		return false;
	compress(&point, public);
	return true;
}
