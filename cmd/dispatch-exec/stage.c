/* stage.c - attempts of one provider in, proofs out.  The instance dispatch-exec.NAME
 * serves [provider NAME]; dispatch-exec.NAME.2 does so beside it.  See stage.h. */
#include "cmd/dispatch-exec/stage.h"

#include "cmd/dispatch-exec/slots.h"
#include "common/codes.h"

struct own {
	struct slots	*slots;
	const char	*provider;
	uint64_t	 price[TYPE_MAX + 1];
};

/* The section that "gpu1" or "gpu1.2" names; NULL: there is none. */
static const char *
provider_of(struct settings *s, const char *suffix)
{
	size_t n = strcspn(suffix, ".");
	const char *have;
	bool numbered = !suffix[n] || (suffix[n + 1] && strspn(suffix + n + 1, "0123456789") == strlen(suffix + n + 1));

	for (size_t i = 0; numbered && (have = settings_name(s, "provider", i)); i++)
		if (strlen(have) == n && memcmp(have, suffix, n) == 0)
			return have;
	return NULL;
}

static struct purchase_terms
read_terms(struct settings *s, const char *name)
{
	static const char *const unsure[] = { [PURCHASE_WAIT] = "wait", [PURCHASE_RESEND] = "resend", [PURCHASE_FAIL] = "fail" };
	const char *word = settings_text(s, "provider", name, "when_unsure");
	struct purchase_terms t = {
		.lag_ms = settings_num(s, "provider", name, "lag"),
		.send_by_ms = settings_num(s, "provider", name, "send_by"),
		.call_ms = settings_num(s, "provider", name, "call_timeout"),
		.prove_ms = settings_num(s, "provider", name, "prove_timeout"),
		.poll_ms = settings_num(s, "provider", name, "poll"),
	};

	for (size_t i = 0; i < NELEM(unsure); i++)
		if (strcmp(word, unsure[i]) == 0)
			t.when_unsure = (enum purchase_unsure)i;
	if (!plugin_ask_parse(span_str(settings_text(s, "provider", name, "ask")), &t.ask))
		t.ask = PLUGIN_ASK_NONE;
	return t;
}

static int
wrong(const char *name, const char *what)
{
	fprintf(stderr, "[provider %s]: %s: %s\n", name, code_word(CODE_SETTING), what);
	return EXIT_USAGE;
}

int
dispatch_exec_start(struct stage *st)
{
	struct settings *s = stage_settings(st);
	const char *name = provider_of(s, stage_suffix(st));
	struct own *own;

	if (!name)
		return wrong(stage_suffix(st),
		    "there is no such section; the instance dispatch-exec.NAME serves [provider NAME], as does .NAME.N (-I)");
	uint64_t types = type_set(settings_text(s, "provider", name, "types"));
	if (!types)
		return wrong(name, "types has to be some of: chunk batch bundle");
	const char *command = settings_text(s, "provider", name, "command");
	if (!*command)
		return wrong(name, "it has no command; a provider with listen is driven by dispatch-coordinator");
	own = xzalloc(sizeof *own);
	own->provider = name;
	stage_set_own(st, own);
	settings_by_type(s, "provider", name, "price", own->price);
	if (stage_checking(st))
		return EXIT_DONE;
	own->slots = slots_new(&(struct slots_opts){
		.loop = stage_loop(st), .blobs = stage_blobs(st), .books = stage_books(st),
		.instance = stage_name(st), .provider = name, .command = command, .types = types,
		.run_dir = settings_text(s, "prova", NULL, "run_dir"), .chain = settings_text(s, "provider", name, "chain"),
		.n = settings_num(s, "provider", name, "slots"), .line_max = settings_num(s, "provider", name, "max_answer"),
		.prove_timeout_ms = settings_num(s, "provider", name, "prove_timeout"), .terms = read_terms(s, name),
	});
	return EXIT_DONE;
}

void
dispatch_exec_stop(struct stage *st)
{
	struct own *own = stage_own(st);

	if (!own)
		return;
	slots_free(&own->slots);
	free(own);
	stage_set_own(st, NULL);
}

void
dispatch_exec_act(struct stage *st, struct held *h)
{
	struct own *own = stage_own(st);

	purchase_act(slots_purchase(own->slots), h);
}

void
dispatch_exec_lose(struct stage *st, struct held *h)
{
	struct own *own = stage_own(st);

	purchase_lose(slots_purchase(own->slots), h);
}

void
dispatch_exec_reset(struct stage *st)
{
	struct own *own = stage_own(st);

	purchase_reset(slots_purchase(own->slots));
}

void
dispatch_exec_levels(struct stage *st, struct tick *tick)
{
	struct own *own = stage_own(st);

	snprintf(tick->provider, sizeof tick->provider, "%s", own->provider);
	tick->slots = pools_one(slots_types(own->slots), slots_up(own->slots));
	memcpy(tick->price, own->price, sizeof tick->price);
	slots_note(own->slots, tick->note, sizeof tick->note);
}
