"""When a cron schedule is next due. croniter reads the expression; this module adds Temporal's spellings.

``CRON_TZ=`` or ``TZ=`` in front names the time zone (UTC without), ``@every 5m`` is an interval counted from the last
run's start, ``@hourly`` and its like are croniter's own.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo

_EVERY = re.compile(r"^@every\s+((?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+)$")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_UNIT_US = {"ns": 1e-3, "us": 1.0, "µs": 1.0, "ms": 1e3, "s": 1e6, "m": 60e6, "h": 3600e6}


def next_time(schedule: str, last_start: int, now: int) -> int:
    """First instant after ``now`` at which the schedule is due; instants in microseconds, UTC.

    Raises
    ------
    ValueError
        The schedule cannot be read; the message names it.
    """
    every = _EVERY.match(schedule.strip())
    if every:
        interval = max(int(sum(float(n) * _UNIT_US[unit] for n, unit in _PART.findall(every[1]))), 1_000_000)
        return last_start + ((now - last_start) // interval + 1) * interval
    zone, expression = _split_zone(schedule.strip())
    # croniter costs 20 ms to import, and only cron workflows need it.
    from croniter import croniter  # noqa: PLC0415

    try:
        base = datetime.fromtimestamp(now / 1e6, UTC).astimezone(zone)
        due: datetime = croniter(expression, base).get_next(datetime)
    except (ValueError, KeyError) as error:
        raise ValueError(f"cannot read the cron schedule {schedule!r}: {error}") from error
    return int(due.timestamp()) * 1_000_000


def check(schedule: str) -> None:
    """Raise ValueError unless the schedule can be read."""
    next_time(schedule, 0, 0)


def _split_zone(schedule: str) -> tuple[tzinfo, str]:
    for prefix in ("CRON_TZ=", "TZ="):
        if schedule.startswith(prefix):
            name, _, expression = schedule[len(prefix) :].partition(" ")
            from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415 - as above

            try:
                return ZoneInfo(name), expression.strip()
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise ValueError(f"cannot read the cron schedule {schedule!r}: no time zone {name!r}") from error
    return UTC, schedule
