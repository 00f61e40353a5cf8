/* test_ecsig.c - signatures: deterministic, low s, recoverable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/ecsig.h"
#include "common/num.h"

#define SECRET	"8b8df68fddf7ee2724b79ccbd07799909d59b4dd4f4df3f6ecdc4fb8d56bdf4c"
#define PUBLIC	"0324afcee4c0f906c71a562473da1f8448d6f6b0b2fa972759cd99a8838d923121"
#define DIGEST	"97ce9909126852b687f9c8f662ef2507f848967a6593ab16acfd32f0af4ff3e0"
#define SIG	"b8659f094fde9ed697bd86b8d8a0a1cff902710d7750463858c8a9ff9e851b15" \
		"2240054f256ce9ea8a3eaf5f0d56ceed894b358d3505926dc6cfc36548f7001a01"

static void
hex(const char *text, uint8_t *out, size_t n)
{
	assert_true(num_hex(span_str(text), false, out, n));
}

static void
the_published_signature_comes_out(void **state)
{
	struct ecsig_key key;
	uint8_t secret[32], public[33], digest[32], want[65], got[65], back[33];

	hex(SECRET, secret, 32);
	hex(PUBLIC, public, 33);
	hex(DIGEST, digest, 32);
	hex(SIG, want, 65);
	assert_true(ecsig_key(&key, secret));
	assert_memory_equal(key.public, public, 33);
	ecsig_sign(&key, digest, got);
	assert_memory_equal(got, want, 65);
	assert_true(ecsig_verify(digest, got, (struct span){ public, 33 }));
	assert_true(ecsig_recover(digest, got, back));
	assert_memory_equal(back, public, 33);
}

static void
wrong_things_do_not_verify(void **state)
{
	uint8_t public[33], digest[32], sig[65], back[33];

	hex(PUBLIC, public, 33);
	hex(DIGEST, digest, 32);
	hex(SIG, sig, 65);
	digest[0] ^= 1;
	assert_false(ecsig_verify(digest, sig, (struct span){ public, 33 }));
	digest[0] ^= 1;
	sig[40] ^= 1;
	assert_false(ecsig_verify(digest, sig, (struct span){ public, 33 }));
	sig[40] ^= 1;
	public[0] ^= 1;
	assert_false(ecsig_verify(digest, sig, (struct span){ public, 33 }));
	assert_false(ecsig_verify(digest, sig, (struct span){ public, 32 }));
	sig[64] = 4;
	assert_false(ecsig_recover(digest, sig, back));
}

static void
a_high_s_is_refused(void **state)
{
	static const uint8_t order[32] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
		0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
	};
	uint8_t public[33], digest[32], sig[65];
	int borrow = 0;

	hex(PUBLIC, public, 33);
	hex(DIGEST, digest, 32);
	hex(SIG, sig, 65);
	for (int i = 31; i >= 0; i--) {
		int d = order[i] - sig[32 + i] - borrow;
		borrow = d < 0;
		sig[32 + i] = (uint8_t)d;
	}
	assert_false(ecsig_verify(digest, sig, (struct span){ public, 33 }));
}

static void
zero_and_the_order_are_no_keys(void **state)
{
	struct ecsig_key key;
	uint8_t secret[32] = { 0 };

	assert_false(ecsig_key(&key, secret));
	memset(secret, 0xff, sizeof secret);
	assert_false(ecsig_key(&key, secret));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_signature_comes_out),
		cmocka_unit_test(wrong_things_do_not_verify),
		cmocka_unit_test(a_high_s_is_refused),
		cmocka_unit_test(zero_and_the_order_are_no_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
