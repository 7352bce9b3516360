/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <sys/mman.h>
#include <unistd.h>

#include "base/own.h"
#include "crypto/hash.h"
#include "guest/base/role.h"
#include "protocol/netcfg.h"

#define A40 "5fbdb2315678afecb367f032d93f642f64180aa3"
#define W64 "00000000000000000000000000000000000000000000000000000000000000ff"

static const char good[] = "dstack-netcfg=2\n"
			   "chain-id=31337\n"
			   "contract=0x" A40 "\n"
			   "code-hash=0x" W64 "\n"
			   "view=rpc\n"
			   "confirmations=0\n"
			   "max-age=3600\n"
			   "tls-domain=demo.dstack.test\n"
			   "ct=onchain\n"
			   "log-app=1\n";

#define HEAD_LINES                                                             \
	"dstack-netcfg=2\n"                                                    \
	"chain-id=31337\n"                                                     \
	"contract=0x" A40 "\n"                                                 \
	"code-hash=0x" W64 "\n"
#define TAIL_LINES                                                             \
	"max-age=3600\n"                                                       \
	"tls-domain=demo.dstack.test\n"                                        \
	"ct=onchain\n"                                                         \
	"log-app=1\n"
static const char by_name[] = HEAD_LINES
    "view=beacon\n"
    "beacon=sepolia\n"
    "checkpoint=0x" W64 "\n"
    "finality=finalized\n" TAIL_LINES;
static const char by_table[] = HEAD_LINES
    "view=beacon\n"
    "beacon=own\n"
    "beacon-name=devnet\n"
    "beacon-genesis-root=0x" W64 "\n"
    "beacon-genesis-time=1578009900\n"
    "beacon-seconds-per-slot=6\n"
    "beacon-slots-per-epoch=8\n"
    "beacon-epochs-per-period=8\n"
    "beacon-committee=32\n"
    "beacon-fork=altair 0x01000001 0\n"
    "beacon-fork=bellatrix 0x02000001 3\n"
    "beacon-fork=heze 0x00000000 99\n"
    "checkpoint=0x" W64 "\n"
    "finality=attested\n" TAIL_LINES;

static enum dstack_status
parse(const char *text)
{
	struct netcfg c;
	return netcfg_parse(text, strlen(text), &c, NULL);
}

static void
one_text_has_one_meaning_and_the_reverse(void **state)
{
	(void)state;
	struct netcfg c;
	struct why why;
	assert_int_equal(
	    netcfg_parse(good, strlen(good), &c, &why), DSTACK_OK);
	assert_int_equal(c.chain_id, 31337);
	assert_int_equal(c.contract[0], 0x5f);
	assert_int_equal(c.code_hash[31], 0xff);
	assert_int_equal(c.view, NETCFG_VIEW_RPC);
	assert_int_equal(c.confirmations, 0);
	assert_string_equal(c.tls_domain, "demo.dstack.test");
	assert_int_equal(c.max_age, 3600);
	assert_int_equal(c.ct, NETCFG_CT_ONCHAIN);
	assert_true(c.log_app);
	AUTO_WR struct wr w = wr_new(0);
	assert_int_equal(netcfg_write(&c, &w, &why), DSTACK_OK);
	assert_int_equal(w.len, strlen(good));
	assert_memory_equal(w.buf, good, w.len);
}

static void
every_cut_every_extra_byte_and_most_flips_are_refused(void **state)
{
	(void)state;
	struct netcfg c;
	char text[sizeof(good) + 1];
	for (size_t n = 0; n < strlen(good); n++)
		assert_int_not_equal(
		    netcfg_parse(good, n, &c, NULL), DSTACK_OK);
	for (int b = 0; b < 256; b++) {
		memcpy(text, good, strlen(good));
		text[strlen(good)] = (char)b;
		assert_int_not_equal(
		    netcfg_parse(text, strlen(good) + 1, &c, NULL),
		    DSTACK_OK);
	}
	/* what parses writes back as itself, so no two texts mean the same */
	for (size_t i = 0; i < strlen(good); i++) {
		for (int bit = 0; bit < 8; bit++) {
			memcpy(text, good, strlen(good));
			text[i] = (char)(text[i] ^ (1 << bit));
			if (netcfg_parse(text, strlen(good), &c, NULL) !=
			    DSTACK_OK)
				continue;
			AUTO_WR struct wr w = wr_new(0);
			assert_int_equal(netcfg_write(&c, &w, NULL), DSTACK_OK);
			assert_int_equal(w.len, strlen(good));
			assert_memory_equal(w.buf, text, w.len);
		}
	}
}

static void
in(const char *of, const char *from, const char *to, enum dstack_status want)
{
	char text[2048];
	const char *at = strstr(of, from);
	assert_non_null(at);
	(void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - of), of, to,
	    at + strlen(from));
	assert_int_equal(parse(text), want);
}

static void
with(const char *from, const char *to, enum dstack_status want)
{
	in(good, from, to, want);
}

static void
a_beacon_chain_is_named_or_told_whole(void **state)
{
	(void)state;
	const enum dstack_status no = DSTACK_E_FORMAT;
	static const char *const both[] = { by_name, by_table };
	for (size_t i = 0; i < 2; i++) {
		struct netcfg c;
		AUTO_WR struct wr w = wr_new(0);
		assert_int_equal(
		    netcfg_parse(both[i], strlen(both[i]), &c, NULL), DSTACK_OK);
		assert_int_equal(c.view, NETCFG_VIEW_BEACON);
		assert_int_equal(c.beacon_own, i == 1);
		assert_int_equal(c.checkpoint[31], 0xff);
		assert_int_equal(c.finality,
		    i == 1 ? NETCFG_ATTESTED : NETCFG_FINALIZED);
		assert_int_equal(c.max_age, 3600);
		assert_int_equal(netcfg_write(&c, &w, NULL), DSTACK_OK);
		assert_int_equal(w.len, strlen(both[i]));
		assert_memory_equal(w.buf, both[i], w.len);
		for (size_t n = 0; n < strlen(both[i]); n++)
			assert_int_not_equal(
			    netcfg_parse(both[i], n, &c, NULL), DSTACK_OK);
		/* no two texts mean the same */
		for (size_t b = 0; b < 8 * strlen(both[i]); b++) {
			char text[2048];
			memcpy(text, both[i], strlen(both[i]));
			text[b / 8] = (char)(text[b / 8] ^ (1 << b % 8));
			if (netcfg_parse(text, strlen(both[i]), &c, NULL) !=
			    DSTACK_OK)
				continue;
			AUTO_WR struct wr back = wr_new(0);
			assert_int_equal(
			    netcfg_write(&c, &back, NULL), DSTACK_OK);
			assert_int_equal(back.len, strlen(both[i]));
			assert_memory_equal(back.buf, text, back.len);
		}
		in(both[i], "checkpoint=0x" W64 "\n", "", no);
		in(both[i], "0x" W64 "\nfinality",
		    "0x0000000000000000000000000000000000000000000000000000000"
		    "000000000\nfinality", no);
		in(both[i], "finality=", "finality=x", no);
		in(both[i], "max-age=3600\n", "", no);
		in(both[i], "max-age=3600\n", "confirmations=0\nmax-age=3600\n",
		    no);
	}
	struct netcfg c;
	assert_int_equal(
	    netcfg_parse(by_name, strlen(by_name), &c, NULL), DSTACK_OK);
	assert_string_equal(c.beacon.name, "sepolia");
	assert_int_equal(c.beacon.seconds_per_slot, 12);
	assert_int_equal(
	    netcfg_parse(by_table, strlen(by_table), &c, NULL), DSTACK_OK);
	assert_string_equal(c.beacon.name, "devnet");
	assert_int_equal(c.beacon.fork[BEACON_BELLATRIX].epoch, 3);
	assert_string_equal(c.beacon.end_name, "heze");
	in(by_name, "sepolia", "goerli", no);
	in(by_name, "sepolia", "a-name-of-more-than-thirty-one-letters", no);
	/* a NUL behind the name would be another text of the same meaning */
	char nul[1024];
	const char *end = strstr(by_name, "sepolia") + strlen("sepolia");
	size_t before = (size_t)(end - by_name);
	memcpy(nul, by_name, before);
	nul[before] = '\0';
	memcpy(nul + before + 1, end, strlen(end));
	assert_int_equal(
	    netcfg_parse(nul, strlen(by_name) + 1, &c, NULL), no);
	/* a name with a table is two answers to one question */
	in(by_table, "=own", "=sepolia", no);
	in(by_name, "sepolia", "own", no);
	/* the network's own rules, and one spelling of each line */
	in(by_table, "committee=32", "committee=33", no);
	in(by_table, "slot=6", "slot=06", no);
	in(by_table, "beacon-committee=32\n", "", no);
	in(by_table, "beacon-name=devnet\n", "beacon-#\nbeacon-name=devnet\n",
	    no);
	in(by_table, "0x01000001 0", "01000001 0", no);
	in(by_table, "heze 0x00000000", "heze 0x00000001", no);
}

static void
values_outside_their_bounds_are_refused(void **state)
{
	(void)state;
	const enum dstack_status no = DSTACK_E_FORMAT;
	with("dstack-netcfg=2", "dstack-netcfg=1", no);
	with("dstack-netcfg=2", "dstack-netcfg=3", no);
	with("31337", "0", no);
	with("31337", "031337", no);
	with("31337", "+1", no);
	with("31337", " 1", no);
	with("31337", "9007199254740992", no);
	with("31337", "9007199254740991", DSTACK_OK);
	with("31337", "99999999999999999999", no);
	with("0x5f", "0X5f", no);
	with("0x5f", "0x5F", no);
	with("0x" A40, A40, no);
	with("0x" A40, "0x0000000000000000000000000000000000000000", no);
	with("=0x" W64, "=0x" W64 "00", no);
	with("view=rpc", "view=none", no);
	with("view=rpc", "view=beacon", no);
	with("confirmations=0", "confirmations=201", no);
	with("confirmations=0", "confirmations=200", DSTACK_OK);
	with("demo.dstack.test", "Demo.dstack.test", no);
	with("demo.dstack.test", ".dstack.test", no);
	with("demo.dstack.test", "demo..test", no);
	with("demo.dstack.test", "demo.test.", no);
	with("demo.dstack.test", "-demo.test", no);
	with("demo.dstack.test", "demo-.test", no);
	with("demo.dstack.test", "a-b.test", DSTACK_OK);
	with("demo.dstack.test", "*.test", no);
	with("max-age=3600", "max-age=4", no);
	with("max-age=3600", "max-age=7776001", no);
	with("max-age=3600", "max-age=7776000", DSTACK_OK);
	with("ct=onchain", "ct=other", no);
	with("ct=onchain", "ct=relay", DSTACK_OK);
	with("log-app=1", "log-app=2", no);
	with("log-app=1", "log-app=11", no);
	with("\nlog-app", "\r\nlog-app", no);
}

static void
a_missing_a_doubled_and_a_moved_line_are_refused(void **state)
{
	(void)state;
	with("view=rpc\n", "", DSTACK_E_FORMAT);
	with("view=rpc\n", "view=rpc\nview=rpc\n", DSTACK_E_FORMAT);
	with("ct=onchain\nlog-app=1\n", "log-app=1\nct=onchain\n",
	    DSTACK_E_FORMAT);
	char big[NETCFG_MAX + 2];
	memset(big, 'a', sizeof(big));
	struct netcfg c;
	assert_int_equal(
	    netcfg_parse(big, NETCFG_MAX + 1, &c, NULL), DSTACK_E_LIMIT);
}

/* A role's own, at the descriptor that it is born with. */
static enum dstack_status
of_role(const char *text, size_t len, struct netcfg *c, uint8_t *hash)
{
	int saved = dup(FD_NETCFG);
	int fd = memfd_create("netcfg", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	assert_int_equal(dup2(fd, FD_NETCFG), FD_NETCFG);
	enum dstack_status st = role_netcfg(c, hash, NULL);
	assert_int_equal(lseek(FD_NETCFG, 0, SEEK_CUR), len); /* others read it */
	if (fd != FD_NETCFG)
		(void)close(fd);
	if (saved >= 0) {
		assert_int_equal(dup2(saved, FD_NETCFG), FD_NETCFG);
		(void)close(saved);
	} else {
		(void)close(FD_NETCFG);
	}
	return st;
}

static void
a_role_reads_the_whole_netcfg_or_none(void **state)
{
	(void)state;
	struct netcfg c;
	uint8_t got[48], want[48];
	char big[NETCFG_MAX + 1];
	assert_int_equal(of_role(good, strlen(good), &c, got), DSTACK_OK);
	assert_int_equal(c.chain_id, 31337);
	sha384(good, strlen(good), want);
	assert_memory_equal(got, want, 48);
	assert_int_equal(of_role(good, strlen(good), &c, NULL), DSTACK_OK);
	assert_int_equal(of_role(good, 0, &c, NULL), DSTACK_E_SYS);
	memset(big, 'a', sizeof(big));
	assert_int_equal(
	    of_role(big, sizeof(big), &c, got), DSTACK_E_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_text_has_one_meaning_and_the_reverse),
		cmocka_unit_test(
		    every_cut_every_extra_byte_and_most_flips_are_refused),
		cmocka_unit_test(values_outside_their_bounds_are_refused),
		cmocka_unit_test(
		    a_missing_a_doubled_and_a_moved_line_are_refused),
		cmocka_unit_test(a_beacon_chain_is_named_or_told_whole),
		cmocka_unit_test(a_role_reads_the_whole_netcfg_or_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
