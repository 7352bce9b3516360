% SPDX-License-Identifier: Apache-2.0
% Nobody but guests learns a secret that a guest has made.
% Status : CounterSatisfiable
include('network.ax').
include('fresh.ax').
include('all_answer.ax').
include('handed_on.ax').
fof(leaks, conjecture, ?[I,E]: knows(secret(I,E))).
