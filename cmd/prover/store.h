/* store.h - floor 6: the directory in which the prover keeps its tasks, a file for each.
 *
 *	lock             held for life
 *	task.I.T.F       a task (taskfile.h)
 *	aside.DIGITS     one that is not worked on any more, for people
 *	NAME.bad         a file that is no task; NAME.bad.2 ... where there is one already
 *	tmp.XXXXXX       being written; removed at the next start
 *
 * What a call says is done survives the end of the process.  A task, its tries and its outcome survive that of the machine,
 * too; then a file that was removed or put aside may be there again, whose second submission is answered as such.
 * All but store_open return -1 with errno. */
#ifndef PROVA_STORE_H
#define PROVA_STORE_H

#include "cmd/prover/taskfile.h"

struct store;

/* Make (0700) and lock the directory.  NULL: `why` (300 bytes) says what is wrong, *status how to exit. */
struct store *store_open(const char *dir, char *why, int *status) MUSTCHECK;
void	store_close(struct store **);

/* Each task there is, in the order of identities, of one identity's that with most tries first.  The record is fn's to free or keep.  What
 * has such a name and is no task is put out of the way, and said; where a task cannot be read now, the process ends. */
void	store_each(struct store *, void (*fn)(void *arg, struct record *), void *arg);
/* A task file anywhere.  -1: `why` says what is wrong.  Its tries are those of its name, if it has such a name. */
int	store_load(const char *path, struct record *, char *why) MUSTCHECK;

/* A whole file of at most max bytes, appended to out. */
int	store_read(const char *path, size_t max, struct buf *out) MUSTCHECK;

/* Write it under its name; an older one of this name is replaced in one step. */
int	store_keep(struct store *, const struct record *) MUSTCHECK;
/* Other numbers into its name; the record is as it was before, and after -1 its name, too. */
int	store_number(struct store *, const struct record *, uint32_t tries, uint32_t failures) MUSTCHECK;
int	store_forget(struct store *, const struct record *) MUSTCHECK;
int	store_aside(struct store *, const struct record *) MUSTCHECK;
/* Give one that is put aside its name again.  0 also when there is none. */
int	store_take_back(struct store *, const struct record *) MUSTCHECK;

#endif
