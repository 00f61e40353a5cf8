/* client.h - task-fetch's calls: get_task as an identity, block numbers of the L2 node, bodies into blobs.
 *
 * What comes back is handed on as a fetch_result: to fetch.c in the stage, to
 * generate.c in a filter.  A task whose body cannot be written (a full disk) is kept in
 * memory and tried again until it can. */
#ifndef PROVA_CLIENT_H
#define PROVA_CLIENT_H

#include "cmd/task-fetch/fetch.h"
#include "common/blob.h"
#include "common/identity.h"

struct client;

struct client_opts {
	struct loop		*loop;
	struct http		*http;
	struct blobs		*blobs;
	struct identities	*identities;
	const char		*l2_urls;	/* separated by blanks; "" for none */
	uint64_t		 timeout_ms;	/* of get_task */
	uint64_t		 l2_timeout_ms;
	uint64_t		 retry_ms;	/* between attempts to write a blob */
	bool			 universal;
	void	(*answer)(void *arg, uint64_t identity, const struct fetch_result *);
	void			*arg;
};

struct client *client_new(const struct client_opts *) MUSTCHECK;	/* copies */
void	client_free(struct client **);		/* polls under way are not answered */

/* Ask for a task of this type; ends with one call of answer, in a later turn. */
void	client_poll(struct client *, uint64_t identity, uint64_t type);

/* Is this the task_data of a task of this type?  Looks at the form only. */
bool	client_task_ok(uint64_t type, bool universal, struct span data);

#endif
