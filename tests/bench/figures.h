/* figures.h - percentiles, and what the kernel says of processes. */
#ifndef PROVA_BENCH_FIGURES_H
#define PROVA_BENCH_FIGURES_H

#include "common/base.h"

/* Samples, grown as they come. */
struct figures { double *v; size_t n, cap; bool sorted; };

void	figures_add(struct figures *, double);
double	figures_at(struct figures *, double percent);	/* 50 is the median; 0 when there are none */
void	figures_free(struct figures *);
void	figures_say(const char *what, struct figures *);	/* its p50, p99 and largest, "NAME_us NUMBER" a line */

double	seconds_now(void);			/* CLOCK_MONOTONIC */
uint64_t nanos_now(void);
double	process_cpu_s(long pid);		/* user and system until now, all threads */
uint64_t process_private_kb(long pid);		/* memory that is its own */

/* A whole number from the environment; `none` where it is not set.  Wrong ones end the process. */
uint64_t env_number(const char *name, uint64_t none);
/* A whole number among the operands.  Wrong ones end the process. */
uint64_t operand(const char *text);

#endif
