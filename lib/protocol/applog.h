/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An app's output on its way to its owner. Lines are gathered into batches;
 * a batch is numbered within one start of the guest, names the batch before
 * it by its hash, and goes to the host either as it is or sealed to the
 * owner's X25519 key (HPKE base mode, RFC 9180), with its head as additional
 * data. So the owner sees a batch that is missing, altered or from elsewhere;
 * who wrote the first of a start no batch can tell, as anybody may seal to a
 * public key.
 *
 *   frame  u8 1 || u8 mode || appId32 || version u64 || boot16 || number u64
 *          || blob body
 *   text   hash32 of the frame before (SHA-256; zero: number 0) || lines
 *   line   u64 milliseconds since 1970 by the guest's clock || u8 from
 *          || u16 length || bytes
 *
 * The body is the text, or hpke_seal of it with info APPLOG_INFO and the head
 * (all before the body's length) as aad.
 */
#ifndef PROTOCOL_APPLOG_H
#define PROTOCOL_APPLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rd.h"
#include "base/secret.h"
#include "base/status.h"
#include "base/wr.h"

#define APPLOG_INFO "dstack2/app-log/v1"
#define APPLOG_LABEL "dstack.logs"
#define APPLOG_TEXT_MAX (64u * 1024)
#define APPLOG_LINE_MAX 1024
#define APPLOG_FRAME_MAX (APPLOG_TEXT_MAX + 256)

/* What becomes of the output. */
enum applog_mode {
	APPLOG_NONE = 0,  /* it goes nowhere */
	APPLOG_PLAIN = 1, /* the host may read it */
	APPLOG_SEALED = 2,
};
struct applog_setting {
	enum applog_mode mode;
	uint8_t key[32]; /* X25519, of APPLOG_SEALED */
};
/*
 * The value of the label: "none", "host" or 64 hex digits. DSTACK_E_REJECTED,
 * with a line for the owner: anything else, or a key that nothing can be
 * sealed to.
 */
DSTACK_CHECKED enum dstack_status applog_setting_parse(
    const char *value, struct applog_setting *out, struct why *why);

enum applog_from {
	APPLOG_APP = 1,   /* its standard output or error */
	APPLOG_GUEST = 2, /* about it: started, ended, lines left out */
};

struct applog_head {
	enum applog_mode mode; /* not APPLOG_NONE */
	uint8_t app_id[32];
	uint64_t version;  /* of the app */
	uint8_t boot[16];  /* drawn at each start of the guest's runner */
	uint64_t number;   /* 0, 1, ... of that boot */
};

struct applog_frame {
	struct applog_head head;
	const uint8_t *body; /* borrowed */
	size_t len;
	const uint8_t *aad;
	size_t aadlen;
};
/* A whole frame; what it borrows lives as long as p. */
DSTACK_CHECKED enum dstack_status applog_frame_get(
    const void *p, size_t n, struct applog_frame *out);

/* Append a line to a batch's text; n at most APPLOG_LINE_MAX. */
void applog_line_put(struct wr *text, uint64_t ms, enum applog_from from,
    const void *line, size_t n);
/*
 * The frame of a text (prev and lines). ephemeral: fresh for each, of a sealed
 * one. DSTACK_E_LIMIT: over APPLOG_TEXT_MAX.
 */
DSTACK_CHECKED enum dstack_status applog_frame_put(struct wr *out,
    const struct applog_head *head, const uint8_t *key,
    const struct secret32 *ephemeral, const uint8_t prev[static 32],
    const void *lines, size_t n);

/*
 * The text of a frame, APPLOG_TEXT_MAX bytes of room. key: of a sealed one,
 * NULL: none is there. DSTACK_E_MISSING: it is sealed and there is no key.
 * DSTACK_E_REJECTED: it does not open.
 */
DSTACK_CHECKED enum dstack_status applog_open(const struct applog_frame *f,
    const struct secret32 *key, uint8_t *text, size_t *n);

struct applog_line {
	uint64_t ms;
	enum applog_from from;
	const uint8_t *p; /* borrowed; any bytes but LF */
	size_t n;
};
/* The hash in front of a text, then its lines one by one until rd_left is 0. */
DSTACK_CHECKED enum dstack_status applog_prev_get(
    struct rd *text, uint8_t prev[static 32]);
DSTACK_CHECKED enum dstack_status applog_line_get(
    struct rd *text, struct applog_line *out);

#endif
