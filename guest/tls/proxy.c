/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/tls/proxy.h"

#include <string.h>

void
proxy_v2(const struct sockaddr_in *from, const struct sockaddr_in *to,
    uint8_t out[static PROXY_V2_LEN])
{
	/* signature; version 2, PROXY; AF_INET, STREAM; 12 bytes follow */
	static const uint8_t head[16] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
		0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21, 0x11, 0x00, 0x0c };

	memcpy(out, head, sizeof(head));
	memcpy(out + 16, &from->sin_addr, 4); /* in network order as they are */
	memcpy(out + 20, &to->sin_addr, 4);
	memcpy(out + 24, &from->sin_port, 2);
	memcpy(out + 26, &to->sin_port, 2);
}
