/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list comes from a host, which may leave out what it likes, repeat, and
 * mix in what was never signed. So each line is parsed by itself, checked by
 * its signature, and only then given a place.
 */
#include "protocol/signs.h"

#include <string.h>

#include "crypto/secp.h"

bool
sign_holds(const struct msg_heartbeat *m, const struct signs_of *of)
{
	uint8_t digest[32];
	uint8_t signer[20];

	if (m->s.epoch != of->epoch)
		return false;
	stmt_heartbeat_digest(&m->s, &of->domain, digest);
	return secp_recover(digest, m->sig, signer) == DSTACK_OK &&
	    memcmp(signer, of->xpub, 20) == 0;
}

static void
place(const struct msg_heartbeat *m, struct msg_heartbeat *out, size_t *n,
    size_t max)
{
	for (size_t i = 0; i < *n; i++) {
		if (memcmp(out[i].s.node, m->s.node, 20) != 0)
			continue;
		if (m->s.anchor_number > out[i].s.anchor_number)
			out[i] = *m;
		return;
	}
	if (*n < max)
		out[(*n)++] = *m;
}

size_t
signs_take(const void *text, size_t len, const struct signs_of *of,
    const uint8_t *self, struct msg_heartbeat *out, size_t max)
{
	const char *p = text;
	size_t n = 0;

	for (unsigned lines = 0; len > 0 && lines < SIGNS_LINES; lines++) {
		const char *end = memchr(p, '\n', len);
		const size_t k = end != NULL ? (size_t)(end - p) : len;
		struct msg_heartbeat m;
		struct why why = { "" };
		if (msg_heartbeat_parse(p, k, &m, &why) == DSTACK_OK &&
		    (self == NULL || memcmp(m.s.node, self, 20) != 0) &&
		    sign_holds(&m, of))
			place(&m, out, &n, max);
		p += k;
		len -= k;
		if (len > 0) { /* the line's end */
			p++;
			len--;
		}
	}
	return n;
}
