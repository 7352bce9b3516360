/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The auditing folder: a bootstrap quote by its epoch, as the whole message
 * (for joiners) and as quote and collateral by themselves (for auditors'
 * tools). Also what makes such a message the right one: signed by the key it
 * names, and that key, commitment and quote hash the ones in the contract's
 * record.
 */
#include "host/join/birth_file.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "crypto/secp.h"
#include "dstack/dcap.h"
#include "host/base/files.h"
#include "protocol/link.h"
#include "protocol/state.h"

void
birth_file_name(char out[static 64], const char *what, uint64_t epoch,
    const char *end)
{
	(void)snprintf(out, 64, "bootstrap-%s-%llu.%s", what,
	    (unsigned long long)epoch, end);
}

enum dstack_status
birth_file_read(
    int dir, uint64_t epoch, struct msg_bootstrap *m, struct why *why)
{
	AUTO_WR struct wr w = wr_new(LINK_MAX_BODY);
	char name[64];

	memset(m, 0, sizeof(*m));
	birth_file_name(name, "quote", epoch, "json");
	enum dstack_status st =
	    files_read(dir, name, 0, LINK_MAX_BODY - 8, &w, why);
	if (st != DSTACK_OK)
		return st;
	/* behind the file's size */
	return msg_bootstrap_parse(w.buf + 8, w.len - 8, m, why);
}

bool
birth_signed(const struct host_config *cfg, const struct msg_bootstrap *m,
    uint8_t digest[static 32])
{
	struct eip712_domain d = { .chain_id = cfg->chain_id };
	uint8_t signer[20];

	memcpy(d.contract, cfg->contract, 20);
	stmt_bootstrap_digest(&m->s, &d, digest);
	return secp_recover(digest, m->sig, signer) == DSTACK_OK &&
	    memcmp(signer, m->s.xpub, 20) == 0;
}

/*
 * A folder that two networks share has the other's quote under this name,
 * and that one's joiners need it: it is kept under another. A quote of this
 * contract is of a try that did not go through, and makes room.
 */
static void
keep_other(int dir, const struct host_config *cfg, uint64_t epoch)
{
	struct msg_bootstrap m;
	uint8_t h[32];
	char hex[9];
	char name[64];
	char to[96];
	struct why why = { "" };
	AUTO_WR struct wr w = wr_new(LINK_MAX_BODY);

	birth_file_name(name, "quote", epoch, "json");
	if (files_read(dir, name, 0, LINK_MAX_BODY - 8, &w, &why) !=
	    DSTACK_OK)
		return;
	bool ours =
	    msg_bootstrap_parse(w.buf + 8, w.len - 8, &m, &why) == DSTACK_OK &&
	    birth_signed(cfg, &m, h);
	msg_bootstrap_free(&m);
	if (ours)
		return;
	sha256(w.buf, w.len, h);
	hex_encode(h, 4, hex);
	(void)snprintf(to, sizeof(to), "other-%s-%s", hex, name);
	if (renameat(dir, name, dir, to) == 0)
		log_line("auditing/%s was another network's: kept as %s",
		    name, to);
}

/*
 * The whole message: joiners ask for it by epoch. Quote and collateral also
 * by themselves, as auditors' tools want them.
 */
enum dstack_status
birth_file_write(int dir, const struct host_config *cfg, const void *text,
    size_t len, const struct msg_bootstrap *m, struct why *why)
{
	bool with = m->ev.collateral.len > 2; /* and not {} */
	const struct {
		const char *what;
		const char *end;
		const void *p;
		size_t n;
	} file[] = { { "quote", "json", text, len },
		{ "quote", "bin", m->ev.quote.buf, m->ev.quote.len },
		{ "collateral", "json", m->ev.collateral.buf,
		    with ? m->ev.collateral.len : 0 } };

	keep_other(dir, cfg, m->s.epoch);
	for (size_t i = 0; i < sizeof(file) / sizeof(file[0]); i++) {
		char name[64];
		enum dstack_status st = DSTACK_OK;
		birth_file_name(name, file[i].what, m->s.epoch, file[i].end);
		if (file[i].n > 0)
			st = files_put(
			    dir, name, file[i].p, file[i].n, why);
		if (st != DSTACK_OK)
			return DSTACK_E_SYS;
	}
	return DSTACK_OK;
}

enum dstack_status
birth_record_read(struct rpc *rpc, const struct host_config *cfg,
    uint64_t epoch, struct birth_record *out, struct why *why)
{
	uint8_t slot[KM_EPOCH_SLOTS][32];
	uint8_t word[KM_EPOCH_SLOTS][32] = { { 0 } };
	static const size_t read[] = { KM_EPOCH_KEY, KM_EPOCH_SEED_COMMIT,
		KM_EPOCH_QUOTE_HASH };
	enum dstack_status st = DSTACK_OK;

	state_epoch_slots(epoch, slot);
	for (size_t i = 0; st == DSTACK_OK && i < 3; i++)
		st = rpc_storage(rpc, cfg->contract, slot[read[i]],
		    word[read[i]], why);
	if (st != DSTACK_OK)
		return st;
	memcpy(out->xpub, word[KM_EPOCH_KEY] + KM_EPOCH_XPUB_AT, 20);
	memcpy(out->seed_commit, word[KM_EPOCH_SEED_COMMIT], 32);
	memcpy(out->quote_hash, word[KM_EPOCH_QUOTE_HASH], 32);
	static const uint8_t none[20];
	/* No key yet: not bootstrapped, ask later. */
	return memcmp(out->xpub, none, 20) != 0 ? DSTACK_OK : DSTACK_E_BUSY;
}

bool
birth_fits(const struct host_config *cfg, const struct msg_bootstrap *m,
    const struct birth_record *r, uint8_t digest[static 32])
{
	uint8_t h[32];

	keccak256(m->ev.quote.buf, m->ev.quote.len, h);
	return memcmp(h, r->quote_hash, 32) == 0 &&
	    memcmp(m->s.xpub, r->xpub, 20) == 0 &&
	    memcmp(m->s.seed_commit, r->seed_commit, 32) == 0 &&
	    birth_signed(cfg, m, digest);
}

/*
 * The quote speaks of this statement and no other. Whether it is genuine the
 * guest judges.
 */
bool
birth_quote_of(
    const struct msg_bootstrap *m, const uint8_t digest[static 32])
{
	struct dcap_quote q;
	enum dcap_code code;
	uint8_t want[64];

	stmt_report_bootstrap(digest, want);
	return dcap_quote_parse(m->ev.quote.buf, m->ev.quote.len, &q, &code,
	           NULL) == DSTACK_OK &&
	    memcmp(q.report_data, want, 64) == 0;
}
