/* test_hash.c - digests against published vectors. */
#include "common/hash.h"

#include <setjmp.h>

#include <cmocka.h>

#include "common/num.h"

static void
assert_hex(const uint8_t hash[HASH_BYTES], const char *hex)
{
	struct buf b = { 0 };

	num_put_hex(&b, (struct span){ hash, HASH_BYTES });
	assert_string_equal(buf_cstr(&b), hex);
	buf_free(&b);
}

static void
sha256_matches_fips_180(void **state)
{
	uint8_t h[HASH_BYTES];

	sha256_of(SPAN(""), h);
	assert_hex(h, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha256_of(SPAN("abc"), h);
	assert_hex(h, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void
pieces_hash_like_the_whole(void **state)
{
	uint8_t text[1000], whole[HASH_BYTES], pieces[HASH_BYTES];
	struct sha256 h;

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)(i * 7);
	sha256_of((struct span){ text, sizeof text }, whole);
	sha256_init(&h);
	for (size_t at = 0, n = 1; at < sizeof text; at += n, n = MIN2(n * 2, sizeof text - at))
		sha256_put(&h, text + at, n);
	sha256_put(&h, NULL, 0);
	sha256_end(&h, pieces);
	assert_memory_equal(whole, pieces, HASH_BYTES);
}

static void
hmac_matches_rfc_4231_cases_2_and_6(void **state)
{
	uint8_t h[HASH_BYTES], key[131];

	hmac_sha256(SPAN("Jefe"), SPAN("what do ya want for nothing?"), h);
	assert_hex(h, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof key);
	hmac_sha256((struct span){ key, sizeof key }, SPAN("Test Using Larger Than Block-Size Key - Hash Key First"), h);
	assert_hex(h, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void
keccak_is_ethereums_and_not_sha3(void **state)
{
	uint8_t h[HASH_BYTES];

	keccak256(SPAN(""), h);
	assert_hex(h, "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
	keccak256(SPAN("abc"), h);
	assert_hex(h, "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
}

/* One byte less than a block, a block, one more: the padding's corners. */
static void
keccak_pads_at_the_edge_of_a_block(void **state)
{
	static const struct { size_t n; const char *hex; } cases[] = {
		{ 135, "34367dc248bbd832f4e3e69dfaac2f92638bd0bbd18f2912ba4ef454919cf446" },
		{ 136, "a6c4d403279fe3e0af03729caada8374b5ca54d8065329a3ebcaeb4b60aa386e" },
		{ 137, "d869f639c7046b4929fc92a4d988a8b22c55fbadb802c0c66ebcd484f1915f39" },
	};
	uint8_t text[137], h[HASH_BYTES];

	memset(text, 'a', sizeof text);
	for (size_t i = 0; i < NELEM(cases); i++) {
		keccak256((struct span){ text, cases[i].n }, h);
		assert_hex(h, cases[i].hex);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_matches_fips_180),
		cmocka_unit_test(pieces_hash_like_the_whole),
		cmocka_unit_test(hmac_matches_rfc_4231_cases_2_and_6),
		cmocka_unit_test(keccak_is_ethereums_and_not_sha3),
		cmocka_unit_test(keccak_pads_at_the_edge_of_a_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
