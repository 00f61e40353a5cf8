/* jwt.c - JSON Web Tokens, HS256.  See jwt.h.
 *
 * The order of the checks is the libraries': segments, header, claims, algorithm,
 * dates, signature; a wrong signature is told before a date that is over. */
#include "common/jwt.h"

#include "common/gobind.h"
#include "common/hash.h"
#include "common/num.h"

#define HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"

enum { V_ALG, V_EXP, V_IAT, V_NBF, V_ORIG_IAT, V_MAX };

static const struct gobind_field header_fields[] = {
	{ .name = "alg", .kind = GOBIND_ANY, .at = V_ALG },
};
static const struct gobind_type header_type = { "map", "", header_fields, NELEM(header_fields) };

static const struct gobind_field claim_fields[] = {
	{ .name = "exp", .kind = GOBIND_ANY, .at = V_EXP },
	{ .name = "iat", .kind = GOBIND_ANY, .at = V_IAT },
	{ .name = "nbf", .kind = GOBIND_ANY, .at = V_NBF },
	{ .name = "orig_iat", .kind = GOBIND_ANY, .at = V_ORIG_IAT },
};
static const struct gobind_type claim_type = { "map", "", claim_fields, NELEM(claim_fields) };

void
jwt_make(struct buf *out, struct span claims, struct span secret)
{
	size_t from = out->n;
	uint8_t mac[HASH_BYTES];

	num_put_base64url(out, SPAN(HEADER), false);
	buf_putc(out, '.');
	num_put_base64url(out, claims, false);
	hmac_sha256(secret, (struct span){ out->p + from, out->n - from }, mac);
	buf_putc(out, '.');
	num_put_base64url(out, (struct span){ mac, sizeof mac }, false);
}

/* The three segments; false when there are more or less. */
static bool
split(struct span token, struct span part[3])
{
	size_t n = 0, from = 0;

	for (size_t i = 0; token.p && i <= token.n; i++) {
		if (i < token.n && token.p[i] != '.')
			continue;
		if (n == 3)
			return false;
		part[n++] = (struct span){ token.p + from, i - from };
		from = i + 1;
	}
	return n == 3;
}

static bool
decode(struct span part, struct buf *out, struct buf *why)
{
	if (num_base64url(part, out))
		return true;
	buf_printf(why, "illegal base64 data at input byte %zu", gobind_base64_fault(part, true, false));
	return false;
}

/* One segment to JSON to values. */
static bool
open_part(struct span part, const struct gobind_type *type, struct buf *json, struct span *values, struct buf *why)
{
	struct span got[V_MAX];

	if (!decode(part, json, why))
		return false;
	if (!(type == &header_type ? gobind_whole : gobind_read)(SPAN_OF(json), type, got, why))
		return false;
	for (size_t i = 0; i < type->nfields; i++)
		values[type->fields[i].at] = got[type->fields[i].at];
	return true;
}

static const char *
judge_algorithm(struct span alg)
{
	static const char *const others[] = {
		"\"none\"", "\"HS384\"", "\"HS512\"", "\"RS256\"", "\"RS384\"", "\"RS512\"", "\"ES256\"",
		"\"ES384\"", "\"ES512\"", "\"PS256\"", "\"PS384\"", "\"PS512\"", "\"EdDSA\"",
	};

	if (span_is(alg, "\"HS256\""))
		return NULL;
	if (!alg.p || alg.p[0] != '"')
		return "signing method (alg) is unspecified.";
	for (size_t i = 0; i < NELEM(others); i++)
		if (span_is(alg, others[i]))
			return "invalid signing algorithm";
	return "signing method (alg) is unavailable.";
}

/* Seconds of a numeric date; false where it is something else. */
static bool
date(struct span raw, double *out)
{
	char text[64];

	if (!span_cstr(raw, text, sizeof text) || strchr("-0123456789", text[0]) == NULL || !text[0])
		return false;
	*out = strtod(text, NULL);
	return true;
}

/* Before d?  A date that is absent, or 0, counts as kept; one that is no number as broken. */
static bool
kept(struct span raw, bool must_be_past, double now)
{
	double d = 0;

	if (!raw.p)
		return true;
	if (!date(raw, &d))
		return false;
	return d == 0 || (must_be_past ? now >= d : now < d);
}

static const char *
judge_dates(const struct span *v, double now)
{
	const char *text = NULL;

	if (!kept(v[V_EXP], false, now))
		text = "token is expired";
	if (!kept(v[V_IAT], true, now))
		text = "token used before issued";
	if (!kept(v[V_NBF], true, now))
		text = "token is not valid yet";
	return text;
}

static bool
judge_signature(struct span token, struct span part, struct span secret, struct buf *why)
{
	struct buf mac = { 0 };
	uint8_t want[HASH_BYTES], differ = 0;
	size_t signed_bytes = token.n - part.n - 1;

	bool good = decode(part, &mac, why);
	hmac_sha256(secret, (struct span){ token.p, signed_bytes }, want);
	for (size_t i = 0; mac.n == sizeof want && i < sizeof want; i++)
		differ |= want[i] ^ mac.p[i];
	if (good && (mac.n != sizeof want || differ)) {
		buf_puts(why, "signature is invalid");
		good = false;
	}
	buf_free(&mac);
	return good;
}

/* What gin-jwt asks once the token itself is good. */
static enum jwt_verdict
judge_expiry(struct span exp, double now, struct buf *why)
{
	double d;

	if (!exp.p) {
		buf_puts(why, "missing exp field");
		return JWT_BAD;
	}
	if (date(exp, &d) && d >= now)
		return JWT_OK;
	buf_puts(why, "token is expired");
	return JWT_EXPIRED;
}

static enum jwt_verdict
judge(struct span token, struct span secret, double now, struct buf *claims, struct buf *why)
{
	struct span part[3], v[V_MAX] = { { 0 } };
	struct buf header = { 0 };
	enum jwt_verdict verdict = JWT_BAD;
	const char *text = NULL;

	if (!split(token, part))
		buf_puts(why, "token contains an invalid number of segments");
	else if (open_part(part[0], &header_type, &header, v, why) &&
	    open_part(part[1], &claim_type, claims, v, why)) {
		text = judge_algorithm(v[V_ALG]);
		if (!text && judge_signature(token, part[2], secret, why)) {
			text = judge_dates(v, now);
			verdict = text ? strcmp(text, "token is expired") == 0 ? JWT_EXPIRED : JWT_BAD
			    : judge_expiry(v[V_EXP], now, why);
		}
	}
	if (text)
		buf_puts(why, text);
	buf_free(&header);
	return verdict;
}

enum jwt_verdict
jwt_verify(struct span token, struct span secret, uint64_t now_s, struct buf *claims, struct buf *why)
{
	struct buf unasked = { 0 }, json = { 0 };
	enum jwt_verdict verdict = judge(token, secret, (double)now_s, &json, why ? why : &unasked);

	if (verdict != JWT_BAD)
		buf_put(claims, json.p, json.n);
	buf_free(&json);
	buf_free(&unasked);
	return verdict;
}

static uint64_t
seconds(struct span raw)
{
	double d;

	return raw.p && date(raw, &d) && d > 0 && d < 1e15 ? (uint64_t)d : 0;
}

bool
jwt_times(struct span token, uint64_t *exp_s, uint64_t *orig_iat_s)
{
	struct span part[3], v[V_MAX] = { { 0 } };
	struct buf json = { 0 }, why = { 0 };
	bool good = split(token, part) && open_part(part[1], &claim_type, &json, v, &why);

	if (good) {
		*exp_s = seconds(v[V_EXP]);
		*orig_iat_s = seconds(v[V_ORIG_IAT]);
	}
	buf_free(&json);
	buf_free(&why);
	return good;
}
