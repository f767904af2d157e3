"""A dry replay of open runs on code that they do not run on yet: who could go on on it, and who could not.

Reads histories from the store and replays them in the calling thread, beside the engine; nothing is written, and no
command leaves. A run that could not be judged counts as one that cannot go on.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from durable_nb.client._decoding import decoded
from durable_nb.model.attributes import WorkflowTaskCompleted, WorkflowTaskFailed
from durable_nb.runtime import guards
from durable_nb.runtime.errors import NondeterminismError
from durable_nb.runtime.replay import replay_history
from durable_nb.runtime.watchdog import Watch

if TYPE_CHECKING:
    from durable_nb.converter.codec import PayloadCodec
    from durable_nb.model.events import Event
    from durable_nb.model.records import RunRow
    from durable_nb.runtime.definition import WorkflowDefinition
    from durable_nb.runtime.options import RuntimeOptions
    from durable_nb.store.protocol import Store

STEP_SECONDS = 2.0
"""What one replay may take without coming back from workflow code."""


class Tried(NamedTuple):
    """What came of one run. ``next_event_id`` is the length of the history that was judged, plus one."""

    run: RunRow
    next_event_id: int
    failure: Exception | None
    is_failing: bool
    """Its workflow task fails on the code that it runs on now."""

    @property
    def agrees(self) -> bool:
        """Whether the run can go on on the new code.

        One whose task fails already loses nothing by code that fails too, as long as it does what history says.
        """
        return self.failure is None or (self.is_failing and not isinstance(self.failure, NondeterminismError))


def try_runs(
    definition: WorkflowDefinition,
    options: RuntimeOptions,
    store: Store,
    runs: Iterable[RunRow],
    codec: PayloadCodec | None = None,
) -> Iterator[Tried]:
    """Replay the histories of open runs on ``definition``, one after the other."""
    if options.guards:
        guards.install()
    watch = None if options.deadlock_timeout is None else Watch(STEP_SECONDS)
    for run in runs:
        events = store.read_events(run.run_key)
        if not events:
            continue  # deleted meanwhile
        length = events[-1].event_id + 1
        try:
            with _silent():
                outcome = replay_history(
                    definition, options, run.workflow_id, decoded(events, codec), namespace=run.namespace,
                    run_id=run.run_id, at_rest=True, watch=watch,
                )  # fmt: skip
            failure = outcome.failure
        except Exception as error:
            failure = error
        yield Tried(run, length, failure, _is_failing(events))


def _is_failing(events: list[Event]) -> bool:
    for event in reversed(events):
        if isinstance(event.attributes, WorkflowTaskCompleted | WorkflowTaskFailed):
            return isinstance(event.attributes, WorkflowTaskFailed)
    return False


class _Mute:
    """Standard output without what one thread writes: a thousand replays would print a thousand times."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._thread = threading.get_ident()

    def write(self, text: str) -> int:
        if threading.get_ident() == self._thread:
            return len(text)
        return int(self._stream.write(text) or 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _silent() -> Iterator[None]:
    stream = sys.stdout
    muted: Any = _Mute(stream)
    sys.stdout = muted
    try:
        yield
    finally:
        if sys.stdout is muted:
            sys.stdout = stream
