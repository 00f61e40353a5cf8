/* identity.h - floor 6: prover identities at one Coordinator, and calls made as one of them.
 *
 * All identities come from one seed (coord_identity); each signs in for itself, when it is first
 * needed or, kept, at once and ever after.  A token is used until shortly before its
 * claim `exp` (it ends up to 1 s before the `time` that comes with it) and renewed when the
 * Coordinator refuses it; the call that met the refusal is then made once more.
 * While the Coordinator does not answer, one identity at a time tries it, with growing
 * waits.  Nothing blocks. */
#ifndef PROVA_IDENTITY_H
#define PROVA_IDENTITY_H

#include "common/backoff.h"
#include "common/coord.h"
#include "common/http.h"
#include "common/settings.h"

struct identities;

/* The seed file: 32 bytes as 64 hex digits.  Where it is not there and `make` is set it is made, mode 0600, whole or
 * not at all; of several who make it at once all have that of one.
 * Else an exit status, and why (256 bytes): EXIT_USAGE: unreadable, not the form, or open to group or others;
 * EXIT_SYSTEM: disk or memory, and a later start may find them well. */
int	identity_seed(const char *path, bool make, uint8_t seed[32], char *why) MUSTCHECK;

struct identity_opts {
	struct loop	*loop;
	struct http	*http;
	const char	*coordinator;	/* its name, for log lines */
	const char	*url;		/* its root */
	const uint8_t	*seed;		/* 32 bytes */
	const char	*prover;	/* identity 3 is named PROVER_3 there */
	const char	*version;	/* prover_version */
	uint8_t		 fields;	/* of the signed login: 5 or 6 */
	uint8_t		 provider;	/* with 6: 1 internal, 2 external, 3 proxy */
	uint8_t		 types[4];	/* prover types */
	size_t		 ntypes;
	const char	*vks;		/* verification keys, separated by blanks */
	uint64_t	 timeout_ms;	/* of a login's calls */
	uint64_t	 stagger_ms;	/* between logins of kept identities */
	uint64_t	 backoff_ms, backoff_max_ms;
	/* kept identities: can call now, or not; may be NULL */
	void		(*changed)(void *arg, uint32_t index, bool signed_in);
	/* the Coordinator does not answer logins since (clock_ms), or does again (0); may be NULL */
	void		(*away)(void *arg, uint64_t since_ms);
	void		*arg;
};

/* Fill in what [coordinator NAME] or [prover NAME] says: all from url on but seed.  prover types
 * follow from the types of tasks: 1 for chunks, 2 for batches and bundles; with 6 fields 3, all of them. */
void	identity_settings(struct identity_opts *, const struct settings *, const char *section, const char *name);
/* Where its seed is: what the settings say, or DIR/seed with DIR task-fetch's directory.  Free it. */
char	*identity_seed_path(const struct settings *, const char *coordinator) MUSTCHECK;

struct identities *identities_new(const struct identity_opts *) MUSTCHECK;	/* copies */
void	identities_free(struct identities **);		/* calls under way are not answered */

/* Logins from now on state these verification keys. */
void	identities_vks(struct identities *, const char *vks);

/* Its public key, hex.  Valid as long as the identities. */
const char *identity_pubkey(struct identities *, uint32_t index);
/* Sign in, and stay signed in. */
void	identity_keep(struct identities *, uint32_t index);
bool	identity_signed_in(const struct identities *, uint32_t index);

struct identity_answer {
	enum http_fail	 fail;
	long		 status;
	struct span	 body;		/* borrowed until done returns */
	enum code	 code;		/* fail is not HTTP_OK: COORD_AWAY, LOGIN_REFUSED, COORD_BAD */
	const char	*error;		/* the same: for people */
	bool		 last;		/* the result of done is not used */
};

struct identity_ask {
	/* Make the request.  False: it cannot be made now; the call ends HTTP_NOT_SENT. */
	bool		(*make)(void *arg, struct span token, struct coord_request *);
	/* The answer.  True: it says that the token is no good; unless `last`, the identity signs in, and asks again. */
	bool		(*done)(void *arg, const struct identity_answer *);
	void		*arg;
	uint64_t	 timeout_ms;	/* of the call, logins not counted */
	size_t		 max_bytes;	/* of its answer */
	bool		 renew;		/* sign in first, whatever the token says */
};

/* Call the Coordinator as this identity, on a connection of its own (an HTTP library may repeat a
 * request on one that is used again, and neither get_task nor submit_proof may be repeated).
 * done is called once more than it returned true (but at most twice), in a later turn. */
void	identity_call(struct identities *, uint32_t index, const struct identity_ask *);

#endif
