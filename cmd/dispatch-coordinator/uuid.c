/* uuid.c - attempts' uuids.  See uuid.h.
 *
 * 122 bits are free: 48 hold the id, masked, the others (BYTES - ID_BYTES bytes, without the 6 bits of version
 * and variant) a tag over id and key; the mask is made from the tag. */
#include "cmd/dispatch-coordinator/uuid.h"

#include "common/hash.h"
#include "common/num.h"

enum { BYTES = 16, ID_BYTES = 6 };

/* HMAC over a word, an id and the key; the version and variant bits are as RFC 9562 wants them. */
static void
make_tag(struct span secret, struct span key, uint64_t id, uint8_t out[BYTES])
{
	struct buf text = { 0 };
	uint8_t mac[HASH_BYTES];

	buf_printf(&text, "uuid %" PRIu64 " ", id);
	buf_put(&text, key.p, key.n);
	hmac_sha256(secret, SPAN_OF(&text), mac);
	buf_free(&text);
	memcpy(out, mac, BYTES);
	out[6] = (out[6] & 0x0f) | 0x40;
	out[8] = (out[8] & 0x3f) | 0x80;
}

/* The id's place gets `id` under a mask that the rest gives. */
static void
mask_id(struct span secret, const uint8_t bytes[BYTES], const uint8_t id[ID_BYTES], uint8_t out[ID_BYTES])
{
	uint8_t mac[HASH_BYTES];

	hmac_sha256(secret, (struct span){ bytes + ID_BYTES, BYTES - ID_BYTES }, mac);
	for (size_t i = 0; i < ID_BYTES; i++)
		out[i] = id[i] ^ mac[i];
}

static void
put_text(const uint8_t bytes[BYTES], char out[UUID_CHARS + 1])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < BYTES; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = '\0';
}

void
uuid_seal(struct span secret, struct span key, uint64_t id, char out[UUID_CHARS + 1])
{
	uint8_t bytes[BYTES], plain[ID_BYTES];

	for (size_t i = 0; i < ID_BYTES; i++)
		plain[i] = (uint8_t)(id >> 8 * (ID_BYTES - 1 - i));
	make_tag(secret, key, id, bytes);
	mask_id(secret, bytes, plain, bytes);
	put_text(bytes, out);
}

static bool
get_bytes(struct span text, uint8_t bytes[BYTES])
{
	char digits[2 * BYTES];
	size_t n = 0;

	if (text.n >= 2 && text.p[0] == '{' && text.p[text.n - 1] == '}')
		text = (struct span){ text.p + 1, text.n - 2 };
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '-')
			continue;
		if (n == sizeof digits)
			return false;
		digits[n++] = (char)text.p[i];
	}
	return n == sizeof digits && num_hex((struct span){ (const uint8_t *)digits, n }, false, bytes, BYTES);
}

uint64_t
uuid_open(struct span secret, struct span key, struct span text)
{
	uint8_t bytes[BYTES], plain[ID_BYTES], expected[BYTES];
	uint64_t id = 0;

	if (!get_bytes(text, bytes))
		return 0;
	mask_id(secret, bytes, bytes, plain);
	for (size_t i = 0; i < ID_BYTES; i++)
		id = id << 8 | plain[i];
	make_tag(secret, key, id, expected);
	return memcmp(expected + ID_BYTES, bytes + ID_BYTES, BYTES - ID_BYTES) == 0 ? id : 0;
}
