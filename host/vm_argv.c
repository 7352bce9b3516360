/* SPDX-License-Identifier: Apache-2.0 */
/* QEMU's argument vector from a vm_config; see host/vm.h. */
#include "host/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "base/wr.h"
#include "host/vm_priv.h"

#define ARGV_MAX 80
#define CMDLINE_MAX 1024
#define NETCFG_MAX 4096
#define QBOOT "/usr/share/qemu/qboot.rom"

struct args {
	char *v[ARGV_MAX + 1];
	size_t n;
	bool full;
};

/* One argument, made like printf; "%s" of a path goes through escaped(). */
static void arg(struct args *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
arg(struct args *a, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	int n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0 || a->n >= ARGV_MAX) {
		if (n >= 0)
			free(s);
		a->full = true;
		return;
	}
	a->v[a->n++] = s;
	a->v[a->n] = NULL;
}

/* QEMU's option syntax: a comma in a value is written twice. Caller frees. */
static char *
escaped(const char *path)
{
	struct wr w = wr_new(0);

	for (const char *p = path; *p != '\0'; p++) {
		wr_put(&w, p, 1);
		if (*p == ',')
			wr_put(&w, p, 1);
	}
	wr_u8(&w, 0);
	return (char *)wr_steal(&w, &(size_t){ 0 });
}

/* The whole of a small file, NUL-terminated; a last LF is cut off. */
static enum dstack_status
read_small(const char *path, char *out, size_t cap, size_t *len,
    struct why *why)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return why_set(why, DSTACK_E_MISSING, "%s: %s", path,
		    strerror(errno));
	ssize_t n = read(fd, out, cap);
	if (n < 0)
		return why_set(
		    why, DSTACK_E_SYS, "%s: %s", path, strerror(errno));
	if ((size_t)n >= cap)
		return why_set(why, DSTACK_E_LIMIT, "%s: over %zu bytes",
		    path, cap - 1);
	out[n] = '\0';
	*len = (size_t)n;
	return DSTACK_OK;
}

static enum dstack_status
need_file(const char *path, const char *what, struct why *why)
{
	if (access(path, R_OK) == 0)
		return DSTACK_OK;
	return why_set(
	    why, DSTACK_E_MISSING, "%s %s: %s", what, path, strerror(errno));
}

/* A Unix socket the guest's serial port named name is connected to. */
static enum dstack_status
port(struct args *a, const char *id, const char *name, unsigned nr,
    const char *sock, struct why *why)
{
	AUTO_FREE char *e = escaped(sock);
	if (e == NULL)
		return DSTACK_E_NOMEM;
	if (strlen(sock) >= VM_SUN_PATH)
		return why_set(why, DSTACK_E_LIMIT,
		    "%s: path too long for a socket; use a shorter one", sock);
	arg(a, "-chardev");
	arg(a, "socket,id=%s,path=%s,reconnect=0", id, e);
	arg(a, "-device");
	arg(a, "virtserialport,bus=vs.0,nr=%u,chardev=%s,name=%s", nr, id,
	    name);
	return DSTACK_OK;
}

/*
 * The TDX module takes MRCONFIGID from the launcher: SHA-384 of netcfg, so
 * that a quote shows which contract and chain the guest was told to serve.
 */
static enum dstack_status
tdx_object(struct args *a, const struct vm_config *c, struct why *why)
{
	char text[NETCFG_MAX + 1], b64[65];
	uint8_t hash[48];
	size_t len = 0;
	enum dstack_status st;

	if (c->netcfg == NULL || c->firmware == NULL)
		return why_set(why, DSTACK_E_MISSING,
		    "a TDX guest needs a netcfg and a firmware (TDVF) file");
	st = read_small(c->netcfg, text, sizeof(text), &len, why);
	if (st != DSTACK_OK)
		return st;
	if (EVP_Digest(text, len, hash, NULL, EVP_sha384(), NULL) != 1)
		return DSTACK_E_NOMEM;
	(void)EVP_EncodeBlock((unsigned char *)b64, hash, sizeof(hash));

	unsigned cid = 2, vport = 4050; /* the host's quote service */
	if (c->quote_socket != NULL &&
	    sscanf(c->quote_socket, "%u:%u", &cid, &vport) != 2)
		return why_set(why, DSTACK_E_FORMAT,
		    "quote service '%s' is not CID:PORT", c->quote_socket);
	arg(a, "-object");
	arg(a, "{\"qom-type\":\"tdx-guest\",\"id\":\"tdx\","
	    "\"mrconfigid\":\"%s\",\"quote-generation-socket\":"
	    "{\"type\":\"vsock\",\"cid\":\"%u\",\"port\":\"%u\"}}", b64, cid,
	    vport);
	st = need_file(c->firmware, "firmware", why);
	arg(a, "-bios");
	arg(a, "%s", c->firmware);
	return st;
}

/* Without a TEE the firmware is not what anyone trusts: take the fast one. */
static void
fast_firmware(struct args *a)
{
	if (access(QBOOT, R_OK) != 0)
		return;
	arg(a, "-bios");
	arg(a, "%s", QBOOT);
}

static enum dstack_status
machine(struct args *a, const struct vm_config *c, struct why *why)
{
	arg(a, "-machine");
	switch (c->accel) {
	case VM_ACCEL_TDX:
		arg(a, "q35,accel=kvm,kernel-irqchip=split,"
		    "confidential-guest-support=tdx,usb=off,smm=off,vmport=off");
		arg(a, "-cpu");
		arg(a, "host");
		return tdx_object(a, c, why);
	case VM_ACCEL_KVM:
		arg(a, "q35,accel=kvm,usb=off,smm=off,vmport=off,hpet=off");
		arg(a, "-cpu");
		arg(a, "host");
		fast_firmware(a);
		return DSTACK_OK;
	case VM_ACCEL_TCG:
		/*
		 * Five-level tables only cost under TCG; and ERMS would have
		 * the kernel clear pages byte by byte.
		 */
		arg(a, "q35,accel=tcg,usb=off,smm=off,vmport=off,hpet=off");
		arg(a, "-cpu");
		arg(a, "max,la57=off,erms=off");
		fast_firmware(a);
		return DSTACK_OK;
	case VM_ACCEL_AUTO:
		break;
	}
	return why_set(why, DSTACK_E_REJECTED, "accelerator not chosen");
}

static enum dstack_status
image(struct args *a, const struct vm_config *c, struct why *why)
{
	static const struct {
		const char *opt, *file;
	} parts[] = {
		{ "-kernel", "vmlinuz" },
		{ "-initrd", "initramfs.cpio.zst" },
	};
	char path[512], cmdline[CMDLINE_MAX];
	size_t len = 0;
	enum dstack_status st;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (snprintf(path, sizeof(path), "%s/%s", c->image_dir,
			parts[i].file) >= (int)sizeof(path))
			return DSTACK_E_LIMIT;
		st = need_file(path, "image: run build_vm.sh;", why);
		if (st != DSTACK_OK)
			return st;
		arg(a, "%s", parts[i].opt);
		arg(a, "%s", path);
	}
	if (snprintf(path, sizeof(path), "%s/cmdline", c->image_dir) >=
	    (int)sizeof(path))
		return DSTACK_E_LIMIT;
	st = read_small(path, cmdline, sizeof(cmdline), &len, why);
	if (st != DSTACK_OK)
		return st;
	if (strchr(cmdline, '\n') != NULL || len == 0)
		return why_set(why, DSTACK_E_FORMAT,
		    "%s: not one line without LF; run build_vm.sh", path);
	arg(a, "-append");
	arg(a, "%s", cmdline);
	return DSTACK_OK;
}

static enum dstack_status
devices(struct args *a, const struct vm_config *c, const struct vm *vm,
    struct why *why)
{
	enum dstack_status st;
	AUTO_FREE char *console = escaped(vm->console);
	AUTO_FREE char *qmp = escaped(vm->qmp);

	if (console == NULL || qmp == NULL)
		return DSTACK_E_NOMEM;
	arg(a, "-chardev");
	arg(a, "file,id=con,path=%s", console);
	arg(a, "-serial");
	arg(a, "chardev:con");
	arg(a, "-chardev");
	arg(a, "socket,id=qmp,path=%s,server=on,wait=off", qmp);
	arg(a, "-mon");
	arg(a, "chardev=qmp,mode=control");

	arg(a, "-netdev");
	arg(a, "user,id=net,ipv6=off,"
	    "hostfwd=tcp:127.0.0.1:%u-10.0.2.15:80,"
	    "hostfwd=tcp:%s:%u-10.0.2.15:443",
	    (unsigned)c->control_port,
	    c->https_host != NULL ? c->https_host : "127.0.0.1",
	    (unsigned)c->https_port);
	/* no option ROM: the guest boots no network, SeaBIOS need not scan */
	arg(a, "-device");
	arg(a, "virtio-net-pci,netdev=net,romfile=,mq=off");
	arg(a, "-device");
	arg(a, "virtio-serial-pci,id=vs,max_ports=4");
	st = port(a, "link", "dstack.link", 1, c->link_socket, why);
	if (st == DSTACK_OK && c->accel != VM_ACCEL_TDX)
		st = port(a, "tee", "dstack.tee", 2, c->tee_socket, why);
	if (st != DSTACK_OK || c->disk == NULL)
		return st;
	AUTO_FREE char *disk = escaped(c->disk);
	if (disk == NULL)
		return DSTACK_E_NOMEM;
	arg(a, "-drive");
	arg(a, "if=none,id=disk,format=raw,cache=writeback,discard=unmap,"
	    "file=%s", disk);
	arg(a, "-device");
	arg(a, "virtio-blk-pci,drive=disk");
	return need_file(c->disk, "disk", why);
}

enum dstack_status
vm_argv(const struct vm_config *c, char ***argv, struct why *why)
{
	struct args a = { .n = 0 };
	struct vm vm = { .pid = 0 };
	enum dstack_status st;

	*argv = NULL;
	if (c->image_dir == NULL || c->run_dir == NULL ||
	    c->link_socket == NULL ||
	    (c->tee_socket == NULL && c->accel != VM_ACCEL_TDX))
		return why_set(why, DSTACK_E_MISSING,
		    "a VM needs an image, a run directory and its sockets");
	st = vm_paths(c->run_dir, &vm, why);
	if (st != DSTACK_OK)
		return st;
	arg(&a, "qemu-system-x86_64");
	arg(&a, "-nodefaults");
	arg(&a, "-no-user-config");
	arg(&a, "-no-reboot");
	arg(&a, "-display");
	arg(&a, "none");
	arg(&a, "-sandbox");
	arg(&a, "on,obsolete=deny,elevateprivileges=deny,spawn=deny,"
	    "resourcecontrol=deny");
	arg(&a, "-smp");
	arg(&a, "%u", c->vcpus != 0 ? c->vcpus : VM_VCPUS);
	arg(&a, "-m");
	arg(&a, "%uM", c->memory_mib != 0 ? c->memory_mib : VM_MEMORY_MIB);
	st = machine(&a, c, why);
	if (st == DSTACK_OK)
		st = image(&a, c, why);
	if (st == DSTACK_OK)
		st = devices(&a, c, &vm, why);
	if (st == DSTACK_OK && a.full)
		st = DSTACK_E_NOMEM;
	if (st == DSTACK_OK)
		*argv = malloc(sizeof(a.v));
	if (st == DSTACK_OK && *argv == NULL)
		st = DSTACK_E_NOMEM;
	if (st != DSTACK_OK) {
		for (size_t i = 0; i < a.n; i++)
			free(a.v[i]);
		return st;
	}
	memcpy(*argv, a.v, sizeof(a.v));
	return DSTACK_OK;
}

void
vm_argv_free(char **argv)
{
	if (argv == NULL)
		return;
	for (char **p = argv; *p != NULL; p++)
		free(*p);
	free(argv);
}
