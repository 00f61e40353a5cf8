/* notify.h - floor 3: what the service manager hears from us (libsystemd).  All do
 * nothing where nobody listens, and never block. */
#ifndef PROVA_NOTIFY_H
#define PROVA_NOTIFY_H

#include "common/base.h"

void	notify_ready(void);
void	notify_stopping(void);
/* One line: what one would ask. */
void	notify_status(const char *text);
/* How often the manager wants notify_alive at the least, in ms; 0: not at all. */
uint64_t notify_watchdog_ms(void);
void	notify_alive(void);

#endif
