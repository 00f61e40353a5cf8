/* coord_version.c - is a prover new enough?  See coord.h.
 *
 * The Coordinator asks its semver library whether VERSION-z is >= MIN-0, so what
 * stands behind the first dash never makes a version older than its bare tag. */
#include "common/coord.h"

#include "common/num.h"

struct semver {
	uint64_t	part[3];	/* major, minor, patch */
	struct span	pre;		/* p NULL: none */
};

static bool
all_of(struct span s, const char *extra)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || ((s.p[i] | 0x20) >= 'a' && (s.p[i] | 0x20) <= 'z') ||
		    (s.p[i] && strchr(extra, s.p[i]))))
			return false;
	return s.n > 0;
}

static struct span
until(struct span *rest, const char *stops)
{
	struct span head = *rest;

	head.n = 0;
	while (head.n < rest->n && !(rest->p[head.n] && strchr(stops, rest->p[head.n])))
		head.n++;
	rest->p += head.n;
	rest->n -= head.n;
	return head;
}

/* Identifiers between dots, none of them empty. */
static bool
good_identifiers(struct span s)
{
	if (!all_of(s, "-.") || s.p[0] == '.' || s.p[s.n - 1] == '.')
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (s.p[i] == '.' && s.p[i - 1] == '.')
			return false;
	return true;
}

static bool
parse(struct span s, struct semver *v)
{
	*v = (struct semver){ 0 };
	if (s.n && s.p[0] == 'v')
		s = (struct span){ s.p + 1, s.n - 1 };
	struct span core = until(&s, "-+");
	for (int i = 0; ; i++) {
		if (i == 3 || !num_u64(until(&core, "."), &v->part[i]))
			return false;
		if (!core.n)
			break;
		core = (struct span){ core.p + 1, core.n - 1 };
	}
	if (s.n && s.p[0] == '-') {
		s = (struct span){ s.p + 1, s.n - 1 };
		v->pre = until(&s, "+");
		if (!good_identifiers(v->pre))
			return false;
	}
	return !s.n || good_identifiers((struct span){ s.p + 1, s.n - 1 });
}

static int
compare_identifier(struct span a, struct span b)
{
	uint64_t x, y;
	bool a_number = num_u64(a, &x), b_number = num_u64(b, &y);

	if (a_number && b_number)
		return x < y ? -1 : x > y;
	if (a_number != b_number)
		return a_number ? -1 : 1;
	int c = memcmp(a.p, b.p, MIN2(a.n, b.n));
	return c ? c : a.n < b.n ? -1 : a.n > b.n;
}

/* A version without a pre-release is newer than one with. */
static int
compare_pre(struct span a, struct span b)
{
	if (!a.p || !b.p)
		return a.p ? -1 : b.p ? 1 : 0;
	while (a.n && b.n) {
		int c = compare_identifier(until(&a, "."), until(&b, "."));
		if (c)
			return c;
		a = (struct span){ a.p + (a.n > 0), a.n - (a.n > 0) };
		b = (struct span){ b.p + (b.n > 0), b.n - (b.n > 0) };
	}
	return a.n ? 1 : b.n ? -1 : 0;
}

static bool
at_least(const struct semver *v, const struct semver *min)
{
	for (int i = 0; i < 3; i++)
		if (v->part[i] != min->part[i])
			return v->part[i] > min->part[i];
	return compare_pre(v->pre, min->pre) >= 0;
}

bool
coord_version_ok(struct span version, const char *min)
{
	struct buf mine = { 0 }, least = { 0 };
	struct semver v, m;

	buf_put(&mine, version.p, version.n);
	buf_puts(&mine, "-z");
	buf_printf(&least, "%s-0", min);
	bool ok = parse(SPAN_OF(&mine), &v) && parse(SPAN_OF(&least), &m) && at_least(&v, &m);
	buf_free(&mine);
	buf_free(&least);
	return ok;
}
