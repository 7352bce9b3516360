/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine that QEMU is told to make; see host/vm/vm.h. What is here for TDX
 * follows QEMU's documentation (system/i386/tdx) as of 10.1 and was not run
 * on hardware; tests/unit/host/vm/test_vm.c holds the words of it.
 */
#include "host/vm/vm.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/vm/vm_priv.h"

#define NETCFG_MAX 4096
#define QBOOT "/usr/share/qemu/qboot.rom"
/*
 * What QEMU would choose for a TD by itself (no SMM, no PIC), written out so
 * that a machine without TDX has the same ACPI tables.
 */
#define TDX_SHAPE "usb=off,smm=off,pic=off,vmport=off,hpet=off"

const char *
vm_tdx_machine(const struct vm_config *c)
{
	return c->machine != NULL ? c->machine : VM_TDX_MACHINE;
}

void
vm_shape(struct vm_args *a, const struct vm_config *c)
{
	static const char *const fixed[] = { "qemu-system-x86_64",
		"-nodefaults", "-no-user-config", "-no-reboot", "-display",
		"none", "-sandbox",
		"on,obsolete=deny,elevateprivileges=deny,spawn=deny,"
		"resourcecontrol=deny" };

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		vm_arg(a, "%s", fixed[i]);
	vm_arg(a, "-smp");
	vm_arg(a, "%u", c->vcpus != 0 ? c->vcpus : VM_VCPUS);
	vm_arg(a, "-m");
	vm_arg(a, "%uM", c->memory_mib != 0 ? c->memory_mib : VM_MEMORY_MIB);
}

void
vm_pci_devices(struct vm_args *a, bool disk, bool egress)
{
	vm_arg(a, "-serial");
	vm_arg(a, "chardev:con");
	/* no option ROM: the guest boots no network, SeaBIOS need not scan */
	vm_arg(a, "-device");
	vm_arg(a, "virtio-net-pci,netdev=net,romfile=,mq=off,bus=pcie.0,"
	    "addr=0x2");
	vm_arg(a, "-device");
	vm_arg(a, "virtio-serial-pci,id=vs,max_ports=4,bus=pcie.0,addr=0x3");
	if (disk) {
		vm_arg(a, "-device");
		vm_arg(a, "virtio-blk-pci,drive=disk,bus=pcie.0,addr=0x4");
	}
	/* the guest knows it by its address (guest/init/egress.h) */
	if (egress) {
		vm_arg(a, "-device");
		vm_arg(a, "virtio-net-pci,netdev=out,romfile=,mq=off,"
		    "bus=pcie.0,addr=0x5");
	}
}

void
vm_acpi_machine(struct vm_args *a, const struct vm_config *c)
{
	vm_arg(a, "-machine");
	vm_arg(a, "%s,accel=tcg," TDX_SHAPE, vm_tdx_machine(c));
	/* the firmware's window for PCI devices follows the physical address */
	vm_arg(a, "-cpu");
	vm_arg(a, "max,la57=off,erms=off,phys-bits=%u",
	    c->phys_bits != 0 ? c->phys_bits : VM_PHYS_BITS);
}

/*
 * Where the host's quote generation service listens, as a SocketAddress of
 * QAPI: "CID:PORT" (vsock) or an absolute path. NULL: QGS's usual port.
 */
static enum dstack_status
quote_service(const char *text, char *out, size_t cap, struct why *why)
{
	unsigned cid = 2, port = 4050;
	char end = 0;

	/* It is put into JSON: what would need an escape is refused. */
	if (text != NULL && text[0] == '/' && strlen(text) < VM_SUN_PATH &&
	    strpbrk(text, "\"\\\n") == NULL) {
		(void)snprintf(out, cap,
		    "{\"type\":\"unix\",\"path\":\"%s\"}", text);
		return DSTACK_OK;
	}
	if (text != NULL &&
	    sscanf(text, "%9u:%9u%c", &cid, &port, &end) != 2)
		return why_set(why, DSTACK_E_FORMAT,
		    "quote service '%s' is neither CID:PORT nor a path", text);
	(void)snprintf(out, cap,
	    "{\"type\":\"vsock\",\"cid\":\"%u\",\"port\":\"%u\"}", cid, port);
	return DSTACK_OK;
}

/*
 * The TDX module takes MRCONFIGID from the launcher: SHA-384 of netcfg, so
 * that a quote shows which contract and chain the guest was told to serve.
 */
static enum dstack_status
tdx_object(struct vm_args *a, const struct vm_config *c, struct why *why)
{
	char text[NETCFG_MAX + 1], b64[65], where[256];
	uint8_t hash[48];
	size_t len = 0;
	enum dstack_status st;

	const char *fw = c->firmware != NULL ? c->firmware : VM_FIRMWARE;
	if (c->netcfg == NULL)
		return why_set(why, DSTACK_E_MISSING,
		    "a TDX guest needs a netcfg: its hash is MRCONFIGID");
	st = vm_read_small(c->netcfg, text, sizeof(text), &len, why);
	if (st != DSTACK_OK)
		return st;
	/*
	 * The bytes that the guest will get from the shared folder: it
	 * compares.
	 */
	if (EVP_Digest(text, len, hash, NULL, EVP_sha384(), NULL) != 1)
		return DSTACK_E_NOMEM;
	(void)EVP_EncodeBlock((unsigned char *)b64, hash, sizeof(hash));

	st = quote_service(c->quote_socket, where, sizeof(where), why);
	if (st != DSTACK_OK)
		return st;
	vm_arg(a, "-object");
	vm_arg(a, "{\"qom-type\":\"tdx-guest\",\"id\":\"tdx\","
	    "\"sept-ve-disable\":true,\"mrconfigid\":\"%s\","
	    "\"quote-generation-socket\":%s}", b64, where);
	st = vm_need_file(fw, "firmware: install ovmf;", why);
	vm_arg(a, "-bios");
	vm_arg(a, "%s", fw);
	return st;
}

/* Without a TEE the firmware is not what anyone trusts: take the fast one. */
static void
fast_firmware(struct vm_args *a)
{
	if (access(QBOOT, R_OK) != 0)
		return;
	vm_arg(a, "-bios");
	vm_arg(a, "%s", QBOOT);
}

enum dstack_status
vm_machine(struct vm_args *a, const struct vm_config *c, struct why *why)
{
	vm_arg(a, "-machine");
	switch (c->accel) {
	case VM_ACCEL_TDX:
		vm_arg(a, "%s,accel=kvm,kernel-irqchip=split,"
		    "confidential-guest-support=tdx," TDX_SHAPE,
		    vm_tdx_machine(c));
		vm_arg(a, "-cpu");
		/*
		 * A performance counter would be an attribute that the policy
		 * refuses.
		 */
		vm_arg(a, "host,pmu=off");
		return tdx_object(a, c, why);
	case VM_ACCEL_KVM:
		vm_arg(a, "q35,accel=kvm,usb=off,smm=off,vmport=off,hpet=off");
		vm_arg(a, "-cpu");
		vm_arg(a, "host");
		fast_firmware(a);
		return DSTACK_OK;
	case VM_ACCEL_TCG:
		/*
		 * Five-level tables only cost under TCG; and ERMS would have
		 * the kernel clear pages byte by byte.
		 */
		vm_arg(a, "q35,accel=tcg,usb=off,smm=off,vmport=off,hpet=off");
		vm_arg(a, "-cpu");
		vm_arg(a, "max,la57=off,erms=off");
		fast_firmware(a);
		return DSTACK_OK;
	case VM_ACCEL_AUTO:
		break;
	}
	return why_set(why, DSTACK_E_REJECTED, "accelerator not chosen");
}

