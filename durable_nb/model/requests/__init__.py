"""Requests of callers to the engine and its answers (the *frontend* port).

``client`` builds these from users' calls; ``engine.frontend`` answers them. All values are encoded already; all
durations and instants are microseconds. An empty ``run_id`` means the current run of the workflow ID.
"""

from __future__ import annotations

from durable_nb.model.requests.branches import Branched, ForkWorkflow, ResetTo, ResetWorkflow, RetryWorkflow
from durable_nb.model.requests.imports import ImportedRun, ImportOutcome, ImportRuns
from durable_nb.model.requests.reading import (
    AttemptDescription,
    HistoryPage,
    ListWorkflows,
    MetricSample,
    OutputDescription,
    PendingActivity,
    PendingChild,
    PendingTimer,
    PendingWorkflowTask,
    ReadHistory,
    RunDescription,
)
from durable_nb.model.requests.runs import (
    ActivityReference,
    CancelWorkflow,
    PollUpdate,
    QueryResult,
    QueryWorkflow,
    SignalInput,
    SignalWorkflow,
    StartedWorkflow,
    StartWorkflow,
    Target,
    TerminateWorkflow,
    UpdateResult,
    UpdateWithStart,
    UpdateWithStartResult,
    UpdateWorkflow,
)

__all__ = [
    "ActivityReference",
    "AttemptDescription",
    "Branched",
    "CancelWorkflow",
    "ForkWorkflow",
    "HistoryPage",
    "ImportOutcome",
    "ImportRuns",
    "ImportedRun",
    "ListWorkflows",
    "MetricSample",
    "OutputDescription",
    "PendingActivity",
    "PendingChild",
    "PendingTimer",
    "PendingWorkflowTask",
    "PollUpdate",
    "QueryResult",
    "QueryWorkflow",
    "ReadHistory",
    "ResetTo",
    "ResetWorkflow",
    "RetryWorkflow",
    "RunDescription",
    "SignalInput",
    "SignalWorkflow",
    "StartWorkflow",
    "StartedWorkflow",
    "Target",
    "TerminateWorkflow",
    "UpdateResult",
    "UpdateWithStart",
    "UpdateWithStartResult",
    "UpdateWorkflow",
]
