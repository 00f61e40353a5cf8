/* tables.c - prints the tables that manual pages are compared with, one row per line, tabs between.
 *
 * codes: number, word, sentence, action.
 * settings: section, key, type, range, default, sentence.
 * moves: kind, from, to, by whom, fields that may be set.
 * fields: key, name, type, most bytes.
 * rules: name, what is left out.
 * kindnesses, differences: name, sentence. */
#include "cmd/dispatch-coordinator/door.h"
#include "cmd/ledger/moves.h"
#include "common/codes.h"
#include "common/rule.h"
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

/* Blanks between the names of bits. */
static void
print_principals(unsigned by)
{
	const char *sep = "";

	for (unsigned bit = 1; bit && bit <= by; bit <<= 1)
		if (by & bit) {
			printf("%s%s", sep, move_principal_name(bit));
			sep = " ";
		}
}

static void
print_bits(uint64_t mask)
{
	const char *sep = "";

	for (size_t i = 0; i < row_nfields; i++)
		if ((mask >> row_fields[i].key) & 1) {
			printf("%s%s", sep, row_fields[i].name);
			sep = " ";
		}
}

static void
print_moves(void)
{
	for (size_t i = 0; i < moves_count; i++) {
		const struct move *m = &moves_table[i];
		printf("%s\t%s\t%s\t", row_kind_name(m->kind), row_state_name(m->kind, m->from), row_state_name(m->kind, m->to));
		print_principals(m->by);
		putchar('\t');
		print_bits(m->fields);
		putchar('\n');
	}
}

static void
print_fields(void)
{
	static const char *const types[] = { "number", "text", "bytes", "hash" };

	for (size_t i = 0; i < row_nfields; i++)
		printf("%u\t%s\t%s\t%zu\n", row_fields[i].key, row_fields[i].name, types[row_fields[i].type], row_fields[i].max);
}

static void
print_rules(void)
{
#define X(name, what) printf("%s\t%s\n", #name, what);
	PROVA_RULES(X)
#undef X
}

static void
print_kindnesses(void)
{
#define X(name, sentence) printf("%s\t%s\n", #name, sentence);
	DESK_KINDNESSES(X)
	DOOR_KINDNESSES(X)
#undef X
}

static void
print_differences(void)
{
#define X(name, sentence) printf("%s\t%s\n", #name, sentence);
	DESK_DIFFERENCES(X)
#undef X
}

static const struct { const char *name; void (*print)(void); } tables[] = {
	{ "codes", print_codes }, { "settings", print_settings }, { "moves", print_moves }, { "fields", print_fields },
	{ "rules", print_rules }, { "kindnesses", print_kindnesses }, { "differences", print_differences },
};

int
main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < NELEM(tables); i++)
		if (strcmp(argv[1], tables[i].name) == 0) {
			tables[i].print();
			return EXIT_DONE;
		}
	return EXIT_USAGE;
}
