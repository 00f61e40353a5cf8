/* fetch.h - what task-fetch decides: identities, grants, polls, and the jobs they bring.
 *
 * Pure: rows and grants come from books, answers of the Coordinator from the
 * caller, time from clock.h.  The stage (client.c) and the simulation drive the
 * same code.  Calls to the Coordinator go out by fetch_ops; each poll is answered once by
 * fetch_answer, also after a reset, since the Coordinator may have handed out a task.
 *
 * An identity is polled only when the ledger grants it, never while an earlier poll of it may
 * still run, and never while the ledger says that it holds a task.  A task that was
 * fetched is kept until the ledger has taken it. */
#ifndef PROVA_FETCH_H
#define PROVA_FETCH_H

#include "common/backoff.h"
#include "common/books.h"

struct fetch;

enum fetch_outcome {
	FETCH_TASK,		/* a task */
	FETCH_EMPTY,		/* none now (20004) */
	FETCH_ASSIGNED,		/* this identity holds a task already */
	FETCH_BLOCKED,		/* this identity is blocked */
	FETCH_REFUSED,		/* another definite refusal */
	FETCH_NOT_SENT,		/* surely not asked */
	FETCH_UNANSWERED,	/* asked; no answer, or none that can be understood */
	FETCH_OUTCOMES
};

struct fetch_result {
	enum fetch_outcome	 outcome;
	uint64_t		 code;		/* enum code: why */
	struct span		 detail;	/* what the other side said, for people */
	/* FETCH_TASK: uuid, type, task, fork, body or nothing, body_blob, body_bytes.  When
	 * body is absent the blob is there, durable. */
	const struct row	*task;
	bool			 bad;		/* FETCH_TASK: it cannot be understood */
};

struct fetch_ops {
	/* Ask the Coordinator, as this identity, for a task of this type. */
	void	(*poll)(void *arg, uint64_t identity, uint64_t type);
};

struct fetch_opts {
	const char	*chain;
	const char	*coordinator;		/* its name, for notes */
	size_t		 n;			/* identities 0 .. n - 1; at most POLLS_MAX */
	const char	*const *pubkeys;	/* n of them, hex */
	uint64_t	 types;			/* that may be polled for: bits 1 << TYPE_CHUNK ...; 0: all */
	uint64_t	 poll_ms;		/* pause of an identity after "none now" */
	uint64_t	 rest_ms;		/* first rest after a refusal */
	uint64_t	 timeout_ms;		/* how long a poll can take */
	uint64_t	 stagger_ms;		/* between the beginnings of two polls */
	uint64_t	 backoff_ms, backoff_max_ms;
	uint64_t	 collection_ms[TYPE_MAX + 1];	/* the Coordinator's, by type */
	uint64_t	 seed;			/* of the jitter */
	const struct fetch_ops *ops;
	void		*arg;
};

struct fetch *fetch_new(const struct fetch_opts *) MUSTCHECK;	/* copies */
void	fetch_free(struct fetch **);
/* The books it moves in; before anything else. */
void	fetch_bind(struct fetch *, struct books *);

/* As in books_ops. */
void	fetch_act(struct fetch *, struct held *);
void	fetch_lose(struct fetch *, struct held *);
void	fetch_told(struct fetch *, uint64_t token, uint64_t code, const struct row *first);
void	fetch_levels(struct fetch *, struct tick *);
void	fetch_news(struct fetch *, const struct news *);
void	fetch_reset(struct fetch *);

/* This identity can, or cannot, call the Coordinator now. */
void	fetch_signed_in(struct fetch *, uint64_t identity, bool);
/* Nobody can be signed in: the Coordinator does not answer (since, clock_ms), or it does again (0). */
void	fetch_away(struct fetch *, uint64_t since_ms);
/* The answer to a poll.  Everything is copied. */
void	fetch_answer(struct fetch *, uint64_t identity, const struct fetch_result *);

/* Do what is due; call it after each of the above.  Returns the clock_ms when it wants to be called
 * again (UINT64_MAX: only after something happens). */
uint64_t fetch_turn(struct fetch *);
/* Polls under way and fetched tasks that the ledger has not taken yet. */
size_t	fetch_pending(const struct fetch *);

#endif
