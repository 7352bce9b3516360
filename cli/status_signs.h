/* SPDX-License-Identifier: Apache-2.0 */
/* Part of "dstack status": whom a node has heard over the relay. */
#ifndef CLI_STATUS_SIGNS_H
#define CLI_STATUS_SIGNS_H

#include <jansson.h>

#include "host/chain/rpc_client.h"
#include "protocol/signs.h"

/*
 * A list of {node, block, time} of the signs of life that the host service at
 * that URL has and that the epoch's key has signed; JSON null where it does
 * not answer. time: of the block, or null where the RPC has no such block.
 */
json_t *status_signs(
    const char *service, const struct signs_of *of, struct rpc *rpc);
void status_signs_print(const json_t *signs, const char *self);

#endif
