/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The quote verifier against the simulated PKI (THREATS T02, T08, T10, T18,
 * T19): each case one wrong thing, signed again, so that only the check for
 * it can refuse. See dcap_cases.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "guest/base/flavour.h"
#include "tests/unit/lib/dcap/dcap_bed.h"

#define BODY(name, ...)                                                       \
	static void name(struct bed *b)                                       \
	{                                                                     \
		struct sim_world *w = &b->w;                                  \
		(void)w;                                                      \
		__VA_ARGS__;                                                  \
	}
#define W(name, code, ...) BODY(w_##name, __VA_ARGS__)
#define P(name, code, ...) BODY(p_##name, __VA_ARGS__)
#define OK(name, status, ...) BODY(o_##name, __VA_ARGS__)
#define OKP(name, status, ...) BODY(o_##name, __VA_ARGS__)
#include "tests/unit/lib/dcap/dcap_cases.h"
#include "tests/unit/lib/dcap/dcap_cases2.h"
#include "tests/unit/lib/dcap/dcap_cases3.h"
#undef W
#undef P
#undef OK
#undef OKP

#define W(n, c, ...) { #n, DCAP_##c, DCAP_TCB_NONE, w_##n, NULL },
#define P(n, c, ...) { #n, DCAP_##c, DCAP_TCB_NONE, NULL, p_##n },
#define OK(n, s, ...) { #n, DCAP_OK, DCAP_TCB_##s, o_##n, NULL },
#define OKP(n, s, ...) { #n, DCAP_OK, DCAP_TCB_##s, NULL, o_##n },
static const struct bed_case cases[] = {
#include "tests/unit/lib/dcap/dcap_cases.h"
#include "tests/unit/lib/dcap/dcap_cases2.h"
#include "tests/unit/lib/dcap/dcap_cases3.h"
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

static void
run_case(void **state)
{
	const struct bed_case *k = *state;
	struct bed *b = bed_new();
	if (k->world != NULL)
		k->world(b);
	bed_make(b);
	if (k->parts != NULL)
		k->parts(b);
	enum dcap_code got = bed_judge(b);
	/* tests/mutate-verifier: one red is enough */
	if (got != k->want && getenv("FAIL_FAST") != NULL)
		_exit(1);
	if (got != k->want)
		fail_msg("%s: %s (%s), expected %s", k->name,
		    dcap_code_text(got), b->v.why.text,
		    dcap_code_text(k->want));
	if (got == DCAP_OK && b->v.tcb_status != k->status)
		fail_msg("%s: status %s, expected %s", k->name,
		    dcap_tcb_status_text(b->v.tcb_status),
		    dcap_tcb_status_text(k->status));
	if (got != DCAP_OK && b->v.why.text[0] == '\0')
		fail_msg("%s: refused without a reason", k->name);
	bed_free(b);
}

int
main(void)
{
	static struct CMUnitTest tests[CASES];
	static struct bed_case copy[CASES];
	for (size_t i = 0; i < CASES; i++) {
		copy[i] = cases[i];
		tests[i].name = cases[i].name;
		tests[i].test_func = run_case;
		tests[i].initial_state = &copy[i];
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
