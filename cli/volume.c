/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack volume: the disk of one node, as its host.env says which. The host
 * has noise there and can read none of it; what is done here is done to the
 * file, and the guest judges it at its next start. A backup is taken, and put
 * back, while the node is stopped, which the lock on its STATE_DIR tells.
 *
 * Before a backup is put back the chain is asked what it has of this node's
 * volume: what a guest would surely refuse is refused here, with a line that
 * says what to do. The RPC endpoint may lie about it; the guest reads the same
 * by proofs.
 */
#include "cli/cmd.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/own.h"
#include "cli/usage.h"
#include "host/base/config.h"
#include "host/chain/governance.h"
#include "host/volume/backup.h"
#include "host/volume/disk.h"
#include "protocol/volume.h"

#define PATIENCE_MS 10000

enum { SHOW, GROW, BACKUP, RESTORE };

static const struct usage uses[] = {
	[SHOW] = { "volume show",
	    "dstack volume show FILE   whose a backup or a disk says it is",
	    "", NULL },
	[GROW] = { "volume grow",
	    "dstack volume grow MB [--config FILE]   to so many MiB in all; the\n"
	    "                                        node's next start takes them",
	    "config", NULL },
	[BACKUP] = { "volume backup",
	    "dstack volume backup -o FILE [--config FILE]   of a stopped node",
	    "config output", "o:" },
	[RESTORE] = { "volume restore",
	    "dstack volume restore FILE [--config FILE]   into a stopped node\n"
	    "                                             that has no disk",
	    "config", NULL },
	{ NULL, NULL, NULL, NULL },
};

struct volume_cli {
	struct host_config cfg;
	char path[CONFIG_TEXT + 32]; /* of the disk */
};

static enum dstack_status
grow(struct volume_cli *v, uint32_t mb, struct why *why)
{
	uint64_t from = 0;
	enum dstack_status st = host_disk_grow(v->path, mb, &from, why);

	if (st == DSTACK_OK)
		printf("%s: from %llu to %u MB; the node's next start grows "
		       "what is in it\n",
		    v->path, (unsigned long long)from >> 20, mb);
	return st;
}

static void
say(const char *what, const struct volume_said *s)
{
	char id[65];
	hex_encode(s->volume_id, sizeof(s->volume_id), id);
	printf("%s: volume 0x%s, generation %llu, %llu MB", what, id,
	    (unsigned long long)s->generation,
	    (unsigned long long)s->bytes >> 20);
	if (s->epoch_plus_1 != 0)
		printf(", epoch %llu", (unsigned long long)s->epoch_plus_1 - 1);
	printf("\n");
}

static enum dstack_status
backup(struct volume_cli *v, const char *file, struct why *why)
{
	struct volume_said s;
	uint64_t written = 0;
	AUTO_CLOSE int lock = -1;
	enum dstack_status st = host_volume_lock(v->cfg.state, &lock, why);

	if (st == DSTACK_OK)
		st = host_backup_write(v->path, file, &s, &written, why);
	if (st != DSTACK_OK)
		return st;
	say(file, &s);
	printf("%llu MB written\n", (unsigned long long)(written >> 20));
	return DSTACK_OK;
}

/* What the chain has of this node's volume, against what the backup says. */
static enum dstack_status
judge(const struct host_config *c, const struct volume_said *s,
    struct why *why)
{
	AUTO_RPC struct rpc *rpc = rpc_new(c->rpc_url);
	struct gov gov = { .rpc = rpc, .chain_id = c->chain_id };
	struct gov_view view;
	struct state_volume anchored = { 0 };
	uint8_t id[32];

	if (rpc == NULL)
		return DSTACK_E_NOMEM;
	rpc_limit(rpc, &(struct rpc_limits){ .patience_ms = PATIENCE_MS });
	memcpy(gov.contract, c->contract, sizeof(gov.contract));
	enum dstack_status st = gov_read(&gov, &view, why);
	if (st == DSTACK_OK) {
		volume_id(view.app.app_id, c->owner, c->index, id);
		st = gov_read_volume(&gov, id, &anchored, why);
	}
	return st != DSTACK_OK ? st
			       : host_backup_judge(s, id,
				     view.head.current_epoch,
				     anchored.generation, why);
}

static enum dstack_status
restore(struct volume_cli *v, const char *file, struct why *why)
{
	struct volume_said s;
	AUTO_CLOSE int lock = -1;
	enum dstack_status st = host_volume_lock(v->cfg.state, &lock, why);

	if (st == DSTACK_OK)
		st = host_backup_peek(file, &s, why);
	if (st == DSTACK_OK)
		st = host_disk_absent(v->path, why);
	if (st == DSTACK_OK)
		st = judge(&v->cfg, &s, why);
	if (st == DSTACK_OK)
		st = host_backup_restore(file, v->path, why);
	if (st != DSTACK_OK)
		return st;
	say(v->path, &s);
	printf("the node's next start anchors it; from then on every other "
	       "copy of this volume is refused\n");
	return DSTACK_OK;
}

/* The verbs that are about a node. */
static enum dstack_status
of_node(const struct usage *u, const char *config, const char *word,
    const char *output, struct why *why)
{
	struct volume_cli v = { .path = "" };
	const uint32_t mb = u == &uses[GROW]
	    ? (uint32_t)usage_number(
	          u, "MB", word, HOST_DISK_LEAST_MB, HOST_DISK_MOST_MB)
	    : 0;
	enum dstack_status st = config_load(config, &v.cfg, why);

	if (st == DSTACK_OK)
		(void)snprintf(v.path, sizeof(v.path), "%s/" HOST_DISK_NAME,
		    v.cfg.host_volume);
	if (st == DSTACK_OK && u == &uses[GROW])
		st = grow(&v, mb, why);
	else if (st == DSTACK_OK && u == &uses[BACKUP])
		st = backup(&v, output, why);
	else if (st == DSTACK_OK)
		st = restore(&v, word, why);
	config_wipe(&v.cfg);
	return st;
}

static enum dstack_status
show(const char *file, struct why *why)
{
	struct volume_said s;
	enum dstack_status st = host_backup_peek(file, &s, why);

	/* not one of ours: perhaps the disk itself */
	if (st == DSTACK_E_FORMAT)
		st = host_disk_peek(file, &s, why);
	if (st == DSTACK_OK)
		say(file, &s);
	return st;
}

int
cmd_volume(int argc, char **argv)
{
	static const struct option lopt[] = { { "config", 1, NULL, 'c' },
		{ "output", 1, NULL, 'o' }, { NULL, 0, NULL, 0 } };
	const char *config = "host.env";
	const char *output = NULL;
	struct why why = { "" };
	const struct usage *u = usage_sub(uses, NULL, argc, argv);
	int c;

	argc--;
	argv++;
	while ((c = usage_next(u, argc, argv, lopt)) != -1) {
		if (c == 'c')
			config = optarg;
		else
			output = optarg;
	}
	const int words = u == &uses[BACKUP] ? 0 : 1;
	usage_words(
	    u, argc, argv, words, words, u == &uses[GROW] ? "MB" : "FILE");
	if (u == &uses[BACKUP] && output == NULL)
		usage_wrong(u, "where to? give -o FILE");
	enum dstack_status st = u == &uses[SHOW]
	    ? show(argv[optind], &why)
	    : of_node(u, config, argv[optind], output, &why);
	return st == DSTACK_OK ? EXIT_YES : cmd_fail(u->verb, st, &why);
}
