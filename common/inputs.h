/* inputs.h - floor 6: makes the inputs of tasks, each once, however many jobs ask for it.
 *
 * An input of a chunk with block_hashes is the JSON array of its traces, byte for byte
 * as the node sent them; any other input is the task's body.  Trouble with nodes or disk
 * is waited out; only a task that cannot be built ends an ask with a code (and, where asked for, a
 * chain without nodes). */
#ifndef PROVA_INPUTS_H
#define PROVA_INPUTS_H

#include "common/l2.h"
#include "common/blob.h"
#include "common/rows.h"

struct inputs;
struct inputs_ask;

struct inputs_opts {
	struct loop	*loop;
	struct blobs	*blobs;
	/* The nodes of a chain; NULL: none are configured. */
	struct l2	*(*nodes)(void *arg, struct span chain);
	bool		 no_nodes_ends;		/* that ends an ask with SETTING, and is not waited out */
	void		(*changed)(void *arg);	/* inputs_note may say something else; may be NULL */
	void		*arg;
};

struct inputs_result {
	enum code	 code;			/* OK, TASK_BAD, L2_ORDER, SETTING */
	const char	*detail;		/* why not */
	uint8_t		 blob[HASH_BYTES];	/* in place when OK */
	uint64_t	 bytes;
};

typedef void inputs_done_fn(void *arg, const struct inputs_result *);

struct inputs *inputs_new(const struct inputs_opts *) MUSTCHECK;
void	inputs_free(struct inputs **);		/* cancels every ask */

/* Ask for the input of a row's task (chain, type, body or body_blob; nothing of the row is kept).
 * done is called once, in a later turn, unless the ask is cancelled; it may ask and cancel. */
struct inputs_ask *inputs_start(struct inputs *, const struct row *, inputs_done_fn *, void *arg) MUSTCHECK;
void	inputs_cancel(struct inputs_ask **);

/* Trouble with blobs or settings, for prova status; "" when there is none. */
void	inputs_note(const struct inputs *, char *out, size_t size);

#endif
