"""Persistence: what the engine asks of a database (``protocol``) and the databases that answer.

``open_store`` is the way in. ``memory`` and ``sqlite`` implement the protocol, ``conflicts`` and ``blobs`` hold the
rules that all of them share, ``schema`` and ``migrations`` describe the tables. No decision about workflows is taken
here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from durable_nb.errors import StoreUrlError
from durable_nb.model.spelling import nearest

if TYPE_CHECKING:
    from durable_nb.store.protocol import Store

__all__ = ["open_store"]

_LATER = {"postgresql": "PostgreSQL", "postgres": "PostgreSQL", "mysql": "MySQL", "mariadb": "MariaDB"}


def open_store(url: str, **options: Any) -> Store:
    """The store behind a URL, made when it does not exist yet.

    Parameters
    ----------
    url
        ``sqlite:///relative.db``, ``sqlite:////absolute.db`` or ``memory://``.
    **options
        For SQLite: ``busy_timeout`` (seconds), ``blob_limit`` (bytes), ``readers`` (connections), ``max_page_count``.

    Raises
    ------
    StoreUrlError
        DNB501: the URL has a wrong form, or names a database that is not supported.
    StoreError
        One of DNB502 to DNB506: the store cannot be opened; the message says how to help.
    """
    scheme, separator, rest = url.partition("://")
    dialect = scheme.partition("+")[0]
    # Each implementation is imported when it is first needed.
    if dialect == "sqlite" and separator:
        from durable_nb.store.sqlite import SqliteStore  # noqa: PLC0415

        return SqliteStore(url, **options)
    if url == "memory://" or (scheme == "memory" and separator):
        if rest or options:
            raise StoreUrlError(f"a store in memory has no options and no name: {url!r}", fix="write memory://")
        from durable_nb.store.memory import MemoryStore  # noqa: PLC0415

        return MemoryStore()
    if dialect in _LATER:
        raise StoreUrlError(
            f"{_LATER[dialect]} is not supported yet: {_without_password(url)}", fix="use sqlite:///durable.db for now"
        )
    if not separator:
        raise StoreUrlError(f"not a store URL: {url!r}", fix=f"for a file write sqlite:///{url or 'durable.db'}")
    close = nearest(dialect, ["sqlite", "memory", *_LATER])
    hint = f"did you mean {close}://?" if close else "write sqlite:///durable.db or memory://"
    raise StoreUrlError(f"unknown kind of store {scheme!r} in {_without_password(url)}", fix=hint)


def _without_password(url: str) -> str:
    # Errors end up in notebooks, and notebooks in repositories.
    scheme, _, rest = url.partition("://")
    credentials, at, host = rest.rpartition("@")
    return f"{scheme}://{credentials.partition(':')[0] + ':***' if ':' in credentials else credentials}{at}{host}"
