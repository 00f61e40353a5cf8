/* devnet.h - prova-devnet as a whole: two HTTP servers, one cron, one loop. */
#ifndef PROVA_DEVNET_DEVNET_H
#define PROVA_DEVNET_DEVNET_H

#include "cmd/devnet/options.h"

/* Serve until SIGTERM or SIGINT; returns an exit status. */
int	devnet_run(const struct options *);

#endif
