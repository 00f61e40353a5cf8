/* sql.h - SQLite in a few words.  The only user of sqlite3.h.
 *
 * A connection belongs to one thread (but for sql_wal_frames and sql_interrupt).  Statements
 * are prepared once.  What is bound is not copied: it must stay until the statement has been
 * stepped.  Texts and blobs of a row stay until the next step, reset or end.
 *
 * POSIX drops every lock of a process on a file when any descriptor of that file is closed:
 * never open a store's file by other means in a process that has it open here. */
#ifndef PROVA_SQL_H
#define PROVA_SQL_H

#include "common/bytes.h"

struct sql;		/* a connection */
struct sql_stmt;	/* a prepared statement */

/* What a step gives. */
enum sql_result {
	SQL_ROW		= 1,
	SQL_DONE	= 0,
	SQL_TROUBLE	= -1,	/* disk full, I/O, locked, cannot open, damaged: not this statement's fault */
	SQL_POISON	= -2,	/* a constraint, too big, wrong type: this statement can never succeed */
};

enum sql_mode {
	SQL_WRITER,		/* makes the file; WAL, synchronous=FULL, no checkpoints of its own */
	SQL_CHECKPOINTER,	/* checkpoints only */
	SQL_READER,		/* cannot write; waits for nobody */
};

/* NULL: `why` (256 bytes) says why not. */
struct sql *sql_open(const char *path, enum sql_mode, char *why) MUSTCHECK;
/* Every statement must have been finished.  Nulls; may be called twice. */
void	sql_close(struct sql **);

/* Run the statements of a text; their rows are dropped.  SQL_DONE, SQL_TROUBLE, SQL_POISON. */
int	sql_run(struct sql *, const char *text);
/* NULL when it cannot be compiled: sql_why. */
struct sql_stmt *sql_prepare(struct sql *, const char *text) MUSTCHECK;
void	sql_finish(struct sql_stmt **);

/* Parameters count from 1.  A number is kept as the 64 bits it has. */
void	sql_put_null(struct sql_stmt *, int at);
void	sql_put_u64(struct sql_stmt *, int at, uint64_t);
void	sql_put_text(struct sql_stmt *, int at, struct span);
void	sql_put_blob(struct sql_stmt *, int at, struct span);
int	sql_parameter(struct sql_stmt *, const char *name);	/* the place of ":name"; 0: it has none */

int	sql_step(struct sql_stmt *);
void	sql_reset(struct sql_stmt *);
/* Step and reset a statement that gives no rows. */
int	sql_do(struct sql_stmt *);

/* Columns count from 0. */
bool	sql_is_null(struct sql_stmt *, int column);
uint64_t sql_u64(struct sql_stmt *, int column);	/* 0 for NULL */
struct span sql_text(struct sql_stmt *, int column);	/* the empty span for NULL */
struct span sql_blob(struct sql_stmt *, int column);
int	sql_columns(struct sql_stmt *);
const char *sql_column_name(struct sql_stmt *, int column);

/* What went wrong last. */
const char *sql_why(struct sql *);
bool	sql_in_transaction(struct sql *);

/* One PASSIVE checkpoint: how many frames the WAL has, how many of them are copied.
 * SQL_TROUBLE also when another connection is at it. */
int	sql_checkpoint(struct sql *, uint64_t *frames, uint64_t *copied);
/* Frames in the WAL behind this connection's last commit.  Any thread. */
uint64_t sql_wal_frames(struct sql *);
/* Make a step that is under way fail.  Any thread. */
void	sql_interrupt(struct sql *);

#endif
