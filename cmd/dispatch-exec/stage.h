/* stage.h - dispatch-exec as the skeleton calls it; see slots.h and purchase.h for the work itself. */
#ifndef PROVA_DISPATCH_EXEC_STAGE_H
#define PROVA_DISPATCH_EXEC_STAGE_H

#include "common/stage.h"

int	dispatch_exec_start(struct stage *);
void	dispatch_exec_stop(struct stage *);
void	dispatch_exec_act(struct stage *, struct held *);
void	dispatch_exec_lose(struct stage *, struct held *);
void	dispatch_exec_levels(struct stage *, struct tick *);
void	dispatch_exec_reset(struct stage *);

#endif
