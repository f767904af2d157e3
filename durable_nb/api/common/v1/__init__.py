"""``Payload`` and ``Payloads``: what payload converters and codecs handle."""

from durable_nb.model.payload import Payload, Payloads

__all__ = ["Payload", "Payloads"]
