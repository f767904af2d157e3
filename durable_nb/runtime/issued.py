"""A command of workflow code on its way to becoming an event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from durable_nb.model.attributes import (
    Attributes,
    UserMetadata,
    WorkflowExecutionCanceled,
    WorkflowExecutionCompleted,
    WorkflowExecutionContinuedAsNew,
    WorkflowExecutionFailed,
)
from durable_nb.model.commands import Command

TERMINAL: frozenset[type[Attributes]] = frozenset(
    {
        WorkflowExecutionCompleted,
        WorkflowExecutionFailed,
        WorkflowExecutionCanceled,
        WorkflowExecutionContinuedAsNew,
    }
)
"""Attributes of the commands that close a run."""


class Issued:
    """One command.

    Attributes
    ----------
    owner
        What is told the id of the event that the command became (method ``recorded``), or None.
    place
        In replay, where workflow code was when it issued the command: code object and line.
    dropped
        Taken back within the same workflow task: no event comes of it (temporal-semantics 2.1).
    local_seq
        For the marker of a local activity, the activity's sequence number, by which the marker is matched; else 0.
    """

    __slots__ = ("attributes", "dropped", "local_seq", "owner", "place", "retry_policy", "user_metadata")

    def __init__(self, attributes: Attributes, owner: Any = None, user_metadata: UserMetadata | None = None) -> None:
        self.attributes = attributes
        self.owner = owner
        self.user_metadata = user_metadata
        self.place: Any = None
        self.dropped = False
        self.local_seq = 0
        self.retry_policy: Any = None

    def command(self) -> Command:
        """The command as the engine takes it."""
        return Command(self.attributes, self.user_metadata, self.retry_policy)


def in_order(issued: list[Issued], moves_terminal: bool) -> list[Issued]:
    """What is sent: without the dropped, the first terminal command last, later terminal ones left out.

    ``moves_terminal`` False is the rule of histories without core flag 3: nothing after the terminal command counts.
    """
    kept = [each for each in issued if not each.dropped]
    first = next((at for at, each in enumerate(kept) if type(each.attributes) in TERMINAL), None)
    if first is None or first == len(kept) - 1:
        return kept
    if not moves_terminal:
        return kept[: first + 1]
    others = [each for each in kept[first + 1 :] if type(each.attributes) not in TERMINAL]
    return [*kept[:first], *others, kept[first]]


Job = tuple[Callable[..., None], tuple[Any, ...]]
"""Something to apply at the start of an activation: a function and its arguments."""
