/* gobind.h - floor 3: JSON read as a Go program reads it into a struct (encoding/json
 * behind gin's binder), without building a tree.
 *
 * The first JSON value of a text is checked; what follows it is ignored (json.Decoder)
 * or refused (json.Unmarshal).  Member
 * names match in either case, the last one wins, unknown ones are skipped, null
 * changes nothing.  A refusal carries Go's own words. */
#ifndef PROVA_GOBIND_H
#define PROVA_GOBIND_H

#include "common/bytes.h"

enum gobind_kind {
	GOBIND_STR,
	GOBIND_INT,		/* int64 */
	GOBIND_UINT,		/* uint64 */
	GOBIND_BYTE,		/* uint8 */
	GOBIND_BOOL,
	GOBIND_INTS,		/* [int64] */
	GOBIND_BYTES,		/* [uint8] or its base64 */
	GOBIND_STRS,		/* [string] */
	GOBIND_OBJECT,
	GOBIND_ANY,		/* kept as it is */
};

struct gobind_field {
	const char	*name;		/* in JSON */
	const char	*go_name;	/* in Go: for the text of a missing member */
	const char	*go_type;	/* "uint64"; of an array's element: "int" */
	enum gobind_kind kind;
	bool		 required;	/* neither absent, nor null, nor zero, nor "" */
	unsigned	 at;		/* its place among the values */
	const struct gobind_type *object;
};

struct gobind_type {
	const char	*go_name;	/* "GetTaskParameter" */
	const char	*package;	/* "types." */
	const struct gobind_field *fields;
	size_t		 nfields;
};

/* Read text: values[f.at] is the raw text of each member found (p NULL: absent or null).
 * False: why (may be NULL) has Go's words, and the values are not to be used. */
bool	gobind_read(struct span text, const struct gobind_type *, struct span *values, struct buf *why) MUSTCHECK;
/* The same of a text that must be one value and nothing else (Go's json.Unmarshal). */
bool	gobind_whole(struct span text, const struct gobind_type *, struct span *values, struct buf *why) MUSTCHECK;
/* The required members are there (values as gobind_read left them; all absent is allowed as
 * input, as after a form).  False: why has the validator's words. */
bool	gobind_require(const struct gobind_type *, const struct span *values, struct buf *why) MUSTCHECK;

/* Raw texts to values; an absent one gives the zero value.  The raw text has passed gobind_read. */
void	gobind_str(struct span raw, struct buf *out);		/* unescaped once, appended */
int64_t	gobind_int(struct span raw);
uint64_t gobind_uint(struct span raw);
bool	gobind_bool(struct span raw);
void	gobind_bytes(struct span raw, struct buf *out);
/* Each element's raw text of an array; returns how many there are. */
size_t	gobind_each(struct span raw, void (*fn)(void *arg, struct span element), void *arg);

/* Where Go's base64 decoder finds the fault in a text that is not base64. */
size_t	gobind_base64_fault(struct span text, bool url, bool padded);
/* A byte as Go quotes it in a message: 'x', '\x1f'. */
void	gobind_put_char(struct buf *, uint8_t);

#endif
