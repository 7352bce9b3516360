// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Base, IKeyManager, KeyManager} from "./Base.sol";

interface VmLogs {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory);
}

/// @dev What hosts, dashboards and auditors follow: each change says so.
contract EventsTest is Base {
    VmLogs private constant logs = VmLogs(address(vm));
    bytes private constant CT = hex"c7c8";

    /// @dev The last call emitted exactly this.
    function said(string memory event_, bytes32 one, bytes32 two, bytes memory data) private {
        VmLogs.Log[] memory l = logs.getRecordedLogs();
        eq(l.length, 1, event_);
        check(l[0], event_, one, two, data);
    }

    function check(
        VmLogs.Log memory l,
        string memory event_,
        bytes32 one,
        bytes32 two,
        bytes memory data
    ) private view {
        ok(l.emitter == address(km), event_);
        ok(l.topics[0] == keccak256(bytes(event_)), event_);
        ok((l.topics.length > 1 ? l.topics[1] : bytes32(0)) == one, event_);
        ok((l.topics.length > 2 ? l.topics[2] : bytes32(0)) == two, event_);
        ok(keccak256(l.data) == keccak256(data), event_);
    }

    function topic(address a) private pure returns (bytes32) {
        return bytes32(uint256(uint160(a)));
    }

    function testEveryStatementIsAnEvent() public {
        openEpoch(0);
        logs.recordLogs();
        boot(0, NET_KEY);
        said(
            "BootstrapComplete(uint64,address,bytes32,bytes32)",
            0,
            topic(vm.addr(NET_KEY)),
            abi.encode(SEED, QUOTE)
        );
        bytes32 id = request();
        said("Requested(bytes32,address)", id, topic(vm.addr(NODE_KEY)), "");
        IKeyManager.Onboard memory o = onboardOf(id, CT);
        bytes memory sig = signOnboard(NET_KEY, o);
        km.onboard(o, sig, CT);
        said(
            "Onboarded(bytes32,(bytes32,uint64,bytes32,bytes32,bytes32,uint8,address),bytes,bytes)",
            id,
            0,
            abi.encode(o, sig, CT)
        );
        IKeyManager.VolumeAnchor memory a =
            IKeyManager.VolumeAnchor(SEED, 7, QUOTE, 0, ANCHOR, ANCHOR_HASH);
        sig = sign(NET_KEY, digestOf(keccak256(abi.encode(T_VOLUME, a))));
        km.anchorVolume(a, sig);
        said("VolumeAnchored(bytes32,uint64,bytes32)", SEED, 0, abi.encode(7, QUOTE));
    }

    function testARelayNetworksEventHasNoCiphertext() public {
        km = new KeyManager(OWNER, PAUSER, 0, true, false);
        booted();
        IKeyManager.Onboard memory o = onboardOf(request(), CT);
        bytes memory sig = signOnboard(NET_KEY, o);
        logs.recordLogs();
        km.onboard(o, sig, CT);
        said(
            "Onboarded(bytes32,(bytes32,uint64,bytes32,bytes32,bytes32,uint8,address),bytes,bytes)",
            o.requestId,
            0,
            abi.encode(o, sig, "")
        );
    }

    function changed(string memory event_, bytes32 entry) private {
        VmLogs.Log[] memory l = logs.getRecordedLogs();
        eq(l.length, 2, event_);
        check(l[0], event_, 0, entry, abi.encode(1));
        check(l[1], "PolicyChanged(uint64,bytes32)", 0, 0, abi.encode(word(0, 3)));
    }

    function testEveryChangeOfPolicyIsAnEvent() public {
        logs.recordLogs();
        vm.startPrank(OWNER);
        km.openEpoch(0, policy(), HOST);
        said("EpochOpened(uint64,address,bytes32)", 0, topic(HOST), abi.encode(word(0, 3)));
        km.allowTuple(0, QUOTE);
        changed("TupleSet(uint64,bytes32,uint8)", QUOTE);
        km.acceptAdvisory(0, SEED);
        changed("AdvisorySet(uint64,bytes32,uint8)", SEED);
        km.raiseFloors(0, 1, 18, 2, 2);
        said("PolicyChanged(uint64,bytes32)", 0, 0, abi.encode(word(0, 3)));
        km.denyTuple(0, QUOTE);
        said("TupleSet(uint64,bytes32,uint8)", 0, QUOTE, abi.encode(2));
        km.denyAdvisory(0, SEED);
        said("AdvisorySet(uint64,bytes32,uint8)", 0, SEED, abi.encode(2));
        eq(km.advisories(0, SEED), 2, "advisory denied");
        km.allowPlatform(QUOTE);
        said("PlatformSet(bytes32,uint8)", QUOTE, 0, abi.encode(1));
        eq(km.platforms(QUOTE), 1, "platform allowed");
        km.denyPlatform(QUOTE);
        said("PlatformSet(bytes32,uint8)", QUOTE, 0, abi.encode(2));
        eq(km.platforms(QUOTE), 2, "platform denied");
        vm.stopPrank();
        bytes32 other = keccak256("other");
        vm.startPrank(PAUSER);
        km.denyTuple(0, other);
        said("TupleSet(uint64,bytes32,uint8)", 0, other, abi.encode(2));
        km.denyAdvisory(0, other);
        said("AdvisorySet(uint64,bytes32,uint8)", 0, other, abi.encode(2));
        km.denyPlatform(other);
        said("PlatformSet(bytes32,uint8)", other, 0, abi.encode(2));
        vm.stopPrank();
        vm.startPrank(OWNER);
        km.allowTupleAgain(0, other);
        said("TupleSet(uint64,bytes32,uint8)", 0, other, abi.encode(0));
        km.allowAdvisoryAgain(0, other);
        said("AdvisorySet(uint64,bytes32,uint8)", 0, other, abi.encode(0));
        km.allowPlatformAgain(other);
        said("PlatformSet(bytes32,uint8)", other, 0, abi.encode(0));
        km.closeEpoch(0);
        said("EpochClosed(uint64)", 0, 0, "");
        vm.stopPrank();
        ok(uint64(uint256(word(0, 0)) >> 168) == block.timestamp, "openedAt");
        ok(address(uint160(uint256(word(0, 5)))) == HOST, "bootstrapper");
    }

    function testEveryChangeOfTheAppAndOfPowerIsAnEvent() public {
        logs.recordLogs();
        vm.startPrank(OWNER);
        km.proposeApp(APP, QUOTE, "app", 1, 0);
        said(
            "ContainerChanged(string,bytes32,uint64,uint64)",
            QUOTE,
            0,
            abi.encode("app", 1, block.timestamp)
        );
        IKeyManager.App memory a = km.app(true);
        ok(a.appId == APP && a.digest == QUOTE && a.version == 1, "record");
        km.stopApp(1);
        said("AppStopped(uint64)", bytes32(uint256(1)), 0, "");
        km.setPauser(HOST);
        said("PauserChanged(address)", topic(HOST), 0, "");
        ok(km.pauser() == HOST, "pauser");
        km.pause();
        said("Paused(address)", topic(OWNER), 0, "");
        km.unpause();
        said("Unpaused()", 0, 0, "");
        vm.stopPrank();
    }
}
