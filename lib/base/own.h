/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ownership by cleanup attribute. Declare with a value (NULL, -1, { 0 });
 * hand on with take_fd or take_ptr, which leave nothing behind. Not in a
 * function that also has goto.
 */
#ifndef BASE_OWN_H
#define BASE_OWN_H

#include <stdlib.h>
#include <unistd.h>

#define OWN_CLEANUP(f) __attribute__((cleanup(f)))
#define AUTO_FREE OWN_CLEANUP(own_free)
#define AUTO_CLOSE OWN_CLEANUP(own_close)

static inline void
own_free(void *p)
{
	free(*(void **)p);
}

static inline void
own_close(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static inline int
take_fd(int *fd)
{
	int v = *fd;
	*fd = -1;
	return v;
}

/* take_ptr(&p): the pointer p held; p is NULL after. */
#define take_ptr(pp) \
	__extension__({ __typeof__(*(pp)) took_ = *(pp); *(pp) = NULL; took_; })

#endif
