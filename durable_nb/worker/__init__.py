"""Hosting definitions: ``Worker``, ``Replayer``, interceptors, and executors of sync activities.

Names, defaults and errors are those of the Temporal Python SDK (temporal-semantics 1.4 and 7). What only clusters
need (tuners, pollers, deployment versions) can be named and has no effect beyond fixed numbers of slots.
The worker of notebooks is ``_embedded.EmbeddedWorker``.
"""

from typing import TYPE_CHECKING

from durable_nb._first_use import on_first_use
from durable_nb.policies import WorkerDeploymentVersion
from durable_nb.runtime.interceptor import (
    ContinueAsNewInput,
    ExecuteWorkflowInput,
    HandleQueryInput,
    HandleSignalInput,
    HandleUpdateInput,
    SignalChildWorkflowInput,
    SignalExternalWorkflowInput,
    StartActivityInput,
    StartChildWorkflowInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from durable_nb.worker._interceptor import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)
from durable_nb.worker._plugin import Plugin
from durable_nb.worker._runner import UnsandboxedWorkflowRunner, WorkflowRunner
from durable_nb.worker._tuning import (
    CustomSlotSupplier,
    FixedSizeSlotSupplier,
    PollerBehavior,
    PollerBehaviorAutoscaling,
    PollerBehaviorSimpleMaximum,
    ResourceBasedSlotConfig,
    ResourceBasedSlotSupplier,
    ResourceBasedTunerConfig,
    SlotPermit,
    WorkerTuner,
)
from durable_nb.worker._worker import Worker

if TYPE_CHECKING:
    from durable_nb.worker._config import WorkerConfig, WorkerDeploymentConfig
    from durable_nb.worker._replayer import Replayer, ReplayerConfig, WorkflowReplayResult, WorkflowReplayResults
    from durable_nb.worker._shared_state import SharedHeartbeatSender, SharedStateManager
    from durable_nb.worker._slot_contexts import (
        ActivitySlotInfo,
        LocalActivitySlotInfo,
        NexusSlotInfo,
        SlotInfo,
        SlotMarkUsedContext,
        SlotReleaseContext,
        SlotReserveContext,
        WorkflowSlotInfo,
    )
else:
    __getattr__, __dir__ = on_first_use(
        globals(),
        {
            "_config": ("WorkerConfig", "WorkerDeploymentConfig"),
            "_replayer": ("Replayer", "ReplayerConfig", "WorkflowReplayResult", "WorkflowReplayResults"),
            "_shared_state": ("SharedHeartbeatSender", "SharedStateManager"),
            "_slot_contexts": (
                "ActivitySlotInfo",
                "LocalActivitySlotInfo",
                "NexusSlotInfo",
                "SlotInfo",
                "SlotMarkUsedContext",
                "SlotReleaseContext",
                "SlotReserveContext",
                "WorkflowSlotInfo",
            ),
        },
    )

__all__ = [
    "ActivityInboundInterceptor",
    "ActivityOutboundInterceptor",
    "ActivitySlotInfo",
    "ContinueAsNewInput",
    "CustomSlotSupplier",
    "ExecuteActivityInput",
    "ExecuteWorkflowInput",
    "FixedSizeSlotSupplier",
    "HandleQueryInput",
    "HandleSignalInput",
    "HandleUpdateInput",
    "Interceptor",
    "LocalActivitySlotInfo",
    "NexusSlotInfo",
    "Plugin",
    "PollerBehavior",
    "PollerBehaviorAutoscaling",
    "PollerBehaviorSimpleMaximum",
    "Replayer",
    "ReplayerConfig",
    "ResourceBasedSlotConfig",
    "ResourceBasedSlotSupplier",
    "ResourceBasedTunerConfig",
    "SharedHeartbeatSender",
    "SharedStateManager",
    "SignalChildWorkflowInput",
    "SignalExternalWorkflowInput",
    "SlotInfo",
    "SlotMarkUsedContext",
    "SlotPermit",
    "SlotReleaseContext",
    "SlotReserveContext",
    "StartActivityInput",
    "StartChildWorkflowInput",
    "StartLocalActivityInput",
    "UnsandboxedWorkflowRunner",
    "Worker",
    "WorkerConfig",
    "WorkerDeploymentConfig",
    "WorkerDeploymentVersion",
    "WorkerTuner",
    "WorkflowInboundInterceptor",
    "WorkflowInterceptorClassInput",
    "WorkflowOutboundInterceptor",
    "WorkflowReplayResult",
    "WorkflowReplayResults",
    "WorkflowRunner",
    "WorkflowSlotInfo",
]
