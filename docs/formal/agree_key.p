% SPDX-License-Identifier: Apache-2.0
% Joiner and onboarder agree on the secret.
% Status : CounterSatisfiable
include('network.ax').
include('fresh.ax').
include('handed_on.ax').
fof(one_is_handed_out, axiom, ![Pub,E,F,R,I]:
	may_answer(Pub,E,secret(one(I),F),R)).
fof(another_accepted, conjecture, ?[I,N,E,F,R]:
	accepts(N,E,secret(two(I),F),R)).
