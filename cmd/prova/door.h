/* door.h - asks the ledger's door for questions (ipc://RUN/query). */
#ifndef PROVA_DOOR_H
#define PROVA_DOOR_H

#include "common/json.h"
#include "common/tool.h"

struct door;

/* Connects.  NULL: it cannot, which was said. */
struct door *door_open(struct tool *) MUSTCHECK;
void	door_close(struct door **);		/* may be NULL */

/* Send a request and wait for its answer, at most timeout_ms.  The answer as it came is kept until the next one.
 * NULL, having said why on standard error: nobody answers, the ledger refuses the question, SIGTERM or SIGINT. */
struct json *door_ask(struct door *, struct span request, uint64_t timeout_ms) MUSTCHECK;
struct span door_answer(const struct door *);

/* Wait; false: a signal says stop. */
bool	door_pause(struct door *, uint64_t ms);

/* Print the answer as it came, one line. */
void	door_print(const struct door *);

#endif
