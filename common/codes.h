/* codes.h - floor 0: every refusal and failure has a code from this registry.
 *
 * X(NUMBER, NAME, "word", "one sentence", "what to do next").  Numbers are
 * stored and sent; they are never used twice.  prova-codes(7) is compared with it. */
#ifndef PROVA_CODES_H
#define PROVA_CODES_H

#include "common/base.h"

#define PROVA_CODES(X) \
	X(0,   OK,          "ok",           "Done.", "Nothing.") \
	/* the LEDGER link, 1-19 */ \
	X(1,   CONFLICT,    "conflict",     "The row, or one that the move relied on, is not as the sender saw it.", "Nothing: the stage adopts the row as it is.") \
	X(2,   ILLEGAL,     "illegal",      "The table of moves has no such arrow, or the sender may not make it.", "A bug of the stage, or a foreign program: see its log.") \
	X(3,   NOBLOB,      "noblob",       "A blob that the move names is not in the directory.", "Check that all stages use one blobs directory.") \
	X(4,   BUDGET,      "budget",       "The chain's budget does not hold the price.", "Raise budget in [chain], or wait for reservations to end.") \
	X(5,   GONE,        "gone",         "The row has ended and left memory.", "Nothing.") \
	X(6,   GAP,         "gap",          "A message before this one is missing.", "Nothing: the stage sends again from the seq expected.") \
	X(7,   FENCED,      "fenced",       "A message of an older epoch.", "Nothing: the process begins anew.") \
	X(8,   BUSY,        "busy",         "Another process of this name is alive.", "Stop one of them.") \
	X(9,   VERSION,     "version",      "No common version of the wire protocol.", "Install the same release everywhere.") \
	X(10,  MALFORMED,   "malformed",    "A message that does not decode.", "A bug or a foreign program: the sender's address is in the log.") \
	X(11,  NOROOM,      "noroom",       "The work has an open attempt or a kept proof.", "Nothing: the job joins it.") \
	X(12,  STANDBY,     "standby",      "This ledger is not the active one.", "Nothing: the stage connects to the other endpoint.") \
	X(13,  STORE,       "store",        "The store refused this move.", "See the ledger's log; a full disk is the usual reason.") \
	/* Coordinator, 20-39 */ \
	X(20,  COORD_AWAY,  "coordinator-away",   "The Coordinator does not answer.", "Check its URL and the network; task-fetch goes on by itself.") \
	X(21,  COORD_BAD,   "coordinator-bad",    "The Coordinator's answer cannot be understood.", "Check that the URL is a Coordinator's.") \
	X(22,  LOGIN_REFUSED,"login-refused",     "The Coordinator refused the login.", "Check version, vks, fork and signature settings of [coordinator].") \
	X(23,  ALREADY_ASSIGNED,"already-assigned","The Coordinator says this identity holds a task that we do not know.", "Nothing: it rests until the collection time has passed.") \
	X(24,  GET_TASK_FAILED,"get-task-failed", "The Coordinator failed to hand out a task.", "See its message; the identity is polled again later.") \
	X(25,  TASK_BAD,    "task-bad",           "A task whose body cannot be understood.", "prova explain shows it; it blocks nothing.") \
	X(26,  TASK_TYPE,   "task-type",          "A task of a type that was not asked for.", "Check the Coordinator.") \
	X(27,  KEY_BLOCKED, "key-blocked",        "The Coordinator blocks this identity.", "Ask its operator; restart task-fetch when the block is lifted.") \
	/* trace-build, 40-59 */ \
	X(40,  L2_AWAY,     "l2-away",      "No L2 endpoint answers.", "Check the [l2] endpoints; trace-build goes on by itself.") \
	X(41,  L2_ERROR,    "l2-error",     "The L2 node answered with an error.", "See the message; another endpoint is tried.") \
	X(42,  L2_NULL,     "l2-null",      "The L2 node does not know the block.", "Is it synchronised?  Another endpoint is tried.") \
	X(43,  L2_WRONG_BLOCK,"l2-wrong-block","The L2 node sent another block than the one asked for.", "Distrust this endpoint; another is tried.") \
	X(44,  L2_BAD,      "l2-bad",       "The L2 node's answer cannot be understood.", "Check that the URL is an L2 node's.") \
	X(45,  L2_ORDER,    "l2-order",     "The blocks of the chunk are not contiguous.", "Ask the Coordinator's operator; the task cannot be built.") \
	X(46,  BLOB_IO,     "blob-io",      "The blobs directory cannot be written or read.", "Is the disk full?  The stage goes on when it is not.") \
	X(47,  BLOB_DAMAGED,"blob-damaged", "A blob's bytes do not match its name.", "Inputs are rebuilt; for a proof see prova explain.") \
	/* allocate, 60-79 */ \
	X(60,  NO_PROVIDER, "no-provider",  "No provider can take this kind of work now.", "See prova status; the job waits.") \
	X(61,  NO_SLOT,     "no-slot",      "All slots are taken.", "Nothing: the job waits.") \
	X(62,  DEARER,      "dearer",       "Another provider is cheaper.", "Nothing.") \
	X(63,  NOT_ITS_TURN,"not-its-turn", "Another provider's turn.", "Nothing.") \
	X(64,  LOWER_TIER,  "lower-tier",   "A better tier has a free slot.", "Nothing.") \
	X(65,  FAILED_BEFORE,"failed-before","It has failed this work before.", "Nothing.") \
	X(66,  NOT_ABLE,    "not-able",     "It does not do this type, fork or VK.", "See capabilities of the provider.") \
	X(67,  MAX_ATTEMPTS,"max-attempts", "All attempts of this work are used up.", "Look at the attempts' codes: prova explain.") \
	X(68,  DEADLINE,    "deadline",     "The time for this job is over.", "Raise capacity or deadline.") \
	X(69,  SILENT,      "silent",       "The provider's dispatcher is not heard.", "Start it, or see its log.") \
	/* dispatch and plug-ins, 80-109 */ \
	X(80,  PLUGIN_EXIT, "plugin-exit",     "The plug-in ended in the middle of a call.", "See its standard error in the dispatcher's log.") \
	X(81,  PLUGIN_HANG, "plugin-hang",     "The plug-in did not answer in time.", "Raise the deadline, or mend the plug-in.") \
	X(82,  PLUGIN_GARBAGE,"plugin-garbage","The plug-in's answer is not the protocol's.", "prova-plugin(7) has it.") \
	X(83,  PLUGIN_LARGE,"plugin-large",    "The plug-in's answer is too large.", "Large proofs go by path.") \
	X(84,  PLUGIN_START,"plugin-start",    "The plug-in does not start.", "Check command in [provider] or [prover], or verify in [chain].") \
	X(85,  PROVER_FAILED,"prover-failed",  "The prover says that it cannot prove this.", "See the detail; another provider is tried.") \
	X(86,  PROVER_RETRY,"prover-retry",    "The prover says: not now.", "Nothing: it is tried again.") \
	X(87,  SEND_BY_MISSED,"send-by-missed","The moment for the call had passed before it was made.", "Nothing: the intent is given back.") \
	X(88,  UNSURE,      "unsure",          "It is not known whether the provider has the order.", "when_unsure decides; see prova explain.") \
	X(89,  SECOND_ORDER,"second-order",    "The provider took a second order for one attempt.", "Ask it for the money back; the amount is recorded.") \
	X(90,  NOT_THERE,   "not-there",       "The provider does not know the attempt.", "Nothing: it is sent again.") \
	X(91,  PROOF_TIMEOUT,"proof-timeout",  "The provider did not prove in time.", "Raise prove_timeout, or use it less.") \
	X(92,  NO_TAKER,    "no-taker",        "No prover came for it in time.", "Are provers running?  prova status tells; another provider is tried.") \
	/* submit, 110-129 */ \
	X(110, PROOF_BAD,   "proof-bad",       "The proof did not pass verification here.", "The provider is not paid; another is tried.") \
	X(111, VERIFIER_AWAY,"verifier-away",  "The verifier does not answer.", "See its standard error; submit goes on by itself.") \
	X(112, NO_VERIFIER, "no-verifier",     "No verifier is configured for this type.", "Write verify = PLUG-IN or verify = none in [chain].") \
	X(113, PRESUMED,    "presumed",        "\"Twice\" after an unanswered post: presumed accepted.", "Compare with the Coordinator's books.") \
	X(114, TWICE,       "twice",           "The Coordinator says this task was answered before, or has timed out.", "Nothing: the proof is kept.") \
	X(115, ALREADY_PROVED,"already-proved","Somebody else's proof was first.", "Nothing: the proof is kept.") \
	X(116, REFUSED_PROOF,"refused-proof",  "The Coordinator's verifier refused the proof.", "Compare the verifiers and the fork.") \
	X(117, REFUSED_SHAPE,"refused-shape",  "The Coordinator cannot read the proof.", "Compare the proof's form with what it expects.") \
	X(118, POST_FAILED, "post-failed",     "The Coordinator did not take the post; it is posted again.", "Nothing.") \
	/* ledger and operator, 130-159 */ \
	X(130, LATE,        "late",            "The deadline passed before a proof was there.", "Raise capacity or deadline.") \
	X(131, OPERATOR,    "operator",        "The operator ended it.", "Nothing.") \
	X(132, OTHER_FIRST, "other-first",     "Another attempt's proof was used.", "Nothing.") \
	X(133, UNCLE,       "uncle",           "A valid proof that no job needed.", "Nothing: it is kept for a while.") \
	X(134, LEASE_LOST,  "lease-lost",      "Its holder is silent.", "Nothing: another gets the row.") \
	X(140, SETTING,     "setting",         "A setting is wrong.", "The message has file and line.") \
	X(141, LOCKED,      "locked",          "Another process of this name holds the lock.", "Stop one of them.") \
	X(142, LEDGER_AWAY, "ledger-away",     "The ledger does not answer.", "Start prova-ledger; the stage goes on by itself.") \
	X(143, DISK,        "disk",            "The store's disk does not take writes.", "Make room; the ledger goes on by itself.") \
	X(144, SCHEMA,      "schema",          "The store was written by a newer release.", "Install that release; stores do not go backwards.")

enum code {
#define X(number, name, word, sentence, action) CODE_##name = number,
	PROVA_CODES(X)
#undef X
};

/* A code's word ("conflict"), sentence and advice; for a number that is not in the
 * registry "unknown" and empty texts.  Static storage. */
const char *code_word(uint64_t code);
const char *code_sentence(uint64_t code);
const char *code_action(uint64_t code);
/* Walk the registry; false behind its end. */
bool	code_nth(size_t i, enum code *out);

#endif
