/* report.h - what prova-devnet tells about itself: GET /devnet/stats and /devnet/task/ID. */
#ifndef PROVA_DEVNET_REPORT_H
#define PROVA_DEVNET_REPORT_H

#include "cmd/devnet/coordinator.h"
#include "cmd/devnet/faults.h"

/* {"chunks":{..},"batches":{..},"bundles":{..},"assigned_total":..}, one line, appended. */
void	report_stats(const struct coordinator *, const struct faults *, struct buf *out);
/* One item; false: no task of this id. */
bool	report_task(const struct coordinator *, const char *id, struct buf *out) MUSTCHECK;

#endif
