/* num.h - floor 2: text to numbers and back, strictly: the whole text or nothing. */
#ifndef PROVA_NUM_H
#define PROVA_NUM_H

#include "common/bytes.h"

/* All: true and *out set, or false and *out untouched. */
bool	num_u64(struct span, uint64_t *out) MUSTCHECK;		/* decimal, no sign, no blanks */
bool	num_quantity(struct span, uint64_t *out) MUSTCHECK;	/* "0x1f", JSON-RPC quantity */
bool	num_span_ms(struct span, uint64_t *out) MUSTCHECK;	/* "250ms" "30s" "5m" "1h" "2d" */
bool	num_size(struct span, uint64_t *out) MUSTCHECK;		/* "16384" "64k" "20M" "2G" (1024) */
bool	num_micro(struct span, uint64_t *out) MUSTCHECK;	/* "0.25" -> 250000; at most 6 decimals */

void	num_put_hex(struct buf *, struct span);			/* lower case, no prefix */
/* Exactly n bytes of hex (optional 0x when prefix_ok), either case. */
bool	num_hex(struct span text, bool prefix_ok, uint8_t *out, size_t n) MUSTCHECK;
void	num_put_base64(struct buf *, struct span);		/* standard alphabet, padded */
bool	num_base64(struct span text, struct buf *out) MUSTCHECK; /* standard, padded, strict; appends */
void	num_put_base64url(struct buf *, struct span, bool pad);
bool	num_base64url(struct span text, struct buf *out) MUSTCHECK;	/* unpadded; appends */

#endif
