/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an app may ask on its Unix socket in the form that the npm package
 * @phala/dstack-sdk 0.5.8 and its sisters in other languages write: POST
 * /METHOD with one JSON object. docs/app-reference.md says what each is
 * here. Pure: text in, struct out.
 */
#ifndef PROTOCOL_SDK_H
#define PROTOCOL_SDK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/wr.h"

#define SDK_MAX_BODY (144u * 1024) /* bytes of JSON */
#define SDK_MAX_TEXT 255           /* bytes of a path, purpose or name */
#define SDK_MAX_NAMES 16           /* alt_names of a certificate */
#define SDK_MAX_DATA (64u * 1024)  /* bytes to sign or verify */
#define SDK_MAX_EVENT 64           /* bytes of an event's name */
#define SDK_MAX_PAYLOAD 1024       /* bytes of an event's payload */
#define SDK_REPORT_DATA 64
#define SDK_MAX_TIME 253402300799u /* seconds: the end of the year 9999 */

enum sdk_call {
	SDK_GET_KEY,
	SDK_GET_TLS_KEY,
	SDK_GET_QUOTE,
	SDK_ATTEST,
	SDK_INFO,
	SDK_EMIT_EVENT,
	SDK_SIGN,
	SDK_VERIFY,
	SDK_VERSION,
	/* the older half, "tappd" */
	SDK_DERIVE_KEY,
	SDK_TDX_QUOTE,
};

/* As keyd and the key tree know them; the values cross between roles. */
enum sdk_alg {
	SDK_SECP256K1 = 1, /* ECDSA over SHA-256 of the data */
	SDK_ED25519 = 2,   /* RFC 8032 */
	SDK_SECP256K1_PREHASHED = 3, /* ECDSA over 32 bytes; signs alone */
	SDK_P256 = 4,      /* keys of DeriveKey; signs nothing */
};

struct sdk_request {
	enum sdk_call call;
	enum sdk_alg alg;               /* GetKey, Sign, Verify */
	char path[SDK_MAX_TEXT + 1];    /* GetKey, DeriveKey */
	char purpose[SDK_MAX_TEXT + 1]; /* GetKey */
	char subject[SDK_MAX_TEXT + 1]; /* GetTlsKey, DeriveKey */
	char alt[SDK_MAX_NAMES][SDK_MAX_TEXT + 1];
	size_t nalt;
	bool ra_tls, server_auth, client_auth;
	bool random_key;     /* DeriveKey: not by the path */
	bool app_info;       /* GetTlsKey: the app's id as an extension */
	uint64_t not_before; /* seconds; 0: the caller's default */
	uint64_t not_after;
	char event[SDK_MAX_EVENT + 1];
	char hash[16];                 /* TdxQuote: empty for its default */
	char prefix[SDK_MAX_TEXT + 1]; /* TdxQuote */
	struct wr data; /* to sign or verify; payload; report_data, unpadded */
	struct wr sig;  /* Verify */
	struct wr pub;  /* Verify */
};
void sdk_request_free(struct sdk_request *r);
#define AUTO_SDK OWN_CLEANUP(sdk_request_free)

/*
 * The call of a request's path, without a query ("/GetKey",
 * "/prpc/Tappd.DeriveKey"). False: none of them.
 */
bool sdk_call_of(const char *path, enum sdk_call *out);

/*
 * The body of a call; an empty one is {}. Members may be missing, as in
 * protobuf's JSON, and are then empty, false or zero; a member that the call
 * has not is refused, since the asker means something by it. out is the
 * caller's to free, written on DSTACK_OK alone.
 * DSTACK_E_LIMIT   longer than SDK_MAX_BODY
 * DSTACK_E_FORMAT  no such object; why has one line for the app's author
 */
DSTACK_CHECKED enum dstack_status sdk_parse(enum sdk_call call,
    const void *body, size_t n, struct sdk_request *out, struct why *why);

#endif
