"""Instants as texts of other formats."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso_instant(microseconds: int) -> str:
    """RFC 3339 in UTC with all six digits, as XML Schema and pandas read it: ``2026-11-25T21:51:34.000123+00:00``.

    Instants outside the years 1 to 9999 become the nearest end of that range.
    """
    try:
        moment = _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        moment = datetime.max.replace(tzinfo=UTC) if microseconds > 0 else datetime.min.replace(tzinfo=UTC)
    return moment.isoformat(timespec="microseconds")
