/* door.h - where provers come in: their requests to the court, its verdicts back as HTTP answers.
 *
 * The Coordinator's protocol is desk.h's; a proof is stored before the court hears of it. */
#ifndef PROVA_DISPATCH_COORDINATOR_DOOR_H
#define PROVA_DISPATCH_COORDINATOR_DOOR_H

#include "cmd/dispatch-coordinator/court.h"
#include "common/blob.h"
#include "common/desk.h"
#include "common/loop.h"

/* What is done otherwise than by a Coordinator, besides DESK_KINDNESSES: X(NAME, "one sentence"). */
#define DOOR_KINDNESSES(X) \
	X(AGAIN,	"A prover that holds a task and asks for one of that type gets the same task again, with the same uuid.") \
	X(HOLD,		"A prover is held until there is work for it, before it hears that there is none.") \
	X(FORK,		"A prover is given only tasks of the forks that its version proves.") \
	X(TASK_ID,	"A get_task that names a task_id is given that task or none.") \
	X(HEIGHT,	"prover_height is not looked at.") \
	X(TWICE,	"A proof that was taken is taken again, also when it comes late.") \
	X(UUID,		"The uuid alone says what a proof is for: task_id and task_type are not looked at, nor is the proof's form.") \
	X(REPORT,	"A failure report is answered like a proof.") \
	X(TRUST,	"A proof is stored before it is verified; a wrong one is taken, and not paid.") \
	X(AWAY,		"What cannot be stored now is answered with HTTP status 503.")

struct door;

struct door_opts {
	struct loop		*loop;
	struct blobs		*blobs;
	const char		*listen;
	size_t			 max_body;
	unsigned		 max_connections;
	struct desk_opts	 desk;		/* what it points to is borrowed */
	struct court_opts	 court;		/* ops and arg are filled in here */
};

/* NULL with errno set when it cannot listen. */
struct door *door_new(const struct door_opts *) MUSTCHECK;	/* copies */
void	door_free(struct door **);		/* requests under way end without an answer */
struct court *door_court(struct door *);
unsigned door_port(const struct door *);

#endif
