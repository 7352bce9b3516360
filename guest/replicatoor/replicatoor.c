/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Role replicatoor: gets this node the network's secret, and exits. Where the
 * epoch has no key yet and this node is its bootstrapper, the secret is made
 * here (PROTOCOL.md section 3); else it is asked for (sections 4 and 5). What
 * the contract's proven state says decides which; before either, the volume
 * role says whether this node's disk would be refused. Trouble that may pass
 * (host, RPC, relay, a paused contract) is said once and waited out. The
 * secret itself never leaves keyd; this role carries statements and proofs.
 *
 * A replicatoor that fails while keyd has a secret that is not in use yet is
 * started anew, since the chain may already have its record, and then nobody
 * else has it. So first of all keyd is asked what it holds; a secret that
 * waits is brought to its end before anything else is looked at.
 */
#include "guest/replicatoor/replicatoor.h"

#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/own.h"
#include "base/secret.h"
#include "guest/init/sandbox.h"

/* S_e is in keyd and proven right: it may be used from now on. */
static enum dstack_status
activate(struct repl *r, uint64_t epoch, const struct state_epoch *record,
    struct why *why)
{
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr event = wr_new(0);
	AUTO_WR struct wr data = wr_new(0);
	wr_put(&q, record->xpub, 20);
	wr_put(&q, record->seed_commit, 32);
	handon_view_put(&q, &r->view);
	/* RTMR3 first: a guest that holds the secret never looks as if not */
	wr_u64be(&data, epoch);
	wr_put(&data, record->xpub, 20);
	wr_text(&event, "joined");
	wr_blob(&event, data.buf, data.len);
	enum dstack_status st;
	/* a device that does not answer now may later: the secret waits */
	do {
		st = ipc_call_wait(
		    FD_EDGE + ROLE_TEE, TEE_EXTEND, &event, NULL, why);
	} while (st != DSTACK_OK && repl_later(r, st, why));
	if (st == DSTACK_OK)
		st = repl_keyd(KEYD_ACTIVATE, &q, NULL, why);
	return st;
}

/*
 * The account that pays, as the host says it. It needs no proof: a wrong one
 * only makes a statement that the contract refuses.
 */
static enum dstack_status
own_node(struct repl *r, struct why *why)
{
	for (;;) {
		struct msg_node node;
		AUTO_WR struct wr a = wr_new(LINK_MAX_BODY);
		enum dstack_status st = link_fetch(
		    FD_EDGE + ROLE_HOSTLINK, "/node", NULL, 0, &a, why);
		if (st == DSTACK_OK)
			st = msg_node_parse(a.buf, a.len, &node, why);
		if (st == DSTACK_OK) {
			memcpy(r->submitter, node.submitter,
			    sizeof(r->submitter));
			return DSTACK_OK;
		}
		if (!repl_later(r, st, why))
			return st;
	}
}

/* What is to be done now, by the proven state of the contract. */
enum step { STEP_WAIT, STEP_BOOTSTRAP, STEP_REGISTER };

static enum dstack_status
next_step(struct repl *r, enum step *step, uint64_t *epoch,
    struct state_epoch *record, struct why *why)
{
	struct state_head state;
	struct chain_head head;
	enum dstack_status st = chain_state(&r->chain, &state, &head, why);
	if (st != DSTACK_OK)
		return st;
	*step = STEP_WAIT;
	if (state.epoch_count == 0 || state.paused)
		return why_set(why, DSTACK_E_BUSY,
		    state.paused ? "the contract is paused"
				 : "the contract has no epoch yet");
	/* the last epoch, if it waits for its key and we may make it */
	*epoch = state.epoch_count - 1;
	st = chain_epoch(&r->chain, *epoch, &state, record, NULL, why);
	if (st != DSTACK_OK)
		return st;
	/*
	 * Named by the contract's owner, so that two machines do not both make
	 * a secret.
	 */
	if (record->state == KM_EPOCH_OPEN &&
	    memcmp(record->bootstrapper, r->submitter, 20) == 0) {
		*step = STEP_BOOTSTRAP;
		return DSTACK_OK;
	}
	/*
	 * The newest epoch may still be waiting for its key; until then the
	 * current one is joined.
	 */
	if (*epoch != state.current_epoch) {
		*epoch = state.current_epoch;
		st = chain_epoch(&r->chain, *epoch, NULL, record, NULL, why);
		if (st != DSTACK_OK)
			return st;
	}
	if (record->state != KM_EPOCH_ACTIVE)
		return why_set(why, DSTACK_E_BUSY,
		    "epoch %llu waits for its bootstrapper, which is another "
		    "account",
		    (unsigned long long)*epoch);
	*step = STEP_REGISTER;
	return DSTACK_OK;
}

/*
 * Everything that may refuse this node refuses it now: a node that holds the
 * secret and has no disk to use it with would be of little use, and one that
 * ended then would take the secret along. So the volume role looks at the
 * disk before a secret is made or asked for.
 */
static enum dstack_status
disk_opens(uint64_t epoch, struct why *why)
{
	AUTO_WR struct wr q = wr_new(0);
	wr_u64be(&q, epoch);
	return ipc_call(FD_EDGE + ROLE_VOLUME, VOLUME_FORESEE, &q, NULL, 0,
	    NULL, why);
}

/* A secret that keyd has and nobody uses yet. */
struct pending {
	uint64_t epoch;
	uint8_t xpub[20];
	uint8_t seed_commit[32];
	uint64_t anchor; /* of its newest Bootstrap; 0: none was signed */
	uint8_t received; /* from an onboarder, not made here */
	struct handon_view view;
};

static enum dstack_status
ask_pending(struct pending *p, bool *is, struct why *why)
{
	AUTO_WR struct wr a = wr_new(0);
	enum dstack_status st = repl_keyd(KEYD_PENDING, NULL, &a, why);
	if (st != DSTACK_OK)
		return st;
	struct rd in = rd_over(a.buf, a.len);
	*is = a.len != 0;
	if (*is && (rd_u64be(&in, &p->epoch) != DSTACK_OK ||
	    rd_copy(&in, p->xpub, 20) != DSTACK_OK ||
	    rd_copy(&in, p->seed_commit, 32) != DSTACK_OK ||
	    rd_u64be(&in, &p->anchor) != DSTACK_OK ||
	    rd_u8(&in, &p->received) != DSTACK_OK ||
	    handon_view_get(&in, &p->view) != DSTACK_OK ||
	    rd_end(&in) != DSTACK_OK))
		return why_set(why, DSTACK_E_SYS, "keyd: bad answer");
	return DSTACK_OK;
}

/*
 * What a replicatoor before this one had begun. *done: its secret is the
 * chain's and in use now. DSTACK_OK without it: there is none, or none any
 * more, and the node joins as if it had just started.
 */
static enum dstack_status
go_on(struct repl *r, bool *done, struct why *why)
{
	struct pending p;
	struct state_epoch record;
	struct chain_head head;
	bool is = false;
	enum dstack_status st = ask_pending(&p, &is, why);
	if (st != DSTACK_OK || !is)
		return st;
	log_line("a secret of epoch %llu waits for the chain's record",
	    (unsigned long long)p.epoch);
	while (chain_epoch(&r->chain, p.epoch, NULL, &record, &head, why) !=
	    DSTACK_OK) {
		repl_say(r, why);
		repl_nap();
	}
	/* no anchor, no statement: nothing of it can get onto the chain */
	if (record.state == KM_EPOCH_OPEN && p.anchor != 0) {
		st = repl_bootstrap(
		    r, p.epoch, p.anchor, &record, done, why);
	} else if (record.state == KM_EPOCH_ACTIVE &&
	    ct_equal(record.xpub, p.xpub, 20) &&
	    ct_equal(record.seed_commit, p.seed_commit, 32)) {
		/* one that was received says nothing of when its record came */
		if (p.anchor != 0)
			repl_tie(r, head.timestamp, 0);
		r->view = p.view;
		if (p.received != 0)
			st = repl_handed_on(r, p.epoch, &record, why);
		*done = st == DSTACK_OK;
	} else {
		st = repl_keyd(KEYD_WIPE, NULL, NULL, why);
	}
	if (st == DSTACK_OK && *done)
		return activate(r, p.epoch, &record, why);
	/* it is wiped; what made it useless is no reason to end */
	return st != DSTACK_OK && repl_later(r, st, why) ? DSTACK_OK : st;
}

static enum dstack_status
join(struct repl *r, struct why *why)
{
	bool resumed = false;
	enum dstack_status first = go_on(r, &resumed, why);
	if (first != DSTACK_OK || resumed)
		return first;
	for (;;) {
		enum step step = STEP_WAIT;
		uint64_t epoch = 0;
		struct state_epoch record;
		bool done = false;
		struct why why_disk = { "" };
		enum dstack_status st =
		    next_step(r, &step, &epoch, &record, why);
		if (st == DSTACK_OK && step != STEP_WAIT)
			st = disk_opens(epoch, &why_disk);
		if (st != DSTACK_OK && why_disk.text[0] != '\0')
			*why = why_disk;
		if (st == DSTACK_OK && step == STEP_BOOTSTRAP)
			st = repl_bootstrap(r, epoch, 0, &record, &done, why);
		else if (st == DSTACK_OK && step == STEP_REGISTER)
			st = repl_register(r, epoch, &record, &done, why);
		/* Once per boot: the role exits with the secret in keyd. */
		if (st == DSTACK_OK && done)
			return activate(r, epoch, &record, why);
		if (st != DSTACK_OK && !repl_later(r, st, why))
			return st;
	}
}

static enum dstack_status
start(struct repl *r, struct why *why)
{
	AUTO_WR struct wr q = wr_new(0);
	struct netcfg cfg;
	enum dstack_status st = role_netcfg(&cfg, r->netcfg_sha384, why);
	if (st != DSTACK_OK)
		return st;
	chain_open(&r->chain, FD_EDGE + ROLE_HOSTLINK,
	    FD_EDGE + ROLE_LIGHTCLIENT, &cfg);
	r->domain.chain_id = cfg.chain_id;
	memcpy(r->domain.contract, cfg.contract, sizeof(cfg.contract));
	wr_u64be(&q, cfg.chain_id);
	wr_put(&q, cfg.contract, sizeof(cfg.contract));
	wr_text(&q, cfg.tls_domain);
	st = repl_keyd(KEYD_NETCFG, &q, NULL, why);
	return st != DSTACK_OK ? st : own_node(r, why);
}

int
replicatoor_main(void)
{
	struct repl r;
	struct why why = { "" };
	log_name("replicatoor");
	memset(&r, 0, sizeof(r));
	enum dstack_status st = sandbox_enter(ROLE_REPLICATOOR, &why);
	if (st == DSTACK_OK)
		st = start(&r, &why);
	if (st == DSTACK_OK)
		st = join(&r, &why);
	if (st == DSTACK_OK) {
		ipc_phase("onboarded");
		ipc_ready();
		return 0;
	}
	if (why.text[0] == '\0')
		(void)why_set(&why, st, "%s", dstack_status_text(st));
	ipc_give_up(&why);
	return 1;
}
