/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The made chain as files, in every form that a beacon node or a test of the
 * specification has them. With a folder as argument it writes them there, for
 * tests/net/beacon_verify.sh; without one it is a test that they are what they
 * are called: a network's text, and documents that give one another's bytes.
 *
 * The chain begins in Deneb (period 3) and crosses Electra and Fulu into Gloas
 * (period 6): an update for each period, a finality update in the last.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hex.h"
#include "tests/unit/lib/beacon/beacon_bed.h"
#include "sim/lcjson.h"
#include "tests/unit/lib/beacon/mksnappy.h"

#define FIRST BEACON_DENEB
#define LAST BEACON_GLOAS
#define ROOM (8u * MK_LEN)

static const char *dir;

static void
put(const char *name, const void *p, size_t n)
{
	char path[512];
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "wb");
	if (f == NULL || fwrite(p, 1, n, f) != n || fclose(f) != 0)
		abort();
}

static size_t
get(const char *name, uint8_t *p, size_t room)
{
	char path[512];
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	size_t n = fread(p, 1, room, f);
	assert_true(n < room);
	assert_int_equal(fclose(f), 0);
	return n;
}

static void
put_hex(const char *name, const uint8_t p[32])
{
	char text[66];
	hex_encode(p, 32, text);
	put(name, text, 64);
}

/* One container in all its forms: NAME.ssz, .frames, .snappy, .block, .json */
static void
put_forms(const char *name, const struct mk *k, enum beacon_kind kind)
{
	uint8_t *p = malloc(ROOM), *q = malloc(ROOM);
	uint8_t digest[32];
	char file[64];
	size_t n = mk_ssz(k, kind, p);
#define FORM(end) ((void)snprintf(file, sizeof(file), "%s." end, name), file)
	put(FORM("ssz"), p, n);
	put(FORM("snappy"), q, ms_framed(p, n, q));
	put(FORM("block"), q, ms_block(p, n, q));
	fork_data_root(&k->n, k->fork, digest);
	mk_le(q, n + 4, 8);
	memcpy(q + 8, digest, 4);
	memcpy(q + 12, p, n);
	put(FORM("frames"), q, n + 12);
	json_t *j = mk_json(k, kind);
	char *t = json_dumps(j, JSON_INDENT(2));
	put(FORM("json"), t, strlen(t));
	put(FORM("json.snappy"), q, ms_framed((uint8_t *)t, strlen(t), q));
	free(t);
	json_decref(j);
	free(q);
	free(p);
}

/* The files NAME of a list, one behind the other (frames), or as JSON. */
static void
put_lists(void)
{
	uint8_t *all = malloc(ROOM), *one = malloc(ROOM);
	json_t *list = json_array();
	size_t n = 0;
	char file[64];
	for (unsigned p = FIRST; p <= LAST; p++) {
		(void)snprintf(file, sizeof(file), "update-%u.frames", p);
		n += get(file, all + n, ROOM - n);
		(void)snprintf(file, sizeof(file), "update-%u.json", p);
		size_t len = get(file, one, ROOM);
		json_array_append_new(
		    list, json_loadb((char *)one, len, 0, NULL));
	}
	put("updates.frames", all, n);
	put("updates.frames.snappy", one, ms_framed(all, n, one));
	char *t = json_dumps(list, 0);
	put("updates.json", t, strlen(t));
	free(t);
	json_decref(list);
	free(one);
	free(all);
}

static void
put_network(void)
{
	char text[1024], hex[66];
	hex_encode(net.genesis_root, 32, hex);
	int n = snprintf(text, sizeof(text),
	    "name=made\ngenesis-root=%s\ngenesis-time=%u\n"
	    "seconds-per-slot=6\nslots-per-epoch=8\nepochs-per-period=8\n"
	    "committee=%u\n",
	    hex, MK_GENESIS, net.committee);
	for (unsigned f = 0; f < BEACON_FORKS; f++)
		n += snprintf(text + n, sizeof(text) - (size_t)n,
		    "fork=%s 0x%02x000077 %u\n", fork_name((enum beacon_fork)f),
		    f + 1, 8 * f);
	n += snprintf(text + n, sizeof(text) - (size_t)n,
	    "fork=heze 0x99000000 %u\n", 8 * BEACON_FORKS);
	put("network", text, (size_t)n);
}

static void
put_all(void)
{
	uint8_t root[32];
	char name[64], text[32];
	put_network();
	mk_bootstrap(&m, &net, AT(FIRST, 8), root);
	put_hex("root", root);
	put_forms("bootstrap", &m, BEACON_KIND_BOOTSTRAP);
	for (unsigned p = FIRST; p <= LAST; p++) {
		mk_update(&m, &net, AT(p, 16), AT(p, 30), AT(p, 31));
		(void)snprintf(name, sizeof(name), "update-%u", p);
		put_forms(name, &m, BEACON_KIND_UPDATE);
		mk_header_root(&m.finalized, root);
		(void)snprintf(name, sizeof(name), "root-%u", p);
		put_hex(name, root);
		(void)snprintf(name, sizeof(name), "hash-%u", p);
		put_hex(name, m.finalized.hash);
	}
	put_lists();
	mk_update(&m, &net, AT(LAST, 40), AT(LAST, 60), AT(LAST, 61));
	put_forms("finality", &m, BEACON_KIND_FINALITY);
	mk_header_root(&m.finalized, root);
	put_hex("root-end", root);
	put_hex("hash-end", m.finalized.hash);
	put("now", text,
	    (size_t)snprintf(text, sizeof(text), "%llu",
		(unsigned long long)mk_time(AT(LAST, 61))));
	/* wrong in one thing, and signed */
	mk_update(&m, &net, AT(LAST, 42), AT(LAST, 62), AT(LAST, 63));
	m.signers = 21;
	mk_sign(&m);
	put_forms("few", &m, BEACON_KIND_FINALITY);
	mk_update(&m, &net, AT(LAST, 60), AT(LAST + 1, 2), AT(LAST + 1, 3));
	m.attested.slot = AT(LAST + 1, 2);
	put_forms("unknown-fork", &m, BEACON_KIND_UPDATE);
}

static void
one_document(const char *name, const char *same, enum beacon_kind kind)
{
	uint8_t *p = malloc(ROOM), *q = malloc(ROOM);
	size_t n = get(name, p, ROOM), want = get(same, q, ROOM);
	struct beacon_doc *d = NULL;
	enum beacon_code code;
	struct why why = { "" };
	if (beacon_doc_open(&net, kind, p, n, &d, &code, &why) != DSTACK_OK)
		fail_msg("%s: %s", name, why.text);
	assert_int_equal(beacon_doc_count(d), 1);
	assert_int_equal(beacon_doc_item(d, 0).len, want);
	assert_memory_equal(beacon_doc_item(d, 0).ssz, q, want);
	beacon_doc_free(d);
	free(q);
	free(p);
}

static void
the_files_are_what_they_are_called(void **state)
{
	(void)state;
	char temp[] = "/tmp/beacon.XXXXXX", text[2048];
	struct beacon_network n;
	struct why why = { "" };
	dir = mkdtemp(temp);
	assert_non_null(dir);
	put_all();
	size_t len = get("network", (uint8_t *)text, sizeof(text));
	assert_int_equal(
	    beacon_network_parse(text, len, &n, &why), DSTACK_OK);
	assert_memory_equal(&n.fork, &net.fork, sizeof(n.fork));
	assert_int_equal(n.end_epoch, net.end_epoch);
	one_document("bootstrap.json", "bootstrap.ssz", BEACON_KIND_BOOTSTRAP);
	one_document("update-4.json", "update-4.ssz", BEACON_KIND_UPDATE);
	one_document("update-6.frames", "update-6.ssz", BEACON_KIND_UPDATE);
	one_document("finality.json", "finality.ssz", BEACON_KIND_FINALITY);
	assert_int_equal(chdir(dir), 0);
	static const char *const ends[] = { "ssz", "frames", "snappy", "block",
		"json", "json.snappy" };
	static const char *const stems[] = { "bootstrap", "update-3",
		"update-4", "update-5", "update-6", "finality", "few",
		"unknown-fork" };
	for (size_t i = 0; i < 8; i++)
		for (size_t k = 0; k < 6; k++) {
			(void)snprintf(text, sizeof(text), "%s.%s", stems[i],
			    ends[k]);
			assert_int_equal(unlink(text), 0);
		}
	static const char *const rest[] = { "network", "root", "root-3",
		"root-4", "root-5", "root-6", "hash-3", "hash-4", "hash-5",
		"hash-6", "updates.frames", "updates.frames.snappy",
		"updates.json", "root-end", "hash-end", "now" };
	for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++)
		assert_int_equal(unlink(rest[i]), 0);
	assert_int_equal(rmdir(dir), 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_files_are_what_they_are_called),
	};
	if (argc >= 2) {
		/* a second argument: so many keys; a third: the hash of the
		 * execution block that the finality update is for */
		net = mk_network(
		    argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 32);
		if (argc > 3 &&
		    hex_decode(argv[3], strlen(argv[3]), mk_named_hash, 32) ==
			DSTACK_OK)
			mk_named_slot = AT(LAST, 40);
		dir = argv[1];
		put_all();
		return 0;
	}
	return cmocka_run_group_tests(tests, bed_setup, NULL);
}
