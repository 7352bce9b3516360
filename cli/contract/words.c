/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of dstack contract: which verb, which of the options of all
 * verbs it takes, which it cannot do without, and what its own words are. All
 * of it is judged here, before a configuration is read, a key is opened or a
 * network is asked; what only the chain can tell (is that epoch there?) is the
 * verbs' to judge.
 */
#include "cli/contract/contract.h"

#include <stdio.h>
#include <string.h>

#include "cli/demo/network.h"
#include "cli/usage.h"
#include "protocol/layout.h"
#include "protocol/netcfg.h"

#define EVERY "config rpc contract key-file json"
#define EPOCH_FLOORS "epoch tcb min-eval min-root-crl min-pck-crl"

static const char more[] =
    "all verbs: [--config host.env] [--rpc URL] [--contract ADDR]\n"
    "           [--key-file FILE] [--json]\n"
    "--calldata: print what the verb would send, for a timelock or multisig\n"
    "that owns the contract, and send nothing.\n"
    "--max-fee GWEI: the most that a unit of gas may cost (100).\n"
    "The key is PRIVKEY of the configuration, or 64 hex digits in FILE.\n"
    "With neither --config nor --rpc: the network of " DEMO_DIR " when it\n"
    "runs, with its owner's key; else host.env.";

/*
 * In the order of the help. A word that a verb lacks here cannot be typed, so a
 * verb reads no field that nothing has set.
 */
static const struct contract_verb verbs[] = {
	{ "show", verb_show, W_NONE, false, false, "tuples beacon netcfg",
	    NULL, NULL, "[--tuples] [--beacon URL,... [--netcfg FILE]]" },
	{ "deploy", verb_deploy, W_NONE, true, true,
	    "owner pauser notice sim ct code", NULL, NULL,
	    "[--owner A] [--pauser A] [--notice SECONDS] [--sim]\n"
	    "           [--ct onchain|relay] [--code KeyManager.bin]" },
	{ "open-epoch", verb_open_epoch, W_NONE, true, false,
	    "bootstrapper expiry per-block platforms replace " EPOCH_FLOORS,
	    "bootstrapper", NULL,
	    "--bootstrapper A [--epoch N] [--tcb NAME,...]\n"
	    "           [--min-eval N] [--min-root-crl N] [--min-pck-crl N]\n"
	    "           [--expiry BLOCKS] [--per-block N] [--replace]\n"
	    "           [--platforms allow|deny|open]" },
	{ "allow-tuple", verb_allow_tuple, W_HASH, true, false, "epoch", NULL,
	    NULL, "HASH [--epoch N]" },
	{ "deny-tuple", verb_deny_tuple, W_HASH, true, false, "epoch", NULL,
	    NULL, "HASH [--epoch N]" },
	{ "accept-advisory", verb_accept_advisory, W_ID, true, false, "epoch",
	    NULL, NULL, "ID [--epoch N]" },
	{ "deny-advisory", verb_deny_advisory, W_ID, true, false, "epoch",
	    NULL, NULL, "ID [--epoch N]" },
	{ "allow-platform", verb_allow_platform, W_HASH, true, false, "", NULL,
	    NULL, "HASH" },
	{ "deny-platform", verb_deny_platform, W_HASH, true, false, "", NULL,
	    NULL, "HASH" },
	{ "allow-tuple-again", verb_allow_tuple_again, W_HASH, true, false,
	    "epoch", NULL, NULL,
	    "HASH [--epoch N]   what the pauser denied" },
	{ "allow-advisory-again", verb_allow_advisory_again, W_ID, true, false,
	    "epoch", NULL, NULL, "ID [--epoch N]   what the pauser denied" },
	{ "allow-platform-again", verb_allow_platform_again, W_HASH, true,
	    false, "", NULL, NULL, "HASH   what the pauser denied" },
	{ "close-epoch", verb_close_epoch, W_NONE, true, false, "epoch",
	    "epoch", NULL, "--epoch N" },
	{ "propose", verb_propose, W_NONE, true, false,
	    "name digest app-id version not-before", "name digest", NULL,
	    "--name NAME --digest HASH [--app-id HASH] [--version N]\n"
	    "           [--not-before SECONDS]" },
	{ "stop-app", verb_stop_app, W_VERSION, true, false, "", NULL, NULL,
	    "VERSION" },
	{ "pause", verb_pause, W_NONE, true, false, "", NULL, NULL, "" },
	{ "unpause", verb_unpause, W_NONE, true, false, "", NULL, NULL, "" },
	{ "raise-floors", verb_raise_floors, W_NONE, true, false, EPOCH_FLOORS,
	    NULL, "tcb min-eval min-root-crl min-pck-crl",
	    "[--epoch N] [--tcb NAME,...] [--min-eval N]\n"
	    "           [--min-root-crl N] [--min-pck-crl N]" },
	{ "set-pauser", verb_set_pauser, W_ADDRESS, true, false, "", NULL,
	    NULL, "A" },
	{ "transfer-ownership", verb_transfer_ownership, W_ADDRESS, true,
	    false, "", NULL, NULL, "A" },
	{ "accept-ownership", verb_accept_ownership, W_NONE, true, false, "",
	    NULL, NULL, "" },
	{ "purge", verb_purge, W_HASH, true, false, "", NULL, NULL,
	    "REQUESTID" },
	{ "verify", verb_verify, W_SIGNED, false, false, "", NULL, NULL,
	    "APPDATA SIGNATURE" },
	{ "netcfg", verb_netcfg, W_NONE, false, false,
	    "domain out view confirmations beacon checkpoint finality max-age "
	    "log-app", "domain", NULL,
	    "--domain NAME [--out FILE]\n"
	    "           [--beacon NAME|FILE --checkpoint ROOT\n"
	    "           [--finality finalized|attested]]\n"
	    "           [--view rpc [--confirmations N]]\n"
	    "           [--max-age SECONDS] [--log-app yes|no]" },
};
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

/*
 * All options of all verbs; contract_verb.takes says whose they are. Their
 * order is that of enum contract_option, so that a code is a bit of "given".
 */
static const struct option lopt[] = {
	{ "config", required_argument, NULL, O_CONFIG },
	{ "rpc", required_argument, NULL, O_RPC },
	{ "contract", required_argument, NULL, O_CONTRACT },
	{ "key-file", required_argument, NULL, O_KEY },
	{ "json", no_argument, NULL, O_JSON },
	{ "owner", required_argument, NULL, O_OWNER },
	{ "pauser", required_argument, NULL, O_PAUSER },
	{ "notice", required_argument, NULL, O_NOTICE },
	{ "sim", no_argument, NULL, O_SIM },
	{ "ct", required_argument, NULL, O_CT },
	{ "code", required_argument, NULL, O_CODE },
	{ "bootstrapper", required_argument, NULL, O_BOOTSTRAPPER },
	{ "epoch", required_argument, NULL, O_EPOCH },
	{ "tcb", required_argument, NULL, O_TCB },
	{ "min-eval", required_argument, NULL, O_EVAL },
	{ "min-root-crl", required_argument, NULL, O_ROOT },
	{ "min-pck-crl", required_argument, NULL, O_PCK },
	{ "expiry", required_argument, NULL, O_EXPIRY },
	{ "per-block", required_argument, NULL, O_CAP },
	{ "platforms", required_argument, NULL, O_PLATFORMS },
	{ "name", required_argument, NULL, O_NAME },
	{ "digest", required_argument, NULL, O_DIGEST },
	{ "app-id", required_argument, NULL, O_APP },
	{ "version", required_argument, NULL, O_VERSION },
	{ "not-before", required_argument, NULL, O_BEFORE },
	{ "domain", required_argument, NULL, O_DOMAIN },
	{ "out", required_argument, NULL, O_OUT },
	{ "confirmations", required_argument, NULL, O_CONFIRMATIONS },
	{ "view", required_argument, NULL, O_VIEW },
	{ "beacon", required_argument, NULL, O_BEACON },
	{ "checkpoint", required_argument, NULL, O_CHECKPOINT },
	{ "finality", required_argument, NULL, O_FINALITY },
	{ "max-age", required_argument, NULL, O_MAX_AGE },
	{ "netcfg", required_argument, NULL, O_NETCFG },
	{ "log-app", required_argument, NULL, O_LOG_APP },
	{ "calldata", no_argument, NULL, O_CALLDATA },
	{ "max-fee", required_argument, NULL, O_MAX_FEE },
	{ "replace", no_argument, NULL, O_REPLACE },
	{ "tuples", no_argument, NULL, O_TUPLES },
	{ NULL, 0, NULL, 0 },
};

/* Names of TCB statuses, as in Intel's TCB info, at their bit. */
static void
tcb_mask(const struct usage *u, const char *text, uint32_t *mask)
{
	static const char *const names[KM_TCB_COUNT + 1] = { "UpToDate",
		"SWHardeningNeeded", "ConfigurationNeeded",
		"ConfigurationAndSWHardeningNeeded", "OutOfDate",
		"OutOfDateConfigurationNeeded", NULL };
	char one[64];

	*mask = 0;
	for (const char *p = text;; p++) {
		size_t n = strcspn(p, ",");
		/* longer than any of the names is cut, and so none of them */
		(void)snprintf(one, sizeof(one), "%.*s",
		    (int)(n < 60 ? n : 60), p);
		*mask |= 1u << usage_choice(u, "--tcb", one, names);
		p += n;
		if (*p == '\0')
			return;
	}
}

static uint32_t
u32(const struct usage *u, const char *what, uint32_t least)
{
	return (uint32_t)usage_number(u, what, optarg, least, UINT32_MAX);
}

/* Values of open-epoch and raise-floors; false: it is none of theirs. */
static bool
policy_option(const struct usage *u, struct state_policy *p, int c)
{
	static const char *const modes[] = { "allow", "deny", "open", NULL };
	static const uint8_t mode[] = { KM_PLATFORM_ALLOW, KM_PLATFORM_DENY,
		KM_PLATFORM_OPEN };

	switch (c) {
	case O_TCB: tcb_mask(u, optarg, &p->tcb_mask); return true;
	case O_EVAL: p->min_tcb_eval = u32(u, "--min-eval", 0); return true;
	case O_ROOT: p->min_root_crl = u32(u, "--min-root-crl", 0); return true;
	case O_PCK: p->min_pck_crl = u32(u, "--min-pck-crl", 0); return true;
	case O_EXPIRY: /* EXPIRY_MAX of contracts/KeyManager.sol */
		p->request_expiry = (uint32_t)usage_number(
		    u, "--expiry", optarg, 1, 7200);
		return true;
	case O_CAP:
		p->requests_per_block = (uint16_t)usage_number(
		    u, "--per-block", optarg, 1, UINT16_MAX);
		return true;
	case O_PLATFORMS:
		p->platform_mode =
		    mode[usage_choice(u, "--platforms", optarg, modes)];
		return true;
	default: return false;
	}
}

static void
/*
 * What a value must be depends on the option alone, so it is judged where it
 * stands; what depends on the verb comes after all of them.
 */
option(const struct usage *u, struct contract_args *a, int c)
{
	static const char *const cts[] = { "onchain", "relay", NULL };
	static const char *const yes_no[] = { "yes", "no", NULL };
	static const char *const views[] = { "rpc", "beacon", NULL };
	static const char *const finalities[] = { "finalized", "attested",
		NULL };

	/* zero may be what was typed, so that it was typed is kept apart */
	a->given |= UINT64_C(1) << (c - O_CONFIG);
	if (policy_option(u, &a->policy, c))
		return;
	switch (c) {
	case O_CONFIG: a->config = optarg; break;
	case O_RPC:
		usage_url(u, "--rpc", optarg);
		a->rpc = optarg;
		break;
	case O_CONTRACT:
		a->has_contract = true;
		usage_hex(u, "--contract", optarg, a->contract, 20);
		break;
	case O_KEY: a->key_file = optarg; break;
	case O_JSON: a->json = true; break;
	case O_OWNER:
		usage_hex(u, "--owner", optarg, a->deploy.owner, 20);
		break;
	case O_PAUSER:
		usage_hex(u, "--pauser", optarg, a->deploy.pauser, 20);
		break;
	case O_NOTICE: a->deploy.notice_period = u32(u, "--notice", 0); break;
	case O_SIM: a->deploy.sim = true; break;
	case O_CT:
		a->deploy.ct_onchain = usage_choice(u, "--ct", optarg, cts) == 0;
		break;
	case O_CODE: a->code = optarg; break;
	case O_BOOTSTRAPPER:
		usage_hex(u, "--bootstrapper", optarg, a->bootstrapper, 20);
		break;
	case O_EPOCH:
		a->epoch =
		    usage_number(u, "--epoch", optarg, 0, UINT64_MAX - 1);
		break;
	case O_NAME:
		if (strlen(optarg) > KM_APP_NAME_MAX)
			usage_wrong(u, "--name takes at most %d bytes",
			    KM_APP_NAME_MAX);
		a->name = optarg;
		break;
	case O_DIGEST: /* as docker prints it, too */
		usage_hex(u, "--digest",
		    optarg + (strncmp(optarg, "sha256:", 7) == 0 ? 7 : 0),
		    a->digest, 32);
		break;
	case O_APP: usage_hex(u, "--app-id", optarg, a->app_id, 32); break;
	case O_VERSION:
		a->version =
		    usage_number(u, "--version", optarg, 1, UINT64_MAX);
		break;
	case O_BEFORE:
		a->not_before =
		    usage_number(u, "--not-before", optarg, 0, UINT64_MAX);
		break;
	case O_DOMAIN:
		if (!netcfg_domain_ok(optarg, strlen(optarg)))
			usage_wrong(u, "--domain takes a host name in small "
			    "letters, not '%.80s'", optarg);
		a->domain = optarg;
		break;
	case O_OUT: a->out = optarg; break;
	case O_CONFIRMATIONS:
		a->confirmations = u32(u, "--confirmations", 0);
		break;
	case O_VIEW:
		(void)usage_choice(u, "--view", optarg, views);
		a->view = optarg;
		break;
	case O_BEACON: a->beacon = optarg; break;
	case O_NETCFG: a->seen.netcfg = optarg; break;
	case O_CHECKPOINT:
		usage_hex(u, "--checkpoint", optarg, a->checkpoint, 32);
		break;
	case O_FINALITY:
		(void)usage_choice(u, "--finality", optarg, finalities);
		a->finality = optarg;
		break;
	case O_MAX_AGE:
		a->max_age = usage_number(u, "--max-age", optarg,
		    NETCFG_MAX_AGE_MIN, NETCFG_MAX_AGE_MAX);
		break;
	case O_LOG_APP:
		(void)usage_choice(u, "--log-app", optarg, yes_no);
		a->log_app = optarg;
		break;
	case O_CALLDATA: a->calldata = true; break;
	case O_MAX_FEE: a->max_fee_gwei = u32(u, "--max-fee", 1); break;
	case O_REPLACE: a->replace = true; break;
	default: a->tuples = true; break;
	}
}

/* How many of the names are there; *absent: the first that is not. */
static unsigned
there(const struct contract_args *a, const char *names, char absent[32])
{
	unsigned n = 0;

	absent[0] = '\0';
	for (const char *p = names; *p != '\0';) {
		size_t k = strcspn(p, " ");
		for (const struct option *o = lopt; o->name != NULL; o++) {
			if (strlen(o->name) != k || memcmp(o->name, p, k) != 0)
				continue;
			n += GIVEN(a, o->val);
			if (!GIVEN(a, o->val) && absent[0] == '\0')
				(void)snprintf(absent, 32, "--%s", o->name);
		}
		p += k + (p[k] == ' ');
	}
	return n;
}

/* The words that are no options: none, one or two, each of the verb's kind. */
static void
own_words(const struct usage *u, const struct contract_verb *v, int argc,
    char **argv, struct contract_args *a)
{
	static const char *const names[] = { "", "HASH", "ID", "ADDRESS",
		"VERSION", "APPDATA or SIGNATURE" };
	int n = v->words == W_NONE ? 0 : v->words == W_SIGNED ? 2 : 1;

	usage_words(u, argc, argv, n, n, names[v->words]);
	/* NULL where the verb has none: not read then */
	const char *word = argv[optind];
	switch (v->words) {
	case W_NONE: break;
	case W_HASH: usage_hex(u, "HASH", word, a->hash, 32); break;
	case W_ID:
		/* only its hash is sent: a typing error would not be seen */
		if (word[strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		                      "abcdefghijklmnopqrstuvwxyz"
		                      "0123456789-")] != '\0')
			usage_wrong(u, "ID takes letters, digits and '-', as "
			    "INTEL-SA-00837 has, not '%.80s'", word);
		a->id = word;
		break;
	case W_ADDRESS: usage_hex(u, "ADDRESS", word, a->who, 20); break;
	case W_VERSION:
		a->which = usage_number(u, "VERSION", word, 1, UINT64_MAX);
		break;
	case W_SIGNED:
		usage_hex(u, "APPDATA", word, a->hash, 32);
		usage_hex(u, "SIGNATURE", argv[optind + 1], a->sig, 65);
		break;
	}
}

const struct contract_verb *
contract_parse(int argc, char **argv, struct contract_args *a)
{
	/* usage_sub's list, from the table above; it ends with zeros */
	static char name[VERBS + 1][40], text[VERBS + 1][400];
	static struct usage uses[VERBS + 1];
	char takes[200], absent[32], alone[1200];
	int c;

	for (size_t i = 0; i < VERBS; i++) {
		(void)snprintf(name[i], sizeof(name[i]), "contract %s",
		    verbs[i].name);
		(void)snprintf(text[i], sizeof(text[i]), "dstack %.40s%s%.300s",
		    name[i], verbs[i].help[0] != '\0' ? " " : "",
		    verbs[i].help);
		uses[i] = (struct usage){ name[i], text[i], NULL, NULL };
	}
	size_t at = (size_t)(usage_sub(uses, more, argc, argv) - uses);
	const struct contract_verb *v = &verbs[at];
	struct usage *u = &uses[at];
	/*
	 * Only what sends has a price, and only what sends to a contract can be
	 * kept for another sender.
	 */
	(void)snprintf(takes, sizeof(takes), EVERY " %s%s%s", v->takes,
	    v->sends ? " max-fee" : "",
	    v->sends && !v->creates ? " calldata" : "");
	(void)snprintf(alone, sizeof(alone), "%s\n%s", u->text, more);
	u->takes = takes;
	u->text = alone;
	argc--;
	argv++;
	/* values first, each where it stands; then what is missing */
	while ((c = usage_next(u, argc, argv, lopt)) != -1)
		option(u, a, c);
	own_words(u, v, argc, argv, a);
	absent[0] = '\0';
	if (v->needs != NULL)
		(void)there(a, v->needs, absent);
	if (absent[0] != '\0')
		usage_wrong(u, "%s is missing", absent);
	if (v->one_of != NULL && there(a, v->one_of, absent) == 0)
		usage_wrong(u, "which floors? --tcb, --min-eval, "
		    "--min-root-crl or --min-pck-crl is missing");
	return v;
}
