/* tables.c - prints the tables that manual pages are compared with, one row per line, tabs between.
 *
 * codes: number, word, sentence, action.
 * settings: section, key, type, range, default, sentence. */
#include "common/codes.h"
#include "common/settings.h"

static void
print_codes(void)
{
	enum code code;

	for (size_t i = 0; code_nth(i, &code); i++)
		printf("%d\t%s\t%s\t%s\n", code, code_word(code), code_sentence(code), code_action(code));
}

static void
print_range(const struct setting *row)
{
	if (row->type == SET_WORD)
		printf("%s", row->min);
	else if (row->min && row->max)
		printf("%s to %s", row->min, row->max);
}

static void
print_default(const struct setting *row)
{
	const struct setting *base = settings_base(row);

	if (row->fallback)
		printf("%s", *row->fallback ? row->fallback : "empty");
	else if (base)
		printf("as %s", base->key);
	else
		printf("must be given");
}

static void
print_settings(void)
{
	for (size_t i = 0; i < settings_count; i++) {
		const struct setting *row = &settings_table[i];
		printf("%s\t%s\t%s\t", row->section, row->key, settings_form(row));
		print_range(row);
		putchar('\t');
		print_default(row);
		printf("\t%s\n", row->help);
	}
}

int
main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "codes"))
		print_codes();
	else if (argc == 2 && !strcmp(argv[1], "settings"))
		print_settings();
	else
		return EXIT_USAGE;
	return EXIT_DONE;
}
