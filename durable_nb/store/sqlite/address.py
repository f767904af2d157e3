"""From a store URL to a path that can be opened, or to an error that says what is wrong with it."""

from __future__ import annotations

import os
from typing import NamedTuple

from durable_nb.errors import StoreReadOnlyError, StoreUrlError
from durable_nb.model.spelling import nearest

_SCHEMES = ("sqlite", "sqlite+pysqlite")
_OPTIONS = {"busy_timeout": float, "blob_limit": int}


class SqliteAddress(NamedTuple):
    """Where a store is: absolute ``path``, canonical ``url`` and the options that the URL carried."""

    path: str
    url: str
    options: dict[str, float | int]


def parse_url(url: str) -> SqliteAddress:
    """Read ``sqlite:///relative.db`` or ``sqlite:////absolute.db``, with or without ``?busy_timeout=…&blob_limit=…``.

    Raises
    ------
    StoreUrlError
        The URL names no file, or has an unknown option.
    """
    scheme, separator, rest = url.partition("://")
    if scheme not in _SCHEMES or not separator:
        raise StoreUrlError(f"not an SQLite URL: {url!r}", fix="write sqlite:///durable.db")
    rest, _, query = rest.partition("?")
    if rest and not rest.startswith("/"):
        raise StoreUrlError(
            f"{url!r} names a host, and SQLite has none",
            fix=f"write three slashes before a relative path: sqlite:///{rest}",
        )
    name = rest[1:]
    if name in ("", ":memory:") or name.startswith("file:"):
        raise StoreUrlError(
            f"{url!r} names no file", fix="write memory:// for a store in memory, or sqlite:///durable.db for a file"
        )
    path = os.path.abspath(os.path.expanduser(name))
    return SqliteAddress(path, f"sqlite:///{path}", _options(url, query))


def _options(url: str, query: str) -> dict[str, float | int]:
    options: dict[str, float | int] = {}
    if not query:
        return options
    # Here, because few URLs have options and the module is slow to import.
    from urllib.parse import parse_qsl  # noqa: PLC0415

    for name, text in parse_qsl(query, keep_blank_values=True):
        if name not in _OPTIONS:
            close = nearest(name, _OPTIONS)
            hint = f"did you mean {close}?" if close else f"known options: {', '.join(_OPTIONS)}"
            raise StoreUrlError(f"unknown option {name!r} in {url!r}", fix=hint)
        try:
            options[name] = _OPTIONS[name](text)
        except ValueError:
            raise StoreUrlError(f"option {name}={text!r} in {url!r} is not a number", fix=f"write {name}=10") from None
    return options


def check_path(path: str) -> None:
    """Say what is wrong with a path before SQLite says only "unable to open database file".

    Raises
    ------
    StoreUrlError
        It is a directory, or its directory is missing.
    StoreReadOnlyError
        The file or its directory may not be written.
    """
    folder = os.path.dirname(path)
    if os.path.isdir(path):
        raise StoreUrlError("the store's path is a directory", where=path, fix="add a file name, such as durable.db")
    if not os.path.isdir(folder):
        what = "is not a directory" if os.path.exists(folder) else "does not exist"
        raise StoreUrlError(f"the directory {folder} {what}", where=path, fix="make it, or correct the path")
    if os.path.exists(path) and not _may(path, os.R_OK | os.W_OK):
        raise StoreReadOnlyError(
            "the store's file may not be written", where=path, fix="change its permissions, or use another store"
        )
    if not _may(folder, os.W_OK | os.X_OK):
        raise StoreReadOnlyError(
            "the store's directory may not be written, and SQLite keeps its log there",
            where=path,
            fix="change the directory's permissions, or put the store elsewhere",
        )


def _may(path: str, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)
