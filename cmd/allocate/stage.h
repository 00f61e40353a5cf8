/* stage.h - allocate as a stage: its settings, and the call-backs of common/stage.h. */
#ifndef PROVA_ALLOCATE_STAGE_H
#define PROVA_ALLOCATE_STAGE_H

#include "common/stage.h"

int	allocate_start(struct stage *);
void	allocate_stop(struct stage *);
void	allocate_act(struct stage *, struct held *);
void	allocate_answer(struct stage *, uint64_t token, uint64_t code, const struct row *first);
void	allocate_levels(struct stage *, struct tick *);
void	allocate_news(struct stage *, const struct news *);
void	allocate_reset(struct stage *);
void	allocate_filter(struct stage *, struct row *);

#endif
