/* post.h - submit's posts: a job's proof to its chain's Coordinator, as the identity that fetched it.
 *
 * The text goes upstream exactly as the provider gave it. */
#ifndef PROVA_POST_H
#define PROVA_POST_H

#include "cmd/submit/settle.h"
#include "common/blob.h"
#include "common/identity.h"

enum { PROOF_MAX = 64 << 20 };		/* largest proof */

struct posts;

struct posts_opts {
	struct loop	*loop;
	struct blobs	*blobs;
	const struct settings *settings;
	void	(*done)(void *arg, uint64_t job, enum settle_post, uint64_t code, struct span detail);
	void		*arg;
};

struct posts *posts_new(const struct posts_opts *) MUSTCHECK;
void	posts_free(struct posts **);		/* posts under way are not answered */
/* Open a chain's Coordinator.  -1: why (256 bytes) says what is wrong with its settings or seed file. */
int	posts_open(struct posts *, const char *chain, char *why) MUSTCHECK;
/* Post the proof of this job (joined row, copied): done is called once, perhaps from inside. */
void	posts_post(struct posts *, const struct row *job);

#endif
