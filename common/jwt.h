/* jwt.h - floor 4: JSON Web Tokens, HS256 only (RFC 7519), judged as the Coordinator's libraries judge them.
 *
 * The texts are those that gin-jwt 2.9.1 and golang-jwt 4.5.0 give, lower-cased. */
#ifndef PROVA_JWT_H
#define PROVA_JWT_H

#include "common/bytes.h"

enum jwt_verdict {
	JWT_OK,
	JWT_EXPIRED,	/* "token is expired" */
	JWT_BAD,	/* anything else: see why */
};

/* header.claims.signature of the claims' JSON text, appended. */
void	jwt_make(struct buf *out, struct span claims, struct span secret);

/* Verify at the time now_s (of day, seconds).  claims gets the decoded claims' JSON (JWT_OK
 * and JWT_EXPIRED); why (may be NULL) the text of the refusal, without quotes. */
enum jwt_verdict jwt_verify(struct span token, struct span secret, uint64_t now_s,
    struct buf *claims, struct buf *why) MUSTCHECK;

/* Without the secret: the claims "exp" and "orig_iat", seconds; 0 where there is none.
 * False when it is no token at all. */
bool	jwt_times(struct span token, uint64_t *exp_s, uint64_t *orig_iat_s) MUSTCHECK;

#endif
