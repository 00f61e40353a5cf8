/* desk_http.h - floor 7: a request of httpd.h as the desk reads it. */
#ifndef PROVA_DESK_HTTP_H
#define PROVA_DESK_HTTP_H

#include "common/desk.h"
#include "common/httpd.h"

/* Points into the request: valid until its answer. */
struct desk_ask desk_ask_of(const struct httpd_req *);

#endif
