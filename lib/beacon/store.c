/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: a finalized head, the committee of its period, and the next one
 * once it is known. An update is judged in this order, cheapest first, and
 * the first thing that is wrong is what is told:
 *
 *   shape and fork; how many signed; the order of its slots and the clock;
 *   is its committee one of ours; does it tell anything new; are the
 *   execution blocks in their beacon blocks; is the finalized block, and the
 *   next committee, in the attested state; is the signature good.
 *
 * Only then is the store touched. A finalized head moves by a finality branch
 * alone, and a period is entered only by a head of that period: whoever holds
 * two thirds of an old committee's keys can sign for its own period and no
 * later one (validate_light_client_update, apply_light_client_update).
 */
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/status.h"
#include "beacon/bls.h"
#include "beacon/merkle.h"
#include "beacon/ssz.h"
#include "beacon/store.h"

static const char *const words[BEACON_CODES] = {
	[BEACON_OK] = "ok",
	[BEACON_FORMAT] = "format",
	[BEACON_FORK] = "fork",
	[BEACON_CHECKPOINT] = "checkpoint",
	[BEACON_FUTURE] = "future",
	[BEACON_SLOTS] = "slots",
	[BEACON_PERIOD] = "period",
	[BEACON_OLD] = "old",
	[BEACON_FEW] = "few",
	[BEACON_EXECUTION] = "execution",
	[BEACON_FINALITY] = "finality",
	[BEACON_COMMITTEE] = "committee",
	[BEACON_SIGNATURE] = "signature",
	[BEACON_EMPTY] = "empty",
	[BEACON_NO_MEMORY] = "memory",
};

const char *
beacon_code_text(enum beacon_code code)
{
	return (unsigned)code < BEACON_CODES ? words[code] : "unknown";
}

struct beacon_store *
beacon_store_new(const struct beacon_network *net)
{
	struct beacon_store *s = calloc(1, sizeof(*s));
	if (s != NULL)
		s->net = *net;
	return s;
}

void
beacon_store_free(struct beacon_store *s)
{
	if (s == NULL)
		return;
	bls_keys_free(s->current.keys);
	bls_keys_free(s->next.keys);
	free(s);
}

/* "return no(why, BEACON_X, ...)": the code and its line. */
#define no(why, code, ...) \
	((void)why_set((why), DSTACK_E_REJECTED, __VA_ARGS__), (code))
#define SLOT(v) ((unsigned long long)(v))

/* What is kept of a header that was proven. */
static struct beacon_head
head_of(const struct lc_header *h)
{
	struct beacon_head out = { .slot = h->beacon.slot };
	header_root(&h->beacon, out.root);
	/* before Capella the hash of a later form is zero: no execution */
	if (h->hash != NULL && !all_zero(h->hash, 32)) {
		out.has_execution = true;
		memcpy(out.execution_hash, h->hash, 32);
	}
	return out;
}

/* The committee's keys, to be used later; its root was proven before. */
static enum beacon_code
take_members(const struct beacon_network *n, const struct committee *c,
    const uint8_t root[static 32], struct members *out, struct why *why)
{
	out->keys = bls_keys_new(c->keys, c->aggregate, n->committee);
	if (out->keys == NULL)
		return no(why, BEACON_NO_MEMORY, "no memory for a committee");
	memcpy(out->root, root, 32);
	return BEACON_OK;
}

/* Which block it is instead: the caller may have mixed up his files. */
static enum beacon_code
other_block(const struct lc_header *h, const uint8_t root[static 32],
    struct why *why)
{
	char text[2 * 32 + 1];
	hex_encode(root, 32, text);
	return no(why, BEACON_CHECKPOINT,
	    "the bootstrap is for block 0x%s of slot %llu, not for the trusted "
	    "root",
	    text, SLOT(h->beacon.slot));
}

/*
 * In this order: shape and fork; is it for the trusted root; is the execution
 * block in it; is the committee in its state. A slot that has not begun is no
 * matter here, since the caller trusts the root.
 */
enum beacon_code
beacon_bootstrap(struct beacon_store *s, const uint8_t root[32],
    const void *ssz, size_t len, struct why *why)
{
	struct lc_bootstrap b;
	struct members m = { .keys = NULL };
	uint8_t have[32];
	enum beacon_code code = ssz_bootstrap(&s->net, ssz, len, &b, why);
	if (code != BEACON_OK)
		return code;
	header_root(&b.header.beacon, have);
	if (memcmp(have, root, 32) != 0)
		return other_block(&b.header, have, why);
	if (!header_execution_holds(&s->net, &b.header))
		return no(why, BEACON_EXECUTION,
		    "the execution block of the bootstrap is not in its "
		    "beacon block");
	committee_root(&s->net, &b.current, have);
	if (!merkle_branch(have, b.current_branch.p, b.current_branch.n,
		fork_shape(b.fork)->current_committee, b.header.beacon.state))
		return no(why, BEACON_COMMITTEE,
		    "the committee of the bootstrap is not in the state of "
		    "its block");
	code = take_members(&s->net, &b.current, have, &m, why);
	if (code != BEACON_OK)
		return code;
	/* nothing fails from here on: the old store goes as a whole */
	bls_keys_free(s->current.keys);
	bls_keys_free(s->next.keys);
	s->current = m;
	s->next.keys = NULL;
	s->finalized = s->attested = head_of(&b.header);
	s->begun = true;
	return BEACON_OK;
}

/* What the store has found out of an update on the way. */
struct findings {
	struct lc_update u;
	uint64_t attested_period;
	bool finality;	/* it has a finality branch */
	bool committee; /* it has a next committee */
	uint8_t next_root[32];
};

/* Two thirds of the committee, or it counts for nothing. */
static enum beacon_code
enough(const struct beacon_network *n, const uint8_t *bits, struct why *why)
{
	unsigned count = 0;
	for (uint32_t i = 0; i < n->committee; i++)
		count += bits[i / 8] >> i % 8 & 1u;
	if (count * 3 < n->committee * 2)
		return no(why, BEACON_FEW,
		    "%u of %u signed; two thirds are needed", count,
		    n->committee);
	return BEACON_OK;
}

/* signed > attested >= finalized, and signed no later than now. */
static enum beacon_code
slots_in_order(const struct beacon_network *n, const struct lc_update *u,
    uint64_t now, struct why *why)
{
	uint64_t a = u->attested.beacon.slot, f = u->finalized.beacon.slot;
	/* before genesis it is slot 0, in which nothing is signed */
	if (u->signature_slot > slot_now(n, now))
		return no(why, BEACON_FUTURE,
		    "it is signed in slot %llu, and slot %llu is now; is the "
		    "clock right?",
		    SLOT(u->signature_slot), SLOT(slot_now(n, now)));
	if (u->signature_slot <= a || a < f)
		return no(why, BEACON_SLOTS,
		    "signed in slot %llu, attested %llu, finalized %llu: they "
		    "must fall in this order",
		    SLOT(u->signature_slot), SLOT(a), SLOT(f));
	return BEACON_OK;
}

/* Is the committee that signed known, and is there anything to learn? */
static enum beacon_code
relevant(const struct beacon_store *s, struct findings *f, struct why *why)
{
	const struct lc_update *u = &f->u;
	uint64_t ours = period_at(&s->net, s->finalized.slot);
	uint64_t signer = period_at(&s->net, u->signature_slot);
	/* without the next committee a signature of the next period is nobody's
	 * (helios#388): its update must come first */
	bool next = s->next.keys != NULL;
	if (signer != ours && !(next && signer == ours + 1))
		return no(why, BEACON_PERIOD,
		    "it is signed by the committee of period %llu; known %s "
		    "%llu%s: ask for the updates from there on",
		    SLOT(signer), next ? "are those from" : "is only that of",
		    SLOT(ours), next ? " and of the period after it" : "");
	f->attested_period = period_at(&s->net, u->attested.beacon.slot);
	/* after a bootstrap late in its period the update that brings the next
	 * committee is older than the bootstrap, and welcome */
	bool brings_next =
	    !next && f->committee && f->attested_period == ours;
	if (u->attested.beacon.slot <= s->finalized.slot && !brings_next)
		return no(why, BEACON_OLD,
		    "slot %llu, which it attests, is not past the finalized "
		    "slot %llu",
		    SLOT(u->attested.beacon.slot), SLOT(s->finalized.slot));
	return BEACON_OK;
}

/* The finalized header is the one in the attested state, or there is none. */
static enum beacon_code
finality_holds(const struct beacon_network *n, const struct findings *f,
    struct why *why)
{
	const struct lc_update *u = &f->u;
	uint8_t root[32] = { 0 };
	/* before the first finality the state has a zero root there */
	bool none = !f->finality || u->finalized.beacon.slot == 0;
	if (none && !header_empty(&u->finalized))
		return no(why, BEACON_FINALITY,
		    "a finalized block is named and not proven");
	if (!f->finality)
		return BEACON_OK;
	if (!none && !header_execution_holds(n, &u->finalized))
		return no(why, BEACON_EXECUTION,
		    "the execution block of slot %llu, which is finalized, "
		    "is not in its beacon block",
		    SLOT(u->finalized.beacon.slot));
	if (!none)
		header_root(&u->finalized.beacon, root);
	if (!merkle_branch(root, u->finality_branch.p, u->finality_branch.n,
		fork_shape(u->fork)->finalized_root, u->attested.beacon.state))
		return no(why, BEACON_FINALITY,
		    "block of slot %llu is not what the state of slot %llu "
		    "has as finalized",
		    SLOT(u->finalized.beacon.slot),
		    SLOT(u->attested.beacon.slot));
	return BEACON_OK;
}

/* The next committee is the one in the attested state, or there is none. */
static enum beacon_code
committee_holds(const struct beacon_store *s, struct findings *f,
    struct why *why)
{
	const struct lc_update *u = &f->u;
	if (u->next.keys == NULL)
		return BEACON_OK; /* a finality update has no place for it */
	if (!f->committee) {
		if (all_zero(u->next.keys, 48 * (size_t)s->net.committee) &&
		    all_zero(u->next.aggregate, 48))
			return BEACON_OK;
		return no(why, BEACON_COMMITTEE,
		    "a next committee is named and not proven");
	}
	/* of the known one the root is known, and its thousand hashes saved */
	if (s->next.keys != NULL &&
	    bls_keys_are(s->next.keys, u->next.keys, u->next.aggregate))
		memcpy(f->next_root, s->next.root, 32);
	else
		committee_root(&s->net, &u->next, f->next_root);
	/* a period has one next committee: two proven ones are two chains */
	if (s->next.keys != NULL &&
	    f->attested_period == period_at(&s->net, s->finalized.slot) &&
	    memcmp(f->next_root, s->next.root, 32) != 0)
		return no(why, BEACON_COMMITTEE,
		    "its next committee is another than the known one of "
		    "period %llu",
		    SLOT(f->attested_period + 1));
	if (!merkle_branch(f->next_root, u->next_branch.p, u->next_branch.n,
		fork_shape(u->fork)->next_committee, u->attested.beacon.state))
		return no(why, BEACON_COMMITTEE,
		    "its next committee is not in the state of slot %llu",
		    SLOT(u->attested.beacon.slot));
	return BEACON_OK;
}

/* compute_signing_root of the attested header, for the signature's slot. */
static enum beacon_code
signature_holds(const struct beacon_store *s, const struct lc_update *u,
    struct why *why)
{
	uint8_t domain[32] = { 7, 0, 0, 0 }; /* DOMAIN_SYNC_COMMITTEE */
	uint8_t root[32], data[32];
	enum beacon_fork f;
	/* the fork of the slot before: that is the block they signed for */
	uint64_t before = u->signature_slot - 1;
	enum beacon_code code = fork_at(&s->net, before, &f, why);
	if (code != BEACON_OK)
		return code;
	fork_data_root(&s->net, f, data);
	memcpy(domain + 4, data, 28);
	header_root(&u->attested.beacon, root);
	merkle_pair(root, domain, root);
	bool ours = period_at(&s->net, u->signature_slot) ==
	    period_at(&s->net, s->finalized.slot);
	const struct members *m = ours ? &s->current : &s->next;
	if (!bls_verify(m->keys, u->bits, root, u->signature))
		return no(why, BEACON_SIGNATURE,
		    "the signature over slot %llu is not that of the "
		    "committee of period %llu",
		    SLOT(u->attested.beacon.slot),
		    SLOT(period_at(&s->net, u->signature_slot)));
	return BEACON_OK;
}

/*
 * All of it holds. The committee it brings is copied before anything is
 * changed, and only if it will be kept.
 */
static enum beacon_code
apply(struct beacon_store *s, const struct findings *f, struct why *why)
{
	const struct lc_update *u = &f->u;
	struct members m = { .keys = NULL };
	uint64_t ours = period_at(&s->net, s->finalized.slot);
	uint64_t final = period_at(&s->net, u->finalized.beacon.slot);
	bool newer =
	    f->finality && u->finalized.beacon.slot > s->finalized.slot;
	/* without finality the header is empty, and of period 0 */
	bool enters = final == ours + 1;
	/* a committee counts once its own period is finalized */
	bool takes = f->finality && f->committee &&
	    final == f->attested_period &&
	    (enters || (s->next.keys == NULL && final == ours));
	if (takes) {
		enum beacon_code code = take_members(
		    &s->net, &u->next, f->next_root, &m, why);
		if (code != BEACON_OK)
			return code;
	}
	/* the committees hand over when the finalized head enters the next
	 * period, whether it brings the one after it or not */
	if (enters) {
		bls_keys_free(s->current.keys);
		s->current = s->next;
		s->next.keys = NULL;
	}
	if (takes)
		s->next = m;
	if (newer)
		s->finalized = head_of(&u->finalized);
	if (u->attested.beacon.slot > s->attested.slot)
		s->attested = head_of(&u->attested);
	return BEACON_OK;
}

/* The order of the paragraph at the head of this file. */
static enum beacon_code
judge(struct beacon_store *s, bool finality_only, const void *ssz, size_t len,
    uint64_t now, struct why *why)
{
	struct findings f = { .finality = false };
	struct lc_update *u = &f.u;
	if (!s->begun)
		return no(why, BEACON_EMPTY, "there is no bootstrap yet");
	enum beacon_code code =
	    ssz_update(&s->net, finality_only, ssz, len, u, why);
	if (code != BEACON_OK)
		return code;
	f.finality =
	    !all_zero(u->finality_branch.p, 32 * u->finality_branch.n);
	f.committee = !finality_only &&
	    !all_zero(u->next_branch.p, 32 * u->next_branch.n);
	code = enough(&s->net, u->bits, why);
	if (code == BEACON_OK)
		code = slots_in_order(&s->net, u, now, why);
	if (code == BEACON_OK)
		code = relevant(s, &f, why);
	if (code == BEACON_OK && !header_execution_holds(&s->net, &u->attested))
		code = no(why, BEACON_EXECUTION,
		    "the execution block of slot %llu is not in its beacon "
		    "block",
		    SLOT(u->attested.beacon.slot));
	if (code == BEACON_OK)
		code = finality_holds(&s->net, &f, why);
	if (code == BEACON_OK)
		code = committee_holds(s, &f, why);
	if (code == BEACON_OK)
		code = signature_holds(s, u, why);
	return code == BEACON_OK ? apply(s, &f, why) : code;
}

enum beacon_code
beacon_update(struct beacon_store *s, const void *ssz, size_t len,
    uint64_t now, struct why *why)
{
	return judge(s, false, ssz, len, now, why);
}

enum beacon_code
beacon_finality(struct beacon_store *s, const void *ssz, size_t len,
    uint64_t now, struct why *why)
{
	return judge(s, true, ssz, len, now, why);
}

bool
beacon_finalized(const struct beacon_store *s, struct beacon_head *out)
{
	if (s->begun)
		*out = s->finalized;
	return s->begun;
}

bool
beacon_attested(const struct beacon_store *s, struct beacon_head *out)
{
	if (s->begun)
		*out = s->attested;
	return s->begun;
}

uint64_t
beacon_period(const struct beacon_store *s)
{
	return period_at(&s->net, s->finalized.slot);
}

bool
beacon_next_known(const struct beacon_store *s)
{
	return s->next.keys != NULL;
}
