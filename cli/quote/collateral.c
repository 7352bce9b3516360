/* SPDX-License-Identifier: Apache-2.0 */
/* dstack quote collateral: fetch and check what a quote is judged by. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/log.h"
#include "base/own.h"
#include "cli/cmd.h"
#include "cli/quote/input.h"
#include "host/collateral/collateral.h"

static const char usage[] =
    "usage: dstack quote collateral QUOTE|--fmspc HEX [--ca platform|processor]\n"
    "           [--tee tdx|sgx] [--url URL] [--update standard|early]\n"
    "           [--cache DIR] [--root FILE]\n"
    "The JSON document for quote verify --collateral, from Intel's service or\n"
    "the PCS or PCCS at URL. QUOTE says which; else FMSPC, CA and TEE do.";

struct args {
	const char *quote, *fmspc, *ca, *cache, *root, *url;
	enum dcap_tee tee;
	bool early;
};

static bool
take_args(int argc, char **argv, struct args *a)
{
	static const struct option options[] = {
		{ "fmspc", required_argument, NULL, 'f' },
		{ "ca", required_argument, NULL, 'c' },
		{ "tee", required_argument, NULL, 't' },
		{ "url", required_argument, NULL, 'l' },
		{ "update", required_argument, NULL, 'u' },
		{ "cache", required_argument, NULL, 'd' },
		{ "root", required_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 },
	};
	bool ok = true;
	int c;

	optind = 1;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'f': a->fmspc = optarg; break;
		case 'c': a->ca = optarg; break;
		case 't':
			a->tee = strcmp(optarg, "sgx") == 0 ? DCAP_TEE_SGX
			                                    : DCAP_TEE_TDX;
			ok = ok && (a->tee == DCAP_TEE_SGX ||
			               strcmp(optarg, "tdx") == 0);
			break;
		case 'l': a->url = optarg; break;
		case 'u':
			a->early = strcmp(optarg, "early") == 0;
			ok = ok && (a->early || strcmp(optarg, "standard") == 0);
			break;
		case 'd': a->cache = optarg; break;
		case 'r': a->root = optarg; break;
		default: ok = false; break;
		}
	}
	if (argc - optind == 1)
		a->quote = argv[optind];
	return ok && argc - optind <= 1 &&
	    (a->quote == NULL) != (a->fmspc == NULL);
}

static enum dstack_status
of_quote(struct args *a, char fmspc[static 13], struct why *why)
{
	AUTO_FREE uint8_t *quote = NULL;
	size_t len = 0;
	struct dcap_platform p;
	bool garbled = false;
	enum dstack_status st =
	    quote_read_quote(a->quote, &quote, &len, &garbled, why);
	if (st == DSTACK_OK && garbled)
		st = why_set(why, DSTACK_E_FORMAT, "%s: " QUOTE_GARBLED, a->quote);

	if (st == DSTACK_OK)
		st = dcap_quote_platform(quote, len, &p, why);
	if (st != DSTACK_OK)
		return st;
	hex_encode(p.fmspc, 6, fmspc);
	a->fmspc = fmspc;
	a->ca = p.platform_ca ? "platform" : "processor";
	a->tee = p.tee;
	return DSTACK_OK;
}

int
cmd_quote_collateral(int argc, char **argv)
{
	struct args a = { .ca = "platform", .tee = DCAP_TEE_TDX };
	AUTO_WR struct wr out = wr_new(0);
	struct collateral *c = NULL;
	struct why why = { "" };
	uint8_t root[64];
	char fmspc[13];

	if (!take_args(argc, argv, &a))
		return cmd_usage(usage);
	enum dstack_status st = quote_read_root(a.root, root, &why);
	if (st == DSTACK_OK && a.quote != NULL)
		st = of_quote(&a, fmspc, &why);
	const struct collateral_options o = { .url = a.url,
		.early = a.early,
		.cache_dir = a.cache,
		.root_key = root };
	if (st == DSTACK_OK)
		st = collateral_new(&o, &c, &why);
	if (st == DSTACK_OK) {
		(void)collateral_renew(c); /* what the cache has, if it is due */
		st = collateral_get(c, a.tee, a.fmspc, a.ca, &out, &why);
	}
	collateral_free(c);
	if (st != DSTACK_OK) {
		(void)cmd_fail("quote", st, &why);
		return EXIT_UNDECIDED;
	}
	wr_str(&out, "\n");
	if (fwrite(out.buf, 1, out.len, stdout) != out.len ||
	    fflush(stdout) != 0)
		return EXIT_UNDECIDED;
	return EXIT_YES;
}
