/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SSZ of the light client: the first byte chooses the kind. What is read lies
 * inside the bytes, has the shape of its slot's fork, and its roots can be
 * taken; the same bytes one shorter are not the same container.
 */
#include <stdlib.h>

#include "tests/unit/lib/beacon/lcmake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
inside(const uint8_t *q, size_t len, const uint8_t *p, size_t n)
{
	if (q == NULL || len > n || q < p || q > p + (n - len))
		abort();
}

static void
header(const struct beacon_network *net, const struct lc_header *h,
    const uint8_t *p, size_t n)
{
	uint8_t root[32];
	inside(h->beacon.parent, 32, p, n);
	inside(h->beacon.state, 32, p, n);
	inside(h->beacon.body, 32, p, n);
	if (h->form != EXEC_NONE) {
		inside(h->hash, 32, p, n);
		inside(h->exec_branch.p, 32 * h->exec_branch.n, p, n);
	}
	if (h->exec != NULL) {
		inside(h->exec,
		    h->form == EXEC_DENEB ? EXEC_DENEB_LEN : EXEC_CAPELLA_LEN,
		    p, n);
		inside(h->extra, h->extra_len, p, n);
		exec_root(h, h->form, root);
	}
	header_root(&h->beacon, root);
	/* what is empty says nothing of execution that could be held against
	 * its block: slot 0 is of the first fork */
	if (header_empty(h) && h->beacon.slot != 0)
		abort();
	(void)header_execution_holds(net, h);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct beacon_network net;
	struct lc_bootstrap b;
	struct lc_update u;
	uint8_t root[32];
	if (net.committee == 0)
		net = mk_network(8);
	if (n == 0)
		return 0;
	const uint8_t *p = data + 1;
	n--;
	if (data[0] == 0) {
		if (ssz_bootstrap(&net, p, n, &b, NULL) != BEACON_OK)
			return 0;
		header(&net, &b.header, p, n);
		inside(b.current.keys, 8 * 48, p, n);
		inside(b.current.aggregate, 48, p, n);
		inside(b.current_branch.p, 32 * b.current_branch.n, p, n);
		committee_root(&net, &b.current, root);
		return 0;
	}
	bool finality = data[0] == 1;
	if (ssz_update(&net, finality, p, n, &u, NULL) != BEACON_OK)
		return 0;
	header(&net, &u.attested, p, n);
	header(&net, &u.finalized, p, n);
	inside(u.finality_branch.p, 32 * u.finality_branch.n, p, n);
	inside(u.bits, 1, p, n);
	inside(u.signature, 96, p, n);
	if (finality != (u.next.keys == NULL))
		abort();
	if (!finality) {
		inside(u.next.keys, 8 * 48, p, n);
		inside(u.next_branch.p, 32 * u.next_branch.n, p, n);
		committee_root(&net, &u.next, root);
	}
	if (u.attested.form != fork_shape(u.fork)->exec ||
	    ssz_update(&net, !finality, p, n, &u, NULL) == BEACON_OK)
		abort();
	return 0;
}
