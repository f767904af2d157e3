"""Errors of durable_nb itself; every message says what happened, where, and how to fix it.

Errors that Temporal has keep Temporal's names and live in ``exceptions``, ``client`` and ``service``; this tree holds
what a notebook on a SQL store adds. One class per remedy::

    DurableError
    ├── AuthoringError                DNB1xx  a definition is wrong: fix the cell
    │   ├── DefinitionSourceError     DNB110  the source of a definition cannot be found
    │   ├── RestoreError              DNB111  the stored source of a definition cannot be run, or must not be
    │   ├── DefinitionMissingError    DNB112  no worker of this process has a definition that is needed
    │   └── RestrictedWorkflowAccessError  DNB120  workflow code did what a replay cannot repeat (in ``workflow``)
    ├── PayloadError                  DNB4xx  a value cannot be stored or read back
    │   ├── PayloadEncodeError        DNB401  names the path inside the value
    │   └── PayloadDecodeError        DNB402  names the type and the path
    │       └── UnknownEncodingError  DNB403  no converter for that encoding: a codec or data converter is missing
    ├── HistoryFormatError            DNB404  text that should be a history in JSON is not one
    ├── ExportError                   DNB405  runs cannot be written to that file or in that format
    │   └── CapsuleError              DNB406  a run capsule is damaged, of another version, or does not fit this store
    ├── StoreError                    DNB5xx  the database
    │   ├── StoreUrlError             DNB501  the URL is not one
    │   ├── StoreLockedError          DNB502  somebody holds the write lock
    │   ├── StoreReadOnlyError        DNB503  no permission to write
    │   ├── StoreFullError            DNB504  no space left; nothing was lost
    │   ├── StoreCorruptedError       DNB505  the file is damaged or is no store
    │   ├── StoreVersionError         DNB506  written by a newer version
    │   ├── StoreClosedError          DNB507  used after it was closed
    │   ├── ConfigError               DNB508  configuration file or environment is wrong
    │   ├── StoreValueError           DNB509  a value that the database cannot hold; everything else was written
    │   └── StoreGoneError            DNB510  the file was removed or replaced while it was open
    ├── EngineError                   DNB6xx  the engine of this process
    │   └── EngineStoppedError        DNB601  it was shut down
    ├── NotebookError                 DNB7xx  a magic was used wrongly
    └── QueryError                    DNB800  a question in SQL cannot be answered: correct it
        ├── QueryRefusedError         DNB801  it does something else than ask
        └── QueryParameterError       DNB802  a parameter is missing or cannot be bound
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


class RestoreError(AuthoringError):
    code = "DNB111"


class DefinitionMissingError(AuthoringError):
    code = "DNB112"


class PayloadError(DurableError):
    code = "DNB400"


# The built-in bases are what Temporal's converters raise in these situations, so programs may catch either.
class PayloadEncodeError(PayloadError, TypeError, ValueError, RuntimeError):
    code = "DNB401"


class PayloadDecodeError(PayloadError, TypeError, ValueError, RuntimeError):
    code = "DNB402"


class UnknownEncodingError(PayloadDecodeError, KeyError):
    code = "DNB403"


class HistoryFormatError(DurableError, ValueError):
    code = "DNB404"


class ExportError(DurableError, ValueError):
    code = "DNB405"


class CapsuleError(ExportError):
    code = "DNB406"


class StoreError(DurableError):
    """The database refused.

    ``outcome_unknown``: a commit failed so late that it may be on disk nevertheless; load the runs concerned before
    trying again. Otherwise nothing of the failed call was written.
    """

    code = "DNB500"
    outcome_unknown = False


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


class ConfigError(StoreError, RuntimeError):
    code = "DNB508"


class StoreValueError(StoreError, ValueError):
    code = "DNB509"


class StoreGoneError(StoreError):
    code = "DNB510"


class EngineError(DurableError):
    code = "DNB600"


class EngineStoppedError(EngineError):
    code = "DNB601"


class NotebookError(DurableError):
    code = "DNB700"


class QueryError(DurableError, ValueError):
    code = "DNB800"


class QueryRefusedError(QueryError):
    code = "DNB801"


class QueryParameterError(QueryError):
    code = "DNB802"


class ResultCutWarning(UserWarning):
    """The answer to a question had more rows than its limit."""


class NetworkDriveWarning(UserWarning):
    """A store lies where SQLite cannot keep its promises to several machines."""
