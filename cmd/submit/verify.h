/* verify.h - submit's verifiers: plug-ins with the verb verify, as co-processes.
 *
 * One pool of co-processes per command.  Trouble with a verifier is never a verdict. */
#ifndef PROVA_VERIFY_H
#define PROVA_VERIFY_H

#include "cmd/submit/settle.h"
#include "common/blob.h"
#include "common/loop.h"
#include "common/settings.h"

struct verifiers;

struct verifiers_opts {
	struct loop	*loop;
	struct blobs	*blobs;
	const struct settings *settings;	/* [chain] verify_TYPE, verify_timeout */
	size_t		 parallel;		/* co-processes per command, at most */
	uint64_t	 patience_ms;		/* how long a proof waits for a verifier that does not come up */
	void	(*done)(void *arg, uint64_t attempt, enum settle_verdict, uint64_t code, struct span detail);
	void		*arg;
};

struct verifiers *verifiers_new(const struct verifiers_opts *) MUSTCHECK;
void	verifiers_free(struct verifiers **);

/* Judge the proof of this attempt (joined row, copied): done is called once, perhaps from inside. */
void	verifiers_ask(struct verifiers *, const struct row *attempt);
/* Not wanted any more: done is not called. */
void	verifiers_forget(struct verifiers *, uint64_t attempt);

#endif
