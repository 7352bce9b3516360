% SPDX-License-Identifier: Apache-2.0
% Joiner and onboarder agree on the epoch.
% Status : CounterSatisfiable
include('network.ax').
include('fresh.ax').
include('handed_on.ax').
fof(first_is_answered, axiom, ![Pub,S,R]: may_answer(Pub,first,S,R)).
fof(another_accepted, conjecture, ?[I,N,E,F,R]:
	accepts(N,succ(E),secret(I,F),R)).
