/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a trust domain's registers will be, before it runs: MRTD from the
 * firmware, MRCONFIGID from netcfg, RTMR0 to 2 as a replay of the events that
 * firmware and kernel's EFI stub will measure, in their order. Each event keeps
 * its name and the document it comes from, so that a difference can be told as
 * "this event", not as two hashes. tdx_compare holds the prediction against a
 * real event log (CCEL) and names the events that differ; what the log says
 * beyond the prediction counts as well.
 *
 * Nothing here was measured on hardware of ours; docs/measurement.md says which
 * published logs it was held against.
 */
#include "measure/tdx.h"

#include <stdlib.h>
#include <string.h>

#include "base/wr.h"
#include "crypto/hash.h"
#include "dcap/ccel.h"
#include "measure/hob.h"
#include "measure/kernel.h"
#include "measure/tdvf.h"

/* TCG PC Client Platform Firmware Profile 1.06, table 14 */
enum {
	EV_SEPARATOR = 0x4,
	EV_EVENT_TAG = 0x6,
	EV_PLATFORM_CONFIG_FLAGS = 0xa,
	EV_EFI_VARIABLE_DRIVER_CONFIG = (int)0x80000001,
	EV_EFI_VARIABLE_BOOT = (int)0x80000002,
	EV_EFI_BOOT_SERVICES_APPLICATION = (int)0x80000003,
	EV_EFI_ACTION = (int)0x80000007,
	EV_EFI_PLATFORM_FIRMWARE_BLOB2 = (int)0x8000000a,
	EV_EFI_HANDOFF_TABLES2 = (int)0x8000000b,
};

static const char pfp[] = "TCG PFP 1.06";
static const char tdvf_guide[] = "TDVF Design Guide 8.3";

struct out {
	struct tdx_prediction *p;
	uint8_t rtmr; /* of the events that follow */
};

static void
extend(uint8_t r[48], const uint8_t digest[48])
{
	const struct piece v[] = { { r, 48 }, { digest, 48 } };
	uint8_t next[48];
	sha384v(v, 2, next);
	memcpy(r, next, 48);
}

static void
event(struct out *o, int type, const char *name, const char *text,
    const uint8_t digest[48])
{
	struct tdx_event *e = &o->p->event[o->p->events];
	/*
	 * How many there are is written below: our own mistake, not the
	 * input's.
	 */
	if (o->p->events == TDX_MAX_EVENTS)
		abort();
	o->p->events++;
	e->rtmr = o->rtmr;
	e->type = (uint32_t)type;
	e->name = name;
	e->text = text;
	memcpy(e->digest, digest, 48);
	extend(o->p->rtmr[o->rtmr], digest);
}

static void
bytes(struct out *o, int type, const char *name, const char *text,
    const void *p, size_t n)
{
	uint8_t d[48];
	sha384(p, n, d);
	event(o, type, name, text, d);
}

static void
action(struct out *o, const char *what)
{
	bytes(o, EV_EFI_ACTION, what, pfp, what, strlen(what));
}

static void
utf16(struct wr *w, const char *s)
{
	for (; *s != '\0'; s++)
		wr_u16le(w, (uint8_t)*s);
}

/* UEFI_VARIABLE_DATA of a variable that is not there: no data. */
static enum dstack_status
variable(struct out *o, const uint8_t guid[16], const char *name)
{
	AUTO_WR struct wr w = wr_new(0);
	wr_put(&w, guid, 16);
	wr_u64le(&w, strlen(name));
	wr_u64le(&w, 0);
	utf16(&w, name);
	bytes(o, EV_EFI_VARIABLE_DRIVER_CONFIG, name,
	    "TCG PFP 1.06 10.4.2, UEFI_VARIABLE_DATA", w.buf, w.len);
	return wr_status(&w);
}

/*
 * Five variables that a blank store has not: measured all the same, with no
 * data.
 */
static enum dstack_status
secure_boot(struct out *o)
{
	/* EFI_GLOBAL_VARIABLE, EFI_IMAGE_SECURITY_DATABASE_GUID */
	static const uint8_t global[16] = { 0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93,
		0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c };
	static const uint8_t security[16] = { 0xcb, 0xb2, 0x19, 0xd7, 0x3a,
		0x3d, 0x96, 0x45, 0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65,
		0x6f };
	static const struct {
		const char *name;
		const uint8_t *guid;
	} v[] = { { "SecureBoot", global }, { "PK", global },
		{ "KEK", global }, { "db", security }, { "dbx", security } };
	enum dstack_status st = DSTACK_OK;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]) && st == DSTACK_OK; i++)
		st = variable(o, v[i].guid, v[i].name);
	return st;
}

/*
 * EFI_LOAD_OPTION (UEFI 2.10 section 3.1.3) of the one boot option that
 * OVMF's boot manager makes by itself: its own menu, a file of its own volume.
 */
static enum dstack_status
boot0000(struct out *o)
{
	/* FvMainCompact's DXEFV and MdeModulePkg's UiApp */
	static const uint8_t volume[16] = { 0xc9, 0xbd, 0xb8, 0x7c, 0xeb, 0xf8,
		0x34, 0x4f, 0xaa, 0xea, 0x3e, 0xe4, 0xaf, 0x65, 0x16, 0xa1 };
	static const uint8_t uiapp[16] = { 0x21, 0xaa, 0x2c, 0x46, 0x14, 0x76,
		0x03, 0x45, 0x83, 0x6e, 0x8a, 0xb6, 0xf4, 0x66, 0x23, 0x31 };
	enum { ACTIVE_HIDDEN_APP = 0x109, MEDIA = 4, VOLUME = 7, FILE_ = 6 };
	AUTO_WR struct wr w = wr_new(0);
	wr_u32le(&w, ACTIVE_HIDDEN_APP);
	wr_u16le(&w, 20 + 20 + 4); /* length of the device path */
	utf16(&w, "UiApp");
	wr_u16le(&w, 0);
	wr_u8(&w, MEDIA);
	wr_u8(&w, VOLUME);
	wr_u16le(&w, 20);
	wr_put(&w, volume, 16);
	wr_u8(&w, MEDIA);
	wr_u8(&w, FILE_);
	wr_u16le(&w, 20);
	wr_put(&w, uiapp, 16);
	wr_put(&w, "\x7f\xff\x04\x00", 4); /* end of the path */
	bytes(o, EV_EFI_VARIABLE_BOOT, "Boot0000",
	    "UEFI 2.10 3.1.3; edk2 UefiBootManagerLib, stable202502", w.buf,
	    w.len);
	return wr_status(&w);
}

/* The machine: memory, firmware settings, ACPI, and what will be booted. */
static enum dstack_status
rtmr0(const struct tdx_boot *b, const struct tdvf *t, struct out *o,
    struct why *why)
{
	static const uint8_t zero[4] = { 0 };
	static const char fw_cfg[] = "edk2 OvmfPkg/AcpiPlatformDxe; QEMU fw_cfg";
	AUTO_WR struct wr hob = wr_new(0);
	enum dstack_status st =
	    hob_build(t, (uint64_t)b->memory_mib << 20, &hob, why);
	if (st != DSTACK_OK)
		return st;
	o->rtmr = 0;
	bytes(o, EV_EFI_HANDOFF_TABLES2, "TD HOB", tdvf_guide, hob.buf,
	    hob.len);
	bytes(o, EV_EFI_PLATFORM_FIRMWARE_BLOB2, "CFV", tdvf_guide,
	    t->cfv->data, (size_t)t->cfv->size);
	st = secure_boot(o);
	bytes(o, EV_SEPARATOR, "separator", pfp, zero, sizeof(zero));
	bytes(o, EV_PLATFORM_CONFIG_FLAGS, "etc/table-loader", fw_cfg,
	    b->acpi.loader, b->acpi.loaderlen);
	bytes(o, EV_PLATFORM_CONFIG_FLAGS, "etc/acpi/rsdp", fw_cfg,
	    b->acpi.rsdp, b->acpi.rsdplen);
	bytes(o, EV_PLATFORM_CONFIG_FLAGS, "etc/acpi/tables", fw_cfg,
	    b->acpi.tables, b->acpi.tableslen);
	/* one boot option, number 0 */
	bytes(o, EV_EFI_VARIABLE_BOOT, "BootOrder",
	    "UEFI 2.10 3.3; TCG PFP 1.06 10.4.2", zero, 2);
	return st == DSTACK_OK ? boot0000(o) : st;
}

/* The kernel, and the two steps of leaving the firmware. */
static enum dstack_status
rtmr1(const struct tdx_boot *b, struct out *o, struct why *why)
{
	static const uint8_t zero[4] = { 0 };
	uint8_t digest[48];
	enum dstack_status st;
	o->rtmr = 1;
	if (b->patched_header) {
		AUTO_FREE uint8_t *copy = malloc(b->kernel.n + 1);
		if (copy == NULL)
			return DSTACK_E_NOMEM;
		memcpy(copy, b->kernel.p, b->kernel.n);
		st = kernel_patch_header(copy, b->kernel.n, b->initrd.n,
		    (uint64_t)b->memory_mib << 20, why);
		if (st == DSTACK_OK)
			st = kernel_authenticode(
			    copy, b->kernel.n, digest, why);
	} else {
		st = kernel_authenticode(b->kernel.p, b->kernel.n, digest, why);
	}
	if (st != DSTACK_OK)
		return st;
	event(o, EV_EFI_BOOT_SERVICES_APPLICATION, "kernel",
	    "TCG PFP 1.06 10.4; Authenticode 1.0", digest);
	action(o, "Calling EFI Application from Boot Option");
	bytes(o, EV_SEPARATOR, "separator", pfp, zero, sizeof(zero));
	action(o, "Exit Boot Services Invocation");
	action(o, "Exit Boot Services Returned with Success");
	return DSTACK_OK;
}

/* Command line and initramfs, as the kernel's EFI stub measures them. */
static enum dstack_status
rtmr2(const struct tdx_boot *b, struct out *o, struct why *why)
{
	static const char stub[] =
	    "Linux drivers/firmware/efi/libstub/efi-stub-helper.c";
	AUTO_WR struct wr w = wr_new(0);
	for (const char *c = b->cmdline; *c != '\0'; c++)
		/*
		 * Converted to UTF-16 by a rule of its own beyond ASCII: not
		 * guessed.
		 */
		if (*c < ' ' || *c > '~')
			return why_set(why, DSTACK_E_FORMAT,
			    "command line: not plain ASCII");
	o->rtmr = 2;
	/* OVMF appends the name of the initrd's file (X86QemuLoadImageLib) */
	utf16(&w, b->cmdline);
	utf16(&w, " initrd=initrd");
	wr_u16le(&w, 0);
	bytes(o, EV_EVENT_TAG, "LOADED_IMAGE::LoadOptions", stub, w.buf, w.len);
	bytes(o, EV_EVENT_TAG, "Linux initrd", stub, b->initrd.p, b->initrd.n);
	return wr_status(&w);
}

enum dstack_status
tdx_predict(
    const struct tdx_boot *b, struct tdx_prediction *out, struct why *why)
{
	struct tdvf t;
	struct out o = { .p = out };
	memset(out, 0, sizeof(*out));
	if (b->memory_mib == 0 || b->vcpus == 0 || b->initrd.n == 0 ||
	    b->netcfg.n == 0)
		return why_set(why, DSTACK_E_MISSING,
		    "memory, vCPUs, initramfs and netcfg must be given");
	enum dstack_status st =
	    tdvf_parse(b->firmware.p, b->firmware.n, &t, why);
	if (st == DSTACK_OK)
		st = tdvf_blank(&t, why);
	if (st == DSTACK_OK)
		st = acpi_check(&b->acpi, b->vcpus, why);
	if (st != DSTACK_OK)
		return st;
	tdvf_mrtd(&t, out->mrtd);
	sha384(b->netcfg.p, b->netcfg.n, out->mrconfigid);
	st = rtmr0(b, &t, &o, why);
	if (st == DSTACK_OK)
		st = rtmr1(b, &o, why);
	return st == DSTACK_OK ? rtmr2(b, &o, why) : st;
}

/* The index-th event of a register, or NULL. */
static const struct tdx_event *
nth(const struct tdx_prediction *p, unsigned rtmr, unsigned index)
{
	for (size_t i = 0; i < p->events; i++)
		if (p->event[i].rtmr == rtmr && index-- == 0)
			return &p->event[i];
	return NULL;
}

enum dstack_status
tdx_compare(const struct tdx_prediction *p, const void *log, size_t len,
    tdx_differs *said, void *ctx, unsigned *differ, struct why *why)
{
	struct ccel c;
	unsigned seen[3] = { 0 };
	*differ = 0;
	enum dstack_status st = ccel_open(log, len, &c, why);
	for (bool end = false; st == DSTACK_OK;) {
		struct ccel_event e;
		st = ccel_next(&c, &e, &end, why);
		if (st != DSTACK_OK || end)
			break;
		/*
		 * Register 0 of the log is MRTD, which has no events; 1 to 3
		 * are RTMR0 to 2; 4 is ours.
		 */
		if (e.type == CCEL_NO_ACTION || e.mr < 1 || e.mr > 3)
			continue;
		unsigned rtmr = e.mr - 1, i = seen[rtmr]++;
		const struct tdx_event *want = nth(p, rtmr, i);
		if (want != NULL && memcmp(want->digest, e.digest, 48) == 0)
			continue;
		said(ctx, rtmr, i, want, &e);
		++*differ;
	}
	for (unsigned r = 0; r < 3 && st == DSTACK_OK; r++) {
		const struct tdx_event *want;
		while ((want = nth(p, r, seen[r])) != NULL) {
			said(ctx, r, seen[r]++, want, NULL);
			++*differ;
		}
	}
	return st;
}
