/* show.h - members of the ledger's answers, as people read them. */
#ifndef PROVA_SHOW_H
#define PROVA_SHOW_H

#include "common/json.h"

/* A member as a number; 0 when it is absent. */
uint64_t show_num(const struct json *object, const char *name);

/* Each in a static buffer of eight in turn. */
const char *show_text(const struct json *object, const char *name);	/* control bytes masked; "" when absent */
const char *show_time(uint64_t wall_ms);		/* "2026-11-21 04:21:19.123", UTC; "-" for 0 */
const char *show_span(uint64_t ms);			/* "12 ms", "3.4 s", "5 m 10 s", "2 h 3 m" */
const char *show_micro(int64_t micro);			/* "-0.25" */

/* The number of a code's word; UINT64_MAX: there is none. */
uint64_t show_code(struct span word);
/* The code of an object, unless it is "ok": "  LABEL WORD: SENTENCE  ADVICE", and what the other side said. */
void	show_why(const struct json *object, const char *label);

#endif
