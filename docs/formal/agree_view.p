% SPDX-License-Identifier: Apache-2.0
% Joiner and onboarder agree on the block that was handed on.
% Status : CounterSatisfiable
include('network.ax').
include('fresh.ax').
include('handed_on.ax').
fof(one_is_handed_on, axiom, ![Pub,E,S,St,X]:
	may_answer(Pub,E,S,block(now,block(old,nil,true_state,pk(committee)),
	St,X))).
fof(another_accepted, conjecture, ?[I,N,E,F,P,S2,X2,St,X]:
	accepts(N,E,secret(I,F),block(now,block(now,P,S2,X2),St,X))).
