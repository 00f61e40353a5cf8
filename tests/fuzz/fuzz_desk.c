/* fuzz_desk.c - a whole request, from anybody, gets one answer or goes on to who has the tasks.
 *
 * A kind desk answers the same request the same way when it comes again, and listens to bodies of good tokens only.
 * Input, a line each: "METHOD path", with "?token" or not; s (strict) or k (kind); content type; authorization (T a good
 * login token, C a good challenge, J and claims: a good token that says so, else as it stands); cookies; what is left is
 * the body. */
#include "common/desk.h"
#include "common/jwt.h"

#define NOW_MS	1700000000000

int	LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const struct desk_version versions[] = { { "v4.4.45", "darwin" }, { "*", "any" }, { NULL, NULL } };
static const char *const vks[] = { "vk", NULL };

static char *
take_line(struct span *rest)
{
	const uint8_t *end = memchr(rest->p, '\n', rest->n);
	size_t n = end ? (size_t)(end - rest->p) : rest->n;
	char *line = xprintf("%.*s", (int)n, (const char *)rest->p);

	rest->p += n + (end != NULL);
	rest->n -= n + (end != NULL);
	return line;
}

static char *
bearer(const char *claims)
{
	struct buf token = { 0 };

	jwt_make(&token, span_str(claims), SPAN("s"));
	char *text = xprintf("Bearer %s", buf_cstr(&token));
	buf_free(&token);
	return text;
}

static void
check(enum desk_next next, const struct desk_call *c, const struct desk_reply *r, bool kind)
{
	struct desk_headers h;

	(void)desk_headers(r, &h);
	if (next == DESK_ANSWERED && r->status == 200 && !r->body.n)
		abort();
	if (next != DESK_ANSWERED && (r->body.n || r->status != 200))
		abort();
	if (next == DESK_TASK && kind && (!c->want.ntypes || c->want.ntypes > TYPE_MAX || !c->claims.public_key.n))
		abort();
	if (kind && r->status == 500)
		abort();
}

static char *
authorization(char *line)
{
	static const char login[] = "{\"exp\":9999999999,\"hard_fork_name\":\"f\",\"prover_name\":\"n\",\"prover_version\":\"v\",\"public_key\":\"02\"}";
	char *good = strcmp(line, "T") == 0 ? bearer(login) : strcmp(line, "C") == 0 ? bearer("{\"exp\":9999999999}") :
	    *line == 'J' ? bearer(line + 1) : NULL;

	if (!good)
		return line;
	free(line);
	return good;
}

static enum desk_next
take(struct desk *desk, const struct desk_ask *ask, struct desk_call *call, struct desk_reply *reply)
{
	bool listens = desk_listens(desk, ask, NOW_MS);
	enum desk_next next = desk_take(desk, ask, NOW_MS, call, reply);

	check(next, call, reply, desk->opts.kind);
	if (next != DESK_ANSWERED && !listens)
		abort();
	return next;
}

/* The answer to the same request again; nonces of challenges aside. */
static void
take_again(struct desk *desk, const struct desk_ask *ask, enum desk_next next, const struct desk_reply *first)
{
	struct desk_call call;
	struct desk_reply again;
	bool same = take(desk, ask, &call, &again) == next;

	if (desk->opts.kind && strcmp(ask->method, "POST") == 0 &&
	    (!same || again.status != first->status || !span_eq(SPAN_OF(&again.body), SPAN_OF(&first->body))))
		abort();
	desk_call_free(&call);
	desk_reply_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span rest = { p, n };
	struct desk desk;
	struct desk_call call;
	struct desk_reply reply;

	char *head = take_line(&rest), *which = take_line(&rest), *type = take_line(&rest), *token = take_line(&rest);
	char *cookies = take_line(&rest), *space = strchr(head, ' ');
	if (space)
		*space++ = '\0';
	char *query = strchr(space ? space : "", '?');
	if (query)
		*query++ = '\0';
	token = authorization(token);
	bool kind = *which == 'k';
	desk_init(&desk, &(struct desk_opts){ .secret = SPAN("s"), .challenge_life_s = 60, .login_life_s = 60, .kind = kind,
	    .own_version = "v4.4.70-0-0-0", .min_version = "v4.1.0", .versions = versions, .vks = { [TYPE_CHUNK] = vks } });
	struct desk_ask ask = { .method = head, .path = space ? space : "", .content_type = *type ? type : NULL,
	    .authorization = *token ? token : NULL, .query_token = query, .cookies = *cookies ? cookies : NULL, .body = rest };
	enum desk_next next = take(&desk, &ask, &call, &reply);
	take_again(&desk, &ask, next, &reply);
	desk_call_free(&call);
	desk_reply_free(&reply);
	desk_free(&desk);
	free(head);
	free(which);
	free(type);
	free(token);
	free(cookies);
	return 0;
}
