/* test_settings.c - the settings file, overrides, and the table itself. */
#include "common/settings.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cmocka.h>

static char why[512];

/* Settings from a text, by way of a file without a name. */
static struct settings *
read_text(const char *text)
{
	char path[40];
	int fd = memfd_create("settings", 0);

	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	snprintf(path, sizeof path, "/dev/fd/%d", fd);
	why[0] = '\0';
	struct settings *s = settings_read(path, why, sizeof why);
	close(fd);
	return s;
}

static void
assert_wrong(const char *text, const char *line, const char *part)
{
	assert_null(read_text(text));
	if (!strstr(why, part) || !strstr(why, line) || !strstr(why, ": setting: "))
		fail_msg("\"%s\" has not both \"%s\" and \"%s\"", why, line, part);
}

static void
every_row_of_the_table_is_sound(void **state)
{
	for (size_t i = 0; i < settings_count; i++) {
		const struct setting *row = &settings_table[i];
		char line[300];
		size_t n = strlen(row->help);

		assert_true(n > 10 && row->help[n - 1] == '.');
		if (row->type == SET_WORD)
			assert_non_null(row->min);
		else if (row->min)
			assert_true(row->type == SET_UINT || row->type == SET_SPAN || row->type == SET_SIZE);
		for (size_t k = 0; k < i; k++)
			assert_false(!strcmp(settings_table[k].section, row->section) && !strcmp(settings_table[k].key, row->key));
		if (!row->fallback)
			continue;
		snprintf(line, sizeof line, "[%s%s]\n%s = %s\n", row->section,
		    strcmp(row->section, "prova") ? " x" : "", row->key, row->fallback);
		struct settings *s = read_text(line);
		if (!s)
			fail_msg("default of %s %s: %s", row->section, row->key, why);
		settings_free(&s);
	}
}

static void
no_file_is_all_defaults(void **state)
{
	struct settings *s = settings_read(NULL, why, sizeof why);

	assert_string_equal(settings_text(s, "prova", NULL, "run_dir"), "/run/prova");
	assert_int_equal(settings_num(s, "stage", "submit", "retry"), 2000);
	assert_false(settings_given(s, "prova", NULL, "run_dir"));
	assert_null(settings_name(s, "chain", 0));
	settings_free(&s);
	assert_null(s);
	settings_free(&s);
}

static void
values_are_read_by_type(void **state)
{
	struct settings *s = read_text(
	    "# a comment\n; another\n\n[prova]\r\n\trun_dir=/x y  # why\n"
	    "[chain main]\nbudget = 1.5\n  keep = 2h ; short\nchooser = cheapest\n"
	    "[provider b]\nslots = 3\n[provider a]\n[coordinator c]\nuniversal = on\nurl = http://h/#x;y\n"
	    "[l2 n]\nmax_bytes = 64k");

	assert_non_null(s);
	assert_string_equal(settings_text(s, "prova", NULL, "run_dir"), "/x y");
	assert_int_equal(settings_num(s, "chain", "main", "budget"), 1500000);
	assert_int_equal(settings_num(s, "chain", "main", "keep"), 7200000);
	assert_int_equal(settings_num(s, "chain", "main", "chooser"), 1);
	assert_string_equal(settings_text(s, "chain", "main", "chooser"), "cheapest");
	assert_true(settings_bool(s, "coordinator", "c", "universal"));
	assert_string_equal(settings_text(s, "coordinator", "c", "url"), "http://h/#x;y");
	assert_int_equal(settings_num(s, "l2", "n", "max_bytes"), 65536);
	assert_string_equal(settings_name(s, "provider", 0), "b");
	assert_string_equal(settings_name(s, "provider", 1), "a");
	assert_null(settings_name(s, "provider", 2));
	settings_free(&s);
}

static void
long_lines_are_whole(void **state)
{
	struct buf b = { 0 };

	buf_puts(&b, "[coordinator c]\nvks = ");
	for (int i = 0; i < 9000; i++)
		buf_putc(&b, 'a' + i % 26);
	struct settings *s = read_text(buf_cstr(&b));
	assert_int_equal(strlen(settings_text(s, "coordinator", "c", "vks")), 9000);
	settings_free(&s);
	buf_free(&b);
}

static void
mistakes_are_told_with_file_and_line(void **state)
{
	assert_wrong("[prova]\nrun_dri = /x\n", ":2:", "unknown key \"run_dri\" in [prova]");
	assert_wrong("\n[chain a]\n\nslots = 1\n", ":4:", "unknown key \"slots\" in [chain a]");
	assert_wrong("[chians a]\n", ":1:", "unknown section [chians]");
	assert_wrong("[prova x]\n", ":1:", "[prova] has no name");
	assert_wrong("[chain]\n", ":1:", "write [chain NAME]");
	assert_wrong("[chain a b]\n", ":1:", "section name");
	assert_wrong("[chain a\n", ":1:", "a section ends with ]");
	assert_wrong("[]\n", ":1:", "unknown section");
	assert_wrong("[", ":1:", "ends with ]");
	assert_wrong("run_dir = /x\n", ":1:", "before the first [section]");
	assert_wrong("[prova]\nrun_dir\n", ":2:", "neither");
	assert_wrong("[prova]\nrun_dir =\n", ":2:", "write a path");
	assert_wrong("[prova]\nrun_dir = /a\nrun_dir = /b\n", ":3:", "first in line 2");
	assert_wrong("[prova]\nrun_dir = /a\001\n", ":2:", "control byte");
	assert_wrong("[provider a]\nslots = many\n", ":2:", "write a whole number");
	assert_wrong("[provider a]\nslots = 0\n", ":2:", "from 1 to 4096");
	assert_wrong("[provider a]\nprice = 1.0000001\n", ":2:", "write an amount");
	assert_wrong("[provider a]\nask = please\n", ":2:", "write one of key|lookup|none");
	assert_wrong("[stage a]\nretry = 5\n", ":2:", "write a span");
}

static void
what_must_be_given_is_not_empty(void **state)
{
	assert_wrong("[coordinator c]\nurl =\n", ":2:", "url is empty: Base URL of the Coordinator.");
	assert_wrong("[l2 n]\nurls = # none\n", ":2:", "urls is empty");
	assert_wrong("[prover p]\nurl =\n", ":2:", "url is empty");
	assert_wrong("[chain a]\ncoordinator =\n", ":2:", "coordinator is empty");
	assert_wrong("[chain a]\nverify = none\nverify_batch =\n", ":3:", "verify_batch is empty");
	struct settings *s = read_text("[chain a]\nl2 =\ntiers =\ntiers_chunk =\n[provider p]\ncommand =\n[prover q]\nl2_urls =\n");
	assert_non_null(s);
	assert_int_equal(settings_override(s, NULL, "coordinator:c.url=", why, sizeof why), -1);
	assert_string_equal(why, "-O coordinator:c.url=: setting: url is empty: Base URL of the Coordinator.");
	settings_free(&s);
}

static void
addresses_are_checked(void **state)
{
	assert_wrong("[coordinator c]\nurl = htp:foo\n", ":2:", "url = htp:foo: write a URL that begins with http:// or https://");
	assert_wrong("[prover p]\nurl = http://a http://b\n", ":2:", "write a URL");
	assert_wrong("[l2 n]\nurls = http://\n", ":2:", "urls = http://: write URLs");
	assert_wrong("[l2 n]\nurls = http://a ftp://b\n", ":2:", "write URLs");
	assert_wrong("[l2 n]\nurls = , ,\n", ":2:", "write URLs");
	assert_wrong("[prover p]\nl2_urls = localhost:8545\n", ":2:", "write URLs");
	assert_wrong("[prova]\nstore =\n", ":2:", "write a path");
	assert_wrong("[prova]\nledger = foo\n", ":2:", "ledger = foo: write ipc://PATH or tcp://HOST:PORT");
	struct settings *s = read_text("[prova]\nledger = tcp://[::1]:7000\n[coordinator c]\nurl = https://u:p@h:1/x?y=z#t\n"
	    "[l2 n]\nurls = http://a:1, https://b/\thttp://[::1]\n");
	assert_non_null(s);
	assert_int_equal(settings_override(s, NULL, "prova.ledger=ipc://run/ledger", why, sizeof why), 0);
	settings_free(&s);
}

static void
a_file_that_cannot_be_read_is_an_error(void **state)
{
	assert_null(settings_read("/nowhere/prova.conf", why, sizeof why));
	assert_string_equal(why, "/nowhere/prova.conf: setting: cannot be read: No such file or directory");
	assert_null(settings_read("/tmp", why, sizeof why));
	assert_non_null(strstr(why, "cannot be read: Is a directory"));
}

static void
an_instance_falls_back_to_its_kind_and_to_all_stages(void **state)
{
	struct settings *s = read_text("[stage]\nlog = warn\nretry = 1s\n"
	    "[stage trace-build]\nretry = 3s\n[stage trace-build.2]\nlog = debug\n");

	assert_string_equal(settings_text(s, "stage", "trace-build.2", "log"), "debug");
	assert_string_equal(settings_text(s, "stage", "trace-build.1", "log"), "warn");
	assert_int_equal(settings_num(s, "stage", "trace-build.2", "retry"), 3000);
	assert_int_equal(settings_num(s, "stage", "submit", "retry"), 1000);
	assert_true(settings_given(s, "stage", "trace-build.7", "retry"));
	assert_false(settings_given(s, "stage", "trace-build.7", "lease"));
	settings_free(&s);
}

static void
a_type_falls_back_to_the_key_of_all_types(void **state)
{
	struct settings *s = read_text("[chain a]\nverify = none\nverify_batch = v --batch\n[provider p]\nprice = 2\nprice_chunk = 1\n");

	assert_string_equal(settings_text(s, "chain", "a", "verify_chunk"), "none");
	assert_string_equal(settings_text(s, "chain", "a", "verify_batch"), "v --batch");
	assert_true(settings_given(s, "chain", "a", "verify_bundle"));
	assert_false(settings_given(s, "chain", "b", "verify_bundle"));
	assert_string_equal(settings_text(s, "chain", "b", "tiers_bundle"), "");
	assert_int_equal(settings_num(s, "provider", "p", "price_chunk"), 1000000);
	assert_int_equal(settings_num(s, "provider", "p", "price_bundle"), 2000000);
	assert_int_equal(settings_num(s, "chain", "a", "collection_batch"), 180000);
	settings_free(&s);
}

static void
overrides_win(void **state)
{
	struct settings *s = read_text("[prova]\nrun_dir = /a\n[stage trace-build.2]\nlog = warn\n");

	assert_int_equal(settings_override(s, "trace-build.2", "log=debug", why, sizeof why), 0);
	assert_int_equal(settings_override(s, NULL, "prova.run_dir = /b=c", why, sizeof why), 0);
	assert_int_equal(settings_override(s, NULL, "provider:gpu.1.slots=9", why, sizeof why), 0);
	assert_int_equal(settings_override(s, NULL, "provider:gpu.1.slots=8", why, sizeof why), 0);
	assert_string_equal(settings_text(s, "stage", "trace-build.2", "log"), "debug");
	assert_string_equal(settings_text(s, "prova", NULL, "run_dir"), "/b=c");
	assert_int_equal(settings_num(s, "provider", "gpu.1", "slots"), 8);
	assert_string_equal(settings_name(s, "provider", 0), "gpu.1");
	assert_int_equal(settings_override(s, "prover:own.1", "url=http://10.0.0.1/?a=b", why, sizeof why), 0);
	assert_string_equal(settings_text(s, "prover", "own.1", "url"), "http://10.0.0.1/?a=b");
	settings_free(&s);
}

static void
wrong_overrides_are_told(void **state)
{
	static const char *const pairs[][2] = {
		{ "log", "no = in it" }, { "log=loud", "write one of" }, { "prova.x=1", "unknown key" },
		{ "nothing.x=1", "unknown section" }, { "chain.keep=1s", "[chain NAME]" }, { "", "no = in it" }, { "=", "unknown key" },
	};
	struct settings *s = settings_read(NULL, why, sizeof why);

	for (size_t i = 0; i < NELEM(pairs); i++) {
		assert_int_equal(settings_override(s, "submit", pairs[i][0], why, sizeof why), -1);
		if (strncmp(why, "-O ", 3) || !strstr(why, pairs[i][1]))
			fail_msg("%s: %s", pairs[i][0], why);
	}
	assert_int_equal(settings_override(s, NULL, "log=debug", why, sizeof why), -1);
	assert_non_null(strstr(why, "no section"));
	settings_free(&s);
}

static void
what_must_be_given_ends_the_process_when_it_is_not(void **state)
{
	struct settings *s = settings_read(NULL, why, sizeof why);
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);
		dup2(null, 2);
		settings_text(s, "coordinator", "c", "url");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXIT_USAGE);
	settings_free(&s);
}

static void
print_shows_everything_in_force(void **state)
{
	struct settings *s = read_text("[prova]\nrun_dir = /a\n[provider p]\ncommand = x y\nprice = 2\nprice_chunk = 1\n");
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	settings_print(s, f);
	fclose(f);
	assert_non_null(strstr(text, "prova run_dir = /a\n"));
	assert_non_null(strstr(text, "prova state_dir = /var/lib/prova\n"));
	assert_non_null(strstr(text, "provider p command = x y\n"));
	assert_non_null(strstr(text, "provider p price_chunk = 1\n"));
	assert_non_null(strstr(text, "provider p price_batch = 2\n"));
	assert_non_null(strstr(text, "provider p chain =\n"));
	assert_non_null(strstr(text, "stage log = info\n"));
	assert_null(strstr(text, "coordinator"));
	free(text);
	settings_free(&s);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_of_the_table_is_sound),
		cmocka_unit_test(no_file_is_all_defaults),
		cmocka_unit_test(values_are_read_by_type),
		cmocka_unit_test(long_lines_are_whole),
		cmocka_unit_test(mistakes_are_told_with_file_and_line),
		cmocka_unit_test(what_must_be_given_is_not_empty),
		cmocka_unit_test(addresses_are_checked),
		cmocka_unit_test(a_file_that_cannot_be_read_is_an_error),
		cmocka_unit_test(an_instance_falls_back_to_its_kind_and_to_all_stages),
		cmocka_unit_test(a_type_falls_back_to_the_key_of_all_types),
		cmocka_unit_test(overrides_win),
		cmocka_unit_test(wrong_overrides_are_told),
		cmocka_unit_test(what_must_be_given_ends_the_process_when_it_is_not),
		cmocka_unit_test(print_shows_everything_in_force),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
