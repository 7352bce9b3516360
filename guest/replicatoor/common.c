/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both ways to the secret need: asking keyd and tee, the collateral of
 * one's own quote, and waiting out what may pass. Trouble is said once, however
 * often it is met, and again when it is another.
 */
#include "guest/replicatoor/replicatoor.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/own.h"

#define RETRY_MS 100
#define TIE_TRIES 600u /* a minute: init starts a role anew in less */

void
repl_nap(void)
{
	const struct timespec t = { 0, RETRY_MS * 1000000L };
	(void)nanosleep(&t, NULL);
}

void
repl_say(struct repl *r, const struct why *why)
{
	if (why->text[0] == '\0' || strcmp(r->said.text, why->text) == 0)
		return;
	r->said = *why;
	log_line("%s; trying on", why->text);
}

/*
 * MISSING, BUSY and FORMAT are the outside's doing and may pass; REJECTED and
 * failures of this machine do not.
 */
bool
repl_later(struct repl *r, enum dstack_status st, const struct why *why)
{
	if (st != DSTACK_E_MISSING && st != DSTACK_E_BUSY &&
	    st != DSTACK_E_FORMAT)
		return false;
	repl_say(r, why);
	repl_nap();
	return true;
}

void
repl_tie(struct repl *r, uint64_t block_time, uint64_t boottime)
{
	struct why why = { "" };
	for (unsigned i = 0; i < TIE_TRIES; i++) {
		enum dstack_status st =
		    chain_tie(&r->chain, block_time, boottime, &why);
		if (st == DSTACK_OK)
			return;
		repl_say(r, &why);
		if (st == DSTACK_E_REJECTED)
			return;
		repl_nap();
	}
}

enum dstack_status
repl_keyd(uint8_t op, const struct wr *q, struct wr *a, struct why *why)
{
	return ipc_call(FD_EDGE + ROLE_KEYD, op, q, NULL, 0, a, why);
}

enum dstack_status
repl_quote(uint8_t op, const uint8_t word[static 32], struct wr *quote,
    struct why *why)
{
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(IPC_MAX);
	const uint8_t *p;
	size_t n;
	wr_put(&q, word, 32);
	enum dstack_status st =
	    ipc_call_wait(FD_EDGE + ROLE_TEE, op, &q, &a, why);
	if (st != DSTACK_OK)
		return why_wrap(why, st, "tee");
	struct rd r = rd_over(a.buf, a.len);
	if ((st = rd_blob(&r, MSG_MAX_QUOTE, &p, &n)) != DSTACK_OK ||
	    (st = rd_end(&r)) != DSTACK_OK)
		return why_set(why, st, "tee: bad answer");
	wr_put(quote, p, n);
	return wr_status(quote);
}

/*
 * Own quote, but fetched by platform: which collateral belongs to it says the
 * PCK certificate inside.
 */
enum dstack_status
repl_collateral(const struct wr *quote, struct wr *out, struct why *why)
{
	struct dcap_platform p;
	char path[64], fmspc[13];
	enum dstack_status st =
	    dcap_quote_platform(quote->buf, quote->len, &p, why);
	if (st != DSTACK_OK)
		return why_wrap(why, st, "own quote");
	hex_encode(p.fmspc, sizeof(p.fmspc), fmspc);
	(void)snprintf(path, sizeof(path), "/collateral/%s/%s", fmspc,
	    p.platform_ca ? "platform" : "processor");
	return link_fetch(FD_EDGE + ROLE_HOSTLINK, path, NULL, 0, out, why);
}
