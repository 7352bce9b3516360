/* SPDX-License-Identifier: Apache-2.0 */
/* Registers as rows of text or members of JSON, whichever TEE's they are. */
#include <stdio.h>

#include "base/hex.h"
#include "cli/image/image.h"

static void
row(const char *name, const uint8_t *p, size_t n, bool json)
{
	char hex[97];

	hex_encode(p, n, hex);
	printf(json ? ",\"%s\":\"%s\"" : "%-10s %s\n", name, hex);
}

void
image_measure_rows(const uint8_t mrtd[48], const uint8_t rtmr[4][48],
    const uint8_t mrconfigid[48], const uint8_t tuple[32], bool json)
{
	row("mrtd", mrtd, 48, json);
	row("rtmr0", rtmr[0], 48, json);
	row("rtmr1", rtmr[1], 48, json);
	row("rtmr2", rtmr[2], 48, json);
	row("mrconfigid", mrconfigid, 48, json);
	row("tuple", tuple, 32, json);
}
