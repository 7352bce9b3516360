/* SPDX-License-Identifier: Apache-2.0 */
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
