/* fuzz_plugin.c - a plug-in's answers: any bytes are an answer or garbage. */
#include "common/plugin.h"

#include "common/codes.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct plugin_answer answer;
	struct plugin_caps caps;
	char why[128];

	if (plugin_parse((struct span){ data, size }, 1 << 20, &answer) == CODE_OK) {
		if (answer.ok && answer.error[0])
			abort();
		if (plugin_caps_parse(&answer, &caps, why))
			(void)plugin_caps_fork(&caps, SPAN("euclidV2"));
	}
	plugin_answer_free(&answer);
	return 0;
}
