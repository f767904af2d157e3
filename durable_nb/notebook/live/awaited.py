"""A run that is shown while the engine is too busy to tell of it: the display waits for the answer, not the person."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from durable_nb.errors import DurableError
from durable_nb.notebook.blocks import Block, Message, Title
from durable_nb.notebook.live.fallback import Fallback
from durable_nb.notebook.live.followed import ANSWERS_WITHIN, FollowedRun
from durable_nb.notebook.live.look import look, opened
from durable_nb.notebook.text import safe_text
from durable_nb.service import RPCError

if TYPE_CHECKING:
    from durable_nb.client import Client
    from durable_nb.model.requests import Target
    from durable_nb.notebook.live.board import LiveBoard

ASK_AGAIN = 0.5
"""Seconds between two tries."""

BUSY = "the engine is busy: the run appears here as soon as it answers"


class AwaitedRun:
    """Asks for a run until there is an answer; then its widget and its readable output go to a ``FollowedRun``."""

    def __init__(self, board: LiveBoard, target: Target, client: Client, *, follows_chain: bool) -> None:
        self._board = board
        self._target = target
        self._client = client
        self._follows_chain = follows_chain
        self._next = 0.0
        self._early: deque[Mapping[str, Any]] = deque(maxlen=50)
        self._heir: FollowedRun | None = None
        self.is_over = False
        self.widget = board.make_run_view(self.receive, f"live display of {target.workflow_id!r}")
        self.fallback = Fallback(board.session, self.widget.model_id)
        self.widget.show({"fallback": self.fallback.css_class, "link": {"state": "live", "message": BUSY}})

    def blocks(self) -> list[Block]:
        """What the readable output says meanwhile."""
        return [Title("workflow", safe_text(self._target.workflow_id)), Message(BUSY, "warn")]

    # -- on the board's thread -------------------------------------------------------------------------------------

    def is_due(self, now: float) -> bool:
        """Whether to ask now."""
        return not self.is_over and now >= self._next

    def refresh(self) -> None:
        """Ask; hand over once there is an answer."""
        session = self._board.session
        try:
            asked = session.run(look(session.engine, self._target), ANSWERS_WITHIN)
            seen = opened(asked, codec=self._client.data_converter.payload_codec)
        except TimeoutError:
            self._next = time.monotonic() + ASK_AGAIN
            self.widget.beat += 1
            return
        except (DurableError, RPCError, RuntimeError, OSError, asyncio.CancelledError) as error:
            self.stop(f"{type(error).__name__}: {error}")
            return
        heir = FollowedRun(self._board, self._target, seen, self._client, follows_chain=self._follows_chain, place=self)
        self._heir, self.is_over = heir, True
        while self._early:
            heir.receive(self._early.popleft())
        heir.fallback.changed(heir.blocks, now=True)
        self._board.follow(heir)

    def stop(self, message: str) -> None:
        """Ask no more."""
        if not self.is_over:
            self.is_over = True
            self.widget.show({"link": {"state": "ended", "message": self._board.safe(message)}})
            self.fallback.changed(self.blocks, now=True, note=message)

    def look_again(self) -> None:
        """Ask soon."""
        self._next = 0.0

    # -- on any thread ---------------------------------------------------------------------------------------------

    def receive(self, message: Mapping[str, Any]) -> None:
        """A message of the browser, for whoever follows the run."""
        if self._heir is not None:
            self._heir.receive(message)
        else:
            self._early.append(message)
