/* plugin.h - floor 4: the plug-in protocol (prova-plugin(7)) as text: answers are parsed, requests made.
 *
 * Pure: no process, no descriptor.  coproc.h has the process. */
#ifndef PROVA_PLUGIN_H
#define PROVA_PLUGIN_H

#include "common/json.h"

/* Verbs, as bits of plugin_caps.verbs. */
enum plugin_verb {
	PLUGIN_CAPABILITIES, PLUGIN_PROVE, PLUGIN_POLL, PLUGIN_CANCEL, PLUGIN_RECONCILE, PLUGIN_VERIFY, PLUGIN_VERBS
};
const char *plugin_verb_name(enum plugin_verb);

/* How a provider can be asked about an attempt whose answer was lost. */
enum plugin_ask { PLUGIN_ASK_NONE, PLUGIN_ASK_LOOKUP, PLUGIN_ASK_KEY };
const char *plugin_ask_name(enum plugin_ask);
bool	plugin_ask_parse(struct span, enum plugin_ask *out) MUSTCHECK;

/* One line of answer. */
struct plugin_answer {
	uint64_t	 id;
	bool		 ok;		/* "ok": true */
	bool		 retry;		/* refused, but may be tried again */
	char		 error[64];	/* the code-word of a refusal, "" when ok */
	char		 message[256];	/* what it says for people; for a line that is no answer: what is wrong with it */
	struct json	*doc;		/* the whole object, owned; NULL for a line that is no answer */
};

/* Parse a line (without its newline) of at most max bytes.  CODE_OK, or CODE_PLUGIN_GARBAGE with
 * message set.  Free with plugin_answer_free either way. */
uint64_t plugin_parse(struct span line, size_t max, struct plugin_answer *) MUSTCHECK;
void	plugin_answer_free(struct plugin_answer *);

/* What a plug-in says of itself. */
struct plugin_caps {
	uint64_t	 types;		/* bits 1 << TYPE_CHUNK ...; absent: all */
	uint64_t	 verbs;		/* bits 1 << PLUGIN_PROVE ...; absent: prove only */
	enum plugin_ask	 ask;		/* absent: none */
	uint64_t	 lag_ms;	/* an order is seen by reconcile at most this long after it was taken */
	bool		 sync;		/* prove answers with the proof, and may take as long as proving takes */
	char		 vks[8192];	/* verification keys of what it proves, separated by blanks */
	size_t		 nforks;	/* 0: every fork */
	char		 forks[16][33];
};
/* False when a member has the wrong form: `why` (128 bytes) names it. */
bool	plugin_caps_parse(const struct plugin_answer *, struct plugin_caps *out, char *why) MUSTCHECK;
bool	plugin_caps_fork(const struct plugin_caps *, struct span fork);	/* does it do this fork? */

/* Append members ("name":value, with a comma before when the buf is not empty). */
void	plugin_put_text(struct buf *members, const char *name, struct span value);
void	plugin_put_num(struct buf *members, const char *name, uint64_t value);
void	plugin_put_hash(struct buf *members, const char *name, const uint8_t hash[HASH_BYTES]);
/* The whole request line with its newline, appended: {"id":ID,"verb":"VERB",MEMBERS}. */
void	plugin_put_request(struct buf *out, uint64_t id, enum plugin_verb, struct span members);

#endif
