/* SPDX-License-Identifier: Apache-2.0 */
/* QEMU's argument vector from a vm_config; see host/vm/vm.h. */
#include "host/vm/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "base/wr.h"
#include "host/vm/vm_priv.h"

#define CMDLINE_MAX 1024

void
vm_arg(struct vm_args *a, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	int n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0 || a->n >= VM_ARGV_MAX) {
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
enum dstack_status
vm_read_small(const char *path, char *out, size_t cap, size_t *len,
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

enum dstack_status
vm_need_file(const char *path, const char *what, struct why *why)
{
	if (access(path, R_OK) == 0)
		return DSTACK_OK;
	return why_set(
	    why, DSTACK_E_MISSING, "%s %s: %s", what, path, strerror(errno));
}

/* A Unix socket the guest's serial port named name is connected to. */
static enum dstack_status
port(struct vm_args *a, const char *id, const char *name, unsigned nr,
    const char *sock, struct why *why)
{
	AUTO_FREE char *e = escaped(sock);
	if (e == NULL)
		return DSTACK_E_NOMEM;
	/* QEMU would cut it, and connect elsewhere. */
	if (strlen(sock) >= VM_SUN_PATH)
		return why_set(why, DSTACK_E_LIMIT,
		    "%s: path too long for a socket; use a shorter one", sock);
	vm_arg(a, "-chardev");
	vm_arg(a, "socket,id=%s,path=%s", id, e);
	vm_arg(a, "-device");
	vm_arg(a, "virtserialport,bus=vs.0,nr=%u,chardev=%s,name=%s", nr, id,
	    name);
	return DSTACK_OK;
}

/* Whoever may reach run_dir may ask the guest to stop (vm_ask_stop). */
static enum dstack_status
stop_port(struct vm_args *a, const struct vm *vm)
{
	AUTO_FREE char *e = escaped(vm->stop);

	if (e == NULL)
		return DSTACK_E_NOMEM;
	vm_arg(a, "-chardev");
	vm_arg(a, "socket,id=stop,path=%s,server=on,wait=off", e);
	vm_arg(a, "-device");
	vm_arg(a, "virtserialport,bus=vs.0,nr=3,chardev=stop,"
	    "name=dstack.stop");
	return DSTACK_OK;
}

static enum dstack_status
image(struct vm_args *a, const struct vm_config *c, struct why *why)
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
		st = vm_need_file(path, "image: run build_vm.sh;", why);
		if (st != DSTACK_OK)
			return st;
		vm_arg(a, "%s", parts[i].opt);
		vm_arg(a, "%s", path);
	}
	if (snprintf(path, sizeof(path), "%s/cmdline", c->image_dir) >=
	    (int)sizeof(path))
		return DSTACK_E_LIMIT;
	st = vm_read_small(path, cmdline, sizeof(cmdline), &len, why);
	if (st != DSTACK_OK)
		return st;
	/*
	 * What is measured is this text, to the byte: a newline would be one
	 * more.
	 */
	if (strchr(cmdline, '\n') != NULL || len == 0)
		return why_set(why, DSTACK_E_FORMAT,
		    "%s: not one line without LF; run build_vm.sh", path);
	vm_arg(a, "-append");
	vm_arg(a, "%s", cmdline);
	return DSTACK_OK;
}

static enum dstack_status
devices(struct vm_args *a, const struct vm_config *c, const struct vm *vm,
    struct why *why)
{
	enum dstack_status st;
	AUTO_FREE char *console = escaped(vm->console);
	AUTO_FREE char *qmp = escaped(vm->qmp);
	AUTO_FREE char *events = escaped(vm->events);

	if (console == NULL || qmp == NULL || events == NULL)
		return DSTACK_E_NOMEM;
	vm_arg(a, "-chardev");
	vm_arg(a, "file,id=con,path=%s", console);
	vm_arg(a, "-chardev");
	vm_arg(a, "socket,id=qmp,path=%s,server=on,wait=off", qmp);
	vm_arg(a, "-mon");
	vm_arg(a, "chardev=qmp,mode=control");
	/* a monitor serves one client: commands must not wait for a listener */
	vm_arg(a, "-chardev");
	vm_arg(a, "socket,id=events,path=%s,server=on,wait=off", events);
	vm_arg(a, "-mon");
	vm_arg(a, "chardev=events,mode=control");

	vm_arg(a, "-netdev");
	/*
	 * restrict: the two ports lead in, and nothing leads out. Without it
	 * QEMU would connect the guest to whatever it asks for, this machine's
	 * loopback among it.
	 */
	vm_arg(a, "user,id=net,ipv6=off,restrict=on,"
	    "hostfwd=tcp:127.0.0.1:%u-10.0.2.15:80,"
	    "hostfwd=tcp:%s:%u-10.0.2.15:443",
	    (unsigned)c->control_port,
	    c->https_host != NULL ? c->https_host : "127.0.0.1",
	    (unsigned)c->https_port);
	/*
	 * The way out is another network, without ports. What of it may be
	 * reached is the guest's rules' matter (docs/app-reference.md, "Ways out").
	 */
	if (c->egress) {
		vm_arg(a, "-netdev");
		vm_arg(a, "user,id=out,ipv6=off,net=10.0.3.0/24,"
		    "host=10.0.3.2,dns=10.0.3.3");
	}
	vm_pci_devices(a, c->disk != NULL, c->egress);
	st = port(a, "link", "dstack.link", 1, c->link_socket, why);
	if (st == DSTACK_OK && c->accel != VM_ACCEL_TDX)
		st = port(a, "tee", "dstack.tee", 2, c->tee_socket, why);
	if (st == DSTACK_OK)
		st = stop_port(a, vm);
	if (st != DSTACK_OK || c->disk == NULL)
		return st;
	AUTO_FREE char *disk = escaped(c->disk);
	if (disk == NULL)
		return DSTACK_E_NOMEM;
	vm_arg(a, "-drive");
	/*
	 * A write that finds no room on the host is no error of the guest's
	 * disk: the VM stands still until there is some (host/vm/watch.c).
	 * What cannot be read or written for another reason is the guest's to
	 * deal with; its secret must not stand still for a dying disk.
	 */
	vm_arg(a, "if=none,id=disk,format=raw,cache=writeback,discard=unmap,"
	    "werror=enospc,rerror=report,file=%s", disk);
	return vm_need_file(c->disk, "disk", why);
}

enum dstack_status
vm_argv(const struct vm_config *c, char ***argv, struct why *why)
{
	struct vm_args a = { .n = 0 };
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
	vm_shape(&a, c);
	st = vm_machine(&a, c, why);
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
