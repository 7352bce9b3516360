// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Base, IKeyManager, KeyManager} from "./Base.sol";

/// @dev Does what owner, pauser, hosts and nodes may do, in any order, with
/// few enough values that calls often succeed, and remembers what it saw.
contract Actor is Base {
    uint256 public constant IDS = 64;
    bytes32[] public ids;
    mapping(bytes32 => uint8) public highest; // status seen
    mapping(uint64 => address) public key;
    mapping(uint64 => bytes32) public tuplesOf; // at bootstrap
    uint64 public lastVersion;
    mapping(uint64 => uint32) public floor;
    mapping(uint64 => uint256) public openedAt;
    bool public broken;

    constructor() {
        super.setUp();
        km = new KeyManager(address(this), PAUSER, 100, true, true);
        open(0, 3);
        bootstrapLast(0);
    }

    function setUp() public override {}

    function target() external view returns (KeyManager) {
        return km;
    }

    function open(uint32 tcbEval, uint8 mode) public {
        IKeyManager.Policy memory p = policy();
        p.minTcbEvalNum = tcbEval % 4;
        p.platformMode = mode % 5;
        uint64 epoch = km.epochCount();
        km.openEpoch(epoch, p, HOST);
        km.allowTuple(epoch, keccak256("tuple"));
        floor[epoch] = p.minTcbEvalNum;
        openedAt[epoch] = block.timestamp;
    }

    function bootstrapLast(uint256 k) public {
        uint64 epoch = km.epochCount() - 1;
        k = 1 + k % 2;
        boot(epoch, k);
        if (key[epoch] != address(0)) broken = true; // written twice
        if (
            epoch != 0 && floor[epoch] < floor[epoch - 1]
                && block.timestamp < openedAt[epoch] + 100
        ) broken = true; // lower floors, without notice
        key[epoch] = vm.addr(k);
        tuplesOf[epoch] = word(epoch, 6);
    }

    function listMore(uint64 epoch, bytes32 tuple) external {
        km.allowTuple(epoch % 3, tuple);
    }

    function close(uint64 epoch) external {
        km.closeEpoch(epoch % 16); // mostly none: a closed network does little
    }

    function ask(uint256 nonce) external {
        IKeyManager.Register memory r = registerOf();
        r.epoch = km.currentEpoch();
        r.policyHash = word(r.epoch, 3);
        r.nonce = bytes32(nonce % IDS);
        bytes32 id = idOf(r);
        bytes memory sig = signTx(NODE_KEY, id, QUOTE);
        vm.prank(HOST);
        km.register(r, QUOTE, sig);
        if (highest[id] != 0) broken = true; // an id twice
        highest[id] = 1;
        ids.push(id);
    }

    function answer(uint256 which, uint256 k) external {
        bytes32 id = ids[which % ids.length];
        IKeyManager.Onboard memory o = onboardOf(id, hex"c7");
        o.epoch = km.currentEpoch();
        bytes memory sig = signOnboard(1 + k % 2, o);
        km.onboard(o, sig, hex"c7");
        if (highest[id] != 1 || km.xPub() != vm.addr(1 + k % 2)) broken = true;
        highest[id] = 2;
    }

    function forget(uint256 which) external {
        bytes32[] memory one = new bytes32[](1);
        one[0] = ids[which % ids.length];
        km.purge(one);
        if (highest[one[0]] == 2) broken = true;
    }

    function propose(uint64 version, uint64 when) external {
        version %= 8;
        when %= 400;
        IKeyManager.App memory was = km.app(true);
        // the one way around the notice: back from a version that was stopped
        bool back = was.stopped && block.timestamp >= was.notBefore && !km.app(false).stopped
            && km.app(false).digest == QUOTE;
        km.proposeApp(APP, QUOTE, "app", version, uint64(block.timestamp) + when);
        if (version != lastVersion + 1 || (when < 100 && !back)) broken = true;
        lastVersion = version;
    }

    function stop(uint64 version) external {
        vm.prank(PAUSER);
        km.stopApp(version % 8);
    }

    function pause(uint8 how) external {
        if (how % 4 != 0) {
            km.unpause();
            return;
        }
        vm.prank(PAUSER);
        km.pause();
        vm.prank(PAUSER);
        try km.unpause() {
            broken = true;
        } catch {}
    }

    function pass(uint16 blocks) external {
        vm.roll(block.number + blocks % 20);
        vm.warp(block.timestamp + 12 * (blocks % 20));
    }

    function count() external view returns (uint256) {
        return ids.length;
    }

    function epochWord(uint64 epoch, uint256 slot) external view returns (bytes32) {
        return word(epoch, slot);
    }
}

contract InvariantsTest is Base {
    Actor private actor;

    function setUp() public override {
        actor = new Actor();
        km = actor.target();
    }

    function targetContracts() public view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(actor);
    }

    function invariantNoStepDidWhatItMustNot() public view {
        ok(!actor.broken(), "a step succeeded that must not");
    }

    function invariantAKeyIsWrittenOnceAndItsListStays() public view {
        for (uint64 e = 0; e < km.epochCount(); ++e) {
            address key = actor.key(e);
            ok(address(uint160(uint256(actor.epochWord(e, 0)))) == key, "key");
            if (key != address(0)) {
                ok(actor.epochWord(e, 6) == actor.tuplesOf(e), "tuples grew after bootstrap");
            }
        }
    }

    function invariantTheCurrentEpochHasAKeyOrNoneEverHad() public view {
        ok(
            km.xPub() != address(0) || actor.key(km.currentEpoch()) == address(0),
            "current epoch"
        );
        ok(km.epochCount() == 0 || km.currentEpoch() < km.epochCount(), "count");
    }

    function invariantRequestsOnlyMoveForward() public view {
        for (uint256 i = 0; i < actor.count(); ++i) {
            bytes32 id = actor.ids(i);
            (IKeyManager.Status s,,) = km.requested(id);
            uint8 seen = actor.highest(id);
            if (seen == 2) ok(s == IKeyManager.Status.Onboarded, "was onboarded");
            else ok(s != IKeyManager.Status.Onboarded, "onboarded by nobody");
        }
    }

    function invariantARecordRunsOnlyAfterItsNotice() public view {
        IKeyManager.App memory a = km.app(true);
        ok(a.version == actor.lastVersion(), "version");
        ok(km.app(false).version < a.version || a.version == 0, "order of records");
    }
}
