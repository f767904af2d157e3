"""Flags: which rules a history was made by (temporal-semantics 9.3).

Core flags: 1 ids and types are compared, 2 patch markers are followed by an upsert, 3 the terminal command is moved
to the end. Language flags: see ``operation``. Sets of flags are shared between runs, since nearly all have the same.
"""

from __future__ import annotations

from collections.abc import Iterable

NO_FLAGS: frozenset[int] = frozenset()

CORE_FLAGS: frozenset[int] = frozenset({1, 2, 3})
"""Rules that this runtime follows; recorded with the first completed task."""

PATCH_UPSERT = 2
MOVE_TERMINAL_COMMAND = 3


def with_more(flags: frozenset[int], more: Iterable[int]) -> frozenset[int]:
    """``flags`` and ``more``."""
    if flags.issuperset(more):
        return flags
    merged = flags.union(more)
    return CORE_FLAGS if merged == CORE_FLAGS else merged
