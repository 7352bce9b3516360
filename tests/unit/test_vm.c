/* SPDX-License-Identifier: Apache-2.0 */
/* QEMU's argument vector; see host/vm.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/vm.h"

static char dir[64];

static void
put(const char *name, const char *content)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(content, f) >= 0);
	(void)fclose(f);
}

/* A directory whose name has a comma, QEMU's own separator. */
static int
setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/vm,readonly=off.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	put("vmlinuz", "k");
	put("initramfs.cpio.zst", "i");
	put("cmdline", "quiet panic=-1");
	put("netcfg", "abc");
	put("tdvf", "f");
	put("disk", "d");
	return 0;
}

static int
teardown(void **state)
{
	static const char *const name[] = { "vmlinuz", "initramfs.cpio.zst",
		"cmdline", "netcfg", "tdvf", "disk" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, name[i]);
		(void)unlink(path);
	}
	return rmdir(dir);
}

static struct vm_config
config(enum vm_accel a)
{
	return (struct vm_config){ .image_dir = dir, .run_dir = "/tmp/run",
		.link_socket = "/tmp/link", .tee_socket = "/tmp/tee",
		.control_port = 4001, .https_port = 4002, .accel = a };
}

static bool
has(char **argv, const char *part)
{
	for (; *argv != NULL; argv++)
		if (strstr(*argv, part) != NULL)
			return true;
	return false;
}

static void
ports_are_forwarded_from_loopback_only(void **state)
{
	(void)state;
	struct vm_config c = config(VM_ACCEL_TCG);
	struct why why;
	char **v;

	assert_int_equal(vm_argv(&c, &v, &why), DSTACK_OK);
	assert_true(has(v, "hostfwd=tcp:127.0.0.1:4001-10.0.2.15:80,"));
	assert_true(has(v, "hostfwd=tcp:127.0.0.1:4002-10.0.2.15:443"));
	assert_true(has(v, "name=dstack.link"));
	assert_true(has(v, "name=dstack.tee"));
	assert_true(has(v, "-nodefaults"));
	assert_true(has(v, "-no-reboot"));
	vm_argv_free(v);
}

static void
a_comma_in_a_path_starts_no_option(void **state)
{
	(void)state;
	struct vm_config c = config(VM_ACCEL_TCG);
	struct why why;
	char disk[128], **v;

	(void)snprintf(disk, sizeof(disk), "%s/disk", dir);
	c.disk = disk;
	assert_int_equal(vm_argv(&c, &v, &why), DSTACK_OK);
	assert_true(has(v, "file=/tmp/vm,,readonly=off."));
	/* a file name by itself is no option string */
	assert_true(has(v, "/tmp/vm,readonly=off."));
	vm_argv_free(v);
}

static void
a_missing_image_says_what_to_run(void **state)
{
	(void)state;
	struct vm_config c = config(VM_ACCEL_TCG);
	struct why why;
	char **v;

	c.image_dir = "/nonexistent";
	assert_int_equal(vm_argv(&c, &v, &why), DSTACK_E_MISSING);
	assert_non_null(strstr(why.text, "build_vm.sh"));
	assert_null(v);
}

static void
a_command_line_of_two_lines_is_refused(void **state)
{
	(void)state;
	struct vm_config c = config(VM_ACCEL_TCG);
	struct why why;
	char **v;

	put("cmdline", "quiet\ninit=/bin/sh");
	assert_int_equal(vm_argv(&c, &v, &why), DSTACK_E_FORMAT);
	put("cmdline", "quiet panic=-1");
}

static void
a_trust_domain_carries_the_hash_of_netcfg(void **state)
{
	(void)state;
	struct vm_config c = config(VM_ACCEL_TDX);
	struct why why;
	char netcfg[128], fw[128], **v;

	/* without netcfg or firmware there is no trust domain */
	assert_int_equal(vm_argv(&c, &v, &why), DSTACK_E_MISSING);
	(void)snprintf(netcfg, sizeof(netcfg), "%s/netcfg", dir);
	(void)snprintf(fw, sizeof(fw), "%s/tdvf", dir);
	c.netcfg = netcfg;
	c.firmware = fw;
	c.quote_socket = "2:4050";
	assert_int_equal(vm_argv(&c, &v, &why), DSTACK_OK);
	/* base64 of SHA-384("abc"), FIPS 180-2 appendix D.1 */
	assert_true(has(v, "\"mrconfigid\":\"ywB1P0WjXou1oD1pmsZQBycsMqsO3tFj"
			   "GotgWkP/W+2AhgcroefMI1i67KE0yCWn\""));
	assert_true(has(v, "confidential-guest-support=tdx"));
	assert_false(has(v, "dstack.tee"));
	vm_argv_free(v);
	c.quote_socket = "vsock";
	assert_int_equal(vm_argv(&c, &v, &why), DSTACK_E_FORMAT);
}

static void
no_vm_is_found_where_none_runs(void **state)
{
	(void)state;
	struct vm vm;
	struct why why;

	assert_int_equal(vm_find(dir, &vm, &why), DSTACK_E_MISSING);
	vm_stop(&vm, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_are_forwarded_from_loopback_only),
		cmocka_unit_test(a_comma_in_a_path_starts_no_option),
		cmocka_unit_test(a_missing_image_says_what_to_run),
		cmocka_unit_test(a_command_line_of_two_lines_is_refused),
		cmocka_unit_test(a_trust_domain_carries_the_hash_of_netcfg),
		cmocka_unit_test(no_vm_is_found_where_none_runs),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
