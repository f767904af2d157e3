"""Our Replayer agrees with Temporal's about what our engine wrote, and reads what a Temporal server writes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from durable_nb.client import WorkflowHistory
from durable_nb.worker import Replayer
from durable_nb.workflow import NondeterminismError
from tests.replay import scenes
from tests.replay.judge import Case
from tests.replay.tampering import CHANGES, tampered

pytestmark = pytest.mark.slow  # The scenes take a second or two.

GOLDEN = Path(__file__).parent / "golden"


def replay(workflow_id: str, text: str) -> Exception | None:
    history = WorkflowHistory.from_json(workflow_id, text)
    replayer = Replayer(workflows=scenes.WORKFLOWS)
    return asyncio.run(replayer.replay_workflow(history, raise_on_replay_failure=False)).replay_failure


def test_every_kind_of_run_is_accepted(histories: list[Case], replayed_histories: list[Case]) -> None:
    cases = [*histories, *replayed_histories]
    failures = {name: replay(name.partition(" ")[0], text) for name, _, text in cases}
    assert {name: failure for name, failure in failures.items() if failure is not None} == {}


@pytest.mark.parametrize("what", CHANGES)
def test_a_tampered_history_is_refused(histories: list[Case], what: str) -> None:
    workflow_id, change = CHANGES[what]
    text = next(text for name, _, text in histories if name.partition(" ")[0] == workflow_id)
    assert replay(workflow_id, text) is None
    assert isinstance(replay(workflow_id, tampered(text, change)), NondeterminismError | RuntimeError | ValueError)


def test_a_signal_within_a_workflow_task_is_refused_and_does_not_hang(histories: list[Case]) -> None:
    def change(events: list[dict[str, object]]) -> None:
        signal = {
            "eventId": "x",
            "eventTime": "2025-01-01T00:00:00Z",
            "eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED",
            "workflowExecutionSignaledEventAttributes": {"signalName": "x"},
        }
        events.insert(3, signal)

    text = next(text for name, _, text in histories if name.startswith("fan-out"))
    assert replay("fan-out", tampered(text, change)) is not None


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.json")))
def test_a_history_in_a_servers_spelling_is_accepted(name: str) -> None:
    assert replay(name, (GOLDEN / f"{name}.json").read_text(encoding="utf-8")) is None


@pytest.mark.slow
def test_the_official_replayer_accepts_the_golden_histories_too() -> None:
    from tests.replay.judge import verdicts

    cases = []
    for path in sorted(GOLDEN.glob("*.json")):
        text = path.read_text(encoding="utf-8")
        workflow = WorkflowHistory.from_json("w", text).events[0].attributes.workflow_type
        cases.append((path.stem, workflow, text))
    assert {name: verdict["failure"] for name, verdict in verdicts(cases).items() if verdict["failure"]} == {}
