% SPDX-License-Identifier: Apache-2.0
% What is assumed is needed: a bootstrapper with an old checkpoint loses a secret that the true chain records.
% Status : Theorem
include('network.ax').
include('stale.ax').
include('all_answer.ax').
include('handed_on.ax').
fof(leaks, conjecture, ?[I,E,C,Q]: (knows(secret(I,E))
	& in(epoch(E,pk(net_sign(secret(I,E))),C,Q),true_state))).
