# SPDX-License-Identifier: Apache-2.0
"""The quote verifier libdstack-dcap, by ctypes and nothing else.

    import dstack_dcap as dcap
    with dcap.Collateral(open("collateral.json", "rb").read()) as c:
        v = dcap.authenticate(quote, c, now=int(time.time()))
        if v:                      # the code is "ok": genuine
            print(v.tcb_status, v.mr_td.hex())
        else:
            print(v.code, v.message)

A member is a str, an int or bytes; a flag is True, False, or None where the
certificate does not say. authenticate() says whether a quote is genuine and
what its platform's TCB status is; whether that status is good enough is the
caller's to say, by himself or by a Policy, with which verify() decides. Member
names are those of dcap_verdict_new(3). Not for several threads at one verdict.
"""
import ctypes
import ctypes.util
import os

_name = os.environ.get("DSTACK_DCAP_LIBRARY") or ctypes.util.find_library("dstack-dcap") or "libdstack-dcap.so.1"
_lib = ctypes.CDLL(_name)
_OK = 0
_p, _s, _n = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t


# what number() and text() cannot tell from their answers, dcap_verdict_new(3)
_TEXTS = frozenset("code message tee tcb_status platform_status module_status qe_status tcb_date module_id".split())
_TRUTHS = frozenset("has_platform_instance dynamic_platform cached_keys smt_enabled".split())


class _Why(ctypes.Structure):
    _fields_ = [("text", ctypes.c_char * 256)]


def _function(name, result, *args):
    f = getattr(_lib, name)
    f.restype, f.argtypes = result, args
    return f


_load = _function("dcap_collateral_load", ctypes.c_int, _s, _n, ctypes.POINTER(_p), ctypes.POINTER(ctypes.c_int), ctypes.POINTER(_Why))
_collateral_free = _function("dcap_collateral_free", None, _p)
_code_text = _function("dcap_code_text", _s, ctypes.c_int)
_authenticate = _function("dcap_authenticate", ctypes.c_int, _s, _n, _p, ctypes.c_int64, _s, _s, _p)
_root = _function("dcap_root_from_cert", ctypes.c_int, _s, _n, ctypes.c_char_p, ctypes.POINTER(_Why))
_verify = _function("dcap_verify", ctypes.c_int, _s, _n, _p, ctypes.c_int64, _p, _s, _p)
_status_from = _function("dcap_tcb_status_from", ctypes.c_int, _s)
_flag_text = _function("dcap_flag_text", _s, ctypes.c_uint)
_new = _function("dcap_verdict_new", _p)
_free = _function("dcap_verdict_free", None, _p)
_bytes = _function("dcap_verdict_bytes", _p, _p, _s, ctypes.POINTER(_n))
_text = _function("dcap_verdict_text", _s, _p, _s)
_number = _function("dcap_verdict_number", ctypes.c_int64, _p, _s)
_advisory = _function("dcap_verdict_advisory", _s, _p, ctypes.c_uint)

_TEES = {"sgx": 1 << 1, "tdx": 1 << 2}  # 1 << enum dcap_tee
_FLAGS = 12  # DCAP_FLAGS
XFAM_LINUX = 0x61AE7
"""Extended features that Linux uses in a trust domain: DCAP_XFAM_LINUX."""


class _Policy(ctypes.Structure):  # struct dcap_policy
    _fields_ = [
        ("root_key", ctypes.c_char_p),
        ("accept_tee", ctypes.c_uint32),
        ("accept_status", ctypes.c_uint32),
        ("allow_flags", ctypes.c_uint32),
        ("xfam_allow", ctypes.c_uint64),
        ("min_tcb_eval", ctypes.c_uint32),
        ("min_tcb_date", ctypes.c_int64),
        ("min_root_crl", ctypes.c_uint64),
        ("min_pck_crl", ctypes.c_uint64),
        ("deny_advisories", ctypes.POINTER(_s)),
        ("deny_count", _n),
    ]


INTEL_ROOT = bytes((ctypes.c_uint8 * 64).in_dll(_lib, "dcap_intel_root"))
"""Public key of Intel's SGX Root CA, 64 bytes x || y."""


class Refused(Exception):
    """Collateral or a root certificate that is not what it should be."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


def root_from_cert(cert):
    """The 64-byte key of a root certificate, DER or PEM."""
    key, why = ctypes.create_string_buffer(64), _Why()
    if _root(cert, len(cert), key, ctypes.byref(why)) != _OK:
        raise Refused("bad_root", why.text.decode())
    return key.raw


class Collateral:
    """Collateral as one JSON document, its signatures checked; else Refused."""

    def __init__(self, json):
        self._p, code, why = _p(), ctypes.c_int(), _Why()
        if _load(json, len(json), ctypes.byref(self._p), ctypes.byref(code), ctypes.byref(why)) != _OK:
            raise Refused(_code_text(code).decode(), why.text.decode())

    def close(self):
        _collateral_free(self._p)
        self._p = _p()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Policy:
    """What is good enough, by the members of dcap_verify(3)'s policy. The three
    floors have no default, since none is one: take the numbers of collateral
    that you have seen (tcb_eval, root_crl_number, pck_crl_number of a verdict).
    allow_flags: names as "td_debug". A name that is none is a ValueError."""

    def __init__(self, *, min_tcb_eval, min_root_crl, min_pck_crl, root_key=INTEL_ROOT, accept_tee=("tdx",),
                 accept_status=("UpToDate",), allow_flags=(), xfam_allow=XFAM_LINUX, min_tcb_date=0, deny_advisories=()):
        if len(root_key) != 64:
            raise ValueError("root_key is 64 bytes")
        flags = {_flag_text(i).decode(): 1 << i for i in range(_FLAGS)}
        # kept: the structure points into both
        self._root = ctypes.create_string_buffer(bytes(root_key), 64)
        self._deny = (_s * len(deny_advisories))(*(a.encode() for a in deny_advisories))
        self._c = _Policy(
            ctypes.cast(self._root, ctypes.c_char_p), self._mask(accept_tee, _TEES.get), self._mask(accept_status, self._status),
            self._mask(allow_flags, flags.get), xfam_allow, min_tcb_eval, min_tcb_date, min_root_crl, min_pck_crl,
            ctypes.cast(self._deny, ctypes.POINTER(_s)), len(self._deny))

    @staticmethod
    def _status(name):
        n = _status_from(name.encode())
        return 1 << n if n else None

    @staticmethod
    def _mask(names, bit):
        if isinstance(names, str):
            raise ValueError(f"{names!r}: a list of names is wanted")
        mask = 0
        for name in names:
            b = bit(name)
            if b is None:
                raise ValueError(f"no such name: {name!r}")
            mask |= b
        return mask


class Verdict:
    """True if and only if the quote is genuine and, of verify(), good enough;
    members by name."""

    def __init__(self):
        self._p = _new()
        if not self._p:
            raise MemoryError

    def __del__(self):
        if getattr(self, "_p", None):
            _free(self._p)

    def __bool__(self):
        return self.code == "ok"

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        if name in _TEXTS:
            return _text(self._p, name.encode()).decode()
        number = _number(self._p, name.encode())
        if number >= 0:
            # the library's numbers of a truth are not Python's: its "no" is 1
            if name in _TRUTHS:
                return {0: None, 1: False, 2: True}[number]
            return bool(number) if name == "platform_ca" else number
        try:
            return self.bytes(name)
        except KeyError:
            raise AttributeError(f"a verdict has no member {name!r}") from None

    def bytes(self, name):
        n = _n()
        p = _bytes(self._p, name.encode(), ctypes.byref(n))
        if not p:
            raise KeyError(name)
        return ctypes.string_at(p, n.value)

    @property
    def advisory_ids(self):
        out, i = [], 0
        while (s := _advisory(self._p, i)) is not None:
            out.append(s.decode())
            i += 1
        return out


def authenticate(quote, collateral, now, root=INTEL_ROOT, report_data=None):
    """Judge a raw quote at time now (seconds UTC). report_data: the 64 bytes
    that it must carry, or None where the caller compares them himself."""
    if len(root) != 64 or (report_data is not None and len(report_data) != 64):
        raise ValueError("root and report_data are 64 bytes each")
    v = Verdict()
    _authenticate(quote, len(quote), collateral._p, now, root, report_data, v._p)
    return v


def verify(quote, collateral, now, policy, report_data):
    """Judge a raw quote by a policy: the one call for a program that decides.
    report_data: the 64 bytes that it must carry. A quote that is genuine and
    not good enough has the code "policy" and a message that says why."""
    if len(report_data) != 64:
        raise ValueError("report_data is 64 bytes")
    v = Verdict()
    _verify(quote, len(quote), collateral._p, now, ctypes.byref(policy._c), report_data, v._p)
    return v
