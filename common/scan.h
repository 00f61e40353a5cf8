/* scan.h - floor 3: where the members of a large JSON document are (RFC 8259).
 *
 * A skip scanner: no tree, no memory but this struct, fed in pieces as they come
 * from the network.  It checks the grammar of the whole document (not UTF-8, not
 * that names are unique where nothing is looked for) and notes the byte spans of
 * the members it was asked for.  The document must be an object, nested at most
 * SCAN_NESTING deep, with nothing but white space around it.  Total on any input. */
#ifndef PROVA_SCAN_H
#define PROVA_SCAN_H

#include "common/bytes.h"

enum {
	SCAN_PATHS	= 32,		/* members looked for at once */
	SCAN_DEPTH	= 4,		/* parts of one path */
	SCAN_NAME	= 64,		/* longer names are never looked for */
	SCAN_NESTING	= 10000,
};

/* A value, from its first byte (a string's quote) to its last. */
struct scan_hit {
	uint64_t	 at, n;		/* bytes; at counts from the begin of the document */
	uint8_t		 first;		/* '{' '[' '"' 'n' ...; 0: not there */
};

struct scan {
	const char *const *paths;
	struct scan_hit	 hits[SCAN_PATHS];
	uint64_t	 at;		/* bytes taken before this piece */
	uint64_t	 members;	/* of the document itself, so far */
	const uint8_t	*piece;
	const char	*word;		/* what is to come of true, false, null */
	uint32_t	 npaths, depth;
	uint32_t	 live[SCAN_DEPTH + 2];		/* by depth: paths that match so far */
	uint32_t	 taking[SCAN_DEPTH + 2];	/* by depth: those whose value is under way */
	uint32_t	 ends, goes_on;			/* by the name just read: those it ends, those it continues */
	uint8_t		 state, number, escape, nname;
	bool		 naming;
	char		 name[SCAN_NAME];
	uint64_t	 stack[SCAN_NESTING / 64 + 1];	/* a bit per level: 1 is an object */
};

/* Look for the members named by npaths paths, parts joined by dots ("result", "result.header").
 * The texts must live as long as the scan.  Above SCAN_PATHS or SCAN_DEPTH is a bug. */
void	scan_init(struct scan *, const char *const *paths, size_t npaths);
/* The next piece.  False, from now on, when this is no such document: wrong grammar, too deep,
 * a member looked for twice in one object, or a name with an escape where one is looked for. */
bool	scan_put(struct scan *, struct span piece);
/* The document is complete: what follows can only be white space. */
bool	scan_whole(const struct scan *);
/* Path i as found: NULL as long as its value has not ended.  Borrowed. */
const struct scan_hit *scan_found(const struct scan *, size_t i);

/* All in one for a document in memory: out[i] is the value of member paths[i], or empty
 * with p == NULL; *members (may be NULL) is how many members the document itself has.
 * False as scan_put, or when the document is cut off. */
bool	scan_members(struct span document, const char *const *paths, size_t npaths,
	    struct span *out, uint64_t *members) MUSTCHECK;

/* The text between the quotes of a string value without escapes; p == NULL for any other value. */
struct span scan_text(struct span value);

#endif
