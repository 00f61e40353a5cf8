/* url.h - floor 3: what may stand in the settings as an address. */
#ifndef PROVA_URL_H
#define PROVA_URL_H

#include "common/bytes.h"

/* "http://HOST" or "https://HOST", with a port or not, and whatever path; no blanks. */
bool	url_good(struct span) MUSTCHECK;
/* The next URL of a list separated by blanks or commas from *at on; false: no more.  It need not be good. */
bool	url_next(const char **at, struct span *out) MUSTCHECK;
/* A ZeroMQ endpoint: "ipc://PATH" or "tcp://HOST:PORT". */
bool	url_endpoint_good(struct span) MUSTCHECK;

#endif
