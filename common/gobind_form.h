/* gobind_form.h - floor 4: a form (application/x-www-form-urlencoded) as the JSON that gobind.h reads. */
#ifndef PROVA_GOBIND_FORM_H
#define PROVA_GOBIND_FORM_H

#include "common/gobind.h"

/* Is a body of this content type (NULL: none) a form? */
bool	gobind_is_form(const char *content_type) MUSTCHECK;
/* Append the JSON object of a form.  The members of the type's objects stand flat in the form, in this very case; the
 * first value of a name counts, of an array all.  False: why says what it is, much as Go does, and json is not to be used. */
bool	gobind_form(struct span form, const struct gobind_type *, struct buf *json, struct buf *why) MUSTCHECK;

#endif
