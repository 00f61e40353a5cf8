/* stage.h - prova-task-fetch: the parts put together, from the settings to the call-backs of the skeleton. */
#ifndef PROVA_TASK_FETCH_STAGE_H
#define PROVA_TASK_FETCH_STAGE_H

#include "common/stage.h"

/* The call-backs of its struct stage_def. */
int	task_fetch_start(struct stage *st);
void	task_fetch_stop(struct stage *st);
void	task_fetch_act(struct stage *st, struct held *h);
void	task_fetch_lose(struct stage *st, struct held *h);
void	task_fetch_answer(struct stage *st, uint64_t token, uint64_t code, const struct row *first);
void	task_fetch_levels(struct stage *st, struct tick *t);
void	task_fetch_news(struct stage *st, const struct news *n);
void	task_fetch_reset(struct stage *st);
void	task_fetch_generate(struct stage *st, uint64_t count);

#endif
