/* l2node.c - the L2 node of prova-devnet.  See l2node.h. */
#include "cmd/devnet/l2node.h"

#include "cmd/devnet/trace.h"
#include "common/json.h"
#include "common/num.h"

enum { BODY_MAX = 1 << 20 };

enum { E_PARSE = -32700, E_REQUEST = -32600, E_METHOD = -32601, E_PARAMS = -32602, E_SERVER = -32000 };

/* A method: appends its result, or says what is wrong. */
struct call {
	const struct blocks	*blocks;
	const struct json	*params;
	enum fault_kind		 fault;
	struct buf		*out;
	int			 error;
	char			 message[160];
};

static void
fail(struct call *c, int error, const char *fmt, ...) PRINTF(3, 4);

static void
fail(struct call *c, int error, const char *fmt, ...)
{
	va_list ap;

	c->error = error;
	va_start(ap, fmt);
	vsnprintf(c->message, sizeof c->message, fmt, ap);
	va_end(ap);
}

static uint64_t
head(const struct call *c)
{
	return c->blocks->n ? c->blocks->all[c->blocks->n - 1].number : 0;
}

/* A block by hash, number ("0x1f" or 31), tag, or an object that has one of them. */
static const struct block *
find_rightly(const struct call *c, const struct json *which)
{
	uint8_t hash[HASH_BYTES];
	uint64_t number;

	if (json_is_object(which)) {
		const struct json *inner = json_get(which, "blockHash");
		which = inner ? inner : json_get(which, "blockNumber");
	}
	struct span text = json_text(which);
	if (num_hex(text, true, hash, sizeof hash) && text.n == 66)
		return blocks_by_hash(c->blocks, hash);
	if (span_is(text, "latest") || span_is(text, "safe") || span_is(text, "finalized") || span_is(text, "pending"))
		return blocks_by_number(c->blocks, head(c));
	if (num_quantity(text, &number) || json_u64(which, &number))
		return blocks_by_number(c->blocks, number);
	return NULL;
}

/* On demand the one before it, or for the first the last. */
static const struct block *
find(const struct call *c, const struct json *which)
{
	const struct block *b = find_rightly(c, which);

	if (!b || c->fault != FAULT_WRONG_BLOCK)
		return b;
	return b > c->blocks->all ? b - 1 : &c->blocks->all[c->blocks->n - 1];
}

static void
block_number(struct call *c)
{
	buf_printf(c->out, "\"0x%" PRIx64 "\"", head(c));
}

static void
chain_id(struct call *c)
{
	buf_printf(c->out, "\"0x%x\"", TRACE_CHAIN_ID);
}

static void
block_trace(struct call *c)
{
	const struct json *which = json_at(c->params, 0);
	const struct block *b = find(c, which);
	struct span text = json_text(which);

	if (!which)
		fail(c, E_PARAMS, "missing value for required argument 0");
	else if (!b)
		fail(c, E_SERVER, "block %.*s not found", (int)MIN2(text.n, 80), text.p ? (const char *)text.p : "");
	else if (!blocks_put_trace(c->blocks, b, c->out))
		fail(c, E_SERVER, "trace of block %" PRIu64 ": %s", b->number, strerror(errno));
}

/* The header, and no transactions. */
static void
block(struct call *c)
{
	const struct block *b = find(c, json_at(c->params, 0));

	if (!b) {
		buf_puts(c->out, "null");
		return;
	}
	if (!blocks_put_header(c->blocks, b, c->out)) {
		fail(c, E_SERVER, "block %" PRIu64 ": %s", b->number, strerror(errno));
		return;
	}
	while (c->out->p[c->out->n - 1] != '}')
		c->out->n--;
	c->out->n--;
	buf_puts(c->out, ",\"size\":\"0x0\",\"totalDifficulty\":\"0x0\",\"transactions\":[],\"uncles\":[]}");
}

static const struct {
	const char	*name;
	void		(*fn)(struct call *);
} methods[] = {
	{ "eth_blockNumber", block_number },
	{ "eth_chainId", chain_id },
	{ "eth_getBlockByHash", block },
	{ "eth_getBlockByNumber", block },
	{ "scroll_getBlockTraceByNumberOrHash", block_trace },
};

static void
invoke(struct call *c, struct span method)
{
	for (size_t i = 0; i < NELEM(methods); i++)
		if (span_is(method, methods[i].name)) {
			methods[i].fn(c);
			return;
		}
	fail(c, E_METHOD, "the method %.*s does not exist/is not available", (int)MIN2(method.n, 80), (const char *)method.p);
}

static void
put_error(struct buf *out, int error, const char *message)
{
	buf_printf(out, ",\"error\":{\"code\":%d,\"message\":", error);
	json_put_str(out, span_str(message), true);
	buf_puts(out, "}}");
}

static void
answer_one(const struct blocks *bs, enum fault_kind fault, const struct json *request, struct buf *out)
{
	struct call c = { .blocks = bs, .fault = fault, .params = json_get(request, "params"), .out = out };
	struct span method = json_str(request, "method");

	buf_puts(out, "{\"jsonrpc\":\"2.0\",\"id\":");
	json_put(out, json_get(request, "id"));
	if (!method.p) {
		put_error(out, E_REQUEST, "invalid request");
		return;
	}
	size_t before = out->n;
	buf_puts(out, ",\"result\":");
	if (fault == FAULT_NULL_RESULT)
		buf_puts(out, "null");
	else if (fault == FAULT_ERROR)
		fail(&c, E_SERVER, "header not found");
	else
		invoke(&c, method);
	if (c.error) {
		out->n = before;
		put_error(out, c.error, c.message);
	} else {
		buf_putc(out, '}');
	}
}

void
l2node_answer(const struct blocks *bs, enum fault_kind fault, struct span body, struct buf *out)
{
	char why[128];
	struct json *request = json_parse(body, BODY_MAX, why);

	if (!request) {
		buf_puts(out, "{\"jsonrpc\":\"2.0\",\"id\":null");
		put_error(out, E_PARSE, "parse error");
	} else if (json_is_array(request)) {
		for (size_t i = 0; i < json_size(request); i++) {
			buf_putc(out, i ? ',' : '[');
			answer_one(bs, fault, json_at(request, i), out);
		}
		buf_puts(out, json_size(request) ? "]" : "[]");
	} else {
		answer_one(bs, fault, request, out);
	}
	buf_putc(out, '\n');
	json_free(&request);
}
