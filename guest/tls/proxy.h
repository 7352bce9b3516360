/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PROXY protocol's version 2 header (HAProxy, "The PROXY protocol", section
 * 2.2), which tells a server behind a proxy who its client is.
 */
#ifndef GUEST_TLS_PROXY_H
#define GUEST_TLS_PROXY_H

#include <netinet/in.h>
#include <stdint.h>

#define PROXY_V2_LEN 28

/*
 * Of a TCP connection over IPv4 from the client to here. Both addresses are
 * what the host has told: it carries the connection.
 */
void proxy_v2(const struct sockaddr_in *from, const struct sockaddr_in *to,
    uint8_t out[static PROXY_V2_LEN]);

#endif
