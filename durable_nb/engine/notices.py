"""What the engine wants a person to know: failed workflow tasks, missing definitions, faults of the store."""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec

from durable_nb.model.failure import Failure

logger = logging.getLogger("durable_nb.engine")


class Notice(msgspec.Struct):
    """``kind`` is workflow_task_failed, definition_missing, answered_by_other_code, store_fault or lease_lost."""

    kind: str
    message: str
    workflow_id: str = ""
    run_id: str = ""
    workflow_type: str = ""
    attempt: int = 0
    failure: Failure | None = None
    definition: str = ""
    """Digest of the version that is missing, where the workflow type itself is not."""
    fix: str = ""
    """What to do, where the message does not say it."""


Listener = Callable[[Notice], None]


class Notices:
    """Listeners are called on the engine's thread; one that raises is dropped."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def unlisten(self, listener: Listener) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)

    def tell(self, notice: Notice) -> None:
        """Log the notice and tell every listener."""
        logger.warning("%s", f"{notice.message}; {notice.fix}" if notice.fix else notice.message)
        for listener in list(self._listeners):
            try:
                listener(notice)
            except Exception:
                logger.exception("a listener for notices raised and is dropped")
                self.unlisten(listener)
