/* moves.h - the table of legal moves: which arrow, by whom, writing what.  prova(7) shows
 * the same table and a test compares them. */
#ifndef PROVA_MOVES_H
#define PROVA_MOVES_H

#include "common/rows.h"

/* Principals, by the kind of stage. */
enum {
	BY_FETCH	= 1 << 0,
	BY_TRACE	= 1 << 1,
	BY_ALLOCATE	= 1 << 2,
	BY_DISPATCH	= 1 << 3,	/* a dispatcher that drives its provider */
	BY_COORDINATOR	= 1 << 4,	/* dispatch-coordinator: provers that pull */
	BY_SUBMIT	= 1 << 5,
	BY_OPERATOR	= 1 << 6,
	BY_LEDGER	= 1 << 7,	/* a consequence or the clock; nobody may ask for it */
};

struct move {
	uint64_t kind, from, to;
	unsigned by;
	uint64_t fields;	/* that the item may set, as bits of `have` */
};

extern const struct move moves_table[];
extern const size_t moves_count;

/* The arrow; NULL when there is none. */
const struct move *move_find(uint64_t kind, uint64_t from, uint64_t to);
/* The bit of a stage kind ("trace-build"); 0 when it is not one. */
unsigned move_principal(struct span stage_kind);
/* Its name for pages: "trace-build", "(ledger)". */
const char *move_principal_name(unsigned bit);

#endif
