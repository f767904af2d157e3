"""What markers say: local activities and patches, in the form that Temporal's SDKs record them.

A marker that cannot be read is no error here: an export shows it by its name.
"""

from __future__ import annotations

from typing import Any

import msgspec

from durable_nb.model.attributes import MarkerRecorded
from durable_nb.model.payload import Payload

LOCAL_ACTIVITY = "core_local_activity"
PATCH = "core_patch"


class LocalActivityMark(msgspec.Struct, frozen=True):
    """A local activity as its marker records it; instants in microseconds, 0 where unknown."""

    activity_type: str
    activity_id: str
    attempt: int
    scheduled_at: int
    completed_at: int
    result: list[Payload] | None


def read_local_activity(marker: MarkerRecorded) -> LocalActivityMark | None:
    """The local activity that a marker records; None when it cannot be read."""
    details = marker.details or {}
    data = _first(details.get("data"))
    if data is None:
        return None
    return LocalActivityMark(
        str(data.get("activity_type", "")),
        str(data.get("activity_id", "")),
        int(data.get("attempt") or 1),
        _instant(data.get("original_schedule_time")),
        _instant(data.get("complete_time")),
        details.get("result"),
    )


def patch_of(marker: MarkerRecorded) -> str:
    """Id of the patch that a marker records; "" for other markers."""
    if marker.marker_name != PATCH:
        return ""
    data = _first((marker.details or {}).get("patch-data"))
    return str((data or {}).get("id", ""))


def _first(payloads: list[Payload] | None) -> dict[str, Any] | None:
    try:
        value = msgspec.json.decode(payloads[0].data) if payloads else None
    except msgspec.DecodeError:
        return None
    return value if isinstance(value, dict) else None


def _instant(split: object) -> int:
    if not isinstance(split, dict):
        return 0
    try:
        return int(split.get("seconds", 0)) * 1_000_000 + int(split.get("nanos", 0)) // 1000
    except (TypeError, ValueError):
        return 0
