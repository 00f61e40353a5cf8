/* keys.c - prova keys: the public keys of the identities at each Coordinator, from its seed file.
 *
 * A line is: Coordinator, index, key; what a Coordinator's operator puts on an allow list. */
#include "cmd/prova/commands.h"
#include "common/coord.h"
#include "common/diag.h"
#include "common/identity.h"
#include "common/random.h"

static bool
print_keys(const struct settings *s, const char *coordinator)
{
	char *path = identity_seed_path(s, coordinator), why[256];
	uint64_t n = settings_num(s, "coordinator", coordinator, "identities");
	uint8_t seed[32];
	bool good = identity_seed(path, false, seed, why) == 0;

	if (!good)
		fprintf(stderr, "%s: coordinator %s: %s\n", diag_whoami(), coordinator, why);
	for (uint64_t i = 0; good && i < n; i++) {
		struct ecsig_key key;
		struct buf text = { 0 };
		coord_identity(seed, (uint32_t)i, &key);
		coord_key_text(&key, &text);
		printf("%s %" PRIu64 " %s\n", coordinator, i, buf_cstr(&text));
		random_wipe(&key, sizeof key);
		buf_free(&text);
	}
	random_wipe(seed, sizeof seed);
	free(path);
	return good;
}

int
keys_run(struct tool *t, int argc, char **argv)
{
	const struct settings *s = tool_settings(t);
	struct opts o = { .n = 0 };
	const char *name;
	bool good = true, found = false;

	opts_read(t, argc, argv, "", &o);
	for (size_t i = 0; (name = settings_name(s, "coordinator", i)); i++) {
		if (o.noperands && strcmp(o.operands[0], name) != 0)
			continue;
		found = true;
		good &= print_keys(s, name);
	}
	if (!found)
		tool_wrong(t, o.noperands ? "%s: there is no such [coordinator]" : "%s: the settings have no [coordinator]",
		    o.noperands ? o.operands[0] : "keys");
	return tool_flushed() && good ? EXIT_DONE : EXIT_SYSTEM;
}
