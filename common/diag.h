/* diag.h - floor 0: five words of speech, one logfmt line each, to standard error.
 *
 * A line: t=TIME level=LEVEL who=NAME event=EVENT and the caller's key=value
 * pairs.  Control bytes are masked.  errno is preserved. */
#ifndef PROVA_DIAG_H
#define PROVA_DIAG_H

#include "common/base.h"

enum diag_level { DIAG_DEBUG, DIAG_INFO, DIAG_WARN, DIAG_ERROR };

/* Name this process in its lines ("prova-submit", "trace-build.2").  Copies. */
void	diag_name(const char *name);
const char *diag_whoami(void);

/* Lines below this level are not written.  Starts at DIAG_INFO. */
void	diag_threshold(enum diag_level);

/* One event.  `event` is a word with dashes; `fmt` makes key=value pairs
 * (values with blanks go through diag_quote).  Never fails, never blocks
 * longer than the write to descriptor 2. */
void	diag(enum diag_level, const char *event, const char *fmt, ...) PRINTF(3, 4);

/* A value for a logfmt line: quoted when it has to be, control bytes masked,
 * cut at 256 bytes.  Returns one of eight static buffers in turn. */
const char *diag_quote(const char *s);

/* Say it and exit with `status` (EXIT_USAGE, EXIT_SYSTEM ...); _sys adds strerror. */
void	die(int status, const char *fmt, ...) PRINTF(2, 3) NORETURN;
void	die_sys(const char *fmt, ...) PRINTF(1, 2) NORETURN;

/* Our own mistake: say it, dump core. */
void	bug(const char *fmt, ...) PRINTF(1, 2) NORETURN;

#endif
