/* purchase.h - the purchase protocol: at most one order per attempt, and no order forgotten.
 *
 * The core of every dispatcher that drives its provider (prova-wire(7), outside effects
 * that cost), without sockets and processes: rows come from books, calls go out through
 * purchase_ops and come back through purchase_answer.  So the simulation runs the very same code.
 *
 *   allocated  an intent is written: sending, owner us, intent + 1, send_by
 *   sending    DONE of our own intent, in this epoch, before send_by: prove is called, once.
 *              Anything else: it is not known whether the order is there.  Wait until settled,
 *              then ask in the way the provider can be asked (terms.ask).
 *   proving    poll with the handle until there is a proof, a failure, or prove_ms is over
 *
 * What a prove call brought, a handle or a proof, is a fact: it is told until the ledger
 * has it, also when the row was lost or the epoch is over. */
#ifndef PROVA_PURCHASE_H
#define PROVA_PURCHASE_H

#include "common/books.h"
#include "common/plugin.h"
#include "common/reply.h"

struct purchase;

enum purchase_verb { PURCHASE_NONE, PURCHASE_PROVE, PURCHASE_POLL, PURCHASE_RECONCILE, PURCHASE_CANCEL, PURCHASE_VERBS };

/* One call outside.  Valid while the op runs. */
struct purchase_call {
	uint64_t		 serial;	/* its name, for purchase_answer and purchase_may_send */
	enum purchase_verb	 verb;
	const struct row	*row;		/* the attempt, joined with its work */
	const char		*key;		/* what the provider knows the attempt by, for ever */
	uint64_t		 deadline_ms;	/* duration: REPLY_NO_ANSWER after it at the latest */
};

/* What a call brought; its outcome is that of the plug-in's answer (reply.h).  Texts are borrowed and copied. */
struct purchase_answer {
	enum reply_outcome	 outcome;
	uint64_t		 code;		/* of a failure; 0: the usual one */
	struct span		 detail;	/* what the provider said */
	struct span		 handle;
	/* PROVED: stored durably already where it is not inline */
	struct span		 proof;		/* at most INLINE_BYTES; empty: it is the blob */
	uint8_t			 proof_blob[HASH_BYTES];
	uint64_t		 proof_bytes;
};

/* Calls return false when the call cannot begin now (surely not sent).  None may call
 * purchase_answer from inside.  prove asks purchase_may_send again before the first byte. */
struct purchase_ops {
	bool	(*prove)(void *arg, const struct purchase_call *);
	bool	(*poll)(void *arg, const struct purchase_call *);
	bool	(*reconcile)(void *arg, const struct purchase_call *);
	bool	(*cancel)(void *arg, const struct purchase_call *);
	size_t	(*room)(void *arg);		/* prove calls that could begin now */
	/* OK; NOT_ABLE: it never will, the attempt fails; else why not now */
	uint64_t (*able)(void *arg, const struct row *);
	bool	(*dead)(void *arg, struct span owner);	/* that instance's process is proved dead; NULL: never */
};

enum purchase_unsure { PURCHASE_WAIT, PURCHASE_RESEND, PURCHASE_FAIL };

/* What the provider is like; may change when a plug-in starts again. */
struct purchase_terms {
	bool			 known;		/* false: nothing is begun yet */
	enum plugin_ask		 ask;
	enum purchase_unsure	 when_unsure;
	bool			 can_cancel;
	uint64_t		 lag_ms;
	uint64_t		 send_by_ms;	/* after the intent, the call may begin */
	uint64_t		 prove_call_ms;	/* deadline of the prove call */
	uint64_t		 call_ms;	/* of the others */
	uint64_t		 prove_ms;	/* from order to proof */
	uint64_t		 poll_ms;
};

struct purchase_opts {
	struct books			*books;
	const char			*instance;
	const struct purchase_ops	*ops;
	void				*arg;
};

struct purchase *purchase_new(const struct purchase_opts *) MUSTCHECK;	/* copies */
void	purchase_free(struct purchase **);
void	purchase_terms(struct purchase *, const struct purchase_terms *);

/* Of books. */
void	purchase_act(struct purchase *, struct held *);
void	purchase_lose(struct purchase *, struct held *);
void	purchase_reset(struct purchase *);

/* May this prove call still send its first byte? */
bool	purchase_may_send(struct purchase *, uint64_t serial);
/* The answer to a call.  A second or late one for the same serial is heeded when it names
 * an order. */
void	purchase_answer(struct purchase *, uint64_t serial, const struct purchase_answer *);
/* Something became free outside: go on with what waits. */
void	purchase_kick(struct purchase *);

/* Calls under way. */
size_t	purchase_calls(const struct purchase *);
/* Why something waits, for prova status: "" when nothing does. */
void	purchase_note(const struct purchase *, char *out, size_t size);

#endif
