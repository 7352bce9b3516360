/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of the contract (protocol/layout.h) out of the messages that guests
 * send (protocol/messages.h), and back. The host carries them; the guest
 * signed them and the contract checks them.
 */
#ifndef HOST_KMCALL_H
#define HOST_KMCALL_H

#include "protocol/messages.h"

/* Append call data. */
DSTACK_CHECKED enum dstack_status km_call_bootstrap(struct wr *w,
    const struct msg_bootstrap *m, const uint8_t quote_hash[static 32]);
DSTACK_CHECKED enum dstack_status km_call_register(
    struct wr *w, const struct msg_register *m);
/* with_ct false: a relay network's, whose ciphertext goes another way. */
DSTACK_CHECKED enum dstack_status km_call_onboard(
    struct wr *w, const struct msg_onboard *m, bool with_ct);
DSTACK_CHECKED enum dstack_status km_call_anchor(
    struct wr *w, const struct msg_volume_anchor *m);
DSTACK_CHECKED enum dstack_status km_call_requested(
    struct wr *w, const uint8_t request_id[static 32]);

/* The data of an Onboarded log, or arguments of an onboard call; out must be freed with msg_onboard_free. */
DSTACK_CHECKED enum dstack_status km_onboarded(const void *data, size_t len,
    struct msg_onboard *out, struct why *why);

/*
 * The name of the contract's error whose selector text holds as "0x...", or
 * that it names itself; else NULL. For one clear line out of an RPC error.
 */
const char *km_error_name(const char *text);

#endif
