"""What people ask the timeline in a run's display: details of a bar, and a child's own run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from durable_nb.model.requests import Target

if TYPE_CHECKING:
    from durable_nb.converter import PayloadCodec
    from durable_nb.notebook.live.board import LiveBoard


class TimelineQuestions:
    """Answers them by ``widgets.following``, as the timeline by itself does; stands for the widget there."""

    def __init__(self, board: LiveBoard, widget: Any, target: Target, codec: PayloadCodec | None = None) -> None:
        from durable_nb.widgets.following import Following  # noqa: PLC0415 - with the widgets, after ``%load_ext``
        from durable_nb.widgets.reading import TimelineReader  # noqa: PLC0415

        session = board.session
        self._board = board
        self._widget = widget
        self._loop = session.engine.loop
        self._reader = TimelineReader(session.engine.frontend, target)
        self._following = Following(
            self._reader, self._loop, decode=None if codec is None else codec.decode, cell_of=session.cell_of
        )
        self._following.attend(self)

    def hear(self, message: Mapping[str, Any]) -> None:
        """A message of the browser; any thread."""
        if self._loop.is_closed():
            self.send({"kind": "details", "id": message.get("id"), "error": "the engine was stopped"})
            return
        asyncio.run_coroutine_threadsafe(self._hear(message), self._loop)

    async def _hear(self, message: Mapping[str, Any]) -> None:
        try:
            await self._reader.root.read()  # what is asked for may have happened a moment ago
        finally:
            self._following.hear(message)

    # -- what ``Following`` does with a widget ---------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether there still is a connection to a browser."""
        return bool(self._widget.is_open)

    @property
    def packed(self) -> bytes:
        """The picture; with children once one was unfolded."""
        return bytes(self._widget.timeline)

    @packed.setter
    def packed(self, value: bytes) -> None:
        self._board.post(lambda: self._widget.show({"timeline": value}))

    @property
    def message(self) -> str:
        """Why the picture is not kept up to date; the display says so itself."""
        return ""

    @message.setter
    def message(self, value: str) -> None:
        """Nothing to do."""

    def send(self, answer: Any) -> None:
        """An answer for the browser."""
        self._widget.send(answer)
