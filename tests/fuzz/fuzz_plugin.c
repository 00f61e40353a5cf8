/* fuzz_plugin.c - a plug-in's answers: any bytes are an answer or garbage, for each verb. */
#include "common/reply.h"
#include "common/codes.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct plugin_answer answer;
	struct plugin_caps caps;
	struct reply reply;
	char why[128];
	uint64_t code = plugin_parse((struct span){ data, size }, 1 << 20, &answer);
	struct coproc_result result = { .code = code, .sent = true, .answer = code == CODE_OK ? &answer : NULL };

	for (int verb = PLUGIN_PROVE; verb <= PLUGIN_RECONCILE; verb++)
		reply_read((enum plugin_verb)verb, &result, &reply);
	if (code == CODE_OK && plugin_caps_parse(&answer, &caps, why))
		(void)plugin_caps_fork(&caps, SPAN("euclidV2"));
	plugin_answer_free(&answer);
	return 0;
}
