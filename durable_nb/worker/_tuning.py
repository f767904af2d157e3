"""How many tasks a worker takes at a time: tuners, slot suppliers and poller behaviours.

Only fixed sizes have an effect: tasks are handed over inside the process, nobody polls, and the machine's load is the
notebook user's own. The other names exist so that worker set-up code written for a cluster runs unchanged: a
resource-based supplier counts as its maximum, a custom one as no limit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from durable_nb.model.dataclass_like import FrozenDataclassLike

if TYPE_CHECKING:
    from durable_nb.worker._slot_contexts import SlotMarkUsedContext, SlotReleaseContext, SlotReserveContext

DEFAULT_SLOTS = 100
_RESOURCE_SLOTS = 500


class FixedSizeSlotSupplier(FrozenDataclassLike, frozen=True):
    """At most ``num_slots`` tasks at a time."""

    num_slots: int


class ResourceBasedTunerConfig(FrozenDataclassLike, frozen=True):
    """Targets between 0 and 1; recorded, not acted on."""

    target_memory_usage: float
    target_cpu_usage: float


class ResourceBasedSlotConfig(FrozenDataclassLike, frozen=True):
    """Bounds of a resource-based supplier; only ``maximum_slots`` (default 500) has an effect."""

    minimum_slots: int | None = None
    maximum_slots: int | None = None
    ramp_throttle: timedelta | None = None


class ResourceBasedSlotSupplier(FrozenDataclassLike, frozen=True):
    """Counts as a fixed supplier of ``slot_config.maximum_slots``."""

    slot_config: ResourceBasedSlotConfig
    tuner_config: ResourceBasedTunerConfig


class SlotPermit:
    """Permission of a custom supplier; subclasses may carry data."""


class CustomSlotSupplier(ABC):
    """Accepted and never asked: counts as no limit."""

    @abstractmethod
    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:
        """Wait for a slot."""

    @abstractmethod
    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:
        """A slot if one is free."""

    @abstractmethod
    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None:
        """A task took the slot."""

    @abstractmethod
    def release_slot(self, ctx: SlotReleaseContext) -> None:
        """The slot is free again."""


SlotSupplier: TypeAlias = FixedSizeSlotSupplier | ResourceBasedSlotSupplier | CustomSlotSupplier


def slots_of(supplier: SlotSupplier) -> int | None:
    """How many tasks a supplier allows at a time; None for no limit."""
    if isinstance(supplier, FixedSizeSlotSupplier):
        return supplier.num_slots
    if isinstance(supplier, ResourceBasedSlotSupplier):
        return supplier.slot_config.maximum_slots or _RESOURCE_SLOTS
    return None


class WorkerTuner(ABC):
    """One slot supplier for each kind of task."""

    @classmethod
    def create_resource_based(
        cls,
        *,
        target_memory_usage: float,
        target_cpu_usage: float,
        workflow_config: ResourceBasedSlotConfig | None = None,
        activity_config: ResourceBasedSlotConfig | None = None,
        local_activity_config: ResourceBasedSlotConfig | None = None,
        nexus_config: ResourceBasedSlotConfig | None = None,
    ) -> WorkerTuner:
        """A tuner whose suppliers share the targets."""
        targets = ResourceBasedTunerConfig(target_memory_usage, target_cpu_usage)

        def supplier(config: ResourceBasedSlotConfig | None) -> ResourceBasedSlotSupplier:
            return ResourceBasedSlotSupplier(config or ResourceBasedSlotConfig(), targets)

        configs = (workflow_config, activity_config, local_activity_config, nexus_config)
        return _CompositeTuner(*(supplier(config) for config in configs))

    @classmethod
    def create_fixed(
        cls,
        *,
        workflow_slots: int | None = None,
        activity_slots: int | None = None,
        local_activity_slots: int | None = None,
        nexus_slots: int | None = None,
    ) -> WorkerTuner:
        """A tuner of fixed sizes; 100 where not given."""
        sizes = (workflow_slots, activity_slots, local_activity_slots, nexus_slots)
        return _CompositeTuner(*(FixedSizeSlotSupplier(size or DEFAULT_SLOTS) for size in sizes))

    @classmethod
    def create_composite(
        cls,
        *,
        workflow_supplier: SlotSupplier,
        activity_supplier: SlotSupplier,
        local_activity_supplier: SlotSupplier,
        nexus_supplier: SlotSupplier,
    ) -> WorkerTuner:
        """A tuner of the given suppliers."""
        return _CompositeTuner(workflow_supplier, activity_supplier, local_activity_supplier, nexus_supplier)

    @abstractmethod
    def _get_workflow_task_slot_supplier(self) -> SlotSupplier: ...

    @abstractmethod
    def _get_activity_task_slot_supplier(self) -> SlotSupplier: ...

    @abstractmethod
    def _get_local_activity_task_slot_supplier(self) -> SlotSupplier: ...

    @abstractmethod
    def _get_nexus_slot_supplier(self) -> SlotSupplier: ...


class _CompositeTuner(WorkerTuner):
    def __init__(
        self, workflow: SlotSupplier, activity: SlotSupplier, local_activity: SlotSupplier, nexus: SlotSupplier
    ) -> None:
        self.workflow = workflow
        self.activity = activity
        self.local_activity = local_activity
        self.nexus = nexus

    def _get_workflow_task_slot_supplier(self) -> SlotSupplier:
        return self.workflow

    def _get_activity_task_slot_supplier(self) -> SlotSupplier:
        return self.activity

    def _get_local_activity_task_slot_supplier(self) -> SlotSupplier:
        return self.local_activity

    def _get_nexus_slot_supplier(self) -> SlotSupplier:
        return self.nexus


class PollerBehaviorSimpleMaximum(FrozenDataclassLike, frozen=True):
    """A fixed number of pollers; without effect, since nobody polls."""

    maximum: int = 5


class PollerBehaviorAutoscaling(FrozenDataclassLike, frozen=True):
    """A varying number of pollers; without effect, since nobody polls."""

    minimum: int = 1
    maximum: int = 100
    initial: int = 5


PollerBehavior: TypeAlias = PollerBehaviorSimpleMaximum | PollerBehaviorAutoscaling
