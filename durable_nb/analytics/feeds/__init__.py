"""Where the mirror gets its rows from: one feed for each kind of store, all of them reading only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from durable_nb.analytics.feeds.feed import Feed, Portion, Rows, Snapshot, Watermark
from durable_nb.analytics.feeds.packing import Packed
from durable_nb.errors import StoreUrlError

if TYPE_CHECKING:
    from durable_nb.store.protocol import Store

__all__ = ["Feed", "Packed", "Portion", "Rows", "Snapshot", "Watermark", "open_feed"]


def open_feed(where: str | Store, *, stream: bool = True) -> Feed:
    """The feed of an open store, or of the store behind a URL.

    Parameters
    ----------
    stream
        Whether to use ADBC where it is installed.

    Raises
    ------
    StoreUrlError
        DNB501: the URL is not one, or its kind of store cannot be read by URL.
    StoreError
        DNB5xx: the store cannot be read; the message says why.
    """
    url: str = where if isinstance(where, str) else where.url
    # Each is imported when it is first needed.
    if url.startswith("sqlite"):
        from durable_nb.analytics.feeds.sqlite import SqliteFeed  # noqa: PLC0415

        return SqliteFeed(url, stream=stream)
    from durable_nb.analytics.feeds.memory import MemoryFeed  # noqa: PLC0415
    from durable_nb.store.memory import MemoryStore  # noqa: PLC0415

    store: Any = where
    if isinstance(store, MemoryStore):
        return MemoryFeed(store)
    raise StoreUrlError(
        f"the histories of {url!r} cannot be read by URL",
        fix="pass the client of a store in memory: sql(..., client=client); or use sqlite:///durable.db",
    )
