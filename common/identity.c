/* identity.c - prover identities at one Coordinator.  See identity.h.
 *
 * Signing in is two calls, challenge and login.  An identity does it for its calls
 * that wait, or because it is kept.  Connections of logins are used again, those
 * of calls are not. */
#include "common/identity.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "common/diag.h"
#include "common/file.h"
#include "common/map.h"
#include "common/num.h"
#include "common/random.h"
#include "common/rows.h"

enum {
	SEED_BYTES	= 32,
	MARGIN_MS	= 30 * 1000,	/* a token is renewed this long before its end, or a quarter of its life */
	LOGIN_BYTES	= 1 << 20,	/* largest answer to a login */
};

struct identity;

/* A call as an identity: waits for a token, then is under way. */
struct call {
	struct identity		*me;
	struct identity_ask	 ask;
	struct coord_request	 request;
	struct http_call	*http;		/* NULL: waits */
	bool			 again;		/* it met a token that was no good */
	char			 why[200];	/* it could not be made */
	enum code		 code;
	struct call		*next;
};

struct identity {
	struct identities	*all;
	uint32_t		 index;
	struct ecsig_key	 key;
	char			 pubkey[67];
	bool			 kept, told;	/* told: what changed() heard last */
	struct coord_token	 token;
	uint64_t		 ends_ms, renew_ms;	/* clock_ms; ends_ms 0: no token */
	struct http_call	*http;		/* a login under way */
	struct coord_request	 request;
	uint64_t		 asked_ms;	/* when the challenge was answered: the token is younger */
	struct buf		 challenge;
	struct backoff		 refused;
	struct call		*waiting;
};

struct identities {
	struct identity_opts	 o;
	char			*coordinator, *url, *prover, *version, *vks;
	uint8_t			 seed[SEED_BYTES];
	struct map		 map;
	struct backoff		 away;
	uint64_t		 next_login_ms;		/* logins of kept ones are staggered */
	size_t			 logins;		/* under way */
	uint64_t		 draw;
	struct call		*calls;			/* under way */
	struct call		*failed;		/* to be told so in the next turn */
	struct loop_timer	 timer;
};

static void go_on(void *arg);

/* --- the seed --- */

static int
make_seed(const char *path, uint8_t seed[SEED_BYTES])
{
	struct buf text = { 0 };

	random_bytes(seed, SEED_BYTES);
	num_put_hex(&text, (struct span){ seed, SEED_BYTES });
	buf_putc(&text, '\n');
	int rc = file_make(path, SPAN_OF(&text)), saved = errno;
	random_wipe(text.p, text.n);
	buf_free(&text);
	errno = saved;
	return rc;
}

static int
wrong_seed(char *why, const char *path, const char *what)
{
	snprintf(why, 256, "%s: %s", path, what);
	return EXIT_USAGE;
}

/* errno says what; a later start may find it well, unless a person has to mend it. */
static int
no_seed(char *why, const char *path)
{
	static const int passing[] = { ENOSPC, EDQUOT, EIO, EMFILE, ENFILE, ENOMEM };
	int was = errno;
	int status = wrong_seed(why, path, strerror(was));

	for (size_t i = 0; i < NELEM(passing); i++)
		if (was == passing[i])
			status = EXIT_SYSTEM;
	return status;
}

static int
read_seed(int fd, const char *path, uint8_t seed[SEED_BYTES], char *why)
{
	char text[80];
	struct stat st;

	if (fstat(fd, &st) != 0)
		return no_seed(why, path);
	if (!S_ISREG(st.st_mode) || (st.st_mode & 077))
		return wrong_seed(why, path, "the seed is open to others: chmod 600, and ask yourself who has read it");
	if (st.st_size == 0)
		return wrong_seed(why, path, "it is empty: put your copy of it back.  If there never was a seed in it (a first "
		    "start was cut off), remove it: the next start makes one");
	ssize_t n = read(fd, text, sizeof text);
	if (n < 0)
		return no_seed(why, path);
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	bool ok = num_hex((struct span){ (uint8_t *)text, (size_t)n }, false, seed, SEED_BYTES);
	random_wipe(text, sizeof text);
	return ok ? 0 : wrong_seed(why, path, "the seed is 64 hexadecimal digits and nothing else");
}

/* The directory that is to hold it, when only that is missing. */
static void
make_parent(const char *path)
{
	char *dir = xstrdup(path), *slash = strrchr(dir, '/');

	if (slash && slash != dir) {
		*slash = '\0';
		if (mkdir(dir, 0700) != 0 && errno != EEXIST)
			diag(DIAG_WARN, "no-directory", "path=%s why=%s", diag_quote(dir), diag_quote(strerror(errno)));
	}
	free(dir);
}

int
identity_seed(const char *path, bool make, uint8_t seed[SEED_BYTES], char *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0 && errno == ENOENT && make) {
		make_parent(path);
		if (make_seed(path, seed) == 0)
			return 0;
		if (errno == EEXIST)	/* another was faster */
			fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	}
	if (fd < 0)
		return no_seed(why, path);
	int rc = read_seed(fd, path, seed, why);
	close(fd);
	return rc;
}

char *
identity_seed_path(const struct settings *s, const char *coordinator)
{
	const char *path = settings_text(s, "coordinator", coordinator, "seed");

	if (*path)
		return xstrdup(path);
	return xprintf("%s/task-fetch/seed", settings_text(s, "prova", NULL, "state_dir"));
}

/* --- settings --- */

static void
prover_types(struct identity_opts *o, uint64_t types)
{
	o->ntypes = 0;
	if (o->fields == 6) {
		o->types[o->ntypes++] = 3;
		return;
	}
	if (types & 1 << TYPE_CHUNK)
		o->types[o->ntypes++] = 1;
	if (types & (1 << TYPE_BATCH | 1 << TYPE_BUNDLE))
		o->types[o->ntypes++] = 2;
}

void
identity_settings(struct identity_opts *o, const struct settings *s, const char *section, const char *name)
{
	o->coordinator = name;
	o->url = settings_text(s, section, name, "url");
	o->prover = settings_text(s, section, name, "name_prefix");
	o->version = settings_text(s, section, name, "version");
	o->fields = strcmp(settings_text(s, section, name, "signature"), "6") == 0 ? 6 : 5;
	o->provider = (uint8_t)settings_num(s, section, name, "provider_type");
	prover_types(o, type_set(settings_text(s, section, name, "types")));
	o->vks = settings_text(s, section, name, "vks");
	o->timeout_ms = settings_num(s, section, name, "timeout");
	o->stagger_ms = settings_num(s, section, name, "stagger");
	o->backoff_max_ms = settings_num(s, section, name, "backoff_max");
	o->backoff_ms = MIN2(500, o->backoff_max_ms);
}

/* --- the set --- */

struct identities *
identities_new(const struct identity_opts *o)
{
	struct identities *s = xzalloc(sizeof *s);

	s->o = *o;
	s->coordinator = xstrdup(o->coordinator);
	s->url = xstrdup(o->url);
	for (size_t n = strlen(s->url); n > 0 && s->url[n - 1] == '/'; )
		s->url[--n] = '\0';
	s->prover = xstrdup(o->prover);
	s->version = xstrdup(o->version);
	s->vks = xstrdup(o->vks);
	memcpy(s->seed, o->seed, SEED_BYTES);
	s->draw = random_u64();
	s->timer = (struct loop_timer){ .fn = go_on, .arg = s };
	return s;
}

static void
free_calls(struct call **list)
{
	struct call *c;

	while ((c = *list)) {
		*list = c->next;
		http_cancel(&c->http);
		coord_request_free(&c->request);
		free(c);
	}
}

static void
free_identity(struct identity *i)
{
	http_cancel(&i->http);
	coord_request_free(&i->request);
	coord_token_free(&i->token);
	buf_free(&i->challenge);
	free_calls(&i->waiting);
	random_wipe(&i->key, sizeof i->key);
	free(i);
}

void
identities_free(struct identities **sp)
{
	struct identities *s = *sp;
	struct identity *i;
	size_t at = 0;

	if (!s)
		return;
	if (s->o.loop)
		loop_timer(s->o.loop, &s->timer, 0);
	free_calls(&s->calls);
	free_calls(&s->failed);
	while ((i = map_next(&s->map, &at)))
		free_identity(i);
	map_free(&s->map);
	random_wipe(s->seed, sizeof s->seed);
	free(s->coordinator);
	free(s->url);
	free(s->prover);
	free(s->version);
	free(s->vks);
	free(s);
	*sp = NULL;
}

void
identities_vks(struct identities *s, const char *vks)
{
	char *copy = xstrdup(vks);

	free(s->vks);
	s->vks = copy;
}

static bool
has_index(const void *value, const void *arg)
{
	return ((const struct identity *)value)->index == *(const uint32_t *)arg;
}

static struct identity *
look(const struct identities *s, uint32_t index)
{
	return map_get(&s->map, map_mix(index, 0), has_index, &index);
}

static struct identity *
identity(struct identities *s, uint32_t index)
{
	struct identity *i = look(s, index);
	struct buf text = { 0 };

	if (i)
		return i;
	i = xzalloc(sizeof *i);
	i->all = s;
	i->index = index;
	coord_identity(s->seed, index, &i->key);
	coord_key_text(&i->key, &text);
	snprintf(i->pubkey, sizeof i->pubkey, "%s", buf_cstr(&text));
	buf_free(&text);
	map_put(&s->map, map_mix(index, 0), i);
	return i;
}

const char *
identity_pubkey(struct identities *s, uint32_t index)
{
	return identity(s, index)->pubkey;
}

static void
soon(struct identities *s)
{
	loop_timer(s->o.loop, &s->timer, MAX2(clock_ms(), 1));
}

void
identity_keep(struct identities *s, uint32_t index)
{
	identity(s, index)->kept = true;
	soon(s);
}

static bool
has_token(const struct identity *i)
{
	return i->ends_ms && clock_ms() < i->ends_ms;
}

bool
identity_signed_in(const struct identities *s, uint32_t index)
{
	const struct identity *i = look(s, index);

	return i && has_token(i);
}

static void
tell(struct identity *i)
{
	bool yes = has_token(i);

	if (yes == i->told || !i->kept)
		return;
	i->told = yes;
	if (i->all->o.changed)
		i->all->o.changed(i->all->o.arg, i->index, yes);
}

static void
drop_token(struct identity *i)
{
	i->ends_ms = i->renew_ms = 0;
	tell(i);
	soon(i->all);
}

/* --- calls --- */

static void
unlink_call(struct call **list, struct call *c)
{
	for (; *list; list = &(*list)->next)
		if (*list == c) {
			*list = c->next;
			return;
		}
}

static void
wait_for_token(struct call *c)
{
	struct call **at = &c->me->waiting;

	while (*at)
		at = &(*at)->next;
	c->next = NULL;
	*at = c;
	soon(c->me->all);
}

/* Its end without having been made is told in the next turn. */
static void
fail_call(struct call *c, enum code code, const char *why)
{
	c->code = code;
	snprintf(c->why, sizeof c->why, "%s", why);
	c->next = c->me->all->failed;
	c->me->all->failed = c;
	soon(c->me->all);
}

static void
end_call(struct call *c, const struct identity_answer *a)
{
	c->ask.done(c->ask.arg, a);
	coord_request_free(&c->request);
	free(c);
}

static void
call_done(void *arg, struct http_answer *h)
{
	struct call *c = arg;
	struct identity *me = c->me;
	static const enum code codes[] = {
		[HTTP_OK] = CODE_OK, [HTTP_NOT_SENT] = CODE_COORD_AWAY, [HTTP_NO_ANSWER] = CODE_COORD_AWAY,
		[HTTP_TOO_LARGE] = CODE_COORD_BAD, [HTTP_TIMEOUT] = CODE_COORD_AWAY,
	};
	struct identity_answer a = { .fail = h->fail, .status = h->status, .body = SPAN_OF(&h->body),
	    .code = codes[h->fail], .error = h->error ? h->error : "", .last = c->again };

	c->http = NULL;
	unlink_call(&me->all->calls, c);
	if (h->fail != HTTP_OK || c->again) {
		a.last = true;
		end_call(c, &a);
		return;
	}
	if (!c->ask.done(c->ask.arg, &a)) {
		coord_request_free(&c->request);
		free(c);
		return;
	}
	c->again = true;
	coord_request_free(&c->request);
	drop_token(me);
	wait_for_token(c);
}

static char *
url_of(const struct identities *s, const struct coord_request *r)
{
	return xprintf("%s%s", s->url, r->path);
}

static void
begin_call(struct call *c)
{
	struct identities *s = c->me->all;

	memset(&c->request, 0, sizeof c->request);
	if (!c->ask.make(c->ask.arg, SPAN_OF(&c->me->token.text), &c->request)) {
		coord_request_free(&c->request);
		fail_call(c, CODE_BLOB_IO, "the request cannot be made");
		return;
	}
	char *url = url_of(s, &c->request);
	struct http_req r = { .method = c->request.method, .url = url, .headers = c->request.headers,
	    .body = SPAN_OF(&c->request.body), .body_borrowed = true, .timeout_ms = (unsigned)c->ask.timeout_ms,
	    .max_bytes = c->ask.max_bytes, .fresh = true };
	c->next = s->calls;
	s->calls = c;
	c->http = http_start(s->o.http, &r, call_done, c);
	free(url);
}

void
identity_call(struct identities *s, uint32_t index, const struct identity_ask *ask)
{
	struct call *c = xzalloc(sizeof *c);

	c->me = identity(s, index);
	c->ask = *ask;
	if (ask->renew)
		drop_token(c->me);
	if (has_token(c->me) && clock_ms() < c->me->renew_ms)
		begin_call(c);
	else
		wait_for_token(c);
}

static void
tell_failed(struct identities *s)
{
	struct call *c, *list = s->failed;

	s->failed = NULL;
	while ((c = list)) {
		list = c->next;
		struct identity_answer a = { .fail = HTTP_NOT_SENT, .code = c->code, .error = c->why, .last = true };
		end_call(c, &a);
	}
}

/* Calls that wait cannot be made now: each is told so. */
static void
fail_waiting(struct identity *i, enum code code, const char *why)
{
	struct call *c;

	while ((c = i->waiting)) {
		i->waiting = c->next;
		fail_call(c, code, why);
	}
}

/* --- signing in --- */

static void
say_away(struct identities *s)
{
	if (s->o.away)
		s->o.away(s->o.arg, s->away.tries ? s->away.since_ms : 0);
}

static void
login_over(struct identity *i)
{
	coord_request_free(&i->request);
	i->all->logins--;
	soon(i->all);
}

/* No answer, or none that can be understood: so it is for all identities. */
static void
login_failed(struct identity *i, enum code code, const char *why)
{
	struct identities *s = i->all;

	if (!backoff_waits(&s->away)) {
		uint64_t wait = backoff_fail(&s->away, s->o.backoff_ms, s->o.backoff_max_ms, &s->draw);
		diag(DIAG_WARN, "login-failed", "coordinator=%s identity=%" PRIu32 " code=%s again_ms=%" PRIu64 " why=%s",
		    s->coordinator, i->index, code_word(code), wait, diag_quote(why));
		say_away(s);
	}
	fail_waiting(i, code, why);
	login_over(i);
}

static void
login_answered(struct identities *s)
{
	if (s->away.tries == 0)
		return;
	diag(DIAG_INFO, "coordinator-back", "coordinator=%s away_ms=%" PRIu64, s->coordinator, clock_ms() - s->away.since_ms);
	backoff_ok(&s->away);
	say_away(s);
}

static void
login_refused(struct identity *i, const struct coord_answer *a)
{
	struct identities *s = i->all;
	uint64_t wait = backoff_fail(&i->refused, s->o.backoff_ms, s->o.backoff_max_ms, &s->draw);

	login_answered(s);
	diag(DIAG_ERROR, "login-refused", "coordinator=%s identity=%" PRIu32 " pubkey=%s code=%s again_ms=%" PRIu64 " why=%s",
	    s->coordinator, i->index, i->pubkey, code_word(CODE_LOGIN_REFUSED), wait, diag_quote(a->errmsg));
	fail_waiting(i, CODE_LOGIN_REFUSED, a->errmsg);
	login_over(i);
}

/* True: the answer is a token. */
static bool
read_token(struct identity *i, struct http_answer *h, struct coord_token *token)
{
	struct coord_answer a = { 0 };

	if (h->fail != HTTP_OK) {
		login_failed(i, h->fail == HTTP_TOO_LARGE ? CODE_COORD_BAD : CODE_COORD_AWAY, h->error ? h->error : "no answer");
		return false;
	}
	enum coord_outcome o = coord_read_token(h->status, SPAN_OF(&h->body), &a, token);
	if (o == COORD_DONE)
		return true;
	if (o == COORD_GARBAGE)
		login_failed(i, CODE_COORD_BAD, a.errmsg);
	else
		login_refused(i, &a);
	return false;
}

/* How long the token lives, counted from when the login was asked for.  Not known: an hour; the Coordinator will
 * say when it is over. */
static uint64_t
life_ms(const struct coord_token *t)
{
	uint64_t now_s = clock_wall_ms() / 1000;

	if (t->life_s)
		return t->life_s * 1000;
	if (t->exp_s)
		return t->exp_s > now_s ? (t->exp_s - now_s) * 1000 : 0;
	return 3600 * 1000;
}

static void
take_token(struct identity *i, struct coord_token *t)
{
	uint64_t life = life_ms(t);

	coord_token_free(&i->token);
	i->token = *t;
	*t = (struct coord_token){ 0 };
	/* whole seconds: it may end up to one earlier */
	i->ends_ms = i->asked_ms + MAX2(life, 2000) - 1000;
	i->renew_ms = i->ends_ms - MIN2(MARGIN_MS, (i->ends_ms - i->asked_ms) / 4);
}

static void
login_done(void *arg, struct http_answer *h)
{
	struct identity *i = arg;
	struct coord_token token = { 0 };
	struct call *c;

	i->http = NULL;
	if (!read_token(i, h, &token)) {
		coord_token_free(&token);
		return;
	}
	login_answered(i->all);
	backoff_ok(&i->refused);
	take_token(i, &token);
	login_over(i);
	diag(DIAG_DEBUG, "signed-in", "coordinator=%s identity=%" PRIu32 " for_ms=%" PRIu64, i->all->coordinator,
	    i->index, i->ends_ms - clock_ms());
	tell(i);
	while ((c = i->waiting)) {
		i->waiting = c->next;
		begin_call(c);
	}
}

static void
start_login_call(struct identity *i, http_done_fn *done)
{
	struct identities *s = i->all;
	char *url = url_of(s, &i->request);
	struct http_req r = { .method = i->request.method, .url = url, .headers = i->request.headers,
	    .body = SPAN_OF(&i->request.body), .body_borrowed = true, .timeout_ms = (unsigned)s->o.timeout_ms,
	    .max_bytes = LOGIN_BYTES };

	i->http = http_start(s->o.http, &r, done, i);
	free(url);
}

static void
put_vks(struct coord_login *l, const char *words)
{
	for (words += strspn(words, " \t,"); *words; words += strspn(words, " \t,")) {
		size_t n = strcspn(words, " \t,");
		l->vks = xrealloc(l->vks, (l->nvks + 1) * sizeof *l->vks);
		l->vks[l->nvks] = (struct buf){ 0 };
		buf_put(&l->vks[l->nvks++], words, n);
		words += n;
	}
}

static void
challenge_done(void *arg, struct http_answer *h)
{
	struct identity *i = arg;
	struct identities *s = i->all;
	struct coord_token token = { 0 };
	struct coord_login l = { .has_provider = s->o.fields == 6, .provider = s->o.provider };

	i->http = NULL;
	i->asked_ms = clock_ms();
	if (read_token(i, h, &token)) {
		buf_put(&l.challenge, token.text.p, token.text.n);
		buf_puts(&l.version, s->version);
		buf_printf(&l.name, "%s_%" PRIu32, s->prover, i->index);
		buf_put(&l.types, s->o.types, s->o.ntypes);
		put_vks(&l, s->vks);
		coord_login_sign(&l, &i->key);
		coord_request_free(&i->request);
		coord_ask_login(&i->request, &l);
		start_login_call(i, login_done);
	}
	coord_login_free(&l);
	coord_token_free(&token);
}

static void
sign_in(struct identity *i)
{
	i->all->logins++;
	coord_ask_challenge(&i->request);
	start_login_call(i, challenge_done);
}

/* When this one is to sign in: 0 not at all. */
static uint64_t
login_at(const struct identity *i)
{
	const struct identities *s = i->all;
	uint64_t at = 1;

	if (i->http || (!i->waiting && !i->kept))
		return 0;
	if (!i->waiting)
		at = MAX2(s->next_login_ms, i->renew_ms);
	if (i->refused.tries)
		at = MAX2(at, i->refused.until_ms);
	if (s->away.tries)
		at = MAX2(at, s->away.until_ms);
	return MAX2(at, 1);
}

/* A call does not wait for a back-off: its caller has its own. */
static void
turn(struct identity *i)
{
	struct identities *s = i->all;
	uint64_t at = login_at(i), now = clock_ms();

	tell(i);
	if (!at)
		return;
	if (at > now) {
		fail_waiting(i, i->refused.tries ? CODE_LOGIN_REFUSED : CODE_COORD_AWAY, "signing in failed a moment ago");
		return;
	}
	if (s->away.tries && s->logins) {	/* one is trying */
		fail_waiting(i, CODE_COORD_AWAY, "the Coordinator does not answer");
		return;
	}
	if (!i->waiting)
		s->next_login_ms = now + s->o.stagger_ms;
	sign_in(i);
}

/* When this identity wants to be looked at next. */
static uint64_t
wake_at(const struct identity *i)
{
	uint64_t at = login_at(i);

	/* one that waits for another's attempt is woken by the end of that */
	if (!at || (i->all->away.tries && i->all->logins))
		at = UINT64_MAX;
	if (i->kept && i->told)
		at = MIN2(at, i->ends_ms);
	return at;
}

static void
go_on(void *arg)
{
	struct identities *s = arg;
	struct identity *i;
	uint64_t next = UINT64_MAX;

	for (size_t at = 0; (i = map_next(&s->map, &at)); )
		turn(i);
	tell_failed(s);
	for (size_t at = 0; (i = map_next(&s->map, &at)); )
		next = MIN2(next, wake_at(i));
	if (s->failed)
		next = 1;
	loop_timer(s->o.loop, &s->timer, next == UINT64_MAX ? 0 : MAX2(next, clock_ms() + 1));
}
