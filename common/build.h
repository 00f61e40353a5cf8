/* build.h - floor 4: what has to be done to turn a task's body into the prover's input.
 *
 * Pure: bytes in, a list of block hashes out.  The forms are those of the Coordinator's
 * task_data (scroll v4.1 to now). */
#ifndef PROVA_BUILD_H
#define PROVA_BUILD_H

#include "common/bytes.h"
#include "common/codes.h"

enum {
	BUILD_BLOCKS	= 16384,		/* in one chunk */
	BUILD_WHY	= 160,			/* bytes of an explanation */
};

/* Owns hashes.  Zeroed is valid. */
struct build_plan {
	bool	 pass;				/* the body itself is the input */
	size_t	 n;
	uint8_t	(*hashes)[HASH_BYTES];		/* in task order */
};

/* A chunk with block_hashes: fetch them.  A chunk without (a universal task), a batch, a bundle:
 * the body passes through; it must be a JSON object.  CODE_OK, or CODE_TASK_BAD and `why`. */
enum code build_read(uint64_t type, struct span body, struct build_plan *, char why[BUILD_WHY]) MUSTCHECK;
void	build_free(struct build_plan *);

#endif
