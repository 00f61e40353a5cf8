/* stranger.c - what a stranger may do to a Coordinator: for tests that cannot do it with curl.
 *
 *	stranger key INDEX                      the public key of one of our identities
 *	stranger sign INDEX CHALLENGE [WRONG]   the body of its login; WRONG is signature, name or other
 *	                                        (another's key beside our signature); provider: nothing is wrong,
 *	                                        but it has six fields, types and a VK
 *	stranger token FILE WHO SECONDS         a token of its login (WHO: an index, or a public key), signed with the secret
 *	                                        in FILE, which is made if need be, good for so long
 *	stranger proof UUID TASK BYTES          the body of a submit_proof, with a proof of so many bytes
 *	stranger burst PORT COUNT CONNECTIONS   so many logins, each as another identity; counts the answers
 *	stranger hold PORT COUNT SECONDS TEXT   so many connections that send TEXT, then a byte now and then
 *	stranger say PORT MILLISECONDS          standard input to it, and its answer until so long a silence or the end */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/coord.h"
#include "common/diag.h"
#include "common/http.h"
#include "common/identity.h"
#include "common/jwt.h"
#include "common/num.h"

#define VERSION "v4.4.45-37af5ef5-38a68e2-1c5093c"

enum { BYTE_MS = 200, CALL_MS = 60000 };

static const uint8_t seed[32] = "strangers of tests/*.bats";

static uint64_t
number(const char *text)
{
	uint64_t n;

	if (!num_u64(span_str(text), &n))
		die(EXIT_USAGE, "%s: not a number", text);
	return n;
}

static void
say(struct buf *b)
{
	fwrite(b->p, 1, b->n, stdout);
	putchar('\n');
	buf_free(b);
}

/* --- who it is --------------------------------------------------------------------- */

static struct ecsig_key
key_of(const char *index)
{
	struct ecsig_key k;

	coord_identity(seed, (uint32_t)number(index), &k);
	return k;
}

static int
cmd_key(char **arg)
{
	struct ecsig_key k = key_of(arg[0]);
	struct buf text = { 0 };

	coord_key_text(&k, &text);
	say(&text);
	return 0;
}

static void
wrong_signature(struct coord_login *l, const struct ecsig_key *k)
{
	l->signature.p[20] = l->signature.p[20] == '0' ? '1' : '0';
}

static void
wrong_key(struct coord_login *l, const struct ecsig_key *k)
{
	struct ecsig_key other;

	coord_identity(seed, 4000000000, &other);
	buf_reset(&l->public_key);
	coord_key_text(&other, &l->public_key);
}

static void
six_fields(struct coord_login *l, const struct ecsig_key *k)
{
	l->has_provider = true;
	l->provider = 1;
	buf_puts(&l->types, "\x02\x01");
	l->vks = xzalloc(sizeof *l->vks);
	l->nvks = 1;
	buf_puts(l->vks, "mock_vk");
	buf_reset(&l->public_key);
	buf_reset(&l->signature);
	coord_login_sign(l, k);
}

static void
sign(struct coord_login *l, const struct ecsig_key *k, struct span challenge, bool nul)
{
	*l = (struct coord_login){ 0 };
	buf_put(&l->challenge, challenge.p, challenge.n);
	buf_puts(&l->version, VERSION);
	buf_put(&l->name, "stran\0ger", nul ? 9 : 5);
	coord_login_sign(l, k);
}

static int
cmd_sign(char **arg)
{
	static const struct { const char *word; void (*spoil)(struct coord_login *, const struct ecsig_key *); } wrongs[] = {
		{ "signature", wrong_signature }, { "other", wrong_key }, { "provider", six_fields },
	};
	struct ecsig_key k = key_of(arg[0]);
	struct coord_request r;
	struct coord_login l;

	sign(&l, &k, span_str(arg[1]), arg[2] && strcmp(arg[2], "name") == 0);
	for (size_t i = 0; i < NELEM(wrongs); i++)
		if (arg[2] && strcmp(arg[2], wrongs[i].word) == 0)
			wrongs[i].spoil(&l, &k);
	coord_ask_login(&r, &l);
	struct buf body = r.body;
	r.body = (struct buf){ 0 };
	coord_request_free(&r);
	coord_login_free(&l);
	say(&body);
	return 0;
}

static int
cmd_token(char **arg)
{
	struct coord_claims claims = { 0 };
	struct buf json = { 0 }, token = { 0 };
	uint8_t secret[32];
	char why[256];

	if (identity_seed(arg[0], true, secret, why) != 0)
		die(EXIT_USAGE, "%s", why);
	claims.orig_iat_s = clock_wall_ms() / 1000 - 3600;
	claims.exp_s = clock_wall_ms() / 1000 + (uint64_t)strtoll(arg[2], NULL, 10);
	if (strlen(arg[1]) == 2 * ECSIG_PUBLIC_BYTES) {
		buf_puts(&claims.public_key, arg[1]);
	} else {
		struct ecsig_key k = key_of(arg[1]);
		coord_key_text(&k, &claims.public_key);
	}
	buf_puts(&claims.name, "stran");
	buf_puts(&claims.version, VERSION);
	buf_puts(&claims.fork, "");
	coord_put_claims(&json, &claims);
	jwt_make(&token, SPAN_OF(&json), (struct span){ secret, sizeof secret });
	coord_claims_free(&claims);
	buf_free(&json);
	say(&token);
	return 0;
}

static int
cmd_proof(char **arg)
{
	struct coord_proof proof = { .type = 1 };
	struct coord_request r;
	uint64_t n = number(arg[2]);

	buf_puts(&proof.uuid, arg[0]);
	buf_puts(&proof.task_id, arg[1]);
	while (proof.proof.n < n)
		buf_puts(&proof.proof, "0123456789abcdef");
	proof.proof.n = n;
	coord_ask_submit(&r, SPAN("x"), &proof);
	struct buf body = r.body;
	r.body = (struct buf){ 0 };
	coord_request_free(&r);
	coord_proof_free(&proof);
	say(&body);
	return 0;
}

/* --- many logins -------------------------------------------------------------------- */

struct burst {
	struct loop	*loop;
	struct http	*http;
	char		*root;
	uint64_t	 left, begun, tokens, refused, unanswered;
};

struct attempt {
	struct burst		*burst;
	struct ecsig_key	 key;
	bool			 signing;
};

static void	begin_one(struct burst *);
static http_done_fn on_answer;

static void
ask(struct attempt *a, const struct coord_request *r)
{
	char *url = xprintf("%s%s", a->burst->root, r->path);

	http_start(a->burst->http, &(struct http_req){ .method = r->method, .url = url, .headers = r->headers,
	    .body = SPAN_OF(&r->body), .timeout_ms = CALL_MS, .connect_ms = CALL_MS }, on_answer, a);
	free(url);
}

static void
log_in(struct attempt *a, const struct coord_token *challenge)
{
	struct coord_request r;
	struct coord_login l;

	sign(&l, &a->key, SPAN_OF(&challenge->text), false);
	coord_ask_login(&r, &l);
	a->signing = true;
	ask(a, &r);
	coord_request_free(&r);
	coord_login_free(&l);
}

static void
over(struct attempt *a, uint64_t *count)
{
	struct burst *b = a->burst;

	++*count;
	free(a);
	if (b->left)
		begin_one(b);
	else if (b->tokens + b->refused + b->unanswered == b->begun)
		loop_stop(b->loop);
}

static void
on_answer(void *arg, struct http_answer *h)
{
	struct attempt *a = arg;
	struct coord_answer answer = { 0 };
	struct coord_token token = { 0 };

	if (h->fail != HTTP_OK)
		over(a, &a->burst->unanswered);
	else if (coord_read_token(h->status, SPAN_OF(&h->body), &answer, &token) != COORD_DONE)
		over(a, &a->burst->refused);
	else if (a->signing)
		over(a, &a->burst->tokens);
	else
		log_in(a, &token);
	coord_token_free(&token);
}

static void
begin_one(struct burst *b)
{
	struct attempt *a = xzalloc(sizeof *a);
	struct coord_request r;

	b->left--;
	a->burst = b;
	coord_identity(seed, (uint32_t)b->begun++, &a->key);
	coord_ask_challenge(&r);
	ask(a, &r);
	coord_request_free(&r);
}

static int
cmd_burst(char **arg)
{
	struct burst b = { .loop = loop_new(), .left = number(arg[1]) };
	uint64_t connections = number(arg[2]);

	b.http = http_new(b.loop, (unsigned)connections);
	b.root = xprintf("http://127.0.0.1:%s", arg[0]);
	while (connections-- && b.left)
		begin_one(&b);
	loop_run(b.loop);
	printf("%" PRIu64 " tokens, %" PRIu64 " refused, %" PRIu64 " unanswered\n", b.tokens, b.refused, b.unanswered);
	http_free(&b.http);
	loop_free(&b.loop);
	free(b.root);
	return 0;
}

/* --- bare connections -------------------------------------------------------------------- */

static int
dial(const char *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	    .sin_port = htons((uint16_t)number(port)) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0)
		die_sys("connect");
	return fd;
}

/* Has the other side closed it? */
static bool
ended(int fd)
{
	char piece[4096];
	ssize_t n;

	while ((n = recv(fd, piece, sizeof piece, MSG_DONTWAIT)) > 0)
		;
	return n == 0 || errno != EAGAIN;
}

static int
cmd_hold(char **arg)
{
	size_t n = number(arg[1]), closed = 0;
	int *fds = xmalloc(n * sizeof *fds);
	uint64_t stop = clock_ms() + number(arg[2]) * 1000;

	for (size_t i = 0; i < n; i++) {
		fds[i] = dial(arg[0]);
		(void)!send(fds[i], arg[3], strlen(arg[3]), MSG_NOSIGNAL);
	}
	printf("%zu open\n", n);
	fflush(stdout);
	while (closed < n && clock_ms() < stop) {
		poll(NULL, 0, BYTE_MS);
		for (size_t i = 0; i < n; i++) {
			if (fds[i] < 0 || (!ended(fds[i]) && send(fds[i], "x", *arg[3] != '\0', MSG_NOSIGNAL) >= 0))
				continue;
			close(fds[i]);
			fds[i] = -1;
			closed++;
		}
	}
	printf("%zu closed\n", closed);
	free(fds);
	return 0;
}

static int
cmd_say(char **arg)
{
	static char piece[65536];
	int fd = dial(arg[0]), patience = (int)number(arg[1]);
	ssize_t n = 0, sent = 0;

	while (sent >= 0 && (n = read(0, piece, sizeof piece)) > 0)
		for (ssize_t at = 0; at < n && (sent = send(fd, piece + at, (size_t)(n - at), MSG_NOSIGNAL)) > 0; at += sent)
			;
	while (poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, patience) == 1 && (n = recv(fd, piece, sizeof piece, 0)) > 0)
		fwrite(piece, 1, (size_t)n, stdout);
	return 0;
}

static const struct command {
	const char	*word;
	int		(*run)(char **arg);
	int		 min, max;	/* arguments */
} commands[] = {
	{ "key", cmd_key, 1, 1 }, { "sign", cmd_sign, 2, 3 }, { "token", cmd_token, 3, 3 }, { "proof", cmd_proof, 3, 3 },
	{ "burst", cmd_burst, 3, 3 }, { "hold", cmd_hold, 4, 4 }, { "say", cmd_say, 2, 2 },
};

int
main(int argc, char **argv)
{
	const struct command *c = commands;

	diag_name("stranger");
	while (c < commands + NELEM(commands) && (argc < 2 || strcmp(c->word, argv[1]) != 0))
		c++;
	if (c == commands + NELEM(commands) || argc - 2 < c->min || argc - 2 > c->max)
		die(EXIT_USAGE, "called wrongly: see tests/tools/stranger.c");
	return c->run(argv + 2);
}
