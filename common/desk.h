/* desk.h - floor 6: the front of a Coordinator: whole requests to answers, without sockets and without tasks.
 *
 * It signs provers in and reads what they ask; who has tasks to give and proofs
 * to take stands behind it.  It answers as Scroll's Coordinator v4.4.70 does,
 * codes, texts and the order of the checks included; with `kind` it differs, for
 * the good of provers, where DESK_KINDNESSES says so and nowhere else. */
#ifndef PROVA_DESK_H
#define PROVA_DESK_H

#include "common/coord.h"
#include "common/map.h"

/* What is done otherwise with `kind`: X(NAME, "one sentence"). */
#define DESK_KINDNESSES(X) \
	X(TOKEN,	"A login token that cannot be used on get_task or submit_proof, whatever is wrong with it, is answered 50001, so that the prover logs in again.") \
	X(REPEAT,	"A login that comes again byte for byte while its challenge lives gets the first one's answer again.") \
	X(OLD_LOGIN,	"Logins of all generations since v4.1.0 are taken: without public_key the key is recovered from the signature.") \
	X(OLD_TASK,	"A get_task may name a single task_type, and the VKs named in it are checked.") \
	X(ALL_TYPES,	"All types of a get_task count, not one of them at random; unknown ones are ignored when a known one is named.") \
	X(ANY_PROVER,	"A prover of type 3 may name the VKs of every task type.") \
	X(LOWER_CASE,	"A public key is the same prover in upper and in lower case.") \
	X(NO_PANIC,	"What ends with HTTP 500 there is refused with a code.") \
	X(NO_NUL,	"A prover's name with a NUL inside is refused at login.") \
	X(ADMISSION,	"A public key that is blocked, or not among those admitted, is refused at login and at get_task.")

/* In what it differs besides, without being kind, and what HTTP itself answers: X(NAME, "one sentence"). */
#define DESK_DIFFERENCES(X) \
	X(DECODERS,	"A body that is neither JSON nor a form is as good as none: XML, YAML and multipart are not read.") \
	X(LONG_NAME,	"A prover's name or version that would make its token longer than 12 KB is refused at login.") \
	X(HEAD,		"A request's head may have 15 KB instead of 1 MB, before it is answered 431.") \
	X(EXPECT,	"A request with Expect: 100-continue is answered 100 and read to its end, also when its token is refused.") \
	X(VERSIONS,	"The preface of HTTP/2 is answered 505 instead of 404.") \
	X(WORDS,	"What HTTP refuses as malformed, too large or of another version comes with other words below the same status.")

enum { DESK_TOKEN_BYTES = 12 << 10 };	/* a login token has at most */

enum desk_kindness {
#define X(name, sentence) DESK_KIND_##name,
	DESK_KINDNESSES(X)
#undef X
	DESK_KIND_MAX
};

const char *desk_kindness(enum desk_kindness);

/* A request as HTTP brings it; absent headers are NULL. */
struct desk_ask {
	const char	*method, *path, *content_type, *authorization;
	const char	*query_token;		/* "token" of the query */
	const char	*cookies;		/* the whole header */
	struct span	 body;
};

struct desk_reply {
	unsigned	 status;
	const char	*content_type;		/* NULL: none */
	bool		 authenticate;		/* with Www-Authenticate */
	const char	*location;		/* NULL: none */
	unsigned	 retry_after_s;		/* 0: none */
	struct buf	 body;
	enum coord_text	 text;			/* the refusal; COORD_T_OK: none */
	struct buf	 inserted;		/* into the refusal's text */
};

/* An answer that is still empty. */
#define DESK_REPLY	((struct desk_reply){ .status = 200, .content_type = "application/json; charset=utf-8" })

void	desk_reply_free(struct desk_reply *);
void	desk_refuse(struct desk_reply *, enum coord_text, const char *fmt, ...) PRINTF(3, 4);

/* Header lines of a reply, for httpd_answer: a NULL-ended list that lives in the struct. */
struct desk_headers {
	const char	*list[4];
	char		 location[128], retry[40];
};
const char *const *desk_headers(const struct desk_reply *, struct desk_headers *);

/* Provers of this version (its part before the first dash; "*": any other one) prove these forks, joined by commas. */
struct desk_version {
	const char	*version, *forks;
};

/* All borrowed as long as the desk lives. */
struct desk_opts {
	struct span	 secret;		/* of both kinds of tokens */
	uint64_t	 challenge_life_s, login_life_s;
	const char	*min_version;		/* of provers; NULL: any */
	const char	*own_version;		/* shown when a VK does not fit */
	const struct desk_version *versions;	/* ended by version NULL */
	const char	*const *vks[TYPE_MAX + 1];	/* by task type, each NULL-ended; all NULL: VKs are not looked at */
	bool		 kind;
	const char	*const *admitted;	/* public keys, NULL-ended; NULL: all.  With kind only, as blocked */
	const char	*const *blocked;
};

struct desk_used;

struct desk {
	struct desk_opts opts;
	struct map	 used;			/* challenges that were logged in with, until they have expired */
	struct desk_used *oldest, *newest;
	size_t		 nused;
	uint64_t	 logins;
};

void	desk_init(struct desk *, const struct desk_opts *);
void	desk_free(struct desk *);

enum desk_next {
	DESK_ANSWERED,		/* reply is the answer */
	DESK_TASK,		/* call.claims asks for call.want */
	DESK_PROOF,		/* call.claims brings call.proof */
};

/* What a request asks of whoever has the tasks; owns its copies. */
struct desk_call {
	struct coord_claims	 claims;
	struct coord_want	 want;
	struct coord_proof	 proof;
};

void	desk_call_free(struct desk_call *);

/* From its head: is it worth to read a large body of it?  Not when its token will be refused; with kind, not of
 * a login, whose token anybody can have. */
bool	desk_listens(const struct desk *, const struct desk_ask *head, uint64_t wall_ms) MUSTCHECK;

/* Take one request.  reply is always set (to DESK_REPLY when it is not answered here); reply and call are
 * the caller's to free.  With kind, claims are complete, and want names at least one type, each of 1..3
 * once; else the claims of a get_task may lack members, which that Coordinator notices after the type, and
 * those of a proof have key and version. */
enum desk_next desk_take(struct desk *, const struct desk_ask *, uint64_t wall_ms, struct desk_call *,
    struct desk_reply *) MUSTCHECK;

#endif
