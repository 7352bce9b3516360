/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One cached collateral: what a PCS said of one platform model, checked, as a
 * document and as a file. No clock, no network.
 *
 * Checked means: lib/dcap takes it, every signature in it included, its three
 * chains end in the trusted root, and it is of the model that was asked for.
 * Its dates are the caller's to judge.
 */
#ifndef HOST_COLLATERAL_ENTRY_H
#define HOST_COLLATERAL_ENTRY_H

#include "host/collateral/pcs.h"

#define COLLATERAL_MAX (150u * 1024) /* of a document: goes by the link */
#define COLLATERAL_NAME_MAX 64

struct collateral_entry {
	struct pcs_key key;
	struct pcs_set set;               /* owned */
	struct dcap_collateral_info info; /* of doc */
	char *doc;                        /* JSON, owned; NULL: not checked */
	size_t len;
	int64_t checked_ms; /* when the service last said that it is so */
};
void collateral_entry_free(struct collateral_entry *e);
#define AUTO_ENTRY OWN_CLEANUP(collateral_entry_free)

/*
 * Make doc and info out of key and set. DSTACK_E_REJECTED: why says which
 * part is wrong; doc is then NULL.
 */
DSTACK_CHECKED enum dstack_status collateral_entry_check(
    struct collateral_entry *e, const uint8_t root_key[static 64],
    struct why *why);

/*
 * The never-older rule: a part of now (checked) that is older than old's
 * gives way to old's. Older is a lower evaluation number, an earlier
 * issueDate, a lower CRL number. note: what was older, or "". The mix is
 * checked again. DSTACK_E_REJECTED: the mix does not hold.
 */
DSTACK_CHECKED enum dstack_status collateral_entry_keep_newer(
    struct collateral_entry *now, const struct collateral_entry *old,
    const uint8_t root_key[static 64], struct why *note);

/* File name of a key, and back; false: not such a name. */
void collateral_entry_name(
    const struct pcs_key *key, char out[static COLLATERAL_NAME_MAX]);
bool collateral_entry_key(const char *name, struct pcs_key *out);

/* The file: its SHA-256 in the first line, then JSON. base: the service. */
DSTACK_CHECKED enum dstack_status collateral_entry_write(
    const struct collateral_entry *e, const char *base, struct wr *out);
/*
 * Read and check; e->key is set before. What another service than base gave
 * is asked for anew. DSTACK_E_REJECTED: damaged, or not to be trusted.
 */
DSTACK_CHECKED enum dstack_status collateral_entry_read(const void *p,
    size_t len, const char *base, const uint8_t root_key[static 64],
    struct collateral_entry *e, struct why *why);

#endif
