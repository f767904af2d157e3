"""The hook through which a notebook draws handles; the drawing itself lives in ``durable_nb.notebook``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

HandleRenderer = Callable[[Any], "dict[str, Any] | None"]
"""Handle in, MIME bundle out (``{"text/html": …}``), or None for plain text."""

_renderer: HandleRenderer | None = None


def set_handle_renderer(renderer: HandleRenderer | None) -> None:
    """Draw workflow handles by ``renderer`` from now on; None goes back to plain text."""
    global _renderer
    _renderer = renderer


def mime_bundle(handle: Any) -> dict[str, Any]:
    """MIME bundle of a handle; always has ``text/plain``, so that terminals and diffs read something."""
    bundle = _renderer(handle) if _renderer is not None else None
    return {"text/plain": repr(handle), **(bundle or {})}
