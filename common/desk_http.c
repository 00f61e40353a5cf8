/* desk_http.c - see desk_http.h. */
#include "common/desk_http.h"

/* Every token that we give comes back in a head. */
_Static_assert(DESK_TOKEN_BYTES + 3072 <= HTTPD_HEAD_BYTES, "a token leaves no room for the rest of a head");

struct desk_ask
desk_ask_of(const struct httpd_req *r)
{
	return (struct desk_ask){
		.method = httpd_method(r), .path = httpd_path(r), .content_type = httpd_header(r, "Content-Type"),
		.authorization = httpd_header(r, "Authorization"), .query_token = httpd_query(r, "token"),
		.cookies = httpd_header(r, "Cookie"), .body = httpd_body(r),
	};
}
