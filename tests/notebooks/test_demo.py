"""The demonstration tells the truth: each broken promise is found."""

from __future__ import annotations

import pytest

from notebooks.demo.__main__ import judge
from notebooks.demo.facts import Call, Histories, completed_keys
from notebooks.demo.picture import most_eventful, timeline

FIRST, SECOND = 11, 22


def call(key: str, kernel: int, begun: float = 0.0, outcome: str | None = "ok", attempt: int = 1) -> Call:
    ended = None if outcome is None else begun + 1
    return Call("mail", key, key.partition("/")[0], attempt, kernel, begun, ended, outcome)


def good_story() -> tuple[list[Call], Histories, Histories]:
    calls = [call("a/1", FIRST), call("b/1", FIRST, 1), call("b/2", FIRST, 2, None), call("b/2", SECOND, 9, attempt=2)]
    before = Histories(finished={"a"}, open={"b"}, lengths={"a": 11}, completed={"a/1", "b/1"})
    after = Histories(finished={"a", "b"}, lengths={"a": 11, "b": 17}, completed={"a/1", "b/1", "b/2"})
    return calls, before, after


def broken(calls: list[Call], before: Histories, after: Histories, total: int = 2) -> list[str]:
    return [promise.text for promise in judge(calls, (FIRST, SECOND), before, after, total) if not promise.kept]


def test_a_good_story_keeps_every_promise() -> None:
    assert broken(*good_story()) == []


def test_an_activity_called_again_after_it_completed_breaks_two_promises() -> None:
    calls, before, after = good_story()
    assert broken([*calls, call("b/1", SECOND, 10)], before, after) == [
        "no activity that had completed was called again",
        "of the activities of the first kernel, only those in flight ran again",
    ]


def test_an_unfinished_order_is_found() -> None:
    calls, before, after = good_story()
    assert broken(calls, before, after, total=3) == ["every order is finished"]


def test_a_kill_that_came_too_late_is_found() -> None:
    calls, before, after = good_story()
    before.open.clear()
    assert broken(calls, before, after) == ["the kernel died while orders were in flight"]


def test_a_finished_order_that_grew_is_found() -> None:
    calls, before, after = good_story()
    after.lengths["a"] = 12
    assert broken(calls, before, after) == ["orders that were finished were left alone"]


def test_completed_activities_are_read_from_a_history() -> None:
    scheduled = {"activityTaskScheduledEventAttributes": {"activityId": "7"}}
    completed = {"activityTaskCompletedEventAttributes": {"scheduledEventId": "5"}}
    events = [
        {"eventId": "5", "eventType": "EVENT_TYPE_ACTIVITY_TASK_SCHEDULED", **scheduled},
        {"eventId": "6", "eventType": "EVENT_TYPE_ACTIVITY_TASK_SCHEDULED", **scheduled},
        {"eventId": "8", "eventType": "EVENT_TYPE_ACTIVITY_TASK_COMPLETED", **completed},
    ]
    assert completed_keys("order-1", events) == {"order-1/7"}


def test_the_timeline_draws_every_attempt_and_the_kill() -> None:
    calls, _, _ = good_story()
    assert most_eventful(calls) == "b"
    drawn = timeline(calls, "b").splitlines()
    assert sum("█" in line or "░" in line for line in drawn) == 3
    assert sum("kill -9, new kernel" in line for line in drawn) == 1
    assert "kernel killed" in drawn[2]


def test_an_attempt_that_the_kill_struck_before_it_called_is_drawn() -> None:
    calls = [call("a/1", FIRST, 0, "unavailable"), call("b/1", FIRST, 3), call("a/1", SECOND, 9, attempt=3)]
    drawn = timeline(calls, "a").splitlines()
    assert [line[12:20].strip() for line in drawn[1:-1]] == ["1", "2", "", "3"]
    assert "kernel killed" in drawn[2]


@pytest.mark.parametrize("outcome", ["unavailable", "answer lost", None])
def test_failed_attempts_are_drawn_differently(outcome: str | None) -> None:
    drawn = timeline([call("a/1", FIRST, 0, outcome), call("a/1", FIRST, 2)], "a")
    assert drawn.count("░") >= 1
