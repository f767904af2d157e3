"""All that is stored of one run, as every export takes it: row, history, attempts, and what is pending.

A record comes from a store (``reading``) or from a history alone (``record_of_history``), wherever that was made: by
this package, or downloaded from a Temporal server. With a history alone, attempts that failed and were repeated are
unknown, as Temporal's histories do not hold them; everything else is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import NAMESPACE_URL, uuid5

import msgspec

from durable_nb.errors import HistoryFormatError
from durable_nb.model.attributes import (
    Attributes,
    ChildWorkflowExecutionStarted,
    UpsertWorkflowSearchAttributes,
    WorkflowExecutionStarted,
    WorkflowPropertiesModified,
)
from durable_nb.model.enums import EventType, WorkflowExecutionStatus
from durable_nb.model.events import Event, encode_attributes
from durable_nb.model.payload import Payload
from durable_nb.model.records import ActivityRow, AttemptRow, OutputRow, RunRow, TransferRow, WorkflowTaskRow

_json = msgspec.json.Encoder()

CLOSING: dict[EventType, WorkflowExecutionStatus] = {
    EventType.WORKFLOW_EXECUTION_COMPLETED: WorkflowExecutionStatus.COMPLETED,
    EventType.WORKFLOW_EXECUTION_FAILED: WorkflowExecutionStatus.FAILED,
    EventType.WORKFLOW_EXECUTION_TIMED_OUT: WorkflowExecutionStatus.TIMED_OUT,
    EventType.WORKFLOW_EXECUTION_CANCELED: WorkflowExecutionStatus.CANCELED,
    EventType.WORKFLOW_EXECUTION_TERMINATED: WorkflowExecutionStatus.TERMINATED,
    EventType.WORKFLOW_EXECUTION_CONTINUED_AS_NEW: WorkflowExecutionStatus.CONTINUED_AS_NEW,
}
"""Status of a run by the event that closes it."""


class RunRecord(msgspec.Struct, frozen=True):
    """One run. Lists are in the order of the history; ``activities`` to ``transfers`` are empty for a closed run.

    ``outputs`` is what attempts printed and logged.
    """

    run: RunRow
    events: Sequence[Event]
    attempts: Sequence[AttemptRow] = ()
    activities: Sequence[ActivityRow] = ()
    workflow_task: WorkflowTaskRow | None = None
    transfers: Sequence[TransferRow] = ()
    outputs: Sequence[OutputRow] = ()

    @property
    def started(self) -> WorkflowExecutionStarted:
        """Attributes of the first event."""
        first = self.events[0].attributes
        assert isinstance(first, WorkflowExecutionStarted)  # noqa: S101 - records are made from whole histories
        return first

    @property
    def is_closed(self) -> bool:
        return self.run.status != WorkflowExecutionStatus.RUNNING

    @property
    def closing(self) -> Attributes | None:
        """Attributes of the event that closed the run, None while it is open."""
        return self.events[-1].attributes if self.is_closed else None


def record_of_history(workflow_id: str, events: Sequence[Event], namespace: str = "default") -> RunRecord:
    """The record of a run of which only the history is known.

    Parameters
    ----------
    workflow_id
        Used where the first event does not name it.

    Raises
    ------
    HistoryFormatError
        DNB404: the history is empty or does not begin with WorkflowExecutionStarted.
    """
    started = events[0].attributes if events else None
    if not isinstance(started, WorkflowExecutionStarted):
        raise HistoryFormatError(
            "a history begins with WorkflowExecutionStarted" if events else "the history has no event",
            fix="export the whole history, from its first event",
        )
    name = started.workflow_id or workflow_id
    memo, search_attributes = _visible(started, events)
    first, last = events[0], events[-1]
    run_id = started.original_execution_run_id or str(uuid5(NAMESPACE_URL, f"durable_nb:{namespace}:{name}"))
    parent, root = started.parent_workflow_execution, started.root_workflow_execution
    row = RunRow(
        run_key=0,
        namespace=namespace,
        workflow_id=name,
        run_id=run_id,
        workflow_type=started.workflow_type,
        task_queue=started.task_queue,
        status=CLOSING.get(last.event_type, WorkflowExecutionStatus.RUNNING),
        version=1,
        next_event_id=last.event_id + 1,
        history_size=sum(len(encode_attributes(event.attributes)) for event in events),
        first_execution_run_id=started.first_execution_run_id or run_id,
        start_time=first.event_time,
        execution_time=first.event_time + started.first_workflow_task_backoff,
        close_time=last.event_time if last.event_type in CLOSING else 0,
        parent_workflow_id=parent.workflow_id if parent else "",
        parent_run_id=parent.run_id if parent else "",
        parent_initiated_event_id=started.parent_initiated_event_id,
        root_workflow_id=root.workflow_id if root else "",
        root_run_id=root.run_id if root else "",
        memo=_json.encode(memo) if memo else None,
        search_attributes=_json.encode(search_attributes) if search_attributes else None,
    )
    return RunRecord(row, events)


def _visible(
    started: WorkflowExecutionStarted, events: Sequence[Event]
) -> tuple[dict[str, Payload], dict[str, Payload]]:
    """Memo and search attributes as the history leaves them; a null payload takes a key away."""
    memo = dict(started.memo or {})
    search_attributes = dict(started.search_attributes or {})
    for event in events:
        body = event.attributes
        if isinstance(body, WorkflowPropertiesModified):
            memo.update(body.upserted_memo or {})
        elif isinstance(body, UpsertWorkflowSearchAttributes):
            search_attributes.update(body.search_attributes or {})
    kept = {name: value for name, value in search_attributes.items() if not _unsets(value) and value.data != b"[]"}
    return {name: value for name, value in memo.items() if not _unsets(value)}, kept


def _unsets(payload: Payload) -> bool:
    """Whether a value is None, which takes away the one before."""
    encoding = payload.metadata.get("encoding")
    return encoding == b"binary/null" or (encoding == b"json/plain" and payload.data == b"null")


def children_of(record: RunRecord) -> list[tuple[str, str, str]]:
    """(namespace, workflow ID, first run ID) of the children that the run started, in the order of their starts."""
    found = []
    for event in record.events:
        body = event.attributes
        if isinstance(body, ChildWorkflowExecutionStarted) and body.workflow_execution is not None:
            child = body.workflow_execution
            found.append((body.namespace or record.run.namespace, child.workflow_id, child.run_id))
    return found


def next_run_id(record: RunRecord) -> str:
    """Run that followed by continue-as-new, retry or cron; "" for none."""
    return getattr(record.closing, "new_execution_run_id", "")
