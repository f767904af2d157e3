"""Messages from the browser that arrive while a cell is running."""

from __future__ import annotations

from typing import Any


def hear_while_busy(widget: Any) -> None:
    """Let a widget's messages be handled while the main thread runs a cell; handlers must be safe for threads.

    JupyterLab 4.4 and later send the messages of widgets to a subshell, a thread of its own in the kernel. Since
    ipykernel 7.3 the kernel sends them back to where the widget was last used from, which is the main thread for a
    widget that a cell made; there they wait for the end of the cell. This takes that detour away, for this widget
    only. Front ends without subshells, and other kernels, are as before: the message comes when the cell has ended.
    """
    comm: Any = getattr(widget, "comm", None)
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = None
