/* test_build.c - task bodies; inputs of chunks from L2 nodes that misbehave. */
#include "common/base.h"

#include <setjmp.h>
#include <cmocka.h>
#include <ftw.h>
#include <signal.h>
#include <sys/resource.h>

#include "common/build.h"
#include "common/inputs.h"
#include "common/clock.h"
#include "common/diag.h"
#include "common/hash.h"
#include "common/httpd.h"
#include "common/num.h"

/* ---- task bodies ---- */

#define ZEROS62 "00000000000000000000000000000000000000000000000000000000000000"
#define H(nn) "\"0x" ZEROS62 nn "\""

static enum code
read_body(uint64_t type, const char *body, struct build_plan *plan)
{
	char why[BUILD_WHY] = "";
	enum code code = build_read(type, span_str(body), plan, why);

	assert_int_equal(code != CODE_OK, *why != '\0');
	return code;
}

static void
a_chunk_names_its_blocks_in_order(void **state)
{
	struct build_plan plan;

	assert_int_equal(read_body(TYPE_CHUNK, "{\"fork_name\":\"x\",\"block_hashes\":[" H("0a") ", " H("Fb") "]}", &plan), CODE_OK);
	assert_false(plan.pass);
	assert_int_equal(plan.n, 2);
	assert_int_equal(plan.hashes[0][31], 0x0a);
	assert_int_equal(plan.hashes[1][31], 0xfb);
	build_free(&plan);
	build_free(&plan);
}

static void
other_bodies_pass(void **state)
{
	static const struct { uint64_t type; const char *body; } rows[] = {
		{ TYPE_BATCH, "{\"chunk_infos\":[],\"block_hashes\":3}" }, { TYPE_BUNDLE, " {}\n" },
		{ TYPE_CHUNK, "{\"serialized_witness\":[[1,2]],\"fork_name\":\"f\"}" },
	};
	struct build_plan plan;

	for (size_t i = 0; i < NELEM(rows); i++) {
		assert_int_equal(read_body(rows[i].type, rows[i].body, &plan), CODE_OK);
		assert_true(plan.pass);
		build_free(&plan);
	}
}

static void
bad_bodies_have_a_code(void **state)
{
	static const struct { uint64_t type; const char *body; } rows[] = {
		{ TYPE_CHUNK, "" }, { TYPE_CHUNK, "{}" }, { TYPE_CHUNK, "[]" }, { TYPE_CHUNK, "{\"block_hashes\":[]}" },
		{ TYPE_CHUNK, "{\"block_hashes\":null}" }, { TYPE_CHUNK, "{\"block_hashes\":[1]}" },
		{ TYPE_CHUNK, "{\"block_hashes\":[\"0x12\"]}" }, { TYPE_CHUNK, "{\"block_hashes\":[" H("00") "]" },
		{ TYPE_CHUNK, "{\"block_hashes\":{\"a\":1}}" }, { TYPE_BATCH, "not json" }, { TYPE_BATCH, "{\"a\":" },
		{ 0, "{}" }, { TYPE_MAX + 1, "{}" },
	};
	struct build_plan plan;

	for (size_t i = 0; i < NELEM(rows); i++) {
		assert_int_equal(read_body(rows[i].type, rows[i].body, &plan), CODE_TASK_BAD);
		assert_null(plan.hashes);
	}
}

static void
urls_are_checked(void **state)
{
	assert_null(l2_check("http://a:1"));
	assert_null(l2_check("  http://a:1 ,https://b/x?y\thttp://c "));
	assert_non_null(l2_check(""));
	assert_non_null(l2_check("http://a ftp://b"));
}

/* ---- a world: nodes, blobs, inputs ---- */

enum { BLOCKS = 256, NODES = 2, PATIENCE_MS = 20000 };

enum fault { RIGHT, WRONG_BLOCK, NOT_KNOWN, RPC_ERROR, HALF, GARBAGE, STATUS_500, HANG_UP, BAD_HASH, TOO_LARGE, NO_HEADER, FAULTS };

struct node {
	struct httpd	*httpd;
	enum fault	 faults[BLOCKS];	/* of the next answer for a block */
	enum fault	 always;		/* of every answer; RIGHT: none */
	unsigned	 asked[BLOCKS];
	uint64_t	 skew;			/* its block hash N is number N + skew above 100 */
};

struct world {
	char		 dir[64];
	struct loop	*loop;
	struct blobs	*blobs;
	struct node	 nodes[NODES];
	struct l2	*l2;
	struct inputs	*inputs;
	char		 urls[128];
};

struct outcome {
	unsigned		 calls;
	struct inputs_result	 result;
	char			 detail[BUILD_WHY];
};

static void
hash_of(unsigned block, char out[67])
{
	snprintf(out, 67, "0x%064x", block);
}

static void
put_trace(struct buf *b, unsigned block, uint64_t number)
{
	char hash[67], parent[67];

	hash_of(block, hash);
	hash_of(block - 1, parent);
	buf_printf(b, "{\"chainID\":7,\n \"header\": {\"number\":\"0x%" PRIx64 "\",\"parentHash\":\"%s\",\"hash\":\"%s\"},"
	    "\"s\":\"\\\"}]\\u00e9 \xc3\xa9\",\"n\":[%u, 1.50e3 ,{ }]}", number, parent, hash, block);
}

static void
put_answer(struct buf *b, const struct node *node, unsigned block, enum fault fault)
{
	static const char bad_header[] = "{\"header\":{\"number\":\"0x1\",\"hash\":\"%s\",\"parentHash\":\"0x%064d\","
	    "\"sha3Uncles\":\"0x%064d\",\"miner\":\"0x%040d\",\"stateRoot\":\"0x%064d\",\"transactionsRoot\":\"0x%064d\","
	    "\"receiptsRoot\":\"0x%064d\",\"logsBloom\":\"0x%0512d\",\"difficulty\":\"0x1\",\"gasLimit\":\"0x1\",\"gasUsed\":\"0x1\","
	    "\"timestamp\":\"0x1\",\"extraData\":\"0x\",\"mixHash\":\"0x%064d\",\"nonce\":\"0x%016d\"}}";
	char hash[67];

	hash_of(block, hash);
	buf_puts(b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\": ");
	if (fault == NOT_KNOWN)
		buf_puts(b, "null");
	else if (fault == NO_HEADER)
		buf_puts(b, "{\"x\":1}");
	else if (fault == BAD_HASH)
		buf_printf(b, bad_header, hash, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	else
		put_trace(b, fault == WRONG_BLOCK ? block + 1 : block, block > 100 ? block + node->skew : block);
	if (fault == TOO_LARGE)
		buf_printf(b, ",\"more\":\"%0100000d\"", 0);
	buf_puts(b, " }\n");
}

static void
handle(void *arg, struct httpd_req *r)
{
	struct node *node = arg;
	struct span body = httpd_body(r);
	struct buf answer = { 0 };
	uint8_t hash[HASH_BYTES];
	unsigned status = 200;

	assert_string_equal(httpd_method(r), "POST");
	assert_true(body.n > 69 && num_hex((struct span){ body.p + body.n - 69, 66 }, true, hash, HASH_BYTES));
	unsigned block = hash[31];
	enum fault fault = node->always ? node->always : node->faults[block];
	node->faults[block] = RIGHT;
	node->asked[block]++;
	put_answer(&answer, node, block, fault);
	if (fault == RPC_ERROR) {
		buf_reset(&answer);
		buf_puts(&answer, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32000,\"message\":\"block not found\"}}");
	}
	if (fault == GARBAGE) {
		buf_reset(&answer);
		buf_puts(&answer, "<html>no</html>");
	}
	if (fault == HALF)
		answer.n /= 2;
	if (fault == STATUS_500)
		status = 500;
	if (fault == HANG_UP)
		httpd_abort(r);
	else
		httpd_answer(r, status, "application/json", NULL, SPAN_OF(&answer));
	buf_free(&answer);
}

static struct l2 *
world_nodes(void *arg, struct span chain)
{
	struct world *w = arg;

	return span_is(chain, "nowhere") ? NULL : w->l2;
}

static void
world_begin(struct world *w, size_t nnodes)
{
	memset(w, 0, sizeof *w);
	diag_threshold(DIAG_ERROR);
	snprintf(w->dir, sizeof w->dir, "/tmp/prova-test-build.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->loop = loop_new();
	char *path = xprintf("%s/blobs", w->dir);
	w->blobs = blob_open(path);
	free(path);
	assert_non_null(w->blobs);
	for (size_t i = 0; i < nnodes; i++) {
		w->nodes[i].httpd = httpd_new(w->loop, &(struct httpd_opts){ .listen = "127.0.0.1:0", .max_body = 4096,
		    .max_connections = 64, .idle_s = 60, .handler = handle, .arg = &w->nodes[i] });
		assert_non_null(w->nodes[i].httpd);
		size_t n = strlen(w->urls);
		snprintf(w->urls + n, sizeof w->urls - n, "http://127.0.0.1:%u ", httpd_port(w->nodes[i].httpd));
	}
	w->l2 = l2_new(&(struct l2_opts){ .name = "n", .loop = w->loop, .urls = w->urls, .parallel = 4,
	    .timeout_ms = 10000, .max_bytes = 50000, .blobs = w->blobs });
	w->inputs = inputs_new(&(struct inputs_opts){ .loop = w->loop, .blobs = w->blobs, .nodes = world_nodes, .arg = w });
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static void
world_end(struct world *w)
{
	inputs_free(&w->inputs);
	l2_free(&w->l2);
	for (size_t i = 0; i < NODES; i++)
		httpd_free(&w->nodes[i].httpd);
	blob_close(&w->blobs);
	loop_free(&w->loop);
	nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void
on_done(void *arg, const struct inputs_result *r)
{
	struct outcome *o = arg;

	o->calls++;
	o->result = *r;
	snprintf(o->detail, sizeof o->detail, "%s", r->detail);
	o->result.detail = o->detail;
}

static void
wait_for(struct world *w, const unsigned *what, unsigned n)
{
	uint64_t end = clock_ms() + PATIENCE_MS;

	while (*what < n && clock_ms() < end)
		loop_turn(w->loop, 20);
	assert_int_equal(*what, n);
}

/* What is wrong, as soon as something is. */
static const char *
wait_note(struct world *w)
{
	static char note[256];
	uint64_t end = clock_ms() + PATIENCE_MS;

	for (*note = '\0'; !*note && clock_ms() < end; ) {
		loop_turn(w->loop, 20);
		inputs_note(w->inputs, note, sizeof note);
		if (!*note)
			l2_note(w->l2, note, sizeof note);
	}
	return note;
}

static void
assert_no_note(struct world *w)
{
	char note[256];

	inputs_note(w->inputs, note, sizeof note);
	assert_string_equal(note, "");
	l2_note(w->l2, note, sizeof note);
	assert_string_equal(note, "");
}

/* A chunk's body: blocks from..from + n - 1. */
static void
put_body(struct buf *b, unsigned from, unsigned n)
{
	char hash[67];

	buf_puts(b, "{\"block_hashes\":[");
	for (unsigned i = 0; i < n; i++) {
		hash_of(from + i, hash);
		buf_printf(b, "%s\"%s\"", i ? "," : "", hash);
	}
	buf_puts(b, "]}");
}

static struct inputs_ask *
ask_body(struct world *w, uint64_t type, struct span body, struct outcome *o)
{
	struct row row = { 0 };

	SET(&row, chain, SPAN("c"));
	SET(&row, type, type);
	SET(&row, body, body);
	return inputs_start(w->inputs, &row, on_done, o);
}

static struct inputs_ask *
ask_chunk(struct world *w, unsigned from, unsigned n, struct outcome *o)
{
	struct buf body = { 0 };

	put_body(&body, from, n);
	struct inputs_ask *ask = ask_body(w, TYPE_CHUNK, SPAN_OF(&body), o);
	buf_free(&body);
	return ask;
}

static void
assert_input(struct world *w, const struct outcome *o, unsigned from, unsigned n)
{
	struct buf want = { 0 }, have = { 0 };
	uint8_t hash[HASH_BYTES];

	assert_int_equal(o->result.code, CODE_OK);
	for (unsigned i = 0; i < n; i++) {
		buf_putc(&want, i ? ',' : '[');
		put_trace(&want, from + i, from + i);
	}
	buf_putc(&want, ']');
	sha256_of(SPAN_OF(&want), hash);
	assert_memory_equal(hash, o->result.blob, HASH_BYTES);
	assert_int_equal(want.n, o->result.bytes);
	assert_int_equal(blob_read(w->blobs, hash, 1 << 24, &have), 0);
	assert_true(span_eq(SPAN_OF(&want), SPAN_OF(&have)));
	buf_free(&want);
	buf_free(&have);
}

/* ---- inputs ---- */

static void
a_chunk_is_the_array_of_its_traces(void **state)
{
	struct world w;
	struct outcome o = { 0 };

	world_begin(&w, 1);
	ask_chunk(&w, 1, 1, &o);
	wait_for(&w, &o.calls, 1);
	assert_input(&w, &o, 1, 1);
	ask_chunk(&w, 1, 90, &o);	/* more than the window */
	wait_for(&w, &o.calls, 2);
	assert_input(&w, &o, 1, 90);
	assert_int_equal(w.nodes[0].asked[1], 2);
	assert_int_equal(w.nodes[0].asked[90], 1);
	world_end(&w);
}

static void
one_failed_block_is_fetched_again_alone(void **state)
{
	struct world w;

	for (unsigned fault = RIGHT + 1; fault < FAULTS; fault++) {
		struct outcome o = { 0 };
		world_begin(&w, 1);
		w.nodes[0].faults[5] = fault;
		ask_chunk(&w, 3, 4, &o);
		wait_for(&w, &o.calls, 1);
		assert_input(&w, &o, 3, 4);
		assert_int_equal(w.nodes[0].asked[3], 1);
		assert_int_equal(w.nodes[0].asked[4], 1);
		assert_int_equal(w.nodes[0].asked[5], 2);
		assert_int_equal(w.nodes[0].asked[6], 1);
		world_end(&w);
	}
}

static void
every_fault_at_once_still_gives_the_exact_bytes(void **state)
{
	struct world w;
	struct outcome o = { 0 };

	world_begin(&w, 2);
	for (unsigned fault = 0; fault < FAULTS; fault++) {
		w.nodes[0].faults[fault + 1] = fault;
		w.nodes[1].faults[2 * fault + 1] = fault;
	}
	ask_chunk(&w, 1, 24, &o);
	wait_for(&w, &o.calls, 1);
	assert_input(&w, &o, 1, 24);
	world_end(&w);
}

static void
another_node_serves_what_the_first_does_not(void **state)
{
	struct world w;
	char note[256];

	for (unsigned fault = RIGHT + 1; fault < FAULTS; fault++) {
		struct outcome o = { 0 };
		world_begin(&w, 2);
		w.nodes[0].always = fault;
		ask_chunk(&w, 1, 6, &o);
		wait_for(&w, &o.calls, 1);
		assert_input(&w, &o, 1, 6);
		l2_note(w.l2, note, sizeof note);
		bool rests = fault != NOT_KNOWN && fault != RPC_ERROR;
		assert_int_equal(strncmp(note, "L2 node 1 away for 0 s (", 24) == 0, rests);
		world_end(&w);
	}
}

static void
a_node_that_comes_back_is_used_and_no_longer_noted(void **state)
{
	struct world w;
	struct outcome o = { 0 };

	world_begin(&w, 1);
	w.nodes[0].always = STATUS_500;
	ask_chunk(&w, 1, 8, &o);
	wait_for(&w, &w.nodes[0].asked[1], 2);
	const char *note = wait_note(&w);
	assert_non_null(strstr(note, "L2 node 1 away"));
	assert_non_null(strstr(note, "HTTP status 500"));
	w.nodes[0].always = RIGHT;
	wait_for(&w, &o.calls, 1);
	assert_input(&w, &o, 1, 8);
	assert_no_note(&w);
	world_end(&w);
}

static void
nobody_there_is_waited_out_and_cancelled_at_will(void **state)
{
	struct world w;
	struct outcome o = { 0 };

	world_begin(&w, 1);
	httpd_free(&w.nodes[0].httpd);
	struct inputs_ask *ask = ask_chunk(&w, 1, 3, &o);
	assert_non_null(strstr(wait_note(&w), "L2 node 1 away"));
	inputs_cancel(&ask);
	assert_null(ask);
	loop_turn(w.loop, 0);
	assert_int_equal(o.calls, 0);
	world_end(&w);
}

static void
two_asks_for_one_task_fetch_once(void **state)
{
	struct world w;
	struct outcome a = { 0 }, b = { 0 }, c = { 0 }, gone = { 0 };

	world_begin(&w, 1);
	ask_chunk(&w, 1, 5, &a);
	struct inputs_ask *ask = ask_chunk(&w, 1, 5, &gone);
	ask_chunk(&w, 1, 5, &b);
	inputs_cancel(&ask);
	wait_for(&w, &a.calls, 1);
	wait_for(&w, &b.calls, 1);
	ask_chunk(&w, 1, 5, &c);	/* one that comes late */
	wait_for(&w, &c.calls, 1);
	assert_input(&w, &a, 1, 5);
	assert_input(&w, &b, 1, 5);
	assert_input(&w, &c, 1, 5);
	assert_int_equal(gone.calls, 0);
	assert_int_equal(w.nodes[0].asked[3], 1);
	/* but when the ledger has deleted the blob, it is built again */
	assert_int_equal(blob_delete(w.blobs, a.result.blob), 0);
	ask_chunk(&w, 1, 5, &c);
	wait_for(&w, &c.calls, 2);
	assert_input(&w, &c, 1, 5);
	assert_int_equal(w.nodes[0].asked[3], 2);
	world_end(&w);
}

static void
blocks_that_are_not_contiguous_end_the_task(void **state)
{
	struct world w;
	struct outcome o = { 0 };

	world_begin(&w, 1);
	w.nodes[0].skew = 1;
	ask_chunk(&w, 99, 4, &o);	/* 99, 100, 102, 103 */
	wait_for(&w, &o.calls, 1);
	assert_int_equal(o.result.code, CODE_L2_ORDER);
	assert_string_equal(o.detail, "block_hashes[2] is block 102, the one before is 100");
	world_end(&w);
}

static void
a_body_that_cannot_be_understood_ends_the_task(void **state)
{
	struct world w;
	struct outcome o = { 0 };

	world_begin(&w, 1);
	ask_body(&w, TYPE_CHUNK, SPAN("{\"block_hashes\":7}"), &o);
	wait_for(&w, &o.calls, 1);
	assert_int_equal(o.result.code, CODE_TASK_BAD);
	ask_body(&w, TYPE_BATCH, SPAN(""), &o);
	wait_for(&w, &o.calls, 2);
	assert_int_equal(o.result.code, CODE_TASK_BAD);
	assert_true(*o.detail);
	world_end(&w);
}

static void
a_batch_is_its_body(void **state)
{
	static const char body[] = "{ \"chunk_infos\" : [1.0, \"\\u003c\"] }\n";
	struct world w;
	struct outcome o = { 0 };
	uint8_t hash[HASH_BYTES];
	uint64_t bytes;

	world_begin(&w, 0);
	sha256_of(span_str(body), hash);
	ask_body(&w, TYPE_BATCH, span_str(body), &o);
	wait_for(&w, &o.calls, 1);
	assert_int_equal(o.result.code, CODE_OK);
	assert_memory_equal(o.result.blob, hash, HASH_BYTES);
	assert_int_equal(o.result.bytes, sizeof body - 1);
	assert_true(blob_have(w.blobs, hash, &bytes));
	world_end(&w);
}

static void
a_body_in_a_blob_is_waited_for(void **state)
{
	static const char body[] = "{\"batch_proofs\":[]}";
	struct world w;
	struct outcome o = { 0 };
	struct row row = { 0 };
	uint8_t hash[HASH_BYTES];

	world_begin(&w, 0);
	sha256_of(span_str(body), hash);
	SET(&row, type, TYPE_BUNDLE);
	ROW_HASH(&row, body_blob, hash);
	struct inputs_ask *ask = inputs_start(w.inputs, &row, on_done, &o);
	assert_non_null(ask);
	assert_non_null(strstr(wait_note(&w), "task body: "));
	assert_int_equal(blob_put(w.blobs, span_str(body), false, hash), 0);
	wait_for(&w, &o.calls, 1);
	assert_int_equal(o.result.code, CODE_OK);
	assert_memory_equal(o.result.blob, hash, HASH_BYTES);
	assert_no_note(&w);
	world_end(&w);
}

static void
a_full_disk_is_waited_out(void **state)
{
	struct world w;
	struct outcome o = { 0 };
	struct rlimit before, tight = { 100, RLIM_INFINITY };

	world_begin(&w, 1);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	tight.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	ask_chunk(&w, 1, 6, &o);
	const char *note = wait_note(&w);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_non_null(strstr(note, "blob-io"));
	assert_int_equal(o.calls, 0);
	wait_for(&w, &o.calls, 1);
	assert_input(&w, &o, 1, 6);
	world_end(&w);
}

static void
a_chain_without_nodes_waits_and_says_so(void **state)
{
	struct world w;
	struct outcome o = { 0 };
	struct buf body = { 0 };
	struct row row = { 0 };

	world_begin(&w, 0);
	put_body(&body, 1, 1);
	SET(&row, chain, SPAN("nowhere"));
	SET(&row, type, TYPE_CHUNK);
	SET(&row, body, SPAN_OF(&body));
	struct inputs_ask *ask = inputs_start(w.inputs, &row, on_done, &o);
	buf_free(&body);
	assert_non_null(strstr(wait_note(&w), "nowhere"));
	inputs_cancel(&ask);
	world_end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_chunk_names_its_blocks_in_order),
		cmocka_unit_test(other_bodies_pass),
		cmocka_unit_test(bad_bodies_have_a_code),
		cmocka_unit_test(urls_are_checked),
		cmocka_unit_test(a_chunk_is_the_array_of_its_traces),
		cmocka_unit_test(one_failed_block_is_fetched_again_alone),
		cmocka_unit_test(every_fault_at_once_still_gives_the_exact_bytes),
		cmocka_unit_test(another_node_serves_what_the_first_does_not),
		cmocka_unit_test(a_node_that_comes_back_is_used_and_no_longer_noted),
		cmocka_unit_test(nobody_there_is_waited_out_and_cancelled_at_will),
		cmocka_unit_test(two_asks_for_one_task_fetch_once),
		cmocka_unit_test(blocks_that_are_not_contiguous_end_the_task),
		cmocka_unit_test(a_body_that_cannot_be_understood_ends_the_task),
		cmocka_unit_test(a_batch_is_its_body),
		cmocka_unit_test(a_body_in_a_blob_is_waited_for),
		cmocka_unit_test(a_full_disk_is_waited_out),
		cmocka_unit_test(a_chain_without_nodes_waits_and_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
