/* coord.c - what both roles of the Coordinator's protocol share: names, identities,
 * the login's digest and signature.  See coord.h. */
#include "common/coord.h"

#include "common/hash.h"
#include "common/num.h"
#include "common/rlp.h"

enum { V_BYTES = 1, RS_BYTES = 64 };

static const struct {
	const char	*method, *path;
} routes[] = {
	[COORD_CHALLENGE] = { "GET",  "/coordinator/v1/challenge" },
	[COORD_LOGIN]     = { "POST", "/coordinator/v1/login" },
	[COORD_GET_TASK]  = { "POST", "/coordinator/v1/get_task" },
	[COORD_SUBMIT]    = { "POST", "/coordinator/v1/submit_proof" },
};

bool
coord_route(const char *method, const char *path, enum coord_call *out)
{
	for (size_t i = 0; i < NELEM(routes); i++)
		if (strcmp(path, routes[i].path) == 0 && strcmp(method, routes[i].method) == 0) {
			*out = (enum coord_call)i;
			return true;
		}
	return false;
}

const char *
coord_path(enum coord_call call)
{
	return routes[call].path;
}

static void
free_vks(struct buf *vks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_free(&vks[i]);
	free(vks);
}

void
coord_login_free(struct coord_login *l)
{
	free_vks(l->vks, l->nvks);
	buf_free(&l->fork);
	buf_free(&l->challenge);
	buf_free(&l->version);
	buf_free(&l->name);
	buf_free(&l->types);
	buf_free(&l->public_key);
	buf_free(&l->signature);
	*l = (struct coord_login){ 0 };
}

void
coord_want_free(struct coord_want *w)
{
	free_vks(w->vks, w->nvks);
	buf_free(&w->task_id);
	*w = (struct coord_want){ 0 };
}

void
coord_task_free(struct coord_task *t)
{
	buf_free(&t->uuid);
	buf_free(&t->task_id);
	buf_free(&t->data);
	buf_free(&t->fork);
}

void
coord_proof_free(struct coord_proof *p)
{
	buf_free(&p->uuid);
	buf_free(&p->task_id);
	buf_free(&p->proof);
	buf_free(&p->failure_msg);
}

/* identities */

static void
put_u32(struct buf *b, uint32_t v)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_putc(b, (int)(v >> shift & 0xff));
}

void
coord_identity(const uint8_t seed[32], uint32_t index, struct ecsig_key *key)
{
	struct buf text = { 0 };
	uint8_t secret[HASH_BYTES];
	uint32_t counter = 0;

	do {
		buf_reset(&text);
		buf_puts(&text, "prova identity");
		put_u32(&text, index);
		put_u32(&text, counter++);
		hmac_sha256((struct span){ seed, 32 }, SPAN_OF(&text), secret);
	} while (!ecsig_key(key, secret));
	explicit_bzero(secret, sizeof secret);
	buf_free(&text);
}

void
coord_key_text(const struct ecsig_key *key, struct buf *out)
{
	num_put_hex(out, (struct span){ key->public, sizeof key->public });
}

/* the login's signature */

static void
digest_list(struct buf *items, uint8_t out[HASH_BYTES])
{
	struct buf list = { 0 };

	rlp_put_list(&list, SPAN_OF(items));
	keccak256(SPAN_OF(&list), out);
	buf_free(&list);
	buf_free(items);
}

static void
digest_of(const struct coord_login *l, bool six_fields, uint8_t out[HASH_BYTES])
{
	struct buf items = { 0 }, vks = { 0 };

	rlp_put_str(&items, SPAN_OF(&l->challenge));
	rlp_put_str(&items, SPAN_OF(&l->version));
	rlp_put_str(&items, SPAN_OF(&l->name));
	if (six_fields)
		rlp_put_u64(&items, l->provider);
	rlp_put_str(&items, SPAN_OF(&l->types));
	for (size_t i = 0; i < l->nvks; i++)
		rlp_put_str(&vks, SPAN_OF(&l->vks[i]));
	rlp_put_list(&items, SPAN_OF(&vks));
	buf_free(&vks);
	digest_list(&items, out);
}

static void
old_digest_of(const struct coord_login *l, uint8_t out[HASH_BYTES])
{
	struct buf items = { 0 };

	rlp_put_str(&items, SPAN_OF(&l->name));
	rlp_put_str(&items, SPAN_OF(&l->version));
	rlp_put_str(&items, SPAN_OF(&l->challenge));
	if (l->fork.n)
		rlp_put_str(&items, SPAN_OF(&l->fork));
	digest_list(&items, out);
}

void
coord_login_digest(const struct coord_login *l, uint8_t out[HASH_BYTES])
{
	digest_of(l, l->has_provider, out);
}

void
coord_login_sign(struct coord_login *l, const struct ecsig_key *key)
{
	uint8_t digest[HASH_BYTES], sig[ECSIG_BYTES];

	coord_login_digest(l, digest);
	ecsig_sign(key, digest, sig);
	buf_reset(&l->public_key);
	coord_key_text(key, &l->public_key);
	buf_reset(&l->signature);
	buf_puts(&l->signature, "0x");
	num_put_hex(&l->signature, (struct span){ sig, sizeof sig });
}

/* Go's common.FromHex: 0x optional, an odd digit is the first byte's, the first
 * bad digit ends it.  Returns how many bytes there are (at most max are stored). */
static size_t
lenient_hex(struct span text, uint8_t *out, size_t max)
{
	char pair[3] = "0";
	size_t n = 0, i = 0;

	if (text.n >= 2 && text.p[0] == '0' && (text.p[1] | 0x20) == 'x')
		i = 2;
	for (size_t odd = (text.n - i) & 1; i < text.n; i += 2 - odd, odd = 0, n++) {
		uint8_t byte;
		if (!odd)
			pair[0] = (char)text.p[i];
		pair[1] = (char)text.p[odd ? i : i + 1];
		if (!num_hex((struct span){ (uint8_t *)pair, 2 }, false, &byte, 1))
			break;
		if (n < max)
			out[n] = byte;
	}
	return n;
}

enum coord_sig
coord_login_verify(const struct coord_login *l)
{
	uint8_t sig[RS_BYTES + V_BYTES + 1], digest[HASH_BYTES], point[ECSIG_PUBLIC_BYTES];
	struct span public = { point, sizeof point };
	size_t n = lenient_hex(SPAN_OF(&l->signature), sig, sizeof sig);

	if (!num_hex(SPAN_OF(&l->public_key), false, point, sizeof point))
		return COORD_SIG_BAD;
	if (n == 0)
		return COORD_SIG_PANIC;
	if (n != RS_BYTES + V_BYTES)
		return COORD_SIG_BAD;
	digest_of(l, l->has_provider, digest);
	if (ecsig_verify(digest, sig, public))
		return COORD_SIG_OK;
	digest_of(l, false, digest);
	return l->has_provider && ecsig_verify(digest, sig, public) ? COORD_SIG_OK : COORD_SIG_BAD;
}

enum coord_sig
coord_login_identify(struct coord_login *l)
{
	uint8_t sig[ECSIG_BYTES], digest[HASH_BYTES], public[ECSIG_PUBLIC_BYTES];

	if (l->public_key.n)
		return coord_login_verify(l);
	if (lenient_hex(SPAN_OF(&l->signature), sig, sizeof sig) != sizeof sig)
		return COORD_SIG_BAD;
	old_digest_of(l, digest);
	if (!ecsig_recover(digest, sig, public))
		return COORD_SIG_BAD;
	num_put_hex(&l->public_key, (struct span){ public, sizeof public });
	return COORD_SIG_OK;
}
