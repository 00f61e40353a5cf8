/* tasks.h - what there is to prove, and who was asked: the Coordinator's tables, in memory.
 *
 * An item is a chunk, batch or bundle; a row is one assignment of an item to a key.
 * The numbers are the Coordinator's own (proving_status, failure_type). */
#ifndef PROVA_DEVNET_TASKS_H
#define PROVA_DEVNET_TASKS_H

#include "cmd/devnet/blocks.h"
#include "common/map.h"

enum { ITEM_UNASSIGNED = 1, ITEM_ASSIGNED = 2, ITEM_VERIFIED = 4, ITEM_FAILED = 5 };
enum { ROW_ASSIGNED = 1, ROW_VALID = 2, ROW_INVALID = 3 };
enum { FAIL_TIMEOUT = 1, FAIL_NOT_OK = 2, FAIL_VERIFY = 3, FAIL_SERVER = 4, FAIL_ALREADY = 5 };

struct item {
	uint64_t	 type;
	size_t		 index;
	char		 id[67];		/* 0x and 64 digits */
	unsigned	 status, total, active;	/* attempts */
	bool		 ready;			/* its parts are verified (a chunk: always) */
	size_t		 first, n;		/* its blocks, or its parts one type below */
	size_t		 owner;			/* index of the batch or bundle it is part of */
	bool		 owned;
	uint64_t	 end_block;
	struct buf	 data;			/* task_data, once it is known */
	bool		 summed;
	uint8_t		 input_sha256[HASH_BYTES];
	struct buf	 proof;			/* as verified */
	char		 proof_input[65];	/* what the last proof said it proved; "" none */
};

struct row {
	char		 uuid[33];	/* digits only */
	char		*key;
	struct item	*item;
	unsigned	 status, failure;
	uint64_t	 assigned_ms;
	struct row	*prev, *next;	/* among the open ones, oldest first */
};

struct tasks_opts {
	size_t		 n[4];		/* by type: how many */
	size_t		 blocks_per_chunk;
	uint64_t	 collection_ms;
	unsigned	 attempts;	/* per item */
	unsigned	 per_session;	/* keys that may hold one item at once */
	const char	*task_dir;	/* batches' task_data; NULL: made from the proofs of their chunks */
};

struct tasks {
	const struct blocks	*blocks;
	struct tasks_opts	 opts;
	struct item		*items[4];	/* by type */
	size_t			 done[4];	/* by type: all before this are over */
	struct map		 by_uuid, open_by_key, by_id;
	struct row		*oldest, *newest;
	uint64_t		 assigned, accepted, timed_out;
};

/* False: why (at least 256 bytes) says what is wrong with task_dir. */
bool	tasks_init(struct tasks *, const struct blocks *, const struct tasks_opts *, char *why) MUSTCHECK;
void	tasks_free(struct tasks *);

/* An open row of this key, or NULL. */
struct row *tasks_held(const struct tasks *, const char *key);
struct row *tasks_row(const struct tasks *, struct span uuid, const char *key);
struct item *tasks_item(const struct tasks *, uint64_t type, struct span id);

/* Choose an item of this type for whoever knows blocks up to height, where id is not empty this
 * one or none: NULL when there is none.  The attempt is counted.  Then tasks_open, or tasks_give_back when that cannot be. */
struct item *tasks_choose(struct tasks *, uint64_t type, uint64_t height, struct span id);
struct row *tasks_open(struct tasks *, struct item *, const char *uuid, const char *key);
void	tasks_give_back(struct item *);
/* task_data of a chosen item; false: the blocks cannot be read. */
bool	tasks_data(struct tasks *, struct item *) MUSTCHECK;

/* The digest of the exact input: the array of its blocks' traces, or its task_data. */
bool	tasks_input(struct tasks *, struct item *) MUSTCHECK;

/* End a row; the item's active attempts go down when it is of `type`. */
void	tasks_close(struct tasks *, struct row *, unsigned status, unsigned failure, uint64_t type);
/* The item is proved; batches become ready with their last chunk. */
void	tasks_verified(struct tasks *, struct item *, struct span proof);

/* The cron: rows that are over time (ten of a type at most), bundles whose batches are proved. */
void	tasks_cron(struct tasks *);

const char *tasks_status(unsigned item_status);

#endif
