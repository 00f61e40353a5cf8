/* tasks.c - what there is to prove, and who was asked.  See tasks.h. */
#include "cmd/devnet/tasks.h"

#include <ctype.h>

#include "cmd/devnet/taskdata.h"
#include "common/clock.h"
#include "common/hash.h"
#include "common/num.h"

enum { CRON_ROWS = 10 };

const char *
tasks_status(unsigned status)
{
	static const char *const names[] = {
		[ITEM_UNASSIGNED] = "unassigned", [ITEM_ASSIGNED] = "assigned",
		[ITEM_VERIFIED] = "verified", [ITEM_FAILED] = "failed",
	};

	return names[status];
}

/* making them */

static uint64_t
key_of(const char *text)
{
	return map_hash(0, span_str(text));
}

static void
name_item(struct tasks *t, struct item *it)
{
	struct buf text = { 0 };
	uint8_t id[HASH_BYTES];

	buf_printf(&text, "prova-devnet %" PRIu64 " %" PRIu64 " %zu", t->blocks->seed, it->type, it->index);
	for (size_t i = 0; it->type == TYPE_CHUNK && i < it->n; i++)
		buf_put(&text, t->blocks->all[it->first + i].hash, HASH_BYTES);
	keccak256(SPAN_OF(&text), id);
	buf_reset(&text);
	buf_puts(&text, "0x");
	num_put_hex(&text, (struct span){ id, sizeof id });
	memcpy(it->id, buf_cstr(&text), sizeof it->id);
	map_put(&t->by_id, key_of(it->id), it);
	buf_free(&text);
}

/* The next run of blocks, at most opts.blocks_per_chunk, each the parent of the one behind it. */
static size_t
run_of_blocks(const struct tasks *t, size_t from)
{
	const struct block *b = t->blocks->all;
	size_t n = 1;

	while (n < t->opts.blocks_per_chunk && from + n < t->blocks->n &&
	    memcmp(b[from + n].parent, b[from + n - 1].hash, HASH_BYTES) == 0)
		n++;
	return n;
}

static void
make_chunks(struct tasks *t)
{
	size_t from = 0;

	for (size_t i = 0; i < t->opts.n[TYPE_CHUNK] && t->blocks->n; i++) {
		struct item *it = &t->items[TYPE_CHUNK][i];
		if (from >= t->blocks->n)
			from = 0;
		it->first = from;
		it->n = run_of_blocks(t, from);
		it->end_block = t->blocks->all[from + it->n - 1].number;
		it->ready = true;
		from += it->n;
	}
}

/* Parts are spread evenly: part i of n belongs to whole i * wholes / n. */
static void
make_wholes(struct tasks *t, uint64_t type)
{
	size_t parts = t->opts.n[type - 1], wholes = t->opts.n[type];

	for (size_t i = 0; i < parts && wholes; i++) {
		struct item *part = &t->items[type - 1][i];
		part->owner = i * wholes / parts;
		part->owned = true;
		struct item *whole = &t->items[type][part->owner];
		if (!whole->n++)
			whole->first = i;
	}
	for (size_t i = 0; i < wholes; i++)
		t->items[type][i].ready = t->items[type][i].n == 0;
}

bool
tasks_init(struct tasks *t, const struct blocks *blocks, const struct tasks_opts *opts, char *why)
{
	*t = (struct tasks){ .blocks = blocks, .opts = *opts };
	for (uint64_t type = TYPE_CHUNK; type <= TYPE_MAX; type++) {
		t->items[type] = xzalloc((opts->n[type] + 1) * sizeof(struct item));
		for (size_t i = 0; i < opts->n[type]; i++) {
			t->items[type][i].type = type;
			t->items[type][i].index = i;
			t->items[type][i].status = ITEM_UNASSIGNED;
		}
	}
	make_chunks(t);
	make_wholes(t, TYPE_BATCH);
	make_wholes(t, TYPE_BUNDLE);
	for (uint64_t type = TYPE_CHUNK; type <= TYPE_MAX; type++)
		for (size_t i = 0; i < opts->n[type]; i++)
			name_item(t, &t->items[type][i]);
	return !opts->task_dir || taskdata_load(t, opts->task_dir, why);
}

void
tasks_free(struct tasks *t)
{
	struct row *r;

	for (size_t at = 0; (r = map_next(&t->by_uuid, &at)); free(r))
		free(r->key);
	for (uint64_t type = TYPE_CHUNK; type <= TYPE_MAX; type++) {
		for (size_t i = 0; i < t->opts.n[type]; i++) {
			buf_free(&t->items[type][i].data);
			buf_free(&t->items[type][i].proof);
		}
		free(t->items[type]);
	}
	map_free(&t->by_uuid);
	map_free(&t->open_by_key);
	map_free(&t->by_id);
}

/* finding */

static bool
same_key(const void *row, const void *key)
{
	return strcmp(((const struct row *)row)->key, key) == 0;
}

static bool
same_uuid(const void *row, const void *uuid)
{
	return strcmp(((const struct row *)row)->uuid, uuid) == 0;
}

struct row *
tasks_held(const struct tasks *t, const char *key)
{
	return map_get(&t->open_by_key, key_of(key), same_key, key);
}

/* As PostgreSQL reads an uuid: either case, braces around it, dashes or none. */
static bool
plain_uuid(struct span text, char out[33])
{
	size_t n = 0;

	if (text.n >= 2 && text.p[0] == '{' && text.p[text.n - 1] == '}')
		text = (struct span){ text.p + 1, text.n - 2 };
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '-' && n && n % 4 == 0)
			continue;
		if (n == 32 || !isxdigit(text.p[i]))
			return false;
		out[n++] = (char)tolower(text.p[i]);
	}
	out[n] = '\0';
	return n == 32;
}

struct row *
tasks_row(const struct tasks *t, struct span uuid, const char *key)
{
	char plain[33];

	if (!plain_uuid(uuid, plain))
		return NULL;
	struct row *r = map_get(&t->by_uuid, key_of(plain), same_uuid, plain);
	return r && strcmp(r->key, key) == 0 ? r : NULL;
}

static bool
same_id(const void *item, const void *id)
{
	return strcmp(((const struct item *)item)->id, id) == 0;
}

struct item *
tasks_item(const struct tasks *t, uint64_t type, struct span id)
{
	char text[67];

	if (!span_cstr(id, text, sizeof text))
		return NULL;
	struct item *it = map_get(&t->by_id, key_of(text), same_id, text);
	return it && (type == 0 || it->type == type) ? it : NULL;
}

/* assigning */

static bool
has_room(const struct tasks *t, const struct item *it, unsigned status, uint64_t height)
{
	return it->status == status && it->ready && it->active < t->opts.per_session &&
	    it->total < t->opts.attempts && (it->type != TYPE_CHUNK || it->end_block <= height);
}

static struct item *
lowest(struct tasks *t, uint64_t type, unsigned status, uint64_t height)
{
	struct item *items = t->items[type];
	size_t *done = &t->done[type], n = t->opts.n[type];

	while (*done < n && (items[*done].status == ITEM_VERIFIED || items[*done].status == ITEM_FAILED))
		++*done;
	for (size_t i = *done; i < n; i++)
		if (has_room(t, &items[i], status, height))
			return &items[i];
	return NULL;
}

/* The one named. */
static struct item *
named(struct tasks *t, uint64_t type, uint64_t height, struct span id)
{
	struct item *it = tasks_item(t, type, id);

	return it && (has_room(t, it, ITEM_ASSIGNED, height) || has_room(t, it, ITEM_UNASSIGNED, height)) ? it : NULL;
}

struct item *
tasks_choose(struct tasks *t, uint64_t type, uint64_t height, struct span id)
{
	struct item *it = id.n ? named(t, type, height, id) : lowest(t, type, ITEM_ASSIGNED, height);

	if (!it && !id.n)
		it = lowest(t, type, ITEM_UNASSIGNED, height);
	if (it) {
		it->status = ITEM_ASSIGNED;
		it->total++;
		it->active++;
	}
	return it;
}

void
tasks_give_back(struct item *it)
{
	if (it->active)
		it->active--;
}

struct row *
tasks_open(struct tasks *t, struct item *it, const char *uuid, const char *key)
{
	struct row *r = xzalloc(sizeof *r);

	if (!plain_uuid(span_str(uuid), r->uuid)) {
		free(r);
		return NULL;
	}
	r->key = xstrdup(key);
	r->item = it;
	r->status = ROW_ASSIGNED;
	r->assigned_ms = clock_ms();
	r->prev = t->newest;
	if (t->newest)
		t->newest->next = r;
	else
		t->oldest = r;
	t->newest = r;
	t->assigned++;
	map_put(&t->by_uuid, key_of(r->uuid), r);
	map_put(&t->open_by_key, key_of(key), r);
	return r;
}

bool
tasks_data(struct tasks *t, struct item *it)
{
	if (!it->data.n)
		taskdata_make(t, it);
	return it->data.n > 0;
}

static bool
sum_traces(struct tasks *t, struct item *it)
{
	struct sha256 sum;
	struct buf trace = { 0 };
	bool good = true;

	sha256_init(&sum);
	for (size_t i = 0; good && i < it->n; i++) {
		buf_reset(&trace);
		good = blocks_put_trace(t->blocks, &t->blocks->all[it->first + i], &trace);
		sha256_put(&sum, i ? "," : "[", 1);
		sha256_put(&sum, trace.p, trace.n);
	}
	sha256_put(&sum, "]", 1);
	sha256_end(&sum, it->input_sha256);
	buf_free(&trace);
	return good;
}

bool
tasks_input(struct tasks *t, struct item *it)
{
	if (it->summed)
		return true;
	if (it->type == TYPE_CHUNK)
		it->summed = sum_traces(t, it);
	else if ((it->summed = it->data.n > 0))
		sha256_of(SPAN_OF(&it->data), it->input_sha256);
	return it->summed;
}

/* ending */

void
tasks_close(struct tasks *t, struct row *r, unsigned status, unsigned failure, uint64_t type)
{
	if (r->status == ROW_ASSIGNED) {
		*(r->prev ? &r->prev->next : &t->oldest) = r->next;
		*(r->next ? &r->next->prev : &t->newest) = r->prev;
		map_del(&t->open_by_key, key_of(r->key), r);
	}
	r->status = status;
	r->failure = failure;
	if (type == r->item->type)
		tasks_give_back(r->item);
}

static bool
all_verified(const struct tasks *t, const struct item *whole)
{
	for (size_t i = 0; i < whole->n; i++)
		if (t->items[whole->type - 1][whole->first + i].status != ITEM_VERIFIED)
			return false;
	return true;
}

void
tasks_verified(struct tasks *t, struct item *it, struct span proof)
{
	it->status = ITEM_VERIFIED;
	buf_reset(&it->proof);
	buf_put(&it->proof, proof.p, proof.n);
	t->accepted++;
	if (it->type == TYPE_CHUNK && it->owned) {
		struct item *batch = &t->items[TYPE_BATCH][it->owner];
		batch->ready = batch->ready || all_verified(t, batch);
	}
}

static void
time_out(struct tasks *t, struct row *r)
{
	struct item *it = r->item;

	tasks_close(t, r, ROW_INVALID, FAIL_TIMEOUT, it->type);
	t->timed_out++;
	if (it->total >= t->opts.attempts && it->status != ITEM_VERIFIED)
		it->status = ITEM_FAILED;
}

void
tasks_cron(struct tasks *t)
{
	size_t left[4] = { CRON_ROWS, CRON_ROWS, CRON_ROWS, CRON_ROWS };
	uint64_t now = clock_ms();

	for (struct row *r = t->oldest, *next; r && r->assigned_ms + t->opts.collection_ms < now; r = next) {
		next = r->next;
		if (left[r->item->type]) {
			left[r->item->type]--;
			time_out(t, r);
		}
	}
	for (size_t i = t->done[TYPE_BUNDLE]; i < t->opts.n[TYPE_BUNDLE]; i++) {
		struct item *bundle = &t->items[TYPE_BUNDLE][i];
		bundle->ready = bundle->ready || all_verified(t, bundle);
	}
}
