"""A history slider of an open run is kept up to date: the history grows under it while it is shown.

It is one of the displays of the board (``live.board``), so it takes no more of a processor than they may. Who stands at
the last event goes along with the run; who looks at an earlier one stays there. The slider ends to follow when the run
is closed.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from durable_nb.client._decoding import decoded
from durable_nb.errors import DurableError
from durable_nb.model.events import Event
from durable_nb.model.requests import ReadHistory, Target
from durable_nb.notebook.bridge import run_on
from durable_nb.notebook.live.fallback import Fallback
from durable_nb.notebook.live.pace import Pace
from durable_nb.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durable_nb.client import Client
    from durable_nb.notebook.history_slider import HistorySlider
    from durable_nb.notebook.live.board import LiveBoard

SHORTEST = 0.25
"""Seconds between two looks at least: each may replay the run."""

LOOK_ANYWAY = 3.0
"""Seconds after which it is looked at though nothing was seen to change: others may have written."""

ANSWERS_WITHIN = 2.0
GIVES_UP = 5


class FollowedHistory:
    """One slider and the run under it; ``refresh`` and ``stop`` are called on the board's thread."""

    def __init__(self, board: LiveBoard, client: Client, slider: HistorySlider) -> None:
        self._board = board
        self._client = client
        self._slider = slider
        self._pace = Pace(SHORTEST)
        self._stamp: Any = self._stamp_now()
        self._look_anyway = 0.0
        self._failures = 0
        self.widget = slider
        self.is_over = False
        self._fallback = Fallback(board.session, slider.model_id)
        slider.fallback = self._fallback
        slider.say("follows the run")

    def is_due(self, now: float) -> bool:
        """Whether to look at the run now; cheap."""
        if self.is_over or now < self._pace.next_look:
            return False
        if self._slider.comm is None:
            self.is_over = True
            return False
        return now >= self._look_anyway or self._stamp_now() != self._stamp

    def _stamp_now(self) -> Any:
        engine = self._client.engine
        return engine.commit_stats.units, engine.engine.epoch

    def refresh(self) -> None:
        """Take in what was recorded since."""
        self._pace.begin()
        self._stamp = self._stamp_now()
        try:
            fresh = self._read()
            self._failures = 0
        except RPCError as error:
            gone = error.status is RPCStatusCode.NOT_FOUND
            self._fail("this run is no longer in the store" if gone else str(error), at_once=gone)
        except (DurableError, TimeoutError, RuntimeError, OSError) as error:
            self._fail(f"{type(error).__name__}: {error}", at_once=self._client.engine.is_closed)
        else:
            if fresh:
                self._slider.take(fresh)
                self._fallback.changed(self._slider.readable, now=self._slider.is_whole)
            if self._slider.is_whole:
                self.is_over = True
                self._slider.say("")
        self._look_anyway = self._pace.end(self._board.count) + LOOK_ANYWAY

    def _read(self) -> list[Event]:
        journey, client = self._slider.journey, self._client
        target = Target(client.namespace, journey.workflow_id, journey.run_id)
        request = ReadHistory(target, first_event_id=len(journey) + 1)

        async def read() -> list[Event]:
            found: list[Event] = (await client.frontend.read_history(request)).events
            return found

        return decoded(run_on(client.engine.loop, read(), ANSWERS_WITHIN), client.data_converter.payload_codec)

    def _fail(self, message: str, *, at_once: bool) -> None:
        self._failures += 1
        if at_once or self._failures >= GIVES_UP:
            self.stop(f"follows the run no more: {message}")

    def stop(self, message: str) -> None:
        """Follow the run no more."""
        if not self.is_over:
            self.is_over = True
            self._slider.say(self._board.safe(message))
            self._fallback.changed(self._slider.readable, now=True)

    def look_again(self) -> None:
        """Look soon."""
        self._look_anyway = time.monotonic()
