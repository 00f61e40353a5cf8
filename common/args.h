/* args.h - floor 5: the options that all programs share, and the settings they lead to.
 *
 *	-c FILE       settings file (default /etc/prova/prova.conf, where it is there)
 *	-O KEY=VALUE  override one setting; may be repeated
 *	-n            check the settings and end
 *	-d            print the settings in force and end
 *	-v            say more
 *	-V, -h        print the version, the usage, and end
 *	--ledger X    the ledger's endpoint, or "none"
 * and of stages alone:
 *	-I NAME       the instance: KIND or KIND.SUFFIX (default KIND)
 *	-i -, -o -    rows as JSON lines on standard input and output
 * of programs that have a settings section for each instance (and no use for a ledger):
 *	-I NAME       the instance, [SECTION NAME] (default: the only one there is, else SECTION) */
#ifndef PROVA_ARGS_H
#define PROVA_ARGS_H

#include "common/settings.h"

struct args_def {
	const char	*name;		/* "prova-allocate" */
	const char	*synopsis;	/* behind "usage: NAME " */
	const char	*kind;		/* of a stage; NULL: a tool */
	bool		 counts;	/* -n may be followed by a count (generators) */
	char		 flag;		/* one more letter, without a value, in place of -I, -i, -o; 0: none */
	const char	*section;	/* of its instances' settings; NULL: it is a stage or a tool */
	const char	*shorthand;	/* with section: a word, without dashes, that is -O WORD=yes; NULL: none */
	void		(*usage)(const void *arg, FILE *);	/* more lines for -h; may be NULL */
	const void	*arg;
};

struct args {
	const struct args_def *def;
	const char	*file, *ledger;	/* NULL: not given */
	char		 instance[64];	/* with section and without -I: empty until args_settings */
	char		 shorthand[64];
	bool		 check, print, verbose, in, out, counted, flagged;
	uint64_t	 count;		/* of -n, when counted */
	const char	**overrides;	/* borrowed from argv */
	size_t		 noverrides;
	int		 rest;		/* argv[rest]: the first operand */
	struct settings	*settings;
};

/* Open descriptors 0-2, name the process, read options.  -h and -V end the process with 0, a wrong
 * call with 100. */
void	args_read(struct args *, const struct args_def *, int argc, char **argv);
/* Read and override the settings; -d prints them and ends.  Wrong ones end the process with 100. */
void	args_settings(struct args *);
/* Say what is wrong with the call, and the usage; exit 100. */
void	args_wrong(const struct args_def *, const char *fmt, ...) PRINTF(2, 3) NORETURN;
void	args_free(struct args *);

#endif
