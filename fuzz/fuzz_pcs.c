/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer of a PCS: header lines (and, as a URL, PCCS_URL), a NUL, the body. First byte: which of the
 * four. And a cache file that somebody else wrote.
 */
#include <stdlib.h>
#include <string.h>

#include "host/collateral/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct why why = { "" };
	json_t *part = NULL;

	if (n == 0)
		return 0;
	AUTO_FREE char *lines = malloc(n);
	if (lines == NULL)
		return 0;
	memcpy(lines, data + 1, n - 1);
	const char *nul = memchr(lines, 0, n - 1);
	size_t k = nul != NULL ? (size_t)(nul - lines) : n - 1;
	size_t at = nul != NULL ? k + 1 : k;
	if (pcs_part_parse((enum pcs_kind)(data[0] % PCS_PARTS), lines + at,
	        n - 1 - at, lines, k, &part, &why) == DSTACK_OK) {
		const char *text =
		    json_string_value(json_object_get(part, "text"));
		if (text == NULL || strlen(text) > 2 * n)
			abort();
		json_decref(part);
	} else if (strchr(why.text, '\n') != NULL) {
		abort();
	}
	char base[PCS_URL_MAX];
	why.text[0] = '\0';
	if (strnlen(lines, k) == k && k < n) {
		lines[k] = '\0';
		if (pcs_url_check(lines, &why) == DSTACK_OK) {
			pcs_base(lines, base);
			const char *path = strchr(strstr(base, "//") + 2, '/');
			if (path != NULL &&
			    strstr(path, "/certification/v") != NULL)
				abort();
		}
	}
	AUTO_ENTRY struct collateral_entry e = { .doc = NULL };
	if (collateral_entry_read(data, n, "http://a", dcap_intel_root, &e,
	        &why) == DSTACK_OK)
		abort(); /* its own SHA-256, and Intel's signatures */
	return 0;
}
