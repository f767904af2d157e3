"""Who in this process serves what: worker ports by task queue, their slots, and the attempts that wait for one."""

from __future__ import annotations

from collections import deque

from durable_nb.core.state import ExecutionState
from durable_nb.core.transition import LEASED, LEASED_AND_STARTED, NOT_LEASED
from durable_nb.engine.ports import WorkerPort


class WorkerEntry:
    """A registered port and what it is doing. ``waiting`` holds (run key, scheduled event id)."""

    __slots__ = ("capacity", "port", "running", "waiting")

    def __init__(self, port: WorkerPort) -> None:
        self.port = port
        self.capacity = port.free_activity_slots()
        self.running = 0
        self.waiting: deque[tuple[int, int]] = deque()


class Workers:
    """The ports of this process. Several may serve one task queue; the first that knows a type gets it."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], list[WorkerEntry]] = {}

    def add(self, port: WorkerPort) -> WorkerEntry:
        entry = WorkerEntry(port)
        self._entries.setdefault((port.namespace, port.task_queue), []).append(entry)
        return entry

    def remove(self, port: WorkerPort) -> WorkerEntry | None:
        """The entry that was removed; None if the port was not registered."""
        entries = self._entries.get((port.namespace, port.task_queue), [])
        for entry in entries:
            if entry.port is port:
                entries.remove(entry)
                return entry
        return None

    @property
    def entries(self) -> list[WorkerEntry]:
        return [entry for entries in self._entries.values() for entry in entries]

    def for_workflow(self, namespace: str, task_queue: str, workflow_type: str, digest: str = "") -> WorkerPort | None:
        """A port for a run that is pinned to the version ``digest``; None where all decline.

        One that has the version goes before one that takes any type (and fails those it does not know).
        """
        entries = self._entries.get((namespace, task_queue), ())
        willing = [e for e in entries if e.port.serves_workflow(workflow_type, digest)]
        if not willing:
            return None
        if len(willing) > 1:
            willing.sort(key=lambda entry: not entry.port.has_workflow(workflow_type, digest))
        return willing[0].port

    def for_run(self, state: ExecutionState) -> WorkerPort | None:
        """A port for a run in this state. A closed run may be looked at on another version than its own."""
        started = state.started
        digest = state.definition if state.is_open else ""
        return self.for_workflow(state.namespace, started.task_queue, started.workflow_type, digest)

    def version_left(self, state: ExecutionState) -> None:
        """A run is closed: let ports forget code that nobody needs any more."""
        started = state.started
        for entry in self._entries.get((state.namespace, started.task_queue), ()):
            entry.port.version_left(started.workflow_type, state.definition)

    def for_activity(self, namespace: str, task_queue: str, activity_type: str) -> WorkerEntry | None:
        """The entry of a port that has the activity, else of one that takes any."""
        willing = [e for e in self._entries.get((namespace, task_queue), ()) if e.port.serves_activity(activity_type)]
        if not willing:
            return None
        if len(willing) > 1:
            willing.sort(key=lambda entry: not entry.port.has_activity(activity_type))
        return willing[0]

    def lease(self, namespace: str, task_queue: str, activity_type: str) -> int:
        """Answer for ``core.transition.Context.lease``; reserves a slot when there is one."""
        entry = self.for_activity(namespace, task_queue, activity_type)
        if entry is None:
            return NOT_LEASED
        if entry.running >= entry.capacity:
            return LEASED
        entry.running += 1
        return LEASED_AND_STARTED
