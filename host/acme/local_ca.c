/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In this order: the folder; a certificate for the ACME endpoint, made anew
 * each time, so that nothing of an earlier run is trusted; the DNS server,
 * which says 127.0.0.1 for every name; Pebble. Then the directory and the root
 * are asked for until both answer, and the root is written down for clients.
 * What can go wrong is mostly that a program is not installed or a port is
 * taken: Pebble then ends at once, which is looked for while we wait.
 */
#include "host/acme/local_ca.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/own.h"
#include "host/http/client.h"

#define PEBBLE "/usr/bin/pebble"
#define DNS "/usr/bin/pebble-challtestsrv"
#define START_SECONDS 60
#define POLL_MS 100

static void
nap(void)
{
	const struct timespec t = { 0, POLL_MS * 1000000L };
	(void)nanosleep(&t, NULL);
}

/* A key or a certificate, in a file that nobody else ever had open. */
static enum dstack_status
write_pem(const char *path, EVP_PKEY *key, X509 *cert, struct why *why)
{
	(void)unlink(path);
	AUTO_CLOSE int fd =
	    open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (f == NULL)
		return why_set(why, DSTACK_E_SYS, "%s cannot be written: %s",
		    path, strerror(errno));
	(void)take_fd(&fd);
	bool ok = cert != NULL
	    ? PEM_write_X509(f, cert) == 1
	    : PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1;
	ok = fclose(f) == 0 && ok;
	return ok ? DSTACK_OK
		  : why_set(why, DSTACK_E_SYS, "%s cannot be written", path);
}

static bool
extend(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	bool ok = e != NULL && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return ok;
}

/* Self-signed, for the ACME endpoint on 127.0.0.1 alone. */
static enum dstack_status
endpoint_certificate(
    const char *cert_path, const char *key_path, struct why *why)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	uint8_t serial[8];
	enum dstack_status st = DSTACK_E_NOMEM;
	if (key == NULL || x == NULL || RAND_bytes(serial, sizeof(serial)) != 1)
		goto out;
	/* a serial is positive (RFC 5280 4.1.2.2): the top bit goes below */
	uint64_t sn = 1;
	memcpy(&sn, serial, sizeof(sn));
	X509_NAME *name = X509_get_subject_name(x);
	if (X509_set_version(x, X509_VERSION_3) != 1 ||
	    ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), sn >> 1) != 1 ||
	    X509_gmtime_adj(X509_getm_notBefore(x), -3600) == NULL ||
	    X509_gmtime_adj(X509_getm_notAfter(x), 30L * 86400) == NULL ||
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
		(const unsigned char *)"dstack local ACME", -1, -1, 0) != 1 ||
	    X509_set_issuer_name(x, name) != 1 || X509_set_pubkey(x, key) != 1 ||
	    !extend(x, NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost") ||
	    !extend(x, NID_basic_constraints, "critical,CA:TRUE") ||
	    X509_sign(x, key, EVP_sha256()) == 0)
		goto out;
	st = write_pem(key_path, key, NULL, why);
	if (st == DSTACK_OK)
		st = write_pem(cert_path, NULL, x, why);
out:
	X509_free(x);
	EVP_PKEY_free(key);
	return st;
}

/* Its words go to a file: a terminal belongs to who started the network. */
static enum dstack_status
spawn(char *const argv[], char *const env[], const char *log, pid_t *pid,
    struct why *why)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	if (posix_spawn_file_actions_init(&fa) != 0)
		return DSTACK_E_NOMEM;
	if (posix_spawnattr_init(&at) != 0) {
		(void)posix_spawn_file_actions_destroy(&fa);
		return DSTACK_E_NOMEM;
	}
	/* a group of its own: Ctrl-C reaches us, and we end it in order */
	int rc = posix_spawnattr_setflags(&at, POSIX_SPAWN_SETPGROUP);
	if (rc == 0)
		rc = posix_spawn_file_actions_addopen(
		    &fa, 0, "/dev/null", O_RDONLY, 0);
	if (rc == 0)
		rc = posix_spawn_file_actions_addopen(
		    &fa, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&fa, 1, 2);
	if (rc == 0)
		rc = posix_spawn(pid, argv[0], &fa, &at, argv, env);
	(void)posix_spawnattr_destroy(&at);
	(void)posix_spawn_file_actions_destroy(&fa);
	if (rc != 0)
		return why_set(why, DSTACK_E_SYS,
		    "%s cannot be started: %s; install package pebble", argv[0],
		    strerror(rc));
	return DSTACK_OK;
}

static enum dstack_status
start_processes(
    struct local_ca *ca, const char *dir, uint16_t port, struct why *why)
{
	char config[600], log[600], dnslog[600], dnsaddr[40], dnsmgmt[40];
	(void)snprintf(config, sizeof(config), "%s/pebble.json", dir);
	(void)snprintf(log, sizeof(log), "%s/pebble.log", dir);
	(void)snprintf(dnslog, sizeof(dnslog), "%s/dns.log", dir);
	/* the ports in a row: directory, roots, http-01, DNS control, DNS */
	AUTO_CLOSE int fd =
	    open(config, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 ||
	    dprintf(fd,
		"{\"pebble\":{\"listenAddress\":\"127.0.0.1:%u\","
		"\"managementListenAddress\":\"127.0.0.1:%u\","
		"\"certificate\":\"%s/acme.pem\",\"privateKey\":\"%s/acme.key\","
		"\"httpPort\":%u,\"tlsPort\":%u}}\n",
		port, port + 1u, dir, dir, port + 2u, port + 3u) < 0)
		return why_set(why, DSTACK_E_SYS, "%s cannot be written: %s",
		    config, strerror(errno));
	(void)snprintf(dnsaddr, sizeof(dnsaddr), "127.0.0.1:%u", port + 4u);
	(void)snprintf(dnsmgmt, sizeof(dnsmgmt), "127.0.0.1:%u", port + 3u);
	char *const dns_argv[] = { (char[]){ DNS }, (char[]){ "-dns01" }, dnsaddr,
		(char[]){ "-http01" }, (char[]){ "" }, (char[]){ "-https01" },
		(char[]){ "" }, (char[]){ "-tlsalpn01" }, (char[]){ "" },
		(char[]){ "-management" }, dnsmgmt, (char[]){ "-defaultIPv6" },
		(char[]){ "" }, NULL };
	char *const argv[] = { (char[]){ PEBBLE }, (char[]){ "-config" }, config,
		(char[]){ "-dnsserver" }, dnsaddr, NULL };
	/* without it Pebble sleeps up to 15 s before each validation */
	char *const env[] = { (char[]){ "PEBBLE_VA_NOSLEEP=1" }, NULL };
	enum dstack_status st = spawn(dns_argv, env, dnslog, &ca->dns, why);
	if (st == DSTACK_OK)
		st = spawn(argv, env, log, &ca->pebble, why);
	(void)snprintf(ca->directory, sizeof(ca->directory),
	    "https://127.0.0.1:%u/dir", port);
	(void)snprintf(
	    ca->http_listen, sizeof(ca->http_listen), "127.0.0.1:%u", port + 2u);
	return st;
}

/*
 * Pebble makes its root when it starts and hands it out on the management
 * port alone, so that is what tells that it is up.
 */
static enum dstack_status
await_root(struct local_ca *ca, uint16_t port, struct why *why)
{
	char url[64];
	(void)snprintf(url, sizeof(url), "https://127.0.0.1:%u/roots/0", port + 1u);
	for (int i = 0; i < START_SECONDS * 1000 / POLL_MS; i++) {
		AUTO_WR struct wr pem = wr_new(64 * 1024);
		AUTO_WR struct wr dir = wr_new(64 * 1024);
		unsigned status = 0, status2 = 0;
		struct http_request q = { 0 };
		q.url = url;
		q.ca_file = ca->ca_file;
		struct http_request q2 = q;
		q2.url = ca->directory;
		if (http_do(&q, &status, &pem, NULL, why) == DSTACK_OK &&
		    status == 200 &&
		    http_do(&q2, &status2, &dir, NULL, why) == DSTACK_OK &&
		    status2 == 200) {
			AUTO_CLOSE int fd = open(ca->root_file,
			    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
			if (fd < 0 || write(fd, pem.buf, pem.len) !=
				(ssize_t)pem.len)
				return why_set(why, DSTACK_E_SYS,
				    "%s cannot be written", ca->root_file);
			return DSTACK_OK;
		}
		/* a port that is taken ends it at once: no use in waiting */
		int st;
		if (waitpid(ca->pebble, &st, WNOHANG) == ca->pebble) {
			ca->pebble = 0;
			return why_set(why, DSTACK_E_SYS,
			    "pebble ended at once; see pebble.log beside %s",
			    ca->ca_file);
		}
		nap();
	}
	return why_set(why, DSTACK_E_MISSING, "pebble does not answer");
}

enum dstack_status
local_ca_start(
    struct local_ca *ca, const char *dir, uint16_t port, struct why *why)
{
	char key[600];
	memset(ca, 0, sizeof(*ca));
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return why_set(why, DSTACK_E_SYS, "%s: %s", dir, strerror(errno));
	(void)snprintf(ca->ca_file, sizeof(ca->ca_file), "%s/acme.pem", dir);
	(void)snprintf(ca->root_file, sizeof(ca->root_file), "%s/ca.pem", dir);
	(void)snprintf(key, sizeof(key), "%s/acme.key", dir);
	enum dstack_status st = endpoint_certificate(ca->ca_file, key, why);
	if (st == DSTACK_OK)
		st = start_processes(ca, dir, port, why);
	if (st == DSTACK_OK)
		st = await_root(ca, port, why);
	if (st != DSTACK_OK)
		local_ca_stop(ca);
	return st;
}

/* Asked to end, and made to after five seconds. */
static void
end(pid_t *pid)
{
	if (*pid <= 0)
		return;
	(void)kill(*pid, SIGTERM);
	for (int i = 0; i < 50; i++) {
		int st;
		if (waitpid(*pid, &st, WNOHANG) != 0) {
			*pid = 0;
			return;
		}
		nap();
	}
	(void)kill(*pid, SIGKILL);
	(void)waitpid(*pid, NULL, 0);
	*pid = 0;
}

void
local_ca_stop(struct local_ca *ca)
{
	end(&ca->pebble);
	end(&ca->dns);
}
