/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Before anything else of OpenSSL is touched: without its configuration file,
 * which on a host is a file of the enemy and in the guest does not exist. The
 * seed blinds secp256k1's signing against side channels; programs that never
 * sign pass none.
 */
#include "crypto/init.h"

#include <openssl/crypto.h>

#include "crypto/secp.h"

enum dstack_status
crypto_init(const uint8_t *blind)
{
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		return DSTACK_E_NOMEM;
	if (blind != NULL)
		secp_blind(blind);
	return DSTACK_OK;
}
