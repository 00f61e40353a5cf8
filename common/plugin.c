/* plugin.c - the plug-in protocol as text.  See plugin.h and prova-plugin(7).
 *
 * Unknown members are ignored everywhere, so that either side may be newer. */
#include "common/plugin.h"

#include "common/codes.h"
#include "common/num.h"

static const char *const verb_names[PLUGIN_VERBS] = {
	[PLUGIN_CAPABILITIES] = "capabilities", [PLUGIN_PROVE] = "prove", [PLUGIN_POLL] = "poll",
	[PLUGIN_CANCEL] = "cancel", [PLUGIN_RECONCILE] = "reconcile", [PLUGIN_VERIFY] = "verify",
};
static const char *const ask_names[] = {
	[PLUGIN_ASK_NONE] = "none", [PLUGIN_ASK_LOOKUP] = "lookup", [PLUGIN_ASK_KEY] = "key",
};
static const char *const types[TYPE_MAX + 1] = {
	[TYPE_CHUNK] = "chunk", [TYPE_BATCH] = "batch", [TYPE_BUNDLE] = "bundle",
};

const char *
plugin_verb_name(enum plugin_verb verb)
{
	return (size_t)verb < NELEM(verb_names) ? verb_names[verb] : "?";
}

const char *
plugin_ask_name(enum plugin_ask ask)
{
	return (size_t)ask < NELEM(ask_names) ? ask_names[ask] : "?";
}

/* The index of a word in a table of words (holes allowed); n when it is not there. */
static size_t
word_index(struct span word, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (words[i] && span_is(word, words[i]))
			return i;
	return n;
}

bool
plugin_ask_parse(struct span word, enum plugin_ask *out)
{
	size_t i = word_index(word, ask_names, NELEM(ask_names));

	if (i == NELEM(ask_names))
		return false;
	*out = (enum plugin_ask)i;
	return true;
}

/* Text for people: cut to fit, NULs and the character at the cut left out. */
static void
take_text(struct span text, char *dst, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n && n < size - 1; i++)
		if (text.p[i])
			dst[n++] = (char)text.p[i];
	if (n == size - 1) {
		while (n > 0 && ((unsigned char)dst[n - 1] & 0xc0) == 0x80)
			n--;
		if (n > 0 && (unsigned char)dst[n - 1] >= 0xc0)
			n--;
	}
	dst[n] = '\0';
}

static uint64_t
garbage(struct plugin_answer *a, const char *what)
{
	snprintf(a->message, sizeof a->message, "%s", what);
	json_free(&a->doc);
	return CODE_PLUGIN_GARBAGE;
}

uint64_t
plugin_parse(struct span line, size_t max, struct plugin_answer *a)
{
	char why[128];

	*a = (struct plugin_answer){ .doc = json_parse(line, max, why) };
	if (!a->doc)
		return garbage(a, why);
	if (!json_is_object(a->doc))
		return garbage(a, "not an object");
	if (!json_u64(json_get(a->doc, "id"), &a->id))
		return garbage(a, "no id");
	struct span error = json_str(a->doc, "error");
	a->ok = json_bool(json_get(a->doc, "ok"));
	if (a->ok == (error.n > 0))
		return garbage(a, "neither \"ok\": true nor an error, or both");
	a->retry = json_bool(json_get(a->doc, "retry"));
	take_text(error, a->error, sizeof a->error);
	take_text(json_str(a->doc, "message"), a->message, sizeof a->message);
	return CODE_OK;
}

void
plugin_answer_free(struct plugin_answer *a)
{
	json_free(&a->doc);
}

/* An array of words as a bit mask; absent: `fallback`. */
static bool
take_mask(const struct json *array, const char *const *words, size_t nwords, uint64_t fallback, uint64_t *out)
{
	*out = json_is_null(array) ? fallback : 0;
	if (json_is_null(array))
		return true;
	if (!json_is_array(array))
		return false;
	for (size_t i = 0; i < json_size(array); i++) {
		const struct json *word = json_at(array, i);
		size_t at = word_index(json_text(word), words, nwords);

		if (!json_is_string(word))
			return false;
		if (at < nwords)	/* a word of a newer release means nothing to us */
			*out |= UINT64_C(1) << at;
	}
	return true;
}

static bool
take_forks(const struct json *array, struct plugin_caps *caps)
{
	if (json_is_null(array))
		return true;
	if (!json_is_array(array) || json_size(array) > NELEM(caps->forks))
		return false;
	for (; caps->nforks < json_size(array); caps->nforks++) {
		struct span fork = json_text(json_at(array, caps->nforks));
		char *to = caps->forks[caps->nforks];

		if (!span_cstr(fork, to, sizeof caps->forks[0]) || !*to)
			return false;
	}
	return true;
}

/* A key is one printable word. */
static bool
take_vks(const struct json *array, struct plugin_caps *caps)
{
	size_t n = 0;

	if (!json_is_null(array) && !json_is_array(array))
		return false;
	for (size_t i = 0; i < json_size(array); i++) {
		struct span vk = json_text(json_at(array, i));

		for (size_t k = 0; k < vk.n; k++)
			if (vk.p[k] <= ' ' || vk.p[k] >= 0x7f || vk.p[k] == ',')
				return false;
		if (vk.n == 0 || n + 1 + vk.n >= sizeof caps->vks)
			return false;
		n += (size_t)snprintf(caps->vks + n, sizeof caps->vks - n, "%s%.*s", n ? " " : "", SPAN_ARG(vk));
	}
	return true;
}

static bool
take_ask(const struct json *value, struct plugin_caps *caps)
{
	return json_is_null(value) || plugin_ask_parse(json_text(value), &caps->ask);
}

static bool
refuse(char *why, const char *member)
{
	snprintf(why, 128, "capabilities: %s has the wrong form", member);
	return false;
}

bool
plugin_caps_parse(const struct plugin_answer *a, struct plugin_caps *caps, char *why)
{
	const uint64_t all = 1 << TYPE_CHUNK | 1 << TYPE_BATCH | 1 << TYPE_BUNDLE;
	const struct json *lag = json_get(a->doc, "lag_ms");

	*caps = (struct plugin_caps){ .sync = json_bool(json_get(a->doc, "sync")) };
	if (!take_mask(json_get(a->doc, "types"), types, NELEM(types), all, &caps->types))
		return refuse(why, "types");
	if (!take_mask(json_get(a->doc, "verbs"), verb_names, NELEM(verb_names), 1 << PLUGIN_PROVE, &caps->verbs))
		return refuse(why, "verbs");
	if (!take_forks(json_get(a->doc, "forks"), caps))
		return refuse(why, "forks");
	if (!take_vks(json_get(a->doc, "vks"), caps))
		return refuse(why, "vks");
	if (!take_ask(json_get(a->doc, "ask"), caps))
		return refuse(why, "ask");
	if (!json_is_null(lag) && !json_u64(lag, &caps->lag_ms))
		return refuse(why, "lag_ms");
	return true;
}

bool
plugin_caps_fork(const struct plugin_caps *caps, struct span fork)
{
	for (size_t i = 0; i < caps->nforks; i++)
		if (span_is(fork, caps->forks[i]))
			return true;
	return caps->nforks == 0;
}

static void
put_name(struct buf *members, const char *name)
{
	if (members->n)
		buf_putc(members, ',');
	json_put_str(members, span_str(name), false);
	buf_putc(members, ':');
}

void
plugin_put_text(struct buf *members, const char *name, struct span value)
{
	put_name(members, name);
	json_put_str(members, value, false);
}

void
plugin_put_num(struct buf *members, const char *name, uint64_t value)
{
	put_name(members, name);
	buf_printf(members, "%" PRIu64, value);
}

void
plugin_put_hash(struct buf *members, const char *name, const uint8_t hash[HASH_BYTES])
{
	put_name(members, name);
	buf_putc(members, '"');
	num_put_hex(members, (struct span){ hash, HASH_BYTES });
	buf_putc(members, '"');
}

void
plugin_put_request(struct buf *out, uint64_t id, enum plugin_verb verb, struct span members)
{
	buf_printf(out, "{\"id\":%" PRIu64 ",\"verb\":\"%s\"", id, plugin_verb_name(verb));
	if (members.n)
		buf_putc(out, ',');
	buf_put(out, members.p, members.n);
	buf_puts(out, "}\n");
}
