/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack image measure for real TDX: read the files, ask this machine's QEMU
 * for the ACPI tables where none are given, predict, and print. A guest's
 * boot event log (--ccel) is held against the prediction, never used for it.
 *
 * The tables have to be those of the QEMU that will start the node, since they
 * are measured byte by byte; so the machine's own is asked, with the node's
 * shape, unless the owner brings tables that he trusts more. A log that
 * differs is told by its first event that does, by register and by what would
 * explain it; a quote that differs, by the register alone.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/own.h"
#include "base/wr.h"
#include "cli/cmd.h"
#include "cli/image/image.h"
#include "cli/quote/input.h"
#include "dcap/ccel.h"
#include "dstack/dcap.h"
#include "host/vm/acpi.h"
#include "measure/tdvf.h"
#include "measure/tdx.h"
#include "protocol/statements.h"

#define PATH_LEN 700
#define INITRD_MAX (256u * 1024 * 1024)
#define KERNEL_FILE_MAX (64u * 1024 * 1024)
#define SMALL_MAX 4096u

struct files {
	struct wr firmware, kernel, initrd, cmdline, netcfg, ccel;
	struct vm_acpi acpi;
};

static void
files_free(struct files *f)
{
	wr_free(&f->firmware);
	wr_free(&f->kernel);
	wr_free(&f->initrd);
	wr_free(&f->cmdline);
	wr_free(&f->netcfg);
	wr_free(&f->ccel);
	vm_acpi_free(&f->acpi);
}
#define AUTO_FILES OWN_CLEANUP(files_free)

static enum dstack_status
load(const char *dir, const char *name, size_t max, struct wr *out,
    struct why *why)
{
	char path[PATH_LEN], buf[65536];
	size_t n;

	(void)snprintf(path, sizeof(path), "%s%s%s", dir != NULL ? dir : "",
	    dir != NULL ? "/" : "", name);
	*out = wr_new(max);
	FILE *f = fopen(path, "rbe");
	if (f == NULL)
		return why_set(why, DSTACK_E_MISSING, "%s: %s", path,
		    strerror(errno));
	while ((n = fread(buf, 1, sizeof(buf), f)) != 0)
		wr_put(out, buf, n);
	bool bad = ferror(f) != 0;
	(void)fclose(f);
	if (bad)
		return why_set(why, DSTACK_E_SYS, "%s: cannot be read", path);
	enum dstack_status st = wr_status(out);
	return st == DSTACK_OK
	    ? st
	    : why_set(why, st, "%s: over %zu bytes", path, max);
}

static enum dstack_status
load_acpi(const struct measure_tdx *m, struct vm_acpi *a, struct why *why)
{
	const struct vm_config c = { .disk = "disk", .vcpus = m->vcpus,
		.memory_mib = m->memory_mib, .machine = m->machine,
		.firmware = m->firmware, .phys_bits = m->phys_bits,
		.egress = m->egress };
	enum dstack_status st;

	if (m->acpi == NULL) {
		st = vm_acpi_read(NULL, &c, a, why);
		return st == DSTACK_OK
		    ? st
		    : why_wrap(why, st, "no --acpi, and this machine's QEMU");
	}
	st = load(m->acpi, "tables", ACPI_MAX_FILE, &a->tables, why);
	if (st == DSTACK_OK)
		st = load(m->acpi, "rsdp", SMALL_MAX, &a->rsdp, why);
	if (st == DSTACK_OK)
		st = load(m->acpi, "loader", ACPI_MAX_FILE, &a->loader, why);
	return st;
}

static enum dstack_status
predict(const struct measure_tdx *m, struct files *f,
    struct tdx_prediction *out, struct why *why)
{
	enum dstack_status st =
	    load(NULL, m->firmware, TDVF_MAX_FILE, &f->firmware, why);
	if (st == DSTACK_OK)
		st = load(m->image, "vmlinuz", KERNEL_FILE_MAX, &f->kernel, why);
	if (st == DSTACK_OK)
		st = load(m->image, "initramfs.cpio.zst", INITRD_MAX,
		    &f->initrd, why);
	if (st == DSTACK_OK)
		st = load(m->image, "cmdline", SMALL_MAX, &f->cmdline, why);
	if (st == DSTACK_OK)
		st = load(NULL, m->netcfg, SMALL_MAX, &f->netcfg, why);
	if (st == DSTACK_OK)
		st = load_acpi(m, &f->acpi, why);
	if (st != DSTACK_OK)
		return st;
	wr_u8(&f->cmdline, 0);
	const struct tdx_boot b = {
		.firmware = { f->firmware.buf, f->firmware.len },
		.kernel = { f->kernel.buf, f->kernel.len },
		.initrd = { f->initrd.buf, f->initrd.len },
		.netcfg = { f->netcfg.buf, f->netcfg.len },
		.cmdline = (const char *)f->cmdline.buf,
		.acpi = { f->acpi.tables.buf, f->acpi.rsdp.buf,
		    f->acpi.loader.buf, f->acpi.tables.len, f->acpi.rsdp.len,
		    f->acpi.loader.len },
		.vcpus = m->vcpus,
		.memory_mib = m->memory_mib,
		.patched_header = m->patched_header,
	};
	st = wr_status(&f->cmdline);
	return st == DSTACK_OK ? tdx_predict(&b, out, why) : st;
}

static void
events(const struct tdx_prediction *p, bool json)
{
	char hex[97];

	for (size_t i = 0; i < p->events; i++) {
		const struct tdx_event *e = &p->event[i];
		hex_encode(e->digest, 48, hex);
		printf(json ? "%s{\"rtmr\":%u,\"type\":%u,\"name\":\"%s\","
			      "\"digest\":\"%s\",\"follows\":\"%s\"}"
			    : "%srtmr%u %08x %s\n    %s\n    %s\n",
		    json && i != 0 ? "," : "", e->rtmr, e->type, e->name, hex,
		    e->text);
	}
}

static void
show(const struct tdx_prediction *p, const struct measure_tdx *m)
{
	uint8_t tuple[32];

	stmt_tuple_hash(p->mrtd, p->rtmr, p->mrconfigid, tuple);
	if (m->json)
		printf("{\"tee\":\"tdx\"");
	image_measure_rows(p->mrtd, p->rtmr, p->mrconfigid, tuple, m->json);
	if (m->json)
		printf(",\"events\":[");
	if (m->json || m->events)
		events(p, m->json);
	printf(m->json ? "]}\n"
		       : "For OVMF of edk2 2025.02 (Debian 13) on QEMU %s, as "
			 "dstack vm starts it with a disk.\nNot yet seen on "
			 "hardware here: compare with a quote of a machine "
			 "you trust, then allow\nthe tuple with: dstack "
			 "contract allow-tuple HASH\n",
	    m->patched_header ? "before 10.2" : "10.2 or newer");
}

/* For tdx_compare: what is behind a register's first difference may follow. */
static void
differs(void *ctx, unsigned rtmr, unsigned index,
    const struct tdx_event *predicted, const struct ccel_event *logged)
{
	char is[97] = "nothing", want[97] = "nothing";
	unsigned *count = ctx;

	if (count[rtmr]++ != 0)
		return;
	if (logged != NULL)
		hex_encode(logged->digest, 48, is);
	if (predicted != NULL)
		hex_encode(predicted->digest, 48, want);
	(void)fprintf(stderr, "rtmr%u, event %u (%s), is the first to differ\n"
	    "    predicted %s\n    logged    %s\n", rtmr, index + 1,
	    predicted != NULL ? predicted->name : "one more than predicted",
	    want, is);
}

/* What a quote claims against what was predicted; *differ: how many. */
static enum dstack_status
against_quote(const struct measure_tdx *m, const struct tdx_prediction *p,
    const struct wr *ccel, unsigned *differ, struct why *why)
{
	AUTO_FREE uint8_t *raw = NULL;
	size_t len = 0;
	struct dcap_quote q;
	enum dcap_code code;
	uint8_t log[4][48];
	bool garbled = false;
	enum dstack_status st =
	    quote_read_quote(m->quote, &raw, &len, &garbled, why);
	if (st == DSTACK_OK && garbled)
		st = why_set(why, DSTACK_E_FORMAT, "%s: " QUOTE_GARBLED, m->quote);

	if (st == DSTACK_OK)
		st = dcap_quote_parse(raw, len, &q, &code, why);
	if (st == DSTACK_OK && q.body == DCAP_BODY_SGX)
		st = why_set(why, DSTACK_E_REJECTED,
		    "%s: a quote of SGX, not of a trust domain", m->quote);
	if (st == DSTACK_OK && m->ccel != NULL)
		st = dcap_ccel_replay(
		    ccel->buf, ccel->len, log, NULL, NULL, why);
	if (st != DSTACK_OK)
		return st;
	const struct {
		const char *name;
		const uint8_t *want, *is;
	} r[] = { { "mrtd", p->mrtd, q.td.mrtd },
		{ "rtmr0", p->rtmr[0], q.td.rtmr[0] },
		{ "rtmr1", p->rtmr[1], q.td.rtmr[1] },
		{ "rtmr2", p->rtmr[2], q.td.rtmr[2] },
		{ "mrconfigid", p->mrconfigid, q.td.mrconfigid } };
	for (size_t i = 0; i < sizeof(r) / sizeof(r[0]); i++) {
		char hex[97];
		hex_encode(r[i].is, 48, hex);
		if (memcmp(r[i].want, r[i].is, 48) == 0)
			continue;
		++*differ;
		(void)fprintf(
		    stderr, "%s: the quote claims %s\n", r[i].name, hex);
	}
	for (size_t i = 0; i < 3 && m->ccel != NULL; i++)
		if (memcmp(log[i], q.td.rtmr[i], 48) != 0)
			return why_set(why, DSTACK_E_REJECTED,
			    "%s is not the log of the machine that %s is of: "
			    "rtmr%zu", m->ccel, m->quote, i);
	return DSTACK_OK;
}

int
image_measure_tdx(const struct measure_tdx *m)
{
	AUTO_FILES struct files f = { .firmware = { NULL } };
	static struct tdx_prediction p;
	struct why why = { "" };
	unsigned differ = 0, count[3] = { 0 };
	enum dstack_status st = predict(m, &f, &p, &why);

	if (st == DSTACK_OK && m->ccel != NULL) {
		st = load(NULL, m->ccel, CCEL_MAX_LOG, &f.ccel, &why);
		if (st == DSTACK_OK)
			st = tdx_compare(&p, f.ccel.buf, f.ccel.len, differs,
			    count, &differ, &why);
	}
	if (st == DSTACK_OK && m->quote != NULL)
		st = against_quote(m, &p, &f.ccel, &differ, &why);
	if (st != DSTACK_OK)
		return cmd_fail("image", st, &why);
	show(&p, m);
	if ((m->ccel != NULL || m->quote != NULL) && !m->json)
		printf(differ == 0 ? "As predicted. (Whether a quote is "
				     "genuine: dstack quote verify)\n"
				   : "%u events and registers are not as "
				     "predicted.\n",
		    differ);
	return differ == 0 ? EXIT_YES : EXIT_NO;
}
