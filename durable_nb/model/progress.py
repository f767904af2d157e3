"""How far an activity has come: the value that it reports, and how it travels among heartbeat details.

A report of ``durable_nb.progress`` is a payload of its own behind the activity's own details, known by its metadata.
So a next attempt finds in ``info().heartbeat_details`` exactly what the activity itself put there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from durable_nb.model.payload import Payload

MARK = "durable_nb.progress"
"""Key of the metadata that tells a report from the activity's own details."""

_MAX_LABEL = 200


class Progress(msgspec.Struct, omit_defaults=True):
    """``done`` steps of ``total`` (0: nobody knows how many there are)."""

    done: float
    total: float = 0.0
    label: str = ""
    started_at: int = 0
    """When the first report came, and how many steps were done by then: where the pace is measured from."""
    started_done: float = 0.0

    @property
    def fraction(self) -> float:
        """Between 0 and 1; 0 where the total is not known."""
        return min(1.0, max(0.0, self.done / self.total)) if self.total > 0 else 0.0


_encoder = msgspec.json.Encoder()
_anything = msgspec.json.Decoder()


def to_payload(progress: Progress) -> Payload:
    """The report as a payload among heartbeat details."""
    return Payload({"encoding": b"json/plain", MARK: b"1"}, _encoder.encode(progress))


def is_report(payload: Payload) -> bool:
    """Whether a payload among heartbeat details is a report of progress."""
    return MARK in payload.metadata


def encode(progress: Progress) -> bytes:
    """As stored."""
    return _encoder.encode(progress)


def decode(document: bytes) -> Progress | None:
    """The stored report; None where it does not decode."""
    try:
        return msgspec.json.decode(document, type=Progress)
    except msgspec.MsgspecError:
        return None


def of_payloads(details: Sequence[Payload]) -> Progress | None:
    """The progress in heartbeat details: a report, or details in one of the usual forms (``of_values``)."""
    for payload in details:
        if MARK in payload.metadata:
            return decode(payload.data)
    if not 0 < len(details) <= 3 or any(len(payload.data) > 1000 for payload in details):
        return None
    try:
        return of_values([_anything.decode(payload.data) for payload in details])
    except msgspec.MsgspecError:
        return None


def of_values(values: Sequence[Any]) -> Progress | None:
    """Progress in the forms that activities report it in by themselves.

    ``(3, 10)`` and ``[3, 10]`` are steps of a total, with a text behind them a label; ``0.3`` is a fraction;
    ``{"done": 3, "total": 10}`` (also ``i``, ``current``, ``completed`` and ``n``) are steps by name. None for others.
    """
    if len(values) == 1 and isinstance(values[0], list | tuple):
        values = values[0]
    if len(values) == 1 and isinstance(values[0], dict):
        fields = values[0]
        done = next((fields[name] for name in ("done", "i", "current", "completed") if name in fields), None)
        total = next((fields[name] for name in ("total", "n") if name in fields), None)
        label = fields.get("label", "")
        values = [done, total, label] if isinstance(label, str) else [done, total]
    if len(values) == 1:
        return of_numbers(values[0], 1.0) if type(values[0]) is float else None
    if len(values) == 2 or (len(values) == 3 and isinstance(values[2], str)):
        return of_numbers(values[0], values[1], *values[2:])
    return None


def of_numbers(done: Any, total: Any, label: str = "") -> Progress | None:
    """Steps of a total; None unless both are finite numbers with ``0 <= done <= total`` and ``total > 0``."""
    for value in (done, total):
        if type(value) not in (int, float) or not math.isfinite(value):
            return None
    if not 0 <= done <= total or total <= 0:
        return None
    return Progress(float(done), float(total), label[:_MAX_LABEL])
