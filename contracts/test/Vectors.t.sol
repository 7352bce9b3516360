// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Base, IKeyManager, KeyManager} from "./Base.sol";

interface VmFiles {
    function readFile(string calldata path) external view returns (string memory);
    function parseJsonBytes32(string calldata json, string calldata key)
        external
        pure
        returns (bytes32);
    function parseJsonBytes(string calldata json, string calldata key)
        external
        pure
        returns (bytes memory);
    function parseJsonAddress(string calldata json, string calldata key)
        external
        pure
        returns (address);
    function parseJsonUint(string calldata json, string calldata key)
        external
        pure
        returns (uint256);
    function etch(address target, bytes calldata code) external;
    function store(address target, bytes32 slot, bytes32 value) external;
}

/// @dev tests/vectors/contract.json, which C tests read too, against the
/// contract itself at the vectors' address and chain.
contract VectorsTest is Base {
    VmFiles private constant files = VmFiles(address(vm));
    string private json;

    function setUp() public override {
        super.setUp();
        json = files.readFile("tests/vectors/contract.json");
        address at_ = files.parseJsonAddress(json, ".domain.verifyingContract");
        files.etch(at_, address(km).code);
        km = KeyManager(at_);
        files.store(at_, bytes32(uint256(16)), bytes32(uint256(uint160(OWNER))));
        vm.chainId(files.parseJsonUint(json, ".domain.chainId"));
        ok(km.owner() == OWNER, "owner's slot");
    }

    function b32(string memory key) private view returns (bytes32) {
        return files.parseJsonBytes32(json, key);
    }

    function testRegisterDigestIsTheContractsRequestId() public view {
        string memory m = ".statements[1].message.";
        IKeyManager.Register memory r = IKeyManager.Register({
            epoch: uint64(files.parseJsonUint(json, string.concat(m, "epoch"))),
            node: files.parseJsonAddress(json, string.concat(m, "node")),
            encKeyHash: b32(string.concat(m, "encKeyHash")),
            policyHash: b32(string.concat(m, "policyHash")),
            anchorHash: b32(string.concat(m, "anchorHash")),
            anchorNumber: uint64(files.parseJsonUint(json, string.concat(m, "anchorNumber"))),
            submitter: files.parseJsonAddress(json, string.concat(m, "submitter")),
            nonce: b32(string.concat(m, "nonce"))
        });
        ok(km.requestIdOf(r) == b32(".statements[1].digest"), "requestId");
        ok(digestOf(b32(".statements[1].structHash")) == km.requestIdOf(r), "separator");
    }

    /// @dev An epoch 3 with the vectors' network key, put into storage.
    function activate() private {
        address key = files.parseJsonAddress(json, ".keys.network.address");
        bytes32 slot = b32(".slots[0].slot");
        ok(slot == keccak256(abi.encode(uint256(3), uint256(2))), "slot of epochs[3]");
        files.store(address(km), slot, bytes32(uint256(2) << 160 | uint160(key)));
        files.store(
            address(km),
            bytes32(uint256(slot) + 1),
            b32(".statements[3].message.seedCommit")
        );
        files.store(address(km), 0, bytes32(uint256(4) << 64 | 3));
        vm.roll(1234600);
        vm.setBlockhash(1234567, b32(".statements[3].message.seedCommit"));
    }

    function testAttestationVerifies() public {
        activate();
        ok(
            km.verify(b32(".attest.appData"), files.parseJsonBytes(json, ".attest.sig")),
            "attest"
        );
    }

    function testOnboardIsAcceptedWithItsSignature() public {
        activate();
        bytes32 id = b32(".statements[1].digest");
        bytes32 slot = keccak256(abi.encode(id, uint256(6)));
        files.store(address(km), slot, bytes32(uint256(9999999) << 8 | 1));
        IKeyManager.Onboard memory o = IKeyManager.Onboard({
            requestId: id,
            epoch: 3,
            seedCommit: b32(".statements[3].message.seedCommit"),
            ctHash: b32(".statements[3].message.ctHash"),
            platformHash: b32(".statements[3].message.platformHash"),
            tcbStatus: 1,
            payee: files.parseJsonAddress(json, ".statements[3].message.payee")
        });
        km.onboard(
            o,
            files.parseJsonBytes(json, ".statements[3].sig"),
            files.parseJsonBytes(json, ".ct")
        );
    }

    function testPolicyHashIsTheVectors() public {
        IKeyManager.Policy memory p = IKeyManager.Policy(3, 17, 5, 7, 300, 16, 2);
        vm.startPrank(OWNER);
        for (uint64 e = 0; e < 4; ++e) {
            km.openEpoch(e, p, HOST);
        }
        km.allowTuple(3, b32(".policy.tuples[0]"));
        km.allowTuple(3, b32(".policy.tuples[1]"));
        km.acceptAdvisory(3, keccak256("INTEL-SA-00615"));
        vm.stopPrank();
        ok(word(3, 4) == b32(".policy.word"), "word");
        ok(word(3, 3) == b32(".policy.policyHash"), "policyHash");
    }
}
