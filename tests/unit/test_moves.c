/* test_moves.c - the table of moves: that it hangs together.
 * uses: cmd/ledger */
#include "cmd/ledger/moves.h"

#include <setjmp.h>

#include <cmocka.h>

#include "cmd/ledger/store.h"

static const char *
arrow(const struct move *m)
{
	static char text[128];

	snprintf(text, sizeof text, "%s: %s to %s", row_kind_name(m->kind), row_state_name(m->kind, m->from), row_state_name(m->kind, m->to));
	return text;
}

static bool
is_named(uint64_t kind, uint64_t state)
{
	return strcmp(row_state_name(kind, state), "?") != 0;
}

static void
each_arrow_is_there_once_between_states_that_have_names(void **state)
{
	for (size_t i = 0; i < moves_count; i++) {
		const struct move *m = &moves_table[i];
		if (!is_named(m->kind, m->from) || !is_named(m->kind, m->to) || m->to == 0)
			fail_msg("%s", arrow(m));
		if (move_find(m->kind, m->from, m->to) != m)
			fail_msg("%s: twice", arrow(m));
	}
	assert_null(move_find(ROW_JOB, JOB_READY, JOB_FETCHED));
	assert_null(move_find(ROW_KINDS, 0, 1));
}

static void
what_has_ended_is_left_only_for_a_late_proof(void **state)
{
	const struct move *late = move_find(ROW_ATTEMPT, ATTEMPT_FAILED, ATTEMPT_PROVED);

	for (size_t i = 0; i < moves_count; i++)
		if (moves_table[i].from >= STATE_END && &moves_table[i] != late)
			fail_msg("%s", arrow(&moves_table[i]));
}

/* States of a kind reached from `set` (to = forwards) or that reach it, as bits. */
static uint64_t
closure(uint64_t kind, uint64_t set, bool forwards)
{
	uint64_t before = 0;

	while (before != set) {
		before = set;
		for (size_t i = 0; i < moves_count; i++) {
			const struct move *m = &moves_table[i];
			uint64_t from = forwards ? m->from : m->to, to = forwards ? m->to : m->from;
			if (m->kind == kind && (set >> from) & 1)
				set |= UINT64_C(1) << to;
		}
	}
	return set;
}

static void
every_state_can_be_reached_and_has_a_way_to_an_end(void **state)
{
	for (uint64_t kind = 1; kind < ROW_KINDS; kind++) {
		uint64_t ends = kind == ROW_IDENTITY ? UINT64_C(1) << IDENTITY_IDLE : UINT64_MAX << STATE_END;
		uint64_t reached = closure(kind, 1, true), ending = closure(kind, ends, false);
		for (uint64_t s = 1; s < 64; s++) {
			if (!is_named(kind, s))
				continue;
			if (!((reached >> s) & 1))
				fail_msg("%s %s: cannot be reached", row_kind_name(kind), row_state_name(kind, s));
			if (!((ending >> s) & 1))
				fail_msg("%s %s: no way to an end", row_kind_name(kind), row_state_name(kind, s));
		}
	}
}

static void
fields_are_columns_of_the_row_or_of_its_work(void **state)
{
	const uint64_t ledgers = BIT(kind) | BIT(id) | BIT(rev) | BIT(state) | BIT(at_ms);

	for (size_t i = 0; i < moves_count; i++) {
		const struct move *m = &moves_table[i];
		uint64_t columns = store_columns(m->kind);
		if (m->kind == ROW_JOB && (m->from == 0 || m->from == JOB_FETCHED))
			columns |= store_columns(ROW_WORK);	/* a job brings its work's */
		if (m->fields & ~columns || m->fields & ledgers)
			fail_msg("%s: %#" PRIx64, arrow(m), m->fields & (~columns | ledgers));
	}
}

static void
each_arrow_has_somebody_and_the_ledger_shares_one(void **state)
{
	for (size_t i = 0; i < moves_count; i++) {
		const struct move *m = &moves_table[i];
		/* what was not sent is ended by who gave it out, and by the clock */
		bool shared = m->kind == ROW_ATTEMPT && m->from == ATTEMPT_ALLOCATED && m->to == ATTEMPT_CANCELLED;
		if (m->by == 0 || (m->by & BY_LEDGER && !shared && (m->by != BY_LEDGER || m->fields)))
			fail_msg("%s", arrow(m));
		for (unsigned bit = 1; bit <= BY_LEDGER; bit <<= 1)
			if (m->by & bit)
				assert_string_not_equal(move_principal_name(bit), "?");
	}
}

static void
nobody_says_hello_as_the_ledger(void **state)
{
	assert_int_equal(move_principal(SPAN("(ledger)")), 0);
	assert_int_equal(move_principal(SPAN("")), 0);
	assert_int_equal(move_principal(SPAN("dispatch-exec")), BY_DISPATCH);
	assert_int_equal(move_principal(SPAN("dispatch-exe")), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_arrow_is_there_once_between_states_that_have_names),
		cmocka_unit_test(what_has_ended_is_left_only_for_a_late_proof),
		cmocka_unit_test(every_state_can_be_reached_and_has_a_way_to_an_end),
		cmocka_unit_test(fields_are_columns_of_the_row_or_of_its_work),
		cmocka_unit_test(each_arrow_has_somebody_and_the_ledger_shares_one),
		cmocka_unit_test(nobody_says_hello_as_the_ledger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
