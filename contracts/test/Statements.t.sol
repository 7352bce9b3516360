// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Base, IKeyManager, KeyManager} from "./Base.sol";

/// @dev What nodes sign: bootstrap, register, onboard, volume anchor.
contract StatementsTest is Base {
    bytes private constant CT = hex"01020304";

    function testBootstrapStoresTheRecordOnce() public {
        booted();
        ok(km.xPub() == vm.addr(NET_KEY), "xPub");
        eq(uint8(word(0, 0)[11]), 2, "state active");
        ok(word(0, 1) == SEED && word(0, 2) == QUOTE, "seedCommit and quote hash");
        IKeyManager.Bootstrap memory b = bootstrapOf(0, NET_KEY);
        bytes memory sig = sign(NET_KEY, digestOf(keccak256(abi.encode(T_BOOTSTRAP, b))));
        vm.prank(HOST);
        vm.expectRevert(IKeyManager.BadEpoch.selector);
        km.bootstrap(b, sig, QUOTE);
    }

    function testT15SecondKeyForAnEpochIsRefused() public {
        booted();
        IKeyManager.Bootstrap memory b = bootstrapOf(0, 0x666);
        bytes memory sig = sign(0x666, digestOf(keccak256(abi.encode(T_BOOTSTRAP, b))));
        vm.prank(HOST);
        vm.expectRevert(IKeyManager.BadEpoch.selector);
        km.bootstrap(b, sig, QUOTE);
    }

    function tryBootstrap(IKeyManager.Bootstrap memory b, address sender, bytes4 why) private {
        bytes memory sig = sign(NET_KEY, digestOf(keccak256(abi.encode(T_BOOTSTRAP, b))));
        vm.prank(sender);
        vm.expectRevert(why);
        km.bootstrap(b, sig, QUOTE);
    }

    function testBootstrapChecksEachField() public {
        openEpoch(0);
        IKeyManager.Bootstrap memory b = bootstrapOf(0, NET_KEY);
        tryBootstrap(b, address(0x777), IKeyManager.NotBootstrapper.selector);
        b.epoch = 1;
        tryBootstrap(b, HOST, IKeyManager.BadEpoch.selector);
        b = bootstrapOf(0, NET_KEY);
        b.xPub = address(0x1234);
        tryBootstrap(b, HOST, IKeyManager.BadSignature.selector);
        b.xPub = address(0);
        tryBootstrap(b, HOST, IKeyManager.BadSignature.selector);
        b = bootstrapOf(0, NET_KEY);
        b.seedCommit = 0;
        tryBootstrap(b, HOST, IKeyManager.BadValue.selector);
        b = bootstrapOf(0, NET_KEY);
        b.policyHash = 0;
        tryBootstrap(b, HOST, IKeyManager.BadPolicy.selector);
        b = bootstrapOf(0, NET_KEY);
        b.anchorHash = keccak256("other");
        tryBootstrap(b, HOST, IKeyManager.BadAnchor.selector);
        b = bootstrapOf(0, NET_KEY);
        b.submitter = address(0x777);
        tryBootstrap(b, HOST, IKeyManager.NotSubmitter.selector);
        b = bootstrapOf(0, NET_KEY);
        bytes memory sig = sign(NET_KEY, digestOf(keccak256(abi.encode(T_BOOTSTRAP, b))));
        vm.prank(HOST);
        vm.expectRevert(IKeyManager.BadValue.selector);
        km.bootstrap(b, sig, 0);
    }

    function testAnchorIsRefusedWhenUnknownZeroOrTooOld() public {
        openEpoch(0);
        IKeyManager.Bootstrap memory b = bootstrapOf(0, NET_KEY);
        b.anchorNumber = 1000; // this block has no hash yet
        b.anchorHash = 0;
        tryBootstrap(b, HOST, IKeyManager.BadAnchor.selector);
        b = bootstrapOf(0, NET_KEY);
        vm.roll(ANCHOR + 257);
        b.anchorHash = blockhash(ANCHOR);
        tryBootstrap(b, HOST, IKeyManager.BadAnchor.selector);
    }

    /// @dev The history contract as EIP-2935 deploys it, with one block's hash.
    function history(uint256 number, bytes32 hash) private {
        vm.etch(
            HISTORY,
            hex"3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500"
        );
        vm.store(HISTORY, bytes32(number % 8191), hash);
    }

    function testAnAnchorThatBlockhashHasNoMoreIsTakenByTheHistoryContract() public {
        openEpoch(0);
        IKeyManager.Bootstrap memory b = bootstrapOf(0, NET_KEY);
        vm.roll(ANCHOR + 257);
        tryBootstrap(b, HOST, IKeyManager.BadAnchor.selector); // none here
        history(ANCHOR, ANCHOR_HASH);
        b.anchorHash = keccak256("other");
        tryBootstrap(b, HOST, IKeyManager.BadAnchor.selector);
        b.anchorNumber = ANCHOR + 1; // before the fork that brought it
        b.anchorHash = 0;
        tryBootstrap(b, HOST, IKeyManager.BadAnchor.selector);
        b = bootstrapOf(0, NET_KEY);
        vm.roll(ANCHOR + 8192);
        tryBootstrap(b, HOST, IKeyManager.BadAnchor.selector); // one too old
        vm.roll(ANCHOR + 8191); // the oldest that it has
        bytes memory sig = sign(NET_KEY, digestOf(keccak256(abi.encode(T_BOOTSTRAP, b))));
        vm.prank(HOST);
        km.bootstrap(b, sig, QUOTE);
        ok(km.xPub() == vm.addr(NET_KEY), "taken");
    }

    /// @dev Chains of other rules have other code there, or none that answers
    /// so: what is not one word is no hash, and no window is longer.
    function testWhatAnswersOtherwiseThanTheHistoryContractIsNoHash() public {
        openEpoch(0);
        IKeyManager.Bootstrap memory b = bootstrapOf(0, NET_KEY);
        bytes memory word = abi.encodePacked(hex"7f", ANCHOR_HASH, hex"5f52");
        vm.roll(ANCHOR + 257);
        vm.etch(HISTORY, bytes.concat(word, hex"60405ff3")); // two words
        tryBootstrap(b, HOST, IKeyManager.BadAnchor.selector);
        vm.etch(HISTORY, bytes.concat(word, hex"601f5ff3")); // 31 bytes
        tryBootstrap(b, HOST, IKeyManager.BadAnchor.selector);
        vm.etch(HISTORY, bytes.concat(word, hex"60205ffd")); // reverts with it
        tryBootstrap(b, HOST, IKeyManager.BadAnchor.selector);
        vm.etch(HISTORY, bytes.concat(word, hex"60205ff3")); // whatever is asked
        vm.roll(ANCHOR + 8192);
        tryBootstrap(b, HOST, IKeyManager.BadAnchor.selector);
        vm.roll(ANCHOR + 8191);
        bytes memory sig = sign(NET_KEY, digestOf(keccak256(abi.encode(T_BOOTSTRAP, b))));
        vm.prank(HOST);
        km.bootstrap(b, sig, QUOTE);
    }

    function testRegisterStoresOneWord() public {
        booted();
        bytes32 id = request();
        ok(id == km.requestIdOf(registerOf()), "requestId is the digest of Register");
        (IKeyManager.Status s, uint64 expiry, bytes23 tag) = km.requested(id);
        ok(s == IKeyManager.Status.Requested && expiry == 1050 && tag == bytes23(QUOTE), "request");
        bytes32 w = vm.load(address(km), keccak256(abi.encode(id, uint256(6))));
        ok(w == bytes32(abi.encodePacked(bytes23(QUOTE), uint64(1050), uint8(1))), "word");
    }

    function tryRegister(IKeyManager.Register memory r, address sender, bytes4 why) private {
        bytes memory sig = signTx(NODE_KEY, idOf(r), QUOTE);
        vm.prank(sender);
        vm.expectRevert(why);
        km.register(r, QUOTE, sig);
    }

    function testRegisterChecksEachField() public {
        booted();
        IKeyManager.Register memory r = registerOf();
        tryRegister(r, address(0x777), IKeyManager.NotSubmitter.selector); // T34: copied
        r.epoch = 1;
        tryRegister(r, HOST, IKeyManager.BadEpoch.selector);
        r = registerOf();
        r.policyHash = keccak256("other");
        tryRegister(r, HOST, IKeyManager.BadPolicy.selector);
        r = registerOf();
        r.anchorHash = keccak256("other");
        tryRegister(r, HOST, IKeyManager.BadAnchor.selector);
        r = registerOf();
        r.node = address(0x1234);
        tryRegister(r, HOST, IKeyManager.BadSignature.selector);
        r.node = address(0);
        tryRegister(r, HOST, IKeyManager.BadSignature.selector);
    }

    function testT34FieldsOrQuoteSwappedUnderTheSignatureAreRefused() public {
        booted();
        IKeyManager.Register memory r = registerOf();
        bytes memory sig = signTx(NODE_KEY, idOf(r), QUOTE);
        r.encKeyHash = keccak256("attacker's key");
        vm.prank(HOST);
        vm.expectRevert(IKeyManager.BadSignature.selector);
        km.register(r, QUOTE, sig);
        r = registerOf();
        vm.prank(HOST);
        vm.expectRevert(IKeyManager.BadSignature.selector);
        km.register(r, keccak256("other quote"), sig);
        vm.prank(HOST);
        vm.expectRevert(IKeyManager.BadValue.selector);
        km.register(r, 0, sig);
    }

    function testRegisterTwiceIsRefused() public {
        booted();
        request();
        tryRegister(registerOf(), HOST, IKeyManager.RequestKnown.selector);
    }

    function testRegisterBeforeBootstrapIsRefused() public {
        tryRegister(registerOf(), HOST, IKeyManager.BadEpoch.selector);
        openEpoch(0);
        tryRegister(registerOf(), HOST, IKeyManager.BadEpoch.selector);
    }

    function testT40RequestsPerBlockAreCappedAndTheNextBlockIsFree() public {
        booted();
        IKeyManager.Register memory r = registerOf();
        for (uint256 i = 0; i < 4; ++i) {
            r.nonce = bytes32(i);
            bytes memory sig = signTx(NODE_KEY, idOf(r), QUOTE);
            vm.prank(HOST);
            km.register(r, QUOTE, sig);
        }
        r.nonce = bytes32(uint256(4));
        tryRegister(r, HOST, IKeyManager.TooMany.selector);
        vm.roll(1001);
        vm.setBlockhash(ANCHOR, ANCHOR_HASH);
        bytes memory sig4 = signTx(NODE_KEY, idOf(r), QUOTE);
        vm.prank(HOST);
        km.register(r, QUOTE, sig4);
    }

    function tryOnboard(IKeyManager.Onboard memory o, bytes4 why) private {
        bytes memory sig = signOnboard(NET_KEY, o);
        vm.expectRevert(why);
        km.onboard(o, sig, CT);
    }

    function testOnboardOnceByAnyone() public {
        booted();
        bytes32 id = request();
        IKeyManager.Onboard memory o = onboardOf(id, CT);
        bytes memory sig = signOnboard(NET_KEY, o);
        vm.prank(address(0x777));
        km.onboard(o, sig, CT);
        (IKeyManager.Status s,,) = km.requested(id);
        ok(s == IKeyManager.Status.Onboarded, "onboarded");
        tryOnboard(o, IKeyManager.RequestUnknown.selector); // T16: replay
    }

    function testOnboardChecksEachField() public {
        booted();
        IKeyManager.Onboard memory o = onboardOf(keccak256("nobody asked"), CT);
        tryOnboard(o, IKeyManager.RequestUnknown.selector);
        bytes32 id = request();
        o = onboardOf(id, CT);
        o.epoch = 1;
        tryOnboard(o, IKeyManager.BadEpoch.selector);
        o = onboardOf(id, CT);
        o.seedCommit = keccak256("other seed");
        tryOnboard(o, IKeyManager.BadEpoch.selector);
        o = onboardOf(id, CT);
        o.ctHash = keccak256("other ciphertext");
        tryOnboard(o, IKeyManager.CiphertextMismatch.selector);
        o = onboardOf(id, CT);
        bytes memory sig = signOnboard(0x666, o);
        vm.expectRevert(IKeyManager.BadSignature.selector);
        km.onboard(o, sig, CT);
        sig = signOnboard(NET_KEY, o);
        o.payee = address(0x777); // T34
        vm.expectRevert(IKeyManager.BadSignature.selector);
        km.onboard(o, sig, CT);
    }

    function testOnboardAfterExpiryIsRefusedAndAtExpiryIsNot() public {
        booted();
        bytes32 id = request();
        IKeyManager.Onboard memory o = onboardOf(id, CT);
        vm.roll(1051);
        (IKeyManager.Status s,,) = km.requested(id);
        ok(s == IKeyManager.Status.Expired, "expired");
        tryOnboard(o, IKeyManager.RequestUnknown.selector);
        vm.roll(1050);
        bytes memory sig = signOnboard(NET_KEY, o);
        km.onboard(o, sig, CT);
    }

    function testT16OtherContractAndOtherChainAreRefused() public {
        booted();
        IKeyManager.Onboard memory o = onboardOf(request(), CT);
        bytes memory sig =
            sign(NET_KEY, digestFor(address(0x9999), keccak256(abi.encode(T_ONBOARD, o))));
        vm.expectRevert(IKeyManager.BadSignature.selector);
        km.onboard(o, sig, CT);
        sig = signOnboard(NET_KEY, o);
        vm.chainId(block.chainid + 1);
        vm.expectRevert(IKeyManager.BadSignature.selector);
        km.onboard(o, sig, CT);
    }

    function testRelayNetworkNeedsNoCiphertextAndPublishesNone() public {
        km = new KeyManager(OWNER, PAUSER, 0, true, false);
        booted();
        IKeyManager.Onboard memory o = onboardOf(request(), CT);
        bytes memory sig = signOnboard(NET_KEY, o);
        vm.expectRevert(IKeyManager.CiphertextMismatch.selector);
        km.onboard(o, sig, hex"99");
        uint256 here = vm.snapshotState();
        km.onboard(o, sig, CT);
        vm.revertToState(here);
        km.onboard(o, sig, "");
    }

    function testOnChainNetworkRefusesAnAbsentCiphertext() public {
        booted();
        IKeyManager.Onboard memory o = onboardOf(request(), CT);
        bytes memory sig = signOnboard(NET_KEY, o);
        vm.expectRevert(IKeyManager.CiphertextMismatch.selector);
        km.onboard(o, sig, "");
    }

    function testPurgeOnlyLongAfterExpiry() public {
        booted();
        bytes32[] memory ids = new bytes32[](1);
        ids[0] = request();
        vm.roll(1050 + 8191);
        vm.expectRevert(IKeyManager.RequestUnknown.selector);
        km.purge(ids);
        vm.roll(1050 + 8192);
        km.purge(ids);
        (IKeyManager.Status s,,) = km.requested(ids[0]);
        ok(s == IKeyManager.Status.None, "gone");
        tryRegister(registerOf(), HOST, IKeyManager.BadAnchor.selector);
    }

    function testPurgeLeavesWhatWasOnboarded() public {
        booted();
        bytes32[] memory ids = new bytes32[](1);
        ids[0] = request();
        IKeyManager.Onboard memory o = onboardOf(ids[0], CT);
        bytes memory sig = signOnboard(NET_KEY, o);
        km.onboard(o, sig, CT);
        vm.roll(1050 + 8192);
        vm.expectRevert(IKeyManager.RequestUnknown.selector);
        km.purge(ids);
    }

    function testVolumeGenerationIsStrictlyUp() public {
        booted();
        IKeyManager.VolumeAnchor memory a = IKeyManager.VolumeAnchor({
            volumeId: keccak256("volume"),
            generation: 7,
            root: keccak256("root"),
            epoch: 0,
            anchorNumber: ANCHOR,
            anchorHash: ANCHOR_HASH
        });
        bytes memory sig = sign(NET_KEY, digestOf(keccak256(abi.encode(T_VOLUME, a))));
        km.anchorVolume(a, sig);
        (uint64 generation, bytes32 root) = km.volumes(a.volumeId);
        ok(generation == 7 && root == a.root, "volume");
        vm.expectRevert(IKeyManager.NotUp.selector);
        km.anchorVolume(a, sig);
        a.generation = 8;
        vm.expectRevert(IKeyManager.BadSignature.selector);
        km.anchorVolume(a, sig);
        a.epoch = 1;
        vm.expectRevert(IKeyManager.BadEpoch.selector);
        km.anchorVolume(a, sig);
        a.epoch = 0;
        a.anchorHash = 0;
        vm.expectRevert(IKeyManager.BadAnchor.selector);
        km.anchorVolume(a, sig);
        a.anchorHash = ANCHOR_HASH;
        sig = sign(NET_KEY, digestOf(keccak256(abi.encode(T_VOLUME, a))));
        vm.prank(OWNER);
        km.closeEpoch(0);
        vm.expectRevert(IKeyManager.BadEpoch.selector);
        km.anchorVolume(a, sig);
    }
}
