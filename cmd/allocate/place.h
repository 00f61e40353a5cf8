/* place.h - what allocate decides: jobs to places, with what is known of the providers.
 *
 * Pure: rows and news come from books, time from clock.h.  The stage and the simulation
 * drive the same code.  First rule: a work with an open attempt, or with a kept proof,
 * is joined, not bought again.  A provider's free slots are its slots less those the
 * ledger counts as used less our own placements that this count cannot hold yet. */
#ifndef PROVA_ALLOCATE_PLACE_H
#define PROVA_ALLOCATE_PLACE_H

#include "cmd/allocate/policy.h"

struct place;

/* What the settings say of a provider. */
struct place_provider { char name[33]; char only[33]; bool many; };

struct place_opts {
	const struct policy		*policies;	/* copied */
	size_t				 npolicies;
	const struct place_provider	*providers;	/* copied; those unknown here work for every chain */
	size_t				 nproviders;
};

struct place *place_new(const struct place_opts *) MUSTCHECK;
void	place_free(struct place **);
/* The books it moves in; before anything else. */
void	place_bind(struct place *, struct books *);

/* As in books_ops. */
void	place_act(struct place *, struct held *);
void	place_answer(struct place *, uint64_t token, uint64_t code, const struct row *first);
void	place_levels(struct place *, struct tick *);
void	place_news(struct place *, const struct news *);
void	place_reset(struct place *);

/* Without a ledger: the providers and their slots, then one decision after the other, with
 * nothing ever ending.  When no slot is left that could take a row, all are free again.
 * A job that is ready or queued, or says no state, becomes what it would with a ledger: it gets state
 * and code, when a provider was looked for also reason, and provider and price of the chosen one;
 * reason is valid until the next call.  False: any other row, as it was. */
void	place_assume(struct place *, const struct capacity *, size_t n);
bool	place_alone(struct place *, struct row *);

#endif
