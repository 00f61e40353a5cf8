/* taskdata.h - the task_data of items: what the Coordinator hands out, in the form of generation (b). */
#ifndef PROVA_DEVNET_TASKDATA_H
#define PROVA_DEVNET_TASKDATA_H

#include "cmd/devnet/tasks.h"

/* Batches take the *.json of a directory in turn, as they are.  False: why (256 bytes). */
bool	taskdata_load(struct tasks *, const char *directory, char *why) MUSTCHECK;
/* A chunk's block hashes; a batch's or bundle's parts and their proofs. */
void	taskdata_make(struct tasks *, struct item *);

#endif
