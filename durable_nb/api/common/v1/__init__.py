"""``Payload`` and ``Payloads``: what payload converters and codecs handle."""

from __future__ import annotations

import msgspec

from durable_nb.model.payload import Payload

__all__ = ["Payload", "Payloads"]


class Payloads(msgspec.Struct):
    """A list of payloads in a wrapper, for the ``…_wrapper`` methods of converters and codecs."""

    payloads: list[Payload] = []
