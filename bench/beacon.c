/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast the light client is, beside what blst alone takes for that part of
 * the work that nobody gets around. Usage: beacon [NETWORK BOOTSTRAP ROOT
 * UPDATES]: recorded files, for the rate over many periods. CPU time, best of
 * ROUNDS that are interleaved, so that a machine whose speed moves spoils no
 * ratio. The figures without a recording are of a made chain of 512 keys in
 * Fulu's form, all of which sign. "name value unit" a line.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "base/hex.h"
#include "tests/unit/lib/beacon/lcmake.h"

enum { ROUNDS = 7, MANY = 40, FEW = 10 };

static double
cpu(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double
best(double old, double now)
{
	return old == 0 || now < old ? now : old;
}

static void
must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench: %s\n", what);
	exit(1);
}

static struct mk m;
static uint8_t root[32], start[MK_LEN], update[MK_LEN], finality[MK_LEN];
static size_t start_len, update_len, finality_len;
static const uint64_t now = 7 * MK_PERIOD;
static struct beacon_network net;

/* Bootstrap, the update that brings the next committee, a finality update. */
static void
make(void)
{
	const uint64_t p = BEACON_FULU * MK_PERIOD;
	net = mk_network(512);
	mk_bootstrap(&m, &net, p + 8, root);
	start_len = mk_ssz(&m, BEACON_KIND_BOOTSTRAP, start);
	mk_update(&m, &net, p + 16, p + 30, p + 31);
	update_len = mk_ssz(&m, BEACON_KIND_UPDATE, update);
	mk_update(&m, &net, p + 24, p + 40, p + 41);
	finality_len = mk_ssz(&m, BEACON_KIND_FINALITY, finality);
}

/* blst's part of a new committee: 512 keys decompressed. */
static double
floor_keys(blst_p1_affine *key)
{
	double from = cpu();
	for (size_t i = 0; i < 512; i++)
		must(blst_p1_uncompress(&key[i],
			 m.committee.keys + 48 * i) == BLST_SUCCESS,
		    "a key");
	return cpu() - from;
}

/* blst's part of a signature: the signers' sum, by its own function for many,
 * the signature's point, and the pairing. */
static double
floor_signature(const blst_p1_affine *key, const uint8_t msg[32])
{
	static const char dst[] =
	    "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";
	const blst_p1_affine *all[512];
	blst_p1 sum;
	blst_p1_affine pk;
	blst_p2_affine sig;
	for (size_t i = 0; i < 512; i++)
		all[i] = &key[i];
	double from = cpu();
	for (int i = 0; i < MANY; i++) {
		blst_p1s_add(&sum, all, 512);
		blst_p1_to_affine(&pk, &sum);
		must(blst_p2_uncompress(&sig, m.sig) == BLST_SUCCESS &&
			blst_p2_affine_in_g2(&sig),
		    "the signature's point");
		must(blst_core_verify_pk_in_g1(&pk, &sig, true, msg, 32,
			 (const byte *)dst, sizeof(dst) - 1, NULL, 0) ==
			BLST_SUCCESS,
		    "blst's own signature");
	}
	return (cpu() - from) / MANY;
}

struct figures {
	double keys, signature, bootstrap, fresh, warm, finality;
};

static void
measure(struct figures *f)
{
	static blst_p1_affine key[512];
	uint8_t domain[32] = { 7 }, data[32], msg[32];
	struct why why = { "" };
	/* the finality update is what m holds: its committee is period 5's */
	fork_data_root(&net, BEACON_FULU, data);
	memcpy(domain + 4, data, 28);
	mk_header_root(&m.attested, msg);
	merkle_pair(msg, domain, msg);
	mk_committee(512, BEACON_FULU, &m.committee);
	struct beacon_store *s = beacon_store_new(&net);
	must(s != NULL, "memory");
	for (int r = 0; r < ROUNDS; r++) {
		double from, fresh = 0, boot = 0;
		f->keys = best(f->keys, floor_keys(key));
		f->signature = best(f->signature, floor_signature(key, msg));
		for (int i = 0; i < FEW; i++) {
			from = cpu();
			must(beacon_bootstrap(s, root, start, start_len,
				 &why) == BEACON_OK,
			    why.text);
			boot += cpu() - from;
			from = cpu();
			must(beacon_update(s, update, update_len,
				 mk_time(now), &why) == BEACON_OK,
			    why.text);
			fresh += cpu() - from;
		}
		f->bootstrap = best(f->bootstrap, boot / FEW);
		f->fresh = best(f->fresh, fresh / FEW);
		from = cpu();
		for (int i = 0; i < MANY; i++)
			must(beacon_update(s, update, update_len,
				 mk_time(now), &why) == BEACON_OK,
			    why.text);
		f->warm = best(f->warm, (cpu() - from) / MANY);
		from = cpu();
		for (int i = 0; i < MANY; i++)
			must(beacon_finality(s, finality, finality_len,
				 mk_time(now), &why) == BEACON_OK,
			    why.text);
		f->finality = best(f->finality, (cpu() - from) / MANY);
	}
	beacon_store_free(s);
}

static uint8_t *
slurp(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p = malloc(BEACON_MAX_DOC);
	must(f != NULL && p != NULL, path);
	*len = fread(p, 1, BEACON_MAX_DOC, f);
	(void)fclose(f);
	return p;
}

/* Files to the last update: seconds for each update. */
static double
recording(const struct beacon_network *n, char **arg, size_t *count)
{
	size_t blen, ulen;
	uint8_t *b = slurp(arg[0], &blen), *u = slurp(arg[2], &ulen);
	uint8_t trusted[32];
	struct beacon_doc *d = NULL;
	enum beacon_code code = BEACON_OK;
	struct why why = { "" };
	must(hex_decode(arg[1], strlen(arg[1]), trusted, 32) == DSTACK_OK,
	    "ROOT");
	double from = cpu();
	struct beacon_store *s = beacon_store_new(n);
	must(s != NULL &&
		beacon_bootstrap(s, trusted, b, blen, &why) == BEACON_OK,
	    why.text);
	must(beacon_doc_open(n, BEACON_KIND_UPDATE, u, ulen, &d, &code,
		 &why) == DSTACK_OK,
	    why.text);
	*count = beacon_doc_count(d);
	for (size_t i = 0; i < *count; i++) {
		struct beacon_item it = beacon_doc_item(d, i);
		must(beacon_update(s, it.ssz, it.len, (uint64_t)time(NULL),
			 &why) == BEACON_OK,
		    why.text);
	}
	double each = (cpu() - from) / (double)*count;
	beacon_doc_free(d);
	beacon_store_free(s);
	free(b);
	free(u);
	return each;
}

int
main(int argc, char **argv)
{
	struct figures f = { 0 };
	struct rusage use;
	make();
	measure(&f);
	printf("signature %.3f ms\n", f.signature * 1e3);
	printf("keys %.3f ms\n", f.keys * 1e3);
	printf("finality %.3f ms\n", f.finality * 1e3);
	printf("finality-of-signature %.2f\n", f.finality / f.signature);
	printf("update %.3f ms\n", f.warm * 1e3);
	printf("update-of-signature %.2f\n", f.warm / f.signature);
	printf("bootstrap %.3f ms\n", f.bootstrap * 1e3);
	printf("bootstrap-of-keys %.2f\n", f.bootstrap / f.keys);
	printf("new-committee %.3f ms\n", (f.fresh - f.finality) * 1e3);
	printf("new-committee-of-keys %.2f\n",
	    (f.fresh - f.finality) / f.keys);
	if (argc == 5) {
		const struct beacon_network *n = beacon_network_named(argv[1]);
		double each = 0;
		size_t count = 0;
		must(n != NULL, "no such network");
		for (int r = 0; r < 3; r++)
			each = best(each, recording(n, argv + 2, &count));
		printf("recorded-updates %zu\n", count);
		printf("recorded %.3f ms\n", each * 1e3);
	}
	(void)getrusage(RUSAGE_SELF, &use);
	printf("process-memory %ld KiB\n", use.ru_maxrss);
	return 0;
}
