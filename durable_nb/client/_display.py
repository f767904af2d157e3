"""The hook through which a notebook draws handles; the drawing itself lives in ``durable_nb.notebook``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from durable_nb.errors import NotebookError

HandleRenderer = Callable[[Any], "dict[str, Any] | None"]
"""Handle in, MIME bundle out (``{"text/html": …}``), or None for plain text."""

TimelineMaker = Callable[..., Any]
"""Handle and options in, a widget out."""

_timeline_maker: TimelineMaker | None = None
_renderer: HandleRenderer | None = None


def set_handle_renderer(renderer: HandleRenderer | None) -> None:
    """Draw workflow handles by ``renderer`` from now on; None goes back to plain text."""
    global _renderer
    _renderer = renderer


def set_timeline_maker(maker: TimelineMaker | None) -> None:
    """Make the timelines of handles by ``maker`` from now on."""
    global _timeline_maker
    _timeline_maker = maker


class TimelineHandle:
    """The timeline of a handle."""

    def timeline(self, *, max_height: int = 420, live: bool = True) -> Any:
        """The run as a widget: a bar for each attempt, queue and back-off apart; zoom, search, details on a click.

        Parameters
        ----------
        max_height
            Pixels that the rows may take before they scroll.
        live
            Keep it up to date while the run is open.

        Raises
        ------
        NotebookError
            DNB700: the notebook extension is not loaded.
        """
        if _timeline_maker is None:
            raise NotebookError(
                "timelines are drawn by the notebook extension, which is not loaded",
                fix="run %load_ext durable_nb; in a script, durable_nb.notebook.display.timeline_text draws text",
            )
        return _timeline_maker(self, max_height=max_height, live=live)


def mime_bundle(handle: Any) -> dict[str, Any]:
    """MIME bundle of a handle; always has ``text/plain``, so that terminals and diffs read something."""
    bundle = _renderer(handle) if _renderer is not None else None
    return {"text/plain": repr(handle), **(bundle or {})}


_slider: Callable[[Any], Any] | None = None


def set_history_slider(make: Callable[[Any], Any] | None) -> None:
    """Make history sliders by ``make`` (handle in, widget out) from now on."""
    global _slider
    _slider = make


def history_slider(handle: Any) -> Any:
    """A slider through the history of a handle's run.

    Raises
    ------
    NotebookError
        DNB700: the extension is not loaded.
    """
    if _slider is None:
        raise NotebookError("a history slider needs the notebook extension", fix="run %load_ext durable_nb")
    return _slider(handle)


BulkProgress = Callable[[int, int, int], None]
_progress: Callable[[str, int], BulkProgress] | None = None


def set_bulk_progress(make: Callable[[str, int], BulkProgress] | None) -> None:
    """Show the progress of bulk verbs by what ``make`` (verb and number of runs in) gives."""
    global _progress
    _progress = make


def bulk_progress(verb: str, count: int) -> BulkProgress | None:
    """What is told of the progress of a bulk verb; None where nobody shows it."""
    return None if _progress is None or not count else _progress(verb, count)
