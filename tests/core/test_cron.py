"""When a cron schedule is due."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from durable_nb.core import cron


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000_000)


@pytest.mark.parametrize(
    ("schedule", "now", "due"),
    [
        ("0 12 * * *", "2025-03-01T11:59:59.999999", "2025-03-01T12:00:00"),
        ("0 12 * * *", "2025-03-01T12:00:00", "2025-03-02T12:00:00"),
        ("*/15 * * * *", "2025-03-01T12:01:00", "2025-03-01T12:15:00"),
        ("@hourly", "2025-03-01T12:01:00", "2025-03-01T13:00:00"),
        ("CRON_TZ=Europe/Berlin 30 2 * * *", "2025-01-01T00:00:00", "2025-01-01T01:30:00"),
        ("TZ=America/New_York 0 9 * * 1", "2025-07-01T00:00:00", "2025-07-07T13:00:00"),
    ],
)
def test_a_schedule_is_due_at_the_next_instant_after_now(schedule, now, due):
    assert cron.next_time(schedule, 0, at(now)) == at(due)


@pytest.mark.parametrize(
    ("schedule", "since_start", "due"),
    [("@every 5m", 0, 300), ("@every 5m", 300, 600), ("@every 1h30m", 5401, 10800), ("@every 500ms", 3, 4)],
)
def test_an_interval_counts_from_the_last_start_and_is_a_second_at_least(schedule, since_start, due):
    start = at("2025-01-01T00:00:07")
    assert cron.next_time(schedule, start, start + since_start * 1_000_000) == start + due * 1_000_000


@pytest.mark.parametrize("schedule", ["every day", "61 * * * *", "* * *", "@every soon", "CRON_TZ=Mars/City 0 1 * * *"])
def test_a_schedule_that_cannot_be_read_is_named(schedule):
    with pytest.raises(ValueError, match="cannot read the cron schedule") as caught:
        cron.check(schedule)
    assert repr(schedule) in str(caught.value)


def test_a_readable_schedule_passes_the_check():
    cron.check("@daily")
