/* test_coord.c - the Coordinator's protocol: published vectors, both roles against each other, garbage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/coord.h"
#include "common/num.h"

#define CHALLENGE "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjE3MjQ4Mzg0ODUsIm9yaWdfaWF0IjoxNzI0ODM0ODg1LCJyYW5kb20iOiJ6QmdNZGstNGc4UzNUNTFrVEFsYk1RTXg2TGJ4SUs4czY3ejM2SlNuSFlJPSJ9.x9PvihhNx2w4_OX5uCrv8QJCNYVQkIi-K2k8XFXYmik"
#define SIX_SIG "0xb8659f094fde9ed697bd86b8d8a0a1cff902710d7750463858c8a9ff9e851b152240054f256ce9ea8a3eaf5f0d56ceed894b358d3505926dc6cfc36548f7001a01"
#define FIVE_SIG "0x6b467c6c7a950f79f138d8c246841ee9758cde59d4618821007484ff291ec1fa549a5574cd585a99352c5c34be1a5ff2e67c986af27b79f25cf1397a28bf4b9e01"
#define JSON "application/json"

static void
fill_login(struct coord_login *l)
{
	*l = (struct coord_login){ .has_provider = true, .provider = 1 };
	buf_puts(&l->challenge, CHALLENGE);
	buf_puts(&l->version, "v4.4.45-37af5ef5-38a68e2-1c5093c");
	buf_puts(&l->name, "test");
	buf_putc(&l->types, 1);
	l->vks = xzalloc(sizeof *l->vks);
	buf_puts(&l->vks[l->nvks++], "mock_vk");
}

static void
vector_key(struct ecsig_key *key)
{
	uint8_t secret[32];

	assert_true(num_hex(SPAN("8b8df68fddf7ee2724b79ccbd07799909d59b4dd4f4df3f6ecdc4fb8d56bdf4c"), false, secret, 32));
	assert_true(ecsig_key(key, secret));
}

static void
assert_hex(const uint8_t *p, size_t n, const char *want)
{
	struct buf text = { 0 };

	num_put_hex(&text, (struct span){ p, n });
	assert_string_equal(buf_cstr(&text), want);
	buf_free(&text);
}

static void
v1_v2_logins_have_their_digests_and_signatures(void **state)
{
	struct coord_login l;
	struct ecsig_key key;
	uint8_t digest[HASH_BYTES];

	vector_key(&key);
	fill_login(&l);
	coord_login_digest(&l, digest);
	assert_hex(digest, 32, "97ce9909126852b687f9c8f662ef2507f848967a6593ab16acfd32f0af4ff3e0");
	coord_login_sign(&l, &key);
	assert_string_equal(buf_cstr(&l.signature), SIX_SIG);
	assert_string_equal(buf_cstr(&l.public_key), "0324afcee4c0f906c71a562473da1f8448d6f6b0b2fa972759cd99a8838d923121");
	assert_int_equal(coord_login_verify(&l), COORD_SIG_OK);
	l.has_provider = false;
	assert_int_equal(coord_login_verify(&l), COORD_SIG_BAD);
	coord_login_digest(&l, digest);
	assert_hex(digest, 32, "d7ecf39f290f71e32838d7f7c066e410d47b60ee5d84e93200b17db8995dc882");
	coord_login_sign(&l, &key);
	assert_string_equal(buf_cstr(&l.signature), FIVE_SIG);
	assert_int_equal(coord_login_verify(&l), COORD_SIG_OK);
	coord_login_free(&l);
}

static void
provers_that_name_a_type_but_sign_without_it_are_known(void **state)
{
	struct coord_login l;
	struct ecsig_key key;

	vector_key(&key);
	fill_login(&l);
	l.has_provider = false;
	coord_login_sign(&l, &key);
	l.has_provider = true;
	assert_int_equal(coord_login_verify(&l), COORD_SIG_OK);
	coord_login_free(&l);
}

static void
signature_texts_are_read_leniently(void **state)
{
	static const struct {
		const char *text;
		enum coord_sig sig;
	} cases[] = {
		{ FIVE_SIG, COORD_SIG_OK }, { &FIVE_SIG[2], COORD_SIG_OK }, { FIVE_SIG "zz", COORD_SIG_OK },
		{ FIVE_SIG "00", COORD_SIG_BAD }, { "0x", COORD_SIG_PANIC }, { "zz", COORD_SIG_PANIC }, { "0x12", COORD_SIG_BAD },
	};
	struct coord_login l;
	struct ecsig_key key;

	vector_key(&key);
	fill_login(&l);
	l.has_provider = false;
	coord_login_sign(&l, &key);
	for (size_t i = 0; i < NELEM(cases); i++) {
		buf_reset(&l.signature);
		buf_puts(&l.signature, cases[i].text);
		assert_int_equal(coord_login_verify(&l), cases[i].sig);
	}
	coord_login_free(&l);
}

static void
a_login_that_is_asked_is_the_login_that_is_taken(void **state)
{
	struct coord_login l, back;
	struct coord_request r;
	struct ecsig_key key;
	struct buf why = { 0 };

	vector_key(&key);
	fill_login(&l);
	coord_login_sign(&l, &key);
	coord_ask_login(&r, &l);
	assert_string_equal(r.headers[1], "Authorization: Bearer " CHALLENGE);
	assert_true(coord_take_login(JSON, SPAN_OF(&r.body), &back, &why));
	assert_int_equal(coord_login_verify(&back), COORD_SIG_OK);
	assert_string_equal(buf_cstr(&back.name), "test");
	assert_int_equal(back.nvks, 1);
	coord_request_free(&r);
	coord_login_free(&l);
	coord_login_free(&back);
	buf_free(&why);
}

static void
identities_differ_and_do_not_change(void **state)
{
	struct ecsig_key a, b;
	struct buf text = { 0 };
	uint8_t seed[32] = { 0 };

	coord_identity(seed, 0, &a);
	coord_identity(seed, 1, &b);
	assert_memory_not_equal(a.public, b.public, 33);
	coord_identity(seed, 0, &b);
	assert_memory_equal(&a, &b, sizeof a);
	coord_key_text(&a, &text);
	assert_int_equal(text.n, 66);
	buf_free(&text);
}

static void
task_data_comes_through_byte_for_byte(void **state)
{
	static const char data[] = "{\"a\":\"\\u0001<&>\\\\ \xe2\x82\xac \xf0\x9f\x98\x80 \x7f\"}\n\t\"\"\b\f\x01";
	struct coord_task t = { .type = TYPE_BATCH }, back;
	struct coord_answer a;
	struct buf body = { 0 };

	buf_puts(&t.uuid, "u-1");
	buf_puts(&t.task_id, "0x01");
	buf_puts(&t.fork, "darwinV2");
	for (int i = 0; i < 1000; i++)
		buf_put(&t.data, data, sizeof data - 1);
	coord_put_task(&body, &t);
	assert_int_equal(coord_read_task(200, SPAN_OF(&body), &a, &back), COORD_DONE);
	assert_true(span_eq(SPAN_OF(&t.data), SPAN_OF(&back.data)));
	assert_int_equal(back.type, TYPE_BATCH);
	assert_string_equal(buf_cstr(&back.fork), "darwinV2");
	coord_task_free(&t);
	coord_task_free(&back);
	buf_free(&body);
}

static void
a_proof_comes_through_byte_for_byte(void **state)
{
	struct coord_proof p = { .type = 1 }, back;
	struct coord_request r;
	struct buf why = { 0 };

	buf_puts(&p.uuid, "u");
	buf_puts(&p.task_id, "0x02");
	buf_puts(&p.proof, "{\"vk\":\"a<b>\\n\"}");
	coord_ask_submit(&r, SPAN("tok"), &p);
	assert_string_equal(buf_cstr(&r.body), "{\"uuid\":\"u\",\"task_id\":\"0x02\",\"task_type\":1,\"status\":0,"
	    "\"proof\":\"{\\\"vk\\\":\\\"a\\u003cb\\u003e\\\\n\\\"}\",\"failure_type\":null,\"failure_msg\":null}");
	assert_true(coord_take_proof(JSON, SPAN_OF(&r.body), &back, &why));
	assert_true(span_eq(SPAN_OF(&p.proof), SPAN_OF(&back.proof)));
	coord_request_free(&r);
	coord_proof_free(&p);
	coord_proof_free(&back);
	buf_free(&why);
}

static void
get_task_answers_are_told_apart(void **state)
{
	static const struct {
		long status;
		const char *body;
		enum coord_outcome outcome;
		enum code code;
	} cases[] = {
		{ 200, "{\"errcode\":20004,\"errmsg\":\"get empty prover task\",\"data\":null}", COORD_IDLE, CODE_OK },
		{ 200, "{\"errcode\":50001,\"errmsg\":\"token is expired\",\"data\":null}", COORD_TOKEN, CODE_OK },
		{ 200, "{\"errcode\":50000,\"errmsg\":\"signature is invalid\"}", COORD_TOKEN, CODE_OK },
		{ 200, "{\"errcode\":20002,\"errmsg\":\"..prover with publicKey 02 is already assigned a task. P\"}", COORD_ALREADY, CODE_ALREADY_ASSIGNED },
		{ 200, "{\"errcode\":20002,\"errmsg\":\"..public key 02 is blocked from fetching tasks. P\"}", COORD_BLOCKED, CODE_KEY_BLOCKED },
		{ 200, "{\"errcode\":20002,\"errmsg\":\"coordinator internal error\"}", COORD_REFUSED, CODE_GET_TASK_FAILED },
		{ 200, "{\"errcode\":0,\"errmsg\":\"\",\"data\":null}", COORD_GARBAGE, CODE_TASK_BAD },
		{ 200, "{\"errcode\":0,\"data\":{\"uuid\":\"u\",\"task_id\":\"i\",\"task_type\":4,\"task_data\":\"\"}}", COORD_GARBAGE, CODE_TASK_BAD },
		{ 200, "{\"errcode\":0,\"data\":{\"uuid\":\"u u\",\"task_id\":\"i\",\"task_type\":1,\"task_data\":\"\"}}", COORD_GARBAGE, CODE_TASK_BAD },
		{ 200, "{\"errcode\":\"0\"}", COORD_GARBAGE, CODE_COORD_BAD },
		{ 200, "", COORD_GARBAGE, CODE_COORD_BAD },
		{ 404, "404 page not found", COORD_GARBAGE, CODE_COORD_BAD },
		{ 502, "<html>", COORD_GARBAGE, CODE_COORD_AWAY },
	};
	struct coord_answer a;
	struct coord_task t;

	for (size_t i = 0; i < NELEM(cases); i++) {
		assert_int_equal(coord_read_task(cases[i].status, span_str(cases[i].body), &a, &t), cases[i].outcome);
		assert_int_equal(a.code, cases[i].code);
	}
}

static void
submit_answers_are_told_apart(void **state)
{
	static const struct {
		const char *text;
		enum coord_verdict verdict;
	} cases[] = {
		{ COORD_TWICE, COORD_V_TWICE }, { COORD_TIMED_OUT, COORD_V_TWICE }, { COORD_ALREADY_PROVED, COORD_V_PROVED },
		{ COORD_INVALID_PROOF, COORD_V_BAD_PROOF }, { COORD_VERIFIER_ERROR, COORD_V_BAD_PROOF },
		{ COORD_STATUS_NOT_OK, COORD_V_REPORTED }, { COORD_NO_SUCH_TASK, COORD_V_AGAIN }, { COORD_NO_FORK, COORD_V_AGAIN },
		{ COORD_INTERNAL, COORD_V_AGAIN }, { "something new", COORD_V_AGAIN }, { COORD_NO_KEY, COORD_V_TOKEN },
		{ "unexpected end of JSON input", COORD_V_SHAPE }, { "invalid character '<' looking for beginning of value", COORD_V_SHAPE },
		{ "illegal base64 data at input byte 3", COORD_V_SHAPE },
		{ "json: cannot unmarshal array into Go value of type message.ChunkProof", COORD_V_SHAPE },
	};
	struct coord_answer a;
	struct buf body = { 0 };

	for (size_t i = 0; i < NELEM(cases); i++) {
		buf_reset(&body);
		coord_put_refusal(&body, COORD_T_SUBMIT_FAILED, cases[i].text);
		assert_int_equal(coord_read_submit(200, SPAN_OF(&body), &a), cases[i].verdict);
	}
	assert_int_equal(coord_read_submit(200, SPAN("{\"errcode\":0,\"errmsg\":\"\",\"data\":null}"), &a), COORD_V_ACCEPTED);
	assert_int_equal(coord_read_submit(200, SPAN("{\"errcode\":50001,\"errmsg\":\"token is expired\"}"), &a), COORD_V_TOKEN);
	assert_int_equal(coord_read_submit(200, SPAN("{\"errcode\":20001,\"errmsg\":\"parameter invalid, err:EOF\"}"), &a), COORD_V_PARAMETER);
	assert_int_equal(coord_read_submit(503, SPAN(""), &a), COORD_V_AGAIN);
	assert_int_equal(coord_read_submit(0, SPAN(""), &a), COORD_V_AGAIN);
	buf_free(&body);
}

static void
tokens_carry_their_life(void **state)
{
	struct coord_answer a;
	struct coord_token t;
	struct buf body = { 0 };

	coord_put_token(&body, SPAN(CHALLENGE), 1724838485325738000);
	assert_string_equal(buf_cstr(&body), "{\"errcode\":0,\"errmsg\":\"\",\"data\":{\"time\":\"2024-08-28T09:48:05.325738Z\",\"token\":\"" CHALLENGE "\"}}");
	assert_int_equal(coord_read_token(200, SPAN_OF(&body), &a, &t), COORD_DONE);
	assert_int_equal(t.exp_s, 1724838485);
	assert_int_equal(t.life_s, 3600);
	coord_token_free(&t);
	assert_int_equal(coord_read_token(200, SPAN("{\"errcode\":0,\"data\":{\"token\":\"a\\r\\nX: y\"}}"), &a, &t), COORD_GARBAGE);
	assert_int_equal(coord_read_token(200, SPAN("{\"errcode\":50000,\"errmsg\":\"no\"}"), &a, &t), COORD_REFUSED);
	assert_string_equal(a.errmsg, "no");
	buf_free(&body);
}

static void
bodies_are_bound_with_the_words_of_go(void **state)
{
	static const struct {
		const char *body, *why;
	} cases[] = {
		{ "", "EOF" }, { "  ", "EOF" }, { "{", "unexpected EOF" }, { "<html>", "invalid character '<' looking for beginning of value" },
		{ "[]", "json: cannot unmarshal array into Go value of type types.GetTaskParameter" },
		{ "{\"task_types\":[1.0]}", "json: cannot unmarshal number 1.0 into Go struct field GetTaskParameter.task_types of type int" },
		{ "{\"task_types\":\"AQ==\"}", "json: cannot unmarshal string into Go struct field GetTaskParameter.task_types of type []int" },
		{ "{\"prover_height\":\"5\"}", "json: cannot unmarshal string into Go struct field GetTaskParameter.prover_height of type uint64" },
		{ "{\"prover_height\":18446744073709551616}", "json: cannot unmarshal number 18446744073709551616 into Go struct field GetTaskParameter.prover_height of type uint64" },
		{ "{\"a\":tru}", "invalid character '}' in literal true (expecting 'e')" },
		{ "{\"a\" 1}", "invalid character '1' after object key" },
		{ "{\"a\":1 \"b\"}", "invalid character '\"' after object key:value pair" },
		{ "[1 2]", "invalid character '2' after array element" },
		{ "{\"a\":\"\\x\"}", "invalid character 'x' in string escape code" },
		{ "{\"a\":\"\n\"}", "invalid character '\\n' in string literal" },
		{ "{\"a\":-}", "invalid character '}' in numeric literal" },
		{ "{a:1}", "invalid character 'a' looking for beginning of object key string" },
	};
	struct coord_want w;
	struct buf why = { 0 };

	for (size_t i = 0; i < NELEM(cases); i++) {
		assert_false(coord_take_want(JSON, span_str(cases[i].body), &w, &why));
		assert_string_equal(buf_cstr(&why), cases[i].why);
	}
	assert_true(coord_take_want(JSON, SPAN("{\"TASK_types\":[3],\"t\\u0061sk_types\":[-9223372036854775808],\"prover_height\":null} junk"), &w, &why));
	assert_int_equal(w.ntypes, 1);
	assert_true(w.types[0] == INT64_MIN);
	assert_true(coord_take_want(NULL, SPAN("<"), &w, &why));
	assert_int_equal(w.ntypes, 0);
	buf_free(&why);
}

static void
missing_members_are_named(void **state)
{
	struct coord_proof p;
	struct buf why = { 0 };

	assert_false(coord_take_proof(JSON, SPAN("{\"task_id\":\"\",\"task_type\":0}"), &p, &why));
	assert_string_equal(buf_cstr(&why),
	    "Key: 'SubmitProofParameter.TaskID' Error:Field validation for 'TaskID' failed on the 'required' tag\n"
	    "Key: 'SubmitProofParameter.TaskType' Error:Field validation for 'TaskType' failed on the 'required' tag");
	buf_free(&why);
}

static void
very_deep_bodies_are_refused(void **state)
{
	struct coord_want w;
	struct buf body = { 0 }, why = { 0 };

	buf_puts(&body, "{\"x\":");
	for (int i = 0; i < 100000; i++)
		buf_putc(&body, '[');
	assert_false(coord_take_want(JSON, SPAN_OF(&body), &w, &why));
	assert_string_equal(buf_cstr(&why), "invalid character '[' exceeded max depth");
	buf_free(&body);
	buf_free(&why);
}

static void
v6_versions_are_compared_as_the_coordinator_does(void **state)
{
	static const struct {
		const char *version, *min;
		bool ok;
	} cases[] = {
		{ "v1.2.3-commit-111111-000000", "v1.2.3-alpha", true }, { "v1.2.3-patch-commit-111111-000000", "v1.2.2", true },
		{ "v1.0.0", "v1.0.0-alpha", true }, { "v1.0.0", "v1.0.0", true }, { "v1.0.0-alpha", "v1.0.0-alpha", true },
		{ "v2.0.0", "v1.9.9", true }, { "v1.2.2", "v1.2.3", false }, { "v0.9.0", "v1.0.0", false },
		{ "v9.9.9", "v10.0.0-alpha", false }, { "v4.1.98-aaa-bbb-ccc", "v999.0.0", false },
		{ "v1.2.3-aaa", "v1.2.3-alpha", false }, { "sdk-v1.2.3", "v1.0.0", false }, { "v4.4.45+abc", "v4.4.43", true },
		{ "V4.4.45", "v4.4.43", false }, { "v4.4.45-a_b", "v4.4.43", false }, { "v4.5", "v4.4.43", true },
		{ "v4.4.045", "v4.4.43", true }, { "not a version", "v1.0.0", false }, { "v4.4.45---", "v4.4.43", true },
	};

	for (size_t i = 0; i < NELEM(cases); i++)
		assert_int_equal(coord_version_ok(span_str(cases[i].version), cases[i].min), cases[i].ok);
}

static void
block_hashes_are_found_in_a_chunk_task(void **state)
{
#define H1 "0x00000000000000000000000000000000000000000000000000000000000000"
	struct buf hashes = { 0 }, queue = { 0 };

	assert_true(coord_chunk_hashes(SPAN("{\"block_hashes\":[\"" H1 "01\", \"" H1 "02\"]}"), &hashes, &queue));
	assert_int_equal(hashes.n, 64);
	assert_int_equal(hashes.p[63], 2);
	assert_int_equal(queue.n, 0);
	buf_reset(&hashes);
	assert_true(coord_chunk_hashes(SPAN("{\"block_hashes\":[\"" H1 "01\"],\"prev_msg_queue_hash\":\"" H1 "03\"}"), &hashes, &queue));
	assert_int_equal(queue.p[31], 3);
	assert_false(coord_chunk_hashes(SPAN("{\"block_hashes\":[]}"), &hashes, &queue));
	assert_false(coord_chunk_hashes(SPAN("{\"block_hashes\":[\"0x01\"]}"), &hashes, &queue));
	assert_false(coord_chunk_hashes(SPAN("[]"), &hashes, &queue));
	buf_free(&hashes);
	buf_free(&queue);
}

#define FORM "application/x-www-form-urlencoded"

static void
forms_are_read_as_go_reads_them(void **state)
{
	struct coord_proof p;
	struct coord_login l;
	struct coord_want w;
	struct buf why = { 0 };

	assert_true(coord_take_proof("Application/X-www-form-urlencoded; charset=utf-8", SPAN("uuid=u+1&task_id=%30x1&task_id=0x2&TASK_ID=0x3&task_type=1&status=-2"
	    "&proof=%7B%22a%22%3a%22%5C%0a%C3%a4%22%7d&failure_msg&universal=T&&=&x=y"), &p, &why));
	assert_string_equal(buf_cstr(&p.uuid), "u 1");
	assert_string_equal(buf_cstr(&p.task_id), "0x1");
	assert_string_equal(buf_cstr(&p.proof), "{\"a\":\"\\\n\xc3\xa4\"}");
	assert_int_equal(p.type, 1);
	assert_int_equal(p.status, -2);
	assert_true(p.universal);
	assert_int_equal(p.failure_msg.n, 0);
	coord_proof_free(&p);

	assert_true(coord_take_login(FORM, SPAN("challenge=c&prover_version=v&prover_name=n&prover_types=1&prover_types=2&vks=a&vks=b%26&public_key=02"
	    "&signature=0x&prover_provider_type=1"), &l, &why));
	assert_string_equal(buf_cstr(&l.challenge), "c");
	assert_true(span_eq(SPAN_OF(&l.types), ((struct span){ (const uint8_t *)"\1\2", 2 })));
	assert_int_equal(l.nvks, 2);
	assert_string_equal(buf_cstr(&l.vks[1]), "b&");
	assert_true(l.has_provider && l.provider == 1);
	coord_login_free(&l);

	assert_true(coord_take_want(FORM, SPAN("task_types=3&task_types=&prover_height=18446744073709551615&task_id=%00"), &w, &why));
	assert_int_equal(w.ntypes, 2);
	assert_int_equal(w.types[0], 3);
	assert_true(w.height == UINT64_MAX && !w.no_height);
	assert_int_equal(w.task_id.n, 1);
	coord_want_free(&w);
	assert_true(coord_take_want(FORM, (struct span){ 0 }, &w, &why));
	assert_true(w.no_height && !w.ntypes);
	coord_want_free(&w);
	buf_free(&why);
}

static void
bad_forms_are_refused(void **state)
{
	static const struct { const char *body, *why; } cases[] = {
		{ "task_types=x", "strconv.ParseInt: parsing \"x\": invalid syntax" },
		{ "task_types=1&task_types=1e3", "strconv.ParseInt: parsing \"1e3\": invalid syntax" },
		{ "task_types=9223372036854775808", "strconv.ParseInt: parsing \"9223372036854775808\": invalid syntax" },
		{ "prover_height=-1", "strconv.ParseUint: parsing \"-1\": invalid syntax" },
		{ "universal=yes", "strconv.ParseBool: parsing \"yes\": invalid syntax" },
		{ "a=%zz", "invalid URL escape \"%zz\"" }, { "a=%2", "invalid URL escape \"%2\"" }, { "%", "invalid URL escape \"%\"" },
		{ "a=1;b=2", "invalid semicolon separator in query" },
	};
	size_t large = (10 << 20) + 1;
	uint8_t *form = xzalloc(large);
	struct coord_want w;
	struct buf why = { 0 };

	for (size_t i = 0; i < NELEM(cases); i++) {
		assert_false(coord_take_want(FORM, span_str(cases[i].body), &w, &why));
		assert_string_equal(buf_cstr(&why), cases[i].why);
		coord_want_free(&w);
	}
	memset(form, '&', large);
	assert_true(coord_take_want(FORM, (struct span){ form, large - 1 }, &w, &why));
	assert_false(coord_take_want(FORM, (struct span){ form, large }, &w, &why));
	assert_string_equal(buf_cstr(&why), "http: POST too large");
	buf_free(&why);
	free(form);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(v1_v2_logins_have_their_digests_and_signatures),
		cmocka_unit_test(provers_that_name_a_type_but_sign_without_it_are_known),
		cmocka_unit_test(signature_texts_are_read_leniently),
		cmocka_unit_test(a_login_that_is_asked_is_the_login_that_is_taken),
		cmocka_unit_test(identities_differ_and_do_not_change),
		cmocka_unit_test(task_data_comes_through_byte_for_byte),
		cmocka_unit_test(a_proof_comes_through_byte_for_byte),
		cmocka_unit_test(get_task_answers_are_told_apart),
		cmocka_unit_test(submit_answers_are_told_apart),
		cmocka_unit_test(tokens_carry_their_life),
		cmocka_unit_test(bodies_are_bound_with_the_words_of_go),
		cmocka_unit_test(missing_members_are_named),
		cmocka_unit_test(very_deep_bodies_are_refused),
		cmocka_unit_test(v6_versions_are_compared_as_the_coordinator_does),
		cmocka_unit_test(block_hashes_are_found_in_a_chunk_task),
		cmocka_unit_test(forms_are_read_as_go_reads_them),
		cmocka_unit_test(bad_forms_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
