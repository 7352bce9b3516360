/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks: what the three known ones are, and what a text of one's own may
 * say. Each wrong text is the right one with one thing changed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/lib/beacon/beacon_bed.h"

static const char good[] =
    "# a chain of ours\n"
    "name=devnet-1\n"
    "genesis-root=0x474747474747474747474747474747474747474747474747474747"
    "4747474747\n"
    "genesis-time=1600000000\n"
    "\n"
    "seconds-per-slot=6\n"
    "slots-per-epoch=8\n"
    "epochs-per-period=8\n"
    "committee=32\n"
    "fork=altair 0x01000077 0\n"
    "fork=bellatrix 0x02000077 8\n"
    "fork=capella 0x03000077 8\n";

static void
a_text_becomes_a_network(void **state)
{
	(void)state;
	struct beacon_network n;
	struct why why = { "" };
	enum beacon_fork f;
	assert_int_equal(
	    beacon_network_parse(good, strlen(good), &n, &why), DSTACK_OK);
	assert_string_equal(n.name, "devnet-1");
	assert_memory_equal(n.genesis_root, net.genesis_root, 32);
	assert_int_equal(n.genesis_time, 1600000000);
	assert_int_equal(n.seconds_per_slot, 6);
	assert_int_equal(n.slots_per_epoch, 8);
	assert_int_equal(n.epochs_per_period, 8);
	assert_int_equal(n.committee, 32);
	assert_int_equal(n.fork[BEACON_BELLATRIX].version[0], 2);
	/* of two forks at one epoch the later one is in force */
	assert_int_equal(fork_at(&n, 64, &f, NULL), BEACON_OK);
	assert_int_equal(f, BEACON_CAPELLA);
	assert_int_equal(fork_at(&n, 63, &f, NULL), BEACON_OK);
	assert_int_equal(f, BEACON_ALTAIR);
	/* what has no date is never in force */
	assert_int_equal(fork_at(&n, UINT64_MAX, &f, NULL), BEACON_OK);
	assert_int_equal(f, BEACON_CAPELLA);
	/* the last line need not end */
	assert_int_equal(
	    beacon_network_parse(good, strlen(good) - 1, &n, &why), DSTACK_OK);
}

static void
a_fork_nobody_knows_ends_the_table(void **state)
{
	(void)state;
	char text[1024];
	struct beacon_network n;
	struct why why = { "" };
	enum beacon_fork f;
	(void)snprintf(
	    text, sizeof(text), "%sfork=heze 0x09000000 100\n", good);
	assert_int_equal(
	    beacon_network_parse(text, strlen(text), &n, &why), DSTACK_OK);
	assert_int_equal(fork_at(&n, 799, &f, &why), BEACON_OK);
	assert_int_equal(fork_at(&n, 800, &f, &why), BEACON_FORK);
	assert_non_null(strstr(why.text, "heze"));
	assert_non_null(strstr(why.text, "slot 800 "));
	(void)snprintf(text, sizeof(text),
	    "%sfork=heze 0x09000000 100\nfork=deneb 0x04000000 101\n", good);
	assert_int_equal(beacon_network_parse(text, strlen(text), &n, &why),
	    DSTACK_E_FORMAT);
}

/* The good text with what stood there replaced. */
static void
wrong_text(const char *what, const char *by, const char *says)
{
	char text[1024];
	struct beacon_network n;
	struct why why = { "" };
	const char *at = strstr(good, what);
	assert_non_null(at);
	(void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good,
	    by, at + strlen(what));
	memset(&n, 0x5a, sizeof(n));
	if (beacon_network_parse(text, strlen(text), &n, &why) !=
	    DSTACK_E_FORMAT)
		fail_msg("'%s' was taken for '%s'", by, what);
	if (strstr(why.text, says) == NULL)
		fail_msg("'%s' says nothing of '%s'", why.text, says);
	assert_int_equal(((uint8_t *)&n)[0], 0x5a);
}

static void
each_line_is_judged(void **state)
{
	(void)state;
	wrong_text("name=devnet-1", "name=", "line 2: name");
	wrong_text("name=devnet-1", "name=Devnet", "name");
	wrong_text("name=devnet-1", "name=a b", "name");
	wrong_text("name=devnet-1",
	    "name=abcdefghijklmnopqrstuvwxyz-12345", "name");
	wrong_text("name=devnet-1", "name devnet", "not KEY=VALUE");
	wrong_text("name=devnet-1\n", "", "name is missing");
	wrong_text("name=devnet-1", "name=a\nname=a", "line 3: name stands twice");
	wrong_text("genesis-root=0x47", "genesis-root=0x", "genesis-root");
	wrong_text("genesis-root=0x47", "genesis-root=0x4g", "genesis-root");
	wrong_text("genesis-time=1600000000", "genesis-time=", "genesis-time");
	wrong_text("genesis-time=1600000000", "genesis-time=1e9", "genesis-time");
	wrong_text("genesis-time=1600000000",
	    "genesis-time=9223372036854775808", "genesis-time");
	wrong_text("genesis-time=1600000000",
	    "genesis-time=18446744073709551617", "genesis-time");
	wrong_text("seconds-per-slot=6", "seconds-per-slot=0", "seconds");
	wrong_text("seconds-per-slot=6", "seconds-per-slot=3601", "seconds");
	wrong_text("slots-per-epoch=8", "slots-per-epoch=0", "slots");
	wrong_text("slots-per-epoch=8", "slots-per-epoch=1", "slots");
	wrong_text("slots-per-epoch=8", "slots-per-epoch=4097", "slots");
	wrong_text("epochs-per-period=8", "epochs-per-period=0", "epochs");
	wrong_text("epochs-per-period=8", "epochs-per-period=65537", "epochs");
	wrong_text("committee=32", "committee=4", "committee");
	wrong_text("committee=32", "committee=33", "committee");
	wrong_text("committee=32", "committee=24", "committee");
	wrong_text("committee=32", "committee=1024", "committee");
	wrong_text("committee=32", "keys-of-it=32", "'keys-of-it' is not a key");
	wrong_text("fork=altair 0x01000077 0", "fork=altair", "fork");
	wrong_text("fork=altair 0x01000077 0", "fork=altair 0x01000077", "fork");
	wrong_text("fork=altair 0x01000077 0", "fork=altair 0x010000 0", "fork");
	wrong_text("fork=altair 0x01000077 0", "fork=altair 0x01000077 ", "fork");
	wrong_text("fork=altair 0x01000077 0",
	    "fork=altair 0x01000077 9223372036854775808", "fork");
	/* not the first, out of order, before the one before */
	wrong_text("fork=altair 0x01000077 0\n", "", "fork");
	wrong_text("fork=altair 0x01000077 0\n", "fork=heze 0x01000077 0\n",
	    "fork");
	wrong_text("fork=altair 0x01000077 0\n"
		   "fork=bellatrix 0x02000077 8\n"
		   "fork=capella 0x03000077 8\n",
	    "fork=heze 0x01000077 0\n", "line 10: fork");
	wrong_text("bellatrix", "capella", "fork");
	wrong_text("bellatrix 0x02000077 8", "bellatrix 0x02000077 9", "line 12");
	wrong_text("capella", "altair", "fork");
	wrong_text("capella", "Deneb", "fork");
}

static void
what_is_no_text_is_refused(void **state)
{
	(void)state;
	struct beacon_network n;
	struct why why = { "" };
	char big[4200];
	assert_int_equal(
	    beacon_network_parse("", 0, &n, &why), DSTACK_E_FORMAT);
	/* a NUL would hide the rest */
	memcpy(big, good, sizeof(good));
	assert_int_equal(beacon_network_parse(big, sizeof(good), &n, &why),
	    DSTACK_E_FORMAT);
	memset(big, '#', sizeof(big));
	assert_int_equal(
	    beacon_network_parse(big, sizeof(big), &n, &why), DSTACK_E_LIMIT);
	/* 4096 are not too many: a comment alone, and then all is missing */
	assert_int_equal(
	    beacon_network_parse(big, 4096, &n, &why), DSTACK_E_FORMAT);
}

/* First and last slot of a fork; UINT64_MAX: nobody knows its end. */
static void
from_to(const char *name, enum beacon_fork want, uint64_t first_epoch,
    uint64_t next_epoch)
{
	const struct beacon_network *n = beacon_network_named(name);
	enum beacon_fork f;
	assert_non_null(n);
	assert_int_equal(fork_at(n, 32 * first_epoch, &f, NULL), BEACON_OK);
	assert_int_equal(f, want);
	if (first_epoch != 0 &&
	    fork_at(n, 32 * first_epoch - 1, &f, NULL) == BEACON_OK)
		assert_int_not_equal(f, want);
	uint64_t last = next_epoch == UINT64_MAX ? UINT64_MAX
						 : 32 * next_epoch - 1;
	assert_int_equal(fork_at(n, last, &f, NULL), BEACON_OK);
	assert_int_equal(f, want);
}

/* Figures as in the consensus clients' configurations (lib/beacon/fork.c). */
static void
the_known_networks_have_their_forks(void **state)
{
	(void)state;
	enum beacon_fork f;
	from_to("mainnet", BEACON_ALTAIR, 74240, 144896);
	from_to("mainnet", BEACON_BELLATRIX, 144896, 194048);
	from_to("mainnet", BEACON_CAPELLA, 194048, 269568);
	from_to("mainnet", BEACON_DENEB, 269568, 364032);
	from_to("mainnet", BEACON_ELECTRA, 364032, 411392);
	from_to("mainnet", BEACON_FULU, 411392, UINT64_MAX);
	from_to("sepolia", BEACON_FULU, 272640, 353024);
	from_to("sepolia", BEACON_GLOAS, 353024, UINT64_MAX);
	from_to("hoodi", BEACON_ELECTRA, 2048, 50688);
	from_to("hoodi", BEACON_FULU, 50688, UINT64_MAX);
	assert_null(beacon_network_named("holesky"));
	assert_null(beacon_network_named(""));
	assert_int_equal(fork_at(beacon_network_named("mainnet"),
			     32 * 74240 - 1, &f, NULL),
	    BEACON_FORK);
	/* Gloas on Sepolia: 2026-10-06 13:53:36 UTC */
	const struct beacon_network *s = beacon_network_named("sepolia");
	assert_int_equal(slot_now(s, 1791294816), 353024 * 32);
	assert_int_equal(slot_now(s, 1791294815), 353024 * 32 - 1);
	assert_int_equal(slot_now(s, s->genesis_time - 1), 0);
}

/*
 * What mainnet's nodes put before their answers and into their records: the
 * first bytes of a hash over version and genesis root, which holds both.
 */
static void
the_known_networks_have_their_digests(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		enum beacon_fork f;
		uint8_t digest[4];
	} known[] = {
		{ "mainnet", BEACON_ALTAIR, { 0xaf, 0xca, 0xab, 0xa0 } },
		{ "mainnet", BEACON_BELLATRIX, { 0x4a, 0x26, 0xc5, 0x8b } },
		{ "mainnet", BEACON_CAPELLA, { 0xbb, 0xa4, 0xda, 0x96 } },
		{ "mainnet", BEACON_DENEB, { 0x6a, 0x95, 0xa1, 0xa9 } },
		{ "mainnet", BEACON_ELECTRA, { 0xad, 0x53, 0x2c, 0xeb } },
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		uint8_t root[32];
		fork_data_root(
		    beacon_network_named(known[i].name), known[i].f, root);
		assert_memory_equal(root, known[i].digest, 4);
	}
}

/* Written and read back it is the same, and only what fits is written. */
static void
a_network_has_one_text(void **state)
{
	(void)state;
	static const char *const names[] = { "mainnet", "sepolia", "hoodi" };
	struct beacon_network n, back;
	char text[4096], again[4096], few[16];
	for (size_t i = 0; i < 3; i++) {
		n = *beacon_network_named(names[i]);
		size_t len = beacon_network_text(&n, text, sizeof(text));
		assert_true(len < sizeof(text) && strlen(text) == len);
		assert_int_equal(
		    beacon_network_parse(text, len, &back, NULL), DSTACK_OK);
		assert_int_equal(
		    beacon_network_text(&back, again, sizeof(again)), len);
		assert_string_equal(text, again);
		assert_string_equal(back.name, n.name);
		assert_memory_equal(back.genesis_root, n.genesis_root, 32);
		assert_int_equal(back.genesis_time, n.genesis_time);
		assert_int_equal(back.committee, n.committee);
		for (unsigned f = 0; f < BEACON_FORKS; f++) {
			assert_int_equal(back.fork[f].epoch, n.fork[f].epoch);
			if (n.fork[f].epoch != BEACON_NEVER)
				assert_memory_equal(back.fork[f].version,
				    n.fork[f].version, 4);
		}
		memset(few, 'x', sizeof(few));
		assert_int_equal(beacon_network_text(&n, few, 8), len);
		assert_memory_equal(few, text, 7);
		assert_int_equal(few[7], '\0');
		assert_int_equal(few[8], 'x');
		assert_int_equal(beacon_network_text(&n, NULL, 0), len);
	}
	(void)snprintf(n.end_name, sizeof(n.end_name), "heze");
	n.end_epoch = 1u << 30;
	size_t len = beacon_network_text(&n, text, sizeof(text));
	assert_int_equal(
	    beacon_network_parse(text, len, &back, NULL), DSTACK_OK);
	assert_string_equal(back.end_name, "heze");
	assert_int_equal(back.end_epoch, n.end_epoch);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_becomes_a_network),
		cmocka_unit_test(a_fork_nobody_knows_ends_the_table),
		cmocka_unit_test(each_line_is_judged),
		cmocka_unit_test(what_is_no_text_is_refused),
		cmocka_unit_test(the_known_networks_have_their_forks),
		cmocka_unit_test(the_known_networks_have_their_digests),
		cmocka_unit_test(a_network_has_one_text),
	};
	return cmocka_run_group_tests(tests, bed_setup, NULL);
}
