/* recording.h - files of recorded exchanges, a JSON object per line, and the tables of what of them is left out. */
#ifndef PROVA_TESTS_WIRE_RECORDING_H
#define PROVA_TESTS_WIRE_RECORDING_H

#include "common/json.h"

struct left_out {
	const char	*name;		/* in the line's name; at its beginning unless it begins with a slash */
	const char	*why;
	size_t		 met;		/* so many lines */
};

/* Call fn for each line of a file below PROVA_FIXTURES; false: that is not set. */
bool	recording_each(const char *path, void (*fn)(void *arg, const struct json *line), void *arg) MUSTCHECK;
/* Of a Coordinator's recorded exchange: when its request was sent (wall clock), a header of request or response (p NULL:
 * absent), a request's body. */
uint64_t recording_at_ms(const struct json *line);
struct span recording_header(const struct json *message, const char *name);
void	recording_body(const struct json *request, struct buf *out);

/* Is it in the table?  Counts there. */
bool	recording_left_out(struct left_out *, size_t n, struct span name);
/* Print the table; fails the test when an entry was not met. */
void	recording_report(const struct left_out *, size_t n);

#endif
