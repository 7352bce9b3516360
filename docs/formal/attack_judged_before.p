% SPDX-License-Identifier: Apache-2.0
% The birth is judged before the view is proven: a forged policy lets the host's own key pass.
% Status : Theorem
include('network.ax').
include('fresh.ax').
include('all_answer.ax').
include('judged_before.ax').
fof(fooled, conjecture, ?[I,E,S,R]:
	(accepts(late(I,pk(committee)),E,S,R) & knows(S))).
