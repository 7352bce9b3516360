// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {
    TimelockController
} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {Base, IKeyManager, KeyManager} from "./Base.sol";

/// @dev Epochs, policy, lists, the app's record, and who may do what.
contract GovernanceTest is Base {
    bytes32 private constant TUPLE = keccak256("a tuple");
    bytes32 private constant D1 = keccak256("digest 1");
    bytes32 private constant D2 = keccak256("digest 2");
    address private constant STRANGER = address(0x777);

    function refuse(address sender, bytes memory data, bytes4 why) private {
        address to = address(km);
        vm.prank(sender);
        (bool done, bytes memory out) = to.call(data);
        ok(!done, "was not refused");
        ok(bytes4(out) == why, "refused for another reason");
    }

    function accept(address sender, bytes memory data) private {
        address to = address(km);
        vm.prank(sender);
        (bool done,) = to.call(data);
        ok(done, "was refused");
    }

    // ------------------------------------------------------------- access

    function testEveryGovernanceFunctionRefusesAStrangerAndThePauser() public {
        openEpoch(0);
        bytes[] memory calls = new bytes[](13);
        calls[10] = abi.encodeCall(km.allowTupleAgain, (0, TUPLE));
        calls[11] = abi.encodeCall(km.allowAdvisoryAgain, (0, TUPLE));
        calls[12] = abi.encodeCall(km.allowPlatformAgain, (TUPLE));
        calls[0] = abi.encodeCall(km.openEpoch, (1, policy(), HOST));
        calls[1] = abi.encodeCall(km.allowTuple, (0, TUPLE));
        calls[2] = abi.encodeCall(km.acceptAdvisory, (0, TUPLE));
        calls[3] = abi.encodeCall(km.raiseFloors, (0, 1, 18, 2, 2));
        calls[4] = abi.encodeCall(km.closeEpoch, (0));
        calls[5] = abi.encodeCall(km.allowPlatform, (TUPLE));
        calls[6] = abi.encodeCall(km.proposeApp, (APP, D1, "app", 1, 0));
        calls[7] = abi.encodeCall(km.set_container, ("app", D1));
        calls[8] = abi.encodeCall(km.setPauser, (STRANGER));
        calls[9] = abi.encodeCall(km.unpause, ());
        bytes4 why = bytes4(keccak256("OwnableUnauthorizedAccount(address)"));
        for (uint256 i = 0; i < calls.length; ++i) {
            refuse(STRANGER, calls[i], why);
            refuse(PAUSER, calls[i], why);
        }
    }

    function testStoppersAreOwnerAndPauserOnly() public {
        openEpoch(0);
        accept(OWNER, abi.encodeCall(km.proposeApp, (APP, D1, "app", 1, 0)));
        bytes[] memory calls = new bytes[](5);
        calls[0] = abi.encodeCall(km.pause, ());
        calls[1] = abi.encodeCall(km.stopApp, (1));
        calls[2] = abi.encodeCall(km.denyTuple, (0, TUPLE));
        calls[3] = abi.encodeCall(km.denyAdvisory, (0, TUPLE));
        calls[4] = abi.encodeCall(km.denyPlatform, (TUPLE));
        for (uint256 i = 0; i < calls.length; ++i) {
            refuse(STRANGER, calls[i], IKeyManager.NotPauser.selector);
            accept(PAUSER, calls[i]);
            accept(OWNER, calls[i]);
        }
    }

    function testPauseStopsStatementsAndOnlyTheOwnerEndsIt() public {
        openEpoch(0);
        vm.prank(PAUSER);
        km.pause();
        ok(km.paused() && vm.load(address(km), 0)[3] == 0x01, "paused, at its byte");
        bytes4 why = IKeyManager.StoppedByPauser.selector;
        refuse(HOST, abi.encodeCall(km.bootstrap, (bootstrapOf(0, NET_KEY), "", QUOTE)), why);
        refuse(HOST, abi.encodeCall(km.register, (registerOf(), QUOTE, "")), why);
        refuse(HOST, abi.encodeCall(km.onboard, (onboardOf(0, ""), "", "")), why);
        vm.prank(OWNER);
        km.unpause();
        boot(0, NET_KEY);
    }

    function testConstructorNeedsANoticePeriodUnlessSimulated() public {
        vm.expectRevert(IKeyManager.BadValue.selector);
        new KeyManager(OWNER, PAUSER, 0, false, false);
        km = new KeyManager(OWNER, PAUSER, 3600, false, false);
        ok(!km.simAllowed() && !km.ctOnChain() && km.noticePeriod() == 3600, "immutables");
    }

    function testATimelockCanOwnTheNetwork() public {
        address[] memory one = new address[](1);
        one[0] = OWNER;
        TimelockController lock = new TimelockController(3600, one, one, address(0));
        vm.prank(OWNER);
        km.transferOwnership(address(lock));
        bytes memory take = abi.encodeCall(km.acceptOwnership, ());
        bytes memory open = abi.encodeCall(km.openEpoch, (0, policy(), HOST));
        vm.startPrank(OWNER);
        lock.schedule(address(km), 0, take, 0, 0, 3600);
        lock.schedule(address(km), 0, open, 0, bytes32(uint256(1)), 3600);
        vm.expectRevert();
        lock.execute(address(km), 0, take, 0, 0);
        vm.warp(block.timestamp + 3600);
        lock.execute(address(km), 0, take, 0, 0);
        lock.execute(address(km), 0, open, 0, bytes32(uint256(1)));
        vm.stopPrank();
        ok(km.owner() == address(lock) && km.epochCount() == 1, "owned by the timelock");
    }

    // ------------------------------------------------------------- epochs

    function testEpochsOpenInOrder() public {
        bytes4 why = IKeyManager.BadEpoch.selector;
        refuse(OWNER, abi.encodeCall(km.openEpoch, (1, policy(), HOST)), why);
        openEpoch(0);
        refuse(OWNER, abi.encodeCall(km.openEpoch, (0, policy(), HOST)), why);
        refuse(
            OWNER,
            abi.encodeCall(km.openEpoch, (1, policy(), address(0))),
            IKeyManager.BadValue.selector
        );
    }

    function testTheOldEpochServesUntilTheNextHasItsKeyAndIsNeverBootstrappedLate() public {
        booted();
        openEpoch(1);
        ok(km.currentEpoch() == 0 && km.xPub() == vm.addr(NET_KEY), "old one serves");
        bytes32 id = request();
        boot(1, 0x2222);
        ok(km.currentEpoch() == 1 && km.xPub() == vm.addr(0x2222), "new one");
        IKeyManager.Register memory r = registerOf();
        r.nonce = 0;
        refuse(
            HOST, abi.encodeCall(km.register, (r, QUOTE, "")), IKeyManager.BadEpoch.selector
        );
        bytes4 why = IKeyManager.BadEpoch.selector;
        IKeyManager.Onboard memory o = onboardOf(id, hex"c7");
        bytes memory sig = signOnboard(NET_KEY, o);
        refuse(HOST, abi.encodeCall(km.onboard, (o, sig, hex"c7")), why);
        IKeyManager.VolumeAnchor memory a =
            IKeyManager.VolumeAnchor(SEED, 1, QUOTE, 0, ANCHOR, ANCHOR_HASH);
        sig = sign(NET_KEY, digestOf(keccak256(abi.encode(T_VOLUME, a))));
        refuse(HOST, abi.encodeCall(km.anchorVolume, (a, sig)), why);
        a.epoch = 1;
        sig = sign(0x2222, digestOf(keccak256(abi.encode(T_VOLUME, a))));
        km.anchorVolume(a, sig);
        openEpoch(2);
        openEpoch(3);
        refuse(
            HOST,
            abi.encodeCall(km.bootstrap, (bootstrapOf(2, NET_KEY), "", QUOTE)),
            IKeyManager.BadEpoch.selector
        );
    }

    function testAClosedEpochEndsRegisterOnboardAndVerify() public {
        booted();
        bytes32 id = request();
        bytes memory sig = sign(NET_KEY, keccak256(abi.encodePacked("attest", D1)));
        ok(km.verify(D1, sig), "verifies");
        vm.prank(OWNER);
        km.closeEpoch(0);
        ok(!km.verify(D1, sig), "verifies no more");
        bytes4 why = IKeyManager.BadEpoch.selector;
        refuse(HOST, abi.encodeCall(km.onboard, (onboardOf(id, ""), "", "")), why);
        refuse(HOST, abi.encodeCall(km.register, (registerOf(), QUOTE, "")), why);
        refuse(OWNER, abi.encodeCall(km.closeEpoch, (0)), why);
        refuse(OWNER, abi.encodeCall(km.raiseFloors, (0, 1, 18, 2, 2)), why);
    }

    function testVerifyAtKnowsAnEarlierOpenEpoch() public {
        booted();
        bytes memory sig = sign(NET_KEY, keccak256(abi.encodePacked("attest", D1)));
        openEpoch(1);
        boot(1, 0x2222);
        ok(!km.verify(D1, sig) && km.verifyAt(0, D1, sig) && !km.verifyAt(1, D1, sig), "at 0");
    }

    // ------------------------------------------------------------- policy

    function testPolicyHashIsOverWordAndLists() public {
        vm.startPrank(OWNER);
        km.openEpoch(0, policy(), HOST);
        bytes32 w = word(0, 4);
        ok(
            w
                == bytes32(
                    abi.encodePacked(
                        bytes9(0),
                        uint8(3),
                        uint16(4),
                        uint32(50),
                        uint32(1),
                        uint32(1),
                        uint32(17),
                        uint32(3)
                    )
                ),
            "word"
        );
        ok(word(0, 3) == keccak256(abi.encode(uint256(0), w, 0, 0)), "no lists");
        km.allowTuple(0, TUPLE);
        km.allowTuple(0, D1);
        km.acceptAdvisory(0, D2);
        vm.stopPrank();
        bytes32 t = keccak256(abi.encode(keccak256(abi.encode(0, TUPLE)), D1));
        bytes32 a = keccak256(abi.encode(0, D2));
        ok(word(0, 6) == t && word(0, 7) == a, "chains");
        ok(word(0, 3) == keccak256(abi.encode(uint256(0), w, t, a)), "with lists");
        ok(km.tuples(0, TUPLE) == 1 && km.advisories(0, D2) == 1, "lists");
    }

    function badPolicy(IKeyManager.Policy memory p) private {
        refuse(
            OWNER, abi.encodeCall(km.openEpoch, (0, p, HOST)), IKeyManager.BadPolicy.selector
        );
    }

    function testWeakPoliciesAreRefused() public {
        IKeyManager.Policy memory p = policy();
        p.tcbStatusMask = 0;
        badPolicy(p);
        p.tcbStatusMask = 0x40; // would be Revoked
        badPolicy(p);
        p = policy();
        p.requestExpiryBlocks = 0;
        badPolicy(p);
        p.requestExpiryBlocks = 7201;
        badPolicy(p);
        p = policy();
        p.requestsPerBlock = 0;
        badPolicy(p);
        p = policy();
        p.platformMode = 0;
        badPolicy(p);
        p.platformMode = 4;
        badPolicy(p);
        km = new KeyManager(OWNER, PAUSER, 3600, false, false);
        p.platformMode = 3; // open, and not a simulated network
        badPolicy(p);
        p.platformMode = 2;
        accept(OWNER, abi.encodeCall(km.openEpoch, (0, p, HOST)));
    }

    function testT44ABootstrappedEpochsListsOnlyShrink() public {
        booted();
        bytes4 why = IKeyManager.BadEpoch.selector;
        refuse(OWNER, abi.encodeCall(km.allowTuple, (0, TUPLE)), why);
        refuse(OWNER, abi.encodeCall(km.acceptAdvisory, (0, TUPLE)), why);
        refuse(OWNER, abi.encodeCall(km.allowTuple, (9, TUPLE)), why);
        vm.prank(PAUSER);
        km.denyTuple(0, keccak256("tuple"));
        eq(km.tuples(0, keccak256("tuple")), 2, "denied");
    }

    function testWhatIsDeniedStaysDenied() public {
        vm.prank(OWNER);
        km.openEpoch(0, policy(), HOST);
        vm.startPrank(PAUSER);
        km.denyTuple(0, TUPLE);
        km.denyAdvisory(0, TUPLE);
        km.denyPlatform(TUPLE);
        vm.stopPrank();
        refuse(
            OWNER, abi.encodeCall(km.allowTuple, (0, TUPLE)), IKeyManager.BadPolicy.selector
        );
        refuse(
            OWNER, abi.encodeCall(km.acceptAdvisory, (0, TUPLE)), IKeyManager.BadPolicy.selector
        );
        refuse(
            OWNER, abi.encodeCall(km.allowPlatform, (TUPLE)), IKeyManager.BadPlatform.selector
        );
        refuse(OWNER, abi.encodeCall(km.allowTuple, (0, 0)), IKeyManager.BadValue.selector);
    }

    function testFloorsOnlyRise() public {
        booted();
        bytes32 before = word(0, 3);
        vm.prank(OWNER);
        km.raiseFloors(0, 1, 18, 2, 3);
        ok(word(0, 3) != before, "policyHash follows");
        bytes4 down = IKeyManager.NotUp.selector;
        refuse(OWNER, abi.encodeCall(km.raiseFloors, (0, 1, 17, 2, 3)), down);
        refuse(OWNER, abi.encodeCall(km.raiseFloors, (0, 1, 18, 1, 3)), down);
        refuse(OWNER, abi.encodeCall(km.raiseFloors, (0, 1, 18, 2, 2)), down);
        bytes4 bad = IKeyManager.BadPolicy.selector;
        refuse(OWNER, abi.encodeCall(km.raiseFloors, (0, 3, 18, 2, 3)), bad); // mask grew back
        refuse(OWNER, abi.encodeCall(km.raiseFloors, (0, 0, 18, 2, 3)), bad);
        eq(uint32(uint256(word(0, 4)) >> 128), 50, "the windows stay");
    }

    /// One call to the top would shut every machine out of the epoch for good.
    function testFloorsRiseByBoundedSteps() public {
        booted();
        uint32 top = type(uint32).max;
        bytes4 far = IKeyManager.TooFar.selector;
        IKeyManager.Policy memory p = policy();
        (uint32 a, uint32 b, uint32 c) = (p.minTcbEvalNum, p.minRootCrl, p.minPckCrl);
        refuse(OWNER, abi.encodeCall(km.raiseFloors, (0, 1, top, b, c)), far);
        refuse(OWNER, abi.encodeCall(km.raiseFloors, (0, 1, a + 65, b, c)), far);
        refuse(OWNER, abi.encodeCall(km.raiseFloors, (0, 1, a, b + 65, c)), far);
        refuse(OWNER, abi.encodeCall(km.raiseFloors, (0, 1, a, b, c + 65)), far);
        accept(OWNER, abi.encodeCall(km.raiseFloors, (0, 1, a + 64, b + 64, c + 64)));
    }

    /// A floor that was raised too far is mended by the next epoch, which its
    /// nodes can see for the notice period before it has a key.
    function testTheNextEpochMayLowerFloorsUnderNotice() public {
        km = new KeyManager(OWNER, PAUSER, 3600, true, false);
        booted();
        vm.startPrank(OWNER);
        km.raiseFloors(0, 1, 18, 2, 3);
        km.openEpoch(1, policy(), HOST);
        vm.stopPrank();
        IKeyManager.Bootstrap memory b = bootstrapOf(1, 0x2222);
        bytes memory sig = sign(0x2222, digestOf(keccak256(abi.encode(T_BOOTSTRAP, b))));
        bytes memory call = abi.encodeCall(km.bootstrap, (b, sig, QUOTE));
        vm.warp(block.timestamp + 3599);
        refuse(HOST, call, IKeyManager.TooSoon.selector);
        vm.warp(block.timestamp + 1);
        accept(HOST, call);
        // floors that do not fall need no notice of their own
        openEpoch(2);
        boot(2, 0x3333);
    }

    function testOwnershipIsNotRenounced() public {
        vm.prank(PAUSER);
        km.pause();
        refuse(
            OWNER, abi.encodeCall(km.renounceOwnership, ()), IKeyManager.BadValue.selector
        );
        refuse(
            STRANGER,
            abi.encodeCall(km.renounceOwnership, ()),
            bytes4(keccak256("OwnableUnauthorizedAccount(address)"))
        );
        accept(OWNER, abi.encodeCall(km.unpause, ()));
    }

    /// A pauser cannot take things away for ever, nor deny what is not there.
    function testTheOwnerTakesBackThePausersDenialsAndOnlyThose() public {
        openEpoch(0);
        bytes4 none = IKeyManager.BadEpoch.selector;
        refuse(PAUSER, abi.encodeCall(km.denyTuple, (1, TUPLE)), none);
        refuse(PAUSER, abi.encodeCall(km.denyAdvisory, (1, TUPLE)), none);
        bytes[] memory allow = new bytes[](3);
        bytes[] memory deny = new bytes[](3);
        bytes[] memory again = new bytes[](3);
        allow[0] = abi.encodeCall(km.allowTuple, (0, TUPLE));
        allow[1] = abi.encodeCall(km.acceptAdvisory, (0, TUPLE));
        allow[2] = abi.encodeCall(km.allowPlatform, (TUPLE));
        deny[0] = abi.encodeCall(km.denyTuple, (0, TUPLE));
        deny[1] = abi.encodeCall(km.denyAdvisory, (0, TUPLE));
        deny[2] = abi.encodeCall(km.denyPlatform, (TUPLE));
        again[0] = abi.encodeCall(km.allowTupleAgain, (0, TUPLE));
        again[1] = abi.encodeCall(km.allowAdvisoryAgain, (0, TUPLE));
        again[2] = abi.encodeCall(km.allowPlatformAgain, (TUPLE));
        bytes4 nothing = IKeyManager.BadValue.selector;
        bytes4 stranger = bytes4(keccak256("OwnableUnauthorizedAccount(address)"));
        for (uint256 i = 0; i < 3; ++i) {
            // denied before it was ever allowed: back to nothing
            refuse(OWNER, again[i], nothing);
            accept(PAUSER, deny[i]);
            accept(PAUSER, deny[i]); // twice is once
            eq(listed(i), 2, "denied");
            refuse(PAUSER, again[i], stranger);
            accept(OWNER, again[i]);
            eq(listed(i), 0, "as it was");
            refuse(OWNER, again[i], nothing);
            // allowed, denied: back to allowed
            accept(OWNER, allow[i]);
            accept(PAUSER, deny[i]);
            accept(OWNER, again[i]);
            eq(listed(i), 1, "allowed again");
            // what the owner denied, also after the pauser, stays
            accept(PAUSER, deny[i]);
            accept(OWNER, deny[i]);
            accept(PAUSER, deny[i]);
            refuse(OWNER, again[i], nothing);
            eq(listed(i), 2, "denied for ever");
        }
    }

    function listed(uint256 i) private view returns (uint8) {
        if (i == 0) return km.tuples(0, TUPLE);
        return i == 1 ? km.advisories(0, TUPLE) : km.platforms(TUPLE);
    }

    // ---------------------------------------------------------------- app

    function now_() private view returns (uint64) {
        return uint64(block.timestamp);
    }

    function testSetContainerKeepsItsNameAndGoesThroughTheNotice() public {
        km = new KeyManager(OWNER, PAUSER, 3600, false, false);
        refuse(
            OWNER, abi.encodeCall(km.set_container, ("app", D1)), IKeyManager.BadValue.selector
        );
        vm.startPrank(OWNER);
        km.proposeApp(APP, D1, "app 1", 1, 0);
        eq(bytes(km.container()).length, 0, "nothing yet");
        vm.warp(block.timestamp + 3600);
        ok(keccak256(bytes(km.container())) == keccak256("app 1"), "app 1");
        km.set_container("app 2", D2);
        eq(km.appliesAt(), block.timestamp + 3600, "applies later");
        ok(keccak256(bytes(km.container())) == keccak256("app 1"), "app 1 still");
        ok(km.app(false).digest == D1 && km.app(true).digest == D2, "both records");
        vm.warp(block.timestamp + 3599);
        ok(keccak256(bytes(km.container())) == keccak256("app 1"), "app 1 to the last second");
        vm.warp(block.timestamp + 1);
        ok(keccak256(bytes(km.container())) == keccak256("app 2"), "app 2");
        vm.stopPrank();
    }

    function testThereIsNoVersionZeroToStop() public {
        refuse(PAUSER, abi.encodeCall(km.stopApp, (0)), IKeyManager.BadApp.selector);
    }

    function testT44NoAppBeforeItsNotice() public {
        km = new KeyManager(OWNER, PAUSER, 3600, false, false);
        refuse(
            OWNER,
            abi.encodeCall(km.proposeApp, (APP, D1, "app", 1, now_() + 3599)),
            IKeyManager.TooSoon.selector
        );
        refuse(
            OWNER,
            abi.encodeCall(km.proposeApp, (APP, D1, "app", 1, type(uint64).max)),
            IKeyManager.TooSoon.selector
        );
        accept(OWNER, abi.encodeCall(km.proposeApp, (APP, D1, "app", 1, now_() + 3600)));
    }

    function testT21VersionsAreStrictlyUpAndTheAppIdStays() public {
        vm.prank(OWNER);
        km.proposeApp(APP, D1, "app", 1, 0);
        bytes4 why = IKeyManager.BadApp.selector;
        refuse(OWNER, abi.encodeCall(km.proposeApp, (APP, D2, "app", 1, 0)), why);
        refuse(OWNER, abi.encodeCall(km.proposeApp, (APP, D2, "app", 0, 0)), why);
        refuse(OWNER, abi.encodeCall(km.proposeApp, (TUPLE, D2, "app", 2, 0)), why);
        refuse(OWNER, abi.encodeCall(km.proposeApp, (APP, D2, "", 2, 0)), why);
        refuse(
            OWNER,
            abi.encodeCall(km.proposeApp, (APP, D2, string(new bytes(128)), 2, 0)),
            why
        );
        bytes4 zero = IKeyManager.BadValue.selector;
        refuse(OWNER, abi.encodeCall(km.proposeApp, (APP, 0, "app", 2, 0)), zero);
        refuse(OWNER, abi.encodeCall(km.proposeApp, (0, D2, "app", 2, 0)), zero);
        vm.prank(OWNER);
        km.proposeApp(APP, D2, string(new bytes(127)), 2, 0);
    }

    /// The largest version would be the last that anybody can ever propose.
    function testNoCallUsesUpTheVersions() public {
        bytes4 why = IKeyManager.BadApp.selector;
        uint64 top = type(uint64).max;
        refuse(OWNER, abi.encodeCall(km.proposeApp, (APP, D1, "app", top, 0)), why);
        refuse(OWNER, abi.encodeCall(km.proposeApp, (APP, D1, "app", 2, 0)), why);
        vm.prank(OWNER);
        km.proposeApp(APP, D1, "app", 1, 0);
        refuse(OWNER, abi.encodeCall(km.proposeApp, (APP, D2, "app", top, 0)), why);
        refuse(OWNER, abi.encodeCall(km.proposeApp, (APP, D2, "app", 3, 0)), why);
        accept(OWNER, abi.encodeCall(km.set_container, ("app", D2)));
        ok(km.app(true).version == 2, "the next one");
    }

    function testAStoppedVersionsPredecessorComesBackAtOnceAndNothingElse() public {
        km = new KeyManager(OWNER, PAUSER, 3600, false, false);
        vm.startPrank(OWNER);
        km.proposeApp(APP, D1, "app 1", 1, 0);
        vm.warp(block.timestamp + 3600);
        km.proposeApp(APP, D2, "app 2", 2, 0);
        vm.stopPrank();
        bytes4 soon = IKeyManager.TooSoon.selector;
        bytes memory back = abi.encodeCall(km.proposeApp, (APP, D1, "app 1", 3, now_()));
        // a proposal that was cancelled leaves the old one running: no outage
        refuse(OWNER, back, soon);
        uint256 saved = vm.snapshotState();
        vm.prank(PAUSER);
        km.stopApp(2);
        refuse(OWNER, back, soon);
        vm.revertToState(saved);
        // while version 2 serves, the way back has notice like any other
        vm.warp(block.timestamp + 3600);
        back = abi.encodeCall(km.proposeApp, (APP, D1, "app 1", 3, now_()));
        refuse(OWNER, back, soon);
        saved = vm.snapshotState();
        vm.prank(PAUSER);
        km.stopApp(2);
        bytes memory other =
            abi.encodeCall(km.proposeApp, (APP, keccak256("new"), "app 3", 3, now_()));
        refuse(OWNER, other, soon);
        accept(OWNER, back);
        ok(keccak256(bytes(km.container())) == keccak256("app 1"), "app 1 is back");
        ok(km.app(true).version == 3 && km.appliesAt() == block.timestamp, "version 3, now");
        vm.revertToState(saved);
        // and one that was itself stopped does not come back so
        vm.startPrank(PAUSER);
        km.stopApp(2);
        km.stopApp(1);
        vm.stopPrank();
        refuse(OWNER, back, soon);
    }

    function testAReplacedProposalStartsItsNoticeAnew() public {
        km = new KeyManager(OWNER, PAUSER, 3600, false, false);
        vm.startPrank(OWNER);
        km.proposeApp(APP, D1, "app 1", 1, 0);
        vm.warp(block.timestamp + 3600);
        km.set_container("app 2", D2);
        vm.warp(block.timestamp + 1800);
        km.set_container("app 3", TUPLE);
        vm.warp(block.timestamp + 1800);
        ok(keccak256(bytes(km.container())) == keccak256("app 1"), "app 2 never ran");
        vm.warp(block.timestamp + 1800);
        ok(keccak256(bytes(km.container())) == keccak256("app 3"), "app 3");
        vm.stopPrank();
    }

    function testPauserCancelsAProposalAndStopsARunningApp() public {
        km = new KeyManager(OWNER, PAUSER, 3600, false, false);
        vm.startPrank(OWNER);
        km.proposeApp(APP, D1, "app 1", 1, 0);
        vm.warp(block.timestamp + 3600);
        km.set_container("app 2", D2);
        vm.stopPrank();
        vm.startPrank(PAUSER);
        km.stopApp(2);
        vm.warp(block.timestamp + 1e9);
        ok(keccak256(bytes(km.container())) == keccak256("app 1"), "cancelled, app 1 runs on");
        ok(!km.app(false).stopped && km.app(true).stopped, "only the proposal");
        km.stopApp(1);
        ok(km.app(false).stopped, "app 1 stopped");
        bytes4 why = IKeyManager.BadApp.selector;
        vm.expectRevert(why);
        km.stopApp(9);
        vm.expectRevert(why);
        km.stopApp(0);
        vm.stopPrank();
        vm.startPrank(OWNER);
        km.set_container("app 3", TUPLE);
        ok(km.app(true).version == 3 && !km.app(true).stopped && km.app(false).stopped, "3");
        vm.warp(block.timestamp + 3600);
        vm.stopPrank();
        vm.prank(PAUSER);
        km.stopApp(3);
        ok(km.app(true).stopped && km.appliesAt() <= block.timestamp, "stopped while it runs");
    }
}
