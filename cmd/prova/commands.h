/* commands.h - the subcommands of prova, one file each, and the options they share. */
#ifndef PROVA_COMMANDS_H
#define PROVA_COMMANDS_H

#include "common/tool.h"

int	status_run(struct tool *, int argc, char **argv);
int	jobs_run(struct tool *, int argc, char **argv);
int	job_run(struct tool *, int argc, char **argv);
int	explain_run(struct tool *, int argc, char **argv);
int	check_run(struct tool *, int argc, char **argv);
int	keys_run(struct tool *, int argc, char **argv);
int	ledger_check_run(struct tool *, int argc, char **argv);

struct opts {
	bool		 json, online, offline, watch;
	const char	*chain, *state, *type;	/* NULL: not given */
	uint64_t	 n;
	int		 noperands;
	char		**operands;
};

/* Read the options that `letters` allows, as for getopt(3): w, c:, n:, s:, t:, and J, N, F for --json,
 * --online, --offline.  `o` holds the defaults.  A wrong call ends the process (100). */
void	opts_read(struct tool *, int argc, char **argv, const char *letters, struct opts *o);

#endif
