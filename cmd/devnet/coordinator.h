/* coordinator.h - the Coordinator of prova-devnet: what stands behind its desk.
 *
 * It answers as Scroll's Coordinator v4.4.70 does, codes and texts included; the
 * order of its checks is that one's.  Its verifier is a digest: a proof is good
 * when its member "input_sha256" is the sha256 of the task's exact input. */
#ifndef PROVA_DEVNET_COORDINATOR_H
#define PROVA_DEVNET_COORDINATOR_H

#include "cmd/devnet/tasks.h"
#include "common/desk.h"

struct coordinator_opts {
	const char	*secret;		/* of the tokens */
	uint64_t	 life_s;		/* of the tokens */
	const char	*fork;			/* hard_fork_name of the tasks */
	bool		 mock_verifier;		/* takes every proof but the known bad one */
	bool		 by_id;			/* heeds a task_id in get_task */
	const char	*const *blocked;	/* NULL-ended; may be NULL */
};

struct refusal {
	char		*text;
	uint64_t	 n;
};

struct coordinator {
	struct coordinator_opts	 opts;
	struct desk		 desk;
	struct tasks		*tasks;
	uint64_t		 dice;		/* which type is drawn */
	struct map		 used;		/* challenges that were logged in with */
	struct refusal		*refusals;	/* how often what was said */
	size_t			 nrefusals;
	uint64_t		 idle;
};

void	coordinator_init(struct coordinator *, const struct coordinator_opts *, struct tasks *, uint64_t seed);
void	coordinator_free(struct coordinator *);
/* One request; the reply is the caller's to free. */
void	coordinator_answer(struct coordinator *, const struct desk_ask *, struct desk_reply *);

#endif
