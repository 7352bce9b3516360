/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A value that an app's owner gives it, from the owner's machine to the app:
 * sealed to the app's secret key by HPKE base mode (RFC 9180), with the head
 * as additional data. The file is host_volume/secret-NAME:
 *
 *   u8 1 || epoch u64 || appId32 || text name || version u64 || blob ct
 *
 * ct is hpke_seal of the value, info APPSECRET_INFO, aad all before the ct's
 * length. The key is X25519, K("app-secret") in the app's tree of that epoch;
 * its public half is attested as a statement of the system: appId 0, tag
 * APPSECRET_TAG, data appId32 || public key.
 */
#ifndef PROTOCOL_APPSECRET_H
#define PROTOCOL_APPSECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/status.h"
#include "base/wr.h"
#include "protocol/keytree.h"

#define APPSECRET_LABEL "dstack.secrets"
#define APPSECRET_INFO "dstack2/app-secret/v1"
#define APPSECRET_HOP_INFO "dstack2/app-secret-hop/v1" /* within a guest */
#define APPSECRET_TAG "app_secret"
#define APPSECRET_FILE "secret-"
#define APPSECRET_NAME_MAX 48
#define APPSECRET_VALUE_MAX (64u * 1024)
#define APPSECRET_MAX 16 /* names of one image */
#define APPSECRET_FILE_MAX (APPSECRET_VALUE_MAX + 256)

/* 1 to APPSECRET_NAME_MAX of [A-Za-z0-9_.-], the first no dot. */
bool appsecret_name_ok(const char *name);

/* The names of a label's value: comma between two, none twice. */
struct appsecret_names {
	char name[APPSECRET_MAX][APPSECRET_NAME_MAX + 1];
	size_t n;
};
/* DSTACK_E_REJECTED: not such a list. */
DSTACK_CHECKED enum dstack_status appsecret_names_parse(
    const char *value, struct appsecret_names *out);

struct appsecret {
	uint64_t epoch;
	uint8_t app_id[32];
	char name[APPSECRET_NAME_MAX + 1];
	uint64_t version; /* grows with each value of a name */
	const uint8_t *ct; /* borrowed from the file */
	size_t ctlen;
};
/* A whole file; DSTACK_E_FORMAT, DSTACK_E_TRUNCATED, DSTACK_E_LIMIT. */
DSTACK_CHECKED enum dstack_status appsecret_get(
    const void *p, size_t n, struct appsecret *out);
/* The head, which is the additional data too. */
void appsecret_head_put(struct wr *w, const struct appsecret *s);
/* A whole file of a value; ephemeral: fresh for each. s->ct is not looked at. */
DSTACK_CHECKED enum dstack_status appsecret_put(struct wr *out,
    const struct appsecret *s, const uint8_t pub[static 32],
    const struct secret32 *ephemeral, const void *value, size_t n);
/* value: s->ctlen - HPKE_OVERHEAD bytes; DSTACK_E_REJECTED: not of that key. */
DSTACK_CHECKED enum dstack_status appsecret_open(const struct appsecret *s,
    const struct secret32 *key, void *value);

/* "app-secret" of an app's tree. */
DSTACK_CHECKED enum dstack_status appsecret_key(
    const struct keytree *app, struct secret32 *key);

#endif
