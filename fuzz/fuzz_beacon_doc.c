/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A beacon node's documents in any form; the first byte chooses the kind.
 * Each container that comes out is one that the reader of SSZ takes, and as a
 * document of its own it is the same bytes.
 */
#include <stdlib.h>

#include "tests/unit/lib/beacon/lcmake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct beacon_network net;
	struct beacon_doc *d = NULL, *again = NULL;
	enum beacon_code code;
	struct why why = { "" };
	if (net.committee == 0)
		net = mk_network(8);
	if (n == 0)
		return 0;
	enum beacon_kind kind = (enum beacon_kind)(data[0] % 3);
	enum dstack_status st =
	    beacon_doc_open(&net, kind, data + 1, n - 1, &d, &code, &why);
	if (st != DSTACK_OK) {
		/* a refusal has its code and its line, and gives nothing */
		if (d != NULL || code == BEACON_OK || why.text[0] == '\0')
			abort();
		return 0;
	}
	if (beacon_doc_count(d) == 0)
		abort();
	for (size_t i = 0; i < beacon_doc_count(d); i++) {
		struct beacon_item it = beacon_doc_item(d, i);
		if (beacon_doc_open(&net, kind, it.ssz, it.len, &again, &code,
			NULL) != DSTACK_OK ||
		    beacon_doc_count(again) != 1 ||
		    beacon_doc_item(again, 0).len != it.len ||
		    memcmp(beacon_doc_item(again, 0).ssz, it.ssz, it.len) != 0)
			abort();
		beacon_doc_free(again);
	}
	beacon_doc_free(d);
	return 0;
}
