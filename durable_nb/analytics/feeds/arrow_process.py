"""Rows of an SQLite store as Arrow, read by ADBC in a process of its own.

ADBC's driver brings its own copy of SQLite, and two copies must never open one file in one process (section 2.2.1 of
https://sqlite.org/howtocorrupt.html): POSIX locks belong to the process, so neither sees those of the other. What was
seen when it was opened beside a running engine: it took itself for the first to come, cut the WAL index short
(``ftruncate``) that the engine had mapped, where the next look is a bus error, and by closing dropped every lock that
the engine held. Between processes the locks work; and there the reading takes nothing from this interpreter.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_CHILD = Path(__file__).with_name("arrow_child.py")
_BATCH = 10_000
_ENDS_WITHIN = 5.0
_PIPE = 1 << 20
"""Bytes that the reading process may be ahead, where the system lets a pipe hold more than it does by itself."""


def has_driver() -> bool:
    """Whether ADBC's driver for SQLite is installed and a process can be started that uses it."""
    installed = all(importlib.util.find_spec(name) is not None for name in ("adbc_driver_sqlite", "pyarrow"))
    return installed and bool(sys.executable)


class ArrowProcess:
    """The process, started at once; it ends with ``close``, or with this process.

    Parameters
    ----------
    path
        The store's file. It is opened for reading only.
    """

    def __init__(self, path: str) -> None:
        uri = f"{Path(path).as_uri()}?mode=ro"
        # -P: the folder of the script is no place to import from.
        command = [sys.executable, "-P", str(_CHILD), uri]
        self._process: Any = subprocess.Popen(  # noqa: S603 - this interpreter, a file of this package
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=_PIPE,
            start_new_session=True,  # an interrupt in a terminal is meant for the kernel
        )
        _widen(self._process.stdout)

    @contextmanager
    def rows(self, sql: str) -> Iterator[Any]:
        """The result of a query as a ``pyarrow.RecordBatchReader``; None when the process cannot give one.

        An error while rows come in is raised by the reader.
        """
        import pyarrow.ipc  # noqa: PLC0415 - optional, and slow to import; the process starts meanwhile

        source = self._ask(sql)
        if source is None:
            yield None
            return
        done = False
        try:
            with pyarrow.ipc.open_stream(source, memory_pool=pyarrow.system_memory_pool()) as reader:
                yield reader
                done = next(iter(reader), None) is None
        finally:
            if not done:  # what is left in the pipe belongs to nobody
                self.close()

    def _ask(self, sql: str) -> Any:
        source, requests = self._process.stdout, self._process.stdin
        try:
            requests.write(json.dumps({"sql": sql, "batch_rows": _BATCH}).encode() + b"\n")
            requests.flush()
            if source.read(1) == b"\1":
                return source
            source.read(int.from_bytes(source.read(4), "big"))
        except (OSError, ValueError):
            self.close()  # it died, or was closed before
        return None

    def close(self) -> None:
        """End the process, whatever it does."""
        process = self._process
        process.kill()
        process.wait(_ENDS_WITHIN)
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                pipe.close()


def _widen(pipe: Any) -> None:
    try:
        import fcntl  # noqa: PLC0415 - not on Windows

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)
    except (ImportError, AttributeError, OSError):
        pass  # it works with less
