% SPDX-License-Identifier: Apache-2.0
% The model is not empty: a late node gets the secret on the true chain.
% Status : Theorem
include('network.ax').
include('fresh.ax').
include('all_answer.ax').
include('handed_on.ax').
fof(joins, conjecture, ?[I,J,R]:
	accepts(late(J,pk(committee)),first,secret(I,first),R)).
