/* main.c - run simulated schedules.
 *
 * usage: model [-s SEED] [-n RUNS] [-v] [-r RULE]
 *   -s SEED  the first seed (1); alone, with -v, it replays one schedule and tells it
 *   -n RUNS  how many seeds (1)
 *   -r RULE  leave this rule out (only in the build for mutants); "list" prints them all
 *
 * The first seed that goes wrong is printed with what went wrong; exit 1.  With -r going
 * wrong is what is wanted: exit 0 then, 1 when no schedule noticed. */
#include "tests/model/world.h"

#include "common/num.h"

#ifdef RULES_CAN_FAIL
enum rule rule_left_out;

static const char *const rule_names[RULE_COUNT] = {
	"",
#define X(name, what) #name,
	PROVA_RULES(X)
#undef X
};

static int
leave_out(const char *name)
{
	for (int i = 1; i < RULE_COUNT; i++) {
		if (strcmp(name, "list") == 0)
			puts(rule_names[i]);
		if (strcmp(name, rule_names[i]) == 0) {
			rule_left_out = (enum rule)i;
			return 0;
		}
	}
	return strcmp(name, "list") == 0 ? EXIT_NO : EXIT_USAGE;
}
#else
static int
leave_out(const char *name)
{
	die(EXIT_USAGE, "rules can only be left out in the build for mutants (make model-mutants)");
}
#endif

static bool
run_one(uint64_t seed, bool trace, bool wanted)
{
	struct world *w = world_new(seed, trace);

	world_run(w);
	bool wrong = w->verdict[0] != '\0';
	if (wrong)
		printf("seed %" PRIu64 ": %s%s\n", seed, w->verdict, wanted ? "" : "  (again: model -v -s SEED)");
	world_free(w);
	return wrong;
}

static uint64_t
number(const char *text)
{
	uint64_t n;

	if (!num_u64(span_str(text), &n))
		die(EXIT_USAGE, "%s is not a number", text);
	return n;
}

int
main(int argc, char **argv)
{
	uint64_t seed = 1, runs = 1, wrong = 0;
	bool trace = false, mutant = false;
	int c;

	while ((c = getopt(argc, argv, "s:n:vr:")) != -1) {
		if (c == 's')
			seed = number(optarg);
		else if (c == 'n')
			runs = number(optarg);
		else if (c == 'v')
			trace = true;
		else if (c != 'r' || leave_out(optarg) != 0)
			return c == 'r' && strcmp(optarg, "list") == 0 ? EXIT_DONE : EXIT_USAGE;
		else
			mutant = true;
	}
	diag_threshold(trace ? DIAG_WARN : DIAG_ERROR + 1);
	for (uint64_t i = 0; i < runs && !wrong; i++)
		wrong += run_one(seed + i, trace, mutant);
	if (!wrong && !mutant)
		printf("%" PRIu64 " schedules, nothing wrong\n", runs);
	return (wrong > 0) == mutant ? EXIT_DONE : EXIT_NO;
}
