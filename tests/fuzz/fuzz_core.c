/* fuzz_core.c - whatever peers that have said HELLO send, the ledger goes on; what it shows is JSON,
 * and what it has written loads again.  Input: records of a sender, a length (2 bytes) and a message;
 * senders from STEP on make time pass or the store fail instead.
 * uses: cmd/ledger */
#include "cmd/ledger/core.h"
#include "cmd/ledger/store_memory.h"
#include "common/clock.h"
#include "common/diag.h"
#include "common/json.h"
#include "common/wire.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { START_MS = 1000000000, STEP = 7 };
static const char *const peers[STEP][2] = { { "task-fetch", "task-fetch" }, { "trace-build", "trace-build" },
	{ "allocate", "allocate" }, { "dispatch-exec.a", "dispatch-exec" }, { "dispatch-coordinator.b", "dispatch-coordinator" },
	{ "submit", "submit" }, { "operator", "operator" } };
static const struct core_chain chain = { "", 1000, 1000 };
static uint64_t now_ms;

static void
ignore(void *arg, struct span route, struct span message)
{
}

static bool
has_blob(void *arg, const uint8_t hash[HASH_BYTES])
{
	return hash[0] & 1;
}

static struct core *
begin(struct disk *disk, struct store **store)
{
	char why[256];
	struct core_opts o = { .ops = &store_memory, .store = *store = disk_store(disk), .ledger = "fuzz", .retry_ms = 2000,
	    .lease_ms = 5000, .chains = &chain, .nchains = 1, .send = ignore, .blob = has_blob };
	struct core *c = core_new(&o, why);
	struct buf hello = { 0 };
	bool active;

	for (uint8_t i = 0; i < STEP; i++) {
		wire_put_hello(&hello, &(struct wire_head){ .epoch = 0 }, &(struct wire_hello){ peers[i][0], peers[i][1], "", "active", "" });
		core_hear(c, (struct span){ &i, 1 }, 0, SPAN_OF(&hello));
		buf_reset(&hello);
	}
	core_turn(c, &active);
	buf_free(&hello);
	return c;
}

static void
show_and_end(struct core **c, struct store **store)
{
	struct buf status = { 0 };

	core_status(*c, &status);
	struct json *doc = json_parse(SPAN_OF(&status), 1 << 20, NULL);
	if (!doc)
		abort();
	json_free(&doc);
	buf_free(&status);
	core_free(c);
	store_memory.close(store);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct disk *disk = disk_new();
	struct store *store;
	bool active = true;

	diag_threshold(DIAG_ERROR + 1);
	clock_freeze(now_ms = START_MS);
	struct core *c = begin(disk, &store);
	while (size >= 3 && active) {
		size_t n = MIN2((size_t)data[1] << 8 | data[2], size - 3);
		if (data[0] < STEP)
			core_hear(c, (struct span){ data, 1 }, data[0], (struct span){ data + 3, n });
		else if (data[0] & 1)
			disk_fail(disk, 1);
		else
			clock_freeze(now_ms += (uint64_t)data[0] * data[0]);
		core_turn(c, &active);
		data += 3 + n;
		size -= 3 + n;
	}
	show_and_end(&c, &store);
	c = begin(disk, &store);
	show_and_end(&c, &store);
	disk_free(&disk);
	return 0;
}
