/* setup.h - floor 7: what [prover NAME] says, checked. */
#ifndef PROVA_PROVER_SETUP_H
#define PROVA_PROVER_SETUP_H

#include "common/args.h"
#include "common/identity.h"

struct setup {
	const char		*name;
	struct identity_opts	 identity;	/* all but loop, http and seed */
	char			*dir, *seed;	/* owned */
	const char		*command, *l2_urls;
	size_t			 workers, line_max, l2_max_bytes;
	uint64_t		 types;
	bool			 all_types, universal, mock, vks_given;
	uint32_t		 max_tries, mock_fail, connections, l2_parallel;
	uint64_t		 poll_ms, rest_ms, failure_rest_ms, give_up_ms, l2_timeout_ms;
	uint64_t		 call_ms, prove_ms, command_poll_ms, mock_delay_ms;
};

/* Texts are borrowed from the settings.  0, or EXIT_USAGE after having said why.  proving: the command is needed. */
int	setup_read(struct setup *, const struct args *, bool proving);
void	setup_free(struct setup *);

#endif
