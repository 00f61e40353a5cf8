/* choose.h - how one of the free providers of a tier is chosen: one table of choosers.
 *
 * A chooser is a pure function in integers of the work, a snapshot of the contenders and
 * a draw.  The order of the contenders never matters, the last tie-break is the id. */
#ifndef PROVA_ALLOCATE_CHOOSE_H
#define PROVA_ALLOCATE_CHOOSE_H

#include "common/bytes.h"

/* What is to be given away. */
struct question {
	uint64_t	chain;		/* question_chain of its name */
	uint64_t	type;
	struct span	task;
	uint64_t	attempt;	/* attempts of the work begun before */
};

struct contender {
	const char	*id;
	uint64_t	 price;		/* micro-units for this type */
	uint64_t	 weight;	/* at least 1 */
	uint64_t	 served;	/* how often it was chosen here */
};

struct chooser {
	const char	*name;		/* as in prova.conf */
	uint64_t	 loser;		/* the code of those that were not chosen */
	size_t		(*choose)(const struct question *, const struct contender *, size_t n, uint64_t draw);
};

extern const struct chooser choosers[];
extern const size_t choosers_count;

const struct chooser *chooser_find(const char *name);	/* NULL: there is none */

/* One file each. */
size_t	choose_turn(const struct question *, const struct contender *, size_t n, uint64_t draw);
size_t	choose_cheapest(const struct question *, const struct contender *, size_t n, uint64_t draw);

/* -1, 0, 1: whose turn it is sooner: the lower (2 served + 1) / weight. */
int	turn_compare(const struct contender *, const struct contender *);
/* How often one that joins late counts as served, so that it comes not before `first`, whose turn it is. */
uint64_t turn_join(const struct contender *first, uint64_t weight);

/* A chain's number in digests: its name where that is a number (the EVM chain id), else the first
 * 8 bytes of the name's sha256. */
uint64_t question_chain(struct span name);
/* What decides between equals, so that nobody gains by being early or by his name: the smaller
 * sha256 of (label, chain, type, task, attempt, id), each text with its length before it. */
void	question_tie(const struct question *, const char *id, uint8_t out[HASH_BYTES]);
/* The draw of a work: the first 8 bytes of the tie of the empty id. */
uint64_t question_draw(const struct question *);

#endif
