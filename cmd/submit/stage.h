/* stage.h - prova-submit: the parts put together, from the settings to the call-backs of the skeleton. */
#ifndef PROVA_SUBMIT_STAGE_H
#define PROVA_SUBMIT_STAGE_H

#include "common/stage.h"

/* The call-backs of its struct stage_def. */
int	submit_start(struct stage *st);
void	submit_stop(struct stage *st);
void	submit_act(struct stage *st, struct held *h);
void	submit_lose(struct stage *st, struct held *h);
void	submit_answer(struct stage *st, uint64_t token, uint64_t code, const struct row *first);
void	submit_levels(struct stage *st, struct tick *t);
void	submit_reset(struct stage *st);

#endif
