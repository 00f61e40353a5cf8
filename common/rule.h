/* rule.h - floor 0: the protocol's rules that can be left out, one at a time, to
 * show that each is needed.
 *
 * if (RULE(REV) && item->rev != row->rev) refuse.  In every program RULE() is true
 * and costs nothing.  Only the simulation's build for `make model-mutants`
 * (-DRULES_CAN_FAIL) asks at run time which rule is missing. */
#ifndef PROVA_RULE_H
#define PROVA_RULE_H

#include "common/base.h"

/* X(NAME, "what is left out") */
#define PROVA_RULES(X) \
	X(NO_EPOCH,		"messages of an older epoch are judged") \
	X(NO_REV,		"a move is judged by the state alone") \
	X(NO_REV_NO_SEQ,	"... and a second copy of it too") \
	X(NO_NEWS,		"rows that nobody moves are not sent again") \
	X(NEWS_HOLDER_ONLY,	"... or only to a holder that may be gone") \
	X(DONE_FIRST,		"DONE leaves before the commit") \
	X(COPY_IS_SUCCESS,	"a copy is answered as applied") \
	X(COPY_JUDGED_AGAIN,	"a copy is judged anew") \
	X(REFUSED_NOT_KEPT,	"a refusal does not use up its seq durably") \
	X(NO_GAP_CHECK,		"moves are applied though one before is missing") \
	X(UPTO_ANSWERS_ALL,	"DONE's upto answers moves without a result") \
	X(FENCED_IS_DEAF,	"a fenced stage does not begin anew") \
	X(MEMORY_OUTLIVES_EPOCH, "what was passed is remembered over the epoch") \
	X(TICK_IS_FREE,		"TICK is not judged by its epoch") \
	X(INTENT_IS_KEY,	"the idempotency key changes with each intent") \
	X(NO_OWNER,		"others than the owner act on a row in sending") \
	X(NO_SETTLE,		"the provider is asked before the row is settled") \
	X(NO_SEND_BY,		"calls are made after send_by") \
	X(NO_INTENT,		"calls are made before the intent is durable") \
	X(LAG_FORGOTTEN,	"the look-up's lag is forgotten") \
	X(NO_LEASE,		"rows in sending are taken over from living owners") \
	X(DEATH_AT_ONCE,	"a new process asks at once what became of its forerunner's call") \
	X(LAG_OF_OWN_CALL_FORGOTTEN, "the owner's own call does not count for being settled") \
	X(DROP_STRAY,		"an order that came too late is thrown away") \
	X(PER_JOB,		"each job buys") \
	X(JOB_REV_ONLY,		"placing does not name the work's rev") \
	X(JOIN_UNCHECKED,	"... when it joins") \
	X(VERIFIED_ONLY,	"a proof counts only while its attempt is verified") \
	X(UNCLE_IS_END,		"an uncle never becomes accepted") \
	X(LATE_ANYWHERE,	"the clock ends jobs in submitting too") \
	X(OWED_PER_JOB,		"each submitted job owes") \
	X(NO_SUBMIT_INTENT,	"a post is repeated without an intent of its own") \
	X(TWICE_IS_LATE,	"\"twice\" after an unanswered post is read as late") \
	X(NO_REQUEUE,		"placed jobs wait though their attempt failed") \
	X(ROOM_IS_FREE,		"room counts free places") \
	X(SPLIT_UNCHECKED,	"the sum over kinds that share slots is not checked") \
	X(NO_ROOM_CHECK,	"polls are granted without room") \
	X(NO_TERM_WAIT,		"a new term grants before it knows the polls under way") \
	X(NO_EXPIRY,		"levels do not expire") \
	X(POLL_OUTLIVES_EPOCH,	"polls are kept over their task-fetch's epoch") \
	X(NO_TERM,		"commits do not check the term") \
	X(TERM_CHECKED_BEFORE,	"... or check it before, not inside") \
	X(OLD_TERM_HEARD,	"a stage listens to an older ledger") \
	X(TERM_NOT_SENT_UP,	"a deposed ledger never learns of it") \
	X(ANY_WELCOME,		"a process takes the WELCOME of its forerunner") \
	X(TAKEN_EARLY,		"a prover hears that its proof is taken before the ledger has it") \
	X(GIVEN_EARLY,		"a prover is given a task before it is durably its own") \
	X(SERVED_EARLY,		"provers are served before it is known who has what") \
	X(NO_PROVE_TIME,	"a prover that has vanished is waited for") \
	X(REPORT_ONCE,		"a report on a row that was not in hand is not told again")

enum rule {
	RULE_NONE,
#define X(name, what) RULE_##name,
	PROVA_RULES(X)
#undef X
	RULE_COUNT
};

#ifdef RULES_CAN_FAIL
extern enum rule rule_left_out;
#define RULE(name) (rule_left_out != RULE_##name)
#else
#define RULE(name) true
#endif

#endif
