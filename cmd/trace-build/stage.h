/* stage.h - floor 6: the stage trace-build, for main. */
#ifndef PROVA_TRACE_BUILD_STAGE_H
#define PROVA_TRACE_BUILD_STAGE_H

#include "common/stage.h"

int	trace_build_start(struct stage *);
void	trace_build_stop(struct stage *);
void	trace_build_act(struct stage *, struct held *);
void	trace_build_lose(struct stage *, struct held *);
void	trace_build_levels(struct stage *, struct tick *);
void	trace_build_filter(struct stage *, struct row *);

#endif
