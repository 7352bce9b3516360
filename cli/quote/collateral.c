/* SPDX-License-Identifier: Apache-2.0 */
/* dstack quote collateral: fetch and check what a quote is judged by. */
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/log.h"
#include "base/own.h"
#include "cli/cmd.h"
#include "cli/quote/input.h"
#include "cli/usage.h"
#include "host/collateral/collateral.h"

struct args {
	const char *quote, *fmspc, *ca, *cache, *root, *url, *pccs_ca;
	enum dcap_tee tee;
	bool early;
};

static void
take_args(const struct usage *u, int argc, char **argv, struct args *a)
{
	static const struct option options[] = {
		{ "fmspc", required_argument, NULL, 'f' },
		{ "ca", required_argument, NULL, 'c' },
		{ "tee", required_argument, NULL, 't' },
		{ "url", required_argument, NULL, 'l' },
		{ "update", required_argument, NULL, 'u' },
		{ "cache", required_argument, NULL, 'd' },
		{ "root", required_argument, NULL, 'r' },
		{ "pccs-ca", required_argument, NULL, 'C' },
		{ NULL, 0, NULL, 0 },
	};
	static const char *const cas[] = { "platform", "processor", NULL };
	static const char *const tees[] = { "tdx", "sgx", NULL };
	static const char *const updates[] = { "standard", "early", NULL };
	uint8_t model[6];
	int c;

	while ((c = usage_next(u, argc, argv, options)) != -1) {
		switch (c) {
		case 'f':
			usage_hex(u, "--fmspc", optarg, model, 6);
			a->fmspc = optarg;
			break;
		case 'c':
			a->ca = cas[usage_choice(u, "--ca", optarg, cas)];
			break;
		case 't':
			a->tee = usage_choice(u, "--tee", optarg, tees) == 0
			    ? DCAP_TEE_TDX
			    : DCAP_TEE_SGX;
			break;
		case 'l':
			usage_url(u, "--url", optarg);
			a->url = optarg;
			break;
		case 'u':
			a->early =
			    usage_choice(u, "--update", optarg, updates) == 1;
			break;
		case 'd': a->cache = optarg; break;
		case 'C': a->pccs_ca = optarg; break;
		default: a->root = optarg; break;
		}
	}
	usage_words(u, argc, argv, 0, 1, "QUOTE");
	a->quote = argv[optind];
	if (a->quote == NULL && a->fmspc == NULL)
		usage_wrong(u, "of what? QUOTE or --fmspc HEX is missing");
	if (a->quote != NULL && a->fmspc != NULL)
		usage_wrong(u, "QUOTE or --fmspc HEX, not both");
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
	/* Told as what it is: text in none of the known forms. */
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
cmd_quote_collateral(const struct usage *u, int argc, char **argv)
{
	struct args a = { .ca = "platform", .tee = DCAP_TEE_TDX };
	AUTO_WR struct wr out = wr_new(0);
	struct collateral *c = NULL;
	struct why why = { "" };
	uint8_t root[64];
	char fmspc[13];

	take_args(u, argc, argv, &a);
	enum dstack_status st = quote_read_root(a.root, root, &why);
	if (st == DSTACK_OK && a.quote != NULL)
		st = of_quote(&a, fmspc, &why);
	const struct collateral_options o = { .url = a.url,
		.ca_file = a.pccs_ca,
		.quiet = true,
		.early = a.early,
		.cache_dir = a.cache,
		.root_key = root };
	if (st == DSTACK_OK)
		st = collateral_new(&o, &c, &why);
	if (st == DSTACK_OK) {
		/*
		 * The same cache as a node's, so the same rules: nothing older
		 * than what was had, nothing that has ended.
		 */
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
