"""Values that hold where a caller names none. No behaviour lives here."""

from __future__ import annotations

import os
import socket

DEFAULT_NAMESPACE = "default"

DEFAULT_TASK_QUEUE = "durable_nb"
"""Task queue of starts that name none, and of the worker that a notebook runs."""

UNNAMED_TASK_QUEUE = DEFAULT_TASK_QUEUE[:7] + DEFAULT_TASK_QUEUE[7:]
"""Equal to the default but not the same object: tells a start that names no queue from one that names this one."""

DEFAULT_STORE_URL = "sqlite:///durable.db"
"""A file beside the notebook."""

STORE_VARIABLE = "DURABLE_NB_STORE"
"""Environment variable that names the store."""


def default_identity() -> str:
    """Who this process is, as recorded in events: ``pid@host``."""
    return f"{os.getpid()}@{socket.gethostname()}"
