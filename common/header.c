/* header.c - see header.h. */
#include "common/header.h"

#include "common/hash.h"
#include "common/num.h"
#include "common/rlp.h"
#include "common/scan.h"

/* The fields in the order of the RLP.  Quantities lose their leading zeros there. */
static const struct {
	const char	*name;
	size_t		 least, most;	/* bytes */
	bool		 quantity;
} fields[] = {
	{ "parentHash", 32, 32, false }, { "sha3Uncles", 32, 32, false }, { "miner", 20, 20, false },
	{ "stateRoot", 32, 32, false }, { "transactionsRoot", 32, 32, false }, { "receiptsRoot", 32, 32, false },
	{ "logsBloom", 256, 256, false }, { "difficulty", 0, 32, true }, { "number", 0, 32, true },
	{ "gasLimit", 0, 8, true }, { "gasUsed", 0, 8, true }, { "timestamp", 0, 8, true },
	{ "extraData", 0, 8192, false }, { "mixHash", 32, 32, false }, { "nonce", 8, 8, false },
	/* from here on optional: London, Shanghai, Cancun (three), Prague */
	{ "baseFeePerGas", 0, 32, true }, { "withdrawalsRoot", 32, 32, false }, { "blobGasUsed", 0, 8, true },
	{ "excessBlobGas", 0, 8, true }, { "parentBeaconBlockRoot", 32, 32, false }, { "requestsHash", 32, 32, false },
};

enum {
	FIELDS = NELEM(fields), REQUIRED = 15, PARENT = 0, NUMBER = 8,
	HASH = FIELDS, SIZE, DIFFICULTIES, NAMES,	/* members that are no part of the hash */
	FIELD_BYTES = 8192,
};

static bool
is_null(struct span value)
{
	return value.n == 0 || value.p[0] == 'n';
}

/* Hex of any length into out: how many bytes, or -1. */
static ssize_t
read_hex(struct span text, bool quantity, uint8_t out[FIELD_BYTES])
{
	char even[2 * FIELD_BYTES];
	size_t odd;

	if (text.n < 2 || text.p[0] != '0' || text.p[1] != 'x')
		return -1;
	text = (struct span){ text.p + 2, text.n - 2 };
	while (quantity && text.n && text.p[0] == '0')
		text = (struct span){ text.p + 1, text.n - 1 };
	odd = text.n % 2;
	if (text.n + odd > sizeof even || (odd && !quantity))
		return -1;
	even[0] = '0';
	memcpy(even + odd, text.p, text.n);
	struct span hex = { (const uint8_t *)even, text.n + odd };
	return num_hex(hex, false, out, hex.n / 2) ? (ssize_t)(hex.n / 2) : -1;
}

/* One field; an absent one before a present one is the empty string. */
static bool
put_field(struct buf *items, size_t i, struct span value)
{
	uint8_t bytes[FIELD_BYTES];
	ssize_t n = 0;

	if (!is_null(value)) {
		n = read_hex(scan_text(value), fields[i].quantity, bytes);
		if (n < (ssize_t)fields[i].least || n > (ssize_t)fields[i].most)
			return false;
	}
	rlp_put_str(items, (struct span){ bytes, (size_t)n });
	return true;
}

static bool
put_fields(struct buf *items, const struct span *values)
{
	size_t n = FIELDS;

	while (n > REQUIRED && is_null(values[n - 1]))
		n--;
	for (size_t i = 0; i < n; i++)
		if ((i < REQUIRED && is_null(values[i])) || !put_field(items, i, values[i]))
			return false;
	return true;
}

static enum header_hash
judge(const struct span *values, uint64_t members, const uint8_t stated[HASH_BYTES])
{
	struct buf items = { 0 }, list = { 0 };
	uint8_t hash[HASH_BYTES];
	uint64_t known = 0;
	enum header_hash verdict = HEADER_UNKNOWN;

	for (size_t i = 0; i < NAMES; i++)
		known += values[i].p != NULL;
	if (known == members && put_fields(&items, values)) {
		rlp_put_list(&list, SPAN_OF(&items));
		keccak256(SPAN_OF(&list), hash);
		verdict = memcmp(hash, stated, HASH_BYTES) == 0 ? HEADER_MATCH : HEADER_MISMATCH;
	}
	buf_free(&items);
	buf_free(&list);
	return verdict;
}

bool
header_read(struct span object, struct header *h)
{
	const char *names[NAMES] = { [HASH] = "hash", [SIZE] = "size", [DIFFICULTIES] = "totalDifficulty" };
	struct span values[NAMES];
	uint64_t members;

	for (size_t i = 0; i < FIELDS; i++)
		names[i] = fields[i].name;
	if (!scan_members(object, names, NAMES, values, &members))
		return false;
	if (!num_quantity(scan_text(values[NUMBER]), &h->number)
	    || !num_hex(scan_text(values[HASH]), true, h->hash, HASH_BYTES)
	    || !num_hex(scan_text(values[PARENT]), true, h->parent, HASH_BYTES))
		return false;
	h->verdict = judge(values, members, h->hash);
	return true;
}
