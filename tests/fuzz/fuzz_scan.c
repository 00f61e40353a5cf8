/* fuzz_scan.c - the skip scanner gives the same answer whole and in pieces, inside the document. */
#include "common/scan.h"

int	LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const paths[] = { "result", "error", "result.header", "result.header.hash" };
	struct span found[NELEM(paths)];
	struct scan s;
	size_t split = n ? p[n / 2] % (n + 1) : 0;

	bool fine = scan_members((struct span){ p, n }, paths, NELEM(paths), found, NULL);
	scan_init(&s, paths, NELEM(paths));
	bool pieces = scan_put(&s, (struct span){ p, split }) && scan_put(&s, (struct span){ p + split, n - split });
	if (fine != (pieces && scan_whole(&s)))
		abort();
	for (size_t i = 0; fine && i < NELEM(paths); i++) {
		const struct scan_hit *hit = scan_found(&s, i);
		if (!hit != !found[i].p || (hit && (hit->at + hit->n > n || p + hit->at != found[i].p || hit->n != found[i].n)))
			abort();
	}
	return 0;
}
