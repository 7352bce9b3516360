// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title The contract of a dstack network: statements, records and events.
/// @notice What a node signs is EIP-712 typed data of the domain
/// {name "dstack2", version "1", chainId, verifyingContract}; field order is
/// the type's order. lib/protocol/layout.h is the C side of this file.
interface IKeyManager {
    enum EpochState {
        None,
        Open, // opened by governance, no key yet
        Active, // bootstrapped: xPub and seedCommit are final
        Closed
    }

    enum Status {
        None,
        Requested,
        Onboarded,
        Expired // only ever an answer of requested(), never stored
    }

    struct Bootstrap {
        uint64 epoch;
        address xPub;
        bytes32 seedCommit;
        bytes32 policyHash;
        bytes32 anchorHash;
        uint64 anchorNumber;
        address submitter;
    }

    struct Register {
        uint64 epoch;
        address node;
        bytes32 encKeyHash;
        bytes32 policyHash;
        bytes32 anchorHash;
        uint64 anchorNumber;
        address submitter;
        bytes32 nonce;
    }

    struct Onboard {
        bytes32 requestId;
        uint64 epoch;
        bytes32 seedCommit;
        bytes32 ctHash;
        bytes32 platformHash;
        uint8 tcbStatus;
        address payee;
    }

    struct VolumeAnchor {
        bytes32 volumeId;
        uint64 generation;
        bytes32 root;
        uint64 epoch;
        uint64 anchorNumber;
        bytes32 anchorHash;
    }

    /// @notice Stored as one word; the first field is in the lowest bits.
    struct Policy {
        uint32 tcbStatusMask; // bit i: TCB status i is accepted
        uint32 minTcbEvalNum; // floors: they only rise
        uint32 minRootCrl;
        uint32 minPckCrl;
        uint32 requestExpiryBlocks;
        uint16 requestsPerBlock;
        uint8 platformMode; // 1 allow list, 2 deny list, 3 open (simulated)
    }

    /// @notice Eight slots; an epoch's record in mapping `epochs`.
    struct Epoch {
        address xPub; // +0, with the next two
        EpochState state;
        uint64 openedAt; // seconds
        bytes32 seedCommit; // +1
        bytes32 bootstrapQuoteHash; // +2
        bytes32 policyHash; // +3
        uint256 policy; // +4: Policy, packed
        address bootstrapper; // +5
        bytes32 tuplesHash; // +6
        bytes32 advisoriesHash; // +7
    }

    /// @notice One slot: quoteTag (first 23 bytes of the quote's hash), expiry, state.
    struct Request {
        Status state;
        uint64 expiry; // last block number at which it may be onboarded
        bytes23 quoteTag;
    }

    struct Volume {
        uint64 generation;
        bytes32 root;
    }

    /// @notice Four slots.
    struct App {
        bytes32 appId; // +0
        bytes32 digest; // +1: SHA-256 of the image's manifest
        uint64 version; // +2, with the next two
        uint64 notBefore; // seconds
        bool stopped;
        string name; // +3: 1 to 127 bytes, for people
    }

    event EpochOpened(uint64 indexed epoch, address indexed bootstrapper, bytes32 policyHash);
    event EpochClosed(uint64 indexed epoch);
    event PolicyChanged(uint64 indexed epoch, bytes32 policyHash);
    event TupleSet(uint64 indexed epoch, bytes32 indexed tupleHash, uint8 value);
    event AdvisorySet(uint64 indexed epoch, bytes32 indexed advisory, uint8 value);
    event PlatformSet(bytes32 indexed platformHash, uint8 value);
    event BootstrapComplete(
        uint64 indexed epoch, address indexed xPub, bytes32 seedCommit, bytes32 quoteHash
    );
    event Requested(bytes32 indexed requestId, address indexed node);
    /// @dev ct is empty on a network whose ciphertexts travel by relay.
    event Onboarded(bytes32 indexed requestId, Onboard onboard, bytes sig, bytes ct);
    event ContainerChanged(string name, bytes32 indexed digest, uint64 version, uint64 notBefore);
    event AppStopped(uint64 indexed version);
    event VolumeAnchored(bytes32 indexed volumeId, uint64 generation, bytes32 root);
    event PauserChanged(address indexed pauser);
    event Paused(address indexed by);
    event Unpaused();

    error BadAnchor(); // not the hash of one of the last 8191 blocks (EIP-2935; else 256)
    error BadApp(); // other appId, not the next version, name of no length or too long
    error BadEpoch(); // not the current (bootstrap: the last) epoch, or not in that state
    error BadPlatform(); // denied
    error BadPolicy(); // another policyHash, or a policy that would be weaker
    error BadSignature(); // wrong signer, or an encoding that is refused
    error BadValue(); // zero where something is needed, nothing to take back, no owner
    error CiphertextMismatch(); // ct is not the one that was signed, or absent
    error NotBootstrapper();
    error NotPauser();
    error NotSubmitter(); // the signed statement names another sender
    error NotUp(); // a generation or floor that does not rise
    error RequestUnknown(); // not asked for, already onboarded, or expired
    error RequestKnown(); // this requestId was used
    error StoppedByPauser();
    error TooFar(); // a floor that rises by more than 64 in one call
    error TooMany(); // more requests in this block than the policy allows
    error TooSoon(); // notice period

    // A node's statements, sent by its host
    function bootstrap(Bootstrap calldata b, bytes calldata sig, bytes32 quoteHash) external;
    function register(Register calldata r, bytes32 quoteHash, bytes calldata sig) external;
    function onboard(Onboard calldata o, bytes calldata sig, bytes calldata ct) external;
    function anchorVolume(VolumeAnchor calldata a, bytes calldata sig) external;
    /// @notice Forget requests that expired more than 8191 blocks ago. Anyone.
    function purge(bytes32[] calldata requestIds) external;

    // Anyone asks
    function verify(bytes32 appData, bytes calldata sig) external view returns (bool);
    function verifyAt(uint64 epoch, bytes32 appData, bytes calldata sig)
        external
        view
        returns (bool);
    function xPub() external view returns (address);
    function container() external view returns (string memory);
    function app(bool latest) external view returns (App memory);
    function appliesAt() external view returns (uint64);
    function requested(bytes32 requestId)
        external
        view
        returns (Status status, uint64 expiry, bytes23 quoteTag);
    function requestIdOf(Register calldata) external view returns (bytes32);

    // Governance (owner; a timelock where the network is real)
    function openEpoch(uint64 epoch, Policy calldata p, address bootstrapper) external;
    function allowTuple(uint64 epoch, bytes32 tupleHash) external;
    function acceptAdvisory(uint64 epoch, bytes32 advisory) external;
    function raiseFloors(
        uint64 epoch,
        uint32 tcbStatusMask,
        uint32 minTcbEvalNum,
        uint32 minRootCrl,
        uint32 minPckCrl
    ) external;
    function closeEpoch(uint64 epoch) external;
    function allowPlatform(bytes32 platformHash) external;
    function proposeApp(
        bytes32 appId,
        bytes32 digest,
        string calldata name,
        uint64 version,
        uint64 notBefore
    ) external;
    /// @notice proposeApp of the same appId, the next version, at the earliest time.
    function set_container(string calldata name, bytes32 digest) external;
    function setPauser(address pauser) external;
    /// @notice Take back a denial of the pauser; one of the owner is final.
    function allowTupleAgain(uint64 epoch, bytes32 tupleHash) external;
    function allowAdvisoryAgain(uint64 epoch, bytes32 advisory) external;
    function allowPlatformAgain(bytes32 platformHash) external;
    function unpause() external;

    // Owner or pauser: these only take away
    function pause() external;
    function stopApp(uint64 version) external;
    function denyTuple(uint64 epoch, bytes32 tupleHash) external;
    function denyAdvisory(uint64 epoch, bytes32 advisory) external;
    function denyPlatform(bytes32 platformHash) external;
}
