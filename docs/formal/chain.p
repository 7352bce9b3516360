% SPDX-License-Identifier: Apache-2.0
% Joiner and onboarder are on one chain: an honest secret is used on no forged one.
% Status : CounterSatisfiable
include('network.ax').
include('fresh.ax').
include('all_answer.ax').
include('handed_on.ax').
fof(apart, conjecture, ?[I,J,K,E,F,R]:
	(accepts(late(J,pk(his_key)),E,secret(I,F),R)
	| accepts(late(J,pk(old_committee)),E,secret(I,F),R))).
