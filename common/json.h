/* json.h - floor 3: JSON documents of bounded size (jansson).  Large traces and proofs
 * are never parsed here: see scan.h.
 *
 * A `struct json` is a borrowed or owned reference to a value; NULL is "absent"
 * and every getter takes it. */
#ifndef PROVA_JSON_H
#define PROVA_JSON_H

#include "common/bytes.h"

struct json;

/* Parse one document of at most max bytes, nesting at most 64; the whole text must be used.
 * NULL when it is not JSON: `why` (may be NULL, at least 128 bytes) says what and where. */
struct json *json_parse(struct span, size_t max, char *why) MUSTCHECK;
void	json_free(struct json **);

const struct json *json_get(const struct json *object, const char *name);
const struct json *json_at(const struct json *array, size_t i);
size_t	json_size(const struct json *array);		/* 0 for anything else */
bool	json_is_object(const struct json *);
bool	json_is_array(const struct json *);
bool	json_is_null(const struct json *);		/* null or absent */
bool	json_is_string(const struct json *);
/* The member as text; the empty span with p == NULL when it is not a string. Borrowed. */
struct span json_str(const struct json *object, const char *name);
struct span json_text(const struct json *);
bool	json_u64(const struct json *value, uint64_t *out);	/* a non-negative integer */
bool	json_i64(const struct json *value, int64_t *out);
bool	json_bool(const struct json *value);			/* true only for true */
bool	json_bool_is(const struct json *value, bool);		/* true or false, and this one */
/* Each member of an object in the order of the text. */
void	json_each(const struct json *object, void (*fn)(void *arg, const char *name, const struct json *), void *arg);

/* Equal, whatever the order of members. */
bool	json_same(const struct json *, const struct json *);

/* Writing: append to a buf.  A string value with its quotes, escaped (also <, >, & as
 * \u003c ... when `go` is true, as Go's encoder does). */
void	json_put_str(struct buf *, struct span, bool go);
/* The value as compact text. */
void	json_put(struct buf *, const struct json *);

#endif
