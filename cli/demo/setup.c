/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network on this machine, made in the order in which its parts need each
 * other: folder, app, chain, owner's key with gas, contract, relay, the nodes'
 * folders (host.env, netcfg, app), the policy that lists their measurements,
 * and last the CA. Whatever fails is one line, and demo_teardown takes down what
 * was there by then, nodes first, since they ask all the others until they
 * end.
 *
 * Every key is made for this run and given gas by the development chain;
 * nothing here is worth anything to anybody.
 */
#include "cli/demo/demo.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/log.h"
#include "cli/app/archive.h"
#include "cli/demo/network.h"
#include "crypto/hash.h"
#include "crypto/secp.h"
#include "eth/rpc.h"
#include "host/acme/acme.h"
#include "host/base/proc.h"
#include "host/vm/vm.h"
#include "protocol/netcfg.h"
#include "protocol/statements.h"

#define ANVIL "tools/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
#define START_MS 60000u
#define STOP_MS 8000u
#define NODE_MS (VM_STOP_MS + STOP_MS) /* node run has its own limit below it */

static int
remove_one(const char *path, const struct stat *sb, int type, struct FTW *f)
{
	(void)sb;
	(void)type;
	(void)f;
	return remove(path);
}

/* A node's folder starts empty: its disk was for another network's secret. */
/* Emptied: keys and volumes of an earlier run belong to a chain that is gone. */
static enum dstack_status
fresh_dir(const char *path, struct why *why)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	if (mkdir(path, 0755) != 0)
		return why_set(
		    why, DSTACK_E_SYS, "%s: %s", path, strerror(errno));
	return DSTACK_OK;
}

static enum dstack_status
write_file(const char *path, mode_t mode, const void *p, size_t n,
    struct why *why)
{
	AUTO_CLOSE int fd = open(
	    path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);

	if (fd < 0 || fchmod(fd, mode) != 0 ||
	    write(fd, p, n) != (ssize_t)n)
		return why_set(
		    why, DSTACK_E_SYS, "%s: %s", path, strerror(errno));
	return DSTACK_OK;
}

/* n free ports in a row from want on, or from want plus some 200s. */
static enum dstack_status
free_ports(uint16_t want, unsigned n, uint16_t *out, struct why *why)
{
	enum dstack_status st = DSTACK_E_SYS;

	for (unsigned p = want; p < 65000 && p < want + 20000u; p += 200) {
		st = DSTACK_OK;
		for (unsigned i = 0; i < n && st == DSTACK_OK; i++)
			st = proc_port_free(
			    "127.0.0.1", (uint16_t)(p + i), why);
		if (st == DSTACK_OK) {
			*out = (uint16_t)p;
			return st;
		}
	}
	return st;
}

/* As wanted if it is free, else a higher one. */
static enum dstack_status
free_port(uint16_t want, uint16_t *out, struct why *why)
{
	return free_ports(want, 1, out, why);
}

/* A scalar that is one: the chance of another is nil, and it is looked at. */
static enum dstack_status
random_key(struct secret32 *key, struct why *why)
{
	uint8_t addr[20];

	do {
		if (getrandom(key->b, 32, 0) != 32)
			return why_set(why, DSTACK_E_SYS, "getrandom: %s",
			    strerror(errno));
	} while (secp_address(key, addr) != DSTACK_OK);
	return DSTACK_OK;
}

static enum dstack_status
fund(struct demo *d, const struct secret32 *key, struct why *why)
{
	uint8_t addr[20];
	json_t *v = NULL;
	enum dstack_status st = secp_address(key, addr);

	if (st == DSTACK_OK)
		st = rpc_call(d->rpc, "anvil_setBalance",
		    json_pack("[o,s]", eth_json_hex(addr, 20),
		        "0x56bc75e2d63100000"),
		    &v, why);
	json_decref(v);
	return st;
}

static enum dstack_status
start_chain(struct demo *d, struct why *why)
{
	char port_text[8];
	char id[16];
	char log[160];
	uint16_t port = 0;
	uint64_t got = 0;
	char *argv[] = { (char *)(uintptr_t)ANVIL,
		(char *)(uintptr_t)"--port", port_text,
		(char *)(uintptr_t)"--chain-id", id,
		(char *)(uintptr_t)"--accounts", (char *)(uintptr_t)"1",
		(char *)(uintptr_t)"--mixed-mining",
		(char *)(uintptr_t)"--block-time", (char *)(uintptr_t)"2",
		(char *)(uintptr_t)"--quiet", NULL };

	if (access(ANVIL, X_OK) != 0)
		return why_set(why, DSTACK_E_MISSING,
		    ANVIL " is missing: run npm ci in tools, or ./demo.sh");
	enum dstack_status st = free_port(8545, &port, why);
	if (st != DSTACK_OK)
		return st;
	(void)snprintf(port_text, sizeof(port_text), "%u", port);
	(void)snprintf(id, sizeof(id), "%u", DEMO_CHAIN_ID);
	(void)snprintf(log, sizeof(log), "%s/anvil.log", d->dir);
	(void)snprintf(d->rpc_url, sizeof(d->rpc_url), "http://127.0.0.1:%u",
	    port);
	AUTO_CLOSE int fd =
	    open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	st = proc_start(argv, fd, false, &d->anvil, why);
	if (st != DSTACK_OK)
		return st;
	d->rpc = rpc_new(d->rpc_url);
	if (d->rpc != NULL) /* the contract is created by it */
		rpc_limit(
		    d->rpc, &(struct rpc_limits){ .max_gas = 1u << 24 });
	if (d->rpc == NULL)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	uint64_t end = proc_now_ms() + START_MS;
	while ((st = rpc_chain_id(d->rpc, &got, why)) != DSTACK_OK) {
		int status = 0;
		if (proc_ended(&d->anvil, &status) || proc_now_ms() > end)
			return why_set(why, DSTACK_E_SYS,
			    "anvil does not start; see %s", log);
		proc_pause_ms(30);
	}
	return DSTACK_OK;
}

static enum dstack_status
app_digest(struct demo *d, struct why *why)
{
	AUTO_ARCHIVE struct archive a = { .map = NULL };
	enum dstack_status st = archive_open(d->app, NULL, &a, why);

	if (st == DSTACK_E_SYS)
		return why_set(why, DSTACK_E_MISSING,
		    "%s cannot be read; make it with ./build_app.sh", d->app);
	if (st == DSTACK_OK)
		memcpy(d->app_digest, a.digest, 32);
	return st;
}

/* For dstack app push and dstack contract; gone with the network. */
/* For dstack contract while the network runs; 0600 as any key. */
static enum dstack_status
write_owner(const struct demo *d, struct why *why)
{
	char path[100];
	AUTO_WR struct wr w = wr_new(0);

	wr_hex(&w, d->owner.b, 32);
	wr_str(&w, "\n");
	if (wr_status(&w) != DSTACK_OK)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	network_owner_key(d->dir, path);
	return write_file(path, 0600, w.buf, w.len, why);
}

/* A hard link is enough: guests check what they read. Else a copy. */
/* Each node has the archive itself: nobody hands apps on. */
static enum dstack_status
give_app(struct demo *d, const char *to, struct why *why)
{
	char buf[65536];
	ssize_t n;

	if (link(d->app, to) == 0)
		return DSTACK_OK;
	AUTO_CLOSE int in = open(d->app, O_RDONLY | O_CLOEXEC);
	AUTO_CLOSE int out =
	    open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	while (in >= 0 && out >= 0 && (n = read(in, buf, sizeof(buf))) != 0)
		if (n < 0 || write(out, buf, (size_t)n) != n)
			break;
	if (in < 0 || out < 0 || n != 0)
		return why_set(
		    why, DSTACK_E_SYS, "%s: %s", to, strerror(errno));
	return DSTACK_OK;
}

static enum dstack_status
write_env(struct demo *d, struct demo_node *n, struct why *why)
{
	AUTO_WR struct wr w = wr_new(0);
	const struct host_config *c = &n->cfg;

	wr_str(&w, "PRIVKEY=");
	wr_hex(&w, c->privkey.b, 32);
	wr_fmt(&w, "\nETH_RPC_URL=%s\nCHAIN_ID=%u\nCONTRACT=0x", d->rpc_url,
	    DEMO_CHAIN_ID);
	wr_hex(&w, d->gov.contract, 20);
	wr_fmt(&w, "\nPUBSUB_URL=%s\nGUEST_SERVICE=http://127.0.0.1:%u\n",
	    d->relay_url, c->control_port);
	wr_fmt(&w, "HOST_SERVICE=127.0.0.1:%u\nHTTPS_LISTEN=127.0.0.1:%u\n",
	    c->host_service.port, c->https.port);
	wr_fmt(&w, "HOST_VOLUME=%s\nSTATE_DIR=%s\nIMAGE_DIR=%s\nFLAVOUR=sim\n",
	    c->host_volume, c->state, c->image);
	wr_fmt(&w, "NODE_INDEX=%u\nVM_MEMORY_MB=%u\nVM_CPUS=%u\nEGRESS=%s\n",
	    c->index, c->memory_mb, c->cpus, c->egress ? "yes" : "no");
	wr_fmt(&w, "VOLUME_MB=%u\n", c->volume_mb);
	if (d->beacon_url[0] != '\0')
		wr_fmt(&w, "BEACON_URL=%s\n", d->beacon_url);
	if (wr_status(&w) != DSTACK_OK)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	return write_file(n->env, 0600, w.buf, w.len, why);
}

static enum dstack_status
make_node(struct demo *d, unsigned i, const struct wr *netcfg, struct why *why)
{
	struct demo_node *n = &d->node[i];
	struct host_config *c = &n->cfg;
	char path[640];

	(void)snprintf(n->dir, sizeof(n->dir), "%s/node%u", d->dir, i);
	(void)snprintf(n->env, sizeof(n->env), "%s/host.env", n->dir);
	(void)snprintf(
	    c->host_volume, sizeof(c->host_volume), "%s/host_volume", n->dir);
	(void)snprintf(c->state, sizeof(c->state), "%s", n->dir);
	(void)snprintf(c->image, sizeof(c->image), "%s", d->image);
	c->sim = true;
	c->index = i;
	c->memory_mb = d->memory;
	c->cpus = 1;
	c->volume_mb = d->volume;
	c->egress = d->egress;
	enum dstack_status st = fresh_dir(n->dir, why);
	if (st == DSTACK_OK)
		st = fresh_dir(c->host_volume, why);
	if (st == DSTACK_OK)
		st = random_key(&c->privkey, why);
	if (st == DSTACK_OK)
		st = secp_address(&c->privkey, c->submitter);
	if (st == DSTACK_OK)
		st = fund(d, &c->privkey, why);
	if (st == DSTACK_OK)
		st = free_port((uint16_t)(4001 + 10 * i), &c->control_port, why);
	if (st == DSTACK_OK)
		st = free_port((uint16_t)(4002 + 10 * i), &c->https.port, why);
	if (st == DSTACK_OK)
		st = free_port(
		    (uint16_t)(8000 + 10 * i), &c->host_service.port, why);
	if (st != DSTACK_OK)
		return st;
	(void)snprintf(path, sizeof(path), "%s/netcfg", c->host_volume);
	st = write_file(path, 0644, netcfg->buf, netcfg->len, why);
	(void)snprintf(
	    path, sizeof(path), "%s/app-example.tar", c->host_volume);
	if (st == DSTACK_OK)
		st = give_app(d, path, why);
	if (st == DSTACK_OK)
		st = write_env(d, n, why);
	return st;
}

/* One text for all nodes: it is measured, so it has to be the same bytes. */
static enum dstack_status
make_netcfg(struct demo *d, struct wr *w, struct why *why)
{
	struct netcfg n = { .chain_id = DEMO_CHAIN_ID,
		.view = NETCFG_VIEW_RPC,
		.tls_domain = DEMO_DOMAIN,
		.max_age = 3600,
		.ct = d->ct_relay ? NETCFG_CT_RELAY : NETCFG_CT_ONCHAIN,
		.log_app = true };

	memcpy(n.contract, d->deployed.contract, 20);
	memcpy(n.code_hash, d->deployed.code_hash, 32);
	if (!d->view_rpc) {
		enum dstack_status st = demo_beacon_netcfg(d, &n, why);
		if (st != DSTACK_OK)
			return st;
	}
	return netcfg_write(&n, w, why);
}

static enum dstack_status
open_policy(struct demo *d, struct why *why)
{
	static const char app_name[] = "app-example";
	struct state_policy p = { .tcb_mask = 1u << KM_TCB_UP_TO_DATE,
		.request_expiry = 600,
		.requests_per_block = 16,
		.platform_mode = KM_PLATFORM_OPEN };
	struct node_options o = { .cfg = &d->node[0].cfg, .no_vm = d->no_vm };
	struct sim_measurements m;
	uint8_t tuple[32];
	uint8_t app_id[32];
	enum dstack_status st = node_measure(&o, &m, why);

	if (st != DSTACK_OK)
		return st;
	stmt_tuple_hash(m.mrtd, (const uint8_t(*)[48])m.rtmr, m.mrconfigid,
	    tuple);
	keccak256(app_name, sizeof(app_name) - 1, app_id);
	st = gov_open_epoch(
	    &d->gov, 0, &p, d->node[0].cfg.submitter, why);
	if (st == DSTACK_OK)
		st = gov_allow_tuple(&d->gov, 0, tuple, why);
	if (st == DSTACK_OK)
		st = gov_propose_app(&d->gov, app_id, d->app_digest, app_name,
		    0, 0, why);
	return st;
}

static enum dstack_status
start_relay(struct demo *d, struct why *why)
{
	char self[512];
	char at[32];
	char log[160];
	uint16_t port = 0;
	char *argv[] = { self, (char *)(uintptr_t)"pubsub",
		(char *)(uintptr_t)"--listen", at, NULL };
	enum dstack_status st = free_port(5001, &port, why);

	if (st != DSTACK_OK)
		return st;
	(void)snprintf(at, sizeof(at), "127.0.0.1:%u", port);
	(void)snprintf(
	    d->relay_url, sizeof(d->relay_url), "http://%s", at);
	(void)snprintf(log, sizeof(log), "%s/relay.log", d->dir);
	if (!proc_beside_self("dstack", self, sizeof(self)))
		return why_set(why, DSTACK_E_LIMIT, "path is too long");
	AUTO_CLOSE int fd =
	    open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	return proc_start(argv, fd, false, &d->relay, why);
}

enum dstack_status
demo_setup(struct demo *d, struct why *why)
{
	AUTO_WR struct wr netcfg = wr_new(NETCFG_MAX);
	struct gov_deploy deploy = { .sim = true,
		.ct_onchain = !d->ct_relay };
	char path[160];

	(void)mkdir("build", 0755);
	if (mkdir(d->dir, 0755) != 0 && errno != EEXIST)
		return why_set(
		    why, DSTACK_E_SYS, "%s: %s", d->dir, strerror(errno));
	(void)snprintf(path, sizeof(path), "%s/auditing", d->dir);
	enum dstack_status st = fresh_dir(path, why);
	if (st == DSTACK_OK)
		st = app_digest(d, why);
	if (st == DSTACK_OK)
		st = start_chain(d, why);
	uint16_t port = 0;
	if (st == DSTACK_OK && !d->view_rpc)
		st = free_port(5052, &port, why);
	if (st == DSTACK_OK && !d->view_rpc)
		st = demo_beacon_start(d, port, why);
	if (st == DSTACK_OK)
		st = random_key(&d->owner, why);
	if (st == DSTACK_OK)
		st = write_owner(d, why);
	if (st == DSTACK_OK)
		st = fund(d, &d->owner, why);
	d->gov.rpc = d->rpc;
	d->gov.key = &d->owner;
	d->gov.chain_id = DEMO_CHAIN_ID;
	if (st == DSTACK_OK)
		st = gov_deploy(&d->gov, NULL, &deploy, &d->deployed, why);
	if (st == DSTACK_OK)
		st = start_relay(d, why);
	if (st == DSTACK_OK)
		st = make_netcfg(d, &netcfg, why);
	for (unsigned i = 0; i < d->count + d->spare && st == DSTACK_OK; i++)
		st = make_node(d, i, &netcfg, why);
	if (st == DSTACK_OK)
		st = open_policy(d, why);
	uint16_t ca_port = 0;
	if (st == DSTACK_OK)
		st = free_ports(14000, 5, &ca_port, why);
	if (st == DSTACK_OK) {
		(void)snprintf(path, sizeof(path), "%s/ca", d->dir);
		st = local_ca_start(&d->ca, path, ca_port, why);
		d->ca_up = st == DSTACK_OK;
	}
	return st;
}

enum dstack_status
demo_start_node(struct demo *d, unsigned i, struct why *why)
{
	struct demo_node *n = &d->node[i];
	char self[512];
	char auditing[160];
	char log[160];
	char *argv[] = { self, (char *)(uintptr_t)"node",
		(char *)(uintptr_t)"run", (char *)(uintptr_t)"--config",
		n->env, (char *)(uintptr_t)"--auditing", auditing,
		d->no_vm ? (char *)(uintptr_t)"--no-vm" : NULL, NULL };

	(void)snprintf(auditing, sizeof(auditing), "%s/auditing", d->dir);
	(void)snprintf(log, sizeof(log), "%s/node.log", n->dir);
	if (!proc_beside_self("dstack", self, sizeof(self)))
		return why_set(why, DSTACK_E_LIMIT, "path is too long");
	AUTO_CLOSE int fd =
	    open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	return proc_start(argv, fd, false, &n->pid, why);
}

/* One order a node, when its guest has asked; again when it failed. */
static void *
certs(void *arg)
{
	struct demo *d = arg;
	char csr[640];
	char pem[640];
	char account[160];
	struct stat sb;
	bool told = false;

	(void)snprintf(account, sizeof(account), "%s/acme.key", d->dir);
	struct acme_config a = { .directory = d->ca.directory,
		.ca_file = d->ca.ca_file,
		.account_key = account,
		.csr = csr,
		.certificate = pem,
		.stop = &d->certs_stop,
		.http_listen = d->ca.http_listen };
	while (!atomic_load(&d->certs_stop)) {
		for (unsigned i = 0; i < d->count + d->spare; i++) {
			const char *hv = d->node[i].cfg.host_volume;
			struct why why = { "" };
			(void)snprintf(csr, sizeof(csr), "%s/request.csr", hv);
			(void)snprintf(
			    pem, sizeof(pem), "%s/certificate.pem", hv);
			/* the guest asks by leaving a request */
			if (stat(csr, &sb) != 0 || stat(pem, &sb) == 0)
				continue;
			if (acme_issue(&a, NULL, &why) != DSTACK_OK && !told) {
				log_line("demo: certificate: %s", why.text);
				told = true;
			}
		}
		proc_pause_ms(100);
	}
	return NULL;
}

enum dstack_status
demo_certs(struct demo *d, struct why *why)
{
	if (pthread_create(&d->certs, NULL, certs, d) != 0)
		return why_set(why, DSTACK_E_SYS, "no thread");
	d->certs_run = true;
	return DSTACK_OK;
}

/* To all of them, or they would end one after the other. */
static void
tell_nodes(const struct demo *d)
{
	for (unsigned i = 0; i < d->count; i++)
		if (d->node[i].pid > 0)
			(void)kill(d->node[i].pid, SIGTERM);
}

/* Each in its own order; a signal that comes meanwhile is the second one. */
static void
stop_nodes(struct demo *d, const volatile sig_atomic_t *signals)
{
	const int before = *signals;
	uint64_t end = proc_now_ms() + NODE_MS;
	bool left = true, hasty = false;
	int status = 0;

	tell_nodes(d);
	while (left && proc_now_ms() < end) {
		left = false;
		for (unsigned i = 0; i < d->count; i++)
			left = (d->node[i].pid > 0 &&
				   !proc_ended(&d->node[i].pid, &status)) ||
			    left;
		if (!hasty && *signals > before) {
			hasty = true;
			tell_nodes(d);
		}
		proc_pause_ms(left ? 10 : 0);
	}
	for (unsigned i = 0; i < d->count; i++)
		proc_stop(&d->node[i].pid, 0);
}

void
demo_teardown(struct demo *d, const volatile sig_atomic_t *signals)
{
	atomic_store(&d->certs_stop, true);
	stop_nodes(d, signals);
	if (d->certs_run)
		(void)pthread_join(d->certs, NULL);
	d->certs_run = false;
	if (d->ca_up)
		local_ca_stop(&d->ca);
	d->ca_up = false;
	proc_stop(&d->relay, STOP_MS);
	proc_stop(&d->beacon, STOP_MS);
	proc_stop(&d->anvil, STOP_MS);
	rpc_free(d->rpc);
	d->rpc = NULL;
	for (unsigned i = 0; i < d->count + d->spare; i++)
		config_wipe(&d->node[i].cfg);
	secret32_wipe(&d->owner);
}
