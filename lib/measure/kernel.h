/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel as the firmware measures it when QEMU hands it over with
 * -kernel: the Authenticode hash of a PE image (bzImage with an EFI stub).
 *
 * Sources: Microsoft "Windows Authenticode Portable Executable Signature
 * Format" 1.0, "Calculating the PE image hash"; edk2 OvmfPkg/Tcg/TdTcg2Dxe,
 * MeasureBootPeCoff.c; TCG PC Client Platform Firmware Profile 1.06 section 10.4 (what an
 * EV_EFI_BOOT_SERVICES_APPLICATION event holds); the Linux x86 boot protocol;
 * QEMU hw/i386/x86-common.c x86_load_linux.
 */
#ifndef MEASURE_KERNEL_H
#define MEASURE_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define KERNEL_MAX (64u * 1024 * 1024)

/*
 * SHA-384 over the image without its checksum, the security directory's entry
 * and the signatures. Sections must lie one behind the other in the file and
 * a file without signatures must be hashed to its last byte.
 */
DSTACK_CHECKED enum dstack_status kernel_authenticode(const void *image,
    size_t len, uint8_t out[static 48], struct why *why);

/*
 * QEMU before 10.2 writes into the setup header what a BIOS boot needs: where
 * the initrd will be, and so on. image is changed in place. memory: the VM's,
 * in bytes. From 10.2 on a confidential guest gets the file as it is.
 */
DSTACK_CHECKED enum dstack_status kernel_patch_header(uint8_t *image,
    size_t len, uint64_t initrd_size, uint64_t memory, struct why *why);

#endif
