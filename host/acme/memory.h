/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order that is under way, in a file beside the account key, so that a
 * slow CA or a restart does not cost a second one: CAs count orders.
 */
#ifndef HOST_ACME_MEMORY_H
#define HOST_ACME_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "host/acme/ca.h"

struct order_memory {
	char url[CA_URL_MAX]; /* of the order */
	unsigned unreadable;  /* downloads of it that held no chain */
};

/*
 * The order at this directory for this name and key (SHA-256 of its
 * SubjectPublicKeyInfo). False: none, or a file that is none of ours.
 */
bool memory_read(const char *account_key, const char *directory,
    const char *name, const uint8_t spki[static 32],
    struct order_memory *out);
/* A failure is not fatal: the next run makes an order anew. */
void memory_write(const char *account_key, const char *directory,
    const char *name, const uint8_t spki[static 32],
    const struct order_memory *m);
void memory_forget(const char *account_key);

#endif
