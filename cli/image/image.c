/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack image: build and relock run the scripts of image/ in the source
 * tree; the other words have files of their own.
 */
#include "cli/cmd.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/image/image.h"
#include "cli/demo/network.h"

const char image_usage[] =
    "usage: dstack image build [--from FILE] [--fresh] [OUT]\n"
    "                    the image, in build/image\n"
    "       dstack image relock                today's packages\n"
    "       dstack image export [--with-kernel] FILE\n"
    "       dstack image import FILE           packages and signed indexes\n"
    "       dstack image measure DIR --netcfg FILE [--memory MIB]\n"
    "                            [--vcpus N] [--json]\n"
    "                    of the simulated TEE, or of a trust domain:\n"
    "           --tee tdx [--firmware FILE] [--acpi DIR | --machine TYPE]\n"
    "           [--phys-bits N] [--qemu VERSION] [--events] [--ccel FILE] [--quote FILE]\n"
    "       dstack image measure [--config host.env] [--no-vm] [--json]\n"
    "                    what that node's guest will be; with neither, of\n"
    "                    the network in " DEMO_DIR " when it runs\n"
    "       dstack image audit [--json] [--sbom FILE] [--rebuilt DIR |\n"
    "                    --no-rebuild | --kernel-from-store] DIR\n"
    "       dstack image diff [--json] DIR DIR  what differs";

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
run_build(int argc, char **argv)
{
	static const struct option lopt[] = { { "from", 1, NULL, 'f' },
		{ "fresh", 0, NULL, 'F' }, { NULL, 0, NULL, 0 } };
	static char fresh[] = "--fresh";
	char *args[4] = { NULL };
	const char *from = NULL;
	struct why why = { "" };
	int n = 1, c;

	while ((c = getopt_long(argc, argv, "", lopt, NULL)) != -1) {
		if (c == 'f')
			from = optarg;
		else if (c == 'F' && n == 1)
			args[n++] = fresh;
		else
			return cmd_usage(image_usage);
	}
	if (argc - optind > 1)
		return cmd_usage(image_usage);
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

int
cmd_image(int argc, char **argv)
{
	const char *sub = argc > 1 ? argv[1] : "";

	if (strcmp(sub, "build") == 0)
		return run_build(argc - 1, argv + 1);
	if (strcmp(sub, "relock") == 0 && argc == 2)
		return run_script("relock", argv + 1);
	if (strcmp(sub, "measure") == 0)
		return image_measure(argc - 1, argv + 1);
	if (strcmp(sub, "audit") == 0)
		return image_audit(argc - 1, argv + 1);
	if (strcmp(sub, "export") == 0)
		return image_export(argc - 1, argv + 1);
	if (strcmp(sub, "import") == 0)
		return image_import(argc - 1, argv + 1);
	if (strcmp(sub, "diff") == 0)
		return image_diff(argc - 1, argv + 1);
	return cmd_usage(image_usage);
}
