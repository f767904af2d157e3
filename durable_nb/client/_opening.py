"""Opening the engine of a store, and telling a store URL from what people type instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from durable_nb.errors import StoreUrlError

if TYPE_CHECKING:
    from durable_nb.engine import EngineHandle

_NETWORK_SCHEMES = ("http", "https", "grpc", "dns", "temporal")


def opener(url: str, *, own_thread: bool | None = None) -> Callable[[], EngineHandle]:
    """What opens the engine of ``url`` when called; the URL is checked at once.

    Parameters
    ----------
    own_thread
        Whether the engine gets a thread and a loop of its own; None leaves that to the engine: yes in a kernel or
        where no loop runs.

    Raises
    ------
    StoreUrlError
        DNB501: not the URL of a store.
    """
    require_store_url(url)

    def open_now() -> EngineHandle:
        # The engine brings SQLAlchemy, which programs that only import definitions never need.
        from durable_nb.engine import open_engine  # noqa: PLC0415

        return open_engine(url, own_thread=own_thread)

    return open_now


def require_store_url(text: object) -> None:
    """Complain unless ``text`` has the form of a store URL; whether the database is known is the engine's business.

    Raises
    ------
    StoreUrlError
        DNB501: with what to write instead.
    """
    if not isinstance(text, str):
        raise StoreUrlError(
            f"the store must be a URL (str), not {type(text).__name__}",
            fix='for instance Client.connect("sqlite:///durable.db")',
        )
    scheme, separator, _ = text.partition("://")
    if separator and scheme and scheme not in _NETWORK_SCHEMES:
        return
    if separator or _is_host_and_port(text):
        raise StoreUrlError(
            f"{shown_url(text)!r} is the address of a server; durable_nb connects to a store and needs none",
            fix='give a store URL, "sqlite:///durable.db" for a file; to run on a Temporal cluster, import temporalio '
            "in place of durable_nb",
        )
    raise StoreUrlError(
        f"{shown_url(text)!r} is not a store URL", fix=f'for a file write "sqlite:///{text or "durable.db"}"'
    )


def shown_url(url: str) -> str:
    """The URL without its password."""
    scheme, separator, rest = url.partition("://")
    credentials, at, place = rest.rpartition("@")
    user, colon, _ = credentials.partition(":")
    # A slash before the @ means that the @ is part of a file's path.
    return f"{scheme}://{user}:***@{place}" if separator and at and colon and "/" not in credentials else url


def _is_host_and_port(text: str) -> bool:
    host, colon, port = text.rpartition(":")
    return bool(colon) and bool(host) and port.isdecimal()
