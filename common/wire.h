/* wire.h - floor 5: the messages of prova-wire(7), to the byte.
 *
 * One message is one frame: a msgpack map with small integer keys, at most
 * MESSAGE_BYTES.  Unknown keys up to 127 are refused, above ignored; a key twice, short
 * or left-over bytes, a value of the wrong type or size are errors.
 *
 * One struct serves every kind of message; wire_read fills it, spans borrow from
 * the message.  Its arrays grow and are kept from message to message. */
#ifndef PROVA_WIRE_H
#define PROVA_WIRE_H

#include "common/link.h"
#include "common/rows.h"

enum { WIRE_VERSION = 1 };

enum wire_kind {
	/* up */
	WIRE_HELLO = 1, WIRE_MOVE, WIRE_ASK, WIRE_TICK, WIRE_BYE,
	/* down */
	WIRE_WELCOME = 16, WIRE_REFUSE, WIRE_DONE, WIRE_ROWS, WIRE_NEWS, WIRE_FENCED,
	/* stage to stage */
	WIRE_OFFER = 32,
};

struct wire_item {
	uint64_t		kind, id, rev, from, to, code;
	struct row		set;
	struct books_rely	relies[2];
};

struct wire_group { size_t first, n; };		/* of items */

/* What became of one group: its rows are rows[first .. first + n). */
struct wire_result { uint64_t seq, code; size_t first, n; };

struct wire_row {
	struct row	row;
	uint64_t	next;	/* who is to go on: index into names + 1; 0 nobody */
};

struct wire_name { struct span instance, inbox; };

struct wire {
	uint64_t have;			/* 1 << key of the members that were there */
	uint64_t kind, epoch, term, version, seq, code, clock_ms, serial, more, held;
	struct span instance, stage, inbox, role, ledger, chain;

	size_t nitems, ngroups, nresults, nrows, nnames;
	struct wire_item   *items;
	struct wire_group  *groups;
	struct wire_result *results;
	struct wire_row	   *rows;
	struct wire_name   *names;
	size_t cap_items, cap_groups, cap_results, cap_rows, cap_names;

	struct tick tick;
	struct news news;
};

struct wire *wire_new(void) MUSTCHECK;
void	wire_free(struct wire **);

/* Read one message into w.  False: it is not one; `why` (at least 96 bytes) says where. */
bool	wire_read(struct wire *w, struct span message, char *why) MUSTCHECK;

/* Writing.  Each appends one whole message to out. */
struct wire_head {		/* what every message carries */
	uint64_t epoch, term, clock_ms;
};

struct wire_hello { const char *instance, *stage, *inbox, *role, *chain; };
void	wire_put_hello(struct buf *out, const struct wire_head *, const struct wire_hello *);
/* held: the epoch that the HELLO held which is answered. */
void	wire_put_welcome(struct buf *out, const struct wire_head *, uint64_t held, const char *ledger, const char *role);
/* REFUSE, FENCED, BYE: nothing but a code. */
void	wire_put_plain(struct buf *out, enum wire_kind, const struct wire_head *, enum code);
/* ASK for the rows that are one's own or nobody's. */
void	wire_put_ask(struct buf *out, const struct wire_head *);
/* serial: the last NEWS heard.  Only the parts that the stage states are written. */
void	wire_put_tick(struct buf *out, const struct wire_head *, uint64_t serial, const struct tick *);
/* NEWS without rows. */
void	wire_put_news(struct buf *out, const struct wire_head *, uint64_t serial, const struct news *);
void	wire_put_offer(struct buf *out, const struct row *);

/* MOVE, DONE, ROWS and NEWS with rows are put together from parts encoded before:
 * groups by wire_put_group, results by wire_put_result, rows by wire_put_row. */
void	wire_put_group(struct buf *out, const struct books_item *, size_t n);
void	wire_put_move(struct buf *out, const struct wire_head *, uint64_t first_seq, size_t ngroups, struct span groups);
void	wire_put_row(struct buf *out, const struct row *, uint64_t next);
void	wire_put_result(struct buf *out, uint64_t seq, enum code, size_t nrows, struct span rows);
struct wire_names { size_t n; const char *const (*pairs)[2]; };	/* instance, inbox */
/* GAP: nresults 0, code CODE_GAP, seq = the one expected; else seq = upto. */
void	wire_put_done(struct buf *out, const struct wire_head *, uint64_t seq, enum code,
	    size_t nresults, struct span results, const struct wire_names *);
/* kind: WIRE_ROWS or WIRE_NEWS; more: there are others, ask again. */
void	wire_put_rows(struct buf *out, enum wire_kind, const struct wire_head *, uint64_t serial,
	    size_t nrows, struct span rows, bool more);

/* A row's fields alone (a map), as stored in memory: and back; false when damaged. */
void	wire_put_fields(struct buf *out, const struct row *, uint64_t mask);
bool	wire_get_fields(struct span, struct row *) MUSTCHECK;
/* wire_put_row of a row whose fields lie packed in several places.  Of each part those of its mask are taken;
 * no field may be taken from two.  work_rev 0: none. */
struct wire_part { struct span fields; uint64_t mask; };
void	wire_put_joined(struct buf *out, const struct wire_part *, size_t n, uint64_t work_rev, uint64_t next);

#endif
