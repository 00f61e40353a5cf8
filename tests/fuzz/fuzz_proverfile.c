/* fuzz_proverfile.c - a task file of prova-prover, whatever it is, is a task or says why not; a task is the same when it is
 * written and read again, and its name is read as it is written.
 * uses: cmd/prover */
#include "cmd/prover/taskfile.h"

int	LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
again(const struct record *r)
{
	struct buf one = { 0 }, two = { 0 };
	struct record back;
	char why[TASKFILE_WHY];

	taskfile_put(&one, r);
	if (!taskfile_read(SPAN_OF(&one), &back, why))
		abort();
	taskfile_put(&two, &back);
	if (!span_eq(SPAN_OF(&one), SPAN_OF(&two)) || back.state != r->state)
		abort();
	record_free(&back);
	buf_free(&one);
	buf_free(&two);
}

static void
name(const uint8_t *p, size_t n)
{
	char text[100], back[TASKFILE_NAME];
	struct record r = { 0 };

	if (!span_cstr((struct span){ p, n }, text, sizeof text) || !taskfile_named(text, &r))
		return;
	taskfile_name(&r, back);
	if (strcmp(text, back) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct record r;
	char why[TASKFILE_WHY] = "";

	if (taskfile_read((struct span){ p, n }, &r, why)) {
		again(&r);
		record_free(&r);
	} else if (!*why || r.task.uuid.p || r.outcome.p) {
		abort();
	}
	name(p, n);
	return 0;
}
