/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What init refuses to run on: a strange command line, a poor CPU, a clock
 * that the host steers, a chain that it picks.
 */
#include "guest/init/boot.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"

enum dstack_status
boot_cmdline_check(const char *cmdline, struct why *why)
{
	/*
	 * Each changes what runs as pid 1 or what it does; measured or not, an
	 * image that was built without them is not booted with them. "dstack."
	 * is kept for keys of this program's own, of which it has none so far.
	 */
	static const char *const bad[] = { "dstack.", "init=", "rdinit=",
		"rd.", "systemd.", "module_blacklist=" };
	const char *p = cmdline;

	while (*p != '\0') {
		size_t n = strcspn(p, " \n\t");
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			size_t k = strlen(bad[i]);
			if (n >= k && memcmp(p, bad[i], k) == 0)
				return why_set(why, DSTACK_E_REJECTED,
				    "kernel command line: '%.*s' is not "
				    "allowed; boot the image as it was built",
				    (int)(n < 64 ? n : 64), p);
		}
		p += n;
		p += strspn(p, " \n\t");
	}
	return DSTACK_OK;
}

enum dstack_status
boot_cmdline(struct why *why)
{
	char text[4096];
	AUTO_CLOSE int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

	if (n < 0 || (size_t)n >= sizeof(text))
		return why_set(why, DSTACK_E_SYS,
		    "kernel command line cannot be read");
	text[n] = '\0';
	return boot_cmdline_check(text, why);
}

enum dstack_status
boot_cpu(bool rdseed, struct why *why)
{
	unsigned a = 0, b = 0, c = 0, d = 0;

	if (__get_cpuid(1, &a, &b, &c, &d) != 1 || (c & bit_RDRND) == 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "the CPU has no RDRAND: no keys are made on it");
	/* On hardware both; an emulated CPU (sim flavour) has RDRAND alone. */
	if (rdseed && (__get_cpuid_count(7, 0, &a, &b, &c, &d) != 1 ||
	    (b & bit_RDSEED) == 0))
		return why_set(why, DSTACK_E_REJECTED,
		    "the CPU has no RDSEED: no keys are made on it");
	return DSTACK_OK;
}

enum dstack_status
boot_clock(const char *file, bool simulated, struct why *why)
{
	char name[32] = "";
	AUTO_CLOSE int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, name, sizeof(name) - 1);

	name[n > 0 ? n : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
	/* tsc-early is the same counter, until its frequency is known better */
	if (strcmp(name, "tsc") == 0 || strcmp(name, "tsc-early") == 0)
		return DSTACK_OK;
	if (!simulated)
		return why_set(why, DSTACK_E_REJECTED,
		    "the kernel's clock is '%s', which the host steers, and "
		    "not the TSC; start the VM with an invariant TSC",
		    name[0] != '\0' ? name : "unknown");
	log_line("the kernel's clock is '%s'; a real TEE has to have the TSC",
	    name[0] != '\0' ? name : "unknown");
	return DSTACK_OK;
}

enum dstack_status
boot_view(const char *netcfg, size_t len, bool simulated, struct why *why)
{
	struct netcfg cfg;
	enum dstack_status st = netcfg_parse(netcfg, len, &cfg, why);

	if (st == DSTACK_OK && cfg.view == NETCFG_VIEW_RPC && !simulated)
		return why_set(why, DSTACK_E_REJECTED,
		    "netcfg: view=rpc is for simulated networks: a host that "
		    "invents headers would decide who gets the secret; make "
		    "it with --beacon and --checkpoint");
	return st;
}
