"""Errors of durable_nb itself; every message says what happened, where, and how to fix it.

Errors that Temporal has keep Temporal's names and live in ``exceptions``, ``client`` and ``service``; this tree holds
what a notebook on a SQL store adds. One class per remedy::

    DurableError
    ├── AuthoringError                DNB1xx  a definition is wrong: fix the cell
    │   └── DefinitionSourceError     DNB110  the source of a definition cannot be found
    ├── PayloadError                  DNB4xx  a value cannot be stored or read back
    │   ├── PayloadEncodeError        DNB401  names the path inside the value
    │   └── PayloadDecodeError        DNB402  names the type and the path
    ├── StoreError                    DNB5xx  the database
    │   ├── StoreUrlError             DNB501  the URL is not one
    │   ├── StoreLockedError          DNB502  somebody holds the write lock
    │   ├── StoreReadOnlyError        DNB503  no permission to write
    │   ├── StoreFullError            DNB504  no space left; nothing was lost
    │   ├── StoreCorruptedError       DNB505  the file is damaged or is no store
    │   ├── StoreVersionError         DNB506  written by a newer version
    │   └── StoreClosedError          DNB507  used after it was closed
    ├── EngineError                   DNB6xx  the engine of this process
    │   └── EngineStoppedError        DNB601  it was shut down
    └── NotebookError                 DNB7xx  a magic was used wrongly
"""

from __future__ import annotations


class DurableError(Exception):
    """Base of the errors above. ``code`` is stable; ``fix`` is one sentence that says what to do."""

    code = "DNB000"

    def __init__(self, message: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        lines = [f"{self.code} {self.message}"]
        if self.where:
            lines.append(f"  where  {self.where}")
        if self.fix:
            lines.append(f"  fix    {self.fix}")
        return "\n".join(lines)


class AuthoringError(DurableError):
    code = "DNB100"


class DefinitionSourceError(AuthoringError):
    code = "DNB110"


class PayloadError(DurableError):
    code = "DNB400"


class PayloadEncodeError(PayloadError):
    code = "DNB401"


class PayloadDecodeError(PayloadError):
    code = "DNB402"


class StoreError(DurableError):
    code = "DNB500"


class StoreUrlError(StoreError):
    code = "DNB501"


class StoreLockedError(StoreError):
    code = "DNB502"


class StoreReadOnlyError(StoreError):
    code = "DNB503"


class StoreFullError(StoreError):
    code = "DNB504"


class StoreCorruptedError(StoreError):
    code = "DNB505"


class StoreVersionError(StoreError):
    code = "DNB506"


class StoreClosedError(StoreError):
    code = "DNB507"


class EngineError(DurableError):
    code = "DNB600"


class EngineStoppedError(EngineError):
    code = "DNB601"


class NotebookError(DurableError):
    code = "DNB700"
