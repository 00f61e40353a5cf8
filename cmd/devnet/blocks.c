/* blocks.c - the chain that the L2 node serves.  See blocks.h.
 *
 * Traces are made, or read, when they are asked for: a chain of gigabytes costs
 * no memory but its headers. */
#include "cmd/devnet/blocks.h"

#include "cmd/devnet/files.h"
#include "cmd/devnet/trace.h"
#include "common/header.h"
#include "common/scan.h"

void
blocks_generate(struct blocks *bs, size_t n, uint64_t seed, size_t trace_bytes)
{
	uint8_t parent[HASH_BYTES];

	*bs = (struct blocks){ .all = xzalloc((n + 1) * sizeof *bs->all), .n = n, .seed = seed, .trace_bytes = trace_bytes };
	trace_state_root(seed, 0, parent);
	for (size_t i = 0; i < n; i++) {
		struct block *b = &bs->all[i];
		b->number = i + 1;
		memcpy(b->parent, parent, sizeof parent);
		trace_put_header(&b->header, seed, b->number, parent, b->hash);
		memcpy(parent, b->hash, sizeof parent);
	}
}

/* The white space around a file's value is not part of the trace. */
static struct span
trim(struct span s)
{
	while (s.n && strchr(" \t\r\n", s.p[s.n - 1]))
		s.n--;
	while (s.n && strchr(" \t\r\n", s.p[0]))
		s = (struct span){ s.p + 1, s.n - 1 };
	return s;
}

static bool
find_header(struct span trace, struct span *header)
{
	static const char *const path[] = { "header" };

	return scan_members(trace, path, 1, header, NULL) && header->p;
}

static bool
load_one(void *arg, const char *path, char *why)
{
	struct blocks *bs = arg;
	struct buf trace = { 0 };
	struct header h;
	struct span header;

	bool good = files_read(path, &trace);
	if (!good)
		snprintf(why, 256, "%s: %s", path, strerror(errno));
	else if (!(good = find_header(trim(SPAN_OF(&trace)), &header) && header_read(header, &h)))
		snprintf(why, 256, "%s: not a block trace with a header", path);
	buf_free(&trace);
	if (!good)
		return false;
	bs->all = xrealloc(bs->all, (bs->n + 1) * sizeof *bs->all);
	struct block *b = &bs->all[bs->n++];
	*b = (struct block){ .number = h.number, .file = xstrdup(path) };
	memcpy(b->hash, h.hash, sizeof b->hash);
	memcpy(b->parent, h.parent, sizeof b->parent);
	return true;
}

static int
by_number(const void *a, const void *b)
{
	const struct block *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

bool
blocks_load(struct blocks *bs, const char *directory, char *why)
{
	*bs = (struct blocks){ 0 };
	if (!files_each(directory, load_one, bs, why))
		return false;
	qsort(bs->all, bs->n, sizeof *bs->all, by_number);
	return true;
}

void
blocks_free(struct blocks *bs)
{
	for (size_t i = 0; i < bs->n; i++) {
		buf_free(&bs->all[i].header);
		free(bs->all[i].file);
	}
	free(bs->all);
	*bs = (struct blocks){ 0 };
}

const struct block *
blocks_by_hash(const struct blocks *bs, const uint8_t hash[HASH_BYTES])
{
	for (size_t i = 0; i < bs->n; i++)
		if (memcmp(bs->all[i].hash, hash, HASH_BYTES) == 0)
			return &bs->all[i];
	return NULL;
}

const struct block *
blocks_by_number(const struct blocks *bs, uint64_t number)
{
	struct block key = { .number = number };

	return bs->n ? bsearch(&key, bs->all, bs->n, sizeof key, by_number) : NULL;
}

bool
blocks_put_trace(const struct blocks *bs, const struct block *b, struct buf *out)
{
	struct buf file = { 0 };

	if (!b->file) {
		trace_put(out, bs->seed, b->number, SPAN_OF(&b->header), bs->trace_bytes);
		return true;
	}
	bool good = files_read(b->file, &file);
	if (good) {
		struct span trace = trim(SPAN_OF(&file));
		buf_put(out, trace.p, trace.n);
	}
	buf_free(&file);
	return good;
}

bool
blocks_put_header(const struct blocks *bs, const struct block *b, struct buf *out)
{
	struct buf trace = { 0 };
	struct span header = SPAN_OF(&b->header);

	bool good = !b->file || (blocks_put_trace(bs, b, &trace) && find_header(SPAN_OF(&trace), &header));
	if (good)
		buf_put(out, header.p, header.n);
	buf_free(&trace);
	return good;
}
