/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TD hand-off block list that QEMU writes for the firmware: how much
 * memory there is, and which of it was added before the start. The firmware
 * measures it before it reads it (RTMR0's first event).
 *
 * Sources: PI 1.7 volume 3 chapter 5 (HOB formats); TDVF Design Guide section
 * 4.2; QEMU hw/i386/tdvf-hob.c and target/i386/kvm/tdx.c (which ranges, in
 * which order), hw/i386/pc_q35.c (where memory lies); edk2 SecTdxHelper.c
 * (measured: everything before the end-of-list block).
 */
#ifndef MEASURE_HOB_H
#define MEASURE_HOB_H

#include "base/wr.h"
#include "measure/tdvf.h"

/* Bytes of memory below 4 GiB on q35 for a machine of so many bytes. */
uint64_t hob_low_memory(uint64_t memory);

/*
 * The measured bytes, appended to w. memory: the VM's, in bytes, a multiple
 * of 1 MiB. DSTACK_E_REJECTED: the firmware's sections are not in it.
 */
DSTACK_CHECKED enum dstack_status hob_build(const struct tdvf *t,
    uint64_t memory, struct wr *w, struct why *why);

#endif
