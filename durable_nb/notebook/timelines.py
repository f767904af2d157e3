"""Timelines of runs for a notebook: the widget, joined to the engine, with readable output beside it.

``timeline`` is what ``handle.timeline()`` and ``%workflow timeline`` call. It waits for the first picture, so that what
is saved with the notebook holds one; everything after that comes from the engine's loop by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from durable_nb.errors import NotebookError
from durable_nb.model.requests import Target
from durable_nb.notebook import patience
from durable_nb.notebook.blocks import Block, Message, Title
from durable_nb.notebook.bridge import run_on
from durable_nb.notebook.display import bundle
from durable_nb.notebook.live.fallback import Fallback
from durable_nb.notebook.text import safe_text
from durable_nb.notebook.views import TONES, timeline_block

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession
    from durable_nb.widgets.layout import RunPicture
    from durable_nb.widgets.reading import TimelineReader
    from durable_nb.widgets.timeline import TimelineWidget


def timeline(
    handle: Any, *, max_height: int = 420, live: bool = True, session: NotebookSession | None = None
) -> TimelineWidget:
    """The timeline of a handle's run as a widget that keeps itself up to date.

    Parameters
    ----------
    max_height
        Pixels that the rows may take before they scroll.
    live
        Follow the run while it is open; otherwise the picture is that of now, and only answers questions.
    session
        The notebook that shows it: it names cells in stack traces, and puts readable output beside the widget.

    Raises
    ------
    RPCError
        NOT_FOUND: there is no such run.
    """
    # Here, as they import anywidget: half a second that ``%load_ext`` has not.
    from durable_nb.widgets.following import Following  # noqa: PLC0415
    from durable_nb.widgets.reading import TimelineReader  # noqa: PLC0415
    from durable_nb.widgets.timeline import TimelineWidget  # noqa: PLC0415

    client = handle._client
    target = Target(client.namespace, handle.id, handle.run_id or handle.result_run_id or "")
    reader = TimelineReader(client.frontend, target)
    codec = client.data_converter.payload_codec
    loop = client.engine.loop
    beside = _Beside(reader)
    following = Following(
        reader,
        loop,
        decode=None if codec is None else codec.decode,
        cell_of=session.cell_of if session is not None else None,
        changed=beside.changed,
    )
    message = ""
    packed = None
    try:
        packed = run_on(loop, reader.packed(), patience.TIMELINE)
    except TimeoutError:
        message = "the engine is busy: the run appears here as soon as it answers"
    except NotebookError:
        # The engine shares this thread's loop, so there is no waiting for it here. The widget fills itself.
        live = True
    widget = TimelineWidget(
        packed or b"",
        on_message=following.hear,
        fallback=lambda: bundle(picture_blocks(reader.root.picture)),
        max_height=max_height,
        message=message,
    )
    if session is not None and session.has_kernel:
        beside.join(widget, session)
    if packed is None or (live and not reader.is_closed):
        following.begin(widget)
    else:
        following.attend(widget)
    return widget


class _Beside:
    """The readable output beside a timeline: what a saved notebook shows without a kernel."""

    def __init__(self, reader: TimelineReader) -> None:
        self._reader = reader
        self._fallback: Fallback | None = None

    def join(self, widget: TimelineWidget, session: NotebookSession) -> None:
        fallback = self._fallback = Fallback(session, widget.model_id)
        widget.hides = fallback.css_class
        widget.stand_in = lambda: fallback.publish(self._blocks())

    def changed(self, is_last: bool) -> None:
        if self._fallback is not None:
            self._fallback.changed(self._blocks, now=is_last)

    def _blocks(self) -> list[Block]:
        return picture_blocks(self._reader.root.picture)


def picture_blocks(picture: RunPicture | None) -> list[Block]:
    """What stands for a timeline where no widget lives."""
    if picture is None:
        return [Message("the run was not read yet")]
    run, attempts, events = picture
    title = Title(safe_text(run.workflow_type), safe_text(run.workflow_id), run.status.name, TONES[run.status])
    drawn = timeline_block(run, attempts, events)
    return [title, drawn] if drawn.lanes else [title, Message("nothing has run yet")]
