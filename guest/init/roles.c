/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The roles by name, and who may ask whom. This table is the whole of it: an
 * edge that is not here has no descriptor, and a role has no other way to one
 * (spawn.c makes the pairs). An edge more is a way more for whoever has broken
 * into the role at one end of it, so the README draws each of them, and
 * tests/lint-tree holds table and picture equal.
 *
 * What reads foreign bytes is kept away from what holds keys: nobody asks
 * hostlink for anything but the host's answers, keyd asks nobody, and tee asks
 * nobody. lightclient, which alone judges headers, asks hostlink and no other. kubernethes, which is nearest to the app, has no edge to keyd.
 */
#include "guest/base/role.h"

#include <stddef.h>
#include <stdint.h>

static const char *const names[ROLE_COUNT] = {
    [ROLE_INIT] = "init",
    [ROLE_HOSTLINK] = "hostlink",
    [ROLE_TEE] = "tee",
    [ROLE_KEYD] = "keyd",
    [ROLE_VERIFIER] = "verifier",
    [ROLE_REPLICATOOR] = "replicatoor",
    [ROLE_VOLUME] = "volume",
    [ROLE_GUEST_SERVICE] = "guest-service",
    [ROLE_TLS] = "unstoppable-tls",
    [ROLE_KUBERNETHES] = "kubernethes",
    [ROLE_LIGHTCLIENT] = "lightclient",
};

#define BIT(r) (1u << (r))

/* Whom each role may ask; init speaks to everyone (lifecycle). */
static const uint16_t asks[ROLE_COUNT] = {
    [ROLE_INIT] = (1u << ROLE_COUNT) - 2u,
    [ROLE_REPLICATOOR] = BIT(ROLE_HOSTLINK) | BIT(ROLE_TEE) | BIT(ROLE_KEYD) |
			 BIT(ROLE_VOLUME) | BIT(ROLE_LIGHTCLIENT),
    [ROLE_VERIFIER] = BIT(ROLE_HOSTLINK) | BIT(ROLE_KEYD) |
		      BIT(ROLE_LIGHTCLIENT),
    [ROLE_VOLUME] = BIT(ROLE_HOSTLINK) | BIT(ROLE_KEYD) |
		    BIT(ROLE_LIGHTCLIENT),
    [ROLE_GUEST_SERVICE] = BIT(ROLE_HOSTLINK) | BIT(ROLE_TEE) | BIT(ROLE_KEYD) |
			   BIT(ROLE_VERIFIER) | BIT(ROLE_LIGHTCLIENT),
    [ROLE_TLS] = BIT(ROLE_HOSTLINK) | BIT(ROLE_KEYD),
    [ROLE_KUBERNETHES] = BIT(ROLE_HOSTLINK) | BIT(ROLE_TEE) |
			 BIT(ROLE_GUEST_SERVICE) | BIT(ROLE_TLS) |
			 BIT(ROLE_LIGHTCLIENT),
    [ROLE_LIGHTCLIENT] = BIT(ROLE_HOSTLINK),
};

const char *
role_name(enum role r)
{
	if ((unsigned)r >= ROLE_COUNT)
		return "unknown";
	return names[r];
}

bool
role_may_ask(enum role a, enum role b)
{
	if ((unsigned)a >= ROLE_COUNT || (unsigned)b >= ROLE_COUNT)
		return false;
	return (asks[a] & BIT(b)) != 0;
}
