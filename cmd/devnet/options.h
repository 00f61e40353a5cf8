/* options.h - the command line of prova-devnet. */
#ifndef PROVA_DEVNET_OPTIONS_H
#define PROVA_DEVNET_OPTIONS_H

#include "common/base.h"

struct options {
	const char	*listen, *l2_listen;	/* ADDRESS:PORT */
	uint64_t	 chunks, batches, bundles, blocks_per_chunk, seed, attempts, trace_bytes;
	uint64_t	 collection_ms, cron_ms, token_life_s;
	const char	*traces, *task_dir, *ports, *stats, *fork;
	bool		 same_task_twice, task_by_id, mock_verifier;
	struct option_list {
		const char	**texts;	/* NULL-ended, or NULL */
		size_t		 n;
	} blocked, faults;
};

/* -h and -V end the process with 0, a wrong call with 100. */
void	options_read(struct options *, int argc, char **argv);
void	options_free(struct options *);

#endif
