/* settings.h - floor 4: one typed table of settings over an INI file and -O overrides.
 *
 * prova.conf has sections [prova], [chain NAME], [coordinator NAME], [l2 NAME], [provider NAME],
 * [prover NAME], [stage] (all of them), [stage KIND[.N]].  A program declares the sections and keys it understands; an unknown
 * key anywhere is an error with file and line (every program knows the
 * whole table: settings_table). */
#ifndef PROVA_SETTINGS_H
#define PROVA_SETTINGS_H

#include "common/bytes.h"

enum setting_type { SET_TEXT, SET_PATH, SET_URL, SET_URLS, SET_ENDPOINT, SET_UINT, SET_SPAN, SET_SIZE, SET_MICRO, SET_BOOL, SET_WORD };

struct setting {
	const char		*section;	/* "chain", "stage", ... */
	const char		*key;
	enum setting_type	 type;
	const char		*fallback;	/* text of the default; NULL: must be given where it is read,
						 * or, for KEY_chunk and so on, what KEY says */
	const char		*min, *max;	/* text, same type; NULL: none.  SET_WORD: min lists the words, separated by | */
	const char		*help;		/* one sentence; prova.conf(5) shows it */
};
extern const struct setting settings_table[];
extern const size_t settings_count;	/* rows of one section stand together */

/* The type's name for people ("span"); the row of KEY for KEY_chunk, KEY_batch, KEY_bundle, else NULL. */
const char *settings_form(const struct setting *);
const struct setting *settings_base(const struct setting *);

struct settings;

/* Read a file (NULL: none).  NULL on error: `why` (size bytes) has "FILE:LINE: CODE: what, and what to do". */
struct settings *settings_read(const char *file, char *why, size_t size) MUSTCHECK;
/* "section.key=value" or "section:NAME.key=value" (for -O; a key without section is of [stage STAGE], or, where
 * stage is "SECTION:NAME", of that section). */
int	settings_override(struct settings *, const char *stage, const char *assignment, char *why, size_t size) MUSTCHECK;
void	settings_free(struct settings **);

/* Names of the sections of a kind ("provider") in file order; NULL at the end. */
const char *settings_name(const struct settings *, const char *section, size_t i);
/* Values.  name NULL: the section without a name.  For "stage", name "KIND.N" falls back to "KIND",
 * then to [stage].  KEY_chunk, _batch, _bundle fall back to KEY where the table has one.
 * What must be given is never empty.  The key must be in the table (else bug).  Text is borrowed from settings until it is overridden.
 * A value that must be given and is not ends the process (100) with a message; settings_given
 * asks first.  settings_num: spans in ms, sizes in bytes, amounts in micro-units, a word's place in
 * its list from 0. */
bool	settings_given(const struct settings *, const char *section, const char *name, const char *key);
const char *settings_text(const struct settings *, const char *section, const char *name, const char *key);
uint64_t settings_num(const struct settings *, const char *section, const char *name, const char *key);
/* The numbers KEY_chunk, KEY_batch, KEY_bundle, by type. */
void	settings_by_type(const struct settings *, const char *section, const char *name, const char *key, uint64_t n[TYPE_MAX + 1]);
bool	settings_bool(const struct settings *, const char *section, const char *name, const char *key);
/* Every value in force, one "section NAME key = value" per line (for -d). */
void	settings_print(const struct settings *, FILE *);

#endif
