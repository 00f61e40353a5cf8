/* report.c - what prova-devnet tells about itself.  See report.h. */
#include "cmd/devnet/report.h"

#include "common/json.h"
#include "common/num.h"

static const char *const kinds[] = { [TYPE_CHUNK] = "chunk", [TYPE_BATCH] = "batch", [TYPE_BUNDLE] = "bundle" };
static const char *const plurals[] = { [TYPE_CHUNK] = "chunks", [TYPE_BATCH] = "batches", [TYPE_BUNDLE] = "bundles" };

static void
put_type(const struct tasks *t, uint64_t type, struct buf *out)
{
	size_t count[ITEM_FAILED + 1] = { 0 };

	for (size_t i = 0; i < t->opts.n[type]; i++)
		count[t->items[type][i].status]++;
	buf_printf(out, "\"%s\":{\"total\":%zu,\"unassigned\":%zu,\"assigned\":%zu,\"verified\":%zu,\"failed\":%zu},",
	    plurals[type], t->opts.n[type], count[ITEM_UNASSIGNED], count[ITEM_ASSIGNED],
	    count[ITEM_VERIFIED], count[ITEM_FAILED]);
}

void
report_stats(const struct coordinator *c, const struct faults *faults, struct buf *out)
{
	const struct tasks *t = c->tasks;

	buf_putc(out, '{');
	for (uint64_t type = TYPE_CHUNK; type <= TYPE_MAX; type++)
		put_type(t, type, out);
	buf_printf(out, "\"assigned_total\":%" PRIu64 ",\"accepted_total\":%" PRIu64 ",\"timed_out_total\":%" PRIu64
	    ",\"logins_total\":%" PRIu64 ",\"idle_total\":%" PRIu64 ",\"refused\":{",
	    t->assigned, t->accepted, t->timed_out, c->desk.logins, c->idle);
	for (size_t i = 0; i < c->nrefusals; i++) {
		if (i)
			buf_putc(out, ',');
		json_put_str(out, span_str(c->refusals[i].text), false);
		buf_printf(out, ":%" PRIu64, c->refusals[i].n);
	}
	buf_puts(out, "},\"faults\":");
	faults_report(faults, out);
	buf_puts(out, "}\n");
}

bool
report_task(const struct coordinator *c, const char *id, struct buf *out)
{
	struct item *it = tasks_item(c->tasks, 0, span_str(id));

	if (!it)
		return false;
	buf_printf(out, "{\"type\":\"%s\",\"state\":\"%s\",\"attempts\":%u,\"active\":%u,\"input_sha256\":",
	    kinds[it->type], tasks_status(it->status), it->total, it->active);
	if (tasks_input(c->tasks, it)) {
		buf_putc(out, '"');
		num_put_hex(out, (struct span){ it->input_sha256, HASH_BYTES });
		buf_putc(out, '"');
	} else {
		buf_puts(out, "null");
	}
	buf_printf(out, ",\"proof_input_sha256\":");
	if (it->proof_input[0])
		json_put_str(out, span_str(it->proof_input), false);
	else
		buf_puts(out, "null");
	buf_puts(out, "}\n");
	return true;
}
