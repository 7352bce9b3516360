/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Role lightclient: the guest's one view of which block is real. The others
 * ask it over their edge and prove what they need under its head themselves
 * (guest/chain).
 *
 * Numbers big-endian; IPC_UNDECIDED: cannot be told now, with a line.
 */
#ifndef GUEST_LIGHTCLIENT_H
#define GUEST_LIGHTCLIENT_H

/*
 * -> number u64, time u64 (seconds since 1970), hash32, state root32 of the
 * execution block that counts; slot u64 and root32 of the beacon block that
 * proves it, committee32, the root of the sync committee of slot's period
 * (zero: view=rpc); age u64: seconds that the block is old at most,
 * by this machine's own clock since a TIE (UINT64_MAX: there was none).
 */
#define LIGHTCLIENT_HEAD 1
/*
 * slot u64, root32 of a beacon block, committee32 -> u8: is the block in the
 * chain that this view has proven, and is that the committee of slot's period
 * by it? The second since whoever has an old committee's keys can sign a block
 * on top of any other (docs/formal). It walks there in steps, one a call: ask
 * again while it says "not yet". Of view=rpc zeros alone are in it.
 */
#define LIGHTCLIENT_CONTAINS 2
/*
 * From replicatoor alone: time u64 of the block in whose head it saw first
 * what this boot signed at boottime u64 (seconds of CLOCK_BOOTTIME). The first
 * one of a boot is kept.
 */
#define LIGHTCLIENT_TIE 3
/*
 * From replicatoor alone, which has no secret in use: what was shown here is
 * another chain than an onboarder's. Back to where this boot began, with no
 * head and no tie.
 */
#define LIGHTCLIENT_ANEW 4

enum { LIGHTCLIENT_NOT_YET = 0, LIGHTCLIENT_YES = 1, LIGHTCLIENT_NO = 2 };

#endif
