/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets have a type of their own, are wiped when they leave scope, and are
 * compared in constant time. Never log one, never put one in argv or the
 * environment.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/own.h"

struct secret32 {
	uint8_t b[32];
};
struct secret64 {
	uint8_t b[64];
};
struct secret128 {
	uint8_t b[128];
};

static inline void
secret32_wipe(struct secret32 *s)
{
	explicit_bzero(s, sizeof(*s));
}

static inline void
secret128_wipe(struct secret128 *s)
{
	explicit_bzero(s, sizeof(*s));
}

static inline void
secret64_wipe(struct secret64 *s)
{
	explicit_bzero(s, sizeof(*s));
}

#define AUTO_WIPE32 OWN_CLEANUP(secret32_wipe)
#define AUTO_WIPE64 OWN_CLEANUP(secret64_wipe)
#define AUTO_WIPE128 OWN_CLEANUP(secret128_wipe)

/* Same n bytes? Time depends on n alone. */
bool ct_equal(const void *a, const void *b, size_t n);
/* All n bytes zero? Time depends on n alone. */
bool ct_is_zero(const void *a, size_t n);

#endif
