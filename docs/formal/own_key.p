% SPDX-License-Identifier: Apache-2.0
% A joiner on the true chain uses no secret that the attacker knows (T04).
% Status : CounterSatisfiable
include('network.ax').
include('fresh.ax').
include('all_answer.ax').
include('handed_on.ax').
fof(fooled, conjecture, ?[I,E,S,R]:
	(accepts(late(I,pk(committee)),E,S,R) & knows(S))).
