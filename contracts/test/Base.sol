// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IKeyManager} from "../IKeyManager.sol";
import {KeyManager} from "../KeyManager.sol";

/// @dev The few cheat codes that these tests use.
interface Vm {
    function sign(uint256 key, bytes32 digest) external returns (uint8 v, bytes32 r, bytes32 s);
    function addr(uint256 key) external returns (address);
    function prank(address sender) external;
    function startPrank(address sender) external;
    function stopPrank() external;
    function roll(uint256 number) external;
    function warp(uint256 time) external;
    function chainId(uint256 id) external;
    function setBlockhash(uint256 number, bytes32 hash) external;
    function expectRevert(bytes4 selector) external;
    function expectRevert() external;
    function assume(bool condition) external;
    function load(address target, bytes32 slot) external view returns (bytes32);
    function snapshotState() external returns (uint256);
    function revertToState(uint256 id) external returns (bool);
    function cool(address target) external;
    function etch(address target, bytes calldata code) external;
    function store(address target, bytes32 slot, bytes32 value) external;
    struct CallGas {
        uint64 gasLimit;
        uint64 gasTotalUsed;
        uint64 gasMemoryUsed;
        int64 gasRefunded;
        uint64 gasRemaining;
    }

    function lastCallGas() external view returns (CallGas memory);
}

/// @dev A network of one contract and the keys of those who speak to it.
abstract contract Base {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    bytes32 internal constant DOMAIN = keccak256(
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    );
    address internal constant HISTORY = 0x0000F90827F1C53a10cb7A02335B175320002935; // EIP-2935
    bytes32 internal constant T_BOOTSTRAP = keccak256(
        "Bootstrap(uint64 epoch,address xPub,bytes32 seedCommit,bytes32 policyHash,bytes32 anchorHash,uint64 anchorNumber,address submitter)"
    );
    bytes32 internal constant T_REGISTER = keccak256(
        "Register(uint64 epoch,address node,bytes32 encKeyHash,bytes32 policyHash,bytes32 anchorHash,uint64 anchorNumber,address submitter,bytes32 nonce)"
    );
    bytes32 internal constant T_REGISTER_TX =
        keccak256("RegisterTx(bytes32 requestId,bytes32 quoteHash)");
    bytes32 internal constant T_ONBOARD = keccak256(
        "Onboard(bytes32 requestId,uint64 epoch,bytes32 seedCommit,bytes32 ctHash,bytes32 platformHash,uint8 tcbStatus,address payee)"
    );
    bytes32 internal constant T_VOLUME = keccak256(
        "VolumeAnchor(bytes32 volumeId,uint64 generation,bytes32 root,uint64 epoch,uint64 anchorNumber,bytes32 anchorHash)"
    );

    address internal constant OWNER = address(0xA11CE);
    address internal constant PAUSER = address(0xBADCAFE);
    address internal constant HOST = address(0x1057); // submits
    uint256 internal constant NET_KEY = 0x51EE7; // net-sign of epoch 0
    uint256 internal constant NODE_KEY = 0xB0B;
    bytes32 internal constant SEED = keccak256("seed commit");
    bytes32 internal constant QUOTE = keccak256("quote");
    bytes32 internal constant APP = bytes32(uint256(0xa99));
    bytes32 internal constant ANCHOR_HASH = keccak256("anchor block");
    uint64 internal constant ANCHOR = 999;
    uint256 internal constant N =
        0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    KeyManager internal km;

    function setUp() public virtual {
        vm.roll(1000);
        vm.warp(1_700_000_000);
        vm.setBlockhash(ANCHOR, ANCHOR_HASH);
        km = new KeyManager(OWNER, PAUSER, 0, true, true);
    }

    function policy() internal pure returns (IKeyManager.Policy memory) {
        return IKeyManager.Policy({
            tcbStatusMask: 0x3,
            minTcbEvalNum: 17,
            minRootCrl: 1,
            minPckCrl: 1,
            requestExpiryBlocks: 50,
            requestsPerBlock: 4,
            platformMode: 3
        });
    }

    function openEpoch(uint64 epoch) internal {
        vm.startPrank(OWNER);
        km.openEpoch(epoch, policy(), HOST);
        km.allowTuple(epoch, keccak256("tuple"));
        vm.stopPrank();
    }

    function booted() internal {
        openEpoch(0);
        boot(0, NET_KEY);
    }

    function boot(uint64 epoch, uint256 key) internal {
        IKeyManager.Bootstrap memory b = bootstrapOf(epoch, key);
        bytes memory sig = sign(key, digestOf(keccak256(abi.encode(T_BOOTSTRAP, b))));
        vm.prank(HOST);
        km.bootstrap(b, sig, QUOTE);
    }

    function word(uint64 epoch, uint256 slot) internal view returns (bytes32) {
        bytes32 slot0 = keccak256(abi.encode(epoch, uint256(2)));
        return vm.load(address(km), bytes32(uint256(slot0) + slot));
    }

    function bootstrapOf(uint64 epoch, uint256 key)
        internal
        returns (IKeyManager.Bootstrap memory)
    {
        return IKeyManager.Bootstrap({
            epoch: epoch,
            xPub: vm.addr(key),
            seedCommit: SEED,
            policyHash: word(epoch, 3),
            anchorHash: ANCHOR_HASH,
            anchorNumber: ANCHOR,
            submitter: HOST
        });
    }

    function registerOf() internal returns (IKeyManager.Register memory) {
        return IKeyManager.Register({
            epoch: 0,
            node: vm.addr(NODE_KEY),
            encKeyHash: keccak256("encryption key"),
            policyHash: word(0, 3),
            anchorHash: ANCHOR_HASH,
            anchorNumber: ANCHOR,
            submitter: HOST,
            nonce: keccak256("nonce")
        });
    }

    function onboardOf(bytes32 id, bytes memory ct)
        internal
        pure
        returns (IKeyManager.Onboard memory)
    {
        return IKeyManager.Onboard({
            requestId: id,
            epoch: 0,
            seedCommit: SEED,
            ctHash: keccak256(ct),
            platformHash: keccak256("platform"),
            tcbStatus: 0,
            payee: HOST
        });
    }

    /// @dev Register, as signed by the node, from its host.
    function request() internal returns (bytes32 id) {
        IKeyManager.Register memory r = registerOf();
        id = idOf(r);
        bytes memory sig = signTx(NODE_KEY, id, QUOTE);
        vm.prank(HOST);
        km.register(r, QUOTE, sig);
    }

    function idOf(IKeyManager.Register memory r) internal view returns (bytes32) {
        return digestOf(keccak256(abi.encode(T_REGISTER, r)));
    }

    function signTx(uint256 key, bytes32 id, bytes32 quote) internal returns (bytes memory) {
        return sign(key, digestOf(keccak256(abi.encode(T_REGISTER_TX, id, quote))));
    }

    function signOnboard(uint256 key, IKeyManager.Onboard memory o)
        internal
        returns (bytes memory)
    {
        return sign(key, digestOf(keccak256(abi.encode(T_ONBOARD, o))));
    }

    function digestOf(bytes32 structHash) internal view returns (bytes32) {
        return digestFor(address(km), structHash);
    }

    function digestFor(address contract_, bytes32 structHash) internal view returns (bytes32) {
        bytes32 separator = keccak256(
            abi.encode(DOMAIN, keccak256("dstack2"), keccak256("1"), block.chainid, contract_)
        );
        return keccak256(abi.encodePacked(hex"1901", separator, structHash));
    }

    function sign(uint256 key, bytes32 digest) internal returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function eq(uint256 a, uint256 b, string memory what) internal pure {
        require(a == b, what);
    }

    function ok(bool a, string memory what) internal pure {
        require(a, what);
    }
}
