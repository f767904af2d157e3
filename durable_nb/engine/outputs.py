"""What activities print, log and report of their progress, from the first character to the store.

Writing is a lock and an append in memory, in whatever thread the activity runs in. Once in ``FLUSH_SECONDS`` all that
grew is written in one transaction on a thread of its own: nothing here adds a commit to the path of workflow tasks
and outcomes, and an activity that prints nothing costs nothing. Bounds: a process that is killed loses what was
written since the last flush; an attempt keeps the beginning and the end of what it wrote (``model.text_pieces``).
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import msgspec

from durable_nb.engine.notices import Notice
from durable_nb.errors import StoreError
from durable_nb.model import progress as progress_of
from durable_nb.model.progress import Progress
from durable_nb.model.records import OutputRow
from durable_nb.model.requests import OutputDescription
from durable_nb.model.text_pieces import Pieces

if TYPE_CHECKING:
    from durable_nb.engine.engine import Engine
    from durable_nb.model.tasks import ActivityTask

FLUSH_SECONDS = 1.0

Key = tuple[int, int, int]
"""Run key, id of the ActivityTaskScheduled event, attempt."""

_encoder = msgspec.json.Encoder()
_chunks: msgspec.json.Decoder[list[tuple[str, str]]] = msgspec.json.Decoder(list[tuple[str, str]])


class AttemptOutput:
    """What one attempt wrote so far. Methods may be called from any thread."""

    def __init__(self, book: Outputs, key: Key, task: ActivityTask) -> None:
        self.key = key
        self._book = book
        self._task = task
        self._lock = threading.Lock()
        self._pieces = Pieces()
        self.progress: Progress | None = None
        self.updated_at = 0
        self.is_dirty = False
        self.is_closed = False
        self.version = 0
        """Grows with every change."""

    def write(self, stream: str, text: str) -> None:
        """Take down a piece of text; ``stream`` is ``stdout``, ``stderr`` or ``log``."""
        if not text:
            return
        with self._lock:
            self._pieces.write(stream, text)
            self._changed()

    def report(self, done: float, total: float, label: str) -> Progress:
        """Take down how far the attempt has come; returns it with the instant of the first report."""
        with self._lock:
            now = self._book.now()
            first = self.progress
            started_at, started_done = (first.started_at, first.started_done) if first is not None else (now, done)
            self.progress = Progress(done, total, label, started_at, started_done)
            self._changed()
            return self.progress

    def close(self) -> None:
        """The attempt is over: it is forgotten here once the store has all of it."""
        self.is_closed = True
        self._book.touch(self)

    def row(self, *, clean: bool = False) -> OutputRow:
        """What is to be stored; ``clean``: and no longer waits for that."""
        with self._lock:
            if clean:
                self.is_dirty = False
            run_key, scheduled_event_id, attempt = self.key
            task = self._task
            return OutputRow(
                run_key,
                scheduled_event_id,
                attempt,
                task.activity_id,
                task.activity_type,
                _encoder.encode([[stream, _encodable(text)] for stream, text in self._pieces.all()]),
                self._pieces.written,
                self._pieces.cut,
                None if self.progress is None else progress_of.encode(self.progress),
                self.updated_at,
            )

    def _changed(self) -> None:
        self.version += 1
        self.updated_at = self._book.now()
        if not self.is_dirty:
            self.is_dirty = True
            self._book.touch(self)


def _encodable(text: str) -> str:
    """Lone surrogates cannot be written as UTF-8; they are written as their escapes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


class Outputs:
    """The outputs of the attempts that run in this process; one per engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._live: dict[Key, AttemptOutput] = {}
        self._dirty: dict[Key, AttemptOutput] = {}
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._alarm = False
        self._stopped = False

    def now(self) -> int:
        """Microseconds since the epoch."""
        return self._engine.clock.now()

    def open(self, task: ActivityTask) -> AttemptOutput | None:
        """Where an attempt's output goes; None for local activities, which have no attempts in the store."""
        if task.is_local:
            return None
        run_key, scheduled_event_id, _ = map(int, task.task_token.split(b":"))
        key = (run_key, scheduled_event_id, task.attempt)
        with self._lock:
            output = self._live.get(key)
            if output is None or output.is_closed:
                output = self._live[key] = AttemptOutput(self, key, task)
            return output

    def touch(self, output: AttemptOutput) -> None:
        """An output changed: have it stored with the next flush."""
        with self._lock:
            self._dirty[output.key] = output
            if self._alarm or self._stopped:
                return
            self._alarm = True
        self._engine.call_soon(self._arm)

    def version(self, run_key: int) -> int:
        """Changes whenever an attempt of the run wrote something here; 0 where none did."""
        return sum(output.version for key, output in list(self._live.items()) if key[0] == run_key)

    async def read(self, run_key: int) -> list[OutputDescription]:
        """Outputs of a run: the stored ones, and the newer state of those that are written here."""
        rows: list[OutputRow] = await self._engine.read(self._engine.store.read_outputs, run_key)
        found = {(row.run_key, row.scheduled_event_id, row.attempt): row for row in rows}
        found |= self.unstored(run_key)
        return [describe(found[key]) for key in sorted(found)]

    def unstored(self, run_key: int) -> dict[Key, OutputRow]:
        """Outputs of a run that are written in this process just now. Any thread."""
        return {key: output.row() for key, output in list(self._live.items()) if key[0] == run_key}

    # -- to the store ----------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        self._engine.loop.call_later(FLUSH_SECONDS, self._start_flush)

    def _start_flush(self) -> None:
        if not self._stopped:
            self._engine.spawn(self._flush_elsewhere())

    async def _flush_elsewhere(self) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(None, self.flush)
        except StoreError as error:
            self._engine.notices.tell(Notice("store_fault", f"the output of activities was not stored: {error}"))
            with self._lock:
                self._alarm = False
            for output in list(self._dirty.values())[:1]:
                self.touch(output)  # tries again after the next pause

    def flush(self) -> None:
        """Store what changed; blocks. What changes meanwhile waits for the next flush.

        Raises
        ------
        StoreError
            Nothing was stored; it is kept for the next flush.
        """
        with self._flushing:
            with self._lock:
                outputs, self._dirty, self._alarm = self._dirty, {}, False
            closed = [output for output in outputs.values() if output.is_closed]
            rows = [output.row(clean=True) for output in outputs.values()]
            try:
                if rows:
                    self._engine.store.put_outputs(rows)
            except StoreError:
                with self._lock:
                    self._dirty = {**outputs, **self._dirty}
                raise
            with self._lock:
                for output in closed:
                    if self._live.get(output.key) is output and not output.is_dirty:
                        del self._live[output.key]

    def stop(self) -> None:
        """Store what is left; the engine stops."""
        self._stopped = True
        try:
            self.flush()
        except StoreError as error:
            self._engine.notices.tell(Notice("store_fault", f"the output of activities was not stored: {error}"))


def describe(row: OutputRow) -> OutputDescription:
    """A row as people are shown it."""
    return OutputDescription(
        row.scheduled_event_id,
        row.activity_id,
        row.activity_type,
        row.attempt,
        _chunks.decode(row.chunks),
        row.written,
        row.cut,
        progress_of.decode(row.progress) if row.progress else None,
        row.updated_at,
    )
