"""What a subcommand of ``%workflow`` is: a name, a line of help, its arguments, and what it does."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession

Completer = Callable[["NotebookSession", argparse.Namespace], Iterable[str]]
"""Session and the words typed so far (as options; what is missing is None) in, what may stand here out."""


class Subcommand(NamedTuple):
    """One word after ``%workflow``.

    Parameters
    ----------
    name
        The word.
    summary
        One line, for the list of commands.
    configure
        Adds arguments to an ``argparse`` parser; the helpers of ``arguments`` bring completion with them.
    run
        Does it, on the main thread, and returns something that shows itself (``View``, a value, a figure); None shows
        nothing. ``session.run`` waits for the engine. Text options are decoded already (a handle has become its
        workflow ID); ``options.inputs`` holds the values of ``--input``.
    examples
        Whole lines, shown at the end of ``--help``.
    """

    name: str
    summary: str
    configure: Callable[[argparse.ArgumentParser], None]
    run: Callable[[NotebookSession, argparse.Namespace], Any]
    examples: tuple[str, ...] = ()
