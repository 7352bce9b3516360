/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack-guest: every role of the guest in one program. The role is the last
 * part of argv[0], or argv[1] where argv[0] names none; pid 1 is init.
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <jansson.h>

#include "base/log.h"
#include "crypto/init.h"
#include "guest/base/flavour.h"
#include "guest/base/role.h"

/* The one place that names a TEE driver and a trust root. */
const struct flavour dstack_flavour = DSTACK_FLAVOUR_INIT;

#pragma weak init_main
#pragma weak hostlink_main
#pragma weak tee_main
#pragma weak keyd_main
#pragma weak verifier_main
#pragma weak replicatoor_main
#pragma weak volume_main
#pragma weak guest_service_main
#pragma weak tls_main
#pragma weak kubernethes_main
#pragma weak lightclient_main

static int (*const mains[ROLE_COUNT])(void) = {
    [ROLE_HOSTLINK] = hostlink_main,
    [ROLE_TEE] = tee_main,
    [ROLE_KEYD] = keyd_main,
    [ROLE_VERIFIER] = verifier_main,
    [ROLE_REPLICATOOR] = replicatoor_main,
    [ROLE_VOLUME] = volume_main,
    [ROLE_GUEST_SERVICE] = guest_service_main,
    [ROLE_TLS] = tls_main,
    [ROLE_KUBERNETHES] = kubernethes_main,
    [ROLE_LIGHTCLIENT] = lightclient_main,
};

static bool
role_of(const char *text, enum role *out)
{
	const char *slash = strrchr(text, '/');
	if (slash != NULL)
		text = slash + 1;
	for (unsigned r = 0; r < ROLE_COUNT; r++) {
		if (strcmp(text, role_name((enum role)r)) == 0) {
			*out = (enum role)r;
			return true;
		}
	}
	return false;
}

int
main(int argc, char **argv)
{
	enum role r = ROLE_INIT;
	bool known = argc > 0 && role_of(argv[0], &r);
	if (!known && argc > 1)
		known = role_of(argv[1], &r);
	if (!known && getpid() == 1)
		known = true; /* init */
	if (!known) {
		(void)fprintf(
		    stderr, "dstack-guest: no such role; run as one of:");
		for (unsigned i = 0; i < ROLE_COUNT; i++)
			(void)fprintf(stderr, " %s", role_name((enum role)i));
		(void)fprintf(stderr, "\n");
		return 2;
	}
	log_name(role_name(r));
	/*
	 * Blinds secp256k1 in every role that signs; drawn before the sandbox,
	 * as are jansson's hash seeds below.
	 */
	uint8_t seed[32];
	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed) ||
	    crypto_init(seed) != DSTACK_OK) {
		log_line("no randomness or no memory; cannot start");
		return 1;
	}
	explicit_bzero(seed, sizeof(seed));
	json_object_seed(0); /* takes its own, while files can be opened */
	if (r == ROLE_INIT && init_main != NULL)
		return init_main(argc, argv);
	if (r != ROLE_INIT && mains[r] != NULL)
		return mains[r]();
	log_line("this build does not have the role");
	return 2;
}
