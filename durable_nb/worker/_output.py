"""Listening to what activities print and log, without taking it from anybody.

``write`` of ``sys.stdout`` and ``sys.stderr`` does what it did, and then tells the running activity, if there is one,
what was written: a context variable says which, so that two activities and an ordinary cell that print at once are
kept apart. Records of any logger are seen where they are made, whatever
its handlers. Threads that an activity starts by itself belong to nobody, unless they run in a copy of its context.

``DURABLE_NB_KEEP_OUTPUT=0`` in the environment leaves streams and loggers alone.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from durable_nb.activity._context import current_or_none
from durable_nb.model.storable import as_text

VARIABLE = "DURABLE_NB_KEEP_OUTPUT"
_LOGGING = logging.__file__
_installing = threading.Lock()


def captures_output() -> bool:
    """Whether the output of activities is to be kept."""
    return os.environ.get(VARIABLE, "1").strip().lower() not in ("0", "false", "no", "off")


class _Nested(threading.local):
    """Whether this thread is inside of a write that is listened to: streams are stacked on each other."""

    inside = False


_nested = _Nested()


class _Write:
    """``write`` of a stream: what it was before, and the running activity keeps what was written."""

    __slots__ = ("inner", "name")

    def __init__(self, inner: Callable[..., Any], name: str) -> None:
        self.inner = inner
        self.name = name

    def __call__(self, text: Any, *args: Any, **kwargs: Any) -> Any:
        if _nested.inside:
            return self.inner(text, *args, **kwargs)
        context = current_or_none()
        # A kernel loses what it cannot send, and what stands around it.
        printed = as_text(text) if context is not None and type(text) is str else text
        _nested.inside = True
        try:
            result = self.inner(printed, *args, **kwargs)
        finally:
            _nested.inside = False
        # What a handler of logging writes was kept as a record already.
        if (
            context is not None
            and context.record is not None
            and type(text) is str
            and sys._getframe(1).f_code.co_filename != _LOGGING
        ):
            context.record(self.name, text)
        return result


def _get_write(stream: Any) -> Any:
    return stream.__dict__[_KEY]


def _set_write(stream: Any, value: Any) -> None:
    """IPython puts a ``write`` of its own on the stream for the length of a cell, and then the one before back."""
    stream.__dict__[_KEY] = value if type(value) is _Write else _Write(value, stream.__dict__[_KEY].name)


_KEY = "_durable_nb_write"
_write = property(_get_write, _set_write)


@cache
def _listening(kind: type) -> type:
    """A class of streams that differs from ``kind`` only in its ``write``."""
    return type(kind.__name__, (kind,), {"write": _write, "__module__": kind.__module__, _MARK: kind})


_MARK = "_durable_nb_listens_to"


class ListeningStream:
    """Stands for a stream of a class that cannot be changed (written in C): the stream in every other respect."""

    write = _write
    _durable_nb_listens_to = None

    def __init__(self, stream: Any) -> None:
        self.__dict__["_stream"] = stream

    def writelines(self, lines: Iterable[str]) -> None:
        """Write one after the other."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_stream"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "write":
            _set_write(self, value)
        else:
            setattr(self.__dict__["_stream"], name, value)

    def __iter__(self) -> Any:
        return iter(self.__dict__["_stream"])

    def __enter__(self) -> Any:
        return self.__dict__["_stream"].__enter__()

    def __exit__(self, *args: object) -> Any:
        return self.__dict__["_stream"].__exit__(*args)


def _is_listening(stream: Any) -> bool:
    return stream is None or hasattr(type(stream), _MARK)


def _listen_to(stream: Any, name: str) -> Any:
    """The stream, or what stands for it."""
    own = getattr(stream, "__dict__", None)
    before = stream.write
    try:
        # The class of this one stream is changed, so that it stays itself: Jupyter asks for its class, and IPython
        # sets its ``write``.
        if own is None:
            raise TypeError
        kind: Any = type(stream)
        stream.__class__ = _listening(kind)
        found = stream
    except TypeError:
        found = ListeningStream(stream)
    else:
        own.pop("write", None)
    found.__dict__[_KEY] = _Write(before, name)
    return found


def _leave(stream: Any) -> Any:
    """The stream as it was."""
    if type(stream) is ListeningStream:
        return stream.__dict__["_stream"]
    kind = getattr(type(stream), _MARK)
    write = stream.__dict__.pop(_KEY).inner
    stream.__class__ = kind
    if getattr(write, "__func__", None) is not kind.write:
        stream.write = write
    return stream


def listen() -> None:
    """Listen to the present streams and to all loggers; costs nothing where this is so already.

    Called before each attempt, because others replace streams too (``%%capture``, ``redirect_stdout``): whoever puts
    back the stream that was there before puts back one that listens.
    """
    if _is_listening(sys.stdout) and _is_listening(sys.stderr) and _records.installed:
        return
    with _installing:
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if not _is_listening(stream):
                setattr(sys, name, _listen_to(stream, name))
        _records.install()


def stop_listening() -> None:
    """Leave the present streams and the factory of records as they were, where they are still ours."""
    with _installing:
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream is not None and _is_listening(stream):
                setattr(sys, name, _leave(stream))
        _records.uninstall()


class _Records:
    """A factory of log records that tells the running activity of each."""

    def __init__(self) -> None:
        self.installed = False
        self._make: Any = None

    def install(self) -> None:
        if not self.installed:
            self._make = logging.getLogRecordFactory()
            logging.setLogRecordFactory(self)
            self.installed = True

    def uninstall(self) -> None:
        if self.installed and logging.getLogRecordFactory() is self:
            logging.setLogRecordFactory(self._make)
            self.installed = False

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._make(*args, **kwargs)
        context = current_or_none()
        if context is not None and context.record is not None:
            context.record("log", record_text(record, f" ({context._logger_details})"))
        return record


_records = _Records()
_formatter = logging.Formatter()


def record_text(record: logging.LogRecord, suffix: str = "") -> str:
    """A record as one line, and its traceback; ``suffix`` is what ``activity.logger`` puts behind each message."""
    try:
        message = record.getMessage()
    except Exception:  # a wrong format string is reported by the handlers, as ever
        message = str(record.msg)
    lines = [f"{record.levelname} {record.name}: {message.removesuffix(suffix)}"]
    if record.exc_info and isinstance(record.exc_info, tuple):
        lines.append(_formatter.formatException(record.exc_info))
    if record.stack_info:
        lines.append(record.stack_info)
    return "\n".join(lines) + "\n"
