// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IKeyManager} from "./IKeyManager.sol";

/// @title What KeyManager stores, at the slots that guests prove.
/// @dev First in KeyManager's line of inheritance, so that these variables
/// begin at slot 0 whatever a library behind it stores. lib/protocol/layout.h
/// names the slots; test/layout.mjs compares the two. Only ever append.
abstract contract KeyManagerState is IKeyManager {
    struct Head {
        uint64 currentEpoch; // last bootstrapped; 0 before the first
        uint64 epochCount; // opened so far
        uint64 capBlock; // block that capCount counts
        uint32 capCount;
        bool paused;
    }

    uint8 internal constant ALLOWED = 1;
    uint8 internal constant DENIED = 2;

    Head internal _head; // slot 0
    address public pauser; // 1
    mapping(uint64 epoch => Epoch) internal _epochs; // 2
    mapping(uint64 epoch => mapping(bytes32 tupleHash => uint8)) public tuples; // 3
    mapping(uint64 epoch => mapping(bytes32 advisory => uint8)) public advisories; // 4
    mapping(bytes32 platformHash => uint8) public platforms; // 5
    mapping(bytes32 requestId => Request) internal _requests; // 6
    mapping(bytes32 volumeId => Volume) public volumes; // 7
    App internal _previous; // 8 to 11
    App internal _latest; // 12 to 15
}
