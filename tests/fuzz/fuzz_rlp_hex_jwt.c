/* fuzz_rlp_hex_jwt.c - a login from anywhere: bound, hashed, verified; the same bytes as a token. */
#include "common/coord.h"
#include "common/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf claims = { 0 }, why = { 0 };
	struct coord_login l;
	struct coord_claims c;
	uint64_t exp_s, iat_s;

	if (coord_take_login("application/json", (struct span){ p, n }, &l, &why)) {
		(void)!coord_login_verify(&l);
		(void)!coord_version_ok(SPAN_OF(&l.version), "v4.4.43");
		coord_login_free(&l);
	}
	buf_reset(&why);
	(void)!jwt_times((struct span){ p, n }, &exp_s, &iat_s);
	if (jwt_verify((struct span){ p, n }, SPAN("key"), 1, &claims, &why) == JWT_OK && coord_take_claims(SPAN_OF(&claims), &c))
		coord_claims_free(&c);
	buf_free(&claims);
	buf_free(&why);
	return 0;
}
