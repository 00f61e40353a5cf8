/* slots.h - the co-processes of one provider: one per slot, each asked one thing at a time. */
#ifndef PROVA_SLOTS_H
#define PROVA_SLOTS_H

#include "cmd/dispatch-exec/purchase.h"
#include "common/blob.h"
#include "common/coproc.h"

struct slots;

struct slots_opts {
	struct loop	*loop;
	struct blobs	*blobs;
	struct books	*books;
	const char	*instance, *provider, *command;
	const char	*run_dir;	/* where instances have their locks */
	const char	*chain;		/* the only one; "" all */
	uint64_t	 types;		/* bits 1 << TYPE_CHUNK ... that it may be given */
	size_t		 n;
	size_t		 line_max;
	uint64_t	 prove_timeout_ms;
	struct purchase_terms terms;	/* as the settings have them; capabilities may lower ask and raise lag */
};

struct slots *slots_new(const struct slots_opts *) MUSTCHECK;	/* copies */
void	slots_free(struct slots **);
struct purchase *slots_purchase(struct slots *);
size_t	slots_up(const struct slots *);		/* co-processes that run */
uint64_t slots_types(const struct slots *);	/* settings and capabilities together */
void	slots_note(const struct slots *, char *out, size_t size);

#endif
