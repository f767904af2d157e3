"""What a custom slot supplier is told about slots and the tasks in them.

Protocols, which are slow to make: imported when somebody names one, since no custom supplier is ever asked here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from durable_nb.model.dataclass_like import FrozenDataclassLike
from durable_nb.policies import WorkerDeploymentVersion
from durable_nb.worker._tuning import SlotPermit


class SlotReserveContext(Protocol):
    """What a custom supplier is asked."""

    slot_type: Literal["workflow", "activity", "local-activity"]
    task_queue: str
    worker_identity: str
    worker_build_id: str
    worker_deployment_version: WorkerDeploymentVersion | None
    is_sticky: bool


@runtime_checkable
class WorkflowSlotInfo(Protocol):
    """The workflow task in a slot."""

    workflow_type: str
    is_sticky: bool


@runtime_checkable
class ActivitySlotInfo(Protocol):
    """The activity task in a slot."""

    activity_type: str


@runtime_checkable
class LocalActivitySlotInfo(Protocol):
    """The local activity in a slot."""

    activity_type: str


@runtime_checkable
class NexusSlotInfo(Protocol):
    """Never made: there is no Nexus here."""

    service: str
    operation: str


SlotInfo: TypeAlias = WorkflowSlotInfo | ActivitySlotInfo | LocalActivitySlotInfo | NexusSlotInfo


@dataclass(frozen=True)
class SlotMarkUsedContext(Protocol):
    """A slot that a task took."""

    slot_info: SlotInfo
    permit: SlotPermit


class SlotReleaseContext(FrozenDataclassLike, frozen=True):
    """A slot that became free."""

    slot_info: SlotInfo | None
    permit: SlotPermit
