/* farm.h - dispatch-coordinator in this process: its desk, court and door, with the test as ledger.
 * uses: cmd/dispatch-coordinator */
#ifndef PROVA_TESTS_WIRE_FARM_H
#define PROVA_TESTS_WIRE_FARM_H

#include "common/bytes.h"
#include "common/desk.h"
#include "tests/wire/server.h"

struct farm;

/* desk is borrowed; hold_ms: how long a prover waits for a task.  0: as long as it takes, by a clock that
 * stands but for that. */
struct farm *farm_new(const struct desk_opts *desk, uint64_t hold_ms) MUSTCHECK;
void	farm_free(struct farm **);
unsigned farm_port(const struct farm *);

/* There is something to prove: the attempt's id. */
uint64_t farm_offer(struct farm *, uint64_t type, struct span task, struct span fork, struct span body);
/* Nobody took it: it is not there any more. */
void	farm_withdraw(struct farm *, uint64_t attempt);
/* Was this attempt proved, failed, or neither? */
bool	farm_proved(const struct farm *, uint64_t attempt);
bool	farm_failed(const struct farm *, uint64_t attempt);

/* One turn: door, court and ledger do what they have to do. */
void	farm_turn(struct farm *);
/* A whole request, to the end of its answer. */
void	farm_send(struct farm *, struct span bytes, struct response *);

#endif
