/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a node's files are, and whether it can run at all. Judged in the order
 * of what it costs to know: host.env was read before; then the files and ports
 * of this machine, which need nobody; then the chain, which may be away and is
 * waited for; last what the chain has to agree with. So a mistake of this
 * machine's is said at once also where the RPC endpoint is down, and nothing
 * is made before all of it was judged.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "crypto/hash.h"
#include "host/base/files.h"
#include "host/node/node_priv.h"
#include "host/base/proc.h"
#include "host/volume/disk.h"
#include "protocol/netcfg.h"

#define RPC_STEP_MS 250

/* Without a VM the roles' program stands for the kernel. */
static enum dstack_status
no_vm_files(struct node_paths *p, const char *state, struct why *why)
{
	static const char text[] = "dstack.no-vm\n";

	p->initrd[0] = '\0';
	if (!proc_beside_self(
	        "dstack-guest-sim", p->kernel, sizeof(p->kernel)) ||
	    access(p->kernel, X_OK) != 0)
		return why_set(why, DSTACK_E_MISSING,
		    "dstack-guest-sim is not beside dstack; run make");
	(void)snprintf(p->cmdline, sizeof(p->cmdline), "%s/cmdline", state);
	AUTO_CLOSE int fd = open(
	    p->cmdline, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, sizeof(text) - 1) < 0)
		return why_set(why, DSTACK_E_SYS, "%s: %s", p->cmdline,
		    strerror(errno));
	if (mkdir(p->volume, 0700) != 0 && errno != EEXIST)
		return why_set(why, DSTACK_E_SYS, "%s: %s", p->volume,
		    strerror(errno));
	return DSTACK_OK;
}

static enum dstack_status
make_dirs(const char *path, struct why *why)
{
	char part[CONFIG_TEXT];
	size_t n = strlen(path);

	/* Each level in turn, as mkdir -p does. */
	memcpy(part, path, n + 1);
	for (size_t i = 1; i <= n; i++) {
		if (part[i] != '/' && part[i] != '\0')
			continue;
		char c = part[i];
		part[i] = '\0';
		if (mkdir(part, 0755) != 0 && errno != EEXIST)
			return why_set(why, DSTACK_E_SYS, "%s: %s", part,
			    strerror(errno));
		part[i] = c;
	}
	return DSTACK_OK;
}

enum dstack_status
node_paths(
    const struct node_options *o, struct node_paths *p, struct why *why)
{
	const struct host_config *c = o->cfg;

	memset(p, 0, sizeof(*p));
/* Every path a node uses, in one place. */
#define PATH(field, ...) (void)snprintf(p->field, sizeof(p->field), __VA_ARGS__)
	PATH(image, "%s/%s", c->image, c->sim ? "sim" : "tdx");
	PATH(netcfg, "%s/netcfg", c->host_volume);
	PATH(link, "%s/link.sock", c->state);
	PATH(tee, "%s/tee.sock", c->state);
	PATH(console, "%s/console.log", c->state);
	PATH(disk, "%s/" HOST_DISK_NAME, c->host_volume);
	PATH(volume, "%s/volume", c->state);
	PATH(platform, "node-%u", c->index);
	enum dstack_status st = make_dirs(c->state, why);
	if (st != DSTACK_OK)
		return st;
	if (o->no_vm)
		return no_vm_files(p, c->state, why);
	PATH(kernel, "%.520s/vmlinuz", p->image);
	PATH(initrd, "%.520s/initramfs.cpio.zst", p->image);
	PATH(cmdline, "%.520s/cmdline", p->image);
#undef PATH
	const char *const files[] = { p->kernel, p->initrd, p->cmdline };
	for (size_t i = 0; i < 3; i++)
		if (access(files[i], R_OK) != 0)
			return why_set(why, DSTACK_E_MISSING,
			    "%s is missing: build the image with "
			    "./build_vm.sh",
			    files[i]);
	return DSTACK_OK;
}

void
node_teed_options(const struct node_options *o, const struct node_paths *p,
    struct teed_options *out)
{
	*out = (struct teed_options){ .kernel = p->kernel,
		.initrd = p->initrd,
		.cmdline_file = p->cmdline,
		.netcfg = p->netcfg,
		.platform = p->platform,
		.listen = p->tee,
		.vcpus = o->cfg->cpus,
		.memory_mib = o->cfg->memory_mb };
}

enum dstack_status
node_measure(const struct node_options *o, struct sim_measurements *out,
    struct why *why)
{
	struct node_paths p;
	struct teed_options t;
	enum dstack_status st = node_paths(o, &p, why);

	if (st != DSTACK_OK)
		return st;
	node_teed_options(o, &p, &t);
	return teed_measure(&t, out, why);
}

/*
 * DSTACK_E_MISSING: the endpoint is away, or answers nonsense or an error.
 * *known: it has said the right chain, and is not asked that again. Else one
 * that answers every other question only would be asked for ever.
 */
static enum dstack_status
check_chain(const struct host_config *c, struct rpc *rpc, bool *known,
    uint8_t code_hash[static 32], struct why *why)
{
	uint64_t id = c->chain_id;
	AUTO_WR struct wr code = wr_new(0);
	/*
	 * An endpoint that is away may come back; that is waited for, the
	 * answers below are not.
	 */
	if (!*known && rpc_chain_id(rpc, &id, why) != DSTACK_OK)
		return DSTACK_E_MISSING;
	/* Answered, and wrong: waiting would not mend it. */
	if (id != c->chain_id)
		return why_set(why, DSTACK_E_REJECTED,
		    "ETH_RPC_URL serves chain %llu, host.env says CHAIN_ID "
		    "%llu",
		    (unsigned long long)id, (unsigned long long)c->chain_id);
	*known = true;
	if (rpc_code(rpc, c->contract, &code, why) != DSTACK_OK)
		return DSTACK_E_MISSING;
	if (code.len == 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "CONTRACT has no code on chain %llu; check the address",
		    (unsigned long long)id);
	keccak256(code.buf, code.len, code_hash);
	return DSTACK_OK;
}

/*
 * The guest checks all of this and more, by itself; said here it takes a second
 * and is one line. Against the chain: check_code.
 */
static enum dstack_status
check_netcfg(
    const struct host_config *c, struct netcfg *out, struct why *why)
{
	AUTO_CLOSE int dir = -1;
	AUTO_WR struct wr w = wr_new(NETCFG_MAX + 8);
	struct netcfg n;
	enum dstack_status st = files_open(c->host_volume, &dir, why);

	if (st == DSTACK_OK)
		st = files_read(dir, "netcfg", 0, NETCFG_MAX, &w, why);
	if (st != DSTACK_OK)
		return why_wrap(why, st,
		    "%s/netcfg (get it from the network's owner)",
		    c->host_volume);
	st = netcfg_parse(w.buf + 8, w.len - 8, &n, why);
	if (st != DSTACK_OK)
		return why_wrap(why, st, "%s/netcfg", c->host_volume);
	if (n.chain_id != c->chain_id)
		return why_set(why, DSTACK_E_REJECTED,
		    "netcfg is for chain %llu, host.env says CHAIN_ID %llu",
		    (unsigned long long)n.chain_id,
		    (unsigned long long)c->chain_id);
	if (memcmp(n.contract, c->contract, 20) != 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "netcfg and host.env name different contracts");
	if (n.view == NETCFG_VIEW_BEACON && c->beacon_url[0] == '\0')
		return why_set(why, DSTACK_E_MISSING,
		    "netcfg has view=beacon: BEACON_URL in host.env must name "
		    "a beacon node, as in http://127.0.0.1:5052");
	*out = n;
	return DSTACK_OK;
}

/* What the guest of a trust domain says too, but from a console, and later. */
static enum dstack_status
check_view(const struct host_config *c, const struct netcfg *n, struct why *why)
{
	if (c->sim || n->view != NETCFG_VIEW_RPC)
		return DSTACK_OK;
	return why_set(why, DSTACK_E_REJECTED,
	    "%s/netcfg has view=rpc, which a guest of FLAVOUR=tdx does not "
	    "start with: get one with view=beacon from the network's owner",
	    c->host_volume);
}

static enum dstack_status
check_ports(const struct host_config *c, struct why *why)
{
	enum dstack_status st =
	    proc_port_free("127.0.0.1", c->control_port, why);

	/* The setting's name: it is what has to be changed. */
	if (st != DSTACK_OK)
		return why_wrap(why, st, "GUEST_SERVICE");
	st = proc_port_free(c->https.host, c->https.port, why);
	return st != DSTACK_OK ? why_wrap(why, st, "HTTPS_LISTEN") : DSTACK_OK;
}

enum dstack_status
node_check(const struct node_options *o, const struct node_paths *p,
    struct rpc *rpc, char relocked[static 17], struct why *why)
{
	const struct host_config *c = o->cfg;
	uint8_t code_hash[32];
	struct netcfg n;
	bool said = false, known = false;
	enum dstack_status st = check_netcfg(c, &n, why);

	if (st == DSTACK_OK)
		st = check_view(c, &n, why);
	if (st == DSTACK_OK)
		st = check_ports(c, why);
	if (st == DSTACK_OK && !o->no_vm)
		st = image_check(p->image, relocked, why);
	if (st != DSTACK_OK)
		return st;

	/* nothing was started yet: Ctrl-C ends this as it ends any program */
	while ((st = check_chain(c, rpc, &known, code_hash, why)) ==
	    DSTACK_E_MISSING) {
		if (!said)
			log_line("%s; waiting for it (ETH_RPC_URL)", why->text);
		said = true;
		proc_pause_ms(RPC_STEP_MS);
	}
	if (st == DSTACK_OK && memcmp(n.code_hash, code_hash, 32) != 0)
		st = why_set(why, DSTACK_E_REJECTED,
		    "the contract's code is not the one netcfg names");
	if (st == DSTACK_OK && !o->no_vm)
		st = host_disk_make(p->disk, c->volume_mb, why);
	return st;
}
