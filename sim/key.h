/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulator's P-256 keys. NONE OF THEM IS SECRET: each is derived from
 * a published text (sim_seed) and a label, so that every simulator agrees
 * and sim images come out the same everywhere. They stand in for Intel's
 * keys and for those fused into a machine; whoever accepts a quote under
 * them accepts any claim at all. Only the sim flavour of the guest does.
 *
 * scalar(label) = 1 + (HKDF-Expand(HKDF-Extract("dstack2/sim/v1", seed),
 * label, 48) mod (n - 1)), SHA-256.
 */
#ifndef SIM_KEY_H
#define SIM_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "base/own.h"
#include "base/status.h"

extern const char sim_seed[];

#define SIM_KEY_ROOT "root"
#define SIM_KEY_PLATFORM_CA "ca/platform"
#define SIM_KEY_PROCESSOR_CA "ca/processor"
#define SIM_KEY_TCB_SIGNER "tcb-signer"

static inline void
sim_key_release(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}
#define AUTO_KEY OWN_CLEANUP(sim_key_release)

/* The key of that label; the caller frees it. NULL: no memory. */
EVP_PKEY *sim_key(const char *label);
/* Its public point, x || y. False: no memory, or a point of another curve. */
bool sim_key_public(const EVP_PKEY *key, uint8_t out[static 64]);

/* ECDSA over SHA-256(p), as r || s, and as DER for certificates. */
DSTACK_CHECKED enum dstack_status sim_sign(
    EVP_PKEY *key, const void *p, size_t n, uint8_t sig[static 64]);
/* der: at least 80 bytes; *derlen gets the length. */
DSTACK_CHECKED enum dstack_status sim_sign_der(EVP_PKEY *key, const void *p,
    size_t n, uint8_t der[static 80], size_t *derlen);

#endif
