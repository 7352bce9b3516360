/* SPDX-License-Identifier: Apache-2.0 */
/* What "dstack quote" reads: files, times, policies. */
#ifndef CLI_QUOTE_IN_H
#define CLI_QUOTE_IN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "dstack/dcap.h"

struct usage;
/* dstack quote collateral, argv beginning with the word: an exit status. */
int cmd_quote_collateral(const struct usage *u, int argc, char **argv);

/* Whole file ("-": standard input) of at most max bytes; caller frees. */
DSTACK_CHECKED enum dstack_status quote_read_file(const char *path,
    size_t max, uint8_t **out, size_t *len, struct why *why);
/*
 * A quote: raw, in hex, or in base64 of either alphabet, padded or not (white
 * space allowed); caller frees. *garbled: it is text, and none of these; out
 * is then the text.
 */
DSTACK_CHECKED enum dstack_status quote_read_quote(const char *path,
    uint8_t **out, size_t *len, bool *garbled, struct why *why);
#define QUOTE_GARBLED "the file is text, and neither raw, hex nor base64"
/* Root certificate file, DER or PEM; path NULL: Intel's. */
DSTACK_CHECKED enum dstack_status quote_read_root(
    const char *path, uint8_t key[64], struct why *why);
/* Unix seconds or RFC 3339; text NULL: the clock. */
DSTACK_CHECKED enum dstack_status quote_read_time(
    const char *text, int64_t *out, struct why *why);

/*
 * Collateral from the files of a directory, named as the members of the JSON
 * document (tcb_info, pck_crl, ...), with any usual ending. tcb_info and
 * qe_identity may be whole answers of a PCS with their signatures inside.
 */
DSTACK_CHECKED enum dstack_status quote_load_dir(const char *dir,
    struct dcap_collateral **out, enum dcap_code *code, struct why *why);

struct quote_policy {
	struct dcap_policy p; /* root_key is the caller's to set */
	char *advisory[DCAP_MAX_ADVISORIES]; /* owned */
};
/*
 * A policy file: a JSON object with exactly these members, none optional:
 * accept_tee ["tdx", "sgx"], accept_status ["UpToDate", ...], allow_flags
 * ["td_pks", ...], xfam_allow "0x...", min_tcb_evaluation_data_number,
 * min_tcb_date "2024-03-13T00:00:00Z", min_root_crl_number,
 * min_pck_crl_number, deny_advisories ["INTEL-SA-...", ...].
 */
DSTACK_CHECKED enum dstack_status quote_read_policy(
    const char *path, struct quote_policy *out, struct why *why);
void quote_policy_free(struct quote_policy *p);

#endif
