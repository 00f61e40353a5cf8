/* notify.c - what the service manager hears from us.  See notify.h. */
#include "common/notify.h"

#include <systemd/sd-daemon.h>

void
notify_ready(void)
{
	sd_notify(0, "READY=1");
}

void
notify_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

void
notify_status(const char *text)
{
	sd_notifyf(0, "STATUS=%s", text);
}

uint64_t
notify_watchdog_ms(void)
{
	uint64_t us;

	return sd_watchdog_enabled(0, &us) > 0 ? us / 1000 : 0;
}

void
notify_alive(void)
{
	sd_notify(0, "WATCHDOG=1");
}
