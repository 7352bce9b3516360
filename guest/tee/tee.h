/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tee role: the only one that reaches the TEE. It puts the purpose tag
 * into report_data itself, extends RTMR3 by typed events only and in their
 * order, and gives replication quotes only while RTMR3 says that no app has
 * run (docs/internals.md section 1.3, PROTOCOL section 2, THREATS T17).
 */
#ifndef GUEST_TEE_H
#define GUEST_TEE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rd.h"
#include "base/wr.h"
#include "guest/base/flavour.h"
#include "guest/base/ipc.h"
#include "guest/base/role.h"

enum tee_op {
	TEE_QUOTE_REGISTER = 1,  /* requestId 32 -> blob quote */
	TEE_QUOTE_BOOTSTRAP = 2, /* digest 32 -> blob quote */
	TEE_QUOTE_APP = 3,       /* appId 32, blob data -> blob quote */
	TEE_EXTEND = 4,          /* text name, blob data -> RTMR3 48 */
	TEE_REPORT = 5,          /* -> struct tee_report's fields in order */
	TEE_INFO = 6,            /* -> text flavour */
	TEE_RESUME = 7,          /* u8 joined, for tee_resume; no answer */
	TEE_QUOTE_RAW = 8,       /* report_data 64 -> blob quote */
	TEE_EVENTS = 9,          /* -> u8 1 if whole, blob log */
};

#define TEE_MAX_APP_DATA (64u * 1024)
#define TEE_REPORT_LEN (6u * 48)
/* The log of this boot's events, for those who replay RTMR3. What apps emit
   may fill half of it; a log that has no room for more is not whole. */
#define TEE_LOG_MAX (48u * 1024)
#define TEE_LOG_APPS (TEE_LOG_MAX / 2)

/*
 * How far the boot has come. Each event moves one step on or stays, none
 * goes back: netcfg, join-ready, joined, then app and app-start at will.
 */
enum tee_phase {
	TEE_USED,   /* it is not: nothing is given, unless init says more */
	TEE_BOOT,   /* RTMR3 is zero */
	TEE_NETCFG,
	TEE_READY,  /* join-ready: replication quotes are given, only here */
	TEE_JOINED, /* app quotes are given */
};

struct tee_state {
	const struct tee_driver *driver; /* borrowed */
	enum tee_phase phase;
	uint8_t rtmr3[48]; /* as replayed from the events */
	uint8_t joined[28]; /* data of that event; zero: none, or not to us */
	uint8_t mrconfigid[48];
	bool log_whole;
	size_t log_len;
	size_t log_apps; /* bytes of it that apps' events took */
	uint8_t log[TEE_LOG_MAX]; /* text name, blob data; as many as were */
};

/*
 * Ask the device who it is. Where RTMR3 is not zero something has run in this
 * VM before and the phase is TEE_USED, in which every event is refused; codes
 * as in the driver.
 */
DSTACK_CHECKED enum dstack_status tee_begin(struct tee_state *s,
    const struct tee_driver *driver, struct why *why);

/*
 * This is not the first tee role of a guest: init says so, who saw the other
 * one end. RTMR3 goes on from what it is. joined: the phase is TEE_JOINED, so
 * that no replication quote is ever given again; else the guest has a secret
 * that waits for the chain, and the phase is TEE_READY. (Had "joined" been
 * after all, a quote given then would say so itself: RTMR3 is in it.)
 * DSTACK_E_REJECTED: not in phase TEE_USED.
 */
DSTACK_CHECKED enum dstack_status tee_resume(
    struct tee_state *s, bool joined, struct why *why);

/*
 * Answer one request of role from. IPC_YES: out is the payload; else why is
 * the text. IPC_LATER: not in this phase yet.
 */
DSTACK_CHECKED enum ipc_status tee_handle(struct tee_state *s, enum role from,
    uint8_t op, struct rd *body, struct wr *out, struct why *why);

#endif
