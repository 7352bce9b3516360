/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manifest of an app of several containers (docs/manifest.md). The app's
 * digest in the contract is then the SHA-256 of its bytes, as it is that of
 * the image config where an app is one image; and as a config names its
 * layers by their digests, a manifest names its images by theirs.
 *
 * It is JSON in the canonical form of RFC 8785: one manifest has one text,
 * and a text that is not its own canonical form is no manifest. Every member
 * is known or the whole is refused: what a node does not understand it would
 * leave out, and the app would run otherwise than its owner wrote.
 *
 * It lives in lib/oci because it says of images what their own configs say,
 * and what it says takes the place of that (manifest_apply).
 */
#ifndef OCI_MANIFEST_H
#define OCI_MANIFEST_H

#include "oci/oci.h"

#define MANIFEST_MAX (64u << 10)   /* bytes of the whole */
#define MANIFEST_SERVICES 8
#define MANIFEST_NAME 32           /* characters of a service's name */
#define MANIFEST_LIST 128          /* entries of a list or map of a service */
#define MANIFEST_FILE "dstack.json" /* its name in an archive */
#define MANIFEST_GRACE_MS 10000    /* stop_grace where none is named */
#define MANIFEST_MAX_MS 86400000u  /* of a healthcheck's times: a day */
#define MANIFEST_MAX_GRACE_MS 20000u
#define MANIFEST_MAX_BYTES (1ull << 40) /* of shm_size and mem_limit */

/* Texts, as many as n; v may be NULL when n is 0. */
struct manifest_texts {
	char **v;
	size_t n;
	bool there; /* an empty list is another thing than none */
};

/* A named volume, or (tmpfs) memory, in the place of a folder. */
struct manifest_mount {
	char *volume; /* NULL in the list of tmpfs */
	char *path;   /* absolute, in the container */
	bool read_only;
};

enum manifest_condition {
	MANIFEST_STARTED,
	MANIFEST_HEALTHY,
	MANIFEST_COMPLETED, /* ended with exit code 0 */
};

struct manifest_need {
	unsigned service; /* index in struct manifest */
	enum manifest_condition condition;
};

/* As Docker's; times in milliseconds, 0: not named. */
struct manifest_health {
	struct manifest_texts test; /* not there: what the image says counts */
	uint32_t interval, timeout, start_period, start_interval;
	uint32_t retries;
};

enum manifest_restart {
	MANIFEST_ALWAYS,
	MANIFEST_ON_FAILURE,
	MANIFEST_NO,
};

struct manifest_service {
	char *name;        /* [a-z0-9][a-z0-9_-]* */
	uint8_t image[32]; /* digest of its image's config */
	struct manifest_texts command, entrypoint;
	struct manifest_texts environment; /* "NAME=value", by name */
	struct manifest_texts labels;      /* "dstack.x=value", by name */
	struct manifest_texts secrets;     /* names, sorted */
	char *user, *working_dir, *stop_signal; /* NULL: the image's */
	struct manifest_mount *mounts; /* named volumes, by path */
	size_t nmounts;
	struct manifest_texts tmpfs;   /* paths, sorted */
	struct manifest_need *needs;   /* by name */
	size_t nneeds;
	struct manifest_health health;
	uint16_t *expose; /* rising */
	size_t nexpose;
	enum manifest_restart restart;
	uint32_t stop_grace; /* milliseconds; 0: not named */
	uint64_t shm_size, mem_limit; /* bytes; 0: not named */
};

struct manifest {
	struct manifest_service service[MANIFEST_SERVICES]; /* by name */
	size_t nservices;
	unsigned front;      /* the one that HTTPS clients reach */
	uint16_t front_port;
	struct manifest_texts volumes; /* names, sorted; each is used */
	/* so that each comes after those that it needs; found by the parser */
	unsigned order[MANIFEST_SERVICES];
};

/*
 * DSTACK_E_FORMAT: no JSON, a member that is not known, missing or of the
 * wrong kind, or not the canonical text. DSTACK_E_LIMIT: over a bound above.
 * DSTACK_E_REJECTED: parts that do not fit together: a front, need or volume
 * that is not there, a circle of needs. Free what came out, on success alone,
 * with manifest_free.
 */
DSTACK_CHECKED enum dstack_status manifest_parse(
    const void *p, size_t n, struct manifest *out, struct why *why);
void manifest_free(struct manifest *m);
#define AUTO_MANIFEST OWN_CLEANUP(manifest_free)

/*
 * The canonical text, for the caller to free. What is in m in another order
 * than above comes out sorted; it is parsed before it is given out, so what
 * no node would take is refused here with the same line. order is not read.
 */
DSTACK_CHECKED enum dstack_status manifest_write(
    const struct manifest *m, char **text, struct why *why);

/* Index of a service; nservices: there is none of that name. */
unsigned manifest_find(const struct manifest *m, const char *name);
/* Is it a name of a service, a volume or a secret? */
bool manifest_name_ok(const char *name);

/*
 * From now on oci_config(img) is what the service runs with: the image's
 * config with what the manifest has instead. As in Compose: an entrypoint
 * takes the image's CMD away, environment and labels are put over the
 * image's one by one, named volumes are VOLUMEs. Of the front the port is
 * the manifest's, also where a label of the image names another.
 * DSTACK_E_REJECTED: the image is not the service's, or nothing says what to
 * run.
 */
DSTACK_CHECKED enum dstack_status manifest_apply(const struct manifest *m,
    unsigned service, struct oci_image *img, struct why *why);

#endif
