/* faults.c - what prova-devnet does wrong on demand.  See faults.h. */
#include "cmd/devnet/faults.h"

#include "common/json.h"
#include "common/num.h"

enum { MICRO = 1000000 };

enum {
	AT_TASK		= 1 << COORD_GET_TASK,
	AT_SUBMIT	= 1 << COORD_SUBMIT,
	AT_LOGIN	= 1 << COORD_LOGIN,
	AT_L2		= 1 << FAULT_L2,
	ANYWHERE	= (1 << FAULT_PLACES) - 1,
};

static const struct {
	const char	*word;
	unsigned	 places;
} places[] = {
	{ "challenge", 1 << COORD_CHALLENGE }, { "login", AT_LOGIN }, { "get_task", AT_TASK }, { "submit_proof", AT_SUBMIT },
	{ "l2", AT_L2 }, { "all", ANYWHERE },
};

enum value { NO_VALUE, SECONDS_VALUE, STATUS_VALUE };

static const struct {
	const char	*word;
	unsigned	 places;	/* where it makes sense */
	enum value	 value;
	uint64_t	 fallback;	/* the value when none is given */
} kinds[] = {
	[FAULT_DELAY]		= { "delay", ANYWHERE, SECONDS_VALUE, 1000 },
	[FAULT_STATUS]		= { "status", ANYWHERE, STATUS_VALUE, 500 },
	[FAULT_DROP]		= { "drop", ANYWHERE, NO_VALUE, 0 },
	[FAULT_LOST]		= { "lost", ANYWHERE, NO_VALUE, 0 },
	[FAULT_HALF]		= { "half", ANYWHERE, NO_VALUE, 0 },
	[FAULT_GARBAGE]		= { "garbage", ANYWHERE, NO_VALUE, 0 },
	[FAULT_EXPIRED]		= { "expired", AT_TASK | AT_SUBMIT, NO_VALUE, 0 },
	[FAULT_INTERNAL]	= { "internal", AT_TASK | AT_SUBMIT, NO_VALUE, 0 },
	[FAULT_WRONG_BLOCK]	= { "wrong-block", AT_L2, NO_VALUE, 0 },
	[FAULT_NULL_RESULT]	= { "null", AT_L2, NO_VALUE, 0 },
	[FAULT_ERROR]		= { "error", AT_L2, NO_VALUE, 0 },
};

/* The part up to the next colon; the last one goes to the end. */
static struct span
part(struct span *rest)
{
	const uint8_t *colon = rest->n ? memchr(rest->p, ':', rest->n) : NULL;
	struct span head = { rest->p, colon ? (size_t)(colon - rest->p) : rest->n };

	rest->p += head.n + (colon != NULL);
	rest->n -= head.n + (colon != NULL);
	return head;
}

static bool
set_place(struct fault *f, struct span word)
{
	for (size_t i = 0; i < NELEM(places); i++)
		if (span_is(word, places[i].word))
			f->places = places[i].places;
	return f->places != 0;
}

static bool
set_value(struct fault *f, struct span text, bool given)
{
	uint64_t micro;

	f->value = kinds[f->kind].fallback;
	if (!given)
		return true;
	if (kinds[f->kind].value == STATUS_VALUE)
		return num_u64(text, &f->value) && f->value >= 400 && f->value <= 599;
	if (kinds[f->kind].value != SECONDS_VALUE || !num_micro(text, &micro))
		return false;
	f->value = micro / 1000;
	return true;
}

static bool
set_kind(struct fault *f, struct span text)
{
	const uint8_t *equals = text.n ? memchr(text.p, '=', text.n) : NULL;
	struct span word = { text.p, equals ? (size_t)(equals - text.p) : text.n };
	struct span value = { word.p + word.n + 1, equals ? text.n - word.n - 1 : 0 };

	for (size_t i = FAULT_NONE + 1; i < NELEM(kinds); i++)
		if (span_is(word, kinds[i].word))
			f->kind = (enum fault_kind)i;
	f->places &= kinds[f->kind].places;
	return f->kind != FAULT_NONE && f->places && set_value(f, value, equals != NULL);
}

bool
faults_add(struct faults *all, const char *text, char *why)
{
	struct span rest = span_str(text);
	struct fault f = { 0 };
	const char *wrong = NULL;

	if (!set_place(&f, part(&rest)))
		wrong = "no such endpoint";
	else if (!set_kind(&f, part(&rest)))
		wrong = "no such kind there, or not a value of it";
	else if (!num_micro(rest, &f.rate) || f.rate > MICRO)
		wrong = "the rate is from 0 to 1";
	if (wrong) {
		snprintf(why, 256, "--fault %.150s: %s", text, wrong);
		return false;
	}
	f.text = xstrdup(text);
	all->list = xrealloc(all->list, (all->nlist + 1) * sizeof *all->list);
	all->list[all->nlist++] = f;
	return true;
}

void
faults_free(struct faults *all)
{
	for (size_t i = 0; i < all->nlist; i++)
		free(all->list[i].text);
	free(all->list);
}

static bool
hits(const struct faults *all, size_t i, unsigned place)
{
	uint64_t draw = map_mix(map_mix(all->seed, all->asked[place]), i * FAULT_PLACES + place);

	return (all->list[i].places >> place & 1) && draw % MICRO < all->list[i].rate;
}

/* Delays come on top of whatever else happens; of that the first. */
struct fate
faults_draw(struct faults *all, unsigned place)
{
	struct fate fate = { 0 };

	all->asked[place]++;
	for (size_t i = 0; i < all->nlist; i++) {
		struct fault *f = &all->list[i];
		if (!hits(all, i, place) || (f->kind != FAULT_DELAY && fate.kind != FAULT_NONE))
			continue;
		f->n++;
		if (f->kind == FAULT_DELAY)
			fate.delay_ms += f->value;
		else
			fate = (struct fate){ .kind = f->kind, .status = f->value, .delay_ms = fate.delay_ms };
	}
	return fate;
}

bool
faults_reply(const struct fate *fate, unsigned place, struct desk_reply *r)
{
	static const char page[] = "<html><body>It works!</body></html>\n";

	*r = DESK_REPLY;
	if (fate->kind == FAULT_STATUS || fate->kind == FAULT_GARBAGE) {
		r->status = fate->kind == FAULT_STATUS ? (unsigned)fate->status : 200;
		r->content_type = "text/html";
		buf_puts(&r->body, page);
	} else if (fate->kind == FAULT_EXPIRED) {
		desk_refuse(r, COORD_T_TOKEN_EXPIRED, "%s", "");
	} else if (fate->kind == FAULT_INTERNAL && place == COORD_GET_TASK) {
		desk_refuse(r, COORD_T_TASK_INTERNAL, "%s", "");
	} else if (fate->kind == FAULT_INTERNAL) {
		desk_refuse(r, COORD_T_SUBMIT_FAILED, COORD_NO_SUCH_TASK);
	} else {
		return false;
	}
	return true;
}

void
faults_report(const struct faults *all, struct buf *out)
{
	buf_putc(out, '{');
	for (size_t i = 0; i < all->nlist; i++) {
		if (i)
			buf_putc(out, ',');
		json_put_str(out, span_str(all->list[i].text), false);
		buf_printf(out, ":%" PRIu64, all->list[i].n);
	}
	buf_putc(out, '}');
}
