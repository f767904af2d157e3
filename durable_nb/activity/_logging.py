"""``activity.logger``: a logger that knows which activity is speaking.

Logger name, text and record attributes are those of the Temporal SDK, so that log pipelines keep working.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from durable_nb.activity._context import current_or_none

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter


class LoggerAdapter(_Adapter):
    """Adds the running activity to every record; outside an activity it adds nothing.

    Attributes
    ----------
    activity_info_on_message
        Append the details as text to the message. Default True.
    activity_info_on_extra
        Set the details as ``record.temporal_activity``, a dict. Default True.
    full_activity_info_on_extra
        Set the whole ``Info`` as ``record.activity_info``. Default False.
    """

    def __init__(self, logger: logging.Logger, extra: Mapping[str, Any] | None) -> None:
        super().__init__(logger, extra or {})
        self.activity_info_on_message = True
        self.activity_info_on_extra = True
        self.full_activity_info_on_extra = False

    def log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
        """Log as the logger's level allows; inside an activity, its output keeps what is of level INFO or higher."""
        if self.isEnabledFor(level):
            super().log(level, msg, *args, **{**kwargs, "stacklevel": kwargs.get("stacklevel", 1) + 1})
            return
        context = current_or_none()
        if level >= logging.INFO and context is not None and context.record is not None:
            text = str(msg)
            # As it stands where it does not fit: nobody else is told of a wrong format where the level is off.
            with suppress(TypeError, ValueError, KeyError):
                if args:
                    text = text % (args[0] if len(args) == 1 and isinstance(args[0], Mapping) and args[0] else args)
            context.record("log", f"{logging.getLevelName(level)} {self.logger.name}: {text}\n")

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Message and keyword arguments with the activity's details."""
        context = current_or_none()
        if context is None:
            return msg, kwargs
        if self.activity_info_on_message:
            msg = f"{msg} ({context.logger_details})"
        if self.activity_info_on_extra or self.full_activity_info_on_extra:
            extra = dict(kwargs.get("extra") or {})
            if self.activity_info_on_extra:
                extra["temporal_activity"] = context.logger_details
            if self.full_activity_info_on_extra:
                extra["activity_info"] = context.info()
            kwargs["extra"] = extra
        return msg, kwargs

    @property
    def base_logger(self) -> logging.Logger:
        """The logger behind this adapter: add handlers and formatters to it."""
        return self.logger


logger = LoggerAdapter(logging.getLogger("durable_nb.activity"), None)
"""Logger whose records carry the details of the running activity."""
