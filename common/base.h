/* base.h - floor 0: what every file starts from.
 *
 * Includes the C headers first and then bans what must not be used, so that
 * no later include can trip over a ban. */
#ifndef PROVA_BASE_H
#define PROVA_BASE_H

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROVA_VERSION "0.1.0"

#define MUSTCHECK	__attribute__((warn_unused_result))
#define PRINTF(f, a)	__attribute__((format(printf, f, a)))
#define NORETURN	__attribute__((noreturn))
#define NELEM(a)	(sizeof(a) / sizeof((a)[0]))

/* The smaller, the larger of two numbers that are not negative.  Functions, since a macro's
 * argument may be a call. */
static inline uint64_t
MIN2(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t
MAX2(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Exit statuses; prova(7) explains them. */
enum {
	EXIT_DONE	= 0,	/* done */
	EXIT_NO		= 1,	/* the answer is no */
	EXIT_USAGE	= 100,	/* called wrongly; do not start again */
	EXIT_BUG	= 101,	/* our bug */
	EXIT_SYSTEM	= 111,	/* the system failed; try again */
};

/* Types of tasks, as the Coordinator numbers them. */
enum { TYPE_CHUNK = 1, TYPE_BATCH = 2, TYPE_BUNDLE = 3, TYPE_MAX = 3 };

#define HASH_BYTES	32
#define INLINE_BYTES	16384	/* larger bodies, inputs and proofs are blobs */
#define MESSAGE_BYTES	65536	/* one message on any link */

/* Banned: each has a strict or bounded replacement in num.h or bytes.h. */
#undef strcpy
#undef strcat
#undef sprintf
#undef strncpy
#define atoi(s)		banned_use_num_h(s)
#define atol(s)		banned_use_num_h(s)
#define strcpy(d, s)	banned_use_bytes_h(d, s)
#define strcat(d, s)	banned_use_bytes_h(d, s)
#define strncpy(d, s, n) banned_use_bytes_h(d, s, n)
#define sprintf(...)	banned_use_snprintf(__VA_ARGS__)

#endif
