/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUEST_HOSTLINK_H
#define GUEST_HOSTLINK_H

#include <stdbool.h>

#include "guest/base/role.h"

/* May the role ask the host for path? (docs/internals.md section 2) */
bool hostlink_may(enum role from, const char *path);

#endif
