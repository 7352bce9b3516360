% SPDX-License-Identifier: Apache-2.0
% What a joiner accepts was sealed by an onboarder for that very joiner.
% Status : CounterSatisfiable
include('network.ax').
include('fresh.ax').
include('handed_on.ax').
fof(one_is_answered, axiom, ![I,C,E,S,R]:
	(may_answer(pk(hpke(late(one(I),C))),E,S,R)
	& may_answer(pk(his_key),E,S,R))).
fof(another_accepts, conjecture, ?[I,J,C,E,F,R]:
	accepts(late(two(J),C),E,secret(I,F),R)).
