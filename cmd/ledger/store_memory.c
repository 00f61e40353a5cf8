/* store_memory.c - see store_memory.h. */
#include "cmd/ledger/store_memory.h"

#include "common/map.h"

struct number { char name[64]; uint64_t value; };
struct account_entry { struct entry e; char account[80]; };
struct kept_instance { struct stored_instance si; char name[65], kind[33]; };

struct disk {
	struct row	**rows;		/* in order of first writing */
	size_t		 nrows, cap_rows;
	struct map	 index;		/* (kind, id) -> slot + 1 */
	struct history	*history;
	size_t		 nhistory, cap_history;
	struct account_entry *entries;
	size_t		 nentries, cap_entries;
	struct kept_instance *instances;
	size_t		 ninstances, cap_instances;
	struct number	*numbers;
	size_t		 nnumbers, cap_numbers;
	unsigned	 failures;
	bool		 kill, kill_keeps, killed;
};

/* A transaction is the list of writes, applied at commit. */
struct store {
	struct disk	*disk;
	bool		 own_disk, failed;
	struct row	**rows;
	size_t		 nrows, cap_rows;
	struct history	*history;
	size_t		 nhistory, cap_history;
	struct account_entry *entries;
	size_t		 nentries, cap_entries;
	struct kept_instance *instances;
	size_t		 ninstances, cap_instances;
	struct number	*numbers;
	size_t		 nnumbers, cap_numbers;
};

static void *
grown(void *array, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return array;
	*cap = *cap ? *cap * 2 : 16;
	return xrealloc(array, *cap * size);
}
#define PUSH(s, what, value) do { \
	(s)->what = grown((s)->what, (s)->n##what, &(s)->cap_##what, sizeof *(s)->what); \
	(s)->what[(s)->n##what++] = (value); \
} while (0)

struct disk *
disk_new(void)
{
	return xzalloc(sizeof(struct disk));
}

void
disk_free(struct disk **dp)
{
	struct disk *d = *dp;

	if (!d)
		return;
	for (size_t i = 0; i < d->nrows; i++)
		free(d->rows[i]);
	free(d->rows);
	map_free(&d->index);
	free(d->history);
	free(d->entries);
	free(d->instances);
	free(d->numbers);
	free(d);
	*dp = NULL;
}

struct store *
disk_store(struct disk *d)
{
	struct store *s = xzalloc(sizeof *s);

	s->disk = d;
	return s;
}

static struct store *
memory_open(const char *path, char *why)
{
	struct store *s = disk_store(disk_new());

	s->own_disk = true;
	return s;
}

static void
forget_writes(struct store *s)
{
	for (size_t i = 0; i < s->nrows; i++)
		free(s->rows[i]);
	s->nrows = s->nhistory = s->nentries = s->ninstances = s->nnumbers = 0;
}

static void
memory_close(struct store **sp)
{
	struct store *s = *sp;

	if (!s)
		return;
	forget_writes(s);
	free(s->rows);
	free(s->history);
	free(s->entries);
	free(s->instances);
	free(s->numbers);
	if (s->own_disk)
		disk_free(&s->disk);
	free(s);
	*sp = NULL;
}

void
disk_fail(struct disk *d, unsigned n)
{
	d->failures = n;
}

void
disk_kill_in_commit(struct disk *d, bool kept)
{
	d->kill = true;
	d->kill_keeps = kept;
}

bool
disk_killed(const struct disk *d)
{
	return d->killed;
}

static uint64_t
slot_key(uint64_t kind, uint64_t id)
{
	return map_mix(kind, id);
}

static struct row **
slot_of(const struct disk *d, uint64_t kind, uint64_t id)
{
	uintptr_t at = (uintptr_t)map_get(&d->index, slot_key(kind, id), NULL, NULL);

	return at ? &d->rows[at - 1] : NULL;
}

static uint64_t
memory_number(struct store *s, const char *name)
{
	for (size_t i = 0; i < s->disk->nnumbers; i++)
		if (strcmp(s->disk->numbers[i].name, name) == 0)
			return s->disk->numbers[i].value;
	return 0;
}

static const struct history *
last_history(const struct disk *d, const struct row *r)
{
	static const struct history none;

	for (size_t i = d->nhistory; i-- > 0; )
		if (d->history[i].kind == r->kind && d->history[i].id == r->id)
			return &d->history[i];
	return &none;
}

static bool
is_loaded(const struct disk *d, const struct row *r)
{
	struct row **work;

	if (r->kind == ROW_IDENTITY)
		return true;
	if (r->kind == ROW_WORK)
		return r->state < STATE_END;
	work = slot_of(d, ROW_WORK, r->work);
	return work && (*work)->state < STATE_END && (r->kind == ROW_ATTEMPT || r->state < STATE_END);
}

static void
load_ended(const struct disk *d, const struct row *r, const struct store_loader *l)
{
	struct row **work = slot_of(d, ROW_WORK, r->work);

	if (r->kind == ROW_JOB && r->state >= STATE_END && r->at_ms >= l->uuids_since_ms && work)
		l->uuid(l->arg, (*work)->chain, r->uuid, r->at_ms);
}

static int
memory_load(struct store *s, const struct store_loader *l)
{
	const struct disk *d = s->disk;

	for (size_t i = 0; i < d->ninstances; i++)
		l->instance(l->arg, &d->instances[i].si);
	for (unsigned pass = 0; pass < 2; pass++)	/* works first */
		for (size_t i = 0; i < d->nrows; i++)
			if ((d->rows[i]->kind == ROW_WORK) == (pass == 0) && is_loaded(d, d->rows[i]))
				l->row(l->arg, d->rows[i], last_history(d, d->rows[i]));
	for (size_t i = 0; i < d->nrows; i++)
		load_ended(d, d->rows[i], l);
	for (size_t i = 0; i < d->nentries; i++)
		l->balance(l->arg, d->entries[i].e.account, d->entries[i].e.micro);
	return STORE_OK;
}

static int
memory_made_by(struct store *s, uint64_t kind, uint64_t id, uint64_t instance, uint64_t epoch, uint64_t seq)
{
	for (size_t i = 0; i < s->disk->nhistory; i++) {
		const struct history *h = &s->disk->history[i];
		if (h->kind == kind && h->id == id && h->instance == instance && h->epoch == epoch && h->seq == seq)
			return 1;
	}
	return 0;
}

static struct row *
memory_row_of(struct store *s, uint64_t kind, uint64_t id)
{
	struct row **slot = slot_of(s->disk, kind, id);

	return slot ? row_keep(*slot) : NULL;
}

static int
memory_begin(struct store *s, uint64_t term)
{
	forget_writes(s);
	s->failed = false;
	return term && memory_number(s, "term") != term ? STORE_DEPOSED : STORE_OK;
}

static int
memory_put_row(struct store *s, const struct row *r, uint64_t mask)
{
	struct row kept = { 0 };

	row_merge(&kept, r, mask);
	PUSH(s, rows, row_keep(&kept));
	return STORE_OK;
}

static int
memory_put_history(struct store *s, const struct history *h, size_t n)
{
	for (size_t i = 0; i < n; i++)
		PUSH(s, history, h[i]);
	return STORE_OK;
}

static int
memory_put_entries(struct store *s, const struct entry *e, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct account_entry kept = { .e = e[i] };
		span_cstr(e[i].account, kept.account, sizeof kept.account);
		PUSH(s, entries, kept);
	}
	return STORE_OK;
}

static int
memory_put_instance(struct store *s, const struct stored_instance *si)
{
	struct kept_instance kept = { .si = *si };

	span_cstr(si->name, kept.name, sizeof kept.name);
	span_cstr(si->kind, kept.kind, sizeof kept.kind);
	PUSH(s, instances, kept);
	return STORE_OK;
}

static int
memory_put_number(struct store *s, const char *name, uint64_t value)
{
	struct number n = { .value = value };

	snprintf(n.name, sizeof n.name, "%s", name);
	PUSH(s, numbers, n);
	return STORE_OK;
}

static void
apply_row(struct disk *d, struct row *r)
{
	struct row **slot = slot_of(d, r->kind, r->id);

	if (slot) {
		free(*slot);
		*slot = r;
		return;
	}
	PUSH(d, rows, r);
	map_put(&d->index, slot_key(r->kind, r->id), (void *)(uintptr_t)d->nrows);
}

static void
apply_instance(struct disk *d, const struct kept_instance *k)
{
	size_t i = 0;

	while (i < d->ninstances && d->instances[i].si.id != k->si.id)
		i++;
	if (i == d->ninstances)
		PUSH(d, instances, *k);
	d->instances[i] = *k;
	for (i = 0; i < d->ninstances; i++) {
		d->instances[i].si.name = span_str(d->instances[i].name);
		d->instances[i].si.kind = span_str(d->instances[i].kind);
	}
}

static void
apply_number(struct disk *d, const struct number *n)
{
	for (size_t i = 0; i < d->nnumbers; i++)
		if (strcmp(d->numbers[i].name, n->name) == 0) {
			d->numbers[i] = *n;
			return;
		}
	PUSH(d, numbers, *n);
}

static void
apply(struct store *s)
{
	struct disk *d = s->disk;

	for (size_t i = 0; i < s->nrows; i++)
		apply_row(d, s->rows[i]);
	s->nrows = 0;
	for (size_t i = 0; i < s->nhistory; i++)
		PUSH(d, history, s->history[i]);
	for (size_t i = 0; i < s->nentries; i++)
		PUSH(d, entries, s->entries[i]);
	for (size_t i = 0; i < d->nentries; i++)
		d->entries[i].e.account = span_str(d->entries[i].account);
	for (size_t i = 0; i < s->ninstances; i++)
		apply_instance(d, &s->instances[i]);
	for (size_t i = 0; i < s->nnumbers; i++)
		apply_number(d, &s->numbers[i]);
}

static int
memory_commit(struct store *s)
{
	struct disk *d = s->disk;
	bool keep = true;

	if (d->failures) {
		d->failures--;
		forget_writes(s);
		return STORE_TROUBLE;
	}
	if (d->kill) {
		keep = d->kill_keeps;
		d->kill = false;
		d->killed = true;
	}
	if (keep)
		apply(s);
	forget_writes(s);
	return d->killed ? STORE_TROUBLE : STORE_OK;
}

static void
memory_rollback(struct store *s)
{
	forget_writes(s);
}

static uint64_t
memory_new_term(struct store *s)
{
	uint64_t term = memory_number(s, "term") + 1;
	struct number n = { "term", term };

	s->disk->killed = false;
	apply_number(s->disk, &n);
	return term;
}

void
disk_read(const struct disk *d, const struct disk_reader *r)
{
	for (size_t i = 0; r->row && i < d->nrows; i++)
		r->row(r->arg, d->rows[i]);
	for (size_t i = 0; r->history && i < d->nhistory; i++)
		r->history(r->arg, &d->history[i]);
	for (size_t i = 0; r->entry && i < d->nentries; i++)
		r->entry(r->arg, &d->entries[i].e);
	for (size_t i = 0; r->instance && i < d->ninstances; i++)
		r->instance(r->arg, &d->instances[i].si);
}

const struct store_ops store_memory = {
	.open = memory_open, .close = memory_close, .number = memory_number, .load = memory_load,
	.made_by = memory_made_by, .row_of = memory_row_of, .begin = memory_begin, .put_row = memory_put_row,
	.put_history = memory_put_history, .put_entries = memory_put_entries, .put_instance = memory_put_instance,
	.put_number = memory_put_number, .commit = memory_commit, .rollback = memory_rollback,
	.new_term = memory_new_term,
};
