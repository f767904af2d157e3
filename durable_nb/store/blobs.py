"""Big payloads out of stored event attributes, and back in.

A payload whose data exceeds the store's ``blob_limit`` is kept once, by the SHA-256 of its data, in the blob table. In
the event's JSON it keeps its metadata, and a reference stands for the data::

    {"metadata": {"encoding": "…"}, "durableBlob": "<sha-256>", "size": 10485760}

No event can contain that by itself: a stored payload has no such field, and where users choose the keys of an object
(headers, memos, marker details) the value is an object or a list, not a string. So nothing needs escaping, and a search
for ``"durableBlob":"`` finds all references and nothing else: inside a string the quotes would be escaped.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEFAULT_BLOB_LIMIT = 64 * 1024
"""Bytes of payload data that stay in the event."""

MARK = b'"durableBlob":"'
"""Occurs in stored attributes exactly where they refer to a blob."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


def take_out(attributes: bytes, limit: int) -> tuple[bytes, dict[str, bytes]]:
    """The attributes with references in place of payload data over ``limit`` bytes, and that data by digest.

    Attributes without such a payload come back as they are. Call it only for attributes longer than ``limit``.
    """
    document = _decoder.decode(attributes)
    found: dict[str, bytes] = {}
    for payload in _payloads(document):
        encoded = payload["data"]
        if len(encoded) * 3 // 4 <= limit:  # base64; off by the padding at most
            continue
        data = a2b_base64(encoded)
        digest = sha256(data).hexdigest()
        found[digest] = data
        del payload["data"]
        payload["durableBlob"] = digest
        payload["size"] = len(data)
    return (_encoder.encode(document), found) if found else (attributes, found)


def put_back(attributes: bytes, fetch: Callable[[str], bytes]) -> bytes:
    """The attributes as they were before ``take_out``; ``fetch`` gives the data of a digest."""
    document = _decoder.decode(attributes)
    for value in _objects(document):
        digest = value.get("durableBlob")
        if type(digest) is str:
            del value["durableBlob"], value["size"]
            value["data"] = b2a_base64(fetch(digest), newline=False).decode()
    return _encoder.encode(document)


def _payloads(document: Any) -> Iterator[dict[str, Any]]:
    for value in _objects(document):
        if type(value.get("data")) is str and value.keys() <= {"metadata", "data"}:
            yield value


def _objects(document: Any) -> Iterator[dict[str, Any]]:
    """All objects of a JSON document; a loop, since causes of failures may nest deeper than Python's stack."""
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if type(value) is dict:
            waiting.extend(value.values())
            yield value
        elif type(value) is list:
            waiting.extend(value)
