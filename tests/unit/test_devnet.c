/* test_devnet.c - prova-devnet without sockets: its chain, its tasks, its Coordinator against our client.
 *
 * uses: cmd/devnet */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cmd/devnet/coordinator.h"
#include "cmd/devnet/l2node.h"
#include "cmd/devnet/report.h"
#include "common/clock.h"
#include "common/coord.h"
#include "common/hash.h"
#include "common/header.h"
#include "common/json.h"
#include "common/jwt.h"
#include "common/num.h"
#include "common/scan.h"

#define NOW_MS 1700000000000

struct world {
	struct blocks		 blocks;
	struct tasks		 tasks;
	struct coordinator	 coordinator;
	const char		*blocked[2];
};

struct prover {
	struct world		*world;
	struct ecsig_key	 key;
	struct coord_token	 token;
	struct coord_answer	 answer;
	struct coord_task	 task;
};

static int
begin(void **state)
{
	struct world *w = xzalloc(sizeof *w);
	char why[256];

	clock_freeze(NOW_MS);
	blocks_generate(&w->blocks, 8, 7, 5000);
	assert_true(tasks_init(&w->tasks, &w->blocks, &(struct tasks_opts){ .n = { 0, 4, 2, 1 }, .blocks_per_chunk = 2,
	    .attempts = 3, .per_session = 1, .collection_ms = 10000 }, why));
	coordinator_init(&w->coordinator, &(struct coordinator_opts){ .secret = "s", .life_s = 3600, .fork = "darwinV2" }, &w->tasks, 7);
	*state = w;
	return 0;
}

static int
end(void **state)
{
	struct world *w = *state;

	coordinator_free(&w->coordinator);
	tasks_free(&w->tasks);
	blocks_free(&w->blocks);
	free(w);
	clock_freeze(0);
	return 0;
}

/* Our client's request, the devnet's answer. */
static void
exchange(struct world *w, struct coord_request *r, struct desk_reply *reply)
{
	coordinator_answer(&w->coordinator, &(struct desk_ask){ .method = r->method, .path = r->path,
	    .content_type = "application/json", .authorization = r->authorization ? strchr(r->authorization, ' ') + 1 : NULL,
	    .body = SPAN_OF(&r->body) }, reply);
	coord_request_free(r);
}

static void
enter(struct prover *p, struct world *w, uint32_t index)
{
	uint8_t seed[32] = { 1 };
	struct coord_request r;
	struct coord_login l = { .has_provider = index & 1, .provider = 1 };
	struct desk_reply reply;

	*p = (struct prover){ .world = w };
	coord_identity(seed, index, &p->key);
	coord_ask_challenge(&r);
	exchange(w, &r, &reply);
	assert_int_equal(coord_read_token(reply.status, SPAN_OF(&reply.body), &p->answer, &p->token), COORD_DONE);
	desk_reply_free(&reply);
	buf_put(&l.challenge, p->token.text.p, p->token.text.n);
	buf_puts(&l.version, "v4.4.45-37af5ef5-38a68e2-1c5093c");
	buf_printf(&l.name, "test_%u", index);
	coord_login_sign(&l, &p->key);
	coord_ask_login(&r, &l);
	exchange(w, &r, &reply);
	coord_token_free(&p->token);
	assert_int_equal(coord_read_token(reply.status, SPAN_OF(&reply.body), &p->answer, &p->token), COORD_DONE);
	assert_int_equal(p->token.life_s, 3600);
	desk_reply_free(&reply);
	coord_login_free(&l);
}

static void
leave(struct prover *p)
{
	coord_token_free(&p->token);
	coord_task_free(&p->task);
}

static enum coord_outcome
fetch(struct prover *p, int64_t type)
{
	struct coord_request r;
	struct desk_reply reply;

	coord_task_free(&p->task);
	coord_ask_task(&r, SPAN_OF(&p->token.text), &(struct coord_want){ .height = 1000, .types = { type }, .ntypes = 1 });
	exchange(p->world, &r, &reply);
	enum coord_outcome outcome = coord_read_task(reply.status, SPAN_OF(&reply.body), &p->answer, &p->task);
	desk_reply_free(&reply);
	return outcome;
}

static enum coord_verdict
post(struct prover *p, const char *proof, int64_t status)
{
	struct coord_request r;
	struct coord_proof post = { .uuid = p->task.uuid, .task_id = p->task.task_id, .type = (int64_t)p->task.type, .status = status };
	struct desk_reply reply;

	buf_puts(&post.proof, proof);
	coord_ask_submit(&r, SPAN_OF(&p->token.text), &post);
	buf_free(&post.proof);
	exchange(p->world, &r, &reply);
	enum coord_verdict v = coord_read_submit(reply.status, SPAN_OF(&reply.body), &p->answer);
	desk_reply_free(&reply);
	return v;
}

static void
put_rpc_result(struct world *w, const char *request, struct buf *out)
{
	static const char head[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":";
	struct buf text = { 0 };

	l2node_answer(&w->blocks, FAULT_NONE, span_str(request), &text);
	assert_memory_equal(text.p, head, sizeof head - 1);
	buf_put(out, text.p + sizeof head - 1, text.n - sizeof head - 1);
	buf_free(&text);
}

/* The input as a builder would make it: from the node, not from the devnet's inside. */
static char *
prove(struct prover *p)
{
	struct buf input = { 0 }, hashes = { 0 }, queue = { 0 }, request = { 0 }, hex = { 0 };
	uint8_t sum[HASH_BYTES];

	if (p->task.type == TYPE_CHUNK) {
		assert_true(coord_chunk_hashes(SPAN_OF(&p->task.data), &hashes, &queue));
		for (size_t i = 0; i < hashes.n; i += HASH_BYTES) {
			buf_reset(&request);
			buf_puts(&request, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"scroll_getBlockTraceByNumberOrHash\",\"params\":[\"0x");
			num_put_hex(&request, (struct span){ hashes.p + i, HASH_BYTES });
			buf_puts(&request, "\"]}");
			buf_putc(&input, i ? ',' : '[');
			put_rpc_result(p->world, buf_cstr(&request), &input);
		}
		buf_putc(&input, ']');
	} else {
		buf_put(&input, p->task.data.p, p->task.data.n);
	}
	sha256_of(SPAN_OF(&input), sum);
	num_put_hex(&hex, (struct span){ sum, sizeof sum });
	char *proof = xprintf("{\"proof\":\"AAAA\",\"input_sha256\":\"%s\"}", buf_cstr(&hex));
	buf_free(&input);
	buf_free(&hashes);
	buf_free(&queue);
	buf_free(&request);
	buf_free(&hex);
	return proof;
}

static enum coord_verdict
prove_and_post(struct prover *p)
{
	char *proof = prove(p);
	enum coord_verdict v = post(p, proof, 0);

	free(proof);
	return v;
}

static void
headers_hash_to_what_they_say_and_chain(void **state)
{
	struct world *w = *state;
	struct header h, before = { 0 };

	for (size_t i = 0; i < w->blocks.n; i++, before = h) {
		struct buf text = { 0 };
		assert_true(blocks_put_header(&w->blocks, &w->blocks.all[i], &text));
		assert_true(header_read(SPAN_OF(&text), &h));
		assert_int_equal(h.verdict, HEADER_MATCH);
		assert_int_equal(h.number, i + 1);
		if (i)
			assert_memory_equal(h.parent, before.hash, HASH_BYTES);
		buf_free(&text);
	}
}

static void
traces_are_documents_of_their_size_and_the_same_each_time(void **state)
{
	static const char *const paths[] = { "header", "storageTrace.rootAfter", "executionResults" };
	struct world *w = *state;
	struct buf a = { 0 }, b = { 0 };
	struct span found[3];

	assert_true(blocks_put_trace(&w->blocks, &w->blocks.all[3], &a));
	assert_true(blocks_put_trace(&w->blocks, &w->blocks.all[3], &b));
	assert_true(span_eq(SPAN_OF(&a), SPAN_OF(&b)));
	assert_in_range(a.n, 4500, 6000);
	assert_true(scan_members(SPAN_OF(&a), paths, 3, found, NULL));
	assert_non_null(found[0].p);
	assert_non_null(found[1].p);
	assert_non_null(found[2].p);
	buf_free(&a);
	buf_free(&b);
}

static void
chunks_batches_and_the_bundle_are_proved(void **state)
{
	struct world *w = *state;
	struct prover p;
	struct buf stats = { 0 };

	enter(&p, w, 0);
	assert_int_equal(fetch(&p, TYPE_BATCH), COORD_IDLE);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(fetch(&p, TYPE_CHUNK), COORD_DONE);
		assert_int_equal(prove_and_post(&p), COORD_V_ACCEPTED);
	}
	assert_int_equal(fetch(&p, TYPE_CHUNK), COORD_IDLE);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fetch(&p, TYPE_BATCH), COORD_DONE);
		assert_int_equal(prove_and_post(&p), COORD_V_ACCEPTED);
	}
	assert_int_equal(fetch(&p, TYPE_BUNDLE), COORD_IDLE);
	tasks_cron(&w->tasks);
	assert_int_equal(fetch(&p, TYPE_BUNDLE), COORD_DONE);
	assert_int_equal(prove_and_post(&p), COORD_V_ACCEPTED);
	report_stats(&w->coordinator, &(struct faults){ 0 }, &stats);
	assert_non_null(strstr(buf_cstr(&stats), "\"chunks\":{\"total\":4,\"unassigned\":0,\"assigned\":0,\"verified\":4,\"failed\":0}"));
	assert_non_null(strstr(buf_cstr(&stats), "\"accepted_total\":7"));
	buf_free(&stats);
	leave(&p);
}

static void
every_outcome_of_a_post_is_told(void **state)
{
	struct world *w = *state;
	struct prover p;
	char *good;

	enter(&p, w, 1);
	assert_int_equal(fetch(&p, TYPE_CHUNK), COORD_DONE);
	assert_int_equal(post(&p, "{", 0), COORD_V_SHAPE);
	assert_int_equal(post(&p, "{} x", 0), COORD_V_SHAPE);
	assert_int_equal(post(&p, "{\"proof\":\"!!\"}", 0), COORD_V_SHAPE);
	assert_int_equal(post(&p, "{\"input_sha256\":\"00\"}", 0), COORD_V_BAD_PROOF);
	assert_int_equal(post(&p, "{}", 0), COORD_V_TWICE);
	assert_int_equal(fetch(&p, TYPE_CHUNK), COORD_DONE);
	assert_int_equal(post(&p, "", 1), COORD_V_REPORTED);
	assert_int_equal(fetch(&p, TYPE_CHUNK), COORD_DONE);
	good = prove(&p);
	p.task.uuid.p[0] ^= 1;
	assert_int_equal(post(&p, good, 0), COORD_V_AGAIN);
	p.task.uuid.p[0] ^= 1;
	p.task.task_id.p[5] ^= 1;
	assert_int_equal(post(&p, good, 0), COORD_V_AGAIN);
	p.task.task_id.p[5] ^= 1;
	assert_int_equal(post(&p, good, 0), COORD_V_ACCEPTED);
	assert_int_equal(post(&p, good, 0), COORD_V_TWICE);
	free(good);
	leave(&p);
}

static void
time_outs_burn_attempts_and_the_last_one_fails_the_task(void **state)
{
	struct world *w = *state;
	struct prover p;
	char first[67];

	enter(&p, w, 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fetch(&p, TYPE_CHUNK), COORD_DONE);
		assert_int_equal(w->tasks.items[TYPE_CHUNK][0].total, i + 1);
		assert_true(span_cstr(SPAN_OF(&p.task.task_id), first, sizeof first));
		assert_string_equal(first, w->tasks.items[TYPE_CHUNK][0].id);
		clock_freeze(NOW_MS + 10000 + (uint64_t)i * 10001);
		tasks_cron(&w->tasks);
		assert_int_equal(fetch(&p, TYPE_CHUNK), COORD_ALREADY);
		clock_freeze(NOW_MS + 10001 + (uint64_t)i * 10001);
		tasks_cron(&w->tasks);
	}
	assert_int_equal(w->tasks.items[TYPE_CHUNK][0].status, ITEM_FAILED);
	assert_int_equal(fetch(&p, TYPE_CHUNK), COORD_DONE);
	assert_string_not_equal(buf_cstr(&p.task.task_id), first);
	leave(&p);
}

static void
one_task_may_go_to_two_keys(void **state)
{
	struct world *w = *state;
	struct prover a, b;

	w->tasks.opts.per_session = 2;
	enter(&a, w, 0);
	enter(&b, w, 1);
	assert_int_equal(fetch(&a, TYPE_CHUNK), COORD_DONE);
	assert_int_equal(fetch(&b, TYPE_CHUNK), COORD_DONE);
	assert_true(span_eq(SPAN_OF(&a.task.task_id), SPAN_OF(&b.task.task_id)));
	assert_false(span_eq(SPAN_OF(&a.task.uuid), SPAN_OF(&b.task.uuid)));
	assert_int_equal(prove_and_post(&b), COORD_V_ACCEPTED);
	assert_int_equal(prove_and_post(&a), COORD_V_PROVED);
	assert_int_equal(prove_and_post(&a), COORD_V_TWICE);
	leave(&a);
	leave(&b);
}

static void
blocked_keys_and_old_tokens_get_nothing(void **state)
{
	struct world *w = *state;
	struct prover p;
	struct buf key = { 0 };

	enter(&p, w, 0);
	coord_key_text(&p.key, &key);
	w->blocked[0] = buf_cstr(&key);
	w->coordinator.opts.blocked = w->blocked;
	assert_int_equal(fetch(&p, TYPE_CHUNK), COORD_BLOCKED);
	clock_freeze(NOW_MS + 3600 * 1000);
	assert_int_equal(fetch(&p, TYPE_CHUNK), COORD_TOKEN);
	buf_free(&key);
	leave(&p);
}

static void
a_name_with_a_nul_burns_an_attempt(void **state)
{
	struct world *w = *state;
	struct coord_claims k = { .exp_s = NOW_MS / 1000 + 10 };
	struct buf json = { 0 };
	struct prover p = { .world = w };

	buf_puts(&k.public_key, "02");
	buf_put(&k.name, "a\0b", 3);
	buf_puts(&k.version, "v");
	buf_puts(&k.fork, "f");
	coord_put_claims(&json, &k);
	jwt_make(&p.token.text, SPAN_OF(&json), SPAN("s"));
	assert_int_equal(fetch(&p, TYPE_CHUNK), COORD_REFUSED);
	assert_int_equal(w->tasks.items[TYPE_CHUNK][0].total, 1);
	assert_int_equal(w->tasks.items[TYPE_CHUNK][0].active, 0);
	coord_claims_free(&k);
	buf_free(&json);
	leave(&p);
}

static void
the_node_answers_as_a_node(void **state)
{
	static const struct {
		const char *request, *answer;
	} cases[] = {
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_blockNumber\",\"params\":null}", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0x8\"}\n" },
		{ "{\"id\":\"x\",\"method\":\"eth_chainId\"}", "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":\"0x82750\"}\n" },
		{ "{\"id\":2,\"method\":\"eth_getBlockByNumber\",\"params\":[\"0x99\",false]}", "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":null}\n" },
		{ "{\"id\":2,\"method\":\"nope\"}", "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32601,\"message\":\"the method nope does not exist/is not available\"}}\n" },
		{ "{\"id\":2,\"method\":\"scroll_getBlockTraceByNumberOrHash\",\"params\":[\"0x99\"]}", "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32000,\"message\":\"block 0x99 not found\"}}\n" },
		{ "{\"id\":2,\"method\":\"scroll_getBlockTraceByNumberOrHash\",\"params\":[]}", "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32602,\"message\":\"missing value for required argument 0\"}}\n" },
		{ "[{\"id\":1,\"method\":\"eth_blockNumber\"},5]", "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0x8\"},{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":\"invalid request\"}}]\n" },
		{ "nonsense", "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"parse error\"}}\n" },
	};
	struct world *w = *state;
	struct buf out = { 0 };

	for (size_t i = 0; i < NELEM(cases); i++) {
		buf_reset(&out);
		l2node_answer(&w->blocks, FAULT_NONE, span_str(cases[i].request), &out);
		assert_string_equal(buf_cstr(&out), cases[i].answer);
	}
	buf_free(&out);
}

static void
a_block_is_its_header_and_no_transactions(void **state)
{
	struct world *w = *state;
	struct buf out = { 0 };
	char why[128];

	put_rpc_result(w, "{\"id\":1,\"method\":\"eth_getBlockByNumber\",\"params\":[\"latest\",false]}", &out);
	struct json *block = json_parse(SPAN_OF(&out), 1 << 20, why);
	assert_true(span_is(json_str(block, "number"), "0x8"));
	assert_true(json_is_array(json_get(block, "transactions")));
	json_free(&block);
	buf_free(&out);
}

static void
a_task_is_reported(void **state)
{
	struct world *w = *state;
	struct prover p;
	struct buf text = { 0 };

	enter(&p, w, 0);
	assert_int_equal(fetch(&p, TYPE_CHUNK), COORD_DONE);
	assert_int_equal(prove_and_post(&p), COORD_V_ACCEPTED);
	assert_true(report_task(&w->coordinator, buf_cstr(&p.task.task_id), &text));
	char why[128];
	struct json *j = json_parse(SPAN_OF(&text), 4096, why);
	assert_true(span_is(json_str(j, "type"), "chunk"));
	assert_true(span_is(json_str(j, "state"), "verified"));
	assert_true(span_eq(json_str(j, "input_sha256"), json_str(j, "proof_input_sha256")));
	assert_false(report_task(&w->coordinator, "0x00", &text));
	json_free(&j);
	buf_free(&text);
	leave(&p);
}

static void
faults_are_read_strictly(void **state)
{
	static const char *const good[] = {
		"all:delay=0.5:1", "l2:wrong-block:0.25", "get_task:expired:0", "all:internal:1", "login:status=503:0.000001",
		"challenge:drop:1", "submit_proof:half:0.5", "all:status:1",
	}, *const bad[] = {
		"", "all", "all:drop", "all:drop:", "all:drop:1.1", "all:drop:-1", "all:drop:1:1", "nowhere:drop:1", "l2:expired:1",
		"login:wrong-block:1", "all:nothing:1", "all::1", "all:drop=1:1", "all:status=200:1", "all:status=x:1", "all:delay=:1",
	};
	struct faults f = { 0 };
	char why[256];

	for (size_t i = 0; i < NELEM(good); i++)
		assert_true(faults_add(&f, good[i], why));
	for (size_t i = 0; i < NELEM(bad); i++) {
		snprintf(why, sizeof why, "-");
		assert_false(faults_add(&f, bad[i], why));
		assert_non_null(strstr(why, "--fault"));
	}
	assert_int_equal(f.nlist, NELEM(good));
	assert_int_equal(f.list[0].value, 500);
	assert_int_equal(f.list[3].places, 1 << COORD_GET_TASK | 1 << COORD_SUBMIT);
	faults_free(&f);
}

static void
faults_depend_on_the_seed_and_the_count_alone(void **state)
{
	struct faults a = { .seed = 3 }, b = { .seed = 3 };
	char why[256];
	unsigned hit = 0;

	assert_true(faults_add(&a, "get_task:drop:0.3", why) && faults_add(&a, "all:delay=2:0.5", why));
	assert_true(faults_add(&b, "get_task:drop:0.3", why) && faults_add(&b, "all:delay=2:0.5", why));
	for (int i = 0; i < 1000; i++) {
		struct fate x = faults_draw(&a, COORD_GET_TASK), y;
		if (i % 3 == 0)
			faults_draw(&b, FAULT_L2);
		y = faults_draw(&b, COORD_GET_TASK);
		assert_true(x.kind == y.kind && x.delay_ms == y.delay_ms);
		hit += x.kind == FAULT_DROP;
	}
	assert_in_range(hit, 240, 360);
	assert_int_equal(a.list[0].n, hit);
	assert_int_equal(faults_draw(&a, COORD_LOGIN).kind, FAULT_NONE);
	faults_free(&a);
	faults_free(&b);
}

static void
a_node_can_be_wrong(void **state)
{
	static const struct {
		enum fault_kind fault;
		const char *number, *member;
	} cases[] = {
		{ FAULT_NONE, "\"number\":\"0x3\"", "result" }, { FAULT_WRONG_BLOCK, "\"number\":\"0x2\"", "result" },
		{ FAULT_NULL_RESULT, "\"result\":null}", "result" }, { FAULT_ERROR, "header not found", "error" },
	};
	struct world *w = *state;
	struct buf out = { 0 };

	for (size_t i = 0; i < NELEM(cases); i++) {
		buf_reset(&out);
		l2node_answer(&w->blocks, cases[i].fault, SPAN("{\"id\":1,\"method\":\"eth_getBlockByNumber\",\"params\":[\"0x3\"]}"), &out);
		assert_non_null(strstr(buf_cstr(&out), cases[i].number));
		assert_non_null(strstr(buf_cstr(&out), cases[i].member));
	}
	buf_free(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(headers_hash_to_what_they_say_and_chain),
		TEST(traces_are_documents_of_their_size_and_the_same_each_time),
		TEST(chunks_batches_and_the_bundle_are_proved),
		TEST(every_outcome_of_a_post_is_told),
		TEST(time_outs_burn_attempts_and_the_last_one_fails_the_task),
		TEST(one_task_may_go_to_two_keys),
		TEST(blocked_keys_and_old_tokens_get_nothing),
		TEST(a_name_with_a_nul_burns_an_attempt),
		TEST(the_node_answers_as_a_node),
		TEST(a_block_is_its_header_and_no_transactions),
		TEST(a_task_is_reported),
		TEST(faults_are_read_strictly),
		TEST(faults_depend_on_the_seed_and_the_count_alone),
		TEST(a_node_can_be_wrong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
