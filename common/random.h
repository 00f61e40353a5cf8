/* random.h - floor 3: bytes nobody can guess (libsodium), and memory that is wiped. */
#ifndef PROVA_RANDOM_H
#define PROVA_RANDOM_H

#include "common/base.h"

void	random_bytes(void *, size_t);
uint64_t random_u64(void);
/* Overwrite a secret; not optimised away. */
void	random_wipe(void *, size_t);

#endif
