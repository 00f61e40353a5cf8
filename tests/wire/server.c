/* server.c - the servers under test.  See server.h. */
#include "tests/wire/farm.h"
#include "tests/wire/server.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/num.h"

enum { PATIENCE_MS = 20000 };

static void
broken(const char *what)
{
	fprintf(stderr, "wire: %s: %s\n", what, strerror(errno));
	exit(EXIT_SYSTEM);
}

/* --- prova-devnet: a process, spoken to over HTTP ------------------------------------------ */

static char *
program(const char *name)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	if (n < 0)
		broken("readlink");
	self[n] = '\0';
	for (int up = 0; up < 3; up++)
		*strrchr(self, '/') = '\0';
	return xprintf("%s/bin/%s", self, name);
}

static void
wait_for_ports(struct server *s, const char *ports)
{
	char line[64] = "";
	uint64_t stop = clock_ms() + PATIENCE_MS;

	for (FILE *f; !s->port && clock_ms() < stop; usleep(5000)) {
		if (!(f = fopen(ports, "re")))
			continue;
		if (fgets(line, sizeof line, f))
			s->port = (unsigned)strtoul(line + strcspn(line, "0123456789"), NULL, 10);
		fclose(f);
	}
	if (!s->port)
		broken("the server did not start");
}

static void
start_devnet(struct server *s, const char *const *options)
{
	char *path = program("prova-devnet"), *ports = xprintf("%s/ports", s->dir);
	const char *argv[32] = { path, "--listen", "127.0.0.1:0", "--l2-listen", "127.0.0.1:0", "--ports", ports,
	    "--mock-verifier", "--chunks", "200", "--attempts", "1000", "--cron", "0.05", "--block", s->blocked };
	size_t n = 16;

	for (; options && *options && n < NELEM(argv) - 1; options++)
		argv[n++] = *options;
	s->pid = fork();
	if (s->pid < 0)
		broken("fork");
	if (s->pid == 0) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(EXIT_SYSTEM);
		execv(path, (char *const *)(uintptr_t)argv);
		_exit(EXIT_SYSTEM);
	}
	wait_for_ports(s, ports);
	unlink(ports);
	free(path);
	free(ports);
}

static void
stop_process(struct server *s)
{
	kill(s->pid, SIGTERM);
	waitpid(s->pid, NULL, 0);
}

/* --- a kind desk in this process, with nothing behind it ------------------------------------- */

static struct desk_opts
kind_opts(const struct server *s)
{
	static const struct desk_version versions[] = {
		{ "v4.4.45", "darwinV2,darwin" }, { "v4.4.43", "darwin" }, { NULL, NULL },
	};
	static const char *const vks[] = { "mock_vk", NULL };
	static const char *blocked[2];

	blocked[0] = s->blocked;
	return (struct desk_opts){ .secret = SPAN(SERVER_SECRET), .challenge_life_s = 3600, .login_life_s = 3600,
	    .min_version = SERVER_MIN, .own_version = SERVER_OWN, .versions = versions, .kind = true, .blocked = blocked,
	    .vks = { [TYPE_CHUNK] = vks, [TYPE_BATCH] = vks, [TYPE_BUNDLE] = vks } };
}

static void
start_desk(struct server *s, const char *const *options)
{
	struct desk_opts opts = kind_opts(s);

	desk_init(&s->desk, &opts);
}

static void
stop_desk(struct server *s)
{
	desk_free(&s->desk);
}

static void
ask_desk(struct server *s, const struct desk_ask *a, struct response *r)
{
	struct desk_call call;
	struct desk_reply reply;
	struct desk_headers headers;
	enum desk_next next = desk_take(&s->desk, a, clock_wall_ms(), &call, &reply);

	if (next == DESK_TASK)
		desk_refuse(&reply, COORD_T_TASK_EMPTY, "%s", "");
	else if (next == DESK_PROOF)
		desk_refuse(&reply, COORD_T_SUBMIT_FAILED, COORD_NO_SUCH_TASK);
	r->status = reply.status;
	if (reply.content_type)
		buf_printf(&r->head, "Content-Type: %s\r\n", reply.content_type);
	for (const char *const *h = desk_headers(&reply, &headers); *h; h++)
		buf_printf(&r->head, "%s\r\n", *h);
	buf_put(&r->body, reply.body.p, reply.body.n);
	desk_reply_free(&reply);
	desk_call_free(&call);
}

/* --- dispatch-coordinator's door, court and desk in this process ---------------------------------- */

static void
start_farm(struct server *s, const char *const *options)
{
	struct desk_opts opts = kind_opts(s);

	s->farm = farm_new(&opts, 20);
	server_work(s, 30);
}

static void
stop_farm(struct server *s)
{
	farm_free(&s->farm);
}

/* So many chunks more are there to be proved. */
void
server_work(struct server *s, unsigned chunks)
{
	static uint64_t n;

	for (; s->farm && chunks; chunks--) {
		char *id = xprintf("0x%064" PRIx64, ++n);
		farm_offer(s->farm, TYPE_CHUNK, span_str(id), SPAN("darwinV2"), SPAN("{\"block_hashes\":[]}"));
		free(id);
	}
}

/* --- the table ------------------------------------------------------------------------------- */

const struct server_type server_types[] = {
	{ "devnet", false, false, true, true, start_devnet, stop_process },
	{ "kind desk", true, false, false, false, start_desk, stop_desk },
	{ "dispatch-coordinator", true, true, true, true, start_farm, stop_farm },
	{ NULL, false, false, false, false, NULL, NULL },
};

void
server_start(struct server *s, const struct server_type *type, const char *const *options)
{
	s->type = type;
	snprintf(s->dir, sizeof s->dir, "/tmp/prova-wire-XXXXXX");
	if (!mkdtemp(s->dir))
		broken(s->dir);
	type->start(s, options);
}

void
server_stop(struct server *s)
{
	s->type->stop(s);
	if (rmdir(s->dir) != 0)
		broken(s->dir);
	*s = (struct server){ 0 };
}

/* --- HTTP, by hand: what comes is seen as it comes --------------------------------------------- */

unsigned
server_port(const struct server *s)
{
	return s->farm ? farm_port(s->farm) : s->port;
}

void
server_turn(struct server *s)
{
	if (s->farm)
		farm_turn(s->farm);
	else
		usleep(1000);
}

int
server_connect(unsigned port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0)
		broken("connect");
	return fd;
}

const char *
response_header(const struct response *r, const char *name)
{
	static char value[512];
	const char *line = r->head.p ? (const char *)r->head.p : "";

	for (; *line; line += strcspn(line, "\n") + (strchr(line, '\n') != NULL))
		if (strncasecmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':') {
			line += strlen(name) + 1;
			line += strspn(line, " ");
			snprintf(value, sizeof value, "%.*s", (int)strcspn(line, "\r\n"), line);
			return value;
		}
	return "";
}

static void
undo_chunks(struct buf *body)
{
	struct buf whole = { 0 };
	char *p = buf_cstr(body), *end = p + body->n, *after;
	size_t n;

	while (p < end && (n = strtoul(p, &after, 16)) > 0 && after + 2 + n <= end) {
		buf_put(&whole, after + 2, n);
		p = after + 2 + n + 2;
	}
	buf_free(body);
	*body = whole;
}

void
response_read(struct buf *all, struct response *r)
{
	*r = (struct response){ 0 };
	char *text = buf_cstr(all), *end = strstr(text, "\r\n\r\n");

	if (!end || sscanf(text, "HTTP/1.%*d %u", &r->status) != 1)
		return;
	buf_put(&r->head, text, (size_t)(end + 2 - text));
	buf_cstr(&r->head);
	buf_put(&r->body, end + 4, all->n - (size_t)(end + 4 - text));
	if (strcmp(response_header(r, "Transfer-Encoding"), "chunked") == 0)
		undo_chunks(&r->body);
}

void
server_send(struct server *s, struct span bytes, struct response *r)
{
	struct buf all = { 0 };
	ssize_t n;

	if (s->farm) {
		farm_send(s->farm, bytes, r);
		return;
	}
	int fd = server_connect(s->port);
	for (size_t at = 0; at < bytes.n; at += (size_t)n)
		if ((n = send(fd, bytes.p + at, bytes.n - at, MSG_NOSIGNAL)) <= 0)
			break;
	while ((n = recv(fd, buf_room(&all, 65536), 65536, 0)) > 0)
		all.n += (size_t)n;
	close(fd);
	response_read(&all, r);
	buf_free(&all);
}

static void
put_header(struct buf *b, const char *name, const char *value)
{
	if (value)
		buf_printf(b, "%s: %s\r\n", name, value);
}

void
server_ask(struct server *s, const struct desk_ask *a, struct response *r)
{
	struct buf bytes = { 0 };

	*r = (struct response){ 0 };
	if (!s->type->is_http) {
		ask_desk(s, a, r);
		buf_cstr(&r->head);
		return;
	}
	buf_printf(&bytes, "%s %s%s%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", a->method, a->path,
	    a->query_token ? "?token=" : "", a->query_token ? a->query_token : "");
	put_header(&bytes, "Content-Type", a->content_type);
	put_header(&bytes, "Authorization", a->authorization);
	put_header(&bytes, "Cookie", a->cookies);
	buf_printf(&bytes, "Content-Length: %zu\r\n\r\n", a->body.n);
	buf_put(&bytes, a->body.p, a->body.n);
	server_send(s, SPAN_OF(&bytes), r);
	buf_free(&bytes);
}

void
response_free(struct response *r)
{
	buf_free(&r->head);
	buf_free(&r->body);
}
