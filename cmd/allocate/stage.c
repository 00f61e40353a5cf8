/* stage.c - allocate as a stage.  See stage.h; what it decides is in place.c and policy.c. */
#include "cmd/allocate/stage.h"

#include "cmd/allocate/place.h"
#include "common/diag.h"

/* All that is read from prova.conf. */
struct read_settings {
	struct settings		*s;
	struct policy		*policies;
	struct place_provider	*providers;
	struct capacity		*capacity;	/* as a dispatcher would state it */
	size_t			 npolicies, nproviders;
};

static bool
wrong(const char *section, const char *name, const char *key, const char *why)
{
	fprintf(stderr, "%s: %s: [%s %s] %s: %s\n", diag_whoami(), code_word(CODE_SETTING), section, name, key, why);
	return false;
}

static bool
read_provider(struct read_settings *r, const char *name)
{
	struct place_provider *p = &r->providers[r->nproviders];
	struct capacity *c = &r->capacity[r->nproviders];

	if (r->nproviders == PROVIDERS_MAX)
		return wrong("provider", name, "", "more providers than are supported");
	if (!span_cstr(span_str(name), p->name, sizeof p->name) ||
	    !span_cstr(span_str(settings_text(r->s, "provider", name, "chain")), p->only, sizeof p->only))
		return wrong("provider", name, "chain", "a name is longer than 32 bytes");
	memcpy(c->name, p->name, sizeof c->name);
	p->many = *settings_text(r->s, "provider", name, "listen");
	c->slots = pools_one(type_set(settings_text(r->s, "provider", name, "types")), settings_num(r->s, "provider", name, "slots"));
	settings_by_type(r->s, "provider", name, "price", c->price);
	r->nproviders++;
	return true;
}

static bool
is_provider(const struct read_settings *r, const char *name)
{
	for (size_t i = 0; i < r->nproviders; i++)
		if (strcmp(r->providers[i].name, name) == 0)
			return true;
	return false;
}

static bool
read_policy(struct read_settings *r, const char *chain, uint64_t type)
{
	struct policy *p = &r->policies[r->npolicies++];
	char key[24], why[128];

	snprintf(key, sizeof key, "tiers_%s", type_name(type));
	if (!span_cstr(span_str(chain), p->chain, sizeof p->chain))
		return wrong("chain", chain, "", "a name is longer than 32 bytes");
	p->type = type;
	p->max_attempts = settings_num(r->s, "chain", chain, "max_attempts");
	p->chooser = chooser_find(settings_text(r->s, "chain", chain, "chooser"));
	if (!p->chooser)
		return wrong("chain", chain, "chooser", "there is no such chooser");
	if (!policy_tiers(p, settings_text(r->s, "chain", chain, key), why))
		return wrong("chain", chain, key, why);
	for (size_t i = 0; i < p->n; i++)
		if (!is_provider(r, p->members[i].name)) {
			snprintf(why, sizeof why, "%s has no section [provider %s]", p->members[i].name, p->members[i].name);
			return wrong("chain", chain, key, why);
		}
	return true;
}

/* Every chain of the file, or the one that this instance serves. */
static bool
read_chains(struct read_settings *r, const char *only)
{
	const char *name;
	size_t n = 0;

	while (settings_name(r->s, "chain", n))
		n++;
	r->policies = xzalloc((n * TYPE_MAX + 1) * sizeof *r->policies);
	for (size_t i = 0; (name = settings_name(r->s, "chain", i)); i++)
		for (uint64_t t = TYPE_CHUNK; t <= TYPE_MAX; t++)
			if ((!*only || strcmp(name, only) == 0) && !read_policy(r, name, t))
				return false;
	if (r->npolicies)
		return true;
	return wrong("chain", *only ? only : "NAME", "", "there is no such section, so nothing to allocate");
}

static bool
read_all(struct read_settings *r, struct stage *st)
{
	const char *name;

	r->s = stage_settings(st);
	r->providers = xzalloc(PROVIDERS_MAX * sizeof *r->providers);
	r->capacity = xzalloc(PROVIDERS_MAX * sizeof *r->capacity);
	for (size_t i = 0; (name = settings_name(r->s, "provider", i)); i++)
		if (!read_provider(r, name))
			return false;
	return read_chains(r, stage_text(st, "chain"));
}

int
allocate_start(struct stage *st)
{
	struct read_settings r = { 0 };
	bool good = read_all(&r, st);

	if (good) {
		struct place *p = place_new(&(struct place_opts){ r.policies, r.npolicies, r.providers, r.nproviders });
		stage_set_own(st, p);
		if (stage_books(st))
			place_bind(p, stage_books(st));
		else
			place_assume(p, r.capacity, r.nproviders);
	}
	free(r.policies);
	free(r.providers);
	free(r.capacity);
	return good ? EXIT_DONE : EXIT_USAGE;
}

void
allocate_stop(struct stage *st)
{
	struct place *p = stage_own(st);

	place_free(&p);
	stage_set_own(st, NULL);
}

void
allocate_act(struct stage *st, struct held *h)
{
	place_act(stage_own(st), h);
}

void
allocate_answer(struct stage *st, uint64_t token, uint64_t code, const struct row *first)
{
	place_answer(stage_own(st), token, code, first);
}

void
allocate_levels(struct stage *st, struct tick *t)
{
	place_levels(stage_own(st), t);
}

void
allocate_news(struct stage *st, const struct news *n)
{
	place_news(stage_own(st), n);
}

void
allocate_reset(struct stage *st)
{
	place_reset(stage_own(st));
}

void
allocate_filter(struct stage *st, struct row *row)
{
	place_alone(stage_own(st), row);
	stage_emit(st, row);
	free(row);
	stage_filtered(st);
}
