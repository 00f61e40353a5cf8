/* args.c - the options that all programs share.  See args.h. */
#include "common/args.h"

#include <fcntl.h>
#include <getopt.h>

#include "common/codes.h"
#include "common/diag.h"
#include "common/num.h"

static const char default_file[] = "/etc/prova/prova.conf";

enum { OPTION_LEDGER = 256, OPTION_SHORTHAND };

/* A descriptor 0-2 that is closed would be taken by the next file opened. */
static void
open_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd < 0)
		die_sys("/dev/null");
	close(fd);
}

static void
print_usage(const struct args_def *d, FILE *f)
{
	fprintf(f, "usage: %s %s\n", d->name, d->synopsis);
	if (d->usage)
		d->usage(d->arg, f);
}

void
args_wrong(const struct args_def *d, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", d->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	print_usage(d, stderr);
	exit(EXIT_USAGE);
}

static void
on_file(struct args *a, const char *value)
{
	a->file = value;
}

static void
on_override(struct args *a, const char *value)
{
	a->overrides = xrealloc(a->overrides, (a->noverrides + 1) * sizeof *a->overrides);
	a->overrides[a->noverrides++] = value;
}

static void
on_check(struct args *a, const char *value)
{
	a->check = true;
}

static void
on_print(struct args *a, const char *value)
{
	a->print = true;
}

static void
on_verbose(struct args *a, const char *value)
{
	a->verbose = true;
	diag_threshold(DIAG_DEBUG);
}

static void
on_version(struct args *a, const char *value)
{
	printf("%s %s\n", a->def->name, PROVA_VERSION);
	exit(EXIT_DONE);
}

static void
on_help(struct args *a, const char *value)
{
	print_usage(a->def, stdout);
	exit(EXIT_DONE);
}

static void
on_ledger(struct args *a, const char *value)
{
	a->ledger = value;
}

/* Words of letters, digits, - and _, with a dot between two of them. */
static bool
good_suffix(const char *s)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

	for (;; s++) {
		size_t n = strspn(s, letters);
		if (n == 0 || !s[n])
			return n > 0;
		s += n;
		if (*s != '.')
			return false;
	}
}

/* An instance's name is a part of paths: KIND or KIND.SUFFIX; NAME of [SECTION NAME]. */
static void
on_instance(struct args *a, const char *value)
{
	if (a->def->section) {
		if (!good_suffix(value) || strlen(value) >= sizeof a->instance)
			args_wrong(a->def, "-I %s: not a name of letters, digits, - and _", value);
		snprintf(a->instance, sizeof a->instance, "%s", value);
		return;
	}
	size_t kind = strlen(a->def->kind), n = strlen(value);
	bool good = n < sizeof a->instance && strncmp(value, a->def->kind, kind) == 0;

	if (good && value[kind] == '.')
		good = good_suffix(value + kind + 1);
	else if (good)
		good = value[kind] == '\0';
	if (!good)
		args_wrong(a->def, "-I %s: not %s or %s.SUFFIX", value, a->def->kind, a->def->kind);
	snprintf(a->instance, sizeof a->instance, "%s", value);
}

static void
on_shorthand(struct args *a, const char *value)
{
	snprintf(a->shorthand, sizeof a->shorthand, "%s=yes", a->def->shorthand);
	on_override(a, a->shorthand);
}

static void
on_in(struct args *a, const char *value)
{
	if (strcmp(value, "-") != 0)
		args_wrong(a->def, "-i %s: only \"-\" is known", value);
	a->in = true;
}

static void
on_out(struct args *a, const char *value)
{
	if (strcmp(value, "-") != 0)
		args_wrong(a->def, "-o %s: only \"-\" is known", value);
	a->out = true;
}

static const struct option_row {
	int	letter;
	void	(*fn)(struct args *, const char *value);
} option_rows[] = {
	{ 'c', on_file }, { 'O', on_override }, { 'n', on_check }, { 'd', on_print }, { 'v', on_verbose },
	{ 'V', on_version }, { 'h', on_help }, { 'I', on_instance }, { 'i', on_in }, { 'o', on_out },
	{ OPTION_LEDGER, on_ledger }, { OPTION_SHORTHAND, on_shorthand },
};

static void
apply(struct args *a, int letter, const char *value)
{
	if (a->def->flag && letter == a->def->flag) {
		a->flagged = true;
		return;
	}
	for (size_t i = 0; i < NELEM(option_rows); i++)
		if (option_rows[i].letter == letter) {
			option_rows[i].fn(a, value);
			return;
		}
	args_wrong(a->def, "wrong option");
}

/* "-n 4" of a generator: how many. */
static void
take_count(struct args *a, int argc, char **argv)
{
	if (!a->def->counts || optind >= argc || !num_u64(span_str(argv[optind]), &a->count))
		return;
	a->counted = true;
	a->check = false;
	optind++;
}

void
args_read(struct args *a, const struct args_def *d, int argc, char **argv)
{
	const struct option ledger = { "ledger", required_argument, NULL, OPTION_LEDGER };
	const struct option shorthand = { d->shorthand, no_argument, NULL, OPTION_SHORTHAND };
	const struct option longs[] = { d->section ? shorthand : ledger, { 0 } };
	char letters[32];
	int letter;

	open_descriptors();
	*a = (struct args){ .def = d };
	if (!d->section)
		snprintf(a->instance, sizeof a->instance, "%s", d->kind ? d->kind : d->name);
	diag_name(d->name);
	snprintf(letters, sizeof letters, "+:c:O:ndvVh%s",
	    d->section ? "I:" : d->kind && !d->flag ? "I:i:o:" : (char[]){ d->flag, '\0' });
	while ((letter = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		if (letter == ':' || letter == '?')
			args_wrong(d, "%s: %s", argv[optind - 1],
			    letter == ':' ? "needs a value" : "no such option");
		apply(a, letter, optarg);
		if (letter == 'n')
			take_count(a, argc, argv);
	}
	a->rest = optind;
}

static NORETURN void
wrong_setting(const char *why)
{
	fprintf(stderr, "%s: %s\n", diag_whoami(), why);
	exit(EXIT_USAGE);
}

/* The section of -O KEY=VALUE, as settings_override takes it. */
static const char *
own_section(struct args *a)
{
	static char own[128];
	const char *section = a->def->section;

	if (!section)
		return a->def->kind ? a->instance : NULL;
	if (!*a->instance) {
		const char *first = settings_name(a->settings, section, 0);
		bool only = first && !settings_name(a->settings, section, 1);
		snprintf(a->instance, sizeof a->instance, "%s", only ? first : section);
	}
	snprintf(own, sizeof own, "%s:%s", section, a->instance);
	return own;
}

void
args_settings(struct args *a)
{
	const char *file = a->file ? a->file : access(default_file, F_OK) == 0 ? default_file : NULL;
	char why[512], ledger[300];

	a->settings = settings_read(file, why, sizeof why);
	if (!a->settings)
		wrong_setting(why);
	const char *stage = own_section(a);
	for (size_t i = 0; i < a->noverrides; i++)
		if (settings_override(a->settings, stage, a->overrides[i], why, sizeof why) != 0)
			wrong_setting(why);
	if (a->ledger && strcmp(a->ledger, "none") != 0) {
		snprintf(ledger, sizeof ledger, "prova.ledger=%s", a->ledger);
		if (settings_override(a->settings, stage, ledger, why, sizeof why) != 0)
			wrong_setting(why);
	}
	if (!a->print)
		return;
	settings_print(a->settings, stdout);
	exit(fflush(stdout) == 0 ? EXIT_DONE : EXIT_SYSTEM);
}

void
args_free(struct args *a)
{
	settings_free(&a->settings);
	free(a->overrides);
	*a = (struct args){ 0 };
}
