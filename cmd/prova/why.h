/* why.h - why is nothing happening?  One line, from what the ledger says of itself. */
#ifndef PROVA_WHY_H
#define PROVA_WHY_H

#include "common/json.h"
#include "common/settings.h"

/* The first that holds: the store is in trouble; a kind of stage is missing; one that the settings
 * ask for is silent and no other stands in for it; the stage where rows wait says why;
 * there is no room; the stages have work; there is nothing to do. */
void	why_line(const struct json *status, const struct settings *, char *out, size_t size);

#endif
