/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks and forks. A slot gives an epoch, the epoch a fork of the table,
 * the fork the indices. A slot before Altair has no committee; one at or past
 * a fork that this code does not know is refused with that fork's name, since
 * nobody can say where things are then.
 */
#include "beacon/fork.h"

#include <string.h>

#include "base/status.h"
#include "beacon/merkle.h"

/*
 * Sources, per network: genesis root and time, fork versions and epochs from
 * eth-clients/<network> metadata/config.yaml and genesis_validators_root.txt;
 * for mainnet's and hoodi's Fulu @lodestar/config 1.48.0
 * (chainConfig/networks/), which has the same figures elsewhere. Sepolia's
 * Gloas: eth-clients/sepolia 562d9938 and 00d17b43.
 */
static const struct beacon_network networks[] = {
	{ .name = "mainnet",
	    .genesis_root = { 0x4b, 0x36, 0x3d, 0xb9, 0x4e, 0x28, 0x61, 0x20,
		0xd7, 0x6e, 0xb9, 0x05, 0x34, 0x0f, 0xdd, 0x4e, 0x54, 0xbf,
		0xe9, 0xf0, 0x6b, 0xf3, 0x3f, 0xf6, 0xcf, 0x5a, 0xd2, 0x7f,
		0x51, 0x1b, 0xfe, 0x95 },
	    .genesis_time = 1606824023,
	    .seconds_per_slot = 12,
	    .slots_per_epoch = 32,
	    .epochs_per_period = 256,
	    .committee = 512,
	    .fork = { { { 1, 0, 0, 0 }, 74240 }, { { 2, 0, 0, 0 }, 144896 },
		{ { 3, 0, 0, 0 }, 194048 }, { { 4, 0, 0, 0 }, 269568 },
		{ { 5, 0, 0, 0 }, 364032 }, { { 6, 0, 0, 0 }, 411392 },
		{ { 7, 0, 0, 0 }, BEACON_NEVER } },
	    .end_epoch = BEACON_NEVER },
	{ .name = "sepolia",
	    .genesis_root = { 0xd8, 0xea, 0x17, 0x1f, 0x3c, 0x94, 0xae, 0xa2,
		0x1e, 0xbc, 0x42, 0xa1, 0xed, 0x61, 0x05, 0x2a, 0xcf, 0x3f,
		0x92, 0x09, 0xc0, 0x0e, 0x4e, 0xfb, 0xaa, 0xdd, 0xac, 0x09,
		0xed, 0x9b, 0x80, 0x78 },
	    .genesis_time = 1655733600,
	    .seconds_per_slot = 12,
	    .slots_per_epoch = 32,
	    .epochs_per_period = 256,
	    .committee = 512,
	    .fork = { { { 0x90, 0, 0, 0x70 }, 50 },
		{ { 0x90, 0, 0, 0x71 }, 100 },
		{ { 0x90, 0, 0, 0x72 }, 56832 },
		{ { 0x90, 0, 0, 0x73 }, 132608 },
		{ { 0x90, 0, 0, 0x74 }, 222464 },
		{ { 0x90, 0, 0, 0x75 }, 272640 },
		{ { 0x90, 0, 0, 0x76 }, 353024 } },
	    .end_epoch = BEACON_NEVER },
	{ .name = "hoodi",
	    .genesis_root = { 0x21, 0x2f, 0x13, 0xfc, 0x4d, 0xf0, 0x78, 0xb6,
		0xcb, 0x7d, 0xb2, 0x28, 0xf1, 0xc8, 0x30, 0x75, 0x66, 0xdc,
		0xec, 0xf9, 0x00, 0x86, 0x74, 0x01, 0xa9, 0x20, 0x23, 0xd7,
		0xba, 0x99, 0xcb, 0x5f },
	    .genesis_time = 1742213400,
	    .seconds_per_slot = 12,
	    .slots_per_epoch = 32,
	    .epochs_per_period = 256,
	    .committee = 512,
	    .fork = { { { 0x20, 0, 9, 0x10 }, 0 }, { { 0x30, 0, 9, 0x10 }, 0 },
		{ { 0x40, 0, 9, 0x10 }, 0 }, { { 0x50, 0, 9, 0x10 }, 0 },
		{ { 0x60, 0, 9, 0x10 }, 2048 },
		{ { 0x70, 0, 9, 0x10 }, 50688 },
		{ { 0x80, 0, 9, 0x10 }, BEACON_NEVER } },
	    .end_epoch = BEACON_NEVER },
};

static const char *const names[BEACON_FORKS] = { "altair", "bellatrix",
	"capella", "deneb", "electra", "fulu", "gloas" };

/* specs/<fork>/light-client/sync-protocol.md, "Constants" */
static const struct fork_shape shapes[BEACON_FORKS] = {
	[BEACON_ALTAIR] = { EXEC_NONE, 105, 54, 55 },
	[BEACON_BELLATRIX] = { EXEC_NONE, 105, 54, 55 },
	[BEACON_CAPELLA] = { EXEC_CAPELLA, 105, 54, 55 },
	[BEACON_DENEB] = { EXEC_DENEB, 105, 54, 55 },
	[BEACON_ELECTRA] = { EXEC_DENEB, 169, 86, 87 },
	[BEACON_FULU] = { EXEC_DENEB, 169, 86, 87 },
	[BEACON_GLOAS] = { EXEC_HASH, 735, 2945, 2946 },
};

const struct beacon_network *
beacon_network_named(const char *name)
{
	for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]); i++)
		if (strcmp(networks[i].name, name) == 0)
			return &networks[i];
	return NULL;
}

/* f is one that fork_at gave, or a constant: always inside the table. */
const struct fork_shape *
fork_shape(enum beacon_fork f)
{
	return &shapes[f];
}

const char *
fork_name(enum beacon_fork f)
{
	return names[f];
}

unsigned
gindex_depth(uint32_t gindex)
{
	unsigned d = 0;
	while (gindex > 1) {
		gindex >>= 1;
		d++;
	}
	return d;
}

/* compute_epoch_at_slot; the divisors are the network's and never zero. */
uint64_t
epoch_at(const struct beacon_network *n, uint64_t slot)
{
	return slot / n->slots_per_epoch;
}

uint64_t
period_at(const struct beacon_network *n, uint64_t slot)
{
	return epoch_at(n, slot) / n->epochs_per_period;
}

uint64_t
slot_now(const struct beacon_network *n, uint64_t now)
{
	return now < n->genesis_time
	    ? 0
	    : (now - n->genesis_time) / n->seconds_per_slot;
}

enum beacon_code
fork_at(const struct beacon_network *n, uint64_t slot, enum beacon_fork *out,
    struct why *why)
{
	uint64_t epoch = epoch_at(n, slot);
	if (epoch >= n->end_epoch) {
		(void)why_set(why, DSTACK_E_REJECTED,
		    "slot %llu is past the fork %s, which this version does "
		    "not know; take one that does",
		    (unsigned long long)slot, n->end_name);
		return BEACON_FORK;
	}
	/* a fork without a date has an epoch no slot reaches */
	for (int f = BEACON_FORKS - 1; f >= 0; f--)
		if (epoch >= n->fork[f].epoch) {
			*out = (enum beacon_fork)f;
			return BEACON_OK;
		}
	(void)why_set(why, DSTACK_E_REJECTED,
	    "slot %llu of %s is before Altair, when there were no sync "
	    "committees",
	    (unsigned long long)slot, n->name);
	return BEACON_FORK;
}

/* ForkData: the version's four bytes as a leaf, beside the genesis root. */
void
fork_data_root(const struct beacon_network *n, enum beacon_fork f,
    uint8_t out[static 32])
{
	uint8_t version[32] = { 0 };
	memcpy(version, n->fork[f].version, 4);
	merkle_pair(version, n->genesis_root, out);
}
