/* SPDX-License-Identifier: Apache-2.0 */
/* QEMU's argument vector; see host/vm/vm.h. */
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

#include "host/vm/vm.h"
#include "host/vm/acpi.h"
#include "host/vm/vm_priv.h"

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
		"cmdline", "netcfg", "tdvf", "disk", "qemu" };
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

/* An option with this very value. */
static bool
pair(char **argv, const char *option, const char *value)
{
	for (; argv[0] != NULL && argv[1] != NULL; argv++)
		if (strcmp(argv[0], option) == 0 &&
		    strcmp(argv[1], value) == 0)
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

/* Nothing leads out but what the operator gives, and that has no port. */
static void
the_way_out_is_a_network_of_its_own(void **state)
{
	(void)state;
	struct vm_config c = config(VM_ACCEL_TCG);
	struct why why;
	char **v;

	assert_int_equal(vm_argv(&c, &v, &why), DSTACK_OK);
	assert_true(has(v, "user,id=net,ipv6=off,restrict=on,hostfwd="));
	assert_false(has(v, "id=out"));
	assert_false(has(v, "netdev=out"));
	vm_argv_free(v);
	c.egress = true;
	assert_int_equal(vm_argv(&c, &v, &why), DSTACK_OK);
	assert_true(has(v, "user,id=net,ipv6=off,restrict=on,hostfwd="));
	assert_true(pair(v, "-netdev", "user,id=out,ipv6=off,net=10.0.3.0/24,"
				       "host=10.0.3.2,dns=10.0.3.3"));
	/* where guest/init/egress.h looks for it */
	assert_true(pair(v, "-device", "virtio-net-pci,netdev=out,romfile=,"
				       "mq=off,bus=pcie.0,addr=0x5"));
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
	/* QEMU documentation, system/i386/tdx; the machine type is pinned */
	assert_true(has(v, "pc-q35-10.1,accel=kvm,kernel-irqchip=split,"
			   "confidential-guest-support=tdx,"));
	assert_true(has(v, "\"qom-type\":\"tdx-guest\",\"id\":\"tdx\""));
	assert_true(has(v, "\"sept-ve-disable\":true"));
	assert_true(has(v, "{\"type\":\"vsock\",\"cid\":\"2\","
			   "\"port\":\"4050\"}}"));
	assert_true(pair(v, "-cpu", "host,pmu=off"));
	assert_true(pair(v, "-bios", fw));
	assert_false(has(v, "dstack.tee"));
	vm_argv_free(v);
	c.quote_socket = "/var/run/tdx-qgs/qgs.socket";
	c.machine = "pc-q35-11.0";
	assert_int_equal(vm_argv(&c, &v, &why), DSTACK_OK);
	assert_true(has(v, "{\"type\":\"unix\",\"path\":"
			   "\"/var/run/tdx-qgs/qgs.socket\"}}"));
	assert_true(has(v, "pc-q35-11.0,"));
	vm_argv_free(v);
	c.quote_socket = "/a\",\"b\":\"";
	assert_int_equal(vm_argv(&c, &v, &why), DSTACK_E_FORMAT);
	c.quote_socket = "2:4050,x";
	assert_int_equal(vm_argv(&c, &v, &why), DSTACK_E_FORMAT);
	c.quote_socket = "vsock";
	assert_int_equal(vm_argv(&c, &v, &why), DSTACK_E_FORMAT);
}

/* Devices keep their PCI address, so that measured tables stay the same. */
static void
devices_have_fixed_places(void **state)
{
	(void)state;
	struct vm_config c = config(VM_ACCEL_TCG);
	struct why why;
	char disk[128], **v;

	(void)snprintf(disk, sizeof(disk), "%s/disk", dir);
	c.disk = disk;
	assert_int_equal(vm_argv(&c, &v, &why), DSTACK_OK);
	assert_true(has(v, "virtio-net-pci,netdev=net,romfile=,mq=off,"
			   "bus=pcie.0,addr=0x2"));
	assert_true(has(v, "virtio-serial-pci,id=vs,max_ports=4,"
			   "bus=pcie.0,addr=0x3"));
	assert_true(has(v, "virtio-blk-pci,drive=disk,bus=pcie.0,addr=0x4"));
	vm_argv_free(v);
}

/* A program in place of QEMU, and a file in place of /dev/kvm. */
static const char *
fake(const char *name, const char *script)
{
	static char path[128];

	put(name, script);
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(chmod(path, 0700), 0);
	return path;
}

static void
a_kvm_that_hangs_is_no_kvm(void **state)
{
	(void)state;
	char device[128];
	struct why why = { "" };

	(void)snprintf(device, sizeof(device), "%s/disk", dir);
	const char *qemu = fake("qemu", "#!/bin/sh\nexec sleep 1000\n");
	assert_false(vm_probe_with(qemu, device, NULL, &why));
	assert_non_null(strstr(why.text, "hung"));
	/* the firmware answers, the kernel hangs */
	qemu = fake("qemu", "#!/bin/sh\ncase \"$*\" in *-kernel*) "
			    "exec sleep 1000 ;; esac\nexit 33\n");
	assert_true(vm_probe_with(qemu, device, NULL, &why));
	assert_false(vm_probe_with(qemu, device, device, &why));
	assert_non_null(strstr(why.text, "hung"));
	qemu = fake("qemu", "#!/bin/sh\ncase \"$*\" in *-kernel*) "
			    "exit 0 ;; esac\nexit 33\n");
	assert_true(vm_probe_with(qemu, device, device, &why));
	qemu = fake("qemu", "#!/bin/sh\nexit 1\n");
	assert_false(vm_probe_with(qemu, device, NULL, &why));
	assert_non_null(strstr(why.text, "did not run"));
	assert_false(vm_probe_with(qemu, "/nonexistent", NULL, &why));
	assert_non_null(strstr(why.text, "/nonexistent"));
}

static void
a_machine_without_tdx_says_what_to_do(void **state)
{
	(void)state;
	char flag[128];
	struct why why = { "" };

	(void)snprintf(flag, sizeof(flag), "%s/disk", dir);
	put("disk", "Y\n");
	assert_int_equal(vm_probe_tdx(flag, &why), DSTACK_OK);
	put("disk", "N\n");
	assert_int_equal(vm_probe_tdx(flag, &why), DSTACK_E_MISSING);
	assert_non_null(strstr(why.text, "kvm_intel.tdx=1"));
	assert_int_equal(
	    vm_probe_tdx("/nonexistent", &why), DSTACK_E_MISSING);
	put("disk", "d");
}

/* What a QEMU that is asked for tables may say instead. */
static void
tables_come_from_a_qemu_that_answers(void **state)
{
	(void)state;
	char fw[128];
	struct vm_config c = { .vcpus = 2, .firmware = fw };
	struct why why = { "" };
	struct vm_acpi a;
	static const char *const script[] = {
		"#!/bin/bash\nexit 1\n",
		"#!/bin/bash\necho 'dstack: tables were' >&11\n",
		/* the firmware ran; qtest says no */
		"#!/bin/bash\necho 'dstack: tables were read' >&11\n"
		"while read -r l; do echo FAIL; done\n",
		/* the directory has no file */
		"#!/bin/bash\necho 'BdsDxe dstack: dstack: tables were read' >&11\n"
		"while read -r l; do case $l in "
		"read*) printf 'OK 0x%032776d\\n' 0 ;; *) echo OK ;; esac; done\n",
	};

	(void)snprintf(fw, sizeof(fw), "%s/nothing", dir);
	assert_int_equal(vm_acpi_read(NULL, &c, &a, &why), DSTACK_E_MISSING);
	vm_acpi_free(&a);
	assert_non_null(strstr(why.text, "install ovmf"));
	(void)snprintf(fw, sizeof(fw), "%s/tdvf", dir);
	for (size_t i = 0; i < sizeof(script) / sizeof(script[0]); i++) {
		const char *qemu = fake("qemu", script[i]);
		assert_int_equal(
		    vm_acpi_read(qemu, &c, &a, &why), DSTACK_E_SYS);
		vm_acpi_free(&a);
		assert_non_null(strstr(why.text, "pc-q35-10.1"));
	}
	/* one file, of four bytes, and the other two */
	const char *qemu = fake("qemu",
	    "#!/bin/bash\necho 'dstack: tables were read' >&11\n"
	    "e() { printf '%08x%04x0000' 4 7; printf '%s\\0' $1 | od -An -v "
	    "-tx1 | tr -d ' \\n'; printf '%0*d' $(((55 - ${#1}) * 2)) 0; }\n"
	    "while read -r l; do case $l in\n"
	    "*0x4004) printf 'OK 0x00000003'; e etc/acpi/rsdp; "
	    "e etc/acpi/tables; e etc/table-loader; "
	    "printf '%032384d\\n' 0 ;;\n"
	    "read*) echo OK 0x01020304 ;; *) echo OK ;; esac; done\n");
	assert_int_equal(vm_acpi_read(qemu, &c, &a, &why), DSTACK_OK);
	assert_int_equal(a.rsdp.len, 4);
	assert_memory_equal(a.tables.buf, "\1\2\3\4", 4);
	assert_int_equal(a.loader.len, 4);
	vm_acpi_free(&a);
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
		cmocka_unit_test(the_way_out_is_a_network_of_its_own),
		cmocka_unit_test(a_comma_in_a_path_starts_no_option),
		cmocka_unit_test(a_missing_image_says_what_to_run),
		cmocka_unit_test(a_command_line_of_two_lines_is_refused),
		cmocka_unit_test(a_trust_domain_carries_the_hash_of_netcfg),
		cmocka_unit_test(devices_have_fixed_places),
		cmocka_unit_test(a_kvm_that_hangs_is_no_kvm),
		cmocka_unit_test(a_machine_without_tdx_says_what_to_do),
		cmocka_unit_test(tables_come_from_a_qemu_that_answers),
		cmocka_unit_test(no_vm_is_found_where_none_runs),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
