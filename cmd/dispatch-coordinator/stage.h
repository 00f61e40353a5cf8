/* stage.h - dispatch-coordinator as the skeleton calls it; see door.h for HTTP and court.h for the work itself. */
#ifndef PROVA_DISPATCH_COORDINATOR_STAGE_H
#define PROVA_DISPATCH_COORDINATOR_STAGE_H

#include "common/stage.h"

int	dispatch_coordinator_start(struct stage *);
void	dispatch_coordinator_stop(struct stage *);
void	dispatch_coordinator_act(struct stage *, struct held *);
void	dispatch_coordinator_lose(struct stage *, struct held *);
void	dispatch_coordinator_answer(struct stage *, uint64_t token, uint64_t code, const struct row *first);
void	dispatch_coordinator_levels(struct stage *, struct tick *);
void	dispatch_coordinator_reset(struct stage *);

#endif
