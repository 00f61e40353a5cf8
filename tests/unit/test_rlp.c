/* test_rlp.c - RLP against the published digests of the protocol's structs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/hash.h"
#include "common/num.h"
#include "common/rlp.h"

#define OLD_JWT "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjE2OTEwMzM0MTksIm9yaWdfaWF0IjoxNjkxMDI5ODE5fQ." \
	"EhkLZsj__rNPVC3ZDYBtvdh0nB8mmM_Hl82hObaIWOs"

/* A small language: s TEXT, i NUMBER, ( begins a list, ) ends it. */
static void
put_items(struct buf *b, const char *const **items)
{
	for (; **items && strcmp(**items, ")") != 0; ++*items) {
		const char *item = **items;
		struct buf inner = { 0 };
		if (item[0] == '(') {
			++*items;
			put_items(&inner, items);
			rlp_put_list(b, SPAN_OF(&inner));
		} else if (item[0] == 's') {
			rlp_put_str(b, span_str(item + 1));
		} else {
			rlp_put_u64(b, strtoull(item + 1, NULL, 10));
		}
		buf_free(&inner);
	}
}

static void
assert_digest(const char *const *items, const char *want)
{
	struct buf b = { 0 }, text = { 0 };
	uint8_t digest[HASH_BYTES];

	put_items(&b, &items);
	keccak256(SPAN_OF(&b), digest);
	num_put_hex(&text, (struct span){ digest, sizeof digest });
	assert_string_equal(buf_cstr(&text), want);
	buf_free(&b);
	buf_free(&text);
}

static void
assert_encodes(const char *const *items, const char *want)
{
	struct buf b = { 0 }, text = { 0 };

	put_items(&b, &items);
	num_put_hex(&text, SPAN_OF(&b));
	assert_string_equal(buf_cstr(&text), want);
	buf_free(&b);
	buf_free(&text);
}

#define ITEMS(...) (const char *const[]){ __VA_ARGS__, NULL }

static void
small_items_are_encoded_as_the_yellow_paper_says(void **state)
{
	assert_encodes(ITEMS("s"), "80");
	assert_encodes(ITEMS("sa"), "61");
	assert_encodes(ITEMS("sdog"), "83646f67");
	assert_encodes(ITEMS("i0"), "80");
	assert_encodes(ITEMS("i1"), "01");
	assert_encodes(ITEMS("i128"), "8180");
	assert_encodes(ITEMS("i1024"), "820400");
	assert_encodes(ITEMS("i18446744073709551615"), "88ffffffffffffffff");
	assert_encodes(ITEMS("(", ")"), "c0");
	assert_encodes(ITEMS("(", "scat", "sdog", ")"), "c88363617483646f67");
	assert_encodes(ITEMS("(", "(", ")", "(", "(", ")", ")", ")"), "c3c0c1c0");
}

static void
lengths_change_form_at_55_bytes(void **state)
{
	struct buf b = { 0 };
	uint8_t zeros[256] = { 0 };

	rlp_put_str(&b, (struct span){ zeros, 55 });
	assert_int_equal(b.p[0], 0x80 + 55);
	buf_reset(&b);
	rlp_put_str(&b, (struct span){ zeros, 56 });
	assert_int_equal(b.p[0], 0xb8);
	assert_int_equal(b.p[1], 56);
	buf_reset(&b);
	rlp_put_list(&b, (struct span){ zeros, 256 });
	assert_memory_equal(b.p, "\xf9\x01\x00", 3);
	assert_int_equal(b.n, 259);
	buf_free(&b);
}

static void
v4_identities_of_every_generation_have_their_digests(void **state)
{
	assert_digest(ITEMS("(", "stestName", "i0", "i1622428800", "stestVersion", "stestToken", ")"),
	    "b3f152958dc881446fc131a250526139d909710c6b91b4d3281ceded28ce2e32");
	assert_digest(ITEMS("(", "stestName", "i1", "stestVersion", "stestToken", ")"),
	    "c0411a19531fb8c6133b2bae91f361c14e65f2d318aef72b83519e6061cad001");
	assert_digest(ITEMS("(", "stest", "sv1.0.0", "s" OLD_JWT, ")"),
	    "83f5e0ad023e9c1de639ab07b9b4cb972ec9dbbd2524794c533a420a5b137721");
	assert_digest(ITEMS("(", "stest", "sv1.0.0", "s" OLD_JWT, "s", ")"),
	    "9b8b00f5655411ec1d68ba1666261281c5414aedbda932e5b6a9f7f1b114fdf2");
}

#define AGG "(", "stestProof", "stestInstance", "stestFinalPair", "stestVk", "i1", ")"
#define CP5 "stestStorageTrace", "stestProtocol", "stestProof", "stestInstance", "stestVk"

static void
v5_proof_details_of_every_generation_have_their_digests(void **state)
{
	assert_digest(ITEMS("(", "stestID", "i0", "i0", AGG, "stestError", ")"),
	    "fdfaae752d6fd72a7fdd2ad034ef504d3acda9e691a799323cfa6e371684ba2b");
	assert_digest(ITEMS("(", "stestID", "i1", "i0", AGG, "stestError", ")"),
	    "8ad894c2047166a98b1a389b716b06b01dc1bd29e950e2687ffbcb3c328edda5");
	assert_digest(ITEMS("(", "stestID", "i1", "i0", "(", CP5, ")", "(", ")", "stestError", ")"),
	    "4165f5ab3399001002a5b8e4062914249a2deb72f6133d647b586f53e236802d");
	assert_digest(ITEMS("(", "stestID", "i1", "i0", "(", CP5, "(", ")", "s", ")", "(", ")", "stestError", ")"),
	    "d3b57cb84b0da8043373eeb3612806fb7248d6d1b6e089846ccf3ccce2d9f31c");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_items_are_encoded_as_the_yellow_paper_says),
		cmocka_unit_test(lengths_change_form_at_55_bytes),
		cmocka_unit_test(v4_identities_of_every_generation_have_their_digests),
		cmocka_unit_test(v5_proof_details_of_every_generation_have_their_digests),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
