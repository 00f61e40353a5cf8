/* tool.h - floor 6: the skeleton of one-shot tools.  A tool's main is a table and a call.
 *
 * tool_main: descriptors 0-2, the shared options (args.h), settings, then the command named by
 * the first operand; its status is the tool's: 0 done, 1 the answer is no, 100 called wrongly,
 * 111 the system failed.  A bug ends a tool with 101, not with a core. */
#ifndef PROVA_TOOL_H
#define PROVA_TOOL_H

#include "common/settings.h"

struct tool;

struct tool_command {
	const char	*name;		/* "ledger check": words match as many operands */
	const char	*synopsis;	/* behind it in the usage; "" for none */
	/* argv[0] is the first operand behind the command's words.  Returns an exit status.  argv may be permuted. */
	int		(*run)(struct tool *, int argc, char **argv);
	unsigned	 min, max;	/* operands behind the words */
};

struct tool_def {
	const char			*name;		/* "prova" */
	const char			*synopsis;	/* "[-dnvV] [-c file] command [argument ...]" */
	const struct tool_command	*commands;
	size_t				 ncommands;
};

int	tool_main(const struct tool_def *, int argc, char **argv);

struct settings *tool_settings(struct tool *);
/* The call of another Prova program with the same settings file and overrides, and `more` behind them (NULL-ended): owned,
 * NULL-ended, to be freed as one; its texts are borrowed.  The program beside this one is meant; where there is none,
 * the one in PATH: argv[0] may have no slash. */
char	**tool_argv(struct tool *, const char *program, const char *const *more) MUSTCHECK;
/* Say what is wrong with the call, and the usage; exit 100. */
void	tool_wrong(struct tool *, const char *fmt, ...) PRINTF(2, 3) NORETURN;
/* Standard output could not be written: false, having said so.  Call it last: return tool_flushed() ? status : 111. */
bool	tool_flushed(void) MUSTCHECK;

#endif
