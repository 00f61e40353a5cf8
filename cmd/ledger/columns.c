/* columns.c - which fields a store keeps of each kind of row. */
#include "cmd/ledger/store.h"

#define ALL	(BIT(kind) | BIT(id) | BIT(rev) | BIT(state) | BIT(code) | BIT(at_ms) | BIT(detail))

uint64_t
store_columns(uint64_t kind)
{
	static const uint64_t columns[ROW_KINDS] = {
		[ROW_WORK] = ALL | BIT(chain) | BIT(type) | BIT(task) | BIT(fork) | BIT(body) | BIT(body_blob) |
		    BIT(body_bytes) | BIT(input_blob) | BIT(input_bytes) | BIT(open) | BIT(kept) | BIT(tried) |
		    BIT(attempts) | BIT(failures) | BIT(ready),
		[ROW_JOB] = ALL | BIT(work) | BIT(uuid) | BIT(identity) | BIT(fetched_ms) | BIT(deadline_ms) |
		    BIT(posts) | BIT(attempt),
		[ROW_ATTEMPT] = ALL | BIT(work) | BIT(provider) | BIT(owner) | BIT(intent) | BIT(send_by_ms) | BIT(handle) |
		    BIT(proof) | BIT(proof_blob) | BIT(proof_bytes) | BIT(price) | BIT(reason) | BIT(allow) | BIT(owed) |
		    BIT(stray) | BIT(begun_ms) | BIT(verified_ms),
		[ROW_IDENTITY] = ALL | BIT(chain) | BIT(identity) | BIT(until_ms) | BIT(pubkey) | BIT(job) | BIT(again),
	};

	return kind < ROW_KINDS ? columns[kind] : 0;
}
