/* choosers.c - the table of choosers, and what they share.  See choose.h. */
#include "cmd/allocate/choose.h"

#include "common/codes.h"
#include "common/hash.h"
#include "common/num.h"

const struct chooser choosers[] = {
	{ "turn",	CODE_NOT_ITS_TURN,	choose_turn },
	{ "cheapest",	CODE_DEARER,		choose_cheapest },
};
const size_t choosers_count = NELEM(choosers);

const struct chooser *
chooser_find(const char *name)
{
	for (size_t i = 0; i < choosers_count; i++)
		if (strcmp(choosers[i].name, name) == 0)
			return &choosers[i];
	return NULL;
}

static uint64_t
big_endian(const uint8_t *p)
{
	uint64_t v = 0;

	for (size_t i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

static void
put_number(struct sha256 *h, uint64_t v, size_t bytes)
{
	uint8_t out[8];

	for (size_t i = 0; i < bytes; i++)
		out[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
	sha256_put(h, out, bytes);
}

static void
put_text(struct sha256 *h, struct span s)
{
	put_number(h, s.n, 4);
	sha256_put(h, s.p, s.n);
}

uint64_t
question_chain(struct span name)
{
	uint8_t digest[HASH_BYTES];
	uint64_t number;

	if (num_u64(name, &number))
		return number;
	sha256_of(name, digest);
	return big_endian(digest);
}

void
question_tie(const struct question *q, const char *id, uint8_t out[HASH_BYTES])
{
	struct sha256 h;

	sha256_init(&h);
	put_text(&h, SPAN("prova/alloc/tie/v1"));
	put_number(&h, q->chain, 8);
	put_number(&h, q->type, 1);
	put_text(&h, q->task);
	put_number(&h, q->attempt, 4);
	put_text(&h, span_str(id));
	sha256_end(&h, out);
}

uint64_t
question_draw(const struct question *q)
{
	uint8_t digest[HASH_BYTES];

	question_tie(q, "", digest);
	return big_endian(digest);
}
