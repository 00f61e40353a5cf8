/* clock.h - floor 1: time.  Two clocks, both replaceable by tests and the simulation.
 *
 * clock_ms goes on while the machine sleeps (CLOCK_BOOTTIME): intervals, leases,
 * send_by.  clock_wall_ms is the time of day, for rows and people. */
#ifndef PROVA_CLOCK_H
#define PROVA_CLOCK_H

#include "common/base.h"

uint64_t clock_ms(void);
uint64_t clock_us(void);
uint64_t clock_wall_ms(void);

/* Tests: make both clocks return `ms`; 0 gives the real ones back. */
void	clock_freeze(uint64_t ms);

#endif
