#!/bin/sh
# The verifier as an installed library: what a program outside this tree sees.
set -eu
cd "$(dirname "$0")/../.."
. tests/net/library.sh
library dcap
alone dcap.h
alone status.h
echo "ok headers stand alone, in C and C++"

cat >face.cpp <<'END'
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <dstack/dcap.hpp>
static std::string slurp(const char *p)
{
	std::ifstream f(p, std::ios::binary);
	return std::string(std::istreambuf_iterator<char>(f), {});
}
int main(int, char **argv)
{
	std::uint8_t root[64];
	std::string cert = slurp(argv[3]);
	if (dcap_root_from_cert(cert.data(), cert.size(), root, nullptr) != DSTACK_OK)
		return 3;
	auto c = dstack::collateral::load(slurp(argv[2]));
	auto v = dstack::authenticate(slurp(argv[1]), c, 1800000000, root);
	auto no = dstack::authenticate(slurp(argv[1]), c, 1800000000);
	auto junk = dstack::collateral::load("{}");
	// no certificate of the simulator's says anything of multi-threading
	if (v.truth("smt_enabled") || v.truth("no_such_flag") || !v.truth("has_platform_instance").value_or(true))
		return 4;
	std::printf("%s %s %zu %s %s\n", std::string(v.text("code")).c_str(),
	    std::string(v.text("tcb_status")).c_str(), v.bytes("mr_td").size(),
	    std::string(no.text("code")).c_str(), junk ? "loaded" : "refused");
	return v && !no && !junk ? 0 : 1;
}
END
# shellcheck disable=SC2086
g++ -std=c++17 -Wall -Wextra -Wpedantic -Werror face.cpp $flags -o face
LD_LIBRARY_PATH=$lib ./face "$tree/fuzz/corpus/quote/tdx4" "$tree/fuzz/corpus/collateral/tdx4" "$tree/fuzz/corpus/x509/root" >out || fail "C++: exit $?: $(cat out)"
[ "$(cat out)" = 'ok UpToDate 48 untrusted_pck_chain refused' ] || fail "C++: $(cat out)"
echo "ok the C++ face, with warnings as errors"

DSTACK_DCAP_LIBRARY=$lib/libdstack-dcap.so PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$tree/bindings/python python3 - "$tree/fuzz/corpus" <<'END' || fail "Python"
import sys, dstack_dcap as dcap
d = sys.argv[1]
rd = lambda p: open(f"{d}/{p}", "rb").read()
root = dcap.root_from_cert(rd("x509/root"))
with dcap.Collateral(rd("collateral/tdx4")) as c:
    v = dcap.authenticate(rd("quote/tdx4"), c, 1800000000, root)
    assert v and v.code == "ok" and v.tcb_status == "UpToDate", (v.code, v.message)
    assert len(v.bytes("mr_td")) == 48 and v.version == 4 and isinstance(v.advisory_ids, list)
    assert dcap.authenticate(rd("quote/tdx4"), c, 1800000000, root, v.bytes("report_data"))
    bad = dcap.authenticate(rd("quote/tdx4"), c, 1800000000, root, b"\0" * 63 + b"\1")
    assert not bad and bad.code == "report_data_mismatch", bad.code
    no = dcap.authenticate(rd("quote/tdx4"), c, 1800000000)
    assert not no and no.code == "untrusted_pck_chain" and no.message
    assert v.mr_td == v.bytes("mr_td") and isinstance(v.module_id, str), v.module_id
    assert type(v.platform_ca) is bool, v.platform_ca
    for flag in ("has_platform_instance", "dynamic_platform", "cached_keys", "smt_enabled"):
        assert getattr(v, flag) is None or type(getattr(v, flag)) is bool, flag
    assert not hasattr(v, "mr_tdd") and not hasattr(v, "tcb_statu")
    # each member of a policy, alone in its way, says no in its own words
    floors = dict(min_tcb_eval=v.tcb_eval, min_root_crl=v.root_crl_number, min_pck_crl=v.pck_crl_number)
    good = dict(floors, root_key=root)
    def verdict(rd64=v.report_data, **other):
        return dcap.verify(rd("quote/tdx4"), c, 1800000000, dcap.Policy(**{**good, **other}), rd64)
    yes = verdict(min_tcb_date=v.tcb_date_s, deny_advisories=["INTEL-SA-99999"], allow_flags=["td_debug"])
    assert yes and yes.code == "ok", (yes.code, yes.message)
    assert verdict(b"\0" * 63 + b"\1").code == "report_data_mismatch"
    assert verdict(root_key=dcap.INTEL_ROOT).code == "untrusted_pck_chain"
    said = set()
    for name, value in [("accept_tee", ["sgx"]), ("accept_status", ["OutOfDate"]), ("xfam_allow", 0), ("min_tcb_eval", v.tcb_eval + 1),
            ("min_tcb_date", v.tcb_date_s + 1), ("min_root_crl", v.root_crl_number + 1), ("min_pck_crl", v.pck_crl_number + 1)]:
        w = verdict(**{name: value})
        assert not w and w.code == "policy", (name, w.code)
        said.add(w.message)
    for name in floors:  # none is left out by omission
        assert verdict(**{name: 0}).code == "policy", name
    assert len(said) == 7, said
    for wrong in [dict(accept_tee=["TDX"]), dict(accept_status=["Fine"]), dict(allow_flags=["td_debugg"]), dict(accept_status="UpToDate")]:
        try:
            verdict(**wrong)
            sys.exit(f"{wrong} is taken")
        except ValueError:
            pass
try:
    dcap.Collateral(b"{}")
    sys.exit(1)
except dcap.Refused as e:
    assert e.code == "malformed_collateral", e.code
END
echo "ok Python by ctypes, and each member of a policy in its own words"

# flags and advisories that no seed has, in an authentic verdict
cat >policy.c <<'END'
#include <dstack/dcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static char *slurp(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	char *p = f != NULL ? malloc(1 << 20) : NULL;
	if (p == NULL)
		exit(3);
	*n = fread(p, 1, 1 << 20, f);
	return p;
}
int main(int argc, char **argv)
{
	static const char *const deny[] = { "INTEL-SA-00001" };
	size_t q, c, r;
	char *quote = slurp(argv[1], &q), *json = slurp(argv[2], &c), *cert = slurp(argv[3], &r);
	uint8_t root[64];
	struct dcap_collateral *coll = NULL;
	enum dcap_code code;
	struct dcap_verdict *v = dcap_verdict_new(), one;
	if (argc != 4 || v == NULL || dcap_root_from_cert(cert, r, root, NULL) != DSTACK_OK ||
	    dcap_collateral_load(json, c, &coll, &code, NULL) != DSTACK_OK ||
	    dcap_authenticate(quote, q, coll, 1800000000, root, NULL, v) != DSTACK_OK)
		return 3;
	struct dcap_policy p = { .root_key = root, .accept_tee = 1u << DCAP_TEE_TDX,
		.accept_status = DCAP_ACCEPT(DCAP_TCB_UP_TO_DATE), .xfam_allow = DCAP_XFAM_LINUX,
		.min_tcb_eval = 1, .min_root_crl = 1, .min_pck_crl = 1 };
	for (unsigned i = 0; i < DCAP_FLAGS; i++) {
		one = *v;
		one.policy_flags = 1u << i;
		p.allow_flags = 0;
		if (dcap_apply_policy(&one, &p) == DSTACK_OK || one.code != DCAP_POLICY ||
		    strstr(one.why.text, dcap_flag_text(i)) == NULL)
			return printf("flag %s: %s\n", dcap_flag_text(i), one.why.text), 1;
		one = *v;
		one.policy_flags = 1u << i;
		p.allow_flags = 1u << i;
		if (dcap_apply_policy(&one, &p) != DSTACK_OK)
			return printf("flag %s allowed: %s\n", dcap_flag_text(i), one.why.text), 1;
	}
	p.deny_advisories = deny;
	p.deny_count = 1;
	one = *v;
	if (dcap_apply_policy(&one, &p) != DSTACK_OK)
		return 2;
	snprintf(one.advisory[0], sizeof(one.advisory[0]), "%s", deny[0]);
	one.advisories = 1;
	if (dcap_apply_policy(&one, &p) == DSTACK_OK || one.code != DCAP_POLICY)
		return 2;
	printf("%s\n", one.why.text);
	dcap_collateral_free(coll);
	dcap_verdict_free(v);
	return 0;
}
END
# shellcheck disable=SC2086
$CC -std=c11 -Wall -Wextra -Werror policy.c $flags -o policy
LD_LIBRARY_PATH=$lib ./policy "$tree/fuzz/corpus/quote/tdx4" "$tree/fuzz/corpus/collateral/tdx4" "$tree/fuzz/corpus/x509/root" >out || fail "policy: exit $?: $(cat out)"
grep -q 'INTEL-SA-00001' out || fail "policy: $(cat out)"
echo "ok every flag and a denied advisory are refused by name"

example dcap_verify judge.c
linked judge.c judge -D_DEFAULT_SOURCE
head -c 64 /dev/zero >nothing
seed=$tree/fuzz/corpus
judge() { # PROGRAM REPORT_DATA QUOTE
	rc=0
	LD_LIBRARY_PATH=$lib "./$1" "$3" "$seed/collateral/tdx4" "$2" "$seed/x509/root" 1800000000 >out 2>&1 || rc=$?
}
for p in shared_judge static_judge; do
	judge $p nothing "$seed/quote/tdx4"
	{ [ $rc -eq 0 ] && grep -q '^yes: UpToDate, TCB of 20' out; } || fail "$p: exit $rc: $(cat out)"
	head -c 64 /dev/urandom >other
	judge $p other "$seed/quote/tdx4"
	{ [ $rc -eq 1 ] && grep -q '(report_data_mismatch)' out; } || fail "$p: exit $rc: $(cat out)"
	judge $p nothing "$seed/quote/sgx3"
	{ [ $rc -eq 1 ] && grep -q '^no: ' out; } || fail "$p: exit $rc: $(cat out)"
	rc=0
	LD_LIBRARY_PATH=$lib "./$p" "$seed/quote/tdx4" "$seed/collateral/tdx4" nothing >out 2>&1 || rc=$?
	{ [ $rc -eq 1 ] && grep -q '(untrusted_' out; } || fail "$p under Intel's root: exit $rc: $(cat out)"
	echo "ok the example of dcap(3), $p"
done
both judge
