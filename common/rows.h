/* rows.h - floor 4: the rows of the ledger, their fields and states, in one table each.
 *
 * One struct serves every kind and every place: the wire, the store, filters'
 * JSON lines, `prova explain`.  `have` says which fields are set.  Text and
 * bytes are borrowed spans (row_keep makes an owned copy).
 *
 * A row that the ledger sends down is *joined*: a job or an attempt carries the
 * fields of its work (chain, type, task, fork, body, input, work_rev, open, kept,
 * tried), and a job whose work has a kept proof carries that proof too. */
#ifndef PROVA_ROWS_H
#define PROVA_ROWS_H

#include "common/bytes.h"
#include "common/codes.h"

enum row_kind { ROW_WORK = 1, ROW_JOB, ROW_ATTEMPT, ROW_IDENTITY, ROW_KINDS };

/* States.  0 is "not there".  Those >= STATE_END have ended. */
enum { STATE_END = 32 };
enum work_state { WORK_OPEN = 1, WORK_ENDED = STATE_END };
enum job_state {
	JOB_FETCHED = 1, JOB_READY, JOB_QUEUED, JOB_PLACED, JOB_SUBMITTING,
	JOB_SUBMITTED = STATE_END, JOB_LATE, JOB_GIVEN_UP, JOB_CANCELLED,
};
enum attempt_state {
	ATTEMPT_ALLOCATED = 1, ATTEMPT_SENDING, ATTEMPT_PROVING, ATTEMPT_PROVED, ATTEMPT_VERIFIED,
	ATTEMPT_UNCLE,		/* kept while the work may come again; may still become accepted */
	ATTEMPT_ACCEPTED = STATE_END, ATTEMPT_FAILED, ATTEMPT_CANCELLED,
	ATTEMPT_UNCLE_ENDED,	/* that time is over */
};
enum identity_state { IDENTITY_IDLE = 1, IDENTITY_HOLDING, IDENTITY_RESTING, IDENTITY_BLOCKED };

/* F(KEY, name, TYPE, MAX) - key on the wire and bit in `have`; type; most bytes of text.
 * U64: 0 to INT64_MAX, as much as SQL and readers of JSON hold.  TEXT: UTF-8 without NUL.
 * BIN: bytes.  HASH: 32 bytes. */
#define ROW_FIELDS(F) \
	F(1,  kind,        U64,  0)	/* enum row_kind */ \
	F(2,  id,          U64,  0) \
	F(3,  rev,         U64,  0) \
	F(4,  state,       U64,  0) \
	F(5,  code,        U64,  0)	/* enum code: why it is as it is */ \
	F(6,  at_ms,       U64,  0)	/* wall clock of its last move */ \
	F(7,  work,        U64,  0)	/* job, attempt: their work's id */ \
	F(8,  chain,       TEXT, 32) \
	F(9,  type,        U64,  0)	/* TYPE_CHUNK ... */ \
	F(10, task,        TEXT, 256)	/* the Coordinator's task id, whole */ \
	F(11, fork,        TEXT, 32)	/* as the Coordinator spells it */ \
	F(12, body,        BIN,  INLINE_BYTES)	/* task_data, unescaped, when small */ \
	F(13, body_blob,   HASH, 0)	/* its sha256: always; the blob exists when body is absent */ \
	F(14, body_bytes,  U64,  0) \
	F(15, input_blob,  HASH, 0)	/* sha256 of the prover's input: a blob, always */ \
	F(16, input_bytes, U64,  0) \
	F(17, work_rev,    U64,  0)	/* joined */ \
	F(18, open,        U64,  0)	/* work: its open attempt, 0 none */ \
	F(19, kept,        U64,  0)	/* work: the attempt whose proof is kept, 0 none */ \
	F(20, tried,       TEXT, 2048)	/* work: "provider:code-word ..." of failed attempts */ \
	F(21, attempts,    U64,  0)	/* work: how many were begun */ \
	F(22, uuid,        TEXT, 64)	/* job */ \
	F(23, identity,    U64,  0)	/* job: index of the identity that fetched; identity: its index */ \
	F(24, fetched_ms,  U64,  0)	/* job: wall clock */ \
	F(25, deadline_ms, U64,  0)	/* job: wall clock */ \
	F(26, posts,       U64,  0)	/* job: posts begun */ \
	F(27, attempt,     U64,  0)	/* job: the attempt whose proof is posted */ \
	F(28, provider,    TEXT, 32)	/* attempt */ \
	F(29, owner,       TEXT, 64)	/* attempt in sending: the instance */ \
	F(30, intent,      U64,  0)	/* attempt: +1 with each intent */ \
	F(31, send_by_ms,  U64,  0)	/* attempt: wall clock of the ledger */ \
	F(32, handle,      TEXT, 256)	/* attempt: the provider's name for the order */ \
	F(33, proof,       BIN,  INLINE_BYTES)	/* attempt: when small */ \
	F(34, proof_blob,  HASH, 0)	/* attempt: its sha256; the blob exists when proof is absent */ \
	F(35, proof_bytes, U64,  0) \
	F(36, price,       U64,  0)	/* attempt: micro-units */ \
	F(37, reason,      TEXT, 4096)	/* attempt: the allocation's transcript line */ \
	F(38, allow,       TEXT, 64)	/* attempt: what allows a second one: a redundancy or hedge, "late", "another" */ \
	F(39, until_ms,    U64,  0)	/* identity: rests until, wall clock */ \
	F(40, pubkey,      TEXT, 66)	/* identity */ \
	F(41, job,         U64,  0)	/* identity: the job it holds, 0 none */ \
	F(42, again,       U64,  0)	/* identity: type to poll again first, 0 none */ \
	F(43, detail,      TEXT, 512)	/* what the other side said, for people */ \
	F(44, owed,        U64,  0)	/* attempt: what its provider is owed or was paid, micro-units */ \
	F(45, stray,       TEXT, 256)	/* attempt: handle of a second order */ \
	F(46, begun_ms,    U64,  0)	/* attempt: wall clock of its first intent or delivery */ \
	F(47, failures,    U64,  0)	/* work: attempts that failed */ \
	F(48, ready,       U64,  0)	/* work: 1 once its input is known */ \
	F(49, verified_ms, U64,  0)	/* attempt: wall clock of proof stored */

enum row_type { FIELD_U64, FIELD_TEXT, FIELD_BIN, FIELD_HASH };

struct row {
	uint64_t have;
#define U64(name)  uint64_t name;
#define TEXT(name) struct span name;
#define BIN(name)  struct span name;
#define HASH(name) uint8_t name[HASH_BYTES];
#define F(key, name, type, max) type(name)
	ROW_FIELDS(F)
#undef F
#undef U64
#undef TEXT
#undef BIN
#undef HASH
};

enum row_key {
#define F(key, name, type, max) KEY_##name = key,
	ROW_FIELDS(F)
#undef F
	KEY_END
};

struct field {
	uint8_t		 key;
	const char	*name;
	enum row_type	 type;
	size_t		 max;
	size_t		 off;
};
extern const struct field row_fields[];		/* by key, 1 .. KEY_END - 1 at index key - 1 */
extern const size_t row_nfields;

#define HAS(row, name)	(((row)->have >> KEY_##name) & 1)
#define BIT(name)	(UINT64_C(1) << KEY_##name)
/* Set a number or a span field.  For hashes ROW_HASH. */
#define SET(row, name, value) ((row)->name = (value), (row)->have |= BIT(name))
#define ROW_HASH(row, name, from) (memcpy((row)->name, (from), HASH_BYTES), (row)->have |= BIT(name))

/* Copy the fields in `mask` that src has into dst (spans stay borrowed from src's owner). */
void	row_merge(struct row *dst, const struct row *src, uint64_t mask);
/* An owned copy: one allocation, free() releases it. */
struct row *row_keep(const struct row *) MUSTCHECK;

/* Names for people and pages: "job", "queued"; "?" when there is none. */
const char *row_kind_name(uint64_t kind);
const char *row_state_name(uint64_t kind, uint64_t state);
const char *type_name(uint64_t type);		/* "chunk" */
/* The types of tasks in a list of words ("chunk batch"), as bits 1 << TYPE_CHUNK ...; 0: it has another word, or none. */
uint64_t type_set(const char *words);

/* One JSON object, names as in the table, hashes in hex, BIN in base64, kind and state and
 * type by name; no newline.  Appends. */
void	row_put_json(struct buf *, const struct row *);
/* The reverse, for filters: NULL, or an owned row (free()).  Unknown members are ignored;
 * a member of the wrong form is an error: `why` (128 bytes) names it. */
struct row *row_from_json(struct span line, char *why) MUSTCHECK;

#endif
