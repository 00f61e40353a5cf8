/* test_jwt.c - tokens: the published ones verify, and each refusal has the libraries' words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/jwt.h"
#include "common/num.h"

#define SECRET	"prova secret key"
#define GO_SECRET "prover secret key"
#define HEAD	"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
#define TOKEN	HEAD "eyJleHAiOjE3MjQ4Mzg0ODUsIm9yaWdfaWF0IjoxNzI0ODM0ODg1LCJyYW5kb20iOiJ6QmdNZGstNGc4UzNUNTFrVEFsYk1RTXg2TGJ4SUs4czY3ejM2SlNuSFlJPSJ9" \
		".x9PvihhNx2w4_OX5uCrv8QJCNYVQkIi-K2k8XFXYmik"
#define CLAIMS	"{\"exp\":1724838485,\"orig_iat\":1724834885,\"random\":\"zBgMdk-4g8S3T51kTAlbMQMx6LbxIK8s67z36JSnHYI=\"}"
#define OLD	HEAD "eyJleHAiOjE2OTEwMzM0MTksIm9yaWdfaWF0IjoxNjkxMDI5ODE5fQ.EhkLZsj__rNPVC3ZDYBtvdh0nB8mmM_Hl82hObaIWOs"

static enum jwt_verdict
verify(const char *token, uint64_t now_s, struct buf *claims, struct buf *why)
{
	buf_reset(claims);
	buf_reset(why);
	return jwt_verify(span_str(token), SPAN(GO_SECRET), now_s, claims, why);
}

static void
v3_published_tokens_verify(void **state)
{
	struct buf claims = { 0 }, why = { 0 };

	assert_int_equal(verify(TOKEN, 1724838484, &claims, &why), JWT_OK);
	assert_string_equal(buf_cstr(&claims), CLAIMS);
	assert_int_equal(verify(OLD, 1691033418, &claims, &why), JWT_OK);
	assert_string_equal(buf_cstr(&claims), "{\"exp\":1691033419,\"orig_iat\":1691029819}");
	buf_free(&claims);
	buf_free(&why);
}

static void
v3_a_published_token_is_made_again(void **state)
{
	struct buf token = { 0 };

	jwt_make(&token, SPAN(CLAIMS), SPAN(GO_SECRET));
	assert_string_equal(buf_cstr(&token), TOKEN);
	buf_free(&token);
}

static void
a_token_ends_with_its_last_second(void **state)
{
	struct buf claims = { 0 }, why = { 0 };

	assert_int_equal(verify(TOKEN, 1724838485, &claims, &why), JWT_EXPIRED);
	assert_string_equal(buf_cstr(&why), "token is expired");
	buf_reset(&why);
	assert_int_equal(jwt_verify((struct span){ 0 }, SPAN(GO_SECRET), 1, &claims, &why), JWT_BAD);
	assert_string_equal(buf_cstr(&why), "token contains an invalid number of segments");
	buf_free(&claims);
	buf_free(&why);
}

static void
each_refusal_has_its_words(void **state)
{
	static const struct {
		const char *token, *why;
	} bad[] = {
		{ "garbage", "token contains an invalid number of segments" },
		{ "a.b", "token contains an invalid number of segments" },
		{ "a.b.c.d", "token contains an invalid number of segments" },
		{ "!!!.e30.AAAA", "illegal base64 data at input byte 0" },
		{ "aGVsbG8.e30.AAAA", "invalid character 'h' looking for beginning of value" },
		{ HEAD "e30.AAAA", "signature is invalid" },
		{ HEAD "e30.AA=A", "illegal base64 data at input byte 2" },
		{ "eyJhbGciOiJub25lIn0.e30.AAAA", "invalid signing algorithm" },
		{ "eyJhbGciOiJYWCJ9.e30.AAAA", "signing method (alg) is unavailable." },
		{ "e30.e30.AAAA", "signing method (alg) is unspecified." },
	};
	struct buf claims = { 0 }, why = { 0 };

	for (size_t i = 0; i < NELEM(bad); i++) {
		assert_int_equal(verify(bad[i].token, 1, &claims, &why), JWT_BAD);
		assert_string_equal(buf_cstr(&why), bad[i].why);
	}
	buf_free(&claims);
	buf_free(&why);
}

static void
dates_are_judged_as_the_libraries_do(void **state)
{
	static const struct {
		const char *claims;
		enum jwt_verdict verdict;
		const char *why;
	} cases[] = {
		{ "{\"exp\":100}", JWT_OK, "" },
		{ "{\"exp\":100,\"foo\":1.5}", JWT_OK, "" },
		{ "{\"exp\":50}", JWT_EXPIRED, "token is expired" },
		{ "{\"exp\":0}", JWT_EXPIRED, "token is expired" },
		{ "{\"exp\":\"100\"}", JWT_EXPIRED, "token is expired" },
		{ "{}", JWT_BAD, "missing exp field" },
		{ "{\"exp\":100,\"iat\":60}", JWT_BAD, "token used before issued" },
		{ "{\"exp\":100,\"nbf\":60}", JWT_BAD, "token is not valid yet" },
	};
	struct buf token = { 0 }, claims = { 0 }, why = { 0 };

	for (size_t i = 0; i < NELEM(cases); i++) {
		buf_reset(&token);
		jwt_make(&token, span_str(cases[i].claims), SPAN(GO_SECRET));
		assert_int_equal(verify(buf_cstr(&token), 50, &claims, &why), cases[i].verdict);
		assert_string_equal(buf_cstr(&why), cases[i].why);
	}
	buf_free(&token);
	buf_free(&claims);
	buf_free(&why);
}

static void
a_foreign_signature_is_told_before_the_date(void **state)
{
	struct buf token = { 0 }, claims = { 0 }, why = { 0 };

	jwt_make(&token, SPAN("{\"exp\":5}"), SPAN(SECRET));
	assert_int_equal(verify(buf_cstr(&token), 50, &claims, &why), JWT_BAD);
	assert_string_equal(buf_cstr(&why), "signature is invalid");
	buf_free(&token);
	buf_free(&claims);
	buf_free(&why);
}

static void
times_are_read_without_the_secret(void **state)
{
	uint64_t exp_s, iat_s;

	assert_true(jwt_times(SPAN(TOKEN), &exp_s, &iat_s));
	assert_int_equal(exp_s, 1724838485);
	assert_int_equal(iat_s, 1724834885);
	assert_false(jwt_times(SPAN("no token"), &exp_s, &iat_s));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(v3_published_tokens_verify),
		cmocka_unit_test(v3_a_published_token_is_made_again),
		cmocka_unit_test(a_token_ends_with_its_last_second),
		cmocka_unit_test(each_refusal_has_its_words),
		cmocka_unit_test(dates_are_judged_as_the_libraries_do),
		cmocka_unit_test(a_foreign_signature_is_told_before_the_date),
		cmocka_unit_test(times_are_read_without_the_secret),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
