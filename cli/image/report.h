/* SPDX-License-Identifier: Apache-2.0 */
/* What an audit has found so far: below all of its checks. */
#ifndef CLI_IMAGE_REPORT_H
#define CLI_IMAGE_REPORT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/status.h"
#include "cli/image/lock.h"

struct audit {
	struct lock lock;
	bool json;       /* say nothing until the end */
	bool relocked;   /* hold it against LOCK_TODAY */
	char work[64];   /* a directory of this run; removed at its end */
	json_t *checks;  /* [{"check","result","text"}] */
	json_t *images;  /* one object a flavour: what is in it */
	bool refused, undecided;
	struct why first; /* of the worst kind so far: "check: text" */
};

/*
 * How a check ended: DSTACK_OK, DSTACK_E_REJECTED, or any other status, which
 * is "could not decide".
 */
void audit_say(struct audit *a, const char *check, enum dstack_status st,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
