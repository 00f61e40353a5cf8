/* run.h - floor 8: prova-prover's commands. */
#ifndef PROVA_PROVER_RUN_H
#define PROVA_PROVER_RUN_H

#include "cmd/prover/setup.h"

/* Each returns the exit status.  */
int	run_daemon(const struct setup *);
/* Each operand is a task file, or a task id with or without "TYPE:" before it. */
int	run_handle(const struct setup *, char **operands);
/* file NULL: standard output. */
int	run_dump(const struct setup *, const char *type, const char *task_id, const char *file);

#endif
