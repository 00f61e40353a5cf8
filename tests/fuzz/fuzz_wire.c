/* fuzz_wire.c - any bytes are a message or refused with a reason; rows that were read are written
 * again the same, and are JSON. */
#include "common/json.h"
#include "common/wire.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_row(const struct row *row)
{
	struct buf first = { 0 }, second = { 0 };
	struct row again;

	wire_put_fields(&first, row, UINT64_MAX);
	if (!wire_get_fields(SPAN_OF(&first), &again))
		abort();
	wire_put_fields(&second, &again, UINT64_MAX);
	if (!span_eq(SPAN_OF(&first), SPAN_OF(&second)))
		abort();
	buf_reset(&first);
	row_put_json(&first, row);
	struct json *doc = json_parse(SPAN_OF(&first), 1 << 20, NULL);
	if (!doc)
		abort();
	json_free(&doc);
	buf_free(&first);
	buf_free(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire *w = wire_new();
	char why[96] = "";
	bool read = wire_read(w, (struct span){ data, size }, why);

	if (!read && !why[0])
		abort();
	for (size_t i = 0; read && i < w->nrows; i++)
		check_row(&w->rows[i].row);
	for (size_t i = 0; read && i < w->nitems; i++)
		check_row(&w->items[i].set);
	wire_free(&w);
	return 0;
}
