/* fuzz_taskbody.c - a task's body, whatever it is, gives a plan or a code. */
#include "common/build.h"

int	LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct build_plan plan;
	char why[BUILD_WHY] = "";

	for (uint64_t type = 0; type <= TYPE_MAX + 1; type++) {
		enum code code = build_read(type, (struct span){ p, n }, &plan, why);
		if (code == CODE_OK ? plan.pass == (plan.n > 0) : !*why || plan.hashes)
			abort();
		build_free(&plan);
	}
	return 0;
}
