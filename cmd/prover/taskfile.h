/* taskfile.h - floor 6: a task that the prover holds, as one file: its bytes and its name.  Pure.
 *
 * The file is one JSON object: whose identity it is, the task as the Coordinator gave it, and, once there
 * is one, the proof or the failure to be reported.  The name, task.IDENTITY.TRIES.FAILURES, has
 * what changes while it is proved, so that counting is a rename. */
#ifndef PROVA_TASKFILE_H
#define PROVA_TASKFILE_H

#include "common/coord.h"

enum {
	TASKFILE_NAME	= 48,		/* room for a name */
	TASKFILE_WHY	= 120,		/* bytes of an explanation */
};

enum record_state {
	RECORD_OPEN,		/* to be proved */
	RECORD_PROVED,		/* `outcome` is the proof */
	RECORD_FAILED,		/* `outcome` says why; to be reported */
};

/* Owned.  Zeroed is valid. */
struct record {
	uint32_t		 identity;
	uint32_t		 tries;		/* how often proving was begun */
	uint32_t		 failures;	/* how many of these orders surely are over without a proof */
	struct coord_task	 task;
	enum record_state	 state;
	struct buf		 outcome;
	uint8_t			 failure_type;	/* 1 a crash, 2 an ordinary failure */
};

void	record_free(struct record *);

/* Its bytes, appended. */
void	taskfile_put(struct buf *, const struct record *);
/* Bytes back to a record (tries and failures are the name's).  False: `why` says what is wrong, and the record is free. */
bool	taskfile_read(struct span, struct record *, char why[TASKFILE_WHY]) MUSTCHECK;

/* Its name; and a name back to identity, tries and failures, strictly. */
void	taskfile_name(const struct record *, char out[TASKFILE_NAME]);
bool	taskfile_named(const char *name, struct record *) MUSTCHECK;
/* The name of one that is put aside, which does not change: aside.DIGITS */
void	taskfile_aside(const struct record *, char out[TASKFILE_NAME]);
/* What the proving command knows an order by: the same after a restart, another after a failure. */
void	taskfile_attempt(const struct record *, struct buf *out);

/* The request that ends it at the Coordinator: the same bytes each time.  The record is not open. */
void	taskfile_submit(const struct record *, bool universal, struct span token, struct coord_request *);

#endif
