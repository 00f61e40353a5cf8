/* clock.c - see clock.h. */
#include "common/clock.h"

#include <time.h>

static uint64_t frozen_ms;

static uint64_t
read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t
clock_us(void)
{
	return frozen_ms ? frozen_ms * 1000 : read_us(CLOCK_BOOTTIME);
}

uint64_t
clock_ms(void)
{
	return clock_us() / 1000;
}

uint64_t
clock_wall_ms(void)
{
	return frozen_ms ? frozen_ms : read_us(CLOCK_REALTIME) / 1000;
}

void
clock_freeze(uint64_t ms)
{
	frozen_ms = ms;
}
