/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A beacon node's documents: every kind of every fork, in every form, gives
 * the bytes of its SSZ; each thing that can be wrong with a form is refused
 * with its code. What the containers claim is the store's matter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/lib/beacon/beacon_bed.h"
#include "sim/lcjson.h"

static const enum beacon_kind kinds[] = { BEACON_KIND_BOOTSTRAP,
	BEACON_KIND_UPDATE, BEACON_KIND_FINALITY };

static void
make(enum beacon_kind kind, unsigned fork)
{
	uint8_t root[32];
	if (kind == BEACON_KIND_BOOTSTRAP)
		mk_bootstrap(&m, &net, AT(fork, 8), root);
	else
		mk_update(&m, &net, AT(fork, 16), AT(fork, 30), AT(fork, 31));
}

/* bytes are a document of count containers, each of them want. */
static void
opens(enum beacon_kind kind, const void *bytes, size_t len, size_t count,
    const uint8_t *want, size_t n)
{
	struct beacon_doc *d = NULL;
	enum beacon_code code;
	struct why why = { "" };
	if (beacon_doc_open(&net, kind, bytes, len, &d, &code, &why) !=
	    DSTACK_OK)
		fail_msg("%s", why.text);
	assert_int_equal(code, BEACON_OK);
	assert_int_equal(beacon_doc_count(d), count);
	for (size_t i = 0; i < count; i++) {
		struct beacon_item it = beacon_doc_item(d, i);
		assert_int_equal(it.len, n);
		assert_memory_equal(it.ssz, want, n);
	}
	beacon_doc_free(d);
}

/* ... are none, with this code and a line that has this in it. */
static void
refuses(enum beacon_kind kind, const void *bytes, size_t len,
    enum beacon_code want, const char *says)
{
	struct beacon_doc *d = NULL;
	enum beacon_code code;
	struct why why = { "" };
	assert_int_equal(
	    beacon_doc_open(&net, kind, bytes, len, &d, &code, &why),
	    DSTACK_E_REJECTED);
	assert_null(d);
	assert_string_equal(beacon_code_text(code), beacon_code_text(want));
	if (strstr(why.text, says) == NULL)
		fail_msg("'%s' says nothing of '%s'", why.text, says);
}

/* The REST API's list: count times p, under the digest of fork f. */
static size_t
frames(uint8_t *out, const uint8_t *p, size_t n, size_t count, unsigned f)
{
	uint8_t digest[32];
	size_t at = 0;
	fork_data_root(&net, (enum beacon_fork)f, digest);
	for (size_t i = 0; i < count; i++) {
		mk_le(out + at, n + 4, 8);
		memcpy(out + at + 8, digest, 4);
		memcpy(out + at + 12, p, n);
		at += 12 + n;
	}
	return at;
}

static void
every_kind_of_every_fork_is_read_in_every_form(void **state)
{
	(void)state;
	uint8_t *p = malloc(MK_LEN), *list = malloc(4 * MK_LEN);
	for (unsigned f = 0; f < BEACON_FORKS; f++)
		for (unsigned k = 0; k < 3; k++) {
			make(kinds[k], f);
			size_t n = mk_ssz(&m, kinds[k], p);
			opens(kinds[k], p, n, 1, p, n);
			opens(kinds[k], list, frames(list, p, n, 3, f), 3, p,
			    n);
			json_t *j = mk_json(&m, kinds[k]);
			char *one = json_dumps(j, JSON_INDENT(1));
			json_t *two = json_pack("[O,O]", j, j);
			char *both = json_dumps(two, JSON_COMPACT);
			opens(kinds[k], one, strlen(one), 1, p, n);
			opens(kinds[k], both, strlen(both), 2, p, n);
			free(one);
			free(both);
			json_decref(two);
			json_decref(j);
		}
	free(list);
	free(p);
}

/* A length more or less, at every place where the bytes may end. */
static void
a_container_cut_anywhere_is_refused(void **state)
{
	(void)state;
	uint8_t *p = malloc(MK_LEN);
	for (unsigned f = 0; f < BEACON_FORKS; f++)
		for (unsigned k = 0; k < 3; k++) {
			make(kinds[k], f);
			size_t n = mk_ssz(&m, kinds[k], p);
			/* the last header's extra_data has a length of its
			 * own: what is missing there is in the branch then,
			 * which is the store's matter */
			size_t free_end = 0;
			if (f >= BEACON_CAPELLA && f < BEACON_GLOAS)
				free_end = kinds[k] == BEACON_KIND_BOOTSTRAP
				    ? m.attested.extra_len
				    : m.finalized.extra_len;
			p[n] = 0;
			for (size_t cut = 0; cut <= n + 1; cut++) {
				if (cut == n || (cut < n && cut + free_end >= n))
					continue;
				if (cut > n && free_end != 0 && free_end < 32)
					continue;
				struct lc_bootstrap b;
				struct lc_update u;
				enum beacon_code c =
				    kinds[k] == BEACON_KIND_BOOTSTRAP
				    ? ssz_bootstrap(&net, p, cut, &b, NULL)
				    : ssz_update(&net,
					  kinds[k] == BEACON_KIND_FINALITY, p,
					  cut, &u, NULL);
				if (c == BEACON_OK)
					fail_msg("%u %u: %zu of %zu", f, k,
					    cut, n);
			}
		}
	free(p);
}

static void
an_offset_has_one_value(void **state)
{
	(void)state;
	uint8_t *p = malloc(MK_LEN);
	make(BEACON_KIND_FINALITY, BEACON_ELECTRA);
	size_t n = mk_ssz(&m, BEACON_KIND_FINALITY, p);
	size_t first = mj_le(p) & 0xffffffff;
	/* of the attested header, of its execution, of that one's extra_data */
	size_t places[] = { 0, first + 112, first + 112 + 4 + 128 + 436 };
	for (unsigned i = 0; i < 3; i++) {
		p[places[i]]++;
		refuses(BEACON_KIND_FINALITY, p, n, BEACON_FORMAT, "");
		p[places[i]]--;
	}
	opens(BEACON_KIND_FINALITY, p, n, 1, p, n);
	/* both headers' offsets, so that what lies between them is right */
	const size_t second = 4;
	p[0]++;
	p[second]++;
	refuses(BEACON_KIND_FINALITY, p, n, BEACON_FORMAT, "");
	p[0]--;
	p[second]--;
	/* extra_data of 33 bytes, which its list has no room for */
	make(BEACON_KIND_BOOTSTRAP, BEACON_DENEB);
	n = mk_ssz(&m, BEACON_KIND_BOOTSTRAP, p);
	assert_int_equal(m.attested.extra_len, 32);
	p[n] = 1;
	refuses(BEACON_KIND_BOOTSTRAP, p, n + 1, BEACON_FORMAT, "known fork");
	free(p);
}

/* The right shape for another fork's slot (helios#523). */
static void
a_container_of_another_fork_than_its_slots_is_refused(void **state)
{
	(void)state;
	uint8_t *p = malloc(MK_LEN), *list = malloc(2 * MK_LEN);
	make(BEACON_KIND_UPDATE, BEACON_DENEB);
	m.attested.slot = AT(BEACON_ELECTRA, 3);
	size_t n = mk_ssz(&m, BEACON_KIND_UPDATE, p);
	refuses(BEACON_KIND_UPDATE, p, n, BEACON_FORK, "form of deneb");
	refuses(BEACON_KIND_UPDATE, list,
	    frames(list, p, n, 1, BEACON_DENEB), BEACON_FORK, "container 0");
	/* Capella's form has the branches of Deneb's, and another payload */
	make(BEACON_KIND_UPDATE, BEACON_CAPELLA);
	m.attested.slot = AT(BEACON_DENEB, 3);
	n = mk_ssz(&m, BEACON_KIND_UPDATE, p);
	refuses(BEACON_KIND_UPDATE, p, n, BEACON_FORK, "form of capella");
	make(BEACON_KIND_UPDATE, BEACON_DENEB);
	m.attested.slot = AT(BEACON_FORKS, 0);
	n = mk_ssz(&m, BEACON_KIND_UPDATE, p);
	refuses(BEACON_KIND_UPDATE, p, n, BEACON_FORK, "heze");
	refuses(BEACON_KIND_UPDATE, p, n, BEACON_FORK, "slot 448 ");
	json_t *j;
	make(BEACON_KIND_FINALITY, BEACON_FULU);
	j = mk_json(&m, BEACON_KIND_FINALITY);
	MJ_SET(j, "version", json_string("deneb"));
	char *t = json_dumps(j, 0);
	/* Fulu's finality branch is a node longer */
	refuses(BEACON_KIND_FINALITY, t, strlen(t), BEACON_FORMAT,
	    "finality_branch");
	free(t);
	json_decref(j);
	free(list);
	free(p);
}

static void
before_altair_there_is_nothing_to_read(void **state)
{
	(void)state;
	uint8_t *p = malloc(MK_LEN);
	make(BEACON_KIND_UPDATE, BEACON_ALTAIR);
	size_t n = mk_ssz(&m, BEACON_KIND_UPDATE, p);
	struct beacon_network late = net;
	late.fork[BEACON_ALTAIR].epoch = 5;
	struct beacon_doc *d = NULL;
	enum beacon_code code;
	struct why why = { "" };
	assert_int_equal(beacon_doc_open(&late, BEACON_KIND_UPDATE, p, n, &d,
			     &code, &why),
	    DSTACK_E_REJECTED);
	assert_int_equal(code, BEACON_FORK);
	assert_non_null(strstr(why.text, "before Altair"));
	free(p);
}

static void
a_list_is_whole_and_of_its_digest(void **state)
{
	(void)state;
	uint8_t *p = malloc(MK_LEN), *list = malloc(4 * MK_LEN);
	make(BEACON_KIND_UPDATE, BEACON_ELECTRA);
	size_t n = mk_ssz(&m, BEACON_KIND_UPDATE, p);
	size_t len = frames(list, p, n, 2, BEACON_ELECTRA);
	opens(BEACON_KIND_UPDATE, list, len, 2, p, n);
	refuses(BEACON_KIND_UPDATE, list, len - 1, BEACON_FORMAT, "neither");
	refuses(BEACON_KIND_UPDATE, list, len - n, BEACON_FORMAT, "neither");
	refuses(BEACON_KIND_UPDATE, list, 7, BEACON_FORMAT, "neither");
	refuses(BEACON_KIND_UPDATE, list, 0, BEACON_FORMAT, "neither");
	/* the second one's length, up to one beyond all bounds */
	memset(list + 12 + n, 0xff, 8);
	refuses(BEACON_KIND_UPDATE, list, len, BEACON_FORMAT, "neither");
	mk_le(list + 12 + n, 3, 8);
	refuses(BEACON_KIND_UPDATE, list, len, BEACON_FORMAT, "neither");
	/* another fork's digest, and another network's */
	len = frames(list, p, n, 2, BEACON_DENEB);
	refuses(BEACON_KIND_UPDATE, list, len, BEACON_FORK, "digest");
	len = frames(list, p, n, 2, BEACON_ELECTRA);
	list[12 + n + 8] ^= 1;
	refuses(BEACON_KIND_UPDATE, list, len, BEACON_FORK, "container 1");
	/* from Fulu on it changes with the blobs: only an old one is wrong */
	make(BEACON_KIND_UPDATE, BEACON_FULU);
	n = mk_ssz(&m, BEACON_KIND_UPDATE, p);
	len = frames(list, p, n, 1, BEACON_FULU);
	list[8] ^= 1;
	opens(BEACON_KIND_UPDATE, list, len, 1, p, n);
	len = frames(list, p, n, 1, BEACON_ELECTRA);
	refuses(BEACON_KIND_UPDATE, list, len, BEACON_FORK, "digest");
	free(list);
	free(p);
}

static void
what_is_too_much_is_refused(void **state)
{
	(void)state;
	size_t count = BEACON_MAX_ITEMS + 1;
	uint8_t *p = malloc(MK_LEN), *list = malloc(count * 3000);
	make(BEACON_KIND_FINALITY, BEACON_ALTAIR);
	size_t n = mk_ssz(&m, BEACON_KIND_FINALITY, p);
	size_t len = frames(list, p, n, count, BEACON_ALTAIR);
	refuses(BEACON_KIND_FINALITY, list, len, BEACON_FORMAT, "over 1024");
	opens(BEACON_KIND_FINALITY, list, len - n - 12, count - 1, p, n);
	free(list);
	list = calloc(1, BEACON_MAX_DOC + 1);
	assert_non_null(list);
	refuses(BEACON_KIND_FINALITY, list, BEACON_MAX_DOC + 1, BEACON_FORMAT,
	    "bytes");
	free(list);
	free(p);
}

/* A member by its path "a.b.c"; the last word is the caller's. */
static json_t *
within(json_t *o, const char *path, const char **last)
{
	char word[64];
	const char *dot;
	while ((dot = strchr(path, '.')) != NULL) {
		memcpy(word, path, (size_t)(dot - path));
		word[dot - path] = '\0';
		o = json_object_get(o, word);
		path = dot + 1;
	}
	*last = path;
	return o;
}

/* v in the place of a member: the whole is refused, and the member named. */
static void
spoiled(enum beacon_kind kind, unsigned fork, const char *path, json_t *v,
    const char *says)
{
	const char *last;
	make(kind, fork);
	json_t *j = mk_json(&m, kind);
	json_t *o = within(j, path, &last);
	assert_non_null(json_object_get(o, last));
	if (v != NULL)
		MJ_SET(o, last, v);
	else
		json_object_del(o, last);
	char *t = json_dumps(j, 0);
	refuses(kind, t, strlen(t), BEACON_FORMAT, says);
	free(t);
	json_decref(j);
}

static void
each_member_of_json_must_be_as_it_should(void **state)
{
	(void)state;
	static const char *const numbers[] = {
		"data.attested_header.beacon.slot",
		"data.attested_header.beacon.proposer_index",
		"data.finalized_header.execution.block_number",
		"data.finalized_header.execution.base_fee_per_gas",
		"data.finalized_header.execution.excess_blob_gas",
		"data.signature_slot" };
	static const char *const hex[] = {
		"data.attested_header.beacon.parent_root",
		"data.attested_header.beacon.state_root",
		"data.attested_header.beacon.body_root",
		"data.finalized_header.execution.parent_hash",
		"data.finalized_header.execution.fee_recipient",
		"data.finalized_header.execution.logs_bloom",
		"data.finalized_header.execution.extra_data",
		"data.finalized_header.execution.block_hash",
		"data.next_sync_committee.aggregate_pubkey",
		"data.sync_aggregate.sync_committee_bits",
		"data.sync_aggregate.sync_committee_signature" };
	static const char *const lists[] = {
		"data.attested_header.execution_branch",
		"data.next_sync_committee.pubkeys",
		"data.next_sync_committee_branch", "data.finality_branch" };
	static const char *const objects[] = { "data",
		"data.attested_header", "data.attested_header.beacon",
		"data.finalized_header.execution", "data.sync_aggregate",
		"data.next_sync_committee" };
	const unsigned f = BEACON_ELECTRA;
	const enum beacon_kind k = BEACON_KIND_UPDATE;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		const char *name = strrchr(numbers[i], '.') + 1;
		spoiled(k, f, numbers[i], NULL, "is missing");
		spoiled(k, f, numbers[i], json_integer(7), name);
		spoiled(k, f, numbers[i], json_string(""), name);
		spoiled(k, f, numbers[i], json_string("07"), name);
		spoiled(k, f, numbers[i], json_string("7 "), name);
		spoiled(k, f, numbers[i], json_string("7:"), name);
		spoiled(k, f, numbers[i], json_string("-7"), name);
		spoiled(k, f, numbers[i], json_string("0x7"), name);
		/* 2 to the 256th is too much for any */
		spoiled(k, f, numbers[i],
		    json_string("11579208923731619542357098500868790785326998"
				"4665640564039457584007913129639936"),
		    name);
	}
	/* 2 to the 64th */
	spoiled(k, f, numbers[0], json_string("18446744073709551616"), "slot");
	for (size_t i = 0; i < sizeof(hex) / sizeof(hex[0]); i++) {
		const char *name = strrchr(hex[i], '.') + 1;
		spoiled(k, f, hex[i], NULL, "is missing");
		spoiled(k, f, hex[i], json_null(), name);
		spoiled(k, f, hex[i], json_string("0xabc"), name);
		spoiled(k, f, hex[i], json_string("0xgg"), name);
	}
	spoiled(k, f, hex[6],
	    json_string("0x6565656565656565656565656565656565656565656565"
			"6565656565656565656565"),
	    "extra_data");
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		const char *name = strrchr(lists[i], '.') + 1;
		spoiled(k, f, lists[i], NULL, "is missing");
		spoiled(k, f, lists[i], json_array(), name);
		spoiled(k, f, lists[i], json_object(), name);
	}
	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
		spoiled(k, f, objects[i], NULL, "is missing");
		spoiled(k, f, objects[i], json_object(), "is missing");
		spoiled(k, f, objects[i], json_array(), "is missing");
	}
	spoiled(k, f, "data", json_null(), "data: is missing");
	spoiled(k, f, "version", NULL, "version");
	spoiled(k, f, "version", json_string(""), "version");
	spoiled(k, f, "version", json_string("abcdefghijklmnopqrstu"),
	    "version");
	spoiled(k, f, "version", json_string("He\033[2Jze"), "version");
	spoiled(k, f, "version", json_integer(7), "version");
	spoiled(k, BEACON_GLOAS, "data.attested_header.execution_block_hash",
	    NULL, "execution_block_hash");
	spoiled(BEACON_KIND_BOOTSTRAP, f, "data.header", NULL, "header");
	spoiled(BEACON_KIND_BOOTSTRAP, f,
	    "data.current_sync_committee_branch", json_array(),
	    "current_sync_committee_branch");
}

/* One line names the fork, and the slot where it is found. */
static void
a_fork_that_json_names_and_nobody_knows_is_named(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 3; k++) {
		make(kinds[k], BEACON_GLOAS);
		json_t *j = mk_json(&m, kinds[k]);
		MJ_SET(j, "version", json_string("heze"));
		char *t = json_dumps(j, 0), says[64];
		(void)snprintf(says, sizeof(says),
		    "slot %u is of the fork heze",
		    (unsigned)m.attested.slot);
		refuses(kinds[k], t, strlen(t), BEACON_FORK, says);
		free(t);
		MJ_SET(j, "data", json_object());
		t = json_dumps(j, 0);
		refuses(kinds[k], t, strlen(t), BEACON_FORK,
		    "slot without a number is of the fork heze");
		free(t);
		json_decref(j);
	}
}

/* Addresses come in mixed case (EIP-55), and anything may. */
static void
hex_of_either_case_is_read(void **state)
{
	(void)state;
	uint8_t *p = malloc(MK_LEN);
	const char *last;
	make(BEACON_KIND_UPDATE, BEACON_ELECTRA);
	json_t *j = mk_json(&m, BEACON_KIND_UPDATE);
	json_t *o = within(
	    j, "data.finalized_header.execution.fee_recipient", &last);
	char text[64];
	(void)snprintf(text, sizeof(text), "%s",
	    json_string_value(json_object_get(o, last)));
	for (size_t i = 2; text[i] != '\0'; i += 2)
		if (text[i] >= 'a')
			text[i] = (char)(text[i] - 'a' + 'A');
	assert_string_not_equal(
	    text, json_string_value(json_object_get(o, last)));
	MJ_SET(o, last, json_string(text));
	char *t = json_dumps(j, 0);
	opens(BEACON_KIND_UPDATE, t, strlen(t), 1, p,
	    mk_ssz(&m, BEACON_KIND_UPDATE, p));
	free(t);
	json_decref(j);
	free(p);
}

/* One more member anywhere may mean a fork that nobody here knows. */
static void
a_member_that_is_not_known_is_refused(void **state)
{
	(void)state;
	static const char *const places[] = { "data.x",
		"data.attested_header.x", "data.attested_header.beacon.x",
		"data.finalized_header.execution.x", "data.sync_aggregate.x",
		"data.next_sync_committee.x", "x" };
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const char *last;
		make(BEACON_KIND_UPDATE, BEACON_DENEB);
		json_t *j = mk_json(&m, BEACON_KIND_UPDATE);
		MJ_SET(within(j, places[i], &last), "x", json_true());
		char *t = json_dumps(j, 0);
		refuses(BEACON_KIND_UPDATE, t, strlen(t), BEACON_FORMAT,
		    i == 6 ? "alone" : "not known");
		free(t);
		/* what the API may say beside it */
		j = (json_decref(j), mk_json(&m, BEACON_KIND_UPDATE));
		MJ_SET(j, "finalized", json_true());
		MJ_SET(j, "execution_optimistic", json_false());
		uint8_t *p = malloc(MK_LEN);
		t = json_dumps(j, 0);
		opens(BEACON_KIND_UPDATE, t, strlen(t), 1, p,
		    mk_ssz(&m, BEACON_KIND_UPDATE, p));
		free(p);
		free(t);
		json_decref(j);
	}
}

static void
what_is_no_document_is_refused(void **state)
{
	(void)state;
	static const char *const texts[] = { "{", "[", "[]", "[{}]", "{}",
		" \n{\"version\":\"deneb\"}", "[1]", "[[]]",
		"{\"version\":\"deneb\",\"version\":\"deneb\",\"data\":{}}",
		"null", "<html>", " " };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		refuses(BEACON_KIND_UPDATE, texts[i], strlen(texts[i]),
		    BEACON_FORMAT, "");
	refuses(BEACON_KIND_UPDATE, "<html>", 6, BEACON_FORMAT, "neither JSON");
	refuses(BEACON_KIND_UPDATE, "{\"a\"", 4, BEACON_FORMAT, "like JSON");
	/* an update where a finality update belongs, and the reverse */
	uint8_t *p = malloc(MK_LEN);
	make(BEACON_KIND_UPDATE, BEACON_ELECTRA);
	refuses(BEACON_KIND_FINALITY, p, mk_ssz(&m, BEACON_KIND_UPDATE, p),
	    BEACON_FORMAT, "");
	refuses(BEACON_KIND_UPDATE, p, mk_ssz(&m, BEACON_KIND_FINALITY, p),
	    BEACON_FORMAT, "");
	free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    every_kind_of_every_fork_is_read_in_every_form),
		cmocka_unit_test(a_container_cut_anywhere_is_refused),
		cmocka_unit_test(an_offset_has_one_value),
		cmocka_unit_test(
		    a_container_of_another_fork_than_its_slots_is_refused),
		cmocka_unit_test(before_altair_there_is_nothing_to_read),
		cmocka_unit_test(a_list_is_whole_and_of_its_digest),
		cmocka_unit_test(what_is_too_much_is_refused),
		cmocka_unit_test(each_member_of_json_must_be_as_it_should),
		cmocka_unit_test(
		    a_fork_that_json_names_and_nobody_knows_is_named),
		cmocka_unit_test(hex_of_either_case_is_read),
		cmocka_unit_test(a_member_that_is_not_known_is_refused),
		cmocka_unit_test(what_is_no_document_is_refused),
	};
	return cmocka_run_group_tests(tests, bed_setup, NULL);
}
