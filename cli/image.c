/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack image: build and relock run the scripts of image/ in the source
 * tree; measure and diff read images. Measurements are computed from the
 * files, never taken from a guest.
 */
#include "cli/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/image.h"
#include "cli/network.h"

const char image_usage[] =
    "usage: dstack image build [OUT]           the image, in build/image\n"
    "       dstack image relock                today's packages\n"
    "       dstack image measure DIR --netcfg FILE [--memory MIB]\n"
    "                            [--vcpus N] [--json]\n"
    "       dstack image measure [--config host.env] [--no-vm] [--json]\n"
    "                    what that node's guest will be; with neither, of\n"
    "                    the network in " DEMO_DIR " when it runs\n"
    "       dstack image diff DIR DIR          what differs, file by file";

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

int
cmd_image(int argc, char **argv)
{
	const char *sub = argc > 1 ? argv[1] : "";

	if (strcmp(sub, "build") == 0 && argc <= 3)
		return run_script("build", argv + 1);
	if (strcmp(sub, "relock") == 0 && argc == 2)
		return run_script("relock", argv + 1);
	if (strcmp(sub, "measure") == 0)
		return image_measure(argc - 1, argv + 1);
	if (strcmp(sub, "diff") == 0)
		return image_diff(argc - 1, argv + 1);
	return cmd_usage(image_usage);
}
