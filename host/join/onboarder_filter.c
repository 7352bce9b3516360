/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a host can tell of a relay's line without a guest: is it an answer, a
 * request, and do its hashes fit its parts? That keeps most nonsense away from
 * the guest; the verdict is the guest's (guest/verifier). A request is built
 * anew from what was parsed, so that no byte of the line itself goes on, and
 * gets this host's payee.
 */
#include "host/join/onboarder.h"

#include <string.h>

#include "crypto/hash.h"
#include "host/relay/gossip.h"
#include "host/relay/pubsub.h"
#include "protocol/messages.h"

enum dstack_status
onboarder_answer(
    const char *line, size_t len, struct msg_onboard *out, struct why *why)
{
	AUTO_FREE char *text = NULL;
	uint8_t h[32];

	/* a request, which has a quote, is much longer */
	if (len > 2 * MSG_MAX_CT + 2048)
		return DSTACK_E_MISSING;
	enum dstack_status st = gossip_unwrap(line, len, &text, why);
	if (st != DSTACK_OK)
		return st;
	if (strstr(text, "\"onboard\"") == NULL)
		return DSTACK_E_MISSING;
	st = msg_onboard_parse(text, strlen(text), out, why);
	if (st != DSTACK_OK)
		return st;
	keccak256(out->ct.buf, out->ct.len, h);
	if (memcmp(h, out->s.ct_hash, 32) == 0)
		return DSTACK_OK;
	msg_onboard_free(out);
	return why_set(
	    why, DSTACK_E_REJECTED, "ctHash is not that of the ciphertext");
}

/*
 * Of this network (the id binds chain and contract), and the parts are those
 * the id was made for.
 */
static enum dstack_status
check(const struct host_config *cfg, const struct msg_register *m,
    struct why *why)
{
	struct eip712_domain d = { .chain_id = cfg->chain_id };
	uint8_t h[32];

	memcpy(d.contract, cfg->contract, 20);
	stmt_register_digest(&m->s, &d, h);
	if (memcmp(h, m->request_id, 32) != 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "requestId is not that of its fields");
	stmt_enc_key_hash(m->suite, m->enc_pub, h);
	if (memcmp(h, m->s.enc_key_hash, 32) != 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "encKeyHash is not that of encPub");
	keccak256(m->ev.quote.buf, m->ev.quote.len, h);
	if (memcmp(h, m->quote_hash, 32) != 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "quoteHash is not that of the quote");
	return DSTACK_OK;
}

enum dstack_status
onboarder_filter(const struct host_config *cfg, const char *line, size_t len,
    uint8_t id[static 32], struct wr *out, struct why *why)
{
	AUTO_FREE char *text = NULL;
	struct msg_register m;

	if (len > PUBSUB_MESSAGE_MAX + 64)
		return why_set(why, DSTACK_E_LIMIT, "line is too long");
	enum dstack_status st = gossip_unwrap(line, len, &text, why);
	if (st != DSTACK_OK)
		return st;
	memset(&m, 0, sizeof(m));
	st = msg_register_parse(text, strlen(text), &m, why);
	if (st != DSTACK_OK)
		return st;
	st = check(cfg, &m, why);
	if (st == DSTACK_OK) {
		memcpy(id, m.request_id, 32);
		m.has_payee = true;
		memcpy(m.payee, cfg->payee, 20);
		msg_register_build(out, &m);
		st = wr_status(out);
	}
	msg_register_free(&m);
	return st;
}
