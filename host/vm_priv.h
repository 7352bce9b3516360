/* SPDX-License-Identifier: Apache-2.0 */
/* Shared between the files of the VM launcher. */
#ifndef HOST_VM_PRIV_H
#define HOST_VM_PRIV_H

#include "host/vm.h"

#define VM_SUN_PATH 108u /* sizeof(sun_path) */

/* Set vm->console and vm->qmp. DSTACK_E_LIMIT: run_dir is too long. */
DSTACK_CHECKED enum dstack_status vm_paths(
    const char *run_dir, struct vm *vm, struct why *why);

#endif
