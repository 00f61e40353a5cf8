/* crowd.c - see crowd.h. */
#include "tests/bench/crowd.h"

#include "common/clock.h"
#include "common/diag.h"
#include "common/wire.h"

enum { MOVE_BYTES = 60000, CHUNKS = 4096 };

/* Moves of one kind of step, asked for in one message; answered in order. */
struct chunk { uint64_t upto; size_t n; enum life_step step; };

struct actor {
	uint64_t	 epoch, term, seq;	/* seq: of the last group asked for */
	bool		 connected, welcome;	/* connected: once at least; welcome: over this connection */
	uint64_t	 answered;		/* results heard, in order */
	struct chunk	 chunks[CHUNKS];
	size_t		 first, n;
};

struct crowd {
	struct crowd_opts o;
	struct actor	 actors[LIFE_ACTORS];
	uint64_t	 sent[LIFE_STEPS], done[LIFE_STEPS];
	uint64_t	 identities, identities_done, answers;
	struct wire	*in;
	struct buf	 body, out;
};

struct crowd *
crowd_new(const struct crowd_opts *o)
{
	struct crowd *c = xzalloc(sizeof *c);

	c->o = *o;
	c->in = wire_new();
	return c;
}

void
crowd_free(struct crowd **cp)
{
	struct crowd *c = *cp;

	if (!c)
		return;
	wire_free(&c->in);
	buf_free(&c->body);
	buf_free(&c->out);
	free(c);
	*cp = NULL;
}

static struct wire_head
head(const struct actor *a)
{
	return (struct wire_head){ a->epoch, a->term, clock_wall_ms() };
}

static void
send(struct crowd *c, enum life_actor who)
{
	c->o.send(c->o.arg, who, SPAN_OF(&c->out));
	buf_reset(&c->out);
}

static void
say_hello(struct crowd *c, enum life_actor who)
{
	struct wire_head h = head(&c->actors[who]);
	char inbox[64];

	snprintf(inbox, sizeof inbox, "ipc:///run/prova/%s.inbox", life_instances[who]);
	wire_put_hello(&c->out, &h, &(struct wire_hello){ life_instances[who], life_kinds[who], inbox, "active", "" });
	send(c, who);
}

void
crowd_connected(struct crowd *c, enum life_actor who)
{
	c->actors[who].connected = true;
	c->actors[who].welcome = false;
	say_hello(c, who);
}

void
crowd_cut_off(struct crowd *c)
{
	for (enum life_actor who = 0; who < LIFE_ACTORS; who++)
		c->actors[who].welcome = false;
}

/* A ledger that has just begun drops what it hears before its store is open: HELLO again, then. */
void
crowd_tick(struct crowd *c)
{
	static struct tick tick;

	for (enum life_actor who = 0; who < LIFE_ACTORS; who++) {
		struct wire_head h = head(&c->actors[who]);
		if (!c->actors[who].welcome) {
			if (c->actors[who].connected)
				say_hello(c, who);
			continue;
		}
		snprintf(tick.provider, sizeof tick.provider, "%s", who == LIFE_DISPATCH ? LIFE_PROVIDER : "");
		wire_put_tick(&c->out, &h, 0, &tick);
		send(c, who);
	}
}

/* --- up --- */

/* Job `k` of a ledger that nobody else uses, before a step: the first has id 1 everywhere. */
static struct life
life_of(const struct crowd *c, uint64_t k, enum life_step step)
{
	static const uint64_t job_rev[LIFE_STEPS] = { 0, 1, 2, 3, 3, 3, 3, 4 };
	static const uint64_t attempt_rev[LIFE_STEPS] = { 0, 0, 0, 1, 2, 3, 4, 4 };

	return (struct life){ .job = k + 1, .job_rev = job_rev[step], .work = k + 1, .work_rev = 2, .attempt = k + 1,
	    .attempt_rev = attempt_rev[step], .identity = k % c->o.open, .number = k,
	    .owner = life_instances[LIFE_DISPATCH], .wall_ms = clock_wall_ms() };
}

static void
put(struct crowd *c, enum life_step step, uint64_t k)
{
	static struct life_group g;

	if (c->identities < c->o.open) {
		life_identity(&g, c->identities++);
	} else {
		struct life l = life_of(c, k, step);
		life_group(&g, step, &l);
	}
	wire_put_group(&c->body, g.items, g.n);
}

/* One message of up to n moves of a step; how many fitted. */
static size_t
ask(struct crowd *c, enum life_step step, size_t n)
{
	struct actor *a = &c->actors[life_actor_of[step]];
	struct wire_head h = head(a);
	size_t i = 0;

	if (a->n == CHUNKS)
		return 0;
	buf_reset(&c->body);
	for (; i < n && i < c->o.groups && c->body.n < MOVE_BYTES - 2000; i++)
		put(c, step, c->sent[step] + i);
	wire_put_move(&c->out, &h, a->seq + 1, i, SPAN_OF(&c->body));
	a->seq += i;
	a->chunks[(a->first + a->n++) % CHUNKS] = (struct chunk){ a->seq, i, step };
	send(c, life_actor_of[step]);
	return i;
}

static uint64_t
possible(const struct crowd *c, enum life_step step)
{
	uint64_t before = step ? c->done[step - 1] : MIN2(c->o.jobs, c->done[c->o.last] + c->o.open);

	return before - c->sent[step];
}

/* From the last step to the first: what is nearly through goes on before new ones begin. */
void
crowd_turn(struct crowd *c)
{
	while (c->identities < c->o.open && c->actors[LIFE_FETCH].welcome)
		if (!ask(c, LIFE_FETCHED, c->o.open - c->identities))
			return;
	if (!crowd_welcome(c))
		return;
	for (int step = (int)c->o.last; step >= 0; step--) {
		uint64_t n = possible(c, (enum life_step)step);
		while (n) {
			size_t asked = ask(c, (enum life_step)step, n);
			if (!asked)
				break;
			c->sent[step] += asked;
			n -= asked;
		}
	}
}

/* --- down --- */

static void
settle(struct crowd *c, struct actor *a)
{
	while (a->n && a->chunks[a->first].upto <= a->answered) {
		const struct chunk *k = &a->chunks[a->first];
		a->first = (a->first + 1) % CHUNKS;
		a->n--;
		if (c->identities_done < c->o.open)
			c->identities_done += k->n;
		else
			c->done[k->step] += k->n;
	}
}

static void
on_done(struct crowd *c, struct actor *a, const struct wire *w)
{
	if (w->code == CODE_GAP)
		die(EXIT_NO, "a gap: %" PRIu64 " is expected", w->seq);
	c->answers++;
	for (size_t i = 0; i < w->nresults; i++) {
		const struct wire_result *r = &w->results[i];
		if (r->code != CODE_OK)
			die(EXIT_NO, "seq %" PRIu64 ": %s", r->seq, code_word(r->code));
		if (r->seq != a->answered + 1)
			die(EXIT_NO, "seq %" PRIu64 " is answered behind %" PRIu64, r->seq, a->answered);
		a->answered = r->seq;
	}
	settle(c, a);
}

void
crowd_hear(struct crowd *c, enum life_actor who, struct span message)
{
	struct actor *a = &c->actors[who];
	char why[128];

	if (!wire_read(c->in, message, why))
		die(EXIT_BUG, "not a message: %s", why);
	/* STANDBY: a new term has begun, and our HELLO in it is on its way */
	if (c->in->kind == WIRE_FENCED || (c->in->kind == WIRE_REFUSE && c->in->code != CODE_STANDBY))
		die(EXIT_NO, "%s: %s", life_instances[who], code_word(c->in->code));
	if (c->in->kind == WIRE_WELCOME) {
		a->epoch = c->in->epoch;
		a->term = c->in->term;
		a->welcome = true;
	}
	if (c->in->kind == WIRE_DONE)
		on_done(c, a, c->in);
}

bool
crowd_welcome(const struct crowd *c)
{
	for (enum life_actor who = 0; who < LIFE_ACTORS; who++)
		if (!c->actors[who].welcome)
			return false;
	return c->identities_done >= c->o.open;
}

uint64_t
crowd_done(const struct crowd *c)
{
	return c->done[c->o.last];
}

uint64_t
crowd_answers(const struct crowd *c)
{
	return c->answers;
}

void
crowd_more(struct crowd *c, uint64_t jobs)
{
	c->o.jobs += jobs;
}
