/* SPDX-License-Identifier: Apache-2.0 */
/* What kubernethes tells the TLS front (docs/internals.md, 1.3). */
#ifndef GUEST_TLS_TLS_H
#define GUEST_TLS_TLS_H

/* Flags of BACKEND. */
#define TLS_BACKEND_PROXY 1u /* each connection begins with a header (proxy.h) */
#define TLS_BACKEND_H2 2u    /* the app speaks HTTP/2 on the same port */
#define TLS_BACKEND_EGRESS 4u /* it may go out; told to who asks (T32) */

#endif
