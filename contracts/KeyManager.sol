// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {
    MessageHashUtils
} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {KeyManagerState} from "./KeyManagerState.sol";

/// @title The one contract of a dstack network.
/// @notice It checks signatures, order and freshness, and keeps the records
/// from which guests decide; it never sees a quote or a secret. No proxy, no
/// upgrade: guests pin the code hash, and with it the immutables below.
/// The owner is governance: a TimelockController on a real network. The
/// pauser can stop things and start nothing.
contract KeyManager is KeyManagerState, Ownable2Step {
    bytes32 private constant DOMAIN_TYPEHASH = keccak256(
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    );
    bytes32 private constant BOOTSTRAP_TYPEHASH = keccak256(
        "Bootstrap(uint64 epoch,address xPub,bytes32 seedCommit,bytes32 policyHash,bytes32 anchorHash,uint64 anchorNumber,address submitter)"
    );
    bytes32 private constant REGISTER_TYPEHASH = keccak256(
        "Register(uint64 epoch,address node,bytes32 encKeyHash,bytes32 policyHash,bytes32 anchorHash,uint64 anchorNumber,address submitter,bytes32 nonce)"
    );
    bytes32 private constant REGISTER_TX_TYPEHASH =
        keccak256("RegisterTx(bytes32 requestId,bytes32 quoteHash)");
    bytes32 private constant ONBOARD_TYPEHASH = keccak256(
        "Onboard(bytes32 requestId,uint64 epoch,bytes32 seedCommit,bytes32 ctHash,bytes32 platformHash,uint8 tcbStatus,address payee)"
    );
    bytes32 private constant VOLUME_ANCHOR_TYPEHASH = keccak256(
        "VolumeAnchor(bytes32 volumeId,uint64 generation,bytes32 root,uint64 epoch,uint64 anchorNumber,bytes32 anchorHash)"
    );

    uint32 private constant TCB_MASK_ALL = 0x3f; // six statuses; Revoked has no bit
    uint8 private constant PLATFORM_OPEN = 3;
    uint32 private constant EXPIRY_MAX = 7200; // blocks: about a day
    /// Blocks that an anchor may be behind: what the history contract of
    /// EIP-2935 serves. Where a chain has none, blockhash alone counts: 256.
    uint256 private constant ANCHOR_WINDOW = 8191;
    address private constant HISTORY = 0x0000F90827F1C53a10cb7A02335B175320002935;
    uint256 private constant NAME_MAX = 127;
    /// A floor rises by at most so much a call: Intel's numbers go up by one
    /// now and then, so a call that wants more is a mistake or an attack, and
    /// no call may put a floor where no machine will ever be.
    uint256 private constant FLOOR_STEP = 64;

    /// @dev What stood in a list before the pauser denied it, plus one. Behind
    /// what guests prove: none of them reads it.
    mapping(bytes32 key => uint8) private _undoable;

    /// @notice Whether the network may be a simulated one: open platforms, no notice.
    bool public immutable simAllowed;
    /// @notice Whether ciphertexts travel in the Onboarded event.
    bool public immutable ctOnChain;
    /// @notice Seconds between an app's proposal and its start.
    uint64 public immutable noticePeriod;

    modifier onlyStopper() {
        if (msg.sender != pauser && msg.sender != owner()) revert NotPauser();
        _;
    }

    constructor(
        address owner_,
        address pauser_,
        uint64 noticePeriod_,
        bool simAllowed_,
        bool ctOnChain_
    ) Ownable(owner_) {
        if (noticePeriod_ == 0 && !simAllowed_) revert BadValue();
        pauser = pauser_;
        noticePeriod = noticePeriod_;
        simAllowed = simAllowed_;
        ctOnChain = ctOnChain_;
    }

    // ------------------------------------------------ statements of nodes

    function bootstrap(Bootstrap calldata b, bytes calldata sig, bytes32 quoteHash) external {
        if (_head.paused) revert StoppedByPauser();
        Epoch storage e = _epochs[b.epoch];
        if (e.state != EpochState.Open || b.epoch + 1 != _head.epochCount) revert BadEpoch();
        if (msg.sender != e.bootstrapper) revert NotBootstrapper();
        if (msg.sender != b.submitter) revert NotSubmitter();
        if (b.policyHash != e.policyHash) revert BadPolicy();
        if (b.seedCommit == 0 || quoteHash == 0) revert BadValue();
        // lower floors than the epoch before had: seen by all for the notice period
        if (
            b.epoch != 0 && _lower(_epochs[b.epoch - 1].policy, e.policy)
                && block.timestamp < e.openedAt + noticePeriod
        ) revert TooSoon();
        _checkAnchor(b.anchorNumber, b.anchorHash);
        bytes32 digest = _statement(BOOTSTRAP_TYPEHASH, 7);
        _checkSigner(digest, sig, b.xPub);

        e.xPub = b.xPub;
        e.state = EpochState.Active;
        e.seedCommit = b.seedCommit;
        e.bootstrapQuoteHash = quoteHash;
        _head.currentEpoch = b.epoch;
        emit BootstrapComplete(b.epoch, b.xPub, b.seedCommit, quoteHash);
    }

    function register(Register calldata r, bytes32 quoteHash, bytes calldata sig) external {
        Head memory h = _head;
        if (h.paused) revert StoppedByPauser();
        Epoch storage e = _epochs[r.epoch];
        if (r.epoch != h.currentEpoch || e.state != EpochState.Active) revert BadEpoch();
        if (msg.sender != r.submitter) revert NotSubmitter();
        if (r.policyHash != e.policyHash) revert BadPolicy();
        if (quoteHash == 0) revert BadValue();
        _checkAnchor(r.anchorNumber, r.anchorHash);
        bytes32 id = requestIdOf(r);
        Request storage q = _requests[id];
        if (q.state != Status.None) revert RequestKnown();
        _checkSigner(
            _digest(keccak256(abi.encode(REGISTER_TX_TYPEHASH, id, quoteHash))),
            sig,
            r.node
        );

        uint256 p = e.policy;
        _count(h, uint16(p >> 160));
        q.state = Status.Requested;
        q.expiry = uint64(block.number) + uint32(p >> 128);
        q.quoteTag = bytes23(quoteHash);
        emit Requested(id, r.node);
    }

    function onboard(Onboard calldata o, bytes calldata sig, bytes calldata ct) external {
        Head memory h = _head;
        if (h.paused) revert StoppedByPauser();
        Request storage q = _requests[o.requestId];
        if (q.state != Status.Requested || block.number > q.expiry) revert RequestUnknown();
        Epoch storage e = _epochs[o.epoch];
        if (o.epoch != h.currentEpoch || e.state != EpochState.Active) revert BadEpoch();
        if (o.seedCommit != e.seedCommit) revert BadEpoch();
        // A relay network's ciphertext is not needed here, but may come.
        if ((ctOnChain || ct.length != 0) && keccak256(ct) != o.ctHash) {
            revert CiphertextMismatch();
        }
        _checkSigner(
            _statement(ONBOARD_TYPEHASH, 7), sig, e.xPub
        );

        q.state = Status.Onboarded;
        emit Onboarded(o.requestId, o, sig, ctOnChain ? ct : ct[:0]);
    }

    function anchorVolume(VolumeAnchor calldata a, bytes calldata sig) external {
        Epoch storage e = _epochs[a.epoch];
        if (a.epoch != _head.currentEpoch || e.state != EpochState.Active) revert BadEpoch();
        _checkAnchor(a.anchorNumber, a.anchorHash);
        Volume storage v = volumes[a.volumeId];
        if (a.generation <= v.generation) revert NotUp();
        _checkSigner(
            _statement(VOLUME_ANCHOR_TYPEHASH, 6), sig, e.xPub
        );

        v.generation = a.generation;
        v.root = a.root;
        emit VolumeAnchored(a.volumeId, a.generation, a.root);
    }

    function purge(bytes32[] calldata requestIds) external {
        for (uint256 i = 0; i < requestIds.length; ++i) {
            Request storage q = _requests[requestIds[i]];
            // Only when its anchor is out of reach too: an id is never used twice.
            if (q.state != Status.Requested || block.number <= q.expiry + ANCHOR_WINDOW) {
                revert RequestUnknown();
            }
            delete _requests[requestIds[i]];
        }
    }

    // -------------------------------------------------------------- views

    /// @notice Did the network's key of the current epoch attest appData?
    /// sig is r, s, v; the original's order v, r, s is read too, here alone.
    function verify(bytes32 appData, bytes calldata sig) external view returns (bool) {
        return verifyAt(_head.currentEpoch, appData, sig);
    }

    /// @notice As verify, for an epoch that is not closed.
    function verifyAt(uint64 epoch, bytes32 appData, bytes calldata sig)
        public
        view
        returns (bool)
    {
        Epoch storage e = _epochs[epoch];
        if (e.state != EpochState.Active || sig.length != 65) return false;
        bytes32 digest = keccak256(abi.encodePacked("attest", appData));
        // xPub of an active epoch is not zero, and so no failure equals it
        if (_recover(digest, sig) == e.xPub) return true;
        return _recover(digest, bytes.concat(sig[1:], sig[:1])) == e.xPub;
    }

    /// @notice The signing address of the current epoch; zero before bootstrap.
    function xPub() external view returns (address) {
        return _epochs[_head.currentEpoch].xPub;
    }

    function currentEpoch() external view returns (uint64) {
        return _head.currentEpoch;
    }

    function epochCount() external view returns (uint64) {
        return _head.epochCount;
    }

    function paused() external view returns (bool) {
        return _head.paused;
    }

    /// @notice Name of the app that runs at this block's time; empty before the first.
    function container() external view returns (string memory) {
        return block.timestamp >= _latest.notBefore ? _latest.name : _previous.name;
    }

    /// @notice The latest record, which holds from its notBefore on, or the
    /// one before it, which holds until then.
    function app(bool latest) external view returns (App memory) {
        return latest ? _latest : _previous;
    }

    function appliesAt() external view returns (uint64) {
        return _latest.notBefore;
    }

    function requested(bytes32 requestId)
        external
        view
        returns (Status status, uint64 expiry, bytes23 quoteTag)
    {
        Request storage q = _requests[requestId];
        (status, expiry, quoteTag) = (q.state, q.expiry, q.quoteTag);
        if (status == Status.Requested && block.number > expiry) status = Status.Expired;
    }

    function requestIdOf(Register calldata) public view returns (bytes32) {
        return _statement(REGISTER_TYPEHASH, 8);
    }

    // --------------------------------------------------------- governance

    /// @notice Open the next epoch. The one before serves until this one is
    /// bootstrapped, and never again may an older one be. Its floors may be
    /// lower than those before; it is then bootstrapped after the notice period.
    function openEpoch(uint64 epoch, Policy calldata p, address bootstrapper)
        external
        onlyOwner
    {
        if (epoch != _head.epochCount) revert BadEpoch();
        if (bootstrapper == address(0)) revert BadValue();
        Epoch storage e = _epochs[epoch];
        e.policy = _pack(p);

        _head.epochCount = epoch + 1;
        e.state = EpochState.Open;
        e.openedAt = uint64(block.timestamp);
        e.bootstrapper = bootstrapper;
        emit EpochOpened(epoch, bootstrapper, _rehash(epoch));
    }

    /// @notice Allow {MRTD, RTMR0..2, MRCONFIGID}, until the epoch has its key.
    function allowTuple(uint64 epoch, bytes32 tupleHash) external onlyOwner {
        _list(tuples[epoch], epoch, tupleHash);
        Epoch storage e = _epochs[epoch];
        e.tuplesHash = keccak256(abi.encode(e.tuplesHash, tupleHash));
        emit TupleSet(epoch, tupleHash, ALLOWED);
        emit PolicyChanged(epoch, _rehash(epoch));
    }

    /// @notice Accept a TCB that only this advisory (keccak256 of its id) spoils.
    function acceptAdvisory(uint64 epoch, bytes32 advisory) external onlyOwner {
        _list(advisories[epoch], epoch, advisory);
        Epoch storage e = _epochs[epoch];
        e.advisoriesHash = keccak256(abi.encode(e.advisoriesHash, advisory));
        emit AdvisorySet(epoch, advisory, ALLOWED);
        emit PolicyChanged(epoch, _rehash(epoch));
    }

    /// @notice Make a policy stricter: fewer statuses, higher floors, each by
    /// at most FLOOR_STEP.
    function raiseFloors(
        uint64 epoch,
        uint32 tcbStatusMask,
        uint32 minTcbEvalNum,
        uint32 minRootCrl,
        uint32 minPckCrl
    ) external onlyOwner {
        Epoch storage e = _epochs[epoch];
        if (e.state != EpochState.Open && e.state != EpochState.Active) revert BadEpoch();
        uint256 old = e.policy;
        if (tcbStatusMask == 0 || tcbStatusMask & ~uint32(old) != 0) revert BadPolicy();
        e.policy = _floors(tcbStatusMask, minTcbEvalNum, minRootCrl, minPckCrl)
            | old >> 128 << 128;
        if (_lower(old, e.policy)) revert NotUp();
        for (uint256 bit = 32; bit < 128; bit += 32) {
            if (uint32(e.policy >> bit) > uint256(uint32(old >> bit)) + FLOOR_STEP) {
                revert TooFar();
            }
        }
        emit PolicyChanged(epoch, _rehash(epoch));
    }

    /// @notice End an epoch: nothing signed under its key counts any more.
    function closeEpoch(uint64 epoch) external onlyOwner {
        Epoch storage e = _epochs[epoch];
        if (e.state != EpochState.Open && e.state != EpochState.Active) revert BadEpoch();
        e.state = EpochState.Closed;
        emit EpochClosed(epoch);
    }

    function allowPlatform(bytes32 platformHash) external onlyOwner {
        if (platforms[platformHash] == DENIED) revert BadPlatform();
        platforms[platformHash] = ALLOWED;
        emit PlatformSet(platformHash, ALLOWED);
    }

    /// @notice Propose what the network runs, as the next version. notBefore 0:
    /// as soon as allowed. A proposal whose time has not come is replaced; one
    /// that runs steps back and runs on until the new one's time. Where the
    /// running version was stopped, the one that ran before it may come back
    /// at once: everybody had notice of it, and nothing is served meanwhile.
    function proposeApp(
        bytes32 appId,
        bytes32 digest,
        string calldata name,
        uint64 version,
        uint64 notBefore
    ) public onlyOwner {
        App storage b = _latest;
        uint64 earliest = uint64(block.timestamp);
        if (
            !(b.stopped && block.timestamp >= b.notBefore && !_previous.stopped
                && digest == _previous.digest)
        ) earliest += noticePeriod;
        if (notBefore == 0) notBefore = earliest;
        if (notBefore < earliest || notBefore == type(uint64).max) revert TooSoon();
        if (appId == 0 || digest == 0) revert BadValue();
        if (bytes(name).length == 0 || bytes(name).length > NAME_MAX) revert BadApp();
        if (version != b.version + 1) revert BadApp();
        if (b.version != 0) {
            if (appId != b.appId) revert BadApp();
            if (block.timestamp >= b.notBefore) _previous = b;
        }
        b.appId = appId;
        b.digest = digest;
        b.version = version;
        b.notBefore = notBefore;
        b.stopped = false;
        b.name = name;
        emit ContainerChanged(name, digest, version, notBefore);
    }

    function set_container(string calldata name, bytes32 digest) external {
        proposeApp(_latest.appId, digest, name, _latest.version + 1, 0);
    }

    function setPauser(address pauser_) external onlyOwner {
        pauser = pauser_;
        emit PauserChanged(pauser_);
    }

    /// @notice Take back what the pauser denied: what stood there before
    /// stands there again. What the owner denied stays denied.
    function allowTupleAgain(uint64 epoch, bytes32 tupleHash) external onlyOwner {
        emit TupleSet(epoch, tupleHash, _undo(tuples[epoch], _tupleKey(epoch, tupleHash), tupleHash));
    }

    function allowAdvisoryAgain(uint64 epoch, bytes32 advisory) external onlyOwner {
        emit AdvisorySet(
            epoch, advisory, _undo(advisories[epoch], _advisoryKey(epoch, advisory), advisory)
        );
    }

    function allowPlatformAgain(bytes32 platformHash) external onlyOwner {
        emit PlatformSet(platformHash, _undo(platforms, platformHash, platformHash));
    }

    /// @notice A network without an owner could never be unpaused.
    function renounceOwnership() public view override onlyOwner {
        revert BadValue();
    }

    function unpause() external onlyOwner {
        _head.paused = false;
        emit Unpaused();
    }

    // ---------------------------------------------------- owner or pauser

    /// @notice Refuse bootstrap, register and onboard until unpause.
    function pause() external onlyStopper {
        _head.paused = true;
        emit Paused(msg.sender);
    }

    /// @notice Stop the running version, or cancel the proposed one.
    function stopApp(uint64 version) external onlyStopper {
        if (version == 0) revert BadApp();
        if (version == _latest.version) {
            // cancelled: its time never comes, and what runs now runs on
            if (block.timestamp < _latest.notBefore) _latest.notBefore = type(uint64).max;
            _latest.stopped = true;
        } else if (version == _previous.version) {
            _previous.stopped = true;
        } else {
            revert BadApp();
        }
        emit AppStopped(version);
    }

    function denyTuple(uint64 epoch, bytes32 tupleHash) external onlyStopper {
        if (epoch >= _head.epochCount) revert BadEpoch();
        _deny(tuples[epoch], _tupleKey(epoch, tupleHash), tupleHash);
        emit TupleSet(epoch, tupleHash, DENIED);
    }

    function denyAdvisory(uint64 epoch, bytes32 advisory) external onlyStopper {
        if (epoch >= _head.epochCount) revert BadEpoch();
        _deny(advisories[epoch], _advisoryKey(epoch, advisory), advisory);
        emit AdvisorySet(epoch, advisory, DENIED);
    }

    function denyPlatform(bytes32 platformHash) external onlyStopper {
        _deny(platforms, platformHash, platformHash);
        emit PlatformSet(platformHash, DENIED);
    }

    // ----------------------------------------------------------- internal

    /// @dev The only place that recovers a signer. Zero: refused (length not
    /// 65, v not 27 or 28, high s, no point).
    function _recover(bytes32 digest, bytes memory sig) private pure returns (address signer) {
        ECDSA.RecoverError err;
        (signer, err,) = ECDSA.tryRecover(digest, sig);
        if (err != ECDSA.RecoverError.NoError) return address(0);
    }

    /// @dev EIP-712. Nothing is kept from deployment: a fork of the chain under
    /// another id is another domain.
    function _digest(bytes32 structHash) private view returns (bytes32) {
        bytes32 separator = keccak256(
            abi.encode(
                DOMAIN_TYPEHASH,
                keccak256("dstack2"),
                keccak256("1"),
                block.chainid,
                address(this)
            )
        );
        return MessageHashUtils.toTypedDataHash(separator, structHash);
    }

    /// @dev Digest of the statement of so many words that is the first
    /// argument of the call: an all-static struct, so it lies right behind the
    /// selector, word for word as EIP-712 hashes it. The caller, or the event
    /// it emits, reads every narrow field and so refuses dirty high bits.
    function _statement(bytes32 typeHash, uint256 words) private view returns (bytes32) {
        return _digest(keccak256(abi.encodePacked(typeHash, msg.data[4:4 + 32 * words])));
    }

    function _checkSigner(bytes32 digest, bytes calldata sig, address expected) private pure {
        address signer = _recover(digest, sig);
        if (signer == address(0) || signer != expected) revert BadSignature();
    }

    function _checkAnchor(uint64 number, bytes32 hash) private view {
        if (hash == 0 || (blockhash(number) != hash && _older(number) != hash)) {
            revert BadAnchor();
        }
    }

    /// @dev Hash of a block that blockhash no longer knows, by EIP-2935; zero
    /// where it is not known there either, or the chain has no such contract.
    /// The window is held here too: another rule set's may be longer, and a
    /// request that was purged must never be able to come back.
    function _older(uint64 number) private view returns (bytes32 hash) {
        if (number + ANCHOR_WINDOW < block.number) return 0;
        (bool done, bytes memory answer) =
            HISTORY.staticcall(abi.encode(number));
        if (done && answer.length == 32) hash = bytes32(answer);
    }

    /// @dev One more request in this block.
    function _count(Head memory h, uint16 cap) private {
        uint32 n = h.capBlock == block.number ? h.capCount : 0;
        if (n >= cap) revert TooMany();
        _head.capBlock = uint64(block.number);
        _head.capCount = n + 1;
    }

    function _list(mapping(bytes32 => uint8) storage list, uint64 epoch, bytes32 key) private {
        if (_epochs[epoch].state != EpochState.Open) revert BadEpoch();
        if (key == 0) revert BadValue();
        if (list[key] != 0) revert BadPolicy();
        list[key] = ALLOWED;
    }

    function _tupleKey(uint64 epoch, bytes32 hash) private pure returns (bytes32) {
        return keccak256(abi.encode("tuple", epoch, hash));
    }

    function _advisoryKey(uint64 epoch, bytes32 hash) private pure returns (bytes32) {
        return keccak256(abi.encode("advisory", epoch, hash));
    }

    /// @dev The owner's word is final; of the pauser's it is kept what was before.
    function _deny(mapping(bytes32 => uint8) storage list, bytes32 key, bytes32 entry) private {
        if (msg.sender == owner()) {
            _undoable[key] = 0;
        } else if (list[entry] != DENIED) {
            _undoable[key] = list[entry] + 1;
        }
        list[entry] = DENIED;
    }

    function _undo(mapping(bytes32 => uint8) storage list, bytes32 key, bytes32 entry)
        private
        returns (uint8 before)
    {
        if (_undoable[key] == 0) revert BadValue();
        before = _undoable[key] - 1;
        _undoable[key] = 0;
        list[entry] = before;
    }

    /// @dev The policy word. Layout: lib/protocol/layout.h.
    function _pack(Policy calldata p) private view returns (uint256) {
        if (
            p.tcbStatusMask == 0 || p.tcbStatusMask & ~TCB_MASK_ALL != 0
                || p.requestExpiryBlocks == 0 || p.requestExpiryBlocks > EXPIRY_MAX
                || p.requestsPerBlock == 0 || p.platformMode == 0
                || p.platformMode > PLATFORM_OPEN
                || (p.platformMode == PLATFORM_OPEN && !simAllowed)
        ) revert BadPolicy();
        return _floors(p.tcbStatusMask, p.minTcbEvalNum, p.minRootCrl, p.minPckCrl)
            | uint256(p.requestExpiryBlocks) << 128 | uint256(p.requestsPerBlock) << 160
            | uint256(p.platformMode) << 176;
    }

    function _floors(uint32 mask, uint32 tcbEval, uint32 rootCrl, uint32 pckCrl)
        private
        pure
        returns (uint256)
    {
        return mask | uint256(tcbEval) << 32 | uint256(rootCrl) << 64 | uint256(pckCrl) << 96;
    }

    /// @dev Is one of the three minimums, at bits 32, 64 and 96 of a policy
    /// word, lower in next than in old?
    function _lower(uint256 old, uint256 next) private pure returns (bool) {
        for (uint256 bit = 32; bit < 128; bit += 32) {
            if (uint32(next >> bit) < uint32(old >> bit)) return true;
        }
        return false;
    }

    /// @dev policyHash over {epoch, policy word as stored, the two chains}.
    function _rehash(uint64 epoch) private returns (bytes32 hash) {
        Epoch storage e = _epochs[epoch];
        hash = keccak256(abi.encode(epoch, e.policy, e.tuplesHash, e.advisoriesHash));
        e.policyHash = hash;
    }
}
