"""Stored payloads as Python values, on demand: references into the blob table are followed, Arrow becomes tables.

SQL shows payloads as JSON where they are JSON (columns ``input``, ``result``); everything else is decoded here, by the
data converter that the workers used, codec included. Nothing is unpickled that a converter was not told to.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from durable_nb.converter import DataConverter
from durable_nb.errors import PayloadDecodeError
from durable_nb.model.payload import Payload
from durable_nb.store import blobs as blob_table

if TYPE_CHECKING:
    from durable_nb.analytics.access import Explorer

_payload: msgspec.json.Decoder[Payload] = msgspec.json.Decoder(Payload)
_PAYLOAD_FIELDS = frozenset({"metadata", "data", "durableBlob", "size"})


def decode(
    stored: Any, *, explorer: Explorer | None = None, converter: DataConverter | None = None, type_hint: Any = None
) -> Any:
    """Values of stored payloads, in the shape in which they are stored.

    Parameters
    ----------
    stored
        JSON from a column ``…_payload`` (one value), ``…_payloads`` (a list), or a part of ``attributes`` (a memo or
        header: a dict by name); or a whole column, any iterable of such JSON.
    explorer
        Where blobs are read; needed only for payloads that were too big for their event.
    converter
        What decodes; the default data converter where None. ``client.decode`` uses the client's.
    type_hint
        What to make of each value.

    Returns
    -------
    The value; for a column a pandas Series of values, with the same index where it had one. There, a payload that
    cannot be decoded is represented by its ``PayloadDecodeError``, so that no row is lost.

    Raises
    ------
    PayloadDecodeError
        DNB402, DNB403: a single value cannot be decoded.
    """
    work = _Decoding(explorer, converter or DataConverter.default, type_hint)
    if stored is None or isinstance(stored, str | bytes | Mapping):
        return work.value(stored)
    if isinstance(stored, list) and all(isinstance(item, Mapping) for item in stored):
        return work.value(stored)
    if isinstance(stored, Iterable):
        return work.column(stored)
    # A missing value of pandas.
    return None


class _Decoding:
    def __init__(self, explorer: Explorer | None, converter: DataConverter, type_hint: Any) -> None:
        self._explorer = explorer
        self._converter = converter
        self._type_hint = type_hint

    def column(self, stored: Iterable[Any]) -> Any:
        import pandas as pd  # noqa: PLC0415 - slow to import

        values = [self._kept(item) for item in stored]
        return pd.Series(values, index=getattr(stored, "index", None), dtype=object)

    def _kept(self, item: Any) -> Any:
        if not isinstance(item, str | bytes | Mapping | list):
            return None
        try:
            return self.value(item)
        except PayloadDecodeError as error:
            return error

    def value(self, stored: Any) -> Any:
        if stored is None:
            return None
        document = stored
        if isinstance(stored, str | bytes):
            try:
                document = json.loads(stored)
            except (ValueError, RecursionError) as error:
                raise PayloadDecodeError(
                    f"this is not a stored payload: {error}", fix="pass a column …_payload or …_payloads"
                ) from None
        if document is None:
            return None
        if isinstance(document, list):
            return self._values([self._payload(item) for item in document])
        if isinstance(document, dict) and document.keys() <= _PAYLOAD_FIELDS:
            return self._values([self._payload(document)])[0]
        if isinstance(document, dict):
            payloads = {name: self._payload(item) for name, item in document.items()}
            return dict(zip(payloads, self._values(list(payloads.values())), strict=True))
        raise PayloadDecodeError("this is not a stored payload", fix="pass a column …_payload or …_payloads")

    def _payload(self, item: Any) -> Payload:
        try:
            return _payload.decode(blob_table.put_back(msgspec.json.encode(item), self._fetch))
        except (msgspec.DecodeError, ValueError) as error:
            if isinstance(error, PayloadDecodeError):
                raise
            raise PayloadDecodeError(f"this is not a stored payload: {error}", fix="pass …_payload columns") from None

    def _fetch(self, digest: str) -> bytes:
        if self._explorer is None:
            raise PayloadDecodeError(
                "the payload is kept in the blob table of its store",
                fix="decode it by client.decode(…), or pass explorer=open_explorer(url)",
            )
        return self._explorer.blob(digest)

    def _values(self, payloads: list[Payload]) -> list[Any]:
        hints = None if self._type_hint is None else [self._type_hint] * len(payloads)
        converter = self._converter
        if converter.payload_codec is not None:
            payloads = _run(converter.decode_payloads(payloads))
        return converter.from_payloads(payloads, hints)


def _run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine, on a loop and a thread of its own: in a notebook this thread's loop is busy."""
    outcome: list[Any] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(asyncio.run(coroutine))
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, name="durable_nb codec", daemon=True)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]
