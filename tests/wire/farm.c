/* farm.c - dispatch-coordinator in this process.  See farm.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/socket.h>

#define FAKE_ROWS 4096

#include "cmd/dispatch-coordinator/door.h"
#include "tests/unit/fake_books.h"
#include "tests/wire/farm.h"

enum {
	TURNS_MAX	= 5000,
	FIRST_ATTEMPT	= 1000,
	SHORT_HOLD_MS	= 20,
	PATIENT_TURNS	= 10,		/* before a standing clock goes on */
};

struct farm {
	struct loop	*loop;
	struct blobs	*blobs;
	struct door	*door;
	struct books	 books;
	uint64_t	 next;
	bool		 clock_stands;
	char		 dir[64];
};

static void act(void *f, struct held *h) { court_act(door_court(((struct farm *)f)->door), h); }
static void lose(void *f, struct held *h) { court_lose(door_court(((struct farm *)f)->door), h); }
static void reset(void *f) { court_reset(door_court(((struct farm *)f)->door)); }

static void
answer(void *f, uint64_t token, uint64_t code, const struct row *first)
{
	court_answer(door_court(((struct farm *)f)->door), token, code, first);
}

struct farm *
farm_new(const struct desk_opts *desk, uint64_t hold_ms)
{
	struct farm *f = xzalloc(sizeof *f);

	snprintf(f->dir, sizeof f->dir, "/tmp/prova-farm-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->next = FIRST_ATTEMPT;
	f->clock_stands = hold_ms == 0;
	f->loop = loop_new();
	f->blobs = blob_open(f->dir);
	f->books = (struct books){ .core = f, .ops = { .act = act, .lose = lose, .answer = answer, .reset = reset },
		.last = { [ROW_ATTEMPT] = ATTEMPT_PROVING } };
	f->door = door_new(&(struct door_opts){ .loop = f->loop, .blobs = f->blobs, .listen = "127.0.0.1:0",
	    .max_body = 64 << 20, .max_connections = 100, .desk = *desk, .court = { .books = &f->books, .secret = SPAN("of uuids"),
	    .provider = "farm", .types = 1U << TYPE_CHUNK | 1U << TYPE_BATCH | 1U << TYPE_BUNDLE, .hold_ms = hold_ms ? hold_ms : SHORT_HOLD_MS,
	    .take_ms = 86400000, .prove_ms = 86400000 } });
	assert_non_null(f->door);
	court_turn(door_court(f->door));
	return f;
}

void
farm_free(struct farm **fp)
{
	struct farm *f = *fp;
	char *rm;

	*fp = NULL;
	if (!f)
		return;
	fake_end(&f->books);
	door_free(&f->door);
	blob_close(&f->blobs);
	loop_free(&f->loop);
	rm = xprintf("rm -rf %s", f->dir);
	assert_int_equal(system(rm), 0);
	free(rm);
	free(f);
}

unsigned
farm_port(const struct farm *f)
{
	return door_port(f->door);
}

/* --- the ledger ------------------------------------------------------------------------------ */

uint64_t
farm_offer(struct farm *f, uint64_t type, struct span task, struct span fork, struct span body)
{
	struct row row = { 0 };

	SET(&row, kind, ROW_ATTEMPT);
	SET(&row, id, f->next);
	SET(&row, work, f->next);
	SET(&row, rev, 1);
	SET(&row, work, f->next);
	SET(&row, state, ATTEMPT_ALLOCATED);
	SET(&row, chain, SPAN("main"));
	SET(&row, provider, SPAN("farm"));
	SET(&row, type, type);
	SET(&row, task, task);
	SET(&row, fork, fork);
	SET(&row, body, body);
	fake_row(&f->books, &row, true);
	farm_turn(f);
	return f->next++;
}

void
farm_withdraw(struct farm *f, uint64_t attempt)
{
	struct fake_row *r = fake_find(&f->books, ROW_ATTEMPT, attempt);

	fake_change(r, ATTEMPT_CANCELLED, CODE_NO_TAKER, NULL);
	fake_let_go(&f->books, r);
}

static uint64_t
state_of(const struct farm *f, uint64_t attempt)
{
	for (size_t i = 0; i < f->books.nrows; i++)
		if (f->books.rows[i].row->id == attempt)
			return f->books.rows[i].row->state;
	return 0;
}

bool
farm_proved(const struct farm *f, uint64_t attempt)
{
	return state_of(f, attempt) == ATTEMPT_PROVED;
}

bool
farm_failed(const struct farm *f, uint64_t attempt)
{
	return state_of(f, attempt) == ATTEMPT_FAILED;
}

void
farm_turn(struct farm *f)
{
	loop_turn(f->loop, 1);
	fake_turn(&f->books);
	fake_due(&f->books);
	court_turn(door_court(f->door));
}

/* --- HTTP --------------------------------------------------------------------------------------- */

/* As much as goes without waiting. */
static void
push(int fd, struct span *rest)
{
	ssize_t n = rest->n ? send(fd, rest->p, rest->n, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;

	if (n > 0)
		*rest = (struct span){ rest->p + n, rest->n - (size_t)n };
}

void
farm_send(struct farm *f, struct span bytes, struct response *r)
{
	struct buf all = { 0 };
	int fd = server_connect(farm_port(f));
	ssize_t n = -1;

	for (int turns = 0; n != 0; turns++) {
		assert_true(turns < TURNS_MAX);
		push(fd, &bytes);
		if (f->clock_stands && turns > PATIENT_TURNS && !all.n)
			clock_freeze(clock_ms() + 1);
		farm_turn(f);
		while ((n = recv(fd, buf_room(&all, 65536), 65536, MSG_DONTWAIT)) > 0)
			all.n += (size_t)n;
		if (n < 0 && errno != EAGAIN)
			break;
	}
	close(fd);
	for (int i = 0; i < 3; i++)
		farm_turn(f);
	response_read(&all, r);
	buf_free(&all);
}
