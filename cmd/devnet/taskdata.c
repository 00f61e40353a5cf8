/* taskdata.c - the task_data of items.  See taskdata.h. */
#include "cmd/devnet/taskdata.h"

#include "cmd/devnet/files.h"
#include "cmd/devnet/trace.h"
#include "common/hash.h"
#include "common/num.h"

/* Whose turn the next file is. */
struct turn {
	struct tasks	*tasks;
	size_t		 nfiles;
};

static bool
load_one(void *arg, const char *path, char *why)
{
	struct turn *turn = arg;
	size_t n = turn->tasks->opts.n[TYPE_BATCH];

	if (turn->nfiles >= n)
		return true;
	struct buf *data = &turn->tasks->items[TYPE_BATCH][turn->nfiles++].data;
	if (files_read(path, data) && data->n)
		return true;
	snprintf(why, 256, "%s: cannot be read, or is empty", path);
	return false;
}

bool
taskdata_load(struct tasks *t, const char *directory, char *why)
{
	struct turn turn = { t, 0 };

	if (!files_each(directory, load_one, &turn, why))
		return false;
	for (size_t i = turn.nfiles; turn.nfiles && i < t->opts.n[TYPE_BATCH]; i++) {
		const struct buf *from = &t->items[TYPE_BATCH][i - turn.nfiles].data;
		buf_put(&t->items[TYPE_BATCH][i].data, from->p, from->n);
	}
	return true;
}

static void
put_hash(struct buf *b, const char *name, const uint8_t hash[HASH_BYTES])
{
	buf_printf(b, "\"%s\":\"0x", name);
	num_put_hex(b, (struct span){ hash, HASH_BYTES });
	buf_putc(b, '"');
}

static void
make_chunk(struct tasks *t, struct item *it)
{
	buf_puts(&it->data, "{\"block_hashes\":[");
	for (size_t i = 0; i < it->n; i++) {
		buf_puts(&it->data, i ? ",\"0x" : "\"0x");
		num_put_hex(&it->data, (struct span){ t->blocks->all[it->first + i].hash, HASH_BYTES });
		buf_putc(&it->data, '"');
	}
	buf_puts(&it->data, "]}");
}

/* State roots chain from part to part, as those of a real batch do. */
static void
put_chunk_info(struct tasks *t, struct buf *b, const struct item *chunk)
{
	uint8_t before[HASH_BYTES], after[HASH_BYTES];
	uint64_t first = t->blocks->all[chunk->first].number;

	trace_state_root(t->blocks->seed, first - 1, before);
	trace_state_root(t->blocks->seed, chunk->end_block, after);
	buf_printf(b, "{\"chain_id\":%d,", TRACE_CHAIN_ID);
	put_hash(b, "prev_state_root", before);
	buf_putc(b, ',');
	put_hash(b, "post_state_root", after);
	buf_putc(b, ',');
	put_hash(b, "withdraw_root", before);
	buf_printf(b, ",\"data_hash\":\"%s\",\"is_padding\":false,\"tx_bytes\":null}", chunk->id);
}

static void
put_proofs(struct tasks *t, struct item *it)
{
	for (size_t i = 0; i < it->n; i++) {
		const struct buf *proof = &t->items[it->type - 1][it->first + i].proof;
		if (i)
			buf_putc(&it->data, ',');
		buf_put(&it->data, proof->p, proof->n);
	}
}

static void
make_batch(struct tasks *t, struct item *it)
{
	buf_puts(&it->data, "{\"chunk_infos\":[");
	for (size_t i = 0; i < it->n; i++) {
		if (i)
			buf_putc(&it->data, ',');
		put_chunk_info(t, &it->data, &t->items[TYPE_CHUNK][it->first + i]);
	}
	buf_puts(&it->data, "],\"chunk_proofs\":[");
	put_proofs(t, it);
	buf_puts(&it->data, "],\"batch_header\":null,\"blob_bytes\":null}");
}

static void
make_bundle(struct tasks *t, struct item *it)
{
	buf_puts(&it->data, "{\"batch_proofs\":[");
	put_proofs(t, it);
	buf_puts(&it->data, "]}");
}

void
taskdata_make(struct tasks *t, struct item *it)
{
	static void (*const make[])(struct tasks *, struct item *) = {
		[TYPE_CHUNK] = make_chunk, [TYPE_BATCH] = make_batch, [TYPE_BUNDLE] = make_bundle,
	};

	make[it->type](t, it);
}
