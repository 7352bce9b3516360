% SPDX-License-Identifier: Apache-2.0
% Rotation: the next epoch is joined like the first, at a later block.
% Status : Theorem
include('network.ax').
include('handed_on.ax').
include('all_answer.ax').
include('fresh.ax').
fof(joins, conjecture, ?[I,J,B]: accepts(late(J,pk(committee)),succ(first),
	secret(I,succ(first)),block(now,block(now,B,true_state,pk(committee)),
	true_state,pk(committee)))).
