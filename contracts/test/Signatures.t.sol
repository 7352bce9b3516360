// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Base, IKeyManager} from "./Base.sol";

/// @dev Promise 9's verify, and the encodings that every recover refuses.
contract SignaturesTest is Base {
    function attest(uint256 key, bytes32 appData) private returns (bytes memory) {
        return sign(key, keccak256(abi.encodePacked("attest", appData)));
    }

    function parts(bytes memory sig) private pure returns (bytes32 r, bytes32 s, uint8 v) {
        assembly ("memory-safe") {
            r := mload(add(sig, 32))
            s := mload(add(sig, 64))
            v := byte(0, mload(add(sig, 96)))
        }
    }

    function testFuzzPromise9VerifyTakesTheNetworksSignatureAlone(bytes32 data, uint256 key)
        public
    {
        booted();
        ok(km.verify(data, attest(NET_KEY, data)), "right one");
        key = 1 + key % (N - 1);
        vm.assume(key != NET_KEY);
        ok(!km.verify(data, attest(key, data)), "other signer");
        ok(!km.verify(~data, attest(NET_KEY, data)), "other data");
    }

    function testFuzzVerifyTakesTheOriginalsOrderToo(bytes32 data) public {
        booted();
        (bytes32 r, bytes32 s, uint8 v) = parts(attest(NET_KEY, data));
        ok(km.verify(data, abi.encodePacked(v, r, s)), "v, r, s");
        ok(!km.verify(data, abi.encodePacked(s, r, v)), "no third order");
    }

    function testFuzzT14NothingVerifiesBeforeBootstrap(bytes32 data, bytes memory sig) public {
        ok(!km.verify(data, sig), "no epoch");
        openEpoch(0);
        ok(!km.verify(data, sig), "no key");
        ok(!km.verify(data, new bytes(65)), "zeros");
        ok(km.xPub() == address(0), "xPub");
    }

    function testFuzzT14GarbageNeverVerifies(bytes32 data, bytes memory sig) public {
        booted();
        ok(!km.verify(data, sig), "garbage");
        ok(!km.verify(data, new bytes(65)), "zeros");
        ok(!km.verifyAt(7, data, new bytes(65)), "no such epoch");
        // the other order moves the first byte, which nothing has not
        ok(!km.verify(data, ""), "no bytes");
    }

    function testFuzzT45OneEncodingOnly(bytes32 data, uint8 v) public {
        booted();
        bytes memory good = attest(NET_KEY, data);
        (bytes32 r, bytes32 s, uint8 right) = parts(good);
        ok(
            !km.verify(data, abi.encodePacked(r, N - uint256(s), right ^ 7)),
            "high s, other v"
        );
        ok(!km.verify(data, abi.encodePacked(r, N - uint256(s), right)), "high s");
        vm.assume(v != right);
        ok(!km.verify(data, abi.encodePacked(r, s, v)), "other v");
        ok(!km.verify(data, abi.encodePacked(r, s)), "64 bytes");
        ok(!km.verify(data, abi.encodePacked(good, uint8(0))), "66 bytes");
        ok(!km.verify(data, abi.encodePacked(uint256(0), s, right)), "r zero");
        ok(!km.verify(data, abi.encodePacked(r, uint256(0), right)), "s zero");
    }

    function testT45StatementsRefuseOtherEncodings() public {
        booted();
        IKeyManager.Register memory q = registerOf();
        bytes memory good = signTx(NODE_KEY, idOf(q), QUOTE);
        (bytes32 r, bytes32 s, uint8 v) = parts(good);
        bytes[] memory bad = new bytes[](8);
        bad[0] = abi.encodePacked(r, N - uint256(s), v ^ 7);
        bad[1] = abi.encodePacked(r, s);
        bad[2] = abi.encodePacked(good, uint8(0));
        bad[3] = abi.encodePacked(r, s, uint8(0));
        bad[4] = abi.encodePacked(r, s, uint8(1));
        bad[5] = abi.encodePacked(r, s, uint8(29));
        bad[6] = abi.encodePacked(v, r, s); // the original's order: only in verify
        bad[7] = "";
        for (uint256 i = 0; i < bad.length; ++i) {
            vm.prank(HOST);
            vm.expectRevert(IKeyManager.BadSignature.selector);
            km.register(q, QUOTE, bad[i]);
        }
        vm.prank(HOST);
        km.register(q, QUOTE, good);
    }

    function testFuzzT14RegisterForNobodyIsRefused(bytes memory sig) public {
        booted();
        IKeyManager.Register memory r = registerOf();
        r.node = address(0);
        vm.prank(HOST);
        vm.expectRevert(IKeyManager.BadSignature.selector);
        km.register(r, QUOTE, sig);
    }

    function testFuzzRequestIdIsTheDigestOfEachField(IKeyManager.Register memory r) public view {
        ok(km.requestIdOf(r) == idOf(r), "requestId");
    }

    function testFuzzAnyBitOfRegisterChangesTheRequest(uint256 bit) public {
        booted();
        IKeyManager.Register memory r = registerOf();
        bytes memory data = abi.encodeCall(km.requestIdOf, (r));
        bytes32 id = km.requestIdOf(r);
        bit %= 8 * 256;
        data[4 + bit / 8] ^= bytes1(uint8(1 << (bit % 8)));
        (bool done, bytes memory out) = address(km).staticcall(data);
        ok(!done || bytes32(out) != id, "same id");
    }
}
