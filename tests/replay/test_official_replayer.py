"""Temporal's own Replayer, in its strict use, accepts what our engine wrote and refuses what was tampered with."""

from __future__ import annotations

import json

import pytest

from tests.replay.judge import Case, verdicts
from tests.replay.tampering import CHANGES, STRICT_CHANGES, tampered

pytestmark = pytest.mark.slow


def problems(cases: list[Case]) -> dict[str, object]:
    return {
        name: verdict["failure"] or verdict["strict"]
        for name, verdict in verdicts(cases).items()
        if verdict["failure"] or verdict["strict"]
    }


def changed(histories: list[Case], changes: dict[str, object]) -> list[Case]:
    of = {name.partition(" ")[0]: (workflow, text) for name, workflow, text in reversed(histories)}
    return [
        (f"{workflow_id} {what}", of[workflow_id][0], tampered(of[workflow_id][1], change))
        for what, (workflow_id, change) in changes.items()  # type: ignore[attr-defined]
    ]


def test_every_kind_of_run_is_accepted(histories: list[Case]) -> None:
    assert len(histories) > 50
    assert problems(histories) == {}


def test_every_kind_of_run_is_accepted_when_each_task_was_reached_by_replay(replayed_histories: list[Case]) -> None:
    assert problems(replayed_histories) == {}


def test_tampered_histories_are_refused(histories: list[Case]) -> None:
    answers = verdicts(changed(histories, CHANGES)).items()
    assert [name for name, verdict in answers if verdict["failure"] in (None, "never answered")] == []


def test_the_strict_use_sees_what_the_replayer_does_not_compare(histories: list[Case]) -> None:
    found = verdicts(changed(histories, STRICT_CHANGES))
    assert [name for name, verdict in found.items() if verdict["failure"] is not None] == []
    assert [name for name, verdict in found.items() if not verdict["strict"]] == []


def test_between_them_the_scenes_leave_every_type_of_event(histories: list[Case]) -> None:
    from durable_nb.model.enums import EventType

    seen = {event["eventType"] for _, _, text in histories for event in json.loads(text)["events"]}
    never = {"WORKFLOW_TASK_TIMED_OUT", "WORKFLOW_EXECUTION_UPDATE_REJECTED", "WORKFLOW_EXECUTION_UPDATE_ADMITTED"}
    wanted = {f"EVENT_TYPE_{each.name}" for each in EventType if each.name not in never}
    assert sorted(wanted - seen) == []


def test_only_broken_code_and_overlooked_signals_fail_a_workflow_task(histories: list[Case]) -> None:
    failed = {name.partition(" ")[0] for name, _, text in histories if "WORKFLOW_TASK_FAILED" in text}
    assert failed == {"mended", "HeldAtTheEnd", "reset"}
