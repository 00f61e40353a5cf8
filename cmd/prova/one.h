/* one.h - asking about one job, by its number here or the Coordinator's uuid. */
#ifndef PROVA_ONE_H
#define PROVA_ONE_H

#include "common/json.h"
#include "common/tool.h"

/* Read the options, ask for `what` ("job", "explain"), give the answer to `print`; with --json it is printed as it came.
 * An exit status: EXIT_NO when there is no such job. */
int	one_ask(struct tool *, int argc, char **argv, const char *what, void (*print)(const struct json *));

#endif
