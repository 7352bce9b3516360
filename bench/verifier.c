/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast the quote verifier is, beside the ECDSA verifications it cannot
 * do without. Usage: verifier QUOTE COLLATERAL TIME [ROOT.der]
 * Prints one "name value unit" line each; CPU time, best of 5 rounds that
 * are interleaved, so that a machine whose speed moves spoils no ratio.
 */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "dstack/dcap.h"

enum { ROUNDS = 5, WARM = 1000, COLD = 200 };
/* Signatures no verifier of one quote gets around: PCK certificate, QE
 * report, quote. A cold one has seven more in its collateral: two CRLs, two
 * documents, PCK CA, TCB signer, root. */
enum { WARM_SIGNATURES = 3, COLD_SIGNATURES = 10 };

static double
cpu(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint8_t *
slurp(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p = malloc(DCAP_MAX_COLLATERAL);
	if (f == NULL || p == NULL) {
		perror(path);
		exit(3);
	}
	*len = fread(p, 1, DCAP_MAX_COLLATERAL, f);
	(void)fclose(f);
	return p;
}

/* Seconds of one ECDSA P-256 verification, its key and context at hand. */
static double
floor_seconds(EVP_PKEY_CTX *ctx, const uint8_t *sig, size_t n,
    const uint8_t digest[32])
{
	double from = cpu();
	for (int i = 0; i < WARM; i++)
		if (EVP_PKEY_verify(ctx, sig, n, digest, 32) != 1)
			exit(3);
	return (cpu() - from) / WARM;
}

struct job {
	uint8_t *quote, *text;
	size_t len, textlen;
	int64_t now;
	uint8_t root[64];
};

static void
judge(const struct job *j, const struct dcap_collateral *c)
{
	struct dcap_verdict v;
	if (dcap_authenticate(j->quote, j->len, c, j->now, j->root, NULL,
	    &v) != DSTACK_OK) {
		fprintf(stderr, "%s\n", v.why.text);
		exit(1);
	}
}

static struct dcap_collateral *
load(const struct job *j)
{
	struct dcap_collateral *c;
	enum dcap_code code;
	struct why why;
	if (dcap_collateral_load(j->text, j->textlen, &c, &code, &why) !=
	    DSTACK_OK) {
		fprintf(stderr, "%s\n", why.text);
		exit(1);
	}
	return c;
}

static double
best(double a, double b)
{
	return a == 0 || b < a ? b : a;
}

int
main(int argc, char **argv)
{
	struct job j = { .now = 0 };
	if (argc < 4 || argc > 5) {
		fprintf(stderr,
		    "usage: verifier QUOTE COLLATERAL TIME [ROOT.der]\n");
		return 2;
	}
	j.quote = slurp(argv[1], &j.len);
	j.text = slurp(argv[2], &j.textlen);
	j.now = strtoll(argv[3], NULL, 10);
	memcpy(j.root, dcap_intel_root, 64);
	if (argc == 5) {
		size_t n;
		uint8_t *der = slurp(argv[4], &n);
		if (dcap_root_from_cert(der, n, j.root, NULL) != DSTACK_OK)
			return 3;
		free(der);
	}
	struct rusage before, after;
	(void)getrusage(RUSAGE_SELF, &before);
	struct dcap_collateral *c = load(&j);
	judge(&j, c);
	(void)getrusage(RUSAGE_SELF, &after);

	EVP_PKEY *key = EVP_EC_gen("P-256");
	EVP_PKEY_CTX *sign = EVP_PKEY_CTX_new(key, NULL);
	EVP_PKEY_CTX *check = EVP_PKEY_CTX_new(key, NULL);
	uint8_t digest[32] = { 1 }, sig[80];
	size_t n = sizeof(sig);
	if (EVP_PKEY_sign_init(sign) != 1 || EVP_PKEY_verify_init(check) != 1 ||
	    EVP_PKEY_sign(sign, sig, &n, digest, 32) != 1)
		return 3;
	double one = 0, warm = 0, cold = 0;
	for (int r = 0; r < ROUNDS; r++) {
		one = best(one, floor_seconds(check, sig, n, digest));
		double from = cpu();
		for (int i = 0; i < WARM; i++)
			judge(&j, c);
		warm = best(warm, (cpu() - from) / WARM);
		from = cpu();
		for (int i = 0; i < COLD; i++) {
			struct dcap_collateral *fresh = load(&j);
			judge(&j, fresh);
			dcap_collateral_free(fresh);
		}
		cold = best(cold, (cpu() - from) / COLD);
	}
	printf("signature %.1f us\n", one * 1e6);
	printf("warm %.1f us\n", warm * 1e6);
	printf("warm-rate %.0f /s\n", 1 / warm);
	printf("warm-of-floor %.2f\n", WARM_SIGNATURES * one / warm);
	printf("cold %.1f us\n", cold * 1e6);
	printf("cold-rate %.0f /s\n", 1 / cold);
	printf("cold-of-floor %.2f\n", COLD_SIGNATURES * one / cold);
	printf("memory %ld KiB\n", after.ru_maxrss - before.ru_maxrss);
	printf("process-memory %ld KiB\n", after.ru_maxrss);
	EVP_PKEY_CTX_free(sign);
	EVP_PKEY_CTX_free(check);
	EVP_PKEY_free(key);
	dcap_collateral_free(c);
	free(j.quote);
	free(j.text);
	return 0;
}
