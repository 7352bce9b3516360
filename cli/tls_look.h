/* SPDX-License-Identifier: Apache-2.0 */
/* What certificate a TLS server shows. For people: nothing is verified. */
#ifndef CLI_TLS_LOOK_H
#define CLI_TLS_LOOK_H

#include "base/status.h"

struct tls_look {
	char fingerprint[65]; /* SHA-256 of the certificate, hex */
	char key[65];         /* SHA-256 of its SubjectPublicKeyInfo, hex */
	char until[32];       /* "not after", RFC 3339 */
	char issuer[128];
};

/*
 * Shake hands with "https://IPv4:PORT". domain: the name to ask for, or "".
 * DSTACK_E_MISSING: nobody answers, or not with TLS, within 3 seconds.
 */
DSTACK_CHECKED enum dstack_status tls_look(const char *url,
    const char *domain, struct tls_look *out, struct why *why);

#endif
