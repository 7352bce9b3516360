/* SPDX-License-Identifier: Apache-2.0 */
/* The role's clock; every deadline of the role is a reading of it. */
#include "guest/kubernethes/kubernethes.h"

#include <time.h>

int64_t
kube_now(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
