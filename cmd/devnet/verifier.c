/* verifier.c - is a proof's text a proof of this item?  See verifier.h. */
#include "cmd/devnet/verifier.h"

#include "common/gobind.h"
#include "common/num.h"

enum { V_PROTOCOL, V_PROOF, V_INSTANCES, V_VK, V_GIT, V_INPUT, V_MAX };

static const struct gobind_field fields[] = {
	{ .name = "protocol", .go_type = "uint8", .kind = GOBIND_BYTES, .at = V_PROTOCOL },
	{ .name = "proof", .go_type = "uint8", .kind = GOBIND_BYTES, .at = V_PROOF },
	{ .name = "instances", .go_type = "uint8", .kind = GOBIND_BYTES, .at = V_INSTANCES },
	{ .name = "vk", .go_type = "uint8", .kind = GOBIND_BYTES, .at = V_VK },
	{ .name = "git_version", .go_type = "string", .kind = GOBIND_STR, .at = V_GIT },
	{ .name = "input_sha256", .go_type = "string", .kind = GOBIND_STR, .at = V_INPUT },
};
static const struct gobind_type types[] = {
	[TYPE_CHUNK]  = { "ChunkProof", "message.", fields, NELEM(fields) },
	[TYPE_BATCH]  = { "BatchProof", "message.", fields, NELEM(fields) },
	[TYPE_BUNDLE] = { "BundleProof", "message.", fields, NELEM(fields) },
};

static bool
names_the_input(struct tasks *t, struct item *it)
{
	uint8_t said[HASH_BYTES];

	return num_hex(span_str(it->proof_input), true, said, sizeof said) && tasks_input(t, it) &&
	    memcmp(said, it->input_sha256, sizeof said) == 0;
}

enum verifier
verifier_judge(struct tasks *t, struct item *it, struct span proof, bool mock, struct buf *why)
{
	struct span v[V_MAX];
	struct buf text = { 0 };
	bool good;

	buf_reset(why);
	if (!gobind_whole(proof, &types[it->type], v, why))
		return VERIFIER_SHAPE;
	gobind_str(v[V_INPUT], &text);
	if (!span_cstr(SPAN_OF(&text), it->proof_input, sizeof it->proof_input))
		it->proof_input[0] = '\0';
	buf_reset(&text);
	gobind_bytes(v[V_PROOF], &text);
	good = mock ? !span_is(SPAN_OF(&text), "this is a invalid proof") : names_the_input(t, it);
	buf_free(&text);
	return good ? VERIFIER_GOOD : VERIFIER_BAD;
}
