/* build.c - see build.h.
 *
 * Bodies can be tens of megabytes (a universal task carries its witness), so the body is
 * scanned for its one interesting member and only that is read as a document. */
#include "common/build.h"

#include "common/json.h"
#include "common/num.h"
#include "common/scan.h"

enum { HASHES_BYTES = BUILD_BLOCKS * 80 };	/* text of block_hashes */

PRINTF(2, 3)
static enum code
task_bad(char *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, BUILD_WHY, fmt, ap);
	va_end(ap);
	return CODE_TASK_BAD;
}

static enum code
read_list(const struct json *list, struct build_plan *plan, char *why)
{
	size_t n = json_size(list);

	if (!json_is_array(list) || n == 0 || n > BUILD_BLOCKS)
		return task_bad(why, "block_hashes has %zu entries", n);
	plan->hashes = xmalloc(n * HASH_BYTES);
	for (size_t i = 0; i < n; i++)
		if (!num_hex(json_text(json_at(list, i)), true, plan->hashes[i], HASH_BYTES))
			return task_bad(why, "block_hashes[%zu] is not a hash", i);
	plan->n = n;
	return CODE_OK;
}

static enum code
read_hashes(struct span text, struct build_plan *plan, char *why)
{
	char problem[128];
	struct json *list = json_parse(text, HASHES_BYTES, problem);

	if (!list)
		return task_bad(why, "block_hashes: %s", problem);
	enum code code = read_list(list, plan, why);
	json_free(&list);
	return code;
}

enum code
build_read(uint64_t type, struct span body, struct build_plan *plan, char why[BUILD_WHY])
{
	static const char *const paths[] = { "block_hashes", "serialized_witness" };
	struct span found[NELEM(paths)];

	*plan = (struct build_plan){ .pass = true };
	if (type < TYPE_CHUNK || type > TYPE_MAX)
		return task_bad(why, "type %" PRIu64 " is not chunk, batch or bundle", type);
	if (!scan_members(body, paths, NELEM(paths), found, NULL))
		return task_bad(why, "the body is not a JSON object");
	if (type != TYPE_CHUNK || (!found[0].p && found[1].p))
		return CODE_OK;
	if (!found[0].p)
		return task_bad(why, "the chunk has neither block_hashes nor serialized_witness");
	plan->pass = false;
	enum code code = read_hashes(found[0], plan, why);
	if (code != CODE_OK)
		build_free(plan);
	return code;
}

void
build_free(struct build_plan *plan)
{
	free(plan->hashes);
	*plan = (struct build_plan){ 0 };
}
