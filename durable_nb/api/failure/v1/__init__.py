"""``Failure``: what failure converters fill and read."""

from durable_nb.model.failure import Failure

__all__ = ["Failure"]
