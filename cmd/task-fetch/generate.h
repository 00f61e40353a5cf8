/* generate.h - task-fetch without a ledger: fetch a number of tasks and write them as rows.
 *
 * Each identity is asked for each of the types in turn until it has a task.  When the
 * ones that are left cannot get any (they hold a task, or are blocked) the process ends with 111. */
#ifndef PROVA_GENERATE_H
#define PROVA_GENERATE_H

#include "cmd/task-fetch/fetch.h"
#include "common/loop.h"

struct generate;

struct generate_opts {
	struct loop	*loop;
	struct fetch_opts fetch;	/* chain, n, types, times; ops and arg are not used */
	uint64_t	 count;
	void	(*poll)(void *arg, uint64_t identity, uint64_t type);
	void	(*emit)(void *arg, const struct row *);
	void	*arg;
};

struct generate *generate_new(const struct generate_opts *) MUSTCHECK;	/* begins; texts are borrowed */
void	generate_free(struct generate **);
void	generate_signed_in(struct generate *, uint64_t identity, bool);
void	generate_answer(struct generate *, uint64_t identity, const struct fetch_result *);

#endif
