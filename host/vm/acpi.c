/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ACPI tables of the machine that a node would run, without running a node:
 * QEMU is started with the node's shape, the firmware reads the tables (and
 * QEMU fills them in as it asks), and when our own little kernel reports that
 * it was started, they are read out of fw_cfg by qtest, QEMU's test protocol on
 * standard input. TCG is enough and no TDX is needed, since tables depend on
 * the machine alone (docs/measurement.md). The VM sees no disk and no network
 * of the host, has one deadline, and is killed at the end.
 */
#include "host/vm/acpi.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/hex.h"
#include "base/rd.h"
#include "host/base/proc.h"
#include "host/vm/vm_priv.h"
#include "measure/acpi.h"

#define ANSWER_MS 120000u /* the firmware's way under emulation and load */
#define DIRECTORY_KEY 0x19u
#define DIRECTORY_MAX (4u + 64u * 256u)
#define DMA_AT 0x1000u    /* in the guest's memory: the request */
#define DATA_AT 0x100000u /* and the answer; the guest halts, 2 MiB are free */
#define DMA_READ 0x02u
#define DMA_SELECT 0x08u
#define KERNEL_FD 10 /* in QEMU */
#define SERIAL_FD 11
#define MARK "dstack: tables were read\n"

struct session {
	int to, from; /* QEMU's standard input and output: qtest */
	int serial;   /* what the guest writes */
	pid_t pid;
	uint64_t end; /* deadline, proc_now_ms */
	struct wr line;
};

void
vm_acpi_free(struct vm_acpi *a)
{
	wr_free(&a->tables);
	wr_free(&a->rsdp);
	wr_free(&a->loader);
}

static void
arguments(const struct vm_config *c, struct vm_args *a)
{
	vm_shape(a, c);
	vm_acpi_machine(a, c);
	vm_arg(a, "-bios");
	vm_arg(a, "%s", c->firmware != NULL ? c->firmware : VM_FIRMWARE);
	vm_arg(a, "-kernel");
	vm_arg(a, "/proc/self/fd/%d", KERNEL_FD);
	vm_arg(a, "-chardev");
	vm_arg(a, "stdio,id=qt,signal=off");
	vm_arg(a, "-object");
	vm_arg(a, "qtest,id=qtest,chardev=qt");
	vm_arg(a, "-chardev");
	vm_arg(a, "socket,id=con,fd=%d", SERIAL_FD);
	vm_arg(a, "-netdev");
	/*
	 * A network device that leads nowhere: the device is in the tables, its
	 * wire is not.
	 */
	vm_arg(a, "hubport,id=net,hubid=0");
	vm_arg(a, "-blockdev");
	vm_arg(a, "null-co,node-name=disk,size=1048576,read-zeroes=on");
	if (c->egress) {
		vm_arg(a, "-netdev");
		vm_arg(a, "hubport,id=out,hubid=1");
	}
	vm_pci_devices(a, c->disk != NULL, c->egress);
}

/*
 * The kernel that the firmware starts once it has read the tables: an EFI
 * application of one section that writes MARK to COM1 and halts. Offset 0x1f1
 * tells QEMU where its two halves meet.
 */
static int
kernel(void)
{
	enum { PE = 0x40, OPT = PE + 24, TABLE = OPT + 160, CODE = 0x400,
		SIZE = 0x800 };
	static const uint8_t code[] = { 0x48, 0x8d, 0x35, 0x10, 0, 0, 0, /* lea
		text, %rsi */ 0x66, 0xba, 0xf8, 0x03, /* mov $0x3f8, %dx */
		0xac, 0x84, 0xc0, 0x74, 0x03, /* lodsb; end at NUL */
		0xee, 0xeb, 0xf8, /* outb; again */
		0xfa, 0xf4, 0xeb, 0xfd }; /* cli; hlt for ever */
	static const struct {
		uint16_t at;
		uint8_t len;
		uint32_t value;
	} fields[] = {
		{ 0, 2, 0x5a4d }, { 0x3c, 4, PE }, { 0x1f1, 1, 1 },
		{ PE, 4, 0x4550 }, { PE + 4, 2, 0x8664 },
		{ PE + 6, 2, 1 },       /* sections */
		{ PE + 20, 2, 160 },    /* optional header */
		{ PE + 22, 2, 0x22 },   /* executable, large addresses */
		{ OPT, 2, 0x20b }, { OPT + 4, 4, 0x400 }, /* size of code */
		{ OPT + 16, 4, 0x1000 }, { OPT + 20, 4, 0x1000 }, /* entry */
		{ OPT + 32, 4, 0x1000 }, { OPT + 36, 4, 0x200 }, /* align */
		{ OPT + 56, 4, 0x2000 }, /* size of image */
		{ OPT + 60, 4, CODE },   /* of headers */
		{ OPT + 68, 2, 10 },     /* EFI application */
		{ OPT + 108, 4, 6 },     /* directories, all empty */
		{ TABLE, 4, 0x7865742e }, { TABLE + 4, 1, 0x74 }, /* .text */
		{ TABLE + 8, 4, 0x400 }, { TABLE + 12, 4, 0x1000 },
		{ TABLE + 16, 4, 0x400 }, { TABLE + 20, 4, CODE },
		{ TABLE + 36, 4, 0x60000020 }, /* code, read, execute */
	};
	uint8_t image[SIZE] = { 0 };
	AUTO_CLOSE int fd = memfd_create("kernel", MFD_CLOEXEC);

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		for (uint8_t k = 0; k < fields[i].len; k++)
			image[fields[i].at + k] =
			    (uint8_t)(fields[i].value >> (8 * k));
	memcpy(image + CODE, code, sizeof(code));
	memcpy(image + CODE + sizeof(code), MARK, sizeof(MARK));
	if (fd < 0 || write(fd, image, SIZE) != SIZE)
		return -1;
	return take_fd(&fd);
}

static void
child(const char *qemu, char **argv, int in, int out, int kern, int serial)
{
	int null = open("/dev/null", O_WRONLY);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(null, 2) == 2 &&
	    /* Away from the two numbers first, which either may have. */
	    dup2(serial, 20) == 20 && dup2(kern, KERNEL_FD) == KERNEL_FD &&
	    dup2(20, SERIAL_FD) == SERIAL_FD && close(20) == 0)
		(void)execv(qemu, argv);
	_exit(127);
}

static enum dstack_status
start(const char *qemu, char **argv, struct session *s, struct why *why)
{
	int in[2], out[2], com[2];
	AUTO_CLOSE int kern = kernel();

	if (kern < 0 || pipe2(in, O_CLOEXEC) != 0)
		return why_set(why, DSTACK_E_SYS, "pipe: %s", strerror(errno));
	AUTO_CLOSE int rd_in = in[0], wr_in = in[1];
	if (pipe2(out, O_CLOEXEC) != 0)
		return why_set(why, DSTACK_E_SYS, "pipe: %s", strerror(errno));
	AUTO_CLOSE int rd_out = out[0], wr_out = out[1];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, com) != 0)
		return why_set(why, DSTACK_E_SYS, "socket: %s", strerror(errno));
	AUTO_CLOSE int ours = com[0], theirs = com[1];
	s->pid = fork();
	if (s->pid == 0)
		child(qemu, argv, rd_in, wr_out, kern, theirs);
	if (s->pid < 0)
		return why_set(why, DSTACK_E_SYS, "fork: %s", strerror(errno));
	s->to = take_fd(&wr_in);
	s->from = take_fd(&rd_out);
	s->serial = take_fd(&ours);
	return DSTACK_OK;
}

/* One byte before the deadline. */
static bool
next(const struct session *s, int fd, char *c)
{
	uint64_t now = proc_now_ms();
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return now < s->end && poll(&p, 1, (int)(s->end - now)) > 0 &&
	    read(fd, c, 1) == 1;
}

/* The firmware started our kernel, so it has had the tables. */
static enum dstack_status
await_mark(const struct session *s)
{
	size_t have = 0;
	char c;

	while (have < sizeof(MARK) - 1) {
		if (!next(s, s->serial, &c))
			return DSTACK_E_SYS;
		/* The firmware writes to the same port before. */
		have = c == MARK[have] ? have + 1 : c == MARK[0] ? 1 : 0;
	}
	return DSTACK_OK;
}

static void
stop(struct session *s)
{
	if (s->pid > 0) {
		(void)kill(s->pid, SIGKILL);
		(void)waitpid(s->pid, NULL, 0);
	}
	own_close(&s->to);
	own_close(&s->from);
	own_close(&s->serial);
	wr_free(&s->line);
}

/* One command; its answer, "OK" and what is behind it, is in s->line. */
static enum dstack_status
ask(struct session *s, const char *command)
{
	char c;

	s->line.len = 0;
	if (write(s->to, command, strlen(command)) < 0)
		return DSTACK_E_SYS;
	for (;;) {
		if (!next(s, s->from, &c))
			return DSTACK_E_SYS;
		if (c == '\n')
			break;
		wr_put(&s->line, &c, 1);
	}
	wr_u8(&s->line, 0);
	if (wr_status(&s->line) != DSTACK_OK)
		return DSTACK_E_LIMIT;
	return strncmp((const char *)s->line.buf, "OK", 2) == 0 ? DSTACK_OK
								 : DSTACK_E_SYS;
}

/* n bytes of the fw_cfg item key, appended to out. */
static enum dstack_status
item(struct session *s, uint32_t key, size_t n, struct wr *out)
{
	AUTO_WR struct wr dma = wr_new(0);
	char command[96], hex[33];

	wr_u32be(&dma, key << 16 | DMA_SELECT | DMA_READ);
	wr_u32be(&dma, (uint32_t)n);
	wr_u64be(&dma, DATA_AT);
	if (wr_status(&dma) != DSTACK_OK)
		return DSTACK_E_NOMEM;
	hex_encode(dma.buf, 16, hex);
	(void)snprintf(command, sizeof(command), "write 0x%x 16 0x%s\n",
	    DMA_AT, hex);
	enum dstack_status st = ask(s, command);
	/* the register is big-endian, outl little; its low half starts DMA */
	if (st == DSTACK_OK)
		st = ask(s, "outl 0x514 0x0\n");
	(void)snprintf(command, sizeof(command), "outl 0x518 0x%x\n",
	    __builtin_bswap32(DMA_AT));
	if (st == DSTACK_OK)
		st = ask(s, command);
	(void)snprintf(command, sizeof(command), "read 0x%x 0x%zx\n", DATA_AT,
	    n);
	if (st == DSTACK_OK)
		st = ask(s, command);
	const char *text = (const char *)s->line.buf;
	/* "OK 0x" and the bytes in hex. */
	if (st != DSTACK_OK || strlen(text) != 5 + 2 * n)
		return DSTACK_E_SYS;
	AUTO_FREE uint8_t *raw = malloc(n);
	if (raw == NULL)
		return DSTACK_E_NOMEM;
	st = hex_decode(text + 5, 2 * n, raw, n);
	wr_put(out, raw, n);
	return st == DSTACK_OK ? wr_status(out) : st;
}

/* FWCfgFile: u32be size, u16be key, u16 reserved, 56 bytes of name. */
static enum dstack_status
file(struct session *s, const struct wr *dir, const char *name,
    struct wr *out)
{
	struct rd r = rd_over(dir->buf, dir->len);
	uint32_t count = 0;
	enum dstack_status st = rd_u32be(&r, &count);

	for (uint32_t i = 0; i < count && st == DSTACK_OK; i++) {
		uint32_t size = 0;
		uint16_t key = 0;
		const uint8_t *is = NULL;
		st = rd_u32be(&r, &size);
		if (st == DSTACK_OK)
			st = rd_u16be(&r, &key);
		if (st == DSTACK_OK)
			st = rd_skip(&r, 2);
		if (st == DSTACK_OK)
			st = rd_take(&r, 56, &is);
		if (st != DSTACK_OK || memcmp(is, name, strlen(name) + 1) != 0)
			continue;
		if (size == 0 || size > ACPI_MAX_FILE)
			return DSTACK_E_LIMIT;
		return item(s, key, size, out);
	}
	return DSTACK_E_MISSING;
}

static enum dstack_status
read_files(struct session *s, struct vm_acpi *out)
{
	AUTO_WR struct wr dir = wr_new(0);
	enum dstack_status st = item(s, DIRECTORY_KEY, DIRECTORY_MAX, &dir);

	if (st == DSTACK_OK)
		st = file(s, &dir, "etc/table-loader", &out->loader);
	if (st == DSTACK_OK)
		st = file(s, &dir, "etc/acpi/rsdp", &out->rsdp);
	if (st == DSTACK_OK)
		st = file(s, &dir, "etc/acpi/tables", &out->tables);
	return st;
}

enum dstack_status
vm_acpi_read(const char *qemu, const struct vm_config *c, struct vm_acpi *out,
    struct why *why)
{
	struct vm_args a = { .n = 0 };
	struct session s = { .to = -1, .from = -1, .serial = -1,
		.end = proc_now_ms() + ANSWER_MS,
		.line = wr_new(16 + 2 * (size_t)ACPI_MAX_FILE) };

	*out = (struct vm_acpi){ wr_new(ACPI_MAX_FILE), wr_new(ACPI_MAX_FILE),
		wr_new(ACPI_MAX_FILE) };
	qemu = qemu != NULL ? qemu : VM_QEMU;
	enum dstack_status st = vm_need_file(
	    c->firmware != NULL ? c->firmware : VM_FIRMWARE,
	    "install ovmf, or name another firmware:", why);
	if (st != DSTACK_OK)
		return st;
	arguments(c, &a);
	st = a.full ? DSTACK_E_NOMEM
				       : start(qemu, a.v, &s, why);
	bool started = st == DSTACK_OK;
	void (*was)(int) = signal(SIGPIPE, SIG_IGN);
	if (started)
		st = await_mark(&s);
	if (started && st == DSTACK_OK)
		st = read_files(&s, out);
	(void)signal(SIGPIPE, was);
	stop(&s);
	for (size_t i = 0; i < a.n; i++)
		free(a.v[i]);
	if (st == DSTACK_OK || !started)
		return st;
	return why_set(why, DSTACK_E_SYS,
	    "%s gave no ACPI tables: it has to know machine type %s, and %s "
	    "to be an OVMF", qemu, vm_tdx_machine(c),
	    c->firmware != NULL ? c->firmware : VM_FIRMWARE);
}
