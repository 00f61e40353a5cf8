/* expected.c - see expected.h. */
#include "cmd/prova/expected.h"

const struct stage_kind stage_kinds[] = {
	{ "ledger", NULL }, { "task-fetch", NULL }, { "trace-build", NULL }, { "allocate", NULL },
	{ "dispatch-exec", "command" }, { "dispatch-coordinator", "listen" }, { "submit", NULL },
};
const size_t stage_kinds_count = NELEM(stage_kinds);

/* What stands behind "PREFIX."; NULL: something else. */
static const char *
behind(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(name, prefix, n) == 0 && name[n] == '.' ? name + n + 1 : NULL;
}

const char *
expected_instance(const struct settings *s, const char *kind, size_t i)
{
	size_t found = 0;
	const char *name;

	for (size_t k = 0; (name = settings_name(s, "stage", k)); k++)
		if (behind(name, kind) && found++ == i)
			return name;
	return found == 0 && i == 0 ? kind : NULL;
}

const char *
expected_provider(const struct settings *s, const char *kind, const char *instance)
{
	const char *key = NULL, *rest = behind(instance, kind), *name, *number;

	for (size_t i = 0; i < stage_kinds_count; i++)
		if (strcmp(stage_kinds[i].kind, kind) == 0)
			key = stage_kinds[i].of_provider;
	for (size_t i = 0; key && rest && (name = settings_name(s, "provider", i)); i++) {
		number = behind(rest, name);
		if ((strcmp(rest, name) == 0 || (number && *number && strspn(number, "0123456789") == strlen(number))) &&
		    *settings_text(s, "provider", name, key))
			return name;
	}
	return NULL;
}

bool
expected_alone(const struct settings *s, const char *kind, const char *instance)
{
	bool one_chain = strcmp(kind, "task-fetch") == 0 || *settings_text(s, "stage", instance, "chain");
	const char *name;

	for (size_t i = 0; one_chain && (name = expected_instance(s, kind, i)); i++)
		if (strcmp(name, instance) == 0)
			return true;
	return false;
}
