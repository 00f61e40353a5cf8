/* store_memory.h - the store of tests and of the simulation: what is committed lives in a
 * "disk" that outlives the store, and writes can be made to fail. */
#ifndef PROVA_STORE_MEMORY_H
#define PROVA_STORE_MEMORY_H

#include "cmd/ledger/store.h"

struct disk;

struct disk *disk_new(void) MUSTCHECK;
void	disk_free(struct disk **);
/* A store upon it, as store_memory.open makes one on a disk of its own. */
struct store *disk_store(struct disk *) MUSTCHECK;
/* The next commits: fail with STORE_TROUBLE (n of them). */
void	disk_fail(struct disk *, unsigned n);
/* A kill in the middle of a commit: kept or not, the caller never learns. */
void	disk_kill_in_commit(struct disk *, bool kept);
bool	disk_killed(const struct disk *);	/* it happened; cleared by asking */

/* Everything, for judges: each fn may be NULL. */
struct disk_reader {
	void	*arg;
	void	(*row)(void *arg, const struct row *);
	void	(*history)(void *arg, const struct history *);
	void	(*entry)(void *arg, const struct entry *);
	void	(*instance)(void *arg, const struct stored_instance *);
};
void	disk_read(const struct disk *, const struct disk_reader *);

#endif
