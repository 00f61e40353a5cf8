/* trace.c - one made-up block trace.  See trace.h. */
#include "cmd/devnet/trace.h"

#include "common/hash.h"
#include "common/num.h"
#include "common/rlp.h"

enum {
	BLOOM_BYTES	= 256,
	NODE_BYTES	= 266,		/* of a trie node in a proof */
	NODES_PER_PROOF	= 12,
	GENESIS_S	= 1700000000,
	BLOCK_S		= 3,
};

/* A field of the header: its name, and its bytes or its number. */
struct field {
	const char	*name;
	struct span	 bytes;
	uint64_t	 number;
	bool		 is_number;
};

/* splitmix64: every filler is the same each time. */
static uint64_t
next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void
put_hex(struct buf *b, struct span s)
{
	buf_puts(b, "\"0x");
	num_put_hex(b, s);
	buf_putc(b, '"');
}

static void
put_random(struct buf *b, uint64_t *state, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	buf_puts(b, "\"0x");
	uint8_t *p = buf_room(b, 2 * n);
	for (size_t i = 0; i < 2 * n; ) {
		uint64_t v = next(state);
		for (int j = 0; j < 16 && i < 2 * n; j++, v >>= 4)
			p[i++] = (uint8_t)digits[v & 15];
	}
	b->n += 2 * n;
	buf_putc(b, '"');
}

/* A digest of seed, a name and a number. */
static void
digest(uint64_t seed, const char *what, uint64_t number, uint8_t out[HASH_BYTES])
{
	struct buf b = { 0 };

	buf_printf(&b, "%" PRIu64 " %s %" PRIu64, seed, what, number);
	keccak256(SPAN_OF(&b), out);
	buf_free(&b);
}

void
trace_state_root(uint64_t seed, uint64_t number, uint8_t out[HASH_BYTES])
{
	digest(seed, "state", number, out);
}

static void
hash_fields(const struct field *f, size_t n, uint8_t hash[HASH_BYTES])
{
	struct buf items = { 0 }, list = { 0 };

	for (size_t i = 0; i < n; i++) {
		if (f[i].is_number)
			rlp_put_u64(&items, f[i].number);
		else
			rlp_put_str(&items, f[i].bytes);
	}
	rlp_put_list(&list, SPAN_OF(&items));
	keccak256(SPAN_OF(&list), hash);
	buf_free(&items);
	buf_free(&list);
}

static void
put_fields(struct buf *b, const struct field *f, size_t n, const uint8_t hash[HASH_BYTES])
{
	buf_putc(b, '{');
	for (size_t i = 0; i < n; i++) {
		buf_printf(b, "\"%s\":", f[i].name);
		if (f[i].is_number)
			buf_printf(b, "\"0x%" PRIx64 "\"", f[i].number);
		else
			put_hex(b, f[i].bytes);
		buf_putc(b, ',');
	}
	buf_puts(b, "\"hash\":");
	put_hex(b, (struct span){ hash, HASH_BYTES });
	buf_putc(b, '}');
}

#define BYTES(a)	.bytes = { a, sizeof a }
#define NUMBER(v)	.number = v, .is_number = true

void
trace_put_header(struct buf *b, uint64_t seed, uint64_t number, const uint8_t parent[HASH_BYTES],
    uint8_t hash[HASH_BYTES])
{
	static const uint8_t no_uncles[HASH_BYTES] = {
		0x1d, 0xcc, 0x4d, 0xe8, 0xde, 0xc7, 0x5d, 0x7a, 0xab, 0x85, 0xb5, 0x67, 0xb6, 0xcc, 0xd4, 0x1a,
		0xd3, 0x12, 0x45, 0x1b, 0x94, 0x8a, 0x74, 0x13, 0xf0, 0xa1, 0x42, 0xfd, 0x40, 0xd4, 0x93, 0x47,
	};
	static const uint8_t zeros[BLOOM_BYTES];
	uint8_t state[HASH_BYTES], transactions[HASH_BYTES], receipts[HASH_BYTES];

	trace_state_root(seed, number, state);
	digest(seed, "transactions", number, transactions);
	digest(seed, "receipts", number, receipts);
	const struct field fields[] = {
		{ "parentHash", .bytes = { parent, HASH_BYTES } },
		{ "sha3Uncles", BYTES(no_uncles) },
		{ "miner", .bytes = { zeros, 20 } },
		{ "stateRoot", BYTES(state) },
		{ "transactionsRoot", BYTES(transactions) },
		{ "receiptsRoot", BYTES(receipts) },
		{ "logsBloom", BYTES(zeros) },
		{ "difficulty", NUMBER(2) },
		{ "number", NUMBER(number) },
		{ "gasLimit", NUMBER(10000000) },
		{ "gasUsed", NUMBER(21000 + number % 1000) },
		{ "timestamp", NUMBER(GENESIS_S + BLOCK_S * number) },
		{ "extraData", .bytes = { (const uint8_t *)"prova-devnet", 12 } },
		{ "mixHash", .bytes = { zeros, 32 } },
		{ "nonce", .bytes = { zeros, 8 } },
		{ "baseFeePerGas", NUMBER(40000000) },
	};
	hash_fields(fields, NELEM(fields), hash);
	put_fields(b, fields, NELEM(fields), hash);
}

static void
put_account(struct buf *b, uint64_t *state, const char *name)
{
	buf_printf(b, "\"%s\":{\"address\":", name);
	put_random(b, state, 20);
	buf_printf(b, ",\"nonce\":%" PRIu64 ",\"balance\":\"0x%" PRIx64 "\",\"keccakCodeHash\":",
	    next(state) % 1000, next(state) >> 8);
	put_random(b, state, 32);
	buf_puts(b, ",\"poseidonCodeHash\":");
	put_random(b, state, 32);
	buf_puts(b, ",\"codeSize\":0}");
}

static void
put_transaction(struct buf *b, uint64_t *state)
{
	buf_printf(b, "{\"type\":2,\"nonce\":%" PRIu64 ",\"txHash\":", next(state) % 1000);
	put_random(b, state, 32);
	buf_puts(b, ",\"gas\":21000,\"gasPrice\":\"0x3b9aca00\",\"gasTipCap\":\"0x3b9aca00\",\"gasFeeCap\":\"0x3b9aca00\",\"from\":");
	put_random(b, state, 20);
	buf_puts(b, ",\"to\":");
	put_random(b, state, 20);
	buf_printf(b, ",\"chainId\":\"0x%x\",\"value\":\"0x0\",\"data\":\"0x\",\"isCreate\":false,"
	    "\"accessList\":[],\"v\":\"0x1\",\"r\":", TRACE_CHAIN_ID);
	put_random(b, state, 32);
	buf_puts(b, ",\"s\":");
	put_random(b, state, 32);
	buf_putc(b, '}');
}

static void
put_result(struct buf *b, uint64_t *state)
{
	buf_puts(b, "{\"l1DataFee\":\"0x1\",\"gas\":21000,\"failed\":false,\"returnValue\":\"\",");
	put_account(b, state, "from");
	buf_putc(b, ',');
	put_account(b, state, "to");
	buf_puts(b, ",\"accountAfter\":[],\"structLogs\":[],\"callTrace\":{\"type\":\"CALL\",\"gas\":\"0x0\",\"gasUsed\":\"0x0\"}}");
}

static void
put_root(struct buf *b, const char *name, uint64_t seed, uint64_t number)
{
	uint8_t root[HASH_BYTES];

	trace_state_root(seed, number, root);
	buf_printf(b, "\"%s\":", name);
	put_hex(b, (struct span){ root, sizeof root });
}

/* Proofs of accounts fill the trace up to its size. */
static void
put_storage_trace(struct buf *b, uint64_t *state, uint64_t seed, uint64_t number, size_t until)
{
	buf_puts(b, "{");
	put_root(b, "rootBefore", seed, number - 1);
	buf_putc(b, ',');
	put_root(b, "rootAfter", seed, number);
	buf_puts(b, ",\"proofs\":{");
	for (bool first = true; first || b->n < until; first = false) {
		if (!first)
			buf_putc(b, ',');
		put_random(b, state, 20);
		buf_puts(b, ":[");
		for (int i = 0; i < NODES_PER_PROOF && (i == 0 || b->n < until); i++) {
			if (i)
				buf_putc(b, ',');
			put_random(b, state, NODE_BYTES);
		}
		buf_putc(b, ']');
	}
	buf_puts(b, "},\"storageProofs\":{},\"deletionProofs\":[]}");
}

void
trace_put(struct buf *b, uint64_t seed, uint64_t number, struct span header, size_t bytes)
{
	enum { TAIL_BYTES = 400 };
	uint64_t state = seed ^ number * 0x2545f4914f6cdd1d;
	size_t until = b->n + (bytes > TAIL_BYTES ? bytes - TAIL_BYTES : 0);

	buf_room(b, bytes + 8192);
	buf_printf(b, "{\"chainID\":%d,\"version\":\"5.7.0-devnet\",", TRACE_CHAIN_ID);
	put_account(b, &state, "coinbase");
	buf_puts(b, ",\"header\":");
	buf_put(b, header.p, header.n);
	buf_puts(b, ",\"transactions\":[");
	put_transaction(b, &state);
	buf_puts(b, "],\"executionResults\":[");
	put_result(b, &state);
	buf_puts(b, "],\"codes\":[],\"storageTrace\":");
	put_storage_trace(b, &state, seed, number, until);
	buf_puts(b, ",\"txStorageTraces\":[],\"startL1QueueIndex\":0,\"withdraw_trie_root\":");
	put_random(b, &state, 32);
	buf_putc(b, '}');
}
