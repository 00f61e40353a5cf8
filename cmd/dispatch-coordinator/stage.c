/* stage.c - attempts of one provider to whichever of its provers asks, proofs back.  The instance
 * dispatch-coordinator.NAME serves [provider NAME].  See stage.h. */
#include "cmd/dispatch-coordinator/stage.h"

#include "cmd/dispatch-coordinator/door.h"
#include "common/codes.h"
#include "common/identity.h"
#include "common/num.h"
#include "common/random.h"

#define OWN_VERSION	"v4.4.70-000000-000000-000000"

enum {
	SECRET_BYTES		= 32,
	CHALLENGE_LIFE_S	= 600,
	WORDS_MAX		= 1024,
};

/* Words of a setting; NULL-ended. */
struct words {
	char		*text;
	const char	**list;
};

struct own {
	struct door		*door;
	const char		*provider;
	uint8_t			 secret[SECRET_BYTES];
	struct words		 provers, vks[TYPE_MAX + 1], version_words;
	struct desk_version	*versions;
};

static int
wrong(const char *name, const char *what)
{
	fprintf(stderr, "[provider %s]: %s: %s\n", name, code_word(CODE_SETTING), what);
	return EXIT_USAGE;
}

/* --- settings --------------------------------------------------------------------- */

static void
split(struct words *w, const char *text)
{
	char *save = NULL;
	size_t n = 0;

	w->text = xstrdup(text);
	w->list = xzalloc((strlen(text) / 2 + 2) * sizeof *w->list);
	for (char *word = strtok_r(w->text, " \t", &save); word; word = strtok_r(NULL, " \t", &save))
		w->list[n++] = word;
}

static void
free_words(struct words *w)
{
	free(w->text);
	free(w->list);
}

/* "v4.4.45=darwinV2,darwin *=": none at all is any version, every fork. */
static bool
read_versions(struct own *own, const char *text)
{
	static const struct desk_version any = { "*", "" };
	size_t n = 0;

	split(&own->version_words, text);
	while (own->version_words.list[n])
		n++;
	own->versions = xzalloc((n + 2) * sizeof *own->versions);
	if (n == 0)
		own->versions[0] = any;
	for (size_t i = 0; i < n; i++) {
		char *word = own->version_words.text + (own->version_words.list[i] - own->version_words.text);
		char *equals = strchr(word, '=');
		if (!equals || equals == word)
			return false;
		*equals = '\0';
		own->versions[i] = (struct desk_version){ word, equals + 1 };
	}
	return true;
}

static bool
are_keys(const struct words *w)
{
	uint8_t key[33];

	for (const char **word = w->list; *word; word++)
		if (!num_hex(span_str(*word), false, key, sizeof key))
			return false;
	return true;
}

static bool
read_vks(struct own *own, struct settings *s, const char *name)
{
	bool any = false;

	for (uint64_t t = TYPE_CHUNK; t <= TYPE_MAX; t++) {
		char key[24];
		snprintf(key, sizeof key, "vks_%s", type_name(t));
		split(&own->vks[t], settings_text(s, "provider", name, key));
		any |= own->vks[t].list[0] != NULL;
	}
	return any;
}

/* The section that "farm" names; NULL: there is none. */
static const char *
provider_of(struct settings *s, const char *suffix)
{
	const char *name;

	for (size_t i = 0; (name = settings_name(s, "provider", i)); i++)
		if (strcmp(name, suffix) == 0)
			return name;
	return NULL;
}

static struct court_opts
court_settings(struct stage *st, const struct own *own, uint64_t types)
{
	struct settings *s = stage_settings(st);
	struct court_opts o = {
		.books = stage_books(st), .provider = own->provider, .types = types, .secret = { own->secret, SECRET_BYTES },
		.ahead = settings_num(s, "provider", own->provider, "ahead"),
		.hold_ms = settings_num(s, "provider", own->provider, "hold"),
		.take_ms = settings_num(s, "provider", own->provider, "take"),
		.prove_ms = settings_num(s, "provider", own->provider, "prove_timeout"),
	};

	settings_by_type(s, "provider", own->provider, "price", o.price);
	return o;
}

static struct desk_opts
desk_settings(struct stage *st, struct own *own)
{
	struct settings *s = stage_settings(st);
	const char *min = settings_text(s, "provider", own->provider, "min_version");
	struct desk_opts o = {
		.secret = { own->secret, SECRET_BYTES }, .challenge_life_s = CHALLENGE_LIFE_S,
		.login_life_s = settings_num(s, "provider", own->provider, "login_life") / 1000,
		.min_version = *min ? min : NULL, .own_version = OWN_VERSION, .versions = own->versions, .kind = true,
		.admitted = own->provers.list[0] ? own->provers.list : NULL,
	};

	if (read_vks(own, s, own->provider))
		for (uint64_t t = TYPE_CHUNK; t <= TYPE_MAX; t++)
			o.vks[t] = own->vks[t].list;
	return o;
}

/* --- life ----------------------------------------------------------------------------- */

static int
read_secret(struct stage *st, struct own *own)
{
	char *path = xprintf("%s/secret", stage_state_dir(st)), why[256];
	int rc = identity_seed(path, true, own->secret, why);

	if (rc != 0)
		fprintf(stderr, "%s\n", why);
	free(path);
	return rc;
}

static int
open_door(struct stage *st, struct own *own, uint64_t types)
{
	struct settings *s = stage_settings(st);
	struct door_opts o = {
		.loop = stage_loop(st), .blobs = stage_blobs(st),
		.listen = settings_text(s, "provider", own->provider, "listen"),
		.max_body = settings_num(s, "provider", own->provider, "max_proof"),
		.max_connections = (unsigned)settings_num(s, "provider", own->provider, "connections"),
		.desk = desk_settings(st, own), .court = court_settings(st, own, types),
	};

	own->door = door_new(&o);
	if (own->door)
		return EXIT_DONE;
	fprintf(stderr, "[provider %s] listen = %s: %s\n", own->provider, o.listen, strerror(errno));
	return errno == EINVAL ? EXIT_USAGE : EXIT_SYSTEM;
}

int
dispatch_coordinator_start(struct stage *st)
{
	struct settings *s = stage_settings(st);
	const char *name = provider_of(s, stage_suffix(st));
	struct own *own;

	if (!name)
		return wrong(stage_suffix(st), "there is no such section; the instance dispatch-coordinator.NAME serves [provider NAME] (-I)");
	if (!*settings_text(s, "provider", name, "listen"))
		return wrong(name, "it has no listen; a provider with command is driven by dispatch-exec");
	uint64_t types = type_set(settings_text(s, "provider", name, "types"));
	if (!types)
		return wrong(name, "types has to be some of: chunk batch bundle");
	own = xzalloc(sizeof *own);
	own->provider = name;
	stage_set_own(st, own);
	if (!read_versions(own, settings_text(s, "provider", name, "versions")))
		return wrong(name, "versions has to be like v4.4.45=darwinV2,darwin *=");
	split(&own->provers, settings_text(s, "provider", name, "provers"));
	if (!are_keys(&own->provers))
		return wrong(name, "provers has to be public keys of 66 hexadecimal digits");
	if (stage_checking(st))
		return EXIT_DONE;
	int status = read_secret(st, own);
	return status == EXIT_DONE ? open_door(st, own, types) : status;
}

void
dispatch_coordinator_stop(struct stage *st)
{
	struct own *own = stage_own(st);

	if (!own)
		return;
	door_free(&own->door);
	free_words(&own->provers);
	free_words(&own->version_words);
	for (uint64_t t = TYPE_CHUNK; t <= TYPE_MAX; t++)
		free_words(&own->vks[t]);
	free(own->versions);
	random_wipe(own->secret, sizeof own->secret);
	free(own);
	stage_set_own(st, NULL);
}

/* --- of the skeleton --------------------------------------------------------------------- */

static struct court *
court_of(struct stage *st)
{
	return door_court(((struct own *)stage_own(st))->door);
}

void
dispatch_coordinator_act(struct stage *st, struct held *h)
{
	court_act(court_of(st), h);
}

void
dispatch_coordinator_lose(struct stage *st, struct held *h)
{
	court_lose(court_of(st), h);
}

void
dispatch_coordinator_answer(struct stage *st, uint64_t token, uint64_t code, const struct row *first)
{
	court_answer(court_of(st), token, code, first);
}

void
dispatch_coordinator_levels(struct stage *st, struct tick *tick)
{
	court_levels(court_of(st), tick);
}

void
dispatch_coordinator_reset(struct stage *st)
{
	court_reset(court_of(st));
}
