"""The thread that keeps displays up to date.

It asks ten times a second which of the runs that are shown have changed, which costs a comparison each, looks at
those, and sends what is new. It never holds the engine up (requests are ordinary ones), spends a bounded part of its
time on each display, sleeps while there is none, and ends by itself.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from durable_nb.errors import DurableError
from durable_nb.model.requests import Target
from durable_nb.notebook import patience
from durable_nb.notebook.blocks import Message, Title
from durable_nb.notebook.display import bundle
from durable_nb.notebook.live.awaited import AwaitedRun
from durable_nb.notebook.live.followed import FollowedRun
from durable_nb.notebook.live.look import look, opened
from durable_nb.notebook.live.runs import FollowedRuns
from durable_nb.notebook.live.runs import List as AskRuns
from durable_nb.notebook.text import safe_text
from durable_nb.service import RPCError

if TYPE_CHECKING:
    from durable_nb.analytics.strip import Strip
    from durable_nb.client import Client
    from durable_nb.model.requests import RunDescription
    from durable_nb.notebook.live.look import Seen
    from durable_nb.notebook.session import NotebookSession

logger = logging.getLogger("durable_nb.notebook")

TICK = 0.1
IDLE_SECONDS = 5.0
"""After this time without a display the thread ends."""

MOST = 30
"""Displays that are followed at a time; the oldest gives way."""


class Followed(Protocol):
    """A display that is kept up to date."""

    is_over: bool
    widget: Any

    def is_due(self, now: float) -> bool: ...
    def refresh(self) -> None: ...
    def stop(self, message: str) -> None: ...
    def look_again(self) -> None: ...


class LiveBoard:
    """The displays of one notebook session."""

    def __init__(self, session: NotebookSession) -> None:
        self.session = session
        self._wake = threading.Condition()
        self._followed: list[Followed] = []
        self._jobs: deque[Callable[[], None]] = deque()
        self._thread: threading.Thread | None = None
        self._closing = False

    @property
    def rate(self) -> float:
        """Updates of one display in a second, at most."""
        return float(self.session.settings.live_rate)

    @property
    def count(self) -> int:
        """Displays that are kept up to date."""
        return len(self._followed)

    # -- showing ---------------------------------------------------------------------------------------------------

    def handle_bundle(self, handle: Any) -> dict[str, Any]:
        """MIME bundle of a handle: a live display, beside which a readable output was put under the cell."""
        run_id = handle.run_id or handle.result_run_id or ""
        target = Target(handle._client.namespace, handle.id, run_id)
        return self.run_bundle(target, follows_chain=not handle.run_id, client=handle._client)

    def run_bundle(
        self, target: Target, *, follows_chain: bool = False, client: Client | None = None
    ) -> dict[str, Any]:
        """MIME bundle of a run; errors are shown, not raised. ``client`` reads its values, else the notebook's."""
        client = client or self.session.client
        ident = safe_text(target.workflow_id)
        try:
            seen = opened(
                self.session.run(look(self.session.engine, target), patience.DISPLAY),
                codec=client.data_converter.payload_codec,
            )
        except TimeoutError:
            awaited = AwaitedRun(self, target, client, follows_chain=follows_chain)
            awaited.fallback.publish(awaited.blocks())
            self.follow(awaited)
            return dict(awaited.widget.bundle())
        except (DurableError, RPCError, RuntimeError) as error:
            return bundle(
                [Title("workflow", ident), Message(safe_text(f"{type(error).__name__}: {error}", 400), "bad")]
            )
        followed = self._shown(seen.run.run_id, client) or FollowedRun(
            self, target, seen, client, follows_chain=follows_chain
        )
        followed.fallback.publish(followed.blocks(seen))
        self.follow(followed)
        return dict(followed.widget.bundle())

    def runs_bundle(
        self, runs: Sequence[RunDescription], ask: AskRuns, limit: int, strips: Mapping[str, Strip]
    ) -> dict[str, Any]:
        """MIME bundle of a list of runs, which ``ask`` gives anew."""
        followed = FollowedRuns(self, runs, ask, limit, strips)
        followed.fallback.publish(followed.blocks())
        self.follow(followed)
        return dict(followed.widget.bundle())

    def _shown(self, run_id: str, client: Client) -> FollowedRun | None:
        """The display that follows a run already by the same values; it may be shown in several places."""
        for followed in list(self._followed):
            if isinstance(followed, FollowedRun) and followed.shows(run_id, client) and not followed.is_over:
                return followed
        return None

    def make_run_view(self, receive: Callable[[Any], None], text: str) -> Any:
        """The widget; imports ipywidgets the first time."""
        from durable_nb.widgets.run_view import RunView  # noqa: PLC0415 - costs half a second, only when first shown

        return RunView(receive, safe_text(text))

    def make_runs_view(self, receive: Callable[[Any], None], text: str) -> Any:
        """The widget of a list."""
        from durable_nb.widgets.run_view import RunsView  # noqa: PLC0415 - costs half a second, only when first shown

        return RunsView(receive, safe_text(text))

    def follow(self, followed: Followed) -> None:
        """Keep a display up to date from now on."""
        with self._wake:
            if self._closing:
                return
            if followed not in self._followed:
                self._followed.append(followed)
            too_many = self._followed[:-MOST]
            for old in too_many:
                self._jobs.append(lambda old=old: old.stop("newer displays are followed instead; show it again"))  # type: ignore[misc]
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="durable-display", daemon=True)
                self._thread.start()
            self._wake.notify()

    def wake(self) -> None:
        """Something is to be done now."""
        with self._wake:
            self._wake.notify()

    # -- what displays ask for -------------------------------------------------------------------------------------

    def carry_out(self, followed: Followed, request: str, doing: Coroutine[Any, Any, dict[str, Any]]) -> None:
        """Do what was clicked, on the engine's loop, and tell the browser what came of it."""
        loop = self.session.engine.loop
        if self.session.engine.is_closed or loop.is_closed():
            doing.close()
            answer = {"ok": False, "text": "the engine was stopped; %reload_ext durable_nb starts it again"}
            self.post(lambda: followed.widget.reply(request, answer))
            return
        done = asyncio.run_coroutine_threadsafe(doing, loop)

        def tell(future: concurrent.futures.Future[dict[str, Any]]) -> None:
            answer = {"ok": False, "text": "the engine stopped before it answered"}
            if not future.cancelled() and future.exception() is None:
                answer = future.result()
            self.post(lambda: followed.widget.reply(request, answer))
            followed.look_again()

        done.add_done_callback(tell)

    def post(self, job: Callable[[], None]) -> None:
        """Have something done on the board's thread, where alone widgets are written to."""
        with self._wake:
            self._jobs.append(job)
            if self._thread is None and not self._closing:
                self._thread = threading.Thread(target=self._run, name="durable-display", daemon=True)
                self._thread.start()
            self._wake.notify()

    def definition_of(self, workflow_type: str) -> Any:
        """The workflow's definition where the notebook has it."""
        return self.session.worker.port.host.definition(workflow_type)

    def pack_timeline(self, seen: Seen, now: int) -> bytes:
        """The timeline of a run for the browser."""
        from durable_nb.widgets.layout import RunPicture, timeline_layout  # noqa: PLC0415 - with the first display
        from durable_nb.widgets.packing import pack  # noqa: PLC0415

        return pack(timeline_layout(RunPicture(seen.run, seen.attempts, seen.events), now=now))

    @staticmethod
    def safe(text: str) -> str:
        """A message for a display."""
        return safe_text(text, 400)

    # -- the thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        idle_since = time.monotonic()
        while True:
            self._do_jobs()
            now = time.monotonic()
            for followed in list(self._followed):
                try:
                    if followed.is_due(now):
                        followed.refresh()
                except Exception:
                    logger.exception("a display failed; it is not kept up to date any more")
                    followed.is_over = True
            with self._wake:
                self._followed = [each for each in self._followed if not each.is_over]
                if self._followed or self._jobs:
                    idle_since = time.monotonic()
                if self._closing or time.monotonic() > idle_since + IDLE_SECONDS:
                    self._thread = None
                    return
                if not self._jobs:
                    self._wake.wait(TICK if self._followed else IDLE_SECONDS)

    def _do_jobs(self) -> None:
        while self._jobs:
            job = self._jobs.popleft()
            try:
                job()
            except Exception:
                logger.exception("a display could not be written to")

    def close(self) -> None:
        """Displays stay as they are; nothing is followed any more."""
        for followed in list(self._followed):
            self.post(lambda each=followed: each.stop("the extension was unloaded; this is the last known state"))  # type: ignore[misc]
        with self._wake:
            self._closing = True
            thread = self._thread
            self._wake.notify()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=2)
