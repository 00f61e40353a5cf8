/* reply.c - a plug-in's answer, read for the verb that was asked.  See reply.h and prova-plugin(7). */
#include "common/reply.h"

#include "common/codes.h"

enum { HANDLE_BYTES = 256 };

static void
no_answer(struct reply *r, uint64_t code, const char *what)
{
	r->outcome = REPLY_NO_ANSWER;
	r->code = code;
	if (what)
		r->detail = span_str(what);
}

/* A proof as text or as a path; false when there is none. */
static bool
take_proof(const struct json *doc, struct reply *r)
{
	struct span proof = json_str(doc, "proof"), path = json_str(doc, "proof_path");

	if ((proof.n > 0) == (path.n > 0))
		return false;
	if (path.n && !(span_cstr(path, r->path, sizeof r->path) && r->path[0] == '/'))
		return false;
	r->proof = proof;
	r->outcome = REPLY_PROVED;
	return true;
}

static bool
take_handle(const struct json *doc, struct reply *r)
{
	struct span handle = json_str(doc, "handle");

	if (!handle.n || handle.n > HANDLE_BYTES || memchr(handle.p, 0, handle.n))
		return false;
	r->handle = handle;
	r->outcome = REPLY_HANDLE;
	return true;
}

static void
read_prove(const struct json *doc, struct reply *r)
{
	bool handle = take_handle(doc, r);

	if (!take_proof(doc, r) && !handle)
		no_answer(r, CODE_PLUGIN_GARBAGE, "prove: neither handle nor proof");
}

static void
read_state(const struct json *doc, struct reply *r)
{
	static const struct { const char *word; enum reply_outcome outcome; } states[] = {
		{ "proving", REPLY_PROVING }, { "failed", REPLY_FAILED },
		{ "unknown", REPLY_UNKNOWN }, { "cancelled", REPLY_CANCELLED },
	};
	struct span state = json_str(doc, "state");

	if (span_is(state, "proved") && take_proof(doc, r))
		return;
	for (size_t i = 0; i < NELEM(states); i++)
		if (span_is(state, states[i].word)) {
			r->outcome = states[i].outcome;
			return;
		}
	no_answer(r, CODE_PLUGIN_GARBAGE, "no state, or proved without a proof");
}

/* Exactly false: "unknown" allows a second order, so nothing else may pass for it. */
static void
read_reconcile(const struct json *doc, struct reply *r)
{
	const struct json *known = json_get(doc, "known");

	if (json_bool_is(known, false))		/* "unknown" allows a second order: nothing else may pass for it */
		r->outcome = REPLY_UNKNOWN;
	else if (!json_bool(known))
		no_answer(r, CODE_PLUGIN_GARBAGE, "reconcile: known is neither true nor false");
	else if (!json_is_null(json_get(doc, "state")) && !span_is(json_str(doc, "state"), "proving"))
		read_state(doc, r);
	else
		read_prove(doc, r);
}

static void
read_refusal(enum plugin_verb verb, const struct plugin_answer *a, struct reply *r)
{
	if (verb != PLUGIN_PROVE)
		no_answer(r, CODE_PROVER_RETRY, NULL);
	else
		r->outcome = a->retry ? REPLY_REFUSED : REPLY_FAILED;
	r->detail = span_str(*a->message ? a->message : a->error);
}

void
reply_read(enum plugin_verb verb, const struct coproc_result *result, struct reply *r)
{
	static void (*const reads[PLUGIN_VERBS])(const struct json *, struct reply *) = {
		[PLUGIN_PROVE] = read_prove, [PLUGIN_POLL] = read_state,
		[PLUGIN_RECONCILE] = read_reconcile, [PLUGIN_CANCEL] = read_state,
	};

	*r = (struct reply){ 0 };
	if (result->code != CODE_OK && !result->sent) {
		r->outcome = REPLY_NOT_SENT;
		r->code = result->code;
	} else if (result->code != CODE_OK) {
		no_answer(r, result->code, NULL);
	} else if (!result->answer->ok) {
		read_refusal(verb, result->answer, r);
	} else {
		r->detail = span_str(result->answer->message);
		reads[verb](result->answer->doc, r);
	}
}
