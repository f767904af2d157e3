"""The seed of a run's randomness.

The formula is Temporal's, so that ids made from ``workflow.random()`` and ``workflow.uuid4()`` replay identically on
a cluster (temporal-semantics 2.5).
"""

from __future__ import annotations

_MASK = 0xFFFFFFFFFFFFFFFF


def siphash13(data: bytes, key0: int = 0, key1: int = 0) -> int:
    """SipHash-1-3 of ``data``: an unsigned 64-bit integer."""
    v0 = key0 ^ 0x736F6D6570736575
    v1 = key1 ^ 0x646F72616E646F6D
    v2 = key0 ^ 0x6C7967656E657261
    v3 = key1 ^ 0x7465646279746573
    whole = len(data) & ~7
    tail = data[whole:]
    words = [int.from_bytes(data[at : at + 8], "little") for at in range(0, whole, 8)]
    words.append((len(data) & 0xFF) << 56 | int.from_bytes(tail, "little"))
    for word in words:
        v3 ^= word
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0 ^= word
    v2 ^= 0xFF
    for _ in range(3):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


def _rotate(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & _MASK


def _round(v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
    v0 = (v0 + v1) & _MASK
    v1 = _rotate(v1, 13) ^ v0
    v0 = _rotate(v0, 32)
    v2 = (v2 + v3) & _MASK
    v3 = _rotate(v3, 16) ^ v2
    v0 = (v0 + v3) & _MASK
    v3 = _rotate(v3, 21) ^ v0
    v2 = (v2 + v1) & _MASK
    v1 = _rotate(v1, 17) ^ v2
    v2 = _rotate(v2, 32)
    return v0, v1, v2, v3


def randomness_seed(run_id: str) -> int:
    """Seed of the run whose WorkflowExecutionStarted event has this ``original_execution_run_id``."""
    return siphash13(run_id.encode() + b"\xff")
