/* codes.c - see codes.h. */
#include "common/codes.h"

static const struct entry {
	enum code	 code;
	const char	*word, *sentence, *action;
} registry[] = {
#define X(number, name, word, sentence, action) { CODE_##name, word, sentence, action },
	PROVA_CODES(X)
#undef X
};

static const struct entry *
find(uint64_t code)
{
	static const struct entry unknown = { CODE_OK, "unknown", "", "" };

	for (size_t i = 0; i < NELEM(registry); i++)
		if ((uint64_t)registry[i].code == code)
			return &registry[i];
	return &unknown;
}

const char *
code_word(uint64_t code)
{
	return find(code)->word;
}

const char *
code_sentence(uint64_t code)
{
	return find(code)->sentence;
}

const char *
code_action(uint64_t code)
{
	return find(code)->action;
}

bool
code_nth(size_t i, enum code *out)
{
	if (i >= NELEM(registry))
		return false;
	*out = registry[i].code;
	return true;
}
