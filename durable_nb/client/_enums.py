"""Enumerations that only callers use; those of the event model are in ``model.enums``."""

from __future__ import annotations

from enum import IntEnum


class WorkflowHistoryEventFilterType(IntEnum):
    """Which events of a history to fetch."""

    ALL_EVENT = 1
    CLOSE_EVENT = 2
    """Only the event that closed the run."""


class WorkflowUpdateStage(IntEnum):
    """How far an update has come."""

    ADMITTED = 1
    ACCEPTED = 2
    COMPLETED = 3
