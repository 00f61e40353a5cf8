/* settings.c - see settings.h.
 *
 * The file is read here and not by inih: Debian's build of it cuts lines at 199
 * bytes and section names at 49, tells no line number, and takes an indented
 * key for more of the value before it; working around that is longer than this.
 *
 * A line is a comment (# or ;), a section, or key = value; blanks around each
 * do not matter; a # or ; behind a blank begins a comment. */
#include "common/settings.h"

#include "common/codes.h"
#include "common/diag.h"
#include "common/num.h"
#include "common/url.h"

enum { NAME_MAX_BYTES = 64, WHERE_BYTES = 256 };

struct value {
	const struct setting	*row;
	char			*name;		/* "" for the section without a name */
	char			*text;
	unsigned		 line;		/* 0: by settings_override */
};

struct section {
	const char	*section;		/* the table's */
	char		*name;
};

struct settings {
	struct value	*values;
	struct section	*sections;
	size_t		 nvalues, nsections;
};

/* Where we are, for messages. */
struct place {
	struct settings	*s;
	const char	*where;			/* file, or -O and its argument */
	unsigned	 line;			/* 0: none */
	const char	*section;		/* NULL before the first */
	const char	*name;
	char		*why;
	size_t		 size;
};

static bool wrong(const struct place *, const char *fmt, ...) PRINTF(2, 3);

/* Always false. */
static bool
wrong(const struct place *p, const char *fmt, ...)
{
	char line[24] = "", what[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	if (p->line)
		snprintf(line, sizeof line, ":%u", p->line);
	snprintf(p->why, p->size, "%s%s: %s: %s", p->where, line, code_word(CODE_SETTING), what);
	return false;
}

static bool
get_text(const struct setting *row, struct span s, uint64_t *out)
{
	*out = s.n;
	return true;
}

static bool
get_path(const struct setting *row, struct span s, uint64_t *out)
{
	*out = s.n;
	return s.n > 0 && s.n < PATH_MAX;
}

static bool
get_url(const struct setting *row, struct span s, uint64_t *out)
{
	*out = s.n;
	return url_good(s);
}

static bool
get_urls(const struct setting *row, struct span s, uint64_t *out)
{
	char *text = xprintf("%.*s", SPAN_ARG(s));
	const char *at = text;
	struct span url;
	bool good = true;

	for (*out = 0; good && url_next(&at, &url); ++*out)
		good = url_good(url);
	free(text);
	return good && (*out > 0 || s.n == 0);
}

static bool
get_endpoint(const struct setting *row, struct span s, uint64_t *out)
{
	*out = s.n;
	return url_endpoint_good(s);
}

static bool
get_uint(const struct setting *row, struct span s, uint64_t *out)
{
	return num_u64(s, out);
}

static bool
get_span(const struct setting *row, struct span s, uint64_t *out)
{
	return num_span_ms(s, out);
}

static bool
get_size(const struct setting *row, struct span s, uint64_t *out)
{
	return num_size(s, out);
}

static bool
get_micro(const struct setting *row, struct span s, uint64_t *out)
{
	return num_micro(s, out);
}

/* Which of the words separated by | in list. */
static bool
find_word(const char *list, struct span s, uint64_t *out)
{
	for (uint64_t i = 0; *list; i++) {
		size_t n = strcspn(list, "|");
		if (span_eq(s, (struct span){ (const uint8_t *)list, n })) {
			*out = i;
			return true;
		}
		list += n + (list[n] == '|');
	}
	return false;
}

static bool
get_bool(const struct setting *row, struct span s, uint64_t *out)
{
	if (!find_word("no|yes|false|true|0|1|off|on", s, out))
		return false;
	*out &= 1;
	return true;
}

static bool
get_word(const struct setting *row, struct span s, uint64_t *out)
{
	return find_word(row->min, s, out);
}

static const struct form {
	bool		(*get)(const struct setting *, struct span, uint64_t *);
	bool		 ranged;
	const char	*name;
	const char	*example;
} forms[] = {
	[SET_TEXT]  = { get_text,  false, "text",   "some text" },
	[SET_PATH]  = { get_path,  false, "path",   "a path such as /var/lib/prova" },
	[SET_URL]   = { get_url,   false, "URL",    "a URL that begins with http:// or https:// and names a host" },
	[SET_URLS]  = { get_urls,  false, "URLs",   "URLs, separated by blanks, each of which begins with http:// or https:// and names a host" },
	[SET_ENDPOINT] = { get_endpoint, false, "endpoint", "ipc://PATH or tcp://HOST:PORT" },
	[SET_UINT]  = { get_uint,  true,  "number", "a whole number such as 16" },
	[SET_SPAN]  = { get_span,  true,  "span",   "a span of time such as 250ms, 30s, 5m, 1h or 2d" },
	[SET_SIZE]  = { get_size,  true,  "size",   "a size such as 16384, 64k, 20M or 2G" },
	[SET_MICRO] = { get_micro, true,  "amount", "an amount such as 12 or 0.25, with at most 6 decimals" },
	[SET_BOOL]  = { get_bool,  false, "yes/no", "yes or no" },
	[SET_WORD]  = { get_word,  false, "word",   NULL },
};

const char *
settings_form(const struct setting *row)
{
	return forms[row->type].name;
}

/* A text of the table itself. */
static uint64_t
sure(const struct setting *row, const char *text)
{
	uint64_t v;

	if (!forms[row->type].get(row, span_str(text), &v))
		bug("settings_table: %s %s: %s", row->section, row->key, text);
	return v;
}

/* Without a default, its own or that of the key for all types. */
static bool
must_be_given(const struct setting *row)
{
	const struct setting *base = settings_base(row);

	return !(base ? base : row)->fallback;
}

static bool
check_value(const struct place *p, const struct setting *row, const char *text)
{
	const struct form *f = &forms[row->type];
	uint64_t v;

	if (!*text && must_be_given(row))
		return wrong(p, "%s is empty: %s", row->key, row->help);
	if (!f->get(row, span_str(text), &v))
		return wrong(p, "%s = %.80s: write %s%s", row->key, text,
		    f->example ? f->example : "one of ", f->example ? "" : row->min);
	if (f->ranged && ((row->min && v < sure(row, row->min)) || (row->max && v > sure(row, row->max))))
		return wrong(p, "%s = %.80s: write a value from %s to %s", row->key, text,
		    row->min ? row->min : "0", row->max ? row->max : "any");
	return true;
}

static const struct setting *
find_row(const char *section, const char *key)
{
	for (size_t i = 0; i < settings_count; i++)
		if (!strcmp(settings_table[i].section, section) && !strcmp(settings_table[i].key, key))
			return &settings_table[i];
	return NULL;
}

/* The table's own spelling of a section; NULL: there is none. */
static const char *
find_section(const char *section)
{
	for (size_t i = 0; i < settings_count; i++)
		if (!strcmp(settings_table[i].section, section))
			return settings_table[i].section;
	return NULL;
}

static struct value *
find_value(const struct settings *s, const struct setting *row, const char *name)
{
	for (size_t i = 0; i < s->nvalues; i++)
		if (s->values[i].row == row && !strcmp(s->values[i].name, name))
			return &s->values[i];
	return NULL;
}

static bool
good_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	return strlen(name) <= NAME_MAX_BYTES && strspn(name, letters) == strlen(name);
}

/* [prova] has no name, [stage] may have one, all others must. */
static bool
check_name(const struct place *p, const char *section, const char *name)
{
	if (!good_name(name))
		return wrong(p, "section name \"%.80s\": use at most %d letters, digits, dots, dashes or underlines",
		    name, NAME_MAX_BYTES);
	if (!strcmp(section, "prova") && *name)
		return wrong(p, "[prova] has no name: leave out \"%s\"", name);
	if (strcmp(section, "prova") && strcmp(section, "stage") && !*name)
		return wrong(p, "[%s] needs a name: write [%s NAME]", section, section);
	return true;
}

/* Make section and name current, and known. */
static bool
enter(struct place *p, const char *section, const char *name)
{
	struct settings *s = p->s;

	p->section = find_section(section);
	if (!p->section)
		return wrong(p, "unknown section [%.80s]: prova.conf(5) lists them", section);
	if (!check_name(p, p->section, name))
		return false;
	for (size_t i = 0; i < s->nsections; i++)
		if (s->sections[i].section == p->section && !strcmp(s->sections[i].name, name)) {
			p->name = s->sections[i].name;
			return true;
		}
	s->sections = xrealloc(s->sections, (s->nsections + 1) * sizeof *s->sections);
	s->sections[s->nsections] = (struct section){ p->section, xstrdup(name) };
	p->name = s->sections[s->nsections++].name;
	return true;
}

static bool
assign(const struct place *p, const char *key, const char *text)
{
	struct settings *s = p->s;

	if (!p->section)
		return wrong(p, "\"%.80s\" stands before the first [section]: move it into one", key);
	const struct setting *row = find_row(p->section, key);
	if (!row)
		return wrong(p, "unknown key \"%.80s\" in [%s%s%s]: prova.conf(5) lists them",
		    key, p->section, *p->name ? " " : "", p->name);
	if (!check_value(p, row, text))
		return false;
	struct value *v = find_value(s, row, p->name);
	if (v && p->line)
		return wrong(p, "%s is given twice, first in line %u: leave one", key, v->line);
	if (!v) {
		s->values = xrealloc(s->values, (s->nvalues + 1) * sizeof *s->values);
		v = &s->values[s->nvalues++];
		*v = (struct value){ row, xstrdup(p->name), NULL, p->line };
	}
	free(v->text);
	v->text = xstrdup(text);
	return true;
}

static bool
blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Without blanks at both ends, in place. */
static char *
trim(char *s)
{
	size_t n = strlen(s);

	while (n > 0 && blank(s[n - 1]))
		s[--n] = '\0';
	return s + strspn(s, " \t");
}

static void
cut_comment(char *s)
{
	for (size_t i = 0; s[i]; i++)
		if ((s[i] == '#' || s[i] == ';') && (i == 0 || blank(s[i - 1]))) {
			s[i] = '\0';
			return;
		}
}

/* "[section]" or "[section NAME]" */
static bool
read_section(struct place *p, char *line)
{
	size_t n = strlen(line);

	if (line[n - 1] != ']')
		return wrong(p, "a section ends with ]: write [section] or [section NAME]");
	line[n - 1] = '\0';
	char *section = trim(line + 1), *name = section + strcspn(section, " \t");
	if (*name)
		*name++ = '\0';
	return enter(p, section, trim(name));
}

/* line is changed. */
static bool
read_line(struct place *p, char *line)
{
	cut_comment(line);
	line = trim(line);
	if (!*line)
		return true;
	if (*line == '[')
		return read_section(p, line);
	char *value = strchr(line, '=');
	if (!value)
		return wrong(p, "neither [section] nor key = value: begin a comment with #");
	*value++ = '\0';
	return assign(p, trim(line), trim(value));
}

/* A line as getline gives it: without its end, and nothing but text in it. */
static bool
is_text(const struct place *p, char *line, size_t n)
{
	static const char line_ends[] = "\r\n";

	while (n > 0 && strchr(line_ends, line[n - 1]) && line[n - 1])
		line[--n] = '\0';
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)line[i] < 0x20 && line[i] != '\t')
			return wrong(p, "a control byte (%u) in column %zu: take it out", line[i], i + 1);
	return true;
}

static bool
read_lines(struct place *p, FILE *f)
{
	char *line = NULL;
	size_t cap = 0;
	bool ok = true;
	ssize_t n;

	while (ok && (n = getline(&line, &cap, f)) >= 0) {
		p->line++;
		ok = is_text(p, line, (size_t)n) && read_line(p, line);
	}
	free(line);
	if (ok && ferror(f))
		return wrong(p, "cannot be read: %s", strerror(errno));
	return ok;
}

struct settings *
settings_read(const char *file, char *why, size_t size)
{
	struct settings *s = xzalloc(sizeof *s);
	struct place p = { .s = s, .where = file, .why = why, .size = size };

	if (!file)
		return s;
	FILE *f = fopen(file, "re");
	if (!f)
		wrong(&p, "cannot be read: %s", strerror(errno));
	if (!f || !read_lines(&p, f))
		settings_free(&s);
	if (f)
		fclose(f);
	return s;
}

void
settings_free(struct settings **sp)
{
	struct settings *s = *sp;

	if (!s)
		return;
	for (size_t i = 0; i < s->nvalues; i++) {
		free(s->values[i].name);
		free(s->values[i].text);
	}
	for (size_t i = 0; i < s->nsections; i++)
		free(s->sections[i].name);
	free(s->values);
	free(s->sections);
	free(s);
	*sp = NULL;
}

/* The section of a key that names none: [stage STAGE], or that of "SECTION:NAME". */
static bool
enter_own(struct place *p, const char *stage)
{
	char section[NAME_MAX_BYTES + 1];
	size_t n = strcspn(stage, ":");

	if (!stage[n])
		return enter(p, "stage", stage);
	snprintf(section, sizeof section, "%.*s", (int)n, stage);
	return enter(p, section, stage + n + 1);
}

/* "section.key", "section:NAME.key" or one's own "key": enters the section, returns the key; NULL: wrong. */
static char *
enter_path(struct place *p, char *path, const char *stage)
{
	char *dot = strrchr(path, '.');

	if (!dot && !stage) {
		wrong(p, "no section: write section.key=value or section:NAME.key=value");
		return NULL;
	}
	if (!dot)
		return enter_own(p, stage) ? trim(path) : NULL;
	*dot = '\0';
	char *name = path + strcspn(path, ":");
	if (*name)
		*name++ = '\0';
	return enter(p, trim(path), trim(name)) ? trim(dot + 1) : NULL;
}

int
settings_override(struct settings *s, const char *stage, const char *assignment, char *why, size_t size)
{
	char where[WHERE_BYTES];
	struct place p = { .s = s, .where = where, .why = why, .size = size };
	char *copy = xstrdup(assignment), *value = strchr(copy, '='), *key = NULL;

	snprintf(where, sizeof where, "-O %.200s", assignment);
	bool ok = is_text(&p, copy, strlen(copy));
	if (ok && !value)
		ok = wrong(&p, "no = in it: write key=value, section.key=value or section:NAME.key=value");
	if (ok) {
		*value++ = '\0';
		key = enter_path(&p, copy, stage);
		ok = key && assign(&p, key, trim(value));
	}
	free(copy);
	return ok ? 0 : -1;
}

const char *
settings_name(const struct settings *s, const char *section, size_t i)
{
	for (size_t k = 0; k < s->nsections; k++)
		if (!strcmp(s->sections[k].section, section) && *s->sections[k].name && i-- == 0)
			return s->sections[k].name;
	return NULL;
}

/* The value given under this very key: for "stage" also for KIND of KIND.N, then for all stages. */
static const char *
given(const struct settings *s, const struct setting *row, const char *name)
{
	char kind[NAME_MAX_BYTES + 1];
	const struct value *v = find_value(s, row, name ? name : "");

	if (!v && name && !strcmp(row->section, "stage")) {
		snprintf(kind, sizeof kind, "%.*s", (int)strcspn(name, "."), name);
		v = find_value(s, row, kind);
		if (!v)
			v = find_value(s, row, "");
	}
	return v ? v->text : NULL;
}

/* Of a key for one type of task. */
static const char *const suffixes[] = { "_chunk", "_batch", "_bundle" };

const struct setting *
settings_base(const struct setting *row)
{
	char base[64];
	size_t n = strlen(row->key);

	for (size_t i = 0; i < NELEM(suffixes); i++) {
		size_t k = strlen(suffixes[i]);
		if (n <= k || strcmp(row->key + n - k, suffixes[i]) != 0)
			continue;
		snprintf(base, sizeof base, "%.*s", (int)(n - k), row->key);
		return find_row(row->section, base);
	}
	return NULL;
}

static const struct setting *
must_find(const char *section, const char *key)
{
	const struct setting *row = find_row(section, key);

	if (!row)
		bug("settings_table has no %s %s", section, key);
	return row;
}

/* In force: given, given for all types, default; NULL when there is none of them.
 * *from is the row that decided. */
static const char *
in_force(const struct settings *s, const struct setting *row, const char *name, const struct setting **from)
{
	const struct setting *base = settings_base(row);
	const char *text = given(s, row, name);

	*from = row;
	if (!text && base) {
		*from = base;
		text = given(s, base, name);
		return text ? text : base->fallback;
	}
	return text ? text : row->fallback;
}

bool
settings_given(const struct settings *s, const char *section, const char *name, const char *key)
{
	const struct setting *row = must_find(section, key), *base = settings_base(row);

	return given(s, row, name) || (base && given(s, base, name));
}

/* Ends the process when it was to be given and was not. */
static const char *
need(const struct settings *s, const char *section, const char *name, const char *key, const struct setting **from)
{
	const char *text = in_force(s, must_find(section, key), name, from);

	if (!text)
		die(EXIT_USAGE, "%s: [%s%s%s] needs %s: %s", code_word(CODE_SETTING), section,
		    name && *name ? " " : "", name ? name : "", (*from)->key, (*from)->help);
	return text;
}

const char *
settings_text(const struct settings *s, const char *section, const char *name, const char *key)
{
	const struct setting *from;

	return need(s, section, name, key, &from);
}

uint64_t
settings_num(const struct settings *s, const char *section, const char *name, const char *key)
{
	const struct setting *from;
	const char *text = need(s, section, name, key, &from);

	return sure(from, text);
}

void
settings_by_type(const struct settings *s, const char *section, const char *name, const char *key, uint64_t n[TYPE_MAX + 1])
{
	char typed[64];

	for (uint64_t t = TYPE_CHUNK; t <= TYPE_MAX; t++) {
		snprintf(typed, sizeof typed, "%s%s", key, suffixes[t - 1]);
		n[t] = settings_num(s, section, name, typed);
	}
}

bool
settings_bool(const struct settings *s, const char *section, const char *name, const char *key)
{
	return settings_num(s, section, name, key) != 0;
}

static void
print_section(const struct settings *s, FILE *f, const char *section, const char *name)
{
	const struct setting *from;

	for (size_t i = 0; i < settings_count; i++) {
		const struct setting *row = &settings_table[i];
		if (strcmp(row->section, section) != 0)
			continue;
		const char *text = in_force(s, row, name, &from);
		if (text)
			fprintf(f, "%s%s%s %s =%s%s\n", section, *name ? " " : "", name, row->key, *text ? " " : "", text);
	}
}

void
settings_print(const struct settings *s, FILE *f)
{
	const char *name;

	for (size_t i = 0; i < settings_count; i++) {
		const char *section = settings_table[i].section;
		if (i > 0 && !strcmp(settings_table[i - 1].section, section))
			continue;
		if (!strcmp(section, "prova") || !strcmp(section, "stage"))
			print_section(s, f, section, "");
		for (size_t k = 0; (name = settings_name(s, section, k)) != NULL; k++)
			print_section(s, f, section, name);
	}
}
