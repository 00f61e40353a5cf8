/* policy.c - who gets a work.  See policy.h. */
#include "cmd/allocate/policy.h"

#include "common/codes.h"

struct candidate {
	const char		*name;
	unsigned		 tier;
	const struct provider	*provider;	/* NULL: not heard */
	uint64_t		 code;		/* OK: still in */
};

struct field_of {		/* of candidates, in order of tier, then as written or by name */
	struct candidate	c[PROVIDERS_MAX];
	size_t			n;
};

/* A failure after which the same provider may be asked again when there is no other: it
 * was an accident, not a judgement about this work. */
static const uint64_t accidents[] = {
	CODE_BLOB_IO, CODE_PLUGIN_EXIT, CODE_PLUGIN_HANG, CODE_PLUGIN_GARBAGE, CODE_PLUGIN_START,
	CODE_PROVER_RETRY, CODE_SEND_BY_MISSED, CODE_NOT_THERE, CODE_PROOF_TIMEOUT, CODE_LEASE_LOST, CODE_NO_TAKER,
};

/* --- reading tiers --- */

static bool
add_member(struct policy *p, struct span word, unsigned tier, char *why)
{
	struct member *m = &p->members[p->n];

	if (p->n == PROVIDERS_MAX)
		return snprintf(why, 128, "more than %d providers", PROVIDERS_MAX), false;
	if (!span_cstr(word, m->name, sizeof m->name))
		return snprintf(why, 128, "%.*s: longer than 32 bytes", SPAN_ARG(word)), false;
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->members[i].name, m->name) == 0)
			return snprintf(why, 128, "%s stands there twice", m->name), false;
	m->tier = tier;
	p->n++;
	return true;
}

bool
policy_tiers(struct policy *p, const char *text, char *why)
{
	unsigned tier = 0;
	bool empty = true;

	p->n = 0;
	for (const char *s = text; *s; ) {
		size_t n = strcspn(s, " \t|");
		if (n && !add_member(p, (struct span){ (const uint8_t *)s, n }, tier, why))
			return false;
		empty = empty && n == 0;
		s += n;
		if (*s == '|' && empty)
			return snprintf(why, 128, "a tier without a provider"), false;
		if (*s == '|') {
			tier++;
			empty = true;
		}
		s += *s != '\0';
	}
	if (tier && empty)
		return snprintf(why, 128, "a tier without a provider"), false;
	return true;
}

/* --- the steps --- */

static const struct provider *
find_provider(const struct provider *all, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(all[i].name, name) == 0)
			return &all[i];
	return NULL;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct candidate *)a)->name, ((const struct candidate *)b)->name);
}

static void
line_up(struct field_of *f, const struct policy *p, const struct provider *all, size_t n)
{
	f->n = 0;
	for (size_t i = 0; i < p->n; i++)
		f->c[f->n++] = (struct candidate){ p->members[i].name, p->members[i].tier,
		    find_provider(all, n, p->members[i].name), CODE_OK };
	for (size_t i = 0; p->n == 0 && i < n && f->n < PROVIDERS_MAX; i++)
		f->c[f->n++] = (struct candidate){ all[i].name, 0, &all[i], CODE_OK };
	if (p->n == 0)
		qsort(f->c, f->n, sizeof f->c[0], by_name);
}

static bool
is_able(const struct policy *p, const struct provider *v)
{
	return pools_for(&v->slots, p->type) && (!*v->only || strcmp(v->only, p->chain) == 0);
}

static void
check_eligible(struct field_of *f, const struct policy *p)
{
	for (size_t i = 0; i < f->n; i++) {
		struct candidate *c = &f->c[i];
		if (!c->provider || pools_all(&c->provider->slots) == 0)
			c->code = CODE_SILENT;
		else if (!is_able(p, c->provider))
			c->code = CODE_NOT_ABLE;
		else if (!pools_fit(&c->provider->slots, c->provider->used, p->type))
			c->code = CODE_NO_SLOT;
	}
}

static bool
is_accident(struct span word)
{
	for (size_t i = 0; i < NELEM(accidents); i++)
		if (span_is(word, code_word(accidents[i])))
			return true;
	return false;
}

/* Did it fail this work?  *judged: in a way that another try would not change. */
static bool
has_failed(struct span tried, const char *name, bool *judged)
{
	size_t len = strlen(name);
	bool failed = false;

	*judged = false;
	for (size_t at = 0; at < tried.n; ) {
		const uint8_t *word = tried.p + at, *end = memchr(word, ' ', tried.n - at);
		size_t n = end ? (size_t)(end - word) : tried.n - at;
		if (n > len && memcmp(word, name, len) == 0 && word[len] == ':') {
			failed = true;
			*judged |= !is_accident((struct span){ word + len + 1, n - len - 1 });
		}
		at += n + 1;
	}
	return failed;
}

/* Not the one that failed, unless nobody else could ever do it, and it was an accident or only one of many provers. */
static void
check_failed(struct field_of *f, struct span tried)
{
	bool judged, elsewhere = false;

	for (size_t i = 0; i < f->n; i++) {
		bool may = f->c[i].code == CODE_OK || f->c[i].code == CODE_NO_SLOT;
		elsewhere |= may && !has_failed(tried, f->c[i].name, &judged);
	}
	for (size_t i = 0; i < f->n; i++) {
		struct candidate *c = &f->c[i];
		bool may = c->code == CODE_OK || c->code == CODE_NO_SLOT;
		if (may && has_failed(tried, c->name, &judged) && (elsewhere || (judged && !c->provider->many)))
			c->code = CODE_FAILED_BEFORE;
	}
}

/* The first tier with a free provider takes it; those below are only told. */
static void
check_tiers(struct field_of *f)
{
	bool found = false;
	unsigned tier = 0;

	for (size_t i = 0; i < f->n; i++) {
		struct candidate *c = &f->c[i];
		if (c->code != CODE_OK)
			continue;
		if (!found)
			tier = c->tier;
		found = true;
		if (c->tier != tier)
			c->code = CODE_LOWER_TIER;
	}
}

static const struct candidate *
choose(struct field_of *f, const struct policy *p, const struct question *q)
{
	struct contender in[PROVIDERS_MAX];
	struct candidate *of[PROVIDERS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++) {
		const struct provider *v = f->c[i].provider;
		if (f->c[i].code != CODE_OK)
			continue;
		of[n] = &f->c[i];
		in[n++] = (struct contender){ v->name, v->price[p->type], pools_for(&v->slots, p->type), v->served };
	}
	if (n == 0)
		return NULL;
	size_t best = p->chooser->choose(q, in, n, question_draw(q));
	for (size_t i = 0; i < n; i++)
		if (i != best)
			of[i]->code = p->chooser->loser;
	return of[best];
}

/* Why nobody: what ends by itself comes first. */
static uint64_t
why_nobody(const struct field_of *f)
{
	static const uint64_t order[] = { CODE_NO_SLOT, CODE_FAILED_BEFORE };

	for (size_t k = 0; k < NELEM(order); k++)
		for (size_t i = 0; i < f->n; i++)
			if (f->c[i].code == order[k])
				return order[k];
	return CODE_NO_PROVIDER;
}

static void
write_down(const struct field_of *f, const struct candidate *chosen, char *out, size_t size)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < f->n && at < size; i++) {
		const struct candidate *c = &f->c[i];
		at += (size_t)snprintf(out + at, size - at, "%s%s:%s", i ? " " : "", c->name,
		    c == chosen ? "chosen" : code_word(c->code));
	}
}

void
policy_decide(const struct policy *p, const struct question *q, struct span tried,
    const struct provider *all, size_t n, struct verdict *v)
{
	struct field_of f;

	line_up(&f, p, all, n);
	check_eligible(&f, p);
	check_failed(&f, tried);
	check_tiers(&f);
	const struct candidate *chosen = choose(&f, p, q);
	v->chosen = chosen ? chosen->provider : NULL;
	v->price = chosen ? chosen->provider->price[p->type] : 0;
	v->code = chosen ? CODE_OK : why_nobody(&f);
	write_down(&f, chosen, v->reason, sizeof v->reason);
}

bool
policy_names(const struct policy *p, const struct provider *v)
{
	bool member = p->n == 0;

	for (size_t i = 0; i < p->n; i++)
		member |= strcmp(p->members[i].name, v->name) == 0;
	return member && is_able(p, v);
}
