/* fuzz_task.c - a get_task answer, and the task_data inside, from anywhere. */
#include "common/coord.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf hashes = { 0 }, queue = { 0 };
	struct coord_answer a;
	struct coord_task t;

	if (coord_read_task(200, (struct span){ p, n }, &a, &t) == COORD_DONE) {
		(void)!coord_chunk_hashes(SPAN_OF(&t.data), &hashes, &queue);
		coord_task_free(&t);
	}
	coord_read_submit(200, (struct span){ p, n }, &a);
	buf_free(&hashes);
	buf_free(&queue);
	return 0;
}
