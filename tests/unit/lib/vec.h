/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Helpers for tests with known answers: bytes from hex text, and the public
 * vectors beside the clone (../shared/vectors), which may be absent.
 * Include after cmocka.h.
 */
#ifndef TESTS_VEC_H
#define TESTS_VEC_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/hex.h"

#define VEC_DIR "../shared/vectors/"

/* Bytes of hex text; *n gets the count. The caller frees. */
__attribute__((unused)) static uint8_t *
unhex(const char *text, size_t *n)
{
	size_t len = strlen(text);
	uint8_t *p = malloc(len / 2 + 1);
	assert_non_null(p);
	assert_int_equal(
	    hex_decode_var(text, len, p, len / 2 + 1, n), DSTACK_OK);
	return p;
}

/* The n bytes at p are those of the hex text. */
__attribute__((unused)) static void
assert_hex(const void *p, size_t n, const char *text)
{
	size_t want;
	uint8_t *w = unhex(text, &want);
	assert_int_equal(n, want);
	assert_memory_equal(p, w, n);
	free(w);
}

/* A JSON vector file, or NULL when the vectors are not there. */
__attribute__((unused)) static json_t *
vec_json(const char *path)
{
	char full[256];
	json_error_t err;
	(void)snprintf(full, sizeof(full), VEC_DIR "%s", path);
	FILE *f = fopen(full, "rb");
	if (f == NULL)
		return NULL;
	json_t *j = json_loadf(f, 0, &err);
	(void)fclose(f);
	assert_non_null(j);
	return j;
}

#endif
