/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers of a simulated VM, from what it boots. The rules are our own, not
 * TDX's (docs/measurement.md): each register begins at zero and is extended by
 * the hash of one input, in a fixed order. A guest cannot choose them, since
 * the TEE process that the launcher starts reads kernel, initramfs and command
 * line itself; a host can, and that is why a simulated network protects
 * nothing.
 */
#include "sim/measure.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "base/wr.h"
#include "crypto/hash.h"

void
sim_extend(uint8_t r[static 48], const uint8_t digest[static 48])
{
	const struct piece v[] = { { r, 48 }, { digest, 48 } };
	uint8_t next[48];
	sha384v(v, 2, next);
	memcpy(r, next, 48);
}

static void
extend_hash(uint8_t r[48], const void *p, size_t n)
{
	uint8_t d[48];
	sha384(p, n, d);
	sim_extend(r, d);
}

void
sim_measure(const struct sim_boot *boot, struct sim_measurements *out)
{
	/*
	 * There is no firmware to measure: a constant in its place, so that
	 * MRTD is not zero.
	 */
	static const char firmware[] = "dstack2/sim/firmware/v1";
	static const char shape[] = "dstack2/sim/shape/v1";
	uint8_t nums[8];
	for (int i = 0; i < 4; i++) {
		nums[i] = (uint8_t)(boot->vcpus >> (24 - 8 * i));
		nums[4 + i] = (uint8_t)(boot->memory_mib >> (24 - 8 * i));
	}
	const struct piece vm[] = { { shape, strlen(shape) }, { nums, 8 } };
	uint8_t d[48];
	memset(out, 0, sizeof(*out));
	extend_hash(out->mrtd, firmware, strlen(firmware));
	sha384v(vm, 2, d);
	sim_extend(out->rtmr[0], d);
	sim_extend(out->rtmr[1], boot->kernel);
	extend_hash(out->rtmr[2], boot->cmdline, strlen(boot->cmdline));
	sim_extend(out->rtmr[2], boot->initramfs);
	sha384(boot->netcfg, boot->netcfglen, out->mrconfigid);
	/*
	 * Bit 28, SEPT_VE_DISABLE: the verifier insists on it. XFAM below is
	 * Linux's usual one.
	 */
	out->td_attributes[3] = 0x10;
	out->xfam[0] = 0xe7;
	out->xfam[1] = 0x02;
	out->xfam[2] = 0x06;
}

enum dstack_status
sim_hash_file(const char *path, uint8_t out[static 48], struct why *why)
{
	/*
	 * O_NONBLOCK: a FIFO of that name must not hold us up before fstat sees
	 * it.
	 */
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat sb;
	if (fd < 0 || fstat(fd, &sb) != 0)
		return why_set(why,
		    errno == ENOENT ? DSTACK_E_MISSING : DSTACK_E_SYS,
		    "%s: %s", path, strerror(errno));
	if (!S_ISREG(sb.st_mode))
		return why_set(why, DSTACK_E_MISSING,
		    "%s: not a regular file", path);
	struct hasher *h = hasher_new(HASHER_SHA384);
	if (h == NULL)
		return why_set(why, DSTACK_E_NOMEM, "%s: no memory", path);
	uint8_t buf[16384];
	ssize_t n;
	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		hasher_update(h, buf, (size_t)n);
	}
	hasher_final(h, out);
	if (n < 0)
		return why_set(why, DSTACK_E_SYS, "%s: %s", path,
		    strerror(errno));
	return DSTACK_OK;
}
