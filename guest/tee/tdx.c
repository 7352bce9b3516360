/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TEE driver of the tdx flavour. Quotes by configfs-tsm (Linux 6.7), else by
 * the local report and the host's QGS over vsock; RTMR3 by the kernel's TSM
 * measurements (Linux 6.16); registers by TDX_CMD_GET_REPORT0.
 * Sources: Documentation/ABI/testing/configfs-tsm-report and
 * sysfs-devices-virtual-misc-tdx_guest of Linux, Intel TDX Module ABI.
 */
#include "guest/tee/tdx.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "base/rd.h"
#include "base/secret.h"
#include "crypto/hash.h"

#define QUOTE_MAX (64u * 1024)
#define QUOTE_SECONDS 60
#define RETRY_MS 100

const struct tdx_paths tdx_paths = {
	.device = "/dev/tdx_guest",
	.rtmr3 = "/sys/class/misc/tdx_guest/measurements/rtmr3:sha384",
	.tsm = "/sys/kernel/config/tsm/report",
};

/* linux/tdx-guest.h, which older headers lack. */
struct report_request {
	uint8_t reportdata[64];
	uint8_t tdreport[TDREPORT_LEN];
};
#define GET_REPORT0 _IOWR('T', 1, struct report_request)

/* Offsets in TDREPORT_STRUCT. */
#define AT_TDINFO_HASH 80
#define AT_REPORTDATA 128
#define AT_TDINFO 512
#define TDINFO_LEN 512

static enum dstack_status
local_report(const struct tdx_paths *p, const uint8_t report_data[64],
    uint8_t report[static TDREPORT_LEN], struct why *why)
{
	struct report_request q;
	memset(&q, 0, sizeof(q));
	memcpy(q.reportdata, report_data, 64);
	AUTO_CLOSE int fd = open(p->device, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return why_set(why, DSTACK_E_MISSING, "%s: %s; this image "
		    "runs only in a TDX guest", p->device, strerror(errno));
	if (ioctl(fd, GET_REPORT0, &q) != 0)
		return why_set(why, DSTACK_E_SYS, "%s: no report: %s",
		    p->device, strerror(errno));
	if (!ct_equal(q.tdreport + AT_REPORTDATA, report_data, 64))
		return why_set(why, DSTACK_E_FORMAT,
		    "%s: report over other data than asked for", p->device);
	memcpy(report, q.tdreport, TDREPORT_LEN);
	return DSTACK_OK;
}

enum dstack_status
tdx_report_parse(const uint8_t report[static TDREPORT_LEN],
    struct tee_report *out, struct why *why)
{
	uint8_t h[48];
	struct tee_report t;
	memset(&t, 0, sizeof(t));
	sha384(report + AT_TDINFO, TDINFO_LEN, h);
	if (!ct_equal(h, report + AT_TDINFO_HASH, 48))
		return why_set(why, DSTACK_E_FORMAT,
		    "TDREPORT of a layout that is not known here");
	struct rd r = rd_over(report + AT_TDINFO, TDINFO_LEN);
	enum dstack_status st = rd_skip(&r, 16); /* ATTRIBUTES, XFAM */
	if (st == DSTACK_OK)
		st = rd_copy(&r, t.mrtd, 48);
	if (st == DSTACK_OK)
		st = rd_copy(&r, t.mrconfigid, 48);
	if (st == DSTACK_OK)
		st = rd_skip(&r, 96); /* MROWNER, MROWNERCONFIG */
	for (int i = 0; i < 4 && st == DSTACK_OK; i++)
		st = rd_copy(&r, t.rtmr[i], 48);
	if (st != DSTACK_OK)
		return why_set(why, st, "TDREPORT too short");
	*out = t;
	return DSTACK_OK;
}

static enum dstack_status
report(struct tee_report *out, struct why *why)
{
	static const uint8_t none[64];
	uint8_t raw[TDREPORT_LEN];
	enum dstack_status st = local_report(&tdx_paths, none, raw, why);
	if (st != DSTACK_OK)
		return st;
	return tdx_report_parse(raw, out, why);
}

enum dstack_status
tdx_extend(const struct tdx_paths *p, const uint8_t digest[48],
    uint8_t rtmr3[48], struct why *why)
{
	uint8_t got[49];
	AUTO_CLOSE int fd = open(p->rtmr3, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return why_set(why, DSTACK_E_MISSING, "%s: %s; RTMR3 needs a "
		    "TDX guest with Linux 6.16 or newer", p->rtmr3,
		    strerror(errno));
	if (pwrite(fd, digest, 48, 0) != 48)
		return why_set(why, DSTACK_E_SYS, "%s: not extended: %s",
		    p->rtmr3, strerror(errno));
	if (pread(fd, got, sizeof(got), 0) != 48)
		return why_set(why, DSTACK_E_FORMAT,
		    "%s: does not read as 48 bytes", p->rtmr3);
	memcpy(rtmr3, got, 48);
	return DSTACK_OK;
}

static enum dstack_status
extend(const uint8_t digest[48], uint8_t rtmr3[48], struct why *why)
{
	return tdx_extend(&tdx_paths, digest, rtmr3, why);
}

/* The whole of an attribute, at most cap bytes; < 0 with errno. */
static ssize_t
attr_read(int dir, const char *name, void *buf, size_t cap)
{
	AUTO_CLOSE int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t k = fd < 0 ? -1 : 1;
	while (fd >= 0 && k > 0 && n < cap) {
		k = read(fd, (uint8_t *)buf + n, cap - n);
		n += k > 0 ? (size_t)k : 0;
	}
	if (k > 0)
		errno = EFBIG;
	return k == 0 ? (ssize_t)n : -1;
}

static bool
attr_write(int dir, const char *name, const void *p, size_t n)
{
	AUTO_CLOSE int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, p, n) == (ssize_t)n;
}

/* The entry's write counter: whoever else writes to it moves it too. */
static bool
attr_generation(int dir, char text[32])
{
	ssize_t n = attr_read(dir, "generation", text, 31);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static bool
is_transient(int err)
{
	return err == EBUSY || err == EINTR || err == EAGAIN ||
	    err == ETIMEDOUT;
}

/* One try. DSTACK_E_BUSY: worth another one. */
static enum dstack_status
tsm_try(int dir, const uint8_t report_data[64], uint8_t *quote, size_t *n,
    struct why *why)
{
	char before[32] = "";
	char after[32] = "";
	if (!attr_write(dir, "inblob", report_data, 64) ||
	    !attr_generation(dir, before))
		return why_set(why,
		    is_transient(errno) ? DSTACK_E_BUSY : DSTACK_E_SYS,
		    "configfs-tsm: inblob: %s", strerror(errno));
	ssize_t k = attr_read(dir, "outblob", quote, QUOTE_MAX);
	if (k <= 0)
		return why_set(why, k < 0 && is_transient(errno)
			? DSTACK_E_BUSY : DSTACK_E_SYS,
		    "configfs-tsm: outblob: %s",
		    k == 0 ? "empty" : strerror(errno));
	if (!attr_generation(dir, after) || strcmp(before, after) != 0)
		return why_set(why, DSTACK_E_BUSY,
		    "configfs-tsm: someone else wrote to the entry");
	*n = (size_t)k;
	return DSTACK_OK;
}

static enum dstack_status
tsm_quote_in(int dir, const uint8_t report_data[64], struct wr *out,
    struct why *why)
{
	char provider[32] = "";
	struct timespec now = { 0 };
	size_t n = 0;
	ssize_t k = attr_read(dir, "provider", provider, sizeof(provider) - 1);
	provider[k > 0 ? k : 0] = '\0';
	provider[strcspn(provider, "\n")] = '\0';
	if (strcmp(provider, "tdx_guest") != 0)
		return why_set(why, DSTACK_E_MISSING, "configfs-tsm: provider "
		    "is '%s', not tdx_guest", provider);
	AUTO_FREE uint8_t *quote = malloc(QUOTE_MAX);
	if (quote == NULL)
		return why_set(why, DSTACK_E_NOMEM, "quote: no memory");
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	time_t end = now.tv_sec + QUOTE_SECONDS;
	for (;;) {
		enum dstack_status st =
		    tsm_try(dir, report_data, quote, &n, why);
		if (st == DSTACK_OK)
			break;
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
		if (st != DSTACK_E_BUSY || now.tv_sec >= end)
			return st;
		(void)poll(NULL, 0, RETRY_MS);
	}
	wr_put(out, quote, n);
	return wr_status(out);
}

enum dstack_status
tdx_tsm_quote(const struct tdx_paths *p, const uint8_t report_data[64],
    struct wr *out, struct why *why)
{
	char name[32];
	AUTO_CLOSE int top =
	    open(p->tsm, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0)
		return why_set(why, DSTACK_E_MISSING, "%s: %s", p->tsm,
		    strerror(errno));
	(void)snprintf(name, sizeof(name), "dstack-%ld", (long)getpid());
	if (mkdirat(top, name, 0700) != 0 && errno != EEXIST)
		return why_set(why, DSTACK_E_MISSING,
		    "%s: no report entry: %s", p->tsm, strerror(errno));
	AUTO_CLOSE int dir =
	    openat(top, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum dstack_status st;
	if (dir < 0)
		st = why_set(why, DSTACK_E_SYS, "%s/%s: %s", p->tsm, name,
		    strerror(errno));
	else
		st = tsm_quote_in(dir, report_data, out, why);
	(void)unlinkat(top, name, AT_REMOVEDIR);
	return st;
}

static enum dstack_status
quote(const uint8_t report_data[64], struct wr *out, struct why *why)
{
	uint8_t raw[TDREPORT_LEN];
	enum dstack_status st =
	    tdx_tsm_quote(&tdx_paths, report_data, out, why);
	if (st != DSTACK_E_MISSING)
		return st;
	struct why second = { "" };
	st = local_report(&tdx_paths, report_data, raw, &second);
	if (st == DSTACK_OK)
		st = qgs_quote(raw, out, &second);
	if (st == DSTACK_OK)
		return st;
	return why_wrap(why, st, "no quote: %s; and", second.text);
}

const struct tee_driver tee_driver_tdx = { "tdx", quote, extend, report };
