/* recording.h - files of recorded exchanges, a JSON object per line, and the tables of what of them is left out. */
#ifndef PROVA_TESTS_WIRE_RECORDING_H
#define PROVA_TESTS_WIRE_RECORDING_H

#include "common/desk.h"
#include "common/json.h"

/* Reasons to leave a line out that the servers own to: DIFF_EXPECT ... */
#define X(name, sentence) static const char DIFF_##name[] __attribute__((unused)) = sentence;
DESK_DIFFERENCES(X)
#undef X

struct left_out {
	const char	*name;		/* in the line's name; at its beginning unless it begins with a slash */
	const char	*why;
	size_t		 met;		/* so many lines */
};

/* Two sets: that of others below PROVA_FIXTURES, and where that is not set our own, recordings/ (made by tests/wire/record). */
bool	recording_is_own(void) MUSTCHECK;
/* Call fn for each line of a file: path below PROVA_FIXTURES, or name in recordings/. */
void	recording_each(const char *path, const char *name, void (*fn)(void *arg, const struct json *line), void *arg);
/* The secret of a recording's tokens: theirs, or prova-devnet's. */
const char *recording_secret(const char *theirs) MUSTCHECK;
/* Of a Coordinator's recorded exchange: when its request was sent (wall clock), a header of request or response (p NULL:
 * absent), a request's body. */
uint64_t recording_at_ms(const struct json *line);
struct span recording_header(const struct json *message, const char *name);
void	recording_body(const struct json *request, struct buf *out);
/* What a body asks: its JSON, or of a form that begins with them its uuid and task_id; NULL: neither. */
struct json *recording_asked(struct span body) MUSTCHECK;

/* Is it in the table?  Counts there. */
bool	recording_left_out(struct left_out *, size_t n, struct span name);
/* Print what of the table was met; fails the test when an entry was not, unless the set is our own. */
void	recording_report(const struct left_out *, size_t n);

#endif
