/* expected.h - which instances of stages the settings ask for. */
#ifndef PROVA_EXPECTED_H
#define PROVA_EXPECTED_H

#include "common/settings.h"

/* Every kind of stage, in the pipeline's order; of_provider: the setting of those providers that have one of their own. */
extern const struct stage_kind { const char *kind, *of_provider; } stage_kinds[];
extern const size_t stage_kinds_count;

/* The instances of a kind that is no provider's: each "KIND.X" that has a section of its own, else KIND alone.
 * NULL at the end. */
const char *expected_instance(const struct settings *, const char *kind, size_t i);

/* The provider of the settings that an instance of this kind and name drives ("KIND.PROVIDER", "KIND.PROVIDER.2");
 * NULL: none. */
const char *expected_provider(const struct settings *, const char *kind, const char *instance);

/* Can no other of its kind stand in for this instance, which is no provider's?  So it is with one of a single chain; not with
 * one that the settings do not ask for (any more), or whose rows are for whoever lives. */
bool	expected_alone(const struct settings *, const char *kind, const char *instance);

#endif
