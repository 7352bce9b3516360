/* SPDX-License-Identifier: Apache-2.0 */
/* dstack cert: have the guest's certificate request signed, and renewed. */
#include "cli/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/log.h"
#include "base/own.h"
#include "cli/usage.h"
#include "host/acme/acme.h"
#include "host/acme/local_ca.h"

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
	o->acme.csr = o->csr;
	o->acme.certificate = o->certificate;
}

/* Set at SIGINT and SIGTERM; nap() comes back early then. */
static volatile sig_atomic_t ended;

static void
on_signal(int sig)
{
	(void)sig;
	ended = 1;
}

static void
catch_signals(void)
{
	struct sigaction sa;
	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_signal;
	(void)sigaction(SIGINT, &sa, NULL);
	(void)sigaction(SIGTERM, &sa, NULL);
}

static X509 *
read_leaf(const char *path)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (f == NULL)
		return NULL;
	(void)take_fd(&fd);
	X509 *x = PEM_read_X509(f, NULL, NULL, NULL);
	(void)fclose(f);
	return x;
}

/* Is certificate.pem for the key of request.csr, with a third of its life? */
static bool
fresh(const struct options *o)
{
	X509 *x = read_leaf(o->certificate);
	AUTO_CLOSE int fd = open(o->csr, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
	X509_REQ *req = NULL;
	if (f != NULL) {
		(void)take_fd(&fd);
		req = PEM_read_X509_REQ(f, NULL, NULL, NULL);
		(void)fclose(f);
	}
	bool yes = false;
	int life_days = 0, life_secs = 0, left_days = 0, left_secs = 0;
	if (x != NULL && req != NULL &&
	    EVP_PKEY_eq(X509_get0_pubkey(x), X509_REQ_get0_pubkey(req)) == 1 &&
	    ASN1_TIME_diff(&life_days, &life_secs, X509_get0_notBefore(x),
		X509_get0_notAfter(x)) == 1 &&
	    ASN1_TIME_diff(
		&left_days, &left_secs, NULL, X509_get0_notAfter(x)) == 1) {
		int64_t life = (int64_t)life_days * 86400 + life_secs;
		int64_t left = (int64_t)left_days * 86400 + left_secs;
		yes = left > life / 3;
	}
	X509_free(x);
	X509_REQ_free(req);
	return yes;
}

static int
watch(const struct options *o)
{
	catch_signals();
	while (!ended) {
		if (!fresh(o) && access(o->csr, R_OK) == 0) {
			struct why why = { "" };
			if (acme_issue(&o->acme, &why) == DSTACK_OK)
				log_line("cert: %s is new", o->certificate);
			else
				log_line("cert: %s; next try in 10 minutes",
				    why.text);
			for (int i = 0; i < 600 && !ended && !fresh(o); i++)
				(void)sleep(1);
		}
		for (int i = 0; i < 10 && !ended; i++)
			(void)sleep(1);
	}
	return EXIT_YES;
}

static int
install(const struct options *o, const char *file)
{
	struct why why = { "" };
	AUTO_CLOSE int in = open(file, O_RDONLY | O_CLOEXEC);
	char buf[64 * 1024];
	ssize_t n = in >= 0 ? read(in, buf, sizeof(buf)) : -1;
	X509 *x = read_leaf(file);
	if (n <= 0 || (size_t)n == sizeof(buf) || x == NULL) {
		X509_free(x);
		return cmd_fail("cert",
		    why_set(&why, DSTACK_E_FORMAT,
			"%s is not a PEM certificate below 64 KiB", file),
		    &why);
	}
	X509_free(x);
	AUTO_FREE char *tmp = NULL;
	if (asprintf(&tmp, "%s.new", o->certificate) < 0)
		return EXIT_UNDECIDED;
	AUTO_CLOSE int out = open(
	    tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (out < 0 || write(out, buf, (size_t)n) != n ||
	    rename(tmp, o->certificate) != 0)
		return cmd_fail("cert",
		    why_set(&why, DSTACK_E_SYS, "%s cannot be written: %s",
			o->certificate, strerror(errno)),
		    &why);
	printf("%s installed; the guest judges it within ten seconds\n",
	    o->certificate);
	return EXIT_YES;
}

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
	while (!ended)
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
	enum dstack_status st = acme_issue(&o.acme, &why);
	if (st != DSTACK_OK)
		return cmd_fail("cert", st, &why);
	printf("%s written\n", o.certificate);
	return EXIT_YES;
}
