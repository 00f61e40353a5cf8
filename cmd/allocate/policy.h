/* policy.h - who gets a work: eligible -> constraints -> tiers with overflow -> chooser.
 *
 * Pure: the same policy, question and snapshot give the same verdict, in whatever
 * order the providers come.  Every candidate that loses has a code. */
#ifndef PROVA_ALLOCATE_POLICY_H
#define PROVA_ALLOCATE_POLICY_H

#include "cmd/allocate/choose.h"
#include "common/books.h"

/* Of one chain and type of task. */
struct policy {
	char			 chain[33];
	uint64_t		 type;
	uint64_t		 max_attempts;
	const struct chooser	*chooser;
	size_t			 n;		/* members; 0: everybody, in one tier */
	struct member { char name[33]; unsigned tier; } members[PROVIDERS_MAX];
};

/* One provider as it is now. */
struct provider {
	char		name[33];
	char		only[33];	/* the only chain it works for; "" all */
	bool		many;		/* provers of many minds: what one failed another may do */
	struct pools	slots;
	uint64_t	used[TYPE_MAX + 1];
	uint64_t	price[TYPE_MAX + 1];
	uint64_t	served;		/* under this policy */
};

struct verdict {
	const struct provider	*chosen;	/* NULL: nobody */
	uint64_t		 price;
	uint64_t		 code;		/* nobody: NO_SLOT, FAILED_BEFORE or NO_PROVIDER */
	char			 reason[4096];	/* "a:chosen b:dearer c:no-slot", in order of tiers */
};

/* Read "a b | c" into members.  False: `why` (128 bytes) says what is wrong. */
bool	policy_tiers(struct policy *, const char *text, char *why) MUSTCHECK;

/* tried: the work's "provider:code-word ..." */
void	policy_decide(const struct policy *, const struct question *, struct span tried,
	    const struct provider *, size_t n, struct verdict *);

/* Could this provider ever be given works of this policy? */
bool	policy_names(const struct policy *, const struct provider *);

#endif
