/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one result type of this project, and the one-line reason beside it.
 *
 * "Rejected" and "could not decide" are different codes, and both mean no.
 */
#ifndef DSTACK_STATUS_H
#define DSTACK_STATUS_H

enum dstack_status {
	DSTACK_OK = 0,
	DSTACK_E_TRUNCATED = -1, /* input ended early */
	DSTACK_E_FORMAT = -2,    /* broken grammar or trailing bytes */
	DSTACK_E_LIMIT = -3,     /* over a stated maximum */
	DSTACK_E_REJECTED = -4,  /* well formed; the answer is no */
	DSTACK_E_NOMEM = -5,
	DSTACK_E_SYS = -6,       /* the system refused; errno is set */
	DSTACK_E_MISSING = -7,   /* could not decide: an input is absent */
	DSTACK_E_BUSY = -8,      /* not now: try again later */
};

#define DSTACK_CHECKED __attribute__((warn_unused_result))

/* One clear line for a person: what, where, what to do. No newline. */
struct why {
	char text[256];
};

#endif
