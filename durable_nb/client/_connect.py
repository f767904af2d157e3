"""``durable_nb.connect``: from nothing at all to a client that works in a cell."""

from __future__ import annotations

import os
from typing import Any

from durable_nb.client._client import Client
from durable_nb.client._defaults import DEFAULT_STORE_URL, STORE_VARIABLE
from durable_nb.client._frames import set_current
from durable_nb.client._opening import opener


def connect(url: str | None = None, **options: Any) -> Client:
    """A client of a store, for notebooks and scripts; needs no running loop.

    The engine gets a thread and a loop of its own, so that a busy cell never stops it.

    Parameters
    ----------
    url
        The store; else environment variable ``DURABLE_NB_STORE``, else ``sqlite:///durable.db``.
    **options
        Keywords of ``Client``: namespace, data_converter, interceptors, plugins, identity.

    Raises
    ------
    StoreUrlError
        DNB501: not the URL of a store.
    StoreError
        DNB5xx: the store cannot be opened; the message says why.
    """
    chosen = url or os.environ.get(STORE_VARIABLE) or DEFAULT_STORE_URL
    client = Client(opener(chosen, own_thread=True)(), **options)
    set_current(client)
    return client
