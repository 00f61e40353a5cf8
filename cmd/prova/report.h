/* report.h - results of prova check: one line each, and whether all are well. */
#ifndef PROVA_REPORT_H
#define PROVA_REPORT_H

#include "common/tool.h"

struct report { unsigned good, bad; };

/* "ok    WHAT: HOW" or "FAIL  WHAT: HOW". */
void	report_say(struct report *, bool good, const char *what, const char *fmt, ...) PRINTF(4, 5);

/* The settings as each stage judges them: PROGRAM -n for every instance that they name. */
void	check_settings(struct tool *, struct report *);
/* Coordinators, L2 nodes, plug-ins, disks. */
void	check_online(struct tool *, struct report *);

#endif
