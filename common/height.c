/* height.c - how far the L2 nodes are.  See height.h. */
#include "common/height.h"

#include "common/clock.h"
#include "common/codes.h"
#include "common/diag.h"
#include "common/json.h"
#include "common/num.h"
#include "common/url.h"

enum {
	YOUNG_MS	= 3000,		/* a number is good, and nodes that are away left alone, for so long */
	CALL_MS		= 5000,		/* a node is waited for so long at most */
	ANSWER_BYTES	= 64 << 10,
};

struct waiter {
	loop_fn		*fn;
	void		*arg;
	struct waiter	*next;
};

struct height {
	struct loop		*loop;
	struct http		*http;
	char			*urls;
	uint64_t		 timeout_ms;
	uint64_t		 number;
	bool			 known, away;
	uint64_t		 next_ms;	/* not asked before */
	const char		*at;		/* behind the URL being asked; NULL: none is */
	struct http_call	*call;
	struct waiter		*waiting;
};

struct height *
height_new(const struct height_opts *o)
{
	struct height *h = xzalloc(sizeof *h);

	h->loop = o->loop;
	h->http = o->http;
	h->urls = xstrdup(o->urls);
	h->timeout_ms = MIN2(o->timeout_ms, CALL_MS);
	return h;
}

void
height_free(struct height **hp)
{
	struct height *h = *hp;

	*hp = NULL;
	if (!h)
		return;
	http_cancel(&h->call);
	for (struct waiter *w; (w = h->waiting); free(w))
		h->waiting = w->next;
	free(h->urls);
	free(h);
}

bool
height_known(const struct height *h, uint64_t *out)
{
	if (h->known)
		*out = h->number;
	return h->known;
}

bool
height_away(const struct height *h)
{
	return h->away;
}

static void
over(struct height *h, bool answered)
{
	struct waiter *w, *list = h->waiting;

	if (h->away == answered)
		diag(answered ? DIAG_INFO : DIAG_WARN, answered ? "l2-back" : "l2-away", "code=%s last_height=%" PRIu64,
		    code_word(answered ? CODE_OK : CODE_L2_AWAY), h->number);
	h->away = !answered;
	h->next_ms = clock_ms() + YOUNG_MS;
	h->at = NULL;
	h->waiting = NULL;
	while ((w = list)) {
		list = w->next;
		w->fn(w->arg);
		free(w);
	}
}

static bool
read_number(struct span body, uint64_t *number)
{
	struct json *doc = json_parse(body, ANSWER_BYTES, NULL);
	bool ok = num_quantity(json_str(doc, "result"), number);

	json_free(&doc);
	return ok;
}

static void ask_first(struct height *, const char *from);

static void
answered(void *arg, struct http_answer *a)
{
	struct height *h = arg;

	h->call = NULL;
	if (a->fail == HTTP_OK && a->status == 200 && read_number(SPAN_OF(&a->body), &h->number)) {
		h->known = true;
		over(h, true);
		return;
	}
	ask_first(h, h->at);
}

/* Ask the first node of the list from here on; none left: the number stays as it was. */
static void
ask_first(struct height *h, const char *from)
{
	static const char *const headers[] = { "Content-Type: application/json", NULL };
	struct span next;

	if (!url_next(&from, &next)) {
		over(h, false);
		return;
	}
	h->at = from;
	char *url = xprintf("%.*s", SPAN_ARG(next));
	struct http_req r = { .method = "POST", .url = url, .headers = headers, .max_bytes = ANSWER_BYTES,
	    .body = SPAN("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_blockNumber\",\"params\":[]}"),
	    .timeout_ms = (unsigned)h->timeout_ms };
	h->call = http_start(h->http, &r, answered, h);
	free(url);
}

void
height_wait(struct height *h, loop_fn *fn, void *arg)
{
	if (!*h->urls || (!h->at && clock_ms() < h->next_ms)) {
		fn(arg);
		return;
	}
	struct waiter *w = xmalloc(sizeof *w);
	*w = (struct waiter){ .fn = fn, .arg = arg, .next = h->waiting };
	h->waiting = w;
	if (!h->at)
		ask_first(h, h->urls);
}
