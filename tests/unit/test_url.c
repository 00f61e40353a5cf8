/* test_url.c - addresses: scheme, host, port. */
#include "common/url.h"

#include <setjmp.h>

#include <cmocka.h>

static void
judge(bool (*rule)(struct span), const char *const *texts, size_t n, bool want)
{
	for (size_t i = 0; i < n; i++)
		if (rule(span_str(texts[i])) != want)
			fail_msg("%s is %s", texts[i], want ? "good" : "not good");
}

static void
urls_have_a_scheme_and_a_host(void **state)
{
	static const char *const good[] = { "http://h", "https://h", "http://h:80", "http://h/", "http://h?x", "http://h#x", "http://[::1]",
		"http://[::1]:65535/x:y@z", "http://u:p@h:1/x", "http://127.0.0.1:0" };
	static const char *const bad[] = { "", "h", "h:80", "htp:foo", "ftp://h", "http:/h", "http://", "https://", "http:///x", "http://?x",
		"http://:80", "http://@", "http://u@", "http://u@:80", "http://h:", "http://h:x", "http://h:65536", "http://h:1:2", "http://[]",
		"http://[::1", "http://[::1]x", "http://h x", "http://h\tx", " http://h", "http://h\x7f" };

	judge(url_good, good, NELEM(good), true);
	judge(url_good, bad, NELEM(bad), false);
}

static void
a_list_is_separated_by_blanks_and_commas(void **state)
{
	const char *at = "  a ,b\tc,, ";
	struct span url;

	for (const char *want = "abc"; *want; want++) {
		assert_true(url_next(&at, &url));
		assert_int_equal(url.n, 1);
		assert_int_equal(url.p[0], *want);
	}
	assert_false(url_next(&at, &url));
	assert_false(url_next(&at, &url));
}

static void
endpoints_are_a_path_or_a_host_and_a_port(void **state)
{
	static const char *const good[] = { "ipc:///run/ledger", "ipc://run/a b", "tcp://h:1", "tcp://*:7000", "tcp://[::1]:7000" };
	static const char *const bad[] = { "", "foo", "/run/ledger", "ipc:", "ipc://", "ipc:/x", "tcp://", "tcp://h", "tcp://h:", "tcp://:1",
		"tcp://h:*", "tcp://h:99999", "tcp://[::1]", "tcp://h :1", "udp://h:1", "inproc://x" };

	judge(url_endpoint_good, good, NELEM(good), true);
	judge(url_endpoint_good, bad, NELEM(bad), false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_have_a_scheme_and_a_host),
		cmocka_unit_test(a_list_is_separated_by_blanks_and_commas),
		cmocka_unit_test(endpoints_are_a_path_or_a_host_and_a_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
