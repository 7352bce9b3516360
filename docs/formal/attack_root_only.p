% SPDX-License-Identifier: Apache-2.0
% T43: the root without its committee. A forged block names a true one as its parent.
% Status : Theorem
include('network.ax').
include('fresh.ax').
include('all_answer.ax').
include('root_only.ax').
fof(leaks, conjecture, ?[I,E]: knows(secret(I,E))).
