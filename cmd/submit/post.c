/* post.c - submit's posts.  See post.h. */
#include "cmd/submit/post.h"

#include "common/diag.h"
#include "common/random.h"

enum {
	ANSWER_BYTES = 1 << 20,
	LARGE_BYTES = 256 << 10,	/* a Coordinator that dislikes the token may cut off larger ones without a word */
};

struct upstream {
	char			*chain;
	const char		*coordinator;
	struct http		*http;
	struct identities	*identities;
	uint64_t		 timeout_ms;
	bool			 universal;
	struct upstream		*next;
};

struct post_call {
	struct posts		*posts;
	struct upstream		*up;
	struct row		*job;		/* owned */
	enum code		 trouble;	/* why the request could not be made */
	struct post_call	*next;
};

struct posts {
	struct posts_opts	 o;
	struct upstream		*upstreams;
	struct post_call	*calls;
};

struct posts *
posts_new(const struct posts_opts *o)
{
	struct posts *p = xzalloc(sizeof *p);

	p->o = *o;
	return p;
}

static void
free_call(struct post_call *c)
{
	struct post_call **at = &c->posts->calls;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	free(c->job);
	free(c);
}

void
posts_free(struct posts **pp)
{
	struct posts *p = *pp;
	struct upstream *u;

	if (!p)
		return;
	while ((u = p->upstreams)) {
		p->upstreams = u->next;
		identities_free(&u->identities);
		http_free(&u->http);
		free(u->chain);
		free(u);
	}
	while (p->calls)
		free_call(p->calls);
	free(p);
	*pp = NULL;
}

/* --- Coordinators --- */

static void
open_identities(struct posts *p, struct upstream *u, const uint8_t *seed)
{
	const struct settings *s = p->o.settings;
	struct identity_opts o = { .loop = p->o.loop, .seed = seed };

	identity_settings(&o, s, "coordinator", u->coordinator);
	u->http = http_new(p->o.loop, (unsigned)settings_num(s, "coordinator", u->coordinator, "connections"));
	o.http = u->http;
	u->timeout_ms = settings_num(s, "coordinator", u->coordinator, "timeout");
	u->universal = settings_bool(s, "coordinator", u->coordinator, "universal");
	u->identities = identities_new(&o);
}

/* The seed file is task-fetch's to make; when it is not there yet the post waits for it. */
static int
need_identities(struct posts *p, struct upstream *u, char *why)
{
	char *path = identity_seed_path(p->o.settings, u->coordinator);
	uint8_t seed[32];
	int rc = u->identities ? 0 : identity_seed(path, false, seed, why);

	if (rc == 0 && !u->identities)
		open_identities(p, u, seed);
	random_wipe(seed, sizeof seed);
	free(path);
	return rc;
}

int
posts_open(struct posts *p, const char *chain, char *why)
{
	const struct settings *s = p->o.settings;

	if (!settings_given(s, "chain", chain, "coordinator")) {
		snprintf(why, 256, "[chain %s] needs coordinator", chain);
		return -1;
	}
	const char *name = settings_text(s, "chain", chain, "coordinator");
	if (!settings_given(s, "coordinator", name, "url")) {
		snprintf(why, 256, "[chain %s]: there is no [coordinator %s] with a url", chain, name);
		return -1;
	}
	if (!p->o.loop)
		return 0;
	struct upstream *u = xzalloc(sizeof *u);
	*u = (struct upstream){ .chain = xstrdup(chain), .coordinator = name, .next = p->upstreams };
	p->upstreams = u;
	return 0;
}

static struct upstream *
upstream_of(struct posts *p, const struct row *job)
{
	struct upstream *u = p->upstreams;

	while (u && !span_is(job->chain, u->chain))
		u = u->next;
	return u;
}

/* --- one post --- */

static void
finish(struct post_call *c, enum settle_post how, uint64_t code, const char *detail)
{
	struct posts *p = c->posts;
	uint64_t job = c->job->id;

	free_call(c);
	p->o.done(p->o.arg, job, how, code, span_str(detail));
}

static bool
read_proof(struct post_call *c, struct buf *out)
{
	const struct row *job = c->job;

	if (HAS(job, proof)) {
		buf_put(out, job->proof.p, job->proof.n);
		return true;
	}
	if (HAS(job, proof_blob) && blob_read(c->posts->o.blobs, job->proof_blob, PROOF_MAX, out) == 0)
		return true;
	c->trouble = HAS(job, proof_blob) && errno == EBADMSG ? CODE_BLOB_DAMAGED : CODE_BLOB_IO;
	return false;
}

static bool
make_request(void *arg, struct span token, struct coord_request *r)
{
	struct post_call *c = arg;
	struct coord_proof proof = { .type = (int64_t)c->job->type, .universal = c->up->universal };
	bool ok = read_proof(c, &proof.proof);

	if (ok) {
		buf_put(&proof.uuid, c->job->uuid.p, c->job->uuid.n);
		buf_put(&proof.task_id, c->job->task.p, c->job->task.n);
		coord_ask_submit(r, token, &proof);
	}
	coord_proof_free(&proof);
	return ok;
}

static const enum settle_post meanings[] = {
	[COORD_V_ACCEPTED] = POST_TAKEN, [COORD_V_TWICE] = POST_TWICE, [COORD_V_PROVED] = POST_ALREADY,
	[COORD_V_BAD_PROOF] = POST_BAD_PROOF, [COORD_V_SHAPE] = POST_BAD_SHAPE, [COORD_V_PARAMETER] = POST_BAD_SHAPE,
	[COORD_V_REPORTED] = POST_BAD_PROOF, [COORD_V_AGAIN] = POST_LATER, [COORD_V_TOKEN] = POST_LATER,
};

static bool
got_answer(void *arg, const struct identity_answer *a)
{
	struct post_call *c = arg;
	struct coord_answer answer = { 0 };

	if (a->fail != HTTP_OK) {
		finish(c, a->fail == HTTP_NOT_SENT ? POST_NOT_SENT : POST_UNANSWERED, c->trouble ? c->trouble : a->code, a->error);
		return false;
	}
	enum coord_verdict v = coord_read_submit(a->status, a->body, &answer);
	if (v == COORD_V_TOKEN && !a->last)
		return true;
	/* not the Coordinator's words: what stands between may have passed the post on */
	finish(c, answer.outcome == COORD_GARBAGE ? POST_UNANSWERED : meanings[v],
	    answer.code ? answer.code : CODE_OK, answer.errmsg);
	return false;
}

void
posts_post(struct posts *p, const struct row *job)
{
	struct post_call *c = xzalloc(sizeof *c);
	char why[256] = "this chain is not in the settings";

	*c = (struct post_call){ .posts = p, .job = row_keep(job), .up = upstream_of(p, job), .next = p->calls };
	p->calls = c;
	if (!c->up || need_identities(p, c->up, why) != 0) {
		finish(c, POST_NOT_SENT, CODE_SETTING, why);
		return;
	}
	identity_call(c->up->identities, (uint32_t)job->identity, &(struct identity_ask){ .make = make_request,
	    .done = got_answer, .arg = c, .timeout_ms = c->up->timeout_ms, .max_bytes = ANSWER_BYTES,
	    .renew = job->posts > 1 && job->proof_bytes > LARGE_BYTES });
}
