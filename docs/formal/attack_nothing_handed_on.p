% SPDX-License-Identifier: Apache-2.0
% T43: nothing is handed on. An old committee's keys get the secret.
% Status : Theorem
include('network.ax').
include('fresh.ax').
include('all_answer.ax').
include('opened_any.ax').
fof(leaks, conjecture, ?[I,E]: knows(secret(I,E))).
