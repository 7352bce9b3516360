/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is the image whole? A kernel or initramfs that was cut short boots to a
 * dark screen, or is refused by the network after minutes: better said here.
 * This holds nothing against anyone: what counts is what the TEE measures.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/hex.h"
#include "base/own.h"
#include "crypto/hash.h"
#include "host/node/node_priv.h"

#define AGAIN "build the image again with ./build_vm.sh"

static enum dstack_status
hash_file(const char *path, uint8_t out[static 32], struct why *why)
{
	struct stat sb;
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &sb) != 0)
		return why_set(why, DSTACK_E_MISSING, "%s: %s; " AGAIN, path,
		    strerror(errno));
	if (!S_ISREG(sb.st_mode) || sb.st_size == 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "%s is empty or no file; " AGAIN, path);
	size_t n = (size_t)sb.st_size;
	/*
	 * Hashed where it lies: the kernel and initramfs are read again in a
	 * moment, by QEMU.
	 */
	void *p = mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return why_set(
		    why, DSTACK_E_SYS, "%s: %s", path, strerror(errno));
	sha256(p, n, out);
	(void)munmap(p, n);
	return DSTACK_OK;
}

enum dstack_status
image_check(
    const char *dir, char relocked[static IMAGE_DAY], struct why *why)
{
	static const char *const names[] = { "vmlinuz", "initramfs.cpio.zst",
		"cmdline" };
	char path[640];
	size_t i = 0;
	size_t good = 0;
	json_t *part = NULL;
	enum dstack_status st = DSTACK_OK;

	(void)snprintf(path, sizeof(path), "%.520s/manifest.json", dir);
	json_t *m = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	json_t *parts = json_object_get(m, "parts");
	/*
	 * Exactly the three parts, in the builder's order: more or fewer is
	 * another format.
	 */
	json_array_foreach (parts, i, part) {
		const char *name =
		    json_string_value(json_object_get(part, "name"));
		const char *hex =
		    json_string_value(json_object_get(part, "sha256"));
		uint8_t want[32];
		uint8_t got[32];
		if (good == 3 || name == NULL || hex == NULL ||
		    strcmp(name, names[good]) != 0 ||
		    hex_decode(hex, strlen(hex), want, 32) != DSTACK_OK)
			break;
		(void)snprintf(path, sizeof(path), "%.520s/%s", dir, name);
		st = hash_file(path, got, why);
		if (st == DSTACK_OK && memcmp(got, want, 32) != 0)
			st = why_set(why, DSTACK_E_REJECTED,
			    "%s is not the file that manifest.json names; "
			    AGAIN, path);
		if (st != DSTACK_OK)
			break;
		good++;
	}
	const char *day = json_string_value(json_object_get(m, "relocked"));
	(void)snprintf(relocked, IMAGE_DAY, "%s", day != NULL ? day : "");
	json_decref(m);
	if (st == DSTACK_OK && good != 3)
		st = why_set(why, DSTACK_E_REJECTED,
		    "%.100s/manifest.json is missing or garbled; " AGAIN, dir);
	return st;
}
