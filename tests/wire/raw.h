/* raw.h - recorded exchanges of bytes on a connection, where it is HTTP itself that answers. */
#ifndef PROVA_TESTS_WIRE_RAW_H
#define PROVA_TESTS_WIRE_RAW_H

#include "common/json.h"
#include "tests/wire/server.h"

bool	raw_is(const struct json *line) MUSTCHECK;
/* Send the recorded bytes to a server that speaks HTTP: does it answer as often as was recorded, each time with the same
 * status, and does it close the connection where that was recorded?  *codes: with the same errcode and errmsg, too. */
bool	raw_same(struct server *, const struct json *line, bool *codes) MUSTCHECK;

#endif
