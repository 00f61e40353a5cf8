/* taskfile.c - a task as one file.  See taskfile.h. */
#include "cmd/prover/taskfile.h"

#include "common/gobind.h"
#include "common/hash.h"
#include "common/num.h"

enum {
	VERSION		= 1,
	ATTEMPT_BYTES	= 64,		/* of prova-plugin(7) */
	NUMBER_BYTES	= 12,		/* of "." and a number behind it */
};

enum { F_VERSION, F_IDENTITY, F_UUID, F_TASK_ID, F_TYPE, F_FORK, F_DATA, F_PROOF, F_FAILURE, F_FAILURE_TYPE, F_MAX };

static const struct gobind_field fields[] = {
	{ .name = "prova_task", .go_type = "uint64", .kind = GOBIND_UINT, .at = F_VERSION },
	{ .name = "identity", .go_type = "uint64", .kind = GOBIND_UINT, .at = F_IDENTITY },
	{ .name = "uuid", .go_type = "string", .kind = GOBIND_STR, .at = F_UUID },
	{ .name = "task_id", .go_type = "string", .kind = GOBIND_STR, .at = F_TASK_ID },
	{ .name = "task_type", .go_type = "uint64", .kind = GOBIND_UINT, .at = F_TYPE },
	{ .name = "hard_fork_name", .go_type = "string", .kind = GOBIND_STR, .at = F_FORK },
	{ .name = "task_data", .go_type = "string", .kind = GOBIND_STR, .at = F_DATA },
	{ .name = "proof", .go_type = "string", .kind = GOBIND_STR, .at = F_PROOF },
	{ .name = "failure_msg", .go_type = "string", .kind = GOBIND_STR, .at = F_FAILURE },
	{ .name = "failure_type", .go_type = "uint64", .kind = GOBIND_UINT, .at = F_FAILURE_TYPE },
};
static const struct gobind_type file_type = { "task", "", fields, NELEM(fields) };

void
record_free(struct record *r)
{
	coord_task_free(&r->task);
	buf_free(&r->outcome);
	*r = (struct record){ 0 };
}

/* ---- bytes ---- */

static void
put_text(struct buf *b, const char *name, const struct buf *value)
{
	buf_printf(b, ",\"%s\":", name);
	coord_put_text(b, SPAN_OF(value));
}

void
taskfile_put(struct buf *b, const struct record *r)
{
	buf_room(b, r->task.data.n + r->task.data.n / 4 + r->outcome.n + r->outcome.n / 4 + 512);
	buf_printf(b, "{\"prova_task\":%d,\"identity\":%" PRIu32, VERSION, r->identity);
	put_text(b, "uuid", &r->task.uuid);
	put_text(b, "task_id", &r->task.task_id);
	buf_printf(b, ",\"task_type\":%" PRIu64, r->task.type);
	put_text(b, "hard_fork_name", &r->task.fork);
	put_text(b, "task_data", &r->task.data);
	if (r->state == RECORD_PROVED)
		put_text(b, "proof", &r->outcome);
	if (r->state == RECORD_FAILED) {
		put_text(b, "failure_msg", &r->outcome);
		buf_printf(b, ",\"failure_type\":%u", r->failure_type);
	}
	buf_puts(b, "}\n");
}

static bool
is_plain(const struct buf *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->p[i] <= ' ' || b->p[i] >= 0x7f)
			return false;
	return b->n > 0;
}

static const char *
take_task(const struct span *v, struct record *r)
{
	uint64_t identity = gobind_uint(v[F_IDENTITY]);

	if (gobind_uint(v[F_VERSION]) != VERSION)
		return "not a task file of this version";
	if (!v[F_IDENTITY].p || identity > UINT32_MAX)
		return "no identity";
	r->identity = (uint32_t)identity;
	r->task.type = gobind_uint(v[F_TYPE]);
	gobind_str(v[F_UUID], &r->task.uuid);
	gobind_str(v[F_TASK_ID], &r->task.task_id);
	gobind_str(v[F_FORK], &r->task.fork);
	gobind_str(v[F_DATA], &r->task.data);
	if (!is_plain(&r->task.uuid) || !is_plain(&r->task.task_id))
		return "no uuid or no task_id";
	if (r->task.type < TYPE_CHUNK || r->task.type > TYPE_MAX)
		return "no task_type";
	return v[F_DATA].p ? NULL : "no task_data";
}

static const char *
take_outcome(const struct span *v, struct record *r)
{
	uint64_t type = gobind_uint(v[F_FAILURE_TYPE]);

	if (v[F_PROOF].p && v[F_FAILURE].p)
		return "both a proof and a failure";
	if (v[F_FAILURE].p && type != 1 && type != 2)
		return "no failure_type";
	r->state = v[F_PROOF].p ? RECORD_PROVED : v[F_FAILURE].p ? RECORD_FAILED : RECORD_OPEN;
	r->failure_type = r->state == RECORD_FAILED ? (uint8_t)type : 0;
	gobind_str(v[F_PROOF], &r->outcome);
	gobind_str(v[F_FAILURE], &r->outcome);
	return NULL;
}

bool
taskfile_read(struct span text, struct record *r, char why[TASKFILE_WHY])
{
	struct span v[F_MAX];
	struct buf reason = { 0 };
	const char *wrong;

	*r = (struct record){ 0 };
	if (!gobind_whole(text, &file_type, v, &reason))
		wrong = buf_cstr(&reason);
	else if (!(wrong = take_task(v, r)))
		wrong = take_outcome(v, r);
	if (wrong) {
		snprintf(why, TASKFILE_WHY, "%s", *wrong ? wrong : "not a JSON object");
		record_free(r);
	}
	buf_free(&reason);
	return !wrong;
}

/* ---- names ---- */

void
taskfile_name(const struct record *r, char out[TASKFILE_NAME])
{
	snprintf(out, TASKFILE_NAME, "task.%" PRIu32 ".%" PRIu32 ".%" PRIu32, r->identity, r->tries, r->failures);
}

bool
taskfile_named(const char *name, struct record *r)
{
	uint32_t *const numbers[] = { &r->identity, &r->tries, &r->failures };
	char again[TASKFILE_NAME];
	uint64_t n;

	if (strncmp(name, "task", 4) != 0)
		return false;
	const char *at = name + 4;
	for (size_t i = 0; i < NELEM(numbers); i++) {
		if (*at != '.' || strlen(at) > NELEM(numbers) * NUMBER_BYTES)
			return false;
		size_t len = strcspn(++at, ".");
		if (!num_u64((struct span){ (const uint8_t *)at, len }, &n) || n > UINT32_MAX)
			return false;
		*numbers[i] = (uint32_t)n;
		at += len;
	}
	taskfile_name(r, again);
	return strcmp(name, again) == 0;
}

static void
put_digest(struct buf *out, const struct buf *text, size_t bytes)
{
	uint8_t hash[HASH_BYTES];

	sha256_of(SPAN_OF(text), hash);
	num_put_hex(out, (struct span){ hash, bytes });
}

void
taskfile_aside(const struct record *r, char out[TASKFILE_NAME])
{
	struct buf digits = { 0 };

	put_digest(&digits, &r->task.uuid, 8);
	snprintf(out, TASKFILE_NAME, "aside.%s", buf_cstr(&digits));
	buf_free(&digits);
}

void
taskfile_attempt(const struct record *r, struct buf *out)
{
	if (r->task.uuid.n + NUMBER_BYTES <= ATTEMPT_BYTES)
		buf_put(out, r->task.uuid.p, r->task.uuid.n);
	else
		put_digest(out, &r->task.uuid, 16);
	buf_printf(out, ".%" PRIu32, r->failures);
}

/* ---- the end ---- */

void
taskfile_submit(const struct record *r, bool universal, struct span token, struct coord_request *request)
{
	/* borrowed: nothing of it is freed */
	struct coord_proof p = { .uuid = r->task.uuid, .task_id = r->task.task_id, .type = (int64_t)r->task.type,
	    .universal = universal };

	if (r->state == RECORD_PROVED) {
		p.proof = r->outcome;
	} else {
		p.status = 1;
		p.failure_type = r->failure_type;
		p.failure_msg = r->outcome;
	}
	coord_ask_submit(request, token, &p);
}
