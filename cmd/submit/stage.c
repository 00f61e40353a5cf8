/* stage.c - prova-submit: the parts put together, from the settings to the call-backs of the skeleton. */
#include "cmd/submit/stage.h"

#include "cmd/submit/post.h"
#include "cmd/submit/verify.h"
#include "common/diag.h"
#include "common/random.h"

enum { VERIFIER_MS = 10000 };	/* for a verifier to come up, before a proof is taken back */

struct submit {
	struct settle		*settle;
	struct verifiers	*verifiers;
	struct posts		*posts;
};

/* --- what the parts call --- */

static void
verify(void *arg, const struct row *attempt)
{
	verifiers_ask(((struct submit *)arg)->verifiers, attempt);
}

static void
forget(void *arg, uint64_t attempt)
{
	verifiers_forget(((struct submit *)arg)->verifiers, attempt);
}

static void
post(void *arg, const struct row *job)
{
	posts_post(((struct submit *)arg)->posts, job);
}

static void
verified(void *arg, uint64_t attempt, enum settle_verdict v, uint64_t code, struct span detail)
{
	settle_verified(((struct submit *)arg)->settle, attempt, v, code, detail);
}

static void
posted(void *arg, uint64_t job, enum settle_post how, uint64_t code, struct span detail)
{
	settle_posted(((struct submit *)arg)->settle, job, how, code, detail);
}

/* --- settings --- */

static int
wrong(enum code code, const char *chain, const char *why)
{
	fprintf(stderr, "%s: [chain %s]: %s: %s\n", diag_whoami(), chain, code_word(code), why);
	return EXIT_USAGE;
}

/* Every type that is fetched has a verifier, or "none". */
static int
check_verifiers(const struct settings *s, const char *chain)
{
	const char *coordinator = settings_text(s, "chain", chain, "coordinator");
	uint64_t types = type_set(settings_text(s, "coordinator", coordinator, "types"));

	if (!types)
		return wrong(CODE_SETTING, chain, "types of [coordinator]: write some of chunk batch bundle");
	for (uint64_t type = 1; type <= TYPE_MAX; type++) {
		char key[24];
		snprintf(key, sizeof key, "verify_%s", type_name(type));
		if ((types >> type & 1) && !settings_given(s, "chain", chain, key))
			return wrong(CODE_NO_VERIFIER, chain, code_action(CODE_NO_VERIFIER));
	}
	return EXIT_DONE;
}

static int
open_chain(struct stage *st, struct submit *t, const char *chain)
{
	char why[256];

	if (posts_open(t->posts, chain, why) != 0)
		return wrong(CODE_SETTING, chain, why);
	return check_verifiers(stage_settings(st), chain);
}

/* The chain that the settings name, else all of them. */
static int
open_chains(struct stage *st, struct submit *t)
{
	const struct settings *s = stage_settings(st);
	const char *only = stage_text(st, "chain"), *chain;
	int status = EXIT_DONE;

	if (*only)
		return open_chain(st, t, only);
	if (!settings_name(s, "chain", 0))
		return wrong(CODE_SETTING, "", "there is no [chain]");
	for (size_t i = 0; status == EXIT_DONE && (chain = settings_name(s, "chain", i)); i++)
		status = open_chain(st, t, chain);
	return status;
}

/* The longest pause between two posts of one proof: what the most impatient [coordinator] says. */
static uint64_t
longest_pause(const struct settings *s)
{
	uint64_t ms = UINT64_MAX;
	const char *name;

	for (size_t i = 0; (name = settings_name(s, "coordinator", i)); i++)
		ms = MIN2(ms, settings_num(s, "coordinator", name, "backoff_max"));
	return ms == UINT64_MAX ? 30000 : ms;
}

/* --- the skeleton's call-backs --- */

int
submit_start(struct stage *st)
{
	static const struct settle_ops ops = { verify, forget, post };
	struct submit *t = xzalloc(sizeof *t);
	const struct settings *s = stage_settings(st);
	uint64_t pause = longest_pause(s);

	stage_set_own(st, t);
	t->settle = settle_new(&(struct settle_opts){ .backoff_ms = MIN2(500, pause), .backoff_max_ms = pause,
	    .seed = random_u64(), .ops = &ops, .arg = t });
	t->posts = posts_new(&(struct posts_opts){ .loop = stage_loop(st), .blobs = stage_blobs(st), .settings = s,
	    .done = posted, .arg = t });
	t->verifiers = verifiers_new(&(struct verifiers_opts){ .loop = stage_loop(st), .blobs = stage_blobs(st),
	    .settings = s, .parallel = stage_num(st, "parallel"), .patience_ms = VERIFIER_MS, .done = verified, .arg = t });
	if (stage_books(st))
		settle_bind(t->settle, stage_books(st));
	return open_chains(st, t);
}

void
submit_stop(struct stage *st)
{
	struct submit *t = stage_own(st);

	if (!t)
		return;
	posts_free(&t->posts);
	verifiers_free(&t->verifiers);
	settle_free(&t->settle);
	free(t);
	stage_set_own(st, NULL);
}

static struct settle *
core(struct stage *st)
{
	return ((struct submit *)stage_own(st))->settle;
}

void
submit_act(struct stage *st, struct held *h)
{
	settle_act(core(st), h);
}

void
submit_lose(struct stage *st, struct held *h)
{
	settle_lose(core(st), h);
}

void
submit_levels(struct stage *st, struct tick *t)
{
	settle_levels(core(st), t);
}

void
submit_reset(struct stage *st)
{
	settle_reset(core(st));
}

void
submit_answer(struct stage *st, uint64_t token, uint64_t code, const struct row *first)
{
	settle_told(core(st), token, code, first);
}
