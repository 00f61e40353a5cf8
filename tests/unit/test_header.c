/* test_header.c - hashes of block headers: a real one, made ones (their hashes come from an
 * independent implementation), and the real traces of PROVA_FIXTURES. */
#include "common/base.h"

#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>

#include "common/header.h"
#include "common/num.h"
#include "common/scan.h"

#define ZEROS32 "0000000000000000000000000000000000000000000000000000000000000000"
#define BLOOM ZEROS32 ZEROS32 ZEROS32 ZEROS32 ZEROS32 ZEROS32 ZEROS32 ZEROS32
#define FOURS "4444444444444444444444444444444444444444444444444444444444444444"
#define THREES "3333333333333333333333333333333333333333333333333333333333333333"
#define FIVES "5555555555555555555555555555555555555555555555555555555555555555"
#define EMPTY_ROOT "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"

/* Ethereum mainnet, block 0. */
static const char genesis[] = "{\"parentHash\":\"0x" ZEROS32 "\","
	"\"sha3Uncles\":\"0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347\","
	"\"miner\":\"0x0000000000000000000000000000000000000000\","
	"\"stateRoot\":\"0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544\","
	"\"transactionsRoot\":\"" EMPTY_ROOT "\",\"receiptsRoot\":\"" EMPTY_ROOT "\",\"logsBloom\":\"0x" BLOOM "\","
	"\"difficulty\":\"0x400000000\",\"number\":\"0x0\",\"gasLimit\":\"0x1388\",\"gasUsed\":\"0x0\",\"timestamp\":\"0x0\","
	"\"extraData\":\"0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa\","
	"\"mixHash\":\"0x" ZEROS32 "\",\"nonce\":\"0x0000000000000042\",\"size\":\"0x21c\",\"totalDifficulty\":\"0x400000000\","
	"\"hash\":\"0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3\"}";

static enum header_hash
verdict(const char *more, const char *hash)
{
	struct header h;
	char *text = xprintf("{\"hash\":\"0x%s\",\"parentHash\":\"0x1111111111111111111111111111111111111111111111111111111111111111\","
	    "\"sha3Uncles\":\"0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347\","
	    "\"miner\":\"0x0000000000000000000000000000000000000000\","
	    "\"stateRoot\":\"0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544\","
	    "\"transactionsRoot\":\"" EMPTY_ROOT "\",\"receiptsRoot\":\"" EMPTY_ROOT "\",\"logsBloom\":\"0x" BLOOM "\","
	    "\"difficulty\":\"0x400000000\",\"number\":\"0x210\",\"gasLimit\":\"0x989680\",\"gasUsed\":\"0x7b4c\","
	    "\"timestamp\":\"0x665de5b9\",\"extraData\":\"0x\","
	    "\"mixHash\":\"0x2222222222222222222222222222222222222222222222222222222222222222\","
	    "\"nonce\":\"0x0000000000000000\"%s}", hash, more);

	assert_true(header_read(span_str(text), &h));
	assert_int_equal(h.number, 0x210);
	assert_int_equal(h.parent[0], 0x11);
	free(text);
	return h.verdict;
}

static void
a_real_header_hashes_to_its_hash(void **state)
{
	struct header h;

	assert_true(header_read(span_str(genesis), &h));
	assert_int_equal(h.verdict, HEADER_MATCH);
	assert_int_equal(h.number, 0);
	assert_int_equal(h.hash[0], 0xd4);
}

static void
each_form_has_its_hash(void **state)
{
#define CANCUN ",\"baseFeePerGas\":\"0x7\",\"withdrawalsRoot\":\"0x" THREES "\",\"blobGasUsed\":\"0x20000\"," \
	"\"excessBlobGas\":\"0x0\",\"parentBeaconBlockRoot\":\"0x" FOURS "\""
	static const struct { const char *more, *hash; } forms[] = {
		{ "", "171dd1afc981b33a61b455d67a7369653f783abc48b8c1c9693a720711491082" },
		{ ",\"baseFeePerGas\":null", "171dd1afc981b33a61b455d67a7369653f783abc48b8c1c9693a720711491082" },
		{ ",\"baseFeePerGas\":\"0x8f0d180\",\"withdrawalsRoot\":null",
		    "9070321fc56a7f91c8f4dea6263b95cabc217ffc58cbe68803ee28e7e00b8f22" },
		{ ",\"baseFeePerGas\":\"0x0\"", "2045b12567940b3444890e3dce0a3e2117c0de676c41f81999868a2fe4d547f3" },
		{ CANCUN, "5d6d8230614a02a1b64272d5f57258f0afbd75f4323a634b3197b023e8f97803" },
		{ CANCUN ",\"requestsHash\":\"0x" FIVES "\"", "d0b316756c70dd5a2f3f060b612e90ff7687aa8beee02962fd7ba6241e3f983b" },
		{ ",\"baseFeePerGas\":\"0x7\",\"parentBeaconBlockRoot\":\"0x" FOURS "\"",
		    "b2774104abaeb04f61c3d8fc6a51f2a6cf05a8c450a0c84d6b4e8d1c5ffec611" },
	};

	for (size_t i = 0; i < NELEM(forms); i++)
		if (verdict(forms[i].more, forms[i].hash) != HEADER_MATCH)
			fail_msg("form %zu", i);
}

static void
another_hash_is_a_mismatch(void **state)
{
	assert_int_equal(verdict("", "071dd1afc981b33a61b455d67a7369653f783abc48b8c1c9693a720711491082"), HEADER_MISMATCH);
	assert_int_equal(verdict(",\"baseFeePerGas\":\"0x1\"", "171dd1afc981b33a61b455d67a7369653f783abc48b8c1c9693a720711491082"),
	    HEADER_MISMATCH);
}

static void
an_odd_form_is_not_judged(void **state)
{
	static const char *const odd[] = {
		",\"newField\":\"0x1\"", ",\"baseFeePerGas\":7", ",\"baseFeePerGas\":\"7\"", ",\"withdrawalsRoot\":\"0x12\"",
		",\"blobGasUsed\":\"0x1ffffffffffffffff\"", ",\"baseFeePerGas\":\"0xzz\"",
	};

	for (size_t i = 0; i < NELEM(odd); i++)
		assert_int_equal(verdict(odd[i], "171dd1afc981b33a61b455d67a7369653f783abc48b8c1c9693a720711491082"), HEADER_UNKNOWN);
}

static void
a_header_with_little_in_it_is_read_but_not_judged(void **state)
{
	struct header h;

	assert_true(header_read(SPAN("{\"number\":\"0x7\",\"hash\":\"0x" THREES "\",\"parentHash\":\"0x" FOURS "\"}"), &h));
	assert_int_equal(h.verdict, HEADER_UNKNOWN);
	assert_int_equal(h.number, 7);
	assert_false(header_read(SPAN("{\"number\":\"0x7\",\"hash\":\"0x" THREES "\"}"), &h));
	assert_false(header_read(SPAN("{\"number\":7,\"hash\":\"0x" THREES "\",\"parentHash\":\"0x" FOURS "\"}"), &h));
	assert_false(header_read(SPAN("{\"number\":\"0x7\",\"hash\":\"0x33\",\"parentHash\":\"0x" FOURS "\"}"), &h));
	assert_false(header_read(SPAN("{\"number\":\"0x7\""), &h));
	assert_false(header_read(SPAN("[]"), &h));
	assert_false(header_read((struct span){ 0 }, &h));
}

static enum header_hash
judge_file(const char *path)
{
	static const char *const paths[] = { "header" };
	struct buf text = { 0 };
	struct span found[1];
	struct header h;
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	for (size_t n; (n = fread(buf_room(&text, 65536), 1, 65536, f)) > 0; text.n += n)
		;
	fclose(f);
	assert_true(scan_members(SPAN_OF(&text), paths, 1, found, NULL));
	assert_true(header_read(found[0], &h));
	buf_free(&text);
	return h.verdict;
}

static void
real_traces_hash_to_their_hashes(void **state)
{
	const char *fixtures = getenv("PROVA_FIXTURES");
	size_t n = 0;

	if (!fixtures)
		skip();
	char *dir = xprintf("%s/trace", fixtures);
	DIR *d = opendir(dir);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d)); ) {
		if (!strstr(e->d_name, ".json"))
			continue;
		char *path = xprintf("%s/%s", dir, e->d_name);
		if (judge_file(path) != HEADER_MATCH)
			fail_msg("%s", e->d_name);
		free(path);
		n++;
	}
	closedir(d);
	free(dir);
	assert_true(n > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_real_header_hashes_to_its_hash),
		cmocka_unit_test(each_form_has_its_hash),
		cmocka_unit_test(another_hash_is_a_mismatch),
		cmocka_unit_test(an_odd_form_is_not_judged),
		cmocka_unit_test(a_header_with_little_in_it_is_read_but_not_judged),
		cmocka_unit_test(real_traces_hash_to_their_hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
