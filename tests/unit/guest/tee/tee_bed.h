/* SPDX-License-Identifier: Apache-2.0 */
/* The role tee over a TEE in memory, asked by any role. Behind cmocka.h. */
#ifndef TEE_BED_H
#define TEE_BED_H

#include <string.h>

#include "crypto/hash.h"
#include "guest/tee/tee.h"
#include "protocol/events.h"
#include "protocol/statements.h"

/* A TEE in memory; the quote is just its report_data. */
static struct tee_report fake;
static bool fake_lies;

static inline enum dstack_status
fake_quote(const uint8_t report_data[64], struct wr *out, struct why *why)
{
	(void)why;
	wr_put(out, report_data, 64);
	return wr_status(out);
}

static inline enum dstack_status
fake_extend(const uint8_t digest[48], uint8_t rtmr3[48], struct why *why)
{
	(void)why;
	event_extend(fake.rtmr[3], digest);
	memcpy(rtmr3, fake.rtmr[3], 48);
	rtmr3[0] ^= fake_lies ? 1 : 0;
	return DSTACK_OK;
}

static inline enum dstack_status
fake_report(struct tee_report *out, struct why *why)
{
	(void)why;
	*out = fake;
	return DSTACK_OK;
}

static const struct tee_driver driver = { "fake", fake_quote, fake_extend,
	fake_report };

const struct flavour dstack_flavour = { "test", &driver, &trust_root_sim };

static inline void
begin(struct tee_state *s)
{
	struct why why = { "" };
	memset(&fake, 0, sizeof(fake));
	memset(fake.mrconfigid, 0xcc, 48);
	fake_lies = false;
	assert_int_equal(tee_begin(s, &driver, &why), DSTACK_OK);
}

static inline enum ipc_status
ask(struct tee_state *s, enum role from, uint8_t op, const void *p, size_t n,
    struct wr *out)
{
	struct why why = { "" };
	struct rd r = rd_over(p, n);
	enum ipc_status st = tee_handle(s, from, op, &r, out, &why);
	assert_true(st == IPC_YES || why.text[0] != '\0');
	return st;
}

static inline enum ipc_status
event(struct tee_state *s, enum role from, const char *name, size_t len)
{
	static const uint8_t data[256] = { 0 };
	uint8_t cfg[48];
	memset(cfg, 0xcc, sizeof(cfg));
	AUTO_WR struct wr w = wr_new(0);
	AUTO_WR struct wr out = wr_new(0);
	wr_text(&w, name);
	wr_blob(&w, strcmp(name, "netcfg") == 0 ? cfg : data, len);
	return ask(s, from, TEE_EXTEND, w.buf, w.len, &out);
}

static inline void
to_ready(struct tee_state *s)
{
	begin(s);
	assert_int_equal(event(s, ROLE_INIT, "netcfg", 48), IPC_YES);
	assert_int_equal(event(s, ROLE_INIT, "join-ready", 0), IPC_YES);
}

#endif
