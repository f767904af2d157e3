"""Values that hold where a caller names none. No behaviour lives here."""

from __future__ import annotations

import os
import socket

DEFAULT_NAMESPACE = "default"

DEFAULT_TASK_QUEUE = "durable_nb"
"""Task queue of starts that name none, and of the worker that a notebook runs."""

DEFAULT_STORE_URL = "sqlite:///durable.db"
"""A file beside the notebook."""

STORE_VARIABLE = "DURABLE_NB_STORE"
"""Environment variable that names the store."""


def default_identity() -> str:
    """Who this process is, as recorded in events: ``pid@host``."""
    return f"{os.getpid()}@{socket.gethostname()}"
