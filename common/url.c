/* url.c - see url.h. */
#include "common/url.h"

#include "common/num.h"

/* Behind a scheme; false: it has another. */
static bool
skip(struct span *s, const char *scheme)
{
	size_t n = strlen(scheme);

	if (s->n < n || memcmp(s->p, scheme, n) != 0)
		return false;
	s->p += n;
	s->n -= n;
	return true;
}

static bool
has_blank(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] == 0x7f)
			return true;
	return false;
}

/* Up to the first of these bytes, or to the end. */
static struct span
up_to(struct span s, const char *ends)
{
	size_t n = 0;

	while (n < s.n && !memchr(ends, s.p[n], strlen(ends)))
		n++;
	return (struct span){ s.p, n };
}

/* "HOST", "HOST:PORT", "[v6]:PORT" */
static bool
is_host(struct span s, bool port_needed)
{
	bool v6 = s.n > 0 && s.p[0] == '[';
	size_t host = up_to(s, v6 ? "]" : ":").n + v6;
	uint64_t port;

	if (host > s.n || host <= (v6 ? 2u : 0u))
		return false;
	if (host == s.n)
		return !port_needed;
	return s.p[host] == ':' && num_u64((struct span){ s.p + host + 1, s.n - host - 1 }, &port) && port <= UINT16_MAX;
}

bool
url_good(struct span url)
{
	struct span who;

	if (has_blank(url) || (!skip(&url, "http://") && !skip(&url, "https://")))
		return false;
	url = up_to(url, "/?#");
	who = up_to(url, "@");
	if (who.n < url.n) {
		url.p += who.n + 1;
		url.n -= who.n + 1;
	}
	return is_host(url, false);
}

bool
url_next(const char **at, struct span *out)
{
	static const char between[] = " \t,";

	*at += strspn(*at, between);
	*out = (struct span){ (const uint8_t *)*at, strcspn(*at, between) };
	*at += out->n;
	return out->n > 0;
}

bool
url_endpoint_good(struct span endpoint)
{
	if (skip(&endpoint, "ipc://"))
		return endpoint.n > 0;
	return !has_blank(endpoint) && skip(&endpoint, "tcp://") && is_host(endpoint, true);
}
