/* SPDX-License-Identifier: Apache-2.0 */
/*
 * To be called once, first thing in main, by every program that hashes or
 * signs: before threads and before a sandbox. Without it everything works
 * too, but OpenSSL looks for its configuration file at its first use.
 */
#ifndef CRYPTO_INIT_H
#define CRYPTO_INIT_H

#include <stdint.h>

#include "base/status.h"

/*
 * OpenSSL reads neither a configuration file nor the environment's
 * OPENSSL_CONF (either could load code). blind, where not NULL: 32 fresh
 * random bytes, with which signing is blinded against side channels; the
 * caller wipes them.
 */
DSTACK_CHECKED enum dstack_status crypto_init(const uint8_t *blind);

#endif
