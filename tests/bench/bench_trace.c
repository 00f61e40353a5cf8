/* bench_trace.c - from the call to an L2 node to the stored input of a chunk, against a bare download.
 *
 * bench_trace DIR BYTES PAIRS: a process with plain sockets serves one generated block trace of about BYTES;
 * the limit downloads it and hashes what comes; the system makes a chunk's input of it (l2.c and inputs.c:
 * checked, hashed and stored as a blob in DIR).  They take turns, PAIRS times, in one process.
 * uses: cmd/devnet */
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "cmd/devnet/blocks.h"
#include "common/inputs.h"
#include "common/diag.h"
#include "common/hash.h"
#include "common/http.h"
#include "common/num.h"
#include "tests/bench/figures.h"

enum { REQUEST_BYTES = 4096, SEED = 7, WARM = 2 };

struct bench {
	struct loop	*loop;
	struct http	*http;
	struct blobs	*blobs;
	struct l2	*l2;
	struct inputs	*inputs;
	struct blocks	 blocks;
	char		 url[64];
	struct sha256	 hash;
	uint64_t	 got;
	uint8_t		 blob[HASH_BYTES];	/* the input */
	bool		 done;
};

/* --- the node: whatever is asked, the one trace --- */

/* One request is read; false: the peer has gone. */
static bool
read_request(int fd)
{
	char text[REQUEST_BYTES];
	size_t n = 0, whole = SIZE_MAX;

	while (n < whole) {
		ssize_t got = read(fd, text + n, sizeof text - 1 - n);
		if (got <= 0)
			return false;
		n += (size_t)got;
		text[n] = '\0';
		char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "content-length:");
		if (end)
			whole = (size_t)(end - text) + 4 + (length ? strtoul(length + 15, NULL, 10) : 0);
	}
	return true;
}

struct peer { int fd; struct span answer; };

static void *
serve_peer(void *arg)
{
	struct peer *p = arg;
	bool there = true;

	while (there && read_request(p->fd))
		for (size_t n = 0; n < p->answer.n && there; ) {
			ssize_t put = write(p->fd, p->answer.p + n, p->answer.n - n);
			there = put > 0;
			n += there ? (size_t)put : 0;
		}
	close(p->fd);
	free(p);
	return NULL;
}

static void
serve(int listener, struct span answer)
{
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		pthread_t thread;
		struct peer *p = xzalloc(sizeof *p);
		*p = (struct peer){ accept(listener, NULL, NULL), answer };
		if (p->fd < 0 || pthread_create(&thread, NULL, serve_peer, p) != 0)
			die_sys("a peer");
		pthread_detach(thread);
	}
}

static void
make_answer(const struct blocks *blocks, struct buf *out)
{
	struct buf trace = { 0 };

	buf_puts(&trace, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":");
	if (!blocks_put_trace(blocks, &blocks->all[0], &trace))
		die_sys("a trace");
	buf_puts(&trace, "}\n");
	buf_printf(out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", trace.n);
	buf_put(out, trace.p, trace.n);
	buf_free(&trace);
}

static pid_t
start_node(struct bench *b)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof at;
	struct buf answer = { 0 };
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (listener < 0 || bind(listener, (struct sockaddr *)&at, n) != 0 || listen(listener, 16) != 0 ||
	    getsockname(listener, (struct sockaddr *)&at, &n) != 0)
		die_sys("a listener");
	snprintf(b->url, sizeof b->url, "http://127.0.0.1:%u", ntohs(at.sin_port));
	make_answer(&b->blocks, &answer);
	pid_t pid = fork();
	if (pid < 0)
		die_sys("fork");
	if (pid == 0)
		serve(listener, SPAN_OF(&answer));
	close(listener);
	buf_free(&answer);
	return pid;
}

/* --- the limit --- */

static bool
sink(void *arg, const uint8_t *p, size_t n)
{
	struct bench *b = arg;

	sha256_put(&b->hash, p, n);
	b->got += n;
	return true;
}

static void
downloaded(void *arg, struct http_answer *a)
{
	struct bench *b = arg;

	if (a->fail != HTTP_OK || a->status != 200)
		die(EXIT_SYSTEM, "download: %s", a->error ? a->error : "no answer");
	b->done = true;
}

static void
run(struct bench *b)
{
	while (!b->done)
		loop_turn(b->loop, 100);
}

static double
download(struct bench *b)
{
	uint8_t hash[HASH_BYTES];
	double begun = seconds_now();

	b->done = false;
	b->got = 0;
	sha256_init(&b->hash);
	http_start(b->http, &(struct http_req){ .method = "POST", .url = b->url, .body = SPAN("{}"), .sink = sink,
	    .max_bytes = (size_t)1 << 30 }, downloaded, b);
	run(b);
	sha256_end(&b->hash, hash);
	return seconds_now() - begun;
}

/* --- the system --- */

static struct l2 *
nodes(void *arg, struct span chain)
{
	return ((struct bench *)arg)->l2;
}

static void
stored(void *arg, const struct inputs_result *r)
{
	struct bench *b = arg;

	if (r->code != CODE_OK)
		die(EXIT_NO, "input: %s: %s", code_word(r->code), r->detail ? r->detail : "");
	memcpy(b->blob, r->blob, HASH_BYTES);
	b->got = r->bytes;
	b->done = true;
}

static double
build(struct bench *b, uint64_t number)
{
	struct buf body = { 0 };
	struct row row = { 0 };
	uint8_t hash[HASH_BYTES];

	buf_puts(&body, "{\"block_hashes\":[\"0x");
	num_put_hex(&body, (struct span){ b->blocks.all[0].hash, HASH_BYTES });
	buf_printf(&body, "\"],\"n\":%" PRIu64 "}", number);
	sha256_of(SPAN_OF(&body), hash);
	SET(&row, chain, SPAN("bench"));
	SET(&row, type, TYPE_CHUNK);
	SET(&row, body, SPAN_OF(&body));
	ROW_HASH(&row, body_blob, hash);
	SET(&row, body_bytes, body.n);
	double begun = seconds_now();
	b->done = false;
	if (!inputs_start(b->inputs, &row, stored, b))
		die(EXIT_BUG, "inputs_start");
	run(b);
	double took = seconds_now() - begun;
	if (blob_delete(b->blobs, b->blob) != 0)
		die_sys("a blob");
	buf_free(&body);
	return took;
}

static void
begin(struct bench *b, const char *dir)
{
	b->loop = loop_new();
	b->http = http_new(b->loop, 4);
	b->blobs = blob_open(dir);
	if (!b->blobs)
		die_sys("%s", dir);
	b->l2 = l2_new(&(struct l2_opts){ .name = "bench", .loop = b->loop, .urls = b->url, .parallel = 8,
	    .timeout_ms = 30000, .max_bytes = (size_t)1 << 30, .blobs = b->blobs });
	b->inputs = inputs_new(&(struct inputs_opts){ .loop = b->loop, .blobs = b->blobs, .nodes = nodes, .arg = b });
}

static void
end(struct bench *b)
{
	inputs_free(&b->inputs);
	l2_free(&b->l2);
	http_free(&b->http);
	blob_close(&b->blobs);
	loop_free(&b->loop);
	blocks_free(&b->blocks);
}

int
main(int argc, char **argv)
{
	struct bench b = { 0 };
	uint64_t bytes, pairs;

	if (argc != 4 || !num_u64(span_str(argv[2]), &bytes) || !num_u64(span_str(argv[3]), &pairs))
		die(EXIT_USAGE, "usage: bench_trace directory bytes pairs");
	blocks_generate(&b.blocks, 1, SEED, bytes);
	pid_t node = start_node(&b);
	begin(&b, argv[1]);
	for (uint64_t i = 0; i < pairs + WARM; i++) {
		double limit = download(&b), system = build(&b, i);
		if (i >= WARM)
			printf("limit_MB_per_s %.1f\nsystem_MB_per_s %.1f\nratio %.3f\n", (double)b.got / 1e6 / limit,
			    (double)b.got / 1e6 / system, limit / system);
	}
	end(&b);
	kill(node, SIGKILL);
	waitpid(node, NULL, 0);
	return EXIT_DONE;
}
