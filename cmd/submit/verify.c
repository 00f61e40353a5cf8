/* verify.c - submit's verifiers.  See verify.h and prova-plugin(7).
 *
 * Co-processes are started as the queue needs them and stay. */
#include "cmd/submit/verify.h"

#include "common/coproc.h"
#include "common/diag.h"
#include "common/json.h"

struct pool;

struct request {
	uint64_t	 attempt;	/* 0: forgotten */
	struct pool	*pool;
	struct buf	 members;
	uint64_t	 timeout_ms;
	struct request	*next;
};

struct proc {
	struct pool	*pool;
	struct coproc	*coproc;
	struct request	*request;
};

struct pool {
	struct verifiers *all;
	char		*command;
	struct proc	*procs;		/* parallel of them, nprocs started */
	size_t		 nprocs;
	struct request	*queue;
	struct loop_timer timer;	/* end of the patience of those in the queue */
	struct pool	*next;
};

struct verifiers {
	struct verifiers_opts o;
	struct pool	*pools;
};

struct verifiers *
verifiers_new(const struct verifiers_opts *o)
{
	struct verifiers *v = xzalloc(sizeof *v);

	v->o = *o;
	return v;
}

static void
free_request(struct request *r)
{
	buf_free(&r->members);
	free(r);
}

static void
free_pool(struct pool *p)
{
	struct request *r;

	loop_timer(p->all->o.loop, &p->timer, 0);
	for (size_t i = 0; i < p->nprocs; i++) {
		coproc_close(&p->procs[i].coproc);
		if (p->procs[i].request)
			free_request(p->procs[i].request);
	}
	while ((r = p->queue)) {
		p->queue = r->next;
		free_request(r);
	}
	free(p->procs);
	free(p->command);
	free(p);
}

void
verifiers_free(struct verifiers **vp)
{
	struct verifiers *v = *vp;
	struct pool *p;

	if (!v)
		return;
	while ((p = v->pools)) {
		v->pools = p->next;
		free_pool(p);
	}
	free(v);
	*vp = NULL;
}

/* --- answers --- */

static void
say(struct verifiers *v, uint64_t attempt, enum settle_verdict verdict, uint64_t code, const char *detail)
{
	if (attempt)
		v->o.done(v->o.arg, attempt, verdict, code, span_str(detail));
}

static void
judge(struct verifiers *v, uint64_t attempt, const struct plugin_answer *a)
{
	const struct json *valid = json_get(a->doc, "valid");
	char why[200];

	snprintf(why, sizeof why, "%.*s", SPAN_ARG(json_str(a->doc, "reason")));
	if (!a->ok)
		say(v, attempt, VERDICT_NONE, CODE_VERIFIER_AWAY, *a->message ? a->message : a->error);
	else if (json_bool(valid))
		say(v, attempt, VERDICT_GOOD, CODE_OK, "");
	else if (json_bool_is(valid, false))
		say(v, attempt, VERDICT_BAD, CODE_PROOF_BAD, why);
	else
		say(v, attempt, VERDICT_NONE, CODE_PLUGIN_GARBAGE, "\"valid\" is neither true nor false");
}

static void run_queue(struct pool *);

static void
answered(void *arg, const struct coproc_result *r)
{
	struct proc *p = arg;
	struct pool *pool = p->pool;
	struct request *q = p->request;

	p->request = NULL;
	if (r->code == CODE_OK)
		judge(pool->all, q->attempt, r->answer);
	else
		say(pool->all, q->attempt, VERDICT_NONE, r->code, code_sentence(r->code));
	free_request(q);
	run_queue(pool);
}

/* --- the queue --- */

static struct request *
pop(struct pool *p)
{
	struct request *r;

	while ((r = p->queue) && !r->attempt) {
		p->queue = r->next;
		free_request(r);
	}
	if (r)
		p->queue = r->next;
	return r;
}

static bool
is_up(const struct pool *p)
{
	for (size_t i = 0; i < p->nprocs; i++)
		if (coproc_caps(p->procs[i].coproc))
			return true;
	return false;
}

/* None of the verifiers came up: those who wait are told so. */
static void
fail_queue(void *arg)
{
	struct pool *p = arg;
	struct request *r, *list = p->queue;
	uint64_t code = coproc_trouble(p->procs[0].coproc);

	if (is_up(p))
		return;
	p->queue = NULL;
	while ((r = list)) {
		list = r->next;
		say(p->all, r->attempt, VERDICT_NONE, code, code_sentence(code));
		free_request(r);
	}
}

static void
changed(void *arg)
{
	struct proc *p = arg;

	if (p->coproc)
		run_queue(p->pool);
}

static void
add_proc(struct pool *p)
{
	struct proc *proc = &p->procs[p->nprocs];
	char name[48];

	snprintf(name, sizeof name, "verify.%zu", p->nprocs);
	*proc = (struct proc){ .pool = p };
	p->nprocs++;
	proc->coproc = coproc_new(&(struct coproc_opts){ .loop = p->all->o.loop, .name = name, .command = p->command,
	    .changed = changed, .arg = proc });
}

static bool
starting(const struct pool *p)
{
	for (size_t i = 0; i < p->nprocs; i++)
		if (!coproc_caps(p->procs[i].coproc))
			return true;
	return false;
}

static void
run_queue(struct pool *p)
{
	for (size_t i = 0; i < p->nprocs; i++) {
		struct proc *proc = &p->procs[i];
		if (proc->request || !coproc_ready(proc->coproc) || !(proc->request = pop(p)))
			continue;
		coproc_ask(proc->coproc, PLUGIN_VERIFY, SPAN_OF(&proc->request->members), proc->request->timeout_ms,
		    answered, proc);
	}
	if (p->queue && p->nprocs < p->all->o.parallel && !starting(p))
		add_proc(p);
	if (is_up(p) || !p->queue)
		loop_timer(p->all->o.loop, &p->timer, 0);
	else if (!p->timer.at_ms)
		loop_timer(p->all->o.loop, &p->timer, clock_ms() + p->all->o.patience_ms);
}

/* --- asking --- */

static struct pool *
pool_for(struct verifiers *v, const char *command)
{
	struct pool *p = v->pools;

	while (p && strcmp(p->command, command) != 0)
		p = p->next;
	if (p)
		return p;
	p = xzalloc(sizeof *p);
	*p = (struct pool){ .all = v, .command = xstrdup(command), .next = v->pools,
	    .procs = xzalloc(v->o.parallel * sizeof *p->procs), .timer = { .fn = fail_queue, .arg = p } };
	v->pools = p;
	return p;
}

/* The proof as a file, also when it came in the row. */
static bool
proof_file(struct verifiers *v, const struct row *a, uint8_t hash[HASH_BYTES])
{
	if (!HAS(a, proof)) {
		memcpy(hash, a->proof_blob, HASH_BYTES);
		return HAS(a, proof_blob);
	}
	return blob_put(v->o.blobs, a->proof, false, hash) == 0;
}

static void
put_file(struct verifiers *v, struct buf *m, const char *name, const char *name_hash, const uint8_t hash[HASH_BYTES])
{
	plugin_put_text(m, name, span_str(blob_path(v->o.blobs, hash)));
	plugin_put_hash(m, name_hash, hash);
}

static void
put_members(struct verifiers *v, struct buf *m, const struct row *a, const uint8_t proof[HASH_BYTES])
{
	plugin_put_num(m, "attempt", a->id);
	plugin_put_text(m, "chain", a->chain);
	plugin_put_text(m, "type", span_str(type_name(a->type)));
	plugin_put_text(m, "task", a->task);
	plugin_put_text(m, "fork", a->fork);
	if (HAS(a, input_blob))
		put_file(v, m, "input", "input_sha256", a->input_blob);
	put_file(v, m, "proof_path", "proof_sha256", proof);
}

/* What [chain] says for the type; NULL: nothing. */
static const char *
command_for(struct verifiers *v, const struct row *a, char chain[40])
{
	char key[24];

	snprintf(key, sizeof key, "verify_%s", type_name(a->type));
	if (a->type < 1 || a->type > TYPE_MAX || !span_cstr(a->chain, chain, 40) ||
	    !settings_given(v->o.settings, "chain", chain, key))
		return NULL;
	return settings_text(v->o.settings, "chain", chain, key);
}

void
verifiers_ask(struct verifiers *v, const struct row *a)
{
	char chain[40];
	const char *command = command_for(v, a, chain);
	uint8_t proof[HASH_BYTES];

	if (!command) {
		say(v, a->id, VERDICT_NONE, CODE_NO_VERIFIER, "this chain and type have no verify setting");
		return;
	}
	if (strcmp(command, "none") == 0) {
		say(v, a->id, VERDICT_GOOD, CODE_OK, "");
		return;
	}
	if (!proof_file(v, a, proof)) {
		say(v, a->id, VERDICT_NONE, CODE_BLOB_IO, strerror(errno));
		return;
	}
	struct request *r = xzalloc(sizeof *r), **at;
	r->attempt = a->id;
	r->pool = pool_for(v, command);
	r->timeout_ms = settings_num(v->o.settings, "chain", chain, "verify_timeout");
	put_members(v, &r->members, a, proof);
	for (at = &r->pool->queue; *at; at = &(*at)->next)
		;
	*at = r;
	run_queue(r->pool);
}

void
verifiers_forget(struct verifiers *v, uint64_t attempt)
{
	for (struct pool *p = v->pools; p; p = p->next) {
		for (struct request *r = p->queue; r; r = r->next)
			if (r->attempt == attempt)
				r->attempt = 0;
		for (size_t i = 0; i < p->nprocs; i++)
			if (p->procs[i].request && p->procs[i].request->attempt == attempt)
				p->procs[i].request->attempt = 0;
	}
}
