"""Log records in a notebook: the user's own are printed as anywhere, those that the notebook shows better are not.

Python prints warnings of loggers that nobody configured to stderr. Each failed attempt and each failed workflow task
is such a record with a whole traceback, which would bury a cell; the notebook tells of them by notices and in the
displays of handles. Where the user has configured logging, nothing is changed: all records go to the user's handlers.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from durable_nb.model.storable import as_text

_SHOWN_ELSEWHERE = "__temporal_error_identifier"
"""Attribute of the records of failed attempts and workflow tasks."""


class NotebookHandler(logging.Handler):
    """Stands in for Python's handler of last resort on the logger ``durable_nb``."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record unless the notebook shows it by other means or the user's handlers get it."""
        if logging.getLogger().handlers or logging.lastResort is None:
            return
        if _SHOWN_ELSEWHERE in record.__dict__ or record.name.startswith("durable_nb.engine"):
            return
        if record.levelno >= logging.lastResort.level:
            # Not flushed: that would wait for the kernel's thread of output, and often this is the engine's thread.
            sys.stderr.write(as_text(self.format(record)) + "\n")


def install() -> Callable[[], None]:
    """Quieten the loggers of durable_nb; returns what takes it back."""
    handler = NotebookHandler()
    logger = logging.getLogger("durable_nb")
    logger.addHandler(handler)
    return lambda: logger.removeHandler(handler)
