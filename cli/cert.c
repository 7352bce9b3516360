/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack cert: have the guest's certificate request signed, and renewed. The
 * host volume has both: request.csr from the guest, certificate.pem for it.
 * Every way in (an order, a file by hand) ends in the same judgement
 * (host/acme/issued.c) before certificate.pem is replaced. watch never ends by
 * itself: it waits for a request, orders, and after a failure leaves the CA
 * in peace for as long as the CA asks, or its limits do.
 */
#include "cli/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/own.h"
#include "cli/usage.h"
#include "crypto/server_chain.h"
#include "host/acme/acme.h"
#include "host/acme/issued.h"
#include "host/acme/local_ca.h"
#include "protocol/netcfg.h"

static const struct usage uses[] = {
	{ "cert request", "dstack cert request [OPTION...]   one order, then done",
	    "directory ca account host-volume http", NULL },
	{ "cert watch", "dstack cert watch [OPTION...]     order, and renew in time",
	    "directory ca account host-volume http", NULL },
	{ "cert install", "dstack cert install FILE [--host-volume DIR]",
	    "host-volume", NULL },
	{ "cert local-ca",
	    "dstack cert local-ca [--dir DIR] [--port N]   Pebble, until Ctrl-C",
	    "dir port", NULL },
	{ NULL, NULL, NULL, NULL },
};

static const char options_text[] =
    "options:\n"
    "  --directory URL    ACME directory (default Let's Encrypt)\n"
    "  --ca FILE          PEM to trust for that URL (default the system's)\n"
    "  --account FILE     account key, made if missing (default acme-account.key)\n"
    "  --host-volume DIR  has request.csr, gets certificate.pem (default host_volume)\n"
    "  --http ADDR:PORT   where http-01 is answered (default 0.0.0.0:80)";

struct options {
	struct acme_config acme;
	const char *host_volume;
	const char *dir;
	uint16_t port;
	char csr[512];
	char certificate[512];
};

/* Set at SIGINT and SIGTERM: orders and waits end early then. */
static atomic_bool ended;

static void
parse(const struct usage *u, int argc, char **argv, struct options *o)
{
	static const struct option names[] = {
		{ "directory", required_argument, NULL, 'd' },
		{ "ca", required_argument, NULL, 'c' },
		{ "account", required_argument, NULL, 'a' },
		{ "host-volume", required_argument, NULL, 'v' },
		{ "http", required_argument, NULL, 'h' },
		{ "dir", required_argument, NULL, 'D' },
		{ "port", required_argument, NULL, 'p' },
		{ NULL, 0, NULL, 0 },
	};
	memset(o, 0, sizeof(*o));
	o->acme.directory = "https://acme-v02.api.letsencrypt.org/directory";
	o->acme.account_key = "acme-account.key";
	o->acme.http_listen = "0.0.0.0:80";
	o->host_volume = "host_volume";
	o->dir = "build/local-ca";
	o->port = 14000;
	int c;
	while ((c = usage_next(u, argc, argv, names)) != -1) {
		switch (c) {
		case 'd':
			usage_url(u, "--directory", optarg);
			o->acme.directory = optarg;
			break;
		case 'c':
			o->acme.ca_file = optarg;
			break;
		case 'a':
			o->acme.account_key = optarg;
			break;
		case 'v':
			o->host_volume = optarg;
			break;
		case 'h':
			o->acme.http_listen = optarg;
			break;
		case 'D':
			o->dir = optarg;
			break;
		default:
			o->port = (uint16_t)usage_number(
			    u, "--port", optarg, 1, 65530);
			break;
		}
	}
	int a = snprintf(o->csr, sizeof(o->csr), "%s/request.csr", o->host_volume);
	int b = snprintf(o->certificate, sizeof(o->certificate),
	    "%s/certificate.pem", o->host_volume);
	if (a < 0 || b < 0 || (size_t)a >= sizeof(o->csr) ||
	    (size_t)b >= sizeof(o->certificate))
		usage_wrong(u, "--host-volume: a path of over 480 bytes");
	o->acme.stop = &ended;
	o->acme.csr = o->csr;
	o->acme.certificate = o->certificate;
}

static void
on_signal(int sig)
{
	(void)sig;
	atomic_store(&ended, true);
}

/* An order ends within a second of Ctrl-C, and is taken up by the next run. */
static void
catch_signals(void)
{
	struct sigaction sa;
	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_signal;
	(void)sigaction(SIGINT, &sa, NULL);
	(void)sigaction(SIGTERM, &sa, NULL);
}

/* Is a new certificate due? Not without a request, which the guest writes. */
static bool
due(const struct options *o, uint8_t spki[static 32])
{
	struct wanted w;

	if (wanted_read(o->csr, &w, NULL) != DSTACK_OK)
		return false;
	memcpy(spki, w.spki, 32);
	bool yes = !issued_fresh(o->certificate, &w);
	wanted_free(&w);
	return yes;
}

/*
 * Seconds until the next try after the n-th failure in a row (from 1): from
 * ten minutes, doubled to a day, since CAs count failures (Let's Encrypt: five
 * an hour) and certificates (five a week); more where the CA asks for it.
 */
static unsigned
pause_after(unsigned n, unsigned asked)
{
	unsigned s = 600;

	for (unsigned i = 1; i < n && s < 86400; i++)
		s *= 2;
	if (s > 86400)
		s = 86400;
	return s > asked ? s : asked;
}

static int
watch(const struct options *o)
{
	unsigned failures = 0;
	uint8_t asked_for[32] = { 0 }, now[32] = { 0 };
	struct why why = { "" };

	/* a folder that is not there will not come by itself */
	if (access(o->host_volume, W_OK | X_OK) != 0)
		return cmd_fail("cert",
		    why_set(&why, DSTACK_E_SYS,
		        "host volume %s: %s; name the node's by --host-volume",
		        o->host_volume, strerror(errno)),
		    &why);
	catch_signals();
	while (!atomic_load(&ended)) {
		unsigned again = 0;
		unsigned wait = 0;
		if (due(o, now)) {
			memcpy(asked_for, now, sizeof(now));
			if (acme_issue(&o->acme, &again, &why) == DSTACK_OK) {
				failures = 0;
				log_line("cert: %s is new", o->certificate);
			} else if (!atomic_load(&ended)) {
				wait = pause_after(++failures, again);
				log_line("cert: %s; next try in %u minutes",
				    why.text, (wait + 59) / 60);
			}
		}
		/* another request, or a certificate by hand, ends the wait */
		for (unsigned i = 0; i < wait && !atomic_load(&ended); i++) {
			(void)sleep(1);
			if (i % 10 == 9 && (!due(o, now) ||
			        memcmp(asked_for, now, sizeof(now)) != 0)) {
				failures = 0;
				break;
			}
		}
		for (int i = 0; i < 10 && !atomic_load(&ended); i++)
			(void)sleep(1);
	}
	return EXIT_YES;
}

/*
 * Where the guest has not written its request yet: the name of netcfg, with
 * the key of the certificate itself, for none is known that it should have.
 */
static enum dstack_status
known_by_netcfg(const struct options *o, const void *pem, size_t n,
    struct wanted *w, struct why *why)
{
	char path[600], text[NETCFG_MAX + 1];
	struct netcfg cfg;
	enum dstack_status st;

	(void)snprintf(path, sizeof(path), "%s/netcfg", o->host_volume);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t len = fd >= 0 ? read(fd, text, sizeof(text)) : -1;
	if (len < 0)
		return why_set(why, DSTACK_E_MISSING,
		    "%s has neither request.csr (the guest writes it) nor "
		    "netcfg: nothing to judge a certificate by",
		    o->host_volume);
	if ((st = netcfg_parse(text, (size_t)len, &cfg, why)) != DSTACK_OK)
		return why_wrap(why, st, "%s", path);
	(void)snprintf(w->name, sizeof(w->name), "%s", cfg.tls_domain);
	w->key = issued_key(pem, n);
	return DSTACK_OK;
}

/*
 * A certificate got by other means. It is judged as the guest will judge it:
 * one that the guest refuses would only be found out by its clients.
 */
static int
install(const struct options *o, const char *file)
{
	struct why why = { "" };
	struct wanted w = { NULL, "", { 0 }, { 0 } };
	AUTO_CLOSE int in = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char buf[SERVER_CHAIN_PEM_MAX + 1];
	ssize_t n = in >= 0 ? read(in, buf, sizeof(buf)) : -1;
	AUTO_WR struct wr pem = wr_new(0);

	if (n < 0)
		return cmd_fail("cert",
		    why_set(&why, DSTACK_E_SYS, "%s: %s", file, strerror(errno)),
		    &why);
	enum dstack_status st = wanted_read(o->csr, &w, &why);
	if (st == DSTACK_E_MISSING)
		st = known_by_netcfg(o, buf, (size_t)n, &w, &why);
	if (st == DSTACK_OK)
		st = issued_judge(file, buf, (size_t)n, &w,
		    (uint64_t)time(NULL), &pem, &why);
	if (st == DSTACK_E_FORMAT && w.name[0] != '\0')
		st = DSTACK_E_REJECTED;
	wanted_free(&w);
	if (st == DSTACK_OK)
		st = issued_write(o->certificate, &pem, &why);
	if (st != DSTACK_OK)
		return cmd_fail("cert", st, &why);
	printf("%s installed; the guest judges it within ten seconds\n",
	    o->certificate);
	return EXIT_YES;
}

/* Stays until it is told to end, and takes Pebble with it. */
static int
local_ca(const struct options *o)
{
	struct local_ca ca;
	struct why why = { "" };
	catch_signals();
	enum dstack_status st = local_ca_start(&ca, o->dir, o->port, &why);
	if (st != DSTACK_OK)
		return cmd_fail("cert", st, &why);
	printf("directory %s\nca %s\nroot %s\nhttp %s\n", ca.directory, ca.ca_file,
	    ca.root_file, ca.http_listen);
	(void)fflush(stdout);
	while (!atomic_load(&ended))
		(void)pause();
	local_ca_stop(&ca);
	return EXIT_YES;
}

int
cmd_cert(int argc, char **argv)
{
	enum { REQUEST, WATCH, INSTALL, LOCAL_CA };
	struct options o;
	struct why why = { "" };
	const struct usage *u = usage_sub(uses, options_text, argc, argv);
	struct usage with = *u;
	char text[1024];

	/* of one word that has no list of its own, with the options */
	if (u - uses <= WATCH) {
		(void)snprintf(text, sizeof(text), "%s\n%s", u->text,
		    options_text);
		with.text = text;
	}
	argc--;
	argv++;
	parse(&with, argc, argv, &o);
	int words = u - uses == INSTALL;
	usage_words(&with, argc, argv, words, words, "FILE");
	switch (u - uses) {
	case WATCH: return watch(&o);
	case INSTALL: return install(&o, argv[optind]);
	case LOCAL_CA: return local_ca(&o);
	default: break;
	}
	catch_signals();
	enum dstack_status st = acme_issue(&o.acme, NULL, &why);
	if (st != DSTACK_OK)
		return cmd_fail("cert", st, &why);
	printf("%s written\n", o.certificate);
	return EXIT_YES;
}
