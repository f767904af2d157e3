"""``workflow.logger``: silent in replay, and every record says which run it is of.

Logger name and record attributes are those of Temporal's SDK with its package name replaced: a record has
``temporal_workflow`` (a dict of ids), the message ends with the same dict.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from typing import Any

from durable_nb.runtime.guards import unrestricted
from durable_nb.runtime.info import current_update
from durable_nb.runtime.loop import maybe_current


class LoggerAdapter(logging.LoggerAdapter):  # type: ignore[type-arg]  # generic only since 3.11, and then only to checkers
    """A logger for workflow code; see the module.

    Attributes
    ----------
    workflow_info_on_message
        Append the run's ids to the message. True by default.
    workflow_info_on_extra
        Put them on the record as ``temporal_workflow``. True by default.
    full_workflow_info_on_extra
        Put all of ``workflow.info()`` on the record as ``workflow_info``. False by default.
    log_during_replay
        Log in replay as well. False by default.
    """

    def __init__(self, logger: logging.Logger, extra: Mapping[str, Any] | None) -> None:
        super().__init__(logger, extra or {})
        self.workflow_info_on_message = True
        self.workflow_info_on_extra = True
        self.full_workflow_info_on_extra = False
        self.log_during_replay = False
        self.disable_sandbox = False

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Add the run's details; ``extra`` of the call wins."""
        run = maybe_current()
        details: dict[str, Any] = dict(run.logger_details) if run is not None else {}
        update = current_update.get()
        if update is not None:
            details.update(update.logger_details)
        extra: dict[str, Any] = {}
        if details and self.workflow_info_on_extra:
            extra["temporal_workflow"] = details
        if run is not None and self.full_workflow_info_on_extra:
            extra["workflow_info"] = run.info()
        kwargs["extra"] = {**extra, **(kwargs.get("extra") or {})}
        if details and self.workflow_info_on_message:
            msg = f"{msg} ({details})"
        return msg, kwargs

    def log(self, level: int, msg: object, *args: Any, stacklevel: int = 1, **kwargs: Any) -> None:
        """Log unless the run is being replayed."""
        if self.disable_sandbox:
            with unrestricted():
                super().log(level, msg, *args, stacklevel=stacklevel + 1, **kwargs)
        else:
            super().log(level, msg, *args, stacklevel=stacklevel + 1, **kwargs)

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - logging's spelling
        """False in replay, save in queries and validators, which run only once."""
        run = maybe_current()
        if run is not None and run.replaying and not run.in_query_or_validator and not self.log_during_replay:
            return False
        return super().isEnabledFor(level)

    @property
    def base_logger(self) -> logging.Logger:
        """The logger underneath, to add handlers to."""
        underneath: logging.Logger = self.logger
        return underneath

    def unsafe_disable_sandbox(self, value: bool = True) -> None:
        """Let handlers do in workflow code what guards would refuse."""
        self.disable_sandbox = value


logger = LoggerAdapter(logging.getLogger("durable_nb.workflow"), None)
"""Logger for workflow code."""
