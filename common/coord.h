/* coord.h - floor 5: the Coordinator's protocol (HTTP v1, generations (b) and (c)), one codec for both roles.
 *
 * Clients: coord_ask_* builds a request, coord_read_* judges the answer.
 * Servers: coord_route and coord_take_* read a request as the Go Coordinator
 * does (its binder's texts included), coord_put_* write the answer.
 * Nothing here does I/O; all that comes from outside may be garbage.  Large
 * texts (task_data, proof) are unescaped once, byte for byte, and never parsed. */
#ifndef PROVA_COORD_H
#define PROVA_COORD_H

#include "common/bytes.h"
#include "common/codes.h"
#include "common/ecsig.h"

/* --- names of the protocol --------------------------------------------------- */

enum coord_call { COORD_CHALLENGE, COORD_LOGIN, COORD_GET_TASK, COORD_SUBMIT };

/* errcode of the envelope */
enum {
	COORD_E_OK		= 0,
	COORD_E_PARAMETER	= 20001,
	COORD_E_GET_TASK	= 20002,
	COORD_E_PROOF		= 20003,
	COORD_E_EMPTY		= 20004,
	COORD_E_JWT		= 50000,
	COORD_E_EXPIRED		= 50001,
};

/* The texts of the Coordinator v4.4.70: X(NAME, errcode, format). */
#define COORD_TEXTS(X) \
	X(OK,			COORD_E_OK,		"") \
	X(TASK_BINDER,		COORD_E_PARAMETER,	"prover task parameter invalid, err:%s") \
	X(TASK_TYPE,		COORD_E_PARAMETER,	"parameter wrong proof type:illegal proof type: %s") \
	X(TASK_CHECK,		COORD_E_GET_TASK,	"return prover task err:check prover task parameter failed, error:%s") \
	X(TASK_INTERNAL,	COORD_E_GET_TASK,	"return prover task err:coordinator internal error") \
	X(TASK_EMPTY,		COORD_E_EMPTY,		"get empty prover task") \
	X(SUBMIT_BINDER,	COORD_E_PARAMETER,	"parameter invalid, err:%s") \
	X(SUBMIT_FAILED,	COORD_E_PROOF,		"handle zk proof failure, err:%s") \
	X(LOGIN_BINDER,		COORD_E_JWT,		"missing the public_key, err:%s") \
	X(LOGIN_NOT_EQUAL,	COORD_E_JWT,		"check challenge failure for the not equal challenge string") \
	X(LOGIN_CHECK,		COORD_E_JWT,		"check the login parameter failure: %s") \
	X(LOGIN_FORK,		COORD_E_JWT,		"prover hard name failure:invalid prover prover_version:%s") \
	X(LOGIN_USED,		COORD_E_JWT,		"login insert challenge string failure:the challenge string:%s have been used") \
	X(TOKEN_EXPIRED,	COORD_E_EXPIRED,	"token is expired") \
	X(TOKEN_BAD,		COORD_E_JWT,		"%s")

enum coord_text {
#define X(name, errcode, format) COORD_T_##name,
	COORD_TEXTS(X)
#undef X
};

/* What follows "handle zk proof failure, err:", in the order of the Coordinator's checks. */
#define COORD_NO_KEY		"get public key from context failed"
#define COORD_NO_NAME		"get prover name from context failed"
#define COORD_NO_VERSION	"get ProverVersion from context failed"
#define COORD_NO_TASK_VERSION	"get prover version from context failed"
#define COORD_NO_FORK_NAME	"get hard fork name from context failed"
#define COORD_NO_SUCH_TASK	"validator failure get none prover task for the proof"
#define COORD_TWICE		"validator failure prove task cannot submit proof twice"
#define COORD_STATUS_NOT_OK	"validator failure proof msg status not ok"
#define COORD_TIMED_OUT		"validator failure submit proof timeout"
#define COORD_ALREADY_PROVED	"validator failure chunk/batch have proved and verified success"
#define COORD_NO_FORK		"failed to get hard fork name"
#define COORD_INVALID_PROOF	"verification succeeded, it's an invalid proof"
#define COORD_VERIFIER_ERROR	"verification failed, verifier returns error"
#define COORD_INTERNAL		"coordinator internal error"

/* --- what is said: requests and tasks, in both roles -------------------------- */

struct coord_login {
	struct buf	 challenge, version, name;
	bool		 has_provider;		/* (c): the 6-field form */
	uint8_t		 provider;		/* 1 internal, 2 external, 3 proxy */
	struct buf	 types;			/* one byte per prover type */
	struct buf	*vks;
	size_t		 nvks;
	struct buf	 fork;			/* hard_fork_name, before v4.4.37; read by coord_take_old_login only */
	struct buf	 public_key;		/* text: 66 hex digits, no 0x */
	struct buf	 signature;		/* text: 0x and 130 hex digits */
};

struct coord_want {
	uint64_t	 height;		/* prover_height; no chunk above it ((b): 0 means none at all) */
	bool		 no_height;		/* send null */
	int64_t		 types[16];		/* task_types; more are dropped when read */
	size_t		 ntypes;		/* 0: any */
	bool		 universal;
	struct buf	 task_id;		/* ask for this one; empty: any */
	/* before v4.4.37; read by coord_take_old_want only */
	struct buf	*vks;
	size_t		 nvks;
};

struct coord_task {
	struct buf	 uuid, task_id, data, fork;
	uint64_t	 type;			/* TYPE_CHUNK .. */
};

struct coord_proof {
	struct buf	 uuid, task_id;
	int64_t		 type, status;		/* status 0: there is a proof */
	struct buf	 proof;
	int64_t		 failure_type;		/* 1 panic, 2 no panic */
	struct buf	 failure_msg;
	bool		 universal;
};

void	coord_login_free(struct coord_login *);
void	coord_want_free(struct coord_want *);
void	coord_task_free(struct coord_task *);
void	coord_proof_free(struct coord_proof *);

/* --- identities and signatures ------------------------------------------------ */

/* Identity `index` of a seed: the first valid scalar among
 * HMAC-SHA256(seed, "prova identity" || index || counter), both as 4 bytes, big-endian. */
void	coord_identity(const uint8_t seed[32], uint32_t index, struct ecsig_key *);
/* Its name at the Coordinator: 66 lower-case hex digits. */
void	coord_key_text(const struct ecsig_key *, struct buf *out);

/* keccak256(RLP(message)): 6 fields when has_provider, else 5. */
void	coord_login_digest(const struct coord_login *, uint8_t out[HASH_BYTES]);
/* Fill public_key and signature. */
void	coord_login_sign(struct coord_login *, const struct ecsig_key *);

enum coord_sig { COORD_SIG_OK, COORD_SIG_BAD, COORD_SIG_PANIC /* the Go program answers HTTP 500 */ };
/* As the Coordinator: hex read leniently, the last byte not looked at.  With has_provider
 * the 6-field form, then the 5-field form (provers of one week signed so). */
enum coord_sig coord_login_verify(const struct coord_login *) MUSTCHECK;
/* The same for every generation since v4.1.0: where public_key is empty it is recovered from the
 * signature of list[name, version, challenge], fork behind them when there is one, and filled in. */
enum coord_sig coord_login_identify(struct coord_login *) MUSTCHECK;

/* --- client ------------------------------------------------------------------- */

/* A request to send: url is the Coordinator's root followed by path.  Owned. */
struct coord_request {
	const char	*method;
	const char	*path;
	const char	*headers[3];	/* NULL-ended; for http_req.headers */
	char		*authorization;	/* headers may point to it */
	struct buf	 body;
};

void	coord_ask_challenge(struct coord_request *);
/* The login's challenge is also the token of the request. */
void	coord_ask_login(struct coord_request *, const struct coord_login *);
void	coord_ask_task(struct coord_request *, struct span token, const struct coord_want *);
void	coord_ask_submit(struct coord_request *, struct span token, const struct coord_proof *);
void	coord_request_free(struct coord_request *);

enum coord_outcome {
	COORD_DONE,		/* the thing asked for is there */
	COORD_IDLE,		/* no task now (20004); asks again later */
	COORD_ALREADY,		/* this key holds a task */
	COORD_BLOCKED,		/* this key is on the block list */
	COORD_TOKEN,		/* the token is not good (any more): log in, then again */
	COORD_REFUSED,		/* errcode and errmsg say what */
	COORD_GARBAGE,		/* not the protocol: HTTP status, no envelope, members missing */
};

struct coord_answer {
	enum coord_outcome outcome;
	enum code	 code;		/* CODE_OK, CODE_GET_TASK_FAILED, CODE_TWICE ...: for rows and logs */
	long		 status;	/* HTTP */
	int64_t		 errcode;
	char		 errmsg[512];	/* cut there; for GARBAGE our own words */
};

struct coord_token {
	struct buf	 text;
	uint64_t	 exp_s;		/* the claim: the Coordinator's time of day; 0 unknown */
	uint64_t	 life_s;	/* exp - orig_iat: how long it lives from now; 0 unknown */
};

void	coord_token_free(struct coord_token *);

/* Each: what the answer says; the last argument is filled with COORD_DONE only.
 * challenge and login: the same form. */
enum coord_outcome coord_read_token(long status, struct span body, struct coord_answer *, struct coord_token *);
/* A task with members missing, or of a type outside 1..3, is COORD_GARBAGE with CODE_TASK_BAD. */
enum coord_outcome coord_read_task(long status, struct span body, struct coord_answer *, struct coord_task *);

/* What the answer to a post means (wire section 5.3). */
enum coord_verdict {
	COORD_V_ACCEPTED,	/* final: taken */
	COORD_V_TWICE,		/* final: answered before, or timed out */
	COORD_V_PROVED,		/* final: somebody else's proof was first */
	COORD_V_BAD_PROOF,	/* final: its verifier refused it */
	COORD_V_SHAPE,		/* it cannot read the proof: the task is still ours */
	COORD_V_REPORTED,	/* final: the failure report (status != 0) was taken */
	COORD_V_AGAIN,		/* not final: not found, data base away, HTTP 5xx, unknown text: post again */
	COORD_V_TOKEN,		/* not final: log in, then post again */
	COORD_V_PARAMETER,	/* 20001: it cannot read the request; the task is still ours */
};
enum coord_verdict coord_read_submit(long status, struct span body, struct coord_answer *);

/* The block hashes of a chunk's task_data, 32 bytes each, appended in order, with prev_msg_queue_hash
 * (32 bytes) when there is one.  False: not the form. */
bool	coord_chunk_hashes(struct span task_data, struct buf *hashes, struct buf *prev_msg_queue_hash) MUSTCHECK;

/* --- server ------------------------------------------------------------------- */

/* The call meant by method and path; false: 404. */
bool	coord_route(const char *method, const char *path, enum coord_call *out) MUSTCHECK;
const char *coord_path(enum coord_call);

/* Read a request's body as the Go binder does.  False: why holds its text, exactly.
 * content_type may be NULL (then the body is a form: nothing of it is read). */
bool	coord_take_login(const char *content_type, struct span body, struct coord_login *, struct buf *why) MUSTCHECK;
bool	coord_take_want(const char *content_type, struct span body, struct coord_want *, struct buf *why) MUSTCHECK;
/* The same with the members that provers before v4.4.37 sent: hard_fork_name and vk of a login; task_type
 * (one of the types, then), vk and vks of a get_task. */
bool	coord_take_old_login(const char *content_type, struct span body, struct coord_login *, struct buf *why) MUSTCHECK;
bool	coord_take_old_want(const char *content_type, struct span body, struct coord_want *, struct buf *why) MUSTCHECK;
bool	coord_take_proof(const char *content_type, struct span body, struct coord_proof *, struct buf *why) MUSTCHECK;

/* The token of a request: header "Bearer x", else query, else cookie; the empty span: none. */
struct span coord_bearer(const char *authorization, const char *query, const char *cookie);

/* Answers: the whole body, appended. */
void	coord_put_refusal(struct buf *, enum coord_text, const char *inserted);
void	coord_put_token(struct buf *, struct span token, uint64_t expires_wall_ns);
void	coord_put_task(struct buf *, const struct coord_task *);
void	coord_put_taken(struct buf *);

/* A JSON string as Go writes it; bytes from 0x80 on stay as they are. */
void	coord_put_text(struct buf *, struct span);

/* Claims of a challenge token. */
void	coord_put_challenge_claims(struct buf *, uint64_t exp_s, uint64_t orig_iat_s, const uint8_t nonce[32]);
/* Claims of a login token, as the Coordinator orders them. */
struct coord_claims {
	uint64_t	 exp_s, orig_iat_s;
	struct buf	 public_key, name, version, fork;	/* p NULL: absent */
};
void	coord_claims_free(struct coord_claims *);
void	coord_put_claims(struct buf *, const struct coord_claims *);
/* False: one of the texts is not a string (the Go program answers HTTP 500). */
bool	coord_take_claims(struct span json, struct coord_claims *) MUSTCHECK;

/* A prover's version is at least min ("v4.4.43"), as CheckScrollRepoVersion judges. */
bool	coord_version_ok(struct span version, const char *min) MUSTCHECK;

#endif
