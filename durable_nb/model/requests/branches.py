"""New runs from the histories of old ones: reset, fork, retry."""

from __future__ import annotations

from enum import Enum

import msgspec

from durable_nb.model.events import Event
from durable_nb.model.payload import Payload
from durable_nb.model.requests.runs import Target


class ResetTo(Enum):
    """Workflow tasks that need no event id."""

    FIRST_TASK = "first_task"
    LAST_TASK = "last_task"


class ResetWorkflow(msgspec.Struct, gc=False):
    """Start a new run from the history up to (not including the completion of) a workflow task.

    Exactly one of the event id, ``activity_id`` (the task that scheduled it) and ``to`` says which. What others sent
    after the point comes again: signals, and accepted updates as requests that the code validates anew.
    """

    target: Target
    workflow_task_finish_event_id: int = 0
    """Id of a WorkflowTaskCompleted, …Failed or …TimedOut event, or of a WorkflowTaskStarted event."""
    reason: str = ""
    reapply_signals: bool = True
    identity: str = ""
    reapply_updates: bool = True
    activity_id: str = ""
    to: ResetTo | None = None
    definition: str = ""
    """Digest of the version of the workflow that the new run is pinned to; "" for the current one."""


class ForkWorkflow(msgspec.Struct, gc=False):
    """Start a copy of a run under another workflow ID; the original is not touched.

    Exactly one of ``event_id``, ``activity_id`` and ``input`` says from where: through the event; the activity anew
    or, with ``result``, ended by that; or from the very beginning with another input.
    """

    target: Target
    new_workflow_id: str = ""
    """"" for ``<workflow ID>-fork-<n>``, the first that is free."""
    event_id: int = 0
    activity_id: str = ""
    input: list[Payload] | None = None
    result: list[Payload] | None = None
    reason: str = ""
    identity: str = ""
    reapply_signals: bool = False
    reapply_updates: bool = False
    definition: str = ""
    memo: dict[str, Payload] = {}
    """Added to that of the original."""


class RetryWorkflow(msgspec.Struct, gc=False):
    """Try again now what failed: activities in back-off and a failed workflow task of an open run, or a closed run.

    ``activity_id`` limits it to one activity.
    """

    target: Target
    activity_id: str = ""
    reason: str = ""
    identity: str = ""
    definition: str = ""


class Branched(msgspec.Struct, gc=False):
    """What a reset, fork or retry did, or, asked for a preview, would do.

    ``run_id`` is "" in a preview and where an open run was retried in place. ``events`` is filled in previews only:
    the beginning of the new history.
    """

    verb: str
    workflow_id: str
    run_id: str
    base_run_id: str
    event_id: int = 0
    """Last event of the old history that the new run keeps."""
    changed: str = ""
    """What was edited, in words."""
    ends_open_run: str = ""
    """Run ID of the open run that is terminated."""
    activities: list[str] = []
    """Activities that run again, or are tried now, as ``type (id)``."""
    workflow_task: bool = False
    """Whether workflow code is tried now."""
    children: list[str] = []
    """Workflow IDs of children that report to the new run."""
    signals: int = 0
    updates: int = 0
    events: list[Event] = []
