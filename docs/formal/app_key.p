% SPDX-License-Identifier: Apache-2.0
% Nor the keys of the network's app.
% Status : CounterSatisfiable
include('network.ax').
include('fresh.ax').
include('all_answer.ax').
include('handed_on.ax').
fof(leaks, conjecture, ?[I,E]: knows(app_key(secret(I,E)))).
