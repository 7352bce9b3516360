/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack image: build and relock run the scripts of image/ in the source
 * tree; the other words have files of their own.
 */
#include "cli/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/demo/network.h"
#include "cli/image/image.h"
#include "cli/usage.h"

enum { BUILD, RELOCK, EXPORT, IMPORT, MEASURE, AUDIT, DIFF };

static const struct usage uses[] = {
	[BUILD] = { "image build",
	    "dstack image build [--from FILE] [--fresh] [OUT]\n"
	    "                    the image, in build/image", NULL, NULL },
	[RELOCK] = { "image relock",
	    "dstack image relock                today's packages", NULL, NULL },
	[EXPORT] = { "image export",
	    "dstack image export [--with-kernel] FILE", NULL, NULL },
	[IMPORT] = { "image import",
	    "dstack image import FILE           packages and signed indexes",
	    NULL, NULL },
	[MEASURE] = { "image measure",
	    "dstack image measure DIR --netcfg FILE [--memory MIB]\n"
	    "                            [--vcpus N] [--json]\n"
	    "                    of the simulated TEE, or of a trust domain:\n"
	    "           --tee tdx [--firmware FILE] [--acpi DIR | --machine TYPE]\n"
	    "           [--phys-bits N] [--qemu VERSION] [--egress] [--events] [--ccel FILE]\n"
	    "           [--quote FILE]\n"
	    "       dstack image measure [--config host.env] [--no-vm] [--json]\n"
	    "                    what that node's guest will be; with neither, of\n"
	    "                    the network in " DEMO_DIR " when it runs",
	    NULL, NULL },
	[AUDIT] = { "image audit",
	    "dstack image audit [--json] [--sbom FILE] [--rebuilt DIR |\n"
	    "                    --no-rebuild | --kernel-from-store] [--relocked] DIR",
	    NULL, NULL },
	[DIFF] = { "image diff",
	    "dstack image diff [--json] DIR DIR  what differs", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

static int
run_script(const char *script, char **argv)
{
	struct why why = { "" };
	char path[] = "image/relock";

	(void)snprintf(path, sizeof(path), "image/%s", script);
	argv[0] = path;
	(void)execv(path, argv);
	return cmd_fail("image",
	    why_set(&why, DSTACK_E_MISSING,
		"%s: %s; run it at the top of the source tree", path,
		strerror(errno)),
	    &why);
}

/* argv[0] is "build". */
static int
run_build(const struct usage *u, int argc, char **argv)
{
	static const struct option lopt[] = { { "from", 1, NULL, 'f' },
		{ "fresh", 0, NULL, 'F' }, { NULL, 0, NULL, 0 } };
	static char fresh[] = "--fresh";
	char *args[4] = { NULL };
	const char *from = NULL;
	struct why why = { "" };
	int n = 1, c;

	while ((c = usage_next(u, argc, argv, lopt)) != -1) {
		if (c == 'f')
			from = optarg;
		else if (n == 1)
			args[n++] = fresh;
	}
	usage_words(u, argc, argv, 0, 1, "OUT");
	if (optind < argc)
		args[n++] = argv[optind];
	if (from != NULL) {
		enum dstack_status st = image_import_file(from, &why);
		if (st != DSTACK_OK)
			return cmd_fail("image", st, &why);
		(void)fflush(stdout);
	}
	return run_script("build", args);
}

/* argv[0] is "relock", which is all there is to say. */
static int
run_relock(const struct usage *u, int argc, char **argv)
{
	static const struct option none[] = { { NULL, 0, NULL, 0 } };

	(void)usage_next(u, argc, argv, none);
	usage_words(u, argc, argv, 0, 0, "");
	return run_script("relock", argv);
}

int
cmd_image(int argc, char **argv)
{
	static int (*const run[])(
	    const struct usage *u, int argc, char **argv) = {
		[BUILD] = run_build, [RELOCK] = run_relock,
		[EXPORT] = image_export, [IMPORT] = image_import,
		[MEASURE] = image_measure, [AUDIT] = image_audit,
		[DIFF] = image_diff };
	const struct usage *u = usage_sub(uses, NULL, argc, argv);

	return run[u - uses](u, argc - 1, argv + 1);
}
