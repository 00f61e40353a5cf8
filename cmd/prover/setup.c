/* setup.c - what [prover NAME] says.  See setup.h. */
#include "cmd/prover/setup.h"

#include "common/codes.h"
#include "common/diag.h"
#include "common/l2.h"
#include "common/rows.h"

static const char section[] = "prover";

struct reader {
	const struct settings	*s;
	const char		*name;
};

static const char *
text(const struct reader *r, const char *key)
{
	return settings_text(r->s, section, r->name, key);
}

static uint64_t
num(const struct reader *r, const char *key)
{
	return settings_num(r->s, section, r->name, key);
}

static int
wrong(const struct setup *o, const char *what)
{
	fprintf(stderr, "%s: [%s %s]: %s: %s\n", diag_whoami(), section, o->name, code_word(CODE_SETTING), what);
	return EXIT_USAGE;
}

static void
read_work(struct setup *o, const struct reader *r)
{
	o->command = text(r, "command");
	o->workers = num(r, "workers");
	o->all_types = num(r, "ask") == 1;
	o->max_tries = (uint32_t)num(r, "max_tries");
	o->poll_ms = num(r, "poll");
	o->rest_ms = num(r, "rest");
	o->failure_rest_ms = num(r, "failure_rest");
	o->give_up_ms = num(r, "give_up");
	o->call_ms = num(r, "call_timeout");
	o->prove_ms = num(r, "prove_timeout");
	o->command_poll_ms = num(r, "command_poll");
	o->line_max = num(r, "max_answer");
	o->mock = num(r, "mock") != 0;
	o->mock_delay_ms = num(r, "mock_delay");
	o->mock_fail = (uint32_t)num(r, "mock_fail");
}

static void
read_outside(struct setup *o, const struct reader *r)
{
	o->universal = num(r, "universal") != 0;
	o->vks_given = *text(r, "vks") != '\0';
	o->connections = (uint32_t)num(r, "connections");
	o->l2_urls = text(r, "l2_urls");
	o->l2_parallel = (uint32_t)num(r, "l2_parallel");
	o->l2_timeout_ms = num(r, "l2_timeout");
	o->l2_max_bytes = num(r, "l2_max_bytes");
}

static void
read_places(struct setup *o, const struct reader *r)
{
	const char *dir = text(r, "state_dir"), *seed = text(r, "seed");

	o->dir = *dir ? xstrdup(dir) : xprintf("%s/prover.%s", settings_text(r->s, "prova", NULL, "state_dir"), o->name);
	o->seed = *seed ? xstrdup(seed) : xprintf("%s/seed", o->dir);
}

static int
check(const struct setup *o, bool proving)
{
	bool chunks = o->types >> TYPE_CHUNK & 1 && !o->universal;

	if (!o->types)
		return wrong(o, "types: write some of chunk batch bundle");
	if (proving && !*o->command && !o->mock)
		return wrong(o, "command: write the program that proves, or mock = yes");
	if (chunks && !*o->l2_urls)
		return wrong(o, "l2_urls: chunks are built from an L2 node's traces; write its URL, or leave chunk out of types");
	if (*o->l2_urls && l2_check(o->l2_urls))
		return wrong(o, l2_check(o->l2_urls));
	return EXIT_DONE;
}

int
setup_read(struct setup *o, const struct args *a, bool proving)
{
	struct reader r = { a->settings, a->instance };

	*o = (struct setup){ .name = a->instance };
	identity_settings(&o->identity, a->settings, section, a->instance);
	o->types = type_set(text(&r, "types"));
	read_work(o, &r);
	read_outside(o, &r);
	read_places(o, &r);
	return check(o, proving);
}

void
setup_free(struct setup *o)
{
	free(o->dir);
	free(o->seed);
	*o = (struct setup){ 0 };
}
