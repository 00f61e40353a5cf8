/* test_slots.c - real plug-ins behind the purchase, with a directory of blobs and books of one attempt.
 * uses: cmd/dispatch-exec */
#include "cmd/dispatch-exec/slots.h"
#include "common/diag.h"
#include "common/num.h"
#include "tests/unit/fake_books.h"

#include <ftw.h>
#include <sys/stat.h>

#define PLUGINS "pipelines/plugins/"

struct fixture {
	struct books	 b;
	struct fake_row	*attempt;
	struct loop	*loop;
	struct blobs	*blobs;
	struct slots	*slots;
	char		 dir[64];
	char		 command[512];
	uint64_t	 prove_timeout_ms;
	enum plugin_ask	 ask;
	enum purchase_unsure unsure;
};

static void act(void *p, struct held *h) { purchase_act(p, h); }
static void lose(void *p, struct held *h) { purchase_lose(p, h); }

static void
begin(struct fixture *f, const char *command)
{
	uint8_t hash[HASH_BYTES];

	snprintf(f->dir, sizeof f->dir, "/tmp/prova-test-slots-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->command, sizeof f->command, "DIR=%s; export DIR SHA_PROVER_LOG=%s/log; %s", f->dir, f->dir, command);
	f->loop = loop_new();
	f->blobs = blob_open(f->dir);
	assert_non_null(f->blobs);
	assert_int_equal(blob_put(f->blobs, SPAN("[input]"), false, hash), 0);
	f->attempt = fake_attempt(&f->b, hash, 7);
	f->slots = slots_new(&(struct slots_opts){ .loop = f->loop, .blobs = f->blobs, .books = &f->b,
	    .instance = "dispatch-exec.a", .provider = "a", .command = f->command, .run_dir = f->dir, .chain = "",
	    .types = 1 << TYPE_CHUNK, .n = 1, .line_max = 1 << 20, .prove_timeout_ms = f->prove_timeout_ms ? f->prove_timeout_ms : 5000,
	    .terms = { .ask = f->ask, .when_unsure = f->unsure, .send_by_ms = 300, .call_ms = 2000, .prove_ms = 60000, .poll_ms = 10 } });
	f->b.core = slots_purchase(f->slots);
	f->b.ops = (struct books_ops){ .act = act, .lose = lose };
	f->b.last[ROW_ATTEMPT] = ATTEMPT_PROVING;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void
end(struct fixture *f)
{
	fake_end(&f->b);
	slots_free(&f->slots);
	blob_close(&f->blobs);
	loop_free(&f->loop);
	nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Run the loop, with a ledger that answers at once, until the attempt is in this state. */
static bool
reaches(struct fixture *f, uint64_t state, uint64_t ms)
{
	struct fake_row *r = f->attempt;

	if (!r->has)
		fake_show(&f->b, r, false);
	for (uint64_t until = clock_ms() + ms; r->row->state != state && clock_ms() < until; ) {
		loop_turn(f->loop, 20);
		fake_turn(&f->b);
		if (r->has && !r->held.moving && r->row->rev > r->shown->rev)
			fake_show(&f->b, r, true);
		fake_due(&f->b);
	}
	return r->row->state == state;
}

static void
expect_proof(struct fixture *f)
{
	char want[128];
	struct buf hex = { 0 };

	num_put_hex(&hex, (struct span){ f->attempt->row->input_blob, HASH_BYTES });
	snprintf(want, sizeof want, "{\"input_sha256\":\"%s\"}", buf_cstr(&hex));
	assert_true(span_is(f->attempt->row->proof, want));
	buf_free(&hex);
}

static void
a_shell_plug_in_proves(void **state)
{
	struct fixture f = { .ask = PLUGIN_ASK_KEY };
	char line[256] = "", path[128];

	begin(&f, PLUGINS "sha-prover");
	assert_true(reaches(&f, ATTEMPT_PROVED, 5000));
	expect_proof(&f);
	assert_int_equal(slots_up(f.slots), 1);
	assert_int_equal(slots_types(f.slots), 1 << TYPE_CHUNK);
	snprintf(path, sizeof path, "%s/log", f.dir);
	FILE *log = fopen(path, "r");
	assert_non_null(log);
	assert_non_null(fgets(line, sizeof line, log));
	assert_int_equal(strncmp(line, "main-7 ", 7), 0);
	assert_null(fgets(line, sizeof line, log));
	fclose(log);
	end(&f);
}

static void
a_crash_a_hang_and_garbage_are_called_again_with_the_key(void **state)
{
	static const char *const bads[] = { "crash", "hang", "garbage", "large" };

	for (size_t i = 0; i < NELEM(bads); i++) {
		struct fixture f = { .ask = PLUGIN_ASK_KEY, .prove_timeout_ms = 400 };
		char command[256];

		snprintf(command, sizeof command, "export BAD_PROVER=%s BAD_PROVER_CALLS=1 BAD_PROVER_STATE=$DIR/state; "
		    PLUGINS "bad-prover", bads[i]);
		begin(&f, command);
		assert_true(reaches(&f, ATTEMPT_PROVED, 8000));
		expect_proof(&f);
		assert_int_equal(f.attempt->row->intent, 2);
		end(&f);
	}
}

static void
with_when_unsure_fail_each_has_its_code(void **state)
{
	static const struct { const char *bad; uint64_t code; } cases[] = {
		{ "crash", CODE_PLUGIN_EXIT }, { "hang", CODE_PLUGIN_HANG },
		{ "garbage", CODE_PLUGIN_GARBAGE }, { "large", CODE_PLUGIN_LARGE },
	};

	for (size_t i = 0; i < NELEM(cases); i++) {
		struct fixture f = { .ask = PLUGIN_ASK_NONE, .unsure = PURCHASE_FAIL, .prove_timeout_ms = 200 };
		char command[128];

		snprintf(command, sizeof command, "export BAD_PROVER=%s; " PLUGINS "bad-prover", cases[i].bad);
		begin(&f, command);
		assert_false(reaches(&f, ATTEMPT_FAILED, 400));	/* not before it is settled */
		assert_true(reaches(&f, ATTEMPT_FAILED, 5000));
		assert_int_equal(f.attempt->row->code, cases[i].code);
		end(&f);
	}
}

static void
a_refusal_fails_it_and_not_now_gives_it_back(void **state)
{
	struct fixture f = { .ask = PLUGIN_ASK_KEY }, g = { .ask = PLUGIN_ASK_KEY };

	begin(&f, "export BAD_PROVER=refuse; " PLUGINS "bad-prover");
	assert_true(reaches(&f, ATTEMPT_FAILED, 5000));
	assert_int_equal(f.attempt->row->code, CODE_PROVER_FAILED);
	assert_true(span_is(f.attempt->row->detail, "the trace is invalid"));
	end(&f);
	begin(&g, "export BAD_PROVER=busy BAD_PROVER_CALLS=2; " PLUGINS "bad-prover");
	assert_true(reaches(&g, ATTEMPT_PROVED, 5000));
	assert_int_equal(g.attempt->row->intent, 3);
	end(&g);
}

static void
a_large_proof_becomes_a_blob(void **state)
{
	struct fixture f = { .ask = PLUGIN_ASK_KEY }, g = { .ask = PLUGIN_ASK_KEY };
	uint64_t bytes = 0;

	begin(&f, "read -r l; echo '{\"id\":1,\"ok\":true,\"sync\":true}'; read -r l; "
	    "printf '{\"id\":2,\"ok\":true,\"proof\":\"'; head -c 20000 /dev/zero | tr '\\0' p; echo '\"}'; read -r l");
	assert_true(reaches(&f, ATTEMPT_PROVED, 5000));
	assert_false(HAS(f.attempt->row, proof));
	assert_int_equal(f.attempt->row->proof_bytes, 20000);
	assert_true(blob_have(f.blobs, f.attempt->row->proof_blob, &bytes));
	end(&f);
	begin(&g, "head -c 20001 /dev/zero >$DIR/proof; read -r l; echo '{\"id\":1,\"ok\":true,\"sync\":true}'; read -r l; "
	    "echo '{\"id\":2,\"ok\":true,\"proof_path\":\"'$DIR'/proof\"}'; read -r l");
	assert_true(reaches(&g, ATTEMPT_PROVED, 5000));
	assert_true(blob_have(g.blobs, g.attempt->row->proof_blob, &bytes));
	assert_int_equal(bytes, 20001);
	end(&g);
}

static void
a_proof_waits_for_the_disk(void **state)
{
	struct fixture f = { .ask = PLUGIN_ASK_NONE };
	char note[256];

	begin(&f, "read -r l; echo '{\"id\":1,\"ok\":true,\"sync\":true}'; read -r l; mv $DIR $DIR.away; "
	    "printf '{\"id\":2,\"ok\":true,\"proof\":\"'; head -c 20000 /dev/zero | tr '\\0' p; echo '\"}'; "
	    "sleep 0.5; mv $DIR.away $DIR; read -r l");
	assert_false(reaches(&f, ATTEMPT_PROVED, 300));
	slots_note(f.slots, note, sizeof note);
	assert_string_equal(note, "1 proofs wait for room on the disk");
	assert_true(reaches(&f, ATTEMPT_PROVED, 5000));
	end(&f);
}

static void
a_handle_is_polled(void **state)
{
	struct fixture f = { .ask = PLUGIN_ASK_KEY };

	begin(&f, "n=0; while read -r l; do n=$((n + 1)); case $n in "
	    "1) a='\"ask\":\"key\",\"verbs\":[\"prove\",\"poll\"]' ;; 2) a='\"handle\":\"h-1\"' ;; "
	    "3) a='\"state\":\"proving\"' ;; *) a='\"state\":\"proved\",\"proof\":\"yes\"' ;; esac; "
	    "echo \"{\\\"id\\\":$n,\\\"ok\\\":true,$a}\"; echo \"$l\" >>$DIR/log; done");
	assert_true(reaches(&f, ATTEMPT_PROVED, 5000));
	assert_true(span_is(f.attempt->row->handle, "h-1"));
	assert_true(span_is(f.attempt->row->proof, "yes"));
	end(&f);
}

static void
a_missing_input_waits(void **state)
{
	struct fixture f = { .ask = PLUGIN_ASK_KEY };
	char note[256];

	begin(&f, PLUGINS "sha-prover");
	assert_int_equal(blob_delete(f.blobs, f.attempt->row->input_blob), 0);
	assert_false(reaches(&f, ATTEMPT_PROVED, 300));
	assert_int_equal(f.attempt->row->state, ATTEMPT_ALLOCATED);
	slots_note(f.slots, note, sizeof note);
	assert_string_equal(note, "1 waiting; attempt 7: blob-damaged");
	end(&f);
}

static void
what_does_not_start_has_no_slots(void **state)
{
	struct fixture f = { .ask = PLUGIN_ASK_KEY };
	char note[256];

	begin(&f, "/does/not/exist");
	assert_false(reaches(&f, ATTEMPT_PROVED, 300));
	assert_int_equal(slots_up(f.slots), 0);
	slots_note(f.slots, note, sizeof note);
	assert_string_equal(note, "1 of 1 plug-ins do not run: plugin-start");
	end(&f);
}

static void
a_type_it_does_not_do_fails(void **state)
{
	struct fixture f = { .ask = PLUGIN_ASK_KEY };

	begin(&f, PLUGINS "sha-prover");
	SET(f.attempt->row, type, TYPE_BUNDLE);
	assert_true(reaches(&f, ATTEMPT_FAILED, 5000));
	assert_int_equal(f.attempt->row->code, CODE_NOT_ABLE);
	end(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shell_plug_in_proves),
		cmocka_unit_test(a_crash_a_hang_and_garbage_are_called_again_with_the_key),
		cmocka_unit_test(with_when_unsure_fail_each_has_its_code),
		cmocka_unit_test(a_refusal_fails_it_and_not_now_gives_it_back),
		cmocka_unit_test(a_large_proof_becomes_a_blob),
		cmocka_unit_test(a_proof_waits_for_the_disk),
		cmocka_unit_test(a_handle_is_polled),
		cmocka_unit_test(a_missing_input_waits),
		cmocka_unit_test(what_does_not_start_has_no_slots),
		cmocka_unit_test(a_type_it_does_not_do_fails),
	};

	diag_threshold(DIAG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
