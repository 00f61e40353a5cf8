/* test_rows.c - rows: the table of fields, owned copies, JSON lines there and back. */
#include "common/rows.h"

#include <setjmp.h>

#include <cmocka.h>

#include "common/wire.h"

static struct span
fields_of(const struct row *row, struct buf *out)
{
	buf_reset(out);
	wire_put_fields(out, row, UINT64_MAX);
	return SPAN_OF(out);
}

static void
assert_same(const struct row *a, const struct row *b)
{
	struct buf one = { 0 }, two = { 0 };

	assert_true(span_eq(fields_of(a, &one), fields_of(b, &two)));
	buf_free(&one);
	buf_free(&two);
}

/* Every field but those of `without`. */
static struct row
full_row(uint64_t without)
{
	static const char text[] = "a \"quoted\" \\ text,\twith \xc3\xa4 and \x01";
	struct row row = { 0 };

	for (size_t i = 0; i < row_nfields; i++) {
		const struct field *f = &row_fields[i];
		char *at = (char *)&row + f->off;
		if ((without >> f->key) & 1)
			continue;
		if (f->type == FIELD_U64)
			*(uint64_t *)at = (uint64_t)INT64_MAX - i;
		else if (f->type == FIELD_HASH)
			memset(at, 0xf0 | (int)i, HASH_BYTES);
		else
			*(struct span *)at = (struct span){ (const uint8_t *)text, (sizeof text - 1) < f->max ? sizeof text - 1 : f->max };
		row.have |= UINT64_C(1) << f->key;
	}
	SET(&row, kind, ROW_ATTEMPT);
	SET(&row, state, ATTEMPT_UNCLE_ENDED);
	SET(&row, type, TYPE_BUNDLE);
	SET(&row, code, CODE_SECOND_ORDER);
	SET(&row, proof, ((struct span){ (const uint8_t *)"\0\xff\0", 3 }));
	return row;
}

static void
the_table_has_every_key_once_in_order(void **state)
{
	for (size_t i = 0; i < row_nfields; i++) {
		assert_int_equal(row_fields[i].key, i + 1);
		assert_true((row_fields[i].max > 0) == (row_fields[i].type == FIELD_TEXT || row_fields[i].type == FIELD_BIN));
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(row_fields[i].name, row_fields[k].name);
	}
	assert_int_equal(row_nfields, KEY_END - 1);
}

static struct row *
there_and_back(const struct row *row)
{
	struct buf json = { 0 };
	char why[128];

	row_put_json(&json, row);
	assert_null(memchr(json.p, '\n', json.n));
	struct row *back = row_from_json(SPAN_OF(&json), why);
	if (!back)
		fail_msg("%s: %.*s", why, SPAN_ARG(SPAN_OF(&json)));
	buf_free(&json);
	return back;
}

static void
every_field_comes_back_from_json(void **state)
{
	struct row row = full_row(0);

	for (uint64_t left = row.have; left; left &= left - 1) {
		struct row part = full_row(left & -left & ~BIT(kind));
		struct row *back = there_and_back(&part);
		assert_same(&part, back);
		free(back);
	}
	struct row *back = there_and_back(&row);
	assert_same(&row, back);
	free(back);
}

static void
every_state_and_code_comes_back_by_its_name(void **state)
{
	enum code code;

	for (uint64_t kind = 1; kind < ROW_KINDS; kind++)
		for (uint64_t s = 0; s < 64; s++) {	/* those without a name come back as numbers */
			struct row row = { 0 };
			SET(&row, kind, kind);
			SET(&row, state, s);
			struct row *back = there_and_back(&row);
			assert_same(&row, back);
			free(back);
		}
	for (size_t i = 0; code_nth(i, &code); i++) {
		struct row row = { 0 };
		SET(&row, code, code);
		struct row *back = there_and_back(&row);
		assert_same(&row, back);
		free(back);
	}
}

static void
numbers_without_a_name_come_back_as_numbers(void **state)
{
	struct row row = { 0 };

	SET(&row, kind, 9);
	SET(&row, state, 3);
	SET(&row, type, 0);
	SET(&row, code, 9999);
	struct row *back = there_and_back(&row);
	assert_same(&row, back);
	free(back);
}

static void
a_row_without_fields_is_an_empty_object(void **state)
{
	struct row row = { 0 };
	struct buf json = { 0 };

	row_put_json(&json, &row);
	assert_true(span_is(SPAN_OF(&json), "{}"));
	struct row *back = there_and_back(&row);
	assert_int_equal(back->have, 0);
	free(back);
	buf_free(&json);
}

static void
members_of_the_wrong_form_are_refused_by_name(void **state)
{
	static const struct { const char *line, *why; } cases[] = {
		{ "", NULL }, { "[]", "not an object" }, { "{\"id\":1} x", NULL },
		{ "{\"id\":\"x\"}", "member id has the wrong form" }, { "{\"id\":-1}", "member id has the wrong form" },
		{ "{\"id\":1.5}", "member id has the wrong form" }, { "{\"id\":null}", "member id has the wrong form" },
		{ "{\"kind\":\"cake\"}", "member kind has the wrong form" },
		{ "{\"kind\":\"job\",\"state\":\"proved\"}", "member state has the wrong form" },
		{ "{\"state\":\"ready\"}", "member state has the wrong form" },
		{ "{\"chain\":7}", "member chain has the wrong form" }, { "{\"chain\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", "member chain has the wrong form" },
		{ "{\"uuid\":\"a\\u0000b\"}", NULL },
		{ "{\"proof\":\"!\"}", "member proof has the wrong form" }, { "{\"body_blob\":\"00\"}", "member body_blob has the wrong form" },
		{ "{\"body_blob\":\"000000000000000000000000000000000000000000000000000000000000000g\"}", "member body_blob has the wrong form" },
	};

	for (size_t i = 0; i < NELEM(cases); i++) {
		char why[128] = "";
		struct row *row = row_from_json(span_str(cases[i].line), why);
		if (row)
			fail_msg("taken: %s", cases[i].line);
		assert_true(why[0]);
		if (cases[i].why)
			assert_string_equal(why, cases[i].why);
	}
}

static void
unknown_members_are_ignored_and_the_order_does_not_matter(void **state)
{
	char why[128];
	struct row *row = row_from_json(SPAN("{\"state\":\"ready\",\"x\":[1,{}],\"kind\":\"job\",\"type\":\"batch\",\"id\":7}"), why);

	assert_non_null(row);
	assert_true(row->have == (BIT(kind) | BIT(state) | BIT(type) | BIT(id)));
	assert_true(row->kind == ROW_JOB && row->state == JOB_READY && row->type == TYPE_BATCH && row->id == 7);
	free(row);
}

static void
a_kept_row_stands_alone(void **state)
{
	char text[] = "owned";
	struct row row = { 0 };

	SET(&row, chain, span_str(text));
	SET(&row, detail, SPAN(""));
	row.uuid = span_str("not said");		/* have says no */
	struct row *kept = row_keep(&row);
	memset(text, 'x', sizeof text - 1);
	assert_true(span_is(kept->chain, "owned"));
	assert_int_equal(kept->detail.n, 0);
	assert_false(HAS(kept, uuid));
	free(kept);
}

static void
merging_takes_what_is_there_and_asked_for(void **state)
{
	struct row dst = { 0 }, src = full_row(BIT(price));

	SET(&dst, id, 1);
	row_merge(&dst, &src, BIT(price) | BIT(chain) | BIT(proof_blob));
	assert_true(dst.have == (BIT(id) | BIT(chain) | BIT(proof_blob)));
	assert_true(dst.id == 1 && span_eq(dst.chain, src.chain) && memcmp(dst.proof_blob, src.proof_blob, HASH_BYTES) == 0);
}

static void
words_of_types_become_bits(void **state)
{
	assert_int_equal(type_set("chunk batch bundle"), 14);
	assert_int_equal(type_set(" batch, "), 4);
	assert_int_equal(type_set(""), 0);
	assert_int_equal(type_set("chunk brick"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_has_every_key_once_in_order),
		cmocka_unit_test(every_field_comes_back_from_json),
		cmocka_unit_test(every_state_and_code_comes_back_by_its_name),
		cmocka_unit_test(numbers_without_a_name_come_back_as_numbers),
		cmocka_unit_test(a_row_without_fields_is_an_empty_object),
		cmocka_unit_test(members_of_the_wrong_form_are_refused_by_name),
		cmocka_unit_test(unknown_members_are_ignored_and_the_order_does_not_matter),
		cmocka_unit_test(a_kept_row_stands_alone),
		cmocka_unit_test(words_of_types_become_bits),
		cmocka_unit_test(merging_takes_what_is_there_and_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
